#include "server/route.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/try.h"
#include "wire/token.h"

/* --- finding the route --- */

/* Copies what stands for the *s into the arena. */
static bool match_path(struct http_request *r, const char *pattern, const char *params[2])
{
    const char *at = r->path;
    int n = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (*pattern != *at++)
                return false;
            continue;
        }
        bool rest = pattern[1] == '*';
        size_t len = rest ? strlen(at) : strcspn(at, "/");
        if ((len == 0 && !rest) || n == 2)
            return false;
        params[n++] = arena_bytes(&r->arena, at, len);
        at += len;
        pattern += rest;
    }
    return !*at;
}

static bool match_method(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0;
}

static enum err find_route(struct call *c)
{
    struct http_request *r = c->http;
    const struct route *other = NULL;
    const char *params[2] = {NULL};
    bool head = strcmp(r->method, "HEAD") == 0;
    for (size_t i = 0; i < route_count; i++) {
        if (!match_path(r, routes[i].path, params))
            continue;
        if (match_method(&routes[i], r->method)) {
            c->route = &routes[i];
            memcpy(c->params, params, sizeof params);
            return ERR_OK;
        }
        if (!other || (head && match_method(&routes[i], "GET"))) {
            other = &routes[i];
            memcpy(c->params, params, sizeof params);
        }
    }
    if (other && head && match_method(other, "GET")) {
        c->route = other;
        return ERR_OK;
    }
    if (other)
        return err_set(ERR_INVALID, "%.16s is not possible at %.200s, %s is", r->method, r->path,
                       other->method);
    return err_set(ERR_MISSING, "there is nothing at %.200s: the paths are in PROTOCOL.md", r->path);
}

/* --- who may --- */

void call_csrf(const char *token, char ret[DIGEST_TEXT_BYTES])
{
    struct digest d = hash_tagged(0xc5, token, strlen(token));
    digest_text(&d, ret);
}

enum err call_check_origin(const struct http_request *r)
{
    const char *origin = http_header(r, "Origin"), *host = http_header(r, "Host"), *https = "https://";
    if (!origin || (host && str_starts(origin, https) && str_eq(origin + strlen(https), host)))
        return ERR_OK;
    return err_set(ERR_DENIED, "this request comes from the page of another site (%.100s)", origin);
}

static enum err check_page(const struct http_request *r, const char *token)
{
    char want[DIGEST_TEXT_BYTES];
    const char *shown = http_header(r, "X-CSRF-Token");
    if (str_eq(r->method, "GET") || str_eq(r->method, "HEAD"))
        return ERR_OK;
    TRY(call_check_origin(r));
    call_csrf(token, want);
    if (!shown || strlen(shown) != strlen(want) || !hash_same_secret(shown, want, strlen(want)))
        return err_set(ERR_DENIED, "the page is out of date: load it again (its X-CSRF-Token is wrong)");
    return ERR_OK;
}

static enum err check_rate(struct call *c, struct rate *rate, uint64_t who)
{
    return rate_take(rate, who, clock_mono_ms(), &c->retry_after_ms);
}

static enum err check_token(struct call *c)
{
    struct http_request *r = c->http;
    struct server *s = c->server;
    const char *token = http_bearer(r), *cookie = token ? NULL : http_cookie(r, SESSION_COOKIE);
    enum err e = auth_check(s->auth, token ? token : cookie, clock_wall_ms(), &c->who);
    if (e == ERR_AUTH) { /* guessing is slow */
        char text[ERR_TEXT_BYTES_MAX];
        snprintf(text, sizeof text, "%s", err_text());
        TRY(check_rate(c, s->address_rate, rate_address(r->peer)));
        return err_set(ERR_AUTH, "%s", text);
    }
    TRY(e);
    c->who.by_cookie = cookie != NULL;
    if (c->who.role >= ROLE_VIEWER)
        http_goes_ahead(r);
    TRY(check_rate(c, s->token_rate, c->who.token_id));
    return cookie ? check_page(r, cookie) : ERR_OK;
}

/* Who finds a browser open must not be able to do what hurts most. */
static enum err check_fresh(const struct call *c)
{
    const struct principal *who = &c->who;
    int64_t most_ms = c->server->settings.login_fresh_ms;
    if (!who->by_cookie || c->route->access < ACCESS_VIEWER_FRESH)
        return ERR_OK;
    if (clock_wall_ms() - who->created_ms <= most_ms)
        return ERR_OK;
    return err_set(ERR_REAUTH, "for this you must have logged in within the last %lld minutes: log in again",
                   (long long)(most_ms / 60000));
}

static enum err check_access(struct call *c)
{
    static const enum role least[] = {
        [ACCESS_PUBLIC] = ROLE_NONE,
        [ACCESS_TOKEN] = ROLE_HOST,
        [ACCESS_HOST] = ROLE_HOST,
        [ACCESS_VIEWER] = ROLE_VIEWER,
        [ACCESS_SCIENTIST] = ROLE_SCIENTIST,
        [ACCESS_OPERATOR] = ROLE_OPERATOR,
        [ACCESS_VIEWER_FRESH] = ROLE_VIEWER,
        [ACCESS_SCIENTIST_FRESH] = ROLE_SCIENTIST,
        [ACCESS_OPERATOR_FRESH] = ROLE_OPERATOR,
    };
    const struct route *route = c->route;
    if (route->access == ACCESS_PUBLIC)
        return check_rate(c, c->server->address_rate, rate_address(c->http->peer));
    TRY(check_token(c));
    if (route->access == ACCESS_HOST ? c->who.role != ROLE_HOST : c->who.role < least[route->access])
        return err_set(ERR_DENIED, "%s %.200s needs a token with the role %s, this one has %s", route->method,
                       c->http->path, role_name(least[route->access]), role_name(c->who.role));
    if (c->who.role >= ROLE_VIEWER && !(c->who.scope & (route->scope ? route->scope : SCOPE_ALL)))
        return err_set(ERR_DENIED, "this token's scope does not reach to %s %.200s: use another token",
                       route->method, c->http->path);
    return check_fresh(c);
}

/* --- a request's way --- */

static void drop_call(struct http_request *r)
{
    struct call *c = r->state;
    blob_upload_drop(c->upload);
    c->upload = NULL;
}

/* What is behind the server is away (the database, the store of files): nothing has happened, and will when
 * it is back. Where it is, is nobody's business. */
static enum err be_away(const struct call *c, enum err e)
{
    if (e != ERR_UNREACHABLE && e != ERR_TIMEOUT)
        return e;
    log_event(LOG_WARN, "request-waits", "method", c->route ? c->route->method : "", "path", c->http->path,
              "err", err_text(), NULL);
    return err_set(ERR_BUSY, "what the server keeps its data in cannot be reached at the moment: try again");
}

static enum err begin(void *ctx, struct http_request *r)
{
    struct call *c = arena_alloc(&r->arena, sizeof *c);
    if (!c)
        return err_set(ERR_NOMEM, "no memory for another request");
    c->server = ctx;
    c->http = r;
    c->request.arena = &r->arena;
    r->state = c;
    r->drop = drop_call;
    TRY(find_route(c));
    TRY(check_access(c));
    if (atomic_load(&c->server->stopping))
        return err_set(ERR_BUSY, "the server is about to stop: try again in a moment");
    r->body_bytes_max = c->route->body_bytes_max;
    return c->route->begin ? c->route->begin(c) : ERR_OK;
}

enum err route_begin(void *ctx, struct http_request *r)
{
    enum err e = begin(ctx, r);
    return r->state ? be_away(r->state, e) : e;
}

void call_fail(struct call *c, enum err e)
{
    e = be_away(c, e);
    if (err_http(e) == 500)
        log_event(LOG_ERROR, "request-failed", "method", c->route->method, "path", c->http->path, "err",
                  err_text(), NULL);
    http_reply_err(c->http, e, err_text(), c->retry_after_ms);
}

static void run_job(struct worker_job *job, struct store *reader)
{
    struct call *c = (struct call *)(void *)((char *)job - offsetof(struct call, job));
    c->store = reader;
    struct store *otherwise = job->otherwise;
    enum err e = c->then(c);
    if (e != ERR_OK && otherwise) { /* a replica may not know it yet, or be gone */
        c->store = otherwise;
        e = c->then(c);
    }
    if (e != ERR_OK)
        call_fail(c, e);
}

enum err call_on_worker(struct call *c, enum err (*then)(struct call *c))
{
    const char *cache = http_header(c->http, "Cache-Control");
    c->job.late = c->route && route_may_be_late(c->route) && !(cache && strstr(cache, "no-cache"));
    c->then = then;
    c->job.run = run_job;
    return workers_put(c->server->workers, &c->job);
}

void route_handle(void *ctx, struct http_request *r)
{
    struct call *c = r->state;
    (void)ctx;
    enum err e = c->route->inlined ? c->route->handler(c) : call_on_worker(c, c->route->handler);
    if (e != ERR_OK)
        call_fail(c, e);
}

void route_done(void *ctx, const struct http_request *r, int status)
{
    struct server *s = ctx;
    const struct call *c = r->state;
    int64_t took_us = clock_mono_us() - r->begun_us;
    if (c && c->route)
        metrics_note(s->metrics, (size_t)(c->route - routes), status, took_us, r->body_bytes);
    if (log_on(LOG_DEBUG))
        log_event(LOG_DEBUG, "request", "method", r->method, "path", r->path, "peer", r->peer, "status",
                  log_i64(status), "took_us", log_i64(took_us), NULL);
}

enum err call_engine(struct call *c)
{
    c->request.arena = &c->http->arena;
    c->request.user_id = c->who.role >= ROLE_VIEWER ? c->who.id : 0;
    enum err e = engine_thread_do(c->server->thread, &c->request);
    c->retry_after_ms = c->request.retry_after_ms;
    return e == ERR_OK ? e : err_set(e, "%s", c->request.message ? c->request.message : err_text());
}

enum err call_reply(struct call *c, int status, struct buf *body)
{
    struct http_reply p = {.status = status, .body = body};
    http_reply_header(&p, "Cache-Control", "no-store");
    http_reply(c->http, &p);
    return ERR_OK;
}

enum err call_idempotent(struct call *c)
{
    const char *key = http_header(c->http, "Idempotency-Key");
    char owner[32];
    if (!key)
        return ERR_OK;
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            len = 0;
    if (len < 1 || len > 64)
        return err_set(ERR_INVALID, "Idempotency-Key must be 1 to 64 visible characters");
    snprintf(owner, sizeof owner, "%.1s%" PRIu64, c->who.role == ROLE_NONE ? "join" : role_name(c->who.role),
             c->who.id);
    c->request.key = arena_text(&c->http->arena, key);
    c->request.key_owner = arena_text(&c->http->arena, owner);
    if (!c->request.key || !c->request.key_owner)
        return ERR_NOMEM;
    c->request.body = hash_bytes(buf_text(&c->http->body), c->http->body.len);
    return ERR_OK;
}

enum err call_number(const struct call *c, const char *name, uint64_t fallback, uint64_t max, uint64_t *ret)
{
    const char *text = http_query(c->http, name);
    *ret = fallback;
    return text ? err_prefix(str_to_u64(text, max, ret), "?%s=", name) : ERR_OK;
}

enum err call_id(const char *text, const char *what, uint64_t max, uint64_t *ret)
{
    if (str_to_u64(text, max, ret) != ERR_OK || *ret == 0)
        return err_set(ERR_MISSING, "there is no %s \"%.60s\"", what, text);
    return ERR_OK;
}
