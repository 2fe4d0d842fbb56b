/* Servers on one database and what they claim; rows that a turn holds. */
#include "lib/t.h"

#include <pthread.h>
#include <unistd.h>

#include "lib/store_world.h"
#include "server/store_member.h"

static struct store_member member(uint32_t id, uint64_t joined)
{
    return (struct store_member){
        .id = id, .joined = joined, .beat = 1, .knows = joined, .wall_ms = 5, .place = "here", .told = "a "};
}

static void a_place_is_taken_once_and_its_beat_is_its_own(void **state)
{
    struct world w;
    struct store_member m = member(1, 7), other = member(1, 8), *list;
    uint32_t count;
    world_open(&w, state);
    store_set_member_new(w.set, &m);
    world_write(&w);
    store_set_member_new(w.set, &other);
    assert_err(world_try(&w), ERR_CONFLICT);
    store_set_member_beat(w.set, &other); /* the place is another's by now */
    assert_err(world_try(&w), ERR_CONFLICT);
    struct store_member next = m;
    next.beat = 2;
    next.news = 3;
    next.told = "b ";
    store_set_member_beat(w.set, &next);
    world_write(&w);
    assert_ok(store_member_list(w.store, &w.arena, &list, &count));
    assert_int_equal(count, 1);
    assert_true(list[0].id == 1 && list[0].joined == 7 && list[0].beat == 2 && list[0].news == 3);
    assert_string_equal(list[0].told, "b ");
    assert_string_equal(list[0].place, "here");
    store_set_member_end(w.set, &m); /* as it was: it has moved since, so it lives */
    assert_err(world_try(&w), ERR_CONFLICT);
    store_set_member_end(w.set, &next);
    world_write(&w);
    assert_ok(store_member_list(w.store, &w.arena, &list, &count));
    assert_int_equal(count, 0);
    world_close(&w);
}

static enum err take(struct world *w, const struct store_member *who, const uint64_t *subjects,
                     uint32_t count, bool *ret_mine)
{
    assert_ok(store_begin(w->store, true));
    enum err e =
        store_claims_take(w->store, &w->arena, CLAIM_BLOCK, subjects, count, who->id, who->joined, ret_mine);
    if (e == ERR_OK)
        return store_commit(w->store);
    store_rollback(w->store);
    return e;
}

static void what_is_claimed_is_nobody_elses_until_it_is_given_up(void **state)
{
    struct world w;
    struct store_member a = member(1, 7), b = member(2, 8), gone = member(3, 9);
    const uint64_t subjects[] = {10, 11, 12}, more[] = {12, 13};
    struct store_claim *list;
    uint32_t count;
    bool mine[3];
    world_open(&w, state);
    store_set_member_new(w.set, &a);
    store_set_member_new(w.set, &b);
    world_write(&w);
    assert_ok(take(&w, &a, subjects, 3, mine));
    assert_true(mine[0] && mine[1] && mine[2]);
    assert_ok(take(&w, &b, more, 2, mine));
    assert_true(!mine[0] && mine[1]);
    assert_ok(take(&w, &a, subjects, 3, mine)); /* told again */
    assert_true(mine[0] && mine[1] && mine[2]);
    assert_err(take(&w, &gone, (const uint64_t[]){99}, 1, mine), ERR_CONFLICT);
    assert_ok(store_claim_list(w.store, &w.arena, CLAIM_BLOCK, 11, 12, 10, &list, &count));
    assert_true(count == 2 && list[0].subject == 11 && list[1].subject == 12 && list[1].owner == 7);
    store_set_claim_end(w.set, &(struct store_claim){CLAIM_BLOCK, 12, 8}); /* not b's to give */
    store_set_claim_end(w.set, &(struct store_claim){CLAIM_BLOCK, 11, 7});
    world_write(&w);
    assert_ok(store_claims_of(w.store, &w.arena, 7, 10, &list, &count));
    assert_true(count == 2 && list[0].subject == 10 && list[1].subject == 12);
    assert_ok(take(&w, &b, subjects, 3, mine));
    assert_true(!mine[0] && mine[1] && !mine[2]);
    world_close(&w);
}

struct seen {
    uint32_t count;
    wu_id ids[16];
};

static enum err see(void *ctx, const struct store_unit_row *row)
{
    struct seen *s = ctx;
    s->ids[s->count++] = row->id;
    return ERR_OK;
}

static void units_that_are_held_are_read_like_any_others(void **state)
{
    struct world w;
    struct seen s = {0};
    struct store_unit_rows to = {.row = see, .ctx = &s};
    world_open(&w, state);
    world_units(&w, 1, 6);
    const wu_id ids[] = {wu_id_make(1, 1), wu_id_make(1, 4), wu_id_make(1, 77)};
    assert_ok(store_begin(w.store, true));
    assert_ok(store_units_lock(w.store, &w.arena, ids, 3, to));
    assert_int_equal(s.count, 2);
    s.count = 0;
    assert_ok(store_ready_lock(w.store, 1, false, ids[0], 3, to));
    assert_true(s.count == 3 && s.ids[0] == wu_id_make(1, 2) && s.ids[2] == wu_id_make(1, 4));
    s.count = 0;
    assert_ok(store_fresh_scan(w.store, wu_id_make(1, 2), wu_id_make(1, 3), 9, to));
    assert_true(s.count == 2 && s.ids[0] == wu_id_make(1, 2) && s.ids[1] == wu_id_make(1, 3));
    s.count = 0;
    assert_ok(store_wake_lock(w.store, INT64_MAX - 1, 9, to));
    assert_int_equal(s.count, 0);
    store_rollback(w.store);
    world_close(&w);
}

/* --- two connections: where the engine lets two write at once --- */

static void what_one_server_has_in_hand_another_passes_over(void **state)
{
    struct world w, other;
    struct seen s = {0}, t = {0};
    world_open(&w, state);
    world_units(&w, 1, 6);
    other = w;
    assert_ok(store_open(w.where, &other.store));
    assert_ok(store_begin(w.store, true));
    assert_ok(store_ready_lock(w.store, 1, false, 0, 2, (struct store_unit_rows){.row = see, .ctx = &s}));
    assert_ok(store_begin(other.store, true));
    assert_ok(store_ready_lock(other.store, 1, false, 0, 2, (struct store_unit_rows){.row = see, .ctx = &t}));
    assert_true(s.ids[1] == wu_id_make(1, 1) && t.count == 2 && t.ids[0] == wu_id_make(1, 2));
    store_rollback(w.store);
    t.count = 0;
    assert_ok(store_ready_lock(other.store, 1, false, 0, 2, (struct store_unit_rows){.row = see, .ctx = &t}));
    assert_true(t.count == 2 && t.ids[0] == wu_id_make(1, 0));
    store_rollback(other.store);
    store_close(other.store);
    world_close(&w);
}

struct waiting {
    struct world *w;
    wu_id id;
    uint32_t rev;
};

static enum err keep_rev(void *ctx, const struct store_unit_row *row)
{
    ((struct waiting *)ctx)->rev = row->rev;
    return ERR_OK;
}

static void *read_held(void *arg)
{
    struct waiting *r = arg;
    struct arena ARENA_AUTO a = {0};
    assert_ok(store_begin(r->w->store, true));
    assert_ok(
        store_units_lock(r->w->store, &a, &r->id, 1, (struct store_unit_rows){.row = keep_rev, .ctx = r}));
    store_rollback(r->w->store);
    return NULL;
}

static void who_reads_a_unit_that_is_held_waits_and_reads_what_was_written(void **state)
{
    struct world w, other;
    struct seen s = {0};
    struct waiting r = {.w = &other, .id = wu_id_make(1, 3), .rev = 99};
    pthread_t thread;
    world_open(&w, state);
    world_units(&w, 1, 6);
    other = w;
    assert_ok(store_open(w.where, &other.store));
    assert_ok(store_begin(w.store, true));
    assert_ok(store_units_lock(w.store, &w.arena, &r.id, 1, (struct store_unit_rows){.row = see, .ctx = &s}));
    assert_int_equal(pthread_create(&thread, NULL, read_held, &r), 0);
    usleep(50000); /* were it not held, it would be read by now as it was */
    struct store_unit_change c = world_change(r.id, 0);
    store_set_unit(w.set, &c);
    assert_ok(store_set_write(w.store, w.set));
    assert_ok(store_commit(w.store));
    pthread_join(thread, NULL);
    assert_int_equal(r.rev, 1);
    store_close(other.store);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_place_is_taken_once_and_its_beat_is_its_own),
        cmocka_unit_test(what_is_claimed_is_nobody_elses_until_it_is_given_up),
        cmocka_unit_test(units_that_are_held_are_read_like_any_others),
    };
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(what_one_server_has_in_hand_another_passes_over),
        cmocka_unit_test(who_reads_a_unit_that_is_held_waits_and_reads_what_was_written),
    };
    return DATABASE_RUN(all) + database_run_one(DATABASE_POSTGRES, "test_store_member.c, two at once", shared,
                                                sizeof shared / sizeof *shared);
}
