#include "lib/t.h"

#include "lib/wu_make.h"

#define HOLD_MS 5000

static struct wu escrowed(enum wu_compare compare)
{
    struct wu_rules r = rules_of(1, compare);
    r.escrow = WU_ESCROW_ALL;
    r.hold_ms = HOLD_MS;
    r.attempts_max = 12;
    return wu_with(r);
}

static const struct wu_event audit = {.kind = WU_EV_AUDIT, .count = 3, .now_ms = 600};

/* The auditor reports, and the judge finds that it agrees with the answer that stands (of attempt 0), or that
 * one of the two is wrong. */
enum finding { AGREES, AUDITOR_WRONG, ANSWER_WRONG };

static struct wu_effects judged(struct wu *wu, uint32_t attempt, enum finding f)
{
    struct wu_event ev = {.kind = WU_EV_JUDGED, .groups = {f == ANSWER_WRONG ? WU_GROUP_UNUSABLE : 1}};
    ev.groups[attempt] = f == AGREES ? 1 : f == ANSWER_WRONG ? 2 : WU_GROUP_UNUSABLE;
    return does(wu, ev);
}

static struct wu_effects audited(struct wu *wu, uint32_t attempt, enum finding f)
{
    struct wu_effects fx = does(wu, report_of(attempt, (uint8_t)('p' + attempt)));
    assert_true(fx.count == 1 && owes(&fx, WU_FX_JUDGE, attempt));
    return judged(wu, attempt, f);
}

static struct wu standing(void)
{
    struct wu wu = escrowed(WU_COMPARE_DIGEST);
    struct wu_effects fx = lease_and_report(&wu, 0, 'a');
    assert_int_equal(wu.state, WU_PROVISIONAL);
    assert_true(fx.count == 1 && owes(&fx, WU_FX_ESCROW, 0));
    return wu;
}

static struct wu under_audit(void)
{
    struct wu wu = standing();
    does(&wu, audit);
    for (uint32_t i = 1; i <= 3; i++)
        lease(&wu, i, 600);
    return wu;
}

static void an_answer_in_escrow_is_neither_credited_nor_delivered_until_it_is_final(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    assert_int_equal(wu.attempts[0].state, ATTEMPT_REPORTED);
    struct wu_effects fx = {0};
    for (uint32_t i = 1; i <= 3; i++) {
        refuses(&wu, (struct wu_event){.kind = WU_EV_FINAL}, ERR_CONFLICT);
        fx = audited(&wu, i, AGREES);
        assert_true(owes(&fx, WU_FX_CREDIT, i));
        assert_int_equal(owed(&fx, WU_FX_PASSED), i == 3);
    }
    fx = does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_true(fx.count == 2 && owes(&fx, WU_FX_CREDIT, 0) && owes(&fx, WU_FX_DELIVER, 0));
    refuses(&wu, (struct wu_event){.kind = WU_EV_VOID}, ERR_STALE); /* final is final */
}

static void an_answer_that_nobody_audits_may_become_final_too(void **state)
{
    (void)state;
    struct wu wu = standing();
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    assert_true(owes(&fx, WU_FX_DELIVER, 0));
}

static void an_audit_is_drawn_once(void **state)
{
    (void)state;
    struct wu wu = standing();
    does(&wu, audit);
    assert_int_equal(wu_unsent(&wu), 3);
    assert_true(wu.attempts[2].audit);
    refuses(&wu, audit, ERR_STALE);
    struct wu_event bad = audit;
    bad.count = 0;
    refuses(&wu, bad, ERR_INVALID);
    struct wu other = standing();
    bad = audit, bad.count = 12;
    refuses(&other, bad, ERR_LIMIT);
}

static void the_host_and_its_owner_do_not_audit_themselves(void **state)
{
    (void)state;
    struct wu wu = standing();
    does(&wu, audit);
    struct wu_event self = {.kind = WU_EV_LEASE, .attempt = 1, .host_id = 10, .owner_id = 999};
    refuses(&wu, self, ERR_DENIED);
    self.host_id = 999, self.owner_id = 100;
    refuses(&wu, self, ERR_DENIED);
    lease(&wu, 1, 0);
    self = (struct wu_event){.kind = WU_EV_LEASE, .attempt = 2, .host_id = 11, .owner_id = 500};
    refuses(&wu, self, ERR_DENIED); /* nor one host twice */
}

static void an_audit_is_reported_by_its_host_and_is_no_answer(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    struct wu_event e = report_of(1, 'z');
    e.host_id = 12;
    refuses(&wu, e, ERR_DENIED);
    refuses(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 1}}, ERR_STALE);
    does(&wu, report_of(1, 'z'));
    assert_int_equal(wu.state, WU_PROVISIONAL);
    assert_int_equal(wu.needed, 1);
    refuses(&wu, report_of(1, 'z'), ERR_STALE);
    refuses(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {0, 1}}, ERR_INVALID);
}

static void an_audit_whose_answer_stands_no_more_is_stale(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    does(&wu, (struct wu_event){.kind = WU_EV_VOID});
    refuses(&wu, report_of(1, 'z'), ERR_STALE);
}

static void a_wrong_answer_is_run_again(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    audited(&wu, 1, AGREES);
    does(&wu, report_of(2, 'z'));
    refuses(&wu, (struct wu_event){.kind = WU_EV_FINAL}, ERR_CONFLICT);
    struct wu_effects fx = judged(&wu, 2, ANSWER_WRONG);
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu.attempts[0].state, ATTEMPT_INVALID);
    assert_true(owes(&fx, WU_FX_BLAME, 0) && owes(&fx, WU_FX_CREDIT, 2) && owes(&fx, WU_FX_RECALL, 3));
    assert_int_equal(wu_unsent(&wu), 1);
    refuses(&wu, report_of(3, 'z'), ERR_STALE);
    fx = lease_and_report(&wu, 4, 'b');
    assert_true(owes(&fx, WU_FX_ESCROW, 4));
}

static void an_auditor_that_contradicts_the_truth_is_blamed_and_replaced(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    struct wu_effects fx = audited(&wu, 1, AUDITOR_WRONG);
    assert_true(fx.count == 1 && owes(&fx, WU_FX_BLAME, 1));
    assert_int_equal(wu.state, WU_PROVISIONAL);
    assert_int_equal(wu_unsent(&wu), 1);
    assert_true(wu.attempts[4].audit);
}

static void an_auditor_that_vanishes_or_fails_is_replaced_and_may_still_come_late(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    does(&wu, error_of(3, ATTEMPT_ERROR_EXIT));
    assert_int_equal(wu_unsent(&wu), 1);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 600 + LEASE_MS});
    assert_int_equal(owed(&fx, WU_FX_EXPIRED), 2);
    assert_int_equal(wu_unsent(&wu), 3);
    audited(&wu, 1, AGREES);
    assert_int_equal(wu_unsent(&wu), 2);
    audited(&wu, 2, AGREES);
    assert_int_equal(wu_unsent(&wu), 1);
}

static void a_late_auditor_and_its_substitute_that_are_judged_together_pass_the_answer_once(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    audited(&wu, 1, AGREES);
    audited(&wu, 2, AGREES);
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 600 + LEASE_MS});
    assert_int_equal(wu_unsent(&wu), 1);
    lease(&wu, 4, 700);
    does(&wu, report_of(3, 'p'));
    does(&wu, report_of(4, 'p'));
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 0, 0, 1, 1}});
    assert_true(owes(&fx, WU_FX_CREDIT, 3) && owes(&fx, WU_FX_CREDIT, 4));
    assert_int_equal(owed(&fx, WU_FX_PASSED), 1);
    does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    assert_int_equal(wu.state, WU_ACCEPTED);
}

static void a_late_auditor_that_is_wrong_does_not_pass_the_answer_again(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    audited(&wu, 1, AGREES);
    audited(&wu, 2, AGREES);
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 600 + LEASE_MS});
    lease(&wu, 4, 700);
    struct wu_effects fx = audited(&wu, 4, AGREES);
    assert_int_equal(owed(&fx, WU_FX_PASSED), 1);
    fx = audited(&wu, 3, AUDITOR_WRONG);
    assert_true(owes(&fx, WU_FX_BLAME, 3));
    assert_int_equal(owed(&fx, WU_FX_PASSED), 0);
}

static void an_answer_is_voided_without_blame_and_run_again(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    refuses(&wu, (struct wu_event){.kind = WU_EV_VOID, .attempt = 1}, ERR_STALE);
    refuses(&wu, (struct wu_event){.kind = WU_EV_VOID, .attempt = 8}, ERR_MISSING);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_VOID});
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(owed(&fx, WU_FX_BLAME), 0);
    assert_int_equal(owed(&fx, WU_FX_RECALL), 3);
    assert_false(wu_host_may_take(&wu, 10, 100));
}

static void a_confirmation_asks_for_one_more_answer_and_the_unit_stands_again(void **state)
{
    (void)state;
    struct wu wu = standing();
    struct wu_event confirm = {.kind = WU_EV_CONFIRM, .count = 2};
    struct wu_effects fx = does(&wu, confirm);
    assert_int_equal(fx.count, 0);
    assert_int_equal(wu_unsent(&wu), 1);
    refuses(&wu, confirm, ERR_STALE);
    confirm.count = 13;
    refuses(&wu, confirm, ERR_INVALID);
    fx = lease_and_report(&wu, 1, 'a');
    assert_int_equal(wu.state, WU_PROVISIONAL);
    assert_true(owes(&fx, WU_FX_ESCROW, 0));
    fx = does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    assert_int_equal(owed(&fx, WU_FX_CREDIT), 2);
}

static void when_one_of_two_confirming_answers_is_voided_the_other_needs_a_second_again(void **state)
{
    (void)state;
    struct wu wu = standing();
    does(&wu, (struct wu_event){.kind = WU_EV_CONFIRM, .count = 2});
    lease_and_report(&wu, 1, 'a');
    does(&wu, (struct wu_event){.kind = WU_EV_VOID, .attempt = 1});
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu_unsent(&wu), 1);
    assert_int_equal(wu.attempts[0].state, ATTEMPT_REPORTED);
}

static void an_answer_that_waits_for_its_quorum_can_be_voided(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    does(&wu, (struct wu_event){.kind = WU_EV_VOID});
    assert_int_equal(wu.attempts[0].state, ATTEMPT_CANCELLED);
    assert_int_equal(wu_unsent(&wu), 2);
}

static void a_second_answer_that_agrees_waits_too_and_one_that_differs_makes_two_needed(void **state)
{
    (void)state;
    for (uint8_t answer = 'a'; answer <= 'b'; answer++) {
        struct wu wu = escrowed(WU_COMPARE_DIGEST);
        lease(&wu, 0, 0);
        does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS});
        lease_and_report(&wu, 1, 'a');
        does(&wu, audit);
        struct wu_effects fx = does(&wu, report_of(0, answer));
        if (answer == 'a') {
            assert_int_equal(wu.state, WU_PROVISIONAL);
            assert_int_equal(fx.count, 0);
            continue;
        }
        assert_int_equal(wu.state, WU_OPEN);
        assert_int_equal(wu.needed, 2);
        assert_int_equal(wu_unsent(&wu), 1);
        fx = lease_and_report(&wu, 5, 'b');
        assert_int_equal(wu.state, WU_PROVISIONAL);
        assert_int_equal(wu.canonical, 0);
        assert_true(owes(&fx, WU_FX_BLAME, 1));
    }
}

static void a_judged_answer_stands_only_when_all_that_are_in_were_compared(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_JUDGE);
    r.escrow = WU_ESCROW_ALL, r.hold_ms = HOLD_MS, r.target_attempts = 2;
    struct wu wu = wu_with(r);
    lease(&wu, 1, 0);
    lease_and_report(&wu, 0, 'a');
    assert_int_equal(wu.state, WU_JUDGING);
    does(&wu, report_of(1, 'b'));
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1}});
    assert_int_equal(wu.state, WU_JUDGING);
    assert_int_equal(owed(&fx, WU_FX_JUDGE), 1);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 1}});
    assert_int_equal(wu.state, WU_PROVISIONAL);
}

static void cancelling_frees_the_escrow_and_recalls_the_auditors(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_CANCEL});
    assert_int_equal(wu.state, WU_FAILED);
    assert_true(owes(&fx, WU_FX_DELIVER, 0));
    assert_int_equal(owed(&fx, WU_FX_RECALL), 3);
}

static void a_unit_with_no_attempts_left_for_its_audits_fails(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.escrow = WU_ESCROW_ALL, r.hold_ms = HOLD_MS, r.attempts_max = r.successes_max = 2, r.errors_max = 2;
    struct wu wu = wu_with(r);
    lease_and_report(&wu, 0, 'a');
    struct wu_event one = audit;
    one.count = 1;
    does(&wu, one);
    lease(&wu, 1, 600);
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 600 + LEASE_MS});
    assert_int_equal(wu.failure, WU_FAILURE_ATTEMPTS);
}

static void a_late_auditor_is_recalled_when_the_answer_becomes_final_without_it(void **state)
{
    (void)state;
    struct wu wu = under_audit();
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 600 + LEASE_MS});
    lease(&wu, 4, 2000);
    for (uint32_t i = 1; i <= 3; i++)
        audited(&wu, i, AGREES);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    assert_true(owes(&fx, WU_FX_RECALL, 4));
}

static void a_lone_answer_waits_and_two_equal_ones_do_not(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.escrow = WU_ESCROW_LONE, r.hold_ms = HOLD_MS;
    struct wu wu = wu_with(r);
    struct wu_effects fx = lease_and_report(&wu, 0, 'a');
    assert_true(wu.state == WU_PROVISIONAL && owes(&fx, WU_FX_ESCROW, 0));
    does(&wu, (struct wu_event){.kind = WU_EV_CONFIRM, .count = 2});
    fx = lease_and_report(&wu, 1, 'a');
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_true(owes(&fx, WU_FX_CREDIT, 0) && owes(&fx, WU_FX_CREDIT, 1) && owes(&fx, WU_FX_DELIVER, 0));
}

static void an_answer_that_waits_too_long_is_told_once(void **state)
{
    (void)state;
    struct wu wu = standing();
    assert_int_equal(wu.wake_at_ms, wu.attempts[0].ended_ms + HOLD_MS);
    struct wu_event tick = {.kind = WU_EV_TICK, .now_ms = wu.wake_at_ms - 1};
    refuses(&wu, tick, ERR_STALE);
    tick.now_ms++;
    struct wu_effects fx = does(&wu, tick);
    assert_true(fx.count == 1 && owes(&fx, WU_FX_OVERDUE, 0));
    refuses(&wu, tick, ERR_STALE);
    assert_true(wu.wake_at_ms == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_in_escrow_is_neither_credited_nor_delivered_until_it_is_final),
        cmocka_unit_test(an_answer_that_nobody_audits_may_become_final_too),
        cmocka_unit_test(an_audit_is_drawn_once),
        cmocka_unit_test(the_host_and_its_owner_do_not_audit_themselves),
        cmocka_unit_test(an_audit_is_reported_by_its_host_and_is_no_answer),
        cmocka_unit_test(an_audit_whose_answer_stands_no_more_is_stale),
        cmocka_unit_test(a_wrong_answer_is_run_again),
        cmocka_unit_test(an_auditor_that_contradicts_the_truth_is_blamed_and_replaced),
        cmocka_unit_test(a_late_auditor_and_its_substitute_that_are_judged_together_pass_the_answer_once),
        cmocka_unit_test(a_late_auditor_that_is_wrong_does_not_pass_the_answer_again),
        cmocka_unit_test(an_auditor_that_vanishes_or_fails_is_replaced_and_may_still_come_late),
        cmocka_unit_test(an_answer_is_voided_without_blame_and_run_again),
        cmocka_unit_test(a_confirmation_asks_for_one_more_answer_and_the_unit_stands_again),
        cmocka_unit_test(when_one_of_two_confirming_answers_is_voided_the_other_needs_a_second_again),
        cmocka_unit_test(an_answer_that_waits_for_its_quorum_can_be_voided),
        cmocka_unit_test(a_second_answer_that_agrees_waits_too_and_one_that_differs_makes_two_needed),
        cmocka_unit_test(a_judged_answer_stands_only_when_all_that_are_in_were_compared),
        cmocka_unit_test(cancelling_frees_the_escrow_and_recalls_the_auditors),
        cmocka_unit_test(a_unit_with_no_attempts_left_for_its_audits_fails),
        cmocka_unit_test(a_lone_answer_waits_and_two_equal_ones_do_not),
        cmocka_unit_test(an_answer_that_waits_too_long_is_told_once),
        cmocka_unit_test(a_late_auditor_is_recalled_when_the_answer_becomes_final_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
