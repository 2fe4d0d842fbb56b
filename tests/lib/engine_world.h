/* engine_world.h - an engine over a store, driven through requests. */
#ifndef TESTS_LIB_ENGINE_WORLD_H
#define TESTS_LIB_ENGINE_WORLD_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "lib/database.h"
#include "lib/t.h"
#include "server/engine.h"
#include "server/unit_row.h"
#include "wire/envelope.h"
#include "wire/order.h"

struct world {
    struct store *store;
    struct engine *engine;
    struct arena arena;
    int64_t now_ms;
    struct private_key *key;
    uint32_t version;     /* of the app that is submitted; 0: 1 */
    uint32_t slice_units; /* of a long job, from restart() on; 0: as the engine has it */
    uint32_t schema; /* of the oldest server on the same database, from restart() on; 0: there is no other */
};

static inline void world_view(void *ctx, struct engine_view *ret)
{
    const struct world *w = ctx;
    *ret = (struct engine_view){.ticks = true, .servers = 2, .slot = 1, .schema = w->schema};
}

static inline enum err sign_units(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                                  uint32_t count, const struct digest *root, struct buf *out)
{
    struct world *w = ctx;
    struct buf BUF_AUTO text = {0};
    struct units_statement s = {
        .batch = batch, .order = *order, .first = first, .count = count, .root = *root};
    memset(&s.project_key, 7, sizeof s.project_key);
    enum err e = units_statement_print(&s, &text);
    const struct private_key *keys[] = {w->key};
    return e == ERR_OK ? envelope_make(ENVELOPE_TYPE_UNITS, text.data, text.len, keys, 1, out) : e;
}

static inline enum err order(void *ctx, uint32_t batch, struct buf *out)
{
    (void)ctx;
    return buf_printf(out, "{\"batch\":\"%u\"}", batch);
}

static inline void open_engine(struct world *w)
{
    struct engine_config config = {.sign_units = sign_units, .sign_ctx = w, .slice_units = w->slice_units};
    if (w->schema) {
        config.view = world_view;
        config.view_ctx = w;
    }
    assert_ok(engine_new(w->store, &config, &w->engine));
}

static inline void world_open(struct world *w, const char *where)
{
    *w = (struct world){.now_ms = 1000000};
    assert_ok(sign_key_new(&w->key));
    assert_ok(store_open(where, &w->store));
    open_engine(w);
}

static inline void world_close(struct world *w)
{
    engine_free(w->engine);
    store_close(w->store);
    sign_key_free(w->key);
    arena_done(&w->arena);
}

/* As after kill -9: what is in memory is gone. */
static inline void restart(struct world *w)
{
    engine_free(w->engine);
    open_engine(w);
}

static inline enum err ask(struct world *w, struct engine_request *r)
{
    struct engine_request *list[] = {r};
    r->arena = &w->arena;
    assert_ok(engine_turn(w->engine, list, 1, w->now_ms));
    return r->err;
}

static inline void tick(struct world *w)
{
    struct engine_request r = {.kind = ENGINE_TICK};
    do
        assert_ok(ask(w, &r));
    while (r.u.tick.ret_more);
}

static inline uint64_t join(struct world *w)
{
    struct engine_request r = {.kind = ENGINE_JOIN};
    r.u.join.host = (struct store_host){.platform = "x86_64-linux",
                                        .os = "Debian 12",
                                        .client = "0.1",
                                        .cores = 4,
                                        .memory_bytes = 8ull << 30,
                                        .disk_bytes = 8ull << 30};
    assert_ok(ask(w, &r));
    return r.u.join.ret_host_id;
}

static inline uint32_t submit_with(struct world *w, uint32_t units, const struct wu_rules *rules,
                                   const struct trust_policy *trust)
{
    struct engine_request r = {.kind = ENGINE_BATCH, .user_id = 1};
    struct store_batch *b = &r.u.batch.batch;
    b->name = "test";
    b->app = "pi";
    b->version = w->version ? w->version : 1;
    b->rules = *rules;
    b->trust = trust ? *trust : (struct trust_policy){0};
    b->release_count = 1;
    b->releases[0].platform = "x86_64-linux";
    b->cost = 0.001; /* seconds: a host is given many of them at once */
    b->hr_kind = "none";
    b->needs_features = "";
    b->array = true;
    b->array_step = 1;
    b->array_count = units;
    static const char *streams[] = {"hits"};
    r.u.batch.order = order;
    r.u.batch.streams = streams;
    r.u.batch.stream_count = 1;
    assert_ok(ask(w, &r));
    tick(w);
    return r.u.batch.ret_batch;
}

static inline uint32_t submit(struct world *w, uint32_t units)
{
    static const struct wu_rules rules = {.quorum = 2,
                                          .target_attempts = 2,
                                          .errors_max = 3,
                                          .attempts_max = 8,
                                          .successes_max = 6,
                                          .lease_ms = 60000};
    return submit_with(w, units, &rules, NULL);
}

static inline uint32_t fetch(struct world *w, uint64_t host, uint32_t most, struct engine_given **ret)
{
    struct engine_want want = {.seconds = 1e9, .cores = 4, .units_max = most};
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.want = &want;
    assert_ok(ask(w, &r));
    *ret = r.u.work.given;
    return r.u.work.given_count;
}

static inline enum err report(struct world *w, uint64_t host, const struct engine_given *g, uint8_t answer)
{
    struct engine_report p = {.unit = g->unit, .attempt = g->attempt, .cpu_ms = 1500, .wall_ms = 2000};
    memset(&p.answer, answer, sizeof p.answer);
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.reports = &p;
    r.u.work.report_count = 1;
    assert_ok(ask(w, &r));
    return p.ack;
}

static inline struct store_batch batch_of(struct world *w, uint32_t id)
{
    struct store_batch b;
    assert_ok(store_batch_get(w->store, &w->arena, id, &b));
    return b;
}

static inline uint32_t deliveries(struct world *w, uint32_t batch)
{
    struct store_delivery *list;
    uint32_t count;
    assert_ok(store_delivery_list(w->store, &w->arena, batch, 0, 1000, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(list[i].seq, i + 1);
    return count;
}

#endif
