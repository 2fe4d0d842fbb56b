#include "server/store_rows.h"

#include <assert.h>
#include <string.h>

enum { PAGE_ROWS = 1000, FILL_BYTES = 8 << 20, KEY_TEXT_BYTES = 1024 };

static struct db_scan whole(const struct db_table *t, uint32_t equal, bool after)
{
    struct db_scan s = {
        .table = t, .count = t->column_count, .index = DB_BY_KEY, .equal = equal, .after = after};
    for (uint32_t i = 0; i < t->column_count; i++)
        s.columns[i] = (uint8_t)i;
    return s;
}

void table_io_init(struct table_io *io, const struct db_table *t)
{
    assert(t->key_count >= 1 && t->key_count <= TABLE_KEYS_MAX);
    *io = (struct table_io){.table = t,
                            .first = whole(t, 0, false),
                            .insert = {.table = t, .verb = DB_INSERT, .count = t->column_count}};
    for (uint32_t i = 0; i < t->key_count; i++)
        io->within[i] = whole(t, i, true);
    for (uint32_t i = 0; i < t->column_count; i++)
        io->insert.columns[i] = (struct db_write_column){(uint8_t)i, i < t->key_count ? DB_KEY : DB_SET};
}

/* The key of the last row that was seen. */
struct key {
    struct db_value v[TABLE_KEYS_MAX];
    char text[TABLE_KEYS_MAX][KEY_TEXT_BYTES];
};

struct each {
    enum err (*row)(void *ctx, const struct db_value *values);
    void *ctx;
    uint32_t keys, seen;
    struct key last;
};

static enum err each_row(void *ctx, const struct db_value *values)
{
    struct each *e = ctx;
    for (uint32_t i = 0; i < e->keys; i++) {
        e->last.v[i] = values[i];
        if (values[i].kind != DB_TEXT && values[i].kind != DB_BLOB)
            continue;
        if (values[i].len > KEY_TEXT_BYTES)
            return err_set(ERR_CORRUPT, "a key of %u bytes: %d are the most", values[i].len, KEY_TEXT_BYTES);
        memcpy(e->last.text[i], values[i].as.p, values[i].len);
        e->last.v[i].as.p = e->last.text[i];
    }
    e->seen++;
    return e->row(e->ctx, values);
}

/* A page that is cut within rows that share the key's first columns is gone on with among these. */
enum err table_each(struct db *db, const struct table_io *io,
                    enum err (*row)(void *ctx, const struct db_value *values), void *ctx)
{
    struct each e = {.row = row, .ctx = ctx, .keys = io->table->key_count};
    const struct db_rows to = {.row = each_row, .ctx = &e};
    TRY(db_scan_rows(db, &io->first, NULL, PAGE_ROWS, to));
    while (e.seen > 0) {
        struct key from = e.last;
        for (uint32_t i = 0; i < e.keys; i++)
            if (from.v[i].kind == DB_TEXT || from.v[i].kind == DB_BLOB)
                from.v[i].as.p = from.text[i];
        e.seen = 0;
        for (uint32_t k = e.keys; k > 0 && e.seen == 0; k--)
            TRY(db_scan_rows(db, &io->within[k - 1], from.v, PAGE_ROWS, to));
    }
    return ERR_OK;
}

static enum err note_row(void *ctx, const struct db_value *values)
{
    (void)values;
    *(bool *)ctx = false;
    return ERR_OK;
}

enum err table_is_empty(struct db *db, const struct table_io *io, bool *ret)
{
    bool empty = true;
    TRY(db_scan_rows(db, &io->first, NULL, 1, (struct db_rows){.row = note_row, .ctx = &empty}));
    *ret = empty;
    return ERR_OK;
}

enum err table_fill_begin(struct table_fill *f, struct db *db, const struct table_io *io)
{
    *f = (struct table_fill){.db = db, .io = io};
    return table_fill_flush(f);
}

enum err table_fill_add(struct table_fill *f, const struct db_value *values)
{
    uint32_t columns = f->io->table->column_count;
    struct db_value *to = f->values + (size_t)f->count * columns;
    for (uint32_t i = 0; i < columns; i++) {
        to[i] = values[i];
        if (values[i].kind != DB_TEXT && values[i].kind != DB_BLOB)
            continue;
        to[i].as.p = arena_bytes(&f->arena, values[i].as.p, values[i].len);
        if (!to[i].as.p)
            return ERR_NOMEM;
        f->bytes += values[i].len;
    }
    f->count++;
    return f->count == STORE_ROWS_EACH || f->bytes > FILL_BYTES ? table_fill_flush(f) : ERR_OK;
}

enum err table_fill_flush(struct table_fill *f)
{
    TRY(db_write_rows(f->db, &f->io->insert, f->values, f->count, NULL));
    arena_done(&f->arena);
    f->count = 0;
    f->bytes = 0;
    f->values =
        arena_array(&f->arena, (size_t)STORE_ROWS_EACH * f->io->table->column_count, sizeof *f->values);
    return f->values ? ERR_OK : ERR_NOMEM;
}

void table_fill_done(struct table_fill *f)
{
    arena_done(&f->arena);
}
