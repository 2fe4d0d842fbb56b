/* batch_msg.c - see batch_msg.h */
#include "wire/batch_msg.h"

#include <stdio.h>
#include <string.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/str.h"

static const char *const policies[BATCH_POLICIES] = {
#define X(name, word) word,
    BATCH_POLICY_LIST(X)
#undef X
};

const char *batch_policy_name(enum batch_policy p)
{
    return p < BATCH_POLICIES ? policies[p] : "default";
}

enum batch_policy batch_policy_from_name(const char *word)
{
    enum batch_policy p = 0;
    while (p < BATCH_POLICIES && !str_eq(word, policies[p]))
        p++;
    return p;
}

static const char *const causes[BATCH_CAUSES] = {
#define X(name, word) word,
    BATCH_CAUSE_LIST(X)
#undef X
};

static void retry_write(struct json_out *o, const struct batch_rules *r)
{
    bool open = false;
    for (uint32_t c = 0; c < BATCH_CAUSES; c++) {
        if (r->retry[c].wait_ms == 0 && r->retry[c].most < 0)
            continue;
        if (!open)
            json_out_object(o, "retry");
        open = true;
        json_out_object(o, causes[c]);
        json_out_i64(o, "wait_ms", r->retry[c].wait_ms);
        if (r->retry[c].most >= 0)
            json_out_i64(o, "most", r->retry[c].most);
        json_out_close(o);
    }
    if (open)
        json_out_close(o);
}

static enum err retry_read(const struct json *rules, struct batch_rules *r)
{
    static const char *const fields[] = {"wait_ms", "most"};
    const struct json *retry, *one;
    enum err e = json_opt_object(rules, "rules", "retry", &retry);
    if (e != ERR_OK || !retry)
        return e;
    e = json_only(retry, "rules.retry", causes, BATCH_CAUSES);
    for (uint32_t c = 0; e == ERR_OK && c < BATCH_CAUSES; c++) {
        int64_t most = -1;
        e = json_opt_object(retry, "rules.retry", causes[c], &one);
        if (e != ERR_OK || !one)
            continue;
        if ((e = json_only(one, causes[c], fields, 2)) != ERR_OK ||
            (e = json_opt_i64(one, causes[c], "wait_ms", 0, BATCH_RETRY_WAIT_MS_MAX, 0,
                              &r->retry[c].wait_ms)) != ERR_OK ||
            (e = json_opt_i64(one, causes[c], "most", 0, ATTEMPTS_MAX, -1, &most)) != ERR_OK)
            return e;
        r->retry[c].most = (int32_t)most;
    }
    return e;
}

enum err batch_retry_parse(struct batch_rules *r, const char *name, const char *value)
{
    char wait[32];
    const char *colon = strchr(value, ':');
    size_t len = colon ? (size_t)(colon - value) : strlen(value);
    int64_t most = -1, wait_ms = 0;
    uint32_t c = 0;
    while (c < BATCH_CAUSES && !str_eq(causes[c], name))
        c++;
    if (c == BATCH_CAUSES)
        return err_set(ERR_INVALID,
                       "'%.40s' is no cause of a retry: they are program (exit status, signal), limit, host "
                       "(start, download), lost (deadline, given back) and wrong",
                       name);
    snprintf(wait, sizeof wait, "%.*s", (int)len, value);
    if ((len > 0 && str_to_duration_ms(wait, &wait_ms) != ERR_OK) || len >= sizeof wait ||
        wait_ms > BATCH_RETRY_WAIT_MS_MAX ||
        (colon && str_to_i64(colon + 1, 0, ATTEMPTS_MAX, &most) != ERR_OK) || *value == 0)
        return err_set(
            ERR_INVALID,
            "'%.40s' is no way to try again: give a wait up to 1d, a number of tries up to %d, or both: "
            "%s=30s, %s=30s:2, %s=:0",
            value, ATTEMPTS_MAX, name, name, name);
    r->retry[c] = (struct batch_retry){wait_ms, (int32_t)most};
    return ERR_OK;
}

static void rules_write(struct json_out *o, const struct batch_rules *r)
{
    json_out_object(o, "rules");
    if (r->min_quorum)
        json_out_u64(o, "min_quorum", r->min_quorum);
    if (r->target_attempts)
        json_out_u64(o, "target_attempts", r->target_attempts);
    if (r->has_max_error_attempts)
        json_out_u64(o, "max_error_attempts", r->max_error_attempts);
    if (r->max_total_attempts)
        json_out_u64(o, "max_total_attempts", r->max_total_attempts);
    if (r->max_success_attempts)
        json_out_u64(o, "max_success_attempts", r->max_success_attempts);
    if (r->deadline_ms)
        json_out_i64(o, "deadline_ms", r->deadline_ms);
    if (r->policy != BATCH_POLICY_DEFAULT)
        json_out_string(o, "policy", batch_policy_name(r->policy));
    if (r->probation >= 0)
        json_out_i64(o, "probation", r->probation);
    if (r->escrow_units >= 0)
        json_out_i64(o, "escrow_units", r->escrow_units);
    if (r->hold_ms >= 0)
        json_out_i64(o, "hold_ms", r->hold_ms);
    if (r->audit_share >= 0)
        json_out_real(o, "audit_share", r->audit_share);
    if (r->audit_floor >= 0)
        json_out_real(o, "audit_floor", r->audit_floor);
    retry_write(o, r);
    json_out_close(o);
}

static void array_write(struct json_out *o, const struct batch_request *r)
{
    json_out_object(o, "array");
    json_out_i64(o, "first", r->first);
    json_out_i64(o, "last", r->last);
    json_out_i64(o, "step", r->step ? r->step : 1);
    json_out_close(o);
}

static void from_write(struct json_out *o, const struct batch_request *r)
{
    char batch[ID_TEXT_BYTES];
    json_out_object(o, "from_stream");
    json_out_string(o, "name", r->from_stream);
    if (r->from_max)
        json_out_u64(o, "records", r->from_max);
    snprintf(batch, sizeof batch, "%u", r->until_batch);
    if (r->until_batch)
        json_out_string(o, "until_batch", batch);
    json_out_close(o);
}

enum err batch_request_write(const struct batch_request *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "app", r->app);
    if (r->version)
        json_out_u64(&o, "version", r->version);
    if (r->name)
        json_out_string(&o, "name", r->name);
    words_write(&o, "command", r->command, r->command_count);
    file_refs_write(&o, "inputs", r->inputs, r->input_count);
    if (r->stdin_path)
        json_out_string(&o, "stdin", r->stdin_path);
    limits_write(&o, "limits", &r->limits);
    if (r->env_count)
        variables_write(&o, "env", r->env, r->env_count);
    json_out_i64(&o, "priority", r->priority);
    if (r->reuse)
        json_out_bool(&o, "reuse", true);
    if (r->label_count)
        variables_write(&o, "labels", r->labels, r->label_count);
    rules_write(&o, &r->rules);
    if (r->policy)
        json_out_raw(&o, "policy", r->policy, __builtin_strlen(r->policy));
    if (r->has_array)
        array_write(&o, r);
    if (r->stream_count)
        words_write(&o, "streams", r->streams, r->stream_count);
    if (r->from_stream)
        from_write(&o, r);
    stage_write(&o, &r->stage);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err trust_read(const struct json *rules, struct batch_rules *r)
{
    const char *word = NULL;
    enum err e = json_opt_string(rules, "rules", "policy", 16, "default", &word);
    if (e != ERR_OK)
        return e;
    r->policy = batch_policy_from_name(word);
    if (r->policy == BATCH_POLICIES)
        return err_set(ERR_INVALID,
                       "rules.policy is \"%.16s\", must be once, quorum, adaptive, audit or checker", word);
    if ((e = json_opt_i64(rules, "rules", "probation", 0, 1000, -1, &r->probation)) != ERR_OK ||
        (e = json_opt_i64(rules, "rules", "escrow_units", 0, 1000, -1, &r->escrow_units)) != ERR_OK ||
        (e = json_opt_i64(rules, "rules", "hold_ms", 1, INT64_C(31536000000), -1, &r->hold_ms)) != ERR_OK ||
        (e = json_opt_real(rules, "rules", "audit_share", 0.001, 1, -1, &r->audit_share)) != ERR_OK)
        return e;
    return json_opt_real(rules, "rules", "audit_floor", 0.001, 1, -1, &r->audit_floor);
}

static enum err rules_read(const struct json *root, struct batch_rules *ret)
{
    static const char *const fields[] = {"min_quorum",
                                         "target_attempts",
                                         "max_error_attempts",
                                         "max_total_attempts",
                                         "max_success_attempts",
                                         "deadline_ms",
                                         "policy",
                                         "probation",
                                         "escrow_units",
                                         "hold_ms",
                                         "audit_share",
                                         "audit_floor",
                                         "retry"};
    const struct json *rules;
    int64_t v[6] = {0};
    enum err e = json_opt_object(root, "", "rules", &rules);
    *ret = (struct batch_rules)BATCH_RULES_NOT_GIVEN;
    if (e != ERR_OK || !rules)
        return e;
    e = json_only(rules, "rules", fields, sizeof fields / sizeof *fields);
    for (size_t i = 0; e == ERR_OK && i < 6; i++)
        e = json_opt_i64(rules, "rules", fields[i], i == 2 || i == 5 ? 0 : 1,
                         i == 5 ? INT64_C(31536000000) : ATTEMPTS_MAX, 0, &v[i]);
    if (e == ERR_OK)
        e = trust_read(rules, ret);
    if (e == ERR_OK)
        e = retry_read(rules, ret);
    ret->min_quorum = (uint32_t)v[0];
    ret->target_attempts = (uint32_t)v[1];
    ret->max_error_attempts = (uint32_t)v[2];
    ret->max_total_attempts = (uint32_t)v[3];
    ret->max_success_attempts = (uint32_t)v[4];
    ret->deadline_ms = v[5];
    ret->has_max_error_attempts = json_field(rules, "max_error_attempts") != NULL;
    return e;
}

uint64_t batch_array_count(int64_t first, int64_t last, int64_t step)
{
    if (step <= 0 || last < first)
        return 0;
    uint64_t count = ((uint64_t)last - (uint64_t)first) / (uint64_t)step + 1;
    return count <= BATCH_UNITS_MAX ? count : 0;
}

static enum err array_read(const struct json *root, struct batch_request *r)
{
    static const char *const fields[] = {"first", "last", "step"};
    const int64_t most = INT64_C(1) << 53; /* what JSON numbers carry everywhere */
    const struct json *array;
    enum err e = json_opt_object(root, "", "array", &array);
    if (e != ERR_OK || !array)
        return e;
    if ((e = json_only(array, "array", fields, 3)) != ERR_OK ||
        (e = json_get_i64(array, "array", "first", -most, most, &r->first)) != ERR_OK ||
        (e = json_get_i64(array, "array", "last", -most, most, &r->last)) != ERR_OK ||
        (e = json_opt_i64(array, "array", "step", 1, most, 1, &r->step)) != ERR_OK)
        return e;
    r->has_array = true;
    if (batch_array_count(r->first, r->last, r->step) == 0)
        return err_set(ERR_INVALID, "array must hold from 1 to %u units: first must not be after last",
                       BATCH_UNITS_MAX);
    return ERR_OK;
}

static enum err policy_read(const struct json *root, struct arena *a, struct batch_request *r)
{
    const struct json *policy;
    BUF_AUTO struct buf text = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    enum err e = json_opt_object(root, "", "policy", &policy);
    if (e != ERR_OK || !policy)
        return e;
    e = json_dump(policy, &text);
    return e == ERR_OK ? text_keep(a, buf_text(&text), &r->policy) : e;
}

static enum err streams_read(const struct json *root, struct arena *a, struct batch_request *r)
{
    enum err e =
        words_read(root, "", "streams", BATCH_STREAMS_MAX, NAME_BYTES_MAX, a, &r->streams, &r->stream_count);
    for (uint32_t i = 0; e == ERR_OK && i < r->stream_count; i++) {
        if (!str_is_name(r->streams[i]))
            e = err_set(ERR_INVALID, "streams[%u] is \"%.80s\": names of streams are of a-z 0-9 . _ -", i,
                        r->streams[i]);
        for (uint32_t k = 0; e == ERR_OK && k < i; k++)
            if (str_eq(r->streams[i], r->streams[k]))
                e = err_set(ERR_INVALID, "streams[%u] is there twice", i);
    }
    return e;
}

static enum err from_read(const struct json *root, struct arena *a, struct batch_request *r)
{
    static const char *const fields[] = {"name", "records", "until_batch"};
    const struct json *from;
    const char *until = NULL;
    int64_t records = 0;
    uint64_t batch = 0;
    enum err e = json_opt_object(root, "", "from_stream", &from);
    if (e != ERR_OK || !from)
        return e;
    if ((e = json_only(from, "from_stream", fields, 3)) != ERR_OK ||
        (e = text_read(from, "from_stream", "name", NAME_BYTES_MAX, true, a, &r->from_stream)) != ERR_OK ||
        (e = json_opt_i64(from, "from_stream", "records", 1, BATCH_UNITS_MAX, 0, &records)) != ERR_OK ||
        (e = json_opt_string(from, "from_stream", "until_batch", ID_TEXT_BYTES, NULL, &until)) != ERR_OK)
        return e;
    if (until && ((e = str_to_u64(until, INT32_MAX, &batch)) != ERR_OK || batch == 0))
        return err_set(ERR_INVALID, "from_stream.until_batch is \"%.40s\", which is no batch", until);
    if (!str_is_name(r->from_stream))
        return err_set(ERR_INVALID, "from_stream.name is \"%.80s\": names of streams are of a-z 0-9 . _ -",
                       r->from_stream);
    if (r->has_array)
        return err_set(ERR_INVALID, "a batch's units come from its array or from a stream, not from both");
    r->from_max = (uint64_t)records;
    r->until_batch = (uint32_t)batch;
    return ERR_OK;
}

static enum err check_stage(const struct batch_request *r)
{
    bool made = r->stage.kind != STAGE_OWN;
    if (made && (r->has_array || r->from_stream))
        return err_set(ERR_INVALID,
                       "the units of this stage come from another one: it has no array and no stream");
    if (!made && r->stage.after_count && r->from_stream)
        return err_set(ERR_INVALID, "a batch that is fed from a stream waits for no other");
    return ERR_OK;
}

/* The units of an array have no inputs of their own, so what is read must be one of the batch's. */
static enum err check_stdin(const struct batch_request *r)
{
    bool found = !r->has_array || !r->stdin_path;
    for (uint32_t i = 0; !found && i < r->input_count; i++)
        found = str_eq(r->inputs[i].path, r->stdin_path);
    return found ? ERR_OK : err_set(ERR_INVALID, "stdin '%.100s' is none of the inputs", r->stdin_path);
}

enum err batch_request_parse(const char *body, size_t len, struct arena *a, struct batch_request *ret)
{
    static const char *const fields[] = {"app",    "version", "name",        "command", "inputs", "stdin",
                                         "limits", "env",     "priority",    "labels",  "rules",  "policy",
                                         "array",  "streams", "from_stream", "stage",   "reuse"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct batch_request r = {0};
    const struct json *limits;
    int64_t version = 0, priority = 0;
    enum err e = json_parse(body, len, BATCH_ORDER_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, sizeof fields / sizeof *fields)) != ERR_OK ||
        (e = text_read(root, "", "app", NAME_BYTES_MAX, true, a, &r.app)) != ERR_OK ||
        (e = json_opt_i64(root, "", "version", 1, INT32_MAX, 0, &version)) != ERR_OK ||
        (e = text_read(root, "", "name", 200, false, a, &r.name)) != ERR_OK ||
        (e = words_read(root, "", "command", WU_ARGS_MAX, WU_SPEC_BYTES_MAX, a, &r.command,
                        &r.command_count)) != ERR_OK ||
        (e = file_refs_read(root, "", "inputs", WU_INPUTS_MAX, a, &r.inputs, &r.input_count)) != ERR_OK ||
        (e = stdin_read(root, "", a, &r.stdin_path)) != ERR_OK ||
        (e = json_opt_object(root, "", "limits", &limits)) != ERR_OK ||
        (e = limits_read(limits, "limits", &r.limits)) != ERR_OK ||
        (e = env_read(root, "", a, &r.env, &r.env_count)) != ERR_OK ||
        (e = json_opt_i64(root, "", "priority", -1000000, 1000000, 0, &priority)) != ERR_OK ||
        (e = json_opt_bool(root, "", "reuse", false, &r.reuse)) != ERR_OK ||
        (e = variables_read(root, "", "labels", LABELS_MAX, a, &r.labels, &r.label_count)) != ERR_OK ||
        (e = rules_read(root, &r.rules)) != ERR_OK || (e = policy_read(root, a, &r)) != ERR_OK ||
        (e = array_read(root, &r)) != ERR_OK || (e = streams_read(root, a, &r)) != ERR_OK ||
        (e = from_read(root, a, &r)) != ERR_OK || (e = stage_read(root, a, &r.stage)) != ERR_OK ||
        (e = check_stage(&r)) != ERR_OK || (e = check_stdin(&r)) != ERR_OK)
        return e;
    if (r.reuse && r.has_array)
        return err_set(ERR_INVALID, "reuse is for units that are sent one by one: leave array or reuse out");
    r.version = (uint32_t)version;
    r.priority = (int32_t)priority;
    *ret = r;
    return ERR_OK;
}

enum err unit_line_write(const struct unit_line *u, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    variables_write(&o, "vars", u->vars, u->var_count);
    file_refs_write(&o, "inputs", u->inputs, u->input_count);
    if (u->known_count)
        file_refs_write(&o, "known", u->known, u->known_count);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err unit_line_parse(const char *line, size_t len, struct arena *a, struct unit_line *ret)
{
    static const char *const fields[] = {"vars", "inputs", "known"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct unit_line u = {0};
    enum err e = json_parse(line, len, WU_SPEC_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, 3)) != ERR_OK ||
        (e = variables_read(root, "", "vars", VARIABLES_MAX, a, &u.vars, &u.var_count)) != ERR_OK ||
        (e = file_refs_read(root, "", "inputs", WU_INPUTS_MAX, a, &u.inputs, &u.input_count)) != ERR_OK)
        return e;
    if (json_field(root, "known") &&
        (e = file_refs_read(root, "", "known", WU_OUTPUTS_MAX, a, &u.known, &u.known_count)) != ERR_OK)
        return e;
    if (json_field(root, "known") && u.known_count == 0)
        return err_set(ERR_INVALID, "known is empty: name the outputs of the right answer, or leave it out");
    *ret = u;
    return ERR_OK;
}
