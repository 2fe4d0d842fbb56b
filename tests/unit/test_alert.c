#include "lib/t.h"

#include "rules/alert.h"

enum { S = 1000, HOUR = 3600 * S, DAY = 24 * HOUR };

static const struct alert_policy policy = {.wait_ms = 60 * S, .repeat_ms = DAY};
static const struct alert_limits limits = {.hosts_gone = 0.5,
                                           .errors = 0.2,
                                           .backlog_ms = 2 * HOUR,
                                           .silence_ms = HOUR,
                                           .disk_bytes = 20000,
                                           .ends_ms = 30ll * DAY};
/* Well in every way. */
static const struct alert_sample well = {.now_ms = DAY,
                                         .hosts_hour = 10,
                                         .hosts_day = 10,
                                         .errors_hour = 30,
                                         .ended_hour = 1000,
                                         .disk_free = 50000,
                                         .disk_all = 100000,
                                         .certificate_ends_ms = 100ll * DAY,
                                         .root_ends_ms = 100ll * DAY,
                                         .ready = true};

static void it_is_told_when_it_has_been_wrong_for_a_while(void **state)
{
    (void)state;
    struct alert_state s = {0};
    assert_int_equal(alert_step(&s, &policy, true, 1), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, true, 60 * S), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, true, 60 * S + 1), ALERT_BEGINS);
    assert_int_equal(alert_step(&s, &policy, true, 61 * S), ALERT_NOTHING);
    assert_true(s.told);
}

static void what_is_over_before_that_is_never_told(void **state)
{
    (void)state;
    struct alert_state s = {0};
    for (int64_t now_ms = 1; now_ms < HOUR; now_ms += 30 * S)
        assert_int_equal(alert_step(&s, &policy, now_ms / (30 * S) % 2, now_ms), ALERT_NOTHING);
}

static void what_lasts_is_told_again_once_a_repetition(void **state)
{
    (void)state;
    struct alert_state s = {0};
    int lasts = 0;
    alert_step(&s, &policy, true, 1);
    for (int64_t now_ms = 1 + 60 * S; now_ms < 3ll * DAY + HOUR; now_ms += 10 * S)
        lasts += alert_step(&s, &policy, true, now_ms) == ALERT_LASTS;
    assert_int_equal(lasts, 3);
}

static void its_end_is_told_when_it_has_stayed_well(void **state)
{
    (void)state;
    struct alert_state s = {.told = true, .told_ms = 1, .begins = 1};
    assert_int_equal(alert_step(&s, &policy, false, 10 * S), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, true, 40 * S), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, false, 50 * S), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, false, 109 * S), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, false, 110 * S), ALERT_ENDS);
    assert_false(s.told);
}

static void what_comes_and_goes_all_day_is_no_storm(void **state)
{
    (void)state;
    struct alert_state s = {0};
    int told = 0;
    for (int64_t now_ms = 1; now_ms < DAY; now_ms += 10 * S) /* two minutes wrong, two minutes well */
        told += alert_step(&s, &policy, now_ms / (120 * S) % 2, now_ms) != ALERT_NOTHING;
    assert_in_range(told, 2, 6);
}

static void after_a_quiet_day_an_end_is_told_as_soon_as_at_first(void **state)
{
    (void)state;
    struct alert_state s = {.ended_ms = DAY, .begins = 8};
    alert_step(&s, &policy, true, 3ll * DAY);
    assert_int_equal(alert_step(&s, &policy, true, 3ll * DAY + 60 * S), ALERT_BEGINS);
    alert_step(&s, &policy, false, 4ll * DAY - HOUR);
    assert_int_equal(alert_step(&s, &policy, false, 4ll * DAY - HOUR + 60 * S), ALERT_ENDS);
}

static void a_clock_that_was_set_back_neither_tells_nor_blocks(void **state)
{
    (void)state;
    struct alert_state s = {.told = true, .told_ms = 100ll * DAY, .begins = 1};
    assert_int_equal(alert_step(&s, &policy, true, 10ll * DAY), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, true, 11ll * DAY), ALERT_LASTS);
    s.since_ms = 100ll * DAY;
    assert_int_equal(alert_step(&s, &policy, false, 11ll * DAY), ALERT_NOTHING);
    assert_int_equal(alert_step(&s, &policy, false, 11ll * DAY + 60 * S), ALERT_ENDS);
}

static void each_kind_has_its_limit_and_eases_a_tenth_later(void **state)
{
    (void)state;
    static const struct {
        enum alert_kind kind;
        struct alert_sample wrong, between; /* between: wrong only when it is told already */
    } cases[] = {
        {ALERT_HOSTS, {.hosts_day = 10, .hosts_hour = 4}, {.hosts_day = 100, .hosts_hour = 52}},
        {ALERT_ERRORS, {.errors_hour = 21, .ended_hour = 100}, {.errors_hour = 19, .ended_hour = 100}},
        {ALERT_BACKLOG, {.backlog_ms = 2 * HOUR + 1}, {.backlog_ms = 2 * HOUR - S}},
        {ALERT_DISK, {.disk_free = 14999, .disk_all = 100000}, {.disk_free = 15001, .disk_all = 100000}},
    };
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        for (int told = 0; told < 2; told++)
            assert_false(alert_is_wrong((enum alert_kind)kind, &limits, &well, told));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(alert_is_wrong(cases[i].kind, &limits, &cases[i].wrong, false));
        assert_true(alert_is_wrong(cases[i].kind, &limits, &cases[i].between, true));
        assert_false(alert_is_wrong(cases[i].kind, &limits, &cases[i].between, false));
    }
    assert_true(
        alert_is_wrong(ALERT_SILENCE, &limits, &(struct alert_sample){.silence_ms = HOUR + 1}, false));
    assert_true(alert_is_wrong(ALERT_READY, &limits, &(struct alert_sample){.ready = false}, false));
    struct alert_sample late = well;
    late.now_ms = 71ll * DAY;
    assert_true(alert_is_wrong(ALERT_CERTIFICATE, &limits, &late, false));
    assert_true(alert_is_wrong(ALERT_ROOT, &limits, &late, false));
}

static void a_limit_of_zero_switches_it_off_and_few_are_no_news(void **state)
{
    (void)state;
    const struct alert_limits off = {0};
    struct alert_sample bad = {.now_ms = DAY,
                               .hosts_day = 100,
                               .errors_hour = 100,
                               .ended_hour = 100,
                               .backlog_ms = DAY,
                               .silence_ms = DAY,
                               .disk_free = 1,
                               .disk_all = 100,
                               .ready = true};
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        assert_false(alert_is_wrong((enum alert_kind)kind, &off, &bad, false));
    assert_true(alert_is_wrong(ALERT_HOSTS, &limits, &bad, false));
    bad.hosts_day = ALERT_HOSTS_LEAST - 1;
    assert_false(alert_is_wrong(ALERT_HOSTS, &limits, &bad, false));
    bad.errors_hour = ALERT_ERRORS_LEAST - 1;
    bad.ended_hour = ALERT_ERRORS_LEAST - 1;
    assert_false(alert_is_wrong(ALERT_ERRORS, &limits, &bad, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_when_it_has_been_wrong_for_a_while),
        cmocka_unit_test(what_is_over_before_that_is_never_told),
        cmocka_unit_test(what_lasts_is_told_again_once_a_repetition),
        cmocka_unit_test(its_end_is_told_when_it_has_stayed_well),
        cmocka_unit_test(what_comes_and_goes_all_day_is_no_storm),
        cmocka_unit_test(after_a_quiet_day_an_end_is_told_as_soon_as_at_first),
        cmocka_unit_test(a_clock_that_was_set_back_neither_tells_nor_blocks),
        cmocka_unit_test(each_kind_has_its_limit_and_eases_a_tenth_later),
        cmocka_unit_test(a_limit_of_zero_switches_it_off_and_few_are_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
