/* liars.h - hosts of which some lie, over one engine or two on one database, in virtual time, from one seed.
 */
#ifndef TESTS_LIB_LIARS_H
#define TESTS_LIB_LIARS_H

#include "lib/engine_world.h"
#include "server/store_load.h"

enum {
    HONEST = 7,
    LIARS = 6,
    LATER = 6, /* honest ones, when all others have had what is left */
    HOSTS = HONEST + LIARS + LATER,
    HELD_MAX = 96,
    BATCHES_MAX = 64,
    OPEN_MAX = 4, /* batches at once */
    VERSIONS = 2,
    ENGINES = 2,
    STEPS = 1500,
    WARM_UNITS = 240,
    UNITS_MAX = 240, /* of a batch; where two servers share it, less than what they claim in blocks */
    SLEEPERS = 2,
    LIES_MAX = 60, /* of one that was trusted: (1 - a)^K / a = 9 for each of its three lives, a 0.05, K 15 */
    PROBATION_MIN = 3,
    PROBATION_MAX = 6,
    TRUTH = 1,
    LIE = 9,       /* of those that tell the same one */
    OWN_LIE = 100, /* and more: of each of those that do not */
    MINUTE_MS = 60000
};

enum kind { IS_HONEST, LIES_ALONE, COLLUDES, SLEEPS /* colludes, once it is trusted */ };
enum policy { ADAPTIVE, AUDIT, PAIRS, TRIPLES, CHECKER, POLICIES };

struct job {
    wu_id unit;
    uint32_t attempt;
    bool audit;
    int64_t due_ms;
};

struct host {
    uint64_t id;
    enum kind kind;
    bool eager;  /* asks all the time */
    bool choosy; /* gives back what it is not a friend's second voice in, now and then */
    uint8_t lie;
    int64_t asks_ms, gone_ms; /* next; until then it does not answer */
    struct job held[HELD_MAX], told[4];
    uint32_t held_count, told_count;
};

struct batch {
    uint32_t id, units;
    uint8_t accepted[UNITS_MAX]; /* the answer */
    uint16_t times[UNITS_MAX];   /* it was delivered, then */
    enum policy policy;
    bool guarded; /* enough honest hosts were trusted when it came */
    bool paused, cancelled;
};

struct call {
    struct engine_request r;
    struct engine_report reports[HELD_MAX + 4];
    struct engine_attempt held[HELD_MAX];
    struct engine_want want;
};

struct play {
    struct world w;
    struct engine *engines[ENGINES];
    struct engine_view views[ENGINES];
    uint32_t engine_count, seed, step;
    uint64_t dice;
    bool sleepers, mixed;
    struct host hosts[HOSTS];
    uint32_t host_count;
    struct batch batches[BATCHES_MAX];
    uint32_t batch_count;
    int64_t ticked_ms;
    struct call call; /* that is made */
};

#define HOLDS(p, is, ...)                                                                                    \
    do {                                                                                                     \
        if (!(is)) {                                                                                         \
            print_error("seed %u, step %u: ", (p)->seed, (p)->step);                                         \
            print_error(__VA_ARGS__);                                                                        \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

static inline uint32_t draw(struct play *p, uint32_t below)
{
    p->dice ^= p->dice >> 12;
    p->dice ^= p->dice << 25;
    p->dice ^= p->dice >> 27;
    return (uint32_t)((p->dice * 0x2545F4914F6CDD1Dull) >> 33) % below;
}

static inline bool one_in(struct play *p, uint32_t n)
{
    return draw(p, n) == 0;
}

/* --- servers --- */

static inline void view(void *ctx, struct engine_view *ret)
{
    *ret = *(struct engine_view *)ctx;
}

static inline void engine_open(struct play *p, uint32_t i)
{
    struct engine_config config = {.sign_units = sign_units, .sign_ctx = &p->w};
    if (p->engine_count > 1) {
        config.view = view;
        config.view_ctx = &p->views[i];
        p->views[i] = (struct engine_view){.ticks = i == 0,
                                           .servers = ENGINES,
                                           .slot = i + 1,
                                           .schema = STORE_SCHEMA_VERSION,
                                           .me = i + 1,
                                           .epoch = p->views[i].epoch + 1};
    }
    assert_ok(engine_new(p->w.store, &config, &p->engines[i]));
}

static inline enum err to(struct play *p, uint32_t engine, struct engine_request *r)
{
    p->w.engine = p->engines[engine];
    return ask(&p->w, r);
}

static inline enum err to_any(struct play *p, struct engine_request *r)
{
    return to(p, draw(p, p->engine_count), r);
}

/* --- the judge: it knows the truth --- */

static inline uint8_t answer_of(const struct attempt *a)
{
    return a->answer.bytes[0];
}

static inline void judge_unit(const struct wu *wu, struct engine_judged *q)
{
    bool audit = wu->state == WU_PROVISIONAL, found = false;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (a->state != ATTEMPT_REPORTED && (int32_t)i != wu->canonical)
            continue;
        q->answers[i] = a->answer;
        q->groups[i] = answer_of(a);
        if (!audit && answer_of(a) != TRUTH)
            q->groups[i] = WU_GROUP_UNUSABLE;
        found = found || (audit && a->audit && answer_of(a) == TRUTH &&
                          answer_of(&wu->attempts[wu->canonical]) != TRUTH);
    }
    for (uint32_t i = 0; audit && i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        bool wrong =
            answer_of(a) != TRUTH && (found || answer_of(a) != answer_of(&wu->attempts[wu->canonical]));
        if (q->groups[i] != WU_GROUP_NONE && wrong)
            q->groups[i] = WU_GROUP_UNUSABLE;
    }
}

static inline void judge(struct play *p)
{
    struct store_outbox *list;
    uint32_t count;
    assert_ok(store_outbox_list(p->w.store, &p->w.arena, OUTBOX_JUDGE, INT64_MAX, 0, STORE_PAGE_MAX, &list,
                                &count));
    for (uint32_t i = 0; i < count; i++) {
        struct store_unit u;
        struct engine_request r = {.kind = ENGINE_JUDGED};
        assert_ok(store_unit_get(p->w.store, &p->w.arena, list[i].subject, &u));
        r.u.judged.unit = list[i].subject;
        r.u.judged.outbox_id = list[i].id;
        judge_unit(&u.wu, &r.u.judged);
        (void)to_any(p, &r);
    }
}

static inline void look_at_clock(struct play *p)
{
    struct engine_request r = {.kind = ENGINE_TICK};
    p->ticked_ms = p->w.now_ms;
    do
        assert_ok(to(p, 0, &r));
    while (r.u.tick.ret_more);
    judge(p);
    arena_reset(&p->w.arena);
}

/* --- hosts --- */

static inline bool lies(struct play *p, const struct host *h, wu_id unit)
{
    struct store_trust *list;
    uint32_t count;
    if (h->kind != SLEEPS)
        return h->kind != IS_HONEST;
    struct store_batch b = batch_of(&p->w, wu_id_batch(unit));
    assert_ok(
        store_trust_list(p->w.store, &p->w.arena, h->id, store_trust_app(b.app, b.version), &list, &count));
    return count == 1 && list[0].trust.answers >= PROBATION_MAX + 2;
}

/* Has somebody told the lie of it already? Friends tell each other. */
static inline bool has_friend(struct play *p, wu_id unit)
{
    struct store_unit u;
    bool found = false;
    if (store_unit_get(p->w.store, &p->w.arena, unit, &u) != ERR_OK)
        return false;
    for (uint32_t i = 0; i < u.wu.attempt_count; i++)
        found = found || answer_of(&u.wu.attempts[i]) == LIE;
    return found;
}

static inline void tell(struct play *p, const struct host *h, const struct job *j, struct engine_report *ret)
{
    *ret = (struct engine_report){.unit = j->unit, .attempt = j->attempt, .cpu_ms = 10, .wall_ms = 10};
    memset(&ret->answer, lies(p, h, j->unit) ? h->lie : TRUTH, sizeof ret->answer);
    if (h->kind == IS_HONEST ? one_in(p, 60) : h->choosy && !has_friend(p, j->unit) && one_in(p, 2))
        ret->error = ATTEMPT_ERROR_RETURNED;
}

static inline void drop(struct host *h, uint32_t i)
{
    h->held[i] = h->held[--h->held_count];
}

static inline void prepare(struct play *p, struct host *h, struct call *c)
{
    *c = (struct call){.r = {.kind = ENGINE_WORK},
                       .want = {.seconds = 1e9, .cores = 4, .units_max = h->eager ? 16 : 1 + draw(p, 5)}};
    struct engine_work *w = &c->r.u.work;
    w->host_id = h->id;
    w->reports = c->reports;
    for (uint32_t i = 0; i < h->told_count; i++) /* once more: the acknowledgement was lost */
        tell(p, h, &h->told[i], &c->reports[w->report_count++]);
    h->told_count = 0;
    for (uint32_t i = 0; i < h->held_count; i++)
        if (h->held[i].due_ms <= p->w.now_ms)
            tell(p, h, &h->held[i], &c->reports[w->report_count++]);
    for (uint32_t i = 0; i < h->held_count; i++)
        c->held[w->held_count++] = (struct engine_attempt){h->held[i].unit, h->held[i].attempt};
    w->held = c->held;
    w->held_given = true;
    if (h->held_count + 16 < HELD_MAX)
        w->want = &c->want;
}

static inline void take(struct play *p, struct host *h, const struct engine_work *w)
{
    for (uint32_t i = h->held_count; i-- > 0;) {
        if (h->held[i].due_ms > p->w.now_ms)
            continue;
        if (h->told_count < 4 && one_in(p, 16))
            h->told[h->told_count++] = h->held[i];
        drop(h, i);
    }
    for (uint32_t i = 0; i < w->recall_count; i++)
        for (uint32_t k = h->held_count; k-- > 0;)
            if (h->held[k].unit == w->recall[i].unit && h->held[k].attempt == w->recall[i].attempt)
                drop(h, k);
    for (uint32_t i = 0; i < w->given_count && h->held_count < HELD_MAX; i++) {
        int64_t takes_ms = h->kind != IS_HONEST ? 0 : one_in(p, 30) ? 120000 : 500 + draw(p, 8000);
        if (w->given[i].spec.len > 0)
            h->held[h->held_count++] = (struct job){w->given[i].unit, w->given[i].attempt,
                                                    w->given[i].audit != NULL, p->w.now_ms + takes_ms};
    }
}

/* Which server an eager one asks is its own choice. */
static inline void call(struct play *p, struct host *h)
{
    struct call *c = &p->call;
    uint32_t engine = h->eager ? p->engine_count - 1 : draw(p, p->engine_count);
    prepare(p, h, c);
    assert_ok(to(p, engine, &c->r));
    for (uint32_t i = 0; i < c->r.u.work.report_count; i++) {
        enum err ack = c->reports[i].ack; /* of what was tried again the attempts are others now */
        HOLDS(p, ack == ERR_OK || ack == ERR_STALE || ack == ERR_DENIED || ack == ERR_MISSING,
              "a report of unit %llx was refused: %s\n", (unsigned long long)c->reports[i].unit,
              c->reports[i].ack_message);
    }
    take(p, h, &c->r.u.work);
    h->asks_ms = p->w.now_ms + (h->eager ? 1 : 500 + draw(p, 6000));
    if (h->kind == IS_HONEST && one_in(p, 150)) /* what it holds expires, and comes late */
        h->gone_ms = p->w.now_ms + 80000 + draw(p, 40000);
    arena_reset(&p->w.arena);
}

static inline void add_host(struct play *p, enum kind kind, bool eager)
{
    struct host *h = &p->hosts[p->host_count++];
    p->w.engine = p->engines[0];
    *h = (struct host){.id = join(&p->w), .kind = kind, .eager = eager, .lie = LIE};
    h->choosy = kind == COLLUDES && one_in(p, 3);
    if (kind == LIES_ALONE)
        h->lie = (uint8_t)(OWN_LIE + p->host_count);
}

/* --- batches --- */

static inline bool is_trusted(struct play *p, const struct host *h, uint32_t version, uint32_t probation)
{
    struct store_trust *list;
    uint32_t count;
    assert_ok(
        store_trust_list(p->w.store, &p->w.arena, h->id, store_trust_app("pi", version), &list, &count));
    return count == 1 && list[0].trust.answers >= probation;
}

static inline uint32_t honest_trusted(struct play *p, uint32_t version, uint32_t probation)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < HONEST; i++)
        n += is_trusted(p, &p->hosts[i], version, probation);
    return n;
}

static inline struct wu_rules rules_of(enum policy policy)
{
    uint32_t quorum = policy == PAIRS ? 2 : policy == TRIPLES ? 3 : 1;
    return (struct wu_rules){.quorum = quorum,
                             .target_attempts = quorum,
                             .errors_max = 3,
                             .attempts_max = 16,
                             .successes_max = 8,
                             .lease_ms = 75000,
                             .hold_ms = 10 * MINUTE_MS,
                             .compare = policy == CHECKER ? WU_COMPARE_CHECK : WU_COMPARE_DIGEST,
                             .escrow = policy == ADAPTIVE ? WU_ESCROW_LONE
                                       : policy == AUDIT  ? WU_ESCROW_ALL
                                                          : WU_ESCROW_NONE};
}

static inline void begin_batch(struct play *p, enum policy policy, uint32_t version, uint32_t probation,
                               uint32_t units)
{
    struct batch *b = &p->batches[p->batch_count++];
    struct wu_rules rules = rules_of(policy);
    struct trust_policy trust = {.probation = probation, .audit_ppm = 100000, .floor_ppm = 50000, .wait = 15};
    p->w.engine = p->engines[0];
    p->w.version = version;
    *b = (struct batch){.units = units, .policy = policy};
    b->guarded = rules.escrow != WU_ESCROW_NONE && probation >= PROBATION_MIN &&
                 honest_trusted(p, version, probation) >= TRUST_CHECKERS_MIN;
    b->id = submit_with(&p->w, units, &rules, rules.escrow == WU_ESCROW_NONE ? NULL : &trust);
}

static inline enum err do_with(struct play *p, struct batch *b, enum engine_batch_verb verb,
                               const int32_t *priority)
{
    struct engine_request r = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    r.u.batch_do.batch = b->id;
    r.u.batch_do.verb = verb;
    r.u.batch_do.priority = priority;
    return to_any(p, &r);
}

static inline uint32_t open_batches(struct play *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->batch_count; i++)
        n += batch_of(&p->w, p->batches[i].id).finished_ms == 0;
    return n;
}

#endif
