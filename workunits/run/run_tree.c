/* run_tree.c - a process tree as /proc shows it, see run_inner.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/run_inner.h"

static size_t read_proc(pid_t pid, const char *name, char *to, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len + 1 < room; len += (size_t)got) {
        got = read(fd, to + len, room - 1 - len);
        if (got < 0)
            got = 0;
    }
    close(fd);
    to[len] = 0;
    return len;
}

/* Fields of /proc/PID/stat after the command's name (proc(5)): 12 utime, 13 stime, 14 cutime, 15 cstime, 18
 * threads, from 1 = state. */
static bool add_stat(pid_t pid, struct run_tree *t)
{
    char text[1024];
    unsigned long long utime, stime;
    long long cutime, cstime;
    unsigned threads;
    if (read_proc(pid, "stat", text, sizeof text) == 0)
        return false;
    const char *at = strrchr(text, ')');
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %u",
                      &utime, &stime, &cutime, &cstime, &threads) != 5)
        return false;
    t->tasks += threads;
    t->cpu_ms +=
        (int64_t)(utime + stime + (unsigned long long)(cutime + cstime)) * 1000 / sysconf(_SC_CLK_TCK);
    return true;
}

/* "Name:   123 kB" of a file of /proc, in bytes; 0: not there. */
static uint64_t value_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? (uint64_t)strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

/* Pages of files are the files', below the disk limit. Memory that processes share without a file is in none
 * of the limits per process: it counts here, for each that has touched it. */
static void add_memory(pid_t pid, struct run_tree *t)
{
    char text[4096];
    if (read_proc(pid, "status", text, sizeof text) == 0)
        return;
    uint64_t shared = value_of(text, "\nRssShmem:");
    t->memory_bytes += value_of(text, "\nRssAnon:") + value_of(text, "\nVmSwap:") + shared;
    t->shared_bytes += shared;
}

size_t run_tree_list(pid_t root, pid_t *list)
{
    size_t count = 1;
    char text[32768];
    list[0] = root;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "task/%d/children", (int)list[i]);
        if (read_proc(list[i], name, text, sizeof text) == 0)
            continue;
        for (char *at = text, *end; count < RUN_TREE_TASKS_MAX; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            list[count++] = (pid_t)pid;
        }
    }
    return count;
}

void run_tree_read(pid_t root, struct run_tree *ret)
{
    pid_t *list = malloc(RUN_TREE_TASKS_MAX * sizeof *list);
    *ret = (struct run_tree){0};
    if (!list)
        return;
    size_t count = run_tree_list(root, list);
    ret->first = count > 1 ? list[1] : 0;
    for (size_t i = 0; i < count; i++)
        if (add_stat(list[i], ret) && i > 1)
            add_memory(list[i], ret);
    free(list);
}

uint64_t run_tree_shared(pid_t root)
{
    uint64_t bytes = 0;
    char text[4096];
    pid_t *list = malloc(RUN_TREE_TASKS_MAX * sizeof *list);
    size_t count = list ? run_tree_list(root, list) : 0;
    for (size_t i = 2; i < count; i++)
        if (read_proc(list[i], "smaps_rollup", text, sizeof text))
            bytes += value_of(text, "\nPss_Shmem:");
    free(list);
    return bytes;
}

void run_tree_signal(pid_t root, int signal)
{
    pid_t *list = malloc(RUN_TREE_TASKS_MAX * sizeof *list);
    if (!list)
        return;
    /* Twice, because a process that was not stopped yet may have forked meanwhile. The sandbox's own two stay
     * awake to notice the end. */
    for (int round = 0; round < 2; round++) {
        size_t count = run_tree_list(root, list);
        for (size_t i = 2; i < count; i++)
            kill(list[i], signal);
    }
    free(list);
}
