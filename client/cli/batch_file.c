/* batch_file.c - see batch_file.h */
#include "client/cli/batch_file.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"

struct reading {
    const struct args *given;
    struct arena *arena;
    struct args out;
};

static enum err keep(struct reading *r, const struct buf *text, const char **ret)
{
    *ret = arena_text(r->arena, buf_text(text));
    return *ret ? ERR_OK : ERR_NOMEM;
}

static enum err scalar(const char *name, const struct json *v, struct buf *out)
{
    enum json_kind kind = json_kind(v);
    if (kind == JSON_IS_TEXT)
        return buf_add(out, json_text(v), json_text_len(v));
    if (kind == JSON_IS_INT || kind == JSON_IS_REAL || kind == JSON_IS_BOOL)
        return json_dump(v, out);
    return err_set(ERR_INVALID, "\"%s\" must be a text or a number", name);
}

static enum err add(struct reading *r, const struct cli_option *o, const struct buf *text)
{
    struct args_value *v = &r->out.values[r->out.value_count];
    if (r->out.value_count == ARGS_VALUES_MAX)
        return err_set(ERR_LIMIT, "more than %d options", ARGS_VALUES_MAX);
    if (!o->many && args_flag(r->given, o->name))
        return ERR_OK;
    v->option = o;
    r->out.value_count++;
    return keep(r, text, &v->text);
}

/* {"seed":[1,2]} is --sweep seed=1,2; {"cpu":"1h"} is --limit cpu=1h. */
static enum err add_pairs(struct reading *r, const struct cli_option *o, const struct json *pairs)
{
    const char *name;
    const struct json *value;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && json_each(pairs, i, &name, &value); i++) {
        BUF_AUTO struct buf text = {0};
        bool list = json_kind(value) == JSON_IS_ARRAY;
        e = buf_printf(&text, "%s=", name);
        if (e == ERR_OK && !list)
            e = scalar(o->name, value, &text);
        for (size_t n = 0; e == ERR_OK && list && n < json_count(value); n++)
            if (n == 0 || (e = buf_add_char(&text, ',')) == ERR_OK)
                e = scalar(o->name, json_at(value, n), &text);
        if (e == ERR_OK)
            e = add(r, o, &text);
    }
    return e;
}

static enum err add_option(struct reading *r, const struct cli_option *o, const struct json *v)
{
    BUF_AUTO struct buf text = {0};
    enum err e = ERR_OK;
    if (!o->value) {
        if (json_kind(v) != JSON_IS_BOOL)
            return err_set(ERR_INVALID, "\"%s\" must be true or false", o->name);
        return json_is_set(v) ? add(r, o, &text) : ERR_OK;
    }
    if (o->many && json_kind(v) == JSON_IS_OBJECT)
        return add_pairs(r, o, v);
    if (!o->many || json_kind(v) != JSON_IS_ARRAY) {
        e = scalar(o->name, v, &text);
        return e == ERR_OK ? add(r, o, &text) : e;
    }
    for (size_t i = 0; e == ERR_OK && i < json_count(v); i++) {
        buf_clear(&text);
        if ((e = scalar(o->name, json_at(v, i), &text)) == ERR_OK)
            e = add(r, o, &text);
    }
    return e;
}

static enum err add_command(struct reading *r, const struct json *words)
{
    enum err e = ERR_OK;
    if (json_kind(words) != JSON_IS_ARRAY)
        return err_set(ERR_INVALID, "\"command\" must be a list of words");
    if (r->given->rest_count > 0)
        return ERR_OK;
    if (!(r->out.rest = arena_array(r->arena, json_count(words) + 1, sizeof *r->out.rest)))
        return ERR_NOMEM;
    for (size_t i = 0; e == ERR_OK && i < json_count(words); i++) {
        BUF_AUTO struct buf text = {0};
        if ((e = scalar("command", json_at(words, i), &text)) == ERR_OK)
            e = keep(r, &text, &r->out.rest[r->out.rest_count++]);
    }
    return e;
}

static enum err add_app(struct reading *r, const struct json *v)
{
    if (!json_text(v))
        return err_set(ERR_INVALID, "\"app\" must be the name of an app");
    if (r->given->word_count > 0)
        return ERR_OK;
    r->out.word_count = 1;
    r->out.words[0] = arena_text(r->arena, json_text(v));
    return r->out.words[0] ? ERR_OK : ERR_NOMEM;
}

static enum err add_field(struct reading *r, const char *key, const struct json *v)
{
    const struct cli_command *c = r->given->command;
    const char *names[128];
    size_t count = 0;
    if (str_eq(key, "app"))
        return add_app(r, v);
    if (str_eq(key, "command"))
        return add_command(r, v);
    if (str_eq(key, "$schema"))
        return ERR_OK;
    names[count++] = "app";
    names[count++] = "command";
    for (size_t i = 0; i < c->option_count && count < sizeof names / sizeof *names; i++) {
        if (str_eq(c->options[i].name, key) && !str_eq(key, "file"))
            return add_option(r, &c->options[i], v);
        names[count++] = c->options[i].name;
    }
    const char *near = str_nearest(key, names, count);
    return err_set(
        ERR_INVALID,
        "unknown field \"%.60s\"%s%s%s: the fields are app, command and the options of dugnad submit", key,
        near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

enum err batch_file_args(const char *path, const struct args *given, struct arena *a, struct args *ret)
{
    BUF_AUTO struct buf text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *key;
    const struct json *value;
    struct reading r = {.given = given, .arena = a, .out = *given};
    enum err e = file_read(path, JSON_BODY_BYTES_MAX, &text);
    if (e == ERR_OK)
        e = json_parse(buf_text(&text), text.len, JSON_BODY_BYTES_MAX, &doc);
    if (e == ERR_OK && json_kind(json_root(doc)) != JSON_IS_OBJECT)
        e = err_set(ERR_INVALID, "it must be a JSON object");
    r.out.words = arena_array(a, given->word_count + 1, sizeof *r.out.words);
    r.out.values = arena_array(a, ARGS_VALUES_MAX, sizeof *r.out.values);
    if (e == ERR_OK && (!r.out.words || !r.out.values))
        e = ERR_NOMEM;
    if (e == ERR_OK && given->word_count)
        memcpy(r.out.words, given->words, given->word_count * sizeof *given->words);
    if (e == ERR_OK && given->value_count)
        memcpy(r.out.values, given->values, given->value_count * sizeof *given->values);
    for (size_t i = 0; e == ERR_OK && json_each(json_root(doc), i, &key, &value); i++)
        e = add_field(&r, key, value);
    if (e != ERR_OK)
        return err_prefix(e, "%s", path);
    *ret = r.out;
    return ERR_OK;
}
