/* conf.c - see conf.h */
#include "base/conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"

static void *field(const struct conf_option *o, void *settings)
{
    return (char *)settings + o->offset;
}

static enum err in_range(const struct conf_option *o, double v)
{
    if ((o->min != 0 || o->max != 0) && (v < o->min || v > o->max))
        return err_set(ERR_INVALID, "must be from %.17g to %.17g", o->min, o->max);
    return ERR_OK;
}

static enum err set_text(const struct conf_option *o, const char *value, void *settings)
{
    size_t len = strlen(value);
    if (len >= o->text_room)
        return err_set(ERR_LIMIT, "is longer than %zu bytes", o->text_room - 1);
    memcpy(field(o, settings), value, len + 1);
    return ERR_OK;
}

static enum err set_int(const struct conf_option *o, const char *value, void *settings)
{
    int64_t v = 0;
    enum err e =
        o->type == CONF_INT ? str_to_i64(value, INT64_MIN + 1, INT64_MAX, &v) : str_to_duration_ms(value, &v);
    if (e == ERR_OK)
        e = in_range(o, (double)v);
    if (e == ERR_OK)
        memcpy(field(o, settings), &v, sizeof v);
    return e;
}

static enum err set_bytes(const struct conf_option *o, const char *value, void *settings)
{
    uint64_t v = 0;
    enum err e = str_to_bytes(value, &v);
    if (e == ERR_OK)
        e = in_range(o, (double)v);
    if (e == ERR_OK)
        memcpy(field(o, settings), &v, sizeof v);
    return e;
}

static enum err set_real(const struct conf_option *o, const char *value, void *settings)
{
    double v = 0;
    enum err e = str_to_double(value, &v);
    if (e == ERR_OK)
        e = in_range(o, v);
    if (e == ERR_OK)
        memcpy(field(o, settings), &v, sizeof v);
    return e;
}

static enum err set_bool(const struct conf_option *o, const char *value, void *settings)
{
    bool v = false;
    enum err e = str_to_bool(value, &v);
    if (e == ERR_OK)
        memcpy(field(o, settings), &v, sizeof v);
    return e;
}

static enum err set_option(const struct conf_option *o, const char *value, void *settings)
{
    static enum err (*const set[])(const struct conf_option *, const char *, void *) = {
        [CONF_TEXT] = set_text, [CONF_INT] = set_int,         [CONF_REAL] = set_real,
        [CONF_BOOL] = set_bool, [CONF_DURATION_MS] = set_int, [CONF_BYTES] = set_bytes,
    };
    enum err e = set[o->type](o, value, settings);
    return e == ERR_OK ? e : err_prefix(e, "%s", o->name);
}

static const struct conf_option *find(const struct conf_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(options[i].name, name))
            return &options[i];
    return NULL;
}

void conf_defaults(const struct conf_option *options, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        struct conf_option free_of_range = options[i];
        free_of_range.min = free_of_range.max = 0; /* a default may mean "off" outside the range */
        if (set_option(&free_of_range, options[i].fallback ? options[i].fallback : "", settings) != ERR_OK)
            memset(field(&options[i], settings), 0, options[i].type == CONF_TEXT ? 1 : sizeof(bool));
    }
}

enum err conf_set(const struct conf_option *options, size_t count, const char *name, const char *value,
                  void *settings)
{
    const struct conf_option *o = find(options, count, name);
    if (!o)
        return err_set(ERR_INVALID, "there is no option '%.60s'", name);
    return set_option(o, value, settings);
}

static char *trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = 0;
    return text + strspn(text, " \t");
}

/* One line; seen has a byte per option. */
static enum err parse_line(const struct conf_option *options, size_t count, char *line, unsigned char *seen,
                           void *settings)
{
    char *text = trim(line);
    if (*text == 0 || *text == '#')
        return ERR_OK;
    char *equals = strchr(text, '=');
    if (!equals)
        return err_set(ERR_INVALID, "'%.60s' is not of the form name = value", text);
    *equals = 0;
    char *name = trim(text), *value = trim(equals + 1);
    const struct conf_option *o = find(options, count, name);
    if (!o)
        return err_set(ERR_INVALID, "there is no option '%.60s'; the default file lists them all", name);
    if (seen[o - options]++)
        return err_set(ERR_INVALID, "%s is set twice", name);
    return set_option(o, value, settings);
}

enum err conf_parse(const struct conf_option *options, size_t count, const char *file_name, const char *text,
                    size_t len, void *settings)
{
    enum { OPTIONS_MAX = 512, LINE_BYTES_MAX = 4096 };
    unsigned char seen[OPTIONS_MAX] = {0};
    char line[LINE_BYTES_MAX];
    size_t number = 1;
    if (count > OPTIONS_MAX)
        return err_set(ERR_LIMIT, "%s: too many options", file_name);
    for (size_t at = 0; at < len; number++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - (text + at)) : len - at;
        if (line_len >= sizeof line || memchr(text + at, 0, line_len))
            return err_set(ERR_INVALID, "%s line %zu: longer than %d bytes or not text", file_name, number,
                           LINE_BYTES_MAX - 1);
        memcpy(line, text + at, line_len);
        line[line_len] = 0;
        enum err e = parse_line(options, count, line, seen, settings);
        if (e != ERR_OK)
            return err_prefix(e, "%s line %zu", file_name, number);
        at += line_len + 1;
    }
    return ERR_OK;
}

enum err conf_load(const struct conf_option *options, size_t count, const char *path, void *settings)
{
    BUF_AUTO struct buf text = {0};
    enum err e = file_read(path, CONFIG_BYTES_MAX, &text);
    return e == ERR_OK ? conf_parse(options, count, path, buf_text(&text), text.len, settings) : e;
}

static enum err print_help(const char *help, struct buf *out)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && *help) {
        size_t len = strcspn(help, "\n");
        e = buf_printf(out, "# %.*s\n", (int)len, help);
        help += len + (help[len] == '\n');
    }
    return e;
}

enum err conf_print_defaults(const struct conf_option *options, size_t count, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        if (options[i].group)
            e = buf_printf(out, "%s# --- %s ---\n", i ? "\n" : "", options[i].group);
        if (e == ERR_OK)
            e = buf_add_text(out, "\n");
        if (e == ERR_OK)
            e = print_help(options[i].help, out);
        if (e == ERR_OK)
            e = buf_printf(out, "#%s = %s\n", options[i].name,
                           options[i].fallback ? options[i].fallback : "");
    }
    return e;
}

enum err conf_print_value(const struct conf_option *o, const void *settings, struct buf *out)
{
    const void *at = (const char *)settings + o->offset;
    int64_t i;
    uint64_t u;
    double d;
    bool b;
    switch (o->type) {
    case CONF_TEXT:
        return buf_add_text(out, at);
    case CONF_INT:
        memcpy(&i, at, sizeof i);
        return buf_printf(out, "%" PRId64, i);
    case CONF_DURATION_MS:
        memcpy(&i, at, sizeof i);
        return i % 1000 ? buf_printf(out, "%" PRId64 "ms", i) : buf_printf(out, "%" PRId64 "s", i / 1000);
    case CONF_BYTES:
        memcpy(&u, at, sizeof u);
        return buf_printf(out, "%" PRIu64, u);
    case CONF_REAL:
        memcpy(&d, at, sizeof d);
        return buf_printf(out, "%.17g", d);
    case CONF_BOOL:
        memcpy(&b, at, sizeof b);
        return buf_add_text(out, b ? "yes" : "no");
    }
    return ERR_INVALID;
}
