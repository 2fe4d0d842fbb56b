#include "lib/t.h"

#include "rules/graph.h"

static void check_tree(uint32_t total, uint32_t fan_in)
{
    static uint8_t taken[4096];
    uint32_t units = graph_units(total, fan_in), sources = 0;
    assert_true(units < sizeof taken);
    for (uint32_t i = 0; i < units; i++)
        taken[i] = 0;
    for (uint32_t i = 0; i < units; i++) {
        struct graph_group g = graph_group(total, fan_in, i);
        assert_true(g.count > 0 && g.count <= fan_in);
        assert_int_equal(g.last, i == units - 1);
        if (g.level == 0) {
            assert_int_equal(g.first, sources); /* in order, without holes */
            sources += g.count;
            continue;
        }
        assert_true(g.first + g.count <= i); /* what it needs is made before it */
        for (uint32_t k = 0; k < g.count; k++)
            taken[g.first + k]++;
    }
    assert_int_equal(sources, total);
    for (uint32_t i = 0; i + 1 < units; i++)
        assert_int_equal(taken[i], 1);
}

static void every_answer_is_taken_once_and_in_order_and_one_unit_is_left(void **state)
{
    (void)state;
    for (uint32_t total = 1; total < 300; total++)
        for (uint32_t fan_in = GRAPH_FAN_IN_MIN; fan_in < 20; fan_in++)
            check_tree(total, fan_in);
    check_tree(2000, 2);
}

static void no_answers_need_no_units_and_one_needs_one(void **state)
{
    (void)state;
    assert_int_equal(graph_units(0, 2), 0);
    assert_int_equal(graph_units(1, 2), 1);
    assert_int_equal(graph_units(64, 64), 1);
    assert_int_equal(graph_units(65, 64), 3);
    assert_int_equal(graph_units(20000000, 2) > 19999999u, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_taken_once_and_in_order_and_one_unit_is_left),
        cmocka_unit_test(no_answers_need_no_units_and_one_needs_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
