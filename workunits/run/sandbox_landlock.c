/* sandbox_landlock.c - Landlock (https://docs.kernel.org/userspace-api/landlock.html) by its ABI version,
 * through bare system calls because Debian 12's headers are older than the kernels it may run on. */
#include "run/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

/* Rights by the ABI that brought them. */
#define FS_V1       ((UINT64_C(1) << 13) - 1)
#define FS_REFER    (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL    (UINT64_C(1) << 15)
#define NET_ALL     UINT64_C(3)
#define SCOPE_ALL   UINT64_C(3)

#define FS_EXECUTE  UINT64_C(1)
#define FS_WRITE    UINT64_C(2)
#define FS_READ     UINT64_C(4)
#define FS_READ_DIR UINT64_C(8)

struct ruleset {
    uint64_t fs, net, scope;
};

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    return abi > 0 ? (int)abi : 0;
}

static bool allow(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return false;
    bool good = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return good;
}

bool sandbox_landlock(void)
{
    int abi = sandbox_landlock_abi();
    if (abi < 1)
        return false;
    struct ruleset r = {.fs = FS_V1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
                              (abi >= 5 ? FS_IOCTL : 0),
                        .net = abi >= 4 ? NET_ALL : 0,
                        .scope = abi >= 6 ? SCOPE_ALL : 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
    if (ruleset < 0)
        return false;
    (void)allow(ruleset, "/app", FS_EXECUTE | FS_READ | FS_READ_DIR);
    (void)allow(ruleset, "/work", r.fs);
    (void)allow(ruleset, "/proc", FS_READ | FS_READ_DIR);
    (void)allow(ruleset, "/dev", FS_READ | FS_WRITE | FS_READ_DIR);
    bool good =
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return good;
}
