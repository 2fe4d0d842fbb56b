/* blob_local.c - blobs in a folder: FOLDER/ab/DIGEST, and a hard link FOLDER/holds/HOLDER/DIGEST for each
 * holder. The file's own time says when a user sent or last kept it, and its mode whether anything has needed
 * it since: then nobody may write it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "server/blob_in.h"

enum { PATH_ROOM = BLOB_PATH_ROOM, MODE_UNUSED = 0600, MODE_USED = 0400 };

/* Several servers may share the folder, and holds come and go in several steps. Where the file system has no
 * such lock, only one of them should be the one that deletes. */
void blob_local_lock_open(struct blobs *b)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/holds/.lock", b->folder);
    b->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void lock(struct blobs *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->lock_fd >= 0 && flock(b->lock_fd, LOCK_EX) != 0 && errno == EINTR)
        ;
}

static void unlock(struct blobs *b)
{
    if (b->lock_fd >= 0)
        (void)flock(b->lock_fd, LOCK_UN);
    pthread_mutex_unlock(&b->lock);
}

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

/* A user who sends or keeps it begins its time anew; what anything else holds has been needed. What a host
 * sent is neither: its report says for whom it is. That a mark is lost costs a while, so it is not made
 * durable. */
static void mark(const char *path, const char *holder)
{
    if (blob_holder_is_user(holder)) {
        (void)!chmod(path, MODE_UNUSED);
        (void)!utimensat(AT_FDCWD, path, NULL, 0);
    } else if (holder[0] != 'h') {
        (void)!chmod(path, MODE_USED);
    }
}

/* Under the lock. The folder of a holder appears with its first blob. */
static enum err link_hold(struct blobs *b, const struct digest *blob, const char *holder, bool *ret_new)
{
    char path[PATH_ROOM], hold[PATH_ROOM], folder[PATH_ROOM];
    blob_main_path(b, blob, path);
    hold_path(b, blob, holder, hold);
    hold_folder(b, holder, folder);
    for (int tries = 0;; tries++) {
        *ret_new = link(path, hold) == 0;
        if (*ret_new || errno == EEXIST) {
            if (*ret_new || blob_holder_is_user(holder))
                mark(hold, holder);
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
    lock(b);
    enum err e = link_hold(b, blob, holder, ret_new);
    unlock(b);
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
    lock(b);
    enum err e = unlink_hold(b, blob, holder);
    unlock(b);
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
    lock(b);
    enum err e = ERR_OK;
    if (file_exists(path)) {
        if (unlink(part) != 0)
            e = err_set_errno(ERR_IO, "cannot remove %s", part);
    } else if (rename(part, path) != 0) {
        e = err_set_errno(ERR_IO, "cannot rename %s", part);
    }
    if (e == ERR_OK)
        e = link_hold(b, blob, holder, ret_new);
    unlock(b);
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

/* --- what users hold --- */

static enum err local_keep(struct blobs *b, const struct digest *blob, bool asked)
{
    char path[PATH_ROOM];
    (void)asked;
    blob_main_path(b, blob, path);
    lock(b);
    bool there = file_exists(path);
    if (there)
        mark(path, "u");
    unlock(b);
    return there ? ERR_OK : blob_missing(blob);
}

/* The folders of holders that begin with the letter, a name in each line. */
static enum err list_holders(const struct blobs *b, char letter, struct buf *out)
{
    char folder[PATH_ROOM];
    enum err e = ERR_OK;
    snprintf(folder, sizeof folder, "%s/holds", b->folder);
    DIR *dir = opendir(folder);
    if (!dir)
        return err_set_errno(ERR_IO, "cannot read %s", folder);
    for (struct dirent *d; e == ERR_OK && (d = readdir(dir));)
        if (d->d_name[0] == letter && strlen(d->d_name) <= BLOB_HOLDER_BYTES_MAX)
            e = buf_printf(out, "%s\n", d->d_name);
    closedir(dir);
    return e;
}

/* The next of such a list; false at its end. */
static bool next_holder(const char **at, char ret[BLOB_HOLDER_BYTES_MAX + 1])
{
    size_t len = strcspn(*at, "\n");
    snprintf(ret, BLOB_HOLDER_BYTES_MAX + 1, "%.*s", (int)len, *at);
    *at += len + (len > 0);
    return len > 0;
}

static enum err local_holders(const struct blobs *b, char letter,
                              enum err (*visit)(void *ctx, const char *holder), void *ctx)
{
    BUF_AUTO struct buf list = {0};
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    TRY(list_holders(b, letter, &list));
    for (const char *at = buf_text(&list); next_holder(&at, holder);)
        TRY(visit(ctx, holder));
    return ERR_OK;
}

/* Has it more links than its own and those of users? What a backup of hard links has counts as needed. */
static bool is_needed(const struct blobs *b, const char *users, const struct digest *blob,
                      const struct stat *st)
{
    char holder[BLOB_HOLDER_BYTES_MAX + 1], path[PATH_ROOM];
    nlink_t links = 1;
    if (st->st_nlink <= 2)
        return false;
    while (next_holder(&users, holder)) {
        hold_path(b, blob, holder, path);
        links += file_exists(path);
    }
    return st->st_nlink > links;
}

static int64_t ms_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* A link that goes is its last change, also of what an older server held without a mark. */
static int64_t goes_ms(const struct blobs *b, const struct stat *st)
{
    int64_t purged_ms = ms_of(&st->st_ctim) + b->purged_kept_ms;
    if ((st->st_mode & S_IWUSR) == 0)
        return purged_ms;
    int64_t unused_ms = b->unused_kept_ms == 0 ? INT64_MAX : ms_of(&st->st_mtim) + b->unused_kept_ms;
    return unused_ms > purged_ms ? unused_ms : purged_ms;
}

static int by_digest(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(struct digest));
}

/* The digests in a holder's folder after that one, in order. */
static enum err list_digests(const char *folder, const struct digest *after, struct buf *out)
{
    struct digest blob;
    enum err e = ERR_OK;
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot read %s", folder);
    for (struct dirent *d; e == ERR_OK && (d = readdir(dir));)
        if (digest_parse(d->d_name, &blob) == ERR_OK && by_digest(&blob, after) > 0)
            e = buf_add(out, &blob, sizeof blob);
    closedir(dir);
    if (e == ERR_OK && out->len > 0)
        qsort(out->data, out->len / sizeof blob, sizeof blob, by_digest);
    return e;
}

static enum err local_kept(const struct blobs *b, struct arena *a, const char *holder,
                           const struct digest *after, uint32_t limit, struct blob_kept **ret,
                           uint32_t *ret_count)
{
    BUF_AUTO struct buf list = {0}, users = {0};
    char folder[PATH_ROOM], path[PATH_ROOM];
    struct digest blob;
    struct stat st;
    uint32_t count = 0;
    hold_folder(b, holder, folder);
    TRY(list_digests(folder, after, &list));
    TRY(list_holders(b, 'u', &users));
    *ret = arena_array(a, limit, sizeof **ret);
    TRY(*ret ? ERR_OK : ERR_NOMEM);
    for (size_t at = 0; at < list.len && count < limit; at += sizeof blob) {
        memcpy(&blob, list.data + at, sizeof blob);
        hold_path(b, &blob, holder, path);
        if (lstat(path, &st) == 0)
            (*ret)[count++] = (struct blob_kept){.blob = blob,
                                                 .bytes = (uint64_t)st.st_size,
                                                 .needed = is_needed(b, buf_text(&users), &blob, &st),
                                                 .goes_ms = goes_ms(b, &st)};
    }
    *ret_count = count;
    return ERR_OK;
}

/* Under the lock: nobody comes to hold it between the look and its end. */
static enum err let_go_now(struct blobs *b, const struct digest *blob, const char *holder, bool at_once,
                           int64_t now_ms, bool *ret_gone)
{
    BUF_AUTO struct buf users = {0};
    char path[PATH_ROOM];
    struct stat st;
    hold_path(b, blob, holder, path);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot look at %s", path);
    if (!at_once && goes_ms(b, &st) > now_ms)
        return ERR_OK;
    if (st.st_nlink > 2)
        TRY(list_holders(b, 'u', &users));
    if (is_needed(b, buf_text(&users), blob, &st))
        return ERR_OK;
    TRY(unlink_hold(b, blob, holder));
    *ret_gone = true;
    return ERR_OK;
}

static enum err local_let_go(struct blobs *b, const struct digest *blob, const char *holder, bool at_once,
                             int64_t now_ms, bool *ret_gone)
{
    *ret_gone = false;
    lock(b);
    enum err e = let_go_now(b, blob, holder, at_once, now_ms, ret_gone);
    unlock(b);
    return e;
}

static void local_close(struct blobs *b)
{
    if (b->lock_fd >= 0)
        close(b->lock_fd);
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
    .keep = local_keep,
    .look_each = 20000,
    .kept = local_kept,
    .let_go = local_let_go,
    .holders = local_holders,
    .sweep = local_sweep,
    .each = local_each,
    .close = local_close,
};
