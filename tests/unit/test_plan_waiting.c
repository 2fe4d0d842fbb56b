/* test_plan_waiting.c - contacts that the server keeps until it has work: client/plan/plan.h */
#include "lib/t.h"

#include "base/limits.h"
#include "lib/plan_host.h"

enum { WAIT_MS = 30000 };

/* The server has nothing, and says that the next contact may wait. */
static void told_to_wait(void)
{
    tell((struct plan_event){.kind = PLAN_HEARD});
    tell((struct plan_event){.kind = PLAN_CONTACTED, .next_contact_ms = 5000, .wait_ms = WAIT_MS});
}

static void move_in_and_wait(void)
{
    move_in(&usual);
    tick_after(0);
    told_to_wait();
    tick_after(250);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    assert_true(h.p.waiting);
}

static void fail_the_contact(enum err err)
{
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = err, .random = 1});
}

static void who_has_nothing_waits_at_the_server_that_lets_it_and_asks_for_as_much_as_ever(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms,
                     0); /* nobody has said that the server knows the word */
    told_to_wait();
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(h.out.wake_ms - h.now_ms);
    const struct plan_action *a = action(PLAN_DO_CONTACT);
    assert_int_equal(a->wait_ms, WAIT_MS);
    assert_int_equal(a->want_units, LEASES_PER_REQUEST_MAX);
    assert_int_equal(a->want_cores, 2);
    tick_after(WAIT_MS);
    assert_int_equal(h.out.count, 0);
    told_to_wait(); /* for nothing: the next one follows at once */
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    contacted(5000); /* the server takes no more of them: as ever */
    assert_int_equal(h.out.wake_ms, h.now_ms + 5000);
    tick_after(5000);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
}

static void what_a_wait_brings_is_begun_and_nothing_else_is_said_meanwhile(void **state)
{
    (void)state;
    move_in_and_wait();
    tick_after(9000);
    tell((struct plan_event){.kind = PLAN_HEARD});
    lease(0, h.now_ms + HOUR_MS);
    assert_int_equal(said(PLAN_DO_FETCH), 1);
    assert_int_equal(said(PLAN_DO_HANG_UP), 0);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    contacted(MINUTE_MS);
    fetched(0, 400, 0);
    assert_int_equal(said(PLAN_DO_RUN), 1);
}

/* What happens while it waits, and whether there is something to say at once then. */
static void who_has_another_thing_to_say_hangs_up_and_says_it(void **state)
{
    (void)state;
    static const struct plan_settings fewer = {
        .cores = 1, .buffer_ms = MINUTE_MS, .heartbeat_ms = HOUR_MS, .refresh_ms = 24 * HOUR_MS};
    static const struct {
        struct plan_event ev;
        bool hangs_up, asks;
    } cases[] = {
        {{.kind = PLAN_TICK}, false, false},
        {{.kind = PLAN_POLICY, .cores = 1}, false, false},
        {{.kind = PLAN_PAUSE}, true, false},
        {{.kind = PLAN_POLICY, .cores = 0}, true, false},
        {{.kind = PLAN_POLICY, .cores = 2, .offline = true}, true, false},
        {{.kind = PLAN_FINISH}, true, false},
        {{.kind = PLAN_LEAVE}, true, true},
        {{.kind = PLAN_HALT}, true, false},
        {{.kind = PLAN_SETTINGS, .settings = &fewer}, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        move_in_and_wait();
        h.now_ms += 4000;
        tell(cases[i].ev);
        if (said(PLAN_DO_HANG_UP) != cases[i].hangs_up || said(PLAN_DO_CONTACT) != cases[i].asks)
            fail_msg("case %zu: hangs up %u times, asks %u times", i, said(PLAN_DO_HANG_UP),
                     said(PLAN_DO_CONTACT));
        assert_int_equal(h.p.waiting, !cases[i].hangs_up || cases[i].ev.kind == PLAN_SETTINGS);
        if (cases[i].ev.kind == PLAN_FINISH || cases[i].ev.kind == PLAN_HALT)
            assert_int_equal(said(PLAN_DO_EXIT), 1);
        if (cases[i].ev.kind == PLAN_LEAVE)
            assert_true(action(PLAN_DO_CONTACT)->leaving);
        if (said(PLAN_DO_CONTACT) && said(PLAN_DO_HANG_UP))
            assert_true(action(PLAN_DO_HANG_UP) < action(PLAN_DO_CONTACT));
    }
}

static void who_resumes_waits_again(void **state)
{
    (void)state;
    move_in_and_wait();
    tell((struct plan_event){.kind = PLAN_PAUSE});
    tick_after(MINUTE_MS);
    assert_int_equal(h.out.count, 0);
    tell((struct plan_event){.kind = PLAN_RESUME});
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
}

/* Two cores, one of them busy for as long as is thought. */
static void move_in_and_wait_with_a_run(double seconds)
{
    move_in(&usual);
    tick_after(0);
    tell((struct plan_event){.kind = PLAN_HEARD});
    lease(0, h.now_ms + 24 * HOUR_MS);
    contacted(0);
    fetched(0, seconds, 0);
    tick_after(1000);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
    told_to_wait();
    tick_after(250);
}

static void an_idle_core_waits_beside_a_long_run_whose_end_is_told_at_once(void **state)
{
    (void)state;
    move_in_and_wait_with_a_run(400);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    h.now_ms += 5000;
    ended(0, false);
    assert_int_equal(said(PLAN_DO_HANG_UP), 1);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
    move_in_and_wait_with_a_run(400);
    h.now_ms += 5000;
    ended(0, true); /* with files to send first */
    assert_int_equal(said(PLAN_DO_HANG_UP), 1);
    assert_int_equal(said(PLAN_DO_UPLOAD), 1);
}

static void who_was_given_one_unit_for_two_cores_waits_for_another_while_it_runs(void **state)
{
    (void)state;
    move_in_and_wait();
    tell((struct plan_event){.kind = PLAN_HEARD});
    lease(0, h.now_ms + 24 * HOUR_MS);
    tell((struct plan_event){.kind = PLAN_CONTACTED, .next_contact_ms = MINUTE_MS, .wait_ms = WAIT_MS});
    tick_after(1000);
    assert_int_equal(said(PLAN_DO_CONTACT), 0); /* its files are being fetched */
    fetched(0, 400, 0);
    assert_int_equal(said(PLAN_DO_RUN), 1);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    assert_int_equal(action(PLAN_DO_CONTACT)->want_cores, 1);
}

static void nobody_waits_when_a_run_is_about_to_end(void **state)
{
    (void)state;
    move_in_and_wait_with_a_run(8);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(5000);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
}

static void who_is_cut_off_twice_does_not_wait_for_ten_minutes(void **state)
{
    (void)state;
    move_in_and_wait();
    for (int i = 0; i < 2; i++) {
        h.now_ms += 20000;
        fail_the_contact(ERR_UNREACHABLE);
        tick_after(10000);
        assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
        told_to_wait();
        tick_after(250);
        assert_int_equal(said(PLAN_DO_CONTACT), i == 0);
    }
    tick_after(5000);
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
    h.now_ms += 10 * MINUTE_MS;
    told_to_wait();
    assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
}

static void one_wait_that_went_well_forgives_one_that_did_not(void **state)
{
    (void)state;
    move_in_and_wait();
    for (int i = 0; i < 6; i++) {
        fail_the_contact(ERR_TIMEOUT);
        tick_after(10000);
        told_to_wait();
        tick_after(250);
        assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
        tick_after(WAIT_MS);
        told_to_wait();
        assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    }
}

static void a_server_that_is_busy_is_left_alone_as_long_as_it_says_and_waited_at_afterwards(void **state)
{
    (void)state;
    move_in_and_wait();
    for (int i = 0; i < 4; i++) {
        tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_BUSY, .retry_after_ms = 60000});
        tick_after(59999);
        assert_int_equal(said(PLAN_DO_CONTACT), 0);
        tick_after(3600000);
        assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, 0);
        told_to_wait();
        tick_after(250);
        assert_int_equal(action(PLAN_DO_CONTACT)->wait_ms, WAIT_MS);
    }
}

/* A few quick contacts for who was quiet, one in a second for who is not. */
static void short_runs_are_told_at_once_but_once_in_a_second_in_the_long_run(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    tell((struct plan_event){.kind = PLAN_HEARD});
    int64_t begun_ms = h.now_ms;
    int contacts = 1, quick = 1;
    while (h.now_ms - begun_ms < 60000) {
        lease(0, h.now_ms + HOUR_MS);
        contacted(5000);
        fetched(0, 0.05, 0);
        h.now_ms += 50;
        ended(0, false);
        while (said(PLAN_DO_CONTACT) == 0)
            tick_after(h.out.wake_ms - h.now_ms);
        contacts++;
        quick += h.now_ms - begun_ms < 1000;
        tell((struct plan_event){.kind = PLAN_HEARD});
        acked(0, ERR_OK);
    }
    assert_in_range(quick, 3, 6);
    assert_in_range(contacts, 60, 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_nothing_waits_at_the_server_that_lets_it_and_asks_for_as_much_as_ever),
        cmocka_unit_test(what_a_wait_brings_is_begun_and_nothing_else_is_said_meanwhile),
        cmocka_unit_test(who_has_another_thing_to_say_hangs_up_and_says_it),
        cmocka_unit_test(who_resumes_waits_again),
        cmocka_unit_test(an_idle_core_waits_beside_a_long_run_whose_end_is_told_at_once),
        cmocka_unit_test(who_was_given_one_unit_for_two_cores_waits_for_another_while_it_runs),
        cmocka_unit_test(nobody_waits_when_a_run_is_about_to_end),
        cmocka_unit_test(who_is_cut_off_twice_does_not_wait_for_ten_minutes),
        cmocka_unit_test(one_wait_that_went_well_forgives_one_that_did_not),
        cmocka_unit_test(a_server_that_is_busy_is_left_alone_as_long_as_it_says_and_waited_at_afterwards),
        cmocka_unit_test(short_runs_are_told_at_once_but_once_in_a_second_in_the_long_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
