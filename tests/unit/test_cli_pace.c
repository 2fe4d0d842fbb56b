/* How long a batch will still take, told from how it went so far. */
#include "lib/t.h"

#include "client/cli/pace.h"

static void run(struct pace *p, uint32_t samples, int64_t each, int64_t jitter)
{
    int64_t done = 0;
    for (uint32_t i = 0; i < samples; i++) {
        pace_add(p, (int64_t)i * PACE_EVERY_MS, done);
        done += each + (i % 2 ? jitter : -jitter);
    }
}

static void nothing_is_said_before_anything_was_done(void **state)
{
    (void)state;
    struct pace p = {0};
    assert_true(pace_guess(&p, 10).rate == 0);
    pace_add(&p, 0, 5);
    assert_true(pace_guess(&p, 10).rate == 0);
    pace_add(&p, PACE_EVERY_MS, 5);
    assert_true(pace_guess(&p, 10).rate == 0);
}

static void a_steady_pace_is_known_exactly(void **state)
{
    (void)state;
    struct pace p = {0};
    run(&p, 20, 20, 0);
    struct pace_guess g = pace_guess(&p, 1000);
    assert_true(g.rate > 9.99 && g.rate < 10.01);
    assert_int_equal(g.eta_ms, 100000);
    assert_true(g.has_bounds && g.soonest_ms == g.eta_ms && g.latest_ms == g.eta_ms);
}

static void the_less_steady_the_wider_the_bounds(void **state)
{
    (void)state;
    struct pace calm = {0}, wild = {0};
    run(&calm, 20, 20, 2);
    run(&wild, 20, 20, 15);
    struct pace_guess a = pace_guess(&calm, 1000), b = pace_guess(&wild, 1000);
    assert_true(a.soonest_ms < a.eta_ms && a.latest_ms > a.eta_ms);
    assert_true(b.soonest_ms < a.soonest_ms && b.latest_ms > a.latest_ms);
}

static void few_looks_give_no_bounds_and_one_heap_no_latest(void **state)
{
    (void)state;
    struct pace few = {0}, heap = {0};
    run(&few, 3, 20, 0);
    assert_false(pace_guess(&few, 10).has_bounds);
    for (uint32_t i = 0; i < 12; i++)
        pace_add(&heap, (int64_t)i * PACE_EVERY_MS, i == 11 ? 500 : 0);
    assert_true(pace_guess(&heap, 1000).latest_ms == INT64_MAX);
}

static void only_the_last_minutes_count(void **state)
{
    (void)state;
    struct pace p = {0};
    int64_t done = 0;
    for (uint32_t i = 0; i < 200; i++) {
        pace_add(&p, (int64_t)i * PACE_EVERY_MS, done);
        done += i < 100 ? 1000 : 2;
    }
    struct pace_guess g = pace_guess(&p, 10);
    assert_true(g.rate > 0.99 && g.rate < 1.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_anything_was_done),
        cmocka_unit_test(a_steady_pace_is_known_exactly),
        cmocka_unit_test(the_less_steady_the_wider_the_bounds),
        cmocka_unit_test(few_looks_give_no_bounds_and_one_heap_no_latest),
        cmocka_unit_test(only_the_last_minutes_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
