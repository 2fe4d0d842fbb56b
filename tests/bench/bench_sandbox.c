/* bench_sandbox.c - what the sandbox costs: launch, and run time of a program that only computes, beside the
 * same program started bare. Both sides alternate in one run; medians. See README.md. */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/run.h"

enum { ROUNDS_MAX = 1000, PATH_ROOM = 200 };

static char place[64], app[96], work[96], program[PATH_ROOM];

static void need(enum err e)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "bench_sandbox: %s\n", err_text());
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct cost {
    double wall_ms, cpu_ms;
};

static struct cost sandboxed(const char *word, const char *groups)
{
    const char *argv[] = {"bin/probe", word, NULL};
    struct run_spec spec = {.app_folder = app,
                            .work_folder = work,
                            .argv = argv,
                            .limits = {.cpu_ms = 600000, .wall_ms = 600000, .memory_bytes = 256u << 20},
                            .groups = groups};
    struct run *run;
    struct run_outcome out;
    bool ended = false;
    double began_ms = now_ms();
    need(run_start(&spec, clock_mono_ms(), &run));
    while (!ended) {
        struct pollfd fd = {.fd = run_fd(run), .events = POLLIN};
        (void)poll(&fd, 1, (int)run_poll_ms(run));
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, &out);
    double took_ms = now_ms() - began_ms;
    if (out.end != RUN_END_OK) {
        fprintf(stderr, "bench_sandbox: %s: %s\n", run_end_name(out.end), out.message);
        exit(1);
    }
    return (struct cost){took_ms, (double)out.usage.cpu_ms};
}

static struct cost bare(const char *word)
{
    char *argv[] = {program, (char *)(uintptr_t)word, NULL};
    char *env[] = {NULL};
    posix_spawn_file_actions_t files;
    struct rusage used;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    double began_ms = now_ms();
    if (posix_spawn(&pid, program, &files, NULL, argv, env) != 0 || wait4(pid, &status, 0, &used) != pid ||
        status != 0) {
        fprintf(stderr, "bench_sandbox: %s %s did not end well\n", program, word);
        exit(1);
    }
    return (struct cost){now_ms() - began_ms,
                         (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                             (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, int count)
{
    qsort(list, (size_t)count, sizeof *list, by_value);
    return list[count / 2];
}

static void compare(const char *word, int rounds, double ret[4])
{
    static double list[4][ROUNDS_MAX];
    for (int i = -2; i < rounds; i++) { /* two rounds to warm up */
        struct cost b = bare(word), s = sandboxed(word, "");
        if (i < 0)
            continue;
        list[0][i] = b.wall_ms;
        list[1][i] = s.wall_ms;
        list[2][i] = b.cpu_ms;
        list[3][i] = s.cpu_ms;
    }
    for (int i = 0; i < 4; i++)
        ret[i] = median(list[i], rounds);
}

/* In a control group of its own, as a daemon that was given some starts it; 0: there are none here. */
static double grouped_ms(const char *word, int rounds)
{
    static double list[ROUNDS_MAX];
    char groups[RUN_GROUPS_ROOM];
    if (run_groups_open(groups) != ERR_OK)
        return 0;
    for (int i = -2; i < rounds; i++) {
        double took_ms = sandboxed(word, groups).wall_ms;
        if (i >= 0)
            list[i] = took_ms;
    }
    run_groups_close(groups);
    return median(list, rounds);
}

static void make_place(const char *from)
{
    char bin[128];
    snprintf(place, sizeof place, "/tmp/bench-sandbox-XXXXXX");
    assert(mkdtemp(place));
    snprintf(app, sizeof app, "%s/app", place);
    snprintf(work, sizeof work, "%s/work", place);
    snprintf(bin, sizeof bin, "%s/bin", app);
    snprintf(program, sizeof program, "%s/probe", bin);
    need(file_make_folders(bin, 0755));
    need(file_make_folders(work, 0755));
    need(file_copy(from, program, 0755));
}

int main(int argc, char **argv)
{
    int launches = argc > 2 ? atoi(argv[2]) : 200, runs = argc > 3 ? atoi(argv[3]) : 15;
    double launch[4], run[4];
    if (argc < 2 || launches < 1 || launches > ROUNDS_MAX || runs < 1 || runs > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_sandbox bin/dugnad-probe [LAUNCHES] [RUNS]\n");
        return 2;
    }
    make_place(argv[1]);
    compare("ok", launches, launch);
    compare("count", runs, run);
    double grouped = grouped_ms("ok", launches);
    need(file_remove_tree(place));
    printf("                      bare   sandboxed\n");
    printf("launch, ms       %9.2f   %9.2f   +%.2f (median of %d)\n", launch[0], launch[1],
           launch[1] - launch[0], launches);
    if (grouped > 0)
        printf("in a group, ms             %9.2f   +%.2f\n", grouped, grouped - launch[0]);
    printf("computing, ms    %9.1f   %9.1f   %+.2f %% (median of %d)\n", run[0], run[1],
           (run[1] / run[0] - 1) * 100, runs);
    printf("its CPU, ms      %9.1f   %9.1f   %+.2f %%\n", run[2], run[3], (run[3] / run[2] - 1) * 100);
    printf("{\"launch_bare_ms\":%.3f,\"launch_ms\":%.3f,\"launch_in_group_ms\":%.3f,\"run_bare_ms\":%.1f,"
           "\"run_ms\":%.1f,\"cpu_bare_ms\":%.1f,\"cpu_ms\":%.1f}\n",
           launch[0], launch[1], grouped, run[0], run[1], run[2], run[3]);
    return 0;
}
