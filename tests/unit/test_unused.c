/* The thread that lets users go of what nothing needs, and keeps the number beside their quota true. */
#include "lib/t.h"

#include <stdio.h>
#include <string.h>

#include "lib/live.h"
#include "server/needs.h"
#include "server/store_schedule.h"
#include "server/unused.h"

static const char body[] = "{\"app\":\"say\",\"command\":[\"{}\"],\"array\":{\"first\":0,\"last\":1},"
                           "\"inputs\":[{\"path\":\"in.txt\",\"sha256\":\"%s\",\"bytes\":5}]}";

struct world {
    struct live live;
    struct unused *unused;
    uint64_t user;
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    live_open(&w->live);
    struct engine_request r = {.kind = ENGINE_USER};
    r.u.user.user = (struct store_user){.name = "ada", .mail = "", .role = ROLE_SCIENTIST};
    assert_ok(live_ask(&w->live, &r));
    w->user = r.u.user.ret_id;
    assert_int_equal(w->user, 1);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    unused_stop(w->unused);
    live_close(&w->live);
    free(w);
    return 0;
}

static void begin(struct world *w)
{
    struct unused_config c = {
        .store = w->live.side, .engine = w->live.thread, .blobs = w->live.blobs, .settle_ms = 50};
    assert_ok(unused_start(&c, &w->unused));
}

static enum err count(struct world *w, int64_t bytes, bool guarded, int64_t counted)
{
    struct engine_request r = {.kind = ENGINE_QUOTA};
    r.u.quota =
        (struct engine_quota){.user_id = w->user, .bytes = bytes, .guarded = guarded, .counted = counted};
    return live_ask(&w->live, &r);
}

static uint64_t counted(struct world *w)
{
    struct store_user u;
    assert_ok(store_user_get(w->live.reader, &w->live.arena, w->user, &u));
    return u.blob_bytes;
}

static void wait_until_counted(struct world *w, uint64_t bytes)
{
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(5))
        if (counted(w) == bytes)
            return;
    fail_msg("%d bytes are counted, not %d", (int)counted(w), (int)bytes);
}

static void wait_until_purged(struct world *w, uint32_t batch)
{
    struct store_batch b = {0};
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; !b.purged && clock_mono_ms() < end_ms;
         clock_sleep_ms(5))
        assert_ok(store_batch_get(w->live.reader, &w->live.arena, batch, &b));
    assert_true(b.purged);
}

static bool is_here(struct world *w, const struct digest *d)
{
    uint64_t bytes;
    return blob_find(w->live.blobs, d, &bytes) == ERR_OK;
}

static void purge(struct world *w, const char *holder)
{
    bool more;
    assert_ok(blobs_drop(w->live.blobs, holder, 100, &more));
}

static void a_purged_batchs_inputs_are_given_back_and_other_files_still_count(void **state)
{
    struct world *w = *state;
    struct digest gone = live_blob(&w->live, "input", 5, "u1"), stays = live_blob(&w->live, "other", 5, "u1");
    assert_ok(count(w, 10, false, 0));
    assert_ok(blob_hold(w->live.blobs, &gone, "i7"));
    assert_ok(blob_hold(w->live.blobs, &stays, "i8"));
    begin(w);
    purge(w, "i7");
    unused_wake(w->unused);
    wait_until_counted(w, 5);
    assert_false(is_here(w, &gone));
    assert_true(is_here(w, &stays));
    clock_sleep_ms(150);
    assert_int_equal(counted(w), 5);
}

static void a_number_that_a_killed_server_left_is_put_right_upwards_and_downwards(void **state)
{
    struct world *w = *state;
    live_blob(&w->live, "sent and not counted", 20, "u1");
    assert_ok(count(w, 3, false, 0));
    begin(w);
    wait_until_counted(w, 20);
    assert_ok(count(w, 1000, false, 0)); /* given back and not counted off */
    unused_wake(w->unused);
    wait_until_counted(w, 20);
}

static void what_was_counted_since_the_look_is_not_overwritten(void **state)
{
    struct world *w = *state;
    assert_ok(count(w, 100, false, 0));
    assert_err(count(w, -100, true, 90), ERR_CONFLICT);
    assert_int_equal(counted(w), 100);
    assert_ok(count(w, -100, true, 100));
    assert_int_equal(counted(w), 0);
}

static void less_than_nothing_counts_as_nothing(void **state)
{
    struct world *w = *state;
    live_blob(&w->live, "input", 5, "u1");
    assert_ok(count(w, -5, false, 0));
    assert_int_equal(counted(w), 0);
    begin(w);
    wait_until_counted(w, 5);
    assert_ok(count(w, -5, true, 5)); /* so much, not -5 + 5 */
}

/* --- in the database's name --- */

static uint64_t schedule(struct world *w, const struct digest *input, int64_t next_ms)
{
    char hex[DIGEST_TEXT_BYTES], text[300];
    struct engine_request r = {.kind = ENGINE_SCHEDULE};
    digest_text(input, hex);
    int len = snprintf(text, sizeof text, body, hex);
    struct store_schedule s = {.user_id = w->user, .cron = "", .next_ms = next_ms, .why = ""};
    s.body = (struct text){arena_text(&w->live.arena, text), (uint32_t)len};
    r.u.schedule = (struct engine_schedule){.verb = ENGINE_SCHEDULE_NEW, .schedule = s};
    assert_ok(live_ask(&w->live, &r));
    return r.u.schedule.ret_id;
}

static void a_schedule_holds_its_inputs_until_it_is_over_or_deleted(void **state)
{
    struct world *w = *state;
    struct digest d = live_blob(&w->live, "later", 5, "b7"); /* only a batch had it until now */
    uint64_t id = schedule(w, &d, INT64_C(4000000000000));
    uint64_t held;
    assert_int_equal(id, 1);
    assert_ok(needs_hold(w->live.side, w->live.blobs, 0));
    purge(w, "b7");
    assert_true(is_here(w, &d));
    assert_ok(needs_hold(w->live.side, w->live.blobs, 0));
    assert_ok(blobs_charged(w->live.blobs, "s1", &held));
    assert_int_equal(held, 5);
    struct engine_request r = {.kind = ENGINE_SCHEDULE};
    r.u.schedule = (struct engine_schedule){.verb = ENGINE_SCHEDULE_DELETE, .schedule.id = id};
    assert_ok(live_ask(&w->live, &r));
    assert_ok(needs_hold(w->live.side, w->live.blobs, 0));
    assert_false(is_here(w, &d));
}

static void a_schedule_that_is_over_lets_go(void **state)
{
    struct world *w = *state;
    struct digest d = live_blob(&w->live, "later", 5, "s1");
    assert_int_equal(schedule(w, &d, 0), 1);
    assert_ok(needs_hold(w->live.side, w->live.blobs, 0));
    assert_false(is_here(w, &d));
}

static enum err order_of(void *ctx, uint32_t batch, struct buf *out)
{
    const char *word = "{}";
    struct file_ref input = {.path = "in.txt", .sha256 = *(const struct digest *)ctx, .bytes = 5};
    struct order order = {.batch = batch,
                          .app = "say",
                          .version = 1,
                          .command = &word,
                          .command_count = 1,
                          .inputs = &input,
                          .input_count = 1};
    return order_print(&order, out);
}

static void a_batch_that_a_killed_server_did_not_hold_for_keeps_its_inputs(void **state)
{
    struct world *w = *state;
    struct digest d = live_blob(&w->live, "input", 5, "u1");
    struct engine_request r = {.kind = ENGINE_BATCH};
    r.u.batch = (struct engine_batch){.batch = {.user_id = w->user,
                                                .name = "",
                                                .app = "say",
                                                .version = 1,
                                                .rules = {.quorum = 1,
                                                          .target_attempts = 1,
                                                          .errors_max = 3,
                                                          .attempts_max = 8,
                                                          .successes_max = 6,
                                                          .lease_ms = 3600000}},
                                      .units_max = 1000,
                                      .order = order_of,
                                      .order_ctx = &d};
    assert_ok(live_ask(&w->live, &r));
    assert_int_equal(r.u.batch.ret_batch, 1);
    assert_ok(count(w, 5, false, 0));
    blobs_keep_unused(w->live.blobs, 1, 0);
    clock_sleep_ms(5); /* it is due */
    begin(w);
    clock_sleep_ms(100);
    assert_true(is_here(w, &d));
    assert_int_equal(counted(w), 5);
    purge(w, "i1");
    assert_true(is_here(w, &d)); /* the user's still */
    r = (struct engine_request){.kind = ENGINE_BATCH_DO};
    r.u.batch_do = (struct engine_batch_do){.batch = 1, .verb = ENGINE_BATCH_CANCEL};
    assert_ok(live_ask(&w->live, &r));
    r.u.batch_do.verb = ENGINE_BATCH_PURGE;
    assert_ok(live_ask(&w->live, &r));
    wait_until_purged(w, 1);
    purge(w, "i1"); /* as deliver.c does */
    unused_wake(w->unused);
    wait_until_counted(w, 0);
    assert_false(is_here(w, &d));
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_purged_batchs_inputs_are_given_back_and_other_files_still_count),
        LIVE(a_number_that_a_killed_server_left_is_put_right_upwards_and_downwards),
        LIVE(what_was_counted_since_the_look_is_not_overwritten),
        LIVE(less_than_nothing_counts_as_nothing),
        LIVE(a_schedule_holds_its_inputs_until_it_is_over_or_deleted),
        LIVE(a_schedule_that_is_over_lets_go),
        LIVE(a_batch_that_a_killed_server_did_not_hold_for_keeps_its_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
