/* Attempts that are put off after failures of one cause, units that give up early, answers taken from an
 * earlier unit. */
#include "lib/t.h"

#include "lib/wu_make.h"
#include "rules/wu_codec.h"
#include "rules/wu_history.h"

static struct wu_rules patient(enum wu_cause cause, uint32_t wait_s)
{
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.errors_max = 6;
    r.retry[cause].wait_s = wait_s;
    return r;
}

static int64_t fail_at(struct wu *wu, uint32_t attempt, enum attempt_error error, int64_t now_ms)
{
    struct wu_event ev = error_of(attempt, error);
    lease(wu, attempt, now_ms);
    ev.now_ms = now_ms;
    does(wu, ev);
    return wu->rest_until_ms - now_ms;
}

static void tick(struct wu *wu, int64_t now_ms)
{
    does(wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = now_ms});
}

static void after_a_failure_of_its_cause_the_next_attempt_is_made_when_the_wait_is_over(void **state)
{
    (void)state;
    struct wu wu = wu_with(patient(WU_CAUSE_PROGRAM, 60));
    int64_t wait_ms = fail_at(&wu, 0, ATTEMPT_ERROR_EXIT, 1000);
    assert_true(wait_ms >= 60000 && wait_ms <= 75000);
    assert_int_equal(wu_unsent(&wu), 0);
    assert_int_equal(wu.wake_at_ms, 1000 + wait_ms);
    refuses(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = wait_ms + 999}, ERR_STALE);
    tick(&wu, wait_ms + 1000);
    assert_int_equal(wu_unsent(&wu), 1);
    assert_int_equal(wu.rest_until_ms, 0);
}

static void the_wait_doubles_with_each_failure_up_to_a_day(void **state)
{
    (void)state;
    struct wu wu = wu_with(patient(WU_CAUSE_HOST, 36000));
    int64_t now_ms = 0, waits[3];
    for (uint32_t i = 0; i < 3; i++) {
        waits[i] = fail_at(&wu, i, ATTEMPT_ERROR_DOWNLOAD, now_ms);
        now_ms = wu.rest_until_ms;
        tick(&wu, now_ms);
    }
    assert_true(waits[0] >= 36000000 && waits[0] <= 45000000);
    assert_true(waits[1] >= 72000000 && waits[1] <= 90000000);
    assert_true(waits[2] >= WU_REST_MS_MAX && waits[2] <= WU_REST_MS_MAX / 4 * 5);
}

static void a_failure_of_another_cause_is_tried_again_at_once(void **state)
{
    (void)state;
    struct wu wu = wu_with(patient(WU_CAUSE_PROGRAM, 60));
    fail_at(&wu, 0, ATTEMPT_ERROR_MEMORY, 1000);
    assert_int_equal(wu_unsent(&wu), 1);
    assert_int_equal(wu.rest_until_ms, 0);
    lease(&wu, 1, 2000);
    tick(&wu, 2000 + LEASE_MS);
    assert_int_equal(wu_unsent(&wu), 1);
}

static void units_that_failed_together_do_not_come_back_together(void **state)
{
    (void)state;
    int64_t first_ms = 0;
    bool differ = false;
    for (uint32_t i = 0; i < 8; i++) {
        struct wu wu = {.id = wu_id_make(7, i), .rules = patient(WU_CAUSE_PROGRAM, 60)};
        does(&wu, (struct wu_event){.kind = WU_EV_SUBMIT});
        int64_t wait_ms = fail_at(&wu, 0, ATTEMPT_ERROR_EXIT, 1000);
        differ |= i > 0 && wait_ms != first_ms;
        first_ms = i ? first_ms : wait_ms;
    }
    assert_true(differ);
}

static void a_deadline_that_passed_is_nothing_came_back(void **state)
{
    (void)state;
    struct wu wu = wu_with(patient(WU_CAUSE_LOST, 10));
    lease(&wu, 0, 0);
    tick(&wu, LEASE_MS);
    assert_int_equal(wu_unsent(&wu), 0);
    does(&wu, report_of(0, 'a')); /* late, and as welcome as ever */
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.rest_until_ms, 0);
    assert_int_equal(wu.wake_at_ms, INT64_MAX);
}

static void an_answer_that_is_none_is_a_cause_of_its_own(void **state)
{
    (void)state;
    struct wu_rules r = patient(WU_CAUSE_WRONG, 10);
    r.compare = WU_COMPARE_CHECK;
    struct wu wu = wu_with(r);
    lease_and_report(&wu, 0, 'a');
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {WU_GROUP_UNUSABLE}, .now_ms = 700});
    assert_int_equal(wu_unsent(&wu), 0);
    assert_true(wu.rest_until_ms >= 10700);
}

static void what_is_the_same_on_every_host_need_not_be_tried_everywhere(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.retry[WU_CAUSE_LIMIT] = (struct wu_retry){.most = 1, .has_most = true};
    struct wu wu = wu_with(r);
    fail_at(&wu, 0, ATTEMPT_ERROR_MEMORY, 0);
    assert_int_equal(wu.state, WU_OPEN);
    fail_at(&wu, 1, ATTEMPT_ERROR_EXIT, 0);
    assert_int_equal(wu.state, WU_OPEN);
    fail_at(&wu, 2, ATTEMPT_ERROR_CPU_TIME, 0);
    assert_int_equal(wu.state, WU_FAILED);
    assert_int_equal(wu.failure, WU_FAILURE_ERRORS);
}

static void a_retry_begins_without_a_wait(void **state)
{
    (void)state;
    struct wu_rules r = patient(WU_CAUSE_PROGRAM, 60);
    r.errors_max = 0;
    struct wu wu = wu_with(r);
    fail_at(&wu, 0, ATTEMPT_ERROR_EXIT, 0);
    assert_int_equal(wu.state, WU_FAILED);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    does(&wu, (struct wu_event){.kind = WU_EV_RETRY});
    assert_int_equal(wu_unsent(&wu), 1);
}

static struct wu_event take_of(uint8_t answer)
{
    return (struct wu_event){
        .kind = WU_EV_TAKE, .answer = answer_of(answer), .source = wu_id_make(3, 9), .now_ms = 40};
}

static void an_answer_of_an_earlier_unit_is_taken_without_any_attempt(void **state)
{
    (void)state;
    struct wu wu = wu_of(3, WU_COMPARE_DIGEST);
    struct wu_effects fx = does(&wu, take_of('a'));
    assert_int_equal(fx.count, 1);
    assert_int_equal(fx.list[0].kind, WU_FX_DELIVER); /* nobody gets credit for it */
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_true(wu_is_taken(&wu));
    struct digest wanted = answer_of('a');
    assert_true(digest_eq(&wu.attempts[wu.canonical].answer, &wanted));
    assert_int_equal(wu_unsent(&wu), 0);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    does(&wu, (struct wu_event){.kind = WU_EV_PURGE});
}

static void a_unit_that_is_out_takes_no_answer(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    refuses(&wu, take_of('a'), ERR_STALE);
    struct wu fresh = wu_of(2, WU_COMPARE_DIGEST);
    refuses(&fresh, take_of(0), ERR_INVALID);
}

static void the_history_says_where_an_answer_was_taken_from(void **state)
{
    (void)state;
    char line[WU_HISTORY_BYTES_MAX];
    struct wu_event ev = take_of('a'), back;
    size_t len = wu_history_write(&ev, 0, line);
    assert_ok(wu_history_read(line, len, 0, &back));
    assert_int_equal(back.source, ev.source);
    assert_memory_equal(&back, &ev, sizeof ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_failure_of_its_cause_the_next_attempt_is_made_when_the_wait_is_over),
        cmocka_unit_test(the_wait_doubles_with_each_failure_up_to_a_day),
        cmocka_unit_test(a_failure_of_another_cause_is_tried_again_at_once),
        cmocka_unit_test(units_that_failed_together_do_not_come_back_together),
        cmocka_unit_test(a_deadline_that_passed_is_nothing_came_back),
        cmocka_unit_test(an_answer_that_is_none_is_a_cause_of_its_own),
        cmocka_unit_test(what_is_the_same_on_every_host_need_not_be_tried_everywhere),
        cmocka_unit_test(a_retry_begins_without_a_wait),
        cmocka_unit_test(an_answer_of_an_earlier_unit_is_taken_without_any_attempt),
        cmocka_unit_test(a_unit_that_is_out_takes_no_answer),
        cmocka_unit_test(the_history_says_where_an_answer_was_taken_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
