/* blob_far.c - blobs in an object store. What a client sends is whole and hashed in the folder first
 * (blob.c), is put into the bucket, gets its row, and only then is acknowledged. The folder is also a cache:
 * a file in it has the digest that is its name. */
#include "server/blob_far.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/blob_in.h"
#include "server/store_blob.h"

enum {
    PATH_ROOM = BLOB_PATH_ROOM,
    LINK_S = 900,
    SLICE = 256,
    ASKED_SHARE = 8,
    LISTED_EACH = 1000,
    LISTED_MAX = 100000,
    TOLD_EACH_MS = 30000
};

struct blob_far {
    struct blob_far_config config;
    struct s3 link;
    struct store *reader; /* of the same: what is only read never waits for a write */
    pthread_mutex_t lock, reader_lock;
    atomic_uint fetches;
    atomic_llong down_until_ms, told_ms;
    struct digest listed; /* how far the bucket was looked through for what has no row */
    bool listing;
};

/* Rows, one caller at a time. */
#define WITH_STORE(b, call)                                                                                  \
    do {                                                                                                     \
        pthread_mutex_lock(&(b)->far->lock);                                                                 \
        enum err with_err = (call);                                                                          \
        pthread_mutex_unlock(&(b)->far->lock);                                                               \
        if (with_err != ERR_OK)                                                                              \
            return with_err;                                                                                 \
    } while (0)
#define WITH_READER(b, call)                                                                                 \
    do {                                                                                                     \
        pthread_mutex_lock(&(b)->far->reader_lock);                                                          \
        enum err with_err = (call);                                                                          \
        pthread_mutex_unlock(&(b)->far->reader_lock);                                                        \
        if (with_err != ERR_OK)                                                                              \
            return with_err;                                                                                 \
    } while (0)
#define STORE(b)  ((b)->far->config.store)
#define READER(b) ((b)->far->reader)

/* Nothing is wrong with what was asked: whoever asked is to come back, and the operator to look. */
static enum err later(const struct blobs *b, enum err e)
{
    struct blob_far *f = b->far;
    long long now_ms = clock_mono_ms(), told_ms = atomic_load(&f->told_ms);
    char text[ERR_TEXT_BYTES_MAX];
    if (e == ERR_OK || e == ERR_MISSING)
        return e;
    snprintf(text, sizeof text, "%s", err_text());
    if ((told_ms == 0 || now_ms - told_ms > TOLD_EACH_MS) &&
        atomic_compare_exchange_strong(&f->told_ms, &told_ms, now_ms))
        log_event(LOG_ERROR, "object-store", "err", text, NULL);
    return err_set(ERR_BUSY, "%s",
                   e == ERR_DENIED ? "the server's key does not open its object store: the "
                                     "operator must look, try again later"
                                   : text);
}

/* --- reading --- */

static enum err far_find(const struct blobs *b, const struct digest *blob, uint64_t *ret_bytes)
{
    WITH_READER(b, store_blob_find(READER(b), blob, ret_bytes));
    return ERR_OK;
}

static enum err check_copy(int fd, const char *path, const struct digest *blob)
{
    char hex[DIGEST_TEXT_BYTES];
    struct digest is;
    if (fdatasync(fd) != 0)
        return err_set_errno(ERR_IO, "cannot make %s durable", path);
    TRY(hash_file(path, &is, NULL));
    digest_text(blob, hex);
    return digest_eq(&is, blob) ? ERR_OK
                                : err_set(ERR_CORRUPT,
                                          "the object store's copy of the blob %s has another digest: "
                                          "restore the object from a backup",
                                          hex);
}

static enum err fetch_into(const struct blobs *b, const struct digest *blob, const char *path)
{
    char to[PATH_ROOM];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    enum err e = later(b, s3_get(&b->far->config.s3, blob, 0, 0, fd));
    if (e == ERR_MISSING)
        e = err_set(ERR_CORRUPT, "%s", err_text()); /* its row says that it is there */
    if (e == ERR_OK)
        e = check_copy(fd, path, blob);
    close(fd);
    blob_main_path(b, blob, to);
    if (e == ERR_OK && rename(path, to) != 0)
        e = err_set_errno(ERR_IO, "cannot rename %s", path);
    if (e != ERR_OK)
        (void)!unlink(path);
    return e;
}

static enum err fetch_copy(struct blobs *b, const struct digest *blob, uint64_t bytes)
{
    char path[PATH_ROOM], hex[DIGEST_TEXT_BYTES];
    if (blobs_room(b, bytes) != ERR_OK) {
        TRY(blob_cache_trim(b, 0));
        TRY(blobs_room(b, bytes));
    }
    digest_text(blob, hex);
    snprintf(path, sizeof path, "%s/fetched/%s.%u", b->folder, hex, atomic_fetch_add(&b->far->fetches, 1));
    return fetch_into(b, blob, path);
}

static enum err open_copy(const struct blobs *b, const struct digest *blob, int *ret_fd, uint64_t *ret_bytes)
{
    TRY(blob_open_local(b, blob, ret_fd, ret_bytes));
    (void)!futimens(*ret_fd, NULL); /* kept longer */
    return ERR_OK;
}

static enum err far_open(const struct blobs *b, const struct digest *blob, int *ret_fd, uint64_t *ret_bytes)
{
    uint64_t bytes;
    TRY(far_find(b, blob, &bytes)); /* a copy may outlive its blob */
    enum err e = open_copy(b, blob, ret_fd, ret_bytes);
    if (e != ERR_MISSING)
        return e;
    TRY(fetch_copy((struct blobs *)(uintptr_t)b, blob, bytes));
    return open_copy(b, blob, ret_fd, ret_bytes);
}

enum err blob_link(const struct blobs *b, const struct digest *blob, char ret_url[BLOB_LINK_BYTES_MAX])
{
    uint64_t bytes;
    if (!b->far || b->far->config.link_bytes_min == 0)
        return err_set(ERR_UNSUPPORTED, "this server gives no links");
    TRY(far_find(b, blob, &bytes));
    if (bytes < b->far->config.link_bytes_min)
        return err_set(ERR_UNSUPPORTED, "so small a file needs no link");
    return s3_presign(&b->far->link, blob, clock_wall_ms(), LINK_S, ret_url);
}

enum err blobs_well(const struct blobs *b)
{
    if (!b->far || atomic_load(&b->far->down_until_ms) == 0)
        return ERR_OK;
    return err_set(ERR_UNREACHABLE, "the object store %s does not answer: files over it wait",
                   b->far->config.s3.endpoint);
}

static enum err put(struct blobs *b, const struct digest *blob, const char *part, uint64_t bytes)
{
    int fd = open(part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", part);
    enum err e = later(b, s3_put(&b->far->config.s3, blob, fd, bytes));
    close(fd);
    return e;
}

/* --- what users hold --- */

/* Much of it is asked for again and again: so its time is not written each time. */
static enum err far_keep(struct blobs *b, const struct digest *blob, bool asked)
{
    int64_t goes_ms, kept_ms = b->unused_kept_ms, until_ms = clock_wall_ms() + kept_ms;
    WITH_READER(b, store_blob_goes(READER(b), blob, &goes_ms));
    if (kept_ms == 0 || (asked && goes_ms > until_ms - kept_ms / ASKED_SHARE))
        return ERR_OK;
    WITH_STORE(b, store_blob_keep(STORE(b), blob, until_ms));
    return ERR_OK;
}

static enum err far_kept(const struct blobs *b, struct arena *a, const char *holder,
                         const struct digest *after, uint32_t limit, struct blob_kept **ret,
                         uint32_t *ret_count)
{
    struct store_blob_kept *list;
    uint32_t count;
    WITH_READER(b, store_blob_kept(READER(b), a, holder, after, limit, &list, &count));
    *ret = arena_array(a, count + 1, sizeof **ret);
    TRY(*ret ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < count; i++)
        (*ret)[i] = (struct blob_kept){list[i].blob, list[i].bytes, list[i].needed, list[i].goes_ms};
    *ret_count = count;
    return ERR_OK;
}

static enum err far_holders(const struct blobs *b, char letter,
                            enum err (*visit)(void *ctx, const char *holder), void *ctx)
{
    char holder[64] = {letter, 0};
    for (;;) {
        WITH_READER(b, store_blob_holder_next(READER(b), holder, holder, sizeof holder));
        if (holder[0] != letter)
            return ERR_OK;
        TRY(visit(ctx, holder));
    }
}

/* A user's upload gets its time; a server that is killed before has it begin at the next look. */
static enum err begin_time(struct blobs *b, const struct digest *blob, const char *holder)
{
    return blob_holder_is_user(holder) ? far_keep(b, blob, false) : ERR_OK;
}

/* --- putting and holding --- */

static enum err far_settle(struct blobs *b, const struct digest *blob, const char *part, uint64_t bytes,
                           const char *holder, bool *ret_new)
{
    char path[PATH_ROOM];
    bool present;
    WITH_STORE(b, store_blob_begin(STORE(b), blob, bytes, clock_wall_ms(), &present));
    if (!present)
        TRY(put(b, blob, part, bytes));
    WITH_STORE(b, store_blob_end(STORE(b), blob, holder, clock_wall_ms(), ret_new));
    TRY(begin_time(b, blob, holder));
    blob_main_path(b, blob, path);
    if (rename(part, path) != 0 && unlink(part) != 0 && errno != ENOENT)
        return err_set_errno(ERR_IO, "cannot remove %s", part);
    return ERR_OK;
}

static enum err far_hold(struct blobs *b, const struct digest *blob, const char *holder, bool *ret_new)
{
    bool held;
    WITH_READER(b, store_blob_holds(READER(b), holder, blob, &held));
    *ret_new = !held;
    if (held) /* as it has it, the file stays: nothing needs to be written */
        return begin_time(b, blob, holder);
    WITH_STORE(b, store_blob_hold(STORE(b), blob, holder, clock_wall_ms(), ret_new));
    return begin_time(b, blob, holder);
}

static enum err far_sync(struct blobs *b, const char *holder)
{
    (void)b; /* rows are durable as they come */
    (void)holder;
    return ERR_OK;
}

static enum err far_drop(struct blobs *b, const struct digest *blob, const char *holder)
{
    WITH_STORE(b, store_blob_drop(STORE(b), blob, holder, clock_wall_ms(), b->purged_kept_ms));
    return ERR_OK;
}

static enum err far_held(const struct blobs *b, const char *holder, uint64_t *ret_bytes)
{
    WITH_READER(b, store_blob_held(READER(b), holder, ret_bytes));
    return ERR_OK;
}

static enum err far_each(const struct blobs *b,
                         enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                         void *ctx)
{
    return store_blob_each(READER(b), visit, ctx);
}

/* --- taking out --- */

/* Its row says that it goes: out of the bucket, then the row. A crash between is found again by the row. */
static enum err take_out(struct blobs *b, const struct digest *blob)
{
    char path[PATH_ROOM];
    TRY(later(b, s3_delete(&b->far->config.s3, blob)));
    blob_main_path(b, blob, path);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(ERR_IO, "cannot remove %s", path);
    WITH_STORE(b, store_blob_gone(STORE(b), blob));
    return ERR_OK;
}

static enum err take_out_now(struct blobs *b, const struct digest *blob, int64_t now_ms)
{
    bool doomed;
    WITH_STORE(b, store_blob_doom(STORE(b), blob, now_ms, &doomed));
    return doomed ? take_out(b, blob) : ERR_OK;
}

static enum err far_let_go(struct blobs *b, const struct digest *blob, const char *holder, bool at_once,
                           int64_t now_ms, bool *ret_gone)
{
    WITH_STORE(b, store_blob_let_go(STORE(b), blob, holder, at_once, now_ms, ret_gone));
    if (*ret_gone)
        (void)!take_out_now(b, blob, now_ms); /* what does not go now is swept later */
    return ERR_OK;
}

/* At most one slice of those that nobody holds. What users hold and have not let go of yet stays in the list:
 * a slice of nothing else ends it. */
static enum err take_out_loose(struct blobs *b, bool *ret_more)
{
    struct arena ARENA_AUTO a = {0};
    struct digest *loose;
    uint32_t count;
    bool doomed, some = false;
    int64_t now_ms = clock_wall_ms();
    WITH_READER(b, store_blob_loose(READER(b), &a, now_ms, SLICE, &loose, &count));
    for (uint32_t i = 0; i < count; i++) {
        WITH_STORE(b, store_blob_doom(STORE(b), &loose[i], now_ms, &doomed));
        if (doomed)
            TRY(take_out(b, &loose[i]));
        some |= doomed;
    }
    *ret_more = count == SLICE && some;
    return ERR_OK;
}

static enum err far_drop_some(struct blobs *b, const char *holder, uint32_t limit, bool *ret_more)
{
    bool loose;
    WITH_STORE(b,
               store_blob_drop_some(STORE(b), holder, clock_wall_ms(), b->purged_kept_ms, limit, ret_more));
    (void)!take_out_loose(b, &loose); /* what does not go now is swept later */
    return ERR_OK;
}

static enum err drop_unreported(struct blobs *b, int64_t before_ms)
{
    uint32_t count = SLICE;
    while (count == SLICE) {
        struct arena ARENA_AUTO a = {0};
        struct store_blob_hold *holds;
        WITH_READER(b, store_blob_unreported(READER(b), &a, before_ms, SLICE, &holds, &count));
        for (uint32_t i = 0; i < count; i++) {
            enum err e = far_drop(b, &holds[i].blob, holds[i].holder);
            if (e != ERR_OK && e != ERR_MISSING)
                return e;
        }
    }
    return ERR_OK;
}

/* --- what is in the bucket without a row: a server was killed before its transaction, or rows were lost ---
 */

struct strangers {
    int64_t before_ms;
    uint32_t count, listed;
    struct digest blobs[LISTED_EACH];
    uint64_t bytes[LISTED_EACH];
    struct digest last;
};

static enum err note_old(void *ctx, const struct digest *blob, uint64_t bytes, int64_t modified_ms)
{
    struct strangers *s = ctx;
    s->last = *blob;
    s->listed++;
    if (modified_ms < s->before_ms && s->count < LISTED_EACH) {
        s->blobs[s->count] = *blob;
        s->bytes[s->count++] = bytes;
    }
    return ERR_OK;
}

static enum err take_out_strangers(struct blobs *b, const struct strangers *s)
{
    bool known[LISTED_EACH], doomed;
    WITH_READER(b, store_blob_known(READER(b), s->blobs, s->count, known));
    for (uint32_t i = 0; i < s->count; i++) {
        if (known[i])
            continue;
        WITH_STORE(b,
                   store_blob_doom_stranger(STORE(b), &s->blobs[i], s->bytes[i], clock_wall_ms(), &doomed));
        if (doomed)
            TRY(take_out(b, &s->blobs[i]));
    }
    return ERR_OK;
}

/* Goes on where the last sweep ended; a large bucket takes several. */
static enum err sweep_strangers(struct blobs *b, int64_t before_ms)
{
    struct blob_far *f = b->far;
    struct strangers *s = malloc(sizeof *s);
    bool more = true;
    enum err e = s ? ERR_OK : err_set(ERR_NOMEM, "no memory to look through the bucket");
    for (uint32_t listed = 0; e == ERR_OK && more && listed < LISTED_MAX; listed += s->listed) {
        *s = (struct strangers){.before_ms = before_ms};
        e = later(b, s3_list(&f->config.s3, f->listing ? &f->listed : NULL, LISTED_EACH, note_old, s, &more));
        if (e == ERR_OK)
            e = take_out_strangers(b, s);
        more = more && s->listed > 0; /* else there is nothing of ours */
        if (e == ERR_OK) {
            f->listing = more;
            f->listed = s->last;
        }
    }
    free(s);
    return e;
}

/* Files that a fetch left which was killed. */
static enum err remove_old(void *ctx, const struct file_entry *entry)
{
    char path[PATH_ROOM];
    const struct blobs *b = ctx;
    if (!S_ISREG(entry->mode) || entry->modified_ms > clock_wall_ms() - STORE_BLOB_COMING_MS)
        return ERR_OK;
    snprintf(path, sizeof path, "%s/fetched/%.200s", b->folder, entry->path);
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_set_errno(ERR_IO, "cannot remove %s", path);
}

static enum err far_sweep(struct blobs *b, int64_t before_ms)
{
    char path[PATH_ROOM];
    bool more = true;
    snprintf(path, sizeof path, "%s/fetched", b->folder);
    TRY(file_walk(path, remove_old, b));
    TRY(blob_cache_trim(b, b->far->config.cache_bytes));
    TRY(drop_unreported(b, before_ms));
    while (more)
        TRY(take_out_loose(b, &more));
    return sweep_strangers(b, before_ms);
}

/* --- opening --- */

static void far_close(struct blobs *b)
{
    if (!b->far)
        return;
    store_close(b->far->reader);
    store_close(b->far->config.store);
    explicit_bzero(&b->far->config.s3, sizeof b->far->config.s3);
    explicit_bzero(&b->far->link, sizeof b->far->link);
    pthread_mutex_destroy(&b->far->lock);
    pthread_mutex_destroy(&b->far->reader_lock);
    free(b->far);
}

const struct blob_keeper blob_keeper_far = {
    .find = far_find,
    .open = far_open,
    .settle = far_settle,
    .hold = far_hold,
    .sync = far_sync,
    .drop = far_drop,
    .drop_some = far_drop_some,
    .held = far_held,
    .keep = far_keep,
    .look_each = 500,
    .kept = far_kept,
    .let_go = far_let_go,
    .holders = far_holders,
    .sweep = far_sweep,
    .each = far_each,
    .close = far_close,
};

static struct blob_far *far_new(const struct blob_far_config *config)
{
    struct blob_far *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->config = *config;
    f->config.s3.down_until_ms = &f->down_until_ms;
    f->link = f->config.s3;
    if (*config->link_endpoint)
        snprintf(f->link.endpoint, sizeof f->link.endpoint, "%s", config->link_endpoint);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->reader_lock, NULL);
    return f;
}

enum err blobs_open_far(const char *folder, uint64_t disk_free_min, const struct blob_far_config *config,
                        struct blobs **ret_blobs)
{
    char path[PATH_ROOM];
    struct blobs *b;
    enum err e = blobs_make(folder, disk_free_min, &blob_keeper_far, &b);
    if (e != ERR_OK) {
        store_close(config->store);
        return e;
    }
    b->far = far_new(config);
    snprintf(path, sizeof path, "%s/fetched", b->folder);
    e = b->far ? file_make_folders(path, 0700) : err_set(ERR_NOMEM, "no memory for the blobs");
    if (e == ERR_OK)
        e = store_reader_open(config->store, &b->far->reader);
    if (e != ERR_OK) {
        if (!b->far)
            store_close(config->store);
        blobs_close(b);
        return e;
    }
    *ret_blobs = b;
    return ERR_OK;
}
