/* show.c - values, tables and objects, see show.h */
#include "client/cli/show.h"

#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"

#define COLUMNS_MAX    16
#define PAGE_ROWS      200
#define CELL_BYTES_MAX 300

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
    if (kind == SHOW_BYTES && n >= 0)
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

static const struct json *field(const struct json *obj, const char *keys)
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
        e = err_set_errno(ERR_IO, "cannot write to standard output");
    return e;
}

enum err show_object(struct cli *c, const struct json *obj, const struct show_column *columns, size_t count)
{
    if (c->json)
        return show_json(c, obj);
    int width = 0;
    for (size_t i = 0; i < count; i++)
        if (field(obj, columns[i].key) && (int)strlen(columns[i].title) > width)
            width = (int)strlen(columns[i].title);
    for (size_t i = 0; i < count; i++) {
        BUF_AUTO struct buf text = {0};
        enum err e = show_value(field(obj, columns[i].key), columns[i].kind, &text);
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

/* --- tables: a page of rows is kept, so that columns are as wide as what stands in them --- */

struct table {
    struct cli *cli;
    const struct show_column *columns;
    size_t count;
    struct buf cells[PAGE_ROWS][COLUMNS_MAX];
    size_t rows;
    size_t width[COLUMNS_MAX];
    bool numeric[COLUMNS_MAX];
    bool headed;
    uint64_t items;
};

static size_t columns_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
    size_t pad = width - columns_of(text);
    if (right)
        fprintf(out, "%*s%s", (int)pad, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : (int)pad, "");
    fputs(last ? "\n" : "  ", out);
}

static void print_table(struct table *t)
{
    FILE *out = t->cli->out;
    for (size_t i = 0; i < t->count && !t->headed; i++)
        if (columns_of(t->columns[i].title) > t->width[i])
            t->width[i] = columns_of(t->columns[i].title);
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->count; i++)
            if (columns_of(buf_text(&t->cells[r][i])) > t->width[i])
                t->width[i] = columns_of(buf_text(&t->cells[r][i]));
    for (size_t i = 0; i < t->count && !t->headed; i++)
        print_cell(out, t->columns[i].title, t->width[i], t->numeric[i], i + 1 == t->count);
    t->headed = true;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->count; i++)
            print_cell(out, buf_text(&t->cells[r][i]), t->width[i], t->numeric[i], i + 1 == t->count);
    t->rows = 0;
}

static enum err add_row(void *ctx, const struct json *item)
{
    struct table *t = ctx;
    enum err e = ERR_OK;
    for (size_t i = 0; i < t->count && e == ERR_OK; i++) {
        const struct json *v = field(item, t->columns[i].key);
        struct buf *cell = &t->cells[t->rows][i];
        buf_clear(cell);
        e = show_value(v, t->columns[i].kind, cell);
        if (cell->len > CELL_BYTES_MAX)
            cell->data[CELL_BYTES_MAX] = 0;
        if (e == ERR_OK && cell->len == 0)
            e = buf_add_char(cell, '-');
        if (v && t->items == 0)
            t->numeric[i] = json_kind(v) == JSON_IS_INT && t->columns[i].kind != SHOW_TIME;
    }
    t->items++;
    if (e == ERR_OK && ++t->rows == PAGE_ROWS)
        print_table(t);
    return e;
}

static enum err add_json(void *ctx, const struct json *item)
{
    struct table *t = ctx;
    BUF_AUTO struct buf text = {0};
    enum err e = json_dump(item, &text);
    if (e == ERR_OK)
        fprintf(t->cli->out, "%s%s", t->items++ ? ",\n" : "{\"items\":[", buf_text(&text));
    return e;
}

static enum err list_text(struct table *t, const char *path, uint64_t most, const char *empty)
{
    enum err e = api_pages(t->cli, path, most, add_row, t);
    if (e == ERR_OK && t->items == 0)
        cli_say(t->cli, "%s", empty);
    if (e == ERR_OK && t->rows > 0)
        print_table(t);
    return e;
}

enum err show_list(struct cli *c, const char *path, const struct show_column *columns, size_t count,
                   uint64_t most, const char *empty)
{
    struct table *t = arena_alloc(&c->arena, sizeof *t);
    enum err e;
    if (!t)
        return ERR_NOMEM;
    *t = (struct table){.cli = c, .columns = columns, .count = count < COLUMNS_MAX ? count : COLUMNS_MAX};
    if (!c->json) {
        e = list_text(t, path, most, empty);
    } else {
        e = api_pages(c, path, most, add_json, t);
        if (e == ERR_OK)
            fputs(t->items ? "]}\n" : "{\"items\":[]}\n", c->out);
    }
    for (size_t r = 0; r < PAGE_ROWS; r++)
        for (size_t i = 0; i < COLUMNS_MAX; i++)
            buf_done(&t->cells[r][i]);
    return e;
}
