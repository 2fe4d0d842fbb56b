/* probe_ways.c - ways out that take a few steps; see probe.h. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int opens(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int makes_socket(int family, int type)
{
    return socket(family, type, 0) >= 0;
}

static int net_tcp(void)
{
    return makes_socket(AF_INET, SOCK_STREAM);
}
static int net_udp(void)
{
    return makes_socket(AF_INET, SOCK_DGRAM);
}
static int net_ipv6(void)
{
    return makes_socket(AF_INET6, SOCK_STREAM);
}
static int net_unix(void)
{
    return makes_socket(AF_UNIX, SOCK_STREAM);
}
static int net_raw(void)
{
    return makes_socket(AF_INET, SOCK_RAW);
}
static int net_netlink(void)
{
    return makes_socket(AF_NETLINK, SOCK_RAW);
}
static int net_packet(void)
{
    return makes_socket(AF_PACKET, SOCK_RAW);
}
static int net_vsock(void)
{
    return makes_socket(AF_VSOCK, SOCK_STREAM);
}
static int net_pair(void)
{
    int p[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0;
}
static int file_passwd(void)
{
    return opens("/etc/passwd", O_RDONLY);
}
static int file_home(void)
{
    return opens("/root", O_RDONLY) || opens("/home", O_RDONLY);
}
static int file_usr(void)
{
    return opens("/usr/bin", O_RDONLY) || opens("/lib", O_RDONLY);
}
static int file_parent(void)
{
    return opens("/work/../../etc/passwd", O_RDONLY);
}
static int file_old_root(void)
{
    return opens("/old", O_RDONLY);
}
static int file_write_app(void)
{
    return opens("/app/new", O_WRONLY | O_CREAT) || opens("/app/bin/probe", O_WRONLY);
}
static int file_write_root(void)
{
    return opens("/new", O_WRONLY | O_CREAT);
}
static int file_write_dev(void)
{
    return opens("/dev/new", O_WRONLY | O_CREAT);
}
static int file_sys(void)
{
    return opens("/sys/kernel", O_RDONLY);
}
static int file_run(void)
{
    return opens("/run", O_RDONLY) || opens("/var", O_RDONLY);
}
static int dev_mem(void)
{
    return opens("/dev/mem", O_RDONLY) || opens("/dev/kmsg", O_RDONLY);
}
static int dev_tty(void)
{
    return opens("/dev/tty", O_RDWR) || opens("/dev/ptmx", O_RDWR);
}
static int dev_disk(void)
{
    return opens("/dev/vda", O_RDONLY) || opens("/dev/sda", O_RDONLY);
}
static int dev_node(void)
{
    return mknod("/work/null", S_IFCHR | 0666, (dev_t)((1 << 8) | 3)) == 0;
}
static int dev_fifo_escape(void)
{
    return mknod("/dev/x", S_IFIFO | 0666, 0) == 0;
}
static int proc_host(void)
{
    return opens("/proc/1/root/etc/passwd", O_RDONLY);
}
static int proc_sysrq(void)
{
    return opens("/proc/sysrq-trigger", O_WRONLY);
}
static int proc_sysctl(void)
{
    return opens("/proc/sys/kernel/hostname", O_WRONLY);
}
static int proc_kcore(void)
{
    return opens("/proc/kcore", O_RDONLY);
}
static int proc_environ(void)
{
    return opens("/proc/1/environ", O_RDONLY);
}
static int proc_mem(void)
{
    return opens("/proc/1/mem", O_RDWR);
}
static int proc_cgroup_release(void)
{
    return opens("/sys/fs/cgroup/release_agent", O_WRONLY);
}
static int ptrace_parent(void)
{
    return ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0;
}
static int ptrace_self(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}
static int vm_read(void)
{
    char b[8];
    struct iovec here = {b, 8}, there = {(void *)0x400000, 8};
    return syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0) > 0;
}
static int signal_first(void)
{
    return kill(1, SIGKILL) == 0 && (usleep(200000), kill(1, 0) != 0);
}
static int signal_all(void)
{
    signal(SIGTERM, SIG_IGN);
    kill(-1, SIGTERM);
    return 0; /* the caller, who lives on, is the proof */
}
static int keyring_add(void)
{
    return syscall(SYS_add_key, "user", "dugnad", "x", 1, KEY_SPEC_SESSION_KEYRING) >= 0;
}
static int keyring_ctl(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0;
}
static int io_uring(void)
{
    char p[256] = {0};
    return syscall(425, 8, p) >= 0;
}
static int bpf(void)
{
    char a[128] = {0};
    return syscall(SYS_bpf, 0, a, sizeof a) >= 0;
}
static int perf(void)
{
    char a[128] = {0};
    return syscall(SYS_perf_event_open, a, 0, -1, -1, 0) >= 0;
}
static int userfault(void)
{
    return syscall(SYS_userfaultfd, 0) >= 0;
}
static int ns_user(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}
static int ns_mount(void)
{
    return unshare(CLONE_NEWNS) == 0;
}
static int ns_net(void)
{
    return unshare(CLONE_NEWNET) == 0;
}
static int ns_clone(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static int ns_clone3(void)
{
    struct {
        unsigned long flags, pidfd, child, parent, exit_signal, stack, size, tls;
    } a = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0};
    long pid = syscall(435, &a, sizeof a);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static int ns_setns(void)
{
    return syscall(SYS_setns, 0, 0) == 0 || errno == EBADF || errno == EINVAL;
}
static int mount_tmpfs(void)
{
    return mount("tmpfs", "/work", "tmpfs", 0, NULL) == 0;
}
static int mount_proc(void)
{
    return mount("proc", "/proc", "proc", 0, NULL) == 0;
}
static int mount_new_api(void)
{
    return syscall(430, "tmpfs", 0) >= 0;
}
static int umount_app(void)
{
    return umount2("/app", MNT_DETACH) == 0;
}
static int remount_app(void)
{
    return mount(NULL, "/app", NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
}
static int chroot_out(void)
{
    return chroot("/work") == 0;
}
static int pivot(void)
{
    return syscall(SYS_pivot_root, ".", ".") == 0;
}
static int be_root(void)
{
    return setuid(0) == 0 && geteuid() == 0;
}
static int gain_caps(void)
{
    return syscall(SYS_capset, (unsigned[]){0x20080522, 0}, (unsigned[]){~0u, ~0u, 0, ~0u, ~0u, 0}) == 0;
}
static int setuid_file(void)
{
    int fd = open("/work/suid", O_WRONLY | O_CREAT, 0755);
    return fd >= 0 && fchmod(fd, 04755) == 0 && setuid(0) == 0;
}
static int set_clock(void)
{
    struct timespec t = {0};
    return clock_settime(CLOCK_REALTIME, &t) == 0;
}
static int set_hostname(void)
{
    return sethostname("x", 1) == 0;
}
static int reboot_it(void)
{
    return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == 0;
}
static int load_module(void)
{
    return syscall(SYS_init_module, "", 0, "") == 0;
}
static int kexec(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0;
}
static int swap_on(void)
{
    return syscall(SYS_swapon, "/work/x", 0) == 0;
}
static int quota(void)
{
    return syscall(SYS_quotactl, 0, NULL, 0, NULL) == 0;
}
static int shm_sysv(void)
{
    return shmget(1234, 4096, IPC_CREAT | 0600) >= 0;
}
static int handle_open(void)
{
    return syscall(SYS_name_to_handle_at, AT_FDCWD, "/work", NULL, NULL, 0) == 0 || errno == EFAULT;
}
static int nice_up(void)
{
    return setpriority(PRIO_PROCESS, 0, -5) == 0;
}
static int realtime(void)
{
    struct sched_param p = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_FIFO, &p) == 0;
}
static int dump_flag(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}
static int fds_inherited(void)
{
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 1;
    return 0;
}
static int env_leak(void)
{
    return getenv("SECRET_OF_THE_CALLER") != NULL;
}
static int link_out(void)
{
    return link("/proc/self/exe", "/work/copy") == 0 && opens("/work/copy", O_WRONLY);
}
static int raise_limits(void)
{
    struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_NOFILE, &l) == 0;
}
static int many_files(void)
{
    int count = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    return count > 4096;
}
static int terminal_push(void)
{
    char c = 'x';
    return syscall(SYS_ioctl, 0, 0x5412, &c) == 0;
}
static int lock_memory(void)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
}
static int pidfd_steal(void)
{
    return syscall(438, 0, 0, 0) >= 0;
}
static int huge_argv(void)
{
    char *big = malloc(3 << 20);
    memset(big, 'x', 3 << 20);
    big[(3 << 20) - 1] = 0;
    char *argv[] = {(char *)"probe", big, NULL};
    execv("/proc/self/exe", argv);
    return errno != E2BIG;
}

const struct probe probe_ways[] = {
#define P(f)                                                                                                 \
    {                                                                                                        \
#f, f                                                                                                \
    }
    P(net_tcp),
    P(net_udp),
    P(net_ipv6),
    P(net_unix),
    P(net_raw),
    P(net_netlink),
    P(net_packet),
    P(net_vsock),
    P(net_pair),
    P(file_passwd),
    P(file_home),
    P(file_usr),
    P(file_parent),
    P(file_old_root),
    P(file_write_app),
    P(file_write_root),
    P(file_write_dev),
    P(file_sys),
    P(file_run),
    P(dev_mem),
    P(dev_tty),
    P(dev_disk),
    P(dev_node),
    P(dev_fifo_escape),
    P(proc_host),
    P(proc_sysrq),
    P(proc_sysctl),
    P(proc_kcore),
    P(proc_environ),
    P(proc_mem),
    P(proc_cgroup_release),
    P(ptrace_parent),
    P(ptrace_self),
    P(vm_read),
    P(signal_first),
    P(signal_all),
    P(keyring_add),
    P(keyring_ctl),
    P(io_uring),
    P(bpf),
    P(perf),
    P(userfault),
    P(ns_user),
    P(ns_mount),
    P(ns_net),
    P(ns_clone),
    P(ns_clone3),
    P(ns_setns),
    P(mount_tmpfs),
    P(mount_proc),
    P(mount_new_api),
    P(umount_app),
    P(remount_app),
    P(chroot_out),
    P(pivot),
    P(be_root),
    P(gain_caps),
    P(setuid_file),
    P(set_clock),
    P(set_hostname),
    P(reboot_it),
    P(load_module),
    P(kexec),
    P(swap_on),
    P(quota),
    P(shm_sysv),
    P(handle_open),
    P(nice_up),
    P(realtime),
    P(dump_flag),
    P(fds_inherited),
    P(env_leak),
    P(link_out),
    P(raise_limits),
    P(many_files),
    P(terminal_push),
    P(lock_memory),
    P(pidfd_steal),
    P(huge_argv),
#undef P
};
const size_t probe_ways_count = sizeof probe_ways / sizeof *probe_ways;
