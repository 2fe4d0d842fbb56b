/* depot.c - see depot.h. The index is a hash table in memory, made from the folders at the start. */
#include "client/depot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/copy.h"
#include "wire/bundle.h"

#define TABLE_FIRST      256u
#define PART_AGE_MAX_MS  (7 * 86400 * 1000ll)
#define FOLDER_BYTES_MAX (DEPOT_PATH_BYTES - 128)

struct entry {
    struct digest digest;
    uint64_t bytes;
    int64_t used; /* a count of uses that only grows; times of files before the start are below 0 */
    uint32_t holds;
    uint8_t kind;
    bool taken;
};

struct depot {
    char folder[FOLDER_BYTES_MAX];
    uint64_t bytes_max, bytes;
    int64_t uses;
    struct entry *table; /* open addressing; room is a power of two */
    uint32_t room, count;
};

static const char *const kind_folders[DEPOT_KINDS] = {"files", "releases", "apps"};

static uint32_t start_of(const struct depot *c, const struct digest *d)
{
    uint32_t h;
    memcpy(&h, d->bytes, sizeof h);
    return h & (c->room - 1);
}

static struct entry *find(const struct depot *c, enum depot_kind kind, const struct digest *d)
{
    for (uint32_t i = start_of(c, d); c->table[i].taken; i = (i + 1) & (c->room - 1))
        if (c->table[i].kind == kind && digest_eq(&c->table[i].digest, d))
            return &c->table[i];
    return NULL;
}

static void put_entry(struct depot *c, const struct entry *e)
{
    uint32_t i = start_of(c, &e->digest);
    while (c->table[i].taken)
        i = (i + 1) & (c->room - 1);
    c->table[i] = *e;
}

static enum err grow(struct depot *c)
{
    struct entry *old = c->table;
    uint32_t old_room = c->room;
    struct entry *bigger = calloc(old_room * 2, sizeof *bigger);
    if (!bigger)
        return err_set(ERR_NOMEM, "out of memory");
    c->table = bigger;
    c->room = old_room * 2;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].taken)
            put_entry(c, &old[i]);
    free(old);
    return ERR_OK;
}

static enum err add_entry(struct depot *c, enum depot_kind kind, const struct digest *d, uint64_t bytes,
                          int64_t used)
{
    struct entry *known = find(c, kind, d);
    if (known) {
        known->used = used;
        return ERR_OK;
    }
    if (2 * (c->count + 1) > c->room) {
        enum err e = grow(c);
        if (e != ERR_OK)
            return e;
    }
    struct entry e = {.digest = *d, .bytes = bytes, .used = used, .kind = (uint8_t)kind, .taken = true};
    put_entry(c, &e);
    c->count++;
    c->bytes += bytes;
    return ERR_OK;
}

/* Closes the hole, so that no search ends in it. */
static void remove_entry(struct depot *c, struct entry *e)
{
    uint32_t mask = c->room - 1, hole = (uint32_t)(e - c->table);
    c->bytes -= e->bytes;
    c->count--;
    for (uint32_t i = (hole + 1) & mask; c->table[i].taken; i = (i + 1) & mask) {
        uint32_t home = start_of(c, &c->table[i].digest);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            c->table[hole] = c->table[i];
            hole = i;
        }
    }
    c->table[hole] = (struct entry){0};
}

void depot_path(const struct depot *c, enum depot_kind kind, const struct digest *d, char *ret)
{
    char name[DIGEST_TEXT_BYTES];
    digest_text(d, name);
    snprintf(ret, DEPOT_PATH_BYTES, "%s/%s/%s", c->folder, kind_folders[kind], name);
}

static void part_path(const struct depot *c, const struct digest *d, char *ret)
{
    char name[DIGEST_TEXT_BYTES];
    digest_text(d, name);
    snprintf(ret, DEPOT_PATH_BYTES, "%s/parts/%s", c->folder, name);
}

/* The time of use is the file's, so that the order survives a restart. */
static void touch(struct depot *c, struct entry *e)
{
    char path[DEPOT_PATH_BYTES];
    e->used = ++c->uses;
    depot_path(c, (enum depot_kind)e->kind, &e->digest, path);
    (void)!utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

bool depot_has(struct depot *c, enum depot_kind kind, const struct digest *d)
{
    struct entry *e = find(c, kind, d);
    if (e)
        e->used = ++c->uses;
    return e != NULL;
}

bool depot_hold(struct depot *c, enum depot_kind kind, const struct digest *d)
{
    struct entry *e = find(c, kind, d);
    if (!e)
        return false;
    e->holds++;
    touch(c, e);
    return true;
}

void depot_release(struct depot *c, enum depot_kind kind, const struct digest *d)
{
    struct entry *e = find(c, kind, d);
    if (e && e->holds > 0)
        e->holds--;
}

void depot_drop(struct depot *c, enum depot_kind kind, const struct digest *d)
{
    char path[DEPOT_PATH_BYTES];
    struct entry *e = find(c, kind, d);
    if (!e)
        return;
    depot_path(c, kind, d, path);
    (void)!file_remove_tree(path);
    remove_entry(c, e);
}

static struct entry *oldest(const struct depot *c)
{
    struct entry *best = NULL;
    for (uint32_t i = 0; i < c->room; i++) {
        struct entry *e = &c->table[i];
        if (e->taken && e->holds == 0 && (!best || e->used < best->used))
            best = e;
    }
    return best;
}

/* Whose fault it is: the owner's limit, or a disk that has less than that. */
static enum err no_room(const struct depot *c, uint64_t bytes, uint64_t free_bytes)
{
    char wanted[32], used[32], most[32], left[32];
    str_from_bytes(bytes, wanted, sizeof wanted);
    str_from_bytes(c->bytes, used, sizeof used);
    str_from_bytes(c->bytes_max, most, sizeof most);
    str_from_bytes(free_bytes, left, sizeof left);
    if (c->bytes + bytes > c->bytes_max)
        return err_set(ERR_FULL, "%s more do not fit into %s, which holds %s of %s: raise disk_bytes", wanted,
                       c->folder, used, most);
    if (free_bytes < bytes)
        return err_set(ERR_FULL, "%s are needed in %s, and its disk has %s left: make room there", wanted,
                       c->folder, left);
    return err_set(ERR_FULL, "%s holds as many files as it may, and all of them are in use", c->folder);
}

static enum err make_room(struct depot *c, uint64_t bytes)
{
    uint64_t free_bytes;
    enum err e = file_disk_free(c->folder, &free_bytes);
    while (e == ERR_OK &&
           (c->bytes + bytes > c->bytes_max || free_bytes < bytes || c->count >= DEPOT_ENTRIES_MAX)) {
        struct entry *old = oldest(c);
        if (!old)
            return no_room(c, bytes, free_bytes);
        struct digest d = old->digest;
        depot_drop(c, (enum depot_kind)old->kind, &d);
        e = file_disk_free(c->folder, &free_bytes);
    }
    return e;
}

enum err depot_part_open(struct depot *c, const struct digest *d, uint64_t bytes, int *ret_fd,
                         uint64_t *ret_have)
{
    char path[DEPOT_PATH_BYTES];
    struct stat st;
    enum err e = make_room(c, bytes);
    if (e != ERR_OK)
        return e;
    part_path(c, d, path);
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    if (fstat(fd, &st) != 0 || (st.st_size > 0 && (uint64_t)st.st_size >= bytes && ftruncate(fd, 0) != 0)) {
        e = err_set_errno(ERR_IO, "cannot empty %s", path);
        close(fd);
        return e;
    }
    *ret_have = (uint64_t)st.st_size < bytes ? (uint64_t)st.st_size : 0;
    *ret_fd = fd;
    return ERR_OK;
}

void depot_part_drop(struct depot *c, const struct digest *d)
{
    char path[DEPOT_PATH_BYTES];
    part_path(c, d, path);
    unlink(path);
}

enum err depot_part_take(struct depot *c, const struct digest *d, uint64_t bytes)
{
    char from[DEPOT_PATH_BYTES], to[DEPOT_PATH_BYTES];
    struct digest got;
    uint64_t got_bytes;
    part_path(c, d, from);
    depot_path(c, DEPOT_FILE, d, to);
    enum err e = hash_file(from, &got, &got_bytes);
    if (e != ERR_OK)
        return e;
    if (got_bytes != bytes || !digest_eq(&got, d)) {
        depot_part_drop(c, d);
        return err_set(ERR_UNTRUSTED,
                       "what was fetched is not the file that was asked for: its digest differs");
    }
    if (rename(from, to) != 0) /* not synced: depot_copy() sees what a crash has done to it */
        return err_set_errno(ERR_IO, "cannot move %s", from);
    return add_entry(c, DEPOT_FILE, d, bytes, ++c->uses);
}

enum err depot_put(struct depot *c, enum depot_kind kind, const struct digest *d, const void *bytes,
                   size_t len)
{
    char path[DEPOT_PATH_BYTES];
    enum err e = make_room(c, len);
    depot_path(c, kind, d, path);
    if (e == ERR_OK)
        e = file_write_atomic(path, bytes, len, 0600);
    return e == ERR_OK ? add_entry(c, kind, d, len, ++c->uses) : e;
}

/* The files of an app are used where they lie, so they must be whole after a crash too: one sync of the file
 * system for all of them, before they get their name. */
static enum err unpack(const char *file, const char *beside, const char *to)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open the bundle %s", file);
    enum err e = file_remove_tree(beside);
    if (e == ERR_OK)
        e = bundle_unpack(fd, beside);
    if (e == ERR_OK && syncfs(fd) != 0)
        e = err_set_errno(ERR_IO, "cannot make %s durable", beside);
    close(fd);
    if (e == ERR_OK && rename(beside, to) != 0)
        e = err_set_errno(ERR_IO, "cannot move %s", beside);
    return e;
}

/* A file in the cache was not synced when it came: after a power cut it may be short, or zeros. */
static enum err check_whole(struct depot *c, const char *path, const struct digest *d)
{
    struct digest got;
    uint64_t bytes;
    enum err e = hash_file(path, &got, &bytes);
    if (e == ERR_OK && digest_eq(&got, d))
        return ERR_OK;
    depot_drop(c, DEPOT_FILE, d);
    return err_set(ERR_CORRUPT, "%s is not what it was: a power cut, the disk or somebody has changed it",
                   path);
}

enum err depot_unpack(struct depot *c, const struct digest *bundle)
{
    char file[DEPOT_PATH_BYTES], beside[DEPOT_PATH_BYTES], app[DEPOT_PATH_BYTES];
    struct entry *e = find(c, DEPOT_FILE, bundle);
    if (find(c, DEPOT_APP, bundle))
        return ERR_OK;
    if (!e)
        return err_set(ERR_MISSING, "the bundle is not in the cache");
    uint64_t bytes = e->bytes;
    e->holds++;
    enum err err = make_room(c, bytes);
    if ((e = find(c, DEPOT_FILE, bundle)))
        e->holds--;
    if (err != ERR_OK)
        return err;
    depot_path(c, DEPOT_FILE, bundle, file);
    depot_path(c, DEPOT_APP, bundle, app);
    part_path(c, bundle, beside);
    if ((err = check_whole(c, file, bundle)) != ERR_OK)
        return err;
    if ((err = unpack(file, beside, app)) != ERR_OK) {
        char problem[512];
        snprintf(problem, sizeof problem, "%s", err_text());
        (void)!file_remove_tree(beside);
        return err_set(err, "%s", problem);
    }
    depot_drop(c, DEPOT_FILE, bundle);
    return add_entry(c, DEPOT_APP, bundle, bytes, ++c->uses);
}

enum err depot_read(struct depot *c, enum depot_kind kind, const struct digest *d, size_t bytes_max,
                    struct buf *out)
{
    char path[DEPOT_PATH_BYTES];
    struct entry *e = find(c, kind, d);
    if (!e)
        return err_set(ERR_MISSING, "it is not in the cache");
    touch(c, e);
    depot_path(c, kind, d, path);
    enum err err = file_read(path, bytes_max, out);
    if (err == ERR_MISSING)
        depot_drop(c, kind, d);
    return err;
}

enum err depot_copy(struct depot *c, const struct digest *d, const char *to)
{
    char path[DEPOT_PATH_BYTES];
    struct digest got;
    uint64_t bytes;
    depot_path(c, DEPOT_FILE, d, path);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        depot_drop(c, DEPOT_FILE, d);
        return err_set_errno(ERR_CORRUPT, "cannot open %s", path);
    }
    enum err e = copy_hashed(fd, to, 0644, BLOB_BYTES_MAX, false, &got, &bytes);
    close(fd);
    if (e == ERR_OK && !digest_eq(&got, d)) {
        unlink(to);
        depot_drop(c, DEPOT_FILE, d);
        return err_set(ERR_CORRUPT, "%s is not what it was: the disk or somebody has changed it", path);
    }
    return e;
}

uint64_t depot_bytes(const struct depot *c)
{
    return c->bytes;
}

void depot_set_bytes_max(struct depot *c, uint64_t bytes_max)
{
    c->bytes_max = bytes_max;
}

uint32_t depot_recent(const struct depot *c, struct digest *ret, uint32_t most)
{
    uint32_t n = 0;
    int64_t before = INT64_MAX;
    while (n < most) {
        const struct entry *best = NULL;
        for (uint32_t i = 0; i < c->room; i++) {
            const struct entry *e = &c->table[i];
            if (e->taken && e->kind != DEPOT_RELEASE && e->used < before && (!best || e->used > best->used))
                best = e;
        }
        if (!best)
            break;
        ret[n++] = best->digest;
        before = best->used;
    }
    return n;
}

/* What the folders hold at the start. */
struct scan {
    struct depot *depot;
    enum depot_kind kind;
    int64_t order;    /* makes times of use different where files have the same */
    struct entry app; /* whose files are being counted */
    bool in_app;
};

static enum err end_app(struct scan *s)
{
    if (!s->in_app)
        return ERR_OK;
    s->in_app = false;
    return add_entry(s->depot, DEPOT_APP, &s->app.digest, s->app.bytes, s->app.used);
}

static void remove_name(const struct depot *c, const char *below, const char *name)
{
    char path[DEPOT_PATH_BYTES + 512];
    int len = snprintf(path, sizeof path, "%s/%s/%s", c->folder, below, name);
    if (len > 0 && (size_t)len < sizeof path)
        (void)!file_remove_tree(path);
}

/* Downloads that nobody came back for, and bundles half unpacked. */
static void clean_parts(const struct depot *c)
{
    char path[DEPOT_PATH_BYTES];
    struct dirent *d;
    struct stat st;
    int64_t now_ms = clock_wall_ms();
    snprintf(path, sizeof path, "%s/parts", c->folder);
    DIR *dir = opendir(path);
    while (dir && (d = readdir(dir))) {
        if (d->d_name[0] == '.' || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode) || now_ms - (int64_t)st.st_mtim.tv_sec * 1000 > PART_AGE_MAX_MS)
            remove_name(c, "parts", d->d_name);
    }
    if (dir)
        closedir(dir);
}

/* Times of use from before: far below 0, in their order. */
static int64_t used_before(struct scan *s, int64_t modified_ms)
{
    return INT64_MIN / 2 + (modified_ms << 16) + (s->order++ & 0xFFFF);
}

static enum err visit(void *ctx, const struct file_entry *f)
{
    struct scan *s = ctx;
    struct digest d;
    bool deep = strchr(f->path, '/') != NULL;
    if (deep) {
        s->app.bytes += S_ISREG(f->mode) ? f->bytes : 0;
        return ERR_OK;
    }
    enum err e = end_app(s);
    if (e != ERR_OK)
        return e;
    bool right =
        digest_parse(f->path, &d) == ERR_OK && (s->kind == DEPOT_APP ? S_ISDIR(f->mode) : S_ISREG(f->mode));
    if (!right) { /* a temporary file that a crash has left; anything else was put there by somebody else */
        if (S_ISREG(f->mode) && str_ends(f->path, ".tmp"))
            remove_name(s->depot, kind_folders[s->kind], f->path);
        return ERR_OK;
    }
    if (s->kind == DEPOT_APP) {
        s->app = (struct entry){.digest = d, .used = used_before(s, f->modified_ms)};
        s->in_app = true;
        return ERR_OK;
    }
    return add_entry(s->depot, s->kind, &d, f->bytes, used_before(s, f->modified_ms));
}

static enum err scan_folders(struct depot *c)
{
    enum err e = ERR_OK;
    char path[DEPOT_PATH_BYTES];
    for (int k = 0; k < DEPOT_KINDS && e == ERR_OK; k++) {
        struct scan s = {.depot = c, .kind = (enum depot_kind)k};
        snprintf(path, sizeof path, "%s/%s", c->folder, kind_folders[k]);
        if ((e = file_make_folders(path, 0700)) == ERR_OK && (e = file_walk(path, visit, &s)) == ERR_OK)
            e = end_app(&s);
    }
    snprintf(path, sizeof path, "%s/parts", c->folder);
    if (e == ERR_OK)
        e = file_make_folders(path, 0700);
    if (e == ERR_OK)
        clean_parts(c);
    return e;
}

enum err depot_open(const char *folder, uint64_t bytes_max, struct depot **ret)
{
    if (strlen(folder) >= FOLDER_BYTES_MAX)
        return err_set(ERR_LIMIT, "the path of the cache is too long");
    struct depot *c = calloc(1, sizeof *c);
    if (!c || !(c->table = calloc(TABLE_FIRST, sizeof *c->table))) {
        free(c);
        return err_set(ERR_NOMEM, "out of memory");
    }
    c->room = TABLE_FIRST;
    c->bytes_max = bytes_max;
    snprintf(c->folder, sizeof c->folder, "%s", folder);
    enum err e = scan_folders(c);
    if (e != ERR_OK) {
        depot_close(c);
        return e;
    }
    *ret = c;
    return ERR_OK;
}

void depot_close(struct depot *c)
{
    if (!c)
        return;
    free(c->table);
    free(c);
}
