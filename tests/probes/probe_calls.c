/* probe_calls.c - system calls that no app may make; see probe.h. Their arguments are such that each would
 * work or complain of something else where it was let through. */
#include "probe.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of kernels newer than the headers. */
enum {
    NR_PIDFD_SEND_SIGNAL = 424,
    NR_IO_URING_ENTER = 426,
    NR_IO_URING_REGISTER = 427,
    NR_OPEN_TREE = 428,
    NR_MOVE_MOUNT = 429,
    NR_FSPICK = 433,
    NR_PIDFD_GETFD = 438,
    NR_PROCESS_MADVISE = 440,
    NR_MOUNT_SETATTR = 442,
    NR_QUOTACTL_FD = 443,
    NR_MEMFD_SECRET = 447,
    NR_PROCESS_MRELEASE = 448,
    NR_SET_MEMPOLICY_HOME_NODE = 450
};

#define WORK ((long)"/work")
#define MINE ((long)bytes)
static char bytes[4096];
static const int realtime_attr[12] = {48, 0, 1 /* SCHED_FIFO */, 0, 0, 0, 10, 0, 0, 0, 0, 0};

const struct probe_call probe_calls[] = {
    /* other kinds of sockets: each is a driver of its own to attack */
    {"net_alg", SYS_socket, {38, SOCK_SEQPACKET}},
    {"net_key", SYS_socket, {15, SOCK_RAW, 2}},
    {"net_bluetooth", SYS_socket, {31, SOCK_RAW, 1}},
    {"net_can", SYS_socket, {29, SOCK_RAW, 1}},
    {"net_xdp", SYS_socket, {44, SOCK_RAW}},
    {"net_tipc", SYS_socket, {30, SOCK_SEQPACKET}},
    {"net_sctp", SYS_socket, {AF_INET, SOCK_SEQPACKET, 132}},
    {"net_icmp", SYS_socket, {AF_INET, SOCK_DGRAM, 1}},
    /* other processes */
    {"pidfd_signal", NR_PIDFD_SEND_SIGNAL, {-1, 9, 0, 0}},
    {"pidfd_getfd", NR_PIDFD_GETFD, {-1, 0, 0}},
    {"vm_write", SYS_process_vm_writev, {1, MINE, 0, MINE, 0, 0}},
    {"vm_advise", NR_PROCESS_MADVISE, {-1, 0, 0, 4, 0}},
    {"vm_release", NR_PROCESS_MRELEASE, {-1, 0}},
    {"compare_processes", SYS_kcmp, {1, 1, 0, 0, 0}},
    {"move_pages", SYS_move_pages, {0, 0, 0, 0, 0, 0}},
    {"migrate_pages", SYS_migrate_pages, {0, 0, 0, 0}},
    {"queue_message", SYS_mq_open, {(long)"q", O_RDWR | O_CREAT, 0600, 0}},
    {"sysv_semaphore", SYS_semget, {1234, 1, 01600}},
    {"sysv_message", SYS_msgget, {1234, 01600}},
    /* the kernel's larger surfaces */
    {"keyring_request", SYS_request_key, {(long)"user", (long)"x", 0, -3}},
    {"io_uring_enter", NR_IO_URING_ENTER, {-1, 0, 0, 0, 0, 0}},
    {"io_uring_register", NR_IO_URING_REGISTER, {-1, 0, 0, 0}},
    {"aio_setup", SYS_io_setup, {1, MINE}},
    {"fanotify", SYS_fanotify_init, {0, O_RDONLY}},
    {"seccomp_listener", SYS_seccomp, {1, 8, MINE}},
    {"landlock_more", 444, {MINE, 8, 0}},
    {"memfd", SYS_memfd_create, {(long)"x", 0}},
    {"memfd_secret", NR_MEMFD_SECRET, {0}},
    {"remap_pages", SYS_remap_file_pages, {0, 0, 0, 0, 0}},
    {"vmsplice", SYS_vmsplice, {1, MINE, 0, 0}},
    {"memory_policy", SYS_set_mempolicy, {0, 0, 0}},
    {"memory_bind", SYS_mbind, {MINE, 0, 0, 0, 0, 0}},
    {"memory_home", NR_SET_MEMPOLICY_HOME_NODE, {MINE, 0, 0, 0}},
    {"personality", SYS_personality, {0x0400000}}, /* READ_IMPLIES_EXEC */
    {"kernel_log", SYS_syslog, {3, MINE, 100}},
    {"descriptor_table", SYS_modify_ldt, {0, MINE, 100}},
    {"ports", SYS_iopl, {3}},
    {"ports_some", SYS_ioperm, {0x80, 1, 1}},
    {"accounting", SYS_acct, {WORK}},
    {"hang_up", SYS_vhangup, {0}},
    {"load_library", SYS_uselib, {WORK}},
    {"load_module_file", SYS_finit_module, {-1, (long)"", 0}},
    {"unload_module", SYS_delete_module, {(long)"x", 0}},
    {"kexec_file", SYS_kexec_file_load, {-1, -1, 0, 0, 0}},
    {"swap_off", SYS_swapoff, {WORK}},
    {"quota_fd", NR_QUOTACTL_FD, {-1, 0, 0, 0}},
    /* the machine's names and time */
    {"set_domain", SYS_setdomainname, {(long)"x", 1}},
    {"set_time", SYS_settimeofday, {MINE, 0}},
    {"adjust_time", SYS_adjtimex, {MINE}},
    {"adjust_clock", SYS_clock_adjtime, {0, MINE}},
    /* files and mounts */
    {"open_by_handle", SYS_open_by_handle_at, {AT_FDCWD, MINE, 0}},
    {"open_tree", NR_OPEN_TREE, {AT_FDCWD, WORK, 1}},
    {"move_mount", NR_MOVE_MOUNT, {-1, (long)"", AT_FDCWD, WORK, 4}},
    {"pick_mount", NR_FSPICK, {AT_FDCWD, WORK, 0}},
    {"mount_attributes", NR_MOUNT_SETATTR, {AT_FDCWD, (long)"/app", 0, MINE, 32}},
    {"change_owner", SYS_chown, {WORK, 0, 0}},
    {"change_owner_fd", SYS_fchownat, {AT_FDCWD, WORK, 0, 0, 0}},
    {"file_capability", SYS_setxattr, {WORK, (long)"security.capability", MINE, 20, 0}},
    {"file_attribute", SYS_setxattr, {WORK, (long)"user.x", MINE, 1, 0}},
    {"node_at", SYS_mknodat, {AT_FDCWD, (long)"/work/mem", 020666, 0x101}},
    /* rights and priority */
    {"be_groups", SYS_setgroups, {0, 0}},
    {"be_group", SYS_setresgid, {0, 0, 0}},
    {"be_user", SYS_setresuid, {0, 0, 0}},
    {"be_file_user", SYS_setfsuid, {-1}},
    {"schedule_attributes", SYS_sched_setattr, {0, (long)realtime_attr, 0}},
    {"schedule_normal", SYS_sched_setscheduler, {0, 0, MINE}},
    {"io_priority", SYS_ioprio_set, {1, 0, 1 << 13 | 4}},
};
const size_t probe_calls_count = sizeof probe_calls / sizeof *probe_calls;
