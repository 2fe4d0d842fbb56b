/* parts.c - see parts.h */
#include "client/cli/parts.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const limit_names[] = {"cpu", "wall", "memory", "disk", "output", "processes"};

static enum err put_limit(const char *name, const char *value, struct wu_limits *l)
{
    uint64_t number;
    enum err e;
    if (str_eq(name, "cpu"))
        return str_to_duration_ms(value, &l->cpu_ms);
    if (str_eq(name, "wall"))
        return str_to_duration_ms(value, &l->wall_ms);
    if (str_eq(name, "memory"))
        return str_to_bytes(value, &l->memory_bytes);
    if (str_eq(name, "disk"))
        return str_to_bytes(value, &l->disk_bytes);
    if (str_eq(name, "output"))
        return str_to_bytes(value, &l->output_bytes);
    if (str_eq(name, "processes")) {
        if ((e = str_to_u64(value, 1000000, &number)) == ERR_OK)
            l->processes = (uint32_t)number;
        return e;
    }
    const char *near = str_nearest(name, limit_names, sizeof limit_names / sizeof *limit_names);
    return err_set(ERR_INVALID,
                   "there is no such limit%s%s%s: the limits are cpu, wall, memory, disk, output, processes",
                   near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

enum err parts_limits(const struct args *a, struct wu_limits *l)
{
    ARENA_AUTO struct arena scratch = {0};
    const char *text, *name, *value;
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(a, "limit", i)); i++) {
        if ((e = args_pair("limit", text, &scratch, &name, &value)) == ERR_OK &&
            (e = put_limit(name, value, l)) != ERR_OK)
            e = err_prefix(e, "--limit %s", text);
    }
    return e;
}

enum err parts_variables(const struct args *args, const char *option, uint32_t most, struct arena *a,
                         struct variable **ret, uint32_t *ret_count)
{
    uint32_t count = args_count(args, option);
    struct variable *list = arena_array(a, count ? count : 1, sizeof *list);
    enum err e = ERR_OK;
    if (!list)
        return ERR_NOMEM;
    if (count > most)
        return err_set(ERR_LIMIT, "--%s is given %u times: %u at most", option, count, most);
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = args_pair(option, args_each(args, option, i), a, &list[i].name, &list[i].value);
    if (e == ERR_OK) {
        *ret = list;
        *ret_count = count;
    }
    return e;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum err parts_file(const char *option, const char *text, struct arena *a, const char **ret_file,
                    const char **ret_path)
{
    const char *equal = strrchr(text, '=');
    const char *file = equal ? arena_bytes(a, text, (size_t)(equal - text)) : text;
    if (!file)
        return ERR_NOMEM;
    const char *plain = str_starts(file, "./") ? file + 2 : file;
    const char *path = equal ? equal + 1 : str_is_safe_path(plain) ? plain : base_of(file);
    if (!*file || !str_is_safe_path(path))
        return err_set(
            ERR_INVALID,
            "--%s %s: '%.200s' is no path for the program: it must be relative and without '..', as in "
            "--%s FILE=PATH",
            option, text, path, option);
    *ret_file = file;
    *ret_path = path;
    return ERR_OK;
}

static enum err numeric(const char *text, struct manifest *m)
{
    char abs[64] = "";
    const char *comma = strchr(text, ',');
    size_t len = comma ? (size_t)(comma - text) : strlen(text);
    if (len >= sizeof abs)
        return err_set(ERR_INVALID, "'%.80s' is not ABS,REL", text);
    snprintf(abs, sizeof abs, "%.*s", (int)len, text);
    m->compare = COMPARE_NUMERIC;
    enum err e = str_to_double(abs, &m->compare_abs);
    return e == ERR_OK && comma ? str_to_double(comma + 1, &m->compare_rel) : e;
}

enum err parts_compare(const char *text, struct arena *a, struct manifest *m)
{
    enum err e = ERR_OK;
    m->compare_abs = m->compare_rel = 0;
    m->validator_count = 0;
    if (str_eq(text, "digest")) {
        m->compare = COMPARE_DIGEST;
        return ERR_OK;
    }
    if (str_starts(text, "numeric:") && (e = numeric(text + 8, m)) == ERR_OK)
        return m->compare_abs >= 0 && m->compare_rel >= 0 && m->compare_abs + m->compare_rel > 0
                   ? ERR_OK
                   : err_set(ERR_INVALID, "--compare %s: a tolerance must be positive", text);
    if (e != ERR_OK)
        return err_prefix(e, "--compare %s", text);
    if (!str_starts(text, "validator:") || !text[10])
        return err_set(ERR_INVALID, "--compare %s must be digest, numeric:ABS,REL or validator:PROGRAM",
                       text);
    char *rest = NULL, *words = arena_text(a, text + 10);
    m->compare = COMPARE_VALIDATOR;
    m->validator = arena_array(a, WU_ARGS_MAX, sizeof *m->validator);
    if (!words || !m->validator)
        return ERR_NOMEM;
    for (char *w = strtok_r(words, " ", &rest); w && m->validator_count < WU_ARGS_MAX;
         w = strtok_r(NULL, " ", &rest))
        m->validator[m->validator_count++] = w;
    return ERR_OK;
}

enum err parts_output(const char *text, struct arena *a, struct output_spec *ret)
{
    const char *equal = strrchr(text, '=');
    size_t len = equal ? (size_t)(equal - text) : strlen(text);
    struct output_spec o = {0};
    enum err e = equal ? str_to_bytes(equal + 1, &o.bytes_max) : ERR_OK;
    if (e != ERR_OK)
        return err_prefix(e, "--output %s", text);
    if (len > 0 && text[len - 1] == '?') {
        o.optional = true;
        len--;
    }
    if (!(o.path = arena_bytes(a, text, len)))
        return ERR_NOMEM;
    if (!str_is_safe_path(o.path))
        return err_set(ERR_INVALID,
                       "--output %s: it must be a relative path without '..', as the program writes it",
                       text);
    *ret = o;
    return ERR_OK;
}

/* The number at *at, moved behind it. */
static enum err number(const char **at, int64_t *ret)
{
    char text[32];
    size_t len = strspn(*at + (**at == '-'), "0123456789") + (**at == '-');
    const int64_t most = INT64_C(1) << 53;
    if (len == 0 || len >= sizeof text)
        return err_set(ERR_INVALID, "there is no number at '%.20s'", *at);
    memcpy(text, *at, len);
    text[len] = 0;
    *at += len;
    return str_to_i64(text, -most, most, ret);
}

enum err parts_range(const char *text, int64_t *ret_first, int64_t *ret_last, int64_t *ret_step)
{
    int64_t first = 0, last = 0, step = 1;
    const char *at = text;
    enum err e = number(&at, &first);
    last = first;
    if (e == ERR_OK && (str_starts(at, "..") || *at == '-')) {
        at += *at == '-' ? 1 : 2;
        e = number(&at, &last);
    }
    if (e == ERR_OK && *at == ':') {
        at++;
        e = number(&at, &step);
    }
    if (e == ERR_OK && *at)
        e = err_set(ERR_INVALID, "'%.20s' follows the range", at);
    if (e == ERR_OK && (step < 1 || batch_array_count(first, last, step) == 0))
        e = err_set(ERR_INVALID,
                    "it must hold from 1 to %u numbers: the first not after the last, the step positive",
                    BATCH_UNITS_MAX);
    if (e != ERR_OK)
        return err_prefix(e, "the range '%.80s' (such as 1..100 or 0..1000:10)", text);
    *ret_first = first;
    *ret_last = last;
    *ret_step = step;
    return ERR_OK;
}
