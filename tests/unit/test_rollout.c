/* A new version reaches the hosts that it should, and is stopped when it does worse than the one before. */
#include "lib/t.h"

#include "base/rand.h"
#include "rules/rollout.h"

static void a_share_is_as_large_as_said_and_grows_without_dropping_anybody(void **state)
{
    static const uint32_t shares[] = {0, 10000, 100000, 500000, ROLLOUT_ALL_PPM};
    (void)state;
    for (uint64_t app = 1; app < 4; app++) {
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            uint32_t in = 0;
            for (uint64_t host = 1; host <= 100000; host++) {
                bool reached = rollout_reaches(host, app, shares[i]);
                in += reached;
                if (i > 0 && !reached)
                    assert_false(rollout_reaches(host, app, shares[i - 1]));
            }
            assert_in_range(in, shares[i] / 10 - shares[i] / 100, shares[i] / 10 + shares[i] / 100);
        }
    }
}

static void the_first_of_one_version_are_not_the_first_of_the_next(void **state)
{
    uint32_t both = 0;
    (void)state;
    for (uint64_t host = 1; host <= 100000; host++)
        both += rollout_reaches(host, 71, 100000) && rollout_reaches(host, 72, 100000);
    assert_in_range(both, 800, 1200);
}

static bool worse(int64_t bad, int64_t ended, int64_t base_bad, int64_t base_ended)
{
    return rollout_is_worse(&(struct rollout_count){ended, bad},
                            &(struct rollout_count){base_ended, base_bad}, true);
}

static void a_version_that_fails_more_is_stopped_early_and_one_that_does_not_goes_on(void **state)
{
    (void)state;
    assert_true(worse(3, 3, 0, 1000));
    assert_true(worse(3, 10, 0, 1000));
    assert_true(worse(60, 200, 100, 1000));
    assert_true(worse(8, 10, 0, 0)); /* nothing to hold against it */
    assert_false(worse(2, 2, 0, 1000));
    assert_false(worse(3, 100, 0, 1000));
    assert_false(worse(1, 10, 100, 1000));
    assert_false(worse(12, 100, 100, 1000));
    assert_true(worse(10, 10, 10, 10));         /* so few of the old one say nothing of it */
    assert_false(worse(100, 10000, 0, 100000)); /* one in a hundred is no reason */
}

static void one_host_alone_stops_nothing(void **state)
{
    struct rollout_count is = {50, 50}, base = {1000, 0};
    (void)state;
    assert_false(rollout_is_worse(&is, &base, false));
    assert_true(rollout_is_worse(&is, &base, true));
}

/* The same error rate before and after: chance alone stops hardly any, whatever the rate, though it is looked
 * at after each end. */
static void chance_stops_hardly_any(void **state)
{
    static const double rates[] = {0.005, 0.02, 0.1, 0.4};
    struct rand_seeded r;
    (void)state;
    rand_seed(&r, 7);
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        int stopped = 0;
        for (int run = 0; run < 400; run++) {
            struct rollout_count is = {0}, base = {2000, (int64_t)(2000 * rates[k])};
            bool stop = false;
            for (int i = 0; i < 1000 && !stop; i++) {
                is.ended++;
                is.bad += rand_seeded_unit(&r) < rates[k];
                stop = rollout_is_worse(&is, &base, true);
            }
            stopped += stop;
        }
        if (stopped > 400 / 10)
            fail_msg("rate %g: %d of 400 were stopped by chance", rates[k], stopped);
    }
}

static void versions_are_compared_by_their_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        int is;
    } pairs[] = {{"0.1.0", "0.1.0", 0},
                 {"0.1", "0.1.0", 0},
                 {"0.9.9", "0.10.0", -1},
                 {"1", "0.99", 1},
                 {"1.2.3", "1.2.4", -1},
                 {"1.2-rc1", "1.2", 0},
                 {"", "0", -1},
                 {"", "", 0},
                 {"nonsense", "0.0.1", -1},
                 {"99999999999999", "1.0", 1},
                 {"1.2.3.4", "1.2.3.5", -1}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        int is = version_compare(pairs[i].a, pairs[i].b), back = version_compare(pairs[i].b, pairs[i].a);
        if (is != pairs[i].is || back != -is)
            fail_msg("%s and %s: %d, %d", pairs[i].a, pairs[i].b, is, back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_is_as_large_as_said_and_grows_without_dropping_anybody),
        cmocka_unit_test(the_first_of_one_version_are_not_the_first_of_the_next),
        cmocka_unit_test(a_version_that_fails_more_is_stopped_early_and_one_that_does_not_goes_on),
        cmocka_unit_test(one_host_alone_stops_nothing),
        cmocka_unit_test(chance_stops_hardly_any),
        cmocka_unit_test(versions_are_compared_by_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
