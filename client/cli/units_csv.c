/* units_csv.c - a table cut by rows into files, one for each unit, the header in each. The parts lie in a
 * folder of their own until the submission ends: a table may be larger than the memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "client/cli/units.h"

enum { LINE_BYTES_MAX = 64 << 20 };

struct cut {
    struct units *units;
    const char *path;
    FILE *in, *out;
    char *line;
    size_t room;
    struct buf record, header;
    uint64_t rows, files_room;
};

/* One record: more than a line where a quoted field has line feeds. ERR_MISSING at the end. */
static enum err next_record(struct cut *c)
{
    bool quoted = false;
    buf_clear(&c->record);
    for (;;) {
        ssize_t len = getline(&c->line, &c->room, c->in);
        if (len < 0 && ferror(c->in))
            return err_set_errno(ERR_IO, "cannot read %s", c->path);
        if (len < 0 && quoted)
            return err_set(ERR_INVALID, "%s ends within a quoted field", c->path);
        if (len < 0)
            return ERR_MISSING;
        for (ssize_t i = 0; i < len; i++)
            quoted ^= c->line[i] == '"';
        enum err e = buf_add(&c->record, c->line, (size_t)len);
        if (e != ERR_OK)
            return e;
        if (quoted)
            continue;
        if (c->record.len == 0 || c->record.data[c->record.len - 1] != '\n') /* the last line of a file */
            return buf_add_char(&c->record, '\n');
        return ERR_OK;
    }
}

static bool is_blank(const struct buf *record)
{
    return record->data[strspn(record->data, " \t\r\n")] == 0;
}

static enum err end_part(struct cut *c)
{
    FILE *out = c->out;
    c->out = NULL;
    if (out && fclose(out) != 0)
        return err_set_errno(ERR_IO, "cannot write a part of %s into %s", c->path, c->units->csv_folder);
    return ERR_OK;
}

static enum err begin_part(struct cut *c)
{
    char path[sizeof c->units->csv_folder + 32];
    struct units *u = c->units;
    enum err e = end_part(c);
    if (e != ERR_OK)
        return e;
    if (u->file_count == c->files_room) {
        c->files_room = c->files_room ? c->files_room * 2 : 64;
        char **grown = realloc(u->files, c->files_room * sizeof *grown);
        if (!grown)
            return err_set(ERR_NOMEM, "out of memory for the parts of %s", c->path);
        u->files = grown;
    }
    snprintf(path, sizeof path, "%s/part-%06zu.csv", u->csv_folder, u->file_count);
    if (!(u->files[u->file_count] = strdup(path)))
        return err_set(ERR_NOMEM, "out of memory for the parts of %s", c->path);
    u->file_count++;
    if (!(c->out = fopen(path, "we")))
        return err_set_errno(ERR_IO, "cannot create %s", path);
    fwrite(buf_text(&c->header), 1, c->header.len, c->out);
    return ERR_OK;
}

static enum err cut_all(struct cut *c, uint64_t rows, bool header)
{
    enum err e = header ? next_record(c) : ERR_OK;
    if (e == ERR_OK && header)
        e = buf_add(&c->header, c->record.data, c->record.len);
    while (e == ERR_OK && (e = next_record(c)) == ERR_OK) {
        if (is_blank(&c->record))
            continue;
        if (c->rows++ % rows == 0 && (e = begin_part(c)) != ERR_OK)
            break;
        fwrite(c->record.data, 1, c->record.len, c->out);
    }
    enum err ended = e == ERR_MISSING ? ERR_OK : e;
    enum err closed = end_part(c);
    if (ended == ERR_OK && closed == ERR_OK && c->rows == 0)
        return err_set(ERR_INVALID, "%s holds no row%s", c->path, header ? " below its header" : "");
    return ended != ERR_OK ? ended : closed;
}

enum err units_cut_csv(struct units *u, const char *path, uint64_t rows, bool header)
{
    const char *temp = getenv("TMPDIR");
    struct cut c = {
        .units = u, .path = path, .record.bytes_max = LINE_BYTES_MAX, .header.bytes_max = LINE_BYTES_MAX};
    if (strcmp(path, "-") == 0)
        c.in = stdin;
    else if (!(c.in = fopen(path, "re")))
        return err_set_errno(ERR_MISSING, "cannot open %s", path);
    snprintf(u->csv_folder, sizeof u->csv_folder, "%.200s/dugnad-csv-XXXXXX", temp && *temp ? temp : "/tmp");
    enum err e = ERR_OK;
    if (!mkdtemp(u->csv_folder)) {
        e = err_set_errno(ERR_IO, "cannot make a folder %s for the parts of %s", u->csv_folder, path);
        u->csv_folder[0] = 0;
    }
    if (e == ERR_OK)
        e = cut_all(&c, rows, header);
    if (c.in != stdin)
        fclose(c.in);
    free(c.line);
    buf_done(&c.record);
    buf_done(&c.header);
    u->outer = u->file_count;
    return e;
}
