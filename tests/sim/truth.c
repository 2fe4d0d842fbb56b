/* truth.c - how true accepted answers are when a share of the hosts lies, for every policy and every way of
 * lying that we could think of: the real rules (wu_step, trust, escrow, price) over thousands of hosts, from
 * one seed.
 *
 * What a host computes is modelled by the number of false items in its answer; that an audit meets one of
 * them is drawn with the chance that it has. Everything else is done as the server does it. Who gives a
 * second answer or audits is drawn by the server's rule, and asks when it does (truth_due.c). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "truth_in.h"

#define GIVE_UP_MS (30 * 86400000ll) /* nobody is left who may take it */

/* --- units --- */

static struct digest digest_of(struct world *w, const struct host *h, uint32_t unit, uint32_t wrong)
{
    struct digest d = {{1}};
    uint64_t what = wrong == 0 ? 0 : h->kind == LIAR && w->strategy->agree ? 1 : 2 + h->id;
    memcpy(d.bytes + 1, &unit, sizeof unit);
    memcpy(d.bytes + 8, &what, sizeof what);
    return d;
}

static void note(struct world *w, struct todo todo)
{
    if (w->todo_count == w->todo_room) {
        w->todo_room = w->todo_room ? w->todo_room * 2 : 256;
        w->todo = truth_must(realloc(w->todo, w->todo_room * sizeof *w->todo));
    }
    w->todo[w->todo_count++] = todo;
}

static void choose(struct world *w, uint32_t unit, enum trust_choice c)
{
    if (c == TRUST_CONFIRM)
        note(w, (struct todo){.unit = unit, .kind = WU_EV_CONFIRM, .count = 2});
    else if (c == TRUST_AUDIT)
        note(w, (struct todo){.unit = unit, .kind = WU_EV_AUDIT, .count = trust_auditors(w->trusted)});
    else if (c == TRUST_FINAL)
        note(w, (struct todo){.unit = unit, .kind = WU_EV_FINAL});
}

static struct escrow_entry *entry_of(struct host *h, wu_id unit)
{
    for (uint32_t i = h->count; i > 0; i--)
        if (h->entries[i - 1].unit == unit && (h->entries[i - 1].open || h->entries[i - 1].held))
            return &h->entries[i - 1];
    return NULL;
}

static void ripen(struct world *w, struct host *h)
{
    wu_id ripe[64];
    uint32_t kept = 0, n;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->entries[i].open || h->entries[i].held)
            h->entries[kept++] = h->entries[i];
    h->count = kept;
    n = escrow_ripe(h->entries, h->count, h->trust.next, ripe, 64);
    for (uint32_t i = 0; i < n; i++)
        choose(w, wu_id_index(ripe[i]), TRUST_FINAL);
}

static void entry_set(struct host *h, wu_id unit, bool held, bool open)
{
    struct escrow_entry *e = entry_of(h, unit);
    if (!e)
        return;
    e->held = e->held && held;
    e->open = e->open && open;
}

static void stand(struct world *w, const struct wu *wu, enum wu_effect_kind why)
{
    struct host *h = w->by_id[wu->attempts[wu->canonical].host_id];
    uint32_t unit = wu_id_index(wu->id);
    const struct trust_policy *p = policy_of(w, w->units[unit]);
    if (why == WU_FX_ESCROW) {
        enum trust_choice c =
            trust_choose(p, &h->trust, wu, h->count, (uint32_t)(truth_random(w) % TRUST_MILLION), w->now_ms);
        struct escrow_entry *e = entry_of(h, wu->id);
        bool open = c == TRUST_CONFIRM || c == TRUST_AUDIT;
        if (e) {
            e->held = true;
            e->open = open;
        } else {
            if (h->count == h->room) {
                h->room = h->room ? h->room * 2 : 32;
                h->entries = truth_must(realloc(h->entries, h->room * sizeof *h->entries));
            }
            h->entries[h->count++] = (struct escrow_entry){
                .seq = h->trust.next, .unit = wu->id, .wait = escrow_wait(p), .open = open, .held = true};
            h->trust.next += escrow_weight(p);
        }
        choose(w, unit, c == TRUST_WAIT && w->closing ? trust_overdue(p, &h->trust, wu, w->now_ms) : c);
    } else if (why == WU_FX_PASSED) {
        bool trusted = is_trusted(w, h);
        entry_set(h, wu->id, true, false);
        trust_passed(&h->trust, p->audit_ppm, w->now_ms);
        w->trusted += !trusted && is_trusted(w, h) && !h->banned;
        if (w->closing)
            choose(w, unit, trust_overdue(p, &h->trust, wu, w->now_ms));
    }
    ripen(w, h);
}

static void found_wrong(struct world *w, const struct wu *before, const struct wu *wu, uint32_t i)
{
    struct host *h = w->by_id[wu->attempts[i].host_id];
    bool trusted = is_trusted(w, h) && !h->banned;
    entry_set(h, wu->id, false, false);
    enum trust_sentence s =
        trust_fault(&h->trust, trust_is_agreed(before, wu, i), wu->attempts[i].audit, w->now_ms);
    w->r.banned[h->kind] += s == TRUST_BAN && !h->banned;
    h->banned = h->banned || s == TRUST_BAN;
    w->trusted -= trusted && (h->banned || !is_trusted(w, h));
    for (uint32_t k = 0; k < h->count && s != TRUST_SPARED; k++)
        note(w, (struct todo){.unit = wu_id_index(h->entries[k].unit), .kind = WU_EV_VOID, .host_id = h->id});
    ripen(w, h);
}

static void ended(struct world *w, const struct wu *before, const struct wu *wu, uint32_t i)
{
    const struct attempt *a = &wu->attempts[i];
    struct host *h = w->by_id[a->host_id];
    uint32_t voices = 0;
    if (a->state == ATTEMPT_INVALID)
        found_wrong(w, before, wu, i);
    if (a->state == ATTEMPT_INVALID || a->audit)
        return;
    bool trusted = is_trusted(w, h);
    for (uint32_t k = 0; k < wu->attempt_count; k++)
        voices += wu->attempts[k].state == ATTEMPT_VALID && !wu->attempts[k].audit;
    entry_set(h, wu->id, wu->state == WU_PROVISIONAL, false);
    if (a->state == ATTEMPT_VALID && voices >= 2)
        trust_passed(&h->trust, TRUST_CONFIRMED, w->now_ms);
    w->trusted += !trusted && is_trusted(w, h) && !h->banned;
    ripen(w, h);
}

static void judge(struct world *w, struct life *l);

static void accept(struct world *w, const struct life *l)
{
    const struct wu *wu = &l->wu;
    struct place *p = &w->places[w->by_id[wu->attempts[wu->canonical].host_id]->place];
    if (l->lax)
        return;
    w->r.accepted++;
    p->answers++;
    p->items += w->size.items;
    p->wrong_items += l->false_items[wu->canonical];
    p->wrong_units += l->false_items[wu->canonical] > 0;
    p->waited += (double)(w->now_ms - l->born_ms) / w->size.unit_ms;
}

static void follow(struct world *w, const struct wu *before, const struct wu *wu)
{
    if (before->state == WU_PROVISIONAL && wu->state != WU_PROVISIONAL)
        entry_set(w->by_id[before->attempts[before->canonical].host_id], wu->id, false, true);
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        enum attempt_state s = wu->attempts[i].state;
        bool was = i < before->attempt_count && before->attempts[i].state == s;
        if (!was && wu->attempts[i].host_id &&
            (s == ATTEMPT_VALID || s == ATTEMPT_INVALID ||
             (s == ATTEMPT_CANCELLED && wu->attempts[i].ended_ms)))
            ended(w, before, wu, i);
    }
}

static void apply(struct world *w, uint32_t at, const struct wu_event *ev)
{
    struct life *l = w->units[at];
    struct wu_effects fx;
    struct wu before = l->wu;
    if (wu_step(&l->wu, ev, &fx) != ERR_OK)
        return;
    struct wu wu = l->wu;
    for (uint32_t i = before.attempt_count; i < wu.attempt_count; i++)
        l->false_items[i] = 0;
    for (uint32_t i = wu_unsent(&before); i < wu_unsent(&wu) && ev->kind != WU_EV_SUBMIT; i++)
        due_draw(w, at, w->now_ms);
    if (w->policy->rules.escrow != WU_ESCROW_NONE)
        follow(w, &before, &wu);
    for (uint32_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind == WU_FX_DELIVER && wu.canonical >= 0)
            accept(w, l);
        else if (fx.list[i].kind == WU_FX_DELIVER)
            w->r.failed += !l->lax;
        else if (fx.list[i].kind == WU_FX_JUDGE)
            judge(w, l);
        else if ((fx.list[i].kind == WU_FX_ESCROW || fx.list[i].kind == WU_FX_PASSED) &&
                 wu.state == WU_PROVISIONAL)
            stand(w, &wu, fx.list[i].kind);
    }
}

/* Delivered, and nobody has it any more. */
static void forget_if_over(struct world *w, uint32_t at)
{
    const struct life *l = w->units[at];
    if (!l || (l->wu.state != WU_ACCEPTED && l->wu.state != WU_FAILED))
        return;
    for (uint32_t i = 0; i < l->wu.attempt_count; i++)
        if (l->wu.attempts[i].state == ATTEMPT_LEASED || l->wu.attempts[i].state == ATTEMPT_UNSENT)
            return;
    free(w->units[at]);
    w->units[at] = NULL;
}

/* Of the unit, that each of its auditors recomputes. */
static double share_of_audit(const struct world *w, const struct life *l)
{
    return (double)policy_of(w, l)->audit_ppm / TRUST_MILLION / l->wu.audit_count;
}

/* The auditor looked at a share of the items; where it says that one differs, the server computes that one.
 */
static void judge(struct world *w, struct life *l)
{
    struct wu_event ev = {.kind = WU_EV_JUDGED, .now_ms = w->now_ms};
    const struct wu *wu = &l->wu;
    uint32_t c = (uint32_t)wu->canonical, wrong = l->false_items[c];
    double looked = share_of_audit(w, l) * w->size.items;
    const struct host *author = w->by_id[wu->attempts[c].host_id];
    ev.groups[c] = 1;
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (!a->audit || a->state != ATTEMPT_REPORTED)
            continue;
        bool liar = w->by_id[a->host_id]->kind == LIAR, friends = liar && author->kind == LIAR;
        bool met = wrong > 0 && truth_uniform(w) < 1 - pow(1 - (double)wrong / w->size.items, looked);
        if (friends && w->strategy->audits != TRUTH_AUDITS_HONESTLY)
            ev.groups[i] = 1;
        else if (met)
            ev.groups[c] = WU_GROUP_UNUSABLE, ev.groups[i] = 2;
        else if (liar && w->strategy->audits == TRUTH_AUDITS_FRAME)
            ev.groups[i] = WU_GROUP_UNUSABLE;
        else
            ev.groups[i] = 1;
    }
    apply(w, wu_id_index(wu->id), &ev);
}

static bool find_answer(const struct wu *wu, uint64_t host_id, uint32_t *ret)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].host_id == host_id && wu->attempts[i].state == ATTEMPT_REPORTED &&
            !wu->attempts[i].audit) {
            *ret = i;
            return true;
        }
    return false;
}

static void settle(struct world *w)
{
    for (uint32_t i = 0; i < w->todo_count; i++) {
        struct todo t = w->todo[i];
        struct wu_event ev = {.kind = t.kind, .now_ms = w->now_ms, .count = t.count};
        if (!w->units[t.unit] ||
            (t.kind == WU_EV_VOID && !find_answer(&w->units[t.unit]->wu, t.host_id, &ev.attempt)))
            continue;
        apply(w, t.unit, &ev);
        forget_if_over(w, t.unit);
    }
    w->todo_count = 0;
}

/* --- work --- */

static uint32_t new_unit(struct world *w, uint32_t place)
{
    uint32_t at = w->unit_count++;
    struct life *l = w->units[at] = truth_must(calloc(1, sizeof *l));
    l->wu = (struct wu){.id = wu_id_make(1, at), .rules = w->policy->rules};
    l->born_ms = w->now_ms;
    l->place = place;
    l->lax = w->strategy->where != TRUTH_EVERYWHERE && at % 2;
    struct wu_event ev = {.kind = WU_EV_SUBMIT, .now_ms = w->now_ms};
    apply(w, at, &ev);
    for (uint32_t i = 1; i < wu_unsent(&l->wu); i++)
        due_draw(w, at, w->now_ms);
    return at;
}

/* The host takes the unit's first attempt that waits and answers it, or lets an audit's lease run out. */
static void answer(struct world *w, struct host *h, uint32_t unit)
{
    struct life *l = w->units[unit];
    struct wu *wu = &l->wu;
    uint32_t i = (uint32_t)wu_first_unsent(wu);
    bool audit = wu->attempts[i].audit;
    struct wu_event lease = {
        .kind = WU_EV_LEASE, .now_ms = w->now_ms, .attempt = i, .host_id = h->id, .owner_id = h->id};
    apply(w, unit, &lease);
    if (wu->rules.escrow != WU_ESCROW_NONE && wu->needed < 2 && wu->state == WU_OPEN &&
        h->trust.answers < policy_of(w, l)->probation)
        choose(w, unit, TRUST_CONFIRM);
    if (!l->lax)
        w->places[l->place].runs += audit ? share_of_audit(w, l) : 1;
    if (audit && h->kind == LIAR && w->strategy->audits == TRUTH_AUDITS_NEVER) {
        due_push(w, (struct due){.at_ms = wu->attempts[i].deadline_ms, .unit = unit, .tick = true});
    } else {
        uint32_t wrong = audit ? 0 : host_false_items(w, h, l);
        l->false_items[i] = (uint16_t)wrong;
        struct digest d = digest_of(w, h, unit, wrong);
        d.bytes[31] = audit;
        apply(w, unit,
              &(struct wu_event){
                  .kind = WU_EV_REPORT, .now_ms = w->now_ms, .attempt = i, .host_id = h->id, .answer = d});
    }
    settle(w);
    forget_if_over(w, unit);
}

static void begin(struct world *w, uint32_t place)
{
    struct host *h = w->places[place].host;
    bool escrow = w->policy->rules.escrow != WU_ESCROW_NONE;
    if (h->banned || w->unit_count == w->size.units ||
        (escrow && !trust_may_begin(&w->policy->trust, &h->trust, h->count, w->now_ms)))
        return;
    if (h->owed >= 1) { /* it was busy with what it checked */
        h->owed--;
        return;
    }
    answer(w, h, new_unit(w, place));
}

static void check(struct world *w, struct host *h, uint32_t unit)
{
    const struct life *l = w->units[unit];
    bool audit = l->wu.attempts[wu_first_unsent(&l->wu)].audit;
    h->owed += audit ? share_of_audit(w, l) : 1;
    answer(w, h, unit);
}

static void take(struct world *w, const struct due *d)
{
    struct life *l = w->units[d->unit];
    struct host *h = w->places[d->place].host;
    if (!l || wu_unsent(&l->wu) == 0)
        return;
    bool may = !h->banned && wu_host_may_take(&l->wu, h->id, h->id);
    /* Who is on probation checks nobody, where there are others. */
    if (w->policy->rules.escrow != WU_ESCROW_NONE &&
        !trust_is_patience_over(w->size.hosts, w->now_ms - d->since_ms, due_draw_ms(w)))
        may = may && trust_may_check(policy_of(w, l), &h->trust, w->trusted, w->size.hosts, w->now_ms);
    if (may && h->kind == LIAR && w->strategy->eager)
        may = h->owed < 1 && due_is_of_friend(w, d->unit); /* or it hands it back, at once */
    if (may)
        check(w, h, d->unit);
    else if (w->now_ms - d->since_ms < GIVE_UP_MS)
        due_draw(w, d->unit, d->since_ms);
}

static void happen(struct world *w)
{
    struct due d;
    while (due_pop(w, &d)) {
        if (!d.tick) {
            take(w, &d);
        } else if (w->units[d.unit]) {
            struct wu_event ev = {.kind = WU_EV_TICK, .now_ms = w->now_ms};
            apply(w, d.unit, &ev);
            settle(w);
            forget_if_over(w, d.unit);
        }
    }
}

static void close_all(struct world *w)
{
    w->closing = true;
    for (uint32_t at = 0; at < w->unit_count; at++) {
        const struct life *l = w->units[at];
        if (!l || l->wu.state != WU_PROVISIONAL)
            continue;
        const struct host *h = w->by_id[l->wu.attempts[l->wu.canonical].host_id];
        choose(w, at, trust_overdue(policy_of(w, l), &h->trust, &l->wu, w->now_ms));
        settle(w);
    }
}

/* --- all of it --- */

static void world_make(struct world *w, uint64_t seed)
{
    uint32_t hosts = w->size.hosts;
    w->seed = seed * 0x9E3779B97F4A7C15ull;
    w->random = seed * 2 + 1;
    w->lax = (struct trust_policy){.audit_ppm = 1000, .floor_ppm = 1000};
    w->places = truth_must(calloc(hosts, sizeof *w->places));
    w->units = truth_must(calloc(w->size.units, sizeof *w->units));
    w->by_id_room = hosts * 4;
    w->by_id = truth_must(calloc(w->by_id_room, sizeof *w->by_id));
    for (int i = 0; i < 20; i++)
        (void)truth_random(w);
    for (uint32_t i = 0; i < hosts; i++) {
        double u = (i + 0.5) / hosts;
        w->liars += u < w->size.liars;
        host_is_born(w, i, u < w->size.liars ? LIAR : u < w->size.liars + w->size.flaky ? FLAKY : HONEST);
    }
}

static void ratio_take(struct truth_ratio *r, double x, double d)
{
    r->x += x, r->d += d;
    r->xx += x * x, r->xd += x * d, r->dd += d * d;
    r->clusters++;
}

static void world_done(struct world *w)
{
    struct truth_result *r = &w->r;
    for (uint32_t i = 0; i < w->size.hosts; i++) {
        const struct place *p = &w->places[i];
        ratio_take(&r->runs, p->runs, p->answers);
        ratio_take(&r->wrong, p->wrong_items, p->items);
        ratio_take(&r->wrong_units, p->wrong_units, p->answers);
        ratio_take(&r->waited, p->waited, p->answers);
    }
    for (uint32_t i = 0; i < w->unit_count; i++) {
        r->units += w->strategy->where == TRUTH_EVERYWHERE || i % 2 == 0;
        free(w->units[i]);
    }
    for (uint64_t i = 1; i <= w->next_host; i++) {
        free(w->by_id[i]->entries);
        free(w->by_id[i]);
    }
    free(w->places);
    free(w->units);
    free(w->due);
    free(w->by_id);
    free(w->todo);
}

void truth_run(const struct truth_policy *policy, const struct truth_strategy *strategy,
               const struct truth_size *size, uint64_t seed, struct truth_result *ret)
{
    struct world w = {.policy = policy, .strategy = strategy, .size = *size};
    double step_ms = size->unit_ms / size->hosts, at_ms = 0;
    world_make(&w, seed);
    /* Until all units are made, and then until nothing moves any more. */
    while (!w.closing || w.due_count > 0) {
        uint32_t place = (uint32_t)(truth_random(&w) % size->hosts);
        at_ms += step_ms;
        if (w.unit_count == size->units && w.due_count > 0 && (double)w.due[0].at_ms > at_ms)
            at_ms = (double)w.due[0].at_ms;
        w.now_ms = (int64_t)at_ms;
        happen(&w);
        begin(&w, place);
        host_comes_and_goes(&w, place);
        if (w.unit_count == size->units && !w.closing && w.due_count == 0)
            close_all(&w);
    }
    world_done(&w);
    *ret = w.r;
}
