/* parts.c - see parts.h */
#include "wire/parts.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

enum err text_keep(struct arena *a, const char *text, const char **ret)
{
    const char *copy = text ? arena_text(a, text) : NULL;
    if (text && !copy)
        return ERR_LIMIT;
    *ret = copy;
    return ERR_OK;
}

enum err text_read(const struct json *obj, const char *where, const char *key, size_t bytes_max, bool needed,
                   struct arena *a, const char **ret)
{
    const char *text = NULL;
    enum err e = needed ? json_get_string(obj, where, key, bytes_max, &text)
                        : json_opt_string(obj, where, key, bytes_max, NULL, &text);
    return e == ERR_OK ? text_keep(a, text, ret) : e;
}

void attempt_ref_write(struct json_out *o, const char *key, const struct attempt_ref *id)
{
    char text[ID_TEXT_BYTES];
    attempt_id_text(id->unit, id->attempt, text);
    json_out_string_len(o, key, text, strlen(text));
}

enum err digest_read(const struct json *obj, const char *where, const char *key, struct digest *ret)
{
    const char *text = NULL;
    enum err e = json_get_string(obj, where, key, 64, &text);
    if (e == ERR_OK)
        e = digest_parse(text, ret);
    return e == ERR_OK ? e : err_prefix(e, "%s", key);
}

void digest_write(struct json_out *o, const char *key, const struct digest *d)
{
    char text[DIGEST_TEXT_BYTES];
    digest_text(d, text);
    json_out_string_len(o, key, text, DIGEST_TEXT_BYTES - 1);
}

void limits_write(struct json_out *o, const char *key, const struct wu_limits *l)
{
    json_out_object(o, key);
    if (l->cpu_ms)
        json_out_i64(o, "cpu_ms", l->cpu_ms);
    if (l->wall_ms)
        json_out_i64(o, "wall_ms", l->wall_ms);
    if (l->memory_bytes)
        json_out_u64(o, "memory_bytes", l->memory_bytes);
    if (l->disk_bytes)
        json_out_u64(o, "disk_bytes", l->disk_bytes);
    if (l->output_bytes)
        json_out_u64(o, "output_bytes", l->output_bytes);
    if (l->processes)
        json_out_u64(o, "processes", l->processes);
    json_out_close(o);
}

enum err limits_read(const struct json *obj, const char *where, struct wu_limits *ret)
{
    static const char *const fields[] = {"cpu_ms",     "wall_ms",      "memory_bytes",
                                         "disk_bytes", "output_bytes", "processes"};
    int64_t v[6] = {0};
    *ret = (struct wu_limits){0};
    if (!obj)
        return ERR_OK;
    enum err e = json_only(obj, where, fields, 6);
    for (size_t i = 0; e == ERR_OK && i < 6; i++)
        e = json_opt_i64(obj, where, fields[i], 0, i == 5 ? 100000 : INT64_MAX / 4, 0, &v[i]);
    if (e == ERR_OK)
        *ret = (struct wu_limits){.cpu_ms = v[0],
                                  .wall_ms = v[1],
                                  .memory_bytes = (uint64_t)v[2],
                                  .disk_bytes = (uint64_t)v[3],
                                  .output_bytes = (uint64_t)v[4],
                                  .processes = (uint32_t)v[5]};
    return e;
}

struct wu_limits limits_merge(const struct wu_limits *base, const struct wu_limits *over)
{
    return (struct wu_limits){
        .cpu_ms = over->cpu_ms ? over->cpu_ms : base->cpu_ms,
        .wall_ms = over->wall_ms ? over->wall_ms : base->wall_ms,
        .memory_bytes = over->memory_bytes ? over->memory_bytes : base->memory_bytes,
        .disk_bytes = over->disk_bytes ? over->disk_bytes : base->disk_bytes,
        .output_bytes = over->output_bytes ? over->output_bytes : base->output_bytes,
        .processes = over->processes ? over->processes : base->processes,
    };
}

void file_refs_write(struct json_out *o, const char *key, const struct file_ref *refs, uint32_t count)
{
    json_out_array(o, key);
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "path", refs[i].path);
        digest_write(o, "sha256", &refs[i].sha256);
        json_out_u64(o, "bytes", refs[i].bytes);
        json_out_close(o);
    }
    json_out_close(o);
}

static enum err file_ref_read(const struct json *item, const char *where, struct arena *a,
                              struct file_ref *ret)
{
    static const char *const fields[] = {"path", "sha256", "bytes"};
    const char *path = NULL;
    int64_t bytes = 0;
    enum err e;
    if ((e = json_only(item, where, fields, 3)) != ERR_OK ||
        (e = json_get_string(item, where, "path", PATH_BYTES_MAX, &path)) != ERR_OK ||
        (e = digest_read(item, where, "sha256", &ret->sha256)) != ERR_OK ||
        (e = json_get_i64(item, where, "bytes", 0, (int64_t)BLOB_BYTES_MAX, &bytes)) != ERR_OK)
        return e;
    if (!str_is_safe_path(path))
        return err_set(ERR_INVALID, "%s.path '%.100s' is not a safe relative path: no '..', no leading '/'",
                       where, path);
    ret->bytes = (uint64_t)bytes;
    return text_keep(a, path, &ret->path);
}

enum err file_refs_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                        struct arena *a, struct file_ref **ret, uint32_t *ret_count)
{
    const struct json *list = NULL;
    char at[160];
    enum err e = json_opt_array(obj, where, key, most, &list);
    uint32_t count = (uint32_t)json_count(list);
    struct file_ref *refs = e == ERR_OK ? arena_array(a, count + 1, sizeof *refs) : NULL;
    if (e == ERR_OK && !refs)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
        snprintf(at, sizeof at, "%s%s%s[%u]", where, *where ? "." : "", key, i);
        e = file_ref_read(json_at(list, i), at, a, &refs[i]);
        for (uint32_t j = 0; e == ERR_OK && j < i; j++)
            if (str_eq(refs[j].path, refs[i].path))
                e = err_set(ERR_INVALID, "%s.path '%.100s' stands there twice", at, refs[i].path);
    }
    if (e == ERR_OK) {
        *ret = refs;
        *ret_count = count;
    }
    return e;
}

enum err words_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                    size_t bytes_max, struct arena *a, const char ***ret, uint32_t *ret_count)
{
    const struct json *list = NULL;
    enum err e = json_opt_array(obj, where, key, most, &list);
    uint32_t count = (uint32_t)json_count(list);
    const char **words = e == ERR_OK ? arena_array(a, count + 1, sizeof *words) : NULL;
    if (e == ERR_OK && !words)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
        const char *word = json_text(json_at(list, i));
        e = !word ? err_set(ERR_INVALID, "%s[%u] must be a string", key, i)
            : strlen(word) > bytes_max
                ? err_set(ERR_LIMIT, "%s[%u] is longer than %zu bytes", key, i, bytes_max)
                : text_keep(a, word, &words[i]);
    }
    if (e == ERR_OK) {
        *ret = words;
        *ret_count = count;
    }
    return e;
}

void words_write(struct json_out *o, const char *key, const char *const *words, uint32_t count)
{
    json_out_array(o, key);
    for (uint32_t i = 0; i < count; i++)
        json_out_string(o, NULL, words[i]);
    json_out_close(o);
}

enum err variables_read(const struct json *obj, const char *where, const char *key, uint32_t most,
                        struct arena *a, struct variable **ret, uint32_t *ret_count)
{
    const struct json *map = NULL, *value;
    const char *name;
    enum err e = json_opt_object(obj, where, key, &map);
    uint32_t count = (uint32_t)json_count(map);
    if (e == ERR_OK && count > most)
        e = err_set(ERR_LIMIT, "%s has %u entries, at most %u are allowed", key, count, most);
    struct variable *vars = e == ERR_OK ? arena_array(a, count + 1, sizeof *vars) : NULL;
    if (e == ERR_OK && !vars)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && json_each(map, i, &name, &value); i++) {
        e = json_text(value) ? text_keep(a, name, &vars[i].name)
                             : err_set(ERR_INVALID, "%s.%s must be a string", key, name);
        if (e == ERR_OK)
            e = text_keep(a, json_text(value), &vars[i].value);
    }
    if (e == ERR_OK) {
        *ret = vars;
        *ret_count = count;
    }
    return e;
}

static bool is_env_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_",
                      digits[] = "0123456789";
    size_t letters_first = strspn(name, letters), len = letters_first;
    while (name[len] && (strchr(letters, name[len]) || strchr(digits, name[len])))
        len++;
    return letters_first > 0 && !name[len];
}

enum err env_read(const struct json *obj, const char *where, struct arena *a, struct variable **ret,
                  uint32_t *ret_count)
{
    struct variable *vars = NULL;
    uint32_t count = 0;
    enum err e = variables_read(obj, where, "env", ENV_MAX, a, &vars, &count);
    for (uint32_t i = 0; e == ERR_OK && i < count; i++)
        if (!is_env_name(vars[i].name))
            e = err_set(ERR_INVALID,
                        "env has '%.60s': a name is made of letters, digits and _, without a digit first",
                        vars[i].name);
    if (e == ERR_OK) {
        *ret = vars;
        *ret_count = count;
    }
    return e;
}

enum err stdin_read(const struct json *obj, const char *where, struct arena *a, const char **ret)
{
    const char *path = NULL;
    enum err e = text_read(obj, where, "stdin", PATH_BYTES_MAX, false, a, &path);
    if (e == ERR_OK && path && !str_is_safe_path(path))
        e = err_set(ERR_INVALID, "stdin '%.100s' is not a safe relative path: no '..', no leading '/'", path);
    if (e == ERR_OK)
        *ret = path;
    return e;
}

void variables_write(struct json_out *o, const char *key, const struct variable *vars, uint32_t count)
{
    json_out_object(o, key);
    for (uint32_t i = 0; i < count; i++)
        json_out_string(o, vars[i].name, vars[i].value);
    json_out_close(o);
}
