/* Schedules over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_schedule.h"

static void add(struct world *w, uint64_t id, int64_t next_ms, bool paused)
{
    struct store_schedule s = {.id = id,
                               .user_id = 3,
                               .cron = "* * * * *",
                               .next_ms = next_ms,
                               .paused = paused,
                               .body = text_of("{}"),
                               .created_ms = 5,
                               .why = ""};
    store_set_schedule_new(w->set, &s);
}

static void what_is_due_is_found_and_what_is_paused_or_over_is_not(void **state)
{
    struct world w;
    struct store_schedule *list, s;
    uint32_t count;
    world_open(&w, state);
    add(&w, 1, 300, false);
    add(&w, 2, 100, false);
    add(&w, 3, 100, true);
    add(&w, 4, 0, false);
    add(&w, 5, 301, false);
    world_write(&w);
    assert_ok(store_schedule_due(w.store, &w.arena, 300, 10, &list, &count));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].id, 2);
    assert_int_equal(list[1].id, 1);
    assert_ok(store_schedule_get(w.store, &w.arena, 3, &s));
    assert_text(s.body, "{}");
    s.paused = false;
    s.last_batch = 9;
    s.why = "å";
    store_set_schedule(w.set, &s);
    world_write(&w);
    assert_ok(store_schedule_due(w.store, &w.arena, 300, 10, &list, &count));
    assert_int_equal(count, 3);
    assert_int_equal(list[1].rev, 1);
    assert_int_equal(list[1].last_batch, 9);
    assert_string_equal(list[1].why, "å");
    store_set_schedule(w.set, &s); /* of the revision that is gone */
    assert_err(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

static void schedules_are_listed_by_number_and_gone_when_deleted(void **state)
{
    struct world w;
    struct store_schedule *list;
    uint32_t count;
    world_open(&w, state);
    add(&w, 1, 300, false);
    add(&w, 2, 100, true);
    world_write(&w);
    store_set_schedule_end(w.set, 1);
    world_write(&w);
    assert_ok(store_schedule_list(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].id, 2);
    assert_true(list[0].paused && list[0].next_ms == 100);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_is_found_and_what_is_paused_or_over_is_not),
        cmocka_unit_test(schedules_are_listed_by_number_and_gone_when_deleted),
    };
    return DATABASE_RUN(tests);
}
