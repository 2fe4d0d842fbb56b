/* run.c - the caller's side: start, watch, stop; see run.h. */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/run_inner.h"
#include "run/sandbox.h"

enum {
    NOBODY = 65534,
    STDERR_BYTES_DEFAULT = 2048,
    POLL_FAST_MS = 50,
    POLL_SLOW_MS = 500,
    DISK_EVERY_MS = 1000,
    DISK_PAUSE = 10, /* times what a look took */
    DISK_PAUSE_MS_MAX = 5000
};

struct run {
    pid_t pid; /* the outer process of the sandbox */
    int pidfd;
    int status_fd, stderr_fd, work_fd;
    struct run_group group;
    struct sandbox_status status; /* the first word of the sandbox: an end may follow a failed launch */
    bool said, silent;            /* it is there; it will never come */
    struct run_limits limits;
    struct run_usage usage;
    int64_t started_ms, last_ms, disk_due_ms;
    bool paused, killed, ended;
    enum run_end why; /* RUN_ENDS: not stopped by us */
    char stderr_ring[8192];
    size_t stderr_max, stderr_len;
};

static const char *const end_names[RUN_ENDS] = {
    [RUN_END_OK] = "ok",
    [RUN_END_EXIT] = "exit",
    [RUN_END_SIGNAL] = "signal",
    [RUN_END_CPU_TIME] = "cpu_time",
    [RUN_END_WALL_TIME] = "wall_time",
    [RUN_END_MEMORY] = "memory",
    [RUN_END_DISK] = "disk",
    [RUN_END_PROCESSES] = "processes",
    [RUN_END_STOPPED] = "returned",
    [RUN_END_LAUNCH] = "launch",
};

const char *run_end_name(enum run_end e)
{
    return end_names[e];
}

/* Everything that start has opened, so that one function closes it whatever fails. */
struct opened {
    int work, in, out, err_read, err_write, status_read, status_write;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(struct opened *o)
{
    int *const fds[] = {&o->work,      &o->in,          &o->out,         &o->err_read,
                        &o->err_write, &o->status_read, &o->status_write};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close_fd(fds[i]);
}

static enum err open_pipes(struct opened *o)
{
    int p[2], q[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return err_set_errno(ERR_IO, "cannot make a pipe");
    o->err_read = p[0];
    o->err_write = p[1];
    if (pipe2(q, O_CLOEXEC) != 0)
        return err_set_errno(ERR_IO, "cannot make a pipe");
    o->status_read = q[0];
    o->status_write = q[1];
    fcntl(o->err_read, F_SETFL, O_NONBLOCK);
    fcntl(o->status_read, F_SETFL, O_NONBLOCK);
    return ERR_OK;
}

static enum err open_standard(const struct run_spec *s, struct opened *o)
{
    o->in = s->stdin_path ? run_beneath(o->work, s->stdin_path, O_RDONLY, 0)
                          : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (o->in < 0)
        return err_set_errno(ERR_IO, "cannot open the program's input %s",
                             s->stdin_path ? s->stdin_path : "/dev/null");
    o->out = s->stdout_path ? run_beneath(o->work, s->stdout_path, O_WRONLY | O_CREAT | O_TRUNC, 0644)
                            : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (o->out < 0)
        return err_set_errno(ERR_IO, "cannot open the program's output %s",
                             s->stdout_path ? s->stdout_path : "/dev/null");
    return ERR_OK;
}

static enum err open_files(const struct run_spec *s, struct opened *o)
{
    *o = (struct opened){-1, -1, -1, -1, -1, -1, -1};
    o->work = open(s->work_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->work < 0)
        return err_set_errno(ERR_IO, "cannot open the scratch folder %s", s->work_folder);
    enum err e = open_standard(s, o);
    if (e == ERR_OK && geteuid() == 0)
        e = run_give_away(o->work, NOBODY);
    return e == ERR_OK ? open_pipes(o) : e;
}

struct words {
    char program[600];
    char app[PATH_MAX], work[PATH_MAX];
    const char *argv[RUN_ARGS_MAX + 1];
    const char *env[RUN_ENV_MAX + 8];
};

static enum err make_words(const struct run_spec *s, struct words *w)
{
    size_t n = 0;
    if (!s->argv || !s->argv[0])
        return err_set(ERR_INVALID, "there is no program to run");
    if (s->app_folder && !realpath(s->app_folder, w->app))
        return err_set_errno(ERR_IO, "cannot find the app's folder %s", s->app_folder);
    if (!realpath(s->work_folder, w->work))
        return err_set_errno(ERR_IO, "cannot find the scratch folder %s", s->work_folder);
    for (; s->argv[n]; n++) {
        if (n == RUN_ARGS_MAX)
            return err_set(ERR_LIMIT, "more than %d words on the command line", RUN_ARGS_MAX);
        w->argv[n] = s->argv[n];
    }
    w->argv[n] = NULL;
    snprintf(w->program, sizeof w->program, "%s%s", s->argv[0][0] == '/' ? "" : "/app/", s->argv[0]);
    w->argv[0] = w->program;
    static const char *const fixed[] = {"PATH=/app/bin:/app", "HOME=/work", "TMPDIR=/work", "LANG=C.UTF-8",
                                        "USER=dugnad"};
    size_t m = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        w->env[m++] = fixed[i];
    for (size_t i = 0; s->env && s->env[i]; i++) {
        if (i == RUN_ENV_MAX)
            return err_set(ERR_LIMIT, "more than %d environment variables", RUN_ENV_MAX);
        w->env[m++] = s->env[i];
    }
    w->env[m] = NULL;
    return ERR_OK;
}

static struct run *make_run(const struct run_spec *s, struct opened *o, pid_t pid, int64_t now_ms)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->pid = pid;
    r->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r->status_fd = o->status_read;
    r->stderr_fd = o->err_read;
    r->work_fd = o->work;
    o->status_read = o->err_read = o->work = -1;
    r->limits = s->limits;
    r->started_ms = r->last_ms = r->disk_due_ms = now_ms;
    r->why = RUN_ENDS;
    r->stderr_max = s->stderr_bytes_max ? s->stderr_bytes_max : STDERR_BYTES_DEFAULT;
    if (r->stderr_max >= sizeof r->stderr_ring)
        r->stderr_max = sizeof r->stderr_ring - 1;
    return r;
}

static pid_t start_child(struct sandbox_plan *plan, const struct run_group *group)
{
    plan->group_fd = -1;
    pid_t pid = sandbox_fork(group->fd);
    if (pid < 0 && group->fd >= 0) {
        plan->group_fd = run_group_entry(group);
        pid = sandbox_fork(-1);
    }
    if (pid == 0)
        sandbox_child(plan);
    close_fd(&plan->group_fd);
    return pid;
}

enum err run_start(const struct run_spec *s, int64_t now_ms, struct run **ret_run)
{
    struct opened o;
    struct words w;
    struct sandbox_plan plan = {.limits = s->limits, .idle = s->idle, .as_root = geteuid() == 0};
    enum err e = sandbox_filter(&plan.filter);
    if (e == ERR_OK)
        e = make_words(s, &w);
    if (e != ERR_OK)
        return e;
    e = open_files(s, &o);
    if (e != ERR_OK) {
        close_all(&o);
        return e;
    }
    plan.caller = getpid();
    plan.app_path = s->app_folder ? w.app : NULL;
    plan.work_path = w.work;
    plan.stdin_fd = o.in;
    plan.stdout_fd = o.out;
    plan.stderr_fd = o.err_write;
    plan.status_fd = o.status_write;
    plan.argv = w.argv;
    plan.env = w.env;
    struct run_group group;
    run_group_make(s->groups, &s->limits, s->idle, &group);
    pid_t pid = start_child(&plan, &group);
    struct run *r = pid > 0 ? make_run(s, &o, pid, now_ms) : NULL;
    if (r)
        r->group = group;
    if (!r)
        e = pid < 0 ? err_set_errno(ERR_IO, "cannot start a process") : err_set(ERR_NOMEM, "out of memory");
    if (!r && pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (!r)
        run_group_drop(&group);
    close_all(&o);
    if (r)
        *ret_run = r;
    return e;
}

static void read_stderr(struct run *r)
{
    char piece[4096];
    for (int rounds = 0; rounds < 64;
         rounds++) { /* a program that never stops talking must not keep us here */
        ssize_t got = read(r->stderr_fd, piece, sizeof piece);
        if (got <= 0)
            return;
        size_t len = (size_t)got > r->stderr_max ? r->stderr_max : (size_t)got;
        size_t keep = r->stderr_len + len > r->stderr_max ? r->stderr_max - len : r->stderr_len;
        memmove(r->stderr_ring, r->stderr_ring + r->stderr_len - keep, keep);
        memcpy(r->stderr_ring + keep, piece + (size_t)got - len, len);
        r->stderr_len = keep + len;
    }
}

static void kill_tree(struct run *r)
{
    struct run_tree tree;
    if (r->killed)
        return;
    r->killed = true;
    run_tree_read(r->pid, &tree);
    if (tree.first > 0)
        kill(tree.first, SIGKILL); /* the first process of the namespace takes all others with it */
    kill(r->pid, SIGKILL);
    run_group_kill(&r->group);
}

static void stop_for(struct run *r, enum run_end why)
{
    if (r->why == RUN_ENDS)
        r->why = why;
    kill_tree(r);
}

static void check_limits(struct run *r, const struct run_tree *tree)
{
    const struct run_limits *l = &r->limits;
    const struct run_usage *u = &r->usage;
    if (l->memory_bytes && u->memory_bytes > l->memory_bytes)
        stop_for(r, RUN_END_MEMORY);
    else if (l->cpu_ms && u->cpu_ms > l->cpu_ms)
        stop_for(r, RUN_END_CPU_TIME);
    else if (l->wall_ms && u->wall_ms > l->wall_ms)
        stop_for(r, RUN_END_WALL_TIME);
    else if (l->disk_bytes && u->disk_bytes > l->disk_bytes)
        stop_for(r, RUN_END_DISK);
    else if (tree->tasks > (l->processes ? l->processes : 64) + 2) /* the sandbox's own two */
        stop_for(r, RUN_END_PROCESSES);
}

static void sample(struct run *r, int64_t now_ms)
{
    struct run_tree tree;
    run_tree_read(r->pid, &tree);
    int64_t group_cpu_ms = run_group_cpu_ms(&r->group); /* children that nobody waited for, too */
    if (group_cpu_ms > tree.cpu_ms)
        tree.cpu_ms = group_cpu_ms;
    if (tree.cpu_ms > r->usage.cpu_ms)
        r->usage.cpu_ms = tree.cpu_ms;
    if (tree.shared_bytes && r->limits.memory_bytes && tree.memory_bytes > r->limits.memory_bytes)
        tree.memory_bytes += run_tree_shared(r->pid) - tree.shared_bytes; /* before it is killed for it */
    r->usage.memory_bytes = tree.memory_bytes;
    r->usage.processes = tree.tasks;
    if (tree.memory_bytes > r->usage.memory_bytes_max)
        r->usage.memory_bytes_max = tree.memory_bytes;
    if (now_ms >= r->disk_due_ms) {
        int64_t began_ms = clock_mono_ms();
        r->usage.disk_bytes = run_disk_use(r->work_fd, r->limits.disk_bytes) + run_unnamed_use(r->pid);
        /* a program with a hundred thousand files must not keep us busy */
        int64_t pause_ms = DISK_PAUSE * (clock_mono_ms() - began_ms);
        r->disk_due_ms =
            now_ms + DISK_EVERY_MS + (pause_ms < DISK_PAUSE_MS_MAX ? pause_ms : DISK_PAUSE_MS_MAX);
    }
    check_limits(r, &tree);
}

static void read_status(struct run *r)
{
    if (r->said || r->silent)
        return;
    ssize_t got = read(r->status_fd, &r->status, sizeof r->status);
    r->said = got == (ssize_t)sizeof r->status;
    r->silent = got == 0;
}

/* When the sandbox tells of the end, all but its own two processes are gone; their own end takes a while
 * longer. Killed, they say nothing, and then theirs counts. */
static bool has_ended(struct run *r)
{
    siginfo_t info = {0};
    read_status(r);
    if (r->said && r->status.stage == SANDBOX_ENDED)
        return true;
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == r->pid;
}

void run_poll(struct run *r, int64_t now_ms, bool *ret_ended)
{
    if (!r->paused && now_ms > r->last_ms)
        r->usage.wall_ms += now_ms - r->last_ms;
    r->last_ms = now_ms;
    read_stderr(r);
    r->ended = r->ended || has_ended(r);
    if (!r->ended && !r->paused)
        sample(r, now_ms);
    else if (!r->ended) /* one that was being made when the others stopped would run on */
        run_tree_signal(r->pid, SIGSTOP);
    *ret_ended = r->ended;
}

int64_t run_poll_ms(const struct run *r)
{
    return r->usage.wall_ms < 2000 ? POLL_FAST_MS : POLL_SLOW_MS;
}

int run_fd(const struct run *r)
{
    return r->said || r->silent ? r->pidfd : r->status_fd;
}

const struct run_usage *run_usage(const struct run *r)
{
    return &r->usage;
}

void run_pause(struct run *r, int64_t now_ms)
{
    bool ended;
    if (r->paused)
        return;
    run_poll(r, now_ms, &ended);
    if (ended) /* its sandbox is on its way out */
        return;
    run_tree_signal(r->pid, SIGSTOP);
    run_group_freeze(&r->group, true);
    r->paused = true;
}

void run_resume(struct run *r, int64_t now_ms)
{
    if (!r->paused)
        return;
    r->last_ms = now_ms;
    r->paused = false;
    run_group_freeze(&r->group, false);
    run_tree_signal(r->pid, SIGCONT);
}

bool run_is_paused(const struct run *r)
{
    return r->paused;
}

void run_stop(struct run *r)
{
    stop_for(r, RUN_END_STOPPED);
}

static void limit_message(const struct run *r, struct run_outcome *o)
{
    const struct run_limits *l = &r->limits;
    const double mib = 1024 * 1024;
    if (o->end == RUN_END_CPU_TIME)
        snprintf(o->message, sizeof o->message, "used more CPU time than its limit of %.1f s",
                 (double)l->cpu_ms / 1000);
    else if (o->end == RUN_END_WALL_TIME)
        snprintf(o->message, sizeof o->message, "ran longer than its limit of %.1f s",
                 (double)l->wall_ms / 1000);
    else if (o->end == RUN_END_MEMORY)
        snprintf(o->message, sizeof o->message, "used %.0f MiB of memory, more than its limit of %.0f MiB",
                 (double)r->usage.memory_bytes_max / mib, (double)l->memory_bytes / mib);
    else if (o->end == RUN_END_DISK)
        snprintf(o->message, sizeof o->message, "wrote more than its disk limit of %.0f MiB",
                 (double)l->disk_bytes / mib);
    else if (o->end == RUN_END_PROCESSES)
        snprintf(o->message, sizeof o->message, "started more than its limit of %u processes and threads",
                 l->processes ? l->processes : 64);
    else if (o->end == RUN_END_STOPPED)
        snprintf(o->message, sizeof o->message, "was stopped");
}

/* A limit that the kernel enforces per process shows as a signal or as a failed call: name it where it is
 * certain. */
static enum run_end end_by_signal(const struct run *r, int signal)
{
    if (signal == SIGXCPU)
        return RUN_END_CPU_TIME;
    if (signal == SIGXFSZ)
        return RUN_END_DISK;
    if (signal == SIGKILL && run_group_ran_out(&r->group))
        return RUN_END_MEMORY;
    if (signal == SIGKILL && r->limits.cpu_ms && r->usage.cpu_ms >= r->limits.cpu_ms)
        return RUN_END_CPU_TIME;
    return RUN_END_SIGNAL;
}

static void judge_end(const struct run *r, struct run_outcome *o)
{
    const struct sandbox_status *s = &r->status;
    if (r->said && s->stage == SANDBOX_FAILED) {
        o->end = RUN_END_LAUNCH;
        snprintf(o->message, sizeof o->message, "could not be started: %.47s: %s", s->step,
                 strerror(s->number));
    } else if (r->why != RUN_ENDS) {
        o->end = r->why;
    } else if (!r->said) {
        o->end = RUN_END_SIGNAL;
        o->signal = SIGKILL;
        snprintf(o->message, sizeof o->message, "was killed from outside, perhaps because memory ran out");
    } else if (WIFSIGNALED(s->wait_status)) {
        o->signal = WTERMSIG(s->wait_status);
        o->end = end_by_signal(r, o->signal);
        snprintf(o->message, sizeof o->message, "was ended by signal %d (%s)", o->signal,
                 strsignal(o->signal));
    } else {
        o->exit_code = WEXITSTATUS(s->wait_status);
        o->end = o->exit_code == 0 ? RUN_END_OK : RUN_END_EXIT;
        if (o->exit_code != 0)
            snprintf(o->message, sizeof o->message, "ended with exit status %d", o->exit_code);
    }
    limit_message(r, o);
}

void run_take_outcome(struct run *r, struct run_outcome *o)
{
    const struct sandbox_status *s = &r->status;
    read_stderr(r);
    read_status(r);
    *o = (struct run_outcome){0};
    if (r->said && s->stage == SANDBOX_ENDED) {
        if (s->cpu_us / 1000 > r->usage.cpu_ms)
            r->usage.cpu_ms = s->cpu_us / 1000;
        if ((uint64_t)s->memory_kb * 1024 > r->usage.memory_bytes_max)
            r->usage.memory_bytes_max = (uint64_t)s->memory_kb * 1024;
        if (r->usage.wall_ms == 0) /* which says that it is not known */
            r->usage.wall_ms = 1;
    }
    r->usage.disk_bytes = run_disk_use(r->work_fd, r->limits.disk_bytes);
    judge_end(r, o);
    if (o->end == RUN_END_OK && r->limits.disk_bytes && r->usage.disk_bytes > r->limits.disk_bytes) {
        o->end = RUN_END_DISK;
        limit_message(r, o);
    }
    o->usage = r->usage;
    for (size_t i = 0; i < r->stderr_len; i++)
        o->stderr_tail[i] = r->stderr_ring[i] ? r->stderr_ring[i] : ' ';
}

void run_finish(struct run *r, struct run_outcome *ret)
{
    if (!r)
        return;
    bool stops = !r->ended && !has_ended(r);
    if (stops)
        stop_for(r, RUN_END_STOPPED);
    if (stops || r->paused) { /* also when it had ended just before all of its group stood still */
        run_group_freeze(&r->group, false);
        run_tree_signal(r->pid, SIGCONT);
    }
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (ret)
        run_take_outcome(r, ret);
    close_fd(&r->pidfd);
    close_fd(&r->status_fd);
    close_fd(&r->stderr_fd);
    close_fd(&r->work_fd);
    run_group_drop(&r->group);
    free(r);
}
