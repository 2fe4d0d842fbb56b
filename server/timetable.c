/* timetable.c - see timetable.h */
#include "server/timetable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "rules/cron.h"
#include "server/api.h"
#include "server/store_schedule.h"
#include "server/ticker.h"
#include "server/try.h"

enum { LOOK_EVERY_MS = 1000, EACH = 100 };

struct timetable {
    struct server *server;
    struct store *store;
    struct ticker *ticker;
};

static int64_t next_of(const struct store_schedule *s, int64_t now_ms)
{
    struct cron cron;
    if (!s->cron[0] || cron_parse(s->cron, &cron) != ERR_OK)
        return 0;
    int64_t next_ms = cron_next_ms(&cron, now_ms);
    return next_ms == INT64_MAX ? 0 : next_ms;
}

/* As whom it was made; with what that user may now. */
static enum err be_user(struct call *c, uint64_t id)
{
    struct store_user u;
    TRY(store_user_get(c->store, &c->http->arena, id, &u));
    if (u.disabled || u.role < ROLE_SCIENTIST)
        return err_set(ERR_DENIED, "%.64s may not submit any more", u.name);
    c->who = (struct principal){.role = u.role,
                                .id = u.id,
                                .scope = SCOPE_SUBMIT,
                                .blob_bytes_max = u.blob_bytes_max,
                                .units_max = u.units_max};
    return ERR_OK;
}

static enum err submit(struct call *c, const struct store_schedule *s, uint32_t *ret_batch)
{
    char key[64];
    TRY(be_user(c, s->user_id));
    TRY(buf_add(&c->http->body, s->body.data, s->body.len));
    snprintf(key, sizeof key, "schedule-%" PRIu64 "-%" PRId64, s->id, s->next_ms);
    c->request.key = key;
    c->request.key_owner = "schedule";
    c->request.body = hash_bytes(s->body.data, s->body.len);
    return api_batch_make(c, ret_batch);
}

/* What may be otherwise soon is tried again at the next look. */
static bool is_passing(enum err e)
{
    return e == ERR_BUSY || e == ERR_NOMEM || e == ERR_FULL || e == ERR_CONFLICT;
}

static enum err fire(struct timetable *t, uint64_t id)
{
    struct http_request http = {0}; /* for its arena and body */
    struct call call = {.http = &http, .server = t->server, .store = t->store};
    struct store_schedule s;
    uint32_t batch = 0;
    struct engine_request r = {.kind = ENGINE_SCHEDULE, .arena = &http.arena};
    enum err e = store_schedule_get(t->store, &http.arena, id, &s);
    if (e == ERR_OK) {
        enum err made = submit(&call, &s, &batch);
        s.why = made == ERR_OK ? "" : arena_text(&http.arena, err_text());
        if (made != ERR_OK)
            log_event(LOG_WARN, "schedule-failed", "schedule", log_i64((long long)id), "err", err_text(),
                      NULL);
        e = is_passing(made) ? made : s.why ? ERR_OK : ERR_NOMEM;
    }
    if (e == ERR_OK) {
        s.last_ms = s.next_ms;
        s.last_batch = batch;
        s.next_ms = next_of(&s, clock_wall_ms());
        r.u.schedule = (struct engine_schedule){.verb = ENGINE_SCHEDULE_MOVE, .schedule = s};
        e = engine_thread_do(t->server->thread, &r);
    }
    arena_done(&http.arena);
    buf_done(&http.body);
    return e;
}

static void look(void *ctx)
{
    struct timetable *t = ctx;
    struct arena ARENA_AUTO a = {0};
    struct store_schedule *list;
    uint32_t count = 0;
    if (!members_have(t->server->members, DUTY_TIMETABLE))
        return;
    if (store_schedule_due(t->store, &a, clock_wall_ms(), EACH, &list, &count) != ERR_OK)
        log_event(LOG_WARN, "schedules-failed", "err", err_text(), NULL);
    for (uint32_t i = 0; i < count && !ticker_stops(t->ticker); i++)
        if (fire(t, list[i].id) != ERR_OK)
            log_event(LOG_WARN, "schedule-waits", "schedule", log_i64((long long)list[i].id), "err",
                      err_text(), NULL);
}

enum err timetable_start(struct server *server, struct store *store, struct timetable **ret_timetable)
{
    struct timetable *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "no memory for schedules");
    t->server = server;
    t->store = store;
    enum err e = ticker_start(look, t, LOOK_EVERY_MS, &t->ticker);
    if (e != ERR_OK) {
        free(t);
        return e;
    }
    *ret_timetable = t;
    return ERR_OK;
}

void timetable_stop(struct timetable *t)
{
    if (!t)
        return;
    ticker_stop(t->ticker);
    free(t);
}
