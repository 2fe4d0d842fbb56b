/* pack_script.c - scripts: the interpreter named in the first line comes along, see pack.h */
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dirent.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/elf.h"
#include "client/cli/pack.h"

/* The words of "#!/usr/bin/env python3 -u": the interpreter's path and what follows it. */
static enum err first_line(const char *path, struct arena *a, const char **ret_words, uint32_t most,
                           uint32_t *ret_count)
{
    char line[512] = "", *rest = NULL;
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    size_t len = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[len] = 0;
    line[strcspn(line, "\r\n")] = 0;
    *ret_count = 0;
    if (!str_starts(line, "#!"))
        return err_set(
            ERR_INVALID,
            "%s is neither an ELF program nor a script: a script's first line is such as #!/usr/bin/python3",
            path);
    for (char *word = strtok_r(line + 2, " \t", &rest); word && *ret_count < most;
         word = strtok_r(NULL, " \t", &rest)) {
        if (*ret_count == 0 && str_eq(pack_base(word), "env"))
            continue;
        if (!(ret_words[(*ret_count)++] = arena_text(a, word)))
            return ERR_NOMEM;
    }
    return *ret_count ? ERR_OK : err_set(ERR_INVALID, "the first line of %s names no interpreter", path);
}

/* What a program prints, its last line feed cut off. */
static enum err output_of(char *const *argv, struct buf *out)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = -1;
    pid_t pid;
    if (pipe(ends) != 0)
        return err_set_errno(ERR_IO, "cannot make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int failed = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    enum err e = failed ? err_set(ERR_IO, "cannot start %s: %s", argv[0], strerror(failed)) : ERR_OK;
    char chunk[512];
    for (ssize_t got; e == ERR_OK && (got = read(ends[0], chunk, sizeof chunk)) > 0;)
        e = buf_add(out, chunk, (size_t)got);
    close(ends[0]);
    if (!failed && (waitpid(pid, &status, 0) != pid || status != 0) && e == ERR_OK)
        e = err_set(ERR_IO, "%s %s did not work", argv[0], argv[1]);
    while (e == ERR_OK && out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = 0;
    return e;
}

/* Parts of Python's library that no unit of work needs. */
static bool left_out(const char *name)
{
    static const char *const names[] = {
        "__pycache__",      "test",       "idlelib",    "lib2to3",       "ensurepip",
        "tkinter",          "turtledemo", "pydoc_data", "dist-packages", "site-packages",
        "sitecustomize.py", ".",          ".."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(name, names[i]))
            return true;
    return str_starts(name, "config-") || str_starts(name, "_tkinter.");
}

static enum err add_parts(struct pack *p, const char *folder, const char *dest)
{
    char from[PACK_PATH_BYTES], to[PACK_PATH_BYTES];
    DIR *dir = opendir(folder);
    if (!dir)
        return err_set_errno(ERR_IO, "cannot read Python's library %s", folder);
    enum err e = ERR_OK;
    for (struct dirent *entry; e == ERR_OK && (entry = readdir(dir));)
        if (!left_out(entry->d_name) && (e = file_join(from, sizeof from, folder, entry->d_name)) == ERR_OK &&
            (e = file_join(to, sizeof to, dest, entry->d_name)) == ERR_OK)
            e = pack_file(p, from, to);
    closedir(dir);
    return e;
}

static enum err add_python(struct pack *p, const char *interpreter)
{
    char *const ask[] = {(char *)interpreter, (char *)"-c",
                         (char *)"import sysconfig as s; print(s.get_path('stdlib'))", NULL};
    BUF_AUTO struct buf folder = {0};
    char dest[PACK_PATH_BYTES];
    if (p->python)
        return ERR_OK;
    enum err e = output_of(ask, &folder);
    if (e == ERR_OK)
        e = file_join(dest, sizeof dest, "lib", pack_base(buf_text(&folder)));
    if (e == ERR_OK)
        e = add_parts(p, buf_text(&folder), dest);
    p->python = e == ERR_OK;
    return e;
}

/* The interpreter's own file: what `python3` in PATH is may be a script of a version manager or a virtual
 * environment. */
static enum err real_interpreter(struct pack *p, const char *name, const char **ret)
{
    BUF_AUTO struct buf own = {0};
    char real[PATH_MAX];
    const char *path = NULL;
    enum err e = pack_which(name, p->arena, &path);
    if (e != ERR_OK)
        return e;
    if (str_starts(pack_base(path), "python")) {
        char *const ask[] = {(char *)path, (char *)"-c", (char *)"import sys; print(sys.executable)", NULL};
        if ((e = output_of(ask, &own)) != ERR_OK)
            return e;
        path = buf_text(&own);
    }
    if (!realpath(path, real))
        return err_set_errno(ERR_IO, "cannot find the interpreter %s", path);
    if (!elf_is(real))
        return err_set(ERR_UNSUPPORTED, "the interpreter %s is itself a script: name the program behind it",
                       real);
    *ret = arena_text(p->arena, real);
    return *ret ? ERR_OK : ERR_NOMEM;
}

enum err pack_script(struct pack *p, const char *from, const char *dest, struct pack_words *entry)
{
    const char *words[8], *interpreter = NULL;
    char inside[PATH_BYTES_MAX + 8];
    uint32_t count;
    enum err e = first_line(from, p->arena, words, 8, &count);
    if (e == ERR_OK)
        e = real_interpreter(p, words[0], &interpreter);
    if (e != ERR_OK)
        return e;
    if ((e = pack_program(p, interpreter, entry)) == ERR_OK && str_starts(pack_base(interpreter), "python"))
        e = add_python(p, interpreter);
    for (uint32_t i = 1; e == ERR_OK && i < count; i++)
        e = pack_word(entry, words[i]);
    snprintf(inside, sizeof inside, "/app/%s", dest);
    return e == ERR_OK ? pack_word(entry, arena_text(p->arena, inside)) : e;
}
