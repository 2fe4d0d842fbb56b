/* What a cursor has out: leases, acknowledgements in any order, runs that come back. */
#include "lib/t.h"

#include <stdio.h>
#include <string.h>

#include "server/flight.h"

static struct flight f;

static void lease(uint64_t first, uint64_t last, const char *member, int64_t until_ms)
{
    struct flight_run r = {.first = first, .last = last, .until_ms = until_ms, .times = 1};
    snprintf(r.member, sizeof r.member, "%s", member);
    assert_ok(flight_add(&f, &r));
}

static void start(void)
{
    memset(&f, 0, sizeof f);
    lease(1, 10, "a", 100);
    lease(11, 20, "b", 50);
    lease(21, 30, "a", 200);
}

static void assert_text(const char *wanted)
{
    struct buf BUF_AUTO out = {0};
    assert_ok(flight_write(&f, &out));
    assert_string_equal(buf_text(&out), wanted);
}

static void the_first_run_that_is_not_acknowledged_says_how_far_all_is_done(void **state)
{
    uint64_t n;
    (void)state;
    start();
    assert_int_equal(flight_acked(&f, 30), 0);
    assert_ok(flight_ack(&f, NULL, 11, 20, &n));
    assert_int_equal(n, 10);
    assert_int_equal(flight_acked(&f, 30), 0);
    assert_ok(flight_ack(&f, "a", 1, 10, &n));
    assert_int_equal(flight_acked(&f, 30), 20);
    assert_ok(flight_ack(&f, "a", 1, 30, &n));
    assert_int_equal(n, 10);
    assert_int_equal(flight_acked(&f, 30), 30);
    assert_int_equal(flight_records(&f), 0);
}

static void a_run_is_parted_by_what_is_acknowledged_within_it(void **state)
{
    uint64_t n;
    (void)state;
    start();
    assert_ok(flight_ack(&f, NULL, 5, 5, &n));
    assert_int_equal(n, 1);
    assert_ok(flight_ack(&f, NULL, 9, 12, &n));
    assert_int_equal(n, 4);
    assert_text("1 4 100 1 a\n6 8 100 1 a\n13 20 50 1 b\n21 30 200 1 a\n");
    assert_ok(flight_ack(&f, NULL, 9, 12, &n));
    assert_int_equal(n, 0);
    assert_int_equal(flight_records(&f), 4 + 3 + 8 + 10);
}

static void a_member_acknowledges_only_its_own_up_to_a_record(void **state)
{
    uint64_t n;
    (void)state;
    start();
    assert_ok(flight_ack(&f, "a", 1, 25, &n));
    assert_int_equal(n, 15);
    assert_text("11 20 50 1 b\n26 30 200 1 a\n");
}

static void what_is_due_is_handed_to_another_from_its_start(void **state)
{
    (void)state;
    start();
    assert_int_equal(flight_next_ms(&f, 0), 50);
    assert_int_equal(flight_next_ms(&f, 50), 100);
    assert_ok(flight_again(&f, &f.runs[0], 4, "c", 500));
    assert_text("1 4 500 2 c\n5 10 100 1 a\n11 20 50 1 b\n21 30 200 1 a\n");
    assert_ptr_equal(flight_before(&f, 5), &f.runs[0]);
    assert_ptr_equal(flight_before(&f, 11), &f.runs[1]);
    assert_null(flight_before(&f, 12));
    assert_null(flight_before(&f, 1));
    flight_renew(&f, "a", 0, UINT64_MAX, 900);
    assert_ok(flight_again(&f, &f.runs[2], 20, "c", 500));
    assert_int_equal(flight_next_ms(&f, 100), 500);
}

static void a_record_that_is_given_back_waits_alone_and_the_others_stay_the_members(void **state)
{
    (void)state;
    start();
    assert_ok(flight_back(&f, 5, 70));
    assert_ok(flight_back(&f, 11, 71));
    assert_ok(flight_back(&f, 30, 72));
    assert_ok(flight_back(&f, 31, 73));
    assert_text(
        "1 4 100 1 a\n5 5 70 1 -\n6 10 100 1 a\n11 11 71 1 -\n12 20 50 1 b\n21 29 200 1 a\n30 30 72 1 -\n");
    flight_renew(&f, "a", 0, UINT64_MAX, 900);
    assert_int_equal(f.runs[1].until_ms, 70);
}

static void only_the_runs_that_a_member_names_are_renewed(void **state)
{
    (void)state;
    start();
    flight_renew(&f, "a", 10, 25, 900);
    assert_text("1 10 900 1 a\n11 20 50 1 b\n21 30 900 1 a\n");
    flight_renew(&f, "a", 30, 99, 950);
    flight_renew(&f, "a", 31, 99, 990);
    assert_text("1 10 900 1 a\n11 20 50 1 b\n21 30 950 1 a\n");
}

static void neighbours_that_are_given_back_together_stay_together(void **state)
{
    (void)state;
    start();
    assert_ok(flight_back(&f, 5, 70));
    assert_ok(flight_back(&f, 7, 70));
    assert_ok(flight_back(&f, 6, 70));
    assert_ok(flight_back(&f, 4, 71));
    assert_ok(flight_back(&f, 8, 70));
    assert_text("1 3 100 1 a\n4 4 71 1 -\n5 8 70 1 -\n9 10 100 1 a\n11 20 50 1 b\n21 30 200 1 a\n");
}

static void what_was_written_reads_back_and_nonsense_is_refused(void **state)
{
    static const char *const bad[] = {"1 2 3 4\n",         "1 2 3 4 a", "0 2 3 4 a\n",
                                      "3 2 3 4 a\n",       "x\n",       "1 5 0 1 a\n5 6 0 1 a\n",
                                      "1 2 3 4 a b c\n1\n"};
    struct buf BUF_AUTO out = {0};
    (void)state;
    start();
    assert_ok(flight_write(&f, &out));
    static struct flight again;
    assert_ok(flight_read(out.data, out.len, &again));
    assert_int_equal(again.count, 3);
    assert_string_equal(again.runs[1].member, "b");
    assert_int_equal(again.runs[2].until_ms, 200);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(flight_read(bad[i], strlen(bad[i]), &again), ERR_CORRUPT);
    assert_ok(flight_read("", 0, &again));
    assert_int_equal(again.count, 0);
}

static void there_are_only_so_many_runs(void **state)
{
    uint64_t n;
    (void)state;
    memset(&f, 0, sizeof f);
    for (uint64_t i = 0; i < STREAM_LEASES_MAX; i++)
        lease(i * 10 + 1, i * 10 + 10, "a", 100);
    struct flight_run more = {.first = 900001, .last = 900002, .member = "b"};
    assert_err(flight_add(&f, &more), ERR_FULL);
    assert_err(flight_ack(&f, NULL, 5, 5, &n), ERR_FULL);
    assert_int_equal(flight_records(&f), STREAM_LEASES_MAX * 10);
    assert_ok(flight_ack(&f, NULL, 1, 5, &n));
    assert_ok(flight_ack(&f, NULL, 6, 10, &n));
    assert_ok(flight_ack(&f, NULL, 15, 15, &n));
    assert_int_equal(f.count, STREAM_LEASES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_run_that_is_not_acknowledged_says_how_far_all_is_done),
        cmocka_unit_test(a_run_is_parted_by_what_is_acknowledged_within_it),
        cmocka_unit_test(a_member_acknowledges_only_its_own_up_to_a_record),
        cmocka_unit_test(what_is_due_is_handed_to_another_from_its_start),
        cmocka_unit_test(a_record_that_is_given_back_waits_alone_and_the_others_stay_the_members),
        cmocka_unit_test(only_the_runs_that_a_member_names_are_renewed),
        cmocka_unit_test(neighbours_that_are_given_back_together_stay_together),
        cmocka_unit_test(what_was_written_reads_back_and_nonsense_is_refused),
        cmocka_unit_test(there_are_only_so_many_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
