/* test_base_json_out.c - writing JSON, and that it reads back as what was meant. */
#include "lib/t.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"

static void every_kind_of_value_is_written(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    struct json_out o;
    json_out_init(&o, &b);
    json_out_object(&o, NULL);
    json_out_string(&o, "s", "a\"\\\n\t\x01/");
    json_out_string(&o, "none", NULL);
    json_out_i64(&o, "min", INT64_MIN);
    json_out_u64(&o, "max", UINT64_MAX);
    json_out_i64(&o, "zero", 0);
    json_out_real(&o, "r", 0.1);
    json_out_real(&o, "whole", 3);
    json_out_real(&o, "nan", NAN);
    json_out_real(&o, "inf", INFINITY);
    json_out_bool(&o, "yes", true);
    json_out_bool(&o, "no", false);
    json_out_array(&o, "a");
    json_out_i64(&o, NULL, 1);
    json_out_object(&o, NULL);
    json_out_close(&o);
    json_out_array(&o, NULL);
    json_out_close(&o);
    json_out_null(&o, NULL);
    json_out_raw(&o, NULL, "{\"raw\":1}", 9);
    json_out_close(&o);
    json_out_i64(&o, "k\"ey", 7);
    json_out_close(&o);
    assert_ok(json_out_end(&o));
    assert_string_equal(
        b.data, "{\"s\":\"a\\\"\\\\\\n\\t\\u0001/"
                "\",\"none\":null,\"min\":-9223372036854775808,\"max\":18446744073709551615,"
                "\"zero\":0,\"r\":0.1,\"whole\":3.0,\"nan\":null,\"inf\":null,\"yes\":true,\"no\":false,"
                "\"a\":[1,{},[],null,{\"raw\":1}],\"k\\\"ey\":7}");
    struct json_doc *doc;
    assert_err(json_parse(b.data, b.len, b.len, &doc), ERR_INVALID); /* max is over what jansson reads */
}

static void pretty_is_for_people(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    struct json_out o;
    json_out_init(&o, &b);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_i64(&o, "a", 1);
    json_out_array(&o, "b");
    json_out_i64(&o, NULL, 2);
    json_out_i64(&o, NULL, 3);
    json_out_close(&o);
    json_out_object(&o, "c");
    json_out_close(&o);
    json_out_close(&o);
    assert_ok(json_out_end(&o));
    assert_string_equal(b.data, "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ],\n  \"c\": {}\n}\n");
}

static void text_of(const char *bytes, size_t len, struct buf *out)
{
    struct json_out o;
    buf_clear(out);
    json_out_init(&o, out);
    json_out_array(&o, NULL);
    json_out_string_len(&o, NULL, bytes, len);
    json_out_close(&o);
    assert_ok(json_out_end(&o));
}

static void each_byte_at_each_place_is_escaped_as_it_must(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    char text[24];
    for (unsigned c = 1; c < 0x80; c++)
        for (size_t at = 0; at < sizeof text; at++) {
            struct json_doc *doc;
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            text_of(text, sizeof text, &b);
            assert_ok(json_parse(b.data, b.len, b.len, &doc));
            assert_memory_equal(json_text(json_at(json_root(doc), 0)), text, sizeof text);
            json_free(doc);
        }
    text_of("\0", 1, &b);
    assert_string_equal(b.data, "[\"\\u0000\"]");
}

static void what_is_not_utf8_is_shown_as_replaced(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    text_of("a\xff\xc3\xa5\xe2\x82z\xed\xa0\x80", 10, &b);
    assert_string_equal(
        b.data, "[\"a\xef\xbf\xbd\xc3\xa5\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
    text_of("12345678\xe2\x82\xac\xf0\x9f\x8c\x8d\xf0\x9f", 17, &b);
    assert_string_equal(b.data, "[\"12345678\xe2\x82\xac\xf0\x9f\x8c\x8d\xef\xbf\xbd\xef\xbf\xbd\"]");
}

static void any_bytes_become_a_document_that_parses(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    struct rand_seeded r;
    char text[40];
    rand_seed(&r, 3);
    for (int round = 0; round < 5000; round++) {
        size_t len = rand_seeded_below(&r, sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(1 + rand_seeded_below(&r, 255));
        text_of(text, len, &b);
        struct json_doc *doc;
        assert_ok(json_parse(b.data, b.len, b.len, &doc));
        if (str_is_utf8(text, len)) {
            assert_int_equal(json_text_len(json_at(json_root(doc), 0)), len);
            assert_memory_equal(json_text(json_at(json_root(doc), 0)), text, len);
        }
        json_free(doc);
    }
}

static void a_document_is_dumped_as_it_was(void **state)
{
    (void)state;
    static const char text[] =
        "{\"z\":1,\"a\":[true,false,null,-7,0.1,1e-07,3.0,\"\xc3\xa5\\n\\u0001\"],\"m\":{\"\":{}},\"b\":[]}";
    BUF_AUTO struct buf b = {0};
    struct json_doc *doc;
    assert_ok(json_parse(text, sizeof text - 1, sizeof text, &doc));
    assert_ok(buf_add_text(&b, "before "));
    assert_ok(json_dump(json_root(doc), &b));
    assert_string_equal(b.data + 7, text);
    buf_clear(&b);
    assert_ok(json_dump(NULL, &b));
    assert_string_equal(b.data, "null");
    BUF_AUTO struct buf small = {.bytes_max = 20};
    assert_ok(buf_add_text(&small, "kept"));
    assert_err(json_dump(json_root(doc), &small), ERR_LIMIT);
    assert_string_equal(small.data, "kept");
    json_free(doc);
}

static void a_full_buffer_is_told_once_at_the_end(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {.bytes_max = 30};
    struct json_out o;
    json_out_init(&o, &b);
    json_out_array(&o, NULL);
    for (int i = 0; i < 100; i++) {
        json_out_object(&o, NULL);
        json_out_string(&o, "key", "value");
        json_out_close(&o);
    }
    (void)err_set(ERR_BUSY, "something else meanwhile");
    assert_err(json_out_end(&o), ERR_LIMIT);
    assert_non_null(strstr(err_text(), "30 bytes"));
    assert_true(b.len <= 30);
}

static void depth_ends_where_it_ends_for_reading(void **state)
{
    (void)state;
    for (int levels = JSON_DEPTH_MAX; levels <= JSON_DEPTH_MAX + 40; levels++) {
        BUF_AUTO struct buf b = {0};
        struct json_out o;
        struct json_doc *doc;
        json_out_init(&o, &b);
        for (int i = 0; i < levels; i++)
            json_out_array(&o, NULL);
        for (int i = 0; i < levels; i++)
            json_out_close(&o);
        assert_err(json_out_end(&o), levels == JSON_DEPTH_MAX ? ERR_OK : ERR_LIMIT);
        if (levels == JSON_DEPTH_MAX) {
            assert_ok(json_parse(b.data, b.len, b.len, &doc));
            json_free(doc);
        }
    }
}

static void what_is_left_open_is_not_a_document(void **state)
{
    (void)state;
    BUF_AUTO struct buf b = {0};
    struct json_out o;
    json_out_init(&o, &b);
    json_out_object(&o, NULL);
    json_out_array(&o, "a");
    json_out_close(&o);
    assert_err(json_out_end(&o), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_written),
        cmocka_unit_test(pretty_is_for_people),
        cmocka_unit_test(each_byte_at_each_place_is_escaped_as_it_must),
        cmocka_unit_test(what_is_not_utf8_is_shown_as_replaced),
        cmocka_unit_test(any_bytes_become_a_document_that_parses),
        cmocka_unit_test(a_document_is_dumped_as_it_was),
        cmocka_unit_test(a_full_buffer_is_told_once_at_the_end),
        cmocka_unit_test(depth_ends_where_it_ends_for_reading),
        cmocka_unit_test(what_is_left_open_is_not_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
