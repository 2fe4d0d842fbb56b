#include "lib/t.h"

#include "rules/admit.h"

static const struct admit_load full = {1, 1, 1, 1}, idle = {0};

static const char *refusal(const struct admit_load *load, double most)
{
    double share;
    return admit_refusal(load, most, &share);
}

static void a_burst_refuses_nobody_and_what_lasts_does(void **state)
{
    (void)state;
    struct admit_load average = {0};
    for (int i = 0; i < 5; i++) /* ten seconds */
        admit_smooth(&average, &full, 2000);
    assert_string_equal(refusal(&average, 0.9), "");
    for (int i = 0; i < 100; i++)
        admit_smooth(&average, &full, 2000);
    assert_string_not_equal(refusal(&average, 0.9), "");
    for (int i = 0; i < 5; i++)
        admit_smooth(&average, &idle, 2000);
    assert_string_equal(refusal(&average, 0.9), "");
}

static void the_busiest_is_named(void **state)
{
    (void)state;
    double share;
    const struct admit_load queue = {.engine = 0.91, .queue = 0.95, .cpu = 0.2}, cpu = {.cpu = 0.99};
    assert_string_equal(admit_refusal(&queue, 0.9, &share), "queue");
    assert_true(share == 0.95);
    assert_string_equal(refusal(&cpu, 0.9), "processor");
    assert_string_equal(refusal(&(struct admit_load){.cpu = 0.2, .disk = 0.95}, 0.9), "disk");
    assert_string_equal(refusal(&(struct admit_load){.cpu = 0.61}, ADMIT_AMBER), "processor");
    assert_string_equal(refusal(&full, 0), "");
}

static void odd_clocks_and_shares_do_no_harm(void **state)
{
    (void)state;
    struct admit_load average = {.engine = 0.5};
    const struct admit_load odd = {.engine = 7, .queue = -3, .cpu = 1};
    admit_smooth(&average, &odd, 0);
    admit_smooth(&average, &odd, -5);
    assert_true(average.engine == 0.5);
    admit_smooth(&average, &odd, 1000000000);
    assert_true(average.engine <= 1 && average.queue == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_refuses_nobody_and_what_lasts_does),
        cmocka_unit_test(the_busiest_is_named),
        cmocka_unit_test(odd_clocks_and_shares_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
