/* sandbox.c - the child's side: namespaces, a root of its own, no rights, then the program. Only system calls
 * here.
 *
 * Two processes stand between the caller and the program. The outer one leaves the caller's user and
 * namespaces; the inner one is the first process of the new process namespace: it builds the root, starts the
 * program, reaps orphans, and when the program ends it says how and exits, upon which the kernel kills
 * whatever is left of the tree. */
#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

/* Any folder that exists everywhere and below which no app or scratch folder lies: it is covered while they
 * are looked up. */
#define STAGE "/sys"

enum { NOBODY = 65534, INSIDE_UID = 1000, IOPRIO_IDLE = 3 << 13 };

static bool has(const struct sandbox_plan *p, enum sandbox_layer layer)
{
    return !(p->without & layer);
}

static _Noreturn void fail(const struct sandbox_plan *p, const char *step)
{
    struct sandbox_status s = {.stage = SANDBOX_FAILED, .number = errno};
    strncpy(s.step, step, sizeof s.step - 1);
    if (write(p->status_fd, &s, sizeof s) < 0)
        _exit(126);
    _exit(125);
}

static void write_file(const struct sandbox_plan *p, const char *path, const char *text, bool needed)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (!good && needed)
        fail(p, path);
    if (fd >= 0)
        close(fd);
}

static void be_idle(const struct sandbox_plan *p)
{
    struct sched_param none = {0};
    write_file(p, "/proc/self/autogroup", "19",
               false); /* the session's group of the scheduler: nice alone stays inside it */
    setpriority(PRIO_PROCESS, 0, 19);
    sched_setscheduler(0, SCHED_IDLE, &none);
    syscall(SYS_ioprio_set, 1, 0, IOPRIO_IDLE);
}

static void map_id(const struct sandbox_plan *p, const char *path, unsigned long outside)
{
    char line[64],
        *at = str_from_u64(INSIDE_UID, line); /* printf is not safe after a fork of a threaded process */
    *at++ = ' ';
    at = str_from_u64(outside, at);
    memcpy(at, " 1", 3);
    write_file(p, path, line, true);
}

static void bind_folder(const struct sandbox_plan *p, const char *from, const char *to, unsigned long flags)
{
    if (mkdir(to, 0755) != 0 || mount(from, to, NULL, MS_BIND, NULL) != 0)
        fail(p, to);
    if (mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | flags, NULL) != 0)
        fail(p, "remount");
}

static void bind_device(const struct sandbox_plan *p, const char *from, const char *to)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) != 0)
        fail(p, to);
    close(fd);
    (void)mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NOEXEC, NULL);
}

/* Sets up what the program will see, in a tmpfs of a few pages over STAGE that holds mount points and nothing
 * else. Root does it before it becomes nobody, because nobody may not walk to the folders; anybody else does
 * it with the rights of its own user namespace. */
static void set_stage(const struct sandbox_plan *p)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        fail(p, "private mounts");
    if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0)
        fail(p, "new root");
    if (p->app_path)
        bind_folder(p, p->app_path, STAGE "/app", MS_RDONLY);
    bind_folder(p, p->work_path, STAGE "/work", 0);
    if (mkdir(STAGE "/dev", 0755) != 0 || mkdir(STAGE "/proc", 0755) != 0 || mkdir(STAGE "/old", 0700) != 0)
        fail(p, "folders of the new root");
    bind_device(p, "/dev/null", STAGE "/dev/null");
    bind_device(p, "/dev/zero", STAGE "/dev/zero");
    bind_device(p, "/dev/urandom", STAGE "/dev/urandom");
    if (symlink("/work", STAGE "/tmp") != 0)
        fail(p, "tmp");
}

/* It may have died before the signal was asked for. */
static void die_with_caller(const struct sandbox_plan *p)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->caller)
        _exit(124);
}

static void enter_namespaces(const struct sandbox_plan *p)
{
    unsigned long uid = (unsigned long)geteuid(), gid = (unsigned long)getegid();
    if (unshare(CLONE_NEWUSER) != 0)
        fail(p, "user namespace");
    write_file(p, "/proc/self/setgroups", "deny", true);
    map_id(p, "/proc/self/uid_map", uid);
    map_id(p, "/proc/self/gid_map", gid);
    int kinds = has(p, SANDBOX_NAMESPACES) ? CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS : 0;
    if (unshare(CLONE_NEWNS | kinds) != 0)
        fail(p, "namespaces");
    if (kinds && unshare(CLONE_NEWCGROUP) != 0 && errno != EINVAL && errno != EPERM)
        fail(p, "cgroup namespace");
}

static void leave_caller(const struct sandbox_plan *p)
{
    if (setsid() < 0)
        fail(p, "new session");
    write_file(p, "/proc/self/oom_score_adj", "1000", false);
    if (p->idle)
        be_idle(p);
    if (p->as_root) {
        if (unshare(CLONE_NEWNS) != 0)
            fail(p, "mount namespace");
        if (has(p, SANDBOX_ROOT))
            set_stage(p);
        if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) != 0 ||
            syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) != 0)
            fail(p, "leave root");
    }
    prctl(PR_SET_DUMPABLE, 1); /* or /proc/self would be root's after the change of user */
    die_with_caller(p);        /* once more: forgotten with the change of user */
    if (has(p, SANDBOX_NAMESPACES) || has(p, SANDBOX_ROOT))
        enter_namespaces(p);
    if (!p->as_root && has(p, SANDBOX_ROOT))
        set_stage(p);
}

/* The stage becomes the root and everything else goes out of reach. */
static void enter_stage(const struct sandbox_plan *p)
{
    /* A mount of our own namespace on top: those that came from root's are locked in place. */
    if (mount(STAGE, STAGE, NULL, MS_BIND | MS_REC, NULL) != 0 || chdir(STAGE) != 0)
        fail(p, "stage");
    /* Before the old root goes, because the kernel allows a new proc only where a full one is visible. Some
     * containers forbid it: the program then does without. */
    (void)mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid,hidepid=2");
    if (syscall(SYS_pivot_root, ".", "old") != 0)
        fail(p, "pivot_root");
    if (umount2("/old", MNT_DETACH) != 0)
        fail(p, "leave the old root");
    if (!p->as_root)
        (void)rmdir("/old");
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
        fail(p, "read-only root");
    if (chdir("/work") != 0)
        fail(p, "working folder");
}

static void set_limit(const struct sandbox_plan *p, int what, uint64_t value)
{
    struct rlimit l = {.rlim_cur = value, .rlim_max = value}, now;
    if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < value)
        l = (struct rlimit){.rlim_cur = now.rlim_max, .rlim_max = now.rlim_max};
    if (setrlimit((__rlimit_resource_t)what, &l) != 0)
        fail(p, "resource limit");
}

/* Per process, as the second wall behind the sums that the parent watches over the whole tree. */
static void set_limits(const struct sandbox_plan *p)
{
    const struct run_limits *l = &p->limits;
    if (l->cpu_ms > 0)
        set_limit(p, RLIMIT_CPU, (uint64_t)l->cpu_ms / 1000 + 2);
    if (l->memory_bytes > 0)
        set_limit(p, RLIMIT_DATA, l->memory_bytes + l->memory_bytes / 2 + (256u << 20));
    if (l->disk_bytes > 0)
        set_limit(p, RLIMIT_FSIZE, l->disk_bytes + 4096);
    set_limit(p, RLIMIT_NOFILE, l->files ? l->files : 256);
    set_limit(p, RLIMIT_NPROC, (l->processes ? l->processes : 64) + 8);
    set_limit(p, RLIMIT_CORE, 0);
    set_limit(p, RLIMIT_MEMLOCK, 64 << 10);
    set_limit(p, RLIMIT_MSGQUEUE, 0);
}

static void drop_rights(const struct sandbox_plan *p)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    for (unsigned long cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL)
            fail(p, "bounding set");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        fail(p, "ambient set");
    if (syscall(SYS_capset, &head, none) != 0)
        fail(p, "drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail(p, "no new privileges");
}

static void keep_only_standard_files(const struct sandbox_plan *p)
{
    if (dup2(p->stdin_fd, 0) < 0 || dup2(p->stdout_fd, 1) < 0 || dup2(p->stderr_fd, 2) < 0)
        fail(p, "standard files");
    if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) !=
        0) /* the caller's too, however it opened them */
        fail(p, "close inherited files");
}

static _Noreturn void be_program(const struct sandbox_plan *p)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < 32; s++)
        signal(s, SIG_DFL);
    keep_only_standard_files(p);
    if (has(p, SANDBOX_LIMITS))
        set_limits(p);
    if (has(p, SANDBOX_RIGHTS))
        drop_rights(p);
    if (has(p, SANDBOX_LANDLOCK))
        (void)sandbox_landlock();
    /* status_fd is kept to tell of a failed exec; it is closed by exec itself, as everything else is. */
    if (has(p, SANDBOX_FILTER) && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p->filter) != 0))
        fail(p, "system call filter");
    execve(p->argv[0], (char *const *)(uintptr_t)p->argv, (char *const *)(uintptr_t)p->env);
    fail(p, "start of the program");
}

/* In the memory of its parent, which stands still meanwhile: to copy it just to throw it away with exec would
 * take longer than all that is done in between, system calls which concern the child alone. */
static __attribute__((noinline)) pid_t start_program(const struct sandbox_plan *p)
{
    pid_t program = vfork();
    if (program == 0)
        be_program(p);
    return program;
}

/* Nothing of the program is left when its end is told: who hears of it need not wait until the kernel has
 * taken the namespaces down. */
static void end_others(const struct sandbox_plan *p)
{
    if (!has(p, SANDBOX_NAMESPACES) || getpid() != 1)
        return;
    kill(-1, SIGKILL); /* all of this namespace but ourselves */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

static _Noreturn void be_first(const struct sandbox_plan *p)
{
    struct sandbox_status s = {.stage = SANDBOX_ENDED};
    struct rusage used;
    int status = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (has(p, SANDBOX_NAMESPACES) && getppid() != 0) /* the outer process is outside this namespace, so 0 is
                                                         it; anything else means it is gone */
        _exit(124);
    if (has(p, SANDBOX_ROOT))
        enter_stage(p);
    else if (chdir(p->work_path) != 0)
        fail(p, "working folder");
    pid_t program = start_program(p);
    if (program < 0)
        fail(p, "fork");
    close(p->stdin_fd);
    close(p->stdout_fd);
    close(p->stderr_fd);
    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);
        if (ended == program)
            break;
        if (ended < 0 && errno != EINTR)
            _exit(123);
    }
    end_others(p);
    getrusage(RUSAGE_CHILDREN, &used);
    s.wait_status = status;
    s.cpu_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec +
               used.ru_stime.tv_usec;
    s.memory_kb = used.ru_maxrss;
    _exit(write(p->status_fd, &s, sizeof s) == (ssize_t)sizeof s ? 0 : 122);
}

/* The sandbox's own two processes never exec: without this they would hold the caller's locks and listening
 * sockets, also for a moment after the caller's death, when its successor wants them. */
static void close_others(const struct sandbox_plan *p)
{
    int keep[] = {p->stdin_fd, p->stdout_fd, p->stderr_fd, p->status_fd};
    unsigned from = 3;
    for (;;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
            if ((unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        if (next > from && syscall(SYS_close_range, from, next == ~0u ? next : next - 1, 0) != 0)
            fail(p, "close the caller's files");
        if (next == ~0u)
            return;
        from = next + 1;
    }
}

_Noreturn void sandbox_child(const struct sandbox_plan *p)
{
    die_with_caller(p);
    if (p->group_fd >= 0 && write(p->group_fd, "0", 1) != 1)
        fail(p, "control group");
    close_others(p);
    leave_caller(p);
    pid_t first = sandbox_fork(-1);
    if (first < 0)
        fail(p, "fork");
    if (first == 0)
        be_first(p);
    close(p->status_fd);
    int status;
    while (waitpid(first, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(0);
}
