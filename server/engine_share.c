/* engine_share.c - several servers hand out the units of one batch.
 *
 * Units that were never sent are claimed in blocks of neighbours: who has claimed one hands out what is in it
 * from memory, and nobody else looks at it. Units that were sent before, and all units when few are left, are
 * nobody's: each turn takes some that no other turn has in hand, and holds them until its end. Claims and
 * holds only keep servers out of each other's way; what makes every step safe is the rev of the unit.
 *
 * See "Several servers" in server/README.md. */
#include <stdlib.h>

#include "server/engine_in.h"
#include "server/store_member.h"

enum {
    BLOCKS_MAX = 32,    /* claimed at once */
    CLAIMS_READ = 4096, /* of one batch */
    OPEN_UNITS = 256,   /* for each server: when fewer attempts are left, nothing is claimed */
    LOOK_LEAST = 16,    /* units taken in hand for one turn */
    LOOK_MOST = 512,
    EMPTY_MS = 100, /* where nothing was free to claim it is not looked again for so long */
    CLAIM_TRIES = 4,
    LOOKS_MAX = 8, /* pages searched for a block that is free, in one turn */
    BLOCK_LAST = UINT32_MAX / CLAIM_BLOCK_UNITS
};

static uint32_t block_of(wu_id id)
{
    return wu_id_index(id) / CLAIM_BLOCK_UNITS;
}

static wu_id first_of(uint32_t batch, uint32_t block)
{
    return wu_id_make(batch, block * CLAIM_BLOCK_UNITS);
}

static wu_id last_of(uint32_t batch, uint32_t block)
{
    return first_of(batch, block) + CLAIM_BLOCK_UNITS - 1;
}

/* --- what is nobody's --- */

struct take {
    struct engine *e;
    struct window *w;
    uint32_t seen;
    wu_id last;
};

static enum err take_row(void *ctx, const struct store_unit_row *row)
{
    struct take *t = ctx;
    struct unit_mem *u;
    t->seen++;
    t->last = row->id;
    TRY(unit_keep(t->e, row, &u));
    (void)window_push(t->w, row->id);
    return ERR_OK;
}

/* Once in a turn. Where the last ones were of no use to anybody, it goes on behind them. */
static enum err take_in_hand(struct engine *e, struct batch_mem *b, bool started)
{
    struct window *w = &b->windows[started];
    struct take t = {.e = e, .w = w};
    uint32_t limit = e->wanted < LOOK_LEAST ? LOOK_LEAST : e->wanted > LOOK_MOST ? LOOK_MOST : e->wanted;
    if (w->turn == e->turn_number)
        return ERR_OK;
    bool useless = w->turn != 0 && w->pushed > 0 && w->live == w->pushed;
    w->look_after = useless ? w->scanned : 0;
    w->turn = e->turn_number;
    window_clear(w);
    TRY(store_ready_lock(e->store, b->b.id, started, w->look_after, limit,
                         (struct store_unit_rows){.row = take_row, .ctx = &t}));
    w->scanned = t.seen == limit ? t.last : 0;
    w->pushed = w->live;
    e->stats.refills++;
    return ERR_OK;
}

/* --- blocks --- */

struct search {
    struct engine *e;
    struct batch_mem *b;
    struct store_claim *claims; /* of this batch, in order */
    uint32_t claim_count;
    uint32_t most;
    uint64_t blocks[BLOCKS_MAX]; /* that shall be this server's */
    bool mine[BLOCKS_MAX];
    uint32_t count, seen;
    wu_id last;
};

static int by_subject(const void *x, const void *y)
{
    const struct store_claim *a = x, *b = y;
    return a->subject < b->subject ? -1 : a->subject > b->subject;
}

static const struct store_claim *claim_of(const struct search *s, uint32_t block)
{
    struct store_claim key = {.subject = wu_id_make(s->b->b.id, block)};
    return s->claim_count == 0 ? NULL : bsearch(&key, s->claims, s->claim_count, sizeof key, by_subject);
}

static enum err keep_and_push(struct search *s, const struct store_unit_row *row)
{
    struct unit_mem *u;
    TRY(unit_keep(s->e, row, &u));
    (void)window_push(&s->b->windows[0], row->id);
    return ERR_OK;
}

static enum err own_row(void *ctx, const struct store_unit_row *row)
{
    struct search *s = ctx;
    const struct store_claim *c = claim_of(s, block_of(row->id));
    if (!c || c->owner != s->e->view.me)
        return ERR_OK;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->blocks[i] == c->subject)
            s->mine[i] = true; /* there is something left of it */
    return keep_and_push(s, row);
}

/* Blocks that were claimed earlier: what is left of them (after a conflict nothing is remembered of it);
 * those of which nothing is left are given up. */
static enum err look_at_own(struct search *s)
{
    s->count = 0;
    for (uint32_t i = 0; i < s->claim_count && s->count < BLOCKS_MAX; i++) {
        if (s->claims[i].owner != s->e->view.me)
            continue;
        s->mine[s->count] = false;
        s->blocks[s->count++] = s->claims[i].subject;
    }
    if (s->count == 0)
        return ERR_OK;
    uint32_t batch = s->b->b.id, from = wu_id_index(s->blocks[0]), to = wu_id_index(s->blocks[s->count - 1]);
    TRY(store_fresh_scan(s->e->store, first_of(batch, from), last_of(batch, to),
                         BLOCKS_MAX * CLAIM_BLOCK_UNITS, (struct store_unit_rows){.row = own_row, .ctx = s}));
    for (uint32_t i = 0; i < s->count; i++)
        if (!s->mine[i])
            store_set_claim_end(
                s->e->set,
                &(struct store_claim){.kind = CLAIM_BLOCK, .subject = s->blocks[i], .owner = s->e->view.me});
    return ERR_OK;
}

/* A row of a block that nobody has. */
static enum err free_row(void *ctx, const struct store_unit_row *row)
{
    struct search *s = ctx;
    uint32_t block = block_of(row->id);
    uint64_t subject = wu_id_make(s->b->b.id, block);
    s->seen++;
    s->last = row->id;
    if (claim_of(s, block))
        return ERR_OK;
    if (s->count == 0 || s->blocks[s->count - 1] != subject) {
        if (s->count == s->most)
            return ERR_OK;
        s->blocks[s->count++] = subject;
    }
    return keep_and_push(s, row);
}

/* Others may have been faster: what is theirs goes out of the window again. */
static void drop_theirs(struct search *s)
{
    struct window *w = &s->b->windows[0];
    uint32_t used = w->used;
    for (uint32_t i = 0; i < used; i++) {
        wu_id id = w->ids[(w->head + i) % WINDOW_MAX];
        for (uint32_t k = 0; id != 0 && k < s->count; k++) {
            if (s->blocks[k] != wu_id_make(s->b->b.id, block_of(id)) || s->mine[k])
                continue;
            w->ids[(w->head + i) % WINDOW_MAX] = 0;
            w->live--;
            break;
        }
    }
}

/* From where it was looked last, to the end, and from the start. */
static enum err claim_more(struct search *s)
{
    struct window *w = &s->b->windows[0];
    const struct engine_view *v = &s->e->view;
    uint32_t limit = s->most * CLAIM_BLOCK_UNITS, batch = s->b->b.id;
    bool wrapped = w->scanned == 0;
    s->count = 0;
    for (int look = 0; look < LOOKS_MAX && s->count == 0; look++) {
        wu_id from = w->scanned ? w->scanned + 1 : first_of(batch, 0);
        s->seen = 0;
        TRY(store_fresh_scan(s->e->store, from, wu_id_make(batch, UINT32_MAX), limit,
                             (struct store_unit_rows){.row = free_row, .ctx = s}));
        bool end = s->seen < limit;
        w->scanned = end || s->seen == 0 ? 0 : last_of(batch, block_of(s->last));
        if (end && wrapped)
            break;
        wrapped = wrapped || end;
    }
    if (s->count == 0)
        return ERR_OK;
    TRY(store_claims_take(s->e->store, &s->e->turn, CLAIM_BLOCK, s->blocks, s->count, v->slot, v->me,
                          s->mine));
    drop_theirs(s);
    return ERR_OK;
}

static enum err read_claims(struct search *s)
{
    uint32_t batch = s->b->b.id;
    return store_claim_list(s->e->store, &s->e->turn, CLAIM_BLOCK, wu_id_make(batch, 0),
                            wu_id_make(batch, BLOCK_LAST), CLAIMS_READ, &s->claims, &s->claim_count);
}

/* Whoever lost all that it wanted to others who were faster knows of theirs the next time. */
static enum err claim(struct engine *e, struct batch_mem *b)
{
    struct window *w = &b->windows[0];
    struct search s = {.e = e, .b = b};
    uint64_t share = (uint64_t)b->b.counts.unsent / (CLAIM_BLOCK_UNITS * 4ull * e->view.servers);
    window_clear(w);
    s.most = share < 1 ? 1 : share > BLOCKS_MAX ? BLOCKS_MAX : (uint32_t)share;
    TRY(read_claims(&s));
    TRY(look_at_own(&s));
    for (int try = 0; try < CLAIM_TRIES && w->live == 0; try++) {
        if (try > 0)
            TRY(read_claims(&s));
        TRY(claim_more(&s));
        if (s.count == 0)
            break;
    }
    if (w->live == 0)
        w->empty_ms = e->now_ms;
    e->stats.refills++;
    return ERR_OK;
}

static bool is_open(const struct engine *e, const struct batch_mem *b)
{
    return b->b.counts.unsent < (int64_t)OPEN_UNITS * e->view.servers;
}

enum err window_share(struct engine *e, struct batch_mem *b, bool started)
{
    struct window *w = &b->windows[started];
    if (started || is_open(e, b))
        return take_in_hand(e, b, started);
    if (w->turn != 0 && w->turn != e->turn_number) { /* what was in hand is so no more */
        window_clear(w);
        w->turn = w->scanned = 0;
    }
    if (w->live > 0)
        return ERR_OK;
    if (e->now_ms < w->empty_ms || e->now_ms - w->empty_ms >= EMPTY_MS)
        TRY(claim(e, b));
    /* All that is left is claimed by others: better theirs than none. */
    return w->live > 0 ? ERR_OK : take_in_hand(e, b, started);
}
