/* file_remove.c - removing whatever a program left behind, see file.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rand.h"

/* Each level holds a descriptor and some stack; what lies deeper is moved up to the top first. */
enum { LEVELS_MAX = 32, ROUNDS_MAX = 100000 };

struct removal {
    const char *path;
    int top; /* the folder `path` */
};

/* Opens a folder so that its content can be removed, even where its owner took that right from himself. Goes
 * through the descriptor, as chmod by name would follow a link that came in between. */
static int open_folder(int parent, const char *name)
{
    int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, O_RDONLY | flags);
    if (fd < 0 && errno == EACCES) {
        int handle = openat(parent, name, O_PATH | flags);
        char by_descriptor[64];
        if (handle < 0)
            return -1;
        snprintf(by_descriptor, sizeof by_descriptor, "/proc/self/fd/%d", handle);
        fd = chmod(by_descriptor, 0700) == 0 ? openat(parent, name, O_RDONLY | flags) : -1;
        int why = errno;
        close(handle);
        errno = why;
    }
    if (fd >= 0)
        (void)!fchmod(fd, 0700); /* may fail where it is not ours and not needed */
    return fd;
}

static enum err move_to_top(const struct removal *r, int parent, const char *name)
{
    char unique[40];
    snprintf(unique, sizeof unique, "%016llx.removed", (unsigned long long)rand_u64());
    if (renameat(parent, name, r->top, unique) != 0)
        return err_set_errno(ERR_IO, "cannot remove %s, deep below %s", name, r->path);
    return ERR_OK;
}

static enum err remove_content(const struct removal *r, int fd, int level);

static enum err remove_entry(const struct removal *r, int parent, const char *name, int level)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return ERR_OK;
    int why = errno, fd = open_folder(parent, name);
    if (fd < 0) {
        errno = errno == ENOTDIR ? why : errno;
        return err_set_errno(ERR_IO, "cannot remove %s below %s", name, r->path);
    }
    if (level == LEVELS_MAX) {
        close(fd);
        return move_to_top(r, parent, name);
    }
    enum err e = remove_content(r, fd, level + 1);
    if (e == ERR_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        e = err_set_errno(ERR_IO, "cannot remove folder %s below %s", name, r->path);
    return e;
}

/* Takes fd. May leave entries that readdir() missed because others went: the next round finds them. */
static enum err remove_content(const struct removal *r, int fd, int level)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot read a folder below %s", r->path);
    }
    enum err e = ERR_OK;
    for (struct dirent *x = readdir(d); x && e == ERR_OK; x = readdir(d))
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            e = remove_entry(r, dirfd(d), x->d_name, level);
    closedir(d);
    return e;
}

static enum err remove_folder(const char *path)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct removal r = {.path = path, .top = open_folder(AT_FDCWD, path)};
        if (r.top < 0)
            return errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot remove %s", path);
        int fd = fcntl(r.top, F_DUPFD_CLOEXEC, 0);
        enum err e = fd >= 0 ? remove_content(&r, fd, 1) : err_set_errno(ERR_IO, "cannot remove %s", path);
        close(r.top);
        if (e != ERR_OK)
            return e;
        if (rmdir(path) == 0 || errno == ENOENT)
            return ERR_OK;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return err_set_errno(ERR_IO, "cannot remove folder %s", path);
    }
    return err_set(ERR_CONFLICT, "%s is being filled while it is removed", path);
}

enum err file_remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot remove %s", path);
    if (S_ISDIR(st.st_mode))
        return remove_folder(path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(ERR_IO, "cannot remove %s", path);
    return ERR_OK;
}
