#include "server/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "server/answer_input.h"
#include "server/reuse.h"
#include "server/store_stream.h"
#include "server/ticker.h"
#include "server/try.h"
#include "server/unit_row.h"
#include "wire/answer.h"
#include "wire/answer_route.h"
#include "wire/order.h"

enum { LOOK_EVERY_MS = 1000, RECORDS_EACH = 500, BATCHES_EACH = 100 };

struct feed {
    struct feed_config config;
    struct ticker *ticker;
};

/* One batch and the records that it is given now. */
struct meal {
    struct feed *f;
    struct arena *a;
    const struct store_cursor *cursor;
    struct store_stream stream;
    struct store_batch batch;
    struct order order;
    struct text *specs;
    uint32_t count;
};

/* --- what a record is as a unit --- */

struct dish {
    struct variable vars[VARIABLES_MAX];
    uint32_t var_count;
    struct file_ref inputs[WU_INPUTS_MAX];
    uint32_t input_count;
};

static enum err add_var(struct dish *d, const char *name, const char *value)
{
    for (uint32_t i = 0; i < d->var_count; i++)
        if (str_eq(d->vars[i].name, name))
            return ERR_OK;
    if (d->var_count == VARIABLES_MAX)
        return err_set(ERR_LIMIT, "it has more than %d variables", VARIABLES_MAX);
    d->vars[d->var_count++] = (struct variable){name, value};
    return ERR_OK;
}

static enum err add_fields(struct meal *m, const struct json *object, struct dish *d)
{
    const char *key;
    const struct json *value;
    for (size_t i = 0; json_each(object, i, &key, &value); i++) {
        BUF_AUTO struct buf text = {0};
        enum json_kind kind = json_kind(value);
        if (kind == JSON_IS_TEXT)
            TRY(buf_add_text(&text, json_text(value)));
        else if (kind == JSON_IS_INT || kind == JSON_IS_REAL)
            TRY(json_dump(value, &text));
        else
            continue;
        const char *name = arena_text(m->a, key), *copy = arena_text(m->a, buf_text(&text));
        TRY(name && copy ? ERR_OK : ERR_NOMEM);
        TRY(add_var(d, name, copy));
    }
    return ERR_OK;
}

static enum err from_text(struct meal *m, const struct store_record *r, struct dish *d)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *body = arena_bytes(m->a, r->body.data, r->body.len);
    TRY(body ? ERR_OK : ERR_NOMEM);
    TRY(add_var(d, "", body));
    if (body[0] != '{' || json_parse(body, r->body.len, RECORD_BYTES_MAX, &doc) != ERR_OK)
        return ERR_OK;
    return add_fields(m, json_root(doc), d);
}

static enum err from_answer(struct meal *m, const struct store_record *r, struct dish *d)
{
    struct store_unit u;
    struct store_answer answer;
    char holder[24], id[ID_TEXT_BYTES];
    JSON_AUTO struct json_doc *spec = NULL;
    TRY(store_unit_get(m->f->config.store, m->a, r->unit, &u));
    TRY(json_parse(u.spec.data, u.spec.len, WU_SPEC_BYTES_MAX, &spec));
    TRY(add_fields(m, json_field(json_root(spec), "vars"), d));
    wu_id_text(r->unit, id);
    const char *unit = arena_text(m->a, id);
    TRY(unit ? ERR_OK : ERR_NOMEM);
    TRY(add_var(d, "", unit));
    TRY(answer_input_get(m->f->config.store, m->a, r->unit, &r->answer, &answer));
    snprintf(holder, sizeof holder, "i%u", m->batch.id);
    for (uint32_t i = 0; i < answer.count; i++) {
        if (str_eq(answer.files[i].path, ANSWER_ROUTES_PATH))
            continue;
        if (d->input_count + m->order.input_count == WU_INPUTS_MAX)
            return err_set(ERR_LIMIT, "a unit has at most %d inputs", WU_INPUTS_MAX);
        TRY(answer_input_hold(m->f->config.blobs, &answer, i, holder));
        d->inputs[d->input_count++] = answer.files[i];
    }
    return ERR_OK;
}

/* The text of a spec after its unit's id, as struct engine_units wants it. */
static enum err print_spec(struct meal *m, const struct dish *d, struct text *ret)
{
    BUF_AUTO struct buf text = {0};
    struct spec spec = {.unit = wu_id_make(1, 0),
                        .vars = (struct variable *)(uintptr_t)d->vars,
                        .var_count = d->var_count,
                        .inputs = (struct file_ref *)(uintptr_t)d->inputs,
                        .input_count = d->input_count};
    TRY(template_check(m->order.command, m->order.command_count, d->vars, d->var_count));
    TRY(spec_print(&spec, &text));
    const char *tail = strchr(buf_text(&text), ',') + 1;
    ret->len = (uint32_t)(text.len - (size_t)(tail - text.data));
    ret->data = arena_bytes(m->a, tail, ret->len);
    return ret->data ? ERR_OK : ERR_NOMEM;
}

/* --- what fits no unit --- */

static enum err put_aside(struct meal *m, const struct store_record *r, const char *why)
{
    char stream[40], key[64];
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_string(&o, "stream", m->stream.name);
    json_out_u64(&o, "seq", r->seq);
    json_out_string(&o, "why", why);
    json_out_close(&o);
    TRY(json_out_end(&o));
    snprintf(stream, sizeof stream, "batch-%u.unfit", m->batch.id);
    snprintf(key, sizeof key, "%" PRIu64 "-%" PRIu64, m->stream.id, r->seq);
    struct text body = {buf_text(&text), (uint32_t)text.len};
    struct engine_request q = {.kind = ENGINE_PUBLISH, .arena = m->a, .user_id = m->batch.user_id};
    q.key = key; /* so that it is there once, whatever breaks in between */
    q.key_owner = stream;
    q.u.publish = (struct engine_publish){.stream = stream, .group = "", .bodies = &body, .count = 1};
    return engine_thread_do(m->f->config.engine, &q);
}

static enum err serve(struct meal *m, const struct store_record *r)
{
    struct dish *d = arena_alloc(m->a, sizeof *d);
    TRY(d ? ERR_OK : ERR_NOMEM);
    enum err e = r->unit && r->body.len == 0 ? from_answer(m, r, d) : from_text(m, r, d);
    if (e == ERR_OK)
        e = print_spec(m, d, &m->specs[m->count]);
    if (e == ERR_OK) {
        m->count++;
        return ERR_OK;
    }
    if (e != ERR_INVALID && e != ERR_LIMIT && e != ERR_MISSING)
        return e;
    const char *why = arena_text(m->a, err_text());
    log_event(LOG_WARN, "record-unfit", "batch", log_i64(m->batch.id), "stream", m->stream.name, "seq",
              log_i64((long long)r->seq), "err", err_text(), NULL);
    return put_aside(m, r, why ? why : "");
}

/* --- one batch --- */

/* The next look ends the cursor. */
static enum err close_batch(struct meal *m, bool *ret_more)
{
    struct engine_request q = {.kind = ENGINE_BATCH_DO, .arena = m->a};
    q.u.batch_do = (struct engine_batch_do){.batch = m->batch.id, .verb = ENGINE_BATCH_CLOSE};
    TRY(engine_thread_do(m->f->config.engine, &q));
    *ret_more = true;
    return ERR_OK;
}

static enum err end_cursor(struct meal *m)
{
    struct engine_request q = {.kind = ENGINE_CURSOR, .arena = m->a};
    q.u.cursor = (struct engine_cursor){
        .verb = ENGINE_CURSOR_DELETE, .stream = m->stream.name, .cursor = m->cursor->name};
    return engine_thread_do(m->f->config.engine, &q);
}

static enum err hand_over(struct meal *m, const struct store_record *list, uint32_t count)
{
    char holder[24];
    snprintf(holder, sizeof holder, "i%u", m->batch.id);
    m->specs = arena_array(m->a, count + 1, sizeof *m->specs);
    TRY(m->specs ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < count; i++)
        TRY(serve(m, &list[i]));
    TRY(blobs_sync(m->f->config.blobs, holder));
    struct engine_request q = {.kind = ENGINE_UNITS, .arena = m->a};
    q.u.units = (struct engine_units){.batch = m->batch.id,
                                      .first = (uint32_t)m->batch.counts.units,
                                      .count = m->count,
                                      .specs = m->specs,
                                      .feed_stream = m->stream.id,
                                      .feed_after = m->cursor->handed,
                                      .feed_upto = list[count - 1].seq};
    struct engine_taken *taken;
    TRY(reuse_find(m->f->config.store, m->f->config.blobs, m->a, &m->batch, m->specs, m->count, &taken,
                   &q.u.units.taken_count, NULL));
    q.u.units.taken = taken;
    enum err e = engine_thread_do(m->f->config.engine, &q);
    return e == ERR_CONFLICT ? ERR_OK : e; /* it has moved meanwhile: the next look sees where it is */
}

/* Asked before the records are read, so that none that came in between is missed. */
static enum err is_source_done(struct meal *m, bool *ret)
{
    struct store_batch until;
    *ret = false;
    if (!m->cursor->until_batch)
        return ERR_OK;
    enum err e = store_batch_get(m->f->config.store, m->a, m->cursor->until_batch, &until);
    if (e == ERR_MISSING)
        return ERR_OK;
    *ret = e == ERR_OK && until.finished_ms != 0;
    return e;
}

static enum err read_order(struct meal *m)
{
    struct text order;
    TRY(store_order_get(m->f->config.store, m->a, &m->batch.order_digest, &order));
    return order_parse(order.data, order.len, m->a, &m->order);
}

/* *ret_more: a full helping was given. */
static enum err feed_batch(struct meal *m, bool *ret_more)
{
    struct store *s = m->f->config.store;
    struct store_stream *st;
    struct store_record *list;
    uint32_t count, most = RECORDS_EACH;
    bool done;
    TRY(store_stream_list(s, m->a, m->cursor->stream - 1, 1, &st, &count));
    if (count == 0 || st->id != m->cursor->stream)
        return ERR_OK; /* deleted: the batch is closed by whom it belongs to */
    m->stream = *st;
    TRY(store_batch_get(s, m->a, m->cursor->batch, &m->batch));
    if (!m->batch.loading)
        return end_cursor(m);
    TRY(is_source_done(m, &done));
    uint64_t units = (uint64_t)m->batch.counts.units, left = m->cursor->feed_max - units;
    if (m->cursor->feed_max && m->cursor->feed_max <= units)
        return close_batch(m, ret_more);
    if (m->stream.paused)
        return ERR_OK;
    if (m->cursor->feed_max && left < most)
        most = (uint32_t)left;
    TRY(store_record_list(s, m->a, m->stream.id, m->cursor->handed, most, &list, &count));
    if (count == 0)
        return done ? close_batch(m, ret_more) : ERR_OK;
    TRY(read_order(m));
    TRY(hand_over(m, list, count));
    *ret_more |= count == most || done || m->cursor->feed_max;
    return ERR_OK;
}

static enum err feed_all(struct feed *f, bool *ret_more)
{
    struct arena ARENA_AUTO list_arena = {0};
    struct store_cursor *list;
    uint32_t count, after = 0;
    do {
        TRY(store_cursor_feeding(f->config.store, &list_arena, after, BATCHES_EACH, &list, &count));
        for (uint32_t i = 0; i < count && !ticker_stops(f->ticker); i++) {
            struct arena ARENA_AUTO a = {.bytes_max = 256u << 20};
            struct meal m = {.f = f, .a = &a, .cursor = &list[i]};
            after = list[i].batch;
            if (feed_batch(&m, ret_more) != ERR_OK)
                log_event(LOG_WARN, "feed-failed", "batch", log_i64(list[i].batch), "err", err_text(), NULL);
        }
    } while (count == BATCHES_EACH && !ticker_stops(f->ticker));
    return ERR_OK;
}

static void look(void *ctx)
{
    struct feed *f = ctx;
    bool more = true;
    while (more && !ticker_stops(f->ticker) && members_have(f->config.members, DUTY_FEED)) {
        more = false;
        if (feed_all(f, &more) != ERR_OK)
            log_event(LOG_WARN, "feed-failed", "err", err_text(), NULL);
    }
}

enum err feed_start(const struct feed_config *config, struct feed **ret_feed)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(ERR_NOMEM, "no memory to feed batches");
    f->config = *config;
    enum err e = ticker_start(look, f, LOOK_EVERY_MS, &f->ticker);
    if (e != ERR_OK) {
        free(f);
        return e;
    }
    *ret_feed = f;
    return ERR_OK;
}

void feed_wake(struct feed *f)
{
    ticker_wake(f->ticker);
}

void feed_stop(struct feed *f)
{
    if (!f)
        return;
    ticker_stop(f->ticker);
    free(f);
}
