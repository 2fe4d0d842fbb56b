/* bundle_pack.c - writing bundles, see bundle.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "wire/bundle.h"
#include "wire/ustar.h"

struct packer {
    const char *folder;
    int fd;
    uint32_t files;
    uint64_t bytes;
};

/* ustar splits a long path at a '/' into a prefix of up to 155 bytes and a name of up to 100. */
bool ustar_split(const char *path, struct ustar_header *h)
{
    size_t len = strlen(path);
    if (len <= sizeof h->name) {
        memcpy(h->name, path, len);
        return true;
    }
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t before = (size_t)(slash - path), after = len - before - 1;
        if (before <= sizeof h->prefix && after <= sizeof h->name && after > 0) {
            memcpy(h->prefix, path, before);
            memcpy(h->name, slash + 1, after);
            return true;
        }
    }
    return false;
}

static enum err put_header(struct packer *p, const char *path, char type, unsigned mode, uint64_t bytes)
{
    struct ustar_header h = {0};
    if (!str_is_safe_path(path) || !ustar_split(path, &h))
        return err_set(ERR_LIMIT, "path '%.200s' is not safe or too long for a bundle (255 bytes)", path);
    if (bytes >= UINT64_C(1) << 33)
        return err_set(ERR_LIMIT, "%s is larger than a bundle's file may be (8 GiB)", path);
    snprintf(h.mode, sizeof h.mode, "%07o", mode);
    snprintf(h.uid, sizeof h.uid, "%07o", 0u);
    snprintf(h.gid, sizeof h.gid, "%07o", 0u);
    snprintf(h.size, sizeof h.size, "%011llo", (unsigned long long)bytes);
    snprintf(h.mtime, sizeof h.mtime, "%011o", 0u);
    h.type = type;
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    snprintf(h.checksum, sizeof h.checksum, "%06o", ustar_checksum(&h));
    h.checksum[7] = ' ';
    p->bytes += USTAR_BLOCK + bytes;
    if (++p->files > BUNDLE_FILES_MAX || p->bytes > BUNDLE_BYTES_MAX)
        return err_set(ERR_LIMIT, "%s holds more than %d files or %llu bytes: too much for a bundle",
                       p->folder, BUNDLE_FILES_MAX, (unsigned long long)BUNDLE_BYTES_MAX);
    return file_write_all(p->fd, &h, sizeof h);
}

static enum err put_content(struct packer *p, const char *full, uint64_t bytes)
{
    static const char zeros[USTAR_BLOCK];
    char chunk[65536];
    uint64_t done = 0;
    int in = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return err_set_errno(ERR_IO, "cannot open %s", full);
    enum err e = ERR_OK;
    while (e == ERR_OK && done < bytes) {
        ssize_t got = read(in, chunk, bytes - done < sizeof chunk ? (size_t)(bytes - done) : sizeof chunk);
        if (got <= 0)
            e = err_set(ERR_IO, "%s cannot be read, or became shorter while it was packed", full);
        else
            e = file_write_all(p->fd, chunk, (size_t)got);
        done += got > 0 ? (uint64_t)got : 0;
    }
    close(in);
    if (e == ERR_OK && bytes % USTAR_BLOCK)
        e = file_write_all(p->fd, zeros, USTAR_BLOCK - bytes % USTAR_BLOCK);
    return e;
}

static enum err pack_entry(void *ctx, const struct file_entry *entry)
{
    struct packer *p = ctx;
    char full[4096];
    if (S_ISDIR(entry->mode))
        return put_header(p, entry->path, USTAR_FOLDER, 0755, 0);
    if (!S_ISREG(entry->mode))
        return err_set(ERR_INVALID, "%s/%s is neither a file nor a folder: a bundle holds nothing else",
                       p->folder, entry->path);
    enum err e = file_join(full, sizeof full, p->folder, entry->path);
    if (e == ERR_OK)
        e = put_header(p, entry->path, USTAR_FILE, entry->mode & 0111 ? 0755 : 0644, entry->bytes);
    return e == ERR_OK ? put_content(p, full, entry->bytes) : e;
}

enum err bundle_pack(const char *folder, const char *to)
{
    static const char end[2 * USTAR_BLOCK];
    struct packer p = {.folder = folder};
    p.fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (p.fd < 0)
        return err_set_errno(ERR_IO, "cannot create %s", to);
    enum err e = file_walk(folder, pack_entry, &p);
    if (e == ERR_OK && p.files == 0)
        e = err_set(ERR_INVALID, "%s is empty: there is nothing to pack", folder);
    if (e == ERR_OK)
        e = file_write_all(p.fd, end, sizeof end);
    if (close(p.fd) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", to);
    if (e != ERR_OK)
        unlink(to);
    return e;
}
