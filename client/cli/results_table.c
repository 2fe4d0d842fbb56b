/* results_table.c - see results_table.h */
#include "client/cli/results_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/results.h"

enum { PATH_ROOM = 4096, COLUMNS_MAX = 256 };

/* Where each line is in the file, and the number of its unit. */
struct row {
    uint64_t index;
    long at;
};

struct table {
    FILE *in;
    char path[PATH_ROOM];
    char *line;
    size_t room;
    struct row *rows;
    size_t count;
};

static void table_done(struct table *t)
{
    if (t->in)
        fclose(t->in);
    free(t->line);
    free(t->rows);
}

/* No file: in stays NULL. */
static enum err table_open(struct table *t, const char *folder)
{
    *t = (struct table){0};
    enum err e = file_join(t->path, sizeof t->path, folder, RESULTS_LIST_FILE);
    if (e == ERR_OK && file_exists(t->path) && !(t->in = fopen(t->path, "re")))
        e = err_set_errno(ERR_IO, "cannot open %s", t->path);
    return e;
}

/* The next line; *ret_doc is NULL at the end. A last line that was cut off is none. */
static enum err table_next(struct table *t, struct json_doc **ret_doc, ssize_t *ret_len)
{
    *ret_doc = NULL;
    ssize_t len = t->in ? getline(&t->line, &t->room, t->in) : -1;
    if (len <= 0 || t->line[len - 1] != '\n')
        return ERR_OK;
    *ret_len = len;
    enum err e = json_parse(t->line, (size_t)len, JSON_BODY_BYTES_MAX, ret_doc);
    return e == ERR_OK ? e : err_prefix(e, "%s", t->path);
}

enum err results_table_each(const char *folder, enum err (*visit)(void *ctx, const struct json *item),
                            void *ctx)
{
    struct table t;
    enum err e = table_open(&t, folder);
    for (bool more = true; e == ERR_OK && more;) {
        JSON_AUTO struct json_doc *doc = NULL;
        ssize_t len;
        e = table_next(&t, &doc, &len);
        more = doc != NULL;
        if (e == ERR_OK && doc)
            e = visit(ctx, json_root(doc));
    }
    table_done(&t);
    return e;
}

struct keeping {
    const char *state;
    struct buf kept;
};

static enum err keep_line(void *ctx, const struct json *item)
{
    struct keeping *k = ctx;
    if (!str_eq(json_text(json_field(item, "state")), k->state))
        return ERR_OK;
    enum err e = json_dump(item, &k->kept);
    return e == ERR_OK ? buf_add_char(&k->kept, '\n') : e;
}

enum err results_table_keep(const char *folder, const char *state)
{
    struct keeping k = {.state = state, .kept.bytes_max = 1u << 30};
    char path[PATH_ROOM];
    enum err e = results_table_each(folder, keep_line, &k);
    if (e == ERR_OK)
        e = file_join(path, sizeof path, folder, RESULTS_LIST_FILE);
    if (e == ERR_OK && (k.kept.len > 0 || file_exists(path)))
        e = file_write_atomic(path, buf_text(&k.kept), k.kept.len, 0644);
    buf_done(&k.kept);
    return e;
}

static int by_index(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->index != y->index ? (x->index < y->index ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

static enum err index_rows(struct table *t)
{
    size_t room = 0;
    long at = 0;
    for (;;) {
        JSON_AUTO struct json_doc *doc = NULL;
        ssize_t len;
        uint64_t index;
        enum err e = table_next(t, &doc, &len);
        if (e != ERR_OK)
            return e;
        if (!doc)
            break;
        const char *unit = json_text(json_field(json_root(doc), "unit")),
                   *dot = unit ? strchr(unit, '.') : NULL;
        if (!dot || str_to_u64(dot + 1, UINT64_MAX, &index) != ERR_OK)
            return err_set(ERR_CORRUPT, "%s has a line without its unit", t->path);
        if (t->count == room) {
            room = room ? room * 2 : 1024;
            struct row *grown = realloc(t->rows, room * sizeof *grown);
            if (!grown)
                return err_set(ERR_NOMEM, "out of memory for the rows of %s", t->path);
            t->rows = grown;
        }
        t->rows[t->count++] = (struct row){index, at};
        at += (long)len;
    }
    if (t->count)
        qsort(t->rows, t->count, sizeof *t->rows, by_index);
    return ERR_OK;
}

static enum err row_at(struct table *t, size_t i, struct json_doc **ret)
{
    ssize_t len;
    if (fseek(t->in, t->rows[i].at, SEEK_SET) != 0)
        return err_set_errno(ERR_IO, "cannot read %s", t->path);
    enum err e = table_next(t, ret, &len);
    return e == ERR_OK && !*ret ? err_set(ERR_CORRUPT, "%s has changed meanwhile", t->path) : e;
}

/* Of two lines of a unit, the later: it was computed again. */
static bool is_last(const struct table *t, size_t i)
{
    return i + 1 == t->count || t->rows[i + 1].index != t->rows[i].index;
}

/* --- CSV --- */

struct columns {
    char *vars[COLUMNS_MAX], *outputs[COLUMNS_MAX];
    size_t var_count, output_count;
};

static enum err column(char **list, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (str_eq(list[i], name))
            return ERR_OK;
    if (*count == COLUMNS_MAX)
        return err_set(ERR_LIMIT, "more than %d columns in %s", COLUMNS_MAX, RESULTS_CSV_FILE);
    if (!(list[*count] = strdup(name)))
        return err_set(ERR_NOMEM, "out of memory");
    ++*count;
    return ERR_OK;
}

static enum err see_columns(void *ctx, const struct json *item)
{
    struct columns *c = ctx;
    const struct json *vars = json_field(item, "vars"), *outputs = json_field(item, "outputs"), *value;
    const char *name;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && vars && json_each(vars, i, &name, &value); i++)
        e = column(c->vars, &c->var_count, name);
    for (size_t i = 0; e == ERR_OK && outputs && i < json_count(outputs); i++)
        if ((name = json_text(json_field(json_at(outputs, i), "path"))))
            e = column(c->outputs, &c->output_count, name);
    return e;
}

/* A text as a field: quoted where it has to be. */
static void put(FILE *out, const char *text)
{
    text = text ? text : "";
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_row(FILE *out, const struct columns *c, const struct json *item)
{
    const struct json *outputs = json_field(item, "outputs");
    put(out, json_text(json_field(item, "unit")));
    fputc(',', out);
    put(out, json_text(json_field(item, "state")));
    fputc(',', out);
    put(out, json_text(json_field(item, "failure")));
    for (size_t v = 0; v < c->var_count; v++) {
        fputc(',', out);
        put(out, json_text(json_field(json_field(item, "vars"), c->vars[v])));
    }
    for (size_t n = 0; n < c->output_count; n++) {
        fputc(',', out);
        for (size_t i = 0; outputs && i < json_count(outputs); i++)
            if (str_eq(json_text(json_field(json_at(outputs, i), "path")), c->outputs[n]))
                fprintf(out, "%lld", (long long)json_int(json_field(json_at(outputs, i), "bytes"), 0));
    }
    fputc('\n', out);
}

static void put_head(FILE *out, const struct columns *c)
{
    fputs("unit,state,failure", out);
    for (size_t v = 0; v < c->var_count; v++) {
        fputc(',', out);
        put(out, *c->vars[v] ? c->vars[v] : "{}");
    }
    for (size_t n = 0; n < c->output_count; n++) {
        fputs(",bytes of ", out);
        put(out, c->outputs[n]);
    }
    fputc('\n', out);
}

static enum err write_csv(struct table *t, const struct columns *c, const char *path)
{
    char fresh[PATH_ROOM + 8];
    snprintf(fresh, sizeof fresh, "%s.part", path);
    FILE *out = fopen(fresh, "we");
    if (!out)
        return err_set_errno(ERR_IO, "cannot create %s", fresh);
    put_head(out, c);
    enum err e = ERR_OK;
    for (size_t i = 0; i < t->count && e == ERR_OK; i++) {
        JSON_AUTO struct json_doc *doc = NULL;
        if (is_last(t, i) && (e = row_at(t, i, &doc)) == ERR_OK)
            put_row(out, c, json_root(doc));
    }
    bool bad = ferror(out);
    if ((fclose(out) != 0 || bad) && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", fresh);
    return e == ERR_OK ? file_rename_durable(fresh, path) : e;
}

enum err results_table_csv(const char *folder)
{
    struct table t;
    struct columns c = {0};
    char path[PATH_ROOM];
    enum err e = table_open(&t, folder);
    if (e == ERR_OK)
        e = file_join(path, sizeof path, folder, RESULTS_CSV_FILE);
    if (e == ERR_OK)
        e = results_table_each(folder, see_columns, &c);
    if (e == ERR_OK)
        e = index_rows(&t);
    if (e == ERR_OK && t.in)
        e = write_csv(&t, &c, path);
    for (size_t i = 0; i < c.var_count; i++)
        free(c.vars[i]);
    for (size_t i = 0; i < c.output_count; i++)
        free(c.outputs[i]);
    table_done(&t);
    return e;
}

/* --- one file of all answers --- */

static enum err copy_file(const char *path, bool skip_line, FILE *out)
{
    char block[1 << 14];
    FILE *in = fopen(path, "re");
    size_t n;
    if (!in)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    for (int b = 0; skip_line && b != '\n' && b != EOF;)
        b = fgetc(in);
    while ((n = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, n, out);
    bool bad = ferror(in);
    fclose(in);
    return bad ? err_set(ERR_IO, "cannot read %s", path) : ERR_OK;
}

static enum err merge_row(const struct results_merge *m, const struct json *item, bool first, FILE *out)
{
    BUF_AUTO struct buf name = {0};
    char path[PATH_ROOM];
    const struct json *outputs = json_field(item, "outputs");
    const char *unit = json_text(json_field(item, "unit")), *which = m->path;
    if (!str_eq(json_text(json_field(item, "state")), "accepted"))
        return err_set(ERR_MISSING, "%s has no answer: it failed (dugnad retry, then the same command again)",
                       unit);
    if (!which && json_count(outputs) != 1)
        return err_set(ERR_INVALID, "%s has %zu outputs: say which goes into the one file, --merge-path PATH",
                       unit, json_count(outputs));
    if (!which)
        which = json_text(json_field(json_at(outputs, 0), "path"));
    enum err e = results_name(m->pattern, item, which, &name);
    if (e == ERR_OK)
        e = file_join(path, sizeof path, m->folder, buf_text(&name));
    return e == ERR_OK ? copy_file(path, m->header && !first, out) : e;
}

static enum err merge_rows(const struct results_merge *m, struct table *t, FILE *out)
{
    enum err e = ERR_OK;
    uint64_t units = 0;
    for (size_t i = 0; i < t->count && e == ERR_OK; i++) {
        JSON_AUTO struct json_doc *doc = NULL;
        if (!is_last(t, i))
            continue;
        if (t->rows[i].index != units)
            return err_set(ERR_MISSING, "unit %llu has no answer yet: dugnad results --follow waits for it",
                           (unsigned long long)units);
        if ((e = row_at(t, i, &doc)) == ERR_OK)
            e = merge_row(m, json_root(doc), units == 0, out);
        units++;
    }
    if (e == ERR_OK && units < m->units)
        e = err_set(ERR_MISSING, "unit %llu has no answer yet: dugnad results --follow waits for it",
                    (unsigned long long)units);
    return e;
}

enum err results_table_merge(const struct results_merge *m)
{
    struct table t;
    char fresh[PATH_ROOM];
    enum err e = table_open(&t, m->folder);
    if (e == ERR_OK)
        e = index_rows(&t);
    if (e == ERR_OK && (size_t)snprintf(fresh, sizeof fresh, "%s.part", m->to) >= sizeof fresh)
        e = err_set(ERR_LIMIT, "the path %.200s... is too long", m->to);
    FILE *out = e == ERR_OK ? fopen(fresh, "we") : NULL;
    if (e == ERR_OK && !out)
        e = err_set_errno(ERR_IO, "cannot create %s", fresh);
    if (e == ERR_OK)
        e = merge_rows(m, &t, out);
    bool bad = out && ferror(out);
    if (out && (fclose(out) != 0 || bad) && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", fresh);
    if (e == ERR_OK)
        e = file_rename_durable(fresh, m->to);
    else if (out)
        remove(fresh);
    table_done(&t);
    return e;
}
