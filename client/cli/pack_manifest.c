/* pack_manifest.c - see pack_manifest.h */
#include "client/cli/pack_manifest.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/parts.h"

/* The manifest file's text with entry and outputs put in where they are missing, as a manifest cannot be
 * without. */
static enum err complete(const struct pack_manifest *g, const struct json *file, struct buf *out)
{
    struct json_out o;
    const char *key;
    const struct json *value;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    for (size_t i = 0; file && json_each(file, i, &key, &value); i++)
        json_out_value(&o, key, value);
    if (!file || !json_field(file, "entry"))
        words_write(&o, "entry", g->entry->list, g->entry->count);
    if (!file || !json_field(file, "outputs")) {
        const char *first = args_text(g->args, "stdout", g->stdout_default);
        json_out_array(&o, "outputs");
        json_out_object(&o, NULL);
        json_out_string(&o, "path", first);
        json_out_close(&o);
        json_out_close(&o);
    }
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err base(const struct pack_manifest *g, struct arena *a, struct manifest *ret, bool *ret_outputs)
{
    const char *path = args_text(g->args, "manifest", NULL);
    BUF_AUTO struct buf file = {0}, text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = path ? file_read(path, ENVELOPE_BYTES_MAX, &file) : ERR_OK;
    if (e == ERR_OK && path)
        e = json_parse(buf_text(&file), file.len, ENVELOPE_BYTES_MAX, &doc);
    const struct json *root = doc ? json_root(doc) : NULL;
    if (e == ERR_OK && g->entry->count == 0 && (!root || !json_field(root, "entry")))
        e = err_set(
            ERR_INVALID,
            "nothing says what to start: name the program with --program PATH, or entry in --manifest");
    if (e == ERR_OK)
        e = complete(g, root, &text);
    if (e == ERR_OK)
        e = manifest_parse(buf_text(&text), text.len, a, ret);
    *ret_outputs = root && json_field(root, "outputs");
    return e == ERR_OK || !path ? e : err_prefix(e, "%s", path);
}

static enum err put_output(struct manifest *m, const struct output_spec *o)
{
    for (uint32_t i = 0; i < m->output_count; i++) {
        if (str_eq(m->outputs[i].path, o->path)) {
            m->outputs[i] = *o;
            return ERR_OK;
        }
    }
    if (m->output_count == WU_OUTPUTS_MAX)
        return err_set(ERR_LIMIT, "more than %d outputs", WU_OUTPUTS_MAX);
    m->outputs[m->output_count++] = *o;
    return ERR_OK;
}

static enum err outputs(const struct pack_manifest *g, bool declared, struct arena *a, struct manifest *m)
{
    struct output_spec *list = arena_array(a, WU_OUTPUTS_MAX, sizeof *list), o;
    const char *text, *out = args_text(g->args, "stdout", NULL);
    enum err e = ERR_OK;
    if (!list)
        return ERR_NOMEM;
    if (m->output_count)
        memcpy(list, m->outputs, m->output_count * sizeof *list);
    m->outputs = list;
    if (!declared)
        m->output_count = 0;
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(g->args, "output", i)); i++)
        if ((e = parts_output(text, a, &o)) == ERR_OK)
            e = put_output(m, &o);
    if (!out && m->output_count == 0)
        out = g->stdout_default;
    if (e != ERR_OK || !out)
        return e;
    m->stdout_path = out;
    for (uint32_t i = 0; i < m->output_count; i++)
        if (str_eq(m->outputs[i].path, out))
            return ERR_OK;
    o = (struct output_spec){.path = out};
    return str_is_safe_path(out)
               ? put_output(m, &o)
               : err_set(ERR_INVALID, "--stdout %s: it must be a relative path without '..'", out);
}

static enum err put_env(struct manifest *m, const char *name, const char *value)
{
    for (uint32_t i = 0; i < m->env_count; i++) {
        if (str_eq(m->env[i].name, name)) {
            m->env[i].value = value;
            return ERR_OK;
        }
    }
    if (m->env_count == ENV_MAX)
        return err_set(ERR_LIMIT, "more than %d variables in the environment", ENV_MAX);
    m->env[m->env_count++] = (struct variable){name, value};
    return ERR_OK;
}

static enum err environment(const struct pack_manifest *g, struct arena *a, struct manifest *m)
{
    struct variable *list = arena_array(a, ENV_MAX, sizeof *list), *given;
    uint32_t count;
    enum err e = parts_variables(g->args, "env", ENV_MAX, a, &given, &count);
    if (!list)
        return ERR_NOMEM;
    if (m->env_count)
        memcpy(list, m->env, m->env_count * sizeof *list);
    m->env = list;
    if (e == ERR_OK && g->helpers)
        e = put_env(m, "LD_LIBRARY_PATH", "/app/lib");
    if (e == ERR_OK && g->python)
        e = put_env(m, "PYTHONHOME", "/app");
    if (e == ERR_OK && g->python)
        e = put_env(m, "PYTHONDONTWRITEBYTECODE", "1");
    for (uint32_t i = 0; e == ERR_OK && i < count; i++)
        e = put_env(m, given[i].name, given[i].value);
    return e;
}

static enum err words(const struct args *args, const char *option, uint32_t most, struct arena *a,
                      const char ***ret, uint32_t *ret_count)
{
    uint32_t count = args_count(args, option);
    if (count == 0)
        return ERR_OK;
    if (count > most)
        return err_set(ERR_LIMIT, "--%s is given %u times: %u at most", option, count, most);
    *ret = arena_array(a, count, sizeof **ret);
    if (!*ret)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        (*ret)[i] = args_each(args, option, i);
    *ret_count = count;
    return ERR_OK;
}

static enum err class_of(const char *word, enum app_class *ret)
{
    for (int i = 0; word && i < APP_CLASSES; i++) {
        if (str_eq(word, app_class_name((enum app_class)i))) {
            *ret = (enum app_class)i;
            return ERR_OK;
        }
    }
    return word ? err_set(ERR_INVALID, "--class %s: it is one of none, os, cpu, release", word) : ERR_OK;
}

enum err pack_manifest_make(const struct pack_manifest *g, struct arena *a, struct manifest *ret)
{
    const struct args *args = g->args;
    const char *compare = args_text(args, "compare", NULL), *cost = args_text(args, "cost", NULL);
    struct manifest m = {0};
    bool declared = false;
    enum err e;
    if ((e = base(g, a, &m, &declared)) != ERR_OK || (e = outputs(g, declared, a, &m)) != ERR_OK ||
        (e = environment(g, a, &m)) != ERR_OK || (e = parts_limits(args, &m.limits)) != ERR_OK ||
        (compare && (e = parts_compare(compare, a, &m)) != ERR_OK) ||
        (e = class_of(args_text(args, "class", NULL), &m.app_class)) != ERR_OK ||
        (e = args_bytes(args, "needs-memory", m.needs_memory_bytes, &m.needs_memory_bytes)) != ERR_OK ||
        (e = words(args, "needs-feature", FEATURES_MAX, a, &m.needs_features, &m.needs_feature_count)) !=
            ERR_OK ||
        (e = words(args, "checkpoint", CHECKPOINTS_MAX, a, &m.checkpoints, &m.checkpoint_count)) != ERR_OK ||
        (e = words(args, "checker", WU_ARGS_MAX, a, &m.checker, &m.checker_count)) != ERR_OK ||
        (cost && (e = str_to_double(cost, &m.cost)) != ERR_OK))
        return e;
    m.title = args_text(args, "title", m.title);
    m.summary = args_text(args, "summary", m.summary);
    m.items = args_text(args, "items", m.items);
    m.sdk = m.sdk || args_flag(args, "sdk");
    *ret = m;
    return ERR_OK;
}
