/* run_inner.h - what the files of run share; nobody else includes it. */
#ifndef RUN_RUN_INNER_H
#define RUN_RUN_INNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "run/run.h"

/* Sums over a process tree, read from /proc: the only way that works on every machine, with or without
 * control groups. */
struct run_tree {
    pid_t first; /* the first process of the namespace, as we see it; 0: not there (yet) */
    uint32_t tasks;
    int64_t cpu_ms;
    uint64_t memory_bytes; /* what is shared counts for each that has touched it */
    uint64_t shared_bytes; /* of them */
};
void run_tree_read(pid_t root, struct run_tree *ret);
/* What is shared, once: slow, as the kernel walks through all pages. */
uint64_t run_tree_shared(pid_t root);
/* SIGSTOP and SIGCONT to every process below the sandbox's first one; new ones that a stopped process could
 * not have started cannot appear. */
void run_tree_signal(pid_t root, int signal);
/* Its processes, root first; list has room for RUN_TREE_TASKS_MAX. */
#define RUN_TREE_TASKS_MAX 4096
size_t run_tree_list(pid_t root, pid_t *list);
/* Bytes on disk of all below a folder, without following links; stops counting beyond `enough` (0: never).
 * Each file counts as a block at least, and more folders in each other than anybody looks into count as
 * enough. */
uint64_t run_disk_use(int folder_fd, uint64_t enough);
/* Bytes on disk of files that have no name any more but that a process of the tree has open or mapped. */
uint64_t run_unnamed_use(pid_t root);
/* A control group of one run; fd -1: there is none, and all of these do nothing. */
struct run_group {
    int fd;
    char path[RUN_GROUPS_ROOM + 32];
};
void run_group_make(const char *folder, const struct run_limits *limits, bool idle, struct run_group *ret);
/* A descriptor into which a process writes "0" to be in it; -1. */
int run_group_entry(const struct run_group *g);
void run_group_freeze(const struct run_group *g, bool on);
void run_group_kill(const struct run_group *g);
int64_t run_group_cpu_ms(const struct run_group *g); /* of all that ever were in it; -1: not known */
bool run_group_ran_out(const struct run_group *g);   /* the kernel has killed for want of memory */
void run_group_drop(struct run_group *g);
/* Opens path below a folder without any symbolic link on the way; -1 and errno. */
int run_beneath(int folder_fd, const char *path, int flags, mode_t mode);
/* The same where openat2 is forbidden: step by step, and stricter, as it takes no "." and ".." at all. */
int run_walk_beneath(int folder_fd, const char *path, int flags, mode_t mode);
/* Makes all below a folder, and the folder, another user's. */
enum err run_give_away(int folder_fd, uid_t uid) NODISCARD;

#endif
