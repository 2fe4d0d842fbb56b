/* conf.c - see conf.h */
#include "base/conf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"

enum { OPTIONS_MAX = 512, LINE_BYTES_MAX = 4096 };

/* Stores a checked value; settings is NULL when it is only to be checked. */
static void store(const struct conf_option *o, void *settings, const void *value, size_t bytes)
{
    if (settings)
        memcpy((char *)settings + o->offset, value, bytes);
}

/* A number as the option's values are written: 90000 of a duration is "1m30s". */
static enum err print_number(enum conf_type type, double v, struct buf *out);

static enum err in_range(const struct conf_option *o, const char *value, double v)
{
    if ((o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max))
        return ERR_OK;
    BUF_AUTO struct buf min = {0}, max = {0};
    enum err e = print_number(o->type, o->min, &min);
    if (e == ERR_OK)
        e = print_number(o->type, o->max, &max);
    return e == ERR_OK ? err_set(ERR_INVALID, "'%.40s' is not from %s to %s", value, min.data, max.data) : e;
}

static enum err set_text(const struct conf_option *o, const char *value, void *settings)
{
    size_t len = strlen(value);
    if (len >= o->text_room)
        return err_set(ERR_LIMIT, "'%.40s...' is longer than %zu bytes", value, o->text_room - 1);
    store(o, settings, value, len + 1);
    return ERR_OK;
}

static enum err set_int(const struct conf_option *o, const char *value, void *settings)
{
    int64_t v = 0;
    enum err e =
        o->type == CONF_INT ? str_to_i64(value, INT64_MIN, INT64_MAX, &v) : str_to_duration_ms(value, &v);
    if (e == ERR_OK)
        e = in_range(o, value, (double)v);
    if (e == ERR_OK)
        store(o, settings, &v, sizeof v);
    return e;
}

static enum err set_bytes(const struct conf_option *o, const char *value, void *settings)
{
    uint64_t v = 0;
    enum err e = str_to_bytes(value, &v);
    if (e == ERR_OK)
        e = in_range(o, value, (double)v);
    if (e == ERR_OK)
        store(o, settings, &v, sizeof v);
    return e;
}

static enum err set_real(const struct conf_option *o, const char *value, void *settings)
{
    double v = 0;
    enum err e = str_to_double(value, &v);
    if (e == ERR_OK)
        e = in_range(o, value, v);
    if (e == ERR_OK)
        store(o, settings, &v, sizeof v);
    return e;
}

static enum err set_bool(const struct conf_option *o, const char *value, void *settings)
{
    bool v = false;
    enum err e = str_to_bool(value, &v);
    if (e == ERR_OK)
        store(o, settings, &v, sizeof v);
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

static enum err no_such_option(const struct conf_option *options, size_t count, const char *name)
{
    const char *names[OPTIONS_MAX];
    for (size_t i = 0; i < count; i++)
        names[i] = options[i].name;
    const char *meant = str_nearest(name, names, count);
    return err_set(ERR_INVALID, "there is no option '%.60s'%s%s%s", name, meant ? ", did you mean '" : "",
                   meant ? meant : "", meant ? "'?" : "; the default file lists them all");
}

void conf_defaults(const struct conf_option *options, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        struct conf_option any = options[i];
        const char *none = any.type == CONF_TEXT ? "" : any.type == CONF_BOOL ? "no" : "0";
        any.min = any.max = 0; /* a default may mean "off" outside the range */
        enum err e = set_option(&any, any.fallback ? any.fallback : none, settings);
        assert(e == ERR_OK); /* the table is part of the program */
        (void)e;
    }
}

enum err conf_set(const struct conf_option *options, size_t count, const char *name, const char *value,
                  void *settings)
{
    assert(count <= OPTIONS_MAX);
    const struct conf_option *o = find(options, count, name);
    return o ? set_option(o, value, settings) : no_such_option(options, count, name);
}

static char *trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]))
        text[--len] = 0;
    return text + strspn(text, " \t");
}

/* One line; seen has the line of each option that was there already, 0 for the others. */
static enum err parse_line(const struct conf_option *options, size_t count, char *line, unsigned number,
                           unsigned *seen, void *settings)
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
        return no_such_option(options, count, name);
    if (seen[o - options])
        return err_set(ERR_INVALID, "%s is set twice: here and in line %u", name, seen[o - options]);
    seen[o - options] = number;
    return set_option(o, value, settings);
}

static enum err parse_lines(const struct conf_option *options, size_t count, const char *text, size_t len,
                            unsigned *ret_number, void *settings)
{
    unsigned seen[OPTIONS_MAX] = {0};
    char line[LINE_BYTES_MAX + 1];
    enum err e = ERR_OK;
    for (size_t at = 0; at < len && e == ERR_OK;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - (text + at)) : len - at;
        ++*ret_number;
        if (line_len > LINE_BYTES_MAX)
            return err_set(ERR_LIMIT, "the line is longer than %d bytes", LINE_BYTES_MAX);
        if (memchr(text + at, 0, line_len) || !str_is_utf8(text + at, line_len))
            return err_set(ERR_INVALID, "the line is not UTF-8 text");
        memcpy(line, text + at, line_len);
        line[line_len] = 0;
        e = parse_line(options, count, line, *ret_number, seen, settings);
        at += line_len + 1;
    }
    return e;
}

enum err conf_parse(const struct conf_option *options, size_t count, const char *file_name, const char *text,
                    size_t len, void *settings)
{
    unsigned number = 0;
    assert(count <= OPTIONS_MAX);
    if (len > CONFIG_BYTES_MAX)
        return err_set(ERR_LIMIT, "%s is larger than %u bytes", file_name, CONFIG_BYTES_MAX);
    enum err e =
        parse_lines(options, count, text, len, &number, NULL); /* all is checked before anything changes */
    if (e != ERR_OK)
        return err_prefix(e, "%s line %u", file_name, number);
    number = 0;
    return parse_lines(options, count, text, len, &number, settings);
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
            e = print_help(options[i].help ? options[i].help : "", out);
        if (e == ERR_OK)
            e = buf_printf(out, "#%s = %s\n", options[i].name,
                           options[i].fallback ? options[i].fallback : "");
    }
    return e;
}

/* In the largest unit that divides it; 0 is "0s". */
static enum err print_duration(int64_t ms, struct buf *out)
{
    static const struct {
        int64_t ms;
        const char *word;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = ms == 0 ? 3 : 0;
    while (ms % units[i].ms)
        i++;
    return buf_printf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].word);
}

static enum err print_bytes(uint64_t bytes, struct buf *out)
{
    static const char letters[] = "KMGTP";
    size_t power = 0;
    while (bytes && bytes % 1024 == 0 && letters[power]) {
        bytes /= 1024;
        power++;
    }
    enum err e = buf_printf(out, "%" PRIu64, bytes);
    return e == ERR_OK && power ? buf_add_char(out, letters[power - 1]) : e;
}

static enum err print_number(enum conf_type type, double v, struct buf *out)
{
    if (type == CONF_DURATION_MS)
        return print_duration((int64_t)v, out);
    if (type == CONF_BYTES)
        return print_bytes((uint64_t)v, out);
    char text[STR_DOUBLE_BYTES];
    str_from_double(v, text);
    return buf_add_text(out, text);
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
        return print_duration(i, out);
    case CONF_BYTES:
        memcpy(&u, at, sizeof u);
        return print_bytes(u, out);
    case CONF_REAL:
        memcpy(&d, at, sizeof d);
        return print_number(CONF_REAL, d, out);
    case CONF_BOOL:
        memcpy(&b, at, sizeof b);
        return buf_add_text(out, b ? "yes" : "no");
    }
    return err_set(ERR_INVALID, "%s has an unknown type", o->name);
}
