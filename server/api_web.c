/* api_web.c - the console and the public pages, which are in the program itself */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/api.h"
#include "server/web_files.h"

static void add_headers(struct http_reply *p, const char *etag)
{
    http_reply_header(p, "ETag", etag);
    http_reply_header(p, "Cache-Control", "no-cache");
    http_reply_header(p, "Vary", "Accept-Encoding");
    http_reply_header(p, "X-Content-Type-Options", "nosniff");
    http_reply_header(p, "Referrer-Policy", "no-referrer");
    http_reply_header(p, "X-Frame-Options", "DENY");
    http_reply_header(p, "Content-Security-Policy", WEB_CONTENT_POLICY);
}

/* Is the coding among those that the browser takes? That one may be refused (";q=0") no browser makes use of.
 */
static bool takes(const struct call *c, const char *coding)
{
    const char *at = http_header(c->http, "Accept-Encoding");
    size_t len = strlen(coding);
    while (at && *at) {
        at += strspn(at, ", ");
        if (strncmp(at, coding, len) == 0 && strchr(",; ", at[len]))
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static void pack(const struct call *c, const struct web_file *file, struct http_reply *p)
{
    bool br = file->br && takes(c, "br");
    if (!br && (!file->gz || !takes(c, "gzip")))
        return;
    p->still = (const char *)(br ? file->br : file->gz);
    p->still_bytes = br ? file->br_len : file->gz_len;
    http_reply_header(p, "Content-Encoding", br ? "br" : "gzip");
}

enum err api_web(struct call *c)
{
    const struct web_file *file = web_file_find(c->http->path);
    const char *known = http_header(c->http, "If-None-Match");
    char etag[WEB_ETAG_BYTES + 2];
    if (!file)
        return err_set(ERR_MISSING, "there is no page at %.200s", c->http->path);
    struct http_reply p = {.status = 200,
                           .content_type = file->content_type,
                           .still = (const char *)file->bytes,
                           .still_bytes = file->len};
    snprintf(etag, sizeof etag, "\"%s\"", file->etag);
    add_headers(&p, etag);
    if (known && str_eq(known, etag)) {
        p.status = 304;
        p.still_bytes = 0;
    } else {
        pack(c, file, &p);
    }
    http_reply(c->http, &p);
    return ERR_OK;
}
