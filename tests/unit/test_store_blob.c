/* Rows of files in an object store, over every database: no file goes that somebody holds, nobody holds one
 * that goes. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_blob.h"

enum { NOW = 1000000, KEPT = 100, DAY = STORE_BLOB_COMING_MS };

/* Another server on the same data, where there can be one. */
static struct store *other_of(struct world *w)
{
    struct store *s;
    if (!w->databases->kept)
        return w->store;
    assert_ok(store_open(w->where, &s));
    return s;
}

static void other_done(struct world *w, struct store *other)
{
    if (other != w->store)
        store_close(other);
}

static void put(struct store *s, const struct digest *d, const char *holder, int64_t now_ms)
{
    bool there, is_new;
    assert_ok(store_blob_begin(s, d, 10, now_ms, &there));
    assert_false(there);
    assert_ok(store_blob_end(s, d, holder, now_ms, &is_new));
    assert_true(is_new);
}

static bool doomed(struct store *s, const struct digest *d, int64_t now_ms)
{
    bool yes;
    assert_ok(store_blob_doom(s, d, now_ms, &yes));
    return yes;
}

static uint32_t loose(struct world *w, int64_t now_ms)
{
    struct digest *list;
    uint32_t count;
    assert_ok(store_blob_loose(w->store, &w->arena, now_ms, 100, &list, &count));
    return count;
}

static void a_file_is_there_when_it_was_put_and_held_by_each_once(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    uint64_t bytes;
    bool there, is_new;
    world_open(&w, state);
    assert_ok(store_blob_begin(w.store, &d, 10, NOW, &there));
    assert_err(store_blob_find(w.store, &d, &bytes), ERR_MISSING); /* it is only coming */
    assert_err(store_blob_hold(w.store, &d, "b1", NOW, &is_new), ERR_MISSING);
    assert_ok(store_blob_end(w.store, &d, "u1", NOW, &is_new));
    assert_ok(store_blob_find(w.store, &d, &bytes));
    assert_int_equal(bytes, 10);
    assert_ok(store_blob_begin(w.store, &d, 10, NOW, &there)); /* somebody else has it too */
    assert_true(there);
    assert_ok(store_blob_end(w.store, &d, "u1", NOW, &is_new));
    assert_false(is_new);
    assert_ok(store_blob_end(w.store, &d, "h2", NOW, &is_new));
    assert_true(is_new);
    assert_ok(store_blob_held(w.store, "h2", &bytes));
    assert_int_equal(bytes, 10);
    assert_ok(store_blob_held(w.store, "h", &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(loose(&w, NOW + 2 * DAY), 0);
    world_close(&w);
}

static void a_file_goes_with_its_last_holder(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    uint64_t bytes;
    bool is_new;
    world_open(&w, state);
    put(w.store, &d, "u1", NOW);
    assert_ok(store_blob_hold(w.store, &d, "b1", NOW, &is_new));
    assert_ok(store_blob_drop(w.store, &d, "u1", NOW, KEPT));
    assert_err(store_blob_drop(w.store, &d, "u1", NOW, KEPT), ERR_MISSING);
    assert_int_equal(loose(&w, NOW), 1); /* perhaps */
    assert_false(doomed(w.store, &d, NOW));
    assert_int_equal(loose(&w, NOW), 0);
    assert_ok(store_blob_find(w.store, &d, &bytes));
    assert_ok(store_blob_drop(w.store, &d, "b1", NOW, KEPT));
    assert_true(doomed(w.store, &d, NOW));
    assert_true(doomed(w.store, &d, NOW)); /* after a crash it is found again */
    assert_int_equal(loose(&w, NOW), 1);
    assert_ok(store_blob_gone(w.store, &d));
    assert_int_equal(loose(&w, NOW), 0);
    assert_false(doomed(w.store, &d, NOW));
    assert_err(store_blob_find(w.store, &d, &bytes), ERR_MISSING);
    world_close(&w);
}

static void who_comes_while_it_goes_has_to_send_it_again(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    bool there, is_new;
    world_open(&w, state);
    struct store *other = other_of(&w);
    put(w.store, &d, "u1", NOW);
    assert_ok(store_blob_drop(w.store, &d, "u1", NOW, KEPT));
    assert_ok(store_blob_hold(other, &d, "b1", NOW, &is_new)); /* just in time */
    assert_false(doomed(w.store, &d, NOW));
    assert_ok(store_blob_drop(other, &d, "b1", NOW, KEPT));
    assert_true(doomed(w.store, &d, NOW));
    assert_err(store_blob_hold(other, &d, "b1", NOW, &is_new), ERR_MISSING);
    assert_err(store_blob_begin(other, &d, 10, NOW, &there), ERR_BUSY);
    assert_err(store_blob_end(other, &d, "b1", NOW, &is_new), ERR_BUSY); /* it had begun before */
    assert_ok(store_blob_gone(w.store, &d));
    put(other, &d, "b1", NOW);
    other_done(&w, other);
    world_close(&w);
}

static void an_upload_that_never_ended_is_taken_out_and_one_under_way_is_not(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    bool there, is_new;
    world_open(&w, state);
    assert_ok(store_blob_begin(w.store, &d, 10, NOW, &there));
    assert_int_equal(loose(&w, NOW + DAY - 1), 0);
    assert_false(doomed(w.store, &d, NOW + DAY - 1));
    assert_ok(store_blob_begin(w.store, &d, 10, NOW + DAY - 1, &there)); /* it is begun again */
    assert_false(doomed(w.store, &d, NOW + DAY + 1));
    assert_true(doomed(w.store, &d, NOW + 2 * DAY));
    assert_err(store_blob_end(w.store, &d, "u1", NOW, &is_new), ERR_BUSY);
    world_close(&w);
}

static void what_is_in_the_bucket_without_a_row_gets_one_before_it_goes(void **state)
{
    struct world w;
    struct digest d[] = {digest_of("a"), digest_of("b"), digest_of("c")};
    bool known[3], yes, there;
    world_open(&w, state);
    put(w.store, &d[1], "u1", NOW);
    assert_ok(store_blob_known(w.store, d, 3, known));
    assert_true(!known[0] && known[1] && !known[2]);
    assert_ok(store_blob_doom_stranger(w.store, &d[1], 10, NOW, &yes));
    assert_false(yes);
    assert_ok(store_blob_doom_stranger(w.store, &d[0], 10, NOW, &yes));
    assert_true(yes);
    assert_err(store_blob_begin(w.store, &d[0], 10, NOW, &there), ERR_BUSY);
    assert_ok(store_blob_gone(w.store, &d[0]));
    put(w.store, &d[0], "u1", NOW);
    world_close(&w);
}

static void a_holder_lets_go_of_all_in_slices_and_hosts_of_what_they_never_reported(void **state)
{
    struct world w;
    struct digest d[7];
    struct store_blob_hold *holds;
    uint32_t count, rounds = 0;
    bool more = true, is_new;
    world_open(&w, state);
    for (int i = 0; i < 7; i++) {
        char name[2] = {(char)('a' + i), 0};
        d[i] = digest_of(name);
        put(w.store, &d[i], "b7", NOW);
    }
    assert_ok(store_blob_hold(w.store, &d[0], "b70", NOW, &is_new));
    assert_ok(store_blob_hold(w.store, &d[1], "h3", NOW, &is_new));
    assert_ok(store_blob_hold(w.store, &d[2], "h4", NOW + 10, &is_new));
    for (; more; rounds++)
        assert_ok(store_blob_drop_some(w.store, "b7", NOW, KEPT, 3, &more));
    assert_int_equal(rounds, 3);
    assert_int_equal(loose(&w, NOW), 7);
    assert_ok(store_blob_unreported(w.store, &w.arena, NOW + 9, 10, &holds, &count));
    assert_int_equal(count, 1);
    assert_string_equal(holds[0].holder, "h3");
    assert_true(digest_eq(&holds[0].blob, &d[1]));
    count = 0;
    for (int i = 0; i < 7; i++)
        count += doomed(w.store, &d[i], NOW);
    assert_int_equal(count, 4);
    world_close(&w);
}

/* --- what users hold --- */

static bool let_go(struct store *s, const struct digest *d, const char *holder, int64_t now_ms)
{
    bool gone;
    assert_ok(store_blob_let_go(s, d, holder, false, now_ms, &gone));
    return gone;
}

static struct store_blob_kept kept_of(struct world *w, const char *holder)
{
    struct digest first = {{0}};
    struct store_blob_kept *list;
    uint32_t count;
    assert_ok(store_blob_kept(w->store, &w->arena, holder, &first, 10, &list, &count));
    assert_int_equal(count, 1);
    return list[0];
}

static void what_was_never_needed_is_let_go_when_it_is_due_and_once(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    uint64_t bytes;
    world_open(&w, state);
    put(w.store, &d, "u1", NOW);
    assert_int_equal(kept_of(&w, "u1").goes_ms, -1);
    assert_false(let_go(w.store, &d, "u1", NOW + 9 * DAY)); /* it has no time yet */
    assert_ok(store_blob_keep(w.store, &d, NOW + DAY));
    assert_int_equal(kept_of(&w, "u1").goes_ms, NOW + DAY);
    assert_false(kept_of(&w, "u1").needed);
    assert_false(let_go(w.store, &d, "u1", NOW + DAY - 1));
    assert_int_equal(loose(&w, NOW + DAY), 1);
    assert_false(doomed(w.store, &d, NOW + DAY)); /* it is the user's to let go, and stays due */
    assert_int_equal(kept_of(&w, "u1").goes_ms, NOW + DAY);
    struct store *other = other_of(&w);
    assert_true(let_go(other, &d, "u1", NOW + DAY));
    assert_false(let_go(w.store, &d, "u1", NOW + DAY));
    assert_true(doomed(w.store, &d, NOW + DAY));
    assert_false(let_go(other, &d, "u1", NOW + DAY)); /* it goes */
    assert_ok(store_blob_gone(w.store, &d));
    assert_false(let_go(other, &d, "u1", NOW + DAY));
    assert_err(store_blob_keep(w.store, &d, NOW), ERR_MISSING);
    assert_err(store_blob_find(w.store, &d, &bytes), ERR_MISSING);
    other_done(&w, other);
    world_close(&w);
}

static void what_a_batch_needs_is_not_let_go_and_when_it_is_purged_soon(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    bool is_new, gone;
    world_open(&w, state);
    put(w.store, &d, "u1", NOW);
    assert_ok(store_blob_keep(w.store, &d, NOW + DAY));
    assert_ok(store_blob_hold(w.store, &d, "i7", NOW, &is_new));
    assert_true(kept_of(&w, "u1").needed);
    assert_false(let_go(w.store, &d, "u1", NOW + 2 * DAY));
    assert_ok(store_blob_let_go(w.store, &d, "u1", true, NOW + 2 * DAY, &gone));
    assert_false(gone);
    assert_ok(store_blob_drop(w.store, &d, "i7", NOW + 1, KEPT));
    assert_false(let_go(w.store, &d, "u1", NOW + KEPT));
    assert_true(let_go(w.store, &d, "u1", NOW + KEPT + 1));
    assert_true(doomed(w.store, &d, NOW + KEPT + 1));
    world_close(&w);
}

static void who_kept_a_file_since_has_it_for_longer_than_the_batch_that_is_purged(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    bool is_new;
    world_open(&w, state);
    put(w.store, &d, "u1", NOW);
    assert_ok(store_blob_hold(w.store, &d, "i7", NOW, &is_new));
    assert_ok(store_blob_keep(w.store, &d, NOW + DAY));
    assert_ok(store_blob_hold(w.store, &d, "h3", NOW, &is_new)); /* a host sent the same by chance */
    assert_ok(store_blob_drop(w.store, &d, "h3", NOW + 1, KEPT));
    assert_ok(store_blob_drop(w.store, &d, "i7", NOW + 1, KEPT));
    assert_int_equal(kept_of(&w, "u1").goes_ms, NOW + DAY);
    assert_false(let_go(w.store, &d, "u1", NOW + KEPT + 1));
    assert_true(let_go(w.store, &d, "u1", NOW + DAY));
    world_close(&w);
}

static void two_users_of_one_file_let_go_of_it_each_for_himself(void **state)
{
    struct world w;
    struct digest d = digest_of("a");
    char holder[64] = "";
    bool is_new, gone;
    world_open(&w, state);
    put(w.store, &d, "u1", NOW);
    assert_ok(store_blob_hold(w.store, &d, "u2", NOW, &is_new));
    assert_ok(store_blob_keep(w.store, &d, NOW + DAY));
    assert_ok(store_blob_let_go(w.store, &d, "u1", true, NOW, &gone));
    assert_true(gone);
    assert_false(doomed(w.store, &d, NOW));
    assert_int_equal(kept_of(&w, "u2").goes_ms, NOW + DAY);
    assert_false(let_go(w.store, &d, "u2", NOW)); /* the other one did not ask for it */
    assert_ok(store_blob_holder_next(w.store, "u", holder, sizeof holder));
    assert_string_equal(holder, "u2");
    assert_ok(store_blob_holder_next(w.store, "u2", holder, sizeof holder));
    assert_string_equal(holder, "");
    assert_ok(store_blob_drop(w.store, &d, "u2", NOW, KEPT)); /* it was kept for him alone */
    assert_true(doomed(w.store, &d, NOW));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_needed_is_let_go_when_it_is_due_and_once),
        cmocka_unit_test(what_a_batch_needs_is_not_let_go_and_when_it_is_purged_soon),
        cmocka_unit_test(who_kept_a_file_since_has_it_for_longer_than_the_batch_that_is_purged),
        cmocka_unit_test(two_users_of_one_file_let_go_of_it_each_for_himself),
        cmocka_unit_test(a_file_is_there_when_it_was_put_and_held_by_each_once),
        cmocka_unit_test(a_file_goes_with_its_last_holder),
        cmocka_unit_test(who_comes_while_it_goes_has_to_send_it_again),
        cmocka_unit_test(an_upload_that_never_ended_is_taken_out_and_one_under_way_is_not),
        cmocka_unit_test(what_is_in_the_bucket_without_a_row_gets_one_before_it_goes),
        cmocka_unit_test(a_holder_lets_go_of_all_in_slices_and_hosts_of_what_they_never_reported),
    };
    return DATABASE_RUN(tests);
}
