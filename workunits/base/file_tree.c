/* file_tree.c - folders: make and walk, see file.h. Removing is in file_remove.c. Links are never followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"

enum { TREE_PATH_ROOM = 4096 };

enum err file_make_folders(const char *path, mode_t mode)
{
    char part[TREE_PATH_ROOM];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return err_set(ERR_LIMIT, "path is empty or too long: %.100s", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return err_set_errno(ERR_IO, "cannot make folder %s", part);
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(ERR_INVALID, "%s is in the way: it is not a folder", path);
    return ERR_OK;
}

struct walk {
    enum err (*visit)(void *ctx, const struct file_entry *entry);
    void *ctx;
    const char *folder;
    char path[TREE_PATH_ROOM]; /* of what is visited, relative to folder */
};

struct item {
    char *name;
    struct stat st;
};

struct items {
    struct item *list;
    size_t count, room;
};

static enum err add_item(struct items *items, const char *name, const struct stat *st)
{
    if (items->count == items->room) {
        size_t room = items->room ? items->room * 2 : 32;
        struct item *list = realloc(items->list, room * sizeof *list);
        if (!list)
            return err_set(ERR_NOMEM, "no memory for a folder of %zu entries", items->count);
        items->list = list;
        items->room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return err_set(ERR_NOMEM, "no memory for a folder of %zu entries", items->count);
    items->list[items->count++] = (struct item){.name = copy, .st = *st};
    return ERR_OK;
}

static enum err list_folder(const struct walk *w, DIR *d, struct items *items)
{
    for (;;) {
        errno = 0;
        struct dirent *x = readdir(d);
        if (!x)
            return errno ? err_set_errno(ERR_IO, "cannot read folder %s/%s", w->folder, w->path) : ERR_OK;
        struct stat st;
        if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
            continue;
        if (fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) /* gone meanwhile */
                continue;
            return err_set_errno(ERR_IO, "cannot look at %s/%s%s", w->folder, w->path, x->d_name);
        }
        if (items->count >= WALK_ENTRIES_MAX)
            return err_set(ERR_LIMIT, "%s/%s has more than %d entries", w->folder, w->path, WALK_ENTRIES_MAX);
        enum err e = add_item(items, x->d_name, &st);
        if (e != ERR_OK)
            return e;
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static enum err walk_folder(struct walk *w, int parent, const char *name, size_t path_len, int depth);

static enum err walk_item(struct walk *w, int folder, const struct item *item, size_t path_len, int depth)
{
    size_t len = strlen(item->name);
    if (path_len + len >= sizeof w->path)
        return err_set(ERR_LIMIT, "a path below %s is longer than %zu bytes", w->folder, sizeof w->path - 1);
    memcpy(w->path + path_len, item->name, len + 1);
    const struct timespec *modified = &item->st.st_mtim;
    struct file_entry entry = {.path = w->path,
                               .mode = item->st.st_mode,
                               .bytes = (uint64_t)item->st.st_size,
                               .modified_ms = (int64_t)modified->tv_sec * 1000 + modified->tv_nsec / 1000000};
    enum err e = w->visit(w->ctx, &entry);
    if (e != ERR_OK || !S_ISDIR(item->st.st_mode))
        return e;
    if (path_len + len + 1 >= sizeof w->path)
        return err_set(ERR_LIMIT, "a path below %s is longer than %zu bytes", w->folder, sizeof w->path - 1);
    memcpy(w->path + path_len + len, "/", 2);
    return walk_folder(w, folder, item->name, path_len + len + 1, depth + 1);
}

static enum err walk_folder(struct walk *w, int parent, const char *name, size_t path_len, int depth)
{
    struct items items = {0};
    if (depth > WALK_DEPTH_MAX)
        return err_set(ERR_LIMIT, "%s is nested deeper than %d folders", w->folder, WALK_DEPTH_MAX);
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0);
    int fd = openat(parent, name, flags);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd < 0 && depth > 0 && errno == ENOENT)
        return ERR_OK;
    if (!d) {
        enum err e = err_set_errno(ERR_IO, "cannot read folder %s/%s", w->folder, w->path);
        if (fd >= 0)
            close(fd);
        return e;
    }
    enum err e = list_folder(w, d, &items);
    if (e == ERR_OK && items.count)
        qsort(items.list, items.count, sizeof *items.list, by_bytes);
    for (size_t i = 0; i < items.count; i++) {
        if (e == ERR_OK)
            e = walk_item(w, dirfd(d), &items.list[i], path_len, depth);
        free(items.list[i].name);
    }
    free(items.list);
    closedir(d);
    return e;
}

enum err file_walk(const char *folder, enum err (*visit)(void *ctx, const struct file_entry *entry),
                   void *ctx)
{
    struct walk w = {.folder = folder, .visit = visit, .ctx = ctx};
    return walk_folder(&w, AT_FDCWD, folder, 0, 0);
}
