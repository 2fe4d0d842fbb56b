/* test_plan_owner.c - pausing, finishing, leaving, and what survives a restart: client/plan/plan.h */
#include "lib/t.h"

#include "lib/plan_host.h"

/* --- what the owner says */

static void paused_nothing_runs_and_nothing_is_asked_for(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    lease(1, h.now_ms + 24 * HOUR_MS);
    tell((struct plan_event){.kind = PLAN_PAUSE});
    assert_int_equal(said(PLAN_DO_PAUSE), 1);
    fetched(1, 400, 0);
    assert_int_equal(h.out.count, 0);
    h.p.ask_ms = 0;
    tick_after(usual.heartbeat_ms);
    assert_int_equal(action(PLAN_DO_CONTACT)->want_units, 0);
    contacted(0);
    tell((struct plan_event){.kind = PLAN_RESUME});
    assert_int_equal(said(PLAN_DO_CONTINUE), 1);
    assert_int_equal(action(PLAN_DO_RUN)->job, 1);
}

static void a_pause_for_a_while_ends_by_itself(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    tell((struct plan_event){.kind = PLAN_PAUSE, .until_ms = h.now_ms + 5000});
    assert_int_equal(h.out.wake_ms, h.now_ms + 5000);
    tick_after(4999);
    assert_int_equal(said(PLAN_DO_CONTINUE), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTINUE), 1);
}

static void finishing_gives_back_what_has_not_begun_and_ends_after_the_last_ack(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    lease(1, h.now_ms + HOUR_MS);
    tick_after(2000);
    tell((struct plan_event){.kind = PLAN_FINISH});
    assert_string_equal(action(PLAN_DO_GIVE_UP)->word, "returned");
    assert_int_equal(said(PLAN_DO_STOP), 0);
    assert_int_equal(action(PLAN_DO_CONTACT)->want_units, 0);
    acked(1, ERR_OK);
    contacted(0);
    ended(0, false);
    assert_int_equal(said(PLAN_DO_EXIT), 0);
    tick_after(1000);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    acked(0, ERR_OK);
    contacted(0);
    assert_int_equal(said(PLAN_DO_EXIT), 1);
}

static void finishing_a_server_that_is_away_keeps_nobody(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    tell((struct plan_event){.kind = PLAN_FINISH});
    ended(0, false);
    for (int i = 0; i < 3; i++) {
        tick_after(20000);
        assert_int_equal(said(PLAN_DO_CONTACT), 1);
        tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_UNREACHABLE, .random = 5000});
        assert_int_equal(said(PLAN_DO_EXIT), i == 2);
    }
    assert_int_equal(h.p.jobs[0].state, PLAN_REPORTABLE); /* it is told after the next start */
}

static void finishing_can_be_taken_back(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    tell((struct plan_event){.kind = PLAN_FINISH});
    tell((struct plan_event){.kind = PLAN_RESUME});
    tick_after(HOUR_MS);
    assert_true(action(PLAN_DO_CONTACT)->want_units > 0);
}

static void leaving_hands_over_what_is_finished_gives_back_the_rest_and_says_goodbye(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    lease_and_run(1);
    ended(1, true);
    lease(2, h.now_ms + HOUR_MS);
    tick_after(2000);
    tell((struct plan_event){.kind = PLAN_LEAVE});
    assert_int_equal(action(PLAN_DO_STOP)->job, 0);
    assert_int_equal(action(PLAN_DO_FORGET)->job, 2);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    ended(0, false);
    tell((struct plan_event){.kind = PLAN_UPLOADED, .job = 1});
    assert_true(action(PLAN_DO_CONTACT)->leaving);
    acked(1, ERR_OK);
    contacted(0);
    assert_true(h.p.left);
    assert_int_equal(said(PLAN_DO_EXIT), 1);
}

static void whom_the_project_does_not_know_has_left_when_it_says_so(void **state)
{
    (void)state;
    move_in(&usual);
    tell((struct plan_event){.kind = PLAN_LEAVE});
    assert_true(action(PLAN_DO_CONTACT)->leaving);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_UNREACHABLE, .random = 5000});
    assert_false(h.p.left);
    tick_after(HOUR_MS);
    assert_true(action(PLAN_DO_CONTACT)->leaving);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_AUTH, .random = 5000});
    assert_true(h.p.left);
    assert_int_equal(said(PLAN_DO_EXIT), 1);
}

static void halting_nothing_is_begun_and_the_end_comes_with_the_last_run(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    lease(1, h.now_ms + HOUR_MS);
    fetched(1, 400, 0);
    lease(2, h.now_ms + HOUR_MS);
    fetched(2, 400, 0);
    tick_after(HOUR_MS); /* a contact is under way */
    tell((struct plan_event){.kind = PLAN_HALT});
    assert_int_equal(h.out.count, 0);
    tell((struct plan_event){.kind = PLAN_START_PUT_OFF, .job = 0}); /* it kept what it had */
    assert_int_equal(h.out.count, 0);
    tell((struct plan_event){.kind = PLAN_RESUME}); /* too late */
    ended(1, true);
    assert_int_equal(said(PLAN_DO_UPLOAD), 0);
    assert_int_equal(h.out.count, 1);
    assert_int_equal(said(PLAN_DO_EXIT), 1);
}

static void halting_with_nothing_running_is_the_end(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    tell((struct plan_event){.kind = PLAN_HALT});
    assert_int_equal(said(PLAN_DO_EXIT), 1);
}

/* --- a restart */

static void after_a_restart_what_is_finished_is_told_at_once(void **state)
{
    (void)state;
    move_in(&usual);
    struct plan_event small = {.kind = PLAN_RESTORED, .job = 0, .now_ms = h.now_ms},
                      large = {.kind = PLAN_RESTORED, .job = 1, .now_ms = h.now_ms, .uploads = true},
                      broken_off = {.kind = PLAN_LEASED, .job = 2, .now_ms = h.now_ms};
    broken_off.deadline_ms = h.now_ms + HOUR_MS;
    plan_add(&h.p, &small);
    plan_add(&h.p, &large);
    plan_add(&h.p, &broken_off);
    tick_after(0);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    assert_int_equal(action(PLAN_DO_UPLOAD)->job, 1);
    assert_int_equal(action(PLAN_DO_FETCH)->job, 2);
}

static void more_than_fits_into_one_step_goes_on_in_the_next(void **state)
{
    (void)state;
    move_in(&usual);
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        struct plan_event ev = {.kind = PLAN_LEASED, .job = i, .now_ms = h.now_ms, .deadline_ms = h.now_ms};
        assert_int_equal(plan_place(&h.p), i);
        plan_add(&h.p, &ev);
    }
    assert_int_equal(plan_place(&h.p), PLAN_JOBS_MAX);
    uint32_t forgotten = 0, steps = 0;
    tell((struct plan_event){.kind = PLAN_LEAVE});
    for (; h.out.wake_ms == h.now_ms && said(PLAN_DO_CONTACT) == 0; steps++) {
        forgotten += said(PLAN_DO_FORGET);
        tick_after(0);
    }
    assert_int_equal(forgotten + said(PLAN_DO_FORGET), PLAN_JOBS_MAX);
    assert_true(action(PLAN_DO_CONTACT)->leaving);
    assert_in_range(steps, PLAN_JOBS_MAX / PLAN_ACTIONS_MAX, PLAN_JOBS_MAX / PLAN_ACTIONS_MAX + 2);
    assert_int_equal(h.p.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paused_nothing_runs_and_nothing_is_asked_for),
        cmocka_unit_test(a_pause_for_a_while_ends_by_itself),
        cmocka_unit_test(finishing_gives_back_what_has_not_begun_and_ends_after_the_last_ack),
        cmocka_unit_test(finishing_a_server_that_is_away_keeps_nobody),
        cmocka_unit_test(finishing_can_be_taken_back),
        cmocka_unit_test(leaving_hands_over_what_is_finished_gives_back_the_rest_and_says_goodbye),
        cmocka_unit_test(whom_the_project_does_not_know_has_left_when_it_says_so),
        cmocka_unit_test(halting_nothing_is_begun_and_the_end_comes_with_the_last_run),
        cmocka_unit_test(halting_with_nothing_running_is_the_end),
        cmocka_unit_test(after_a_restart_what_is_finished_is_told_at_once),
        cmocka_unit_test(more_than_fits_into_one_step_goes_on_in_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
