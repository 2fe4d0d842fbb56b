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

static bool takes_gzip(const struct call *c)
{
    const char *encodings = http_header(c->http, "Accept-Encoding");
    return encodings && strstr(encodings, "gzip");
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
    } else if (file->gz && takes_gzip(c)) {
        p.still = (const char *)file->gz;
        p.still_bytes = file->gz_len;
        http_reply_header(&p, "Content-Encoding", "gzip");
    }
    http_reply(c->http, &p);
    return ERR_OK;
}
