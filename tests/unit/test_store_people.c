/* What is written of hosts, people, secrets and releases into a store comes back, over every database. */
#include "lib/t.h"

#include "lib/store_world.h"

static struct store_host host_of(uint64_t id, uint64_t volunteer)
{
    return (struct store_host){.id = id,
                               .volunteer_id = volunteer,
                               .nickname = "box",
                               .platform = "x86_64-linux",
                               .os = "Debian 12",
                               .cpu = "A Processor",
                               .client = "0.1",
                               .hr_class = "intel",
                               .features = "avx2",
                               .cores = 64,
                               .memory_bytes = 1ull << 36,
                               .disk_bytes = 1ull << 42,
                               .speed = 1.75,
                               .banned = true,
                               .ban_reason = "lies",
                               .created_ms = 44};
}

static void a_host_and_what_it_did_are_kept_apart_and_read_together(void **state)
{
    struct world w;
    struct store_host h = host_of(3, 8), got;
    world_open(&w, state);
    store_set_host_new(w.set, &h);
    struct store_host_stat st = {.id = 3,
                                 .seen_ms = 50,
                                 .allowed = 4,
                                 .pace = text_of("pace"),
                                 .leased = 5,
                                 .valid = 1,
                                 .invalid = 2,
                                 .errors = 3,
                                 .expired = 4,
                                 .reports = 6,
                                 .credit_micro = 1500000};
    store_set_host_stat(w.set, &st);
    world_write(&w);
    h.banned = false;
    h.left = true;
    h.ban_reason = "";
    h.cores = 2;
    store_set_host(w.set, &h);
    store_set_host_flags(w.set, &h, true, false);
    st.seen_ms = 60;
    st.leased = -2;
    st.pace = text_of("");
    store_set_host_stat(w.set, &st);
    world_write(&w);
    assert_ok(store_host_get(w.store, &w.arena, 3, &got));
    assert_true(got.volunteer_id == 8 && !got.banned && got.left && got.cores == 2 && got.speed == 1.75);
    assert_true(got.memory_bytes == 1ull << 36 && got.disk_bytes == 1ull << 42 && got.created_ms == 44);
    assert_string_equal(got.nickname, "box");
    assert_string_equal(got.platform, "x86_64-linux");
    assert_string_equal(got.os, "Debian 12");
    assert_string_equal(got.cpu, "A Processor");
    assert_string_equal(got.client, "0.1");
    assert_string_equal(got.hr_class, "intel");
    assert_string_equal(got.features, "avx2");
    assert_string_equal(got.ban_reason, "");
    assert_true(got.seen_ms == 60 && got.allowed == 4 && got.leased == 3 && got.valid == 2);
    assert_true(got.invalid == 4 && got.errors == 6 && got.expired == 8 && got.reports == 12);
    assert_true(got.credit_micro == 3000000 && got.credit == 3.0);
    assert_int_equal(got.pace.len, 0);
    assert_err(store_host_get(w.store, &w.arena, 4, &got), ERR_MISSING);
    world_close(&w);
}

/* One server hears what a host says of itself while an operator bans it at another. */
static void what_a_host_says_does_not_undo_a_ban_that_another_server_wrote(void **state)
{
    struct world w;
    struct store_host h = host_of(3, 8), got;
    world_open(&w, state);
    h.banned = false;
    store_set_host_new(w.set, &h);
    store_set_host_stat(w.set, &(struct store_host_stat){.id = 3});
    world_write(&w);
    h.banned = true;
    store_set_host_flags(w.set, &h, false, false);
    world_write(&w);
    struct store_host says = host_of(3, 8);
    says.banned = false;
    says.cores = 99;
    store_set_host(w.set, &says);
    world_write(&w);
    store_set_host_flags(w.set, &says, false, false); /* as it was read before the ban */
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_host_get(w.store, &w.arena, 3, &got));
    assert_true(got.banned && got.cores == 99);
    world_close(&w);
}

static void hosts_are_listed_and_loaded_with_what_they_did(void **state)
{
    struct world w;
    struct store_host *hosts;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t id = 1; id <= 5; id++) {
        struct store_host h = host_of(id, id % 2);
        store_set_host_new(w.set, &h);
        store_set_host_stat(w.set, &(struct store_host_stat){.id = id, .reports = (int64_t)id});
    }
    world_write(&w);
    assert_ok(store_host_list(w.store, &w.arena, 2, 2, &hosts, &count));
    assert_true(count == 2 && hosts[0].id == 3 && hosts[1].id == 4 && hosts[1].reports == 4);
    assert_ok(store_host_list_of(w.store, &w.arena, 1, 0, 2, &hosts, &count));
    assert_true(count == 2 && hosts[0].id == 1 && hosts[1].id == 3);
    assert_ok(store_host_list_of(w.store, &w.arena, 1, 3, 2, &hosts, &count));
    assert_true(count == 1 && hosts[0].id == 5 && hosts[0].reports == 5);
    const uint64_t ids[] = {4, 77, 2}, twice[] = {5, 1, 4, 5, 3, 1};
    assert_ok(store_hosts_load(w.store, &w.arena, ids, 3, &hosts, &count));
    assert_int_equal(count, 2);
    assert_int_equal(hosts[0].reports + hosts[1].reports, 6);
    assert_int_equal(hosts[0].id + hosts[1].id, 6);
    assert_ok(store_hosts_load(w.store, &w.arena, twice, 6, &hosts, &count));
    assert_in_range(count, 4, 6);
    for (uint32_t i = 0; i < count; i++) /* each with its own, also where one stands there twice */
        assert_int_equal(hosts[i].reports, hosts[i].id);
    world_close(&w);
}

static void volunteers_are_counted_by_adding(void **state)
{
    struct world w;
    struct store_volunteer v, *list;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t id = 1; id <= 3; id++)
        store_set_volunteer_new(
            w.set,
            &(struct store_volunteer){.id = id, .name = "Åse", .team = "t", .created_ms = 9, .hosts = 1});
    world_write(&w);
    store_set_volunteer_add(w.set, 2, 1, 10, 20, 2500000);
    world_write(&w);
    store_set_volunteer_add(w.set, 2, -1, 1, 0, 0);
    world_write(&w);
    assert_ok(store_volunteer_get(w.store, &w.arena, 2, &v));
    assert_true(v.id == 2 && v.hosts == 1 && v.valid == 11 && v.invalid == 20 && v.credit == 2.5);
    assert_string_equal(v.name, "Åse");
    assert_string_equal(v.team, "t");
    assert_int_equal(v.created_ms, 9);
    assert_ok(store_volunteer_list(w.store, &w.arena, 1, 1, &list, &count));
    assert_true(count == 1 && list[0].id == 2);
    assert_err(store_volunteer_get(w.store, &w.arena, 9, &v), ERR_MISSING);
    world_close(&w);
}

static void users_have_unique_names_and_a_quota(void **state)
{
    struct world w;
    struct store_user u = {.id = 1,
                           .name = "kari",
                           .mail = "k@x",
                           .role = ROLE_SCIENTIST,
                           .created_ms = 3,
                           .blob_bytes = 10,
                           .blob_bytes_max = 20,
                           .units_max = 30},
                      got, *list;
    uint32_t count;
    world_open(&w, state);
    store_set_user(w.set, &u, true);
    world_write(&w);
    u.id = 2;
    store_set_user(w.set, &u, true);
    assert_err(world_try(&w), ERR_CONFLICT);
    u.name = "ola";
    store_set_user(w.set, &u, true);
    world_write(&w);
    u.role = ROLE_OPERATOR;
    u.disabled = true;
    u.mail = "";
    u.blob_bytes = 999; /* is not what a change says */
    u.blob_bytes_max = 21;
    u.units_max = 31;
    store_set_user(w.set, &u, false);
    store_set_user_quota(w.set, 2, 5);
    world_write(&w);
    assert_ok(store_user_get(w.store, &w.arena, 2, &got));
    assert_true(got.id == 2 && got.role == ROLE_OPERATOR && got.disabled && got.created_ms == 3);
    assert_true(got.blob_bytes == 15 && got.blob_bytes_max == 21 && got.units_max == 31);
    assert_string_equal(got.name, "ola");
    assert_string_equal(got.mail, "");
    assert_ok(store_user_list(w.store, &w.arena, 0, 1, &list, &count));
    assert_true(count == 1 && list[0].id == 1 && !list[0].disabled);
    assert_string_equal(list[0].mail, "k@x");
    assert_err(store_user_get(w.store, &w.arena, 3, &got), ERR_MISSING);
    world_close(&w);
}

static void tokens_are_listed_by_owner_and_can_be_revoked(void **state)
{
    struct world w;
    struct store_token t = {.role = ROLE_HOST,
                            .secret = digest_of("s"),
                            .scope = "a b",
                            .name = "n",
                            .created_ms = 1,
                            .expires_ms = 2},
                       got, *list;
    uint32_t count;
    world_open(&w, state);
    for (t.id = 1; t.id <= 4; t.id++) {
        t.owner_id = t.id == 4 ? 8 : 7;
        t.role = t.id == 2 ? ROLE_VIEWER : ROLE_HOST;
        store_set_token(w.set, &t);
    }
    world_write(&w);
    assert_ok(store_token_get(w.store, &w.arena, 3, &t));
    t.revoked = true;
    store_set_token(w.set, &t);
    world_write(&w);
    assert_ok(store_token_get(w.store, &w.arena, 3, &got));
    assert_true(got.revoked && got.role == ROLE_HOST && got.owner_id == 7 && got.expires_ms == 2);
    struct digest secret = digest_of("s");
    assert_true(digest_eq(&got.secret, &secret));
    assert_string_equal(got.scope, "a b");
    assert_string_equal(got.name, "n");
    assert_ok(store_token_list(w.store, &w.arena, ROLE_HOST, 7, 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[1].id == 3);
    assert_ok(store_token_list(w.store, &w.arena, ROLE_HOST, 7, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 3);
    assert_ok(store_token_list(w.store, &w.arena, ROLE_NONE, 0, 1, 2, &list, &count));
    assert_true(count == 2 && list[0].id == 2 && list[1].id == 3);
    assert_err(store_token_get(w.store, &w.arena, 9, &got), ERR_MISSING);
    world_close(&w);
}

static void an_invitation_is_found_by_its_secret(void **state)
{
    struct world w;
    struct store_invitation i = {.id = 1,
                                 .secret = digest_of("i1"),
                                 .name = "school",
                                 .uses = 0,
                                 .uses_max = 9,
                                 .created_ms = 1,
                                 .expires_ms = 2},
                            got, *list;
    uint32_t count;
    world_open(&w, state);
    store_set_invitation(w.set, &i);
    world_write(&w);
    i.id = 2;
    i.secret = digest_of("i2");
    store_set_invitation(w.set, &i);
    world_write(&w);
    i.uses = 3;
    i.revoked = true;
    store_set_invitation(w.set, &i);
    world_write(&w);
    assert_ok(store_invitation_find(w.store, &w.arena, &i.secret, &got));
    assert_true(got.id == 2 && got.uses == 3 && got.uses_max == 9 && got.revoked && got.expires_ms == 2);
    assert_string_equal(got.name, "school");
    assert_ok(store_invitation_get(w.store, &w.arena, 1, &got));
    assert_int_equal(got.uses, 0);
    assert_ok(store_invitation_list(w.store, &w.arena, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 2);
    struct digest other = digest_of("other");
    assert_err(store_invitation_find(w.store, &w.arena, &other, &got), ERR_MISSING);
    world_close(&w);
}

static void releases_are_found_by_digest_and_listed_without_their_envelope(void **state)
{
    struct world w;
    struct store_release got, *list;
    static const char *const apps[] = {"pi", "primes", "pi"};
    static const char *const names[] = {"r1", "r2", "r3"};
    uint32_t count;
    world_open(&w, state);
    for (uint32_t i = 0; i < 3; i++) {
        struct store_release r = {.id = i + 1,
                                  .digest = digest_of(names[i]),
                                  .app = apps[i],
                                  .platform = "x86_64-linux",
                                  .version = 4,
                                  .bundle = digest_of("b"),
                                  .bundle_bytes = 1ull << 33,
                                  .created_ms = 7,
                                  .user_id = 2,
                                  .envelope = text_of("envelope"),
                                  .manifest = text_of("{}")};
        store_set_release(w.set, &r);
        world_write(&w);
    }
    store_set_release_retired(w.set, 3);
    world_write(&w);
    struct digest third = digest_of("r3"), none = digest_of("r4"), bundle = digest_of("b");
    assert_ok(store_release_get(w.store, &w.arena, &third, &got));
    assert_true(got.id == 3 && got.retired && got.version == 4 && got.bundle_bytes == 1ull << 33);
    assert_true(got.user_id == 2 && got.created_ms == 7 && digest_eq(&got.bundle, &bundle));
    assert_true(digest_eq(&got.digest, &third));
    assert_string_equal(got.app, "pi");
    assert_string_equal(got.platform, "x86_64-linux");
    assert_text(got.envelope, "envelope");
    assert_text(got.manifest, "{}");
    assert_err(store_release_get(w.store, &w.arena, &none, &got), ERR_MISSING);
    assert_ok(store_release_list(w.store, &w.arena, NULL, 1, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 2 && list[1].id == 3 && list[0].envelope.len == 0);
    assert_text(list[0].manifest, "{}");
    assert_ok(store_release_list(w.store, &w.arena, "pi", 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[1].id == 3);
    assert_ok(store_release_list(w.store, &w.arena, "pi", 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 3);
    struct store_release twice = {.id = 9, .digest = third, .app = "pi", .platform = "x"};
    store_set_release(w.set, &twice);
    assert_err(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_and_what_it_did_are_kept_apart_and_read_together),
        cmocka_unit_test(what_a_host_says_does_not_undo_a_ban_that_another_server_wrote),
        cmocka_unit_test(hosts_are_listed_and_loaded_with_what_they_did),
        cmocka_unit_test(volunteers_are_counted_by_adding),
        cmocka_unit_test(users_have_unique_names_and_a_quota),
        cmocka_unit_test(tokens_are_listed_by_owner_and_can_be_revoked),
        cmocka_unit_test(an_invitation_is_found_by_its_secret),
        cmocka_unit_test(releases_are_found_by_digest_and_listed_without_their_envelope),
    };
    return DATABASE_RUN(tests);
}
