/* blob_local.c - blobs in a folder: FOLDER/ab/DIGEST, and a hard link FOLDER/holds/HOLDER/DIGEST for each
 * holder. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "server/blob_in.h"

enum { PATH_ROOM = BLOB_PATH_ROOM };

static void hold_folder(const struct blobs *b, const char *holder, char ret[PATH_ROOM])
{
    snprintf(ret, PATH_ROOM, "%s/holds/%s", b->folder, holder);
}

static void hold_path(const struct blobs *b, const struct digest *blob, const char *holder,
                      char ret[PATH_ROOM])
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    snprintf(ret, PATH_ROOM, "%s/holds/%s/%s", b->folder, holder, hex);
}

static enum err local_find(const struct blobs *b, const struct digest *blob, uint64_t *ret_bytes)
{
    char path[PATH_ROOM];
    struct stat st;
    blob_main_path(b, blob, path);
    if (lstat(path, &st) == 0) {
        *ret_bytes = (uint64_t)st.st_size;
        return ERR_OK;
    }
    return errno == ENOENT ? blob_missing(blob) : err_set_errno(ERR_IO, "cannot look at %s", path);
}

/* Under the lock. The folder of a holder appears with its first blob. */
static enum err link_hold(struct blobs *b, const struct digest *blob, const char *holder, bool *ret_new)
{
    char path[PATH_ROOM], hold[PATH_ROOM], folder[PATH_ROOM];
    blob_main_path(b, blob, path);
    hold_path(b, blob, holder, hold);
    hold_folder(b, holder, folder);
    for (int tries = 0;; tries++) {
        if (link(path, hold) == 0) {
            *ret_new = true;
            return ERR_OK;
        }
        if (errno == EEXIST) {
            *ret_new = false;
            return ERR_OK;
        }
        if (errno != ENOENT)
            return err_set_errno(ERR_IO, "cannot link %s", hold);
        if (tries > 0 || !file_exists(path))
            return blob_missing(blob);
        TRY(file_make_folders(folder, 0700));
    }
}

static enum err local_hold(struct blobs *b, const struct digest *blob, const char *holder, bool *ret_new)
{
    pthread_mutex_lock(&b->lock);
    enum err e = link_hold(b, blob, holder, ret_new);
    pthread_mutex_unlock(&b->lock);
    return e;
}

static enum err local_sync(struct blobs *b, const char *holder)
{
    char folder[PATH_ROOM];
    hold_folder(b, holder, folder);
    return file_exists(folder) ? file_sync_folder(folder) : ERR_OK;
}

/* Under the lock. */
static enum err unlink_hold(struct blobs *b, const struct digest *blob, const char *holder)
{
    char path[PATH_ROOM], hold[PATH_ROOM], hex[DIGEST_TEXT_BYTES];
    struct stat st;
    hold_path(b, blob, holder, hold);
    blob_main_path(b, blob, path);
    if (unlink(hold) != 0) {
        if (errno != ENOENT)
            return err_set_errno(ERR_IO, "cannot remove %s", hold);
        digest_text(blob, hex);
        return err_set(ERR_MISSING, "%s does not hold the blob %s", holder, hex);
    }
    if (lstat(path, &st) == 0 && st.st_nlink <= 1 && unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(ERR_IO, "cannot remove %s", path);
    return ERR_OK;
}

static enum err local_drop(struct blobs *b, const struct digest *blob, const char *holder)
{
    pthread_mutex_lock(&b->lock);
    enum err e = unlink_hold(b, blob, holder);
    pthread_mutex_unlock(&b->lock);
    return e;
}

static enum err local_drop_some(struct blobs *b, const char *holder, uint32_t limit, bool *ret_more)
{
    char folder[PATH_ROOM];
    struct digest blob;
    enum err e = ERR_OK;
    hold_folder(b, holder, folder);
    DIR *dir = opendir(folder);
    *ret_more = false;
    if (!dir)
        return errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot read %s", folder);
    uint32_t dropped = 0;
    for (struct dirent *d; e == ERR_OK && (d = readdir(dir));) {
        if (digest_parse(d->d_name, &blob) != ERR_OK)
            continue;
        if (dropped++ == limit) {
            *ret_more = true;
            break;
        }
        e = local_drop(b, &blob, holder);
        if (e == ERR_MISSING)
            e = ERR_OK;
    }
    closedir(dir);
    if (e == ERR_OK && !*ret_more && rmdir(folder) != 0 && errno != ENOTEMPTY && errno != ENOENT)
        e = err_set_errno(ERR_IO, "cannot remove %s", folder);
    return e;
}

static enum err local_held(const struct blobs *b, const char *holder, uint64_t *ret_bytes)
{
    *ret_bytes = 0;
    return blob_count_folder(b, "holds", holder, ret_bytes);
}

static enum err local_settle(struct blobs *b, const struct digest *blob, const char *part, uint64_t bytes,
                             const char *holder, bool *ret_new)
{
    char path[PATH_ROOM], shard[PATH_ROOM];
    (void)bytes;
    blob_main_path(b, blob, path);
    snprintf(shard, sizeof shard, "%.*s", (int)(strrchr(path, '/') - path), path);
    pthread_mutex_lock(&b->lock);
    enum err e = ERR_OK;
    if (file_exists(path)) {
        if (unlink(part) != 0)
            e = err_set_errno(ERR_IO, "cannot remove %s", part);
    } else if (rename(part, path) != 0) {
        e = err_set_errno(ERR_IO, "cannot rename %s", part);
    }
    if (e == ERR_OK)
        e = link_hold(b, blob, holder, ret_new);
    pthread_mutex_unlock(&b->lock);
    TRY(e);
    TRY(local_sync(b, holder));
    return file_sync_folder(shard);
}

struct sweep {
    struct blobs *blobs;
    int64_t before_ms;
};

/* holds/h3/DIGEST: a link has its blob's time. */
static enum err sweep_hold(void *ctx, const struct file_entry *entry)
{
    struct sweep *s = ctx;
    struct digest blob;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    const char *slash = strchr(entry->path, '/');
    if (entry->path[0] != 'h' || !slash || slash - entry->path > BLOB_HOLDER_BYTES_MAX ||
        entry->modified_ms >= s->before_ms || digest_parse(slash + 1, &blob) != ERR_OK)
        return ERR_OK;
    snprintf(holder, sizeof holder, "%.*s", (int)(slash - entry->path), entry->path);
    enum err e = local_drop(s->blobs, &blob, holder);
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err local_sweep(struct blobs *b, int64_t before_ms)
{
    char folder[PATH_ROOM];
    struct sweep s = {.blobs = b, .before_ms = before_ms};
    snprintf(folder, sizeof folder, "%s/holds", b->folder);
    return file_walk(folder, sweep_hold, &s);
}

struct each {
    enum err (*visit)(void *ctx, const char *holder, const struct digest *blob);
    void *ctx;
};

static enum err visit_hold(void *ctx, const struct file_entry *entry)
{
    const struct each *e = ctx;
    struct digest blob;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    const char *slash = strchr(entry->path, '/');
    if (!S_ISREG(entry->mode) || !slash || slash - entry->path > BLOB_HOLDER_BYTES_MAX ||
        digest_parse(slash + 1, &blob) != ERR_OK)
        return ERR_OK;
    snprintf(holder, sizeof holder, "%.*s", (int)(slash - entry->path), entry->path);
    return e->visit(e->ctx, holder, &blob);
}

static enum err local_each(const struct blobs *b,
                           enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                           void *ctx)
{
    char folder[PATH_ROOM];
    struct each e = {visit, ctx};
    snprintf(folder, sizeof folder, "%s/holds", b->folder);
    return file_walk(folder, visit_hold, &e);
}

static void local_close(struct blobs *b)
{
    (void)b;
}

const struct blob_keeper blob_keeper_local = {
    .find = local_find,
    .open = blob_open_local,
    .settle = local_settle,
    .hold = local_hold,
    .sync = local_sync,
    .drop = local_drop,
    .drop_some = local_drop_some,
    .held = local_held,
    .sweep = local_sweep,
    .each = local_each,
    .close = local_close,
};
