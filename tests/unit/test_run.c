#include "lib/t.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/run.h"

static char place[64], app[96], work[96];

static int make_place(void **state)
{
    (void)state;
    char probe[128];
    snprintf(place, sizeof place, "/tmp/test-run-XXXXXX");
    assert_non_null(mkdtemp(place));
    assert_int_equal(chmod(place, 0755), 0);
    snprintf(app, sizeof app, "%s/app", place);
    snprintf(work, sizeof work, "%s/work", place);
    snprintf(probe, sizeof probe, "%s/bin", app);
    assert_ok(file_make_folders(probe, 0755));
    assert_ok(file_make_folders(work, 0755));
    snprintf(probe, sizeof probe, "%s/bin/probe", app);
    assert_ok(file_copy(TESTS_BUILD_FOLDER "/bin/dugnad-probe", probe, 0755));
    setenv("SECRET_OF_THE_CALLER", "x", 1);
    return 0;
}

static int drop_place(void **state)
{
    (void)state;
    assert_ok(file_remove_tree(place));
    return 0;
}

static const struct run_limits roomy = {
    .cpu_ms = 20000, .wall_ms = 30000, .memory_bytes = 256 << 20, .disk_bytes = 64 << 20};

/* Idle work gets nothing where others need all, and then its limits are not reached: only where it is the
 * subject. */
static bool idle;
static const char *in_groups;

static struct run_outcome run_to_end(const char *what, const struct run_limits *limits)
{
    const char *argv[] = {"bin/probe", what, NULL};
    struct run_spec spec = {.app_folder = app,
                            .work_folder = work,
                            .argv = argv,
                            .stdout_path = "stdout",
                            .limits = *limits,
                            .groups = in_groups,
                            .idle = idle};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    while (!ended) {
        clock_sleep_ms(2);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, &out);
    return out;
}

static void expect(const char *what, struct run_limits limits, enum run_end end)
{
    struct run_outcome out = run_to_end(what, &limits);
    if (out.end != end)
        fail_msg("%s: ended as %s (%s), wanted %s", what, run_end_name(out.end), out.message,
                 run_end_name(end));
    assert_true(end == RUN_END_OK || out.message[0] != 0);
    assert_ok(file_remove_tree(work));
    assert_ok(file_make_folders(work, 0755));
}

/* Nothing says that it is not known. */
static void what_ends_within_a_millisecond_took_one(void **state)
{
    (void)state;
    const char *argv[] = {"bin/probe", "ok", NULL};
    struct run_spec spec = {
        .app_folder = app, .work_folder = work, .argv = argv, .stdout_path = "stdout", .limits = roomy};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    int64_t now_ms = clock_mono_ms();
    assert_ok(run_start(&spec, now_ms, &run));
    while (!ended) {
        clock_sleep_ms(1);
        run_poll(run, now_ms, &ended);
    }
    run_finish(run, &out);
    assert_int_equal(out.end, RUN_END_OK);
    assert_int_equal(out.usage.wall_ms, 1);
}

static void a_good_program_ends_well_and_its_output_is_taken(void **state)
{
    (void)state;
    BUF_AUTO struct buf text = {0};
    char path[128];
    int fd;
    uint64_t bytes;
    idle = true;
    struct run_outcome out = run_to_end("ok", &roomy);
    idle = false;
    assert_int_equal(out.end, RUN_END_OK);
    snprintf(path, sizeof path, "%s/stdout", work);
    assert_ok(file_read(path, 100, &text));
    assert_string_equal(text.data, "fine\n");
    assert_ok(run_open_output(work, "stdout", 5, &fd, &bytes));
    assert_int_equal(bytes, 5);
    close(fd);
    assert_err(run_open_output(work, "stdout", 4, &fd, &bytes), ERR_LIMIT);
    assert_err(run_open_output(work, "nothing", 4, &fd, &bytes), ERR_MISSING);
    assert_err(run_open_output(work, "../app/bin/probe", 0, &fd, &bytes), ERR_INVALID);
}

static void each_way_to_misbehave_ends_with_its_reason(void **state)
{
    (void)state;
    struct run_limits l = roomy;
    expect("divide", l, RUN_END_SIGNAL);
    l.cpu_ms = 300;
    l.wall_ms = 200000; /* it is idle's turn only now and then on a busy machine */
    expect("spin", l, RUN_END_CPU_TIME);
    l = roomy;
    l.wall_ms = 300;
    expect("sleep", l, RUN_END_WALL_TIME);
    l = roomy;
    l.memory_bytes = 64 << 20;
    expect("memory", l, RUN_END_MEMORY);
    expect("shared", l, RUN_END_MEMORY);
    l = roomy;
    l.processes = 20;
    expect("fork", l, RUN_END_PROCESSES);
    l = roomy;
    l.disk_bytes = 8 << 20;
    expect("disk", l, RUN_END_DISK);
    expect("output", l, RUN_END_DISK);
    expect("inodes", l, RUN_END_DISK);
    expect("deep", l, RUN_END_DISK);
    expect("unnamed", l, RUN_END_DISK);
    expect("mapped", l, RUN_END_DISK);
}

static void what_a_program_says_last_is_kept_and_nothing_of_it_stays(void **state)
{
    (void)state;
    struct run_outcome out = run_to_end("talk", &roomy);
    assert_int_equal(out.end, RUN_END_EXIT);
    assert_int_equal(out.exit_code, 3);
    assert_int_equal(strlen(out.stderr_tail), 2048);
    assert_non_null(strstr(out.stderr_tail, "line 99999\n"));
    out = run_to_end("orphan", &roomy);
    assert_int_equal(out.end, RUN_END_OK);
}

static void a_missing_program_is_a_failed_launch(void **state)
{
    (void)state;
    const char *argv[] = {"bin/absent", NULL};
    struct run_spec spec = {.app_folder = app, .work_folder = work, .argv = argv, .limits = roomy};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    while (!ended)
        run_poll(run, clock_mono_ms(), &ended);
    run_finish(run, &out);
    assert_int_equal(out.end, RUN_END_LAUNCH);
    assert_non_null(strstr(out.message, "No such file"));
}

static void a_paused_program_uses_no_cpu_and_goes_on_after_it(void **state)
{
    (void)state;
    const char *argv[] = {"bin/probe", "spin", NULL};
    struct run_spec spec = {.app_folder = app, .work_folder = work, .argv = argv, .limits = roomy};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    for (int i = 0; i < 20; i++) {
        clock_sleep_ms(10);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_pause(run, clock_mono_ms());
    clock_sleep_ms(50);
    run_resume(run, clock_mono_ms());
    run_poll(run, clock_mono_ms(), &ended);
    int64_t cpu_ms = run_usage(run)->cpu_ms;
    run_pause(run, clock_mono_ms());
    clock_sleep_ms(300);
    run_resume(run, clock_mono_ms());
    run_poll(run, clock_mono_ms(), &ended);
    assert_in_range(run_usage(run)->cpu_ms, cpu_ms, cpu_ms + 100);
    assert_true(run_usage(run)->wall_ms < 600);
    clock_sleep_ms(200);
    run_poll(run, clock_mono_ms(), &ended);
    assert_true(run_usage(run)->cpu_ms > cpu_ms);
    run_stop(run);
    while (!ended)
        run_poll(run, clock_mono_ms(), &ended);
    run_finish(run, &out);
    assert_int_equal(out.end, RUN_END_STOPPED);
}

static void what_the_caller_has_open_is_not_held_by_the_sandbox(void **state)
{
    (void)state;
    const char *argv[] = {"bin/probe", "sleep", NULL};
    struct run_spec spec = {.app_folder = app, .work_folder = work, .argv = argv, .limits = roomy};
    struct run_outcome out;
    struct run *run;
    char path[128];
    int lock = -1, again = -1;
    bool ended = false;
    snprintf(path, sizeof path, "%s/lock", place);
    assert_ok(file_lock(path, &lock));
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    while (!ended && run_usage(run)->processes == 0) {
        clock_sleep_ms(10);
        run_poll(run, clock_mono_ms(), &ended);
    }
    close(lock); /* as when the caller dies; on a busy machine the sandbox may not have come to its own
                    closing yet */
    int64_t until_ms = clock_mono_ms() + 30000;
    while (file_lock(path, &again) != ERR_OK && !ended && clock_mono_ms() < until_ms) {
        clock_sleep_ms(10);
        run_poll(run, clock_mono_ms(), &ended);
    }
    assert_false(ended);
    assert_true(again >= 0);
    close(again);
    run_stop(run);
    while (!ended)
        run_poll(run, clock_mono_ms(), &ended);
    run_finish(run, &out);
    assert_int_equal(out.end, RUN_END_STOPPED);
}

static void outputs_that_are_links_or_devices_are_not_taken(void **state)
{
    (void)state;
    static const char *const tricks[] = {"symlink", "hardlink", "folder"};
    int fd;
    uint64_t bytes;
    for (size_t i = 0; i < 3; i++) {
        struct run_outcome out = run_to_end(tricks[i], &roomy);
        assert_int_equal(out.end, RUN_END_OK);
        assert_err(run_open_output(work, "out", 0, &fd, &bytes), ERR_INVALID);
        assert_ok(file_remove_tree(work));
        assert_ok(file_make_folders(work, 0755));
    }
}

/* Runs every probe; returns how many were blocked, 0 if one was not. */
static int run_probes(void)
{
    char name[64];
    int count = 0, bad = 0;
    FILE *list = popen(TESTS_BUILD_FOLDER "/bin/dugnad-probe list", "r");
    assert_non_null(list);
    while (fgets(name, sizeof name, list)) {
        name[strcspn(name, "\n")] = 0;
        struct run_outcome out = run_to_end(name, &roomy);
        count++;
        if (out.end != RUN_END_OK) {
            print_error("probe %s got through, or ended as %s (%s)\n", name, run_end_name(out.end),
                        out.message);
            bad++;
        }
    }
    pclose(list);
    return bad ? 0 : count;
}

static void every_way_out_is_blocked(void **state)
{
    (void)state;
    int count = run_probes();
    print_message("%d probes blocked\n", count);
    assert_true(count >= 60);
}

static void every_way_out_is_blocked_for_an_ordinary_user_too(void **state)
{
    (void)state;
    int status = 0;
    if (geteuid() != 0)
        skip();
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (chown(work, 12345, 12345) != 0 || setgid(12345) != 0 || setuid(12345) != 0)
            _exit(2);
        _exit(run_probes() >= 60 ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Its group, as the kernel names it for a process in it: "0::/dugnad-work-1/run-1". */
static bool is_in_group(pid_t pid, const char *part)
{
    char path[64];
    BUF_AUTO struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    return file_read(path, 4096, &text) == ERR_OK && strstr(buf_text(&text), part);
}

static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%d", &child) != 1)
        child = 0;
    if (f)
        fclose(f);
    return child;
}

static void a_run_has_a_control_group_of_its_own_where_there_can_be_one(void **state)
{
    (void)state;
    char groups[RUN_GROUPS_ROOM], path[RUN_GROUPS_ROOM + 64];
    const char *argv[] = {"bin/probe", "spin", NULL};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    if (geteuid() != 0 || run_groups_open(groups) != ERR_OK) {
        print_message("control groups: not tried, %s\n", geteuid() ? "only root may here" : err_text());
        skip();
    }
    snprintf(path, sizeof path, "%s/memory.max", groups);
    print_message("control groups in %s, controllers: %s\n", groups,
                  file_exists(path) ? "memory" : "none, limits not tried");
    struct run_spec spec = {
        .app_folder = app, .work_folder = work, .argv = argv, .limits = roomy, .groups = groups};
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    for (int i = 0; i < 200 && !is_in_group(child_of(getpid()), "/run-"); i++)
        clock_sleep_ms(5);
    assert_true(is_in_group(child_of(getpid()), "/dugnad-work-"));
    assert_false(is_in_group(getpid(), "/run-"));
    for (int i = 0; i < 400 && run_usage(run)->cpu_ms < 20; i++) {
        clock_sleep_ms(10);
        run_poll(run, clock_mono_ms(), &ended);
    }
    assert_true(run_usage(run)->cpu_ms >= 20);
    run_pause(run, clock_mono_ms());
    BUF_AUTO struct buf text = {0};
    snprintf(path, sizeof path, "%s/run-1/cgroup.freeze", groups);
    assert_ok(file_read(path, 100, &text));
    assert_string_equal(buf_text(&text), "1\n");
    run_stop(run); /* a frozen one, too */
    while (!ended)
        run_poll(run, clock_mono_ms(), &ended);
    run_finish(run, &out);
    assert_int_equal(out.end, RUN_END_STOPPED);
    run_groups_close(groups);
    assert_false(file_exists(groups));
}

/* It has ended by itself, which was told already, and its sandbox has not gone yet: it is slow where the
 * processor is busy, which is when runs are paused. */
static void a_program_that_ends_as_it_is_paused_is_finished_all_the_same(void **state)
{
    (void)state;
    char groups[RUN_GROUPS_ROOM];
    const char *argv[] = {"bin/probe", "spin", NULL};
    struct run_outcome out;
    struct run *run;
    bool ended = false;
    if (geteuid() != 0 || run_groups_open(groups) != ERR_OK)
        skip();
    struct run_spec spec = {
        .app_folder = app, .work_folder = work, .argv = argv, .limits = roomy, .groups = groups};
    assert_ok(run_start(&spec, clock_mono_ms(), &run));
    for (int i = 0; i < 400 && run_usage(run)->cpu_ms < 20; i++) {
        clock_sleep_ms(10);
        run_poll(run, clock_mono_ms(), &ended);
    }
    pid_t outer = child_of(getpid()), program = child_of(child_of(outer));
    assert_true(program > 0);
    assert_int_equal(kill(outer, SIGSTOP), 0);
    assert_int_equal(kill(program, SIGTERM), 0);
    struct pollfd told = {.fd = run_fd(run), .events = POLLIN};
    assert_int_equal(poll(&told, 1, 20000), 1);
    run_pause(run, clock_mono_ms());
    assert_int_equal(kill(outer, SIGCONT), 0);
    alarm(30); /* instead of waiting for ever */
    run_poll(run, clock_mono_ms(), &ended);
    assert_true(ended);
    run_finish(run, &out);
    alarm(0);
    assert_int_equal(out.end, RUN_END_SIGNAL);
    assert_int_equal(out.signal, SIGTERM);
    run_groups_close(groups);
}

/* As kernels before 5.3 do, and container engines that cannot look into its structure. */
static void forbid_clone3(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(2);
}

static void nothing_of_a_program_is_left_when_its_end_is_told(void **state)
{
    (void)state;
    const char *argv[] = {"bin/probe", "orphan", NULL};
    struct run_spec spec = {.app_folder = app, .work_folder = work, .argv = argv, .limits = roomy};
    struct run_outcome out;
    for (int i = 0; i < 20; i++) {
        struct run *run;
        bool ended = false;
        assert_ok(run_start(&spec, clock_mono_ms(), &run));
        while (!ended)
            run_poll(run, clock_mono_ms(), &ended);
        int of_first = child_of(child_of(child_of(getpid())));
        run_finish(run, &out);
        assert_int_equal(out.end, RUN_END_OK);
        assert_int_equal(of_first, 0);
    }
}

static void where_there_is_no_clone3_a_run_is_begun_all_the_same(void **state)
{
    (void)state;
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char groups[RUN_GROUPS_ROOM] = "";
        if (geteuid() == 0 && run_groups_open(groups) == ERR_OK)
            in_groups = groups;
        forbid_clone3();
        enum run_end end = run_to_end("ok", &roomy).end;
        if (in_groups)
            run_groups_close(groups);
        _exit(end == RUN_END_OK ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void the_share_of_all_runs_is_written_as_the_kernel_reads_it(void **state)
{
    (void)state;
    char path[128];
    BUF_AUTO struct buf text = {0};
    assert_false(run_groups_cpu(place, 1.5)); /* no such controller */
    assert_false(run_groups_cpu("", 1.5));
    snprintf(path, sizeof path, "%s/cpu.max", place);
    assert_ok(file_write_atomic(path, "", 0, 0600));
    assert_true(run_groups_cpu(place, 1.5));
    assert_ok(file_read(path, 100, &text));
    assert_string_equal(buf_text(&text), "150000 100000");
}

static void every_needed_layer_works_here(void **state)
{
    (void)state;
    struct run_layer layers[RUN_LAYERS_MAX];
    uint32_t count = run_layers(layers);
    for (uint32_t i = 0; i < count; i++) {
        print_message("%s: %s %s\n", layers[i].name, layers[i].works ? "works" : "absent", layers[i].remedy);
        assert_true(layers[i].works || !layers[i].needed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_needed_layer_works_here, make_place, drop_place),
        cmocka_unit_test_setup_teardown(what_ends_within_a_millisecond_took_one, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_good_program_ends_well_and_its_output_is_taken, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(each_way_to_misbehave_ends_with_its_reason, make_place, drop_place),
        cmocka_unit_test_setup_teardown(what_a_program_says_last_is_kept_and_nothing_of_it_stays, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(a_missing_program_is_a_failed_launch, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_paused_program_uses_no_cpu_and_goes_on_after_it, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(what_the_caller_has_open_is_not_held_by_the_sandbox, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(outputs_that_are_links_or_devices_are_not_taken, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(a_run_has_a_control_group_of_its_own_where_there_can_be_one,
                                        make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_program_that_ends_as_it_is_paused_is_finished_all_the_same,
                                        make_place, drop_place),
        cmocka_unit_test_setup_teardown(nothing_of_a_program_is_left_when_its_end_is_told, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(where_there_is_no_clone3_a_run_is_begun_all_the_same, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(the_share_of_all_runs_is_written_as_the_kernel_reads_it, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(every_way_out_is_blocked, make_place, drop_place),
        cmocka_unit_test_setup_teardown(every_way_out_is_blocked_for_an_ordinary_user_too, make_place,
                                        drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
