/* test_base_code.c - hexadecimal and base64. */
#include "lib/t.h"

#include <string.h>

#include "base/rand.h"
#include "base/str.h"

static void hexadecimal_goes_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[513];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    str_hex(bytes, 256, text);
    assert_memory_equal(text, "000102", 6);
    assert_string_equal(text + 506, "fdfeff");
    assert_ok(str_unhex(text, back, 256));
    assert_memory_equal(bytes, back, 256);
    str_hex(bytes, 0, text);
    assert_string_equal(text, "");
    assert_ok(str_unhex("", back, 0));
}

static void upper_case_and_other_lengths_are_not_our_hexadecimal(void **state)
{
    (void)state;
    uint8_t two[2] = {7, 7};
    static const char *const bad[] = {"", "00", "000", "00000", "00AA", "00 0", "00g0", "0x00", "000\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(str_unhex(bad[i], two, 2), ERR_INVALID);
    assert_int_equal(two[0], 7); /* untouched, also where the first byte was good */
}

static void base64_is_that_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    BUF_AUTO struct buf b = {0};
    for (size_t n = 0; n <= 6; n++) {
        buf_clear(&b);
        assert_ok(str_base64("foobar", n, &b));
        assert_string_equal(buf_text(&b), texts[n]);
        buf_clear(&b);
        assert_ok(str_unbase64(texts[n], strlen(texts[n]), &b));
        assert_int_equal(b.len, n);
        assert_memory_equal(buf_text(&b), "foobar", n);
    }
    assert_ok(str_base64("\xfb\xff\xbf", 3, &b)); /* added behind what was there */
    assert_string_equal(b.data, "foobar+/+/");
}

static void random_bytes_survive_base64(void **state)
{
    (void)state;
    uint8_t bytes[300];
    struct rand_seeded r;
    rand_seed(&r, 1);
    for (size_t n = 0; n < sizeof bytes; n++) {
        BUF_AUTO struct buf text = {0}, back = {0};
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)rand_seeded_u64(&r);
        assert_ok(str_base64(bytes, n, &text));
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_ok(str_unbase64(buf_text(&text), text.len, &back));
        assert_int_equal(back.len, n);
        assert_memory_equal(buf_text(&back), bytes, n);
    }
}

static void base64_has_one_text_for_each_content(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",      "Zg",     "Zg=",  "Zh==", "Zm9=",    "Zg==Zg==",
                                      "=",      "====",   "A===", "=AAA", "Z=g=",    "Zm 8",
                                      "Zm8=\n", "Zm9v\n", "Zm-v", "Zm_v", "Zm9vYg=", "Zm9v=Yg="};
    BUF_AUTO struct buf b = {0};
    assert_ok(buf_add_text(&b, "kept"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (str_unbase64(bad[i], strlen(bad[i]), &b) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
        assert_string_equal(b.data, "kept");
    }
    assert_err(str_unbase64("Zm\0v", 4, &b), ERR_INVALID);
    BUF_AUTO struct buf small = {.bytes_max = 2};
    assert_err(str_unbase64("Zm9v", 4, &small), ERR_LIMIT);
    assert_err(str_base64("f", 1, &small), ERR_LIMIT);
    assert_int_equal(small.len, 0);
}

static void base64url_has_other_letters_and_no_padding(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z", "Zg==", "Zh", "+_-", "Zm9/", "Zm 9", "Zm9vY"};
    BUF_AUTO struct buf b = {0};
    assert_ok(str_base64url("\xfb\xff\xbf\xfb", 4, &b));
    assert_string_equal(b.data, "-_-_-w");
    buf_clear(&b);
    assert_ok(str_unbase64url("-_-_-w", 6, &b));
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "\xfb\xff\xbf\xfb", 4);
    assert_ok(str_unbase64url("", 0, &b));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(str_unbase64url(bad[i], strlen(bad[i]), &b), ERR_INVALID);
    assert_int_equal(b.len, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hexadecimal_goes_both_ways),
        cmocka_unit_test(upper_case_and_other_lengths_are_not_our_hexadecimal),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(random_bytes_survive_base64),
        cmocka_unit_test(base64_has_one_text_for_each_content),
        cmocka_unit_test(base64url_has_other_letters_and_no_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
