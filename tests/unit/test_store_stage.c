/* Stages of graphs over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_stage.h"

static struct store_stage a_stage(uint32_t batch, uint32_t graph, bool active)
{
    return (struct store_stage){.batch = batch,
                                .graph = graph,
                                .active = active,
                                .kind = STAGE_REDUCE,
                                .source = graph,
                                .after = "1 2",
                                .file = "å.txt",
                                .fan_in = 9,
                                .failed = STAGE_FAILED_SKIP,
                                .why = ""};
}

static void a_stage_is_read_as_it_was_written_and_found_by_its_graph(void **state)
{
    struct world w;
    struct store_stage st, *list, in[] = {a_stage(5, 3, true), a_stage(4, 3, false), a_stage(6, 6, true)};
    uint32_t count;
    world_open(&w, state);
    for (size_t i = 0; i < 3; i++)
        store_set_stage_new(w.set, &in[i]);
    world_write(&w);
    assert_ok(store_stage_get(w.store, &w.arena, 5, &st));
    assert_true(st.active && st.kind == STAGE_REDUCE && st.source == 3 && st.fan_in == 9);
    assert_true(st.failed == STAGE_FAILED_SKIP && st.graph == 3 && st.rev == 0);
    assert_string_equal(st.after, "1 2");
    assert_string_equal(st.file, "å.txt");
    assert_err(store_stage_get(w.store, &w.arena, 9, &st), ERR_MISSING);
    assert_ok(store_stage_list(w.store, &w.arena, 3, 10, &list, &count));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].batch, 4);
    assert_ok(store_stage_active(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].batch, 5);
    assert_ok(store_stage_active(w.store, &w.arena, 5, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].batch, 6);
    world_close(&w);
}

static void a_stage_moves_only_from_where_it_was_read(void **state)
{
    struct world w;
    struct store_stage st, first = a_stage(5, 3, true);
    world_open(&w, state);
    store_set_stage_new(w.set, &first);
    world_write(&w);
    assert_ok(store_stage_get(w.store, &w.arena, 5, &st));
    st.next_seq = 77;
    st.next_line = 8;
    st.total = 6;
    st.active = false;
    st.why = "done";
    store_set_stage(w.set, &st);
    world_write(&w);
    assert_ok(store_stage_get(w.store, &w.arena, 5, &st));
    assert_true(st.rev == 1 && st.next_seq == 77 && st.next_line == 8 && st.total == 6 && !st.active);
    assert_string_equal(st.why, "done");
    st.rev = 0;
    store_set_stage(w.set, &st);
    assert_err(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_read_as_it_was_written_and_found_by_its_graph),
        cmocka_unit_test(a_stage_moves_only_from_where_it_was_read),
    };
    return DATABASE_RUN(tests);
}
