#include "lib/temp.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/dugnad.h"

static struct temp enter(struct dugnad *d)
{
    struct temp t = temp_new();
    setenv("DUGNAD_FOLDER", t.folder, 1);
    assert_int_equal(dugnad_init(d), 1);
    return t;
}

static void leave(struct temp *t, struct dugnad *d)
{
    dugnad_done(d);
    unsetenv("DUGNAD_FOLDER");
    temp_done(t);
}

static void look_again(struct dugnad *d)
{
    d->looked_ms = -1000000;
}

static double written_progress(struct temp *t)
{
    char text[64] = "";
    FILE *f = fopen(temp_path(t, "progress"), "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    return strtod(text, NULL);
}

static void outside_the_grid_every_call_says_go_on(void **state)
{
    (void)state;
    struct dugnad d;
    setenv("DUGNAD_FOLDER", "/nowhere/at/all", 1);
    unsetenv("DUGNAD_ITEMS");
    assert_int_equal(dugnad_init(&d), 0);
    dugnad_progress(&d, 0.5);
    dugnad_checkpointed(&d);
    assert_int_equal(dugnad_should_stop(&d), 0);
    assert_int_equal(dugnad_checkpoint_wanted(&d), 0);
    assert_int_equal(dugnad_item_wanted(&d, 7), 1);
    dugnad_done(&d);
    unsetenv("DUGNAD_FOLDER");
}

static void progress_is_in_range_and_not_written_too_often(void **state)
{
    (void)state;
    struct dugnad d;
    struct temp t = enter(&d);
    dugnad_progress(&d, 0.25);
    assert_true(written_progress(&t) == 0.25);
    dugnad_progress(&d, 0.5);
    assert_true(written_progress(&t) == 0.25);
    dugnad_progress(&d, 17);
    assert_true(written_progress(&t) == 1);
    d.progressed_ms = -1000000;
    dugnad_progress(&d, -3);
    assert_true(written_progress(&t) == 0);
    assert_int_not_equal(access(temp_path(&t, "progress.new"), F_OK), 0);
    leave(&t, &d);
}

static void a_wish_to_stop_is_heard(void **state)
{
    (void)state;
    struct dugnad d;
    struct temp t = enter(&d);
    assert_int_equal(dugnad_should_stop(&d), 0);
    temp_file(&t, "stop", "", 0600);
    look_again(&d);
    assert_int_equal(dugnad_should_stop(&d), 1);
    leave(&t, &d);
}

static void a_checkpoint_answers_the_wish_for_one(void **state)
{
    (void)state;
    struct dugnad d;
    struct temp t = enter(&d);
    char path[TEMP_PATH_BYTES], kept[8] = "";
    snprintf(path, sizeof path, "%s", temp_path(&t, "state"));
    temp_file(&t, "checkpoint", "", 0600);
    look_again(&d);
    assert_int_equal(dugnad_checkpoint_wanted(&d), 1);
    assert_int_equal(dugnad_checkpoint(&d, path, "one", 3), 0);
    assert_int_equal(dugnad_checkpoint_wanted(&d), 0);
    look_again(&d);
    assert_int_equal(dugnad_checkpoint_wanted(&d), 0);
    assert_int_equal(access(temp_path(&t, "checkpointed"), F_OK), 0);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(kept, 1, sizeof kept, f), 3);
    fclose(f);
    assert_memory_equal(kept, "one", 3);
    leave(&t, &d);
}

static void a_checkpoint_that_cannot_be_written_is_not_announced(void **state)
{
    (void)state;
    struct dugnad d;
    struct temp t = enter(&d);
    assert_int_equal(dugnad_checkpoint(&d, "/nowhere/at/all/state", "x", 1), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_not_equal(access(temp_path(&t, "checkpointed"), F_OK), 0);
    leave(&t, &d);
}

static void an_audit_names_its_items(void **state)
{
    (void)state;
    struct dugnad d;
    setenv("DUGNAD_ITEMS", " [ 17, 3 ,-4,9000000000]", 1);
    dugnad_init(&d);
    assert_int_equal(dugnad_item_wanted(&d, 3), 1);
    assert_int_equal(dugnad_item_wanted(&d, 17), 1);
    assert_int_equal(dugnad_item_wanted(&d, -4), 1);
    assert_int_equal(dugnad_item_wanted(&d, 9000000000), 1);
    assert_int_equal(dugnad_item_wanted(&d, 4), 0);
    dugnad_done(&d);
    setenv("DUGNAD_ITEMS", "[]", 1);
    dugnad_init(&d);
    assert_int_equal(dugnad_item_wanted(&d, 3), 0);
    dugnad_done(&d);
    unsetenv("DUGNAD_ITEMS");
}

static void a_list_of_items_that_is_none_asks_for_all(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "3", "[3", "[3,", "[3,]", "[,3]", "[3 4]", "[\"3\"]", "[3.5]", "[99999999999999999999]", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dugnad d;
        setenv("DUGNAD_ITEMS", bad[i], 1);
        dugnad_init(&d);
        if (!dugnad_item_wanted(&d, 12345))
            fail_msg("%s asks for some", bad[i]);
        dugnad_done(&d);
    }
    unsetenv("DUGNAD_ITEMS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_the_grid_every_call_says_go_on),
        cmocka_unit_test(progress_is_in_range_and_not_written_too_often),
        cmocka_unit_test(a_wish_to_stop_is_heard),
        cmocka_unit_test(a_checkpoint_answers_the_wish_for_one),
        cmocka_unit_test(a_checkpoint_that_cannot_be_written_is_not_announced),
        cmocka_unit_test(an_audit_names_its_items),
        cmocka_unit_test(a_list_of_items_that_is_none_asks_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
