/* json_out.c - writing JSON as a stream, see json.h. No tree, and no printf where it is hot. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"

static void put(struct json_out *o, const char *bytes, size_t len)
{
    if (o->err == ERR_OK)
        o->err = buf_add(o->buf, bytes, len);
}

static void put_quoted(struct json_out *o, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = 0;
    put(o, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(o, text + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            put(o, (char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            put(o, "\\n", 2);
        else if (c == '\t')
            put(o, "\\t", 2);
        else
            put(o, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
    put(o, text + from, len - from);
    put(o, "\"", 1);
}

static void line(struct json_out *o)
{
    static const char blanks[] = "                                                                ";
    if (!o->pretty)
        return;
    put(o, "\n", 1);
    put(o, blanks, 2 * (size_t)o->depth < sizeof blanks ? 2 * (size_t)o->depth : sizeof blanks - 1);
}

/* What comes before a value: a comma where one is due, and the key. */
static void lead(struct json_out *o, const char *key)
{
    uint64_t bit = (uint64_t)1 << o->depth;
    if (o->comma & bit)
        put(o, ",", 1);
    o->comma |= bit;
    if (o->depth > 0)
        line(o);
    if (key) {
        put_quoted(o, key, strlen(key));
        put(o, ": ", o->pretty ? 2 : 1);
    }
}

void json_out_init(struct json_out *o, struct buf *buf)
{
    *o = (struct json_out){.buf = buf};
}

static void open_level(struct json_out *o, const char *key, char bracket)
{
    lead(o, key);
    put(o, &bracket, 1);
    if (o->depth + 1 >= 2 * JSON_DEPTH_MAX - 1) {
        if (o->err == ERR_OK)
            o->err = err_set(ERR_LIMIT, "JSON would be nested deeper than %d", 2 * JSON_DEPTH_MAX - 1);
        return;
    }
    o->depth++;
    uint64_t bit = (uint64_t)1 << o->depth;
    o->comma &= ~bit;
    o->objects = bracket == '{' ? o->objects | bit : o->objects & ~bit;
}

void json_out_object(struct json_out *o, const char *key)
{
    open_level(o, key, '{');
}

void json_out_array(struct json_out *o, const char *key)
{
    open_level(o, key, '[');
}

void json_out_close(struct json_out *o)
{
    uint64_t bit = (uint64_t)1 << o->depth;
    bool had_items = o->comma & bit;
    if (o->depth == 0) {
        if (o->err == ERR_OK)
            o->err = err_set(ERR_INVALID, "JSON is closed more often than opened");
        return;
    }
    o->depth--;
    if (had_items)
        line(o);
    put(o, o->objects & bit ? "}" : "]", 1);
}

void json_out_string(struct json_out *o, const char *key, const char *text)
{
    if (!text) {
        json_out_null(o, key);
        return;
    }
    json_out_string_len(o, key, text, strlen(text));
}

/* Bytes that are not UTF-8 become U+FFFD one by one, so that what a program printed can always be shown. */
static void put_repaired(struct json_out *o, const char *bytes, size_t len)
{
    BUF_AUTO struct buf fixed = {0};
    for (size_t i = 0; i < len && o->err == ERR_OK;) {
        size_t n = 1;
        while (n < 4 && i + n <= len && !str_is_utf8(bytes + i, n))
            n++;
        bool good = i + n <= len && str_is_utf8(bytes + i, n);
        o->err = good ? buf_add(&fixed, bytes + i, n) : buf_add_text(&fixed, "\xef\xbf\xbd");
        i += good ? n : 1;
    }
    put_quoted(o, buf_text(&fixed), fixed.len);
}

void json_out_string_len(struct json_out *o, const char *key, const char *bytes, size_t len)
{
    lead(o, key);
    if (str_is_utf8(bytes, len))
        put_quoted(o, bytes, len);
    else
        put_repaired(o, bytes, len);
}

static void put_u64(struct json_out *o, uint64_t v, bool minus)
{
    char digits[21];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    if (minus)
        digits[--at] = '-';
    put(o, digits + at, sizeof digits - at);
}

void json_out_i64(struct json_out *o, const char *key, int64_t v)
{
    lead(o, key);
    put_u64(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void json_out_u64(struct json_out *o, const char *key, uint64_t v)
{
    lead(o, key);
    put_u64(o, v, false);
}

void json_out_real(struct json_out *o, const char *key, double v)
{
    char text[40];
    if (!isfinite(v)) {
        json_out_null(o, key);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    lead(o, key);
    put(o, text, strlen(text));
}

void json_out_bool(struct json_out *o, const char *key, bool v)
{
    lead(o, key);
    put(o, v ? "true" : "false", v ? 4 : 5);
}

void json_out_null(struct json_out *o, const char *key)
{
    lead(o, key);
    put(o, "null", 4);
}

void json_out_value(struct json_out *o, const char *key, const struct json *v)
{
    lead(o, key);
    if (o->err == ERR_OK)
        o->err = json_dump(v, o->buf);
}

void json_out_raw(struct json_out *o, const char *key, const char *json, size_t len)
{
    lead(o, key);
    put(o, json, len);
}

enum err json_out_end(struct json_out *o)
{
    if (o->err == ERR_OK && o->depth != 0)
        return err_set(ERR_INVALID, "JSON is not closed");
    if (o->err == ERR_OK && o->pretty)
        put(o, "\n", 1);
    return o->err;
}
