#include "lib/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "server/blob.h"

struct world {
    char folder[64];
    struct blobs *b;
};

static int open_blobs(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->folder, sizeof w->folder, "/tmp/dugnad-blob-XXXXXX");
    if (!mkdtemp(w->folder) || blobs_open(w->folder, 0, &w->b) != ERR_OK)
        return -1;
    *state = w;
    return 0;
}

static int close_blobs(void **state)
{
    struct world *w = *state;
    blobs_close(w->b);
    enum err e = file_remove_tree(w->folder);
    free(w);
    return e == ERR_OK ? 0 : -1;
}

static enum err send(struct blobs *b, const char *text, const char *holder, uint64_t offset, size_t len,
                     bool *ret_whole)
{
    struct digest d = hash_bytes(text, strlen(text));
    struct blob_upload *u;
    uint64_t at;
    enum err e = blob_upload_begin(b, &d, holder, offset, strlen(text), &u);
    if (e != ERR_OK)
        return e;
    e = blob_upload_write(u, text + offset, len);
    if (e != ERR_OK) {
        blob_upload_drop(u);
        return e;
    }
    return blob_upload_end(u, ret_whole, NULL, &at);
}

static void what_was_uploaded_in_pieces_can_be_read_by_its_digest(void **state)
{
    struct world *w = *state;
    const char *text = "what a host computed";
    struct digest d = hash_bytes(text, strlen(text));
    uint64_t bytes;
    bool whole;
    BUF_AUTO struct buf out = {0};
    assert_int_equal(send(w->b, text, "b7", 0, 5, &whole), ERR_OK);
    assert_false(whole);
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_MISSING);
    assert_int_equal(blob_upload_offset(w->b, &d, "b7"), 5);
    assert_int_equal(send(w->b, text, "b7", 5, strlen(text) - 5, &whole), ERR_OK);
    assert_true(whole);
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_OK);
    assert_int_equal(bytes, strlen(text));
    assert_int_equal(blob_read(w->b, &d, 100, &out), ERR_OK);
    assert_string_equal(buf_text(&out), text);
}

static void an_upload_goes_on_only_where_it_stands(void **state)
{
    struct world *w = *state;
    bool whole;
    assert_int_equal(send(w->b, "0123456789", "u1", 0, 4, &whole), ERR_OK);
    assert_int_equal(send(w->b, "0123456789", "u1", 0, 4, &whole), ERR_CONFLICT);
    assert_int_equal(send(w->b, "0123456789", "u1", 6, 4, &whole), ERR_CONFLICT);
    assert_int_equal(send(w->b, "0123456789", "u2", 0, 10, &whole), ERR_OK); /* another's is his own */
    assert_true(whole);
    assert_int_equal(send(w->b, "0123456789", "u1", 4, 6, &whole), ERR_OK);
    assert_true(whole);
}

static void wrong_bytes_are_dropped_whole_and_the_right_ones_can_still_come(void **state)
{
    struct world *w = *state;
    struct digest d = hash_bytes("right", 5);
    struct blob_upload *u;
    uint64_t at, bytes;
    bool whole;
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, 5, &u), ERR_OK);
    assert_int_equal(blob_upload_write(u, "wrong", 5), ERR_OK);
    assert_int_equal(blob_upload_end(u, &whole, NULL, &at), ERR_UNTRUSTED);
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_MISSING);
    assert_int_equal(send(w->b, "right", "u1", 0, 5, &whole), ERR_OK);
    assert_true(whole);
}

static void more_than_was_announced_is_refused(void **state)
{
    struct world *w = *state;
    struct digest d = hash_bytes("abc", 3);
    struct blob_upload *u;
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, 3, &u), ERR_OK);
    assert_int_equal(blob_upload_write(u, "abcd", 4), ERR_LIMIT);
    blob_upload_drop(u);
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, BLOB_BYTES_MAX + 1, &u), ERR_LIMIT);
    assert_int_equal(blob_upload_begin(w->b, &d, "../up", 0, 3, &u), ERR_INVALID);
}

static void two_requests_do_not_write_one_upload(void **state)
{
    struct world *w = *state;
    struct digest d = hash_bytes("abc", 3);
    struct blob_upload *u, *second;
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, 3, &u), ERR_OK);
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, 3, &second), ERR_BUSY);
    blob_upload_drop(u);
    assert_int_equal(blob_upload_begin(w->b, &d, "u1", 0, 3, &second), ERR_OK);
    blob_upload_drop(second);
}

static void a_blob_stays_until_its_last_holder_drops_it(void **state)
{
    struct world *w = *state;
    struct digest d = hash_bytes("shared", 6);
    uint64_t bytes;
    bool whole, more;
    assert_int_equal(send(w->b, "shared", "b7", 0, 6, &whole), ERR_OK);
    assert_int_equal(blob_hold(w->b, &d, "b8"), ERR_OK);
    assert_int_equal(blob_hold(w->b, &d, "b8"), ERR_OK);
    assert_int_equal(blobs_sync(w->b, "b8"), ERR_OK);
    assert_int_equal(blobs_drop(w->b, "b7", 100, &more), ERR_OK);
    assert_false(more);
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_OK);
    assert_int_equal(blobs_drop(w->b, "b8", 100, &more), ERR_OK);
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_MISSING);
    assert_int_equal(blob_hold(w->b, &d, "b9"), ERR_MISSING);
    assert_int_equal(blobs_drop(w->b, "b8", 100, &more), ERR_OK); /* nothing is held: fine */
}

static void what_a_holder_has_is_counted_broken_off_uploads_too(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    bool whole;
    assert_int_equal(blobs_held(w->b, "h3", &bytes), ERR_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(send(w->b, "whole", "h3", 0, 5, &whole), ERR_OK);
    assert_int_equal(send(w->b, "broken off", "h3", 0, 4, &whole), ERR_OK);
    assert_int_equal(send(w->b, "another's", "h4", 0, 9, &whole), ERR_OK);
    assert_int_equal(blobs_held(w->b, "h3", &bytes), ERR_OK);
    assert_int_equal(bytes, 9);
}

static void a_long_drop_goes_in_slices(void **state)
{
    struct world *w = *state;
    char text[16];
    bool whole, more;
    int slices = 0;
    for (int i = 0; i < 25; i++) {
        snprintf(text, sizeof text, "blob %d", i);
        assert_int_equal(send(w->b, text, "b7", 0, strlen(text), &whole), ERR_OK);
    }
    do {
        assert_int_equal(blobs_drop(w->b, "b7", 10, &more), ERR_OK);
        slices++;
    } while (more);
    assert_int_equal(slices, 3);
    struct digest d = hash_bytes("blob 24", 7);
    uint64_t bytes;
    assert_int_equal(blob_find(w->b, &d, &bytes), ERR_MISSING);
}

static void a_disk_that_is_too_full_takes_no_upload(void **state)
{
    struct world *w = *state;
    struct blobs *full;
    struct blob_upload *u;
    struct digest d = hash_bytes("abc", 3);
    assert_int_equal(blobs_open(w->folder, 1ull << 60, &full), ERR_OK);
    assert_int_equal(blob_upload_begin(full, &d, "u1", 0, 3, &u), ERR_FULL);
    assert_non_null(strstr(err_text(), "disk"));
    blobs_close(full);
}

static void uploads_that_nobody_goes_on_with_are_swept(void **state)
{
    struct world *w = *state;
    struct digest d = hash_bytes("0123456789", 10);
    bool whole;
    assert_int_equal(send(w->b, "0123456789", "u1", 0, 4, &whole), ERR_OK);
    assert_int_equal(blobs_sweep(w->b, clock_wall_ms() - 60000), ERR_OK);
    assert_int_equal(blob_upload_offset(w->b, &d, "u1"), 4);
    assert_int_equal(blobs_sweep(w->b, clock_wall_ms() + 60000), ERR_OK);
    assert_int_equal(blob_upload_offset(w->b, &d, "u1"), 0);
}

static void what_a_host_uploaded_and_never_reported_is_swept_and_a_batchs_stays(void **state)
{
    struct world *w = *state;
    struct digest lost = hash_bytes("lost", 4), kept = hash_bytes("kept", 4);
    uint64_t bytes;
    bool whole;
    assert_int_equal(send(w->b, "lost", "h3", 0, 4, &whole), ERR_OK);
    assert_int_equal(send(w->b, "kept", "h3", 0, 4, &whole), ERR_OK);
    assert_int_equal(blob_hold(w->b, &kept, "b7"), ERR_OK);
    assert_int_equal(blobs_sweep(w->b, clock_wall_ms() - 60000), ERR_OK);
    assert_int_equal(blob_find(w->b, &lost, &bytes), ERR_OK);
    assert_int_equal(blobs_sweep(w->b, clock_wall_ms() + 60000), ERR_OK);
    assert_int_equal(blob_find(w->b, &lost, &bytes), ERR_MISSING);
    assert_int_equal(blob_find(w->b, &kept, &bytes), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_uploaded_in_pieces_can_be_read_by_its_digest, open_blobs,
                                        close_blobs),
        cmocka_unit_test_setup_teardown(an_upload_goes_on_only_where_it_stands, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(wrong_bytes_are_dropped_whole_and_the_right_ones_can_still_come,
                                        open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(more_than_was_announced_is_refused, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(two_requests_do_not_write_one_upload, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(a_blob_stays_until_its_last_holder_drops_it, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(what_a_holder_has_is_counted_broken_off_uploads_too, open_blobs,
                                        close_blobs),
        cmocka_unit_test_setup_teardown(a_long_drop_goes_in_slices, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(a_disk_that_is_too_full_takes_no_upload, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(uploads_that_nobody_goes_on_with_are_swept, open_blobs, close_blobs),
        cmocka_unit_test_setup_teardown(what_a_host_uploaded_and_never_reported_is_swept_and_a_batchs_stays,
                                        open_blobs, close_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
