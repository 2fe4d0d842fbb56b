/* file.h - files that survive a crash, and the small chores around them. Paths are relative to the working
 * directory or absolute; every error names the path. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Whole file into b; ERR_LIMIT over bytes_max, ERR_MISSING where there is none. */
enum err file_read(const char *path, size_t bytes_max, struct buf *b) NODISCARD;
/* Durable and atomic: temporary file beside it, write, fsync, rename, fsync of the folder. Afterwards the
 * path holds the old or the new content, never a mixture. A crash may leave the temporary file, *.tmp. */
enum err file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode) NODISCARD;
/* The same for a file that must not be there yet: ERR_CONFLICT if it is. */
enum err file_create_atomic(const char *path, const void *bytes, size_t len, mode_t mode) NODISCARD;
/* Makes a file durable where it is renamed to: fsync, rename, fsync of the target's folder. */
enum err file_rename_durable(const char *from, const char *to) NODISCARD;
enum err file_sync_folder(const char *folder) NODISCARD;
enum err file_write_all(int fd, const void *bytes, size_t len) NODISCARD; /* EINTR and short writes handled */
/* Not durable. Makes `to` new: ERR_CONFLICT if it is there. Nothing is left of it after a failure. */
enum err file_copy(const char *from, const char *to, mode_t mode) NODISCARD;
enum err file_make_folders(const char *path, mode_t mode) NODISCARD; /* like mkdir -p */
enum err file_remove_tree(
    const char *path) NODISCARD; /* never follows a link; any depth, any modes; missing is fine */
bool file_exists(const char *path);
enum err file_size(const char *path, uint64_t *ret_bytes) NODISCARD;
/* An exclusive lock held until the descriptor is closed; ERR_CONFLICT if another process holds it. */
enum err file_lock(const char *path, int *ret_fd) NODISCARD;
/* base "/" name into ret; ERR_LIMIT if it does not fit. */
enum err file_join(char *ret, size_t room, const char *base, const char *name) NODISCARD;
/* Calls visit for each file and folder below folder, paths relative to it: a folder, what is in it, then its
 * neighbour, neighbours in the byte order of their names ("a", "a/b", "a.txt"). Links, sockets and devices
 * are visited as what they are and not followed; what is gone meanwhile is not visited. Stops at the first
 * error. At most WALK_DEPTH_MAX folders deep, WALK_ENTRIES_MAX entries in one. */
struct file_entry {
    const char *path;
    mode_t mode;
    uint64_t bytes;
    int64_t modified_ms;
};
enum err file_walk(const char *folder, enum err (*visit)(void *ctx, const struct file_entry *entry),
                   void *ctx) NODISCARD;
/* Free bytes for an unprivileged user on the file system that holds path. */
enum err file_disk_free(const char *path, uint64_t *ret_bytes) NODISCARD;
/* And all of its bytes. */
enum err file_disk_size(const char *path, uint64_t *ret_bytes) NODISCARD;

#endif
