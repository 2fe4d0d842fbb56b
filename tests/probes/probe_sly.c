/* probe_sly.c - ways out that misuse what an app may do: modes, links, signals, its own entries in /proc; see
 * probe.h.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int opens(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int status_of(pid_t child)
{
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child &&
           (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}
/* A session of its own is a group of the scheduler of its own: idle work would take half a core from a busy
 * user. */
static int session_own(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(setsid() >= 0);
    return status_of(child);
}
static int writes(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    int through = fd >= 0 && write(fd, text, strlen(text)) > 0;
    if (fd >= 0)
        close(fd);
    return through;
}
/* A server on the machine's own network, and a process of the same user: the caller says which. */
static int net_reach(void)
{
    const char *port = getenv("PROBE_PORT");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "22"))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}
static int signal_caller(void)
{
    const char *pid = getenv("PROBE_PID");
    return pid && kill(atoi(pid), 0) == 0;
}
static int rights_left(void)
{
    for (int cap = 0; cap < 40; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            return 1;
    return 0;
}
static int proc_autogroup(void)
{
    return writes("/proc/self/autogroup", "0");
}
static int proc_oom(void)
{
    return writes("/proc/self/oom_score_adj", "0");
}
static int proc_uid_map(void)
{
    return writes("/proc/self/uid_map", "0 0 1") || writes("/proc/self/setgroups", "allow");
}
static int proc_upwards(void)
{
    return opens("/proc/self/cwd/../../etc/passwd", O_RDONLY) ||
           opens("/proc/self/root/../etc/passwd", O_RDONLY);
}
static int proc_others(void)
{
    char path[64];
    int seen = 0;
    for (int pid = 1; pid < 5000; pid++) {
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        seen += opens(path, O_RDONLY);
    }
    return seen > 1; /* itself; the first process of its world is hidden from it */
}
static int proc_own_code(void) /* of the program, which is read-only for it */
{
    return opens("/proc/self/exe", O_RDWR);
}
static int exec_proc(void)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"true", NULL};
    execv("/proc/1/root/bin/sh", argv);
    return errno == 0;
}
static int link_passwd(void)
{
    return link("/etc/passwd", "/work/passwd") == 0 || link("/dev/null", "/work/device") == 0;
}
static int symlink_passwd(void)
{
    return symlink("/etc/passwd", "/work/passwd") == 0 && opens("/work/passwd", O_RDONLY);
}
static int rename_out(void)
{
    close(open("/work/mine", O_WRONLY | O_CREAT, 0600));
    return rename("/work/mine", "/dev/mine") == 0 || rename("/app/bin/probe", "/work/probe") == 0;
}
static int setuid_created(void)
{
    int fd = open("/work/made", O_WRONLY | O_CREAT | O_EXCL, 06755);
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID));
}
static int setuid_chmod(void)
{
    struct stat st;
    close(open("/work/changed", O_WRONLY | O_CREAT, 0755));
    return (chmod("/work/changed", 06755) == 0 || fchmodat(AT_FDCWD, "/work/changed", 02755, 0) == 0) &&
           stat("/work/changed", &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID));
}
static int dir_fd_kept(void) /* a folder kept open from before a chroot is the classic way out of one */
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    return fd >= 0 && (fchdir(fd) != 0 || chdir("../../../..") != 0 || opens("etc/passwd", O_RDONLY));
}
static int thread_affinity(void) /* pins itself to a processor that it was not given */
{
    return syscall(SYS_sched_setaffinity, 1, sizeof(unsigned long), &(unsigned long){1}) == 0;
}

const struct probe probe_sly[] = {
#define P(f)                                                                                                 \
    {                                                                                                        \
#f, f                                                                                                \
    }
    P(session_own),  P(net_reach),    P(signal_caller),   P(rights_left), P(proc_autogroup),
    P(proc_oom),     P(proc_uid_map), P(proc_upwards),    P(proc_others), P(proc_own_code),
    P(exec_proc),    P(link_passwd),  P(symlink_passwd),  P(rename_out),  P(setuid_created),
    P(setuid_chmod), P(dir_fd_kept),  P(thread_affinity),
#undef P
};
const size_t probe_sly_count = sizeof probe_sly / sizeof *probe_sly;
