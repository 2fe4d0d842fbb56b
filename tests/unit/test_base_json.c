/* test_base_json.c - reading JSON that anybody may have sent. */
#include "lib/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    assert_ok(json_parse(text, strlen(text), strlen(text), &doc));
    return doc;
}

static void refuse(const char *text, size_t len, enum err wanted)
{
    struct json_doc *doc = NULL;
    enum err e = json_parse(text, len, 1 << 20, &doc);
    if (e != wanted || doc)
        fail_msg("%.60s: %s", text, err_word(e));
    assert_true(strlen(err_text()) > 10);
}

static void malformed_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "[1,]",
                                      "{\"a\":}",
                                      "{\"a\"}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "[01]",
                                      "[+1]",
                                      "[.5]",
                                      "[1.]",
                                      "[NaN]",
                                      "[Infinity]",
                                      "[1] 2",
                                      "[1]]",
                                      "[\"\n\"]",
                                      "[\"\\x\"]",
                                      "[\"\\u12\"]",
                                      "[\"\\ud800\"]",
                                      "[nul]",
                                      "[1 2]",
                                      "7",
                                      "\"text\"",
                                      "true",
                                      "[1e999]",
                                      "[99999999999999999999]",
                                      "\xef\xbb\xbf[]",
                                      "[\"\xff\"]",
                                      "[\"\xc0\x80\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[/**/]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(bad[i], strlen(bad[i]), ERR_INVALID);
    refuse("[1]\0", 4, ERR_INVALID);
    refuse("[\"a\\u0000b\"]", 12, ERR_INVALID);
    refuse("{\"a\":1,\n \"b\":}", 14, ERR_INVALID);
    assert_non_null(strstr(err_text(), "line 2 column 6"));
}

static void a_key_told_twice_is_refused(void **state)
{
    (void)state;
    refuse("{\"a\":1,\"a\":1}", 13, ERR_INVALID);
    refuse("{\"b\":[{\"a\":1,\"\\u0061\":2}]}", 26, ERR_INVALID);
}

static void a_document_over_its_size_is_not_even_read(void **state)
{
    (void)state;
    struct json_doc *doc = NULL;
    assert_err(json_parse("[1,2]", 5, 4, &doc), ERR_LIMIT);
    assert_non_null(strstr(err_text(), "limit of 4"));
    assert_null(doc);
}

static void depth_ends_at_its_limit(void **state)
{
    (void)state;
    char text[4 * JSON_DEPTH_MAX];
    struct json_doc *doc;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_ok(json_parse(text, 2 * JSON_DEPTH_MAX, 1000, &doc));
    json_free(doc);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    refuse(text, 2 * JSON_DEPTH_MAX + 2, ERR_LIMIT);
    static const char quoted[] = "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[\\\\\"]";
    json_free(parse(quoted));
}

static void nesting_behind_a_text_that_ends_in_a_backslash_is_seen(void **state)
{
    (void)state;
    static const char *const before[] = {"[\"\\\\\",", "[\"a\\\"\\\\\",", "[\"\\\\\\\"b\","};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        BUF_AUTO struct buf text = {0};
        assert_ok(buf_add_text(&text, before[i]));
        for (int n = 0; n < JSON_DEPTH_MAX; n++)
            assert_ok(buf_add_char(&text, '['));
        refuse(text.data, text.len, ERR_LIMIT);
    }
}

static void a_text_of_nothing_but_escapes_is_read_in_good_time(void **state)
{
    (void)state;
    static const char *const pairs[] = {"\\\\", "\\\"", "\\n"};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        BUF_AUTO struct buf text = {0};
        struct json_doc *doc;
        assert_ok(buf_add_text(&text, "[\""));
        for (int n = 0; n < 1000000; n++)
            assert_ok(buf_add_text(&text, pairs[i]));
        assert_ok(buf_add_text(&text, "\"]"));
        int64_t begun_ms = clock_mono_ms();
        assert_ok(json_parse(text.data, text.len, text.len, &doc));
        assert_true(clock_mono_ms() - begun_ms < 5000);
        assert_int_equal(json_text_len(json_at(json_root(doc), 0)), 1000000);
        json_free(doc);
    }
}

/* Eight million bytes of "{}," would be two and a half million objects. */
static void the_number_of_values_ends_at_its_limit(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = {0};
    struct json_doc *doc = NULL;
    assert_ok(buf_add_char(&text, '['));
    for (int i = 0; i < JSON_VALUES_MAX / 2; i++)
        assert_ok(buf_add_text(&text, i ? ",{}" : "{}"));
    assert_ok(buf_add_char(&text, ']'));
    assert_err(json_parse(text.data, text.len, text.len, &doc), ERR_LIMIT);
    buf_clear(&text);
    assert_ok(buf_add_char(&text, '['));
    for (int i = 0; i < JSON_VALUES_MAX - 1; i++)
        assert_ok(buf_add_text(&text, i ? ",0" : "0"));
    assert_ok(buf_add_char(&text, ']'));
    assert_ok(json_parse(text.data, text.len, text.len, &doc));
    assert_int_equal(json_count(json_root(doc)), JSON_VALUES_MAX - 1);
    json_free(doc);
    json_free(NULL);
}

static void fields_are_got_with_their_limits(void **state)
{
    (void)state;
    JSON_AUTO struct json_doc *doc =
        parse("{\"s\":\"text\",\"i\":-5,\"r\":0.5,\"b\":true,\"a\":[1,2],\"o\":{\"x\":1},\"n\":null}");
    const struct json *o = json_root(doc), *v;
    const char *s;
    int64_t i;
    double r;
    bool b;
    assert_ok(json_get_string(o, "", "s", 4, &s));
    assert_string_equal(s, "text");
    assert_ok(json_get_i64(o, "", "i", -5, 5, &i));
    assert_int_equal(i, -5);
    assert_ok(json_get_real(o, "", "r", 0, 1, &r));
    assert_true(r == 0.5);
    assert_ok(json_get_real(o, "", "i", -9, 1, &r)); /* an integer is a number too */
    assert_true(r == -5);
    assert_ok(json_get_bool(o, "", "b", &b));
    assert_true(b);
    assert_ok(json_get_array(o, "", "a", 2, &v));
    assert_int_equal(json_count(v), 2);
    assert_int_equal(json_int(json_at(v, 1), 0), 2);
    assert_null(json_at(v, 2));
    assert_ok(json_get_object(o, "", "o", &v));
    assert_int_equal(json_int(json_field(v, "x"), 0), 1);
}

static void a_missing_or_null_field_gives_the_fallback(void **state)
{
    (void)state;
    JSON_AUTO struct json_doc *doc = parse("{\"n\":null}");
    static const char *const keys[] = {"n", "gone"};
    for (int k = 0; k < 2; k++) {
        const struct json *o = json_root(doc), *v = o;
        const char *s = "x";
        int64_t i = 1;
        double r = 1;
        bool b = false;
        assert_ok(json_opt_string(o, "", keys[k], 4, NULL, &s));
        assert_null(s);
        assert_ok(json_opt_i64(o, "", keys[k], 1, 5, -7, &i)); /* a fallback may be outside the range */
        assert_int_equal(i, -7);
        assert_ok(json_opt_real(o, "", keys[k], 0, 1, 9.5, &r));
        assert_true(r == 9.5);
        assert_ok(json_opt_bool(o, "", keys[k], true, &b));
        assert_true(b);
        assert_ok(json_opt_array(o, "", keys[k], 4, &v));
        assert_null(v);
        v = o;
        assert_ok(json_opt_object(o, "", keys[k], &v));
        assert_null(v);
        assert_err(json_get_string(o, "", keys[k], 4, &s), ERR_INVALID);
        assert_err(json_get_i64(o, "", keys[k], 0, 5, &i), ERR_INVALID);
        assert_err(json_get_real(o, "", keys[k], 0, 5, &r), ERR_INVALID);
        assert_err(json_get_bool(o, "", keys[k], &b), ERR_INVALID);
        assert_err(json_get_array(o, "", keys[k], 5, &v), ERR_INVALID);
        assert_err(json_get_object(o, "", keys[k], &v), ERR_INVALID);
    }
}

/* Every kind of value against every getter: one is right, the others are refused and leave their output
 * alone. */
static void a_field_of_another_kind_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    JSON_AUTO struct json_doc *doc = parse("{\"s\":\"1\",\"i\":1,\"r\":1.5,\"b\":true,\"a\":[],\"o\":{}}");
    static const char *const keys[] = {"s", "i", "r", "b", "a", "o"};
    const struct json *o = json_root(doc);
    for (size_t k = 0; k < 6; k++) {
        const char *s = "kept";
        int64_t i = 42;
        double r = 42;
        bool b = false;
        const struct json *a = o, *x = o;
        char key = keys[k][0];
        assert_err(json_get_string(o, "w", keys[k], 9, &s), key == 's' ? ERR_OK : ERR_INVALID);
        assert_err(json_get_i64(o, "w", keys[k], 0, 9, &i), key == 'i' ? ERR_OK : ERR_INVALID);
        assert_err(json_get_real(o, "w", keys[k], 0, 9, &r), key == 'r' || key == 'i' ? ERR_OK : ERR_INVALID);
        assert_err(json_get_bool(o, "w", keys[k], &b), key == 'b' ? ERR_OK : ERR_INVALID);
        assert_err(json_get_array(o, "w", keys[k], 9, &a), key == 'a' ? ERR_OK : ERR_INVALID);
        assert_err(json_get_object(o, "w", keys[k], &x), key == 'o' ? ERR_OK : ERR_INVALID);
        assert_true(key == 's' || strcmp(s, "kept") == 0);
        assert_true(key == 'i' || i == 42);
        assert_true(key == 'r' || key == 'i' || r == 42);
        assert_true(key == 'b' || !b);
        assert_true(key == 'a' || a == o);
        assert_true(key == 'o' || x == o);
    }
}

static void sentences_name_the_path_and_the_limit(void **state)
{
    (void)state;
    JSON_AUTO struct json_doc *doc = parse("{\"cpu_ms\":11,\"s\":\"12345\",\"a\":[1,2,3],\"r\":2.5}");
    const struct json *o = json_root(doc), *v;
    int64_t i;
    double r;
    const char *s;
    assert_err(json_get_i64(o, "reports[3]", "cpu_ms", 0, 10, &i), ERR_INVALID);
    assert_string_equal(err_text(), "reports[3].cpu_ms must be a whole number from 0 to 10");
    assert_err(json_get_i64(o, "", "gone", 0, 10, &i), ERR_INVALID);
    assert_string_equal(err_text(), "gone is missing");
    assert_err(json_get_string(o, "w", "s", 4, &s), ERR_LIMIT);
    assert_string_equal(err_text(), "w.s is longer than 4 bytes");
    assert_err(json_get_array(o, "w", "a", 2, &v), ERR_LIMIT);
    assert_string_equal(err_text(), "w.a has 3 items, at most 2 are allowed");
    assert_err(json_opt_real(o, NULL, "r", 0, 1, 0, &r), ERR_INVALID);
    assert_string_equal(err_text(), "r must be a number from 0 to 1");
    assert_err(json_get_i64(json_field(o, "a"), "w.a", "x", 0, 1, &i), ERR_INVALID);
    assert_string_equal(err_text(), "w.a must be an object");
    assert_err(json_get_i64(NULL, "", "x", 0, 1, &i), ERR_INVALID);
    assert_string_equal(err_text(), "the document must be an object");
}

static void a_strict_place_refuses_unknown_fields_and_lists_the_known(void **state)
{
    (void)state;
    static const char *const keys[] = {"app", "version"};
    JSON_AUTO struct json_doc *doc = parse("{\"version\":1,\"app\":\"x\"}");
    JSON_AUTO struct json_doc *more = parse("{\"app\":1,\"vresion\":1}");
    JSON_AUTO struct json_doc *list = parse("[1]");
    assert_ok(json_only(json_root(doc), "", keys, 2));
    assert_err(json_only(json_root(more), "order", keys, 2), ERR_INVALID);
    assert_string_equal(err_text(), "unknown field 'vresion' in order; known fields are app, version");
    assert_err(json_only(json_root(list), "", keys, 2), ERR_INVALID);
    assert_err(json_only(NULL, "", keys, 2), ERR_INVALID);
}

static void fields_are_visited_in_their_order_and_in_good_time(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = {0};
    enum { FIELDS = 100000 };
    struct json_doc *doc = NULL;
    for (int i = 0; i < FIELDS; i++)
        assert_ok(buf_printf(&text, "%c\"k%d\":%d", i ? ',' : '{', i * 7919 % FIELDS, i));
    assert_ok(buf_add_char(&text, '}'));
    assert_ok(json_parse(text.data, text.len, text.len, &doc));
    const char *key;
    const struct json *value;
    size_t i = 0;
    for (; json_each(json_root(doc), i, &key, &value); i++)
        if (json_int(value, -1) != (int64_t)i || (size_t)atoi(key + 1) != i * 7919 % FIELDS)
            fail_msg("field %zu is %s", i, key);
    assert_int_equal(i, FIELDS);
    json_free(doc);
    JSON_AUTO struct json_doc *empty = parse("{}");
    assert_false(json_each(json_root(empty), 0, &key, &value));
    assert_false(json_each(NULL, 0, &key, &value));
}

static void values_have_kinds_and_forgiving_readers(void **state)
{
    (void)state;
    static const enum json_kind kinds[] = {JSON_IS_NULL, JSON_IS_BOOL, JSON_IS_BOOL,  JSON_IS_INT,
                                           JSON_IS_REAL, JSON_IS_TEXT, JSON_IS_ARRAY, JSON_IS_OBJECT};
    JSON_AUTO struct json_doc *doc = parse("[null,true,false,7,7.5,\"s\\u00e5\",[],{}]");
    for (size_t i = 0; i < 8; i++) {
        const struct json *v = json_at(json_root(doc), i);
        assert_int_equal(json_kind(v), kinds[i]);
        assert_true((json_text(v) != NULL) == (i == 5));
        assert_int_equal(json_text_len(v), i == 5 ? 3 : 0);
        assert_int_equal(json_int(v, -1), i == 3 ? 7 : -1);
        assert_true(json_number(v, -1) == (i == 3 ? 7 : i == 4 ? 7.5 : -1));
        assert_int_equal(json_is_set(v), i == 1);
        assert_int_equal(json_count(v), 0);
    }
    assert_int_equal(json_kind(NULL), JSON_IS_NULL);
    assert_null(json_text(NULL));
    assert_null(json_at(NULL, 0));
    assert_null(json_field(NULL, "a"));
    assert_int_equal(json_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_documents_are_refused_with_their_place),
        cmocka_unit_test(a_key_told_twice_is_refused),
        cmocka_unit_test(a_document_over_its_size_is_not_even_read),
        cmocka_unit_test(depth_ends_at_its_limit),
        cmocka_unit_test(nesting_behind_a_text_that_ends_in_a_backslash_is_seen),
        cmocka_unit_test(a_text_of_nothing_but_escapes_is_read_in_good_time),
        cmocka_unit_test(the_number_of_values_ends_at_its_limit),
        cmocka_unit_test(fields_are_got_with_their_limits),
        cmocka_unit_test(a_missing_or_null_field_gives_the_fallback),
        cmocka_unit_test(a_field_of_another_kind_is_refused_and_changes_nothing),
        cmocka_unit_test(sentences_name_the_path_and_the_limit),
        cmocka_unit_test(a_strict_place_refuses_unknown_fields_and_lists_the_known),
        cmocka_unit_test(fields_are_visited_in_their_order_and_in_good_time),
        cmocka_unit_test(values_have_kinds_and_forgiving_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
