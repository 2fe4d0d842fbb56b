/* What is written into a store comes back: batches, what is owed, sums, the audit log; over every database.
 */
#include "lib/t.h"

#include "lib/store_world.h"

/* --- batches --- */

static void every_field_of_a_batch_comes_back(void **state)
{
    struct world w;
    struct store_batch b = world_batch(5, 3), got;
    world_open(&w, state);
    world_batch_new(&w, &b, true);
    world_write(&w);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &got));
    assert_int_equal(got.user_id, 3);
    assert_string_equal(got.name, "a name");
    assert_string_equal(got.app, "pi");
    assert_int_equal(got.version, 3);
    assert_int_equal(got.priority, -5);
    assert_true(digest_eq(&got.order_digest, &b.order_digest));
    assert_text(got.order, "{\"order\":1}");
    assert_text(got.labels, "[\"x\"]");
    assert_text(got.policy, "{\"p\":1}");
    assert_text(got.request, "{\"r\":\"å\"}");
    assert_memory_equal(&got.rules, &b.rules, sizeof b.rules);
    assert_int_equal(got.release_count, 2);
    assert_string_equal(got.releases[1].platform, "aarch64-linux");
    assert_true(digest_eq(&got.releases[1].release, &b.releases[1].release));
    assert_true(digest_eq(&got.releases[1].bundle, &b.releases[1].bundle));
    assert_true(got.needs_memory_bytes == 1ull << 40 && got.needs_disk_bytes == 7);
    assert_string_equal(got.needs_features, "avx2 sse4");
    assert_string_equal(got.hr_kind, "cpu");
    assert_true(got.cost == 12.25 && got.array && got.array_first == -10 && got.array_step == 5);
    assert_true(got.array_count == 1000 && got.created_ms == 1005);
    assert_true(got.loading && !got.paused && !got.cancelled && !got.purged && got.rev == 0);
    assert_true(got.job == BATCH_JOB_ARRAY && got.job_next == 17 && got.finished_ms == 0);
    assert_int_equal(got.counts.units, 0);
    struct text order;
    assert_ok(store_order_get(w.store, &w.arena, &b.order_digest, &order));
    assert_text(order, "{\"order\":1}");
    struct digest other = digest_of("other");
    assert_err(store_order_get(w.store, &w.arena, &other, &order), ERR_MISSING);
    assert_err(store_batch_get(w.store, &w.arena, 6, &got), ERR_MISSING);
    world_close(&w);
}

static void a_batch_changes_what_may_change(void **state)
{
    struct world w;
    struct store_batch b = world_batch(5, 3), got;
    struct text labels = text_of("[]");
    world_open(&w, state);
    world_batch_new(&w, &b, true);
    world_write(&w);
    store_set_batch_change(w.set, 5, 8, "new", &labels);
    b.loading = false;
    b.paused = b.cancelled = b.purged = true;
    b.job = BATCH_JOB_PURGE;
    b.job_next = UINT32_MAX;
    b.finished_ms = 12345;
    store_set_batch_live(w.set, &b, false, false);
    store_set_batch_counts(w.set, 5, &(struct batch_counts){.units = 5, .cpu_ms = 1ll << 40});
    world_write(&w);
    store_set_batch_counts(w.set, 5, &(struct batch_counts){.units = -2, .output_bytes = 9});
    world_write(&w);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &got));
    assert_int_equal(got.priority, 8);
    assert_string_equal(got.name, "new");
    assert_text(got.labels, "[]");
    assert_true(!got.loading && got.paused && got.cancelled && got.purged && got.rev == 1);
    assert_true(got.job == BATCH_JOB_PURGE && got.job_next == UINT32_MAX && got.finished_ms == 12345);
    assert_true(got.counts.units == 3 && got.counts.cpu_ms == 1ll << 40 && got.counts.output_bytes == 9);
    assert_string_equal(store_batch_state(&got), "cancelled");
    world_close(&w);
}

static void assert_batches(const struct store_batch *b, uint32_t count, const uint32_t *wanted,
                           uint32_t wanted_count)
{
    assert_int_equal(count, wanted_count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(b[i].id, wanted[i]);
        assert_int_equal(b[i].created_ms, 1000 + wanted[i]);
    }
}
#define ASSERT_BATCHES(b, count, ...)                                                                        \
    assert_batches((b), (count), (const uint32_t[]){__VA_ARGS__},                                            \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void batches_are_listed_newest_first_and_active_ones_in_order(void **state)
{
    struct world w;
    struct store_batch *list;
    uint32_t count;
    world_open(&w, state);
    for (uint32_t id = 1; id <= 6; id++) {
        struct store_batch b = world_batch(id, 1 + id % 2);
        world_batch_new(&w, &b, id % 3 != 0);
        world_write(&w);
    }
    assert_ok(store_batch_list(w.store, &w.arena, 0, 0, 4, &list, &count));
    ASSERT_BATCHES(list, count, 6, 5, 4, 3);
    assert_ok(store_batch_list(w.store, &w.arena, 0, 3, 4, &list, &count));
    ASSERT_BATCHES(list, count, 2, 1);
    assert_ok(store_batch_list(w.store, &w.arena, 2, 0, 2, &list, &count));
    ASSERT_BATCHES(list, count, 5, 3);
    assert_ok(store_batch_list(w.store, &w.arena, 2, 3, 2, &list, &count));
    ASSERT_BATCHES(list, count, 1);
    assert_ok(store_batch_list(w.store, &w.arena, 9, 0, 2, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(store_batches_active(w.store, &w.arena, 0, 3, &list, &count));
    ASSERT_BATCHES(list, count, 1, 2, 4);
    assert_ok(store_batches_active(w.store, &w.arena, 4, 3, &list, &count));
    ASSERT_BATCHES(list, count, 5);
    world_close(&w);
}

static void the_same_order_twice_is_a_conflict(void **state)
{
    struct world w;
    struct store_batch a = world_batch(5, 3), b = world_batch(6, 3);
    world_open(&w, state);
    world_batch_new(&w, &a, true);
    world_write(&w);
    b.order_digest = a.order_digest;
    world_batch_new(&w, &b, true);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_err(store_batch_get(w.store, &w.arena, 6, &b), ERR_MISSING);
    world_close(&w);
}

/* --- the rest --- */

static void what_is_owed_is_listed_when_due_and_gone_when_done(void **state)
{
    struct world w;
    struct store_outbox *list, got;
    struct text body = text_of("{\"b\":1}");
    uint32_t count;
    world_open(&w, state);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 5, &body, 100);
    store_set_outbox(w.set, OUTBOX_JUDGE, 6, NULL, 50);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 7, &body, 200);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 8, &body, 100);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 0, 10, &list, &count));
    assert_true(count == 2 && list[0].id == 1 && list[0].subject == 5 && list[1].id == 4);
    assert_text(list[0].body, "{\"b\":1}");
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 1, 10, &list, &count));
    assert_true(count == 1 && list[0].id == 4);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 1000, 0, 2, &list, &count));
    assert_true(count == 2 && list[1].id == 3);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_JUDGE, 150, 0, 10, &list, &count));
    assert_true(count == 1 && list[0].kind == OUTBOX_JUDGE && list[0].body.len == 0);
    store_set_outbox_later(w.set, 1, 900);
    store_set_outbox_done(w.set, 4);
    store_set_outbox_done(w.set, 99);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 150, 0, 10, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(store_outbox_get(w.store, &w.arena, 1, &got));
    assert_true(got.tries == 1 && got.due_ms == 900 && got.kind == OUTBOX_WEBHOOK);
    assert_err(store_outbox_get(w.store, &w.arena, 4, &got), ERR_MISSING);
    world_close(&w);
}

static void what_is_due_is_found_behind_thousands_that_are_not(void **state)
{
    struct world w;
    struct store_outbox *list;
    uint32_t count;
    world_open(&w, state);
    for (uint64_t i = 1; i <= 2500; i++)
        store_set_outbox(w.set, OUTBOX_WEBHOOK, i, NULL, 1000);
    store_set_outbox(w.set, OUTBOX_WEBHOOK, 7777, NULL, 10);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 20, 0, 10, &list, &count));
    assert_true(count == 1 && list[0].subject == 7777);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_WEBHOOK, 2000, 1200, 10, &list, &count));
    assert_true(count == 10 && list[0].id == 1201);
    world_close(&w);
}

static void what_was_put_off_by_a_clock_that_went_ahead_is_due_when_it_is_set_back(void **state)
{
    struct world w;
    struct store_outbox *list;
    uint32_t count;
    const int64_t now = 10 * OUTBOX_WAIT_MS_MAX, ahead = 600000;
    world_open(&w, state);
    store_set_outbox(w.set, OUTBOX_JUDGE, 1, NULL, now + ahead);
    store_set_outbox(w.set, OUTBOX_JUDGE, 2, NULL, now);
    store_set_outbox(w.set, OUTBOX_JUDGE, 3, NULL, now);
    world_write(&w);
    store_set_outbox_later(w.set, 2, now + OUTBOX_RETRY_MS_MAX);
    store_set_outbox_later(w.set, 3, now + ahead);
    world_write(&w);
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_JUDGE, now, 0, 10, &list, &count));
    assert_true(count == 2 && list[0].subject == 1 && list[1].subject == 3);
    for (int tries = 1; tries < 30; tries++) {
        store_set_outbox_later(w.set, 3, now + OUTBOX_WAIT_MS_MAX);
        world_write(&w);
    }
    assert_ok(store_outbox_list(w.store, &w.arena, OUTBOX_JUDGE, now, 1, 10, &list, &count));
    assert_int_equal(count, 0);
    world_close(&w);
}

static void the_outcome_of_a_request_is_remembered_until_it_is_forgotten(void **state)
{
    struct world w;
    struct store_replay got;
    struct digest body = digest_of("body");
    struct text result = {.data = "r\0s", .len = 3};
    const char **owners, **names;
    uint32_t count;
    world_open(&w, state);
    store_set_replay(w.set, "u1", "key", &body, &result, 100);
    store_set_replay(w.set, "u2", "key", &body, &result, 50);
    store_set_replay(w.set, "u2", "late", &body, &result, 500);
    world_write(&w);
    assert_ok(store_replay_get(w.store, &w.arena, "u1", "key", &got));
    assert_true(got.at_ms == 100 && got.result.len == 3 && digest_eq(&got.body, &body));
    assert_memory_equal(got.result.data, "r\0s", 3);
    assert_err(store_replay_get(w.store, &w.arena, "u3", "key", &got), ERR_MISSING);
    store_set_replay(w.set, "u1", "key", &body, &result, 100);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_replays_old(w.store, &w.arena, 200, 10, &owners, &names, &count));
    assert_int_equal(count, 2);
    assert_string_equal(owners[0], "u2");
    assert_string_equal(names[0], "key");
    assert_string_equal(owners[1], "u1");
    store_set_replay_forget(w.set, "u2", "key");
    world_write(&w);
    assert_err(store_replay_get(w.store, &w.arena, "u2", "key", &got), ERR_MISSING);
    world_close(&w);
}

static void a_setting_that_was_never_set_is_empty(void **state)
{
    struct world w;
    const char *value, **names, **values;
    uint32_t count;
    world_open(&w, state);
    store_set_setting(w.set, "project.name", "one");
    store_set_setting(w.set, "join.needed", "yes");
    world_write(&w);
    store_set_setting(w.set, "project.name", "two");
    world_write(&w);
    assert_ok(store_setting_get(w.store, &w.arena, "project.name", &value));
    assert_string_equal(value, "two");
    assert_ok(store_setting_get(w.store, &w.arena, "nothing", &value));
    assert_string_equal(value, "");
    assert_ok(store_setting_list(w.store, &w.arena, &names, &values, &count));
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "join.needed");
    assert_string_equal(values[1], "two");
    world_close(&w);
}

static void the_audit_log_is_a_chain_without_holes(void **state)
{
    struct world w;
    struct store_audit *list;
    struct digest before = {{0}}, last;
    uint32_t count;
    uint64_t seq;
    world_open(&w, state);
    assert_ok(store_audit_last(w.store, &seq, &last));
    assert_true(seq == 0 && digest_is_zero(&last));
    for (int i = 0; i < 5; i++) {
        struct store_audit e = {.at_ms = i,
                                .user_id = 3,
                                .action = "batch.cancel",
                                .subject = "7",
                                .detail = text_of(i ? "{\"i\":1}" : "")};
        store_set_audit(w.set, &e);
        if (i != 1) /* two in one turn */
            world_write(&w);
    }
    assert_ok(store_audit_list(w.store, &w.arena, 0, 10, &list, &count));
    assert_int_equal(count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct store_audit *e = &list[4 - i];
        assert_int_equal(e->seq, i + 1);
        assert_int_equal(e->at_ms, i);
        assert_string_equal(e->action, "batch.cancel");
        assert_string_equal(e->subject, "7");
        before = store_audit_chain(&before, e);
        assert_true(digest_eq(&before, &e->chain));
    }
    assert_ok(store_audit_last(w.store, &seq, &last));
    assert_true(seq == 5 && digest_eq(&last, &before));
    assert_ok(store_audit_list(w.store, &w.arena, 4, 2, &list, &count));
    assert_true(count == 2 && list[0].seq == 3 && list[1].seq == 2);
    struct store_audit forged = list[0];
    forged.user_id++;
    struct digest other = store_audit_chain(&list[1].chain, &forged);
    assert_false(digest_eq(&other, &list[0].chain));
    world_close(&w);
}

static void the_sums_of_all_servers_are_the_projects(void **state)
{
    struct world w;
    struct project_counts sum;
    world_open(&w, state);
    assert_ok(store_project_counts(w.store, &sum));
    assert_int_equal(sum.units, 0);
    store_set_project(w.set, 1, &(struct project_counts){.units = 5, .wall_ms = 7}, 1500000);
    store_set_project(w.set, 2, &(struct project_counts){.units = 1, .batches = 2}, 500000);
    world_write(&w);
    store_set_project(w.set, 1, &(struct project_counts){.units = -2}, 0);
    world_write(&w);
    assert_ok(store_project_counts(w.store, &sum));
    assert_true(sum.units == 4 && sum.wall_ms == 7 && sum.batches == 2 && sum.credit == 2.0);
    world_close(&w);
}

static void roles_have_words(void **state)
{
    (void)state;
    for (int r = ROLE_HOST; r < ROLES; r++)
        assert_int_equal(role_from_name(role_name((enum role)r)), r);
    assert_int_equal(role_from_name("king"), ROLE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_batch_comes_back),
        cmocka_unit_test(a_batch_changes_what_may_change),
        cmocka_unit_test(batches_are_listed_newest_first_and_active_ones_in_order),
        cmocka_unit_test(the_same_order_twice_is_a_conflict),
        cmocka_unit_test(what_is_owed_is_listed_when_due_and_gone_when_done),
        cmocka_unit_test(what_is_due_is_found_behind_thousands_that_are_not),
        cmocka_unit_test(what_was_put_off_by_a_clock_that_went_ahead_is_due_when_it_is_set_back),
        cmocka_unit_test(the_outcome_of_a_request_is_remembered_until_it_is_forgotten),
        cmocka_unit_test(a_setting_that_was_never_set_is_empty),
        cmocka_unit_test(the_audit_log_is_a_chain_without_holes),
        cmocka_unit_test(the_sums_of_all_servers_are_the_projects),
        cmocka_unit_test(roles_have_words),
    };
    return DATABASE_RUN(tests);
}
