/* units.c - see units.h */
#include "client/cli/units.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/parts.h"

enum err units_read_text(const char *path, struct buf *out)
{
    char chunk[65536];
    enum err e = ERR_OK;
    out->bytes_max = UNITS_FILE_BYTES;
    if (!str_eq(path, "-"))
        return file_read(path, UNITS_FILE_BYTES, out);
    for (size_t got; e == ERR_OK && (got = fread(chunk, 1, sizeof chunk, stdin)) > 0;)
        e = buf_add(out, chunk, got);
    return e;
}

enum err units_cut_lines(struct units *u, const char *path)
{
    size_t count = 0, room = 0;
    for (size_t at = 0; at < u->text.len;) {
        char *line = u->text.data + at, *end = memchr(line, '\n', u->text.len - at);
        size_t len = end ? (size_t)(end - line) : u->text.len - at;
        if (memchr(line, 0, len))
            return err_set(ERR_INVALID, "%s holds a NUL: it must be text, one unit a line", path);
        at += len + 1;
        line[len] = 0;
        if (len > 0 && line[len - 1] == '\r')
            line[--len] = 0;
        if (len == 0)
            continue;
        if (count == room) {
            room = room ? room * 2 : 1024;
            size_t *grown = realloc(u->lines, room * sizeof *grown);
            if (!grown)
                return err_set(ERR_NOMEM, "out of memory for the lines of %s", path);
            u->lines = grown;
        }
        u->lines[count++] = (size_t)(line - u->text.data);
    }
    u->outer = count;
    return count ? ERR_OK : err_set(ERR_INVALID, "%s holds no line", path);
}

static enum err open_lines(struct units *u, const char *path)
{
    u->kind = UNITS_LINES;
    enum err e = units_read_text(path, &u->text);
    return e == ERR_OK ? units_cut_lines(u, path) : e;
}

static enum err add_glob(struct units *u, const char *pattern)
{
    glob_t found = {0};
    struct stat st;
    int failed = glob(pattern, GLOB_TILDE, NULL, &found);
    if (failed) {
        globfree(&found);
        return err_set(ERR_MISSING,
                       "no file fits %s (put the pattern in quotes, so that the shell leaves it alone)",
                       pattern);
    }
    char **grown = realloc(u->files, (u->file_count + found.gl_pathc) * sizeof *grown);
    enum err e = grown ? ERR_OK : err_set(ERR_NOMEM, "out of memory for the files of %s", pattern);
    u->files = grown ? grown : u->files;
    for (size_t i = 0; i < found.gl_pathc && e == ERR_OK; i++) {
        if (stat(found.gl_pathv[i], &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (!(u->files[u->file_count] = strdup(found.gl_pathv[i])))
            e = err_set(ERR_NOMEM, "out of memory for the files of %s", pattern);
        else
            u->file_count++;
    }
    globfree(&found);
    u->outer = u->file_count;
    return e != ERR_OK || u->file_count ? e : err_set(ERR_MISSING, "%s fits only folders", pattern);
}

static enum err sweep_list(struct units_sweep *s, char *text, struct arena *arena)
{
    uint64_t count = 1;
    char *rest = NULL;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    const char **values = arena_array(arena, count, sizeof *values);
    if (!values)
        return ERR_NOMEM;
    for (char *v = strtok_r(text, ",", &rest); v; v = strtok_r(NULL, ",", &rest))
        values[s->count++] = v;
    s->values = values;
    return s->count ? ERR_OK : err_set(ERR_INVALID, "--sweep %s has no values", s->name);
}

static enum err add_sweep(struct units *u, const char *text, struct arena *arena)
{
    const char *value;
    int64_t last;
    if (u->sweep_count == UNITS_SWEEPS_MAX)
        return err_set(ERR_LIMIT, "more than %d sweeps", UNITS_SWEEPS_MAX);
    struct units_sweep *s = &u->sweeps[u->sweep_count];
    enum err e = args_pair("sweep", text, arena, &s->name, &value);
    if (e != ERR_OK)
        return e;
    if (strpbrk(s->name, "{}"))
        return err_set(ERR_INVALID, "--sweep %s: a name has no braces", text);
    for (uint32_t i = 0; i < u->sweep_count; i++)
        if (str_eq(u->sweeps[i].name, s->name))
            return err_set(ERR_INVALID, "--sweep %s is given twice: put all its values into one", s->name);
    u->sweep_count++;
    if (strstr(value, "..") && !strchr(value, ',')) {
        if ((e = parts_range(value, &s->first, &last, &s->step)) == ERR_OK)
            s->count = batch_array_count(s->first, last, s->step);
        return e;
    }
    char *copy = arena_text(arena, value);
    return copy ? sweep_list(s, copy, arena) : ERR_NOMEM;
}

static enum err open_csv(const struct args *a, struct units *u, const char *path)
{
    int64_t rows;
    if (!args_flag(a, "rows"))
        return err_set(ERR_INVALID, "--from-csv %s needs --rows N: how many rows go into each unit", path);
    enum err e = args_i64(a, "rows", 1, INT64_MAX, 1, &rows);
    u->kind = UNITS_FILES;
    u->as = u->as ? u->as : "rows.csv";
    return e == ERR_OK ? units_cut_csv(u, path, (uint64_t)rows, !args_flag(a, "no-header")) : e;
}

static enum err open_outer(const struct args *a, struct units *u)
{
    const char *array = args_text(a, "array", NULL), *lines = args_text(a, "each-line", NULL), *pattern;
    const char *json = args_text(a, "from-json", NULL), *csv = args_text(a, "from-csv", NULL);
    bool files = args_flag(a, "each-file") || args_flag(a, "glob");
    enum err e = ERR_OK;
    u->outer = 1;
    if ((array != NULL) + (lines != NULL) + (json != NULL) + (csv != NULL) + files > 1)
        return err_set(ERR_INVALID, "--array, --each-line, --glob, --from-json and --from-csv exclude each "
                                    "other: use --sweep to combine");
    if (json)
        return units_open_json(u, json);
    if (csv)
        return open_csv(a, u, csv);
    if (array) {
        u->kind = UNITS_NUMBERS;
        if ((e = parts_range(array, &u->first, &u->last, &u->step)) == ERR_OK)
            u->outer = batch_array_count(u->first, u->last, u->step);
        return e;
    }
    if (lines)
        return open_lines(u, lines);
    if (files)
        u->kind = UNITS_FILES;
    for (uint32_t i = 0; e == ERR_OK && (pattern = args_each(a, "glob", i)); i++)
        e = add_glob(u, pattern);
    for (uint32_t i = 0; e == ERR_OK && (pattern = args_each(a, "each-file", i)); i++)
        e = add_glob(u, pattern);
    return e;
}

enum err units_open(const struct args *a, struct arena *arena, struct units *ret)
{
    const char *text;
    *ret = (struct units){.as = args_text(a, "as", NULL)};
    enum err e = open_outer(a, ret);
    if (e == ERR_OK && ret->as && ret->kind != UNITS_FILES)
        e = err_set(ERR_INVALID, "--as names the file of each unit: it needs --glob or --from-csv");
    if (e == ERR_OK && (args_flag(a, "rows") || args_flag(a, "no-header")) && !args_flag(a, "from-csv"))
        e = err_set(ERR_INVALID, "--rows and --no-header say how --from-csv FILE is cut");
    if (e == ERR_OK && ret->as && !str_is_safe_path(ret->as))
        e = err_set(ERR_INVALID, "--as %s: it must be a relative path without '..'", ret->as);
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(a, "sweep", i)); i++)
        e = add_sweep(ret, text, arena);
    ret->count = ret->outer;
    for (uint32_t i = 0; e == ERR_OK && i < ret->sweep_count; i++) {
        if (ret->count > BATCH_UNITS_MAX / ret->sweeps[i].count)
            e = err_set(ERR_LIMIT, "the sweeps make more than %u units: cut them into several batches",
                        BATCH_UNITS_MAX);
        ret->count *= ret->sweeps[i].count;
    }
    if (e == ERR_OK && ret->count > BATCH_UNITS_MAX)
        e = err_set(ERR_LIMIT, "%llu units are more than a batch may have (%u)",
                    (unsigned long long)ret->count, BATCH_UNITS_MAX);
    return e;
}

void units_done(struct units *u)
{
    buf_done(&u->text);
    free(u->lines);
    for (size_t i = 0; i < u->file_count; i++)
        free(u->files[i]);
    free(u->files);
    json_free(u->doc);
    if (*u->csv_folder && file_remove_tree(u->csv_folder) != ERR_OK)
        fprintf(stderr, "%s is left behind\n", u->csv_folder);
    *u = (struct units){0};
}

static enum err number_var(struct variable *v, const char *name, int64_t number, struct arena *arena)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    *v = (struct variable){name, arena_text(arena, text)};
    return v->value ? ERR_OK : ERR_NOMEM;
}

enum err units_file_vars(const char *file, struct arena *arena, struct variable ret[2])
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *dot = strrchr(name, '.');
    const char *stem = dot && dot > name ? arena_bytes(arena, name, (size_t)(dot - name)) : name;
    ret[0] = (struct variable){"name", name};
    ret[1] = (struct variable){"stem", stem};
    return stem ? ERR_OK : ERR_NOMEM;
}

static enum err file_vars(const struct units *u, const char *file, struct arena *arena,
                          struct variable ret[3])
{
    const char *plain = str_starts(file, "./") ? file + 2 : file;
    enum err e = units_file_vars(file, arena, &ret[1]);
    ret[0] = (struct variable){"", u->as ? u->as : str_is_safe_path(plain) ? plain : ret[1].value};
    if (!str_is_safe_path(ret[0].value))
        return err_set(ERR_INVALID,
                       "the file %s has a name that not every system can have: --as PATH gives it another",
                       file);
    return e;
}

enum err units_vars(const struct units *u, uint64_t i, struct arena *arena,
                    struct variable ret[UNITS_VARS_MAX], uint32_t *ret_count, const char **ret_file)
{
    uint64_t at = i;
    uint32_t count = 0;
    enum err e = ERR_OK;
    *ret_file = NULL;
    for (uint32_t s = u->sweep_count; s-- > 0 && e == ERR_OK;) { /* the last sweep turns fastest */
        const struct units_sweep *sweep = &u->sweeps[s];
        uint64_t n = at % sweep->count;
        at /= sweep->count;
        if (sweep->values)
            ret[count] = (struct variable){sweep->name, sweep->values[n]};
        else
            e = number_var(&ret[count], sweep->name, sweep->first + (int64_t)n * sweep->step, arena);
        count++;
    }
    if (e == ERR_OK && u->kind == UNITS_NUMBERS)
        e = number_var(&ret[count++], "", u->first + (int64_t)at * u->step, arena);
    if (e == ERR_OK && u->kind == UNITS_LINES)
        ret[count++] = (struct variable){"", u->text.data + u->lines[at]};
    if (e == ERR_OK && u->kind == UNITS_FILES) {
        *ret_file = u->files[at];
        e = file_vars(u, u->files[at], arena, &ret[count]);
        count += 3;
    }
    if (e == ERR_OK && u->kind == UNITS_JSON)
        e = units_json_vars(u, at, arena, ret, &count);
    *ret_count = count;
    return e;
}

bool units_uses(const char *const *words, uint32_t count, const char *name)
{
    char wanted[NAME_BYTES_MAX + 3];
    int n = snprintf(wanted, sizeof wanted, "{%s}", name);
    for (uint32_t i = 0; i < count && n < (int)sizeof wanted; i++)
        if (strstr(words[i], wanted))
            return true;
    return false;
}
