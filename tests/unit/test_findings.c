/* What was found out is kept in order, the worst is not lost, and its text is what was said. */
#include "lib/t.h"

#include <stdio.h>

#include "base/conf.h"
#include "server/findings.h"
#include "server/settings.h"

static void the_worst_come_first_and_equals_stay_in_order(void **state)
{
    (void)state;
    struct findings f = {.count = 0};
    BUF_AUTO struct buf text = {0};
    assert_int_equal(findings_worst(&f), FINDING_OK);
    findings_add(&f, FINDING_OK, "a", "", "one");
    findings_add(&f, FINDING_WARN, "b", "do %d", "two");
    findings_add(&f, FINDING_ERROR, "c", "", "three is %d", 3);
    findings_add(&f, FINDING_WARN, "d", "", "four");
    assert_int_equal(findings_worst(&f), FINDING_ERROR);
    findings_sort(&f);
    assert_ok(findings_print(&f, &text));
    assert_string_equal(buf_text(&text), "error  c            three is 3\n"
                                         "warn   b            two\n"
                                         "                    -> do %d\n"
                                         "warn   d            four\n"
                                         "ok     a            one\n");
}

static void what_is_well_makes_room_for_what_is_not(void **state)
{
    (void)state;
    struct findings f = {.count = 0};
    for (int i = 0; i < FINDINGS_MAX + 5; i++)
        findings_add(&f, FINDING_OK, "a", "", "%d", i);
    assert_int_equal(f.count, FINDINGS_MAX);
    findings_add(&f, FINDING_ERROR, "e", "", "bad");
    assert_int_equal(f.count, FINDINGS_MAX);
    assert_int_equal(findings_worst(&f), FINDING_ERROR);
    for (int i = 0; i < FINDINGS_MAX + 5; i++)
        findings_add(&f, FINDING_ERROR, "e", "", "%d", i);
    assert_int_equal(f.count, FINDINGS_MAX);
}

static void only_what_is_not_well_goes_to_the_console(void **state)
{
    (void)state;
    struct findings f = {.count = 0};
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    findings_add(&f, FINDING_OK, "a", "", "well");
    findings_add(&f, FINDING_WARN, "b", "mend it", "\"ill\"");
    json_out_init(&o, &text);
    json_out_array(&o, NULL);
    findings_write(&f, false, &o);
    json_out_close(&o);
    assert_ok(json_out_end(&o));
    assert_string_equal(
        buf_text(&text),
        "[{\"level\":\"warn\",\"name\":\"b\",\"what\":\"\\\"ill\\\"\",\"remedy\":\"mend it\"}]");
}

static void settings_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    static struct settings s;
    conf_defaults(settings_options, settings_count, &s);
    assert_ok(settings_check(&s));
    snprintf(s.mail_server, sizeof s.mail_server, "smtp://127.0.0.1:25");
    assert_err(settings_check(&s), ERR_INVALID);
    snprintf(s.mail_from, sizeof s.mail_from, "a@b");
    snprintf(s.mail_to, sizeof s.mail_to, "c@d, e@f");
    assert_ok(settings_check(&s));
    snprintf(s.mail_user, sizeof s.mail_user, "me");
    assert_err(settings_check(&s), ERR_INVALID);
    snprintf(s.mail_password_file, sizeof s.mail_password_file, "password");
    assert_ok(settings_check(&s));
    snprintf(s.heartbeat_url, sizeof s.heartbeat_url, "file:///etc/passwd");
    assert_err(settings_check(&s), ERR_INVALID);
}

static void the_mark_of_the_disk_is_no_more_than_a_tenth_of_it(void **state)
{
    (void)state;
    struct settings s = {.disk_free_batch = 10};
    assert_true(settings_disk_mark(&s, 1000) == 10);
    assert_true(settings_disk_mark(&s, 50) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_come_first_and_equals_stay_in_order),
        cmocka_unit_test(what_is_well_makes_room_for_what_is_not),
        cmocka_unit_test(only_what_is_not_well_goes_to_the_console),
        cmocka_unit_test(settings_that_do_not_fit_together_are_refused),
        cmocka_unit_test(the_mark_of_the_disk_is_no_more_than_a_tenth_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
