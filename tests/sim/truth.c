/* truth.c - how true accepted answers are when a share of the hosts lies, for every policy and every way of
 * lying that we could think of: the real rules (wu_step, trust, escrow, price) over thousands of hosts, from
 * one seed.
 *
 * What a host computes is modelled by the number of false items in its answer; that an audit meets one of
 * them is drawn with the chance that it has. Everything else is done as the server does it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/trust.h"
#include "rules/wu.h"
#include "rules/wu_codec.h"
#include "truth.h"

#define LIFE_BYTES 720

struct life { /* a unit between two events */
    uint16_t len;
    uint16_t false_items[ATTEMPTS_MAX];
    uint32_t born;
    uint8_t bytes[LIFE_BYTES];
};

struct host {
    enum kind { HONEST, FLAKY, LIAR } kind;
    uint64_t id;
    struct host_trust trust;
    uint32_t done, lies, ordinal;
    bool banned;
    struct escrow_entry *entries;
    uint32_t count, room;
};

struct todo {
    uint32_t unit, count;
    enum wu_event_kind kind;
    uint64_t host_id;
};

struct world {
    const struct truth_policy *policy;
    const struct truth_strategy *strategy;
    struct truth_size size;
    uint64_t random, next_host;
    struct host **places, **by_id; /* who is there now; all that ever were */
    uint32_t by_id_room, trusted;
    int64_t *reborn_ms; /* of each place: a banned one may come back then */
    struct life *units;
    uint32_t unit_count, *pending, pending_head, pending_tail;
    struct todo *todo;
    uint32_t todo_count, todo_room;
    int64_t now_ms;
    bool closing;
    struct truth_result r;
};

static void *must(void *p)
{
    if (!p) {
        fputs("truth: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

/* xorshift64* (Vigna 2016). */
static uint64_t rnd(struct world *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 0x2545F4914F6CDD1Dull;
}

static double uniform(struct world *w)
{
    return (double)(rnd(w) >> 11) / 9007199254740992.0;
}

/* --- hosts --- */

static void be_born(struct world *w, uint32_t place, enum kind kind)
{
    struct host *h = must(calloc(1, sizeof *h));
    *h = (struct host){.kind = kind, .id = ++w->next_host};
    if (w->next_host >= w->by_id_room) {
        w->by_id_room *= 2;
        w->by_id = must(realloc(w->by_id, w->by_id_room * sizeof *w->by_id));
    }
    w->by_id[h->id] = w->places[place] = h;
}

static bool is_trusted(const struct world *w, const struct host *h)
{
    return h->trust.answers >= w->policy->trust.probation;
}

/* How many items of its next answer a host gets wrong. */
static uint32_t false_items(struct world *w, struct host *h)
{
    const struct truth_strategy *s = w->strategy;
    uint32_t n = h->done++, most = w->size.items;
    if (h->kind == FLAKY) { /* 1e-4 of its items */
        uint32_t x = 0;
        for (double p = exp(-1e-4 * most), q = uniform(w); q > p && x < 20; x++)
            q *= uniform(w);
        return x;
    }
    if (h->kind == HONEST || n < s->honest_first || (s->lies_most && h->lies >= s->lies_most))
        return 0;
    if (s->only_at_the_end && w->unit_count < w->size.units - w->size.units / 50)
        return 0;
    if (s->bursts && n / s->bursts % 2 == 0)
        return 0;
    if (uniform(w) >= s->chance)
        return 0;
    h->lies++;
    return s->items < most ? s->items : most;
}

static struct digest digest_of(struct world *w, const struct host *h, uint32_t unit, uint32_t wrong)
{
    struct digest d = {{1}};
    uint64_t what = wrong == 0 ? 0 : h->kind == LIAR && w->strategy->agree ? 1 : 2 + h->id;
    memcpy(d.bytes + 1, &unit, sizeof unit);
    memcpy(d.bytes + 8, &what, sizeof what);
    return d;
}

/* --- units --- */

static void load(struct world *w, uint32_t at, struct wu *wu)
{
    const struct life *l = &w->units[at];
    *wu = (struct wu){.id = wu_id_make(1, at), .rules = w->policy->rules};
    if (wu_decode(l->bytes, l->len, wu) != ERR_OK) {
        fprintf(stderr, "truth: %s\n", err_text());
        exit(1);
    }
}

static void keep(struct world *w, uint32_t at, const struct wu *wu)
{
    uint8_t bytes[WU_BYTES_MAX];
    size_t len = wu_encode(wu, bytes);
    if (len > LIFE_BYTES) {
        fputs("truth: a unit's life is longer than expected\n", stderr);
        exit(1);
    }
    w->units[at].len = (uint16_t)len;
    memcpy(w->units[at].bytes, bytes, len);
}

static void note(struct world *w, struct todo todo)
{
    if (w->todo_count == w->todo_room) {
        w->todo_room = w->todo_room ? w->todo_room * 2 : 256;
        w->todo = must(realloc(w->todo, w->todo_room * sizeof *w->todo));
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
    const struct trust_policy *p = &w->policy->trust;
    uint32_t unit = wu_id_index(wu->id);
    if (why == WU_FX_ESCROW) {
        enum trust_choice c =
            trust_choose(p, &h->trust, wu, h->count, (uint32_t)(rnd(w) % TRUST_MILLION), w->now_ms);
        struct escrow_entry *e = entry_of(h, wu->id);
        bool open = c == TRUST_CONFIRM || c == TRUST_AUDIT;
        if (e) {
            e->held = true;
            e->open = open;
        } else {
            if (h->count == h->room) {
                h->room = h->room ? h->room * 2 : 32;
                h->entries = must(realloc(h->entries, h->room * sizeof *h->entries));
            }
            h->entries[h->count++] = (struct escrow_entry){
                .seq = h->trust.next++, .unit = wu->id, .wait = p->wait, .open = open, .held = true};
        }
        choose(w, unit, c == TRUST_WAIT && w->closing ? trust_overdue(p, &h->trust, wu, w->now_ms) : c);
    } else if (why == WU_FX_PASSED) {
        bool trusted = is_trusted(w, h);
        entry_set(h, wu->id, true, false);
        trust_passed(&h->trust, w->now_ms);
        w->trusted += !trusted && is_trusted(w, h);
        if (w->closing)
            choose(w, unit, trust_overdue(p, &h->trust, wu, w->now_ms));
    }
    ripen(w, h);
}

static void ended(struct world *w, const struct wu *before, const struct wu *wu, uint32_t i)
{
    const struct attempt *a = &wu->attempts[i];
    struct host *h = w->by_id[a->host_id];
    uint32_t voices = 0;
    bool trusted = is_trusted(w, h);
    if (a->state == ATTEMPT_INVALID) {
        entry_set(h, wu->id, false, false);
        w->trusted -= trusted;
        bool ban = trust_fault(&h->trust, trust_is_agreed(before, wu, i), w->now_ms) == TRUST_BAN;
        for (uint32_t k = 0; k < h->count; k++)
            note(w, (struct todo){
                        .unit = wu_id_index(h->entries[k].unit), .kind = WU_EV_VOID, .host_id = h->id});
        if (ban && !h->banned) {
            h->banned = true;
            w->r.banned[h->kind]++;
        }
        return;
    }
    if (a->audit)
        return;
    for (uint32_t k = 0; k < wu->attempt_count; k++)
        voices += wu->attempts[k].state == ATTEMPT_VALID && !wu->attempts[k].audit;
    entry_set(h, wu->id, wu->state == WU_PROVISIONAL, false);
    if (a->state == ATTEMPT_VALID && voices >= 2)
        trust_passed(&h->trust, w->now_ms);
    w->trusted += !trusted && is_trusted(w, h);
    ripen(w, h);
}

static void judge(struct world *w, uint32_t at, const struct wu *wu);

static void accept(struct world *w, uint32_t at, const struct wu *wu)
{
    w->r.accepted++;
    w->r.items += w->size.items;
    w->r.wrong_items += w->units[at].false_items[wu->canonical];
    w->r.wrong_units += w->units[at].false_items[wu->canonical] > 0;
    w->r.waited += w->unit_count - w->units[at].born;
}

static void apply(struct world *w, uint32_t at, const struct wu_event *ev)
{
    struct wu wu, before;
    struct wu_effects fx;
    load(w, at, &wu);
    before = wu;
    if (wu_step(&wu, ev, &fx) != ERR_OK)
        return;
    keep(w, at, &wu);
    for (uint32_t i = before.attempt_count; i < wu.attempt_count; i++)
        w->units[at].false_items[i] = 0;
    for (uint32_t i = wu_unsent(&before); i < wu_unsent(&wu); i++)
        w->pending[w->pending_tail++ % (4 * w->size.units)] = at;
    if (w->policy->rules.escrow != WU_ESCROW_NONE) {
        if (before.state == WU_PROVISIONAL && wu.state != WU_PROVISIONAL) {
            entry_set(w->by_id[before.attempts[before.canonical].host_id], wu.id, false, true);
        }
        for (uint32_t i = 0; i < wu.attempt_count; i++) {
            enum attempt_state s = wu.attempts[i].state;
            bool was = i < before.attempt_count && before.attempts[i].state == s;
            if (!was && wu.attempts[i].host_id &&
                (s == ATTEMPT_VALID || s == ATTEMPT_INVALID ||
                 (s == ATTEMPT_CANCELLED && wu.attempts[i].ended_ms)))
                ended(w, &before, &wu, i);
        }
    }
    for (uint32_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind == WU_FX_DELIVER && wu.canonical >= 0)
            accept(w, at, &wu);
        else if (fx.list[i].kind == WU_FX_DELIVER)
            w->r.failed++;
        else if (fx.list[i].kind == WU_FX_JUDGE)
            judge(w, at, &wu);
        else if ((fx.list[i].kind == WU_FX_ESCROW || fx.list[i].kind == WU_FX_PASSED) &&
                 wu.state == WU_PROVISIONAL)
            stand(w, &wu, fx.list[i].kind);
    }
}

/* The auditor looked at a share of the items; where it says that one differs, the server computes that one.
 */
static void judge(struct world *w, uint32_t at, const struct wu *wu)
{
    struct wu_event ev = {.kind = WU_EV_JUDGED, .now_ms = w->now_ms};
    uint32_t c = (uint32_t)wu->canonical, wrong = w->units[at].false_items[c];
    double share = (double)w->policy->trust.audit_ppm / TRUST_MILLION / wu->audit_count;
    const struct host *author = w->by_id[wu->attempts[c].host_id];
    ev.groups[c] = 1;
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (!a->audit || a->state != ATTEMPT_REPORTED)
            continue;
        bool liar = w->by_id[a->host_id]->kind == LIAR, friends = liar && author->kind == LIAR;
        bool met =
            wrong > 0 && uniform(w) < 1 - pow(1 - (double)wrong / w->size.items, share * w->size.items);
        if (friends && w->strategy->audits != TRUTH_AUDITS_HONESTLY)
            ev.groups[i] = 1;
        else if (met)
            ev.groups[c] = WU_GROUP_UNUSABLE, ev.groups[i] = 2;
        else if (liar && w->strategy->audits == TRUTH_AUDITS_FRAME)
            ev.groups[i] = WU_GROUP_UNUSABLE;
        else
            ev.groups[i] = 1;
    }
    apply(w, at, &ev);
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
        struct wu wu;
        load(w, t.unit, &wu);
        if (t.kind == WU_EV_VOID && !find_answer(&wu, t.host_id, &ev.attempt))
            continue;
        apply(w, t.unit, &ev);
    }
    w->todo_count = 0;
}

/* --- work --- */

static bool take(struct world *w, const struct host *h, uint32_t *ret)
{
    uint32_t room = 4 * w->size.units;
    /* Who is on probation checks nobody, where there are others. */
    if (w->policy->rules.escrow != WU_ESCROW_NONE &&
        !trust_may_check(&w->policy->trust, &h->trust, w->trusted, w->size.hosts))
        return false;
    for (uint32_t i = w->pending_head, looked = 0; i < w->pending_tail && looked < 12; i++, looked++) {
        struct wu wu;
        load(w, w->pending[i % room], &wu);
        bool gone = wu_unsent(&wu) == 0;
        if (!gone && !wu_host_may_take(&wu, h->id, h->id))
            continue;
        *ret = w->pending[i % room];
        w->pending[i % room] = w->pending[w->pending_head % room];
        w->pending_head++;
        if (!gone)
            return true;
    }
    return false;
}

static uint32_t new_unit(struct world *w)
{
    uint32_t at = w->unit_count++;
    struct wu wu = {.id = wu_id_make(1, at), .rules = w->policy->rules};
    struct wu_effects fx;
    struct wu_event ev = {.kind = WU_EV_SUBMIT, .now_ms = w->now_ms};
    if (wu_step(&wu, &ev, &fx) != ERR_OK) {
        fprintf(stderr, "truth: %s\n", err_text());
        exit(1);
    }
    w->units[at].born = at;
    memset(w->units[at].false_items, 0, sizeof w->units[at].false_items);
    keep(w, at, &wu);
    for (uint32_t i = 1; i < wu_unsent(&wu); i++)
        w->pending[w->pending_tail++ % (4 * w->size.units)] = at;
    return at;
}

/* Leaves what it has without a word: its lease runs out. */
static void vanish(struct world *w, uint32_t unit, uint32_t attempt)
{
    struct wu wu;
    load(w, unit, &wu);
    struct wu_event ev = {.kind = WU_EV_TICK, .now_ms = wu.attempts[attempt].deadline_ms};
    apply(w, unit, &ev);
}

static void work(struct world *w, uint32_t place)
{
    struct host *h = w->places[place];
    uint32_t unit;
    struct wu wu;
    if (!take(w, h, &unit)) {
        if (w->unit_count == w->size.units || (w->policy->rules.escrow != WU_ESCROW_NONE &&
                                               !trust_may_begin(&w->policy->trust, &h->trust, h->count)))
            return;
        unit = new_unit(w);
    }
    load(w, unit, &wu);
    uint32_t i = (uint32_t)wu_first_unsent(&wu);
    bool audit = wu.attempts[i].audit;
    apply(w, unit,
          &(struct wu_event){
              .kind = WU_EV_LEASE, .now_ms = w->now_ms, .attempt = i, .host_id = h->id, .owner_id = h->id});
    if (wu.rules.escrow != WU_ESCROW_NONE && wu.needed < 2 && wu.state == WU_OPEN &&
        h->trust.answers < w->policy->trust.probation)
        choose(w, unit, TRUST_CONFIRM);
    w->r.runs += audit ? (double)w->policy->trust.audit_ppm / TRUST_MILLION / wu.audit_count : 1;
    if (audit && h->kind == LIAR && w->strategy->audits == TRUTH_AUDITS_NEVER) {
        vanish(w, unit, i);
    } else {
        uint32_t wrong = audit ? 0 : false_items(w, h);
        w->units[unit].false_items[i] = (uint16_t)wrong;
        struct digest d = digest_of(w, h, unit, wrong);
        d.bytes[31] = audit;
        apply(
            w, unit,
            &(struct wu_event){
                .kind = WU_EV_REPORT, .now_ms = w->now_ms + 1, .attempt = i, .host_id = h->id, .answer = d});
    }
    settle(w);
}

/* Nobody may join more often than the server's caps allow (JOINS_PER_DAY for each owner). */
static void come_and_go(struct world *w, uint32_t place)
{
    struct host *h = w->places[place];
    const struct truth_strategy *s = w->strategy;
    bool washes = h->kind == LIAR && ((h->banned && s->reborn) || (s->life && h->done >= s->life));
    bool leaves = h->kind != LIAR && w->size.life && uniform(w) < 1.0 / w->size.life;
    if (!(washes || leaves) || w->now_ms < w->reborn_ms[place])
        return;
    w->reborn_ms[place] = w->now_ms + 86400000 / TRUST_JOINS_PER_DAY;
    w->trusted -= is_trusted(w, h);
    be_born(w, place, h->kind);
}

static void close_all(struct world *w)
{
    w->closing = true;
    for (uint32_t at = 0; at < w->unit_count; at++) {
        struct wu wu;
        load(w, at, &wu);
        if (wu.state != WU_PROVISIONAL)
            continue;
        const struct host *h = w->by_id[wu.attempts[wu.canonical].host_id];
        choose(w, at, trust_overdue(&w->policy->trust, &h->trust, &wu, w->now_ms));
        settle(w);
    }
}

struct truth_result truth_run(const struct truth_policy *policy, const struct truth_strategy *strategy,
                              const struct truth_size *size, uint64_t seed)
{
    struct world w = {.policy = policy, .strategy = strategy, .size = *size, .random = seed * 2 + 1};
    w.places = must(calloc(size->hosts, sizeof *w.places));
    w.reborn_ms = must(calloc(size->hosts, sizeof *w.reborn_ms));
    w.units = must(calloc(size->units, sizeof *w.units));
    w.pending = must(calloc(4ull * size->units, sizeof *w.pending));
    w.by_id_room = size->hosts * 4;
    w.by_id = must(calloc(w.by_id_room, sizeof *w.by_id));
    for (int i = 0; i < 20; i++)
        (void)rnd(&w);
    for (uint32_t i = 0; i < size->hosts; i++) {
        double u = (i + 0.5) / size->hosts;
        be_born(&w, i, u < size->liars ? LIAR : u < size->liars + size->flaky ? FLAKY : HONEST);
    }
    /* Until all units are made, and then until nothing moves any more. */
    for (uint64_t turn = 0, idle = 0; idle < 20ull * size->hosts; turn++) {
        uint32_t place = (uint32_t)(rnd(&w) % size->hosts);
        double runs = w.r.runs;
        w.now_ms += 1 + (int64_t)(size->unit_ms / size->hosts);
        if (!w.places[place]->banned)
            work(&w, place);
        come_and_go(&w, place);
        idle = w.unit_count == size->units && w.r.runs - runs < 1e-9 ? idle + 1 : 0;
        if (w.unit_count == size->units && !w.closing && w.pending_head == w.pending_tail)
            close_all(&w);
    }
    for (uint64_t i = 1; i <= w.next_host; i++) {
        free(w.by_id[i]->entries);
        free(w.by_id[i]);
    }
    free(w.places);
    free(w.reborn_ms);
    free(w.units);
    free(w.pending);
    free(w.by_id);
    free(w.todo);
    w.r.units = w.unit_count;
    return w.r;
}
