/* api_public.c - what anybody may ask: the project, whether it is well, who one is */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api_stream.h"
#include "server/try.h"

enum err api_project(struct call *c)
{
    BUF_AUTO struct buf body = {0};
    TRY(project_write(c->server->project, clock_wall_ms(), &body));
    return call_reply(c, 200, &body);
}

enum err api_healthz(struct call *c)
{
    struct http_reply p = {.status = 200, .content_type = "text/plain", .still = "ok\n", .still_bytes = 3};
    http_goes_ahead(c->http);
    http_reply(c->http, &p);
    return ERR_OK;
}

enum err api_readyz(struct call *c)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    http_goes_ahead(c->http);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "reasons");
    bool ready = pulse_reasons(c->server->pulse, &o);
    json_out_close(&o);
    json_out_bool(&o, "ready", ready);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, ready ? 200 : 503, &body);
}

/* The project in numbers, for its public page: nothing about anybody. */
enum err api_project_stats(struct call *c)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    pulse_write(c->server->pulse, &o);
    pulse_showcase(c->server->pulse, &o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- metrics --- */

static bool is_loopback(const char *peer)
{
    return str_starts(peer, "127.") || str_eq(peer, "::1") || str_starts(peer, "::ffff:127.");
}

static enum err print_work(struct call *c, struct buf *out)
{
    struct project_counts n;
    TRY(store_project_counts(c->store, &n));
#define X(name)                                                                                              \
    TRY(metrics_value(out, "dugnad_" #name, "gauge",                                                         \
                      "The project's count of " #name ", kept by the engine.", (double)n.name));
    PROJECT_COUNT_LIST(X)
#undef X
    return ERR_OK;
}

static enum err print_engine(struct server *s, struct buf *out)
{
    struct engine_stats e;
    uint32_t waiting;
    int64_t oldest_ms;
    engine_thread_stats(s->thread, &e);
    engine_thread_load(s->thread, &waiting, &oldest_ms);
    const struct {
        const char *name, *kind, *help;
        double value;
    } list[] = {
        {"dugnad_engine_turns_total", "counter", "Turns of the engine.", (double)e.turns},
        {"dugnad_engine_requests_total", "counter", "Requests answered by the engine.", (double)e.requests},
        {"dugnad_engine_commits_total", "counter", "Transactions made durable.", (double)e.commits},
        {"dugnad_engine_conflicts_total", "counter", "Turns done again because another server moved first.",
         (double)e.conflicts},
        {"dugnad_engine_commit_failures_total", "counter", "Transactions that failed.",
         (double)e.commit_failures},
        {"dugnad_engine_leases_total", "counter", "Attempts handed out.", (double)e.leases},
        {"dugnad_engine_reports_total", "counter", "Reports taken.", (double)e.reports},
        {"dugnad_engine_seconds_total", "counter", "Time spent in turns.", (double)e.turn_us / 1e6},
        {"dugnad_engine_waiting", "gauge", "Requests that wait for the engine.", waiting},
        {"dugnad_engine_oldest_seconds", "gauge", "Age of the oldest one.", (double)oldest_ms / 1000},
        {"dugnad_hosts_waiting", "gauge", "Idle hosts whose request waits for work.", e.hosts_waiting},
        {"dugnad_engine_units_cached", "gauge", "Units in memory.", e.units_cached},
        {"dugnad_workers_waiting", "gauge", "Requests of people that wait.", workers_waiting(s->workers)},
        {"dugnad_connections", "gauge", "Open connections.", http_connections(s->http)},
        {"dugnad_connections_waiting", "gauge", "Of them, those whose TLS handshake was not begun yet.",
         http_waiting(s->http)},
        {"dugnad_handshakes", "gauge", "TLS handshakes that were begun and are not over.",
         http_handshakes(s->http)},
        {"dugnad_up_seconds", "gauge", "Since the server started.",
         (double)(clock_mono_ms() - s->started_ms) / 1000},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        TRY(metrics_value(out, list[i].name, list[i].kind, list[i].help, list[i].value));
    return ERR_OK;
}

enum err api_metrics(struct call *c)
{
    struct server *s = c->server;
    BUF_AUTO struct buf body = {0};
    struct http_reply p = {
        .status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = &body};
    if (!s->settings.metrics_open && !is_loopback(c->http->peer)) {
        TRY(auth_check(s->auth, http_bearer(c->http), clock_wall_ms(), &c->who));
        if (c->who.role < ROLE_VIEWER)
            return err_set(ERR_DENIED, "/metrics needs a viewer's token");
    }
    TRY(print_work(c, &body));
    TRY(api_validation_metrics(c, &body));
    TRY(print_engine(s, &body));
    TRY(streams_print(c, &body));
    TRY(metrics_print(s->metrics, &body));
    http_reply(c->http, &p);
    return ERR_OK;
}

/* --- who one is --- */

static enum err name_of(struct call *c, const char **ret)
{
    struct store_user u;
    struct store_host h;
    struct store_volunteer v;
    struct arena *a = &c->http->arena;
    switch (c->who.role) {
    case ROLE_HOST:
        TRY(store_host_get(c->store, a, c->who.id, &h));
        *ret = h.nickname;
        return ERR_OK;
    case ROLE_VOLUNTEER:
        TRY(store_volunteer_get(c->store, a, c->who.id, &v));
        *ret = v.name;
        return ERR_OK;
    default:
        TRY(store_user_get(c->store, a, c->who.id, &u));
        *ret = u.name;
        return ERR_OK;
    }
}

static enum err write_user(struct call *c, struct json_out *o)
{
    struct store_user u;
    TRY(store_user_get(c->store, &c->http->arena, c->who.id, &u));
    json_out_string(o, "role", role_name(c->who.role));
    api_stored(c, &u, o);
    return ERR_OK;
}

enum err api_whoami(struct call *c)
{
    const struct principal *w = &c->who;
    struct store_token t;
    const char *name;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(name_of(c, &name));
    TRY(store_token_get(c->store, &c->http->arena, w->token_id, &t));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "kind", w->role >= ROLE_VIEWER ? "user" : role_name(w->role));
    api_id(&o, "id", w->id);
    json_out_string(&o, "name", name);
    if (w->role >= ROLE_VIEWER)
        TRY(write_user(c, &o));
    api_id(&o, "token", w->token_id);
    json_out_string(&o, "scope", t.scope);
    if (w->expires_ms)
        json_out_i64(&o, "expires_ms", w->expires_ms);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
