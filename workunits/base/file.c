/* file.c - reading and durable writing, see file.h. Folders are in file_tree.c and file_remove.c. */
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

enum { FILE_PATH_ROOM = 4096, CHUNK_BYTES = 65536 };

static enum err read_all(int fd, const char *path, size_t bytes_max, struct buf *b)
{
    char chunk[CHUNK_BYTES];
    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got == 0)
            return ERR_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EISDIR ? err_set(ERR_INVALID, "%s is a folder, a file is wanted", path)
                                   : err_set_errno(ERR_IO, "cannot read %s", path);
        total += (size_t)got;
        if (total > bytes_max)
            return err_set(ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
        enum err e = buf_add(b, chunk, (size_t)got);
        if (e != ERR_OK)
            return err_prefix(e, "%s", path);
    }
}

enum err file_read(const char *path, size_t bytes_max, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    size_t was = b->len;
    enum err e = read_all(fd, path, bytes_max, b);
    close(fd);
    if (e != ERR_OK && b->data) {
        b->len = was;
        b->data[was] = 0;
    }
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

/* The content, durable, under a name beside path that nobody else has. */
static enum err write_beside(const char *path, const void *bytes, size_t len, mode_t mode,
                             char ret_temporary[FILE_PATH_ROOM])
{
    int n = snprintf(ret_temporary, FILE_PATH_ROOM, "%s.%016llx.tmp", path, (unsigned long long)rand_u64());
    if (n < 0 || n >= FILE_PATH_ROOM)
        return err_set(ERR_LIMIT, "path is too long: %.100s...", path);
    int fd = open(ret_temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot create %s", ret_temporary);
    enum err e = file_write_all(fd, bytes, len);
    if (e != ERR_OK)
        e = err_prefix(e, "%s", path);
    else if (fsync(fd) != 0)
        e = err_set_errno(ERR_IO, "cannot sync %s", path);
    if (close(fd) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    if (e != ERR_OK)
        unlink(ret_temporary);
    return e;
}

enum err file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode)
{
    char temporary[FILE_PATH_ROOM];
    enum err e = write_beside(path, bytes, len, mode, temporary);
    if (e != ERR_OK)
        return e;
    if (rename(temporary, path) != 0) {
        e = err_set_errno(ERR_IO, "cannot rename %s to %s", temporary, path);
        unlink(temporary);
        return e;
    }
    return sync_parent(path);
}

enum err file_create_atomic(const char *path, const void *bytes, size_t len, mode_t mode)
{
    char temporary[FILE_PATH_ROOM];
    enum err e = write_beside(path, bytes, len, mode, temporary);
    if (e != ERR_OK)
        return e;
    if (link(temporary, path) != 0) /* unlike rename() it refuses to replace */
        e = errno == EEXIST ? err_set(ERR_CONFLICT, "%s exists already and is left as it is", path)
                            : err_set_errno(ERR_IO, "cannot create %s", path);
    unlink(temporary);
    return e == ERR_OK ? sync_parent(path) : e;
}

enum err file_rename_durable(const char *from, const char *to)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", from);
    enum err e = fsync(fd) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot sync %s", from);
    close(fd);
    if (e != ERR_OK)
        return e;
    if (rename(from, to) != 0)
        return err_set_errno(ERR_IO, "cannot rename %s to %s", from, to);
    return sync_parent(to);
}

static enum err copy_by_hand(int in, int out, const char *from)
{
    char chunk[CHUNK_BYTES];
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

/* The kernel shares the blocks where the file system can; what it does not copy, for whatever reason, is
 * copied by hand from where it stopped, which also gives the reason its sentence. */
static enum err copy_bytes(int in, int out, const char *from)
{
    while (copy_file_range(in, NULL, out, NULL, 1u << 30, 0) > 0)
        ;
    return copy_by_hand(in, out, from);
}

enum err file_copy(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_set_errno(ERR_IO, "cannot open %s", from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    enum err e;
    if (out < 0)
        e = errno == EEXIST ? err_set(ERR_CONFLICT, "%s exists already and is left as it is", to)
                            : err_set_errno(ERR_IO, "cannot create %s", to);
    else
        e = copy_bytes(in, out, from);
    if (out >= 0 && close(out) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", to);
    if (out >= 0 && e != ERR_OK) {
        e = err_prefix(e, "copy to %s", to);
        unlink(to);
    }
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

enum err file_disk_size(const char *path, uint64_t *ret_bytes)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at the disk of %s", path);
    *ret_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return ERR_OK;
}
