/* units_json.c - units from a JSON list, or from a file with a JSON value on each line: an object gives
 * {NAME} for each of its fields, any other value is {} */
#include <string.h>

#include "base/str.h"
#include "client/cli/units.h"

enum { LIST_BYTES_MAX = 256 << 20 };

static bool is_list(const struct units *u)
{
    const char *text = buf_text(&u->text);
    return text[strspn(text, " \t\r\n")] == '[';
}

/* json_parse() takes an object or a list: a lone value becomes a list of one. */
static enum err parse_line(const char *line, struct json_doc **ret)
{
    BUF_AUTO struct buf text = {0};
    enum err e = buf_printf(&text, "[%s]", line);
    return e == ERR_OK ? json_parse(buf_text(&text), text.len, text.len, ret) : e;
}

enum err units_open_json(struct units *u, const char *path)
{
    u->kind = UNITS_JSON;
    enum err e = units_read_text(path, &u->text);
    if (e != ERR_OK)
        return e;
    if (!is_list(u))
        return units_cut_lines(u, path);
    e = json_parse(buf_text(&u->text), u->text.len, LIST_BYTES_MAX, &u->doc);
    if (e != ERR_OK)
        return err_prefix(e, "%s (a longer list can be given as a JSON value on each line)", path);
    u->outer = json_count(json_root(u->doc));
    return u->outer ? ERR_OK : err_set(ERR_INVALID, "%s is an empty list: there is no unit in it", path);
}

static enum err set(const char *name, const struct json *v, struct arena *a, struct variable *ret)
{
    BUF_AUTO struct buf text = {0};
    enum err e =
        json_kind(v) == JSON_IS_TEXT ? buf_add(&text, json_text(v), json_text_len(v)) : json_dump(v, &text);
    if (e == ERR_OK &&
        (json_kind(v) == JSON_IS_OBJECT || json_kind(v) == JSON_IS_ARRAY || json_kind(v) == JSON_IS_NULL))
        e = err_set(ERR_INVALID, "\"%.60s\" is %.40s: a variable is a text, a number, true or false", name,
                    buf_text(&text));
    *ret = (struct variable){arena_text(a, name), arena_text(a, buf_text(&text))};
    return e != ERR_OK ? e : ret->name && ret->value ? ERR_OK : ERR_NOMEM;
}

static enum err vars_of(const struct json *item, struct arena *a, struct variable *ret, uint32_t *count)
{
    const char *name;
    const struct json *value;
    enum err e = ERR_OK;
    if (json_kind(item) != JSON_IS_OBJECT)
        return set("", item, a, &ret[(*count)++]);
    for (size_t i = 0; e == ERR_OK && json_each(item, i, &name, &value); i++) {
        if (*count == VARIABLES_MAX)
            return err_set(ERR_LIMIT, "more than %d variables in one unit", VARIABLES_MAX);
        e = set(name, value, a, &ret[(*count)++]);
    }
    return e;
}

enum err units_json_vars(const struct units *u, uint64_t at, struct arena *a, struct variable *ret,
                         uint32_t *count)
{
    JSON_AUTO struct json_doc *line = NULL;
    const struct json *item = u->doc ? json_at(json_root(u->doc), at) : NULL;
    enum err e = ERR_OK;
    if (!item && (e = parse_line(u->text.data + u->lines[at], &line)) == ERR_OK)
        item = json_at(json_root(line), 0);
    if (e == ERR_OK && !item)
        e = err_set(ERR_INVALID, "there is no value");
    if (e == ERR_OK)
        e = vars_of(item, a, ret, count);
    return e == ERR_OK ? e : err_prefix(e, "value %llu of --from-json", (unsigned long long)at + 1);
}
