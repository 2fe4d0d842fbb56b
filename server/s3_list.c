/* s3_list.c - listing a bucket (ListObjectsV2), see s3.h. The replies are a few flat elements: each is looked
 * up by name. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/s3_inner.h"

static char entity(const char **at)
{
    static const struct {
        const char *text;
        char c;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_starts(*at, known[i].text)) {
            *at += strlen(known[i].text);
            return known[i].c;
        }
    }
    return *(*at)++;
}

bool s3_xml_text(const char *xml, const char *name, char *ret, size_t room)
{
    char open[64], close[64];
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *from = strstr(xml, open), *end = from ? strstr(from, close) : NULL;
    size_t len = 0;
    if (!end)
        return false;
    for (from += strlen(open); from < end; len++) {
        if (len + 1 >= room)
            return false;
        ret[len] = *from == '&' ? entity(&from) : *from++;
    }
    ret[len] = 0;
    return true;
}

enum err s3_escape(const char *text, struct buf *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    enum err e = ERR_OK;
    for (; *text && e == ERR_OK; text++)
        e = strchr(plain, *text) ? buf_add_char(out, *text) : buf_printf(out, "%%%02X", (unsigned char)*text);
    return e;
}

struct lister {
    const struct s3 *s;
    enum err (*visit)(void *ctx, const struct digest *blob, uint64_t bytes, int64_t modified_ms);
    void *ctx;
};

/* One <Contents>; objects that are not named like blobs of ours are passed over. */
static enum err visit_object(const struct lister *l, const char *xml)
{
    char key[256], size[32], modified[64];
    struct digest blob;
    uint64_t bytes = 0;
    int64_t modified_ms = 0;
    size_t skip = strlen(l->s->prefix);
    if (!s3_xml_text(xml, "Key", key, sizeof key) || !s3_xml_text(xml, "Size", size, sizeof size) ||
        !s3_xml_text(xml, "LastModified", modified, sizeof modified) || !str_starts(key, l->s->prefix) ||
        digest_parse(key + skip, &blob) != ERR_OK || str_to_u64(size, UINT64_MAX, &bytes) != ERR_OK ||
        str_to_time_ms(modified, &modified_ms) != ERR_OK)
        return ERR_OK;
    return l->visit(l->ctx, &blob, bytes, modified_ms);
}

static enum err visit_page(const struct lister *l, char *xml)
{
    static const char open[] = "<Contents>", close[] = "</Contents>";
    enum err e = ERR_OK;
    for (char *at = strstr(xml, open); at && e == ERR_OK; at = strstr(at, open)) {
        char *end = strstr(at, close);
        if (!end)
            break;
        *end = 0;
        e = visit_object(l, at);
        *end = '<';
        at = end;
    }
    return e;
}

static enum err page_url(const struct s3 *s, const struct digest *after, uint32_t limit,
                         char ret[S3_URL_BYTES_MAX])
{
    BUF_AUTO struct buf query = {0};
    char name[DIGEST_TEXT_BYTES];
    enum err e = buf_printf(&query, "list-type=2&max-keys=%u&prefix=", limit); /* signed in this order */
    if (e == ERR_OK)
        e = s3_escape(s->prefix, &query);
    if (e == ERR_OK && after) {
        digest_text(after, name);
        e = buf_add_text(&query, "&start-after=");
        if (e == ERR_OK)
            e = s3_escape(s->prefix, &query);
        if (e == ERR_OK)
            e = buf_add_text(&query, name);
    }
    if (e == ERR_OK)
        s3_object_url(s, NULL, buf_text(&query), ret);
    return e;
}

enum err s3_list(const struct s3 *s, const struct digest *after, uint32_t limit,
                 enum err (*visit)(void *ctx, const struct digest *blob, uint64_t bytes, int64_t modified_ms),
                 void *ctx, bool *ret_more)
{
    struct lister l = {.s = s, .visit = visit, .ctx = ctx};
    char url[S3_URL_BYTES_MAX], word[16];
    struct fetch_request r = {.method = "GET", .url = url};
    struct fetch_reply reply;
    enum err e = page_url(s, after, limit, url);
    if (e == ERR_OK)
        e = s3_request(s, &r, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "listing the bucket");
    if (e == ERR_OK && reply.body.data)
        e = visit_page(&l, reply.body.data);
    *ret_more = s3_xml_text(buf_text(&reply.body), "IsTruncated", word, sizeof word) && str_eq(word, "true");
    fetch_reply_done(&reply);
    return e;
}
