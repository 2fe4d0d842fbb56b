/* store_dump.c - a store as lines of JSON, out and in, and from one database straight into another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/store_care.h"
#include "server/store_dump_line.h"
#include "server/store_rows.h"

enum { FORMAT = 1, OUT_BYTES = 256 << 10, IN_BYTES = 64 << 10 };

/* They stay with the store, whose database knows them by their addresses. */
static enum err get_ios(struct store *s, const struct table_io **ret)
{
    uint32_t count = 0;
    *ret = s->ios;
    if (s->ios)
        return ERR_OK;
    while (schema_table(count))
        count++;
    if (count > STORE_TABLES_MAX)
        return err_set(ERR_LIMIT, "the schema has more than %d tables", STORE_TABLES_MAX);
    struct table_io *list = calloc(count, sizeof *list);
    if (!list)
        return err_set(ERR_NOMEM, "no memory for %u tables", count);
    for (uint32_t i = 0; i < count; i++)
        table_io_init(&list[i], schema_table(i));
    *ret = s->ios = list;
    return ERR_OK;
}

/* --- out --- */

struct out {
    enum err (*write)(void *ctx, const char *bytes, size_t len);
    void *ctx;
    struct buf text; /* not written yet */
    const struct db_table *table;
    struct hash *hash;
    uint64_t rows;
};

static enum err pass_on(struct out *o)
{
    enum err e = o->write ? o->write(o->ctx, buf_text(&o->text), o->text.len) : ERR_OK;
    buf_clear(&o->text);
    return e;
}

static enum err out_row(void *ctx, const struct db_value *values)
{
    struct out *o = ctx;
    size_t from = o->text.len;
    TRY(dump_line_row(o->table, values, &o->text));
    hash_add(o->hash, o->text.data + from, o->text.len - from);
    o->rows++;
    return o->text.len > OUT_BYTES ? pass_on(o) : ERR_OK;
}

static enum err out_table(struct db *db, const struct table_io *io, struct out *o,
                          struct store_table_sum *sum)
{
    char hex[DIGEST_TEXT_BYTES];
    o->table = io->table;
    o->rows = 0;
    TRY(table_each(db, io, out_row, o));
    *sum = (struct store_table_sum){io->table->name, o->rows, hash_end(o->hash)};
    digest_text(&sum->digest, hex);
    TRY(buf_printf(&o->text, "{\"table\":\"%s\",\"rows\":%" PRIu64 ",\"sha256\":\"%s\"}\n", sum->table,
                   sum->rows, hex));
    return pass_on(o);
}

static enum err out_all(struct db *db, const struct table_io *ios, int64_t now_ms, struct out *o,
                        struct store_sums *sums)
{
    uint64_t rows = 0;
    TRY(buf_printf(&o->text,
                   "{\"dump\":\"dugnad\",\"format\":%d,\"schema\":%d,\"server\":\"" DUGNAD_VERSION
                   "\",\"time_ms\":%" PRId64 "}\n",
                   FORMAT, STORE_SCHEMA_VERSION, now_ms));
    sums->count = 0;
    while (schema_table(sums->count)) {
        TRY(out_table(db, &ios[sums->count], o, &sums->tables[sums->count]));
        rows += sums->tables[sums->count++].rows;
    }
    TRY(buf_printf(&o->text, "{\"end\":true,\"tables\":%u,\"rows\":%" PRIu64 "}\n", sums->count, rows));
    return pass_on(o);
}

enum err store_dump(struct store *s, int64_t now_ms,
                    enum err (*write)(void *ctx, const char *bytes, size_t len), void *ctx,
                    struct store_sums *ret_sums)
{
    struct out o = {
        .write = write, .ctx = ctx, .hash = hash_new(), .text.bytes_max = DUMP_LINE_BYTES_MAX * 2};
    const struct table_io *ios;
    enum err e = o.hash ? get_ios(s, &ios) : err_set(ERR_NOMEM, "no memory to hash");
    if (e == ERR_OK)
        e = db_begin(s->db, false);
    if (e == ERR_OK)
        e = out_all(s->db, ios, now_ms, &o, ret_sums);
    db_rollback(s->db);
    hash_free(o.hash);
    buf_done(&o.text);
    return e;
}

/* --- in --- */

struct in {
    enum err (*read)(void *ctx, char *to, size_t room, size_t *ret_len);
    void *ctx;
    struct buf text; /* read, and not taken yet from `at` on */
    size_t at;
    uint64_t line;
    bool headed, ended;
    struct db *db;
    const struct table_io *ios;
    const struct table_io *now; /* whose rows come; NULL: between tables */
    struct table_fill fill;
    struct hash *hash;
    uint64_t rows;
    struct store_sums *sums;
};

/* The next line without its end; *ret NULL at the end. */
static enum err next_line(struct in *in, const char **ret, size_t *ret_len)
{
    char *end = NULL;
    for (size_t looked = 0;;) {
        const size_t have = in->text.len - in->at;
        end = have > looked ? memchr(in->text.data + in->at + looked, '\n', have - looked) : NULL;
        if (end)
            break;
        looked = have;
        if (in->at > 0 && have > 0)
            memmove(in->text.data, in->text.data + in->at, have);
        in->text.len = have;
        in->at = 0;
        size_t len = 0;
        TRY(buf_reserve(&in->text, IN_BYTES));
        TRY(in->read(in->ctx, in->text.data + have, IN_BYTES, &len));
        if (len == 0 && have == 0) {
            *ret = NULL;
            return ERR_OK;
        }
        if (len == 0)
            return err_set(ERR_CORRUPT, "the dump ends amid a line: it was cut");
        in->text.len += len;
    }
    *ret = in->text.data + in->at;
    *ret_len = (size_t)(end - *ret);
    in->at += *ret_len + 1;
    in->line++;
    return ERR_OK;
}

static enum err in_head(struct in *in, const struct json *line)
{
    const char *what;
    int64_t format, schema;
    TRY(json_get_string(line, "", "dump", 16, &what));
    TRY(json_get_i64(line, "", "format", 1, INT32_MAX, &format));
    TRY(json_get_i64(line, "", "schema", 1, INT32_MAX, &schema));
    if (!str_eq(what, "dugnad") || format != FORMAT || schema != STORE_SCHEMA_VERSION)
        return err_set(ERR_UNSUPPORTED,
                       "the dump is of format %" PRId64 ", schema %" PRId64
                       "; this program reads format %d, schema %d: load it with the program that wrote it, "
                       "then let this one migrate",
                       format, schema, FORMAT, STORE_SCHEMA_VERSION);
    in->headed = true;
    return ERR_OK;
}

static enum err in_table(struct in *in, const char *name)
{
    if (in->now)
        return err_set(ERR_CORRUPT, "rows of %s come before the end of %s", name, in->now->table->name);
    for (uint32_t i = 0; i < in->sums->count; i++)
        if (str_eq(in->sums->tables[i].table, name))
            return err_set(ERR_CORRUPT, "rows of %s come after its end", name);
    for (uint32_t i = 0; schema_table(i); i++)
        if (str_eq(schema_table(i)->name, name)) {
            in->now = &in->ios[i];
            in->rows = 0;
            return table_fill_begin(&in->fill, in->db, in->now);
        }
    return err_set(ERR_CORRUPT, "there is no table \"%.40s\"", name);
}

static enum err in_row(struct in *in, const struct json *row, const char *text, size_t len)
{
    struct arena ARENA_AUTO a = {0};
    struct db_value values[DB_COLUMNS_MAX];
    TRY(dump_line_read(in->now->table, row, &a, values));
    hash_add(in->hash, text, len + 1);
    in->rows++;
    return table_fill_add(&in->fill, values);
}

static enum err in_table_end(struct in *in, const struct json *line)
{
    struct digest digest = hash_end(in->hash), said;
    const char *hex;
    int64_t rows;
    TRY(json_get_i64(line, "", "rows", 0, INT64_MAX, &rows));
    TRY(json_get_string(line, "", "sha256", DIGEST_TEXT_BYTES, &hex));
    TRY(digest_parse(hex, &said));
    if ((uint64_t)rows != in->rows || !digest_eq(&digest, &said))
        return err_set(ERR_CORRUPT, "the %" PRIu64 " rows of %s are not the %" PRId64 " that were written",
                       in->rows, in->now->table->name, rows);
    TRY(table_fill_flush(&in->fill));
    table_fill_done(&in->fill);
    in->sums->tables[in->sums->count++] = (struct store_table_sum){in->now->table->name, in->rows, digest};
    in->now = NULL;
    return ERR_OK;
}

static enum err in_line(struct in *in, const char *text, size_t len)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *table;
    if (in->ended)
        return err_set(ERR_CORRUPT, "something comes after the end");
    TRY(json_parse(text, len, DUMP_LINE_BYTES_MAX, &doc));
    const struct json *line = json_root(doc);
    if (!in->headed)
        return in_head(in, line);
    if (json_is_set(json_field(line, "end"))) {
        in->ended = !in->now;
        return in->now ? err_set(ERR_CORRUPT, "%s has no end", in->now->table->name) : ERR_OK;
    }
    TRY(json_get_string(line, "", "table", 64, &table));
    if (!in->now || !str_eq(in->now->table->name, table))
        TRY(in_table(in, table));
    const struct json *row = json_field(line, "row");
    return row ? in_row(in, row, text, len) : in_table_end(in, line);
}

static enum err in_lines(struct in *in)
{
    const char *line = NULL;
    size_t len = 0;
    for (;;) {
        enum err e = next_line(in, &line, &len);
        if (e == ERR_OK && !line)
            break;
        if (e == ERR_OK)
            e = in_line(in, line, len);
        if (e == ERR_INVALID)
            e = ERR_CORRUPT; /* JSON that is none, or lacks what must be there */
        if (e != ERR_OK)
            return err_prefix(e, "line %" PRIu64 " of the dump", in->line);
    }
    if (!in->ended)
        return err_set(ERR_CORRUPT, "the dump has no end: it was cut after %" PRIu64 " lines", in->line);
    return in->sums->count == 0 ? err_set(ERR_CORRUPT, "the dump has no tables") : ERR_OK;
}

static enum err must_be_empty(struct db *db, const struct table_io *ios)
{
    for (uint32_t i = 0; schema_table(i); i++) {
        bool empty;
        TRY(table_is_empty(db, &ios[i], &empty));
        if (!empty)
            return err_set(ERR_CONFLICT, "the database holds a project already (table %s): give a new one",
                           ios[i].table->name);
    }
    return ERR_OK;
}

enum err store_load(struct store *s, enum err (*read)(void *ctx, char *to, size_t room, size_t *ret_len),
                    void *ctx, struct store_sums *ret_sums)
{
    struct in in = {.read = read,
                    .ctx = ctx,
                    .text.bytes_max = DUMP_LINE_BYTES_MAX + 2 * IN_BYTES,
                    .hash = hash_new(),
                    .db = s->db,
                    .sums = ret_sums};
    ret_sums->count = 0;
    enum err e = in.hash ? get_ios(s, &in.ios) : err_set(ERR_NOMEM, "no memory to hash");
    if (e == ERR_OK)
        e = db_begin(s->db, true);
    if (e == ERR_OK)
        e = must_be_empty(s->db, in.ios);
    if (e == ERR_OK)
        e = in_lines(&in);
    table_fill_done(&in.fill);
    hash_free(in.hash);
    buf_done(&in.text);
    if (e == ERR_OK)
        return db_commit(s->db);
    db_rollback(s->db);
    return e;
}

/* --- straight --- */

static enum err copy_row(void *ctx, const struct db_value *values)
{
    return table_fill_add(ctx, values);
}

static enum err copy_table(struct db *from, const struct table_io *out, struct db *to,
                           const struct table_io *in)
{
    struct table_fill fill;
    enum err e = table_fill_begin(&fill, to, in);
    if (e == ERR_OK)
        e = table_each(from, out, copy_row, &fill);
    if (e == ERR_OK)
        e = table_fill_flush(&fill);
    table_fill_done(&fill);
    return e == ERR_OK ? e : err_prefix(e, "copying %s", in->table->name);
}

enum err store_copy(struct store *from, struct store *to)
{
    const struct table_io *out, *in;
    TRY(get_ios(from, &out));
    TRY(get_ios(to, &in));
    TRY(db_begin(from->db, false));
    enum err e = db_begin(to->db, true);
    if (e == ERR_OK)
        e = must_be_empty(to->db, in);
    for (uint32_t i = 0; e == ERR_OK && schema_table(i); i++)
        e = copy_table(from->db, &out[i], to->db, &in[i]);
    db_rollback(from->db);
    if (e == ERR_OK)
        return db_commit(to->db);
    db_rollback(to->db);
    return e;
}

enum err store_sums_compare(const struct store_sums *a, const struct store_sums *b)
{
    if (a->count != b->count)
        return err_set(ERR_CORRUPT, "one has %u tables, the other %u", a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct store_table_sum *x = &a->tables[i], *y = &b->tables[i];
        if (!str_eq(x->table, y->table) || x->rows != y->rows)
            return err_set(ERR_CORRUPT, "table %s has %" PRIu64 " rows here, %s has %" PRIu64 " there",
                           x->table, x->rows, y->table, y->rows);
        if (!digest_eq(&x->digest, &y->digest))
            return err_set(ERR_CORRUPT, "the %" PRIu64 " rows of table %s differ", x->rows, x->table);
    }
    return ERR_OK;
}
