/* test_base_str.c - numbers, durations, sizes, times, names, paths, UTF-8, ids. */
#include "lib/t.h"

#include <locale.h>
#include <string.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"

static void comparing_takes_null_and_short_texts(void **state)
{
    (void)state;
    assert_true(str_eq(NULL, NULL) && str_eq("", "") && str_eq("a", "a"));
    assert_false(str_eq(NULL, "") || str_eq("", NULL) || str_eq("a", "b"));
    assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
    assert_true(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
}

static void whole_numbers_are_read_up_to_the_last_one(void **state)
{
    (void)state;
    uint64_t u = 1;
    int64_t i = 1;
    assert_ok(str_to_u64("0", 0, &u));
    assert_int_equal(u, 0);
    assert_ok(str_to_u64("18446744073709551615", UINT64_MAX, &u));
    assert_true(u == UINT64_MAX);
    assert_ok(str_to_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i));
    assert_true(i == INT64_MAX);
    assert_ok(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i));
    assert_true(i == INT64_MIN);
    assert_ok(str_to_i64("-0", 0, 0, &i));
    assert_int_equal(i, 0);
}

static void what_is_not_a_whole_number_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "a",
                                      "1a",
                                      "\xd9\xa1"};
    uint64_t u = 42;
    int64_t i = 42;
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        assert_err(str_to_u64(bad[n], UINT64_MAX, &u), ERR_INVALID);
        if (strcmp(bad[n], "-1") != 0)
            assert_err(str_to_i64(bad[n], INT64_MIN, INT64_MAX, &i), ERR_INVALID);
    }
    assert_err(str_to_u64(NULL, 5, &u), ERR_INVALID);
    assert_err(str_to_u64("6", 5, &u), ERR_INVALID);
    assert_non_null(strstr(err_text(), "'6'"));
    assert_non_null(strstr(err_text(), "0 to 5"));
    assert_err(str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &i), ERR_INVALID);
    assert_err(str_to_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &i), ERR_INVALID);
    assert_err(str_to_i64("--1", INT64_MIN, INT64_MAX, &i), ERR_INVALID);
    assert_err(str_to_i64("-", INT64_MIN, INT64_MAX, &i), ERR_INVALID);
    assert_err(str_to_i64("5", 6, 9, &i), ERR_INVALID);
    assert_int_equal(u, 42);
    assert_int_equal(i, 42);
}

static void reals_are_those_of_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    ".5", "5.", "+1",  "inf",   "nan", "0x1p3", "1e",
                                      "1e+", " 1", "1 ", "1,5", "1e999", "--1", "-"};
    double d = 42;
    assert_ok(str_to_double("-0.5", &d));
    assert_true(d == -0.5);
    assert_ok(str_to_double("1E-6", &d));
    assert_true(d == 1e-6);
    assert_ok(str_to_double("2", &d));
    assert_true(d == 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(str_to_double(bad[i], &d), ERR_INVALID);
    assert_err(str_to_double(NULL, &d), ERR_INVALID);
    assert_true(d == 2);
}

static void a_real_as_text_reads_back_as_itself(void **state)
{
    (void)state;
    static const double some[] = {
        0, 1, -1, 0.1, 1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, 123456789012345680.0};
    struct rand_seeded r;
    char text[STR_DOUBLE_BYTES];
    rand_seed(&r, 7);
    for (int i = 0; i < 20000; i++) {
        double v = i < 9 ? some[i] : (rand_seeded_unit(&r) - 0.5) * (double)(rand_seeded_u64(&r) >> (i % 64)),
               back;
        str_from_double(v, text);
        assert_ok(str_to_double(text, &back));
        assert_true(v == back);
    }
    str_from_double(0.1, text);
    assert_string_equal(text, "0.1");
}

static void a_locale_with_commas_changes_no_number(void **state)
{
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "nb_NO.UTF-8", "fr_FR.UTF-8", "de_DE"};
    char text[STR_DOUBLE_BYTES];
    double d;
    bool found = false;
    for (size_t i = 0; i < sizeof commas / sizeof *commas && !found; i++)
        found = setlocale(LC_ALL, commas[i]) != NULL;
    if (!found)
        skip(); /* this machine has none */
    assert_ok(str_to_double("0.5", &d));
    assert_true(d == 0.5);
    str_from_double(0.25, text);
    assert_string_equal(text, "0.25");
    setlocale(LC_ALL, "C");
}

static void yes_and_no_have_four_words_each(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    bool b;
    for (int i = 0; i < 4; i++) {
        assert_ok(str_to_bool(yes[i], &b));
        assert_true(b);
        assert_ok(str_to_bool(no[i], &b));
        assert_false(b);
    }
    b = true;
    assert_err(str_to_bool("Yes", &b), ERR_INVALID);
    assert_err(str_to_bool("", &b), ERR_INVALID);
    assert_err(str_to_bool(NULL, &b), ERR_INVALID);
    assert_true(b);
}

static void durations_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},
                {"90", 90000},
                {"90s", 90000},
                {"250ms", 250},
                {"15m", 900000},
                {"2h", 7200000},
                {"7d", 604800000},
                {"1w", 604800000},
                {"1h30m", 5400000},
                {"1m1ms", 60001},
                {"1.5h", 5400000},
                {"0.25s", 250},
                {"1w1d1h1m1s1ms", 694861001},
                {"9223372036854775807ms", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "s",
                                      "-1s",
                                      "1 s",
                                      "1h 30m",
                                      "1h30",
                                      "30m1h",
                                      "1s1s",
                                      "1x",
                                      "1.s",
                                      ".5s",
                                      "1.2345s",
                                      "9223372036854775808ms",
                                      "106751991167d1000000000d",
                                      "99999999999999999999d",
                                      "1sm",
                                      "1e3s"};
    int64_t ms = 42;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(str_to_duration_ms(good[i].text, &ms));
        if (ms != good[i].ms)
            fail_msg("%s is %lld", good[i].text, (long long)ms);
    }
    ms = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(str_to_duration_ms(bad[i], &ms), ERR_INVALID);
    assert_err(str_to_duration_ms(NULL, &ms), ERR_INVALID);
    assert_int_equal(ms, 42);
}

static void sizes_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"4096", 4096},
                {"4096B", 4096},
                {"64K", 65536},
                {"64k", 65536},
                {"64KiB", 65536},
                {"64KB", 65536},
                {"512M", 512u << 20},
                {"1.5G", 3ull << 29},
                {"2T", 2ull << 40},
                {"1P", 1ull << 50},
                {"18446744073709551615", UINT64_MAX},
                {"16383P", 16383ull << 50}};
    static const char *const bad[] = {
        "",       "K",   "-1", "1 K", "1KK", "1iB", "1Ki", "1X", "1.5", "1.5B", "18446744073709551616",
        "16384P", "1kib"};
    uint64_t bytes = 42;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(str_to_bytes(good[i].text, &bytes));
        if (bytes != good[i].bytes)
            fail_msg("%s is %llu", good[i].text, (unsigned long long)bytes);
    }
    bytes = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (str_to_bytes(bad[i], &bytes) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
    assert_int_equal(bytes, 42);
}

static void durations_and_sizes_are_shown_short(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } spans[] = {{0, "0ms"},
                 {250, "250ms"},
                 {4250, "4.2s"},
                 {9999, "9.9s"},
                 {42000, "42s"},
                 {320000, "5m 20s"},
                 {5400000, "1h 30m"},
                 {273600000, "3d 4h"},
                 {-5400000, "-1h 30m"},
                 {INT64_MIN, "-106751991167d 7h"}};
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1 KiB"},
                 {1536, "1.5 KiB"},
                 {1048575, "1023 KiB"},
                 {3ull << 29, "1.5 GiB"},
                 {UINT64_MAX, "15.9 EiB"}};
    char text[32];
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        str_from_duration_ms(spans[i].ms, text, sizeof text);
        assert_string_equal(text, spans[i].text);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        str_from_bytes(sizes[i].bytes, text, sizeof text);
        assert_string_equal(text, sizes[i].text);
    }
}

static void times_are_shown_and_read_as_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } both[] = {{0, "1970-01-01T00:00:00.000Z"},
                {-1, "1969-12-31T23:59:59.999Z"},
                {951827696789, "2000-02-29T12:34:56.789Z"},
                {4107542399999, "2100-02-28T23:59:59.999Z"},
                {253402300799999, "9999-12-31T23:59:59.999Z"},
                {-62167219200000, "0000-01-01T00:00:00.000Z"}};
    char text[32];
    int64_t ms;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        str_from_time_ms(both[i].ms, text, sizeof text);
        assert_string_equal(text, both[i].text);
        assert_ok(str_to_time_ms(text, &ms));
        assert_true(ms == both[i].ms);
    }
    str_from_time_ms(INT64_MAX, text, sizeof text);
    assert_string_equal(text, "292278994-08-17T07:12:55.807Z");
    str_from_time_ms(INT64_MIN, text, sizeof text);
    assert_string_equal(text, "-292275055-05-16T16:47:04.192Z");
    assert_ok(str_to_time_ms("2026-11-23T20:00:00.5+02:00", &ms));
    str_from_time_ms(ms, text, sizeof text);
    assert_string_equal(text, "2026-11-23T18:00:00.500Z");
    assert_ok(str_to_time_ms("2026-11-23T18:00:00.123456789Z", &ms));
    assert_int_equal(ms % 1000, 123);
}

static void a_day_after_each_other_day_is_one_day_later(void **state)
{
    (void)state;
    char text[32];
    int64_t back;
    for (int64_t day = -800000; day < 800000; day += 97) {
        int64_t ms = day * 86400000;
        str_from_time_ms(ms, text, sizeof text);
        if (text[0] == '-' || strlen(text) != 24)
            continue;
        assert_ok(str_to_time_ms(text, &back));
        assert_true(back == ms);
    }
}

static void what_is_not_a_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2026-11-23",
                                      "2026-11-23T18:00:00",
                                      "2026-11-23 18:00:00Z",
                                      "2026-02-30T00:00:00Z",
                                      "2025-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-1-1T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T23:60:00Z",
                                      "2026-01-01T23:59:60Z",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00.0123456789Z",
                                      "2026-01-01T00:00:00z",
                                      "2026-01-01T00:00:00+2:00",
                                      "2026-01-01T00:00:00+24:00",
                                      "2026-01-01T00:00:00Z ",
                                      " 2026-01-01T00:00:00Z"};
    int64_t ms = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (str_to_time_ms(bad[i], &ms) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
    assert_err(str_to_time_ms(NULL, &ms), ERR_INVALID);
    assert_int_equal(ms, 42);
}

static void names_are_lower_case_and_short(void **state)
{
    (void)state;
    char longest[NAME_BYTES_MAX + 2] = {0};
    memset(longest, 'a', NAME_BYTES_MAX);
    assert_true(str_is_name("a") && str_is_name("0") && str_is_name("hmm-search_3.1") &&
                str_is_name(longest));
    longest[NAME_BYTES_MAX] = 'a';
    static const char *const bad[] = {"", "-a", ".a", "_a", "A", "aB", "a b", "a/b", "a\n", "\xc3\xa5"};
    assert_false(str_is_name(longest) || str_is_name(NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_is_name(bad[i]));
}

static void a_safe_path_stays_below_where_it_starts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a", "a/b", ".hidden", "..a", "a..", "a/...", "a b", "\xc3\xa5/\xe2\x82\xac", "a/.b/c"};
    static const char *const bad[] = {
        "",      "/",   "/a",   "a/",    "a//b", ".",     "..",          "a/..",       "../a", "a/../b",
        "a/./b", "./a", "a\\b", "..\\a", "a\nb", "a\x7f", "\xc2\x9b[2J", "a/\xc2\x85", "\xff", "a\xc0\xaf"};
    char longest[PATH_BYTES_MAX + 2] = {0};
    memset(longest, 'a', PATH_BYTES_MAX);
    assert_true(str_is_safe_path(longest));
    longest[PATH_BYTES_MAX] = 'a';
    assert_false(str_is_safe_path(longest) || str_is_safe_path(NULL));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!str_is_safe_path(good[i]))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (str_is_safe_path(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

/* Writes code point c as UTF-8 would be, without asking whether it may be. */
static size_t encode(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((0xf00 >> n & 0xff) | c);
    return n;
}

static void every_code_point_is_utf8_but_surrogates_and_what_lies_beyond(void **state)
{
    (void)state;
    char text[4];
    for (uint32_t c = 0; c < 0x120000; c++) {
        size_t n = encode(c, text);
        bool wanted = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
        if (str_is_utf8(text, n) != wanted || str_utf8_len(text, n) != (wanted ? n : 0))
            fail_msg("U+%X", c);
        if (n > 1 && (str_is_utf8(text, n - 1) || str_is_utf8(text + 1, n - 1)))
            fail_msg("part of U+%X", c);
    }
}

static void longer_forms_and_stray_bytes_are_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\xff",         "\x80",         "abcdefgh\x80",
        "abcdefghijk\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(str_is_utf8(bad[i], strlen(bad[i])));
    assert_true(str_is_utf8("", 0) && str_is_utf8("a\0b", 3) &&
                str_is_utf8("abcdefgh\xc3\xa5xyzabcdefgh", 21));
    assert_int_equal(str_utf8_len("", 0), 0);
}

static void the_nearest_word_is_what_was_probably_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"listen_port", "listen_address", "log", "data_folder"};
    char vast[200] = {0};
    memset(vast, 'l', sizeof vast - 1);
    assert_string_equal(str_nearest("lisen_port", words, 4), "listen_port");
    assert_string_equal(str_nearest("listen_prot", words, 4), "listen_port");
    assert_string_equal(str_nearest("lgo", words, 4), "log");
    assert_string_equal(str_nearest("datafolder", words, 4), "data_folder");
    assert_null(str_nearest("colour", words, 4));
    assert_null(str_nearest("x", words, 4));
    assert_null(str_nearest(vast, words, 4));
    assert_null(str_nearest("log", words, 0));
}

static void ids_are_written_and_read_back(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 7, 0x7fffffff}, indexes[] = {0, 12, UINT32_MAX};
    char text[ID_TEXT_BYTES];
    wu_id id;
    uint32_t attempt;
    for (int b = 0; b < 3; b++)
        for (int i = 0; i < 3; i++)
            for (uint32_t a = 0; a < ATTEMPTS_MAX; a += ATTEMPTS_MAX - 1) {
                wu_id_text(wu_id_make(batches[b], indexes[i]), text);
                assert_ok(wu_id_parse(text, &id));
                assert_true(id == wu_id_make(batches[b], indexes[i]));
                attempt_id_text(id, a, text);
                assert_ok(attempt_id_parse(text, &id, &attempt));
                assert_true(id == wu_id_make(batches[b], indexes[i]) && attempt == a);
            }
    assert_string_equal(text, "2147483647.4294967295.15");
    assert_int_equal(wu_id_batch(id), 0x7fffffff);
    assert_true(wu_id_index(id) == UINT32_MAX);
}

static void an_id_has_one_text_only(void **state)
{
    (void)state;
    static const char *const units[] = {"",
                                        "7",
                                        "7.",
                                        ".12",
                                        "0.1",
                                        "07.1",
                                        "7.01",
                                        "7.00",
                                        "2147483648.0",
                                        "7.4294967296",
                                        "7.1.",
                                        "7.1.0",
                                        " 7.1",
                                        "7.1 ",
                                        "-7.1",
                                        "+7.1",
                                        "7.-1",
                                        "7..1",
                                        "7,1",
                                        "99999999999999999999.1",
                                        "7.99999999999999999999"};
    static const char *const attempts[] = {"",        "7.12",    "7.12.",          "7.12.16",
                                           "7.12.00", "7.12.01", "7.12.0.",        "7.12.0 ",
                                           "7.12.-1", "0.12.0",  "7.12.4294967296"};
    wu_id id = 42;
    uint32_t attempt = 42;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (wu_id_parse(units[i], &id) != ERR_INVALID)
            fail_msg("%s is taken", units[i]);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (attempt_id_parse(attempts[i], &id, &attempt) != ERR_INVALID)
            fail_msg("%s is taken", attempts[i]);
    assert_err(wu_id_parse(NULL, &id), ERR_INVALID);
    assert_err(attempt_id_parse(NULL, &id, &attempt), ERR_INVALID);
    assert_true(id == 42 && attempt == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_takes_null_and_short_texts),
        cmocka_unit_test(whole_numbers_are_read_up_to_the_last_one),
        cmocka_unit_test(what_is_not_a_whole_number_is_refused_and_changes_nothing),
        cmocka_unit_test(reals_are_those_of_json),
        cmocka_unit_test(a_real_as_text_reads_back_as_itself),
        cmocka_unit_test(a_locale_with_commas_changes_no_number),
        cmocka_unit_test(yes_and_no_have_four_words_each),
        cmocka_unit_test(durations_are_read_with_their_units),
        cmocka_unit_test(sizes_are_read_with_their_units),
        cmocka_unit_test(durations_and_sizes_are_shown_short),
        cmocka_unit_test(times_are_shown_and_read_as_rfc_3339),
        cmocka_unit_test(a_day_after_each_other_day_is_one_day_later),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(names_are_lower_case_and_short),
        cmocka_unit_test(a_safe_path_stays_below_where_it_starts),
        cmocka_unit_test(every_code_point_is_utf8_but_surrogates_and_what_lies_beyond),
        cmocka_unit_test(longer_forms_and_stray_bytes_are_not_utf8),
        cmocka_unit_test(the_nearest_word_is_what_was_probably_meant),
        cmocka_unit_test(ids_are_written_and_read_back),
        cmocka_unit_test(an_id_has_one_text_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
