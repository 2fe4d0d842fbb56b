/* test_client_slot.c - what host and program say to each other through files: client/slot.h */
#include "lib/t.h"

#include <sys/stat.h>
#include <unistd.h>

#include "client/slot.h"
#include "lib/temp.h"

static void progress(struct temp *t, const char *text)
{
    const char *path = temp_path(t, "slot/.dugnad/progress");
    unlink(path);
    assert_ok(file_write_atomic(path, text, strlen(text), 0644));
}

static void a_wish_is_a_file_and_saying_it_twice_is_saying_it_once(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *slot = temp_path(&t, "slot");
    assert_false(slot_wish(slot, SLOT_STOP));
    assert_ok(slot_make_grid(slot));
    assert_false(file_exists(temp_path(&t, "slot/.dugnad/stop")));
    assert_true(slot_wish(slot, SLOT_STOP));
    assert_true(slot_wish(slot, SLOT_STOP));
    assert_true(file_exists(temp_path(&t, "slot/.dugnad/stop")));
    temp_done(&t);
}

static void a_program_cannot_make_the_host_write_elsewhere(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *slot = temp_path(&t, "slot"), *grid = temp_path(&t, "slot/.dugnad");
    assert_ok(slot_make_grid(slot));
    assert_int_equal(symlink("../../outside", temp_path(&t, "slot/.dugnad/stop")), 0);
    (void)slot_wish(slot, SLOT_STOP);
    assert_false(file_exists(temp_path(&t, "outside")));
    assert_ok(file_remove_tree(grid));
    assert_int_equal(mkdir(temp_path(&t, "other"), 0755), 0);
    assert_int_equal(symlink("../other", grid), 0);
    assert_false(slot_wish(slot, SLOT_STOP));
    assert_false(file_exists(temp_path(&t, "other/stop")));
    temp_done(&t);
}

static void progress_is_believed_only_where_it_is_a_number_in_a_file(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *slot = temp_path(&t, "slot");
    assert_true(slot_progress(slot) < 0);
    assert_ok(slot_make_grid(slot));
    assert_true(slot_progress(slot) < 0);
    progress(&t, "0.420000\n");
    assert_true(slot_progress(slot) > 0.41 && slot_progress(slot) < 0.43);
    static const char *const wrong[] = {"", "much", "-0.5", "1.5", "nan", "inf"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        progress(&t, wrong[i]);
        assert_true(slot_progress(slot) < 0);
    }
    unlink(temp_path(&t, "slot/.dugnad/progress"));
    assert_int_equal(mkfifo(temp_path(&t, "slot/.dugnad/progress"), 0644), 0);
    assert_true(slot_progress(slot) < 0); /* and does not wait for a writer */
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_is_a_file_and_saying_it_twice_is_saying_it_once),
        cmocka_unit_test(a_program_cannot_make_the_host_write_elsewhere),
        cmocka_unit_test(progress_is_believed_only_where_it_is_a_number_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
