#include "lib/t.h"

#include <string.h>

#include "server/judge_numeric.h"

#define ABS 1e-3
#define REL 1e-6

static bool same_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    bool same = judge_numeric_same(a, a_len, b, b_len, ABS, REL);
    assert_int_equal(judge_numeric_same(b, b_len, a, a_len, ABS, REL), same);
    return same;
}

static bool same(const char *a, const char *b)
{
    return same_bytes(a, strlen(a), b, strlen(b));
}

static void numbers_within_either_tolerance_are_equal(void **state)
{
    (void)state;
    assert_true(same("1.0", "1.0009"));
    assert_false(same("1.0", "1.0011"));
    assert_true(same("1e9", "1000000900"));
    assert_false(same("1e9", "1000002000"));
    assert_true(same("-0.0004", "+4e-4"));
    assert_true(same("1", "1.000"));
    assert_true(same(".5", "5e-1"));
}

static void the_edge_belongs_to_the_tolerance(void **state)
{
    (void)state;
    assert_true(judge_numeric_same("1.5", 3, "2", 1, 0.5, 0));
    assert_false(judge_numeric_same("1.25", 4, "2", 1, 0.5, 0));
    assert_true(judge_numeric_same("1", 1, "2", 1, 0, 0.5));
    assert_false(judge_numeric_same("1", 1, "2.25", 4, 0, 0.5));
}

static void words_are_equal_as_text_only(void **state)
{
    (void)state;
    assert_true(same("energy 1.0 eV", "energy 1.0001 eV"));
    assert_false(same("energy 1.0 eV", "Energy 1.0 eV"));
    assert_false(same("1.0eV", "1.0001eV"));
    assert_false(same("version-1", "version-1.0001"));
    assert_false(same("0x10", "16"));
    assert_false(same("0x1p4", "0x10"));
    assert_false(same("1e", "1"));
    assert_false(same("1.0.0", "1.0"));
}

static void blanks_may_differ_but_not_where_words_end(void **state)
{
    (void)state;
    assert_true(same("a  b\r\n1\t2\n", "a b\n1 2"));
    assert_true(same("", " \n"));
    assert_false(same("a b", "ab"));
    assert_false(same("12", "1 2"));
    assert_false(same("1", ""));
    assert_false(same("1 2", "1"));
}

static void marks_stand_between_numbers(void **state)
{
    (void)state;
    assert_true(same("x=1.0,y=2.0;(3.0)", "x=1.0001,y=2.0001;(3.0001)"));
    assert_true(same("{\"pi\":3.1415}", "{ \"pi\": 3.1416 }"));
    assert_false(same("1,2", "1;2"));
    assert_false(same("1,2", "1 2"));
    assert_false(same("(1)", "1"));
}

static void what_is_no_finite_number_equals_itself(void **state)
{
    (void)state;
    assert_true(same("nan", "-NaN"));
    assert_true(same("inf", "Infinity"));
    assert_false(same("inf", "-inf"));
    assert_false(same("nan", "0"));
    assert_false(same("inf", "1e308"));
    assert_false(same("inf", "1e999"));
}

static void a_number_too_large_for_a_double_is_its_own_text(void **state)
{
    (void)state;
    assert_true(same("1e999", "1e999"));
    assert_false(same("1e999", "2e999"));
    assert_false(same("1e999", "1e5000"));
}

static void long_numbers_are_numbers_and_longer_ones_are_text(void **state)
{
    (void)state;
    char a[402], b[402];
    memset(a, '0', sizeof a);
    memset(b, '0', sizeof b);
    a[0] = b[0] = '1';
    a[1] = b[1] = '.';
    b[300] = '1';
    assert_true(same_bytes(a, 400, b, 400));
    assert_true(same_bytes(a, 400, b, 3));
    assert_false(same_bytes(a, 401, b, 401));
    assert_true(same_bytes(a, 401, a, 401));
}

static void bytes_that_are_not_text_must_be_the_same_bytes(void **state)
{
    (void)state;
    assert_true(same_bytes("1.0\0 2", 6, "1.0\0 2", 6));
    assert_false(same_bytes("1.0\0 2", 6, "1.0\0  2", 7));
    assert_false(same_bytes("\x01 1.0", 5, "\x01 1.0001", 8));
    assert_false(same_bytes("\xff 1.0", 5, "\xff 1.0001", 8));
    assert_false(same_bytes("\x18\x2d\x44\x09", 4, "\x18\x2d\x44\x20", 4));
    assert_false(same_bytes("1.0", 3, "1.0\0", 4));
    assert_true(same("5 \xc2\xb5m", "5.0001 \xc2\xb5m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_within_either_tolerance_are_equal),
        cmocka_unit_test(the_edge_belongs_to_the_tolerance),
        cmocka_unit_test(words_are_equal_as_text_only),
        cmocka_unit_test(blanks_may_differ_but_not_where_words_end),
        cmocka_unit_test(marks_stand_between_numbers),
        cmocka_unit_test(what_is_no_finite_number_equals_itself),
        cmocka_unit_test(a_number_too_large_for_a_double_is_its_own_text),
        cmocka_unit_test(long_numbers_are_numbers_and_longer_ones_are_text),
        cmocka_unit_test(bytes_that_are_not_text_must_be_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
