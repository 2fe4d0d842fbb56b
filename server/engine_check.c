/* engine_check.c - what a host may begin, and who may give a unit's second answer or audit the first one:
 * nobody who may be the same person, and each in his turn.
 *
 * What a unit waits is counted here, and only while those whose turn it was could come: a liar who asks all
 * the time is the first to be back after anything that kept all away. */
#include "rules/kin.h"
#include "server/audit_draw.h"
#include "server/engine_in.h"

enum { LOADS_MAX = 4 /* hosts that one request reads from the store to see whom they are kin to */ };

void check_offered(struct engine *e, struct batch_mem *b, bool offered)
{
    if (offered && b->hidden)
        b->shown_ms = e->now_ms;
    b->hidden = !offered;
}

void check_asked(struct engine *e)
{
    int64_t silent_ms = e->now_ms - e->asked_ms;
    if (e->asked_ms == 0 || silent_ms < 0 || silent_ms > 2 * e->config.contact_idle_ms)
        e->heard_ms = e->now_ms;
    e->asked_ms = e->now_ms;
}

/* When an attempt became somebody else's to take. */
static int64_t free_ms(const struct attempt *a)
{
    int64_t at_ms = a->sent_ms > a->ended_ms ? a->sent_ms : a->ended_ms;
    return a->state == ATTEMPT_EXPIRED && a->deadline_ms > at_ms ? a->deadline_ms : at_ms;
}

/* Since when the batch goes out to hosts that ask. */
static int64_t shown_ms(const struct check *c, const struct batch_mem *b)
{
    return c->e->heard_ms > b->shown_ms ? c->e->heard_ms : b->shown_ms;
}

int64_t check_waited_ms(const struct check *c, const struct unit_mem *u)
{
    const struct wu *wu = &u->wu;
    int64_t from_ms = INT64_MIN;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].host_id != 0 && free_ms(&wu->attempts[i]) > from_ms)
            from_ms = free_ms(&wu->attempts[i]);
    if (from_ms == INT64_MIN)
        return -1;
    from_ms = u->open_ms > from_ms ? u->open_ms : from_ms; /* asked for long after the answer came */
    return c->e->now_ms > from_ms ? c->e->now_ms - from_ms : 0;
}

void check_looked(const struct check *c, struct batch_mem *b)
{
    struct batch_look *looks = b->looks[c->tail], *at = looks;
    for (struct batch_look *l = looks; l < looks + LOOKERS_MAX && at->host_id != c->h->h.id; l++)
        if (l->host_id == c->h->h.id || l->at_ms < at->at_ms)
            at = l;
    *at = (struct batch_look){c->h->h.id, c->e->now_ms};
}

static bool has_had(const struct wu *wu, uint64_t host_id)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].host_id == host_id)
            return true;
    return false;
}

/* Of those that are trusted and ask, one that could have taken it has left it; or all have had it, be they
 * few because the others have long been away. */
static bool is_left(const struct check *c, const struct batch_mem *b, const struct wu *wu, int64_t waited_ms)
{
    uint32_t had = 0;
    if (!c->leave.attended)
        return true;
    const struct batch_look *looks = b->looks[c->tail];
    for (const struct batch_look *l = looks; l < looks + LOOKERS_MAX; l++) {
        int64_t ago_ms = c->e->now_ms - l->at_ms;
        if (l->host_id == 0 || ago_ms < 0 || ago_ms > waited_ms / 2)
            continue;
        if (!has_had(wu, l->host_id))
            return true;
        had++;
    }
    return had >= TRUST_CHECKERS_MIN || (had > 0 && waited_ms >= ABSENT_MS);
}

bool check_is_not_drawn(const struct check *c, const struct batch_mem *b, const struct wu *wu,
                        uint32_t attempt, int64_t waited_ms)
{
    int64_t shown_for_ms = c->e->now_ms - shown_ms(c, b);
    if (waited_ms < 0 || c->leave.crowd == 0)
        return false;
    if (waited_ms > shown_for_ms)
        waited_ms = shown_for_ms > 0 ? shown_for_ms : 0;
    if (!c->leave.may_check && !(trust_is_patience_over(c->leave.crowd, waited_ms, c->leave.draw_ms) &&
                                 is_left(c, b, wu, waited_ms)))
        return true;
    return !trust_is_drawn(audit_draw_host(&c->e->config.audit_key, wu->id, attempt, c->h->h.id),
                           c->leave.crowd, waited_ms, c->leave.draw_ms);
}

enum err check_is_kin(struct check *c, const struct batch_mem *b, const struct wu *wu, bool *ret)
{
    const struct store_host *h = &c->h->h;
    struct kin me = {
        .host_id = h->id, .owner_id = h->volunteer_id, .network = h->network, .joined_ms = h->created_ms};
    *ret = !wu_host_may_take(wu, h->id, h->volunteer_id);
    for (uint32_t i = 0; i < wu->attempt_count && !*ret && !b->b.rules.own_hosts; i++) {
        const struct attempt *a = &wu->attempts[i];
        struct host_mem *other;
        enum attempt_state was = a->state;
        if (was != ATTEMPT_LEASED && was != ATTEMPT_REPORTED && was != ATTEMPT_VALID &&
            was != ATTEMPT_EXPIRED)
            continue;
        if (a->host_id == h->id) /* what it lost or gave back; wu_host_may_take() has allowed it */
            continue;
        if (!cache_get(&c->e->hosts, a->host_id) && c->loads++ >= LOADS_MAX) {
            *ret = true; /* for now */
            return ERR_OK;
        }
        TRY(host_find_about(c->e, a->host_id, &other));
        if (!other)
            continue;
        struct kin them = {.host_id = other->h.id,
                           .owner_id = a->owner_id == h->volunteer_id ? UINT64_MAX : a->owner_id,
                           .network = other->h.network,
                           .joined_ms = other->h.created_ms};
        TRY(crowd_record(c->e));
        uint32_t hosts = c->e->hosts.count > c->e->hosts_day ? c->e->hosts.count : c->e->hosts_day;
        *ret = !kin_apart(&me, &them, hosts);
    }
    return ERR_OK;
}

/* Of this app and not answered yet, by a host on probation. */
static enum err count_out(struct engine *e, const struct host_mem *h, uint64_t app, uint32_t *ret)
{
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct batch_mem *b;
        if (h->leases[i].gone)
            continue;
        TRY(batch_find(e, wu_id_batch(h->leases[i].unit), &b));
        *ret += b && b->b.rules.escrow != WU_ESCROW_NONE && batch_app(b) == app;
    }
    return ERR_OK;
}

enum err trust_allows(struct engine *e, struct batch_mem *b, struct host_mem *h, struct trust_leave *ret)
{
    const struct trust_policy *p = &b->b.trust;
    struct trust_mem *t;
    struct trust_crowd *c;
    *ret = (struct trust_leave){.begins = UINT32_MAX, .may_check = true};
    if (b->b.rules.own_hosts)
        return ERR_OK;
    TRY(trust_find(e, h, batch_app(b), &t));
    TRY(crowd_of(e, b, &c));
    crowd_count(c, h->h.id, t->trust.answers >= c->probation);
    ret->crowd = crowd_hosts(c);
    ret->draw_ms = trust_draw_ms(c->silent_ms);
    if (b->b.rules.escrow == WU_ESCROW_NONE)
        return ERR_OK;
    uint32_t waiting = t->count;
    if (t->trust.answers < p->probation)
        TRY(count_out(e, h, t->app, &waiting));
    ret->begins = trust_begins(p, &t->trust, waiting, e->now_ms);
    struct crowd_checkers checkers = crowd_checkers(e, c);
    struct trust_policy by = *p;
    by.probation = checkers.answers;
    ret->attended = checkers.attended;
    ret->trusted = trust_may_check(&by, &t->trust, UINT32_MAX, 0, e->now_ms);
    ret->may_check = trust_may_check(&by, &t->trust, checkers.hosts, crowd_hosts(c), e->now_ms);
    return ERR_OK;
}
