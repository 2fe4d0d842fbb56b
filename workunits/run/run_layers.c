/* run_layers.c - which layers of the sandbox work on this machine, each tried for real. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/run.h"
#include "run/sandbox.h"

static void add(struct run_layer *layers, uint32_t *count, const char *name, bool needed, bool works,
                const char *remedy)
{
    struct run_layer *l = &layers[(*count)++];
    *l = (struct run_layer){.name = name, .works = works, .needed = needed};
    if (!works)
        snprintf(l->remedy, sizeof l->remedy, "%s", remedy);
}

static bool child_can_unshare(int flags)
{
    pid_t pid = fork();
    int status = 1;
    if (pid == 0)
        _exit(unshare(flags) == 0 ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool can_take(const char *work, const char *output)
{
    uint64_t bytes;
    int fd;
    if (run_open_output(work, output, 0, &fd, &bytes) != ERR_OK)
        return false;
    close(fd);
    return true;
}

/* The whole of it, and that an output can be taken: an empty program folder, so that the launch fails exactly
 * at the start of the program. */
static bool whole_works(char *why, size_t room)
{
    char work[] = "/tmp/dugnad-probe-XXXXXX";
    const char *const argv[] = {"/nothing", NULL};
    struct run *run = NULL;
    struct run_outcome outcome = {.end = RUN_ENDS};
    if (!mkdtemp(work)) {
        snprintf(why, room, "no folder can be made in /tmp: %s", strerror(errno));
        return false;
    }
    struct run_spec spec = {
        .work_folder = work, .argv = argv, .stdout_path = "out", .limits = {.wall_ms = 5000}};
    enum err e = run_start(&spec, clock_mono_ms(), &run);
    for (bool ended = false; e == ERR_OK && !ended;) {
        clock_sleep_ms(1);
        run_poll(run, clock_mono_ms(), &ended);
    }
    run_finish(run, &outcome);
    snprintf(why, room, "%s", e != ERR_OK ? err_text() : outcome.message);
    bool good =
        e == ERR_OK && outcome.end == RUN_END_LAUNCH && strstr(outcome.message, "start of the program");
    if (good && !can_take(work, "out")) {
        snprintf(why, room, "%s", err_text());
        good = false;
    }
    if (file_remove_tree(work) != ERR_OK)
        snprintf(why, room, "%s", err_text());
    return good;
}

uint32_t run_layers(struct run_layer ret[RUN_LAYERS_MAX])
{
    struct sock_fprog filter;
    char why[256] = "", remedy[300];
    uint32_t count = 0;
    bool whole = whole_works(why, sizeof why);
    snprintf(remedy, sizeof remedy, "the sandbox cannot be built: %s", why);
    add(ret, &count, "sandbox", true, whole, remedy);
    add(ret, &count, "user namespaces", true, geteuid() == 0 || child_can_unshare(CLONE_NEWUSER),
        "allow them: sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces above 0, or "
        "allow them for this program in AppArmor; in a chroot the kernel allows none");
    add(ret, &count, "system call filter", true, sandbox_filter(&filter) == ERR_OK,
        "the kernel needs CONFIG_SECCOMP_FILTER");
    add(ret, &count, "Landlock", false, sandbox_landlock_abi() > 0,
        "a second wall around files: Linux 5.13 or newer with landlock in lsm=");
    char own[RUN_GROUPS_ROOM];
    add(ret, &count, "control groups", false, run_groups_find(own) == ERR_OK, err_text());
    add(ret, &count, "autogroup", false, access("/proc/self/autogroup", W_OK) == 0,
        "CONFIG_SCHED_AUTOGROUP is off: nothing to do, nice levels then work by themselves");
    return count;
}
