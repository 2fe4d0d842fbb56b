/* test_client_outcome.c - how an attempt ended, kept and told: client/outcome.h */
#include "lib/t.h"

#include <string.h>

#include "base/limits.h"
#include "client/outcome.h"

static void print(const struct outcome *x, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    outcome_write(&o, "outcome", x);
    json_out_close(&o);
    assert_ok(json_out_end(&o));
}

static enum err read_text(const char *text, struct arena *a, struct outcome *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    assert_ok(json_parse(text, strlen(text), 1 << 20, &doc));
    return outcome_read(json_field(json_root(doc), "outcome"), a, ret);
}

static void a_good_end_comes_back_as_it_was_kept(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf text = {0};
    struct file_ref outputs[] = {{.path = "a/one.txt", .bytes = 7}, {.path = "two", .bytes = 1ull << 36}};
    outputs[1].sha256.bytes[31] = 9;
    struct outcome x = {.word = "ok", .outputs = outputs, .output_count = 2, .has_release = true}, y;
    x.cpu_ms = 3;
    x.wall_ms = 1ll << 40;
    x.memory_bytes = 1ull << 50;
    x.release.bytes[0] = 0xFE;
    print(&x, &text);
    assert_ok(read_text(buf_text(&text), &a, &y));
    assert_string_equal(y.word, "ok");
    assert_int_equal(y.output_count, 2);
    assert_string_equal(y.outputs[0].path, "a/one.txt");
    assert_true(y.outputs[1].bytes == 1ull << 36 && digest_eq(&y.outputs[1].sha256, &outputs[1].sha256));
    assert_true(y.wall_ms == x.wall_ms && y.memory_bytes == x.memory_bytes && y.cpu_ms == 3);
    assert_true(y.has_release && digest_eq(&y.release, &x.release));
    assert_false(y.has_exit_code || y.has_signal || y.message || y.stderr_tail);
}

static void a_bad_end_comes_back_with_its_reason(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf text = {0};
    struct outcome x = {.word = "exit",
                        .has_exit_code = true,
                        .exit_code = -3,
                        .message = "it said \xC3\xB8"},
                   y;
    x.stderr_tail = "line \"one\"\n\x01";
    x.has_signal = true;
    x.signal = 11;
    print(&x, &text);
    assert_ok(read_text(buf_text(&text), &a, &y));
    assert_true(y.has_exit_code && y.exit_code == -3 && y.has_signal && y.signal == 11);
    assert_string_equal(y.message, x.message);
    assert_string_equal(y.stderr_tail, x.stderr_tail);
    assert_int_equal(y.output_count, 0);
    assert_false(y.has_release);
}

static void what_is_no_outcome_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"outcome\":{}}",
        "{\"outcome\":[]}",
        "{\"other\":{}}",
        "{\"outcome\":{\"outcome\":\"ok\",\"outputs\":[],\"cpu_ms\":-1,\"wall_ms\":0,\"memory_bytes\":0}}",
        "{\"outcome\":{\"outcome\":7,\"outputs\":[],\"cpu_ms\":1,\"wall_ms\":0,\"memory_bytes\":0}}",
        "{\"outcome\":{\"outcome\":\"ok\",\"outputs\":[{}],\"cpu_ms\":1,\"wall_ms\":0,\"memory_bytes\":0}}",
        "{\"outcome\":{\"outcome\":\"exit\",\"outputs\":[],\"exit_code\":\"3\",\"cpu_ms\":1,\"wall_ms\":0,"
        "\"memory_bytes\":0}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ARENA_AUTO struct arena a = {0};
        struct outcome x = {.word = "untouched"};
        assert_true(read_text(wrong[i], &a, &x) != ERR_OK);
        assert_string_equal(x.word, "untouched");
    }
}

static void only_an_output_too_large_for_a_report_is_uploaded(void **state)
{
    (void)state;
    struct file_ref outputs[] = {{.path = "a", .bytes = 1}, {.path = "b", .bytes = INLINE_BYTES_MAX}};
    struct outcome x = {.word = "ok", .outputs = outputs, .output_count = 2};
    assert_false(outcome_uploads(&x));
    outputs[1].bytes++;
    assert_true(outcome_uploads(&x));
    assert_false(outcome_uploads(&(struct outcome){.word = "exit"}));
}

static void long_and_odd_texts_are_cut_to_the_wire(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    assert_null(outcome_text(&a, "", 10, true));
    assert_null(outcome_text(&a, NULL, 10, true));
    assert_string_equal(outcome_text(&a, "hello", 10, true), "hello");
    assert_string_equal(outcome_text(&a, "hello", 3, true), "llo");
    assert_string_equal(outcome_text(&a, "hello", 3, false), "hel");
    assert_string_equal(outcome_text(&a, "a\xC3\xB8", 2, false), "a");
    assert_string_equal(outcome_text(&a, "\xC3\xB8z", 2, true), "z");
    assert_string_equal(outcome_text(&a, "\xFFz", 10, true), "\xEF\xBF\xBDz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_end_comes_back_as_it_was_kept),
        cmocka_unit_test(a_bad_end_comes_back_with_its_reason),
        cmocka_unit_test(what_is_no_outcome_is_refused),
        cmocka_unit_test(only_an_output_too_large_for_a_report_is_uploaded),
        cmocka_unit_test(long_and_odd_texts_are_cut_to_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
