/* show_table.c - lists as tables: a page of rows is kept, so that columns are as wide as what stands in them.
 * See show.h
 */
#include <stdio.h>

#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/show.h"

#define COLUMNS_MAX    16
#define PAGE_ROWS      200
#define CELL_BYTES_MAX 300
#define GAP            2  /* between columns; 1 where it must be */
#define TIME_WHOLE     19 /* 2026-11-24 14:25:08 */
#define TIME_YEAR      5
#define TIME_SHORT     11 /* 11-24 14:25 */
#define TEXT_SHORT     8

struct table {
    struct cli *cli;
    const struct show_column *columns;
    size_t count;
    struct buf cells[PAGE_ROWS][COLUMNS_MAX];
    size_t rows;
    size_t width[COLUMNS_MAX];
    bool hidden[COLUMNS_MAX];
    bool short_times;
    size_t gap;
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

/* The bytes of the first so many characters. */
size_t show_bytes_of(const char *text, size_t characters)
{
    size_t at = 0;
    for (; text[at]; at++)
        if (((unsigned char)text[at] & 0xc0) != 0x80 && characters-- == 0)
            break;
    return at;
}

/* A row wider than the terminal is hard to read: columns without a value go first, then the year and the
 * seconds of times, then the ends of the longest texts. Numbers stay whole. */
static size_t row_width(const struct table *t)
{
    size_t sum = 0;
    for (size_t i = 0; i < t->count; i++)
        sum += t->hidden[i] ? 0 : t->width[i] + t->gap;
    return sum ? sum - t->gap : 0;
}

static bool is_empty(const struct table *t, size_t column)
{
    for (size_t r = 0; r < t->rows; r++)
        if (!str_eq(buf_text(&t->cells[r][column]), "-"))
            return false;
    return true;
}

static void shorten_times(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (!t->hidden[i] && t->columns[i].kind == SHOW_TIME && t->width[i] > TIME_SHORT) {
            t->width[i] = TIME_SHORT;
            t->short_times = true;
        }
}

static bool shorten_longest(struct table *t, size_t room)
{
    size_t longest = COLUMNS_MAX, over = row_width(t) - room;
    for (size_t i = 0; i < t->count; i++)
        if (!t->hidden[i] && !t->numeric[i] && t->columns[i].kind == SHOW_TEXT &&
            (longest == COLUMNS_MAX || t->width[i] > t->width[longest]))
            longest = i;
    if (longest == COLUMNS_MAX || t->width[longest] <= TEXT_SHORT)
        return false;
    t->width[longest] = t->width[longest] > TEXT_SHORT + over ? t->width[longest] - over : TEXT_SHORT;
    return true;
}

static void fit(struct table *t)
{
    size_t room = (size_t)show_terminal_columns(t->cli->out);
    if (room == 0)
        return;
    for (size_t i = t->count; !t->headed && i-- > 1 && row_width(t) > room;)
        t->hidden[i] = is_empty(t, i);
    if (row_width(t) > room)
        shorten_times(t);
    while (row_width(t) > room && shorten_longest(t, room))
        ;
    if (row_width(t) > room)
        t->gap = 1;
}

static void print_cell(const struct table *t, size_t column, const char *text, bool title)
{
    size_t width = t->width[column], have = columns_of(text);
    bool last = true;
    if (t->hidden[column])
        return;
    for (size_t i = column + 1; i < t->count; i++)
        last = last && t->hidden[i];
    if (!title && t->short_times && t->columns[column].kind == SHOW_TIME && have == TIME_WHOLE) {
        fprintf(t->cli->out, "%.*s", TIME_SHORT, text + TIME_YEAR);
        have = TIME_SHORT;
    } else if (have > width) {
        fprintf(t->cli->out, "%.*s\u2026", (int)show_bytes_of(text, width - 1), text);
        have = width;
    } else {
        fprintf(t->cli->out, "%*s%s", t->numeric[column] ? (int)(width - have) : 0, "", text);
        have = t->numeric[column] ? width : have;
    }
    fprintf(t->cli->out, "%*s", last ? 0 : (int)(width - have + t->gap), "");
    if (last)
        fputc('\n', t->cli->out);
}

static void measure(struct table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t title = columns_of(t->columns[i].title);
        t->width[i] = title > t->width[i] ? title : t->width[i];
        for (size_t r = 0; r < t->rows; r++) {
            size_t cell = columns_of(buf_text(&t->cells[r][i]));
            t->width[i] = cell > t->width[i] ? cell : t->width[i];
        }
    }
}

static void print_table(struct table *t)
{
    measure(t);
    fit(t);
    for (size_t i = 0; i < t->count && !t->headed; i++)
        print_cell(t, i, t->columns[i].title, true);
    t->headed = true;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->count; i++)
            print_cell(t, i, buf_text(&t->cells[r][i]), false);
    t->rows = 0;
}

static enum err add_row(void *ctx, const struct json *item)
{
    struct table *t = ctx;
    enum err e = ERR_OK;
    for (size_t i = 0; i < t->count && e == ERR_OK; i++) {
        const struct json *v = show_field(item, t->columns[i].key);
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
    *t = (struct table){
        .cli = c, .gap = GAP, .columns = columns, .count = count < COLUMNS_MAX ? count : COLUMNS_MAX};
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
