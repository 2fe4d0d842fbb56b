/* pack.c - programs and their libraries, see pack.h */
#include "client/cli/pack.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/elf.h"

enum { LIBRARIES_DEEP_MAX = 64, FOLDERS_DEEP_MAX = 32 };

static const char app_loader[] = "/app/lib/ld.so"; /* short, as it must fit into the place of the old one */

const char *pack_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum err pack_word(struct pack_words *w, const char *word)
{
    if (w->count == WU_ARGS_MAX)
        return err_set(ERR_LIMIT, "more than %d words start the program", WU_ARGS_MAX);
    if (!word)
        return ERR_NOMEM;
    w->list[w->count++] = word;
    return ERR_OK;
}

enum err pack_which(const char *name, struct arena *a, const char **ret_path)
{
    const char *path = getenv("PATH");
    char full[PACK_PATH_BYTES];
    if (strchr(name, '/') || access(name, R_OK) == 0) {
        *ret_path = name;
        return access(name, R_OK) == 0 ? ERR_OK : err_set_errno(ERR_IO, "cannot read %s", name);
    }
    for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
        size_t len = strcspn(at, ":");
        if ((size_t)snprintf(full, sizeof full, "%.*s/%s", (int)len, at, name) < sizeof full &&
            access(full, X_OK) == 0) {
            *ret_path = arena_text(a, full);
            return *ret_path ? ERR_OK : ERR_NOMEM;
        }
        at += len + (at[len] == ':');
    }
    return err_set(ERR_MISSING, "there is no program '%s' here or in PATH: install it or give its path",
                   name);
}

enum err pack_place(const struct pack *p, const char *dest, char ret[PACK_PATH_BYTES])
{
    if (!str_is_safe_path(dest))
        return err_set(ERR_INVALID,
                       "'%.200s' is no path inside a bundle: it must be relative and without '..'", dest);
    enum err e = file_join(ret, PACK_PATH_BYTES, p->folder, dest);
    char *slash = strrchr(ret, '/');
    if (e != ERR_OK || !slash)
        return e;
    *slash = 0;
    e = file_make_folders(ret, 0755);
    *slash = '/';
    return e;
}

static enum err copy_one(struct pack *p, const char *from, const char *dest, bool executable)
{
    char to[PACK_PATH_BYTES];
    enum err e = pack_place(p, dest, to);
    if (e == ERR_OK && p->files++ == BUNDLE_FILES_MAX)
        e = err_set(ERR_LIMIT, "more than %d files: that is no app, make the data an input",
                    BUNDLE_FILES_MAX);
    if (e == ERR_OK)
        e = file_copy(from, to, 0644);
    if (e == ERR_OK && chmod(to, executable ? 0755 : 0644) != 0)
        e = err_set_errno(ERR_IO, "cannot set the mode of %s", to);
    return e;
}

static bool has_library(const struct pack *p, const char *name)
{
    for (uint32_t i = 0; i < p->library_count; i++)
        if (str_eq(p->libraries[i], name))
            return true;
    return false;
}

static enum err add_library(struct pack *p, const char *name, const char *path, bool *ret_new)
{
    char dest[PATH_BYTES_MAX + 1];
    *ret_new = false;
    if (has_library(p, name))
        return ERR_OK;
    if (p->library_count == PACK_LIBRARIES_MAX)
        return err_set(ERR_LIMIT, "the program needs more than %d libraries", PACK_LIBRARIES_MAX);
    if ((size_t)snprintf(dest, sizeof dest, "lib/%s", name) >= sizeof dest)
        return err_set(ERR_LIMIT, "the library's name %s is too long", name);
    enum err e = copy_one(p, path, dest, true);
    if (e == ERR_CONFLICT) /* it came with the author's own files */
        e = ERR_OK;
    if (e != ERR_OK)
        return e;
    *ret_new = true;
    p->libraries[p->library_count] = arena_text(p->arena, name);
    return p->libraries[p->library_count++] ? ERR_OK : ERR_NOMEM;
}

static enum err pass_on(struct pack *p, const struct elf *elf, const char *inherited, const char **ret)
{
    BUF_AUTO struct buf both = {0};
    *ret = inherited;
    if (!elf->search || !elf->search_inherited)
        return ERR_OK;
    enum err e = buf_printf(&both, "%s:%s", elf->search, inherited ? inherited : "");
    if (e == ERR_OK && !(*ret = arena_text(p->arena, buf_text(&both))))
        e = ERR_NOMEM;
    return e;
}

enum err pack_libraries(struct pack *p, const char *path, const char *inherited, int depth)
{
    struct elf elf;
    const char *found, *passed = NULL;
    bool fresh = false;
    enum err e = elf_read(path, p->arena, &elf);
    if (e == ERR_OK && depth > LIBRARIES_DEEP_MAX)
        e = err_set(ERR_LIMIT, "the libraries of %s lead deeper than %d", path, LIBRARIES_DEEP_MAX);
    if (e == ERR_OK)
        e = pass_on(p, &elf, inherited, &passed);
    for (uint32_t i = 0; e == ERR_OK && i < elf.needed_count; i++) {
        const char *name = pack_base(elf.needed[i]);
        if (has_library(p, name))
            continue;
        if ((e = elf_find(elf.needed[i], path, &elf, inherited, p->arena, &found)) == ERR_OK &&
            (e = add_library(p, name, found, &fresh)) == ERR_OK && fresh)
            e = pack_libraries(p, found, passed, depth + 1);
    }
    return e;
}

/* The loader under its own name, and under the short one where helpers need it. */
static enum err add_loader(struct pack *p, const char *loader)
{
    char dest[PATH_BYTES_MAX + 1];
    bool fresh;
    if (p->loader)
        return ERR_OK;
    if (!str_starts(pack_base(loader), "ld-linux"))
        return err_set(ERR_UNSUPPORTED, "the loader %s is not glibc's: link the program statically", loader);
    enum err e = add_library(p, pack_base(loader), loader, &fresh);
    if (e == ERR_OK && (size_t)snprintf(dest, sizeof dest, "lib/%s", pack_base(loader)) >= sizeof dest)
        e = err_set(ERR_LIMIT, "the loader's name %s is too long", loader);
    if (e == ERR_OK && !(p->loader = arena_text(p->arena, dest)))
        e = ERR_NOMEM;
    return e;
}

static enum err copy_folder(struct pack *p, const char *from, const char *dest, int depth)
{
    char inner[PACK_PATH_BYTES], inner_dest[PACK_PATH_BYTES];
    if (depth > FOLDERS_DEEP_MAX)
        return err_set(ERR_LIMIT, "%s is deeper than %d folders: does a link in it lead back up?", from,
                       FOLDERS_DEEP_MAX);
    DIR *dir = opendir(from);
    if (!dir)
        return err_set_errno(ERR_IO, "cannot read the folder %s", from);
    enum err e = ERR_OK;
    for (struct dirent *entry; e == ERR_OK && (entry = readdir(dir));) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") || str_eq(entry->d_name, "__pycache__"))
            continue;
        if ((e = file_join(inner, sizeof inner, from, entry->d_name)) == ERR_OK &&
            (e = *dest ? file_join(inner_dest, sizeof inner_dest, dest, entry->d_name)
                       : file_join(inner_dest, sizeof inner_dest, ".", entry->d_name)) == ERR_OK) {
            struct stat st;
            const char *to = *dest ? inner_dest : inner_dest + 2;
            if (stat(inner, &st) != 0)
                e = err_set_errno(ERR_IO, "cannot look at %s (a link that leads nowhere?)", inner);
            else if (S_ISDIR(st.st_mode))
                e = copy_folder(p, inner, to, depth + 1);
            else
                e = pack_file(p, inner, to);
        }
    }
    closedir(dir);
    return e;
}

enum err pack_file(struct pack *p, const char *from, const char *dest)
{
    struct stat st;
    char real[PATH_MAX];
    if (!realpath(from, real) || stat(real, &st) != 0)
        return err_set_errno(ERR_IO, "cannot find %s", from);
    if (S_ISDIR(st.st_mode))
        return copy_folder(p, real, dest, 0);
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_INVALID, "%s is neither a file nor a folder: it cannot be packed", from);
    enum err e = copy_one(p, real, dest, st.st_mode & 0111);
    return e == ERR_OK && elf_is(real) ? pack_libraries(p, real, NULL, 0) : e;
}

enum err pack_entry(struct pack *p, const char *from, const char *dest, struct pack_words *entry)
{
    char real[PATH_MAX], inside[PATH_BYTES_MAX + 8];
    struct elf elf;
    if (!realpath(from, real))
        return err_set_errno(ERR_IO, "cannot find %s", from);
    if (!elf_is(real))
        return pack_script(p, real, dest, entry);
    enum err e = elf_read(real, p->arena, &elf);
    if (e == ERR_OK && !elf.program)
        e = err_set(ERR_INVALID, "%s is a library, not a program", from);
    if (e != ERR_OK || !elf.loader)
        return e == ERR_OK ? pack_word(entry, arena_text(p->arena, dest)) : e;
    snprintf(inside, sizeof inside, "/app/%s", dest);
    if ((e = add_loader(p, elf.loader)) == ERR_OK && (e = pack_word(entry, p->loader)) == ERR_OK &&
        (e = pack_word(entry, "--library-path")) == ERR_OK && (e = pack_word(entry, "/app/lib")) == ERR_OK)
        e = pack_word(entry, arena_text(p->arena, inside));
    return e;
}

enum err pack_program(struct pack *p, const char *from, struct pack_words *entry)
{
    char dest[PATH_BYTES_MAX + 1];
    snprintf(dest, sizeof dest, "bin/%s", pack_base(from));
    enum err e = pack_file(p, from, dest);
    if (e == ERR_CONFLICT) /* two roles of one program: it is there */
        e = ERR_OK;
    return e == ERR_OK ? pack_entry(p, from, dest, entry) : e;
}

/* Writes the bundle's loader over the one that the copy names. */
static enum err change_loader(const char *path, const struct elf *elf)
{
    char name[256] = {0};
    size_t room = elf->loader_room;
    if (room < sizeof app_loader || room > sizeof name)
        return err_set(ERR_UNSUPPORTED, "%s names its loader in %zu bytes: too few for the bundle's", path,
                       room);
    memcpy(name, app_loader, sizeof app_loader);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    enum err e = ERR_OK;
    if (pwrite(fd, name, room, (off_t)elf->loader_offset) != (ssize_t)room)
        e = err_set_errno(ERR_IO, "cannot change %s", path);
    close(fd);
    return e;
}

enum err pack_helper(struct pack *p, const char *from)
{
    char dest[PATH_BYTES_MAX + 1], to[PACK_PATH_BYTES], real[PATH_MAX];
    struct elf elf;
    if (!realpath(from, real))
        return err_set_errno(ERR_IO, "cannot find %s", from);
    if (!elf_is(real))
        return err_set(ERR_UNSUPPORTED,
                       "%s is a script: in the sandbox only ELF programs can be started by others", from);
    snprintf(dest, sizeof dest, "bin/%s", pack_base(from));
    enum err e = pack_file(p, real, dest);
    if (e != ERR_OK)
        return e;
    if ((e = elf_read(real, p->arena, &elf)) != ERR_OK || !elf.loader)
        return e;
    bool first = !p->helpers;
    p->helpers = true;
    if ((e = add_loader(p, elf.loader)) == ERR_OK && (e = pack_place(p, dest, to)) == ERR_OK)
        e = change_loader(to, &elf);
    return e == ERR_OK && first ? copy_one(p, elf.loader, app_loader + strlen("/app/"), true) : e;
}
