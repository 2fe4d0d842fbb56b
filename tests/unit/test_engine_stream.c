/* Streams through the engine, over every database: published to, read by groups, fed to batches, purged. */
#include "lib/t.h"

#include <stdio.h>
#include <string.h>

#include "base/sign.h"
#include "lib/database.h"
#include "server/engine.h"
#include "server/flight.h"
#include "server/store_stream.h"

struct world {
    struct store *store;
    struct engine *engine;
    struct arena arena;
    int64_t now_ms;
    uint64_t told;
};

static enum err sign_units(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                           uint32_t count, const struct digest *root, struct buf *out)
{
    (void)ctx, (void)order, (void)root;
    return buf_printf(out, "%u %u %u", batch, first, count);
}

static enum err order(void *ctx, uint32_t batch, struct buf *out)
{
    (void)ctx;
    return buf_printf(out, "{\"batch\":\"%u\"}", batch);
}

static void on_streamed(void *ctx, uint64_t stream)
{
    ((struct world *)ctx)->told = stream;
}

static void open_engine(struct world *w)
{
    struct engine_config config = {.sign_units = sign_units, .on_streamed = on_streamed, .hook_ctx = w};
    assert_ok(engine_new(w->store, &config, &w->engine));
}

static void world_open(struct world *w, void **state)
{
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    *w = (struct world){.now_ms = 1000000};
    assert_ok(store_open(where, &w->store));
    open_engine(w);
}

static void world_close(struct world *w)
{
    engine_free(w->engine);
    store_close(w->store);
    arena_done(&w->arena);
}

static enum err ask(struct world *w, struct engine_request *r)
{
    struct engine_request *list[] = {r};
    r->arena = &w->arena;
    r->user_id = 1;
    assert_ok(engine_turn(w->engine, list, 1, w->now_ms));
    return r->err;
}

static uint64_t publish(struct world *w, const char *stream, const char *group, uint32_t count)
{
    struct text bodies[100];
    struct engine_request r = {.kind = ENGINE_PUBLISH};
    for (uint32_t i = 0; i < count; i++)
        bodies[i] = (struct text){"body", 4};
    r.u.publish = (struct engine_publish){.stream = stream, .group = group, .bodies = bodies, .count = count};
    assert_ok(ask(w, &r));
    return r.u.publish.ret_last;
}

static struct engine_cursor fetch(struct world *w, const char *member, uint32_t limit)
{
    struct engine_request r = {.kind = ENGINE_CURSOR};
    r.u.cursor = (struct engine_cursor){.verb = ENGINE_CURSOR_FETCH,
                                        .stream = "s",
                                        .cursor = "c",
                                        .member = member,
                                        .limit = limit,
                                        .lease_ms = 30000};
    assert_ok(ask(w, &r));
    return r.u.cursor;
}

static void assert_fetch(struct world *w, const char *member, uint32_t limit, uint64_t first, uint64_t last,
                         uint32_t times)
{
    struct engine_cursor q = fetch(w, member, limit);
    assert_int_equal(q.ret_first, first);
    assert_int_equal(q.ret_last, last);
    if (last)
        assert_int_equal(q.ret_times, times);
}

static uint64_t ack(struct world *w, const char *member, uint64_t upto)
{
    struct engine_request r = {.kind = ENGINE_CURSOR};
    r.u.cursor = (struct engine_cursor){
        .verb = ENGINE_CURSOR_ACK, .stream = "s", .cursor = "c", .member = member, .first = 1, .last = upto};
    assert_ok(ask(w, &r));
    return r.u.cursor.ret_count;
}

static struct store_cursor cursor(struct world *w, const char *name)
{
    struct store_stream st;
    struct store_cursor c;
    assert_ok(store_stream_find(w->store, &w->arena, "s", &st));
    assert_ok(store_cursor_get(w->store, &w->arena, st.id, name, &c));
    return c;
}

static void members_of_a_group_share_a_stream_and_what_one_does_not_acknowledge_comes_back(void **state)
{
    struct world w;
    world_open(&w, state);
    assert_int_equal(publish(&w, "s", "", 10), 10);
    assert_true(w.told > 0);
    assert_fetch(&w, "a", 4, 1, 4, 1);
    assert_fetch(&w, "b", 4, 5, 8, 1);
    assert_fetch(&w, "a", 4, 9, 10, 1);
    assert_fetch(&w, "b", 4, 0, 0, 0);
    assert_int_equal(ack(&w, "b", 100), 4);
    assert_int_equal(ack(&w, "a", 2), 2);
    w.now_ms += 30000;
    engine_free(w.engine); /* a restart loses no lease and no acknowledgement */
    open_engine(&w);
    assert_fetch(&w, "b", 4, 3, 4, 2);
    assert_fetch(&w, "b", 4, 9, 10, 2);
    assert_fetch(&w, "b", 4, 0, 0, 0);
    assert_int_equal(cursor(&w, "c").redelivered, 4);
    assert_int_equal(ack(&w, "a", 10), 0); /* they are b's now */
    assert_int_equal(ack(&w, "b", 10), 4);
    w.now_ms += 30000;
    assert_fetch(&w, "a", 4, 0, 0, 0);
    world_close(&w);
}

static void records_of_one_group_are_not_parted(void **state)
{
    struct world w;
    world_open(&w, state);
    publish(&w, "s", "x", 3);
    publish(&w, "s", "y", 5);
    publish(&w, "s", "", 2);
    assert_fetch(&w, "a", 4, 1, 8, 1);
    assert_fetch(&w, "b", 1, 9, 9, 1);
    assert_fetch(&w, "b", 1, 10, 10, 1);
    w.now_ms += 30000;
    assert_fetch(&w, "b", 1, 1, 3, 2);
    assert_fetch(&w, "c", 1, 4, 8, 2);
    world_close(&w);
}

static void what_follows_in_a_group_waits_while_another_has_its_start(void **state)
{
    struct world w;
    world_open(&w, state);
    publish(&w, "s", "x", 3);
    assert_fetch(&w, "a", 4, 1, 3, 1);
    publish(&w, "s", "x", 2); /* of the same group, later */
    publish(&w, "s", "y", 1);
    assert_fetch(&w, "b", 4, 0, 0, 0);
    assert_fetch(&w, "a", 1, 4, 5, 1);
    assert_fetch(&w, "b", 4, 6, 6, 1);
    assert_int_equal(ack(&w, "b", 6), 1);
    w.now_ms += 30000; /* a is dead */
    assert_fetch(&w, "b", 4, 1, 3, 2);
    assert_fetch(&w, "c", 4, 0, 0, 0);
    assert_int_equal(ack(&w, "b", 3), 3);
    assert_fetch(&w, "c", 4, 4, 5, 2);
    world_close(&w);
}

static void a_group_without_end_comes_in_parts(void **state)
{
    struct world w;
    struct engine_cursor q;
    uint64_t last = 0;
    world_open(&w, state);
    for (uint32_t i = 0; i < 60; i++)
        last = publish(&w, "s", "x", 100);
    q = fetch(&w, "a", 10);
    assert_int_equal(q.ret_first, 1);
    assert_in_range(q.ret_last, ANSWER_ROUTES_MAX, last - 1);
    assert_fetch(&w, "b", 10, 0, 0, 0);
    assert_int_equal(ack(&w, "a", q.ret_last), q.ret_last);
    assert_fetch(&w, "b", 10, q.ret_last + 1, last, 1);
    world_close(&w);
}

static void a_paused_stream_hands_nothing_out_and_a_rewound_cursor_all_again(void **state)
{
    struct world w;
    struct engine_request pause = {.kind = ENGINE_STREAM, .u.stream = {ENGINE_STREAM_PAUSE, "s"}};
    struct engine_request resume = {.kind = ENGINE_STREAM, .u.stream = {ENGINE_STREAM_RESUME, "s"}};
    struct engine_request back = {.kind = ENGINE_CURSOR};
    back.u.cursor =
        (struct engine_cursor){.verb = ENGINE_CURSOR_REWIND, .stream = "s", .cursor = "c", .seq = 2};
    world_open(&w, state);
    publish(&w, "s", "", 5);
    assert_fetch(&w, "a", 3, 1, 3, 1);
    assert_int_equal(ack(&w, "a", 3), 3);
    assert_ok(ask(&w, &pause));
    assert_fetch(&w, "a", 3, 0, 0, 0);
    assert_ok(ask(&w, &resume));
    assert_ok(ask(&w, &back));
    assert_fetch(&w, "a", 9, 3, 5, 1);
    back.u.cursor.seq = 6;
    assert_err(ask(&w, &back), ERR_INVALID);
    back.u.cursor.cursor = "other";
    assert_err(ask(&w, &back), ERR_MISSING);
    world_close(&w);
}

static void a_publish_that_is_told_twice_with_one_key_happens_once(void **state)
{
    struct world w;
    struct text body = {"x", 1};
    struct engine_request r = {.kind = ENGINE_PUBLISH, .key = "k", .key_owner = "u1"};
    r.u.publish = (struct engine_publish){.stream = "s", .group = "", .bodies = &body, .count = 1};
    world_open(&w, state);
    assert_ok(ask(&w, &r));
    assert_int_equal(r.u.publish.ret_last, 1);
    assert_ok(ask(&w, &r));
    assert_true(r.replayed);
    assert_int_equal(r.u.publish.ret_last, 1);
    assert_int_equal(publish(&w, "s", "", 1), 2);
    world_close(&w);
}

/* With the operation on the database after so many ones failing: was it done? */
static bool try(struct world *w, struct engine_request *r, uint32_t operations)
{
    struct engine_request *list[] = {r};
    r->arena = &w->arena;
    r->user_id = 1;
    store_fault(w->store, operations, operations % 2);
    enum err e = engine_turn(w->engine, list, 1, w->now_ms);
    store_fault(w->store, UINT32_MAX, false);
    return e == ERR_OK && r->err == ERR_OK;
}

static void whatever_operation_fails_a_record_is_there_once_and_comes_at_least_once(void **state)
{
    enum { COUNT = 40 };
    struct world w;
    uint64_t seen = 0;
    world_open(&w, state);
    for (uint32_t i = 0; i < COUNT; i++) {
        char key[16];
        struct text body = {"x", 1};
        struct engine_request r = {.kind = ENGINE_PUBLISH, .key = key, .key_owner = "u1"};
        snprintf(key, sizeof key, "%u", i);
        r.u.publish = (struct engine_publish){.stream = "s", .group = "", .bodies = &body, .count = 1};
        for (uint32_t k = 0; !try(&w, &r, i % 12 + k * 7); k++)
            ;
        assert_int_equal(r.u.publish.ret_last, i + 1);
    }
    for (uint32_t i = 0; i < 10 * COUNT && seen != (1ull << COUNT) - 1; i++) {
        struct engine_request r = {.kind = ENGINE_CURSOR}, done = {.kind = ENGINE_CURSOR};
        r.u.cursor = (struct engine_cursor){.verb = ENGINE_CURSOR_FETCH,
                                            .stream = "s",
                                            .cursor = "c",
                                            .member = "m",
                                            .limit = 3,
                                            .lease_ms = 10};
        w.now_ms += 3;
        if (!try(&w, &r, i % 12) || r.u.cursor.ret_last == 0)
            continue;
        done.u.cursor = (struct engine_cursor){.verb = ENGINE_CURSOR_ACK,
                                               .stream = "s",
                                               .cursor = "c",
                                               .member = "m",
                                               .first = r.u.cursor.ret_first,
                                               .last = r.u.cursor.ret_last};
        for (uint64_t n = r.u.cursor.ret_first; n <= r.u.cursor.ret_last; n++)
            seen |= 1ull << (n - 1);
        (void)!try(&w, &done, i / 2 % 12);
    }
    assert_int_equal(seen, (1ull << COUNT) - 1);
    assert_int_equal(publish(&w, "s", "", 1), COUNT + 1);
    world_close(&w);
}

static void tick(struct world *w)
{
    struct engine_request r = {.kind = ENGINE_TICK};
    do
        assert_ok(ask(w, &r));
    while (r.u.tick.ret_more);
}

static struct store_stream stream_of(struct world *w)
{
    struct store_stream st;
    assert_ok(store_stream_find(w->store, &w->arena, "s", &st));
    return st;
}

static void what_every_cursor_has_passed_is_purged_when_its_time_is_over(void **state)
{
    struct world w;
    struct store_record *list;
    uint32_t count;
    world_open(&w, state);
    publish(&w, "s", "", 10);
    assert_fetch(&w, "a", 6, 1, 6, 1);
    assert_int_equal(ack(&w, "a", 4), 4);
    w.now_ms += STREAM_KEPT_MS - 1;
    tick(&w);
    assert_int_equal(stream_of(&w).purged, 0);
    publish(&w, "s", "", 1);
    w.now_ms += 2;
    tick(&w);
    tick(&w);
    assert_int_equal(stream_of(&w).purged, 4);
    assert_ok(store_record_list(w.store, &w.arena, stream_of(&w).id, 0, 100, &list, &count));
    assert_int_equal(count, 7);
    assert_fetch(&w, "a", 9, 5, 6, 2);
    assert_fetch(&w, "a", 9, 7, 11, 1);
    assert_int_equal(ack(&w, "a", 11), 7);
    tick(&w);
    tick(&w);
    assert_int_equal(stream_of(&w).purged, 10); /* the last one is young */
    world_close(&w);
}

static void a_deleted_stream_is_cleared_and_its_name_means_a_new_one(void **state)
{
    struct world w;
    struct store_stream *list;
    struct engine_request gone = {.kind = ENGINE_STREAM, .u.stream = {ENGINE_STREAM_DELETE, "s"}};
    uint32_t count;
    world_open(&w, state);
    publish(&w, "s", "", 10);
    fetch(&w, "a", 5);
    assert_ok(ask(&w, &gone));
    assert_int_equal(publish(&w, "s", "", 1), 1);
    for (int i = 0; i < 4; i++)
        tick(&w);
    assert_ok(store_stream_list(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "s");
    assert_fetch(&w, "a", 5, 1, 1, 1);
    world_close(&w);
}

static void a_record_becomes_one_unit_of_the_batch_it_feeds(void **state)
{
    struct world w;
    struct engine_request r = {.kind = ENGINE_BATCH}, units = {.kind = ENGINE_UNITS};
    struct engine_request gone = {.kind = ENGINE_STREAM, .u.stream = {ENGINE_STREAM_DELETE, "s"}};
    struct text specs[2] = {{"\"vars\":{},\"inputs\":[]}", 22}, {"\"vars\":{},\"inputs\":[]}", 22}};
    struct store_batch *b = &r.u.batch.batch, got;
    world_open(&w, state);
    publish(&w, "s", "", 2);
    b->name = "fed";
    b->app = "pi";
    b->version = 1;
    b->user_id = 1;
    b->rules = (struct wu_rules){.quorum = 1,
                                 .target_attempts = 1,
                                 .errors_max = 3,
                                 .attempts_max = 8,
                                 .successes_max = 6,
                                 .lease_ms = 60000};
    b->hr_kind = "none";
    b->needs_features = "";
    r.u.batch.order = order;
    r.u.batch.from_stream = "s";
    assert_ok(ask(&w, &r));
    units.u.units = (struct engine_units){.batch = r.u.batch.ret_batch,
                                          .count = 2,
                                          .specs = specs,
                                          .feed_stream = stream_of(&w).id,
                                          .feed_upto = 2};
    assert_ok(ask(&w, &units));
    units.u.units.first = 2;
    assert_err(ask(&w, &units), ERR_CONFLICT);
    assert_ok(store_batch_get(w.store, &w.arena, r.u.batch.ret_batch, &got));
    assert_int_equal(got.counts.units, 2);
    assert_err(ask(&w, &gone), ERR_CONFLICT);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_a_group_share_a_stream_and_what_one_does_not_acknowledge_comes_back),
        cmocka_unit_test(records_of_one_group_are_not_parted),
        cmocka_unit_test(what_follows_in_a_group_waits_while_another_has_its_start),
        cmocka_unit_test(a_group_without_end_comes_in_parts),
        cmocka_unit_test(a_paused_stream_hands_nothing_out_and_a_rewound_cursor_all_again),
        cmocka_unit_test(a_publish_that_is_told_twice_with_one_key_happens_once),
        cmocka_unit_test(whatever_operation_fails_a_record_is_there_once_and_comes_at_least_once),
        cmocka_unit_test(what_every_cursor_has_passed_is_purged_when_its_time_is_over),
        cmocka_unit_test(a_deleted_stream_is_cleared_and_its_name_means_a_new_one),
        cmocka_unit_test(a_record_becomes_one_unit_of_the_batch_it_feeds),
    };
    return DATABASE_RUN(tests);
}
