/* file_tree.c - folders: make, walk, remove; see file.h. Links are never followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { TREE_PATH_ROOM = 4096, TREE_DEPTH_MAX = 128 };

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

static enum err remove_at(int parent, const char *name, const char *shown, int depth);

static enum err remove_content(int fd, const char *shown, int depth)
{
    DIR *d = fdopendir(fd);
    enum err e = ERR_OK;
    if (!d) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot read folder %s", shown);
    }
    for (struct dirent *x = readdir(d); x && e == ERR_OK; x = readdir(d))
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            e = remove_at(dirfd(d), x->d_name, shown, depth + 1);
    closedir(d);
    return e;
}

static enum err remove_at(int parent, const char *name, const char *shown, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return ERR_OK;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return err_set_errno(ERR_IO, "cannot remove %s in %s", name, shown);
    if (depth > TREE_DEPTH_MAX * 16)
        return err_set(ERR_LIMIT, "%s is nested too deep to remove", shown);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot remove %s in %s", name, shown);
    (void)fchmod(fd, 0700); /* a program may have left a folder that its owner cannot write */
    enum err e = remove_content(fd, shown, depth);
    if (e == ERR_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        e = err_set_errno(ERR_IO, "cannot remove folder %s in %s", name, shown);
    return e;
}

enum err file_remove_tree(const char *path)
{
    return remove_at(AT_FDCWD, path, path, 0);
}

struct walk {
    const char *folder;
    enum err (*visit)(void *ctx, const struct file_entry *entry);
    void *ctx;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static enum err walk_folder(const struct walk *w, const char *below, int depth);

static enum err walk_entry(const struct walk *w, const char *path, int depth)
{
    char full[TREE_PATH_ROOM];
    struct stat st;
    enum err e = file_join(full, sizeof full, w->folder, path);
    if (e != ERR_OK)
        return e;
    if (lstat(full, &st) != 0)
        return err_set_errno(ERR_IO, "cannot look at %s", full);
    struct file_entry entry = {.path = path,
                               .mode = st.st_mode,
                               .bytes = (uint64_t)st.st_size,
                               .modified_ms =
                                   (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
    e = w->visit(w->ctx, &entry);
    return e == ERR_OK && S_ISDIR(st.st_mode) ? walk_folder(w, path, depth + 1) : e;
}

static enum err walk_folder(const struct walk *w, const char *below, int depth)
{
    char full[TREE_PATH_ROOM], path[TREE_PATH_ROOM];
    struct dirent **list = NULL;
    enum err e = *below ? file_join(full, sizeof full, w->folder, below) : ERR_OK;
    if (e != ERR_OK)
        return e;
    if (depth > TREE_DEPTH_MAX)
        return err_set(ERR_LIMIT, "%s is nested deeper than %d folders", w->folder, TREE_DEPTH_MAX);
    int count = scandir(*below ? full : w->folder, &list, not_dots, by_bytes);
    if (count < 0)
        return err_set_errno(ERR_IO, "cannot read folder %s", *below ? full : w->folder);
    for (int i = 0; i < count; i++) {
        if (e == ERR_OK) {
            int n = snprintf(path, sizeof path, "%s%s%s", below, *below ? "/" : "", list[i]->d_name);
            e = n < 0 || (size_t)n >= sizeof path ? err_set(ERR_LIMIT, "path is too long below %s", w->folder)
                                                  : walk_entry(w, path, depth);
        }
        free(list[i]);
    }
    free(list);
    return e;
}

enum err file_walk(const char *folder, enum err (*visit)(void *ctx, const struct file_entry *entry),
                   void *ctx)
{
    struct walk w = {.folder = folder, .visit = visit, .ctx = ctx};
    return walk_folder(&w, "", 0);
}
