/* json_out.c - writing JSON as a stream, see json.h. No tree, and no printf but for reals. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"

static_assert(JSON_DEPTH_MAX < 64, "struct json_out keeps one bit per depth");

/* Where so many bytes may be written, and a NUL behind them; NULL after a failure. */
static char *room_for(struct json_out *o, size_t len)
{
    struct buf *b = o->buf;
    if (o->err == ERR_OK && b->room - b->len <= len)
        o->err = buf_reserve(b, len);
    return o->err == ERR_OK ? b->data + b->len : NULL;
}

static void put(struct json_out *o, const char *bytes, size_t len)
{
    char *to = room_for(o, len);
    if (!to)
        return;
    memcpy(to, bytes, len);
    to[len] = 0;
    o->buf->len += len;
}

static bool stands_for_itself(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* How many characters from the start are ASCII and need no escape. Eight at a time: a byte's high bit is set
 * in `special` if it is below 0x20, a quote, a backslash or not ASCII (bytes after the first special one may
 * be set by mistake). */
static size_t plain_run(const char *text, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    size_t i = 0;
    for (uint64_t v; len - i >= sizeof v; i += sizeof v) {
        memcpy(&v, text + i, sizeof v);
        uint64_t quote = v ^ ones * '"', backslash = v ^ ones * '\\';
        uint64_t special = v | (v - ones * 0x20) | (quote - ones) | (backslash - ones);
        if (special & highs)
            break;
    }
    while (i < len && stands_for_itself((unsigned char)text[i]))
        i++;
    return i;
}

static void put_escaped(struct json_out *o, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\')
        put(o, (char[]){'\\', (char)c}, 2);
    else if (c == '\n')
        put(o, "\\n", 2);
    else if (c == '\t')
        put(o, "\\t", 2);
    else if (c >= 0x80)
        put(o, "\xef\xbf\xbd",
            3); /* not UTF-8: U+FFFD byte by byte, so that what a program printed can always be shown */
    else
        put(o, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* Nearly all text: keys, digests, base64. */
static void put_plain(struct json_out *o, const char *text, size_t len)
{
    char *to = room_for(o, len + 2);
    if (!to)
        return;
    *to++ = '"';
    memcpy(to, text, len);
    to[len] = '"';
    to[len + 1] = 0;
    o->buf->len += len + 2;
}

static void put_quoted(struct json_out *o, const char *text, size_t len)
{
    size_t from = 0, i = plain_run(text, len);
    if (i == len) {
        put_plain(o, text, len);
        return;
    }
    put(o, "\"", 1);
    while ((i += plain_run(text + i, len - i)) < len) {
        unsigned char c = (unsigned char)text[i];
        size_t character = c >= 0x80 ? str_utf8_len(text + i, len - i) : 0;
        if (character == 0) {
            put(o, text + from, i - from);
            put_escaped(o, c);
            from = i + 1;
        }
        i += character ? character : 1;
    }
    put(o, text + from, len - from);
    put(o, "\"", 1);
}

static void line(struct json_out *o)
{
    static const char blanks[] = "                                                                ";
    static_assert(sizeof blanks > 2 * JSON_DEPTH_MAX, "two blanks per depth");
    if (!o->pretty)
        return;
    put(o, "\n", 1);
    put(o, blanks, 2 * (size_t)o->depth);
}

static bool in_object(const struct json_out *o)
{
    return o->depth > 0 && (o->objects >> o->depth & 1);
}

/* What comes before a value: a comma where one is due, and the key. */
static void lead(struct json_out *o, const char *key)
{
    uint64_t bit = (uint64_t)1 << o->depth;
    assert(o->err != ERR_OK || !!key == in_object(o));
    assert(o->depth > 0 || !(o->comma & bit)); /* one value at the top */
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
    if (o->err == ERR_OK && o->depth == JSON_DEPTH_MAX)
        o->err = err_set(ERR_LIMIT, "JSON would be nested deeper than %d", JSON_DEPTH_MAX);
    if (o->err != ERR_OK)
        return;
    lead(o, key);
    put(o, &bracket, 1);
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
    if (o->err != ERR_OK)
        return;
    assert(o->depth > 0);
    uint64_t bit = (uint64_t)1 << o->depth;
    o->depth--;
    if (o->comma & bit)
        line(o);
    put(o, o->objects & bit ? "}" : "]", 1);
}

void json_out_string(struct json_out *o, const char *key, const char *text)
{
    if (text)
        json_out_string_len(o, key, text, strlen(text));
    else
        json_out_null(o, key);
}

void json_out_string_len(struct json_out *o, const char *key, const char *bytes, size_t len)
{
    lead(o, key);
    put_quoted(o, bytes, len);
}

static void put_u64(struct json_out *o, uint64_t v, bool minus)
{
    char text[1 + STR_U64_BYTES] = "-";
    const char *end = str_from_u64(v, text + minus);
    put(o, text, (size_t)(end - text));
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
    char text[STR_DOUBLE_BYTES];
    if (!isfinite(v)) {
        json_out_null(o, key);
        return;
    }
    str_from_double(v, text);
    lead(o, key);
    put(o, text, strlen(text));
    if (!strpbrk(text, ".e"))
        put(o, ".0", 2); /* it stays a real for who reads it */
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

static void put_members(struct json_out *o, const struct json *v, bool object)
{
    const char *key = NULL;
    const struct json *member;
    if (object)
        for (size_t i = 0; o->err == ERR_OK && json_each(v, i, &key, &member); i++)
            json_out_value(o, key, member);
    else
        for (size_t i = 0; o->err == ERR_OK && i < json_count(v); i++)
            json_out_value(o, NULL, json_at(v, i));
    json_out_close(o);
}

void json_out_value(struct json_out *o, const char *key, const struct json *v)
{
    switch (json_kind(v)) {
    case JSON_IS_NULL:
        json_out_null(o, key);
        break;
    case JSON_IS_BOOL:
        json_out_bool(o, key, json_is_set(v));
        break;
    case JSON_IS_INT:
        json_out_i64(o, key, json_int(v, 0));
        break;
    case JSON_IS_REAL:
        json_out_real(o, key, json_number(v, 0));
        break;
    case JSON_IS_TEXT:
        json_out_string_len(o, key, json_text(v), json_text_len(v));
        break;
    case JSON_IS_ARRAY:
        json_out_array(o, key);
        put_members(o, v, false);
        break;
    case JSON_IS_OBJECT:
        json_out_object(o, key);
        put_members(o, v, true);
        break;
    }
}

void json_out_raw(struct json_out *o, const char *key, const char *json, size_t len)
{
    lead(o, key);
    put(o, json, len);
}

enum err json_out_end(struct json_out *o)
{
    if (o->err == ERR_OK && o->depth != 0)
        o->err = err_set(ERR_INVALID, "JSON is not closed: %u levels are open", o->depth);
    else if (o->err == ERR_OK && o->pretty)
        put(o, "\n", 1);
    else if (o->err == ERR_LIMIT) /* other sentences may have come since */
        return err_set(ERR_LIMIT, "JSON would be over its limit of %zu bytes or %d levels",
                       o->buf->bytes_max ? o->buf->bytes_max : (size_t)BUF_DEFAULT_BYTES_MAX, JSON_DEPTH_MAX);
    else if (o->err == ERR_NOMEM)
        return err_set(ERR_NOMEM, "no memory to write JSON");
    return o->err;
}

enum err json_dump(const struct json *v, struct buf *out)
{
    size_t was = out->len;
    struct json_out o;
    json_out_init(&o, out);
    json_out_value(&o, NULL, v);
    enum err e = json_out_end(&o);
    if (e != ERR_OK && out->data) {
        out->len = was;
        out->data[was] = 0;
    }
    return e;
}
