#include "server/replica.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/store_care.h"
#include "server/ticker.h"

enum { BEAT_EVERY_MS = 2000, TRY_EVERY_MS = 5000, WHERE_ROOM = 512 };
#define BEAT "beat_ms" /* the name of the row */

struct replica {
    struct engine_thread *engine;
    char where[WHERE_ROOM];
    int64_t lag_ms;
    atomic_bool late; /* told once, and once when it is over */
    struct ticker *ticker;
};

static void beat(void *ctx)
{
    struct replica *r = ctx;
    struct arena ARENA_AUTO a = {0};
    char now[24];
    struct engine_request q = {.kind = ENGINE_SETTING, .arena = &a};
    snprintf(now, sizeof now, "%" PRId64, clock_wall_ms());
    q.u.setting = (struct engine_setting){.name = BEAT, .value = now};
    (void)!engine_thread_do(r->engine, &q); /* without it the replica is late, and not read */
}

static void note(struct replica *r, bool late, const char *why)
{
    if (atomic_exchange(&r->late, late) == late)
        return;
    if (late)
        log_event(LOG_WARN, "replica-late", "why", why, NULL);
    else
        log_event(LOG_INFO, "replica-read", NULL);
}

static bool is_fresh(struct replica *r, struct store *s)
{
    struct arena ARENA_AUTO a = {0};
    const char *text;
    uint64_t at_ms;
    enum err e = store_setting_get(s, &a, BEAT, &text);
    if (e == ERR_OK)
        e = str_to_u64(text, INT64_MAX, &at_ms);
    if (e != ERR_OK) {
        note(r, true, err_text());
        return false;
    }
    bool fresh = clock_wall_ms() - (int64_t)at_ms <= r->lag_ms;
    note(r, !fresh, "it is further behind than database_read_lag");
    return fresh;
}

struct store *replica_store(struct replica *r, struct replica_reader *reader)
{
    int64_t now_ms = clock_mono_ms();
    if (!r || now_ms < reader->try_again_ms)
        return NULL;
    if (!reader->store && store_open_existing(r->where, &reader->store) != ERR_OK) {
        note(r, true, err_text());
        reader->store = NULL;
    }
    if (reader->store && is_fresh(r, reader->store))
        return reader->store;
    reader->try_again_ms = now_ms + TRY_EVERY_MS;
    return NULL;
}

enum err replica_start(struct engine_thread *engine, const char *where, int64_t lag_ms,
                       struct replica **ret_replica)
{
    struct replica *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(ERR_NOMEM, "no memory for a replica");
    r->engine = engine;
    r->lag_ms = lag_ms;
    snprintf(r->where, sizeof r->where, "%s", where);
    enum err e = ticker_start(beat, r, BEAT_EVERY_MS, &r->ticker);
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    *ret_replica = r;
    return ERR_OK;
}

void replica_stop(struct replica *r)
{
    if (!r)
        return;
    ticker_stop(r->ticker);
    free(r);
}
