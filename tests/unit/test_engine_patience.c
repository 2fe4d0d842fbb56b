/* Who is new checks nobody who is new, while those that are trusted are there: whatever the unit waited for
 * meanwhile. */
#include "lib/engine_world.h"

enum { TRUSTED = 4, MINUTE_MS = 60000, LIE = 9 };

static const struct wu_rules adaptive = {.quorum = 1,
                                         .target_attempts = 1,
                                         .errors_max = 3,
                                         .attempts_max = 16,
                                         .successes_max = 6,
                                         .lease_ms = 2 * MINUTE_MS,
                                         .escrow = WU_ESCROW_LONE,
                                         .hold_ms = 600 * MINUTE_MS};
static const struct trust_policy policy = {
    .probation = 4, .audit_ppm = 100000, .floor_ppm = 50000, .wait = 20};

struct grid {
    struct world w;
    uint64_t trusted[TRUSTED], friends[2];
    uint32_t batch;
    struct engine_given *begun;
};

static uint32_t answer_all(struct grid *g, uint64_t host, uint8_t answer)
{
    struct engine_given *given;
    uint32_t all = 0, n;
    while ((n = fetch(&g->w, host, 1, &given)) > 0) {
        assert_ok(report(&g->w, host, given, answer));
        all += n;
    }
    return all;
}

static void all_answer(struct grid *g)
{
    for (uint32_t idle = 0, i = 0; idle < TRUSTED; i++) {
        g->w.now_ms += 10;
        tick(&g->w);
        idle = answer_all(g, g->trusted[i % TRUSTED], 1) ? 0 : idle + 1;
    }
}

static void become_trusted(struct grid *g)
{
    uint32_t batch = submit_with(&g->w, 40, &adaptive, &policy);
    for (uint32_t i = 0; batch_of(&g->w, batch).finished_ms == 0; i++) {
        struct engine_given *given;
        uint64_t host = g->trusted[i % TRUSTED];
        assert_true(i < 10000);
        g->w.now_ms += 10;
        tick(&g->w);
        if (fetch(&g->w, host, 1, &given) == 1)
            assert_ok(report(&g->w, host, given, 1));
    }
}

static void grid_open(struct grid *g, void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    *g = (struct grid){0};
    world_open(&g->w, where);
    for (uint32_t i = 0; i < TRUSTED; i++)
        g->trusted[i] = join(&g->w);
    become_trusted(g);
    g->friends[0] = join(&g->w);
    g->friends[1] = join(&g->w);
}

/* One of the two has told its lie of all units. */
static void lie_of(struct grid *g, uint32_t units)
{
    assert_int_equal(fetch(&g->w, g->friends[0], units, &g->begun), units);
    for (uint32_t i = 0; i < units; i++)
        assert_ok(report(&g->w, g->friends[0], &g->begun[i], LIE));
}

static void lie(struct grid *g, uint32_t units)
{
    g->batch = submit_with(&g->w, units, &adaptive, &policy);
    lie_of(g, units);
}

static uint32_t friend_is_given(struct grid *g)
{
    struct engine_given *given;
    tick(&g->w);
    g->w.now_ms += 1001; /* who was barred is not looked at again at once */
    tick(&g->w);
    return fetch(&g->w, g->friends[1], 4, &given);
}

static void do_with(struct grid *g, uint32_t batch, enum engine_batch_verb verb)
{
    struct engine_request r = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    r.u.batch_do.batch = batch;
    r.u.batch_do.verb = verb;
    assert_ok(ask(&g->w, &r));
}

static void nor_when_who_was_to_check_it_has_vanished(void **state)
{
    struct grid g;
    struct engine_given *given;
    grid_open(&g, state);
    lie(&g, 4);
    assert_int_equal(fetch(&g.w, g.trusted[0], 4, &given), 4);
    g.w.now_ms += adaptive.lease_ms + 1; /* it expires */
    assert_int_equal(friend_is_given(&g), 0);
    assert_int_equal(fetch(&g.w, g.trusted[1], 4, &given), 4);
    world_close(&g.w);
}

static void nor_when_the_server_was_away(void **state)
{
    struct grid g;
    grid_open(&g, state);
    lie(&g, 4);
    for (int64_t away_ms = 1000; away_ms < 1000 * MINUTE_MS; away_ms *= 10) {
        restart(&g.w);
        g.w.now_ms += away_ms;
        assert_int_equal(friend_is_given(&g), 0);
        g.w.now_ms += 2 * MINUTE_MS; /* some come back late */
        assert_int_equal(friend_is_given(&g), 0);
    }
    g.w.now_ms += 1000 * MINUTE_MS; /* it ran, and nobody could reach it */
    assert_int_equal(friend_is_given(&g), 0);
    g.w.now_ms -= 500; /* its clock is set right */
    assert_int_equal(friend_is_given(&g), 0);
    all_answer(&g);
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 4);
    world_close(&g.w);
}

/* Right after the start, when none of the trusted has asked yet. */
static void nor_when_the_clock_was_set_back(void **state)
{
    struct grid g;
    grid_open(&g, state);
    restart(&g.w);
    lie(&g, 4);
    g.w.now_ms -= 5;
    assert_int_equal(friend_is_given(&g), 0);
    g.w.now_ms -= 50000;
    assert_int_equal(friend_is_given(&g), 0);
    world_close(&g.w);
}

static void nor_when_the_batch_was_paused(void **state)
{
    struct grid g;
    struct engine_given *given;
    grid_open(&g, state);
    lie(&g, 4);
    do_with(&g, g.batch, ENGINE_BATCH_PAUSE);
    for (uint32_t i = 0; i < 20; i++) {
        g.w.now_ms += MINUTE_MS / 2;
        assert_int_equal(fetch(&g.w, g.trusted[i % TRUSTED], 4, &given), 0);
    }
    do_with(&g, g.batch, ENGINE_BATCH_RESUME);
    assert_int_equal(friend_is_given(&g), 0);
    all_answer(&g);
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 4);
    world_close(&g.w);
}

/* They are there, and have better things to do: whatever is of a lower rank waits. */
static void nor_when_the_trusted_are_busy_with_another_batch(void **state)
{
    struct grid g;
    struct engine_given *given;
    int32_t rank = 5;
    grid_open(&g, state);
    uint32_t first = submit_with(&g.w, 400, &adaptive, &policy);
    struct engine_request r = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    r.u.batch_do.batch = first;
    r.u.batch_do.verb = ENGINE_BATCH_CHANGE;
    r.u.batch_do.priority = &rank;
    assert_ok(ask(&g.w, &r));
    uint32_t more = fetch(&g.w, g.friends[0], 100, &given); /* all that it may begin there */
    for (uint32_t i = 0; i + 4 < more; i++)
        assert_ok(report(&g.w, g.friends[0], &given[i], LIE));
    g.batch = submit_with(&g.w, 20, &adaptive, &policy);
    assert_int_equal(fetch(&g.w, g.friends[1], 100, &given), 2 * policy.probation);
    for (uint32_t i = 0; i < 40; i++) {
        g.w.now_ms += MINUTE_MS / 4;
        tick(&g.w);
        uint64_t host = g.trusted[i % TRUSTED];
        assert_int_equal(fetch(&g.w, host, 1, &given), 1);
        assert_int_equal(wu_id_batch(given[0].unit), first);
        assert_ok(report(&g.w, host, given, 1));
    }
    world_close(&g.w);
}

/* Of four units that a friend has answered, a trusted host answers three after a minute, and has the fourth
 * still, of which he lied. */
static void one_is_late(struct grid *g, const struct wu_rules *rules)
{
    struct engine_given *given;
    g->batch = submit_with(&g->w, 4, rules, &policy);
    assert_int_equal(fetch(&g->w, g->friends[0], 4, &given), 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_ok(report(&g->w, g->friends[0], &given[i], i < 3 ? 1 : LIE));
    assert_int_equal(fetch(&g->w, g->trusted[0], 4, &given), 4);
    g->w.now_ms += MINUTE_MS;
    for (uint32_t i = 0; i < 3; i++)
        assert_ok(report(&g->w, g->trusted[0], &given[i], 1));
}

/* Out for longer than the others took, so that an idle host is given it, too. */
static void nor_when_it_is_spare(void **state)
{
    struct grid g;
    struct engine_given *given;
    grid_open(&g, state);
    one_is_late(&g, &adaptive);
    g.w.now_ms += MINUTE_MS - 2000;
    assert_int_equal(friend_is_given(&g), 0);
    assert_int_equal(fetch(&g.w, g.trusted[1], 4, &given), 1);
    assert_int_equal(given[0].unit, wu_id_make(g.batch, 3));
    world_close(&g.w);
}

/* Of the trusted one asks again and again, who has had the unit: that the others have no time for it yet does
 * not mean that they leave it. */
static void nor_because_who_has_had_it_takes_no_second_one(void **state)
{
    struct grid g;
    struct engine_given *given;
    struct wu_rules slow = adaptive;
    slow.lease_ms = 60 * MINUTE_MS;
    grid_open(&g, state);
    one_is_late(&g, &slow);
    for (uint32_t i = 0; i < 30; i++) {
        g.w.now_ms += 10000;
        assert_int_equal(fetch(&g.w, g.trusted[0], 4, &given), 0);
        assert_int_equal(friend_is_given(&g), 0);
    }
    assert_int_equal(fetch(&g.w, g.trusted[1], 4, &given), 1);
    world_close(&g.w);
}

static void is_of(struct grid *g, uint64_t host, uint64_t network)
{
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.network = network;
    assert_ok(ask(&g->w, &r));
}

/* The trusted come and go, and leave one unit that is not for them; others are asked for long after they were
 * answered. */
static void nor_what_is_to_be_confirmed_long_after_it_came(void **state)
{
    struct grid g;
    struct engine_given *given;
    struct wu_rules held = adaptive;
    held.hold_ms = 60 * MINUTE_MS;
    grid_open(&g, state);
    for (uint32_t i = 0; i < TRUSTED; i++)
        is_of(&g, g.trusted[i], 77);
    is_of(&g, g.friends[0], 77);
    g.batch = submit_with(&g.w, 8, &held, &policy);
    assert_int_equal(fetch(&g.w, g.friends[0], 1, &given), 1);
    assert_ok(report(&g.w, g.friends[0], given, LIE));
    assert_int_equal(answer_all(&g, g.trusted[0], 1), 7);
    for (uint32_t i = 0; i < 12; i++) {
        g.w.now_ms += 5 * MINUTE_MS;
        tick(&g.w);
        for (uint32_t k = 1; k < TRUSTED; k++)
            assert_int_equal(fetch(&g.w, g.trusted[k], 4, &given), 0);
    }
    g.w.now_ms += 1000;
    tick(&g.w);
    assert_true(batch_of(&g.w, g.batch).counts.unsent > 1);
    assert_int_equal(fetch(&g.w, g.friends[1], 20, &given), 1);
    world_close(&g.w);
}

static void other_view(void *ctx, struct engine_view *ret)
{
    world_view(ctx, ret);
    ret->ticks = false;
    ret->slot = 2;
}

/* The trusted ask one server, and the two friends another one on the same database. */
static void nor_at_another_server(void **state)
{
    struct grid g;
    struct engine *here;
    struct engine_given *given;
    grid_open(&g, state);
    g.w.schema = STORE_SCHEMA_VERSION;
    restart(&g.w);
    struct engine_config config = {
        .sign_units = sign_units, .sign_ctx = &g.w, .view = other_view, .view_ctx = &g.w};
    assert_ok(engine_new(g.w.store, &config, &here));
    struct engine *there = g.w.engine;
    uint64_t third = join(&g.w);
    uint32_t batch = submit_with(&g.w, 400, &adaptive, &policy);
    for (uint32_t i = 0; i < 40; i++) { /* three hours */
        g.w.now_ms += 5 * MINUTE_MS;
        g.w.engine = there;
        tick(&g.w);
        for (uint32_t k = 0; k < TRUSTED; k++)
            (void)fetch(&g.w, g.trusted[k], 1, &given);
        g.w.engine = here;
        (void)fetch(&g.w, third, 1, &given);
    }
    do_with(&g, batch, ENGINE_BATCH_CANCEL);
    g.w.engine = there;
    tick(&g.w);
    g.batch = submit_with(&g.w, 4, &adaptive, &policy);
    g.w.engine = here;
    g.w.now_ms += 1000; /* until it is seen here */
    lie_of(&g, 4);
    assert_int_equal(friend_is_given(&g), 0);
    g.w.now_ms += 2 * MINUTE_MS;
    assert_int_equal(friend_is_given(&g), 0);
    engine_free(here);
    g.w.engine = there;
    world_close(&g.w);
}

/* Nothing waits for ever. */
static void but_when_the_trusted_are_gone(void **state)
{
    struct grid g;
    grid_open(&g, state);
    lie(&g, 4);
    g.w.now_ms += 5 * MINUTE_MS;
    assert_int_equal(friend_is_given(&g), 0);
    g.w.now_ms += 5 * MINUTE_MS;
    assert_int_equal(friend_is_given(&g), 4);
    world_close(&g.w);
}

static void and_when_they_have_seen_it_and_left_it(void **state)
{
    struct grid g;
    struct engine_given *given;
    grid_open(&g, state);
    for (uint32_t i = 0; i < TRUSTED; i++) { /* all of one network, as is who began */
        struct engine_request r = {.kind = ENGINE_WORK};
        r.u.work.host_id = g.trusted[i];
        r.u.work.network = 77;
        assert_ok(ask(&g.w, &r));
    }
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = g.friends[0];
    r.u.work.network = 77;
    assert_ok(ask(&g.w, &r));
    lie(&g, 4);
    g.w.now_ms += MINUTE_MS - 10000;
    assert_int_equal(fetch(&g.w, g.trusted[0], 4, &given), 0);
    assert_int_equal(friend_is_given(&g), 0);
    g.w.now_ms += 10000;
    assert_int_equal(friend_is_given(&g), 4);
    world_close(&g.w);
}

/* --- what it may begin, and what becomes of it --- */

/* Nobody is left to answer who is trusted: three have, each something else, and the fourth has gone. */
static void and_when_all_of_them_who_ask_have_had_it(void **state)
{
    struct grid g;
    struct engine_given *given;
    grid_open(&g, state);
    lie(&g, 1);
    for (uint32_t i = 0; i < TRUSTED - 1; i++) {
        assert_int_equal(fetch(&g.w, g.trusted[i], 1, &given), 1);
        assert_ok(report(&g.w, g.trusted[i], given, (uint8_t)(i + 1)));
    }
    for (int64_t from_ms = g.w.now_ms; friend_is_given(&g) == 0; g.w.now_ms += MINUTE_MS / 2) {
        assert_true(g.w.now_ms - from_ms < 12 * MINUTE_MS);
        for (uint32_t i = 0; i < TRUSTED - 1; i++)
            assert_int_equal(fetch(&g.w, g.trusted[i], 1, &given), 0);
    }
    assert_int_equal(batch_of(&g.w, g.batch).counts.leased, 1);
    world_close(&g.w);
}

static void a_newcomer_begins_no_more_than_others_can_check(void **state)
{
    struct grid g;
    struct engine_given *given, *more;
    grid_open(&g, state);
    submit_with(&g.w, 100, &adaptive, &policy);
    uint32_t n = fetch(&g.w, g.friends[0], 100, &given);
    assert_int_equal(n, 2 * policy.probation);
    assert_int_equal(fetch(&g.w, g.friends[0], 100, &more), 0);
    for (uint32_t i = 0; i < n; i++)
        assert_ok(report(&g.w, g.friends[0], &given[i], 1));
    assert_int_equal(fetch(&g.w, g.friends[0], 100, &more), 0);
    restart(&g.w);
    assert_int_equal(fetch(&g.w, g.friends[0], 100, &more), 0);
    all_answer(&g);
    struct store_host h;
    assert_ok(store_host_get(g.w.store, &g.w.arena, g.friends[0], &h));
    assert_int_equal(h.valid, n);
    submit_with(&g.w, 100, &adaptive, &policy);
    assert_true(fetch(&g.w, g.friends[0], 100, &more) > 2 * policy.probation);
    world_close(&g.w);
}

/* What else it has answered is not asked anybody's opinion any more. */
static void its_first_lie_voids_what_else_it_answered(void **state)
{
    struct grid g;
    struct engine_given *given;
    struct store_unit u;
    grid_open(&g, state);
    lie(&g, 8);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t n = fetch(&g.w, g.trusted[i], 8, &given), k = 0;
        while (k < n && given[k].unit != g.begun[0].unit)
            k++;
        assert_true(k < n);
        assert_ok(report(&g.w, g.trusted[i], &given[k], 1));
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_ok(store_unit_get(g.w.store, &g.w.arena, g.begun[i].unit, &u));
        assert_int_equal(u.wu.attempts[0].state, i == 0 ? ATTEMPT_INVALID : ATTEMPT_CANCELLED);
    }
    world_close(&g.w);
}

/* --- who is banned --- */

static struct store_host host_of(struct grid *g, uint64_t id)
{
    struct store_host h;
    assert_ok(store_host_get(g->w.store, &g->w.arena, id, &h));
    return h;
}

/* By itself, as by hand: what it has out goes to others at once, not when it expires. */
static void who_lies_until_it_is_banned_has_nothing_out(void **state)
{
    struct grid g;
    struct engine_given *first, *given, *other;
    grid_open(&g, state);
    submit_with(&g.w, 4, &adaptive, &policy);
    assert_int_equal(fetch(&g.w, g.friends[0], 3, &first), 3);
    for (uint32_t round = 0; round < 3; round++) {
        assert_int_equal(host_of(&g, g.friends[0]).leased, 3);
        g.batch = submit_with(&g.w, 20, &adaptive, &policy);
        assert_int_equal(fetch(&g.w, g.friends[0], 1, &given), 1);
        assert_ok(report(&g.w, g.friends[0], &given[0], LIE));
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t k = 0, count = fetch(&g.w, g.trusted[i], 40, &other);
            while (k < count && other[k].unit != given[0].unit)
                k++;
            assert_true(k < count);
            assert_ok(report(&g.w, g.trusted[i], &other[k], 1));
        }
    }
    assert_true(host_of(&g, g.friends[0]).banned);
    assert_int_equal(host_of(&g, g.friends[0]).leased, 0);
    assert_int_equal(report(&g.w, g.friends[0], &first[0], LIE), ERR_STALE);
    world_close(&g.w);
}

/* A quorum is of those that are not banned when it comes together. */
static void who_is_banned_has_no_voice(void **state)
{
    static const struct wu_rules pairs = {.quorum = 2,
                                          .target_attempts = 2,
                                          .errors_max = 3,
                                          .attempts_max = 8,
                                          .successes_max = 6,
                                          .lease_ms = MINUTE_MS};
    struct grid g;
    struct engine_given *a, *b, *c;
    struct engine_request ban = {.kind = ENGINE_HOST, .user_id = 1};
    grid_open(&g, state);
    g.batch = submit_with(&g.w, 2, &pairs, NULL);
    assert_int_equal(fetch(&g.w, g.friends[0], 2, &a), 2);
    assert_ok(report(&g.w, g.friends[0], &a[0], LIE));
    g.w.now_ms += MINUTE_MS + 1;
    tick(&g.w); /* the other one expires: as a rule it would be welcome still */
    ban.u.host = (struct engine_host){.host_id = g.friends[0], .ban = true, .reason = "it lies"};
    assert_ok(ask(&g.w, &ban));
    assert_ok(report(&g.w, g.friends[0], &a[0], LIE)); /* told again */
    assert_int_equal(report(&g.w, g.friends[0], &a[1], LIE), ERR_STALE);
    assert_int_equal(fetch(&g.w, g.friends[1], 2, &b), 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_ok(report(&g.w, g.friends[1], &b[i], LIE));
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 0);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 0, n = fetch(&g.w, g.trusted[i], 4, &c); k < n; k++)
            assert_ok(report(&g.w, g.trusted[i], &c[k], 1));
    assert_int_equal(batch_of(&g.w, g.batch).counts.accepted, 2);
    assert_int_equal(host_of(&g, g.friends[1]).invalid, 2);
    world_close(&g.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nor_when_who_was_to_check_it_has_vanished),
        cmocka_unit_test(nor_when_the_server_was_away),
        cmocka_unit_test(nor_when_the_clock_was_set_back),
        cmocka_unit_test(nor_when_the_batch_was_paused),
        cmocka_unit_test(nor_when_the_trusted_are_busy_with_another_batch),
        cmocka_unit_test(nor_when_it_is_spare),
        cmocka_unit_test(nor_because_who_has_had_it_takes_no_second_one),
        cmocka_unit_test(nor_what_is_to_be_confirmed_long_after_it_came),
        cmocka_unit_test(nor_at_another_server),
        cmocka_unit_test(but_when_the_trusted_are_gone),
        cmocka_unit_test(and_when_they_have_seen_it_and_left_it),
        cmocka_unit_test(and_when_all_of_them_who_ask_have_had_it),
        cmocka_unit_test(a_newcomer_begins_no_more_than_others_can_check),
        cmocka_unit_test(its_first_lie_voids_what_else_it_answered),
        cmocka_unit_test(who_lies_until_it_is_banned_has_nothing_out),
        cmocka_unit_test(who_is_banned_has_no_voice),
    };
    return DATABASE_RUN(tests);
}
