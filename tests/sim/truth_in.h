/* truth_in.h - the world of truth*.c: hosts, units, and what is still to happen. */
#ifndef TESTS_TRUTH_IN_H
#define TESTS_TRUTH_IN_H

#include "truth.h"

struct life { /* a unit between two events; kept while it is not delivered */
    struct wu wu;
    uint16_t false_items[ATTEMPTS_MAX];
    int64_t born_ms;
    uint32_t place; /* where it was first taken */
    bool lax;       /* of the other batch */
};

enum kind { HONEST, FLAKY, LIAR };

struct host {
    enum kind kind;
    uint64_t id;
    uint32_t place;
    struct host_trust trust;
    uint32_t done, lies;
    double owed; /* units that it has checked, which took as long as its own */
    bool banned;
    struct escrow_entry *entries;
    uint32_t count, room;
};

struct todo {
    uint32_t unit, count;
    enum wu_event_kind kind;
    uint64_t host_id;
};

struct due { /* somebody takes an attempt that waits; or a lease runs out */
    int64_t at_ms, since_ms;
    uint32_t unit, place;
    bool tick;
};

struct place {
    struct host *host;
    int64_t reborn_ms; /* a banned one may come back then */
    double runs, answers, items, wrong_items, wrong_units, waited;
};

struct world {
    const struct truth_policy *policy;
    const struct truth_strategy *strategy;
    struct truth_size size;
    struct trust_policy lax;
    uint64_t seed, random, next_host;
    struct place *places;
    struct host **by_id; /* all that ever were */
    uint32_t by_id_room, trusted, liars;
    struct life **units; /* NULL: delivered */
    uint32_t unit_count;
    struct due *due; /* a heap, soonest first */
    uint32_t due_count, due_room;
    struct todo *todo;
    uint32_t todo_count, todo_room;
    int64_t now_ms;
    bool closing;
    struct truth_result r;
};

void *truth_must(void *p);
uint64_t truth_random(struct world *w);
double truth_uniform(struct world *w); /* 0 <= x < 1 */

static inline bool is_trusted(const struct world *w, const struct host *h)
{
    return h->trust.answers >= w->policy->trust.probation;
}
static inline const struct trust_policy *policy_of(const struct world *w, const struct life *l)
{
    return l->lax ? &w->lax : &w->policy->trust;
}

/* truth_hosts.c */
void host_is_born(struct world *w, uint32_t place, enum kind kind);
/* How many items of its next answer, to this unit, a host gets wrong. */
uint32_t host_false_items(struct world *w, struct host *h, const struct life *l);
void host_comes_and_goes(struct world *w, uint32_t place);

/* truth_due.c */
void due_push(struct world *w, struct due d);
bool due_pop(struct world *w, struct due *ret); /* false: nothing yet */
/* A host asks again when it has computed its unit. */
int64_t due_draw_ms(const struct world *w);
/* Draws who takes an attempt of the unit that has waited since then, by trust_is_drawn(), and when. */
void due_draw(struct world *w, uint32_t unit, int64_t since_ms);

/* One of those who answered it is a liar. */
bool due_is_of_friend(const struct world *w, uint32_t unit);

#endif
