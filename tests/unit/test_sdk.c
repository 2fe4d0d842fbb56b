#include "lib/temp.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/dugnad.h"
#include "wire/items.h"

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

static void routes_are_lines_and_a_new_run_starts_them_anew(void **state)
{
    (void)state;
    struct dugnad d;
    struct temp t = enter(&d);
    char here[TEMP_PATH_BYTES], text[64] = "";
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(t.folder), 0);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(dugnad_init(&d), 1);
        assert_int_equal(dugnad_route(&d, "prime", "2"), 0);
        assert_int_equal(dugnad_route(&d, "whole", NULL), 0);
        assert_int_equal(dugnad_route(&d, "prime", "two\nlines"), -1);
        assert_int_equal(dugnad_route(&d, "a\tb", "x"), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(chdir(here), 0);
    FILE *f = fopen(temp_path(&t, "streams"), "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof text - 1, f), 14);
    fclose(f);
    assert_string_equal(text, "prime\t2\nwhole\n");
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

static void an_audit_wants_what_the_judge_will_look_at(void **state)
{
    (void)state;
    static const char *const texts[] = {"00000000000003e7:30000", "ffffffffffffffff:1",
                                        "0123456789abcdef:999999", "only:17"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        struct dugnad d;
        struct audit a;
        char path[] = "/tmp/dugnad-items-XXXXXX";
        unsigned wanted = 0;
        close(mkstemp(path));
        assert_ok(audit_parse(texts[k], &a));
        setenv("DUGNAD_AUDIT", texts[k], 1);
        dugnad_init(&d);
        assert_int_equal(dugnad_items(&d, path, 5000), 0);
        for (long i = 0; i < 5000; i++) {
            wanted += audit_wants(&a, (uint64_t)i, 5000);
            assert_int_equal(dugnad_item_wanted(&d, i), audit_wants(&a, (uint64_t)i, 5000));
        }
        assert_true(wanted > 0);
        dugnad_done(&d);
        unlink(path);
    }
    unsetenv("DUGNAD_AUDIT");
}

static void an_audit_that_is_none_asks_for_all(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "3", "only:", "only:x", "12", "zz:5", "12:", "12:5x", ":"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dugnad d;
        setenv("DUGNAD_AUDIT", bad[i], 1);
        dugnad_init(&d);
        for (long k = 0; k < 100; k++)
            if (!dugnad_item_wanted(&d, k) && strcmp(bad[i], "only:") != 0 && strcmp(bad[i], "12:") != 0)
                fail_msg("%s asks for some", bad[i]);
        dugnad_done(&d);
    }
    unsetenv("DUGNAD_AUDIT");
}

static size_t list(char *path, const char *audit, const char *other, char *ret, size_t room)
{
    struct dugnad d;
    char text[32];
    if (audit)
        setenv("DUGNAD_AUDIT", audit, 1);
    dugnad_init(&d);
    assert_int_equal(dugnad_items(&d, path, 100), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i * i);
        assert_int_equal(dugnad_item(&d, i, i == 40 && other ? other : text), 0);
    }
    assert_int_equal(dugnad_items_end(&d), 0);
    unsetenv("DUGNAD_AUDIT");
    FILE *f = fopen(path, "r");
    size_t n = fread(ret, 1, room, f);
    fclose(f);
    return n;
}

static void an_items_list_is_held_against_its_audit(void **state)
{
    (void)state;
    char path[] = "/tmp/dugnad-items-XXXXXX", answer[4096], wrong[4096], audit[4096];
    struct audit a = {.seed = 5, .share_ppm = 200000}, one = {.seed = 40, .one = true};
    char text[AUDIT_TEXT_BYTES];
    uint64_t index = 0;
    close(mkstemp(path));
    size_t n = list(path, NULL, NULL, answer, sizeof answer), w = list(path, NULL, "7", wrong, sizeof wrong);
    audit_text(&a, text);
    size_t m = list(path, text, NULL, audit, sizeof audit);
    assert_true(m < n / 2);
    assert_int_equal(items_compare(&a, answer, n, audit, m, &index), ITEMS_SAME);
    assert_int_equal(items_compare(&a, answer, n, answer, n, &index), ITEMS_SAME); /* too much is fine */
    assert_int_equal(items_compare(&a, answer, n - 1, audit, m, &index), ITEMS_UNUSABLE_ANSWER);
    assert_int_equal(items_compare(&a, audit, m, answer, n, &index), ITEMS_UNUSABLE_ANSWER);
    assert_int_equal(items_compare(&a, answer, n, audit, m - 1, &index), ITEMS_UNUSABLE_AUDIT);
    assert_int_equal(items_compare(&a, answer, n, "items 99\n", 9, &index), ITEMS_DIFFERENT);
    assert_true(index == UINT64_MAX);
    audit_text(&one, text);
    m = list(path, text, NULL, audit, sizeof audit);
    assert_int_equal(items_compare(&one, wrong, w, audit, m, &index), ITEMS_DIFFERENT);
    assert_int_equal(index, 40);
    assert_int_equal(items_compare(&one, answer, n, audit, m, &index), ITEMS_SAME);
    unlink(path);
}

static void items_out_of_order_or_with_line_breaks_are_refused(void **state)
{
    (void)state;
    struct dugnad d;
    char path[] = "/tmp/dugnad-items-XXXXXX";
    close(mkstemp(path));
    dugnad_init(&d);
    assert_int_equal(dugnad_item(&d, 0, "x"), -1);
    assert_int_equal(dugnad_items(&d, path, 3), 0);
    assert_int_equal(dugnad_item(&d, 1, "x"), 0);
    assert_int_equal(dugnad_item(&d, 1, "x"), -1);
    assert_int_equal(dugnad_item(&d, 3, "x"), -1);
    assert_int_equal(dugnad_item(&d, 2, "x\ny"), -1);
    assert_int_equal(dugnad_items(&d, path, -1), -1);
    assert_int_equal(dugnad_items_end(&d), -1);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_the_grid_every_call_says_go_on),
        cmocka_unit_test(progress_is_in_range_and_not_written_too_often),
        cmocka_unit_test(a_wish_to_stop_is_heard),
        cmocka_unit_test(a_checkpoint_answers_the_wish_for_one),
        cmocka_unit_test(routes_are_lines_and_a_new_run_starts_them_anew),
        cmocka_unit_test(a_checkpoint_that_cannot_be_written_is_not_announced),
        cmocka_unit_test(an_audit_wants_what_the_judge_will_look_at),
        cmocka_unit_test(an_audit_that_is_none_asks_for_all),
        cmocka_unit_test(an_items_list_is_held_against_its_audit),
        cmocka_unit_test(items_out_of_order_or_with_line_breaks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
