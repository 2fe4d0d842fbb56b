#include "lib/t.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rules/cron.h"

static int64_t at(const char *text)
{
    struct tm tm = {0};
    assert_int_equal(
        sscanf(text, "%d-%d-%d %d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min), 5);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (int64_t)timegm(&tm) * 1000;
}

static int64_t next(const char *cron, int64_t after_ms)
{
    struct cron c;
    assert_int_equal(cron_parse(cron, &c), ERR_OK);
    return cron_next_ms(&c, after_ms);
}

static void the_next_time_is_the_first_after_in_utc(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"* * * * *", "2026-11-24 03:55", "2026-11-24 03:56"},
        {"*/15 * * * *", "2026-11-24 03:55", "2026-11-24 04:00"},
        {"0 3 * * *", "2026-11-24 03:00", "2026-11-25 03:00"},
        {"30 9-17/4 * * 1-5", "2026-11-27 17:30", "2026-11-30 09:30"}, /* from Friday to Monday */
        {"0 0 29 2 *", "2026-11-24 00:00", "2028-02-29 00:00"},
        {"0 0 1 1,7 *", "2026-11-24 00:00", "2027-01-01 00:00"},
        {"0 0 13 * 5", "2026-11-24 00:00", "2026-11-27 00:00"}, /* the 13th or a Friday */
        {"0 0 * * 7", "2026-11-24 00:00", "2026-11-29 00:00"},
        {"59 23 31 12 *", "2026-12-31 23:58", "2026-12-31 23:59"},
        {"5/20 * * * *", "2026-11-24 03:26", "2026-11-24 03:45"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(next(cases[i][0], at(cases[i][1])), at(cases[i][2]));
    assert_int_equal(next("* * * * *", at("2026-11-24 03:55") + 59999), at("2026-11-24 03:56"));
    assert_true(next("0 0 30 2 *", at("2026-11-24 00:00")) == INT64_MAX);
}

/* The same asked of the C library, minute by minute. */
static void every_minute_of_two_months_agrees_with_the_calendar(void **state)
{
    (void)state;
    int64_t from = at("2028-02-01 00:00"), to = at("2028-04-01 00:00"),
            expected = next("*/7 5,23 * 2-3 2", from - 1);
    for (int64_t t = from; t < to; t += 60000) {
        time_t s = t / 1000;
        struct tm tm;
        gmtime_r(&s, &tm);
        bool fires = tm.tm_min % 7 == 0 && (tm.tm_hour == 5 || tm.tm_hour == 23) && tm.tm_wday == 2;
        assert_int_equal(fires, t == expected);
        if (fires)
            expected = next("*/7 5,23 * 2-3 2", t);
    }
}

static void what_is_no_expression_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "*",
                                      "* * * *",
                                      "* * * * * *",
                                      "60 * * * *",
                                      "* 24 * * *",
                                      "* * 0 * *",
                                      "* * 32 * *",
                                      "* * * 13 *",
                                      "* * * * 8",
                                      "a * * * *",
                                      "5-1 * * * *",
                                      "*/0 * * * *",
                                      "1,, * * * *",
                                      "1- * * * *",
                                      "@daily",
                                      "1000 * * * *",
                                      "-1 * * * *"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cron c;
        assert_int_equal(cron_parse(bad[i], &c), ERR_INVALID);
        assert_true(strlen(err_text()) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_time_is_the_first_after_in_utc),
        cmocka_unit_test(every_minute_of_two_months_agrees_with_the_calendar),
        cmocka_unit_test(what_is_no_expression_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
