#include "server/members.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/store_load.h"
#include "server/store_member.h"
#include "server/ticker.h"
#include "server/try.h"

enum {
    TOLD_KEPT = 128,   /* numbers that a row remembers */
    CLAIMS_EACH = 500, /* of a dead server, given up in one transaction */
    JOIN_TRIES = 200,
    JOIN_WAIT_MS = 50,
    TIDY_EVERY_MS = 30000,
    CLOCKS_APART_MS = 5000,
    PLACE_BYTES = 512
};

struct seen { /* of another server, by its place */
    uint64_t joined, beat, news;
    int64_t still_ms; /* so long its beat has not moved, while this one looked */
    bool warned;
};

struct members {
    struct members_config config;
    char place[PLACE_BYTES];
    struct ticker *ticker;
    struct store_set *set;
    struct store_member me;
    uint32_t count;  /* that live */
    uint32_t schema; /* of the oldest program among them */
    struct seen seen[MEMBERS_MAX + 1];
    int64_t looked_ms, beaten_ms, tidied_ms;
    bool failing, leaving;
    /* Read by other threads. */
    atomic_uint epoch, servers, slot, oldest;
    atomic_ullong joined;
    atomic_llong valid_ms; /* clock_mono_ms() until when nobody may take it for dead */
    atomic_bool alone;
    atomic_bool duties[DUTIES];
    pthread_mutex_t lock;
    uint64_t told[TOLD_KEPT], told_count, written; /* under lock; written: so many were in the last row */
};

const char *duty_name(enum duty d)
{
    static const char *const names[] = {
#define X(name, word) word,
        DUTY_LIST(X)
#undef X
    };
    return names[d < DUTY_JUDGE ? d : DUTY_JUDGE];
}

/* --- what others ask --- */

static bool is_valid(const struct members *m)
{
    return clock_mono_ms() < atomic_load(&m->valid_ms);
}

bool members_have(const struct members *m, enum duty d)
{
    return !m || (atomic_load(&m->duties[d]) && is_valid(m));
}

void members_view(const struct members *m, struct engine_view *ret)
{
    *ret = engine_view_alone();
    if (!m)
        return;
    bool valid = is_valid(m);
    ret->slot = atomic_load(&m->slot);
    ret->me = atomic_load(&m->joined);
    ret->servers = atomic_load(&m->servers);
    ret->schema = atomic_load(&m->oldest);
    ret->alone = atomic_load(&m->alone) && valid;
    ret->ticks = members_have(m, DUTY_TICK);
    /* Two of each: who was taken for dead for a moment begins anew. */
    ret->epoch = atomic_load(&m->epoch) * 2 + (ret->alone ? 1 : 0);
}

void members_engine_view(void *ctx, struct engine_view *ret)
{
    members_view(ctx, ret);
}

void members_tell(struct members *m, uint64_t number)
{
    if (!m)
        return;
    bool known = false;
    pthread_mutex_lock(&m->lock);
    uint64_t first = m->told_count - m->written < TOLD_KEPT ? m->written : m->told_count - TOLD_KEPT;
    for (uint64_t i = first; i < m->told_count && !known; i++)
        known = m->told[i % TOLD_KEPT] == number;
    if (!known)
        m->told[m->told_count++ % TOLD_KEPT] = number;
    pthread_mutex_unlock(&m->lock);
}

/* --- writing --- */

static enum err write_set(struct members *m)
{
    enum err e = store_begin(m->config.store, true);
    if (e == ERR_OK)
        e = store_set_write(m->config.store, m->set);
    if (e == ERR_OK)
        e = store_commit(m->config.store);
    if (e != ERR_OK)
        store_rollback(m->config.store);
    store_set_clear(m->set);
    return e;
}

static enum err print_told(struct members *m, struct buf *out, uint64_t *ret_count)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&m->lock);
    uint64_t first = m->told_count > TOLD_KEPT ? m->told_count - TOLD_KEPT : 0;
    for (uint64_t i = first; i < m->told_count && e == ERR_OK; i++)
        e = buf_printf(out, "%" PRIx64 " ", m->told[i % TOLD_KEPT]);
    *ret_count = m->written = m->told_count;
    pthread_mutex_unlock(&m->lock);
    return e;
}

static void set_alone(struct members *m, bool alone)
{
    if (atomic_exchange(&m->alone, alone) != alone)
        atomic_fetch_add(&m->epoch, 1);
}

/* --- joining --- */

static enum err take_number(struct members *m, uint64_t *ret)
{
    TRY(store_begin(m->config.store, true));
    enum err e = store_take_ids(m->config.store, "server", 1, ret);
    if (e == ERR_OK)
        e = store_commit(m->config.store);
    if (e != ERR_OK)
        store_rollback(m->config.store);
    return e;
}

static enum err end_claims(struct members *m, uint64_t owner)
{
    struct store_claim *list;
    uint32_t count = CLAIMS_EACH;
    while (count == CLAIMS_EACH) {
        struct arena ARENA_AUTO a = {0};
        TRY(store_claims_of(m->config.store, &a, owner, CLAIMS_EACH, &list, &count));
        for (uint32_t i = 0; i < count; i++)
            store_set_claim_end(m->set, &list[i]);
        if (count > 0)
            TRY(store_set_write(m->config.store, m->set));
    }
    return ERR_OK;
}

/* The row goes first: whoever claims something shows in the same transaction that its row is there, so that
 * nothing is claimed afterwards. A row that has moved since it was read is ERR_CONFLICT: it lives. */
static enum err bury(struct members *m, const struct store_member *dead)
{
    store_set_member_end(m->set, dead);
    TRY(store_begin(m->config.store, true));
    enum err e = store_set_write(m->config.store, m->set);
    if (e == ERR_OK)
        e = end_claims(m, dead->joined);
    if (e == ERR_OK)
        e = store_commit(m->config.store);
    if (e != ERR_OK)
        store_rollback(m->config.store);
    store_set_clear(m->set);
    return e;
}

static uint32_t free_place(const struct store_member *list, uint32_t count)
{
    for (uint32_t place = 1; place <= MEMBERS_MAX; place++) {
        bool taken = false;
        for (uint32_t i = 0; i < count; i++)
            taken = taken || list[i].id == place;
        if (!taken)
            return place;
    }
    return 0;
}

static void begin_life(struct members *m)
{
    for (uint32_t i = 0; i < DUTIES; i++)
        atomic_store(&m->duties[i], false);
    set_alone(m, false);
    atomic_store(&m->joined, m->me.joined);
    atomic_store(&m->slot, m->me.id);
    atomic_fetch_add(&m->epoch, 1);
}

/* A row for this server. Whoever had the same place before has ended: the data folder is locked. */
static enum err enter(struct members *m)
{
    struct arena ARENA_AUTO a = {0};
    struct store_member *list;
    uint32_t count;
    TRY(store_member_list(m->config.store, &a, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].place, m->place) != 0)
            continue;
        enum err e = bury(m, &list[i]);
        if (e != ERR_OK && e != ERR_CONFLICT)
            return e;
    }
    TRY(store_member_list(m->config.store, &a, &list, &count));
    struct store_member me = {.id = free_place(list, count),
                              .place = m->place,
                              .told = "",
                              .beat = 1,
                              .wall_ms = clock_wall_ms(),
                              .schema = STORE_SCHEMA_VERSION};
    if (me.id == 0)
        return err_set(ERR_LIMIT, "there are %d servers on this database already", MEMBERS_MAX);
    TRY(take_number(m, &me.joined));
    me.knows = me.joined;
    store_set_member_new(m->set, &me);
    TRY(write_set(m));
    m->me = me;
    begin_life(m);
    return ERR_OK;
}

/* --- looking --- */

static void hear(struct members *m, struct seen *s, const struct store_member *of)
{
    uint64_t new = of->news - s->news;
    if (new == 0)
        return;
    s->news = of->news;
    if (new > TOLD_KEPT) {
        m->config.on_news(m->config.ctx, 0, true);
        return;
    }
    uint64_t list[TOLD_KEPT], count = 0;
    char *end;
    for (const char *at = of->told; *at && count < TOLD_KEPT; at = *end ? end + 1 : end) {
        list[count++] = strtoull(at, &end, 16);
        if (end == at)
            break;
    }
    for (uint64_t i = count > new ? count - new : 0; i < count; i++)
        m->config.on_news(m->config.ctx, list[i], false);
}

static void compare_clocks(struct seen *s, const struct store_member *of)
{
    int64_t apart_ms = of->wall_ms - clock_wall_ms();
    bool apart = apart_ms > CLOCKS_APART_MS || apart_ms < -CLOCKS_APART_MS;
    if (apart && !s->warned)
        log_event(LOG_WARN, "clocks-differ", "server", of->place, "ms", log_i64(apart_ms), "err",
                  "deadlines are told by the clock of each server: let a time service keep them together",
                  NULL);
    s->warned = apart;
}

/* Is it dead? */
static bool watch(struct members *m, const struct store_member *of, int64_t passed_ms)
{
    struct seen *s = &m->seen[of->id];
    if (s->joined != of->joined) {
        *s = (struct seen){.joined = of->joined, .beat = of->beat, .news = of->news};
        return false;
    }
    hear(m, s, of);
    s->still_ms = s->beat == of->beat ? s->still_ms + passed_ms : 0;
    if (s->beat != of->beat)
        compare_clocks(s, of);
    s->beat = of->beat;
    return s->still_ms >= MEMBER_DEAD_MS;
}

/* Who lives. *ret_known: all the others reckon with this one; *ret_most: the last that joined. */
static enum err look_around(struct members *m, struct arena *a, bool *ret_known, uint64_t *ret_most)
{
    struct store_member *list;
    uint32_t count, others = 0, schema = STORE_SCHEMA_VERSION;
    int64_t now_ms = clock_mono_ms(), passed_ms = now_ms - m->looked_ms;
    TRY(store_member_list(m->config.store, a, &list, &count));
    *ret_known = true;
    *ret_most = m->me.joined;
    if (passed_ms > 2 * MEMBER_POLL_MS) /* what happened while this one did not look tells nothing */
        passed_ms = 2 * MEMBER_POLL_MS;
    m->looked_ms = now_ms;
    for (uint32_t i = 0; i < count; i++) {
        const struct store_member *of = &list[i];
        if (of->joined == m->me.joined || of->id == 0 || of->id > MEMBERS_MAX)
            continue;
        if (watch(m, of, passed_ms)) {
            log_event(LOG_WARN, "server-dead", "server", of->place, NULL);
            enum err e = bury(m, of);
            if (e != ERR_OK && e != ERR_CONFLICT)
                return e;
            if (e == ERR_OK)
                continue;
        }
        others++;
        schema = of->schema < schema ? of->schema : schema;
        *ret_known = *ret_known && of->knows >= m->me.joined;
        *ret_most = of->joined > *ret_most ? of->joined : *ret_most;
    }
    m->count = others + 1;
    m->schema = schema;
    return ERR_OK;
}

/* --- duties --- */

static enum err take_duties(struct members *m, struct arena *a, const uint64_t *wanted, uint32_t count)
{
    bool mine[DUTIES];
    if (count == 0)
        return ERR_OK;
    TRY(store_begin(m->config.store, true));
    enum err e =
        store_claims_take(m->config.store, a, CLAIM_DUTY, wanted, count, m->me.id, m->me.joined, mine);
    if (e == ERR_OK)
        e = store_commit(m->config.store);
    if (e != ERR_OK) {
        store_rollback(m->config.store);
        return e;
    }
    for (uint32_t i = 0; i < count; i++)
        atomic_store(&m->duties[wanted[i]], mine[i]);
    return ERR_OK;
}

/* Each has its share at most: who has more gives one up, and another takes it at its next look. */
static enum err share_duties(struct members *m, struct arena *a)
{
    struct store_claim *list;
    uint32_t count, mine = 0, wants = 0, share = (DUTIES + m->count - 1) / m->count;
    uint64_t wanted[DUTIES];
    bool taken[DUTIES] = {false}, had[DUTIES] = {false};
    TRY(store_claim_list(m->config.store, a, CLAIM_DUTY, 0, DUTIES - 1, DUTIES, &list, &count));
    const struct store_claim *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        taken[list[i].subject] = true;
        if (list[i].owner != m->me.joined)
            continue;
        had[list[i].subject] = true;
        last = &list[i];
        mine++;
    }
    if (mine > share) {
        had[last->subject] = false;
        store_set_claim_end(m->set, last);
    }
    for (uint32_t d = 0; d < DUTIES; d++) {
        atomic_store(&m->duties[d], had[d]);
        if (!taken[d] && mine + wants < share)
            wanted[wants++] = d;
    }
    if (mine > share)
        TRY(write_set(m));
    return take_duties(m, a, wanted, wants);
}

/* Blocks of batches that are over are nobody's any more. */
static enum err tidy(struct members *m, struct arena *a)
{
    struct store_claim *list;
    uint32_t count, batch = 0;
    bool over = false;
    TRY(store_claims_of(m->config.store, a, m->me.joined, CLAIMS_EACH, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].kind != CLAIM_BLOCK)
            continue;
        if (wu_id_batch(list[i].subject) != batch) {
            struct store_batch b;
            batch = wu_id_batch(list[i].subject);
            enum err e = store_batch_get(m->config.store, a, batch, &b);
            if (e != ERR_OK && e != ERR_MISSING)
                return e;
            over = e == ERR_MISSING || (b.finished_ms != 0 && b.job == BATCH_JOB_NONE);
        }
        if (over)
            store_set_claim_end(m->set, &list[i]);
    }
    return store_set_is_empty(m->set) ? ERR_OK : write_set(m);
}

/* --- the beat --- */

static enum err beat(struct members *m, uint64_t knows)
{
    BUF_AUTO struct buf told = {.bytes_max = MEMBER_TOLD_BYTES_MAX};
    int64_t from_ms = clock_mono_ms();
    struct store_member next = m->me;
    TRY(print_told(m, &told, &next.news));
    next.beat++;
    next.knows = knows;
    next.wall_ms = clock_wall_ms();
    next.told = buf_text(&told);
    store_set_member_beat(m->set, &next);
    TRY(write_set(m));
    next.told = "";
    m->me = next;
    m->beaten_ms = from_ms;
    atomic_store(&m->valid_ms, from_ms + MEMBER_VALID_MS);
    return ERR_OK;
}

static bool has_news(struct members *m)
{
    pthread_mutex_lock(&m->lock);
    bool has = m->told_count != m->me.news;
    pthread_mutex_unlock(&m->lock);
    return has;
}

static enum err once(struct members *m, bool *ret_known)
{
    struct arena ARENA_AUTO a = {0};
    uint64_t knows;
    TRY(look_around(m, &a, ret_known, &knows));
    atomic_store(&m->servers, m->count);
    atomic_store(&m->oldest, m->schema);
    if (m->count > 1)
        set_alone(m, false); /* before the others hear that it is known */
    bool due = clock_mono_ms() - m->beaten_ms >= MEMBER_BEAT_MS;
    if (due || knows != m->me.knows || has_news(m))
        TRY(beat(m, knows));
    if (m->count == 1)
        set_alone(m, true);
    if (due && *ret_known)
        TRY(share_duties(m, &a));
    if (clock_mono_ms() - m->tidied_ms >= TIDY_EVERY_MS) {
        m->tidied_ms = clock_mono_ms();
        TRY(tidy(m, &a));
    }
    return ERR_OK;
}

static void look(void *ctx)
{
    struct members *m = ctx;
    bool known;
    enum err e = once(m, &known);
    if (e == ERR_CONFLICT) {
        log_event(LOG_WARN, "server-was-dead", "place", m->place, "err",
                  "this server was silent for so long that others took over its duties: it joins again",
                  NULL);
        e = enter(m);
    }
    if (e != ERR_OK && !m->failing)
        log_event(LOG_ERROR, "members", "code", err_word(e), "err", err_text(), NULL);
    if (e == ERR_OK && m->failing)
        log_event(LOG_INFO, "members", "state", "well again", NULL);
    m->failing = e != ERR_OK;
}

static enum err wait_until_known(struct members *m)
{
    bool known = false;
    int64_t until_ms = clock_mono_ms() + 4 * MEMBER_DEAD_MS;
    while (!known) {
        TRY(once(m, &known));
        if (!known && clock_mono_ms() > until_ms)
            return err_set(ERR_TIMEOUT,
                           "the other servers on this database do not take notice of this one: is one "
                           "of them older than this program?");
        if (!known)
            clock_sleep_ms(JOIN_WAIT_MS);
    }
    return ERR_OK;
}

static void drop(struct members *m)
{
    store_set_free(m->set);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

enum err members_join(const struct members_config *config, struct members **ret_members)
{
    struct members *m = calloc(1, sizeof *m);
    if (!m || !(m->set = store_set_new())) {
        free(m);
        return err_set(ERR_NOMEM, "no memory to join the other servers");
    }
    m->config = *config;
    snprintf(m->place, sizeof m->place, "%s", config->place);
    pthread_mutex_init(&m->lock, NULL);
    m->looked_ms = clock_mono_ms();
    enum err e = ERR_CONFLICT;
    for (int i = 0; i < JOIN_TRIES && e == ERR_CONFLICT; i++) /* another took the same place */
        e = enter(m);
    if (e == ERR_OK)
        e = wait_until_known(m);
    if (e == ERR_OK)
        e = ticker_start(look, m, MEMBER_POLL_MS, &m->ticker);
    if (e != ERR_OK) {
        drop(m);
        return e;
    }
    *ret_members = m;
    return ERR_OK;
}

void members_leave(struct members *m)
{
    if (!m)
        return;
    ticker_stop(m->ticker);
    for (uint32_t i = 0; i < DUTIES; i++)
        atomic_store(&m->duties[i], false);
    if (bury(m, &m->me) != ERR_OK)
        log_event(LOG_WARN, "members", "err", err_text(), NULL);
    drop(m);
}
