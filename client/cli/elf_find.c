/* elf_find.c - where the loader would find a library, see elf.h and ld.so(8) */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "client/cli/elf.h"

enum { INCLUDE_DEPTH_MAX = 8 };

static const char default_folders[] =
#if defined(__aarch64__)
    "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:"
#else
    "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:"
#endif
    "/lib64:/usr/lib64:/lib:/usr/lib";

/* Does the file fit: an ELF file for this machine? Libraries of other machines share names and folders. */
static bool fits(const char *path)
{
    ARENA_AUTO struct arena scratch = {0};
    struct elf elf;
    return elf_is(path) && elf_read(path, &scratch, &elf) == ERR_OK;
}

static enum err expand_folder(const char *folder, size_t len, const char *path, struct buf *out)
{
    const char *slash = strrchr(path, '/');
    char part[4096];
    if (len == 0 || len >= sizeof part)
        return ERR_OK;
    memcpy(part, folder, len);
    part[len] = 0;
    size_t skip = str_starts(part, "$ORIGIN") ? 7 : str_starts(part, "${ORIGIN}") ? 9 : 0;
    if (strchr(part + skip, '$'))
        return ERR_OK;
    if (!skip)
        return buf_printf(out, "%s:", part);
    return buf_printf(out, "%.*s%s:", slash ? (int)(slash - path) : 1, slash ? path : ".", part + skip);
}

const char *elf_expand(const char *search, const char *path, struct arena *a)
{
    BUF_AUTO struct buf out = {0};
    enum err e = ERR_OK;
    while (*search && e == ERR_OK) {
        size_t len = strcspn(search, ":");
        e = expand_folder(search, len, path, &out);
        search += len + (search[len] == ':');
    }
    return e == ERR_OK ? arena_text(a, buf_text(&out)) : NULL;
}

/* Sets *ret_path when one of the folders has it. */
static enum err look(const char *folders, const char *name, struct arena *a, const char **ret_path)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && folders && *folders && !*ret_path) {
        BUF_AUTO struct buf path = {0};
        size_t len = strcspn(folders, ":");
        if (len > 0 && (e = buf_printf(&path, "%.*s/%s", (int)len, folders, name)) == ERR_OK &&
            fits(buf_text(&path)) && !(*ret_path = arena_text(a, buf_text(&path))))
            return ERR_NOMEM;
        folders += len + (folders[len] == ':');
    }
    return e;
}

/* The folders of ld.so.conf, ':' between, with its includes. */
static enum err conf_folders(const char *path, int depth, struct buf *out)
{
    BUF_AUTO struct buf text = {0};
    char *rest = NULL;
    if (depth > INCLUDE_DEPTH_MAX || file_read(path, 65536, &text) != ERR_OK || !text.data)
        return ERR_OK;
    enum err e = ERR_OK;
    for (char *line = strtok_r(text.data, "\n", &rest); line && e == ERR_OK;
         line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " \t");
        line[strcspn(line, "#\r")] = 0;
        for (size_t len = strlen(line); len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'); len--)
            line[len - 1] = 0;
        if (str_starts(line, "include")) {
            glob_t found;
            if (glob(line + 7 + strspn(line + 7, " \t"), 0, NULL, &found) == 0) {
                for (size_t i = 0; i < found.gl_pathc && e == ERR_OK; i++)
                    e = conf_folders(found.gl_pathv[i], depth + 1, out);
                globfree(&found);
            }
        } else if (*line == '/') {
            e = buf_printf(out, "%s:", line);
        }
    }
    return e;
}

enum err elf_find(const char *name, const char *user, const struct elf *elf, const char *inherited,
                  struct arena *a, const char **ret_path)
{
    BUF_AUTO struct buf configured = {0};
    const char *path = NULL;
    enum err e;
    const char *own = elf->search;
    if (strchr(name, '/') && fits(name))
        path = name;
    if ((e = conf_folders("/etc/ld.so.conf", 0, &configured)) == ERR_OK &&
        (e = look(elf->search_inherited ? own : NULL, name, a, &path)) == ERR_OK &&
        (e = look(own && !elf->search_inherited ? NULL : inherited, name, a, &path)) == ERR_OK &&
        (e = look(getenv("LD_LIBRARY_PATH"), name, a, &path)) == ERR_OK &&
        (e = look(own, name, a, &path)) == ERR_OK &&
        (e = look(buf_text(&configured), name, a, &path)) == ERR_OK)
        e = look(default_folders, name, a, &path);
    if (e == ERR_OK && !path)
        return err_set(
            ERR_MISSING,
            "%s wants the library %s, which is nowhere on this machine: install it, or set LD_LIBRARY_PATH",
            user, name);
    if (e == ERR_OK)
        *ret_path = path;
    return e;
}
