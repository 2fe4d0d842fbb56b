/* show.h - what people see: tables, key and value, a progress bar. What comes from the network may have been
 * written by a stranger: control characters never reach the terminal. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "base/json.h"
#include "client/cli/cli.h"

enum show_kind {
    SHOW_TEXT,     /* texts, numbers, lists of them joined by blanks */
    SHOW_COUNT,    /* 1,234,567 */
    SHOW_BYTES,    /* 1.5 GiB */
    SHOW_TIME,     /* 2026-11-23 18:00:00 in local time */
    SHOW_QUOTA,    /* bytes, 0: what the project has for everybody */
    SHOW_DURATION, /* from milliseconds */
    SHOW_SHORT     /* the first 12 characters of a digest */
};

struct show_column {
    const char *key; /* "a|b": the first of these fields that is there */
    const char *title;
    enum show_kind kind;
};

/* Gets a paged list and prints it as a table, on a terminal cut to its width, or with --json as
 * {"items":[...]}. most 0: all. */
enum err show_list(struct cli *c, const char *path, const struct show_column *columns, size_t count,
                   uint64_t most, const char *empty) NODISCARD;
/* The fields of an object, one a line, in the order of columns; those missing are left out. With --json the
 * object. */
enum err show_object(struct cli *c, const struct json *obj, const struct show_column *columns,
                     size_t count) NODISCARD;
/* One object as a line of JSON. */
enum err show_json(struct cli *c, const struct json *v) NODISCARD;
/* Gets path and prints the object. */
enum err show_get(struct cli *c, const char *path, const struct show_column *columns, size_t count) NODISCARD;

/* The first of the fields "a|b" that is there and not null, or NULL. */
const struct json *show_field(const struct json *obj, const char *keys);
/* How wide the terminal behind out is; 0: it is none. */
int show_terminal_columns(FILE *out);
/* So many bytes of it fill at most so many columns. */
size_t show_bytes_of(const char *text, size_t columns);
/* Adds the value as text; nothing for a missing one. */
enum err show_value(const struct json *v, enum show_kind kind, struct buf *out) NODISCARD;
/* Text without control characters; line feeds and tabs stay when lines is true. Bytes that are no UTF-8
 * become '?'. */
enum err show_safe(const char *text, size_t len, bool lines, struct buf *out) NODISCARD;
/* Text, each line indented, for what a program has said. */
void show_block(FILE *out, const char *text, size_t len, const char *indent);
enum err show_count(uint64_t n, struct buf *out) NODISCARD; /* 1,234,567 */

/* A bar on a terminal, drawn over itself; elsewhere a line every 10 s, none for what is quicker. */
struct show_bar {
    struct cli *cli;
    int64_t drawn_ms;
    bool tty, drawn;
};
void show_bar_init(struct show_bar *b, struct cli *c);
/* share 0..1, less than 0: not known; text is what stands beside the bar. */
void show_bar_draw(struct show_bar *b, double share, const char *text, int64_t now_ms);
void show_bar_end(struct show_bar *b); /* wipes it, so that other text can follow */

#endif
