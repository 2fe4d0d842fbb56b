/* test_base_file.c - files that survive, and folders that programs left behind. */
#include "lib/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"

static void assert_content(const char *path, const char *text)
{
    BUF_AUTO struct buf b = {0};
    assert_ok(file_read(path, 1 << 20, &b));
    assert_string_equal(buf_text(&b), text);
}

static unsigned count_entries(const char *folder);

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct stat st;
    const char *path = temp_file(&t, "a", "first", 0600);
    assert_content(path, "first");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_content(temp_file(&t, "a", "second, and longer", 0600), "second, and longer");
    assert_content(temp_file(&t, "a", "", 0600), "");
    assert_int_equal(count_entries(t.folder), 1);
    uint64_t bytes = 7;
    assert_ok(file_size(path, &bytes));
    assert_int_equal(bytes, 0);
    assert_true(file_exists(path));
    temp_done(&t);
    assert_false(file_exists(path));
    assert_err(file_size(path, &bytes), ERR_MISSING);
}

static void reading_stops_at_the_limit_and_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct temp t = temp_new();
    BUF_AUTO struct buf b = {0}, small = {.bytes_max = 9};
    const char *path = temp_file(&t, "a", "0123456789", 0600);
    assert_ok(buf_add_text(&b, "kept "));
    assert_err(file_read(path, 9, &b), ERR_LIMIT);
    assert_non_null(strstr(err_text(), path));
    assert_string_equal(b.data, "kept ");
    assert_ok(file_read(path, 10, &b));
    assert_string_equal(b.data, "kept 0123456789");
    assert_err(file_read(path, 10, &small), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    small.bytes_max = 10;
    assert_ok(file_read(path, 100, &small));
    assert_err(file_read(temp_path(&t, "gone"), 10, &b), ERR_MISSING);
    assert_err(file_read(t.folder, 10, &b), ERR_INVALID);
    temp_done(&t);
}

static void creating_refuses_what_is_there(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "a");
    assert_ok(file_create_atomic(path, "one", 3, 0600));
    assert_err(file_create_atomic(path, "two", 3, 0600), ERR_CONFLICT);
    assert_content(path, "one");
    assert_int_equal(count_entries(t.folder), 1);
    assert_err(file_create_atomic(temp_path(&t, "no/folder"), "x", 1, 0600), ERR_MISSING);
    temp_done(&t);
}

/* Writes more than the process may: as a full disk would, it fails in the middle. */
static void a_write_that_fails_halfway_leaves_the_old_content_and_nothing_else(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct rlimit before, limit;
    static char vast[300000];
    const char *path = temp_file(&t, "a", "old", 0600), *other = temp_path(&t, "other");
    memset(vast, 'x', sizeof vast);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum err written = file_write_atomic(path, vast, sizeof vast, 0600);
    enum err created = file_create_atomic(other, vast, sizeof vast, 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(written, ERR_IO);
    assert_int_equal(created, ERR_IO);
    assert_non_null(strstr(err_text(), other));
    assert_content(path, "old");
    assert_int_equal(count_entries(t.folder), 1);
    temp_done(&t);
}

static void a_full_disk_is_told_as_one(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    assert_err(file_write_all(fd, "x", 1), ERR_FULL);
    close(fd);
    assert_err(file_write_all(-1, "x", 1), ERR_IO);
}

static void write_two_contents_for_ever(const char *path)
{
    static char texts[2][20001];
    memset(texts[0], 'a', 20000);
    memset(texts[1], 'b', 20000);
    for (unsigned i = 0;; i++)
        if (file_write_atomic(path, texts[i % 2], 20000, 0600) != ERR_OK)
            _exit(1);
}

static void a_writer_killed_at_any_moment_leaves_one_whole_content(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_file(&t, "a", "first", 0600);
    unsigned replaced = 0;
    for (int round = 0; round < 15; round++) {
        BUF_AUTO struct buf b = {0};
        pid_t child = fork();
        if (child == 0)
            write_two_contents_for_ever(path);
        usleep((useconds_t)(2000 + 777 * round));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_ok(file_read(path, 1 << 20, &b));
        assert_true(b.len == 20000 || strcmp(b.data, "first") == 0);
        replaced += b.len == 20000;
        for (size_t i = 1; b.len == 20000 && i < b.len; i++)
            assert_int_equal(b.data[i], b.data[0]);
    }
    assert_true(replaced > 0); /* it did write */
    temp_done(&t);
}

static void a_file_moves_durably_and_a_missing_one_is_told(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *from = temp_file(&t, "from", "x", 0600), *to = temp_file(&t, "to", "old", 0600);
    assert_ok(file_rename_durable(from, to));
    assert_content(to, "x");
    assert_err(file_rename_durable(from, to), ERR_MISSING);
    assert_ok(file_make_folders(temp_path(&t, "folder"), 0700));
    assert_ok(file_rename_durable(temp_path(&t, "folder"), temp_path(&t, "moved")));
    assert_true(file_exists(temp_path(&t, "moved")));
    temp_done(&t);
}

static void a_copy_is_the_same_and_replaces_nothing(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct stat st;
    char text[150001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    const char *from = temp_file(&t, "from", text, 0600), *to = temp_path(&t, "to");
    assert_ok(file_copy(from, to, 0400));
    assert_content(to, text);
    assert_int_equal(stat(to, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    assert_err(file_copy(from, to, 0600), ERR_CONFLICT);
    assert_int_equal(symlink("/tmp/dugnad-test-nowhere", temp_path(&t, "link")), 0);
    assert_err(file_copy(from, temp_path(&t, "link"), 0600), ERR_CONFLICT);
    assert_false(file_exists("/tmp/dugnad-test-nowhere"));
    assert_err(file_copy(temp_path(&t, "gone"), temp_path(&t, "x"), 0600), ERR_MISSING);
    assert_err(file_copy(t.folder, temp_path(&t, "x"), 0600), ERR_IO);
    assert_false(file_exists(temp_path(&t, "x")));
    /* Files of /proc have content but no size: what the kernel does not copy is copied by hand. */
    assert_ok(file_copy("/proc/self/status", temp_path(&t, "status"), 0600));
    uint64_t bytes;
    assert_ok(file_size(temp_path(&t, "status"), &bytes));
    assert_true(bytes > 100);
    temp_done(&t);
}

static void folders_are_made_all_the_way_and_again(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct stat st;
    assert_ok(file_make_folders(temp_path(&t, "a/b//c/"), 0750));
    assert_ok(file_make_folders(temp_path(&t, "a/b/c"), 0700));
    assert_int_equal(stat(temp_path(&t, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    temp_file(&t, "file", "x", 0600);
    assert_err(file_make_folders(temp_path(&t, "file"), 0700), ERR_INVALID);
    assert_true(file_make_folders(temp_path(&t, "file/below"), 0700) != ERR_OK);
    assert_err(file_make_folders("", 0700), ERR_LIMIT);
    temp_done(&t);
}

static void a_lock_is_held_until_its_descriptor_is_closed(void **state)
{
    (void)state;
    struct temp t = temp_new();
    int fd = -1, other = -1;
    const char *path = temp_path(&t, "lock");
    assert_ok(file_lock(path, &fd));
    assert_err(file_lock(path, &other), ERR_CONFLICT);
    assert_non_null(strstr(err_text(), "already running"));
    assert_int_equal(other, -1);
    close(fd);
    assert_ok(file_lock(path, &other));
    close(other);
    assert_err(file_lock(temp_path(&t, "no/folder"), &fd), ERR_MISSING);
    temp_done(&t);
}

static void joined_paths_fit_or_are_refused(void **state)
{
    (void)state;
    char path[6];
    assert_ok(file_join(path, sizeof path, "a", "bcd"));
    assert_string_equal(path, "a/bcd");
    assert_err(file_join(path, sizeof path, "a", "bcde"), ERR_LIMIT);
    uint64_t bytes = 0;
    assert_ok(file_disk_free("/tmp", &bytes));
    assert_true(bytes > 0);
    assert_err(file_disk_free("/no/such/folder", &bytes), ERR_MISSING);
}

struct visited {
    struct buf paths;
    unsigned count, stop_at;
};

static enum err visit(void *ctx, const struct file_entry *entry)
{
    struct visited *v = ctx;
    if (++v->count == v->stop_at)
        return err_set(ERR_STALE, "enough");
    char kind = S_ISDIR(entry->mode) ? 'd' : S_ISLNK(entry->mode) ? 'l' : S_ISREG(entry->mode) ? 'f' : 'o';
    assert_true(entry->modified_ms > 1600000000000);
    return buf_printf(&v->paths, "%c %s %d\n", kind, entry->path, kind == 'f' ? (int)entry->bytes : 0);
}

static unsigned count_entries(const char *folder)
{
    struct visited v = {.count = 0};
    assert_ok(file_walk(folder, visit, &v));
    buf_done(&v.paths);
    return v.count;
}

static void a_walk_visits_a_folder_its_content_and_then_its_neighbour(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct visited v = {.count = 0};
    assert_ok(file_make_folders(temp_path(&t, "a/sub"), 0700));
    assert_ok(file_make_folders(temp_path(&t, "empty"), 0700));
    temp_file(&t, "a/b", "12", 0600);
    temp_file(&t, "a/sub/deep", "123", 0600);
    temp_file(&t, "a.txt", "1", 0600);
    temp_file(&t, "a-b", "", 0600);
    temp_file(&t, "Z", "", 0600);
    temp_file(&t, "\xc3\xa5", "", 0600);
    assert_int_equal(symlink("/etc", temp_path(&t, "link")), 0);
    assert_int_equal(mkfifo(temp_path(&t, "pipe"), 0600), 0);
    assert_ok(file_walk(t.folder, visit, &v));
    assert_string_equal(
        v.paths.data,
        "f Z 0\nd a 0\nf a/b 2\nd a/sub 0\nf a/sub/deep 3\nf a-b 0\nf a.txt 1\nd empty 0\nl link 0\n"
        "o pipe 0\nf \xc3\xa5 0\n");
    buf_done(&v.paths);
    v = (struct visited){.stop_at = 3};
    assert_err(file_walk(t.folder, visit, &v), ERR_STALE);
    assert_int_equal(v.count, 3);
    buf_done(&v.paths);
    assert_err(file_walk(temp_path(&t, "gone"), visit, &v), ERR_MISSING);
    assert_err(file_walk(temp_path(&t, "Z"), visit, &v), ERR_IO);
    temp_done(&t);
}

/* Goes down `levels` folders below the temporary one, making them. */
static void make_deep(const struct temp *t, int levels)
{
    int fd = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < levels; i++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int file = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(next >= 0 && file >= 0);
        close(file);
        close(fd);
        fd = next;
    }
    close(fd);
}

static void a_walk_ends_at_its_depth(void **state)
{
    (void)state;
    struct temp t = temp_new();
    make_deep(&t, WALK_DEPTH_MAX);
    assert_int_equal(count_entries(t.folder), 2 * WALK_DEPTH_MAX);
    assert_int_equal(rename(temp_path(&t, "d"), temp_path(&t, "e")), 0);
    assert_int_equal(mkdir(temp_path(&t, "d"), 0700), 0);
    assert_int_equal(rename(temp_path(&t, "e"), temp_path(&t, "d/e")), 0);
    struct visited v = {.count = 0};
    assert_err(file_walk(t.folder, visit, &v), ERR_LIMIT);
    buf_done(&v.paths);
    temp_done(&t);
}

static void a_tree_is_removed_and_what_its_links_name_stays(void **state)
{
    (void)state;
    struct temp t = temp_new(), other = temp_new();
    const char *kept = temp_file(&other, "kept", "x", 0600);
    assert_ok(file_make_folders(temp_path(&t, "a/b"), 0700));
    assert_int_equal(symlink(other.folder, temp_path(&t, "a/link")), 0);
    assert_int_equal(symlink("nowhere", temp_path(&t, "a/b/dangling")), 0);
    assert_int_equal(mkfifo(temp_path(&t, "a/pipe"), 0600), 0);
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/b/%d", i);
        int fd = open(temp_path(&t, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0);
        assert_true(fd >= 0);
        close(fd);
    }
    assert_ok(file_remove_tree(temp_path(&t, "a")));
    assert_int_equal(count_entries(t.folder), 0);
    assert_content(kept, "x");
    assert_int_equal(symlink(other.folder, temp_path(&t, "top")), 0);
    assert_ok(file_remove_tree(temp_path(&t, "top"))); /* the link goes, not what it names */
    assert_content(kept, "x");
    assert_ok(file_remove_tree(temp_path(&t, "top")));
    assert_ok(file_remove_tree(temp_path(&t, "no/such/thing")));
    temp_done(&t);
    temp_done(&other);
}

static void a_tree_deeper_than_there_are_descriptors_is_removed(void **state)
{
    (void)state;
    struct temp t = temp_new();
    struct rlimit before, few;
    make_deep(&t, 3000); /* paths of 6 KB: no name for the deepest one fits into PATH_MAX */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 60;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum err e = file_remove_tree(t.folder);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(e);
    assert_false(file_exists(t.folder));
}

/* As a user who is not root, whom modes do not stop. */
static int remove_what_was_made_unreadable(const char *folder)
{
    char path[TEMP_PATH_BYTES];
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        return 77;
    static const char *const shut[] = {"t/a/b", "t/a", "t"};
    snprintf(path, sizeof path, "%s/t/a/b", folder);
    if (file_make_folders(path, 0700) != ERR_OK)
        return 2;
    snprintf(path, sizeof path, "%s/t/a/b/file", folder);
    if (file_write_atomic(path, "x", 1, 0) != ERR_OK)
        return 3;
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, shut[i]);
        if (chmod(path, i == 1 ? 0 : 0500) != 0)
            return 4;
    }
    if (file_remove_tree(path) != ERR_OK) {
        fprintf(stderr, "%s\n", err_text());
        return 5;
    }
    return file_exists(path) ? 6 : 0;
}

static void folders_that_shut_their_owner_out_are_removed_too(void **state)
{
    (void)state;
    struct temp t = temp_new();
    int status;
    assert_int_equal(chmod(t.folder, 0777), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(remove_what_was_made_unreadable(t.folder));
    assert_int_equal(waitpid(child, &status, 0), child);
    temp_done(&t);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(reading_stops_at_the_limit_and_leaves_the_buffer_as_it_was),
        cmocka_unit_test(creating_refuses_what_is_there),
        cmocka_unit_test(a_write_that_fails_halfway_leaves_the_old_content_and_nothing_else),
        cmocka_unit_test(a_full_disk_is_told_as_one),
        cmocka_unit_test(a_writer_killed_at_any_moment_leaves_one_whole_content),
        cmocka_unit_test(a_file_moves_durably_and_a_missing_one_is_told),
        cmocka_unit_test(a_copy_is_the_same_and_replaces_nothing),
        cmocka_unit_test(folders_are_made_all_the_way_and_again),
        cmocka_unit_test(a_lock_is_held_until_its_descriptor_is_closed),
        cmocka_unit_test(joined_paths_fit_or_are_refused),
        cmocka_unit_test(a_walk_visits_a_folder_its_content_and_then_its_neighbour),
        cmocka_unit_test(a_walk_ends_at_its_depth),
        cmocka_unit_test(a_tree_is_removed_and_what_its_links_name_stays),
        cmocka_unit_test(a_tree_deeper_than_there_are_descriptors_is_removed),
        cmocka_unit_test(folders_that_shut_their_owner_out_are_removed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
