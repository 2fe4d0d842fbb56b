/* work_request.c - the request half of work_msg.h */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "wire/work_msg.h"

enum { WHERE_BYTES = 64, OUTCOME_BYTES_MAX = 32, CORES_MAX = 100000 };

void host_facts_write(struct json_out *o, const char *key, const struct host_facts *h)
{
    json_out_object(o, key);
    json_out_string(o, "platform", h->platform);
    json_out_string(o, "os", h->os ? h->os : "linux");
    if (h->cpu)
        json_out_string(o, "cpu", h->cpu);
    json_out_u64(o, "cores", h->cores);
    json_out_u64(o, "memory_bytes", h->memory_bytes);
    json_out_u64(o, "disk_bytes", h->disk_bytes);
    words_write(o, "features", h->features, h->feature_count);
    json_out_string(o, "client", h->client);
    if (h->app_class)
        json_out_string(o, "class", h->app_class);
    if (h->speed > 0)
        json_out_real(o, "speed", h->speed);
    json_out_close(o);
}

enum err host_facts_read(const struct json *obj, const char *where, struct arena *a, struct host_facts *ret)
{
    static const char *const fields[] = {"platform",   "os",       "cpu",    "cores", "memory_bytes",
                                         "disk_bytes", "features", "client", "class", "speed"};
    struct host_facts h = {0};
    int64_t cores = 0, memory = 0, disk = 0;
    enum err e;
    if ((e = json_only(obj, where, fields, sizeof fields / sizeof *fields)) != ERR_OK ||
        (e = text_read(obj, where, "platform", PLATFORM_BYTES_MAX, true, a, &h.platform)) != ERR_OK ||
        (e = text_read(obj, where, "os", 200, false, a, &h.os)) != ERR_OK ||
        (e = text_read(obj, where, "cpu", 200, false, a, &h.cpu)) != ERR_OK ||
        (e = text_read(obj, where, "client", NAME_BYTES_MAX, true, a, &h.client)) != ERR_OK ||
        (e = text_read(obj, where, "class", NAME_BYTES_MAX, false, a, &h.app_class)) != ERR_OK ||
        (e = json_get_i64(obj, where, "cores", 1, CORES_MAX, &cores)) != ERR_OK ||
        (e = json_get_i64(obj, where, "memory_bytes", 0, INT64_MAX / 4, &memory)) != ERR_OK ||
        (e = json_get_i64(obj, where, "disk_bytes", 0, INT64_MAX / 4, &disk)) != ERR_OK ||
        (e = words_read(obj, where, "features", 256, NAME_BYTES_MAX, a, &h.features, &h.feature_count)) !=
            ERR_OK ||
        (e = json_opt_real(obj, where, "speed", 0, 1e6, 0, &h.speed)) != ERR_OK)
        return e;
    h.cores = (uint32_t)cores;
    h.memory_bytes = (uint64_t)memory;
    h.disk_bytes = (uint64_t)disk;
    *ret = h;
    return ERR_OK;
}

static void attempts_write(struct json_out *o, const char *key, const struct attempt_ref *ids, uint32_t count)
{
    json_out_array(o, key);
    for (uint32_t i = 0; i < count; i++)
        attempt_ref_write(o, NULL, &ids[i]);
    json_out_close(o);
}

static enum err outputs_write(struct json_out *o, const struct report *r)
{
    BUF_AUTO struct buf text = {0};
    enum err e = ERR_OK;
    json_out_array(o, "outputs");
    for (uint32_t i = 0; e == ERR_OK && i < r->output_count; i++) {
        const struct report_output *x = &r->outputs[i];
        json_out_object(o, NULL);
        json_out_string(o, "path", x->file.path);
        digest_write(o, "sha256", &x->file.sha256);
        json_out_u64(o, "bytes", x->file.bytes);
        if (x->has_data) {
            buf_clear(&text);
            e = str_base64(x->data, x->data_len, &text);
            json_out_string_len(o, "data", buf_text(&text), text.len);
        }
        json_out_close(o);
    }
    json_out_close(o);
    return e;
}

static enum err report_write(struct json_out *o, const struct report *r)
{
    enum err e = ERR_OK;
    json_out_object(o, NULL);
    attempt_ref_write(o, "attempt", &r->id);
    json_out_string(o, "outcome", r->outcome);
    if (str_eq(r->outcome, "ok"))
        e = outputs_write(o, r);
    if (r->has_exit_code)
        json_out_i64(o, "exit_code", r->exit_code);
    if (r->has_signal)
        json_out_i64(o, "signal", r->signal);
    if (r->message)
        json_out_string(o, "message", r->message);
    if (r->stderr_tail)
        json_out_string(o, "stderr", r->stderr_tail);
    if (r->stdout_tail)
        json_out_string(o, "stdout", r->stdout_tail);
    json_out_object(o, "usage");
    json_out_i64(o, "cpu_ms", r->cpu_ms);
    json_out_i64(o, "wall_ms", r->wall_ms);
    json_out_u64(o, "memory_bytes", r->memory_bytes);
    json_out_close(o);
    if (r->has_release)
        digest_write(o, "release", &r->release);
    json_out_close(o);
    return e;
}

static void want_write(struct json_out *o, const struct work_want *w)
{
    json_out_object(o, "want");
    json_out_real(o, "seconds", w->seconds);
    json_out_u64(o, "cores", w->cores);
    json_out_u64(o, "units_max", w->units_max);
    json_out_array(o, "cached");
    for (uint32_t i = 0; i < w->cached_count; i++)
        digest_write(o, NULL, &w->cached[i]);
    json_out_close(o);
    json_out_close(o);
}

enum err work_request_write(const struct work_request *r, struct buf *out)
{
    struct json_out o;
    enum err e = ERR_OK;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_array(&o, "reports");
    for (uint32_t i = 0; e == ERR_OK && i < r->report_count; i++)
        e = report_write(&o, &r->reports[i]);
    json_out_close(&o);
    if (r->held_given)
        attempts_write(&o, "held", r->held, r->held_count);
    if (r->renew_count)
        attempts_write(&o, "renew", r->renew, r->renew_count);
    if (r->has_host)
        host_facts_write(&o, "host", &r->host);
    if (r->leaving)
        json_out_bool(&o, "leaving", true);
    if (r->has_want)
        want_write(&o, &r->want);
    if (r->wait_ms)
        json_out_u64(&o, "wait_ms", r->wait_ms);
    json_out_close(&o);
    return e == ERR_OK ? json_out_end(&o) : e;
}

static enum err attempts_read(const struct json *obj, const char *key, uint32_t most, struct arena *a,
                              struct attempt_ref **ret, uint32_t *ret_count)
{
    const struct json *list = NULL;
    enum err e = json_opt_array(obj, "", key, most, &list);
    uint32_t count = (uint32_t)json_count(list);
    struct attempt_ref *ids = e == ERR_OK ? arena_array(a, count + 1, sizeof *ids) : NULL;
    if (e == ERR_OK && !ids)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++)
        if ((e = attempt_id_parse(json_text(json_at(list, i)), &ids[i].unit, &ids[i].attempt)) != ERR_OK)
            e = err_prefix(e, "%s[%u]", key, i);
    *ret = ids;
    *ret_count = count;
    return e;
}

static enum err data_read(const struct json *item, const char *where, struct arena *a,
                          struct report_output *x)
{
    const struct json *data = json_field(item, "data");
    BUF_AUTO struct buf bytes = {0};
    if (!data)
        return ERR_OK;
    if (json_kind(data) != JSON_IS_TEXT || json_text_len(data) > 2 * INLINE_BYTES_MAX)
        return err_set(ERR_LIMIT, "%s.data must be base64 of at most %d bytes: upload what is larger", where,
                       INLINE_BYTES_MAX);
    enum err e = str_unbase64(json_text(data), json_text_len(data), &bytes);
    if (e != ERR_OK)
        return err_prefix(e, "%s.data", where);
    if (bytes.len > INLINE_BYTES_MAX)
        return err_set(ERR_LIMIT, "%s.data is larger than %d bytes: upload it", where, INLINE_BYTES_MAX);
    struct digest found = hash_bytes(bytes.data ? bytes.data : "", bytes.len);
    if (bytes.len != x->file.bytes || !digest_eq(&found, &x->file.sha256))
        return err_set(ERR_INVALID, "%s.data does not have the length and SHA-256 given with it", where);
    x->has_data = true;
    x->data_len = bytes.len;
    x->data = arena_bytes(a, bytes.data, bytes.len);
    return x->data ? ERR_OK : ERR_LIMIT;
}

static enum err output_read(const struct json *item, const char *where, struct arena *a,
                            struct report_output *x)
{
    static const char *const fields[] = {"path", "sha256", "bytes", "data"};
    int64_t bytes = 0;
    enum err e;
    if ((e = json_only(item, where, fields, 4)) != ERR_OK ||
        (e = text_read(item, where, "path", PATH_BYTES_MAX, true, a, &x->file.path)) != ERR_OK ||
        (e = digest_read(item, where, "sha256", &x->file.sha256)) != ERR_OK ||
        (e = json_get_i64(item, where, "bytes", 0, (int64_t)BLOB_BYTES_MAX, &bytes)) != ERR_OK)
        return e;
    x->file.bytes = (uint64_t)bytes;
    if (!str_is_safe_path(x->file.path))
        return err_set(ERR_INVALID, "%s.path '%.100s' is not a safe relative path: no '..', no leading '/'",
                       where, x->file.path);
    return data_read(item, where, a, x);
}

static enum err usage_read(const struct json *obj, const char *where, struct report *r)
{
    static const char *const fields[] = {"cpu_ms", "wall_ms", "memory_bytes"};
    const struct json *usage;
    int64_t memory = 0;
    enum err e = json_opt_object(obj, where, "usage", &usage);
    if (e != ERR_OK || !usage)
        return e;
    if ((e = json_only(usage, "usage", fields, 3)) == ERR_OK &&
        (e = json_opt_i64(usage, "usage", "cpu_ms", 0, INT64_MAX / 4, 0, &r->cpu_ms)) == ERR_OK &&
        (e = json_opt_i64(usage, "usage", "wall_ms", 0, INT64_MAX / 4, 0, &r->wall_ms)) == ERR_OK)
        e = json_opt_i64(usage, "usage", "memory_bytes", 0, INT64_MAX / 4, 0, &memory);
    r->memory_bytes = (uint64_t)memory;
    return e;
}

static enum err report_outputs_read(const struct json *item, const char *where, struct arena *a,
                                    struct report *r)
{
    const struct json *list = NULL;
    char at[2 * WHERE_BYTES];
    enum err e = json_opt_array(item, where, "outputs", WU_OUTPUTS_MAX, &list);
    uint32_t count = (uint32_t)json_count(list);
    r->outputs = e == ERR_OK ? arena_array(a, count + 1, sizeof *r->outputs) : NULL;
    if (e == ERR_OK && !r->outputs)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
        snprintf(at, sizeof at, "%s.outputs[%u]", where, i);
        e = output_read(json_at(list, i), at, a, &r->outputs[i]);
    }
    r->output_count = count;
    return e;
}

static enum err report_read(const struct json *item, uint32_t number, struct arena *a, struct report *r)
{
    static const char *const fields[] = {"attempt", "outcome", "outputs", "exit_code", "signal",
                                         "message", "stderr",  "usage",   "release",   "stdout"};
    char where[WHERE_BYTES];
    const char *id = NULL;
    enum err e;
    snprintf(where, sizeof where, "reports[%u]", number);
    if ((e = json_only(item, where, fields, sizeof fields / sizeof *fields)) != ERR_OK ||
        (e = json_get_string(item, where, "attempt", ID_TEXT_BYTES, &id)) != ERR_OK ||
        (e = attempt_id_parse(id, &r->id.unit, &r->id.attempt)) != ERR_OK ||
        (e = text_read(item, where, "outcome", OUTCOME_BYTES_MAX, true, a, &r->outcome)) != ERR_OK ||
        (e = report_outputs_read(item, where, a, r)) != ERR_OK ||
        (e = json_opt_i64(item, where, "exit_code", INT32_MIN, INT32_MAX, 0, &r->exit_code)) != ERR_OK ||
        (e = json_opt_i64(item, where, "signal", 0, 128, 0, &r->signal)) != ERR_OK ||
        (e = text_read(item, where, "message", 1024, false, a, &r->message)) != ERR_OK ||
        (e = text_read(item, where, "stderr", 4 * STDERR_TAIL_BYTES_MAX, false, a, &r->stderr_tail)) !=
            ERR_OK ||
        (e = text_read(item, where, "stdout", 4 * STDERR_TAIL_BYTES_MAX, false, a, &r->stdout_tail)) !=
            ERR_OK ||
        (e = usage_read(item, where, r)) != ERR_OK)
        return e;
    r->has_exit_code = json_field(item, "exit_code") != NULL;
    r->has_signal = json_field(item, "signal") != NULL;
    r->has_release = json_field(item, "release") != NULL;
    if (str_eq(r->outcome, "ok") ? r->output_count == 0 : r->output_count != 0)
        return err_set(ERR_INVALID, "%s: outcome ok comes with outputs, any other without", where);
    return r->has_release ? digest_read(item, where, "release", &r->release) : ERR_OK;
}

static enum err want_read(const struct json *root, struct arena *a, struct work_request *r)
{
    static const char *const fields[] = {"seconds", "cores", "units_max", "cached"};
    const struct json *want, *cached;
    int64_t cores = 0, units = 0;
    enum err e = json_opt_object(root, "", "want", &want);
    if (e != ERR_OK || !want)
        return e;
    if ((e = json_only(want, "want", fields, 4)) != ERR_OK ||
        (e = json_get_real(want, "want", "seconds", 0, 1e9, &r->want.seconds)) != ERR_OK ||
        (e = json_opt_i64(want, "want", "cores", 0, CORES_MAX, 1, &cores)) != ERR_OK ||
        (e = json_opt_i64(want, "want", "units_max", 0, LEASES_PER_REQUEST_MAX, LEASES_PER_REQUEST_MAX,
                          &units)) != ERR_OK ||
        (e = json_opt_array(want, "want", "cached", CACHED_PER_REQUEST_MAX, &cached)) != ERR_OK)
        return e;
    r->want.cached = arena_array(a, json_count(cached) + 1, sizeof *r->want.cached);
    if (!r->want.cached)
        return ERR_LIMIT;
    for (size_t i = 0; e == ERR_OK && i < json_count(cached); i++)
        if ((e = digest_parse(json_text(json_at(cached, i)), &r->want.cached[i])) != ERR_OK)
            err_prefix(e, "want.cached[%zu]", i);
    r->want.cached_count = (uint32_t)json_count(cached);
    r->want.cores = (uint32_t)cores;
    r->want.units_max = (uint32_t)units;
    r->has_want = true;
    return e;
}

enum err work_request_parse(const char *body, size_t len, struct arena *a, struct work_request *ret)
{
    static const char *const fields[] = {"reports", "held", "renew", "host", "leaving", "want", "wait_ms"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct work_request r = {0};
    const struct json *reports, *host;
    int64_t wait_ms = 0;
    enum err e = json_parse(body, len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, 7)) != ERR_OK ||
        (e = json_opt_array(root, "", "reports", REPORTS_PER_REQUEST_MAX, &reports)) != ERR_OK ||
        (e = attempts_read(root, "held", HELD_PER_REQUEST_MAX, a, &r.held, &r.held_count)) != ERR_OK ||
        (e = attempts_read(root, "renew", HELD_PER_REQUEST_MAX, a, &r.renew, &r.renew_count)) != ERR_OK ||
        (e = json_opt_bool(root, "", "leaving", false, &r.leaving)) != ERR_OK ||
        (e = json_opt_i64(root, "", "wait_ms", 0, WORK_WAIT_MS_MAX, 0, &wait_ms)) != ERR_OK ||
        (e = want_read(root, a, &r)) != ERR_OK || (e = json_opt_object(root, "", "host", &host)) != ERR_OK ||
        (host && (e = host_facts_read(host, "host", a, &r.host)) != ERR_OK))
        return e;
    r.has_host = host != NULL;
    r.wait_ms = (uint32_t)wait_ms;
    r.held_given = json_field(root, "held") != NULL;
    r.report_count = (uint32_t)json_count(reports);
    r.reports = arena_array(a, r.report_count + 1, sizeof *r.reports);
    if (!r.reports)
        return ERR_LIMIT;
    for (uint32_t i = 0; e == ERR_OK && i < r.report_count; i++)
        e = report_read(json_at(reports, i), i, a, &r.reports[i]);
    if (e == ERR_OK)
        *ret = r;
    return e;
}
