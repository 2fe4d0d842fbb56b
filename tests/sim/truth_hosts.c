/* truth_hosts.c - who is there, and what they answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "truth_in.h"

void *truth_must(void *p)
{
    if (!p) {
        fputs("truth: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

/* xorshift64* (Vigna 2016). */
uint64_t truth_random(struct world *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 0x2545F4914F6CDD1Dull;
}

double truth_uniform(struct world *w)
{
    return (double)(truth_random(w) >> 11) / 9007199254740992.0;
}

void host_is_born(struct world *w, uint32_t place, enum kind kind)
{
    struct host *h = truth_must(calloc(1, sizeof *h));
    *h = (struct host){.kind = kind, .id = ++w->next_host, .place = place};
    if (w->next_host >= w->by_id_room) {
        w->by_id_room *= 2;
        w->by_id = truth_must(realloc(w->by_id, w->by_id_room * sizeof *w->by_id));
    }
    w->by_id[h->id] = w->places[place].host = h;
}

uint32_t host_false_items(struct world *w, struct host *h, const struct life *l)
{
    const struct truth_strategy *s = w->strategy;
    uint32_t n = h->done++, most = w->size.items;
    if (h->kind == FLAKY) { /* 1e-4 of its items */
        uint32_t x = 0;
        for (double p = exp(-1e-4 * most), q = truth_uniform(w); q > p && x < 20; x++)
            q *= truth_uniform(w);
        return x;
    }
    if (h->kind == HONEST || n < s->honest_first || (s->lies_most && h->lies >= s->lies_most))
        return 0;
    if (s->only_at_the_end && w->unit_count < w->size.units - w->size.units / 50)
        return 0;
    if (s->bursts && n / s->bursts % 2 == 0)
        return 0;
    if ((s->where == TRUTH_LAX_ONLY && !l->lax) || (s->where == TRUTH_STRICT_ONLY && l->lax))
        return 0;
    if (truth_uniform(w) >= s->chance)
        return 0;
    h->lies++;
    return s->items < most ? s->items : most;
}

/* Nobody may join more often than the server's caps allow (TRUST_JOINS_PER_DAY for each owner). */
void host_comes_and_goes(struct world *w, uint32_t place)
{
    struct place *p = &w->places[place];
    const struct truth_strategy *s = w->strategy;
    struct host *h = p->host;
    bool washes = h->kind == LIAR && ((h->banned && s->reborn) || (s->life && h->done >= s->life));
    bool leaves = h->kind != LIAR && w->size.life && truth_uniform(w) < 1.0 / w->size.life;
    if (!(washes || leaves) || w->now_ms < p->reborn_ms)
        return;
    p->reborn_ms = w->now_ms + 86400000 / TRUST_JOINS_PER_DAY;
    w->trusted -= is_trusted(w, h) && !h->banned;
    host_is_born(w, place, h->kind);
}
