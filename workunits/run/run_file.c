/* run_file.c - the scratch folder from outside: its size, its owner, and taking outputs out of it safely. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "run/run.h"
#include "run/run_inner.h"

enum { DEPTH_MAX = 64, ENTRY_BYTES = 4096 };

static bool is_folder_step(const char *at, size_t len)
{
    return len > 0 && len <= NAME_MAX && !(len == 1 && at[0] == '.') &&
           !(len == 2 && at[0] == '.' && at[1] == '.');
}

/* No step follows a link or leads upwards, and each starts where the last one ended, whatever is renamed
 * meanwhile. */
int run_walk_beneath(int folder_fd, const char *path, int flags, mode_t mode)
{
    char name[NAME_MAX + 1];
    int at = folder_fd, next;
    for (;;) {
        size_t len = strcspn(path, "/");
        bool last = path[len] == 0;
        if (!is_folder_step(path, len)) {
            errno = EXDEV;
            next = -1;
        } else {
            memcpy(name, path, len);
            name[len] = 0;
            next = openat(at, name,
                          last ? flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
                               : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                          mode);
        }
        int why = errno;
        if (at != folder_fd)
            close(at);
        errno = why;
        if (last || next < 0)
            return next;
        at = next;
        path += len + 1;
    }
}

int run_beneath(int folder_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .mode = mode,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
    /* A service manager that forbids setuid files has to forbid openat2, for it cannot look into its
     * structure. */
    return fd < 0 && errno == ENOSYS ? run_walk_beneath(folder_fd, path, flags, mode) : fd;
}

static void add_folder(int fd, int depth, uint64_t enough, uint64_t *sum)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (struct dirent *x = readdir(d); x && (!enough || *sum <= enough); x = readdir(d)) {
        struct stat st;
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0 ||
            fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        uint64_t bytes = (uint64_t)st.st_blocks * 512;
        *sum +=
            bytes > ENTRY_BYTES ? bytes : ENTRY_BYTES; /* an empty file takes room too: a disk has so many */
        if (!S_ISDIR(st.st_mode))
            continue;
        if (depth >= DEPTH_MAX) { /* nobody needs that but to hide something */
            *sum += enough;
            continue;
        }
        int below = openat(dirfd(d), x->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0)
            add_folder(below, depth + 1, enough, sum);
    }
    closedir(d);
}

uint64_t run_disk_use(int folder_fd, uint64_t enough)
{
    uint64_t sum = 0;
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        add_folder(fd, 0, enough, &sum);
    return sum;
}

static enum err give_away(int fd, uid_t uid, int depth)
{
    DIR *d = fdopendir(fd);
    enum err e = ERR_OK;
    if (!d) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot read the scratch folder");
    }
    if (fchown(dirfd(d), uid, uid) != 0)
        e = err_set_errno(ERR_IO, "cannot change the owner of the scratch folder");
    for (struct dirent *x = readdir(d); x && e == ERR_OK; x = readdir(d)) {
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        int below = openat(dirfd(d), x->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0 && depth < DEPTH_MAX)
            e = give_away(below, uid, depth + 1);
        else if (below >= 0)
            close(below);
        else if (fchownat(dirfd(d), x->d_name, uid, uid, AT_SYMLINK_NOFOLLOW) != 0)
            e = err_set_errno(ERR_IO, "cannot change the owner of %s", x->d_name);
    }
    closedir(d);
    return e;
}

enum err run_give_away(int folder_fd, uid_t uid)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_set_errno(ERR_IO, "cannot open the scratch folder") : give_away(fd, uid, 0);
}

static enum err check_output(int fd, const char *path, uint64_t bytes_max, uint64_t *ret_bytes)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at output %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_INVALID, "output %s is not a regular file", path);
    if (st.st_nlink != 1)
        return err_set(ERR_INVALID, "output %s has more than one name (hard link)", path);
    if (bytes_max && (uint64_t)st.st_size > bytes_max)
        return err_set(ERR_LIMIT, "output %s has %llu bytes, more than its limit of %llu", path,
                       (unsigned long long)st.st_size, (unsigned long long)bytes_max);
    *ret_bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err run_open_output(const char *work_folder, const char *path, uint64_t bytes_max, int *ret_fd,
                         uint64_t *ret_bytes)
{
    if (!str_is_safe_path(path))
        return err_set(ERR_INVALID, "output '%.100s' is not a safe relative path", path);
    int folder = open(work_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_set_errno(ERR_IO, "cannot open %s", work_folder);
    int fd = run_beneath(folder, path, O_RDONLY, 0);
    int why = errno;
    close(folder);
    if (fd < 0 && why == ENOENT)
        return err_set(ERR_MISSING, "output %s is missing", path);
    if (fd < 0 && (why == ELOOP || why == EXDEV || why == ENXIO || why == ENOTDIR))
        return err_set(ERR_INVALID, "output %s is a link or leads out of the scratch folder", path);
    errno = why;
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open output %s", path);
    enum err e = check_output(fd, path, bytes_max, ret_bytes);
    if (e != ERR_OK) {
        close(fd);
        return e;
    }
    *ret_fd = fd;
    return ERR_OK;
}
