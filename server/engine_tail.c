/* engine_tail.c - the tail of a batch: nothing waits to be sent, hosts ask, and a few units are out for
 * longer than the others took. rules/pick.h says which; here they are found. */
#include <stdlib.h>
#include <string.h>

#include "rules/pick.h"
#include "rules/trust.h"
#include "server/engine_in.h"

enum {
    LOOK_EVERY_MS = 1000,
    ABOUT_MS = 600000,     /* a host that called within it shares the work */
    HOSTS_COUNTED = 20000, /* more make no difference: everybody is given what his cores can do */
    LOOK_UNITS = 2048,     /* those whose deadlines come first, of all batches: the longest out, mostly */
    PATIENCE_LEAST_MS = 3000,
    TOOK_LEAST = 3 /* attempts that came back, before "longer than the others" means anything */
};

/* Hosts by how long they are silent: bucket i is below 2^i ms. */
enum { SILENT_BUCKETS = 28 /* 1.5 days: who is silent for longer is gone */, SILENT_LEAST = TRUST_CROWD / 2 };

static uint32_t bucket_of(int64_t silent_ms)
{
    uint32_t i = 0;
    while (i < SILENT_BUCKETS && silent_ms >= (int64_t)1 << i)
        i++;
    return i;
}

/* The upper end of the median's bucket; negative when there are too few. */
static int64_t median_of(const uint32_t buckets[SILENT_BUCKETS + 1])
{
    uint32_t all = 0, seen = 0, i = 0;
    for (uint32_t k = 0; k < SILENT_BUCKETS; k++)
        all += buckets[k];
    if (all < SILENT_LEAST)
        return -1;
    for (seen = buckets[0]; seen * 2 < all; seen += buckets[i])
        i++;
    return (int64_t)1 << i;
}

/* How long the hosts are silent: those of each crowd in which who checks is drawn. */
struct silence {
    struct trust_crowd *crowds[CROWDS_MAX];
    uint32_t count, buckets[CROWDS_MAX][SILENT_BUCKETS + 1];
};

static void silence_begin(struct engine *e, struct silence *s)
{
    s->count = 0;
    for (struct trust_crowd *c = e->crowds; c < e->crowds + CROWDS_MAX && c->app != 0; c++)
        if (c->asked && crowd_hosts(c) > TRUST_CROWD)
            s->crowds[s->count++] = c;
    memset(s->buckets, 0, s->count * sizeof s->buckets[0]);
}

/* Those that called lately; the cache has the last ones first. */
static void hosts_count(struct engine *e)
{
    struct silence s;
    uint32_t n = 0;
    e->hosts_about = 0;
    silence_begin(e, &s);
    for (const struct cache_item *i = e->hosts.newest; i && n < HOSTS_COUNTED; i = i->older, n++) {
        const struct host_mem *h = (const void *)i;
        int64_t silent_ms = e->now_ms - (h->calls.asked_ms > h->h.seen_ms ? h->calls.asked_ms : h->h.seen_ms);
        if (e->now_ms < h->calls.waits_until_ms)
            silent_ms = 0;
        e->hosts_about += silent_ms < ABOUT_MS;
        uint32_t bucket = s.count > 0 ? bucket_of(silent_ms) : 0;
        for (uint32_t k = 0; k < s.count; k++)
            s.buckets[k][bucket] += crowd_has(s.crowds[k], h->h.id);
    }
    for (uint32_t k = 0; k < s.count; k++) {
        s.crowds[k]->silent_ms = median_of(s.buckets[k]);
        s.crowds[k]->asked = false;
    }
}

static void hosts_look(struct engine *e)
{
    if (e->now_ms >= e->hosts_counted_ms && e->now_ms - e->hosts_counted_ms < LOOK_EVERY_MS)
        return;
    hosts_count(e);
    e->hosts_counted_ms = e->now_ms;
}

uint32_t tail_share(struct engine *e, uint32_t cores)
{
    int64_t unsent = 0;
    hosts_look(e);
    for (uint32_t i = 0; i < e->active_count; i++)
        if (!e->active[i]->b.paused && e->active[i]->b.counts.unsent > 0)
            unsent += e->active[i]->b.counts.unsent;
    return pick_share((uint64_t)unsent, e->hosts_about, cores);
}

void engine_outlook(struct engine *e, struct engine_outlook *ret)
{
    *ret = (struct engine_outlook){0};
    for (uint32_t i = 0; i < e->active_count; i++) {
        struct batch_mem *b = e->active[i];
        bool goes_on = !b->b.paused && !b->b.cancelled, sends = goes_on && b->b.counts.unsent > 0;
        e->news += sends && !b->sends;
        b->sends = sends;
        ret->unsent += sends ? (uint64_t)b->b.counts.unsent : 0;
        ret->out |= goes_on && b->b.counts.leased > 0;
    }
    ret->news = e->news;
}

void tail_note(struct batch_mem *b, int64_t took_ms)
{
    b->took_ms[b->took_count++ % TAIL_TOOK_MAX] = took_ms < 1 ? 1 : took_ms;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Half as long again as the median of the last ones: half of all take longer than the median itself. */
static int64_t patience_ms(const struct batch_mem *b)
{
    int64_t sorted[TAIL_TOOK_MAX];
    uint32_t n = b->took_count < TAIL_TOOK_MAX ? b->took_count : TAIL_TOOK_MAX;
    if (n < TOOK_LEAST)
        return 0;
    memcpy(sorted, b->took_ms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    int64_t wait_ms = sorted[n / 2] + sorted[n / 2] / 2;
    return wait_ms > PATIENCE_LEAST_MS ? wait_ms : PATIENCE_LEAST_MS;
}

static bool is_tail(const struct batch_mem *b)
{
    return b->b.counts.unsent <= 0 && b->b.counts.leased > 0 && !b->b.paused && !b->b.cancelled &&
           b->took_count >= TOOK_LEAST;
}

int64_t tail_wait_ms(const struct engine *e, const struct batch_mem *b, const struct unit_mem *u)
{
    struct pick_tail tail = {.now_ms = e->now_ms,
                             .asking = 1,
                             .typical_ms = b->patience_ms,
                             .spares_max = PICK_SPARES_MAX_DEFAULT};
    return is_tail(b) ? pick_tail_wait_ms(&u->wu, &tail) : 0;
}

static int by_wait(const void *x, const void *y)
{
    const struct tail_unit *a = x, *b = y;
    return (a->wait_ms < b->wait_ms) - (a->wait_ms > b->wait_ms);
}

static enum err keep_row(void *ctx, const struct store_unit_row *row)
{
    struct engine *e = ctx;
    struct batch_mem *b;
    struct unit_mem *u;
    TRY(batch_find(e, wu_id_batch(row->id), &b));
    if (!b || !is_tail(b) || e->tail_count == TAIL_UNITS_MAX)
        return ERR_OK;
    TRY(unit_keep(e, row, &u));
    int64_t wait_ms = tail_wait_ms(e, b, u);
    if (wait_ms > 0)
        e->tail[e->tail_count++] = (struct tail_unit){row->id, wait_ms};
    return ERR_OK;
}

enum err tail_read(struct engine *e)
{
    wu_id ids[TAIL_UNITS_MAX];
    if (e->view.alone || e->tail_turn == e->turn_number)
        return ERR_OK;
    for (uint32_t i = 0; i < e->tail_count; i++)
        ids[i] = e->tail[i].id;
    e->tail_turn = e->turn_number;
    return unit_prefetch(e, ids, e->tail_count);
}

enum err tail_look(struct engine *e)
{
    bool any = false;
    if (e->now_ms >= e->tail_looked_ms && e->now_ms - e->tail_looked_ms < LOOK_EVERY_MS)
        return ERR_OK;
    e->tail_looked_ms = e->now_ms;
    e->tail_count = 0;
    for (uint32_t i = 0; i < e->active_count; i++) {
        struct batch_mem *b = e->active[i];
        if (!is_tail(b))
            continue;
        b->patience_ms = patience_ms(b);
        any = true;
    }
    if (!any)
        return ERR_OK;
    TRY(engine_flush(e));
    TRY(store_wake_scan(e->store, INT64_MAX - 1, LOOK_UNITS,
                        (struct store_unit_rows){.row = keep_row, .ctx = e}));
    qsort(e->tail, e->tail_count, sizeof *e->tail, by_wait);
    return ERR_OK;
}
