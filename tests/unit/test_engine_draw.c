/* Who is given a unit's second answer: drawn, not whoever asks first. And that hosts cannot choose among whom
 * they are compared. */
#include "lib/engine_world.h"

#include "rules/kin.h"
#include "server/audit_draw.h"

enum { CROWD = 80, UNITS = 160, MINUTE_MS = 60000 };

static const struct wu_rules pairs = {.quorum = 2,
                                      .target_attempts = 2,
                                      .errors_max = 3,
                                      .attempts_max = 8,
                                      .successes_max = 6,
                                      .lease_ms = 600 * MINUTE_MS};

static uint32_t take(struct world *w, uint64_t host, uint32_t rounds)
{
    uint32_t taken = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        struct engine_given *given;
        uint32_t n = fetch(w, host, 40, &given);
        for (uint32_t i = 0; i < n; i++)
            assert_ok(report(w, host, &given[i], 1));
        taken += n;
        w->now_ms += 1001; /* who was barred is not looked at again at once */
        tick(w);
    }
    return taken;
}

static void ask_once(struct world *w, const uint64_t *hosts, uint32_t count)
{
    struct engine_given *given;
    for (uint32_t i = 0; i < count; i++)
        if (fetch(w, hosts[i], 1, &given) == 1)
            assert_ok(report(w, hosts[i], &given[0], 1));
}

static void known(struct world *w, uint64_t *hosts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        hosts[i] = join(w);
    ask_once(w, hosts + 1, count - 1);
}

/* A friend who asks again and again gets hardly any of the second answers, until the others had their time.
 */
static void who_asks_most_often_does_not_meet_his_friend_at_most_units(void **state)
{
    (void)state;
    struct world w;
    uint64_t hosts[CROWD];
    world_open(&w, "memory:");
    submit_with(&w, 400, &pairs, NULL);
    known(&w, hosts, CROWD); /* all have asked: the crowd is known */
    uint32_t begun = take(&w, hosts[0], 8);
    assert_true(begun >= UNITS);
    uint32_t met = take(&w, hosts[1], 8);
    uint32_t own = 400 - begun; /* what nobody had begun is anybody's */
    assert_true(met <= own + UNITS / 4);
    for (uint32_t i = 0; i < 12; i++) {
        w.now_ms += 5 * MINUTE_MS;
        tick(&w);
        met += take(&w, hosts[1], 8);
    }
    assert_true(met > own + UNITS / 2);
    world_close(&w);
}

/* Who is back first after a start is not all that there is. */
static void nor_right_after_a_start(void **state)
{
    (void)state;
    struct world w;
    uint64_t hosts[CROWD];
    world_open(&w, "memory:");
    submit_with(&w, 400, &pairs, NULL);
    known(&w, hosts, CROWD);
    restart(&w);
    uint32_t begun = take(&w, hosts[0], 8), met = take(&w, hosts[1], 8);
    assert_true(begun >= UNITS && met <= 400 - begun + UNITS / 4);
    world_close(&w);
}

/* Those that joined in one burst, in a project that is big enough to do without. */
static void who_came_together_does_not_check_each_other_after_a_start_either(void **state)
{
    (void)state;
    struct world w;
    struct engine_given *given;
    world_open(&w, "memory:");
    uint64_t first = join(&w), friend = join(&w);
    for (uint32_t i = 0; i < 200; i++)
        (void)join(&w);
    w.now_ms += 11 * MINUTE_MS;
    uint64_t later = join(&w);
    submit_with(&w, 1, &pairs, NULL);
    restart(&w);
    assert_int_equal(fetch(&w, first, 1, &given), 1);
    for (uint32_t i = 0; i < 60; i++) {
        w.now_ms += MINUTE_MS;
        assert_int_equal(fetch(&w, friend, 1, &given), 0);
    }
    assert_int_equal(fetch(&w, later, 1, &given), 1);
    world_close(&w);
}

/* Those that are drawn come at once, so that others need not wait for minutes to take their place. */
static void ask_all_the_time(uint32_t units, uint32_t others_schema)
{
    struct world w;
    uint64_t hosts[CROWD];
    world_open(&w, "memory:");
    w.schema = others_schema;
    restart(&w);
    uint32_t batch = submit_with(&w, units, &pairs, NULL);
    known(&w, hosts, CROWD);
    w.now_ms += 2 * MINUTE_MS; /* what is stored of when they asked is that old */
    int64_t from_ms = w.now_ms;
    for (uint32_t n = 0; batch_of(&w, batch).counts.accepted < units; n++) {
        struct engine_given *given;
        uint32_t count = fetch(&w, hosts[n % CROWD], 40, &given);
        for (uint32_t i = 0; i < count; i++)
            assert_ok(report(&w, hosts[n % CROWD], &given[i], 1));
        w.now_ms += 5;
        if (n % 100 == 0)
            tick(&w);
        assert_true(w.now_ms - from_ms < 30000);
    }
    world_close(&w);
}

static void where_hosts_ask_all_the_time_nobody_is_waited_for(void **state)
{
    (void)state;
    ask_all_the_time(4 * UNITS, 0);
}

/* Then hosts are read anew in each turn. */
static void nor_by_one_of_several_servers(void **state)
{
    (void)state;
    ask_all_the_time(UNITS / 2, STORE_SCHEMA_VERSION);
}

static const struct store_host plain_host = {.platform = "x86_64-linux",
                                             .os = "Debian 12",
                                             .client = "0.1",
                                             .cores = 4,
                                             .memory_bytes = 8ull << 30,
                                             .disk_bytes = 8ull << 30};

static uint64_t join_host(struct world *w, const struct store_host *host)
{
    struct engine_request r = {.kind = ENGINE_JOIN};
    r.u.join.host = *host;
    assert_ok(ask(w, &r));
    return r.u.join.ret_host_id;
}

/* How long those that are drawn are waited for follows from the hosts that may have this work. */
static void hosts_of_other_work_that_ask_all_the_time_hasten_nothing(void **state)
{
    (void)state;
    struct world w;
    struct engine_given *given;
    uint64_t hosts[CROWD], others[2 * CROWD];
    struct store_host other = plain_host;
    other.platform = "aarch64-linux";
    world_open(&w, "memory:");
    for (uint32_t i = 0; i < CROWD; i++) {
        hosts[i] = join(&w);
        w.now_ms += KIN_BURST_MS + 1; /* none joined with another */
    }
    for (uint32_t i = 0; i < 2 * CROWD; i++)
        others[i] = join_host(&w, &other);
    submit_with(&w, 400, &pairs, NULL);
    ask_once(&w, hosts + 1, CROWD - 1);
    w.now_ms += 5 * MINUTE_MS; /* so long the hosts of this work compute what they have */
    uint32_t begun = take(&w, hosts[0], 8), met = 0;
    assert_true(begun >= UNITS);
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t k = 0; k < 2 * CROWD; k++)
            assert_int_equal(fetch(&w, others[k], 1, &given), 0);
        met += take(&w, hosts[1], 1);
    }
    assert_true(met <= 400 - begun + UNITS / 4);
    world_close(&w);
}

static void in_a_small_project_everybody_may_at_once(void **state)
{
    (void)state;
    struct world w;
    uint64_t hosts[4];
    world_open(&w, "memory:");
    uint32_t batch = submit_with(&w, UNITS, &pairs, NULL);
    known(&w, hosts, 4);
    take(&w, hosts[0], 8);
    take(&w, hosts[1], 8);
    assert_int_equal(batch_of(&w, batch).counts.accepted, UNITS);
    world_close(&w);
}

static void a_draw_is_uniform_and_of_key_unit_attempt_and_host(void **state)
{
    (void)state;
    struct digest key = {{1}}, other = {{1}};
    other.bytes[DIGEST_BYTES - 1] = 1;
    uint32_t low = 0, same = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t d = audit_draw_host(&key, wu_id_make(1, i), 1, 7);
        assert_true(d < 1000000);
        low += d < 100000;
        same += d == audit_draw_host(&key, wu_id_make(1, i), 2, 7);
        same += d == audit_draw_host(&key, wu_id_make(1, i), 1, 8);
        same += d == audit_draw_host(&other, wu_id_make(1, i), 1, 7);
    }
    assert_true(low > 850 && low < 1150);
    assert_true(same < 10);
    assert_int_equal(audit_draw_host(&key, 5, 1, 7), audit_draw_host(&key, 5, 1, 7));
}

static uint64_t join_as(struct world *w, const char *cpu, const char *class, const char *features)
{
    struct store_host h = plain_host;
    h.os = h.hr_class = class;
    h.cpu = cpu;
    h.features = features;
    return join_host(w, &h);
}

static uint32_t submit_class(struct world *w, const char *kind)
{
    struct engine_request r = {.kind = ENGINE_BATCH, .user_id = 1};
    struct store_batch *b = &r.u.batch.batch;
    *b = (struct store_batch){.name = "test",
                              .app = "pi",
                              .version = 1,
                              .rules = pairs,
                              .release_count = 1,
                              .cost = 0.001,
                              .hr_kind = kind,
                              .needs_features = "",
                              .array = true,
                              .array_step = 1,
                              .array_count = 4};
    b->releases[0].platform = "x86_64-linux";
    r.u.batch.order = order;
    assert_ok(ask(w, &r));
    tick(w);
    return r.u.batch.ret_batch;
}

/* "cpu" and "os" are classes of a closed list: a name of one's own makes no class of one's own. */
static void nobody_makes_a_class_for_himself_and_a_friend(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "memory:");
    submit_class(&w, "cpu");
    uint64_t liar = join_as(&w, "Liars' own 1", "ours", "avx2"), plain = join_as(&w, "Any", "", "avx2"),
             intel = join_as(&w, "Xeon", "intel-6-85", "avx2"),
             later = join_as(&w, "Xeon", "intel-6-106", "avx2"),
             wide = join_as(&w, "Xeon", "intel-6-106", "avx2 avx512f");
    assert_int_equal(take(&w, liar, 1), 4);
    assert_int_equal(take(&w, intel, 1), 0); /* another family */
    assert_int_equal(take(&w, plain, 1), 4); /* the liar is not among himself */
    submit_class(&w, "cpu");
    assert_int_equal(take(&w, intel, 1), 4);
    assert_int_equal(take(&w, wide, 1), 0);
    assert_int_equal(take(&w, later, 1), 4);
    submit_class(&w, "os");
    assert_int_equal(take(&w, liar, 1), 4);
    assert_int_equal(take(&w, intel, 1), 4);
    world_close(&w);
}

static uint64_t join_from(struct world *w, uint64_t network)
{
    struct store_host h = plain_host;
    h.network = network;
    return join_host(w, &h);
}

/* What holds up a batch goes to an idle host too, but not to one that may be the same person's. */
static void a_spare_is_not_for_a_host_of_the_same_network(void **state)
{
    (void)state;
    struct world w;
    struct engine_given *a, *b, *c;
    world_open(&w, "memory:");
    uint64_t first = join_from(&w, 77), slow = join_from(&w, 78), friend = join_from(&w, 77),
             other = join_from(&w, 79);
    submit_with(&w, 4, &pairs, NULL);
    assert_int_equal(fetch(&w, first, 4, &a), 4);
    assert_int_equal(fetch(&w, slow, 4, &b), 4);
    for (uint32_t i = 0; i < 4; i++) {
        w.now_ms += 1000;
        assert_ok(report(&w, first, &a[i], 1));
        if (i < 3)
            assert_ok(report(&w, slow, &b[i], 1));
    }
    w.now_ms += 10 * MINUTE_MS;
    tick(&w);
    assert_int_equal(fetch(&w, friend, 1, &c), 0);
    w.now_ms += 2000;
    assert_int_equal(fetch(&w, other, 1, &c), 1);
    assert_int_equal(c[0].unit, b[3].unit);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_most_often_does_not_meet_his_friend_at_most_units),
        cmocka_unit_test(nor_right_after_a_start),
        cmocka_unit_test(who_came_together_does_not_check_each_other_after_a_start_either),
        cmocka_unit_test(where_hosts_ask_all_the_time_nobody_is_waited_for),
        cmocka_unit_test(nor_by_one_of_several_servers),
        cmocka_unit_test(hosts_of_other_work_that_ask_all_the_time_hasten_nothing),
        cmocka_unit_test(in_a_small_project_everybody_may_at_once),
        cmocka_unit_test(a_draw_is_uniform_and_of_key_unit_attempt_and_host),
        cmocka_unit_test(a_spare_is_not_for_a_host_of_the_same_network),
        cmocka_unit_test(nobody_makes_a_class_for_himself_and_a_friend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
