/* api_schedule.c - batches that are submitted later, or again and again: made, listed, paused, deleted */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "rules/cron.h"
#include "server/api.h"
#include "server/needs.h"
#include "server/store_schedule.h"
#include "server/try.h"
#include "wire/batch_msg.h"

enum { CRON_BYTES_MAX = 200 };

static void write_schedule(struct call *c, struct json_out *o, const struct store_schedule *s)
{
    json_out_object(o, NULL);
    api_id(o, "schedule", s->id);
    api_id(o, "user", s->user_id);
    api_user_name(c, o, "user_name", s->user_id);
    json_out_string(o, "cron", s->cron);
    json_out_string(o, "state", s->paused ? "paused" : s->next_ms ? "waiting" : "over");
    if (s->next_ms)
        json_out_i64(o, "next_ms", s->next_ms);
    else
        json_out_null(o, "next_ms");
    if (s->last_ms)
        json_out_i64(o, "last_ms", s->last_ms);
    if (s->last_batch)
        api_id(o, "last_batch", s->last_batch);
    json_out_string(o, "why", s->why);
    json_out_i64(o, "created_ms", s->created_ms);
    json_out_close(o);
}

static enum err reply_schedule(struct call *c, uint64_t id, int status)
{
    struct store_schedule s;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(store_schedule_get(c->store, &c->http->arena, id, &s));
    json_out_init(&o, &body);
    write_schedule(c, &o, &s);
    TRY(json_out_end(&o));
    return call_reply(c, status, &body);
}

static enum err read_time(const struct json *root, struct call *c, struct store_schedule *s)
{
    const char *text = NULL;
    struct cron cron;
    int64_t at_ms = 0;
    TRY(json_opt_string(root, "", "cron", CRON_BYTES_MAX, NULL, &text));
    TRY(json_opt_i64(root, "", "at_ms", 1, INT64_C(1) << 53, 0, &at_ms));
    if (!text == !at_ms)
        return err_set(ERR_INVALID, "a schedule has either at_ms or cron");
    s->cron = arena_text(&c->http->arena, text ? text : "");
    TRY(s->cron ? ERR_OK : ERR_NOMEM);
    s->next_ms = at_ms;
    if (!text)
        return ERR_OK;
    TRY(cron_parse(s->cron, &cron));
    s->next_ms = cron_next_ms(&cron, clock_wall_ms());
    return s->next_ms != INT64_MAX ? ERR_OK : err_set(ERR_INVALID, "cron: \"%.100s\" never comes", s->cron);
}

/* What is wrong with the request is better told now than when its time has come. */
static enum err read_batch(const struct json *root, struct call *c, struct store_schedule *s,
                           struct batch_request *q)
{
    const struct json *batch;
    BUF_AUTO struct buf text = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    TRY(json_get_object(root, "", "batch", &batch));
    TRY(json_dump(batch, &text));
    TRY(batch_request_parse(buf_text(&text), text.len, &c->http->arena, q));
    if (!q->has_array && !q->from_stream && q->stage.kind == STAGE_OWN)
        return err_set(ERR_INVALID,
                       "a scheduled batch makes its units itself: it needs an array, a stream or a stage");
    s->body.data = arena_bytes(&c->http->arena, buf_text(&text), text.len);
    s->body.len = (uint32_t)text.len;
    return s->body.data ? ERR_OK : ERR_NOMEM;
}

/* Its inputs stay until it is over; those that are not here yet are held from when they are. */
static enum err keep_inputs(struct call *c, const struct batch_request *q)
{
    for (uint32_t i = 0; i < q->input_count; i++) {
        enum err e = blob_keep(c->server->blobs, &q->inputs[i].sha256);
        if (e != ERR_OK && e != ERR_MISSING)
            return e;
    }
    return ERR_OK;
}

static enum err hold_inputs(struct call *c, uint64_t id, const struct batch_request *q)
{
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    snprintf(holder, sizeof holder, "s%" PRIu64, id);
    return needs_hold_files(c->server->blobs, holder, q->inputs, q->input_count);
}

enum err api_schedule_post(struct call *c)
{
    static const char *const fields[] = {"cron", "at_ms", "batch"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct engine_schedule *q = &c->request.u.schedule;
    struct batch_request batch;
    c->request.kind = ENGINE_SCHEDULE;
    *q = (struct engine_schedule){.verb = ENGINE_SCHEDULE_NEW, .schedule = {.user_id = c->who.id, .why = ""}};
    TRY(api_body(c, &doc));
    TRY(json_only(json_root(doc), "", fields, sizeof fields / sizeof *fields));
    TRY(read_time(json_root(doc), c, &q->schedule));
    TRY(read_batch(json_root(doc), c, &q->schedule, &batch));
    TRY(call_idempotent(c));
    TRY(keep_inputs(c, &batch));
    TRY(call_engine(c));
    TRY(hold_inputs(c, q->ret_id, &batch));
    return reply_schedule(c, q->ret_id, c->request.replayed ? 200 : 201);
}

static enum err find(struct call *c, struct store_schedule *ret)
{
    uint64_t id;
    TRY(call_id(c->params[0], "schedule", INT64_MAX, &id));
    enum err e = store_schedule_get(c->store, &c->http->arena, id, ret);
    if (e == ERR_MISSING || (e == ERR_OK && c->who.role == ROLE_SCIENTIST && ret->user_id != c->who.id))
        return err_set(ERR_MISSING, "there is no schedule %" PRIu64 ": dugnad schedule ls lists yours", id);
    return e;
}

enum err api_schedule_patch(struct call *c)
{
    static const char *const fields[] = {"paused"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct store_schedule s;
    TRY(find(c, &s));
    TRY(api_body(c, &doc));
    TRY(json_only(json_root(doc), "", fields, 1));
    TRY(json_get_bool(json_root(doc), "", "paused", &s.paused));
    c->request.kind = ENGINE_SCHEDULE;
    c->request.u.schedule = (struct engine_schedule){.verb = ENGINE_SCHEDULE_MOVE, .schedule = s};
    TRY(call_engine(c));
    return reply_schedule(c, s.id, 200);
}

enum err api_schedule_delete(struct call *c)
{
    struct store_schedule s;
    struct buf none = {0};
    TRY(find(c, &s));
    c->request.kind = ENGINE_SCHEDULE;
    c->request.u.schedule = (struct engine_schedule){.verb = ENGINE_SCHEDULE_DELETE, .schedule = s};
    TRY(call_engine(c));
    unused_wake(c->server->unused); /* lets go of what it held */
    return call_reply(c, 204, &none);
}

enum err api_schedules(struct call *c)
{
    struct store_schedule *list;
    uint32_t limit, count;
    uint64_t after;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    TRY(store_schedule_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        if (c->who.role != ROLE_SCIENTIST || list[i].user_id == c->who.id)
            write_schedule(c, &o, &list[i]);
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
