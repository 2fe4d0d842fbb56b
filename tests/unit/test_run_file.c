/* test_run_file.c - paths below a folder, opened by openat2 and, where that is forbidden, step by step: no
 * way leads out. */
#include "lib/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/run_inner.h"

typedef int (*opener)(int folder_fd, const char *path, int flags, mode_t mode);
static const opener openers[] = {run_beneath, run_walk_beneath};

static int make_place(struct temp *t)
{
    char up[TEMP_PATH_BYTES];
    assert_int_equal(mkdir(temp_path(t, "work"), 0700), 0);
    assert_int_equal(mkdir(temp_path(t, "work/a"), 0700), 0);
    assert_int_equal(mkdir(temp_path(t, "work/a/b"), 0700), 0);
    temp_file(t, "secret", "secret", 0600);
    temp_file(t, "work/a/b/c", "good", 0600);
    snprintf(up, sizeof up, "%s/secret", t->folder);
    assert_int_equal(symlink(up, temp_path(t, "work/absolute")), 0);
    assert_int_equal(symlink("../secret", temp_path(t, "work/link")), 0);
    assert_int_equal(symlink("..", temp_path(t, "work/up")), 0);
    assert_int_equal(symlink("a", temp_path(t, "work/within")), 0);
    int fd = open(temp_path(t, "work"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void what_is_below_is_opened(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
        struct temp t = temp_new();
        char text[8] = "";
        int folder = make_place(&t), fd = openers[i](folder, "a/b/c", O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, text, sizeof text), 4);
        assert_string_equal(text, "good");
        close(fd);
        fd = openers[i](folder, "a/new", O_WRONLY | O_CREAT | O_TRUNC, 0644);
        assert_true(fd >= 0);
        close(fd);
        assert_true(file_exists(temp_path(&t, "work/a/new")));
        assert_int_equal(openers[i](folder, "a/none/c", O_RDONLY, 0), -1);
        assert_int_equal(errno, ENOENT);
        assert_int_equal(fcntl(folder, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC); /* still open */
        close(folder);
        temp_done(&t);
    }
}

static void no_link_and_no_step_upwards_is_followed(void **state)
{
    static const char *const ways[] = {
        "../secret", "a/../../secret", "absolute", "link", "up/secret", "/etc/passwd", "within/b/c",
        "up",        "a/../..",        "a/b/c/..", ""};
    (void)state;
    struct temp t = temp_new();
    int folder = make_place(&t);
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
            if (openers[i](folder, ways[w], O_RDONLY, 0) >= 0)
                fail_msg("way %zu of opener %zu leads out: '%s'", w, i, ways[w]);
    close(folder);
    temp_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_below_is_opened),
        cmocka_unit_test(no_link_and_no_step_upwards_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
