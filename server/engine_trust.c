/* engine_trust.c - hosts that are believed, and answers in escrow: what rules/trust.h decides is done here.
 *
 * Each step of a unit under escrow is followed by trust_follow(). What follows from it for other units (more
 * of the same host's are final, or void) is only noted, and applied when the request is through: a step never
 * happens within a step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/audit_draw.h"
#include "server/engine_in.h"

enum { RIPE_MAX = 64, TODO_MAX = 65536, SETTLE_AGAIN_MS = 60000 };

/* --- what follows --- */

static enum err note(struct engine *e, const struct trust_todo *todo)
{
    if (e->todo_count == e->todo_room) {
        uint32_t room = e->todo_room ? e->todo_room * 2 : 64;
        struct trust_todo *more = room <= TODO_MAX ? realloc(e->todo, room * sizeof *more) : NULL;
        if (!more)
            return err_set(ERR_NOMEM, "no memory for what follows from an answer");
        e->todo = more;
        e->todo_room = room;
    }
    e->todo[e->todo_count++] = *todo;
    return ERR_OK;
}

/* Once for all that happens to a host's answers in one request. */
static enum err ripen_later(struct engine *e, const struct host_mem *h, struct trust_mem *t)
{
    if (t->ripens)
        return ERR_OK;
    t->ripens = true;
    return note(e, &(struct trust_todo){.host_id = h->h.id, .app = t->app});
}

static enum err ripen(struct engine *e, const struct trust_todo *todo)
{
    wu_id ripe[RIPE_MAX];
    struct host_mem *h;
    struct trust_mem *t;
    TRY(host_find(e, todo->host_id, &h));
    if (!h)
        return ERR_OK;
    TRY(trust_find(e, h, todo->app, &t));
    t->ripens = false;
    uint32_t n = escrow_ripe(t->entries, t->count, t->trust.next, ripe, RIPE_MAX);
    for (uint32_t i = 0; i < n; i++)
        TRY(note(e, &(struct trust_todo){.unit = ripe[i], .kind = WU_EV_FINAL}));
    return ERR_OK;
}

static enum err choose(struct engine *e, struct batch_mem *b, wu_id unit, enum trust_choice choice)
{
    struct trust_crowd *c;
    switch (choice) {
    case TRUST_CONFIRM:
        return note(e, &(struct trust_todo){.unit = unit, .kind = WU_EV_CONFIRM, .count = 2});
    case TRUST_AUDIT:
        TRY(crowd_of(e, b, &c));
        return note(e, &(struct trust_todo){
                           .unit = unit, .kind = WU_EV_AUDIT, .count = trust_auditors(crowd_trusted(c))});
    case TRUST_FINAL:
        return note(e, &(struct trust_todo){.unit = unit, .kind = WU_EV_FINAL});
    case TRUST_WAIT:
        break;
    }
    return ERR_OK;
}

/* Nothing else is to come of it. */
static bool only_waits(const struct batch_mem *b)
{
    const struct batch_counts *c = &b->b.counts;
    return !b->b.loading && b->b.job != BATCH_JOB_ARRAY && c->provisional > 0 && c->open == c->provisional &&
           c->judging == 0;
}

static enum err put_in_escrow(struct engine *e, struct batch_mem *b, const struct unit_mem *u,
                              struct host_mem *h, struct trust_mem *t, const struct attempt *a)
{
    uint32_t at = entry_find(t, u->wu.id);
    enum trust_choice choice =
        trust_choose(&b->b.trust, &t->trust, &u->wu, t->count,
                     audit_draw(&e->config.audit_key, u->wu.id, &a->answer), e->now_ms);
    bool open = choice == TRUST_CONFIRM || choice == TRUST_AUDIT;
    if (at > 0) {
        entry_put(t, at, true, open);
    } else {
        struct escrow_entry entry = {.seq = t->trust.next,
                                     .unit = u->wu.id,
                                     .wait = escrow_wait(&b->b.trust),
                                     .open = open,
                                     .held = true};
        TRY(entry_add(t, &entry));
        t->trust.next += escrow_weight(&b->b.trust);
    }
    trust_touch(e, h, t);
    if (choice == TRUST_WAIT && only_waits(b))
        choice = trust_overdue(&b->b.trust, &t->trust, &u->wu, e->now_ms);
    TRY(choose(e, b, u->wu.id, choice));
    return ripen_later(e, h, t);
}

static enum err void_all(struct engine *e, uint64_t host_id, const struct trust_mem *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->entries[i].open || t->entries[i].held)
            TRY(note(
                e, &(struct trust_todo){.unit = t->entries[i].unit, .kind = WU_EV_VOID, .host_id = host_id}));
    return ERR_OK;
}

enum err trust_void_host(struct engine *e, struct host_mem *h)
{
    struct store_trust *list;
    uint32_t count;
    TRY(engine_flush(e));
    TRY(store_trust_list(e->store, &e->turn, h->h.id, 0, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct trust_mem *t;
        TRY(trust_find(e, h, list[i].app, &t));
        TRY(void_all(e, h->h.id, t));
    }
    return ERR_OK;
}

enum err host_give_back(struct engine *e, struct host_mem *h)
{
    TRY(host_leases(e, h));
    for (uint32_t i = 0; i < h->lease_count; i++)
        if (!h->leases[i].gone)
            TRY(note(e, &(struct trust_todo){.unit = h->leases[i].unit,
                                             .kind = WU_EV_ERROR,
                                             .host_id = h->h.id,
                                             .count = h->leases[i].attempt}));
    return ERR_OK;
}

static enum err ban(struct engine *e, struct host_mem *h, const char *why)
{
    char subject[24];
    if (h->h.banned)
        return ERR_OK;
    h->h.banned = h->flagged = true;
    TRY(engine_text(&h->text, why, &h->h.ban_reason));
    host_touch(e, h);
    TRY(trust_void_host(e, h));
    TRY(host_give_back(e, h));
    snprintf(subject, sizeof subject, "%llu", (unsigned long long)h->h.id);
    struct store_audit entry = {
        .at_ms = e->now_ms, .action = "host.banned", .detail = {.data = "{}", .len = 2}};
    TRY(engine_text(&e->turn, subject, &entry.subject));
    store_set_audit(e->set, &entry);
    return ERR_OK;
}

/* How far the furthest is of those that agreed with attempt i, or that audited it. */
static enum err others_of(struct engine *e, struct batch_mem *b, const struct wu *wu, uint32_t i, bool audits,
                          uint32_t *ret)
{
    *ret = 0;
    for (uint32_t k = 0; k < wu->attempt_count; k++) {
        const struct attempt *a = &wu->attempts[k];
        struct host_mem *h;
        struct trust_mem *t;
        bool counts = a->state == ATTEMPT_VALID ||
                      (a->state == ATTEMPT_REPORTED && wu->state == WU_PROVISIONAL && !audits);
        if (k == i || !counts || a->audit != audits || (audits && k < wu->audit_first))
            continue;
        TRY(host_find(e, a->host_id, &h));
        if (!h)
            continue;
        TRY(trust_find(e, h, batch_app(b), &t));
        *ret = t->trust.answers > *ret ? t->trust.answers : *ret;
    }
    return ERR_OK;
}

/* By a vote, which alone says that it was wrong: is it worth that much? */
static enum err is_convicted(struct engine *e, struct batch_mem *b, const struct wu *before,
                             const struct wu *is, const struct trust_mem *t, uint32_t attempt, bool *ret)
{
    bool audited = before->state == WU_PROVISIONAL && before->audit_count > 0;
    struct trust_crowd *c;
    uint32_t other;
    *ret = true;
    if (is->rules.compare == WU_COMPARE_CHECK || audited || is->attempts[attempt].audit ||
        is->attempts[attempt].group == WU_GROUP_UNUSABLE)
        return ERR_OK;
    TRY(crowd_of(e, b, &c));
    TRY(others_of(e, b, is, attempt, false, &other));
    *ret = trust_is_convicted(&b->b.trust, &t->trust, other, crowd_level(e, c));
    return ERR_OK;
}

static enum err on_fault(struct engine *e, struct batch_mem *b, const struct wu *before,
                         const struct unit_mem *u, struct host_mem *h, struct trust_mem *t, uint32_t attempt)
{
    bool shared = trust_is_agreed(before, &u->wu, attempt);
    bool convicted;
    TRY(is_convicted(e, b, before, &u->wu, t, attempt, &convicted));
    entry_set(t, u->wu.id, false, false);
    if (!convicted) {
        trust_touch(e, h, t);
        return ripen_later(e, h, t);
    }
    enum trust_sentence sentence = trust_fault(&t->trust, shared, u->wu.attempts[attempt].audit, e->now_ms);
    trust_touch(e, h, t);
    if (sentence == TRUST_SPARED)
        return ERR_OK;
    TRY(void_all(e, h->h.id, t));
    if (sentence == TRUST_QUARANTINE)
        return ERR_OK;
    return ban(e, h,
               shared ? "it gave the same wrong answer as another host"
                      : "its answers were found wrong again and again");
}

static uint32_t voices(const struct wu *wu)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n += wu->attempts[i].state == ATTEMPT_VALID && !wu->attempts[i].audit;
    return n;
}

static enum err on_ended(struct engine *e, struct batch_mem *b, const struct wu *before, struct unit_mem *u,
                         uint32_t i)
{
    const struct attempt *a = &u->wu.attempts[i];
    struct host_mem *h;
    struct trust_mem *t;
    TRY(host_find(e, a->host_id, &h));
    if (!h)
        return ERR_OK;
    TRY(trust_find(e, h, batch_app(b), &t));
    if (a->state == ATTEMPT_INVALID)
        return on_fault(e, b, before, u, h, t, i);
    if (a->audit)
        return ERR_OK; /* who checks others has shown nothing of his own */
    entry_set(t, u->wu.id, u->wu.state == WU_PROVISIONAL, false);
    bool proven = u->wu.rules.compare == WU_COMPARE_CHECK;
    if (a->state == ATTEMPT_VALID && proven) {
        trust_passed(&t->trust, TRUST_CONFIRMED, e->now_ms);
    } else if (a->state == ATTEMPT_VALID && voices(&u->wu) >= 2) {
        struct trust_crowd *c;
        uint32_t other;
        TRY(crowd_of(e, b, &c));
        TRY(others_of(e, b, &u->wu, i, false, &other));
        trust_agreed(&t->trust, other, crowd_level(e, c), e->now_ms);
    }
    trust_touch(e, h, t);
    return ripen_later(e, h, t);
}

/* An answer that waits for another one to agree with it, of a host on probation: it counts against what it
 * may begin, and is void with the others when the host is found wrong. It says nothing of what else it
 * answered.
 */
static enum err on_waiting(struct engine *e, struct batch_mem *b, const struct unit_mem *u, uint32_t i)
{
    struct host_mem *h;
    struct trust_mem *t;
    TRY(host_find(e, u->wu.attempts[i].host_id, &h));
    if (!h)
        return ERR_OK;
    TRY(trust_find(e, h, batch_app(b), &t));
    if (t->trust.answers >= b->b.trust.probation || entry_find(t, u->wu.id) > 0)
        return ERR_OK;
    struct escrow_entry entry = {
        .seq = t->trust.next++, .unit = u->wu.id, .wait = escrow_wait(&b->b.trust), .open = true};
    TRY(entry_add(t, &entry));
    trust_touch(e, h, t);
    return ERR_OK;
}

/* Those that agree with the one that stands have been confirmed by it, and wait no more. */
static enum err on_agreed(struct engine *e, struct batch_mem *b, const struct unit_mem *u, uint32_t standing)
{
    for (uint32_t i = 0; i < u->wu.attempt_count; i++) {
        const struct attempt *a = &u->wu.attempts[i];
        struct host_mem *h;
        struct trust_mem *t;
        if (i == standing || a->audit || a->state != ATTEMPT_REPORTED)
            continue;
        TRY(host_find(e, a->host_id, &h));
        if (!h)
            continue;
        TRY(trust_find(e, h, batch_app(b), &t));
        entry_set(t, u->wu.id, false, false);
        trust_touch(e, h, t);
    }
    return ERR_OK;
}

static enum err on_standing(struct engine *e, struct batch_mem *b, struct unit_mem *u,
                            const struct wu_effect *f)
{
    const struct attempt *a = &u->wu.attempts[f->attempt];
    struct host_mem *h;
    struct trust_mem *t;
    if (u->wu.state != WU_PROVISIONAL)
        return ERR_OK;
    TRY(host_find(e, a->host_id, &h));
    if (!h)
        return choose(e, b, u->wu.id, TRUST_CONFIRM);
    TRY(trust_find(e, h, batch_app(b), &t));
    if (f->kind == WU_FX_ESCROW) {
        TRY(on_agreed(e, b, u, f->attempt));
        return put_in_escrow(e, b, u, h, t, a);
    }
    if (f->kind == WU_FX_PASSED) {
        struct trust_crowd *c;
        uint32_t other;
        TRY(crowd_of(e, b, &c));
        TRY(others_of(e, b, &u->wu, f->attempt, true, &other));
        entry_set(t, u->wu.id, true, false);
        trust_audited(&t->trust, b->b.trust.audit_ppm, other, crowd_level(e, c), e->now_ms);
        trust_touch(e, h, t);
        TRY(ripen_later(e, h, t));
    }
    return u->wu.overdue || only_waits(b)
               ? choose(e, b, u->wu.id, trust_overdue(&b->b.trust, &t->trust, &u->wu, e->now_ms))
               : ERR_OK;
}

/* The answer stands no more, and nobody's verdict is in yet. */
static enum err on_fallen(struct engine *e, struct batch_mem *b, const struct wu *before, const struct wu *is)
{
    const struct attempt *a = &before->attempts[before->canonical];
    struct host_mem *h;
    struct trust_mem *t;
    TRY(host_find(e, a->host_id, &h));
    if (!h)
        return ERR_OK;
    TRY(trust_find(e, h, batch_app(b), &t));
    entry_set(t, is->id, false, true);
    trust_touch(e, h, t);
    return ERR_OK;
}

enum err trust_close(struct engine *e, struct batch_mem *b, struct unit_mem *u)
{
    struct wu_effect f = {.kind = WU_FX_OVERDUE, .attempt = (uint32_t)u->wu.canonical};
    return u->wu.state == WU_PROVISIONAL && only_waits(b) ? on_standing(e, b, u, &f) : ERR_OK;
}

/* While a job is under way nothing is started, nor taken for done: what it has passed may have come to wait
 * since. It calls here when it is over. What other servers did in between is not seen here, so where there
 * are others all is gone through again now and then. */
void trust_look(struct engine *e, struct batch_mem *b)
{
    if (b->b.rules.escrow == WU_ESCROW_NONE)
        return;
    if (!only_waits(b)) {
        b->settling = false;
        return;
    }
    int64_t since_ms = e->now_ms - b->settled_ms;
    bool again = !e->view.alone && (since_ms < 0 || since_ms >= SETTLE_AGAIN_MS);
    if (b->b.job != BATCH_JOB_NONE || (b->settling && !again))
        return;
    b->b.job = BATCH_JOB_SETTLE;
    b->b.job_next = 0;
    b->settling = true;
    b->settled_ms = e->now_ms;
    batch_live_changed(e, b);
}

enum err trust_follow(struct engine *e, struct batch_mem *b, struct unit_mem *u, const struct wu *before,
                      const struct wu_effects *fx)
{
    const struct wu *is = &u->wu;
    if (b->b.rules.escrow == WU_ESCROW_NONE)
        return ERR_OK;
    if (before->state == WU_PROVISIONAL && is->state != WU_PROVISIONAL && is->attempt_count > 0)
        TRY(on_fallen(e, b, before, is));
    for (uint32_t i = 0; i < is->attempt_count; i++) {
        enum attempt_state s = is->attempts[i].state;
        bool was = i < before->attempt_count && before->attempts[i].state == s;
        bool ended = s == ATTEMPT_VALID || s == ATTEMPT_INVALID ||
                     (s == ATTEMPT_CANCELLED && is->attempts[i].ended_ms != 0);
        if (!was && ended && is->attempts[i].host_id != 0)
            TRY(on_ended(e, b, before, u, i));
        if (!was && s == ATTEMPT_REPORTED && !is->attempts[i].audit && is->state == WU_OPEN)
            TRY(on_waiting(e, b, u, i));
    }
    for (uint32_t i = 0; i < fx->count; i++)
        if (fx->list[i].kind == WU_FX_ESCROW || fx->list[i].kind == WU_FX_PASSED ||
            fx->list[i].kind == WU_FX_OVERDUE)
            TRY(on_standing(e, b, u, &fx->list[i]));
    trust_look(e, b);
    return ERR_OK;
}

enum err trust_leased(struct engine *e, struct batch_mem *b, const struct unit_mem *u, struct host_mem *h)
{
    struct trust_mem *t;
    if (u->wu.rules.escrow == WU_ESCROW_NONE || u->wu.needed >= 2 || u->wu.state != WU_OPEN)
        return ERR_OK;
    TRY(trust_find(e, h, batch_app(b), &t));
    /* Its answer will be confirmed in any case, so the second host may as well begin now. */
    return t->trust.answers < b->b.trust.probation ? choose(e, b, u->wu.id, TRUST_CONFIRM) : ERR_OK;
}

/* --- applying what follows --- */

static bool find_answer(const struct wu *wu, uint64_t host_id, uint32_t *ret)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].host_id == host_id && wu->attempts[i].state == ATTEMPT_REPORTED &&
            !wu->attempts[i].audit) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static enum err apply(struct engine *e, const struct trust_todo *todo)
{
    struct unit_mem *u;
    enum err step;
    struct wu_event ev = {.kind = todo->kind, .now_ms = e->now_ms, .count = todo->count};
    if (todo->kind == WU_EV_ERROR) {
        ev.attempt = todo->count;
        ev.host_id = todo->host_id;
        ev.error = ATTEMPT_ERROR_RETURNED;
    }
    TRY(unit_find(e, todo->unit, &u));
    if (!u || (todo->kind == WU_EV_VOID && !find_answer(&u->wu, todo->host_id, &ev.attempt)))
        return ERR_OK;
    TRY(unit_apply(e, u, &ev, NULL, &step));
    /* Too late, or no attempts left for it: then what stands is as good as it gets until it is overdue. */
    return ERR_OK;
}

enum err trust_settle(struct engine *e)
{
    for (uint32_t i = 0; i < e->todo_count; i++) {
        struct trust_todo todo = e->todo[i];
        TRY(todo.unit == 0 ? ripen(e, &todo) : apply(e, &todo));
    }
    e->todo_count = 0;
    return ERR_OK;
}
