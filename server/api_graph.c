/* api_graph.c - batches that are stages of a graph: checked when they are made, and how the graph stands */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/api.h"
#include "server/store_stage.h"
#include "server/try.h"
#include "wire/batch_msg.h"

enum { GRAPH_STAGES_MAX = 200 };

/* A batch that a new stage names: it must be one that the caller may see. *ret_graph: the graph it is in. */
static enum err look_at(struct call *c, uint32_t id, uint32_t *ret_graph)
{
    struct store_batch b;
    struct store_stage st;
    enum err e = store_batch_get(c->store, &c->http->arena, id, &b);
    if (e == ERR_OK)
        e = api_may_see(c, &b);
    if (e == ERR_MISSING)
        return err_set(e, "stage: there is no batch %u: dugnad ls lists yours", id);
    TRY(e);
    TRY(api_not_archived(&b));
    if (b.purged)
        return err_set(ERR_STALE, "stage: the answers of batch %u are gone: it was purged", id);
    e = store_stage_get(c->store, &c->http->arena, id, &st);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    *ret_graph = e == ERR_OK ? st.graph : id;
    return ERR_OK;
}

static enum err name_graph(struct call *c, const struct stage_request *q, uint32_t *ret_graph)
{
    uint32_t named = 0, of = 0;
    if (q->graph)
        TRY(look_at(c, q->graph, &named));
    for (uint32_t i = 0; i < q->after_count; i++)
        TRY(look_at(c, q->after[i], &of));
    if (q->source)
        TRY(look_at(c, q->source, &of));
    *ret_graph = named ? named : of;
    return ERR_OK;
}

enum err api_stage_fill(struct call *c, const struct stage_request *q, const struct store_stage **ret)
{
    char after[STAGE_AFTER_MAX * 12] = "";
    size_t len = 0;
    if (!q->given)
        return ERR_OK;
    struct store_stage *st = arena_alloc(&c->http->arena, sizeof *st);
    TRY(st ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < q->after_count; i++)
        len += (size_t)snprintf(after + len, sizeof after - len, "%s%u", i ? " " : "", q->after[i]);
    *st = (struct store_stage){.active = q->kind != STAGE_OWN || q->after_count > 0,
                               .kind = q->kind,
                               .source = q->source,
                               .after = arena_text(&c->http->arena, after),
                               .file = q->file ? q->file : "",
                               .fan_in = q->fan_in,
                               .failed = q->failed,
                               .why = ""};
    TRY(st->after ? ERR_OK : ERR_NOMEM);
    *ret = st;
    return name_graph(c, q, &st->graph);
}

static void write_needs(struct json_out *o, const struct store_stage *st)
{
    const char *at = st->after;
    json_out_array(o, "after");
    while (*at) {
        size_t len = strcspn(at, " ");
        json_out_string_len(o, NULL, at, len);
        at += len + (at[len] == ' ');
    }
    json_out_close(o);
    json_out_string(o, "kind", stage_kind_name(st->kind));
    if (st->source)
        api_id(o, "source", st->source);
    if (st->file[0])
        json_out_string(o, "file", st->file);
    if (st->kind == STAGE_REDUCE)
        json_out_i64(o, "fan_in", st->fan_in);
    json_out_string(o, "on_failed", stage_failed_name(st->failed));
    json_out_bool(o, "units_made", !st->active);
    json_out_string(o, "why", st->why);
}

static enum err write_stage(struct call *c, struct json_out *o, const struct store_stage *st)
{
    struct store_batch b;
    TRY(store_batch_get(c->store, &c->http->arena, st->batch, &b));
    if (api_may_see(c, &b) != ERR_OK)
        return ERR_OK;
    json_out_object(o, NULL);
    api_id(o, "batch", b.id);
    json_out_string(o, "name", b.name);
    json_out_string(o, "app", b.app);
    json_out_string(o, "state",
                    st->active && st->kind == STAGE_OWN && b.paused ? "waiting" : store_batch_state(&b));
    json_out_i64(o, "units", b.counts.units);
    json_out_i64(o, "open", b.counts.open);
    json_out_i64(o, "leased", b.counts.leased);
    json_out_i64(o, "accepted", b.counts.accepted);
    json_out_i64(o, "failed", b.counts.failed);
    write_needs(o, st);
    json_out_close(o);
    return ERR_OK;
}

static bool has(const struct store_stage *list, uint32_t count, uint32_t batch)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].batch == batch)
            return true;
    return false;
}

/* The first batch may know nothing of the graph that others made of it. */
enum err api_batch_graph(struct call *c)
{
    struct store_batch b;
    struct store_stage own, *list;
    struct json_out o;
    uint32_t count;
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    enum err e = store_stage_get(c->store, &c->http->arena, b.id, &own);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    uint32_t graph = e == ERR_OK ? own.graph : b.id;
    TRY(store_stage_list(c->store, &c->http->arena, graph, GRAPH_STAGES_MAX, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    api_id(&o, "graph", graph);
    json_out_array(&o, "stages");
    struct store_stage first = {.batch = graph, .graph = graph, .after = "", .file = "", .why = ""};
    if (!has(list, count, graph))
        TRY(write_stage(c, &o, &first));
    for (uint32_t i = 0; i < count; i++)
        TRY(write_stage(c, &o, &list[i]));
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
