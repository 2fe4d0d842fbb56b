/* What users hold in a folder: it goes when nothing needs it, and is given back once. */
#include "lib/t.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "lib/temp.h"
#include "server/blob.h"

enum { KEPT_MS = 1000000, PURGED_MS = 10000, HELD = 50, WAIT_MS = 20000 };

struct world {
    struct temp temp;
    struct blobs *b;
    int64_t now_ms;
};

static int open_blobs(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->temp = temp_new();
    w->now_ms = clock_wall_ms();
    assert_ok(blobs_open(temp_path(&w->temp, "blobs"), 0, &w->b));
    blobs_keep_unused(w->b, KEPT_MS, PURGED_MS);
    *state = w;
    return 0;
}

static int close_blobs(void **state)
{
    struct world *w = *state;
    blobs_close(w->b);
    temp_done(&w->temp);
    free(w);
    return 0;
}

static struct digest send(struct blobs *b, const char *text, const char *holder)
{
    struct digest d = hash_bytes(text, strlen(text));
    struct blob_upload *u;
    uint64_t at;
    bool whole;
    assert_ok(blob_upload_begin(b, &d, holder, blob_upload_offset(b, &d, holder), strlen(text), &u));
    assert_ok(blob_upload_write(u, text, strlen(text)));
    assert_ok(blob_upload_end(u, &whole, NULL, &at));
    assert_true(whole);
    return d;
}

static bool is_here(struct world *w, const struct digest *d)
{
    uint64_t bytes;
    enum err e = blob_find(w->b, d, &bytes);
    assert_true(e == ERR_OK || e == ERR_MISSING);
    return e == ERR_OK;
}

static uint64_t given_back(struct world *w, const char *holder, bool at_once, int64_t later_ms)
{
    uint64_t count, bytes;
    assert_ok(blobs_give_back(w->b, holder, at_once, w->now_ms + later_ms, &count, &bytes));
    return bytes;
}

static uint64_t charged(struct world *w, const char *holder)
{
    uint64_t bytes;
    assert_ok(blobs_charged(w->b, holder, &bytes));
    return bytes;
}

static void purge(struct world *w, const char *holder)
{
    bool more = true;
    while (more)
        assert_ok(blobs_drop(w->b, holder, 1, &more));
}

static void what_was_never_needed_is_given_back_when_its_time_has_come_and_once(void **state)
{
    struct world *w = *state;
    struct digest d = send(w->b, "unused", "u1");
    assert_int_equal(given_back(w, "u1", false, KEPT_MS / 2), 0);
    assert_true(is_here(w, &d));
    assert_int_equal(charged(w, "u1"), 6);
    assert_int_equal(given_back(w, "u2", false, 2 * KEPT_MS), 0);
    assert_int_equal(given_back(w, "u1", false, 2 * KEPT_MS), 6);
    assert_false(is_here(w, &d));
    assert_int_equal(given_back(w, "u1", false, 2 * KEPT_MS), 0);
    assert_int_equal(charged(w, "u1"), 0);
}

static void what_a_batch_a_schedule_or_a_release_needs_stays_and_counts(void **state)
{
    static const char *const needs[] = {"i7", "b7", "s5", "releases", "h3"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct digest d = send(w->b, needs[i], "u1");
        assert_ok(blob_hold(w->b, &d, needs[i]));
    }
    assert_int_equal(given_back(w, "u1", false, 2 * KEPT_MS), 0);
    assert_int_equal(given_back(w, "u1", true, 0), 0);
    assert_int_equal(charged(w, "u1"), 2 + 2 + 2 + 8 + 2);
}

static void the_inputs_of_a_purged_batch_are_given_back_soon(void **state)
{
    struct world *w = *state;
    struct digest d = send(w->b, "input", "u1"), both = send(w->b, "shared", "u1");
    assert_ok(blob_hold(w->b, &d, "i7"));
    assert_ok(blob_hold(w->b, &both, "i7"));
    assert_ok(blob_hold(w->b, &both, "i8"));
    purge(w, "i7");
    assert_int_equal(given_back(w, "u1", false, 0), 0); /* the next batch may want them */
    assert_int_equal(given_back(w, "u1", false, 2 * PURGED_MS), 5);
    assert_false(is_here(w, &d));
    assert_true(is_here(w, &both));
    purge(w, "i8");
    assert_int_equal(given_back(w, "u1", false, 2 * PURGED_MS), 6);
}

static void who_is_about_to_submit_has_a_file_kept_for_him(void **state)
{
    struct world *w = *state;
    struct digest d = send(w->b, "again", "u1"), none = hash_bytes("none", 4);
    assert_ok(blob_hold(w->b, &d, "i7"));
    assert_ok(blob_asked_for(w->b, &d));
    purge(w, "i7");
    assert_int_equal(given_back(w, "u1", false, 2 * PURGED_MS), 0);
    assert_true(is_here(w, &d));
    assert_int_equal(given_back(w, "u1", false, 2 * KEPT_MS), 5);
    assert_err(blob_keep(w->b, &none), ERR_MISSING);
}

static void two_users_of_one_file_are_each_charged_and_each_given_back(void **state)
{
    struct world *w = *state;
    struct digest d = send(w->b, "both", "u1");
    send(w->b, "both", "u2");
    assert_int_equal(charged(w, "u1") + charged(w, "u2"), 8);
    assert_int_equal(given_back(w, "u1", true, 0), 4);
    assert_true(is_here(w, &d));
    assert_int_equal(given_back(w, "u2", false, 0), 0);
    assert_int_equal(given_back(w, "u2", false, 2 * KEPT_MS), 4);
    assert_false(is_here(w, &d));
}

static void with_no_limit_only_what_was_needed_once_goes(void **state)
{
    struct world *w = *state;
    struct digest d = send(w->b, "used", "u1"), never = send(w->b, "never", "u1");
    blobs_keep_unused(w->b, 0, 0);
    assert_ok(blob_hold(w->b, &d, "i7"));
    purge(w, "i7");
    assert_int_equal(given_back(w, "u1", false, INT64_MAX / 2), 4);
    assert_true(is_here(w, &never));
}

static void what_counts_is_listed_in_pages(void **state)
{
    struct world *w = *state;
    struct arena ARENA_AUTO a = {0};
    struct digest after = {{0}};
    struct blob_kept *list;
    uint32_t count = 1, all = 0, needed = 0;
    char text[8];
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "file %d", i);
        struct digest d = send(w->b, text, "u1");
        if (i < 2)
            assert_ok(blob_hold(w->b, &d, "i7"));
    }
    while (count > 0) {
        assert_ok(blobs_kept(w->b, &a, "u1", &after, 2, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            assert_true(memcmp(&after, &list[i].blob, sizeof after) < 0);
            assert_int_equal(list[i].bytes, 6);
            assert_true(list[i].needed || list[i].goes_ms >= w->now_ms + KEPT_MS - 1000);
            needed += list[i].needed;
            after = list[i].blob;
        }
        all += count;
    }
    assert_int_equal(all, 5);
    assert_int_equal(needed, 2);
}

static enum err note_holder(void *ctx, const char *holder)
{
    return buf_printf(ctx, "%s ", holder);
}

static void holders_of_a_kind_are_found(void **state)
{
    struct world *w = *state;
    BUF_AUTO struct buf found = {0};
    send(w->b, "a", "u1");
    send(w->b, "a", "s5");
    assert_ok(blobs_holders(w->b, 's', note_holder, &found));
    assert_string_equal(buf_text(&found), "s5 ");
}

/* Two servers on one folder: one batch after the other comes to need the file, while its user gives it back
 * and sends it again. */
struct rival {
    struct world *w;
    struct blobs *b;
    atomic_bool stop;
};

static void *give_and_send(void *arg)
{
    struct rival *r = arg;
    uint64_t count, bytes;
    while (!atomic_load(&r->stop)) {
        send(r->b, "contested", "u1");
        assert_ok(blobs_give_back(r->b, "u1", true, 0, &count, &bytes));
    }
    return NULL;
}

static void nothing_that_a_batch_holds_goes_while_another_server_lets_go_of_it(void **state)
{
    struct world *w = *state;
    struct rival r = {.w = w};
    struct digest d = hash_bytes("contested", 9);
    pthread_t thread;
    uint32_t held = 0;
    assert_ok(blobs_open(temp_path(&w->temp, "blobs"), 0, &r.b));
    assert_int_equal(pthread_create(&thread, NULL, give_and_send, &r), 0);
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; held < HELD && clock_mono_ms() < end_ms;) {
        enum err e = blob_hold(w->b, &d, "i7");
        assert_true(e == ERR_OK || e == ERR_MISSING);
        if (e != ERR_OK)
            continue;
        held++;
        assert_true(is_here(w, &d));
        purge(w, "i7");
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    blobs_close(r.b);
    assert_int_equal(held, HELD);
}

static void *hold(void *arg)
{
    struct rival *r = arg;
    struct digest d = hash_bytes("a", 1);
    assert_ok(blob_hold(r->b, &d, "i7"));
    atomic_store(&r->stop, true);
    return NULL;
}

static void a_server_waits_while_another_one_changes_who_holds_what(void **state)
{
    struct world *w = *state;
    struct rival r = {.w = w, .b = w->b};
    pthread_t thread;
    send(w->b, "a", "u1");
    int other = open(temp_path(&w->temp, "blobs/holds/.lock"), O_RDWR | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold, &r), 0);
    clock_sleep_ms(100);
    bool held = atomic_load(&r.stop);
    assert_int_equal(flock(other, LOCK_UN), 0);
    pthread_join(thread, NULL);
    close(other);
    assert_false(held);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_blobs, close_blobs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_never_needed_is_given_back_when_its_time_has_come_and_once),
        IN_FOLDER(what_a_batch_a_schedule_or_a_release_needs_stays_and_counts),
        IN_FOLDER(the_inputs_of_a_purged_batch_are_given_back_soon),
        IN_FOLDER(who_is_about_to_submit_has_a_file_kept_for_him),
        IN_FOLDER(two_users_of_one_file_are_each_charged_and_each_given_back),
        IN_FOLDER(with_no_limit_only_what_was_needed_once_goes),
        IN_FOLDER(what_counts_is_listed_in_pages),
        IN_FOLDER(holders_of_a_kind_are_found),
        IN_FOLDER(a_server_waits_while_another_one_changes_who_holds_what),
        IN_FOLDER(nothing_that_a_batch_holds_goes_while_another_server_lets_go_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
