#include "lib/t.h"

#include "base/rand.h"
#include "rules/backoff.h"

static void the_window_doubles_with_each_failure_up_to_the_cap(void **state)
{
    (void)state;
    struct backoff_rules r = {.base_ms = 1000, .cap_ms = 6000};
    const int64_t window_ms[] = {1000, 2000, 4000, 6000, 6000};
    for (uint32_t f = 0; f < 5; f++)
        for (uint64_t random = 0; random < 20000; random++)
            assert_in_range(backoff_wait_ms(&r, f, 0, random), 0, window_ms[f]);
    assert_int_equal(backoff_wait_ms(&r, 1, 0, 2000), 2000);
    assert_int_equal(backoff_wait_ms(&r, UINT32_MAX, 0, 6000), 6000);
}

static void a_retry_after_is_a_floor_with_the_jitter_on_top(void **state)
{
    (void)state;
    struct backoff_rules r = {.base_ms = 1000, .cap_ms = 6000};
    assert_int_equal(backoff_wait_ms(&r, 0, 30000, 0), 30000);
    assert_int_equal(backoff_wait_ms(&r, 0, 30000, 1000), 31000);
    assert_int_equal(backoff_wait_ms(&r, 0, -5, 7), 7);
    assert_true(backoff_wait_ms(&r, 9, INT64_MAX, 3) == INT64_MAX);
}

static void hosts_that_failed_together_come_back_spread_evenly(void **state)
{
    (void)state;
    struct backoff_rules r = BACKOFF_CLIENT;
    struct rand_seeded seeded;
    uint32_t bins[10] = {0};
    rand_seed(&seeded, 1);
    for (uint32_t i = 0; i < 100000; i++)
        bins[backoff_wait_ms(&r, 20, 0, rand_seeded_u64(&seeded)) * 10 / (r.cap_ms + 1)]++;
    for (uint32_t b = 0; b < 10; b++)
        assert_in_range(bins[b], 9500, 10500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_doubles_with_each_failure_up_to_the_cap),
        cmocka_unit_test(a_retry_after_is_a_floor_with_the_jitter_on_top),
        cmocka_unit_test(hosts_that_failed_together_come_back_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
