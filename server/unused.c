#include "server/unused.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/needs.h"
#include "server/ticker.h"
#include "server/try.h"

enum { EVERY_MS = 3600000, LOOK_EVERY_MS = 5000, PAGE = 100, NAP_MS = 100, SETTLE_MS = 10000 };

struct unused {
    struct unused_config config;
    struct ticker *ticker;
    bool began; /* all batches were looked at once */
    int64_t due_ms;
    atomic_llong woken_ms; /* when somebody first said so since the last look; 0: nobody has */
};

static enum err count(struct unused *u, const struct engine_quota *q)
{
    struct arena ARENA_AUTO a = {0};
    struct engine_request r = {.kind = ENGINE_QUOTA, .arena = &a, .u.quota = *q};
    return engine_thread_do(u->config.engine, &r);
}

/* --- letting go --- */

static enum err give_back(struct unused *u, const struct store_user *user)
{
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    uint64_t files, bytes;
    blob_holder_user(user->id, holder);
    enum err e = blobs_give_back(u->config.blobs, holder, false, clock_wall_ms(), &files, &bytes);
    if (files == 0)
        return e;
    log_event(LOG_INFO, "given-back", "user", log_i64((long long)user->id), "files",
              log_i64((long long)files), "bytes", log_i64((long long)bytes), NULL);
    enum err counted = count(u, &(struct engine_quota){.user_id = user->id, .bytes = -(int64_t)bytes});
    return e == ERR_OK ? counted : e;
}

/* --- counting again --- */

struct difference {
    uint64_t user, held;
    int64_t counted;
};

struct differences {
    struct arena arena;
    struct difference *list;
    uint32_t count, room;
};

static enum err note(struct differences *d, const struct difference *one)
{
    if (d->count == d->room) {
        uint32_t room = d->room ? d->room * 2 : PAGE;
        struct difference *more = arena_array(&d->arena, room, sizeof *more);
        TRY(more ? ERR_OK : ERR_NOMEM);
        for (uint32_t i = 0; i < d->count; i++)
            more[i] = d->list[i];
        d->list = more;
        d->room = room;
    }
    d->list[d->count++] = *one;
    return ERR_OK;
}

/* The number is read before the holds and after: of one moment, unless something moves. */
static enum err differs(struct unused *u, uint64_t id, struct difference *ret, bool *ret_differs)
{
    struct arena ARENA_AUTO a = {0};
    struct store_user before, after;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    blob_holder_user(id, holder);
    *ret = (struct difference){.user = id};
    TRY(store_user_get(u->config.store, &a, id, &before));
    TRY(blobs_charged(u->config.blobs, holder, &ret->held));
    TRY(store_user_get(u->config.store, &a, id, &after));
    ret->counted = after.blob_bytes_noted;
    *ret_differs = before.blob_bytes_noted == after.blob_bytes_noted && ret->counted != (int64_t)ret->held;
    return ERR_OK;
}

/* Uploads that were stored and are not counted yet are by then. */
static bool settle(const struct unused *u)
{
    int64_t until_ms = clock_mono_ms() + u->config.settle_ms;
    while (!ticker_stops(u->ticker) && clock_mono_ms() < until_ms)
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000l}, NULL);
    return !ticker_stops(u->ticker);
}

static enum err put_right(struct unused *u, const struct difference *was)
{
    struct difference is;
    bool still;
    TRY(differs(u, was->user, &is, &still));
    if (!still || is.counted != was->counted || is.held != was->held)
        return ERR_OK;
    log_event(LOG_WARN, "quota-put-right", "user", log_i64((long long)is.user), "counted",
              log_i64(is.counted), "held", log_i64((long long)is.held), NULL);
    enum err e = count(u, &(struct engine_quota){.user_id = is.user,
                                                 .bytes = (int64_t)is.held - is.counted,
                                                 .guarded = true,
                                                 .counted = is.counted});
    return e == ERR_CONFLICT ? ERR_OK : e; /* it moved: the next look sees */
}

static enum err put_all_right(struct unused *u, const struct differences *d)
{
    if (d->count == 0 || !settle(u))
        return ERR_OK;
    for (uint32_t i = 0; i < d->count; i++)
        TRY(put_right(u, &d->list[i]));
    return ERR_OK;
}

/* --- the thread --- */

static enum err look_at(struct unused *u, const struct store_user *user, struct differences *d)
{
    struct difference one;
    bool is;
    TRY(give_back(u, user));
    TRY(differs(u, user->id, &one, &is));
    return is ? note(d, &one) : ERR_OK;
}

static enum err look_at_all(struct unused *u, struct differences *d)
{
    uint64_t after = 0;
    uint32_t count = PAGE;
    while (count == PAGE && !ticker_stops(u->ticker)) {
        struct arena ARENA_AUTO a = {0};
        struct store_user *list;
        TRY(store_user_list(u->config.store, &a, after, PAGE, &list, &count));
        for (uint32_t i = 0; i < count && !ticker_stops(u->ticker); i++) {
            after = list[i].id;
            TRY(look_at(u, &list[i], d));
        }
    }
    return ERR_OK;
}

static bool is_due(struct unused *u)
{
    int64_t now_ms = clock_mono_ms(), woken_ms = atomic_load(&u->woken_ms);
    if (now_ms < u->due_ms && (woken_ms == 0 || now_ms < woken_ms + u->config.purged_kept_ms))
        return false;
    atomic_store(&u->woken_ms, 0);
    u->due_ms = now_ms + EVERY_MS;
    return true;
}

/* Whoever delivers does this too: it is who lets go of what purged batches had. */
static void look(void *ctx)
{
    struct unused *u = ctx;
    struct differences d = {0};
    if (!members_have(u->config.members, DUTY_DELIVER))
        return;
    if (!is_due(u))
        return;
    int64_t since_ms = u->began ? clock_wall_ms() - NEEDS_YOUNG_MS : 0;
    enum err e = needs_hold(u->config.store, u->config.blobs, since_ms);
    u->began |= e == ERR_OK;
    if (e == ERR_OK)
        e = look_at_all(u, &d);
    if (e == ERR_OK)
        e = put_all_right(u, &d);
    arena_done(&d.arena);
    if (e != ERR_OK && !ticker_stops(u->ticker))
        log_event(LOG_WARN, "give-back-failed", "err", err_text(), NULL);
}

enum err unused_start(const struct unused_config *config, struct unused **ret_unused)
{
    struct unused *u = calloc(1, sizeof *u);
    if (!u)
        return err_set(ERR_NOMEM, "no memory for unused files");
    u->config = *config;
    u->config.settle_ms = config->settle_ms ? config->settle_ms : SETTLE_MS;
    enum err e = ticker_start(look, u, LOOK_EVERY_MS, &u->ticker);
    if (e != ERR_OK) {
        free(u);
        return e;
    }
    *ret_unused = u;
    return ERR_OK;
}

void unused_wake(struct unused *u)
{
    if (!u)
        return;
    long long none = 0;
    atomic_compare_exchange_strong(&u->woken_ms, &none, clock_mono_ms());
    ticker_wake(u->ticker);
}

void unused_stop(struct unused *u)
{
    if (!u)
        return;
    ticker_stop(u->ticker);
    free(u);
}
