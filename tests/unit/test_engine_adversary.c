/* Liars at work on the engine, from a seed: which wrong answers does it accept? Several batches at once, of
 * different policies, probations and versions, over one server or two on one database; restarts, clocks that
 * step, batches that are paused, cancelled, tried again, hosts that vanish, are banned, come back. What must
 * hold stands at check().
 *
 * By hand: test_engine_adversary FIRST LAST [STEPS]. A failure names the seed that repeats it. */
#include <stdlib.h>

#include "lib/liars.h"

static void some_batch(struct play *p)
{
    if (p->batch_count == BATCHES_MAX || open_batches(p) >= OPEN_MAX)
        return;
    uint32_t probation = PROBATION_MIN + draw(p, PROBATION_MAX - PROBATION_MIN + 1);
    if (p->mixed && one_in(p, 4)) /* one that believes anybody, or nobody */
        probation = one_in(p, 2) ? draw(p, 2) : 300;
    begin_batch(p, draw(p, 3) ? draw(p, 2) : draw(p, POLICIES), 1 + draw(p, VERSIONS), probation,
                20 + draw(p, 150));
}

/* --- what people, machines and clocks do meanwhile --- */

static void steer(struct play *p)
{
    struct batch *b = &p->batches[draw(p, p->batch_count)];
    int32_t priority = (int32_t)draw(p, 3);
    switch (draw(p, 4)) {
    case 0:
        (void)do_with(p, b, ENGINE_BATCH_CHANGE, &priority);
        break;
    case 1:
        if (do_with(p, b, b->paused ? ENGINE_BATCH_RESUME : ENGINE_BATCH_PAUSE, NULL) == ERR_OK)
            b->paused = !b->paused;
        break;
    case 2:
        if (one_in(p, 3) && do_with(p, b, ENGINE_BATCH_CANCEL, NULL) == ERR_OK)
            b->cancelled = true;
        break;
    default:
        if (b->cancelled && do_with(p, b, ENGINE_BATCH_RETRY, NULL) == ERR_OK)
            b->cancelled = false;
    }
}

static void restart_one(struct play *p)
{
    static const int64_t down_ms[] = {0, 0, 1000, 2 * MINUTE_MS, 90 * MINUTE_MS, 300 * MINUTE_MS};
    uint32_t i = draw(p, p->engine_count);
    engine_free(p->engines[i]);
    if (p->engine_count == 1)
        p->w.now_ms += down_ms[draw(p, 6)];
    engine_open(p, i);
}

static void spare_unit(struct play *p)
{
    struct batch *b = &p->batches[draw(p, p->batch_count)];
    struct engine_request r = {.kind = ENGINE_UNIT_DO, .user_id = 1};
    r.u.unit_do.unit = wu_id_make(b->id, draw(p, b->units));
    r.u.unit_do.event = one_in(p, 3) ? WU_EV_RETRY : WU_EV_SPARE;
    (void)to_any(p, &r);
}

static void ban_liar(struct play *p)
{
    struct engine_request r = {.kind = ENGINE_HOST, .user_id = 1};
    r.u.host = (struct engine_host){
        .host_id = p->hosts[HONEST + draw(p, LIARS)].id, .ban = one_in(p, 2), .reason = "it lies"};
    (void)to_any(p, &r);
}

static void trouble(struct play *p)
{
    if (one_in(p, 150))
        ban_liar(p);
    if (one_in(p, 60))
        steer(p);
    if (one_in(p, 120))
        restart_one(p);
    if (one_in(p, 60))
        spare_unit(p);
    if (one_in(p, 200))
        p->w.now_ms -= draw(p, 3000);
    if (one_in(p, 25))
        some_batch(p);
}

static void step(struct play *p)
{
    uint32_t first = draw(p, p->host_count);
    p->step++;
    p->w.now_ms += 50 + draw(p, 950);
    if (p->w.now_ms - p->ticked_ms >= 1000 || p->w.now_ms < p->ticked_ms)
        look_at_clock(p);
    for (uint32_t n = 0; n < p->host_count; n++) {
        struct host *h = &p->hosts[(first + n * 5) % p->host_count];
        bool asks = p->w.now_ms >= h->asks_ms || h->asks_ms - p->w.now_ms > 10000;
        bool gone = p->w.now_ms < h->gone_ms && h->gone_ms - p->w.now_ms < 3 * MINUTE_MS;
        if (asks && !gone)
            call(p, h);
    }
}

/* --- what must hold --- */

struct found {
    uint32_t lies[POLICIES], guarded, invalid_honest, excused, leased[HOSTS];
};

static const struct host *host_by_id(const struct play *p, uint64_t id)
{
    for (uint32_t i = 0; i < p->host_count; i++)
        if (p->hosts[i].id == id)
            return &p->hosts[i];
    return NULL;
}

/* What a unit went through, for who looks into a failure. */
static void show(struct play *p, wu_id id)
{
    struct store_unit u;
    assert_ok(store_unit_get(p->w.store, &p->w.arena, id, &u));
    print_error("unit %llx, %s, needs %u, canonical %d, at %lld\n", (unsigned long long)id,
                wu_state_name(u.wu.state), u.wu.needed, u.wu.canonical, (long long)p->w.now_ms);
    for (uint32_t i = 0; i < u.wu.attempt_count; i++) {
        const struct attempt *a = &u.wu.attempts[i];
        print_error("  %u: host %llu %s%s, answer %u, sent %lld, due %lld, ended %lld\n", i,
                    (unsigned long long)a->host_id, a->audit ? "audit " : "", attempt_state_name(a->state),
                    a->answer.bytes[0], (long long)a->sent_ms, (long long)a->deadline_ms,
                    (long long)a->ended_ms);
    }
    print_error("%.*s", (int)u.history.len, u.history.data ? u.history.data : "");
}

static void show_trust(struct play *p)
{
    for (uint32_t i = 0; i < p->host_count; i++) {
        struct store_trust *list;
        uint32_t count;
        assert_ok(store_trust_list(p->w.store, &p->w.arena, p->hosts[i].id, 0, &list, &count));
        for (uint32_t k = 0; k < count; k++)
            print_error("host %llu, kind %d, app %llx: %u answers, %u faults\n",
                        (unsigned long long)p->hosts[i].id, p->hosts[i].kind, (unsigned long long)list[k].app,
                        list[k].trust.answers, list[k].trust.faults_milli);
    }
    for (uint32_t i = 0; i < p->batch_count; i++) {
        struct store_batch b = batch_of(&p->w, p->batches[i].id);
        print_error("batch %u, policy %d, version %u, probation %u, since %lld%s\n", b.id,
                    p->batches[i].policy, b.version, b.trust.probation, (long long)b.created_ms,
                    p->batches[i].guarded ? ", guarded" : "");
    }
}

static void check_lie(struct play *p, const struct batch *b, const struct wu *wu, struct found *f)
{
    uint32_t voices = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        const struct host *h = host_by_id(p, a->host_id);
        if (a->state == ATTEMPT_INVALID && h->kind == IS_HONEST)
            f->excused++;
        if (a->state != ATTEMPT_VALID || a->audit)
            continue;
        HOLDS(p, h->kind != IS_HONEST, "an honest host told the lie %u\n", answer_of(a));
        HOLDS(p, answer_of(a) == answer_of(&wu->attempts[wu->canonical]), "two answers are valid\n");
        voices++;
    }
    f->lies[b->policy]++;
    f->guarded += b->guarded;
    HOLDS(p, voices >= wu->rules.quorum, "%u voices were enough for a lie, of %u\n", voices,
          wu->rules.quorum);
    HOLDS(p, b->policy != CHECKER, "a lie got past the checker\n");
    if (b->guarded && !p->sleepers) {
        show(p, wu->id);
        show_trust(p);
    }
    if (b->guarded && !p->sleepers)
        HOLDS(p, false, "batch %u (%s), unit %u: the lie %u is accepted, of %u voices\n", b->id,
              b->policy == AUDIT ? "audit" : "adaptive", wu_id_index(wu->id),
              answer_of(&wu->attempts[wu->canonical]), voices);
}

/* What a batch says of its units, counted from them. */
static void recount(const struct wu *wu, struct batch_counts *n)
{
    bool over = wu->state == WU_ACCEPTED || wu->state == WU_FAILED || wu->state == WU_DELIVERED;
    n->open += wu->state == WU_OPEN || wu->state == WU_PROVISIONAL;
    n->provisional += wu->state == WU_PROVISIONAL;
    n->judging += wu->state == WU_JUDGING;
    n->accepted += over && wu->canonical >= 0;
    n->failed += over && wu->canonical < 0;
    n->delivered += wu->state == WU_DELIVERED;
    n->unsent += wu_unsent(wu);
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n->leased += wu->attempts[i].state == ATTEMPT_LEASED;
}

static void check_unit(struct play *p, struct batch *b, uint32_t index, struct found *f,
                       struct batch_counts *n)
{
    struct store_unit u;
    assert_ok(store_unit_get(p->w.store, &p->w.arena, wu_id_make(b->id, index), &u));
    const struct wu *wu = &u.wu;
    bool accepted = wu->canonical >= 0 && wu->state != WU_PROVISIONAL;
    uint8_t answer = accepted ? answer_of(&wu->attempts[wu->canonical]) : 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct host *h = host_by_id(p, wu->attempts[i].host_id);
        f->invalid_honest += wu->attempts[i].state == ATTEMPT_INVALID && h->kind == IS_HONEST;
        if (wu->attempts[i].state == ATTEMPT_LEASED)
            f->leased[h - p->hosts]++;
    }
    HOLDS(p, b->accepted[index] == 0 || b->accepted[index] == answer,
          "unit %u of batch %u had the answer %u, and has %u now\n", index, b->id, b->accepted[index],
          answer);
    b->accepted[index] = answer;
    recount(wu, n);
    if (accepted && answer != TRUTH)
        check_lie(p, b, wu, f);
}

/* In order and without a hole; and what was accepted is delivered no more. */
static void check_deliveries(struct play *p, struct batch *b)
{
    uint32_t all = 0, count;
    uint16_t times[UNITS_MAX] = {0};
    do {
        struct store_delivery *list;
        assert_ok(store_delivery_list(p->w.store, &p->w.arena, b->id, all, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            HOLDS(p, list[i].seq == ++all, "a hole in the stream of batch %u\n", b->id);
            times[wu_id_index(list[i].unit)]++;
        }
    } while (count == STORE_PAGE_MAX);
    for (uint32_t i = 0; i < b->units; i++) {
        HOLDS(p, b->times[i] == 0 || b->times[i] == times[i], "unit %u of batch %u is delivered twice\n", i,
              b->id);
        b->times[i] = b->accepted[i] ? times[i] : 0;
    }
}

static void check_batch(struct play *p, struct batch *b, struct found *f)
{
    struct batch_counts n = {0};
    struct store_batch s = batch_of(&p->w, b->id);
    for (uint32_t i = 0; i < s.counts.units; i++)
        check_unit(p, b, i, f, &n);
#define SAME(name)                                                                                           \
    HOLDS(p, s.counts.name == n.name, "batch %u counts %lld " #name ", and has %lld\n", b->id,               \
          (long long)s.counts.name, (long long)n.name)
    SAME(open);
    SAME(provisional);
    SAME(judging);
    SAME(accepted);
    SAME(failed);
    SAME(delivered);
    SAME(unsent);
    SAME(leased);
#undef SAME
    check_deliveries(p, b);
    arena_reset(&p->w.arena);
}

/* Honest hosts are wrong only where a quorum of liars has outvoted them. Among trusted liars (SLEEPS) that is
 * the least they can do: three times, and an honest host is banned. */
static void check_honest(struct play *p, const struct found *f)
{
    uint32_t invalid = 0;
    for (uint32_t i = 0; i < p->host_count; i++) {
        struct store_host h;
        assert_ok(store_host_get(p->w.store, &p->w.arena, p->hosts[i].id, &h));
        HOLDS(p, h.leased == f->leased[i], "host %llu counts %llu leases, and has %u\n",
              (unsigned long long)h.id, (unsigned long long)h.leased, f->leased[i]);
        if (p->hosts[i].kind != IS_HONEST || p->sleepers)
            continue;
        HOLDS(p, !h.banned, "honest host %llu is banned: %s\n", (unsigned long long)h.id, h.ban_reason);
        invalid += (uint32_t)h.invalid;
    }
    if (p->sleepers || p->mixed)
        return;
    HOLDS(p, f->invalid_honest == f->excused && invalid == f->excused,
          "%u answers of honest hosts are invalid, they count %u, and %u were outvoted\n", f->invalid_honest,
          invalid, f->excused);
}

static void check(struct play *p, struct found *f)
{
    *f = (struct found){0};
    for (uint32_t i = 0; i < p->batch_count; i++)
        check_batch(p, &p->batches[i], f);
    check_honest(p, f);
    if (f->guarded > SLEEPERS * LIES_MAX)
        show_trust(p);
    HOLDS(p, f->guarded <= SLEEPERS * LIES_MAX, "%u lies of trusted liars are accepted\n", f->guarded);
}

static void check_over(struct play *p)
{
    for (uint32_t i = 0; i < p->batch_count; i++) {
        struct store_batch b = batch_of(&p->w, p->batches[i].id);
        const struct batch_counts *c = &b.counts;
        for (uint32_t k = 0; b.finished_ms == 0 && k < p->batches[i].units; k++) {
            struct store_unit u;
            assert_ok(store_unit_get(p->w.store, &p->w.arena, wu_id_make(b.id, k), &u));
            if (u.wu.state != WU_DELIVERED)
                show(p, u.wu.id);
        }
        HOLDS(p, b.finished_ms != 0, "batch %u does not end: %lld open, %lld provisional, %lld unsent\n",
              b.id, (long long)c->open, (long long)c->provisional, (long long)c->unsent);
        HOLDS(p, c->accepted + c->failed == c->units && c->delivered == c->units, "batch %u lost units\n",
              b.id);
        HOLDS(p, c->open == 0 && c->unsent == 0 && c->provisional == 0 && c->judging == 0,
              "batch %u is over, and something of it is left\n", b.id);
    }
}

/* --- a play --- */

static void play_open(struct play *p, uint32_t seed)
{
    *p = (struct play){.seed = seed, .dice = 0x9E3779B97F4A7C15ull * (seed + 1)};
    p->w.now_ms = 1000000000;
    assert_ok(sign_key_new(&p->w.key));
    assert_ok(store_open("memory:", &p->w.store));
    p->engine_count = seed % 4 == 3 ? ENGINES : 1;
    p->sleepers = seed % 5 == 4;
    p->mixed = seed % 3 == 2;
    for (uint32_t i = 0; i < p->engine_count; i++)
        engine_open(p, i);
    for (uint32_t i = 0; i < HONEST; i++)
        add_host(p, IS_HONEST, false);
}

/* Honest hosts alone, until they are trusted. */
static void warm(struct play *p)
{
    for (uint32_t v = 1; v <= VERSIONS; v++)
        begin_batch(p, ADAPTIVE, v, PROBATION_MAX, WARM_UNITS);
    for (uint32_t i = 0; i < 20000 && open_batches(p) > 0; i++)
        step(p);
    for (uint32_t v = 1; v <= VERSIONS; v++)
        HOLDS(p, honest_trusted(p, v, PROBATION_MAX) >= TRUST_CHECKERS_MIN, "too few are trusted\n");
}

/* Of those that sleep there are two, with no other friends: a third of a project that agrees has its way. */
static void liars_come(struct play *p)
{
    for (uint32_t i = 0; i < LIARS; i++) {
        bool sleeps = p->sleepers && i < SLEEPERS;
        enum kind kind = p->sleepers || one_in(p, 4) ? LIES_ALONE : COLLUDES;
        add_host(p, sleeps ? SLEEPS : kind, !sleeps && !one_in(p, 3));
    }
}

/* Where many are banned, all that are left may have had a unit: then it waits for somebody new. */
static void end(struct play *p)
{
    for (uint32_t i = 0; i < p->batch_count; i++)
        if (p->batches[i].paused)
            (void)do_with(p, &p->batches[i], ENGINE_BATCH_RESUME, NULL);
    for (uint32_t i = 0; i < 20000 && open_batches(p) > 0; i++) {
        if (i >= 5000 && i % 1000 == 0 && p->host_count < HOSTS)
            add_host(p, IS_HONEST, false);
        step(p);
    }
}

static void play_close(struct play *p)
{
    for (uint32_t i = 0; i < p->engine_count; i++)
        engine_free(p->engines[i]);
    store_close(p->w.store);
    sign_key_free(p->w.key);
    arena_done(&p->w.arena);
}

static void play(uint32_t seed, uint32_t steps)
{
    struct play *p = calloc(1, sizeof *p);
    struct found f;
    assert_non_null(p);
    play_open(p, seed);
    warm(p);
    liars_come(p);
    for (uint32_t i = 0; i < steps; i++) {
        trouble(p);
        step(p);
        if (i % 250 == 249)
            check(p, &f);
    }
    end(p);
    check(p, &f);
    check_over(p);
    print_message("seed %u: %u batches, %u steps; lies accepted: adaptive %u, audit %u (%u where newcomers "
                  "are checked), "
                  "pairs %u, triples %u; honest outvoted %u\n",
                  seed, p->batch_count, p->step, f.lies[ADAPTIVE], f.lies[AUDIT], f.guarded, f.lies[PAIRS],
                  f.lies[TRIPLES], f.excused);
    play_close(p);
    free(p);
}

struct seeds {
    uint32_t first, last, steps;
};

static void no_lie_is_accepted_that_trusted_hosts_could_have_checked(void **state)
{
    const struct seeds *s = *state;
    for (uint32_t seed = s->first; seed <= s->last; seed++)
        play(seed, s->steps);
}

int main(int argc, char **argv)
{
    struct seeds seeds = {.first = 0, .last = 7, .steps = STEPS};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(no_lie_is_accepted_that_trusted_hosts_could_have_checked, &seeds)};
    if (argc > 2) {
        seeds.first = (uint32_t)strtoul(argv[1], NULL, 10);
        seeds.last = (uint32_t)strtoul(argv[2], NULL, 10);
    }
    if (argc > 3)
        seeds.steps = (uint32_t)strtoul(argv[3], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
