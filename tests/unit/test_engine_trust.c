/* Hosts that are believed, answers in escrow, liars: through the engine, over every database. */
#include "lib/engine_world.h"

#define HOLD_MS 3600000

enum { HOSTS = 4 };
#define EVER 100000

struct grid {
    struct world w;
    uint64_t hosts[HOSTS];
    uint32_t batch, shift;
    uint32_t runs;
};

static const struct wu_rules adaptive = {.quorum = 1,
                                         .target_attempts = 1,
                                         .errors_max = 3,
                                         .attempts_max = 16,
                                         .successes_max = 6,
                                         .lease_ms = 60000,
                                         .escrow = WU_ESCROW_LONE,
                                         .hold_ms = HOLD_MS};
static const struct trust_policy policy = {
    .probation = 4, .audit_ppm = 100000, .floor_ppm = 50000, .wait = 20};

static void grid_open(struct grid *g, const char *where, uint32_t units)
{
    *g = (struct grid){0};
    world_open(&g->w, where);
    for (uint32_t i = 0; i < HOSTS; i++)
        g->hosts[i] = join(&g->w);
    g->batch = submit_with(&g->w, units, &adaptive, &policy);
}

/* Each host runs what it gets, one unit at a time, until there is nothing for anybody. Host `liar` gives
 * wrong answers from its unit number `from` on. */
static void run_all(struct grid *g, uint32_t liar, uint32_t from, uint32_t restart_every)
{
    uint32_t idle = 0, done[HOSTS] = {0};
    for (uint32_t turn = 0; idle < 2 * HOSTS; turn++) {
        uint32_t i = turn % HOSTS;
        struct engine_given *given;
        bool lies = i == liar && done[i] >= from;
        g->w.now_ms += 10;
        tick(&g->w);
        if (restart_every && turn % restart_every == restart_every - 1)
            restart(&g->w);
        if (fetch(&g->w, g->hosts[i], 1, &given) == 0) {
            idle++;
            continue;
        }
        idle = 0;
        done[i]++;
        g->runs++;
        assert_ok(report(&g->w, g->hosts[i], given, lies ? 9 : 1));
    }
}

static uint32_t wrong_accepted(struct grid *g, uint32_t units)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < units; i++) {
        struct store_unit u;
        assert_ok(store_unit_get(g->w.store, &g->w.arena, wu_id_make(g->batch, i), &u));
        assert_int_equal(u.wu.state, WU_DELIVERED);
        assert_true(u.wu.canonical >= 0);
        wrong += u.wu.attempts[u.wu.canonical].answer.bytes[0] != 1;
    }
    return wrong;
}

static void everything_ends(const char *where, uint32_t restart_every)
{
    struct grid g;
    enum { UNITS = 600 };
    grid_open(&g, where, UNITS);
    run_all(&g, HOSTS, EVER, restart_every);
    struct store_batch b = batch_of(&g.w, g.batch);
    assert_int_equal(b.counts.accepted, UNITS);
    assert_int_equal(b.counts.delivered, UNITS);
    assert_int_equal(b.counts.provisional, 0);
    assert_int_equal(b.counts.invalid, 0);
    assert_true(b.finished_ms > 0);
    assert_int_equal(deliveries(&g.w, g.batch), UNITS);
    assert_int_equal(wrong_accepted(&g, UNITS), 0);
    assert_true(g.runs > UNITS && g.runs < UNITS + UNITS / 3); /* a quorum of two would be twice as many */
    world_close(&g.w);
}

static void trusted_hosts_run_most_units_once_and_all_become_final(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    everything_ends(where, 0);
}

static void escrow_and_trust_survive_a_restart_at_any_moment(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    everything_ends(where, 7);
}

static void who_turns_liar_when_trusted_is_found_out_before_its_lies_are_final(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    enum { UNITS = 900 };
    grid_open(&g, where, UNITS);
    run_all(&g, 2, 60, 0);
    struct store_host h;
    assert_ok(store_host_get(g.w.store, &g.w.arena, g.hosts[2], &h));
    assert_true(h.banned && h.invalid >= 1);
    assert_non_null(strstr(h.ban_reason, "wrong"));
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, UNITS);
    /* With 10 % checked and 20 to come, a liar is found with 1 - 0.9^20 = 88 % before its first lie is final.
     */
    assert_true(wrong_accepted(&g, UNITS) <= 40);
    world_close(&g.w);
}

static void a_lone_answer_is_provisional_and_says_so(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_given *given;
    grid_open(&g, where, 400);
    for (uint32_t i = 0; i < 200; i++) {
        g.w.now_ms += 10;
        tick(&g.w);
        if (fetch(&g.w, g.hosts[i % 2], 1, &given) == 1)
            assert_ok(report(&g.w, g.hosts[i % 2], given, 1));
    }
    struct store_batch b = batch_of(&g.w, g.batch);
    assert_true(b.counts.provisional > 10);
    assert_true(b.counts.open >= b.counts.provisional);
    struct store_trust *list;
    struct store_escrow *waits;
    uint32_t count;
    assert_ok(store_trust_list(g.w.store, &g.w.arena, g.hosts[0], 0, &list, &count));
    assert_int_equal(count, 1);
    assert_true(list[0].trust.answers >= policy.probation);
    assert_ok(store_escrow_list(g.w.store, &g.w.arena, g.hosts[0], list[0].app, &waits, &count));
    assert_true(count > 5 && count <= policy.wait + 20);
    /* Nothing comes any more: at last they are confirmed by others. */
    g.w.now_ms += HOLD_MS + 1;
    run_all(&g, HOSTS, EVER, 0);
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 400);
    world_close(&g.w);
}

/* Believed from the start, and never final by what follows. */
static const struct trust_policy patient = {.audit_ppm = 1000, .floor_ppm = 1000, .wait = 1000};

static uint32_t answer_all(struct grid *g, uint32_t host)
{
    struct engine_given *given;
    uint32_t n = 0;
    g->w.now_ms += 10;
    for (; fetch(&g->w, g->hosts[host], 1, &given) == 1; n++)
        assert_ok(report(&g->w, g->hosts[host], given, 1));
    return n;
}

/* The batch is gone through a unit at a time, and confirmed behind its back meanwhile: what was passed over
 * because something was out just then must have its turn too, not after the hold. */
static void what_a_sweep_has_passed_over_ends_too(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    enum { UNITS = 12 };
    for (uint32_t every = 1; every <= UNITS + 2; every++) {
        struct grid g;
        database_new(*state, where);
        grid_open(&g, where, 0);
        g.w.slice_units = 1;
        restart(&g.w);
        g.batch = submit_with(&g.w, UNITS, &adaptive, &patient);
        assert_true(answer_all(&g, 0) >= UNITS);
        for (uint32_t i = 1; i < 400; i++) {
            struct engine_request once = {.kind = ENGINE_TICK};
            assert_ok(ask(&g.w, &once));
            if (i % every == 0)
                answer_all(&g, 1 + i / every % (HOSTS - 1));
        }
        assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, UNITS);
        assert_true(g.w.now_ms < HOLD_MS);
        world_close(&g.w);
    }
}

static void what_waits_when_a_batch_is_closed_ends(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_request r = {.kind = ENGINE_BATCH, .user_id = 1}, units = {.kind = ENGINE_UNITS},
                          end = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    struct text specs[3];
    for (uint32_t i = 0; i < 3; i++)
        specs[i] = (struct text){"\"vars\":{},\"inputs\":[]}", 22};
    grid_open(&g, where, 0);
    r.u.batch.batch = (struct store_batch){.name = "open",
                                           .app = "pi",
                                           .version = 1,
                                           .rules = adaptive,
                                           .trust = patient,
                                           .release_count = 1,
                                           .releases[0].platform = "x86_64-linux",
                                           .hr_kind = "none",
                                           .needs_features = ""};
    r.u.batch.order = order;
    assert_ok(ask(&g.w, &r));
    g.batch = r.u.batch.ret_batch;
    units.u.units = (struct engine_units){.batch = g.batch, .count = 3, .specs = specs};
    assert_ok(ask(&g.w, &units));
    assert_int_equal(answer_all(&g, 0), 3);
    assert_int_equal(batch_of(&g.w, g.batch).counts.provisional, 3);
    end.u.batch_do.batch = g.batch;
    end.u.batch_do.verb = ENGINE_BATCH_CLOSE;
    assert_ok(ask(&g.w, &end));
    run_all(&g, HOSTS, EVER, 0);
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 3);
    assert_true(g.w.now_ms < HOLD_MS);
    world_close(&g.w);
}

/* Of the second answers to what a newcomer has begun: how many is another newcomer given, before the trusted
 * ones ask? */
static uint32_t friends_meet(struct grid *g)
{
    struct engine_given *given;
    uint64_t friends[2] = {join(&g->w), join(&g->w)};
    enum { UNITS = 3 };
    uint32_t batch = submit_with(&g->w, UNITS, &adaptive, &policy);
    assert_int_equal(fetch(&g->w, friends[0], UNITS, &given), UNITS);
    for (uint32_t i = 0; i < UNITS; i++)
        assert_ok(report(&g->w, friends[0], &given[i], 9));
    g->w.now_ms += 1001;
    tick(&g->w);
    uint32_t met = fetch(&g->w, friends[1], UNITS, &given);
    for (uint32_t i = 0; i < met; i++)
        assert_int_equal(wu_id_batch(given[i].unit), batch);
    return met;
}

/* Whatever other batches of the app asked of them meanwhile, and though none of them has asked since the
 * start. */
static void the_trusted_alone_check_newcomers(void **state)
{
    static const struct wu_rules pairs = {.quorum = 2,
                                          .target_attempts = 2,
                                          .errors_max = 3,
                                          .attempts_max = 8,
                                          .successes_max = 6,
                                          .lease_ms = 60000};
    struct trust_policy strict = policy;
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    grid_open(&g, where, 0);
    assert_int_equal(friends_meet(&g), 3); /* nobody is trusted yet: anybody checks anybody */
    submit_with(&g.w, 200, &adaptive, &policy);
    run_all(&g, HOSTS, EVER, 0);
    submit_with(&g.w, 40, &pairs, NULL);
    run_all(&g, HOSTS, EVER, 0);
    assert_int_equal(friends_meet(&g), 0);
    strict.probation = 1000;
    submit_with(&g.w, 40, &adaptive, &strict);
    run_all(&g, HOSTS, EVER, 0);
    assert_int_equal(friends_meet(&g), 0);
    restart(&g.w);
    assert_int_equal(friends_meet(&g), 0);
    world_close(&g.w);
}

static uint32_t trusted(struct grid *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct store_trust *list;
        uint32_t count;
        assert_ok(store_trust_list(g->w.store, &g->w.arena, g->hosts[i], 0, &list, &count));
        n += count == 1 && list[0].trust.answers >= policy.probation;
    }
    return n;
}

/* Who is trusted counts from then on, not when he asks next: in a small project that may be long after. */
static void who_has_not_asked_since_he_is_trusted_is_one_of_them(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_given *given[HOSTS];
    uint32_t counts[HOSTS];
    grid_open(&g, where, 200);
    while (trusted(&g) < HOSTS) {
        for (uint32_t i = 0; i < HOSTS; i++)
            counts[i] = fetch(&g.w, g.hosts[i], 4, &given[i]);
        for (uint32_t i = 0; i < HOSTS; i++)
            for (uint32_t k = 0; k < counts[i]; k++)
                assert_ok(report(&g.w, g.hosts[i], &given[i][k], 1));
    }
    struct engine_request end = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    end.u.batch_do.batch = g.batch;
    end.u.batch_do.verb = ENGINE_BATCH_CANCEL;
    assert_ok(ask(&g.w, &end));
    assert_int_equal(friends_meet(&g), 0);
    world_close(&g.w);
}

static uint32_t confirmed(struct grid *g, uint64_t host)
{
    struct store_trust *list;
    uint32_t count;
    assert_ok(store_trust_list(g->w.store, &g->w.arena, host, 0, &list, &count));
    return count == 1 ? list[0].trust.answers : 0;
}

/* A batch that believes anybody has what it wanted; no other one has to believe them for it. */
static void who_is_confirmed_by_his_friend_alone_is_trusted_nowhere_else(void **state)
{
    static const struct trust_policy lax = {
        .probation = 0, .audit_ppm = 1000000, .floor_ppm = 1000000, .wait = 20};
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_given *given;
    grid_open(&g, where, 200);
    run_all(&g, HOSTS, EVER, 0);
    uint64_t friends[2] = {join(&g.w), join(&g.w)};
    for (uint32_t again = 0; again < 2; again++) {
        uint32_t batch = submit_with(&g.w, 20, &adaptive, &lax);
        for (uint32_t i = 0; batch_of(&g.w, batch).finished_ms == 0; i++) {
            assert_true(i < 1000);
            g.w.now_ms += 600;
            tick(&g.w);
            if (fetch(&g.w, friends[i % 2], 1, &given) == 1)
                assert_ok(report(&g.w, friends[i % 2], given, 9));
        }
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(confirmed(&g, friends[i]), 0);
        restart(&g.w);
    }
    assert_int_equal(friends_meet(&g), 0);
    world_close(&g.w);
}

/* Nobody is trusted by its measure: then those check that are by that of others, and else the furthest. */
static void in_a_batch_too_strict_for_all_newcomers_check_nobody_either(void **state)
{
    struct trust_policy strict = policy;
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_given *given;
    strict.probation = 1000;
    grid_open(&g, where, 200);
    run_all(&g, HOSTS, EVER, 0);
    uint64_t friends[2] = {join(&g.w), join(&g.w)};
    for (uint32_t again = 0; again < 2; again++) {
        uint32_t batch = submit_with(&g.w, 4, &adaptive, &strict);
        assert_int_equal(fetch(&g.w, friends[0], 4, &given), 4);
        for (uint32_t i = 0; i < 4; i++)
            assert_ok(report(&g.w, friends[0], &given[i], 9));
        g.w.now_ms += 1001;
        tick(&g.w);
        assert_int_equal(fetch(&g.w, friends[1], 4, &given), 0);
        for (uint32_t i = 0; i < HOSTS; i++)
            answer_all(&g, i);
        assert_int_equal(batch_of(&g.w, batch).counts.accepted, 4);
        restart(&g.w); /* nothing is in memory of the other batches */
    }
    world_close(&g.w);
}

/* A batch that believes anybody is decided by whoever votes; nobody loses his trust by it. */
static void newcomers_that_outvote_a_trusted_host_do_not_cost_it_its_trust(void **state)
{
    static const struct trust_policy lax = {
        .probation = 0, .audit_ppm = 1000000, .floor_ppm = 1000000, .wait = 20};
    enum { UNITS = 4 };
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    struct grid g;
    struct engine_given *given;
    struct store_host h;
    grid_open(&g, where, 200);
    run_all(&g, HOSTS, EVER, 0);
    uint64_t friends[2] = {join(&g.w), join(&g.w)};
    uint32_t before = confirmed(&g, g.hosts[0]);
    g.batch = submit_with(&g.w, UNITS, &adaptive, &lax);
    assert_int_equal(fetch(&g.w, g.hosts[0], UNITS, &given), UNITS);
    for (uint32_t i = 0; i < UNITS; i++)
        assert_ok(report(&g.w, g.hosts[0], &given[i], 1));
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t i = 0, n = fetch(&g.w, friends[k], UNITS, &given); i < n; i++)
            assert_ok(report(&g.w, friends[k], &given[i], 9));
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, UNITS);
    assert_ok(store_host_get(g.w.store, &g.w.arena, g.hosts[0], &h));
    assert_true(h.invalid == UNITS && !h.banned);
    assert_int_equal(confirmed(&g, g.hosts[0]), before);
    world_close(&g.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trusted_hosts_run_most_units_once_and_all_become_final),
        cmocka_unit_test(escrow_and_trust_survive_a_restart_at_any_moment),
        cmocka_unit_test(who_turns_liar_when_trusted_is_found_out_before_its_lies_are_final),
        cmocka_unit_test(a_lone_answer_is_provisional_and_says_so),
        cmocka_unit_test(what_a_sweep_has_passed_over_ends_too),
        cmocka_unit_test(what_waits_when_a_batch_is_closed_ends),
        cmocka_unit_test(the_trusted_alone_check_newcomers),
        cmocka_unit_test(who_has_not_asked_since_he_is_trusted_is_one_of_them),
        cmocka_unit_test(who_is_confirmed_by_his_friend_alone_is_trusted_nowhere_else),
        cmocka_unit_test(newcomers_that_outvote_a_trusted_host_do_not_cost_it_its_trust),
        cmocka_unit_test(in_a_batch_too_strict_for_all_newcomers_check_nobody_either),
    };
    return DATABASE_RUN(tests);
}
