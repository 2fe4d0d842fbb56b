/* show.c - values, tables and objects, see show.h */
#include "client/cli/show.h"

#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"

enum err show_safe(const char *text, size_t len, bool lines, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < len && e == ERR_OK;) {
        unsigned char b = (unsigned char)text[i];
        size_t wide = str_utf8_len(text + i, len - i);
        bool control = b < 0x20 || b == 0x7f || (b == 0xc2 && wide == 2 && (unsigned char)text[i + 1] < 0xa0);
        if (lines && (b == '\n' || b == '\t'))
            control = false;
        e = control || wide == 0 ? buf_add_char(out, '?') : buf_add(out, text + i, wide);
        i += wide ? wide : 1;
    }
    return e;
}

enum err show_count(uint64_t n, struct buf *out)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    enum err e = ERR_OK;
    for (int i = 0; i < len && e == ERR_OK; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            e = buf_add_char(out, ',');
        if (e == ERR_OK)
            e = buf_add_char(out, digits[i]);
    }
    return e;
}

static enum err add_time(int64_t ms, struct buf *out)
{
    char text[64];
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (ms <= 0 || !localtime_r(&s, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        return buf_add_char(out, '-');
    return buf_add_text(out, text);
}

static enum err add_number(const struct json *v, enum show_kind kind, struct buf *out)
{
    char text[64];
    int64_t n = json_int(v, (int64_t)json_number(v, 0));
    if (kind == SHOW_COUNT && n >= 0 && json_kind(v) == JSON_IS_INT)
        return show_count((uint64_t)n, out);
    if (kind == SHOW_TIME)
        return add_time(n, out);
    if (kind == SHOW_QUOTA && n == 0)
        return buf_add_text(out, "default");
    if ((kind == SHOW_BYTES || kind == SHOW_QUOTA) && n >= 0)
        str_from_bytes((uint64_t)n, text, sizeof text);
    else if (kind == SHOW_DURATION)
        str_from_duration_ms(n, text, sizeof text);
    else if (json_kind(v) == JSON_IS_INT)
        snprintf(text, sizeof text, "%lld", (long long)n);
    else
        snprintf(text, sizeof text, "%.4g", json_number(v, 0));
    return buf_add_text(out, text);
}

static enum err add_list(const struct json *v, enum show_kind kind, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < json_count(v) && e == ERR_OK; i++) {
        if (i > 0)
            e = buf_add_char(out, ' ');
        if (e == ERR_OK)
            e = show_value(json_at(v, i), kind, out);
    }
    return e;
}

static enum err add_dump(const struct json *v, struct buf *out)
{
    BUF_AUTO struct buf text = {0};
    enum err e = json_dump(v, &text);
    return e == ERR_OK ? show_safe(buf_text(&text), text.len, false, out) : e;
}

enum err show_value(const struct json *v, enum show_kind kind, struct buf *out)
{
    if (!v)
        return ERR_OK;
    switch (json_kind(v)) {
    case JSON_IS_NULL:
        return ERR_OK;
    case JSON_IS_BOOL:
        return buf_add_text(out, json_is_set(v) ? "yes" : "no");
    case JSON_IS_INT:
    case JSON_IS_REAL:
        return add_number(v, kind, out);
    case JSON_IS_TEXT:
        return show_safe(json_text(v), kind == SHOW_SHORT && json_text_len(v) > 12 ? 12 : json_text_len(v),
                         false, out);
    case JSON_IS_ARRAY:
        return add_list(v, kind, out);
    case JSON_IS_OBJECT:
        return add_dump(v, out);
    }
    return ERR_OK;
}

const struct json *show_field(const struct json *obj, const char *keys)
{
    while (*keys) {
        char key[64] = "";
        size_t len = strcspn(keys, "|");
        memcpy(key, keys, len < sizeof key ? len : sizeof key - 1);
        const struct json *v = json_field(obj, key);
        if (v && json_kind(v) != JSON_IS_NULL)
            return v;
        keys += len + (keys[len] == '|');
    }
    return NULL;
}

void show_block(FILE *out, const char *text, size_t len, const char *indent)
{
    BUF_AUTO struct buf safe = {0};
    if (show_safe(text, len, true, &safe) != ERR_OK)
        return;
    for (const char *at = buf_text(&safe); *at;) {
        size_t line = strcspn(at, "\n");
        fprintf(out, "%s%.*s\n", indent, (int)line, at);
        at += line + (at[line] == '\n');
    }
}

enum err show_json(struct cli *c, const struct json *v)
{
    BUF_AUTO struct buf text = {0};
    enum err e = json_dump(v, &text);
    if (e == ERR_OK && fprintf(c->out, "%s\n", buf_text(&text)) < 0)
        e = cli_output_error(c);
    return e;
}

enum err show_object(struct cli *c, const struct json *obj, const struct show_column *columns, size_t count)
{
    if (c->json)
        return show_json(c, obj);
    int width = 0;
    for (size_t i = 0; i < count; i++)
        if (show_field(obj, columns[i].key) && (int)strlen(columns[i].title) > width)
            width = (int)strlen(columns[i].title);
    for (size_t i = 0; i < count; i++) {
        BUF_AUTO struct buf text = {0};
        enum err e = show_value(show_field(obj, columns[i].key), columns[i].kind, &text);
        if (e != ERR_OK)
            return e;
        if (text.len > 0)
            fprintf(c->out, "%-*s  %s\n", width, columns[i].title, text.data);
    }
    return ERR_OK;
}

enum err show_get(struct cli *c, const char *path, const struct show_column *columns, size_t count)
{
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = api_get(c, path, &doc);
    return e == ERR_OK ? show_object(c, json_root(doc), columns, count) : e;
}
