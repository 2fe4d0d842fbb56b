#include "lib/t.h"

#include "lib/wu_make.h"
#include "rules/pick.h"

static void the_order_is_priority_then_batch_then_issued_again_then_index(void **state)
{
    (void)state;
    const struct pick_item order[] = {
        {.priority = 9, .id = wu_id_make(8, 0)},
        {.priority = 0, .again = true, .id = wu_id_make(2, 70)},
        {.priority = 0, .id = wu_id_make(2, 5)},
        {.priority = 0, .id = wu_id_make(2, 6)},
        {.priority = 0, .again = true, .id = wu_id_make(3, 1)},
        {.priority = -1, .id = wu_id_make(1, 0)},
    };
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 6; j++) {
            int c = pick_compare(&order[i], &order[j]);
            assert_true(i < j ? c < 0 : i > j ? c > 0 : c == 0);
        }
}

static const struct pick_tail tail = {
    .now_ms = 900, .queued = 0, .asking = 3, .typical_ms = 300, .spares_max = PICK_SPARES_MAX_DEFAULT};

static void a_unit_that_holds_up_its_batch_gets_a_spare_when_hosts_ask_and_nothing_else_is_left(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 0); /* it waits to be sent anyway */
    lease(&wu, 0, 100);
    lease(&wu, 1, 200);
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 500);
    does(&wu, (struct wu_event){.kind = WU_EV_SPARE});
    lease(&wu, 2, 900);
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 0); /* one spare is enough */
}

static void no_spare_while_there_is_work_or_nobody_asks_or_the_host_is_within_its_time(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    lease(&wu, 0, 700);
    struct pick_tail t = tail;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 0);
    t.now_ms = 1001;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 1);
    t.queued = 3;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 0);
    t = tail, t.now_ms = 2000, t.spares_max = 0;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 0);
    t = tail, t.now_ms = 2000, t.typical_ms = 0;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 0);
    does(&wu, report_of(0, 'a'));
    t = tail, t.now_ms = 5000;
    assert_int_equal(pick_tail_wait_ms(&wu, &t), 0);
}

static void what_the_quorum_lacks_is_no_spare(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    lease(&wu, 1, 100);
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 500);
    does(&wu, (struct wu_event){.kind = WU_EV_SPARE});
    lease(&wu, 2, 100);
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 0);
    does(&wu, report_of(2, 'b')); /* they disagree: the one that is out is needed, a second spare may go */
    assert_int_equal(pick_tail_wait_ms(&wu, &tail), 500);
}

static void a_host_is_given_half_its_fair_share_but_enough_for_its_cores(void **state)
{
    (void)state;
    assert_int_equal(pick_share(1000, 10, 4), 50);
    assert_int_equal(pick_share(1000, 1, 4), 500);
    assert_int_equal(pick_share(60, 10, 4), 4);
    assert_int_equal(pick_share(0, 10, 4), 4);
    assert_int_equal(pick_share(7, 0, 0), 3);
    assert_int_equal(pick_share(0, 0, 0), 1);
    assert_int_equal(pick_share(UINT64_MAX, 1, 4), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_given_half_its_fair_share_but_enough_for_its_cores),
        cmocka_unit_test(the_order_is_priority_then_batch_then_issued_again_then_index),
        cmocka_unit_test(a_unit_that_holds_up_its_batch_gets_a_spare_when_hosts_ask_and_nothing_else_is_left),
        cmocka_unit_test(no_spare_while_there_is_work_or_nobody_asks_or_the_host_is_within_its_time),
        cmocka_unit_test(what_the_quorum_lacks_is_no_spare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
