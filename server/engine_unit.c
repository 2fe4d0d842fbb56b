/* engine_unit.c - units in memory, and the one place where the rules are applied. */
#include <stdlib.h>
#include <string.h>

#include "rules/credit.h"
#include "rules/wu_codec.h"
#include "rules/wu_history.h"
#include "server/engine_in.h"
#include "server/unit_row.h"

/* Has attempts to send: 0 if none was ever sent, 1 if some were; else -1. */
int unit_ready(const struct wu *wu)
{
    if (wu_unsent(wu) == 0)
        return -1;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state != ATTEMPT_UNSENT)
            return 1;
    return 0;
}

void unit_free(struct engine *e, struct unit_mem *u)
{
    cache_drop(&e->units, &u->item);
    free((char *)(uintptr_t)u->spec.data);
    free(u);
}

static enum err fill(const struct engine *e, struct batch_mem *b, const struct store_unit_row *row,
                     struct unit_mem *u)
{
    u->item.key = row->id;
    u->turn = e->turn_number;
    u->rev = row->rev;
    u->hr = row->hr;
    u->wake_ms = row->waking ? row->wake_ms : INT64_MAX;
    u->wu.id = row->id;
    u->wu.rules = unit_rules(&b->b.rules, &row->spec);
    if (row->life.len == 0) {
        TRY(store_unit_fresh(&u->wu));
    } else {
        TRY(wu_decode((const uint8_t *)row->life.data, row->life.len, &u->wu));
        u->wu.wake_at_ms = wu_next_deadline(&u->wu);
    }
    u->ready = unit_ready(&u->wu);
    u->open_ms = e->view.alone ? e->now_ms : 0;
    u->failure = u->wu.failure;
    if (row->spec.len == 0)
        return ERR_OK;
    char *spec = malloc(row->spec.len);
    if (!spec)
        return err_set(ERR_NOMEM, "no memory for a unit");
    memcpy(spec, row->spec.data, row->spec.len);
    u->spec = (struct text){.data = spec, .len = row->spec.len};
    return ERR_OK;
}

/* What another server may have changed since. */
static bool is_stale(const struct engine *e, const struct cache_item *item)
{
    const struct unit_mem *u = (const struct unit_mem *)(const void *)item;
    return !e->view.alone && u->turn != e->turn_number && !u->dirty;
}

enum err unit_keep(struct engine *e, const struct store_unit_row *row, struct unit_mem **ret)
{
    struct cache_item *known = cache_get(&e->units, row->id);
    struct batch_mem *b;
    if (known && is_stale(e, known)) {
        unit_free(e, (struct unit_mem *)(void *)known);
    } else if (known) { /* what is in memory is newer */
        *ret = (struct unit_mem *)(void *)known;
        return ERR_OK;
    }
    TRY(batch_find(e, wu_id_batch(row->id), &b));
    if (!b)
        return err_set(ERR_CORRUPT, "a unit's batch %u is not there", wu_id_batch(row->id));
    struct unit_mem *u = calloc(1, sizeof *u);
    if (!u)
        return err_set(ERR_NOMEM, "no memory for a unit");
    enum err err = fill(e, b, row, u);
    if (err == ERR_OK)
        err = cache_put(&e->units, &u->item);
    if (err != ERR_OK) {
        free((char *)(uintptr_t)u->spec.data);
        free(u);
        return err;
    }
    e->stats.unit_loads++;
    *ret = u;
    return ERR_OK;
}

static enum err keep_row(void *ctx, const struct store_unit_row *row)
{
    struct unit_mem *u;
    return unit_keep(ctx, row, &u);
}

enum err unit_prefetch(struct engine *e, const wu_id *ids, uint32_t count)
{
    if (count == 0)
        return ERR_OK;
    return store_units_load(e->store, &e->turn, ids, count,
                            (struct store_unit_rows){.row = keep_row, .ctx = e});
}

static int by_id(const void *x, const void *y)
{
    wu_id a = *(const wu_id *)x, b = *(const wu_id *)y;
    return a < b ? -1 : a > b;
}

enum err unit_prefetch_locked(struct engine *e, wu_id *ids, uint32_t count)
{
    if (count == 0)
        return ERR_OK;
    qsort(ids, count, sizeof *ids, by_id);
    return store_units_lock(e->store, &e->turn, ids, count,
                            (struct store_unit_rows){.row = keep_row, .ctx = e});
}

enum err unit_find_own(struct engine *e, wu_id id, struct unit_mem **ret)
{
    struct unit_mem *u = (struct unit_mem *)(void *)cache_get(&e->units, id);
    if (!u)
        return unit_find(e, id, ret);
    u->turn = e->turn_number;
    e->stats.unit_hits++;
    *ret = u;
    return ERR_OK;
}

enum err unit_find(struct engine *e, wu_id id, struct unit_mem **ret)
{
    struct cache_item *known = cache_get(&e->units, id);
    if (!known || is_stale(e, known)) {
        if (e->units_new)
            TRY(engine_flush(e));
        TRY(unit_prefetch(e, &id, 1));
        known = cache_get(&e->units, id);
    } else {
        e->stats.unit_hits++;
    }
    *ret = (struct unit_mem *)(void *)known;
    if (*ret && (*ret)->wu.state == WU_DELIVERED) { /* of a frozen batch nobody knows a unit any more */
        struct batch_mem *b;
        TRY(batch_find(e, wu_id_batch(id), &b));
        if (b && b->b.frozen)
            *ret = NULL;
    }
    return ERR_OK;
}

/* --- what follows from a step --- */

struct count_of { /* of one unit */
    int64_t open, judging, provisional, accepted, failed, cancelled, delivered, purged, unsent, leased, taken,
        audits;
};

static struct count_of count_of(const struct wu *wu)
{
    struct count_of c = {.open = wu->state == WU_OPEN || wu->state == WU_PROVISIONAL,
                         .provisional = wu->state == WU_PROVISIONAL,
                         .judging = wu->state == WU_JUDGING,
                         .delivered = wu->state == WU_DELIVERED,
                         .purged = wu->purged};
    bool over = wu->state == WU_ACCEPTED || wu->state == WU_FAILED || wu->state == WU_DELIVERED;
    c.accepted = over && wu->canonical >= 0;
    c.taken = c.accepted && wu_is_taken(wu);
    c.failed = over && wu->canonical < 0;
    c.cancelled = c.failed && wu->failure == WU_FAILURE_CANCELLED;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        c.unsent += wu->attempts[i].state == ATTEMPT_UNSENT;
        c.leased += wu->attempts[i].state == ATTEMPT_LEASED;
        c.audits +=
            wu->attempts[i].audit && wu->attempts[i].host_id != 0 && wu->attempts[i].state != ATTEMPT_LEASED;
    }
    return c;
}

static void add_counts(struct engine *e, struct batch_mem *b, const struct batch_counts *d)
{
#define X(name)                                                                                              \
    b->b.counts.name += d->name;                                                                             \
    b->added.name += d->name;
    BATCH_COUNT_LIST(X)
#undef X
    struct project_counts *p = &e->project;
    p->units += d->units;
    p->accepted += d->accepted;
    p->failed += d->failed;
    p->delivered += d->delivered;
    p->attempts += d->attempts;
    p->reports += d->reports;
    p->valid += d->valid;
    p->invalid += d->invalid;
    p->errors += d->errors;
    p->expired += d->expired;
    p->unsent += d->unsent;
    p->leased += d->leased;
    p->judging += d->judging;
    p->cpu_ms += d->cpu_ms;
    p->wall_ms += d->wall_ms;
    batch_touch(e, b);
}

static enum err history(struct engine *e, struct unit_mem *u, const struct batch_mem *b,
                        const struct wu_event *ev)
{
    char line[WU_HISTORY_BYTES_MAX];
    size_t len = wu_history_write(ev, b->b.created_ms, line), before = u->history.len;
    char *text = arena_alloc(&e->turn, before + len + 2);
    if (!text)
        return ERR_NOMEM;
    if (before > 0)
        memcpy(text, u->history.data, before);
    memcpy(text + before, line, len);
    text[before + len] = '\n';
    u->history = (struct text){.data = text, .len = (uint32_t)(before + len + 1)};
    return ERR_OK;
}

static enum err used(struct engine *e, struct unit_mem *u, uint32_t attempt, const struct unit_fact *f)
{
    uint8_t bytes[UNIT_USE_BYTES_MAX];
    struct store_attempt_use use = {
        .cpu_ms = f->cpu_ms, .wall_ms = f->wall_ms, .memory_bytes = f->memory_bytes};
    uint32_t len = unit_use_write(attempt, &use, bytes), before = u->used.len;
    char *text = arena_alloc(&e->turn, before + len + 1u);
    if (!text)
        return ERR_NOMEM;
    if (before > 0)
        memcpy(text, u->used.data, before);
    memcpy(text + before, bytes, len);
    u->used = (struct text){.data = text, .len = before + len};
    return ERR_OK;
}

/* The lease of an attempt is the host's row: it begins, moves and ends with the attempt's state. */
static enum err follow_leases(struct engine *e, const struct wu *before, const struct wu *after)
{
    uint32_t n = before->attempt_count > after->attempt_count ? before->attempt_count : after->attempt_count;
    for (uint32_t i = 0; i < n; i++) {
        const struct attempt *was = &before->attempts[i], *is = &after->attempts[i];
        bool had = i < before->attempt_count && was->state == ATTEMPT_LEASED;
        bool has = i < after->attempt_count && is->state == ATTEMPT_LEASED;
        struct host_mem *h;
        if (!had && !has)
            continue;
        if (had && has && was->deadline_ms == is->deadline_ms)
            continue;
        TRY(host_find(e, had ? was->host_id : is->host_id, &h));
        if (!h)
            continue;
        if (has)
            TRY(host_lease_set(e, h, after->id, i, is->deadline_ms));
        else
            host_lease_end(e, h, after->id, i);
    }
    return ERR_OK;
}

static enum err give_credit(struct engine *e, struct batch_mem *b, struct host_mem *h, struct batch_counts *d)
{
    uint64_t micro = 0;
    double cost = b->b.cost;
    const struct batch_counts *c = &b->b.counts;
    /* An app that declares no cost: what its batch took on average so far, the same for all its hosts. */
    if (cost <= 0 && c->reports > 0)
        cost = (double)c->cpu_ms / (double)c->reports / 1000.0;
    if (cost > CREDIT_COST_SECONDS_MAX)
        cost = CREDIT_COST_SECONDS_MAX;
    TRY(credit_of_cost(cost, &micro));
    h->added.valid++;
    h->h.valid++;
    h->added.credit_micro += (int64_t)micro;
    h->h.credit_micro += micro;
    e->project_credit_micro += (int64_t)micro;
    d->valid++;
    host_well(e, h);
    return volunteer_add(e, h->h.volunteer_id, 0, 1, 0, (int64_t)micro);
}

static enum err blame(struct engine *e, struct host_mem *h, struct batch_counts *d)
{
    h->added.invalid++;
    h->h.invalid++;
    d->invalid++;
    host_badly(e, h);
    return volunteer_add(e, h->h.volunteer_id, 0, 0, 1, 0);
}

static enum err on_host_effect(struct engine *e, struct batch_mem *b, uint64_t host_id,
                               enum wu_effect_kind kind, struct batch_counts *d)
{
    struct host_mem *h;
    TRY(host_find(e, host_id, &h));
    if (!h)
        return ERR_OK;
    host_touch(e, h);
    if (kind != WU_FX_EXPIRED)
        TRY(version_note(e, b, host_id, kind != WU_FX_CREDIT));
    if (kind == WU_FX_CREDIT)
        return give_credit(e, b, h, d);
    if (kind == WU_FX_BLAME)
        return blame(e, h, d);
    if (kind == WU_FX_ERRED) {
        h->added.errors++;
        h->h.errors++;
        d->errors++;
    } else {
        h->added.expired++;
        h->h.expired++;
        d->expired++;
    }
    host_badly(e, h);
    return ERR_OK;
}

static enum err on_effects(struct engine *e, struct batch_mem *b, struct unit_mem *u, const struct wu *before,
                           const struct wu_effects *fx, struct batch_counts *d, bool *ret_deliver)
{
    for (uint32_t i = 0; i < fx->count; i++) {
        const struct wu_effect *f = &fx->list[i];
        switch (f->kind) {
        case WU_FX_JUDGE:
            store_set_outbox(e->set, OUTBOX_JUDGE, u->wu.id, NULL, e->now_ms);
            e->judge_new = true;
            break;
        case WU_FX_DELIVER:
            *ret_deliver = true;
            break;
        case WU_FX_CREDIT:
        case WU_FX_BLAME:
        case WU_FX_ERRED:
        case WU_FX_EXPIRED:
            TRY(on_host_effect(e, b, u->wu.attempts[f->attempt].host_id, f->kind, d));
            break;
        case WU_FX_ESCROW: /* trust_follow() */
        case WU_FX_PASSED:
        case WU_FX_OVERDUE:
        case WU_FX_RECALL: /* the host is told when it says that it holds it */
        case WU_FX_KINDS:
            break;
        }
    }
    return follow_leases(e, before, &u->wu);
}

static void mark_dirty(struct engine *e, struct unit_mem *u)
{
    if (u->dirty)
        return;
    u->dirty = true;
    u->next_dirty = e->dirty_units;
    e->dirty_units = u;
    e->dirty_unit_count++;
}

/* One step and all that it owes but the delivery. */
static enum err step(struct engine *e, struct batch_mem *b, struct unit_mem *u, const struct wu_event *ev,
                     const struct unit_fact *fact, enum err *ret_step, bool *ret_deliver)
{
    struct wu before;
    struct wu_effects fx;
    struct batch_counts d = {0};
    wu_copy(&before, &u->wu);
    *ret_step = wu_step(&u->wu, ev, &fx);
    if (*ret_step != ERR_OK)
        return ERR_OK;
    mark_dirty(e, u);
    TRY(history(e, u, b, ev));
    if (fact && fact->used) {
        TRY(used(e, u, ev->attempt, fact));
        d.reports = ev->kind == WU_EV_REPORT;
        d.cpu_ms = fact->cpu_ms;
        d.wall_ms = fact->wall_ms;
        d.output_bytes = (int64_t)fact->output_bytes;
    }
    d.attempts = ev->kind == WU_EV_LEASE;
    if (d.attempts && u->wu.attempts[ev->attempt].audit)
        d.audited_ppm = b->b.trust.audit_ppm / (u->wu.audit_count ? u->wu.audit_count : 1);
    if (ev->kind == WU_EV_LEASE)
        e->work_ms = e->now_ms;
    struct count_of was = count_of(&before), is = count_of(&u->wu);
#define DIFFERENCE(name) d.name += is.name - was.name
    DIFFERENCE(open);
    DIFFERENCE(judging);
    DIFFERENCE(provisional);
    DIFFERENCE(accepted);
    DIFFERENCE(failed);
    DIFFERENCE(cancelled);
    DIFFERENCE(delivered);
    DIFFERENCE(purged);
    DIFFERENCE(unsent);
    DIFFERENCE(leased);
    DIFFERENCE(taken);
    DIFFERENCE(audits);
#undef DIFFERENCE
    TRY(on_effects(e, b, u, &before, &fx, &d, ret_deliver));
    add_counts(e, b, &d);
    return trust_follow(e, b, u, &before, &fx);
}

enum err unit_apply(struct engine *e, struct unit_mem *u, const struct wu_event *ev,
                    const struct unit_fact *fact, enum err *ret_step)
{
    struct batch_mem *b;
    bool deliver = false;
    int was = unit_ready(&u->wu);
    if (e->dirty_unit_count >= DIRTY_UNITS_MAX)
        TRY(engine_flush(e));
    TRY(batch_find(e, wu_id_batch(u->wu.id), &b));
    if (!b)
        return err_set(ERR_CORRUPT, "a unit's batch %u is not there", wu_id_batch(u->wu.id));
    TRY(step(e, b, u, ev, fact, ret_step, &deliver));
    if (*ret_step != ERR_OK)
        return ERR_OK;
    if (ev->kind == WU_EV_PURGE)
        TRY(answered_forget(e, b, u));
    if (deliver) {
        struct wu_event delivered = {.kind = WU_EV_DELIVERED, .now_ms = e->now_ms};
        enum err err;
        TRY(step(e, b, u, &delivered, NULL, &err, &deliver));
        if (err != ERR_OK)
            return err_prefix(ERR_CORRUPT, "delivering a unit");
        store_set_delivery(e->set, b->b.id, u->wu.id, e->now_ms);
        b->delivered = true;
        TRY(route_answer(e, b, u));
        TRY(answered_keep(e, b, u));
        TRY(batch_check_finished(e, b));
        TRY(batch_check_failed(e, b));
    }
    int is = unit_ready(&u->wu);
    if (is >= 0 && was < 0)
        u->open_ms = e->now_ms;
    if (is >= 0 && is != was && e->view.alone)
        window_offer(&b->windows[is], u->wu.id);
    return ERR_OK;
}

enum err unit_void_banned(struct engine *e, struct unit_mem *u)
{
    for (uint32_t i = 0; i < u->wu.attempt_count; i++) {
        const struct attempt *a = &u->wu.attempts[i];
        struct wu_event ev = {.kind = WU_EV_VOID, .now_ms = e->now_ms, .attempt = i};
        struct host_mem *h;
        enum err step;
        bool live = u->wu.state == WU_OPEN || u->wu.state == WU_JUDGING || u->wu.state == WU_PROVISIONAL;
        if (!live || a->state != ATTEMPT_REPORTED || a->audit)
            continue;
        TRY(host_find(e, a->host_id, &h));
        if (h && h->h.banned)
            TRY(unit_apply(e, u, &ev, NULL, &step));
    }
    return ERR_OK;
}

/* --- writing --- */

static enum err write_unit(struct engine *e, struct unit_mem *u)
{
    uint8_t life[WU_BYTES_MAX];
    size_t len = wu_encode(&u->wu, life);
    char *copy = arena_bytes(&e->turn, life, len);
    if (!copy)
        return ERR_NOMEM;
    int ready = unit_ready(&u->wu);
    enum wu_failure failure = u->wu.canonical < 0 ? u->wu.failure : WU_FAILURE_NONE;
    /* Looking earlier than needed does no harm, so a wake that moves on is not written, nor one that goes
     * until the next attempt is sent: each is a change of an index. */
    bool over = u->wu.wake_at_ms == INT64_MAX && u->wake_ms != INT64_MAX && ready < 0;
    bool wake = u->wu.wake_at_ms < u->wake_ms || over || u->wake_ms <= e->now_ms;
    struct store_unit_change c = {.id = u->wu.id,
                                  .rev = u->rev,
                                  .state = u->wu.state,
                                  .failure = failure,
                                  .hr = u->hr,
                                  .ready = ready,
                                  .wake_ms = u->wu.wake_at_ms,
                                  .set_ready = ready != u->ready || failure != u->failure,
                                  .set_wake = wake,
                                  .life = {.data = copy, .len = (uint32_t)len},
                                  .history = u->history,
                                  .used = u->used};
    store_set_unit(e->set, &c);
    u->rev++;
    u->ready = ready;
    u->failure = failure;
    if (wake)
        u->wake_ms = u->wu.wake_at_ms;
    u->history = u->used = (struct text){0};
    u->dirty = false;
    return ERR_OK;
}

enum err units_write(struct engine *e)
{
    for (struct unit_mem *u = e->dirty_units; u; u = u->next_dirty)
        TRY(write_unit(e, u));
    e->dirty_units = NULL;
    e->dirty_unit_count = 0;
    return ERR_OK;
}
