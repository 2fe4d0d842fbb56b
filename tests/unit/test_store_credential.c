/* Ways to log in, and versions of apps, over every database. */
#include "lib/t.h"

#include "lib/store_world.h"
#include "server/store_credential.h"
#include "server/store_version.h"

static void add(struct world *w, uint64_t id, uint64_t user, enum credential_kind kind, const char *handle)
{
    struct store_credential c = {.id = id,
                                 .user_id = user,
                                 .kind = kind,
                                 .name = "a key",
                                 .handle = text_of(handle),
                                 .secret = text_of("secret"),
                                 .counter = 5,
                                 .created_ms = 9};
    store_set_credential_new(w->set, &c);
}

static void ways_to_log_in_are_found_by_user_and_by_handle(void **state)
{
    struct world w;
    struct store_credential *list, c;
    uint32_t count;
    world_open(&w, state);
    add(&w, 1, 3, STORE_PASSKEY, "one");
    add(&w, 2, 3, STORE_PASSWORD, "");
    add(&w, 3, 4, STORE_PASSKEY, "two");
    add(&w, 4, 3, STORE_RECOVERY, "");
    world_write(&w);
    assert_ok(store_credential_list(w.store, &w.arena, 3, &list, &count));
    assert_int_equal(count, 3);
    assert_true(list[1].kind == STORE_PASSWORD && list[1].handle.len == 0 && list[1].created_ms == 9);
    assert_ok(store_credential_find(w.store, &w.arena, "two", 3, &c));
    assert_true(c.id == 3 && c.user_id == 4 && c.counter == 5 && c.used_ms == 0);
    assert_text(c.secret, "secret");
    assert_err(store_credential_find(w.store, &w.arena, "tw", 2, &c), ERR_MISSING);
    add(&w, 5, 9, STORE_PASSKEY, "two");
    assert_err(world_try(&w), ERR_CONFLICT); /* nobody has a passkey of another */
    world_close(&w);
}

static void a_counter_moves_only_from_where_it_was(void **state)
{
    struct world w;
    struct store_credential c;
    world_open(&w, state);
    add(&w, 1, 3, STORE_PASSKEY, "one");
    world_write(&w);
    assert_ok(store_credential_get(w.store, &w.arena, 1, &c));
    store_set_credential_used(w.set, &c, 6, 77);
    world_write(&w);
    store_set_credential_used(w.set, &c, 7, 78);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_credential_get(w.store, &w.arena, 1, &c));
    assert_true(c.counter == 6 && c.used_ms == 77);
    store_set_credential_end(w.set, 1);
    world_write(&w);
    store_set_credential_end(w.set, 1);
    assert_err(world_try(&w), ERR_CONFLICT); /* a recovery code is used once */
    world_close(&w);
}

static void a_user_is_found_by_name(void **state)
{
    struct world w;
    struct store_user u;
    world_open(&w, state);
    store_set_user(w.set, &(struct store_user){.id = 8, .name = "kari", .role = ROLE_VIEWER}, true);
    world_write(&w);
    assert_ok(store_user_find(w.store, &w.arena, "kari", &u));
    assert_true(u.id == 8 && u.role == ROLE_VIEWER);
    assert_err(store_user_find(w.store, &w.arena, "Kari", &u), ERR_MISSING);
    world_close(&w);
}

static void counts_of_a_version_add_up_beside_how_far_it_is_rolled_out(void **state)
{
    struct world w;
    struct store_version *list;
    uint32_t count;
    world_open(&w, state);
    store_set_version_add(w.set, "say", 2, 10, 1);
    store_set_version_add(w.set, "other", 1, 1, 0);
    world_write(&w);
    assert_ok(store_version_list(w.store, &w.arena, "say", &list, &count));
    assert_true(count == 1 && list[0].share_ppm == 1000000 && list[0].ended == 10 && !list[0].halted);
    struct store_version v = {.app = "say",
                              .version = 2,
                              .share_ppm = 10000,
                              .halted = true,
                              .base = 1,
                              .why = "bad",
                              .user_id = 4,
                              .changed_ms = 5,
                              .from_ended = 10,
                              .from_bad = 1,
                              .bad_host = STORE_BAD_HOST_SEVERAL};
    store_set_version(w.set, &v);
    store_set_version_add(w.set, "say", 2, 5, 2);
    world_write(&w);
    assert_ok(store_version_list(w.store, &w.arena, "say", &list, &count));
    assert_true(count == 1 && list[0].share_ppm == 10000 && list[0].halted && list[0].base == 1);
    assert_true(list[0].ended == 15 && list[0].bad == 3 && list[0].from_ended == 10 &&
                list[0].bad_host == -1);
    assert_true(list[0].user_id == 4 && list[0].changed_ms == 5);
    assert_string_equal(list[0].why, "bad");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_to_log_in_are_found_by_user_and_by_handle),
        cmocka_unit_test(a_counter_moves_only_from_where_it_was),
        cmocka_unit_test(a_user_is_found_by_name),
        cmocka_unit_test(counts_of_a_version_add_up_beside_how_far_it_is_rolled_out),
    };
    return DATABASE_RUN(tests);
}
