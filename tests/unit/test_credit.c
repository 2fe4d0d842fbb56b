#include "lib/t.h"

#include <math.h>

#include "rules/credit.h"

static void credit_is_the_cost_in_millionths(void **state)
{
    (void)state;
    uint64_t micro = 7;
    assert_ok(credit_of_cost(12.5, &micro));
    assert_int_equal(micro, 12500000);
    assert_ok(credit_of_cost(0, &micro));
    assert_int_equal(micro, 0);
    assert_ok(credit_of_cost(CREDIT_COST_SECONDS_MAX, &micro));
}

static void a_cost_that_is_no_cost_is_refused(void **state)
{
    (void)state;
    uint64_t micro = 7;
    const double bad[] = {-1, NAN, INFINITY, CREDIT_COST_SECONDS_MAX * 2};
    for (size_t i = 0; i < 4; i++)
        assert_err(credit_of_cost(bad[i], &micro), ERR_INVALID);
    assert_int_equal(micro, 7);
}

static void the_measured_cost_is_the_median_over_owners_of_their_cheapest_runs(void **state)
{
    (void)state;
    struct credit_run runs[] = {
        {.owner_id = 1, .cpu_seconds = 50, .speed = 2}, {.owner_id = 1, .cpu_seconds = 500, .speed = 2},
        {.owner_id = 2, .cpu_seconds = 90, .speed = 1}, {.owner_id = 3, .cpu_seconds = 220, .speed = 0.5},
        {.owner_id = 4, .cpu_seconds = 0, .speed = 1},
    };
    double cost = 0;
    assert_ok(credit_cost_of_runs(runs, 5, &cost));
    assert_true(cost == 100);
}

static void an_owner_gains_nothing_by_claiming_much_from_many_hosts(void **state)
{
    (void)state;
    struct credit_run runs[13];
    double cost = 0;
    for (size_t i = 0; i < 13; i++)
        runs[i] =
            (struct credit_run){.owner_id = i < 3 ? i + 1 : 66, .cpu_seconds = i < 3 ? 100 : 1e6, .speed = 1};
    assert_ok(credit_cost_of_runs(runs, 13, &cost));
    assert_true(cost == 100);
}

static void without_a_usable_run_there_is_no_cost(void **state)
{
    (void)state;
    struct credit_run runs[CREDIT_RUNS_MAX + 1] = {{.owner_id = 1, .cpu_seconds = NAN, .speed = 1}};
    double cost = 5;
    assert_err(credit_cost_of_runs(runs, 1, &cost), ERR_INVALID);
    assert_err(credit_cost_of_runs(runs, 0, &cost), ERR_INVALID);
    assert_err(credit_cost_of_runs(runs, CREDIT_RUNS_MAX + 1, &cost), ERR_INVALID);
    assert_true(cost == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credit_is_the_cost_in_millionths),
        cmocka_unit_test(a_cost_that_is_no_cost_is_refused),
        cmocka_unit_test(the_measured_cost_is_the_median_over_owners_of_their_cheapest_runs),
        cmocka_unit_test(an_owner_gains_nothing_by_claiming_much_from_many_hosts),
        cmocka_unit_test(without_a_usable_run_there_is_no_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
