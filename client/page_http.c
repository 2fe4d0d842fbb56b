/* page_http.c - see page_http.h */
#include "client/page_http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/str.h"

enum {
    OK = 200,
    BAD = 400,
    UNKNOWN = 401,
    FORBIDDEN = 403,
    METHOD = 405,
    TOO_LARGE = 413,
    HEAD_TOO_LARGE = 431
};

struct header {
    const char *name, *value;
    size_t name_len, value_len;
};

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_visible(char c)
{
    return c > ' ' && c < 127;
}

/* GET /path HTTP/1.1: a path of plain characters, so that nothing is to be decoded. */
static int read_first_line(const char *line, size_t len, struct page_request *r)
{
    static const char get[] = "GET ", post[] = "POST ", version[] = " HTTP/1.1";
    size_t tail = sizeof version - 1, at;
    if (len > sizeof post - 1 && memcmp(line, post, sizeof post - 1) == 0)
        r->post = true;
    else if (len <= sizeof get - 1 || memcmp(line, get, sizeof get - 1) != 0)
        return METHOD;
    at = r->post ? sizeof post - 1 : sizeof get - 1;
    if (len < at + 1 + tail || memcmp(line + len - tail, version, tail) != 0)
        return BAD;
    size_t n = len - tail - at;
    if (n >= sizeof r->path || line[at] != '/')
        return BAD;
    for (size_t i = 0; i < n; i++)
        if (!is_token(line[at + i]) && line[at + i] != '/' && line[at + i] != '.')
            return BAD;
    memcpy(r->path, line + at, n);
    return strstr(r->path, "..") ? BAD : OK;
}

static bool split(const char *line, size_t len, struct header *ret)
{
    size_t name = 0, from, end = len;
    while (name < len && is_token(line[name]))
        name++;
    if (name == 0 || name == len || line[name] != ':')
        return false;
    for (from = name + 1; from < end && (line[from] == ' ' || line[from] == '\t');)
        from++;
    while (end > from && (line[end - 1] == ' ' || line[end - 1] == '\t'))
        end--;
    for (size_t i = from; i < end; i++)
        if (!is_visible(line[i]) && line[i] != ' ' && line[i] != '\t' && (unsigned char)line[i] < 128)
            return false;
    *ret = (struct header){line, line + from, name, end - from};
    return true;
}

static bool is(const struct header *h, const char *name)
{
    return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

/* Twice the same header may mean two things to two readers. */
static int keep(const struct header *h, bool *seen, char ret[PAGE_VALUE_BYTES])
{
    if (*seen || h->value_len >= PAGE_VALUE_BYTES)
        return BAD;
    memcpy(ret, h->value, h->value_len);
    ret[h->value_len] = 0;
    *seen = true;
    return OK;
}

struct seen {
    bool host, key, length, type;
};

static int read_length(const struct header *h, struct seen *seen, struct page_request *r)
{
    char text[PAGE_VALUE_BYTES];
    uint64_t n = 0;
    int status = keep(h, &seen->length, text);
    if (status != OK || str_to_u64(text, UINT32_MAX, &n) != ERR_OK)
        return BAD;
    r->body_len = (size_t)n;
    return n > PAGE_BODY_BYTES_MAX ? TOO_LARGE : OK;
}

static int read_header(const struct header *h, struct seen *seen, struct page_request *r)
{
    char type[PAGE_VALUE_BYTES];
    int status = OK;
    if (is(h, "Host"))
        return keep(h, &seen->host, r->host);
    if (is(h, "Origin"))
        return keep(h, &r->has_origin, r->origin);
    if (is(h, "Sec-Fetch-Site"))
        return keep(h, &r->has_site, r->site);
    if (is(h, "X-CSRF-Token"))
        return keep(h, &seen->key, r->key);
    if (is(h, "Content-Length"))
        return read_length(h, seen, r);
    if (is(h, "Transfer-Encoding") || is(h, "Upgrade") || is(h, "Expect"))
        return BAD;
    if (is(h, "Content-Type")) {
        status = keep(h, &seen->type, type);
        r->json = status == OK && str_eq(type, "application/json");
    }
    return status;
}

static int read_head(const char *bytes, size_t len, struct page_request *r)
{
    struct seen seen = {0};
    struct header h;
    bool first = true;
    int status = OK;
    for (size_t at = 0; at < len && status == OK;) {
        const char *end = memmem(bytes + at, len - at, "\r\n", 2);
        size_t n = (size_t)(end - bytes) - at;
        if (memchr(bytes + at, 0, n))
            return BAD;
        if (first)
            status = read_first_line(bytes + at, n, r);
        else
            status = split(bytes + at, n, &h) ? read_header(&h, &seen, r) : BAD;
        first = false;
        at += n + 2;
    }
    if (status == OK && (!seen.host || (r->post && !seen.length) || (!r->post && r->body_len > 0)))
        status = BAD;
    return status;
}

int page_http_read(const char *bytes, size_t len, struct page_request *ret)
{
    struct page_request r = {0};
    size_t look = len < PAGE_HEAD_BYTES_MAX ? len : PAGE_HEAD_BYTES_MAX;
    const char *end = memmem(bytes, look, "\r\n\r\n", 4);
    if (!end)
        return len >= PAGE_HEAD_BYTES_MAX ? HEAD_TOO_LARGE : 0;
    r.head_len = (size_t)(end - bytes) + 4;
    int status = read_head(bytes, r.head_len - 2, &r);
    if (status != OK)
        return status;
    if (len < r.head_len + r.body_len)
        return 0;
    if (len > r.head_len + r.body_len) /* a second request: not on this connection */
        return BAD;
    *ret = r;
    return OK;
}

static bool is_here(const char *text, const char *scheme, uint16_t port)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    char ours[PAGE_VALUE_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(ours, sizeof ours, "%s%s:%u", scheme, names[i], port);
        if (str_eq(text, ours))
            return true;
    }
    return false;
}

int page_http_admit(const struct page_request *r, uint16_t port, const char *key)
{
    if (!is_here(r->host, "", port))
        return FORBIDDEN;
    if (r->has_origin ? !is_here(r->origin, "http://", port) : r->post)
        return FORBIDDEN;
    if (!str_starts(r->path, "/v1/"))
        return r->post ? METHOD : OK;
    if (r->has_site && !str_eq(r->site, "same-origin"))
        return FORBIDDEN;
    if (strlen(r->key) != strlen(key) || !hash_same_secret(r->key, key, strlen(key)))
        return UNKNOWN;
    return r->post && !r->json ? BAD : OK;
}
