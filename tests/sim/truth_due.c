/* truth_due.c - who takes what waits, and when: a heap of what is to happen. */
#include <math.h>
#include <stdlib.h>

#include "truth_in.h"

#define EAGER_MS 5000 /* who is eager asks as often */

void due_push(struct world *w, struct due d)
{
    uint32_t i = w->due_count++;
    if (w->due_count > w->due_room) {
        w->due_room = w->due_room ? w->due_room * 2 : 1024;
        w->due = truth_must(realloc(w->due, w->due_room * sizeof *w->due));
    }
    for (; i > 0 && w->due[(i - 1) / 2].at_ms > d.at_ms; i = (i - 1) / 2)
        w->due[i] = w->due[(i - 1) / 2];
    w->due[i] = d;
}

bool due_pop(struct world *w, struct due *ret)
{
    uint32_t i = 0, n = w->due_count;
    if (n == 0 || w->due[0].at_ms > w->now_ms)
        return false;
    *ret = w->due[0];
    struct due last = w->due[n - 1];
    w->due_count = --n;
    for (uint32_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && w->due[k + 1].at_ms < w->due[k].at_ms)
            k++;
        if (last.at_ms <= w->due[k].at_ms)
            break;
        w->due[i] = w->due[k];
    }
    if (n > 0)
        w->due[i] = last;
    return true;
}

bool due_is_of_friend(const struct world *w, uint32_t unit)
{
    const struct wu *wu = &w->units[unit]->wu;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (a->host_id && !a->audit && w->by_id[a->host_id]->kind == LIAR)
            return true;
    }
    return false;
}

/* How long after it may take the attempt does this host ask? Who is eager asks for what is of a friend. */
static double asks_ms(struct world *w, uint32_t place, bool of_friend)
{
    const struct host *h = w->places[place].host;
    bool eager = w->strategy->eager && h->kind == LIAR;
    if (eager && !of_friend)
        return INFINITY;
    if (eager && h->owed < 1)
        return EAGER_MS * truth_uniform(w);
    return -w->size.unit_ms * log(1 - truth_uniform(w));
}

/* The first of all to ask: liars who are eager, or anybody. */
static void due_first_come(struct world *w, uint32_t unit, int64_t since_ms)
{
    double liars = w->strategy->eager ? (double)w->liars / EAGER_MS : w->liars / w->size.unit_ms;
    double others = (w->size.hosts - w->liars) / w->size.unit_ms;
    bool liar = truth_uniform(w) * (liars + others) < liars;
    uint64_t place = truth_random(w) % (liar ? w->liars : w->size.hosts - w->liars);
    double wait_ms = -log(1 - truth_uniform(w)) / (liars + others);
    due_push(w, (struct due){.at_ms = w->now_ms + (int64_t)wait_ms,
                             .since_ms = since_ms,
                             .unit = unit,
                             .place = (uint32_t)place + (liar ? 0 : w->liars)});
}

static uint64_t mix(uint64_t *state) /* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}

int64_t due_draw_ms(const struct world *w)
{
    return trust_draw_ms((int64_t)(w->size.unit_ms / 2));
}

/* Hosts in the order of their draws, which are of the attempt and do not change; as far as any of them can
 * still be the first. The draws of so many, sorted, are a sum of exponential steps. */
void due_draw(struct world *w, uint32_t unit, int64_t since_ms)
{
    double draw = 0, best_ms = INFINITY;
    struct due d = {.since_ms = since_ms, .unit = unit};
    int64_t waited_ms = w->now_ms - since_ms, from_ms = 0;
    int64_t draw_ms = due_draw_ms(w);
    uint64_t of_attempt = w->seed ^ (uint64_t)unit << 32 ^ (uint64_t)since_ms;
    bool of_friend = due_is_of_friend(w, unit);
    if (w->policy->first_come) {
        due_first_come(w, unit, since_ms);
        return;
    }
    for (uint32_t n = 0; n < w->size.hosts; n++) {
        draw -= log(1 - (double)(mix(&of_attempt) >> 11) / 9007199254740992.0) / w->size.hosts;
        uint32_t ppm = draw < 1 ? (uint32_t)(draw * TRUST_MILLION) : TRUST_MILLION - 1;
        while (!trust_is_drawn(ppm, w->size.hosts, waited_ms + from_ms, draw_ms))
            from_ms += draw_ms - (waited_ms + from_ms) % draw_ms;
        if ((double)from_ms >= best_ms)
            break;
        uint32_t place = (uint32_t)(mix(&of_attempt) % w->size.hosts);
        double at_ms = (double)from_ms + asks_ms(w, place, of_friend);
        if (at_ms < best_ms) {
            best_ms = at_ms;
            d.place = place;
        }
    }
    if (best_ms == INFINITY)
        best_ms = w->size.unit_ms;
    d.at_ms = w->now_ms + 1 + (int64_t)best_ms;
    due_push(w, d);
}
