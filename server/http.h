/* http.h - HTTPS as a server: the only user of libmicrohttpd and GnuTLS. It knows nothing of paths, tokens or
 * JSON.
 *
 * A request's headers go to begin(), which says what may come; then its body is collected (or given to a sink
 * piece by piece); then handle() is called, and somebody answers once with http_reply(): at once, or later
 * from any thread. Until then the connection sleeps and costs no thread. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HTTP_HEADERS_MAX      12 /* extra ones of a reply */
#define HTTP_TICKET_KEY_BYTES 64

struct http;
struct http_stream;

struct http_request {
    const char *method, *path; /* path: decoded, without the query */
    char peer[48];             /* IP address in text */
    struct arena arena;        /* lives until the reply is sent */
    struct buf body;           /* when there is no sink */
    uint64_t body_bytes_max;   /* set by begin(); 0: no body is taken */
    uint64_t body_bytes;       /* that came */
    /* Set by begin() for a body that is not to be collected. An error ends the request with this thread's
     * sentence. */
    enum err (*sink)(struct http_request *r, const void *bytes, size_t len);
    void *state;                            /* the handler's own */
    const char *error_header, *error_value; /* goes with an error; NULL: none. Live as long as the request */
    void (*drop)(
        struct http_request *r); /* called once when the request is over, in any way; NULL: nothing to do */
    int64_t begun_us;
    struct http_inner *inner;
};

struct http_config {
    const char *address; /* IP address to listen at */
    uint16_t port;       /* 0: any; http_port() tells */
    const char *certificate_pem, *key_pem;
    /* What seals the sessions that hosts keep (TLS tickets): the same after a restart, and they are taken up
     * then. NULL: a new one. */
    const uint8_t *ticket_key;
    uint32_t threads, connections_max, connections_per_ip_max, idle_s; /* 0: 2, 10000, 0 (no limit), 120 */
    uint32_t waiting_max; /* connections beside them whose handshake was not begun; 0: 1000 */
    /* Called on one of the server's threads. begin: ERR_OK, or the request is answered with this thread's
     * sentence before its body is read. handle: answers now or later. done: a reply was sent. */
    enum err (*begin)(void *ctx, struct http_request *r);
    void (*handle)(void *ctx, struct http_request *r);
    void (*done)(void *ctx, const struct http_request *r, int status);
    void *ctx;
};

enum err http_start(const struct http_config *config, struct http **ret_http) NODISCARD;
uint16_t http_port(const struct http *h);
uint32_t http_connections(const struct http *h); /* all that are open */
uint32_t http_waiting(const struct http *h);     /* of them: handshake not begun */
uint32_t http_handshakes(const struct http *h);  /* of them: handshake begun, not done */
/* Shown in handshakes that begin from now on; while it is no pair in PEM, the old one stays. Any thread. */
enum err http_set_certificate(struct http *h, const char *certificate_pem, const char *key_pem) NODISCARD;
/* Takes no new connections. From its return on begin() and handle() are not called any more, nor under way:
 * what they need may go. Requests that handle() was given go on; others get 503. */
void http_quiesce(struct http *h);
/* Every request that was handed to handle() should have been answered; one that was not gets 503, and the log
 * says so. Nobody answers during the call or later. */
void http_stop(struct http *h);

/* What a request carries; NULL where it does not. Live as long as the request. */
const char *http_query(const struct http_request *r, const char *name);
const char *http_header(const struct http_request *r, const char *name);
const char *http_bearer(const struct http_request *r); /* the token of Authorization: Bearer */
/* Of a person or a health check: in a crowd, connections from the same address go ahead for an hour. */
void http_goes_ahead(const struct http_request *r);
/* Value of a cookie copied into the arena, NULL when there is none. */
const char *http_cookie(struct http_request *r, const char *name);

struct http_reply {
    int status;
    const char *content_type; /* NULL: application/json */
    /* One of: body (taken over, emptied), still (lives as long as the server), fd (taken over). */
    struct buf *body;
    const char *still;
    uint64_t still_bytes;
    bool has_fd;
    int fd;
    uint64_t fd_offset, fd_bytes;
    uint64_t head_bytes; /* instead of a body, of a reply to HEAD: how long it would be */
    uint32_t header_count;
    struct {
        const char *name, *value; /* copied by http_reply() */
    } headers[HTTP_HEADERS_MAX];
};
void http_reply_header(struct http_reply *p, const char *name, const char *value);
/* Exactly once for each request that handle() was given. */
void http_reply(struct http_request *r, struct http_reply *p);
/* Instead of http_reply(), from a thread that has better to do than to write the reply: reply() is called on
 * one of the server's threads and answers then. It is not called when the connection is gone. */
void http_reply_by(struct http_request *r, void (*reply)(struct http_request *r));
/* {"error":{...}} with the status of e and a Retry-After where one belongs. */
void http_reply_err(struct http_request *r, enum err e, const char *message, int64_t retry_after_ms);

/* From handle(), of a request that may wait for long: *ret becomes true when the other end has hung up, which
 * else nobody notices before the reply is sent. Lives as long as the request. */
const atomic_bool *http_watch(struct http_request *r);

/* Is there so much room, of the server and for its address, that a connection may be held for long? */
bool http_may_linger(const struct http_request *r);

/* Answers with text/event-stream that stays open. The stream is the caller's until http_stream_close(); push
 * from any thread. A reader that is too slow (256 KiB behind) or gone makes push return false: close it then.
 */
struct http_stream *http_reply_stream(struct http_request *r);
bool http_stream_push(struct http_stream *s, const char *text, size_t len);
size_t http_stream_waiting(struct http_stream *s); /* bytes that were pushed and are not sent yet */
/* From now on drained is called when less than 16 KiB wait: on a thread of the server, quick, not after
 * http_stream_close(). */
void http_stream_watch(struct http_stream *s, void (*drained)(void *ctx), void *ctx);
void http_stream_close(struct http_stream *s);

#endif
