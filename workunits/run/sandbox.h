/* sandbox.h - what run.c and the files of the sandbox share. Everything that the child does between fork and
 * exec is prepared here by the parent, because the parent may have threads and the child may then only make
 * system calls. */
#ifndef RUN_SANDBOX_H
#define RUN_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "run/run.h"

/* Every layer is there always; the tests leave some out, to see that each of the others holds alone. */
enum sandbox_layer {
    SANDBOX_NAMESPACES = 1, /* processes, network, IPC, names */
    SANDBOX_ROOT = 2,       /* a root of its own */
    SANDBOX_LIMITS = 4,
    SANDBOX_RIGHTS = 8, /* no capabilities, and no new ones */
    SANDBOX_LANDLOCK = 16,
    SANDBOX_FILTER = 32
};

struct sandbox_plan {
    uint32_t without;                 /* of enum sandbox_layer; 0: nothing, as it has to be */
    pid_t caller;                     /* who dies, takes the sandbox along */
    const char *app_path, *work_path; /* absolute; app_path NULL: none */
    int stdin_fd, stdout_fd, stderr_fd;
    int group_fd;  /* what is written there is in the run's control group; -1: there is none */
    int status_fd; /* struct sandbox_status is written here by the namespace's first process */
    const char *const *argv, *const *env;
    struct run_limits limits;
    bool idle, as_root;
    struct sock_fprog filter; /* seccomp */
};

/* How the launch went and how the program ended, in one write each. */
enum sandbox_stage { SANDBOX_FAILED, SANDBOX_ENDED };
struct sandbox_status {
    uint32_t stage;
    int32_t wait_status; /* ENDED: as waitpid() gives it */
    int32_t number;      /* FAILED: errno */
    char step[48];       /* FAILED: what could not be done */
    int64_t cpu_us;      /* of all that ended */
    int64_t memory_kb;
};

/* Runs in a fresh child of the caller and never returns. */
_Noreturn void sandbox_child(const struct sandbox_plan *plan);

/* A copy of this process that may make system calls only. With the folder of a control group it is in that
 * group from its first moment: to be moved there means to wait for all processors to have been idle or
 * switched once, which takes milliseconds. Where the kernel cannot do that: -1, and the child has to move
 * itself (group_fd of the plan). */
pid_t sandbox_fork(int group_folder_fd);

/* The system call filter, made once per process; valid for its lifetime. ERR_UNSUPPORTED without seccomp. */
enum err sandbox_filter(struct sock_fprog *ret) NODISCARD;
/* Restricts files by Landlock to /app (read, execute), /work (read, write), /dev, /proc (read); best effort,
 * false when the kernel has none. Called in the child after the new root is in place. */
bool sandbox_landlock(void);
int sandbox_landlock_abi(void);

#endif
