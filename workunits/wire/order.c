/* order.c - see order.h; the template is in template.c. */
#include "wire/order.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

static void batch_text(uint32_t batch, char ret[ID_TEXT_BYTES])
{
    snprintf(ret, ID_TEXT_BYTES, "%u", batch);
}

static enum err batch_read(const struct json *obj, uint32_t *ret)
{
    const char *text = NULL;
    uint64_t batch = 0;
    enum err e = json_get_string(obj, "", "batch", 16, &text);
    if (e == ERR_OK)
        e = str_to_u64(text, INT32_MAX, &batch);
    if (e == ERR_OK && batch == 0)
        e = err_set(ERR_INVALID, "batch must be at least 1");
    *ret = (uint32_t)batch;
    return e;
}

enum err order_print(const struct order *r, struct buf *out)
{
    struct json_out o;
    char batch[ID_TEXT_BYTES];
    batch_text(r->batch, batch);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    digest_write(&o, "project", &r->project_key);
    json_out_string(&o, "batch", batch);
    json_out_string(&o, "app", r->app);
    json_out_u64(&o, "version", r->version);
    json_out_array(&o, "releases");
    for (uint32_t i = 0; i < r->release_count; i++)
        digest_write(&o, NULL, &r->releases[i]);
    json_out_close(&o);
    words_write(&o, "command", r->command, r->command_count);
    file_refs_write(&o, "inputs", r->inputs, r->input_count);
    json_out_string(&o, "stdin", r->stdin_path);
    limits_write(&o, "limits", &r->limits);
    variables_write(&o, "env", r->env, r->env_count);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err releases_read(const struct json *obj, struct arena *a, struct order *r)
{
    const struct json *list = NULL;
    enum err e = json_get_array(obj, "", "releases", ORDER_RELEASES_MAX, &list);
    uint32_t count = (uint32_t)json_count(list);
    r->releases = e == ERR_OK ? arena_array(a, count + 1, sizeof *r->releases) : NULL;
    if (e == ERR_OK && !r->releases)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++)
        e = digest_parse(json_text(json_at(list, i)), &r->releases[i]);
    r->release_count = count;
    return e;
}

enum err order_parse(const char *text, size_t len, struct arena *a, struct order *ret)
{
    static const char *const fields[] = {"project", "batch",  "app",   "version", "releases",
                                         "command", "inputs", "stdin", "limits",  "env"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct order r = {0};
    const struct json *limits;
    const char *app = NULL;
    int64_t version = 0;
    enum err e = json_parse(text, len, BATCH_ORDER_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return err_prefix(e, "order");
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "order", fields, 10)) != ERR_OK ||
        (e = digest_read(root, "", "project", &r.project_key)) != ERR_OK ||
        (e = batch_read(root, &r.batch)) != ERR_OK ||
        (e = json_get_string(root, "", "app", NAME_BYTES_MAX, &app)) != ERR_OK ||
        (e = text_keep(a, app, &r.app)) != ERR_OK ||
        (e = json_get_i64(root, "", "version", 1, INT32_MAX, &version)) != ERR_OK ||
        (e = releases_read(root, a, &r)) != ERR_OK ||
        (e = words_read(root, "", "command", WU_ARGS_MAX, WU_SPEC_BYTES_MAX, a, &r.command,
                        &r.command_count)) != ERR_OK ||
        (e = file_refs_read(root, "", "inputs", WU_INPUTS_MAX, a, &r.inputs, &r.input_count)) != ERR_OK ||
        (e = stdin_read(root, "", a, &r.stdin_path)) != ERR_OK ||
        (e = json_opt_object(root, "", "limits", &limits)) != ERR_OK ||
        (e = limits_read(limits, "limits", &r.limits)) != ERR_OK ||
        (e = env_read(root, "", a, &r.env, &r.env_count)) != ERR_OK)
        return err_prefix(e, "order");
    r.version = (uint32_t)version;
    *ret = r;
    return ERR_OK;
}

enum err spec_print(const struct spec *s, struct buf *out)
{
    struct json_out o;
    char unit[ID_TEXT_BYTES];
    wu_id_text(s->unit, unit);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "unit", unit);
    variables_write(&o, "vars", s->vars, s->var_count);
    file_refs_write(&o, "inputs", s->inputs, s->input_count);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err spec_print_number(wu_id unit, int64_t value, struct buf *out)
{
    char text[ID_TEXT_BYTES], line[160];
    wu_id_text(unit, text);
    int n = snprintf(line, sizeof line, "{\"unit\":\"%s\",\"vars\":{\"\":\"%lld\"},\"inputs\":[]}", text,
                     (long long)value);
    return buf_add(out, line, (size_t)n);
}

enum err spec_parse(const char *text, size_t len, struct arena *a, struct spec *ret)
{
    static const char *const fields[] = {"unit", "vars", "inputs"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct spec s = {0};
    const char *unit = NULL;
    enum err e = json_parse(text, len, WU_SPEC_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return err_prefix(e, "spec");
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "spec", fields, 3)) == ERR_OK &&
        (e = json_get_string(root, "", "unit", ID_TEXT_BYTES, &unit)) == ERR_OK &&
        (e = wu_id_parse(unit, &s.unit)) == ERR_OK &&
        (e = variables_read(root, "", "vars", VARIABLES_MAX, a, &s.vars, &s.var_count)) == ERR_OK)
        e = file_refs_read(root, "", "inputs", WU_INPUTS_MAX, a, &s.inputs, &s.input_count);
    if (e != ERR_OK)
        return err_prefix(e, "spec");
    *ret = s;
    return ERR_OK;
}

enum err units_statement_print(const struct units_statement *s, struct buf *out)
{
    struct json_out o;
    char batch[ID_TEXT_BYTES];
    batch_text(s->batch, batch);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    digest_write(&o, "project", &s->project_key);
    json_out_string(&o, "batch", batch);
    digest_write(&o, "order", &s->order);
    json_out_u64(&o, "first", s->first);
    json_out_u64(&o, "count", s->count);
    digest_write(&o, "root", &s->root);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err units_statement_parse(const char *payload, size_t len, struct units_statement *ret)
{
    static const char *const fields[] = {"project", "batch", "order", "first", "count", "root"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct units_statement s = {0};
    int64_t first = 0, count = 0;
    enum err e = json_parse(payload, len, ENVELOPE_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return err_prefix(e, "units statement");
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "units statement", fields, 6)) == ERR_OK &&
        (e = digest_read(root, "", "project", &s.project_key)) == ERR_OK &&
        (e = batch_read(root, &s.batch)) == ERR_OK &&
        (e = digest_read(root, "", "order", &s.order)) == ERR_OK &&
        (e = json_get_i64(root, "", "first", 0, UINT32_MAX, &first)) == ERR_OK &&
        (e = json_get_i64(root, "", "count", 1, CHUNK_UNITS_MAX, &count)) == ERR_OK)
        e = digest_read(root, "", "root", &s.root);
    if (e != ERR_OK)
        return err_prefix(e, "units statement");
    s.first = (uint32_t)first;
    s.count = (uint32_t)count;
    *ret = s;
    return ERR_OK;
}

static enum err check_leaf(const struct unit_proof *p, const struct units_statement *s)
{
    struct digest leaf = merkle_leaf(p->spec, p->spec_len);
    if (!merkle_verify(&leaf, p->index, s->count, p->path, p->path_len, &s->root))
        return err_set(ERR_UNTRUSTED, "the unit is not one of those that the server signed");
    if (wu_id_batch(p->unit) != s->batch || wu_id_index(p->unit) != s->first + p->index)
        return err_set(ERR_UNTRUSTED, "the attempt names another unit than the signed one");
    return ERR_OK;
}

enum err unit_verify(const struct unit_proof *p, const struct key_set *work_keys,
                     const struct digest *project_key, struct arena *a, struct spec *ret_spec,
                     struct digest *ret_order)
{
    struct units_statement s;
    struct spec spec;
    BUF_AUTO struct buf payload = {.bytes_max = ENVELOPE_BYTES_MAX};
    enum err e = envelope_open(p->chunk, p->chunk_len, ENVELOPE_TYPE_UNITS, work_keys, &payload);
    if (e == ERR_OK)
        e = units_statement_parse(buf_text(&payload), payload.len, &s);
    if (e == ERR_OK && !digest_eq(&s.project_key, project_key))
        e = err_set(ERR_UNTRUSTED, "the units statement is of another project");
    if (e == ERR_OK)
        e = check_leaf(p, &s);
    if (e == ERR_OK)
        e = spec_parse(p->spec, p->spec_len, a, &spec);
    if (e == ERR_OK && spec.unit != p->unit)
        e = err_set(ERR_UNTRUSTED, "the spec is of another unit");
    if (e != ERR_OK)
        return e;
    *ret_spec = spec;
    *ret_order = s.order;
    return ERR_OK;
}
