/* test_plan.c - what a host does next, case by case: client/plan/plan.h. The owner's wishes and restarts are
 * in test_plan_owner.c, long lives in test_plan_house.c. */
#include "lib/t.h"

#include "base/limits.h"
#include "lib/plan_host.h"

/* --- asking */

static void a_new_host_asks_at_once_and_says_what_it_can_use(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    assert_int_equal(h.out.count, 1);
    const struct plan_action *a = action(PLAN_DO_CONTACT);
    assert_int_equal(a->want_cores, 2);
    assert_int_equal((int)a->want_seconds, 1200);
    assert_int_equal(a->want_units, LEASES_PER_REQUEST_MAX);
    assert_false(a->leaving);
    tick_after(HOUR_MS);
    assert_int_equal(said(PLAN_DO_CONTACT), 0); /* one at a time, however long it takes */
}

static void the_servers_next_contact_is_kept(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    contacted(45000);
    assert_int_equal(h.out.wake_ms, h.now_ms + 45000);
    tick_after(44999);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
}

static void a_full_house_asks_for_nothing_before_a_quarter_of_the_buffer_is_free(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease(0, h.now_ms + 24 * HOUR_MS);
    lease(1, h.now_ms + 24 * HOUR_MS);
    fetched(0, 600, 0);
    fetched(1, 600, 0);
    h.p.ask_ms = 0; /* the server would take any question */
    tick_after(149 * 1000);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(2 * 1000);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    assert_int_equal(action(PLAN_DO_CONTACT)->want_cores, 1);
}

static void failures_back_off_with_full_jitter_from_5_s_to_1_h(void **state)
{
    (void)state;
    int64_t window_ms = 5000;
    move_in(&usual);
    tick_after(0);
    for (int failures = 0; failures < 14; failures++) {
        int64_t begin_ms = h.now_ms;
        tell((struct plan_event){
            .kind = PLAN_CONTACT_FAILED, .err = ERR_UNREACHABLE, .random = (uint64_t)window_ms});
        assert_int_equal(h.p.contact_not_before_ms, begin_ms + window_ms); /* the window's last moment */
        assert_int_equal(said(PLAN_DO_CONTACT), 0);
        assert_int_equal(h.out.wake_ms, begin_ms + window_ms);
        tick_after(window_ms - 1);
        assert_int_equal(said(PLAN_DO_CONTACT), 0);
        tick_after(1);
        assert_int_equal(said(PLAN_DO_CONTACT), 1);
        window_ms = window_ms * 2 < HOUR_MS ? window_ms * 2 : HOUR_MS;
    }
    contacted(0);
    tick_after(2000);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_UNREACHABLE, .random = 5000});
    assert_int_equal(h.p.contact_not_before_ms, h.now_ms + 5000); /* a success starts it anew */
}

static void a_retry_after_is_never_undercut(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_BUSY, .retry_after_ms = 90000});
    tick_after(89999);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    move_in_and_ask(&usual);
    lease_and_run(0);
    ended(0, true);
    tell((struct plan_event){
        .kind = PLAN_UPLOAD_FAILED, .job = 0, .err = ERR_RATE, .retry_after_ms = 120000, .random = 5000});
    tick_after(124999);
    assert_int_equal(said(PLAN_DO_UPLOAD), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_UPLOAD), 1);
}

static void a_token_that_is_not_taken_is_not_shown_again_within_the_hour(void **state)
{
    (void)state;
    move_in(&usual);
    tick_after(0);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_AUTH});
    tick_after(HOUR_MS - 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
}

/* --- the way of a job */

static void files_are_fetched_for_a_few_jobs_at_a_time(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    for (uint32_t i = 0; i < PLAN_FETCHES_MAX; i++) {
        lease(i, h.now_ms + HOUR_MS);
        assert_int_equal(action(PLAN_DO_FETCH)->job, i);
    }
    lease(PLAN_FETCHES_MAX, h.now_ms + HOUR_MS);
    assert_int_equal(said(PLAN_DO_FETCH), 0);
    fetched(2, 10, 0);
    assert_int_equal(action(PLAN_DO_FETCH)->job, PLAN_FETCHES_MAX);
    assert_int_equal(action(PLAN_DO_RUN)->job, 2);
}

static void as_many_run_as_there_are_cores_the_most_urgent_first(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    for (uint32_t i = 0; i < 4; i++)
        lease(i, h.now_ms + (10 - i) * HOUR_MS);
    tell((struct plan_event){.kind = PLAN_PAUSE}); /* so that all are ready before one may run */
    for (uint32_t i = 0; i < 4; i++)
        fetched(i, 400, 0);
    assert_int_equal(said(PLAN_DO_RUN), 0);
    tell((struct plan_event){.kind = PLAN_RESUME});
    assert_int_equal(said(PLAN_DO_RUN), 2);
    assert_int_equal(h.p.jobs[3].state, PLAN_RUNNING);
    assert_int_equal(h.p.jobs[2].state, PLAN_RUNNING);
    ended(3, false);
    assert_int_equal(action(PLAN_DO_RUN)->job, 1);
}

static void what_does_not_fit_into_memory_waits_but_one_alone_may_always_run(void **state)
{
    (void)state;
    struct plan_settings s = usual;
    s.memory_bytes = 100;
    move_in_and_ask(&s);
    lease(0, h.now_ms + HOUR_MS);
    fetched(0, 400, 70);
    assert_int_equal(said(PLAN_DO_RUN), 1);
    lease(1, h.now_ms + HOUR_MS);
    fetched(1, 400, 40);
    assert_int_equal(said(PLAN_DO_RUN), 0);
    lease(2, h.now_ms + 2 * HOUR_MS);
    fetched(2, 400, 30);
    assert_int_equal(action(PLAN_DO_RUN)->job, 2); /* the smaller one goes past it */
    ended(0, false);
    assert_int_equal(action(PLAN_DO_RUN)->job, 1);
    ended(1, false);
    ended(2, false);
    lease(3, h.now_ms + HOUR_MS);
    fetched(3, 400, 5000);
    assert_int_equal(said(PLAN_DO_RUN), 1);
}

static void an_answer_with_files_is_uploaded_before_it_is_reported(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    ended(0, true);
    assert_int_equal(said(PLAN_DO_UPLOAD), 1);
    tick_after(2000);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tell((struct plan_event){.kind = PLAN_UPLOADED, .job = 0});
    assert_int_equal(h.p.jobs[0].state, PLAN_REPORTABLE);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    acked(0, ERR_OK);
    assert_int_equal(action(PLAN_DO_FORGET)->job, 0);
    assert_int_equal(plan_place(&h.p), 0);
}

static void a_report_waits_for_company_only_while_all_cores_are_busy(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    tick_after(2000);
    lease_and_run(0);
    lease_and_run(1);
    lease(2, h.now_ms + 24 * HOUR_MS);
    fetched(2, 400, 0);
    ended(0, false);
    assert_int_equal(action(PLAN_DO_RUN)->job, 2);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(usual.report_ms - 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    acked(0, ERR_OK);
    contacted(HOUR_MS);
    tick_after(2000);
    ended(1, false); /* a core is idle: even the server's wish to be left alone has an end */
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
}

static void who_has_done_many_units_within_a_second_tells_them_sooner(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    h.p.paced_ms = h.now_ms; /* it has not been quiet before */
    lease_and_run(0);
    ended(0, false);
    assert_int_equal(h.out.wake_ms, h.now_ms + 1000);
    for (uint32_t i = 1; i < 20; i++) {
        lease_and_run(i);
        ended(i, false);
        assert_int_equal(said(PLAN_DO_CONTACT), 0);
    }
    tick_after(99);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
}

static void an_ack_decides_whether_an_answer_is_kept(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    ended(0, true);
    tell((struct plan_event){.kind = PLAN_UPLOADED, .job = 0});
    acked(0, ERR_BUSY);
    assert_int_equal(h.p.jobs[0].state, PLAN_REPORTABLE);
    assert_int_equal(said(PLAN_DO_FORGET), 0);
    h.p.jobs[0].not_before_ms = 0;
    acked(0, ERR_MISSING);
    assert_int_equal(said(PLAN_DO_FORGET), 0);
    assert_int_equal(said(PLAN_DO_UPLOAD), 1);
    acked(0, ERR_OK); /* of an earlier telling: too early to believe, what is under way is told again */
    assert_int_equal(said(PLAN_DO_FORGET), 0);
    tell((struct plan_event){.kind = PLAN_UPLOADED, .job = 0});
    acked(0, ERR_STALE);
    assert_int_equal(said(PLAN_DO_FORGET), 1);
}

static void files_that_never_come_end_the_attempt_with_the_word_download(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease(0, h.now_ms + 100 * HOUR_MS);
    for (int i = 1; i < PLAN_FAILURES_MAX; i++) {
        tell(
            (struct plan_event){.kind = PLAN_FETCH_FAILED, .job = 0, .err = ERR_UNREACHABLE, .random = 3000});
        assert_int_equal(said(PLAN_DO_FETCH), 0);
        tick_after(3000);
        assert_int_equal(said(PLAN_DO_FETCH), 1);
    }
    tell((struct plan_event){.kind = PLAN_FETCH_FAILED, .job = 0, .err = ERR_UNREACHABLE});
    assert_string_equal(action(PLAN_DO_GIVE_UP)->word, "download");
    assert_int_equal(h.p.jobs[0].state, PLAN_REPORTABLE);
}

static void a_start_that_could_not_be_looks_at_the_files_again(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    tell((struct plan_event){.kind = PLAN_START_PUT_OFF, .job = 0, .err = ERR_FULL});
    tick_after(29999);
    assert_int_equal(said(PLAN_DO_FETCH), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_FETCH), 1);
    fetched(0, 400, 0);
    tell((struct plan_event){.kind = PLAN_START_PUT_OFF, .job = 0, .err = ERR_CORRUPT, .random = 2000});
    tick_after(2000); /* a file that the disk has changed is only fetched again */
    assert_int_equal(said(PLAN_DO_FETCH), 1);
}

/* --- what the server says */

static void what_is_recalled_is_dropped_unless_it_has_an_answer(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease_and_run(0);
    lease(1, h.now_ms + HOUR_MS);
    lease_and_run(2);
    ended(2, true);
    for (uint32_t i = 0; i < 3; i++)
        tell((struct plan_event){.kind = PLAN_RECALLED, .job = i});
    assert_int_equal(h.p.jobs[0].state, PLAN_STOPPING);
    assert_int_equal(h.p.jobs[1].state, PLAN_NONE);
    assert_int_equal(h.p.jobs[2].state, PLAN_UPLOADING);
    ended(0, false);
    assert_int_equal(action(PLAN_DO_FORGET)->job, 0);
}

static void a_later_deadline_is_asked_for_in_the_last_quarter_and_not_with_every_breath(void **state)
{
    (void)state;
    struct plan_settings s = usual;
    s.buffer_ms = 0;
    s.heartbeat_ms = 24 * HOUR_MS;
    s.cores = 1;
    move_in_and_ask(&s);
    lease(0, h.now_ms + 4 * HOUR_MS);
    fetched(0, 100 * 3600, 0);
    tick_after(3 * HOUR_MS - 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    assert_true(plan_wants_renewal(&h.p.jobs[0], h.now_ms));
    contacted(0); /* and nothing was granted */
    assert_false(plan_wants_renewal(&h.p.jobs[0], h.now_ms));
    tick_after(HOUR_MS / 2 - 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    tell((struct plan_event){.kind = PLAN_RENEWED, .job = 0, .deadline_ms = h.now_ms + 8 * HOUR_MS});
    contacted(0);
    assert_int_equal(h.out.wake_ms, h.now_ms + 6 * HOUR_MS);
}

static void holding_work_the_server_hears_from_us_with_every_heartbeat(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    lease(0, h.now_ms + 100 * HOUR_MS);
    fetched(0, 4000, 0);
    lease(1, h.now_ms + 100 * HOUR_MS);
    fetched(1, 4000, 0);
    tick_after(usual.heartbeat_ms - 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tick_after(1);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    assert_int_equal(action(PLAN_DO_CONTACT)->want_units, 0);
}

static void a_doubt_reads_the_statements_anew_but_once_a_minute_at_most(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    tick_after(2 * MINUTE_MS);
    tell((struct plan_event){.kind = PLAN_DOUBTED});
    assert_int_equal(said(PLAN_DO_REFRESH), 1);
    tell((struct plan_event){.kind = PLAN_DOUBTED});
    assert_int_equal(said(PLAN_DO_REFRESH), 0);
    tell((struct plan_event){.kind = PLAN_REFRESHED});
    tick_after(30000);
    assert_false(plan_may_refresh(&h.p, h.now_ms));
    tell((struct plan_event){.kind = PLAN_DOUBTED});
    assert_int_equal(said(PLAN_DO_REFRESH), 0);
    tick_after(31000);
    tell((struct plan_event){.kind = PLAN_DOUBTED});
    assert_int_equal(said(PLAN_DO_REFRESH), 1);
}

static void the_statements_are_read_before_the_first_contact_after_their_time(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    tick_after(usual.refresh_ms);
    assert_int_equal(said(PLAN_DO_REFRESH), 1);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
    tell((struct plan_event){.kind = PLAN_REFRESHED});
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
}

static void a_server_that_cannot_be_trusted_is_asked_who_it_is(void **state)
{
    (void)state;
    move_in_and_ask(&usual);
    tick_after(HOUR_MS);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_UNTRUSTED, .random = 5000});
    assert_int_equal(said(PLAN_DO_REFRESH), 1);
    tell((struct plan_event){.kind = PLAN_REFRESHED});
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    tell((struct plan_event){.kind = PLAN_CONTACT_FAILED, .err = ERR_UNTRUSTED, .random = 10000});
    assert_int_equal(said(PLAN_DO_REFRESH), 0); /* it has just said so */
    tick_after(9999);
    assert_int_equal(h.out.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_host_asks_at_once_and_says_what_it_can_use),
        cmocka_unit_test(the_servers_next_contact_is_kept),
        cmocka_unit_test(a_full_house_asks_for_nothing_before_a_quarter_of_the_buffer_is_free),
        cmocka_unit_test(failures_back_off_with_full_jitter_from_5_s_to_1_h),
        cmocka_unit_test(a_retry_after_is_never_undercut),
        cmocka_unit_test(a_token_that_is_not_taken_is_not_shown_again_within_the_hour),
        cmocka_unit_test(files_are_fetched_for_a_few_jobs_at_a_time),
        cmocka_unit_test(as_many_run_as_there_are_cores_the_most_urgent_first),
        cmocka_unit_test(what_does_not_fit_into_memory_waits_but_one_alone_may_always_run),
        cmocka_unit_test(an_answer_with_files_is_uploaded_before_it_is_reported),
        cmocka_unit_test(a_report_waits_for_company_only_while_all_cores_are_busy),
        cmocka_unit_test(who_has_done_many_units_within_a_second_tells_them_sooner),
        cmocka_unit_test(an_ack_decides_whether_an_answer_is_kept),
        cmocka_unit_test(files_that_never_come_end_the_attempt_with_the_word_download),
        cmocka_unit_test(a_start_that_could_not_be_looks_at_the_files_again),
        cmocka_unit_test(what_is_recalled_is_dropped_unless_it_has_an_answer),
        cmocka_unit_test(a_later_deadline_is_asked_for_in_the_last_quarter_and_not_with_every_breath),
        cmocka_unit_test(holding_work_the_server_hears_from_us_with_every_heartbeat),
        cmocka_unit_test(a_doubt_reads_the_statements_anew_but_once_a_minute_at_most),
        cmocka_unit_test(the_statements_are_read_before_the_first_contact_after_their_time),
        cmocka_unit_test(a_server_that_cannot_be_trusted_is_asked_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
