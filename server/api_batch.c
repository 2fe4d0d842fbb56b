/* api_batch.c - what scientists change: batches made, filled, steered */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "rules/admit.h"
#include "server/api_version.h"
#include "server/batch_rules.h"
#include "server/hook.h"
#include "server/mail.h"
#include "server/reuse.h"
#include "server/store_stream.h"
#include "server/try.h"
#include "server/unit_row.h"
#include "wire/answer.h"
#include "wire/batch_msg.h"
#include "wire/order.h"

enum { LINES_MAX = 20000 };

/* --- making one --- */

struct making {
    struct batch_request q;
    struct store_release *releases; /* chosen: one for each platform */
    uint32_t release_count;
    struct manifest manifest; /* of the first */
    struct wu_limits limits;
    struct order order; /* but for the batch's number */
};

/* The releases of the app's wanted (or newest) version. */
static enum err choose_releases(struct call *c, struct making *m)
{
    struct store_release *list;
    struct arena *a = &c->http->arena;
    struct app_versions of = {0};
    const struct store_version *v;
    uint32_t count, version = m->q.version;
    uint64_t after = 0;
    bool any = false;
    m->releases = arena_array(a, BATCH_RELEASES_MAX, sizeof *m->releases);
    TRY(m->releases ? ERR_OK : ERR_NOMEM);
    do {
        TRY(store_release_list(c->store, a, m->q.app, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            const struct store_release *r = &list[i];
            after = r->id;
            any = true;
            if (r->retired || (m->q.version ? r->version != m->q.version : r->version < version))
                continue;
            TRY(app_version_find(c, &of, m->q.app, r->version, &v));
            if (!m->q.version && !app_version_is_out(v))
                continue; /* it is rolled out, or was stopped: who wants it says so */
            if (r->version > version) {
                version = r->version;
                m->release_count = 0;
            }
            if (m->release_count == BATCH_RELEASES_MAX)
                return err_set(ERR_LIMIT, "%s version %u has more than %d releases", m->q.app, version,
                               BATCH_RELEASES_MAX);
            m->releases[m->release_count++] = *r;
        }
    } while (count == STORE_PAGE_MAX);
    if (!any)
        return err_set(ERR_MISSING, "there is no app \"%.64s\" here: publish it, or see `dugnad app ls`",
                       m->q.app);
    TRY(app_version_find(c, &of, m->q.app, version, &v));
    if (m->q.version && v && v->halted)
        return err_set(ERR_CONFLICT, "version %u of %s is stopped: %s", version, m->q.app, v->why);
    if (m->release_count == 0 && m->q.version)
        return err_set(ERR_MISSING, "app %s has no version %u that is in use: dugnad app show %s lists them",
                       m->q.app, m->q.version, m->q.app);
    if (m->release_count == 0)
        return err_set(ERR_MISSING,
                       "no version of app %s is in use and rolled out to all: name one, or publish a new one",
                       m->q.app);
    m->q.version = version;
    return ERR_OK;
}

static enum err check_most(const char *name, const char *option, uint64_t is, uint64_t most)
{
    char wanted[32], allowed[32];
    if (is <= most)
        return ERR_OK;
    str_from_bytes(is, wanted, sizeof wanted);
    str_from_bytes(most, allowed, sizeof allowed);
    return err_set(
        ERR_LIMIT,
        "limits.%s is %s, this project allows %s at most: ask for less, or its operator to raise %s", name,
        wanted, allowed, option);
}

static enum err check_time(int64_t is_ms, int64_t most_ms)
{
    char wanted[32], allowed[32];
    if (is_ms <= most_ms)
        return ERR_OK;
    str_from_duration_ms(is_ms, wanted, sizeof wanted);
    str_from_duration_ms(most_ms, allowed, sizeof allowed);
    return err_set(
        ERR_LIMIT,
        "limits.wall_ms is %s, this project allows %s at most: ask for less, or its operator to raise "
        "unit_wall_max",
        wanted, allowed);
}

static enum err merge_limits(struct call *c, struct making *m)
{
    const struct settings *s = &c->server->settings;
    m->limits = limits_merge(&m->manifest.limits, &m->q.limits);
    TRY(check_most("memory_bytes", "unit_memory_max", m->limits.memory_bytes, s->unit_memory_max));
    TRY(check_most("disk_bytes", "unit_disk_max", m->limits.disk_bytes, s->unit_disk_max));
    TRY(check_most("output_bytes", "unit_output_max", m->limits.output_bytes, s->unit_output_max));
    return check_time(m->limits.wall_ms, s->unit_wall_max_ms);
}

static enum err check_inputs(struct call *c, const struct file_ref *inputs, uint32_t count, const char *what)
{
    char hex[DIGEST_TEXT_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes;
        enum err e = blob_find(c->server->blobs, &inputs[i].sha256, &bytes);
        digest_text(&inputs[i].sha256, hex);
        if (e == ERR_MISSING)
            return err_set(e, "%s %.200s: its bytes (%s) are not here: upload them first", what,
                           inputs[i].path, hex);
        TRY(e);
        if (bytes != inputs[i].bytes)
            return err_set(ERR_INVALID, "%s %.200s has %" PRIu64 " bytes, not %" PRIu64, what, inputs[i].path,
                           bytes, inputs[i].bytes);
    }
    return ERR_OK;
}

static enum err fill_order(struct call *c, struct making *m)
{
    struct order *o = &m->order;
    const struct batch_request *q = &m->q;
    *o = (struct order){.project_key = *project_key(c->server->project),
                        .app = q->app,
                        .version = q->version,
                        .release_count = m->release_count,
                        .command = q->command,
                        .command_count = q->command_count,
                        .inputs = q->inputs,
                        .input_count = q->input_count,
                        .stdin_path = q->stdin_path,
                        .limits = m->limits,
                        .env = q->env,
                        .env_count = q->env_count};
    o->releases = arena_array(&c->http->arena, m->release_count, sizeof *o->releases);
    TRY(o->releases ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < m->release_count; i++)
        o->releases[i] = m->releases[i].digest;
    return ERR_OK;
}

/* On the engine's thread. */
static enum err write_order(void *ctx, uint32_t batch, struct buf *out)
{
    struct order order = ((const struct making *)ctx)->order;
    order.batch = batch;
    return order_print(&order, out);
}

static enum err keep_text(struct arena *a, const struct buf *from, struct text *ret)
{
    ret->data = arena_bytes(a, buf_text(from), from->len);
    ret->len = (uint32_t)from->len;
    return ret->data ? ERR_OK : ERR_NOMEM;
}

static enum err check_max_failed(const char *policy)
{
    JSON_AUTO struct json_doc *doc = NULL;
    int64_t most;
    if (!policy)
        return ERR_OK;
    TRY(json_parse(policy, strlen(policy), BATCH_ORDER_BYTES_MAX, &doc));
    return json_opt_i64(json_root(doc), "policy", "max_failed", 0, BATCH_UNITS_MAX, -1, &most);
}

static enum err fill_texts(struct call *c, struct making *m, struct store_batch *b)
{
    BUF_AUTO struct buf labels = {0}, words = {0};
    struct arena *a = &c->http->arena;
    struct json_out o;
    json_out_init(&o, &labels);
    json_out_object(&o, NULL);
    for (uint32_t i = 0; i < m->q.label_count; i++)
        json_out_string(&o, m->q.labels[i].name, m->q.labels[i].value);
    json_out_close(&o);
    TRY(json_out_end(&o));
    TRY(keep_text(a, &labels, &b->labels));
    b->policy.data = m->q.policy ? m->q.policy : "";
    b->policy.len = (uint32_t)strlen(b->policy.data);
    TRY(check_max_failed(m->q.policy));
    char hook[HOOK_URL_BYTES]; /* wrong now is better than never called */
    TRY(hook_url(b->policy.data, b->policy.len, hook));
    if (str_starts(hook, HOOK_MAIL) && !mail_is_set(&c->server->settings))
        return err_set(
            ERR_INVALID,
            "this server sends no mail (mail_server in server.conf): name a web hook, https://...");
    b->request = (struct text){.data = buf_text(&c->http->body), .len = (uint32_t)c->http->body.len};
    for (uint32_t i = 0; i < m->manifest.needs_feature_count; i++)
        TRY(buf_printf(&words, "%s%s", i ? " " : "", m->manifest.needs_features[i]));
    b->needs_features = arena_text(a, buf_text(&words));
    return b->needs_features ? ERR_OK : ERR_NOMEM;
}

static void fill_array(const struct batch_request *q, struct store_batch *b)
{
    if (!q->has_array)
        return;
    b->array = true;
    b->array_first = q->first;
    b->array_step = q->step;
    b->array_count = (uint32_t)batch_array_count(q->first, q->last, q->step);
}

static enum err fill_batch(struct call *c, struct making *m, struct store_batch *b)
{
    uint64_t memory = m->manifest.needs_memory_bytes;
    *b = (struct store_batch){.user_id = c->who.id,
                              .name = m->q.name ? m->q.name : "",
                              .app = m->q.app,
                              .version = m->q.version,
                              .priority = m->q.priority,
                              .release_count = m->release_count,
                              .needs_memory_bytes = memory ? memory : m->limits.memory_bytes,
                              .needs_disk_bytes = m->limits.disk_bytes,
                              .hr_kind = app_class_name(m->manifest.app_class),
                              .cost = m->manifest.cost};
    for (uint32_t i = 0; i < m->release_count; i++)
        b->releases[i] =
            (struct batch_release){m->releases[i].platform, m->releases[i].digest, m->releases[i].bundle};
    fill_array(&m->q, b);
    TRY(batch_rules_take(&m->q.rules, &m->manifest, &b->rules, &b->trust));
    if (m->q.reuse)
        TRY(reuse_batch_question(b, &m->q, &b->question));
    return fill_texts(c, m, b);
}

static enum err check_command(const struct making *m)
{
    static const struct variable count = {"", "0"};
    return m->q.has_array ? template_check(m->q.command, m->q.command_count, &count, 1) : ERR_OK;
}

/* Inputs of a batch are held by it, so that they stay when who uploaded them lets go. */
static enum err hold_inputs(struct call *c, uint32_t batch, const struct file_ref *inputs, uint32_t count)
{
    char holder[24];
    snprintf(holder, sizeof holder, "i%u", batch);
    for (uint32_t i = 0; i < count; i++)
        TRY(blob_hold(c->server->blobs, &inputs[i].sha256, holder));
    return ERR_OK;
}

static enum err sync_inputs(struct call *c, uint32_t batch)
{
    char holder[24];
    snprintf(holder, sizeof holder, "i%u", batch);
    return blobs_sync(c->server->blobs, holder);
}

static enum err reply_batch(struct call *c, uint32_t id, int status)
{
    struct store_batch b;
    struct buf body = {0};
    struct json_out o;
    TRY(store_batch_get(c->store, &c->http->arena, id, &b));
    json_out_init(&o, &body);
    api_batch_write(c, &o, &b);
    enum err e = json_out_end(&o);
    if (e != ERR_OK) {
        buf_done(&body);
        return e;
    }
    return call_reply(c, status, &body);
}

/* Reading a stream is for whoever it belongs to; one that is not there yet will be this user's. */
static enum err check_from(struct call *c, const struct batch_request *q)
{
    struct store_stream st;
    struct store_batch until;
    if (!q->from_stream)
        return ERR_OK;
    enum err e = store_stream_find(c->store, &c->http->arena, q->from_stream, &st);
    if (e == ERR_OK && c->who.role == ROLE_SCIENTIST && st.user_id != c->who.id)
        return err_set(ERR_MISSING, "you have no stream %s: the one of that name is somebody else's",
                       q->from_stream);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    if (!q->until_batch)
        return ERR_OK;
    e = store_batch_get(c->store, &c->http->arena, q->until_batch, &until);
    return e == ERR_OK ? api_may_see(c, &until) : e;
}

static enum err take_request(struct call *c, struct making *m)
{
    TRY(batch_request_parse(buf_text(&c->http->body), c->http->body.len, &c->http->arena, &m->q));
    TRY(choose_releases(c, m));
    TRY(manifest_parse(m->releases[0].manifest.data, m->releases[0].manifest.len, &c->http->arena,
                       &m->manifest));
    TRY(merge_limits(c, m));
    return check_command(m);
}

/* What a batch would cost: it is read and checked like one, but for its input files, and nothing is made. */
enum err api_price(struct call *c)
{
    struct making *m = arena_alloc(&c->http->arena, sizeof *m);
    struct store_batch b;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(m ? ERR_OK : ERR_NOMEM);
    TRY(take_request(c, m));
    TRY(fill_batch(c, m, &b));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "app", b.app);
    json_out_i64(&o, "version", b.version);
    api_policy_write(&o, &b);
    if (b.cost > 0)
        json_out_real(&o, "cost", b.cost);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_batch_make(struct call *c, uint32_t *ret_batch)
{
    struct arena *a = &c->http->arena;
    struct making *m = arena_alloc(a, sizeof *m);
    struct engine_batch *q = &c->request.u.batch;
    TRY(m ? ERR_OK : ERR_NOMEM);
    TRY(take_request(c, m));
    TRY(check_inputs(c, m->q.inputs, m->q.input_count, "input"));
    for (uint32_t i = 0; i < m->q.input_count; i++) /* until the batch has a number to hold them by */
        TRY(blob_keep(c->server->blobs, &m->q.inputs[i].sha256));
    TRY(fill_order(c, m));
    c->request.kind = ENGINE_BATCH;
    TRY(fill_batch(c, m, &q->batch));
    q->units_max = c->who.units_max ? c->who.units_max : (uint64_t)c->server->settings.user_units;
    q->streams = m->q.streams;
    q->stream_count = m->q.stream_count;
    q->from_stream = m->q.from_stream;
    q->from_max = m->q.from_max;
    q->until_batch = m->q.until_batch;
    TRY(check_from(c, &m->q));
    TRY(api_stage_fill(c, &m->q.stage, &q->stage));
    q->order = write_order;
    q->order_ctx = m;
    TRY(call_engine(c));
    TRY(hold_inputs(c, q->ret_batch, m->q.inputs, m->q.input_count));
    TRY(sync_inputs(c, q->ret_batch));
    *ret_batch = q->ret_batch;
    return ERR_OK;
}

/* What is being computed comes first: when the disk or the machine has no room for more, it is said before
 * anything is lost. */
static enum err may_begin(struct call *c)
{
    const struct server *s = c->server;
    struct admit_load load = pulse_load(s->pulse);
    uint64_t free_bytes, all_bytes;
    char have[32], floor[32];
    double share;
    const char *busy = admit_refusal(&load, s->settings.load_max, &share);
    if (*busy) {
        c->retry_after_ms = ADMIT_SMOOTH_MS;
        return err_set(ERR_BUSY,
                       "no new batch is taken for now: the server's %s is busy for %.0f %% of the time; what "
                       "is being computed goes on",
                       busy, share * 100);
    }
    TRY(file_disk_free(s->data, &free_bytes));
    TRY(file_disk_size(s->data, &all_bytes));
    uint64_t mark = settings_disk_mark(&s->settings, all_bytes);
    if (free_bytes >= mark)
        return ERR_OK;
    str_from_bytes(free_bytes, have, sizeof have);
    str_from_bytes(mark, floor, sizeof floor);
    return err_set(ERR_FULL,
                   "no new batch is taken: the server's disk has %s free of the %s that it keeps for what is "
                   "being computed; the operator must make room",
                   have, floor);
}

enum err api_batch_post(struct call *c)
{
    uint32_t batch;
    TRY(call_idempotent(c));
    TRY(may_begin(c));
    TRY(api_batch_make(c, &batch));
    return reply_batch(c, batch, c->request.replayed ? 200 : 201);
}

/* --- filling it --- */

struct filling {
    struct order order;
    struct text *specs;
    uint32_t count;
};

static enum err read_order(struct call *c, const struct store_batch *b, struct order *ret)
{
    struct text order;
    TRY(store_order_get(c->store, &c->http->arena, &b->order_digest, &order));
    return order_parse(order.data, order.len, &c->http->arena, ret);
}

/* The text of a spec after its unit's id. */
static enum err print_tail(struct arena *a, const struct unit_line *line, struct text *ret)
{
    BUF_AUTO struct buf text = {0};
    struct spec spec = {.unit = wu_id_make(1, 0),
                        .vars = line->vars,
                        .var_count = line->var_count,
                        .inputs = line->inputs,
                        .input_count = line->input_count};
    TRY(spec_print(&spec, &text));
    const char *tail = strchr(buf_text(&text), ',') + 1;
    ret->len = (uint32_t)(text.len - (size_t)(tail - text.data));
    ret->data = arena_bytes(a, tail, ret->len);
    return ret->data ? ERR_OK : ERR_NOMEM;
}

/* Files that are compared otherwise than by their digests must be here. */
static enum err take_known(struct call *c, const struct store_batch *b, const struct unit_line *u,
                           struct text *tail)
{
    BUF_AUTO struct buf manifest = {0}, text = {0};
    TRY(answer_print(u->known, u->known_count, &manifest));
    if (b->rules.compare == WU_COMPARE_JUDGE) {
        TRY(check_inputs(c, u->known, u->known_count, "known output"));
        TRY(hold_inputs(c, b->id, u->known, u->known_count));
    }
    struct text known = {.data = buf_text(&manifest), .len = (uint32_t)manifest.len};
    TRY(buf_add(&text, tail->data, tail->len));
    TRY(unit_known_add(&known, &text));
    return keep_text(&c->http->arena, &text, tail);
}

static enum err take_line(struct call *c, struct filling *f, const struct store_batch *b, const char *line,
                          size_t len)
{
    struct unit_line u;
    struct arena *a = &c->http->arena;
    TRY(unit_line_parse(line, len, a, &u));
    if (u.input_count + f->order.input_count > WU_INPUTS_MAX)
        return err_set(ERR_LIMIT, "a unit has at most %d inputs, its batch's included", WU_INPUTS_MAX);
    TRY(template_check(f->order.command, f->order.command_count, u.vars, u.var_count));
    TRY(check_inputs(c, u.inputs, u.input_count, "input"));
    TRY(hold_inputs(c, b->id, u.inputs, u.input_count));
    TRY(print_tail(a, &u, &f->specs[f->count]));
    if (u.known_count)
        TRY(take_known(c, b, &u, &f->specs[f->count]));
    f->count++;
    return ERR_OK;
}

static enum err take_lines(struct call *c, struct filling *f, const struct store_batch *b)
{
    const char *at = buf_text(&c->http->body), *end = at + c->http->body.len;
    f->specs = arena_array(&c->http->arena, LINES_MAX, sizeof *f->specs);
    TRY(f->specs ? ERR_OK : ERR_NOMEM);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        if (len > 0 && f->count == LINES_MAX)
            return err_set(ERR_LIMIT, "a request takes %d lines at most: send the rest in another",
                           LINES_MAX);
        if (len > 0) {
            enum err e = take_line(c, f, b, at, len);
            if (e != ERR_OK)
                return err_prefix(e, "line %u", f->count + 1);
        }
        at += len + 1;
    }
    return ERR_OK;
}

static enum err reply_next(struct call *c, enum err e, uint32_t next)
{
    struct buf body = {0};
    struct json_out o;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_i64(&o, "next", next);
    if (e != ERR_OK) {
        json_out_object(&o, "error");
        json_out_string(&o, "code", err_word(e));
        json_out_string(&o, "message", c->request.message);
        json_out_close(&o);
    }
    json_out_close(&o);
    enum err written = json_out_end(&o);
    if (written != ERR_OK) {
        buf_done(&body);
        return written;
    }
    return call_reply(c, e == ERR_OK ? 200 : err_http(e), &body);
}

enum err api_batch_units_post(struct call *c)
{
    struct store_batch b;
    struct filling f = {0};
    struct engine_units *q = &c->request.u.units;
    uint64_t first;
    TRY(api_find_batch(c, &b));
    TRY(call_number(c, "first", 0, UINT32_MAX, &first));
    TRY(read_order(c, &b, &f.order));
    TRY(take_lines(c, &f, &b));
    TRY(sync_inputs(c, b.id));
    c->request.kind = ENGINE_UNITS;
    *q = (struct engine_units){.batch = b.id, .first = (uint32_t)first, .count = f.count, .specs = f.specs};
    struct engine_taken *taken;
    TRY(reuse_find(c->store, c->server->blobs, &c->http->arena, &b, f.specs, f.count, &taken, &q->taken_count,
                   &q->count)); /* what was not looked at comes again: the reply says where to go on */
    q->taken = taken;
    enum err e = call_engine(c);
    if (e == ERR_OK || e == ERR_CONFLICT)
        return reply_next(c, e, q->ret_next);
    return e;
}

/* --- steering it --- */

static enum err do_batch(struct call *c, uint32_t batch)
{
    c->request.kind = ENGINE_BATCH_DO;
    c->request.u.batch_do.batch = batch;
    TRY(call_engine(c));
    return reply_batch(c, batch, 200);
}

enum err api_batch_do(struct call *c)
{
    static const char *const verbs[ENGINE_BATCH_VERBS] = {
        [ENGINE_BATCH_CLOSE] = "close",   [ENGINE_BATCH_CANCEL] = "cancel", [ENGINE_BATCH_PAUSE] = "pause",
        [ENGINE_BATCH_RESUME] = "resume", [ENGINE_BATCH_RETRY] = "retry",   [ENGINE_BATCH_PURGE] = "purge",
    };
    struct store_batch b;
    TRY(api_find_batch(c, &b));
    for (int i = 0; i < ENGINE_BATCH_VERBS; i++)
        if (verbs[i] && str_eq(c->params[1], verbs[i])) {
            c->request.u.batch_do.verb = (enum engine_batch_verb)i;
            return do_batch(c, b.id);
        }
    return err_set(ERR_MISSING,
                   "\"%.40s\" cannot be done to a batch: close, cancel, pause, resume, retry and purge can",
                   c->params[1]);
}

enum err api_batch_patch(struct call *c)
{
    static const char *const fields[] = {"priority", "name", "labels"};
    JSON_AUTO struct json_doc *doc = NULL;
    BUF_AUTO struct buf text = {0};
    struct engine_batch_do *q = &c->request.u.batch_do;
    struct store_batch b;
    struct text labels;
    struct variable *list;
    uint32_t count;
    int64_t priority;
    int32_t value;
    TRY(api_find_batch(c, &b));
    TRY(api_body(c, &doc));
    const struct json *root = json_root(doc);
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    TRY(json_opt_i64(root, "", "priority", -1000000, 1000000, b.priority, &priority));
    TRY(json_opt_string(root, "", "name", NAME_BYTES_MAX * 4, NULL, &q->name));
    value = (int32_t)priority;
    q->priority = &value;
    if (json_field(root, "labels")) {
        TRY(variables_read(root, "", "labels", LABELS_MAX, &c->http->arena, &list, &count));
        TRY(json_dump(json_field(root, "labels"), &text));
        TRY(keep_text(&c->http->arena, &text, &labels));
        q->labels = &labels;
    }
    q->verb = ENGINE_BATCH_CHANGE;
    return do_batch(c, b.id);
}
