#include "lib/t.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "client/cli/elf.h"
#include "client/cli/pack.h"
#include "lib/temp.h"
#include "run/run.h"
#include "wire/bundle.h"

/* A program that every Debian has, linked dynamically. */
static const char program[] = "/usr/bin/seq";

struct packed {
    struct temp temp;
    struct arena arena;
    struct pack *pack;
    struct pack_words entry;
};

static int make(void **state)
{
    struct packed *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->temp = temp_new();
    assert_int_equal(chmod(p->temp.folder, 0755), 0);
    p->pack = arena_alloc(&p->arena, sizeof *p->pack);
    assert_non_null(p->pack);
    p->pack->folder = arena_text(&p->arena, temp_path(&p->temp, "app"));
    p->pack->arena = &p->arena;
    assert_ok(file_make_folders(p->pack->folder, 0755));
    *state = p;
    return 0;
}

static int drop(void **state)
{
    struct packed *p = *state;
    temp_done(&p->temp);
    arena_done(&p->arena);
    free(p);
    return 0;
}

static bool has(struct packed *p, const char *name)
{
    char path[TEMP_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", p->pack->folder, name);
    return file_exists(path);
}

/* Runs the entry with more words; what it wrote is compared with wanted. */
static void expect_output(struct packed *p, const char *const *more, const char *const *env,
                          const char *wanted)
{
    BUF_AUTO struct buf text = {0};
    const char *work = temp_path(&p->temp, "work");
    const char *argv[WU_ARGS_MAX + 8];
    struct run_outcome out;
    struct run *run;
    size_t n = 0;
    bool ended = false;
    for (uint32_t i = 0; i < p->entry.count; i++)
        argv[n++] = p->entry.list[i];
    for (; *more; more++)
        argv[n++] = *more;
    argv[n] = NULL;
    assert_ok(file_make_folders(work, 0755));
    struct run_spec spec = {.app_folder = p->pack->folder,
                            .work_folder = work,
                            .argv = argv,
                            .env = env,
                            .stdout_path = "out",
                            .limits = {.cpu_ms = 20000, .wall_ms = 30000}};
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    while (!ended) {
        clock_sleep_ms(2);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, &out);
    if (out.end != RUN_END_OK)
        fail_msg("it ended as %s: %s, %s", run_end_name(out.end), out.message, out.stderr_tail);
    assert_ok(file_read(temp_path(&p->temp, "work/out"), 4096, &text));
    assert_string_equal(buf_text(&text), wanted);
}

static void a_program_with_its_loader_and_libraries_runs_in_the_sandbox(void **state)
{
    struct packed *p = *state;
    const char *const more[] = {"2", "4", NULL};
    assert_ok(pack_program(p->pack, program, &p->entry));
    assert_int_equal(p->entry.count, 4);
    assert_string_equal(p->entry.list[0], p->pack->loader);
    assert_string_equal(p->entry.list[3], "/app/bin/seq");
    assert_true(has(p, "bin/seq"));
    assert_true(has(p, "lib/libc.so.6"));
    assert_true(has(p, p->pack->loader));
    expect_output(p, more, NULL, "2\n3\n4\n");
}

static void the_same_program_gives_the_same_bundle(void **state)
{
    struct packed *p = *state;
    struct digest digest[2];
    for (int i = 0; i < 2; i++) {
        const char *to = temp_path(&p->temp, i ? "two.tar" : "one.tar");
        *p->pack = (struct pack){.folder = p->pack->folder, .arena = &p->arena};
        assert_ok(file_remove_tree(p->pack->folder));
        assert_ok(file_make_folders(p->pack->folder, 0755));
        assert_ok(pack_program(p->pack, program, &p->entry));
        assert_ok(bundle_pack(p->pack->folder, to));
        assert_ok(hash_file(to, &digest[i], NULL));
    }
    assert_true(digest_eq(&digest[0], &digest[1]));
}

static void the_words_that_start_the_program_can_be_given_more(void **state)
{
    struct packed *p = *state;
    const char *const more[] = {"3", NULL};
    assert_ok(pack_program(p->pack, program, &p->entry));
    assert_ok(pack_word(&p->entry, "-s"));
    assert_ok(pack_word(&p->entry, ","));
    expect_output(p, more, NULL, "1,2,3\n");
}

static void a_script_brings_its_interpreter_and_starts_a_packed_helper_by_name(void **state)
{
    struct packed *p = *state;
    const char *const more[] = {"2", NULL};
    const char *const env[] = {"LD_LIBRARY_PATH=/app/lib", NULL};
    const char *script = temp_file(&p->temp, "count.sh", "#!/bin/sh\nseq \"$1\"\necho done\n", 0755);
    assert_ok(pack_program(p->pack, script, &p->entry));
    assert_ok(pack_helper(p->pack, program));
    assert_true(p->pack->helpers);
    expect_output(p, more, env, "1\n2\ndone\n");
}

static void a_helper_is_changed_in_its_loader_alone(void **state)
{
    struct packed *p = *state;
    struct elf was, is;
    char path[TEMP_PATH_BYTES];
    uint64_t before, after;
    assert_ok(pack_helper(p->pack, program));
    snprintf(path, sizeof path, "%s/bin/seq", p->pack->folder);
    assert_ok(elf_read(program, &p->arena, &was));
    assert_ok(elf_read(path, &p->arena, &is));
    assert_string_equal(is.loader, "/app/lib/ld.so");
    assert_int_equal(is.needed_count, was.needed_count);
    assert_ok(file_size(program, &before));
    assert_ok(file_size(path, &after));
    assert_int_equal(before, after);
}

static void a_folder_comes_with_what_its_links_point_to(void **state)
{
    struct packed *p = *state;
    char link[TEMP_PATH_BYTES];
    assert_ok(file_make_folders(temp_path(&p->temp, "src/data"), 0755));
    temp_file(&p->temp, "elsewhere", "text\n", 0644);
    snprintf(link, sizeof link, "%s/src/data/link", p->temp.folder);
    assert_int_equal(symlink("../../elsewhere", link), 0);
    assert_ok(pack_file(p->pack, temp_path(&p->temp, "src"), "share"));
    assert_true(has(p, "share/data/link"));
    struct stat st;
    char packed[TEMP_PATH_BYTES];
    snprintf(packed, sizeof packed, "%s/share/data/link", p->pack->folder);
    assert_int_equal(lstat(packed, &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void a_folder_that_contains_itself_by_a_link_is_refused(void **state)
{
    struct packed *p = *state;
    char link[TEMP_PATH_BYTES];
    assert_ok(file_make_folders(temp_path(&p->temp, "loop"), 0755));
    snprintf(link, sizeof link, "%s/loop/again", p->temp.folder);
    assert_int_equal(symlink(".", link), 0);
    assert_err(pack_file(p->pack, temp_path(&p->temp, "loop"), "x"), ERR_LIMIT);
}

static void nothing_is_placed_outside_the_bundle(void **state)
{
    struct packed *p = *state;
    const char *file = temp_file(&p->temp, "f", "x", 0644);
    assert_err(pack_file(p->pack, file, "../f"), ERR_INVALID);
    assert_err(pack_file(p->pack, file, "/f"), ERR_INVALID);
    assert_ok(pack_file(p->pack, file, "a/f"));
    assert_err(pack_file(p->pack, file, "a/f"), ERR_CONFLICT);
}

static void what_is_no_program_is_refused_with_its_name(void **state)
{
    struct packed *p = *state;
    const char *text = temp_file(&p->temp, "notes.txt", "hello\n", 0644), *path;
    assert_err(pack_program(p->pack, text, &p->entry), ERR_INVALID);
    assert_non_null(strstr(err_text(), "notes.txt"));
    assert_err(pack_which("no-such-program-here", &p->arena, &path), ERR_MISSING);
    assert_ok(pack_which("seq", &p->arena, &path));
    struct elf elf;
    const char *libc = NULL;
    assert_ok(elf_read(program, &p->arena, &elf));
    assert_ok(elf_find("libc.so.6", program, &elf, NULL, &p->arena, &libc));
    assert_err(pack_helper(p->pack, text), ERR_UNSUPPORTED);
    assert_err(elf_find("libnothing.so.99", program, &elf, NULL, &p->arena, &libc), ERR_MISSING);
    assert_non_null(strstr(err_text(), "libnothing.so.99"));
}

static void a_program_that_is_cut_off_or_overwritten_never_leads_out_of_its_bounds(void **state)
{
    struct packed *p = *state;
    BUF_AUTO struct buf whole = {0};
    struct elf elf;
    assert_ok(file_read(program, 1 << 20, &whole));
    for (size_t len = 0; len < whole.len; len += len < 1200 ? 13 : whole.len / 7) {
        const char *path = temp_path(&p->temp, "cut");
        assert_ok(file_write_atomic(path, whole.data, len, 0644));
        ARENA_AUTO struct arena a = {0};
        (void)!elf_read(path, &a, &elf); /* that it ends, under the sanitizers, is the point */
    }
    for (size_t at = 0; at < 1000; at += 3) {
        const char *path = temp_path(&p->temp, "flipped");
        char was = whole.data[at];
        whole.data[at] = (char)(was ^ 0x7f);
        assert_ok(file_write_atomic(path, whole.data, whole.len, 0644));
        whole.data[at] = was;
        ARENA_AUTO struct arena a = {0};
        (void)!elf_read(path, &a, &elf);
    }
}

static void origin_in_a_search_path_is_the_folder_of_the_file(void **state)
{
    struct packed *p = *state;
    assert_string_equal(elf_expand("$ORIGIN/../lib:/x:${ORIGIN}", "/opt/a/bin/p", &p->arena),
                        "/opt/a/bin/../lib:/x:/opt/a/bin:");
    assert_string_equal(elf_expand("$LIB/x", "/opt/p", &p->arena), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_with_its_loader_and_libraries_runs_in_the_sandbox),
        TEST(the_same_program_gives_the_same_bundle),
        TEST(the_words_that_start_the_program_can_be_given_more),
        TEST(a_script_brings_its_interpreter_and_starts_a_packed_helper_by_name),
        TEST(a_helper_is_changed_in_its_loader_alone),
        TEST(a_folder_comes_with_what_its_links_point_to),
        TEST(a_folder_that_contains_itself_by_a_link_is_refused),
        TEST(nothing_is_placed_outside_the_bundle),
        TEST(what_is_no_program_is_refused_with_its_name),
        TEST(a_program_that_is_cut_off_or_overwritten_never_leads_out_of_its_bounds),
        TEST(origin_in_a_search_path_is_the_folder_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
