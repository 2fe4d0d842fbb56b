/* s3_link.c - presigned links, see s3.h. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "server/s3_inner.h"

/* HMAC-SHA256, RFC 2104. Keys here are at most one block long. */
static struct digest hmac(const void *key, size_t key_len, const char *text)
{
    unsigned char pad[64 + 1024];
    struct digest inner;
    size_t len = strlen(text);
    unsigned char block[64] = {0};
    memcpy(block, key, key_len < sizeof block ? key_len : sizeof block);
    for (size_t i = 0; i < 64; i++)
        pad[i] = block[i] ^ 0x36;
    memcpy(pad + 64, text, len < 1024 ? len : 1024);
    inner = hash_bytes(pad, 64 + (len < 1024 ? len : 1024));
    for (size_t i = 0; i < 64; i++)
        pad[i] = block[i] ^ 0x5c;
    memcpy(pad + 64, inner.bytes, DIGEST_BYTES);
    return hash_bytes(pad, 64 + DIGEST_BYTES);
}

static struct digest signing_key(const struct s3 *s, const char *day)
{
    char first[160];
    snprintf(first, sizeof first, "AWS4%s", s->secret);
    size_t len = strlen(first);
    struct digest k = len <= 64 ? hmac(first, len, day) : hash_bytes(first, len);
    if (len > 64) /* RFC 2104: a longer key is hashed first */
        k = hmac(k.bytes, DIGEST_BYTES, day);
    k = hmac(k.bytes, DIGEST_BYTES, s->region);
    k = hmac(k.bytes, DIGEST_BYTES, "s3");
    return hmac(k.bytes, DIGEST_BYTES, "aws4_request");
}

static enum err link_query(const struct s3 *s, const char *when, uint32_t valid_s, struct buf *out)
{
    enum err e = buf_add_text(out, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
    if (e == ERR_OK)
        e = s3_escape(s->key_id, out);
    return e != ERR_OK
               ? e
               : buf_printf(out,
                            "%%2F%.8s%%2F%s%%2Fs3%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-"
                            "SignedHeaders=host",
                            when, s->region, when, (unsigned)valid_s);
}

enum err s3_presign(const struct s3 *s, const struct digest *blob, int64_t now_ms, uint32_t valid_s,
                    char ret_url[S3_URL_BYTES_MAX])
{
    char when[24], day[16], name[DIGEST_TEXT_BYTES], canonical[1024], hash[DIGEST_TEXT_BYTES], to_sign[512];
    time_t now = (time_t)(now_ms / 1000);
    struct tm t;
    const char *host = strstr(s->endpoint, "://");
    if (!host || !gmtime_r(&now, &t))
        return err_set(ERR_INVALID, "object store endpoint '%s' is not http://HOST or https://HOST",
                       s->endpoint);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &t);
    strftime(day, sizeof day, "%Y%m%d", &t);
    digest_text(blob, name);
    BUF_AUTO struct buf text = {0};
    enum err e = link_query(s, when, valid_s, &text);
    if (e != ERR_OK)
        return e;
    const char *query = buf_text(&text);
    int n = snprintf(canonical, sizeof canonical, "GET\n/%s/%s%s\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD",
                     s->bucket, s->prefix, name, query, host + 3);
    if (n < 0 || (size_t)n >= sizeof canonical)
        return err_set(ERR_LIMIT, "object store settings are too long for a link");
    struct digest d = hash_bytes(canonical, (size_t)n);
    digest_text(&d, hash);
    snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", when, day, s->region,
             hash);
    struct digest key = signing_key(s, day), sig = hmac(key.bytes, DIGEST_BYTES, to_sign);
    digest_text(&sig, hash);
    n = snprintf(ret_url, S3_URL_BYTES_MAX, "%s/%s/%s%s?%s&X-Amz-Signature=%s", s->endpoint, s->bucket,
                 s->prefix, name, query, hash);
    return n > 0 && n < S3_URL_BYTES_MAX ? ERR_OK : err_set(ERR_LIMIT, "the link is too long");
}
