/* run_group.c - control groups of version 2, see run.h and run_inner.h: the kernel's own sums and limits,
 * where this process may make groups. A controller that is not there costs nothing but itself. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "run/run.h"
#include "run/run_inner.h"

#define WORK_NAME   "dugnad-work-"
#define DAEMON_NAME "dugnad-daemon"

enum { LINE_ROOM = 4096, CPU_PERIOD_US = 100000, TASKS_SPARE = 8, CLOSE_TRIES = 200, CLOSE_PAUSE_MS = 5 };

static bool write_at(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool write_number(int folder, const char *name, uint64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return write_at(folder, name, text);
}

/* "NAME VALUE" in a file of several; -1: not there. */
static int64_t read_value(int folder, const char *file, const char *name)
{
    char text[2048];
    size_t len = strlen(name);
    int fd = openat(folder, file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return -1;
    text[got] = 0;
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) == 0 && at[len] == ' ')
            return strtoll(at + len, NULL, 10);
    }
    return -1;
}

/* --- the folder of this process's own group */

/* "0::/user.slice/..." */
static bool own_group(char ret[LINE_ROOM])
{
    char line[LINE_ROOM];
    bool found = false;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(ret, LINE_ROOM, "%s", line + 3);
        found = true;
    }
    if (f)
        fclose(f);
    return found;
}

/* "36 35 0:30 ROOT POINT OPTIONS ... - cgroup2 ..." */
static bool mount_point(char root[LINE_ROOM], char point[LINE_ROOM])
{
    char line[LINE_ROOM];
    bool found = false;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, " - cgroup2 ") && sscanf(line, "%*d %*d %*s %4095s %4095s", root, point) == 2;
    if (f)
        fclose(f);
    return found;
}

/* systemd marks what it leaves to others; without it whoever may write may. */
static bool is_delegated(const char *folder)
{
    char mark = 0;
    if (access("/run/systemd/system", F_OK) != 0)
        return true;
    return (getxattr(folder, "user.delegate", &mark, 1) == 1 ||
            getxattr(folder, "trusted.delegate", &mark, 1) == 1) &&
           mark == '1';
}

enum err run_groups_find(char ret[RUN_GROUPS_ROOM])
{
    char own[LINE_ROOM], root[LINE_ROOM], point[LINE_ROOM];
    if (!own_group(own) || !mount_point(root, point))
        return err_set(ERR_UNSUPPORTED, "this system has no control groups of version 2");
    const char *below = strcmp(root, "/") != 0 && str_starts(own, root) ? own + strlen(root) : own;
    int n = snprintf(ret, RUN_GROUPS_ROOM, "%s%s", point, strcmp(below, "/") == 0 ? "" : below);
    if (n < 0 || n >= RUN_GROUPS_ROOM)
        return err_set(ERR_UNSUPPORTED, "the path of the control group is too long");
    if (access(ret, W_OK) != 0 || !is_delegated(ret))
        return err_set(ERR_UNSUPPORTED,
                       "the control group %s is not this program's: start it as a service with Delegate=yes",
                       ret);
    return ERR_OK;
}

static void share_controllers(int folder)
{
    static const char *const names[] = {"+cpu", "+memory", "+pids"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)write_at(folder, "cgroup.subtree_control", names[i]);
}

static bool is_alive(const char *process)
{
    uint64_t id;
    return str_to_u64(process, INT32_MAX, &id) == ERR_OK && id > 0 && (pid_t)id != getpid() &&
           (kill((pid_t)id, 0) == 0 || errno == EPERM);
}

/* Groups of runs; those in use refuse. With a prefix: what daemons that are gone have left, named by their
 * process. */
static void remove_groups(const char *folder, const char *prefix)
{
    char path[RUN_GROUPS_ROOM + 300];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !str_starts(e->d_name, prefix))
            continue;
        if (*prefix && is_alive(e->d_name + strlen(prefix)))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (rmdir(path) != 0 && errno == EBUSY && *prefix) {
            remove_groups(path, "");
            (void)rmdir(path);
        }
    }
    if (d)
        closedir(d);
}

enum err run_groups_open(char ret[RUN_GROUPS_ROOM])
{
    char own[RUN_GROUPS_ROOM], root[LINE_ROOM];
    enum err e = run_groups_find(own);
    if (e != ERR_OK)
        return e;
    remove_groups(own, WORK_NAME);
    int folder = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_set_errno(ERR_UNSUPPORTED, "cannot open the control group %s", own);
    /* A group with processes of its own can limit none below it, but for the first of all. */
    if (own_group(root) && strcmp(root, "/") != 0) {
        (void)mkdirat(folder, DAEMON_NAME, 0755);
        (void)write_at(folder, DAEMON_NAME "/cgroup.procs", "0");
    }
    share_controllers(folder);
    int n = snprintf(ret, RUN_GROUPS_ROOM, "%s/" WORK_NAME "%d", own, (int)getpid());
    if (n < 0 || n >= RUN_GROUPS_ROOM || (mkdir(ret, 0755) != 0 && errno != EEXIST))
        e = err_set_errno(ERR_UNSUPPORTED, "cannot make a control group below %s", own);
    close(folder);
    folder = e == ERR_OK ? open(ret, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        share_controllers(folder);
        close(folder);
    }
    return e;
}

/* What was killed leaves its group a moment after its end was told. */
void run_groups_close(const char *folder)
{
    for (int i = 0; i < CLOSE_TRIES; i++) {
        remove_groups(folder, "");
        if (rmdir(folder) == 0 || errno != EBUSY)
            return;
        clock_sleep_ms(CLOSE_PAUSE_MS);
    }
}

bool run_groups_cpu(const char *folder, double cores)
{
    char text[64] = "max";
    int fd = *folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    if (cores > 0)
        snprintf(text, sizeof text, "%.0f %d", cores * CPU_PERIOD_US, CPU_PERIOD_US);
    bool good = write_at(fd, "cpu.max", text);
    close(fd);
    return good;
}

/* --- one run's */

void run_group_make(const char *folder, const struct run_limits *l, bool idle, struct run_group *ret)
{
    static unsigned made;
    *ret = (struct run_group){.fd = -1};
    if (!folder || !*folder)
        return;
    snprintf(ret->path, sizeof ret->path, "%s/run-%u", folder, ++made);
    if (mkdir(ret->path, 0755) != 0)
        return;
    ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->fd < 0)
        return;
    if (l->memory_bytes && write_number(ret->fd, "memory.max", l->memory_bytes))
        (void)write_at(ret->fd, "memory.oom.group", "1");
    (void)write_number(ret->fd, "pids.max", (l->processes ? l->processes : 64) + TASKS_SPARE);
    if (idle)
        (void)write_at(ret->fd, "cpu.idle", "1");
}

int run_group_entry(const struct run_group *g)
{
    return g->fd >= 0 ? openat(g->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC) : -1;
}

void run_group_freeze(const struct run_group *g, bool on)
{
    if (g->fd >= 0)
        (void)write_at(g->fd, "cgroup.freeze", on ? "1" : "0");
}

void run_group_kill(const struct run_group *g)
{
    if (g->fd >= 0)
        (void)write_at(g->fd, "cgroup.kill", "1");
}

int64_t run_group_cpu_ms(const struct run_group *g)
{
    int64_t us = g->fd >= 0 ? read_value(g->fd, "cpu.stat", "usage_usec") : -1;
    return us < 0 ? -1 : us / 1000;
}

bool run_group_ran_out(const struct run_group *g)
{
    return g->fd >= 0 && read_value(g->fd, "memory.events", "oom_kill") > 0;
}

void run_group_drop(struct run_group *g)
{
    if (g->fd < 0)
        return;
    close(g->fd);
    g->fd = -1;
    (void)rmdir(g->path);
}
