/* page_http.h - reads one HTTP/1.1 request of the local page, strictly, and decides who may ask. PURE: no
 * socket, no clock. What is not plainly right is refused: this page has one kind of caller, a browser on this
 * computer, and each connection carries one request. */
#ifndef CLIENT_PAGE_HTTP_H
#define CLIENT_PAGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_HEAD_BYTES_MAX 8192
#define PAGE_BODY_BYTES_MAX 16384
#define PAGE_PATH_BYTES     128
#define PAGE_VALUE_BYTES    128 /* of a header that is looked at */
#define PAGE_KEY_BYTES      33  /* 32 hexadecimal characters and a NUL */

struct page_request {
    bool post; /* else GET */
    char path[PAGE_PATH_BYTES];
    char host[PAGE_VALUE_BYTES], origin[PAGE_VALUE_BYTES], site[PAGE_VALUE_BYTES], key[PAGE_VALUE_BYTES];
    bool has_origin, has_site, json;
    size_t head_len, body_len; /* the body follows the head in what was read */
};

/* 0: more must come first; 200: ret is the whole request; else the HTTP status that refuses it. */
int page_http_read(const char *bytes, size_t len, struct page_request *ret);

/* Who may ask: 200, or the status that refuses. The page's own files are no secret; everything below /v1/
 * needs the key, and whatever changes something an Origin, which browsers always send with it. A name that
 * somebody else's DNS makes point to this computer is not ours: Host must be loopback's address and port. */
int page_http_admit(const struct page_request *r, uint16_t port, const char *key);

#endif
