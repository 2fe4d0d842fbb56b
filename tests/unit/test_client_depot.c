/* test_client_depot.h - bounded, checked, resumed: client/depot.h */
#include "lib/t.h"

#include <fcntl.h>
#include <unistd.h>

#include "client/depot.h"
#include "lib/temp.h"
#include "wire/bundle.h"

static struct depot *open_it(struct temp *t, uint64_t most)
{
    struct depot *c = NULL;
    assert_ok(depot_open(temp_path(t, "data"), most, &c));
    return c;
}

static struct digest bring(struct depot *c, const char *text)
{
    struct digest d = hash_bytes(text, strlen(text));
    uint64_t have;
    int fd;
    assert_ok(depot_part_open(c, &d, strlen(text), &fd, &have));
    assert_int_equal(have, 0);
    assert_ok(file_write_all(fd, text, strlen(text)));
    close(fd);
    assert_ok(depot_part_take(c, &d, strlen(text)));
    return d;
}

static void what_comes_in_is_there_after_a_restart(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    struct digest d = bring(c, "hello");
    assert_true(depot_has(c, DEPOT_FILE, &d));
    assert_false(depot_has(c, DEPOT_APP, &d));
    depot_close(c);
    c = open_it(&t, 1 << 20);
    assert_true(depot_has(c, DEPOT_FILE, &d));
    assert_int_equal(depot_bytes(c), 5);
    assert_ok(depot_copy(c, &d, temp_path(&t, "copy")));
    depot_close(c);
    temp_done(&t);
}

static void what_is_not_what_was_asked_for_never_gets_in(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    struct digest d = hash_bytes("right", 5);
    uint64_t have;
    int fd;
    assert_ok(depot_part_open(c, &d, 5, &fd, &have));
    assert_ok(file_write_all(fd, "wrong", 5));
    close(fd);
    assert_err(depot_part_take(c, &d, 5), ERR_UNTRUSTED);
    assert_false(depot_has(c, DEPOT_FILE, &d));
    assert_ok(depot_part_open(c, &d, 5, &fd, &have));
    assert_int_equal(have, 0);
    close(fd);
    depot_close(c);
    temp_done(&t);
}

static void a_download_goes_on_where_it_stopped(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    struct digest d = hash_bytes("abcdef", 6);
    uint64_t have;
    int fd;
    assert_ok(depot_part_open(c, &d, 6, &fd, &have));
    assert_ok(file_write_all(fd, "abc", 3));
    close(fd);
    depot_close(c);
    c = open_it(&t, 1 << 20);
    assert_ok(depot_part_open(c, &d, 6, &fd, &have));
    assert_int_equal(have, 3);
    assert_int_equal(pwrite(fd, "def", 3, 3), 3);
    close(fd);
    assert_ok(depot_part_take(c, &d, 6));
    depot_close(c);
    temp_done(&t);
}

static void what_was_not_used_for_longest_goes_first_and_what_is_held_stays(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 12);
    struct digest a = bring(c, "aaaa"), b = bring(c, "bbbb"), d = bring(c, "cccc");
    assert_true(depot_hold(c, DEPOT_FILE, &a));
    assert_true(depot_has(c, DEPOT_FILE, &b)); /* used: now d is the oldest */
    struct digest e = bring(c, "dddd");
    assert_true(depot_has(c, DEPOT_FILE, &a));
    assert_true(depot_has(c, DEPOT_FILE, &b));
    assert_false(depot_has(c, DEPOT_FILE, &d));
    assert_true(depot_has(c, DEPOT_FILE, &e));
    assert_true(depot_hold(c, DEPOT_FILE, &b));
    assert_true(depot_hold(c, DEPOT_FILE, &e));
    int fd;
    uint64_t have;
    assert_err(depot_part_open(c, &d, 4, &fd, &have), ERR_FULL);
    depot_release(c, DEPOT_FILE, &b);
    bring(c, "cccc");
    assert_false(depot_has(c, DEPOT_FILE, &b));
    depot_close(c);
    temp_done(&t);
}

static void what_has_no_room_is_told_whether_the_limit_or_the_disk_is_too_small(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 12);
    struct digest d = hash_bytes("much", 4);
    uint64_t have;
    int fd;
    assert_err(depot_part_open(c, &d, 13, &fd, &have), ERR_FULL);
    assert_non_null(strstr(err_text(), "raise disk_bytes"));
    depot_close(c);
    c = open_it(&t, UINT64_MAX);
    assert_err(depot_part_open(c, &d, (uint64_t)1 << 60, &fd, &have), ERR_FULL);
    assert_non_null(strstr(err_text(), "its disk has"));
    assert_null(strstr(err_text(), "disk_bytes"));
    depot_close(c);
    temp_done(&t);
}

static void a_file_that_the_disk_has_changed_is_not_handed_out(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    struct digest d = bring(c, "hello");
    char path[DEPOT_PATH_BYTES];
    depot_path(c, DEPOT_FILE, &d, path);
    assert_ok(file_write_atomic(path, "hullo", 5, 0600));
    assert_err(depot_copy(c, &d, temp_path(&t, "copy")), ERR_CORRUPT);
    assert_false(file_exists(temp_path(&t, "copy")));
    assert_false(depot_has(c, DEPOT_FILE, &d));
    depot_close(c);
    temp_done(&t);
}

static void a_bundle_is_unpacked_once_and_counted(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    BUF_AUTO struct buf bytes = {0};
    char app[DEPOT_PATH_BYTES], file[DEPOT_PATH_BYTES + 16];
    assert_ok(file_make_folders(temp_path(&t, "src"), 0755));
    temp_file(&t, "src/run", "#!", 0755);
    assert_ok(bundle_pack(temp_path(&t, "src"), temp_path(&t, "bundle")));
    assert_ok(file_read(temp_path(&t, "bundle"), 1 << 20, &bytes));
    struct digest d = hash_bytes(bytes.data, bytes.len);
    assert_err(depot_unpack(c, &d), ERR_MISSING);
    assert_ok(depot_put(c, DEPOT_FILE, &d, bytes.data, bytes.len));
    depot_path(c, DEPOT_FILE, &d, file);
    assert_int_equal(truncate(file, (off_t)bytes.len / 2), 0); /* as a power cut may leave it */
    assert_err(depot_unpack(c, &d), ERR_CORRUPT);
    assert_false(depot_has(c, DEPOT_FILE, &d) || depot_has(c, DEPOT_APP, &d) || file_exists(file));
    assert_ok(depot_put(c, DEPOT_FILE, &d, bytes.data, bytes.len));
    assert_ok(depot_unpack(c, &d));
    assert_ok(depot_unpack(c, &d));
    assert_true(depot_has(c, DEPOT_APP, &d));
    assert_false(depot_has(c, DEPOT_FILE, &d));
    depot_path(c, DEPOT_APP, &d, app);
    snprintf(file, sizeof file, "%s/run", app);
    assert_true(file_exists(file));
    depot_close(c);
    c = open_it(&t, 1 << 20);
    assert_true(depot_has(c, DEPOT_APP, &d));
    assert_int_equal(depot_bytes(c), 2);
    depot_drop(c, DEPOT_APP, &d);
    assert_false(file_exists(app));
    assert_int_equal(depot_bytes(c), 0);
    depot_close(c);
    temp_done(&t);
}

/* Many come and go in a table that grows: each is found exactly while it is there. */
static void the_index_keeps_its_head(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct depot *c = open_it(&t, 1 << 20);
    enum { MANY = 600 };
    struct digest list[MANY], recent[8];
    for (int i = 0; i < MANY; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        list[i] = bring(c, text);
    }
    for (int i = 0; i < MANY; i += 3)
        depot_drop(c, DEPOT_FILE, &list[i]);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(depot_has(c, DEPOT_FILE, &list[i]), i % 3 != 0);
    assert_int_equal(depot_recent(c, recent, 8), 8);
    assert_true(digest_eq(&recent[0], &list[MANY - 1]));
    depot_close(c);
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_is_there_after_a_restart),
        cmocka_unit_test(what_is_not_what_was_asked_for_never_gets_in),
        cmocka_unit_test(a_download_goes_on_where_it_stopped),
        cmocka_unit_test(what_was_not_used_for_longest_goes_first_and_what_is_held_stays),
        cmocka_unit_test(what_has_no_room_is_told_whether_the_limit_or_the_disk_is_too_small),
        cmocka_unit_test(a_file_that_the_disk_has_changed_is_not_handed_out),
        cmocka_unit_test(a_bundle_is_unpacked_once_and_counted),
        cmocka_unit_test(the_index_keeps_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
