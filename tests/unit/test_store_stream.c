/* Streams, records and cursors over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_stream.h"

static void new_stream(struct world *w, uint64_t id, const char *name)
{
    struct store_stream st = {.id = id, .name = name, .user_id = 3, .created_ms = 77};
    store_set_stream_new(w->set, &st);
}

static void add_text(struct world *w, uint64_t stream, const char *group, const char *body)
{
    struct store_record r = {.stream = stream, .group = group, .body = text_of(body), .at_ms = 5};
    store_set_record(w->set, &r);
}

static void records_are_numbered_within_each_stream_in_the_order_they_were_told(void **state)
{
    struct world w;
    struct store_stream st;
    struct store_record *list, answer = {.stream = 9, .unit = 17, .answer = digest_of("a"), .group = ""};
    uint32_t count;
    world_open(&w, state);
    new_stream(&w, 7, "seven");
    new_stream(&w, 9, "nine");
    add_text(&w, 9, "g", "one");
    add_text(&w, 7, "", "å");
    store_set_record(w.set, &answer);
    world_write(&w);
    add_text(&w, 9, "", "three");
    world_write(&w);
    assert_ok(store_stream_find(w.store, &w.arena, "nine", &st));
    assert_int_equal(st.id, 9);
    assert_int_equal(st.user_id, 3);
    assert_int_equal(st.last, 3);
    assert_int_equal(st.purged, 0);
    assert_false(st.paused);
    assert_ok(store_record_list(w.store, &w.arena, 9, 0, 10, &list, &count));
    assert_int_equal(count, 3);
    assert_text(list[0].body, "one");
    assert_string_equal(list[0].group, "g");
    assert_int_equal(list[1].seq, 2);
    assert_int_equal(list[1].unit, 17);
    assert_true(digest_eq(&list[1].answer, &answer.answer));
    assert_text(list[2].body, "three");
    assert_ok(store_record_list(w.store, &w.arena, 9, 2, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_ok(store_record_list(w.store, &w.arena, 7, 0, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_text(list[0].body, "å");
    assert_err(store_stream_find(w.store, &w.arena, "ten", &st), ERR_MISSING);
    world_close(&w);
}

static void a_name_is_free_again_when_its_stream_is_deleted(void **state)
{
    struct world w;
    struct store_stream st, *list;
    uint32_t count;
    world_open(&w, state);
    new_stream(&w, 7, "s");
    add_text(&w, 7, "", "x");
    world_write(&w);
    store_set_stream_gone(w.set, 7);
    world_write(&w);
    assert_err(store_stream_find(w.store, &w.arena, "s", &st), ERR_MISSING);
    new_stream(&w, 8, "s");
    world_write(&w);
    assert_ok(store_stream_find(w.store, &w.arena, "s", &st));
    assert_int_equal(st.id, 8);
    assert_int_equal(st.last, 0);
    store_set_record_end(w.set, 7, 1);
    store_set_stream_end(w.set, 7);
    store_set_stream_paused(w.set, 8, true);
    store_set_stream_purged(w.set, 8, 4);
    world_write(&w);
    assert_ok(store_stream_list(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_true(list[0].paused);
    assert_int_equal(list[0].purged, 4);
    world_close(&w);
}

static void a_cursor_that_somebody_else_has_moved_is_a_conflict(void **state)
{
    struct world w;
    struct store_cursor c = {.stream = 7, .name = "archive", .batch = 5, .feed_max = 9, .until_batch = 4},
                        got, *list;
    uint32_t count;
    world_open(&w, state);
    store_set_cursor_new(w.set, &c);
    world_write(&w);
    c.handed = 12;
    c.redelivered = 2;
    c.flight = text_of("3 4 5 1 m\n");
    store_set_cursor(w.set, &c);
    world_write(&w);
    c.handed = 13;
    store_set_cursor(w.set, &c); /* its rev is 1 now */
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_cursor_get(w.store, &w.arena, 7, "archive", &got));
    assert_int_equal(got.rev, 1);
    assert_int_equal(got.handed, 12);
    assert_int_equal(got.redelivered, 2);
    assert_text(got.flight, "3 4 5 1 m\n");
    assert_int_equal(got.feed_max, 9);
    assert_int_equal(got.until_batch, 4);
    assert_ok(store_cursor_feeding(w.store, &w.arena, 4, 1, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].batch, 5);
    assert_ok(store_cursor_feeding(w.store, &w.arena, 5, 1, &list, &count));
    assert_int_equal(count, 0);
    store_set_cursor_end(w.set, 7, "archive");
    world_write(&w);
    assert_err(store_cursor_get(w.store, &w.arena, 7, "archive", &got), ERR_MISSING);
    world_close(&w);
}

static void cursors_are_listed_by_name_and_routes_by_place(void **state)
{
    struct world w;
    struct store_cursor *list;
    const char **names;
    uint32_t count;
    static const char *const wanted[] = {"a", "b", "c"};
    world_open(&w, state);
    for (int i = 2; i >= 0; i--) {
        struct store_cursor c = {.stream = 7, .name = wanted[i]};
        store_set_cursor_new(w.set, &c);
    }
    store_set_route(w.set, 5, 1, "second");
    store_set_route(w.set, 5, 0, "first");
    store_set_route(w.set, 6, 0, "other");
    world_write(&w);
    assert_ok(store_cursor_list(w.store, &w.arena, 7, "", 10, &list, &count));
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(list[i].name, wanted[i]);
    assert_int_equal(list[0].batch, 0);
    assert_ok(store_cursor_list(w.store, &w.arena, 7, "b", 10, &list, &count));
    assert_int_equal(count, 1);
    assert_ok(store_route_list(w.store, &w.arena, 5, &names, &count));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "first");
    assert_string_equal(names[1], "second");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_numbered_within_each_stream_in_the_order_they_were_told),
        cmocka_unit_test(a_name_is_free_again_when_its_stream_is_deleted),
        cmocka_unit_test(a_cursor_that_somebody_else_has_moved_is_a_conflict),
        cmocka_unit_test(cursors_are_listed_by_name_and_routes_by_place),
    };
    return DATABASE_RUN(tests);
}
