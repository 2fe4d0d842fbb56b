/* route.h - the table of what the server answers: method, path, who may, how big, which handler. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "server/server.h"

enum access {
    ACCESS_PUBLIC,
    ACCESS_TOKEN, /* any good token */
    ACCESS_HOST,
    ACCESS_VIEWER, /* and whoever has more */
    ACCESS_SCIENTIST,
    ACCESS_OPERATOR,
    /* The same, but a browser must have logged in within settings.login_fresh_ms. */
    ACCESS_VIEWER_FRESH,
    ACCESS_SCIENTIST_FRESH,
    ACCESS_OPERATOR_FRESH,
};

struct route {
    const char *method, *path; /* a * stands for one part of the path, ** at the end for all that is left */
    enum access access;
    uint32_t scope; /* of a user's token; 0: any */
    uint64_t body_bytes_max;
    bool inlined; /* on the connection's own thread: quick, never blocks */
    enum err (*handler)(struct call *c);
    enum err (*begin)(struct call *c); /* before the body comes; may set a sink. NULL: nothing */
};

extern const struct route routes[];
extern const size_t route_count;
/* Of lists and reports: what it tells may be read from a replica (replica.h). */
bool route_may_be_late(const struct route *route);

/* For http_config; ctx is the server. */
enum err route_begin(void *ctx, struct http_request *r) NODISCARD;
void route_handle(void *ctx, struct http_request *r);
void route_done(void *ctx, const struct http_request *r, int status);

/* Goes on with `then` on a worker. An error is the caller's to return. */
enum err call_on_worker(struct call *c, enum err (*then)(struct call *c)) NODISCARD;
/* The cookie of a browser's session, which holds a token of its own. */
#define SESSION_COOKIE "__Host-dugnad"
/* What the session's page shows with each change, to prove that it is not another site's form. */
void call_csrf(const char *token, char ret[DIGEST_TEXT_BYTES]);
/* A browser says from whose page a request comes; ERR_DENIED when it is another site's. */
enum err call_check_origin(const struct http_request *r) NODISCARD;
/* Answers with this thread's sentence. */
void call_fail(struct call *c, enum err e);
/* Runs c->request on the engine and waits: on a worker only. Returns its error, its sentence set. */
enum err call_engine(struct call *c) NODISCARD;
/* Answers 200 (or status) with what was written to the body; frees it. */
enum err call_reply(struct call *c, int status, struct buf *body) NODISCARD;
/* The idempotency key of the request, checked, and whose it is, into c->request. */
enum err call_idempotent(struct call *c) NODISCARD;
/* Query: a number or the fallback; ERR_INVALID names it. */
enum err call_number(const struct call *c, const char *name, uint64_t fallback, uint64_t max,
                     uint64_t *ret) NODISCARD;
/* Path parts as numbers: ERR_MISSING when they are none. */
enum err call_id(const char *text, const char *what, uint64_t max, uint64_t *ret) NODISCARD;

#endif
