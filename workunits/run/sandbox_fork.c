/* sandbox_fork.c - a copy of this process by a bare system call, see sandbox.h. The C library's fork() takes
 * the locks of its heap and streams first and gives them back in the child; a child that itself came from
 * elsewhere could wait there for ever. Ours need none of them: they make system calls only. */
#include "run/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif

pid_t sandbox_fork(int group_folder_fd)
{
    struct clone_args how = {.exit_signal = SIGCHLD};
    if (group_folder_fd >= 0) {
        how.flags = CLONE_INTO_CGROUP;
        how.cgroup = (unsigned)group_folder_fd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    /* Older kernels, and filters that cannot look into a structure; they stay the same for all processes of a
     * sandbox, so that no fork() follows a bare call. */
    bool unknown = pid < 0 && (errno == ENOSYS || errno == EPERM);
    return unknown && group_folder_fd < 0 ? fork() : pid;
}
