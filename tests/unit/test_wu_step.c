#include "lib/t.h"

#include "lib/wu_make.h"

static void two_equal_answers_are_accepted_and_delivered(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    assert_int_equal(wu.attempt_count, 2);
    lease_and_report(&wu, 0, 'a');
    assert_int_equal(wu.state, WU_OPEN);
    struct wu_effects fx = lease_and_report(&wu, 1, 'a');
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.canonical, 0);
    assert_true(owes(&fx, WU_FX_CREDIT, 0) && owes(&fx, WU_FX_CREDIT, 1) && owes(&fx, WU_FX_DELIVER, 0));
    assert_int_equal(fx.count, 3);
    fx = does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    assert_int_equal(wu.state, WU_DELIVERED);
    assert_int_equal(fx.count, 0);
}

static void a_quorum_of_three_wants_three_equal_answers(void **state)
{
    (void)state;
    struct wu wu = wu_of(3, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    lease_and_report(&wu, 2, 'b');
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu.attempt_count, 4);
    struct wu_effects fx = lease_and_report(&wu, 3, 'a');
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(owed(&fx, WU_FX_CREDIT), 3);
    assert_true(owes(&fx, WU_FX_BLAME, 2));
    assert_int_equal(wu.attempts[2].state, ATTEMPT_INVALID);
}

static void a_disagreement_asks_for_as_many_more_as_the_quorum_lacks_and_no_more(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'b');
    assert_int_equal(wu.attempt_count, 3);
    lease_and_report(&wu, 2, 'c');
    assert_int_equal(wu.attempt_count, 4);
    struct wu_effects fx = lease_and_report(&wu, 3, 'b');
    assert_int_equal(wu.canonical, 1);
    assert_int_equal(owed(&fx, WU_FX_BLAME), 2);
}

static void an_unsent_spare_is_cancelled_once_the_quorum_is_in(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(2, WU_COMPARE_DIGEST);
    r.target_attempts = 3;
    struct wu wu = wu_with(r);
    assert_int_equal(wu_unsent(&wu), 3);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.attempts[2].state, ATTEMPT_CANCELLED);
    assert_int_equal(wu_unsent(&wu), 0);
}

static struct wu accepted_with_straggler(enum wu_compare compare)
{
    struct wu_rules r = rules_of(2, compare);
    r.target_attempts = 3;
    struct wu wu = wu_with(r);
    lease(&wu, 2, 0);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    if (compare == WU_COMPARE_JUDGE)
        does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {7, 7}});
    assert_int_equal(wu.state, WU_ACCEPTED);
    return wu;
}

static void the_quorum_does_not_wait_for_a_leased_sibling(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_DIGEST);
    assert_int_equal(wu.attempts[2].state, ATTEMPT_LEASED);
    assert_int_equal(wu.wake_at_ms, LEASE_MS);
}

static void a_straggler_that_agrees_earns_credit_and_one_that_does_not_is_blamed(void **state)
{
    (void)state;
    for (uint8_t answer = 'a'; answer <= 'b'; answer++) {
        struct wu wu = accepted_with_straggler(WU_COMPARE_DIGEST);
        does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
        struct wu_effects fx = does(&wu, report_of(2, answer));
        assert_int_equal(fx.count, 1);
        assert_true(owes(&fx, answer == 'a' ? WU_FX_CREDIT : WU_FX_BLAME, 2));
        assert_int_equal(wu.state, WU_DELIVERED);
        refuses(&wu, report_of(2, answer), ERR_STALE);
    }
}

static void a_straggler_that_expired_after_the_acceptance_is_still_compared(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_DIGEST);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS});
    assert_true(owes(&fx, WU_FX_EXPIRED, 2));
    assert_int_equal(wu.attempt_count, 3);
    assert_int_equal(wu.wake_at_ms, INT64_MAX);
    fx = does(&wu, report_of(2, 'a'));
    assert_true(owes(&fx, WU_FX_CREDIT, 2));
}

static void a_late_answer_with_other_bytes_asks_the_judge_and_the_unit_stays_accepted(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_JUDGE);
    struct wu_effects fx = does(&wu, report_of(2, 'b'));
    assert_true(owes(&fx, WU_FX_JUDGE, 2));
    assert_int_equal(wu.state, WU_ACCEPTED);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    refuses(&wu, (struct wu_event){.kind = WU_EV_PURGE}, ERR_CONFLICT);
    refuses(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {0, 0, 3}}, ERR_INVALID);
    fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {3, 0, 3}});
    assert_true(owes(&fx, WU_FX_CREDIT, 2));
    assert_int_equal(wu.state, WU_DELIVERED);
}

static void a_late_answer_with_the_canonical_bytes_needs_no_judge(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_JUDGE);
    struct wu_effects fx = does(&wu, report_of(2, 'a'));
    assert_true(fx.count == 1 && owes(&fx, WU_FX_CREDIT, 2));
}

static void a_judge_that_gives_up_on_a_late_answer_neither_credits_nor_blames(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_JUDGE);
    does(&wu, report_of(2, 'b'));
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .error = ATTEMPT_ERROR_OTHER});
    assert_int_equal(fx.count, 0);
    assert_int_equal(wu.attempts[2].state, ATTEMPT_CANCELLED);
    assert_int_equal(wu.state, WU_ACCEPTED);
}

static void a_judge_is_asked_when_the_quorum_could_be_in_and_decides_by_groups(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_JUDGE);
    lease_and_report(&wu, 0, 'a');
    struct wu_effects fx = lease_and_report(&wu, 1, 'b');
    assert_int_equal(wu.state, WU_JUDGING);
    assert_int_equal(owed(&fx, WU_FX_JUDGE), 1);
    fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 2}});
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(fx.count, 0);
    assert_int_equal(wu.attempt_count, 3);
    lease_and_report(&wu, 2, 'c');
    assert_int_equal(wu.state, WU_JUDGING);
    fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {4, 9, 9}});
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.canonical, 1);
    assert_true(owes(&fx, WU_FX_BLAME, 0) && owes(&fx, WU_FX_CREDIT, 1) && owes(&fx, WU_FX_CREDIT, 2));
}

static void an_unusable_answer_is_blamed_and_replaced(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_JUDGE);
    lease_and_report(&wu, 0, 'a');
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {WU_GROUP_UNUSABLE}});
    assert_true(owes(&fx, WU_FX_BLAME, 0));
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu_unsent(&wu), 1);
}

static void an_answer_that_came_while_the_judge_looked_is_not_lost(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(2, WU_COMPARE_JUDGE);
    r.target_attempts = 3;
    struct wu wu = wu_with(r);
    lease(&wu, 2, 0);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'b');
    struct wu_effects fx = does(&wu, report_of(2, 'c'));
    assert_int_equal(fx.count, 0);
    struct wu undecided = wu;

    fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {5, 5}});
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.attempts[2].state, ATTEMPT_REPORTED);
    assert_int_equal(owed(&fx, WU_FX_JUDGE), 1);
    fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {5, 5, 5}});
    assert_true(fx.count == 1 && owes(&fx, WU_FX_CREDIT, 2));

    fx = does(&undecided, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {5, 6}});
    assert_int_equal(undecided.state, WU_JUDGING);
    assert_int_equal(owed(&fx, WU_FX_JUDGE), 1);
}

static void a_judgement_of_nothing_that_waits_is_refused(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_JUDGE);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    refuses(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {0, 0, 9}}, ERR_INVALID);
}

static void a_broken_validator_fails_the_unit_and_blames_nobody(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_JUDGE);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'b');
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .error = ATTEMPT_ERROR_EXIT});
    assert_int_equal(wu.state, WU_FAILED);
    assert_int_equal(wu.failure, WU_FAILURE_JUDGE);
    assert_true(fx.count == 1 && owes(&fx, WU_FX_DELIVER, 0));
}

static void a_report_from_another_host_is_denied_and_changes_nothing(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    struct wu_event theft = report_of(0, 'x');
    refuses(&wu, theft, ERR_DENIED); /* of an attempt nobody has */
    lease(&wu, 0, 0);
    theft.host_id = 99;
    refuses(&wu, theft, ERR_DENIED);
    theft.host_id = 0;
    refuses(&wu, theft, ERR_DENIED);
    theft.kind = WU_EV_RENEW;
    refuses(&wu, theft, ERR_DENIED);
    struct wu_event error = error_of(0, ATTEMPT_ERROR_EXIT);
    error.host_id = 99;
    refuses(&wu, error, ERR_DENIED);
}

static void an_attempt_that_does_not_exist_is_missing(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    refuses(&wu, report_of(2, 'x'), ERR_MISSING);
    struct wu_event far = report_of(0, 'x');
    far.attempt = UINT32_MAX;
    refuses(&wu, far, ERR_MISSING);
}

static void a_report_without_a_digest_and_an_error_without_a_reason_are_invalid(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    refuses(&wu, report_of(0, 0), ERR_INVALID);
    refuses(&wu, error_of(0, ATTEMPT_ERROR_NONE), ERR_INVALID);
    refuses(&wu, error_of(0, ATTEMPT_ERRORS), ERR_INVALID);
    refuses(&wu, (struct wu_event){.kind = WU_EVENTS}, ERR_INVALID);
}

static void a_report_told_twice_is_stale_and_changes_nothing(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    refuses(&wu, report_of(0, 'a'), ERR_STALE);
    refuses(&wu, report_of(0, 'b'), ERR_STALE); /* nor may a host change its mind */
    refuses(&wu, error_of(0, ATTEMPT_ERROR_EXIT), ERR_STALE);
}

static void no_host_and_no_owner_has_two_attempts_of_a_unit(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    struct wu_event again = {.kind = WU_EV_LEASE, .attempt = 1, .host_id = 10, .owner_id = 500};
    refuses(&wu, again, ERR_DENIED);
    again.host_id = 50, again.owner_id = 100;
    refuses(&wu, again, ERR_DENIED);
    does(&wu, error_of(0, ATTEMPT_ERROR_EXIT));
    refuses(&wu, again, ERR_DENIED); /* whatever became of the first one */
}

static void an_attempt_given_back_does_not_bar_the_owners_other_hosts(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    does(&wu, error_of(0, ATTEMPT_ERROR_RETURNED));
    assert_false(wu_host_may_take(&wu, 10, 100));
    assert_true(wu_host_may_take(&wu, 50, 100));
    does(&wu, (struct wu_event){.kind = WU_EV_LEASE, .attempt = 1, .host_id = 50, .owner_id = 100});
}

static void on_own_hosts_a_host_may_try_again_after_it_failed(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.own_hosts = true;
    struct wu wu = wu_with(r);
    lease(&wu, 0, 0);
    assert_false(wu_host_may_take(&wu, 10, 100));
    assert_true(wu_host_may_take(&wu, 11, 100));
    does(&wu, error_of(0, ATTEMPT_ERROR_EXIT));
    struct wu_event again = {.kind = WU_EV_LEASE, .attempt = 1, .host_id = 10, .owner_id = 100};
    does(&wu, again);
    struct wu_event report = report_of(1, 'a');
    report.host_id = 10;
    does(&wu, report);
    assert_int_equal(wu.state, WU_ACCEPTED);
}

static void a_lease_needs_a_host_an_owner_and_an_unsent_attempt(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    refuses(&wu, (struct wu_event){.kind = WU_EV_LEASE, .host_id = 1}, ERR_INVALID);
    refuses(&wu, (struct wu_event){.kind = WU_EV_LEASE, .owner_id = 1}, ERR_INVALID);
    refuses(&wu, (struct wu_event){.kind = WU_EV_LEASE, .host_id = 1, .owner_id = 1, .lease_ms = -1},
            ERR_INVALID);
    lease(&wu, 0, 0);
    refuses(&wu, (struct wu_event){.kind = WU_EV_LEASE, .host_id = 1, .owner_id = 1}, ERR_STALE);
}

static void an_expired_attempt_is_issued_again_and_its_late_answer_is_still_welcome(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    refuses(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS - 1}, ERR_STALE);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS});
    assert_true(owes(&fx, WU_FX_EXPIRED, 0));
    assert_int_equal(wu_first_unsent(&wu), 1);
    does(&wu, report_of(0, 'a'));
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_int_equal(wu.attempts[1].state, ATTEMPT_CANCELLED);
}

static void a_renewed_lease_moves_its_deadline_and_never_back(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    struct wu_event renew = {.kind = WU_EV_RENEW, .host_id = 10, .now_ms = 600};
    does(&wu, renew);
    assert_int_equal(wu.wake_at_ms, 600 + LEASE_MS);
    renew.lease_ms = 5;
    does(&wu, renew);
    assert_int_equal(wu.wake_at_ms, 600 + LEASE_MS);
    renew.lease_ms = INT64_MAX;
    does(&wu, renew);
    assert_int_equal(wu.wake_at_ms, INT64_MAX);
}

static void a_unit_fails_when_more_attempts_erred_than_allowed(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(wu.state, WU_OPEN);
        lease(&wu, i, 0);
        struct wu_effects fx = does(&wu, error_of(i, ATTEMPT_ERROR_SIGNAL));
        assert_true(owes(&fx, WU_FX_ERRED, i));
    }
    assert_int_equal(wu.state, WU_FAILED);
    assert_int_equal(wu.failure, WU_FAILURE_ERRORS);
    assert_int_equal(wu_unsent(&wu), 0);
}

static void attempts_given_back_count_for_no_error_limit_and_nobody_is_charged(void **state)
{
    (void)state;
    struct wu wu = wu_of(1, WU_COMPARE_DIGEST);
    for (uint32_t i = 0; i < 7; i++) {
        lease(&wu, i, 0);
        struct wu_effects fx = does(&wu, error_of(i, ATTEMPT_ERROR_RETURNED));
        assert_int_equal(fx.count, 0);
        assert_int_equal(wu.state, WU_OPEN);
    }
    lease(&wu, 7, 0);
    does(&wu, error_of(7, ATTEMPT_ERROR_LOST));
    assert_int_equal(wu.failure, WU_FAILURE_ATTEMPTS);
}

static void a_unit_fails_when_the_answers_never_agree(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    for (uint32_t i = 0; i < 6; i++)
        lease_and_report(&wu, i, (uint8_t)('a' + i));
    assert_int_equal(wu.state, WU_FAILED);
    assert_int_equal(wu.failure, WU_FAILURE_SUCCESSES);
}

static void the_last_attempts_are_awaited_before_a_unit_fails_for_want_of_more(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.target_attempts = r.attempts_max = 2, r.successes_max = 1, r.errors_max = 2;
    struct wu wu = wu_with(r);
    lease(&wu, 0, 0);
    lease(&wu, 1, 0);
    does(&wu, error_of(0, ATTEMPT_ERROR_EXIT));
    assert_int_equal(wu.state, WU_OPEN); /* target 2 cannot be kept, but one is out and one is enough */
    does(&wu, error_of(1, ATTEMPT_ERROR_EXIT));
    assert_int_equal(wu.failure, WU_FAILURE_ATTEMPTS);
}

static void a_cancelled_unit_recalls_what_is_out_and_refuses_its_late_answers(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_CANCEL});
    assert_true(fx.count == 2 && owes(&fx, WU_FX_RECALL, 0) && owes(&fx, WU_FX_DELIVER, 0));
    assert_int_equal(wu.failure, WU_FAILURE_CANCELLED);
    refuses(&wu, (struct wu_event){.kind = WU_EV_CANCEL}, ERR_STALE);
    refuses(&wu, report_of(0, 'a'), ERR_STALE);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    refuses(&wu, report_of(0, 'a'), ERR_STALE);
    refuses(&wu, (struct wu_event){.kind = WU_EV_DELIVERED}, ERR_STALE);
}

static void cancelling_an_accepted_unit_recalls_its_stragglers_and_keeps_the_answer(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_DIGEST);
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_CANCEL});
    assert_true(fx.count == 1 && owes(&fx, WU_FX_RECALL, 2));
    assert_int_equal(wu.state, WU_ACCEPTED);
    refuses(&wu, (struct wu_event){.kind = WU_EV_CANCEL}, ERR_STALE);
    fx = does(&wu, report_of(2, 'a')); /* it had finished all the same */
    assert_true(owes(&fx, WU_FX_CREDIT, 2));
}

static void a_failed_unit_can_be_tried_again_with_fresh_limits(void **state)
{
    (void)state;
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease(&wu, 0, 0);
    does(&wu, (struct wu_event){.kind = WU_EV_CANCEL});
    refuses(&wu, (struct wu_event){.kind = WU_EV_RETRY}, ERR_CONFLICT);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    does(&wu, (struct wu_event){.kind = WU_EV_PURGE});
    does(&wu, (struct wu_event){.kind = WU_EV_RETRY});
    assert_int_equal(wu.state, WU_OPEN);
    assert_int_equal(wu.failure, WU_FAILURE_NONE);
    assert_int_equal(wu.attempt_count, 2);
    assert_false(wu.purged);
    refuses(&wu, report_of(0, 'a'), ERR_DENIED); /* of the earlier life */
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    refuses(&wu, (struct wu_event){.kind = WU_EV_RETRY}, ERR_STALE);
}

static void a_spare_is_one_more_attempt_and_no_second_one_waits(void **state)
{
    (void)state;
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.attempts_max = r.successes_max = 2, r.errors_max = 2;
    struct wu wu = wu_with(r);
    refuses(&wu, (struct wu_event){.kind = WU_EV_SPARE}, ERR_STALE);
    lease(&wu, 0, 0);
    does(&wu, (struct wu_event){.kind = WU_EV_SPARE});
    assert_int_equal(wu_first_unsent(&wu), 1);
    lease(&wu, 1, 0);
    refuses(&wu, (struct wu_event){.kind = WU_EV_SPARE}, ERR_LIMIT);
    struct wu_effects fx = does(&wu, report_of(1, 'a'));
    assert_int_equal(wu.state, WU_ACCEPTED);
    assert_true(owes(&fx, WU_FX_CREDIT, 1));
    fx = does(&wu, report_of(0, 'a'));
    assert_true(owes(&fx, WU_FX_CREDIT, 0));
}

static void after_the_purge_late_answers_are_stale_and_nothing_is_out(void **state)
{
    (void)state;
    struct wu wu = accepted_with_straggler(WU_COMPARE_DIGEST);
    refuses(&wu, (struct wu_event){.kind = WU_EV_PURGE}, ERR_CONFLICT);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    struct wu_effects fx = does(&wu, (struct wu_event){.kind = WU_EV_PURGE});
    assert_true(owes(&fx, WU_FX_RECALL, 2));
    assert_int_equal(wu.wake_at_ms, INT64_MAX);
    refuses(&wu, report_of(2, 'a'), ERR_STALE);
    refuses(&wu, (struct wu_event){.kind = WU_EV_PURGE}, ERR_STALE);
}

static void a_unit_is_submitted_once_and_before_anything_else(void **state)
{
    (void)state;
    struct wu wu = {.rules = rules_of(1, WU_COMPARE_DIGEST)};
    refuses(&wu, (struct wu_event){.kind = WU_EV_LEASE, .host_id = 1, .owner_id = 1}, ERR_INVALID);
    does(&wu, (struct wu_event){.kind = WU_EV_SUBMIT});
    refuses(&wu, (struct wu_event){.kind = WU_EV_SUBMIT}, ERR_STALE);
}

static void rules_that_contradict_themselves_are_refused_with_the_field_named(void **state)
{
    (void)state;
    const struct {
        struct wu_rules rules;
        const char *names;
    } bad[] = {
        {{0, 2, 3, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "min_quorum"},
        {{9, 9, 3, 8, 8, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "min_quorum"},
        {{2, 1, 3, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "target_attempts"},
        {{2, 9, 3, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "target_attempts"},
        {{2, 2, 9, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "max_error_attempts"},
        {{2, 2, 3, 17, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "max_total_attempts"},
        {{2, 2, 3, 0, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "max_total_attempts"},
        {{2, 2, 3, 8, 1, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "max_success_attempts"},
        {{2, 2, 3, 8, 9, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "max_success_attempts"},
        {{2, 2, 3, 8, 6, 0, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "deadline_ms"},
        {{2, 2, 3, 8, 6, INT64_MAX, WU_COMPARE_DIGEST, 0, 0, false, {{0}}}, "deadline_ms"},
        {{2, 2, 3, 8, 6, 1, WU_COMPARES, 0, 0, false, {{0}}}, "compare"},
        {{2, 2, 3, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, true, {{0}}}, "min_quorum"},
        {{1, 1, 3, 8, 6, 1, WU_COMPARE_DIGEST, WU_ESCROW_LONE, 9, true, {{0}}}, "escrow"},
        {{1, 1, 3, 8, 6, 1, WU_COMPARE_DIGEST, WU_ESCROW_LONE, 0, false, {{0}}}, "hold_ms"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wu wu = {.rules = bad[i].rules};
        assert_err(wu_rules_check(&bad[i].rules), ERR_INVALID);
        assert_non_null(strstr(err_text(), bad[i].names));
        refuses(&wu, (struct wu_event){.kind = WU_EV_SUBMIT}, ERR_INVALID);
    }
    struct wu_rules good = {2, 2, 3, 8, 6, 1, WU_COMPARE_DIGEST, 0, 0, false, {{0}}};
    assert_ok(wu_rules_check(&good));
}

static void every_word_leads_back_to_its_error(void **state)
{
    (void)state;
    for (uint32_t e = 0; e < ATTEMPT_ERRORS; e++)
        assert_int_equal(attempt_error_from_name(attempt_error_name((enum attempt_error)e)), e);
    assert_int_equal(attempt_error_from_name("no such word"), ATTEMPT_ERROR_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_equal_answers_are_accepted_and_delivered),
        cmocka_unit_test(a_quorum_of_three_wants_three_equal_answers),
        cmocka_unit_test(a_disagreement_asks_for_as_many_more_as_the_quorum_lacks_and_no_more),
        cmocka_unit_test(an_unsent_spare_is_cancelled_once_the_quorum_is_in),
        cmocka_unit_test(the_quorum_does_not_wait_for_a_leased_sibling),
        cmocka_unit_test(a_straggler_that_agrees_earns_credit_and_one_that_does_not_is_blamed),
        cmocka_unit_test(a_straggler_that_expired_after_the_acceptance_is_still_compared),
        cmocka_unit_test(a_late_answer_with_other_bytes_asks_the_judge_and_the_unit_stays_accepted),
        cmocka_unit_test(a_late_answer_with_the_canonical_bytes_needs_no_judge),
        cmocka_unit_test(a_judge_that_gives_up_on_a_late_answer_neither_credits_nor_blames),
        cmocka_unit_test(a_judge_is_asked_when_the_quorum_could_be_in_and_decides_by_groups),
        cmocka_unit_test(an_unusable_answer_is_blamed_and_replaced),
        cmocka_unit_test(an_answer_that_came_while_the_judge_looked_is_not_lost),
        cmocka_unit_test(a_judgement_of_nothing_that_waits_is_refused),
        cmocka_unit_test(a_broken_validator_fails_the_unit_and_blames_nobody),
        cmocka_unit_test(a_report_from_another_host_is_denied_and_changes_nothing),
        cmocka_unit_test(an_attempt_that_does_not_exist_is_missing),
        cmocka_unit_test(a_report_without_a_digest_and_an_error_without_a_reason_are_invalid),
        cmocka_unit_test(a_report_told_twice_is_stale_and_changes_nothing),
        cmocka_unit_test(no_host_and_no_owner_has_two_attempts_of_a_unit),
        cmocka_unit_test(an_attempt_given_back_does_not_bar_the_owners_other_hosts),
        cmocka_unit_test(on_own_hosts_a_host_may_try_again_after_it_failed),
        cmocka_unit_test(a_lease_needs_a_host_an_owner_and_an_unsent_attempt),
        cmocka_unit_test(an_expired_attempt_is_issued_again_and_its_late_answer_is_still_welcome),
        cmocka_unit_test(a_renewed_lease_moves_its_deadline_and_never_back),
        cmocka_unit_test(a_unit_fails_when_more_attempts_erred_than_allowed),
        cmocka_unit_test(attempts_given_back_count_for_no_error_limit_and_nobody_is_charged),
        cmocka_unit_test(a_unit_fails_when_the_answers_never_agree),
        cmocka_unit_test(the_last_attempts_are_awaited_before_a_unit_fails_for_want_of_more),
        cmocka_unit_test(a_cancelled_unit_recalls_what_is_out_and_refuses_its_late_answers),
        cmocka_unit_test(cancelling_an_accepted_unit_recalls_its_stragglers_and_keeps_the_answer),
        cmocka_unit_test(a_failed_unit_can_be_tried_again_with_fresh_limits),
        cmocka_unit_test(a_spare_is_one_more_attempt_and_no_second_one_waits),
        cmocka_unit_test(after_the_purge_late_answers_are_stale_and_nothing_is_out),
        cmocka_unit_test(a_unit_is_submitted_once_and_before_anything_else),
        cmocka_unit_test(rules_that_contradict_themselves_are_refused_with_the_field_named),
        cmocka_unit_test(every_word_leads_back_to_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
