/* test_base_log.c - log lines, the clocks, and both kinds of randomness. */
#include "lib/t.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"

/* Standard error goes into a file between catch_begin() and catch_end(). */
struct catch
{
    int before, file;
    char text[4 * LOG_LINE_BYTES_MAX];
};

static void catch_begin(struct catch *c)
{
    char path[] = "/tmp/dugnad-test-XXXXXX";
    c->file = mkstemp(path);
    assert_true(c->file >= 0);
    unlink(path);
    c->before = dup(STDERR_FILENO);
    dup2(c->file, STDERR_FILENO);
}

static void catch_end(struct catch *c)
{
    dup2(c->before, STDERR_FILENO);
    ssize_t n = pread(c->file, c->text, sizeof c->text - 1, 0);
    c->text[n > 0 ? n : 0] = 0;
    close(c->before);
    close(c->file);
}

static void a_line_is_time_level_event_and_pairs(void **state)
{
    (void)state;
    struct catch c;
    int64_t ms;
    log_setup(LOG_INFO, false);
    catch_begin(&c);
    log_event(LOG_INFO, "lease", "wu", "7.12", "host", log_i64(-3), "reason", "two words", "empty", "", NULL);
    catch_end(&c);
    assert_string_equal(c.text + 24, " info lease wu=7.12 host=-3 reason=\"two words\" empty=\"\"\n");
    c.text[24] = 0;
    assert_ok(str_to_time_ms(c.text, &ms));
    assert_in_range(clock_wall_ms() - ms, 0, 10000);
}

static void a_line_stays_one_line_whatever_is_in_it(void **state)
{
    (void)state;
    struct catch c;
    log_setup(LOG_INFO, false);
    catch_begin(&c);
    log_event(LOG_WARN, "odd", "a", "x\ny\x1b[2J\xc2\x9b\xff", "b", "q\"\\", "c", "k=v", "d",
              "\xc3\xa5 \xe2\x82\xac", NULL);
    catch_end(&c);
    assert_string_equal(c.text + 24, " warn odd a=\"x\\ny\\u001b[2J\\u009b\xef\xbf\xbd\" b=\"q\\\"\\\\\" "
                                     "c=\"k=v\" d=\"\xc3\xa5 \xe2\x82\xac\"\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    struct catch c;
    log_setup(LOG_WARN, false);
    catch_begin(&c);
    log_event(LOG_INFO, "quiet", NULL);
    log_event(LOG_DEBUG, "quiet", NULL);
    log_event(LOG_WARN, "warned", NULL);
    log_event(LOG_ERROR, "failed", NULL);
    catch_end(&c);
    assert_null(strstr(c.text, "quiet"));
    assert_non_null(strstr(c.text, " warn warned\n"));
    assert_non_null(strstr(c.text, " error failed\n"));
    assert_true(log_on(LOG_ERROR) && log_on(LOG_WARN) && !log_on(LOG_INFO));
}

static void as_json_each_line_is_a_document(void **state)
{
    (void)state;
    struct catch c;
    char vast[2 * LOG_LINE_BYTES_MAX];
    log_setup(LOG_INFO, true);
    for (size_t shift = 0; shift < 40; shift++) {
        memset(vast, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof vast; i += 3)
            memcpy(vast + i, shift % 2 ? "\xe2\x82\xac" : "\"\\\x01", 4);
        catch_begin(&c);
        log_event(LOG_INFO, "e", "small", "x\ny\xff", shift % 3 ? "vast" : "other", vast, "last", "never",
                  NULL);
        catch_end(&c);
        struct json_doc *doc;
        size_t len = strlen(c.text);
        assert_in_range(len, LOG_LINE_BYTES_MAX - 64, LOG_LINE_BYTES_MAX);
        assert_ptr_equal(strchr(c.text, '\n'), c.text + len - 1);
        assert_ok(json_parse(c.text, len, len, &doc));
        assert_string_equal(json_text(json_field(json_root(doc), "event")), "e");
        assert_string_equal(json_text(json_field(json_root(doc), "level")), "info");
        assert_string_equal(json_text(json_field(json_root(doc), "small")), "x\ny\xef\xbf\xbd");
        assert_null(json_field(json_root(doc), "last"));
        json_free(doc);
    }
    log_setup(LOG_INFO, false);
}

static void a_cut_line_says_so(void **state)
{
    (void)state;
    struct catch c;
    char vast[2 * LOG_LINE_BYTES_MAX];
    memset(vast, ' ', sizeof vast - 1);
    vast[sizeof vast - 1] = 0;
    catch_begin(&c);
    log_event(LOG_INFO, "e", "vast", vast, "last", "never", NULL);
    catch_end(&c);
    size_t len = strlen(c.text);
    assert_true(len <= LOG_LINE_BYTES_MAX);
    assert_string_equal(c.text + len - 5, "...\"\n");
}

static void a_missing_value_ends_the_line(void **state)
{
    (void)state;
    struct catch c;
    const char *none = NULL;
    catch_begin(&c);
    log_event(LOG_INFO, "e", "a", none, NULL);
    catch_end(&c);
    assert_string_equal(c.text + 24, " info e a=-\n");
}

static void logging_leaves_errno_alone_even_when_nobody_listens(void **state)
{
    (void)state;
    int before = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = EXDEV;
    log_event(LOG_ERROR, "unheard", "a", "b", NULL);
    int after = errno;
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(after, EXDEV);
}

static void eight_numbers_fit_into_one_line(void **state)
{
    (void)state;
    const char *texts[8];
    for (int i = 0; i < 8; i++)
        texts[i] = log_i64(i * 1000000007ll);
    for (int i = 0; i < 8; i++)
        assert_int_equal(atoll(texts[i]), i * 1000000007ll);
    assert_string_equal(log_i64(INT64_MIN), "-9223372036854775808");
}

static void levels_are_words(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_ok(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_err(log_level_parse("DEBUG", &level), ERR_INVALID);
    assert_err(log_level_parse(NULL, &level), ERR_INVALID);
    assert_int_equal(level, LOG_DEBUG);
}

static void the_clocks_go_forward(void **state)
{
    (void)state;
    int64_t ms = clock_mono_ms(), us = clock_mono_us();
    assert_in_range(clock_wall_ms(), 1700000000000, 10000000000000);
    clock_sleep_ms(5);
    clock_sleep_ms(0);
    clock_sleep_ms(-5);
    assert_in_range(clock_mono_us() - us, 5000, 5000000);
    assert_in_range(clock_mono_ms() - ms, 4, 5000);
}

static void the_kernels_randomness_fills_every_byte(void **state)
{
    (void)state;
    uint8_t seen[64] = {0}, bytes[64];
    for (int round = 0; round < 64; round++) {
        rand_bytes(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            seen[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof seen; i++)
        assert_int_equal(seen[i], 0xff);
    rand_bytes(NULL, 0);
    assert_true(rand_u64() != rand_u64());
}

/* The first outputs of the authors' xoshiro256** for the state 1, 2, 3, 4. */
static void the_seeded_generator_is_xoshiro(void **state)
{
    (void)state;
    static const uint64_t wanted[] = {11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u};
    struct rand_seeded r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(rand_seeded_u64(&r) == wanted[i]);
    rand_seed(&r, 0);
    assert_true(r.s[0] == 0xe220a8397b1dcdafu && r.s[1] == 0x6e789e6aa1b965f4u); /* splitmix64 of 0 */
}

static void seeded_draws_are_repeatable_and_fair(void **state)
{
    (void)state;
    struct rand_seeded a, b;
    unsigned counts[6] = {0};
    rand_seed(&a, 42);
    rand_seed(&b, 42);
    for (int i = 0; i < 60000; i++) {
        uint64_t v = rand_seeded_below(&a, 6);
        assert_true(v == rand_seeded_below(&b, 6) && v < 6);
        counts[v]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 9600, 10400);
    assert_int_equal(rand_seeded_below(&a, 1), 0);
    for (int i = 0; i < 1000; i++) {
        double u = rand_seeded_unit(&a);
        assert_true(u >= 0 && u < 1);
        assert_true(rand_seeded_below(&a, UINT64_MAX) < UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_event_and_pairs),
        cmocka_unit_test(a_line_stays_one_line_whatever_is_in_it),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(as_json_each_line_is_a_document),
        cmocka_unit_test(a_cut_line_says_so),
        cmocka_unit_test(a_missing_value_ends_the_line),
        cmocka_unit_test(logging_leaves_errno_alone_even_when_nobody_listens),
        cmocka_unit_test(eight_numbers_fit_into_one_line),
        cmocka_unit_test(levels_are_words),
        cmocka_unit_test(the_clocks_go_forward),
        cmocka_unit_test(the_kernels_randomness_fills_every_byte),
        cmocka_unit_test(the_seeded_generator_is_xoshiro),
        cmocka_unit_test(seeded_draws_are_repeatable_and_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
