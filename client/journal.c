/* journal.c - see journal.h */
#include "client/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "wire/items.h"

enum { SUM_CHARS = 16, LONG_BYTES = 256 << 10 };

struct journal {
    char *path;
    int fd;
    bool dirty;
    uint64_t bytes, bytes_when_new;
    struct buf *rewrite; /* not NULL during compaction: lines go there */
};

static const char *const kind_names[JOURNAL_KINDS] = {"leased", "started", "finished", "forgotten"};

static void sum_text(const char *line, size_t len, char ret[DIGEST_TEXT_BYTES])
{
    struct digest d = hash_bytes(line, len);
    digest_text(&d, ret);
    ret[SUM_CHARS] = 0;
}

static enum err print_record(const struct journal_record *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "what", kind_names[r->kind]);
    attempt_ref_write(&o, "attempt", &r->id);
    if (r->kind == JOURNAL_LEASED) {
        json_out_i64(&o, "deadline_ms", r->deadline_ms);
        digest_write(&o, "order", &r->order);
        digest_write(&o, "release", &r->release);
        digest_write(&o, "bundle", &r->bundle);
        json_out_string_len(&o, "spec", r->spec, r->spec_len);
        if (r->audit)
            json_out_string(&o, "audit", r->audit);
    } else if (r->kind == JOURNAL_STARTED) {
        json_out_u64(&o, "starts", r->starts);
    } else if (r->kind == JOURNAL_FINISHED) {
        outcome_write(&o, "outcome", &r->outcome);
    }
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err read_kind(const struct json *root, enum journal_kind *ret)
{
    const char *word;
    enum err e = json_get_string(root, "journal", "what", NAME_BYTES_MAX, &word);
    if (e != ERR_OK)
        return e;
    for (int i = 0; i < JOURNAL_KINDS; i++) {
        if (strcmp(kind_names[i], word) == 0) {
            *ret = (enum journal_kind)i;
            return ERR_OK;
        }
    }
    return err_set(ERR_CORRUPT, "the journal has a record '%.60s' that this version does not know", word);
}

static enum err read_lease(const struct json *root, struct journal_record *r)
{
    enum err e;
    if ((e = json_get_i64(root, "journal", "deadline_ms", INT64_MIN, INT64_MAX, &r->deadline_ms)) != ERR_OK ||
        (e = digest_read(root, "journal", "order", &r->order)) != ERR_OK ||
        (e = digest_read(root, "journal", "release", &r->release)) != ERR_OK ||
        (e = digest_read(root, "journal", "bundle", &r->bundle)) != ERR_OK ||
        (e = json_get_string(root, "journal", "spec", WU_SPEC_BYTES_MAX, &r->spec)) != ERR_OK)
        return e;
    r->spec_len = strlen(r->spec);
    return json_opt_string(root, "journal", "audit", AUDIT_TEXT_BYTES, NULL, &r->audit);
}

static enum err read_record(const struct json *root, struct arena *a, struct journal_record *r)
{
    const char *id;
    int64_t starts = 0;
    enum err e;
    if ((e = read_kind(root, &r->kind)) != ERR_OK ||
        (e = json_get_string(root, "journal", "attempt", ID_TEXT_BYTES, &id)) != ERR_OK ||
        (e = attempt_id_parse(id, &r->id.unit, &r->id.attempt)) != ERR_OK)
        return e;
    if (r->kind == JOURNAL_LEASED)
        return read_lease(root, r);
    if (r->kind == JOURNAL_FINISHED)
        return outcome_read(json_field(root, "outcome"), a, &r->outcome);
    if (r->kind == JOURNAL_STARTED)
        e = json_get_i64(root, "journal", "starts", 0, INT32_MAX, &starts);
    r->starts = (uint32_t)starts;
    return e;
}

static bool visit_line(const char *line, size_t len, void (*visit)(void *, const struct journal_record *),
                       void *ctx)
{
    ARENA_AUTO struct arena a = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct journal_record r = {0};
    char sum[DIGEST_TEXT_BYTES];
    if (len < SUM_CHARS + 2 || line[SUM_CHARS] != ' ')
        return false;
    const char *text = line + SUM_CHARS + 1;
    size_t text_len = len - SUM_CHARS - 1;
    sum_text(text, text_len, sum);
    if (memcmp(sum, line, SUM_CHARS) != 0 ||
        json_parse(text, text_len, JOURNAL_LINE_BYTES_MAX, &doc) != ERR_OK ||
        read_record(json_root(doc), &a, &r) != ERR_OK)
        return false;
    visit(ctx, &r);
    return true;
}

/* Returns how many bytes are whole lines. */
static size_t replay(const struct buf *all, void (*visit)(void *, const struct journal_record *), void *ctx,
                     uint32_t *ret_skipped)
{
    size_t at = 0;
    const char *end;
    while (at < all->len && (end = memchr(all->data + at, '\n', all->len - at))) {
        size_t len = (size_t)(end - (all->data + at));
        if (!visit_line(all->data + at, len, visit, ctx))
            ++*ret_skipped;
        at += len + 1;
    }
    return at;
}

static enum err open_file(struct journal *j, size_t whole)
{
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (j->fd < 0)
        return err_set_errno(ERR_IO, "cannot open the journal %s", j->path);
    if (ftruncate(j->fd, (off_t)whole) != 0)
        return err_set_errno(ERR_IO, "cannot cut the journal %s", j->path);
    j->bytes = whole;
    return ERR_OK;
}

enum err journal_open(const char *path, void (*visit)(void *ctx, const struct journal_record *r), void *ctx,
                      struct journal **ret, uint32_t *ret_skipped)
{
    BUF_AUTO struct buf all = {.bytes_max = JOURNAL_BYTES_MAX};
    enum err e = file_read(path, JOURNAL_BYTES_MAX, &all);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    struct journal *j = calloc(1, sizeof *j);
    if (!j || !(j->path = strdup(path))) {
        free(j);
        return err_set(ERR_NOMEM, "out of memory");
    }
    *ret_skipped = 0;
    size_t whole = replay(&all, visit, ctx, ret_skipped);
    if (whole < all.len)
        ++*ret_skipped;
    if ((e = open_file(j, whole)) != ERR_OK) {
        journal_close(j);
        return e;
    }
    j->bytes_when_new = 0;
    *ret = j;
    return ERR_OK;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

enum err journal_add(struct journal *j, const struct journal_record *r)
{
    BUF_AUTO struct buf text = {.bytes_max = JOURNAL_LINE_BYTES_MAX}, line = {0};
    char sum[DIGEST_TEXT_BYTES];
    enum err e = print_record(r, &text);
    if (e != ERR_OK)
        return e;
    sum_text(text.data, text.len, sum);
    if ((e = buf_printf(&line, "%s %s\n", sum, text.data)) != ERR_OK)
        return e;
    if (j->rewrite)
        return buf_add(j->rewrite, line.data, line.len);
    if (j->bytes + line.len > JOURNAL_BYTES_MAX)
        return err_set(ERR_LIMIT, "the journal %s is full", j->path);
    if ((e = file_write_all(j->fd, line.data, line.len)) != ERR_OK) {
        /* half a line in the middle would take the next one with it */
        if (ftruncate(j->fd, (off_t)j->bytes) != 0)
            return err_prefix(e, "the journal %s cannot be cut either", j->path);
        return e;
    }
    j->bytes += line.len;
    j->dirty = true;
    return ERR_OK;
}

enum err journal_sync(struct journal *j)
{
    if (!j->dirty)
        return ERR_OK;
    if (fdatasync(j->fd) != 0)
        return err_set_errno(ERR_IO, "cannot make the journal %s durable", j->path);
    j->dirty = false;
    return ERR_OK;
}

bool journal_is_long(const struct journal *j)
{
    return j->bytes > LONG_BYTES && j->bytes > 4 * j->bytes_when_new;
}

enum err journal_compact(struct journal *j, enum err (*each)(void *ctx, struct journal *j), void *ctx)
{
    BUF_AUTO struct buf lines = {.bytes_max = JOURNAL_BYTES_MAX};
    j->rewrite = &lines;
    enum err e = each(ctx, j);
    j->rewrite = NULL;
    if (e == ERR_OK)
        e = file_write_atomic(j->path, buf_text(&lines), lines.len, 0600);
    if (e != ERR_OK)
        return e;
    close(j->fd);
    j->fd = -1;
    if ((e = open_file(j, lines.len)) != ERR_OK)
        return e;
    j->bytes_when_new = lines.len;
    j->dirty = false;
    return ERR_OK;
}
