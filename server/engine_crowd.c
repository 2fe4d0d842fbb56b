/* engine_crowd.c - how many hosts ask for an app's work, and how many of them are trusted. */
#include <string.h>

#include "server/engine_in.h"

enum { CROWD_MS = 3600000, READ_AGAIN_MS = 60000 };

enum err crowd_record(struct engine *e)
{
    if (!e->hosts_recorded)
        TRY(store_hosts_seen(e->store, &e->turn, &e->hosts_hour, &e->hosts_day));
    e->hosts_recorded = true;
    return ERR_OK;
}

/* As the store has them, until they ask here. */
static void crowd_recall(const struct engine *e, struct trust_crowd *c, uint32_t level)
{
    for (uint32_t i = 0; i < TRUST_CHECKERS_MIN; i++)
        c->furthest[i] = (struct trust_far){.answers = level, .at_ms = e->now_ms};
}

/* Until those that are trusted have asked after a start, nobody else may pass for them; nor are the few that
 * ask first all that there are. */
static enum err crowd_new(struct engine *e, struct trust_crowd *c, uint64_t app, uint32_t probation,
                          bool last)
{
    struct store_trusted ever = {
        .app = app, .answers = probation, .hosts = TRUST_CHECKERS_MIN, .ret_level = UINT32_MAX};
    bool known = true;
    if (!last)
        TRY(store_trusted(e->store, &e->turn, &ever, &known));
    TRY(crowd_record(e));
    *c = (struct trust_crowd){.app = app,
                              .probation = probation,
                              .guessed = true,
                              .known = known && (last || probation > 0),
                              .read_ms = e->now_ms,
                              .since_ms = e->now_ms,
                              .asked_ms = e->now_ms,
                              .hosts_before = e->hosts_hour > e->hosts_about ? e->hosts_hour : e->hosts_about,
                              .silent_ms = -1};
    crowd_recall(e, c, ever.ret_level);
    return ERR_OK;
}

/* Those that are trusted may all ask another server. */
static enum err crowd_elsewhere(struct engine *e, struct trust_crowd *c)
{
    int64_t age_ms = e->now_ms - c->read_ms;
    struct store_trusted lately = {.app = c->app,
                                   .answers = c->probation,
                                   .hosts = TRUST_CHECKERS_MIN,
                                   .since_ms = e->now_ms - ABSENT_MS};
    if (e->view.alone || c->probation == 0 || (age_ms >= 0 && age_ms < READ_AGAIN_MS))
        return ERR_OK;
    c->read_ms = e->now_ms;
    TRY(store_trusted(e->store, &e->turn, &lately, &c->known));
    if (!c->known)
        return ERR_OK;
    c->asked_ms = e->now_ms;
    crowd_recall(e, c, lately.ret_level);
    return ERR_OK;
}

static void hour_begin(struct trust_crowd *c, int64_t now_ms)
{
    c->known = false;
    c->since_ms = now_ms;
    c->hosts_before = c->hosts;
    c->trusted_before = c->trusted;
    c->hosts = c->trusted = 0;
    memcpy(c->was_host, c->is_host, sizeof c->was_host);
    memset(c->is_host, 0, sizeof c->is_host);
    memset(c->is_trusted, 0, sizeof c->is_trusted);
}

enum err crowd_of(struct engine *e, struct batch_mem *b, struct trust_crowd **ret)
{
    uint64_t app = batch_app(b);
    uint32_t i = 0, probation = b->b.rules.escrow == WU_ESCROW_NONE ? 0 : b->b.trust.probation;
    while (i < CROWDS_MAX - 1 && e->crowds[i].app != 0 &&
           (e->crowds[i].app != app || e->crowds[i].probation != probation))
        i++;
    struct trust_crowd *c = *ret = &e->crowds[i];
    int64_t age_ms = e->now_ms - c->since_ms;
    if (c->app != app || c->probation != probation || age_ms > 2 * CROWD_MS)
        return crowd_new(e, c, app, probation, i == CROWDS_MAX - 1);
    if (c->guessed && age_ms > TRUST_DRAW_MS_MAX) {
        c->guessed = false;
        c->hosts_before = 0;
    }
    if (age_ms < 0) /* the clock was set back: who has asked has asked */
        c->since_ms = c->asked_ms = e->now_ms;
    if (age_ms > CROWD_MS)
        hour_begin(c, e->now_ms);
    c->asked = true;
    return crowd_elsewhere(e, c);
}

uint32_t crowd_hosts(const struct trust_crowd *c)
{
    return c->hosts > c->hosts_before ? c->hosts : c->hosts_before;
}

uint32_t crowd_trusted(const struct trust_crowd *c)
{
    uint32_t n = c->trusted > c->trusted_before ? c->trusted : c->trusted_before;
    return n < crowd_hosts(c) ? n : crowd_hosts(c);
}

struct place { /* of a host's mark */
    uint32_t word;
    uint64_t bit;
};

static struct place place_of(uint64_t host_id)
{
    uint64_t at = host_id * 0x9E3779B97F4A7C15ull >> (64 - CROWD_SHIFT);
    return (struct place){(uint32_t)(at / 64), 1ull << at % 64};
}

/* How many marks that changes. */
static uint32_t mark(uint64_t *bits, uint64_t host_id, bool on)
{
    struct place p = place_of(host_id);
    bool was = bits[p.word] & p.bit;
    if (was != on)
        bits[p.word] ^= p.bit;
    return was != on;
}

bool crowd_has(const struct trust_crowd *c, uint64_t host_id)
{
    struct place p = place_of(host_id);
    return (c->is_host[p.word] | c->was_host[p.word]) & p.bit;
}

/* Two hosts of one mark are rare, and count as one. */
void crowd_count(struct trust_crowd *c, uint64_t host_id, bool trusted)
{
    c->hosts += mark(c->is_host, host_id, true);
    uint32_t changed = mark(c->is_trusted, host_id, trusted);
    c->trusted += trusted ? changed : 0 - changed;
}

static bool is_there(const struct engine *e, const struct trust_far *f)
{
    return f->answers > 0 && e->now_ms - f->at_ms <= CROWD_MS;
}

/* In the place of who is gone, or was not as far. */
static void crowd_far(const struct engine *e, struct trust_crowd *c, uint64_t host_id, uint32_t answers)
{
    struct trust_far *at = NULL;
    for (struct trust_far *f = c->furthest; f < c->furthest + FURTHEST_MAX && (!at || at->host_id != host_id);
         f++)
        if (f->host_id == host_id || !at ||
            (is_there(e, f) ? f->answers : 0) < (is_there(e, at) ? at->answers : 0))
            at = f;
    if (at->host_id == host_id || !is_there(e, at) || at->answers < answers)
        *at = (struct trust_far){host_id, answers, e->now_ms};
}

uint32_t crowd_level(const struct engine *e, const struct trust_crowd *c)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < FURTHEST_MAX; i++) {
        uint32_t n = 0, mine = c->furthest[i].answers;
        for (uint32_t k = 0; k < FURTHEST_MAX; k++)
            n += is_there(e, &c->furthest[k]) && c->furthest[k].answers >= mine;
        if (n >= TRUST_CHECKERS_MIN && mine > best)
            best = mine;
    }
    return best;
}

void crowd_trust(struct engine *e, uint64_t app, uint64_t host_id, uint32_t answers)
{
    for (struct trust_crowd *c = e->crowds; c < e->crowds + CROWDS_MAX && c->app != 0; c++) {
        if (c->app != app)
            continue;
        crowd_far(e, c, host_id, answers);
        if (c->probation > 0)
            crowd_count(c, host_id, answers >= c->probation);
    }
}

void crowds_asked(struct engine *e, const struct host_mem *h)
{
    for (const struct trust_mem *t = h->trusts; t; t = t->next)
        for (struct trust_crowd *c = e->crowds; c < e->crowds + CROWDS_MAX && c->app != 0; c++) {
            if (c->app != t->app || t->trust.answers == 0)
                continue;
            crowd_far(e, c, h->h.id, t->trust.answers);
            if (c->probation == 0 || t->trust.answers < c->probation)
                continue;
            crowd_count(c, h->h.id, true);
            c->asked_ms = e->now_ms;
        }
}

static bool is_enough(const struct trust_crowd *c)
{
    return c->known || trust_are_enough(crowd_trusted(c), crowd_hosts(c));
}

struct crowd_checkers crowd_checkers(const struct engine *e, const struct trust_crowd *c)
{
    const struct trust_crowd *of = is_enough(c) ? c : NULL;
    for (const struct trust_crowd *o = e->crowds; o < e->crowds + CROWDS_MAX && o->app != 0 && of != c; o++)
        if (o->app == c->app && o->probation > 0 && o->probation < c->probation && is_enough(o) &&
            (!of || o->probation > of->probation))
            of = o;
    if (of)
        return (struct crowd_checkers){.answers = of->probation,
                                       .hosts = of->known ? UINT32_MAX : crowd_trusted(of),
                                       .attended = e->now_ms - of->asked_ms < ABSENT_MS};
    uint32_t level = crowd_level(e, c);
    if (level > 0 && level < c->probation && crowd_trusted(c) < TRUST_CHECKERS_MIN)
        return (struct crowd_checkers){.answers = level, .hosts = TRUST_CHECKERS_MIN};
    return (struct crowd_checkers){.answers = c->probation, .hosts = crowd_trusted(c)};
}
