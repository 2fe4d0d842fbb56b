/* Passwords: kept as scrypt with a salt, checked one at a time. */
#include "lib/t.h"

#include <string.h>

#include "server/password.h"

static void a_password_checks_and_another_one_does_not(void **state)
{
    char kept[PASSWORD_KEPT_MAX], again[PASSWORD_KEPT_MAX];
    (void)state;
    assert_ok(password_keep("correct horse battery", kept));
    assert_null(strstr(kept, "horse"));
    assert_ok(password_check("correct horse battery", kept));
    assert_err(password_check("correct horse batterz", kept), ERR_AUTH);
    assert_err(password_check("", kept), ERR_AUTH);
    assert_err(password_check("correct horse battery", NULL), ERR_AUTH);
    assert_ok(password_keep("correct horse battery", again));
    assert_string_not_equal(kept, again); /* a salt of its own */
}

static void weak_ones_are_not_taken(void **state)
{
    char tall[PASSWORD_BYTES_MAX + 2];
    (void)state;
    assert_ok(password_judge("tre små kinesere"));
    assert_err(password_judge("short one"), ERR_INVALID);
    assert_err(password_judge("aaaaaaaaaaaaaaaaaaaaaaaa"), ERR_INVALID);
    assert_err(password_judge("123123123123123"), ERR_INVALID);
    for (size_t i = 0; i < sizeof tall - 1; i++)
        tall[i] = (char)('a' + i % 20);
    tall[sizeof tall - 1] = 0;
    assert_err(password_judge(tall), ERR_INVALID);
}

static void what_is_stored_badly_is_said_to_be_so_and_costs_no_memory(void **state)
{
    static const char *const bad[] = {
        "",
        "plain",
        "scrypt 15 8 3 00 00",
        "scrypt 40 8 3 00000000000000000000000000000000 "
        "0000000000000000000000000000000000000000000000000000000000000000",
        "scrypt 0 8 3 00000000000000000000000000000000 "
        "0000000000000000000000000000000000000000000000000000000000000000",
        "scrypt 15 99 3 00000000000000000000000000000000 "
        "0000000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(password_check("correct horse battery", bad[i]), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_checks_and_another_one_does_not),
        cmocka_unit_test(weak_ones_are_not_taken),
        cmocka_unit_test(what_is_stored_badly_is_said_to_be_so_and_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
