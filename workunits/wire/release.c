/* release.c - see release.h */
#include "wire/release.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const compare_names[COMPARE_KINDS] = {"digest", "numeric", "validator"};
static const char *const class_names[APP_CLASSES] = {"none", "os", "cpu", "release"};

const char *compare_kind_name(enum compare_kind k)
{
    return compare_names[k];
}

const char *app_class_name(enum app_class c)
{
    return class_names[c];
}

const char *platform_here(void)
{
#if defined(__x86_64__)
    return "x86_64-linux";
#elif defined(__aarch64__)
    return "aarch64-linux";
#else
    return "unknown-linux";
#endif
}

static void compare_write(struct json_out *o, const struct manifest *m)
{
    json_out_object(o, "compare");
    json_out_string(o, "kind", compare_names[m->compare]);
    if (m->compare == COMPARE_NUMERIC) {
        json_out_real(o, "abs", m->compare_abs);
        json_out_real(o, "rel", m->compare_rel);
    }
    if (m->compare == COMPARE_VALIDATOR)
        words_write(o, "entry", m->validator, m->validator_count);
    json_out_close(o);
}

static void outputs_write(struct json_out *o, const struct manifest *m)
{
    json_out_array(o, "outputs");
    for (uint32_t i = 0; i < m->output_count; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "path", m->outputs[i].path);
        json_out_u64(o, "bytes_max", m->outputs[i].bytes_max);
        if (m->outputs[i].optional)
            json_out_bool(o, "optional", true);
        json_out_close(o);
    }
    json_out_close(o);
}

static void needs_write(struct json_out *o, const struct manifest *m)
{
    if (!m->needs_memory_bytes && !m->needs_feature_count)
        return;
    json_out_object(o, "needs");
    if (m->needs_memory_bytes)
        json_out_u64(o, "memory_bytes", m->needs_memory_bytes);
    if (m->needs_feature_count)
        words_write(o, "features", m->needs_features, m->needs_feature_count);
    json_out_close(o);
}

void manifest_write(struct json_out *o, const char *key, const struct manifest *m)
{
    json_out_object(o, key);
    if (m->title)
        json_out_string(o, "title", m->title);
    if (m->summary)
        json_out_string(o, "summary", m->summary);
    words_write(o, "entry", m->entry, m->entry_count);
    outputs_write(o, m);
    if (m->stdout_path)
        json_out_string(o, "stdout", m->stdout_path);
    limits_write(o, "limits", &m->limits);
    compare_write(o, m);
    json_out_string(o, "class", class_names[m->app_class]);
    needs_write(o, m);
    if (m->env_count)
        variables_write(o, "env", m->env, m->env_count);
    if (m->cost > 0)
        json_out_real(o, "cost", m->cost);
    if (m->checkpoint_count)
        words_write(o, "checkpoint", m->checkpoints, m->checkpoint_count);
    if (m->sdk)
        json_out_bool(o, "sdk", true);
    if (m->items)
        json_out_string(o, "items", m->items);
    if (m->checker_count)
        words_write(o, "checker", m->checker, m->checker_count);
    json_out_close(o);
}

static enum err pick(const char *word, const char *const *names, int count, const char *what, int *ret)
{
    for (int i = 0; i < count; i++) {
        if (str_eq(names[i], word)) {
            *ret = i;
            return ERR_OK;
        }
    }
    return err_set(ERR_INVALID, "%s '%.40s' is not known", what, word);
}

static enum err compare_read(const struct json *obj, struct arena *a, struct manifest *m)
{
    static const char *const fields[] = {"kind", "abs", "rel", "entry"};
    const struct json *c;
    const char *kind = "digest";
    int k = 0;
    enum err e = json_opt_object(obj, "", "compare", &c);
    if (e != ERR_OK || !c)
        return e;
    if ((e = json_only(c, "compare", fields, 4)) == ERR_OK &&
        (e = json_get_string(c, "compare", "kind", 16, &kind)) == ERR_OK &&
        (e = pick(kind, compare_names, COMPARE_KINDS, "compare.kind", &k)) == ERR_OK &&
        (e = json_opt_real(c, "compare", "abs", 0, 1e300, 0, &m->compare_abs)) == ERR_OK &&
        (e = json_opt_real(c, "compare", "rel", 0, 1, 0, &m->compare_rel)) == ERR_OK)
        e = words_read(c, "compare", "entry", WU_ARGS_MAX, PATH_BYTES_MAX, a, &m->validator,
                       &m->validator_count);
    m->compare = (enum compare_kind)k;
    if (e == ERR_OK && m->compare == COMPARE_VALIDATOR && m->validator_count == 0)
        e = err_set(ERR_INVALID, "compare.entry is missing: the words that start the validator");
    if (e == ERR_OK && m->compare == COMPARE_NUMERIC && m->compare_abs == 0 && m->compare_rel == 0)
        e = err_set(ERR_INVALID, "compare is numeric without abs or rel: use digest for exact answers");
    return e;
}

static enum err output_read(const struct json *item, struct arena *a, struct output_spec *ret)
{
    static const char *const fields[] = {"path", "bytes_max", "optional"};
    const char *path = NULL;
    int64_t most = 0;
    enum err e;
    if ((e = json_only(item, "outputs", fields, 3)) != ERR_OK ||
        (e = json_get_string(item, "outputs", "path", PATH_BYTES_MAX, &path)) != ERR_OK ||
        (e = json_opt_i64(item, "outputs", "bytes_max", 0, (int64_t)BLOB_BYTES_MAX, 0, &most)) != ERR_OK ||
        (e = json_opt_bool(item, "outputs", "optional", false, &ret->optional)) != ERR_OK)
        return e;
    if (!str_is_safe_path(path))
        return err_set(ERR_INVALID, "outputs: '%.100s' is not a safe relative path", path);
    ret->bytes_max = (uint64_t)most;
    return text_keep(a, path, &ret->path);
}

static enum err outputs_read(const struct json *obj, struct arena *a, struct manifest *m)
{
    const struct json *list = NULL;
    enum err e = json_get_array(obj, "", "outputs", WU_OUTPUTS_MAX, &list);
    if (e != ERR_OK)
        return e;
    uint32_t count = (uint32_t)json_count(list);
    if (count == 0)
        return err_set(ERR_INVALID, "outputs is empty: an app must have at least one");
    m->outputs = arena_array(a, count, sizeof *m->outputs);
    if (!m->outputs)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
        e = output_read(json_at(list, i), a, &m->outputs[i]);
        for (uint32_t j = 0; e == ERR_OK && j < i; j++)
            if (str_eq(m->outputs[j].path, m->outputs[i].path))
                e = err_set(ERR_INVALID, "outputs: '%.100s' stands there twice", m->outputs[i].path);
    }
    m->output_count = count;
    return e;
}

static enum err needs_read(const struct json *obj, struct arena *a, struct manifest *m)
{
    static const char *const fields[] = {"memory_bytes", "features"};
    const struct json *needs;
    int64_t memory = 0;
    enum err e = json_opt_object(obj, "", "needs", &needs);
    if (e != ERR_OK || !needs)
        return e;
    if ((e = json_only(needs, "needs", fields, 2)) == ERR_OK &&
        (e = json_opt_i64(needs, "needs", "memory_bytes", 0, INT64_MAX / 4, 0, &memory)) == ERR_OK)
        e = words_read(needs, "needs", "features", FEATURES_MAX, NAME_BYTES_MAX, a, &m->needs_features,
                       &m->needs_feature_count);
    m->needs_memory_bytes = (uint64_t)memory;
    return e;
}

static enum err texts_read(const struct json *obj, struct arena *a, struct manifest *m)
{
    const char *class_word = "none";
    int class_at = 0;
    enum err e;
    if ((e = text_read(obj, "", "title", 200, false, a, &m->title)) != ERR_OK ||
        (e = text_read(obj, "", "summary", 2000, false, a, &m->summary)) != ERR_OK ||
        (e = text_read(obj, "", "stdout", PATH_BYTES_MAX, false, a, &m->stdout_path)) != ERR_OK ||
        (e = text_read(obj, "", "items", PATH_BYTES_MAX, false, a, &m->items)) != ERR_OK ||
        (e = json_opt_string(obj, "", "class", 16, "none", &class_word)) != ERR_OK ||
        (e = pick(class_word, class_names, APP_CLASSES, "class", &class_at)) != ERR_OK)
        return e;
    m->app_class = (enum app_class)class_at;
    return ERR_OK;
}

static bool is_output(const struct manifest *m, const char *path)
{
    for (uint32_t i = 0; i < m->output_count; i++)
        if (str_eq(m->outputs[i].path, path))
            return true;
    return false;
}

static enum err manifest_check(const struct manifest *m)
{
    if (m->entry_count == 0)
        return err_set(ERR_INVALID, "entry is missing: the words that start the program");
    if (!str_is_safe_path(m->entry[0]))
        return err_set(ERR_INVALID, "entry[0] '%.100s' is not a path inside the bundle", m->entry[0]);
    if (m->stdout_path && !is_output(m, m->stdout_path))
        return err_set(ERR_INVALID, "stdout names '%.100s', which is not one of the outputs", m->stdout_path);
    if (m->items && !is_output(m, m->items))
        return err_set(ERR_INVALID, "items names '%.100s', which is not one of the outputs", m->items);
    for (uint32_t i = 0; i < m->checkpoint_count; i++)
        if (!str_is_safe_path(m->checkpoints[i]))
            return err_set(ERR_INVALID, "checkpoint '%.100s' is not a safe relative path", m->checkpoints[i]);
    return ERR_OK;
}

enum err manifest_read(const struct json *obj, struct arena *a, struct manifest *ret)
{
    static const char *const fields[] = {"title",  "summary",    "entry", "outputs", "stdout",
                                         "limits", "compare",    "class", "needs",   "env",
                                         "cost",   "checkpoint", "sdk",   "items",   "checker"};
    const struct json *limits;
    struct manifest m = {0};
    enum err e;
    if ((e = json_only(obj, "manifest", fields, sizeof fields / sizeof *fields)) != ERR_OK ||
        (e = texts_read(obj, a, &m)) != ERR_OK ||
        (e = words_read(obj, "", "entry", WU_ARGS_MAX, PATH_BYTES_MAX, a, &m.entry, &m.entry_count)) !=
            ERR_OK ||
        (e = outputs_read(obj, a, &m)) != ERR_OK ||
        (e = json_opt_object(obj, "", "limits", &limits)) != ERR_OK ||
        (e = limits_read(limits, "limits", &m.limits)) != ERR_OK ||
        (e = compare_read(obj, a, &m)) != ERR_OK || (e = needs_read(obj, a, &m)) != ERR_OK ||
        (e = env_read(obj, "", a, &m.env, &m.env_count)) != ERR_OK ||
        (e = json_opt_real(obj, "", "cost", 0, 1e12, 0, &m.cost)) != ERR_OK ||
        (e = words_read(obj, "", "checkpoint", CHECKPOINTS_MAX, PATH_BYTES_MAX, a, &m.checkpoints,
                        &m.checkpoint_count)) != ERR_OK ||
        (e = words_read(obj, "", "checker", WU_ARGS_MAX, PATH_BYTES_MAX, a, &m.checker, &m.checker_count)) !=
            ERR_OK ||
        (e = json_opt_bool(obj, "", "sdk", false, &m.sdk)) != ERR_OK || (e = manifest_check(&m)) != ERR_OK)
        return err_prefix(e, "manifest");
    *ret = m;
    return ERR_OK;
}

enum err manifest_parse(const char *text, size_t len, struct arena *a, struct manifest *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = json_parse(text, len, ENVELOPE_BYTES_MAX, &doc);
    return e == ERR_OK ? manifest_read(json_root(doc), a, ret) : e;
}

enum err release_print(const struct release *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "app", r->app);
    json_out_u64(&o, "version", r->version);
    json_out_string(&o, "platform", r->platform);
    json_out_object(&o, "bundle");
    digest_write(&o, "sha256", &r->bundle);
    json_out_u64(&o, "bytes", r->bundle_bytes);
    json_out_close(&o);
    manifest_write(&o, "manifest", &r->manifest);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err release_parse(const char *payload, size_t len, struct arena *a, struct release *ret)
{
    static const char *const fields[] = {"app", "version", "platform", "bundle", "manifest"};
    static const char *const bundle_fields[] = {"sha256", "bytes"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct release r = {0};
    const struct json *bundle, *manifest;
    int64_t version = 0, bytes = 0;
    enum err e = json_parse(payload, len, ENVELOPE_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return err_prefix(e, "release");
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "release", fields, 5)) == ERR_OK &&
        (e = text_read(root, "", "app", NAME_BYTES_MAX, false, a, &r.app)) == ERR_OK &&
        (e = json_get_i64(root, "", "version", 1, INT32_MAX, &version)) == ERR_OK &&
        (e = text_read(root, "", "platform", PLATFORM_BYTES_MAX, false, a, &r.platform)) == ERR_OK &&
        (e = json_get_object(root, "", "bundle", &bundle)) == ERR_OK &&
        (e = json_only(bundle, "bundle", bundle_fields, 2)) == ERR_OK &&
        (e = digest_read(bundle, "bundle", "sha256", &r.bundle)) == ERR_OK &&
        (e = json_get_i64(bundle, "bundle", "bytes", 1, (int64_t)BUNDLE_BYTES_MAX, &bytes)) == ERR_OK &&
        (e = json_get_object(root, "", "manifest", &manifest)) == ERR_OK)
        e = manifest_read(manifest, a, &r.manifest);
    if (e == ERR_OK && (!r.app || !str_is_name(r.app)))
        e = err_set(ERR_INVALID, "app '%.70s' is not a name: a-z, 0-9, '.', '_' and '-' are allowed",
                    r.app ? r.app : "");
    if (e == ERR_OK && (!r.platform || !str_is_name(r.platform)))
        e = err_set(ERR_INVALID, "platform is missing or not a name such as x86_64-linux");
    if (e != ERR_OK)
        return err_prefix(e, "release");
    r.version = (uint32_t)version;
    r.bundle_bytes = (uint64_t)bytes;
    *ret = r;
    return ERR_OK;
}
