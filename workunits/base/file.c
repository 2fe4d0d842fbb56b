/* file.c - reading and durable writing, see file.h. Trees are in file_tree.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/rand.h"

enum { FILE_PATH_ROOM = 4096 };

enum err file_read(const char *path, size_t bytes_max, struct buf *b)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    enum err e = ERR_OK;
    if (fstat(fd, &st) != 0)
        e = err_set_errno(ERR_IO, "cannot read %s", path);
    else if (S_ISDIR(st.st_mode))
        e = err_set(ERR_INVALID, "%s is a folder, a file is wanted", path);
    size_t was = b->len;
    for (ssize_t got = 1; e == ERR_OK && got != 0;) {
        e = buf_reserve(b, 16384);
        got = e == ERR_OK ? read(fd, b->data + b->len, 16384) : 0;
        if (got < 0 && errno != EINTR)
            e = err_set_errno(ERR_IO, "cannot read %s", path);
        if (got > 0)
            b->len += (size_t)got;
        if (e == ERR_OK && b->len - was > bytes_max)
            e = err_set(ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
    }
    close(fd);
    if (e != ERR_OK)
        b->len = was;
    if (b->data)
        b->data[b->len] = 0;
    return e;
}

enum err file_write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t wrote = write(fd, at, len);
        if (wrote < 0 && errno != EINTR)
            return err_set_errno(ERR_IO, "cannot write");
        if (wrote > 0) {
            at += wrote;
            len -= (size_t)wrote;
        }
    }
    return ERR_OK;
}

enum err file_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open folder %s", folder);
    enum err e = fsync(fd) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot sync folder %s", folder);
    close(fd);
    return e;
}

static enum err sync_parent(const char *path)
{
    char copy[FILE_PATH_ROOM];
    if (strlen(path) >= sizeof copy)
        return err_set(ERR_LIMIT, "path is too long: %.100s...", path);
    memcpy(copy, path, strlen(path) + 1);
    return file_sync_folder(dirname(copy));
}

static enum err rename_synced(const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return err_set_errno(ERR_IO, "cannot rename %s to %s", from, to);
    return sync_parent(to);
}

enum err file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode)
{
    char temporary[FILE_PATH_ROOM];
    int n = snprintf(temporary, sizeof temporary, "%s.%016llx.tmp", path, (unsigned long long)rand_u64());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return err_set(ERR_LIMIT, "path is too long: %.100s...", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot create %s", temporary);
    enum err e = file_write_all(fd, bytes, len);
    if (e != ERR_OK)
        e = err_prefix(e, "%s", path);
    else if (fsync(fd) != 0)
        e = err_set_errno(ERR_IO, "cannot sync %s", path);
    if (close(fd) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    if (e == ERR_OK)
        e = rename_synced(temporary, path);
    if (e != ERR_OK)
        unlink(temporary);
    return e;
}

enum err file_rename_durable(const char *from, const char *to)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", from);
    enum err e = fsync(fd) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot sync %s", from);
    close(fd);
    return e == ERR_OK ? rename_synced(from, to) : e;
}

static enum err copy_bytes(int in, int out, const char *from)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = read(in, chunk, sizeof chunk);
        if (got == 0)
            return ERR_OK;
        if (got < 0 && errno != EINTR)
            return err_set_errno(ERR_IO, "cannot read %s", from);
        enum err e = got > 0 ? file_write_all(out, chunk, (size_t)got) : ERR_OK;
        if (e != ERR_OK)
            return e;
    }
}

enum err file_copy(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_set_errno(ERR_IO, "cannot open %s", from);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    enum err e = out < 0 ? err_set_errno(ERR_IO, "cannot create %s", to) : copy_bytes(in, out, from);
    if (out >= 0 && close(out) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", to);
    close(in);
    return e;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum err file_size(const char *path, uint64_t *ret_bytes)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at %s", path);
    *ret_bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err file_lock(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open lock %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum err e =
            errno == EWOULDBLOCK
                ? err_set(ERR_CONFLICT, "%s is held by another process: is it already running?", path)
                : err_set_errno(ERR_IO, "cannot lock %s", path);
        close(fd);
        return e;
    }
    *ret_fd = fd;
    return ERR_OK;
}

enum err file_join(char *ret, size_t room, const char *base, const char *name)
{
    int n = snprintf(ret, room, "%s/%s", base, name);
    if (n < 0 || (size_t)n >= room)
        return err_set(ERR_LIMIT, "path is too long: %.100s/%.100s", base, name);
    return ERR_OK;
}

enum err file_disk_free(const char *path, uint64_t *ret_bytes)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at the disk of %s", path);
    *ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return ERR_OK;
}
