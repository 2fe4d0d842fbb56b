#include "server/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/blob_in.h"

enum { UPLOADS_MAX = 1024, PATH_ROOM = BLOB_PATH_ROOM, READ_BYTES = 65536 };

struct blob_upload {
    struct blobs *blobs;
    struct digest blob;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    uint64_t offset, total;
    int fd;
    struct hash *hash; /* of all so far; NULL when it began in the middle: then the file is read again */
    struct blob_upload *next;
};

/* --- where things are --- */

void blob_main_path(const struct blobs *b, const struct digest *blob, char ret[PATH_ROOM])
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    snprintf(ret, PATH_ROOM, "%s/%.2s/%s", b->folder, hex, hex);
}

static void part_path(const struct blobs *b, const struct digest *blob, const char *holder,
                      char ret[PATH_ROOM])
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    snprintf(ret, PATH_ROOM, "%s/uploads/%s/%s", b->folder, holder, hex);
}

static enum err check_holder(const char *holder)
{
    if (!str_is_name(holder) || strlen(holder) > BLOB_HOLDER_BYTES_MAX)
        return err_set(ERR_INVALID, "\"%.40s\" cannot hold blobs: a short name is needed", holder);
    return ERR_OK;
}

/* --- opening --- */

static enum err make_folders(struct blobs *b)
{
    char path[PATH_ROOM];
    for (unsigned i = 0; i < 256; i++) {
        snprintf(path, sizeof path, "%s/%02x", b->folder, i);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_set_errno(ERR_IO, "cannot make %s", path);
    }
    snprintf(path, sizeof path, "%s/holds", b->folder);
    TRY(file_make_folders(path, 0700));
    snprintf(path, sizeof path, "%s/uploads", b->folder);
    TRY(file_make_folders(path, 0700));
    return file_sync_folder(b->folder);
}

enum err blobs_make(const char *folder, uint64_t disk_free_min, const struct blob_keeper *keeper,
                    struct blobs **ret_blobs)
{
    if (strlen(folder) >= BLOB_FOLDER_ROOM)
        return err_set(ERR_LIMIT, "the path of the blobs' folder is too long: %.100s...", folder);
    TRY(file_make_folders(folder, 0700));
    struct blobs *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(ERR_NOMEM, "no memory for the blobs");
    snprintf(b->folder, sizeof b->folder, "%s", folder);
    b->disk_free_min = disk_free_min;
    b->keeper = keeper;
    b->lock_fd = -1;
    pthread_mutex_init(&b->lock, NULL);
    enum err e = make_folders(b);
    if (e != ERR_OK) {
        blobs_close(b);
        return e;
    }
    *ret_blobs = b;
    return ERR_OK;
}

enum err blobs_open(const char *folder, uint64_t disk_free_min, struct blobs **ret_blobs)
{
    TRY(blobs_make(folder, disk_free_min, &blob_keeper_local, ret_blobs));
    blob_local_lock_open(*ret_blobs);
    return ERR_OK;
}

void blobs_close(struct blobs *b)
{
    if (!b)
        return;
    while (b->uploads)
        blob_upload_drop(b->uploads);
    b->keeper->close(b);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

enum err blobs_room(const struct blobs *b, uint64_t bytes)
{
    uint64_t free_bytes;
    char have[32], floor[32];
    TRY(file_disk_free(b->folder, &free_bytes));
    if (free_bytes >= b->disk_free_min && free_bytes - b->disk_free_min >= bytes)
        return ERR_OK;
    str_from_bytes(free_bytes, have, sizeof have);
    str_from_bytes(b->disk_free_min, floor, sizeof floor);
    return err_set(ERR_FULL, "the server's disk has %s left and keeps %s free: the operator must make room",
                   have, floor);
}

/* --- reading --- */

enum err blob_missing(const struct digest *blob)
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    return err_set(ERR_MISSING, "there is no complete blob %s", hex);
}

enum err blob_open_local(const struct blobs *b, const struct digest *blob, int *ret_fd, uint64_t *ret_bytes)
{
    char path[PATH_ROOM];
    struct stat st;
    blob_main_path(b, blob, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return blob_missing(blob);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    if (fstat(fd, &st) != 0) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot look at %s", path);
    }
    *ret_fd = fd;
    *ret_bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err blob_open(const struct blobs *b, const struct digest *blob, int *ret_fd, uint64_t *ret_bytes)
{
    return b->keeper->open(b, blob, ret_fd, ret_bytes);
}

bool blobs_block(const struct blobs *b)
{
    return b->far != NULL;
}

enum err blob_find(const struct blobs *b, const struct digest *blob, uint64_t *ret_bytes)
{
    return b->keeper->find(b, blob, ret_bytes);
}

static enum err read_all(int fd, struct buf *out)
{
    char bytes[READ_BYTES];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_set_errno(ERR_IO, "cannot read a blob");
        if (n > 0)
            TRY(buf_add(out, bytes, (size_t)n));
    }
    return ERR_OK;
}

enum err blob_read(const struct blobs *b, const struct digest *blob, size_t bytes_max, struct buf *out)
{
    uint64_t bytes;
    int fd;
    TRY(blob_open(b, blob, &fd, &bytes));
    enum err e =
        bytes <= bytes_max
            ? read_all(fd, out)
            : err_set(ERR_LIMIT, "a blob of %llu bytes is larger than the %zu bytes it may have here",
                      (unsigned long long)bytes, bytes_max);
    close(fd);
    return e;
}

/* --- holding --- */

enum err blob_hold(struct blobs *b, const struct digest *blob, const char *holder)
{
    bool is_new;
    TRY(check_holder(holder));
    return b->keeper->hold(b, blob, holder, &is_new);
}

enum err blobs_sync(struct blobs *b, const char *holder)
{
    return b->keeper->sync(b, holder);
}

enum err blob_drop(struct blobs *b, const struct digest *blob, const char *holder)
{
    TRY(check_holder(holder));
    return b->keeper->drop(b, blob, holder);
}

enum err blobs_drop(struct blobs *b, const char *holder, uint32_t limit, bool *ret_more)
{
    TRY(check_holder(holder));
    return b->keeper->drop_some(b, holder, limit, ret_more);
}

static enum err add_bytes(void *ctx, const struct file_entry *entry)
{
    if (S_ISREG(entry->mode))
        *(uint64_t *)ctx += entry->bytes;
    return ERR_OK;
}

enum err blob_count_folder(const struct blobs *b, const char *name, const char *holder, uint64_t *bytes)
{
    char folder[PATH_ROOM];
    snprintf(folder, sizeof folder, "%s/%s/%s", b->folder, name, holder);
    return file_exists(folder) ? file_walk(folder, add_bytes, bytes) : ERR_OK;
}

enum err blobs_each(const struct blobs *b,
                    enum err (*visit)(void *ctx, const char *holder, const struct digest *blob), void *ctx)
{
    return b->keeper->each(b, visit, ctx);
}

enum err blobs_forget_copies(const struct blobs *b)
{
    return b->far ? blob_cache_trim(b, 0) : ERR_OK;
}

enum err blobs_held(const struct blobs *b, const char *holder, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    TRY(check_holder(holder));
    TRY(b->keeper->held(b, holder, &bytes));
    TRY(blob_count_folder(b, "uploads", holder, &bytes));
    *ret_bytes = bytes;
    return ERR_OK;
}

/* --- uploads --- */

uint64_t blob_upload_offset(const struct blobs *b, const struct digest *blob, const char *holder)
{
    char path[PATH_ROOM];
    struct stat st;
    if (check_holder(holder) != ERR_OK)
        return 0;
    part_path(b, blob, holder, path);
    return lstat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool is_under_way(const struct blobs *b, const struct blob_upload *u)
{
    for (const struct blob_upload *other = b->uploads; other; other = other->next)
        if (digest_eq(&other->blob, &u->blob) && strcmp(other->holder, u->holder) == 0)
            return true;
    return false;
}

static enum err upload_list(struct blob_upload *u)
{
    struct blobs *b = u->blobs;
    enum err e = ERR_OK;
    pthread_mutex_lock(&b->lock);
    if (b->upload_count >= UPLOADS_MAX)
        e = err_set(ERR_BUSY, "%d uploads are under way, as many as may be", UPLOADS_MAX);
    else if (is_under_way(b, u))
        e = err_set(ERR_BUSY, "the same upload is under way in another request");
    if (e == ERR_OK) {
        u->next = b->uploads;
        b->uploads = u;
        b->upload_count++;
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

static void upload_unlist(struct blob_upload *u)
{
    struct blobs *b = u->blobs;
    pthread_mutex_lock(&b->lock);
    for (struct blob_upload **at = &b->uploads; *at; at = &(*at)->next)
        if (*at == u) {
            *at = u->next;
            b->upload_count--;
            break;
        }
    pthread_mutex_unlock(&b->lock);
}

static void upload_free(struct blob_upload *u)
{
    upload_unlist(u);
    if (u->fd >= 0)
        close(u->fd);
    hash_free(u->hash);
    free(u);
}

static enum err upload_open(struct blob_upload *u)
{
    char path[PATH_ROOM];
    struct stat st;
    snprintf(path, sizeof path, "%s/uploads/%s", u->blobs->folder, u->holder);
    TRY(file_make_folders(path, 0700));
    part_path(u->blobs, &u->blob, u->holder, path);
    u->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (u->fd < 0)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    if (fstat(u->fd, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at %s", path);
    if ((uint64_t)st.st_size != u->offset)
        return err_set(ERR_CONFLICT, "the upload stands at %llu bytes, not at %llu: go on from there",
                       (unsigned long long)st.st_size, (unsigned long long)u->offset);
    if (lseek(u->fd, (off_t)u->offset, SEEK_SET) < 0)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    if (u->offset == 0 && !(u->hash = hash_new()))
        return err_set(ERR_NOMEM, "no memory to hash an upload");
    return ERR_OK;
}

enum err blob_upload_begin(struct blobs *b, const struct digest *blob, const char *holder, uint64_t offset,
                           uint64_t total, struct blob_upload **ret_upload)
{
    TRY(check_holder(holder));
    if (total > BLOB_BYTES_MAX)
        return err_set(ERR_LIMIT, "a blob has at most %llu bytes, not %llu",
                       (unsigned long long)BLOB_BYTES_MAX, (unsigned long long)total);
    if (offset > total)
        return err_set(ERR_INVALID, "Upload-Offset %llu is beyond Upload-Length %llu",
                       (unsigned long long)offset, (unsigned long long)total);
    TRY(blobs_room(b, total - offset));
    struct blob_upload *u = calloc(1, sizeof *u);
    if (!u)
        return err_set(ERR_NOMEM, "no memory for an upload");
    *u = (struct blob_upload){.blobs = b, .blob = *blob, .offset = offset, .total = total, .fd = -1};
    snprintf(u->holder, sizeof u->holder, "%s", holder);
    enum err e = upload_list(u);
    if (e != ERR_OK) {
        free(u);
        return e;
    }
    e = upload_open(u);
    if (e != ERR_OK) {
        upload_free(u);
        return e;
    }
    *ret_upload = u;
    return ERR_OK;
}

enum err blob_upload_write(struct blob_upload *u, const void *bytes, size_t len)
{
    if (len > u->total - u->offset)
        return err_set(ERR_LIMIT, "more bytes came than Upload-Length %llu says",
                       (unsigned long long)u->total);
    TRY(file_write_all(u->fd, bytes, len));
    if (u->hash)
        hash_add(u->hash, bytes, len);
    u->offset += len;
    return ERR_OK;
}

static enum err check_digest(struct blob_upload *u, const char *part)
{
    struct digest is;
    char hex[DIGEST_TEXT_BYTES], want[DIGEST_TEXT_BYTES];
    if (u->hash)
        is = hash_end(u->hash);
    else
        TRY(hash_file(part, &is, NULL));
    if (digest_eq(&is, &u->blob))
        return ERR_OK;
    if (unlink(part) != 0)
        return err_set_errno(ERR_IO, "cannot remove %s", part);
    digest_text(&is, hex);
    digest_text(&u->blob, want);
    return err_set(ERR_UNTRUSTED, "the digest of what was sent is %s, not %s: all of it was dropped", hex,
                   want);
}

static enum err upload_finish(struct blob_upload *u, bool *ret_complete, bool *ret_new, uint64_t *ret_offset)
{
    char part[PATH_ROOM];
    part_path(u->blobs, &u->blob, u->holder, part);
    *ret_complete = false;
    if (fdatasync(u->fd) != 0)
        return err_set_errno(ERR_IO, "cannot make %s durable", part);
    *ret_offset = u->offset;
    if (u->offset < u->total)
        return ERR_OK;
    TRY(check_digest(u, part));
    TRY(u->blobs->keeper->settle(u->blobs, &u->blob, part, u->total, u->holder, ret_new));
    *ret_complete = true;
    return ERR_OK;
}

enum err blob_upload_end(struct blob_upload *u, bool *ret_complete, bool *ret_new, uint64_t *ret_offset)
{
    bool is_new = false;
    enum err e = upload_finish(u, ret_complete, &is_new, ret_offset);
    if (e == ERR_OK && ret_new)
        *ret_new = is_new;
    upload_free(u);
    return e;
}

void blob_upload_drop(struct blob_upload *u)
{
    if (u)
        upload_free(u);
}

struct sweep {
    struct blobs *blobs;
    int64_t before_ms;
};

static enum err sweep_one(void *ctx, const struct file_entry *entry)
{
    struct sweep *s = ctx;
    char path[PATH_ROOM];
    if (!S_ISREG(entry->mode) || entry->modified_ms >= s->before_ms)
        return ERR_OK;
    snprintf(path, sizeof path, "%s/uploads/%.200s", s->blobs->folder, entry->path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(ERR_IO, "cannot remove %s", path);
    return ERR_OK;
}

enum err blobs_sweep(struct blobs *b, int64_t before_ms)
{
    char folder[PATH_ROOM];
    struct sweep s = {.blobs = b, .before_ms = before_ms};
    snprintf(folder, sizeof folder, "%s/uploads", b->folder);
    TRY(file_walk(folder, sweep_one, &s));
    return b->keeper->sweep(b, before_ms);
}
