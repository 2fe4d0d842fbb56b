#include "client/cli/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "client/cli/replay.h"
#include "wire/answer.h"
#include "wire/trust.h"

struct checking {
    struct proof *p;
    struct trust trust;
    const char *at, *end;
    uint32_t line;
    struct digest *wanted; /* of accepted files */
    size_t wanted_count, wanted_room;
};

static enum err at_line(const struct checking *k, enum err e)
{
    return e == ERR_OK ? e : err_prefix(e, "line %u", k->line);
}

static bool next_line(struct checking *k, const char **ret, size_t *ret_len)
{
    const char *newline = k->at < k->end ? memchr(k->at, '\n', (size_t)(k->end - k->at)) : NULL;
    if (!newline)
        return false;
    *ret = k->at;
    *ret_len = (size_t)(newline - k->at);
    k->at = newline + 1;
    k->line++;
    return true;
}

static enum err dump(const struct json *root, const char *field, struct buf *out)
{
    const struct json *v = json_field(root, field);
    return v ? json_dump(v, out) : err_set(ERR_INVALID, "there is no \"%s\"", field);
}

/* An envelope was good when it was made: what has expired since does not make it worse. */
static enum err statement_time(const struct buf *payload, int64_t *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = json_parse(payload->data, payload->len, ENVELOPE_BYTES_MAX, &doc);
    return e == ERR_OK ? json_get_i64(json_root(doc), "statement", "made_ms", 0, INT64_MAX, ret) : e;
}

static enum err believe(struct checking *k, const struct json *first, int64_t when_ms)
{
    BUF_AUTO struct buf body = {0};
    struct digest said;
    const struct json *project = json_field(first, "project");
    enum err e = dump(first, "project", &body);
    if (e == ERR_OK)
        e = digest_read(project, "project", "project_key", &said);
    if (e != ERR_OK)
        return e;
    if (k->p->key_given && !digest_eq(&said, &k->p->key))
        return err_set(ERR_UNTRUSTED, "the file is of another project than the key that was given");
    k->p->key = said;
    trust_init(&k->trust, &said);
    e = trust_add_project(&k->trust, buf_text(&body), body.len, when_ms);
    snprintf(k->p->project, sizeof k->p->project, "%s", k->trust.root.project);
    return e;
}

static enum err want(struct checking *k, const struct digest *d)
{
    if (k->wanted_count == k->wanted_room) {
        size_t room = k->wanted_room ? k->wanted_room * 2 : 256;
        struct digest *more = realloc(k->wanted, room * sizeof *more);
        if (!more)
            return err_set(ERR_NOMEM, "out of memory");
        k->wanted = more;
        k->wanted_room = room;
    }
    k->wanted[k->wanted_count++] = *d;
    return ERR_OK;
}

static enum err check_outputs(struct checking *k, const struct json *unit, const struct wu *wu)
{
    ARENA_AUTO struct arena a = {0};
    struct file_ref *files;
    struct digest answer;
    uint32_t count;
    if (wu->canonical < 0 || wu->purged)
        return ERR_OK;
    enum err e = file_refs_read(unit, "unit", "outputs", WU_OUTPUTS_MAX, &a, &files, &count);
    if (e == ERR_OK)
        e = answer_digest(files, count, &answer);
    if (e == ERR_OK && !digest_eq(&answer, &wu->attempts[wu->canonical].answer))
        e = err_set(ERR_CORRUPT, "the outputs are not those of the accepted answer");
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = want(k, &files[i].sha256);
    return e;
}

static enum err check_unit(struct checking *k, const char *line, size_t len)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct wu wu;
    enum err e = json_parse(line, len, JSON_BODY_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = replay_unit(json_root(doc), NULL, &wu);
    if (e != ERR_OK)
        return e;
    k->p->units++;
    k->p->accepted += wu.canonical >= 0 && wu.state != WU_PROVISIONAL;
    for (uint32_t i = 0; i < wu.attempt_count; i++) {
        k->p->audits += wu.attempts[i].audit;
        k->p->attempts += wu.attempts[i].host_id != 0;
    }
    return check_outputs(k, json_root(doc), &wu);
}

static enum err read_page(const struct json *s, struct proof *p, struct digest *ret_project,
                          struct digest *ret_lines, uint32_t *ret_count, uint64_t *ret_from)
{
    const char *batch, *app;
    int64_t count, from;
    enum err e;
    if ((e = digest_read(s, "statement", "project", ret_project)) != ERR_OK ||
        (e = digest_read(s, "statement", "lines", ret_lines)) != ERR_OK ||
        (e = json_get_string(s, "statement", "batch", sizeof p->batch - 1, &batch)) != ERR_OK ||
        (e = json_get_string(s, "statement", "app", sizeof p->app - 1, &app)) != ERR_OK ||
        (e = json_get_i64(s, "statement", "count", 0, BATCH_UNITS_MAX, &count)) != ERR_OK ||
        (e = json_get_i64(s, "statement", "from", 0, BATCH_UNITS_MAX, &from)) != ERR_OK ||
        (e = json_opt_bool(s, "statement", "last", false, &p->complete)) != ERR_OK)
        return e;
    if (p->batch[0] && !str_eq(p->batch, batch))
        return err_set(ERR_CORRUPT, "a page is of batch %s, the ones before it of %s", batch, p->batch);
    snprintf(p->batch, sizeof p->batch, "%s", batch);
    snprintf(p->app, sizeof p->app, "%s", app);
    *ret_count = (uint32_t)count;
    *ret_from = (uint64_t)from;
    return ERR_OK;
}

static enum err open_signed(struct checking *k, const struct json *line, const char *field, const char *type,
                            struct json_doc **ret)
{
    BUF_AUTO struct buf envelope = {0}, payload = {0};
    enum err e = dump(line, field, &envelope);
    if (e == ERR_OK)
        e = envelope_open(buf_text(&envelope), envelope.len, type, &k->trust.root.work, &payload);
    return e == ERR_OK ? json_parse(payload.data, payload.len, ENVELOPE_BYTES_MAX, ret) : e;
}

static enum err check_page(struct checking *k, const struct json *head)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct digest project, lines, is;
    uint32_t count = 0;
    uint64_t from = 0;
    enum err e = open_signed(k, head, "statement", ENVELOPE_TYPE_PROVENANCE, &doc);
    if (e == ERR_OK)
        e = read_page(json_root(doc), k->p, &project, &lines, &count, &from);
    if (e != ERR_OK)
        return at_line(k, e);
    if (!digest_eq(&project, &k->p->key))
        return at_line(k, err_set(ERR_UNTRUSTED, "the statement is of another project"));
    if (from != k->p->units)
        return at_line(k, err_set(ERR_CORRUPT, "a page is missing: unit %llu comes after unit %llu",
                                  (unsigned long long)from, (unsigned long long)k->p->units));
    const char *begin = k->at, *line;
    size_t len;
    for (uint32_t i = 0; i < count; i++) {
        if (!next_line(k, &line, &len))
            return err_set(ERR_CORRUPT, "the file ends within a page");
        if ((e = check_unit(k, line, len)) != ERR_OK)
            return at_line(k, e);
    }
    is = hash_bytes(begin, (size_t)(k->at - begin));
    return digest_eq(&is, &lines)
               ? ERR_OK
               : err_set(ERR_UNTRUSTED, "the lines before line %u are not those that were signed",
                         k->line + 1);
}

static enum err check_receipt(struct checking *k, const struct json *line)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct proof *p = k->p;
    struct digest project;
    const char *host, *volunteer;
    int64_t credit, valid;
    enum err e = open_signed(k, line, "receipt", ENVELOPE_TYPE_RECEIPT, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *r = json_root(doc);
    if ((e = digest_read(r, "receipt", "project", &project)) != ERR_OK ||
        (e = json_get_string(r, "receipt", "host", sizeof p->host - 1, &host)) != ERR_OK ||
        (e = json_get_string(r, "receipt", "volunteer", sizeof p->volunteer - 1, &volunteer)) != ERR_OK ||
        (e = json_get_i64(r, "receipt", "credit_micro", 0, INT64_MAX, &credit)) != ERR_OK ||
        (e = json_get_i64(r, "receipt", "valid", 0, INT64_MAX, &valid)) != ERR_OK)
        return e;
    if (!digest_eq(&project, &p->key))
        return err_set(ERR_UNTRUSTED, "the receipt is of another project");
    snprintf(p->host, sizeof p->host, "%s", host);
    snprintf(p->volunteer, sizeof p->volunteer, "%s", volunteer);
    p->credit_micro = (uint64_t)credit;
    p->valid = (uint64_t)valid;
    p->is_receipt = p->complete = true;
    return ERR_OK;
}

/* When what follows the first line was signed; unchecked, and only used to ask whether the root held then. */
static enum err peek_time(const struct json *line, int64_t *ret)
{
    BUF_AUTO struct buf envelope = {0}, payload = {0};
    bool receipt = json_field(line, "receipt") != NULL;
    enum err e = dump(line, receipt ? "receipt" : "statement", &envelope);
    if (e == ERR_OK)
        e = envelope_peek(buf_text(&envelope), envelope.len,
                          receipt ? ENVELOPE_TYPE_RECEIPT : ENVELOPE_TYPE_PROVENANCE, &payload);
    return e == ERR_OK ? statement_time(&payload, ret) : e;
}

static enum err check_head(struct checking *k, const char *first, size_t first_len)
{
    JSON_AUTO struct json_doc *project = NULL, *next = NULL;
    struct checking ahead = *k;
    const char *line = NULL;
    size_t len = 0;
    int64_t when_ms = 0;
    enum err e = json_parse(first, first_len, JSON_BODY_BYTES_MAX, &project);
    if (e == ERR_OK && !next_line(&ahead, &line, &len))
        e = err_set(ERR_CORRUPT, "nothing follows the project's keys");
    if (e == ERR_OK && (e = json_parse(line, len, JSON_BODY_BYTES_MAX, &next)) == ERR_OK)
        e = peek_time(json_root(next), &when_ms);
    return e == ERR_OK ? believe(k, json_root(project), when_ms) : e;
}

static enum err check_all(struct checking *k)
{
    const char *line;
    size_t len;
    if (!next_line(k, &line, &len))
        return err_set(ERR_INVALID, "this is neither a provenance file nor a receipt");
    enum err e = at_line(k, check_head(k, line, len));
    while (e == ERR_OK && next_line(k, &line, &len)) {
        JSON_AUTO struct json_doc *doc = NULL;
        if ((e = json_parse(line, len, JSON_BODY_BYTES_MAX, &doc)) != ERR_OK)
            return at_line(k, e);
        e = json_field(json_root(doc), "receipt") ? at_line(k, check_receipt(k, json_root(doc)))
                                                  : check_page(k, json_root(doc));
    }
    if (e == ERR_OK && k->at != k->end)
        e = err_set(ERR_CORRUPT, "the last line is cut off");
    return e;
}

/* --- the files of the answers --- */

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

struct folder {
    struct checking *k;
    const char *path;
    bool *found;
};

static enum err look_at(void *ctx, const struct file_entry *entry)
{
    struct folder *f = ctx;
    struct checking *k = f->k;
    struct digest d;
    char path[4096];
    uint64_t bytes;
    if (!S_ISREG(entry->mode))
        return ERR_OK;
    enum err e = file_join(path, sizeof path, f->path, entry->path);
    if (e == ERR_OK)
        e = hash_file(path, &d, &bytes);
    struct digest *hit = e == ERR_OK ? bsearch(&d, k->wanted, k->wanted_count, sizeof d, by_bytes) : NULL;
    if (hit)
        f->found[hit - k->wanted] = true;
    return e;
}

static enum err compare_folder(struct checking *k, const char *path)
{
    size_t n = 0;
    if (k->wanted_count > 1)
        qsort(k->wanted, k->wanted_count, sizeof *k->wanted, by_bytes);
    for (size_t i = 0; i < k->wanted_count; i++) /* equal files once */
        if (i == 0 || !digest_eq(&k->wanted[i], &k->wanted[n - 1]))
            k->wanted[n++] = k->wanted[i];
    k->wanted_count = n;
    struct folder f = {.k = k, .path = path, .found = calloc(n + 1, sizeof *f.found)};
    if (!f.found)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = file_walk(path, look_at, &f);
    k->p->files_wanted = n;
    for (size_t i = 0; i < n; i++)
        k->p->files_found += f.found[i];
    free(f.found);
    return e;
}

enum err proof_verify(const char *path, const char *results, struct proof *p)
{
    BUF_AUTO struct buf text = {.bytes_max = PROOF_BYTES_MAX};
    struct checking *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = file_read(path, PROOF_BYTES_MAX, &text);
    k->p = p;
    k->at = buf_text(&text);
    k->end = k->at + text.len;
    if (e == ERR_OK)
        e = err_prefix(check_all(k), "%s", path);
    if (e == ERR_OK && results && !p->is_receipt)
        e = compare_folder(k, results);
    free(k->wanted);
    free(k);
    return e;
}

enum err proof_page_peek(const char *page, size_t len, uint32_t *ret_count, bool *ret_last)
{
    JSON_AUTO struct json_doc *doc = NULL, *statement = NULL;
    BUF_AUTO struct buf envelope = {0}, payload = {0};
    const char *newline = memchr(page, '\n', len);
    int64_t count = 0;
    enum err e = newline ? json_parse(page, (size_t)(newline - page), JSON_BODY_BYTES_MAX, &doc)
                         : err_set(ERR_CORRUPT, "the server's page has no statement");
    if (e == ERR_OK && (e = dump(json_root(doc), "statement", &envelope)) == ERR_OK &&
        (e = envelope_peek(buf_text(&envelope), envelope.len, ENVELOPE_TYPE_PROVENANCE, &payload)) ==
            ERR_OK &&
        (e = json_parse(payload.data, payload.len, ENVELOPE_BYTES_MAX, &statement)) == ERR_OK &&
        (e = json_get_i64(json_root(statement), "statement", "count", 0, BATCH_UNITS_MAX, &count)) == ERR_OK)
        e = json_opt_bool(json_root(statement), "statement", "last", false, ret_last);
    *ret_count = (uint32_t)count;
    return e;
}
