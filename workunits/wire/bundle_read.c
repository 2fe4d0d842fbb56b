/* bundle_read.c - checking, listing and unpacking bundles, see bundle.h. Every field of a header must be what
 * the writer would have written, so that two different archives never mean the same files. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "wire/bundle.h"
#include "wire/ustar.h"

unsigned ustar_checksum(const struct ustar_header *h)
{
    const unsigned char *p = (const unsigned char *)h;
    const size_t from = offsetof(struct ustar_header, checksum), to = from + sizeof h->checksum;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *h; i++)
        sum += i >= from && i < to ? ' ' : p[i];
    return sum;
}

static bool octal(const char *text, size_t digits, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '7')
            return false;
        v = v * 8 + (uint64_t)(text[i] - '0');
    }
    *ret = v;
    return text[digits] == 0;
}

static enum err bad(uint64_t offset, const char *what)
{
    return err_set(ERR_INVALID, "bundle is malformed at byte %llu: %s", (unsigned long long)offset, what);
}

static enum err read_at(int fd, void *to, size_t len, uint64_t offset)
{
    char *at = to;
    while (len > 0) {
        ssize_t got = pread(fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(ERR_IO, "cannot read the bundle");
        if (got == 0)
            return bad(offset, "it ends too early");
        at += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

static bool is_zero(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

static enum err header_path(const struct ustar_header *h, uint64_t offset, char path[260])
{
    size_t prefix = strnlen(h->prefix, sizeof h->prefix), name = strnlen(h->name, sizeof h->name);
    if (!is_zero(h->prefix + prefix, sizeof h->prefix - prefix) ||
        !is_zero(h->name + name, sizeof h->name - name))
        return bad(offset, "bytes behind the end of a path");
    snprintf(path, 260, "%.*s%s%.*s", (int)prefix, h->prefix, prefix ? "/" : "", (int)name, h->name);
    struct ustar_header same = {0};
    if (!ustar_split(path, &same) || memcmp(same.name, h->name, sizeof same.name) != 0 ||
        memcmp(same.prefix, h->prefix, sizeof same.prefix) != 0)
        return bad(offset, "a path that is split in another way than the writer's");
    return str_is_safe_path(path)
               ? ERR_OK
               : bad(offset, "a path that is not safe (empty part, '..', leading '/' or control character)");
}

static enum err header_parse(const struct ustar_header *h, uint64_t offset, char path[260],
                             struct bundle_entry *ret)
{
    uint64_t checksum = 0, size = 0, mode = 0, uid = 1, gid = 1, mtime = 1;
    enum err e = header_path(h, offset, path);
    if (e != ERR_OK)
        return e;
    if (memcmp(h->magic, "ustar", 6) != 0 || memcmp(h->version, "00", 2) != 0)
        return bad(offset, "not a ustar header");
    if (!octal(h->checksum, 6, &checksum) || h->checksum[7] != ' ' || checksum != ustar_checksum(h))
        return bad(offset, "wrong checksum");
    if (!octal(h->mode, 7, &mode) || !octal(h->uid, 7, &uid) || !octal(h->gid, 7, &gid) ||
        !octal(h->size, 11, &size) || !octal(h->mtime, 11, &mtime) || uid || gid || mtime)
        return bad(offset, "a number that a bundle does not have");
    if (!is_zero(h->link, sizeof h->link) ||
        !is_zero(h->owner,
                 sizeof *h - offsetof(struct ustar_header, owner) - sizeof h->prefix - sizeof h->unused) ||
        !is_zero(h->unused, sizeof h->unused))
        return bad(offset, "fields that a bundle leaves empty");
    if (h->type != USTAR_FILE && h->type != USTAR_FOLDER)
        return bad(offset, "an entry that is neither a file nor a folder");
    if (h->type == USTAR_FOLDER ? mode != 0755 || size != 0 : mode != 0644 && mode != 0755)
        return bad(offset, "a mode that a bundle does not have");
    *ret = (struct bundle_entry){.path = path,
                                 .folder = h->type == USTAR_FOLDER,
                                 .executable = h->type == USTAR_FILE && mode == 0755,
                                 .bytes = size,
                                 .offset = offset + USTAR_BLOCK};
    return ERR_OK;
}

/* The order of a walk: byte order within each folder, a folder before what is in it. */
static int path_order(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    int x = *a == '/' ? 1 : (unsigned char)*a ? (unsigned char)*a + 1 : 0;
    int y = *b == '/' ? 1 : (unsigned char)*b ? (unsigned char)*b + 1 : 0;
    return x - y;
}

/* Its folder has been listed: what was last is that folder or something in it. */
static bool has_folder(const char *path, const char *last, bool last_is_folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (!slash)
        return true;
    return strncmp(path, last, len) == 0 && (last[len] == '/' || (last[len] == 0 && last_is_folder));
}

static enum err check_padding(int fd, const struct bundle_entry *entry)
{
    char rest[USTAR_BLOCK];
    uint64_t end = entry->offset + entry->bytes;
    size_t len = (size_t)(-entry->bytes % USTAR_BLOCK);
    enum err e = read_at(fd, rest, len, end);
    return e == ERR_OK && !is_zero(rest, len) ? bad(end, "bytes between two files") : e;
}

static enum err check_end(int fd, uint64_t offset, uint64_t size)
{
    char end[2 * USTAR_BLOCK];
    if (size != offset + sizeof end)
        return bad(offset, "bytes behind the end, or no end");
    enum err e = read_at(fd, end, sizeof end, offset);
    return e == ERR_OK && !is_zero(end, sizeof end) ? bad(offset, "the end is not empty") : e;
}

enum err bundle_list(int fd, enum err (*visit)(void *ctx, const struct bundle_entry *entry), void *ctx)
{
    struct stat st;
    char path[260], last[260] = "";
    uint64_t offset = 0;
    bool last_is_folder = false;
    if (fstat(fd, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at the bundle");
    uint64_t size = (uint64_t)st.st_size;
    if (size > BUNDLE_BYTES_MAX || size % USTAR_BLOCK || size < 3 * USTAR_BLOCK)
        return err_set(ERR_INVALID, "bundle has a size that no bundle has: %llu bytes",
                       (unsigned long long)size);
    for (uint32_t count = 0;; count++) {
        struct ustar_header h;
        struct bundle_entry entry;
        enum err e = read_at(fd, &h, sizeof h, offset);
        if (e == ERR_OK && is_zero(&h, sizeof h))
            return count > 0 ? check_end(fd, offset, size) : bad(offset, "it is empty");
        if (e == ERR_OK && count == BUNDLE_FILES_MAX)
            e = err_set(ERR_LIMIT, "bundle holds more than %d files", BUNDLE_FILES_MAX);
        if (e == ERR_OK)
            e = header_parse(&h, offset, path, &entry);
        if (e == ERR_OK && path_order(last, path) >= 0)
            e = bad(offset, "paths are not in order, or one stands there twice");
        if (e == ERR_OK && !has_folder(path, last, last_is_folder))
            e = bad(offset, "a path whose folder does not stand before it");
        if (e == ERR_OK && entry.bytes > size - entry.offset)
            e = bad(offset, "a file that goes on behind the end");
        if (e == ERR_OK)
            e = check_padding(fd, &entry);
        if (e == ERR_OK && visit)
            e = visit(ctx, &entry);
        if (e != ERR_OK)
            return e;
        memcpy(last, path, sizeof last);
        last_is_folder = entry.folder;
        offset = entry.offset + (entry.bytes + USTAR_BLOCK - 1) / USTAR_BLOCK * USTAR_BLOCK;
    }
}

struct unpacker {
    int fd;
    const char *folder;
};

static enum err copy_out(int from, int to, const struct bundle_entry *entry)
{
    char chunk[65536];
    enum err e = ERR_OK;
    for (uint64_t done = 0; e == ERR_OK && done < entry->bytes;) {
        size_t piece = entry->bytes - done < sizeof chunk ? (size_t)(entry->bytes - done) : sizeof chunk;
        e = read_at(from, chunk, piece, entry->offset + done);
        if (e == ERR_OK)
            e = file_write_all(to, chunk, piece);
        done += piece;
    }
    return e;
}

static enum err unpack_entry(void *ctx, const struct bundle_entry *entry)
{
    const struct unpacker *u = ctx;
    char full[4096], parent[4096];
    enum err e = file_join(full, sizeof full, u->folder, entry->path);
    if (e != ERR_OK)
        return e;
    if (entry->folder)
        return mkdir(full, 0755) == 0 || errno == EEXIST
                   ? ERR_OK
                   : err_set_errno(ERR_IO, "cannot make folder %s", full);
    memcpy(parent, full, sizeof parent);
    *strrchr(parent, '/') = 0;
    if ((e = file_make_folders(parent, 0755)) != ERR_OK)
        return e;
    int to =
        open(full, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->executable ? 0555 : 0444);
    if (to < 0)
        return err_set_errno(ERR_IO, "cannot create %s", full);
    e = copy_out(u->fd, to, entry);
    if (close(to) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", full);
    return e;
}

enum err bundle_unpack(int fd, const char *folder)
{
    struct unpacker u = {.fd = fd, .folder = folder};
    enum err e = bundle_list(fd, NULL, NULL); /* all of it is right before the first byte is written */
    if (e != ERR_OK)
        return e;
    if (mkdir(folder, 0755) != 0)
        return err_set_errno(ERR_IO, "cannot make folder %s", folder);
    e = bundle_list(fd, unpack_entry, &u);
    if (e != ERR_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", err_text());
        if (file_remove_tree(folder) == ERR_OK)
            return err_set(e, "%s", why);
    }
    return e;
}
