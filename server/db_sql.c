#include "server/db_sql.h"

#include <assert.h>
#include <stdio.h>

#include "server/db_driver.h"
#include "server/try.h"

static const char *type_name(enum db_dialect d, enum db_kind k)
{
    static const char *const names[2][5] = {[DB_SQLITE] = {"", "INTEGER", "REAL", "TEXT", "BLOB"},
                                            [DB_PG] = {"", "bigint", "double precision", "text", "bytea"}};
    return names[d][k];
}

/* Text is ordered by its bytes everywhere. */
static const char *column_type(enum db_dialect d, enum db_kind k)
{
    return d == DB_PG && k == DB_TEXT ? "text COLLATE \"C\"" : type_name(d, k);
}

static const char *column_name(const struct db_table *t, uint32_t column)
{
    assert(column < t->column_count);
    return t->columns[column].name;
}

static enum err add_names(const struct db_table *t, const uint8_t *columns, uint32_t count,
                          const char *before, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(buf_printf(out, "%s%s%s", i ? "," : "", before, column_name(t, columns[i])));
    return ERR_OK;
}

static enum err add_write_names(const struct db_write *w, struct buf *out)
{
    for (uint32_t i = 0; i < w->count; i++)
        TRY(buf_printf(out, "%s%s", i ? "," : "", column_name(w->table, w->columns[i].column)));
    return ERR_OK;
}

/* "unnest($1::bigint[],$2::text[])": one row for each element of the arrays. */
static enum err add_unnest(const struct db_table *t, const uint8_t *columns, uint32_t count, struct buf *out)
{
    TRY(buf_add_text(out, "unnest("));
    for (uint32_t i = 0; i < count; i++)
        TRY(buf_printf(out, "%s$%u::%s[]", i ? "," : "", i + 1,
                       type_name(DB_PG, t->columns[columns[i]].kind)));
    return buf_add_char(out, ')');
}

static enum err add_write_unnest(const struct db_write *w, struct buf *out)
{
    uint8_t columns[DB_COLUMNS_MAX];
    for (uint32_t i = 0; i < w->count; i++)
        columns[i] = w->columns[i].column;
    return add_unnest(w->table, columns, w->count, out);
}

static const char *empty_of(enum db_dialect d, enum db_kind k)
{
    if (k == DB_INT || k == DB_REAL)
        return "0";
    if (k == DB_TEXT)
        return "''";
    return d == DB_PG ? "''::bytea" : "x''";
}

/* "c=c+<value>" and the like; value is how the new value is written. old is the table's name where it must be
 * said. */
static enum err add_assignment(enum db_dialect d, const struct db_write *w, uint32_t i, const char *old,
                               const char *value, struct buf *out)
{
    const char *c = column_name(w->table, w->columns[i].column);
    enum db_kind kind = w->table->columns[w->columns[i].column].kind;
    switch (w->columns[i].op) {
    case DB_ADD:
        return buf_printf(out, "%s=coalesce(%s%s,0)+%s", c, old, c, value);
    case DB_APPEND:
        /* In SQLite || gives text, whatever it joins; the column's type is strict. */
        if (d == DB_SQLITE && kind == DB_BLOB)
            return buf_printf(out, "%s=CAST(coalesce(%s%s,x'')||%s AS BLOB)", c, old, c, value);
        return buf_printf(out, "%s=coalesce(%s%s,%s)||%s", c, old, c, empty_of(d, kind), value);
    default:
        return buf_printf(out, "%s=%s", c, value);
    }
}

static enum err add_conflict(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    char old[128], value[160];
    bool first = true;
    if (w->verb == DB_INSERT)
        return ERR_OK;
    if (w->verb == DB_INSERT_NEW)
        return buf_add_text(out, " ON CONFLICT DO NOTHING");
    TRY(buf_add_text(out, " ON CONFLICT("));
    for (uint32_t k = 0; k < w->table->key_count; k++)
        TRY(buf_printf(out, "%s%s", k ? "," : "", w->table->columns[k].name));
    TRY(buf_add_text(out, ") DO UPDATE SET "));
    snprintf(old, sizeof old, "%s.", w->table->name);
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->columns[i].op == DB_KEY)
            continue;
        snprintf(value, sizeof value, "excluded.%s", column_name(w->table, w->columns[i].column));
        TRY(buf_add_text(out, first ? "" : ","));
        TRY(add_assignment(d, w, i, old, value, out));
        first = false;
    }
    return ERR_OK;
}

static enum err insert_sql(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    TRY(buf_printf(out, "INSERT INTO %s(", w->table->name));
    TRY(add_write_names(w, out));
    if (d == DB_PG) {
        TRY(buf_add_text(out, ") SELECT * FROM "));
        TRY(add_write_unnest(w, out));
        TRY(buf_add_text(out, " AS v")); /* WHERE true: ON must not be read as a join's */
        TRY(buf_add_text(out, " WHERE true"));
    } else {
        TRY(buf_add_text(out, ") VALUES("));
        for (uint32_t i = 0; i < w->count; i++)
            TRY(buf_printf(out, "%s?%u", i ? "," : "", i + 1));
        TRY(buf_add_char(out, ')'));
    }
    return add_conflict(d, w, out);
}

/* For PostgreSQL the guards are written so that only the primary key can be used to find rows: with
 * statistics that lag behind, the planner otherwise picks a partial index that it believes to be empty. */
static enum err add_where(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    bool first = true;
    TRY(buf_add_text(out, " WHERE "));
    for (uint32_t i = 0; i < w->count; i++) {
        uint8_t op = w->columns[i].op;
        const char *c = column_name(w->table, w->columns[i].column);
        if (op != DB_KEY && op != DB_GUARD)
            continue;
        TRY(buf_add_text(out, first ? "" : " AND "));
        if (d == DB_PG)
            TRY(buf_printf(out, "%s.%s%s=v.c%u", w->table->name, c, op == DB_GUARD ? "+0" : "", i));
        else
            TRY(buf_printf(out, "%s=?%u", c, i + 1));
        first = false;
    }
    return ERR_OK;
}

static enum err add_source(enum db_dialect d, const struct db_write *w, const char *word, struct buf *out)
{
    if (d != DB_PG)
        return ERR_OK;
    TRY(buf_printf(out, " %s ", word));
    TRY(add_write_unnest(w, out));
    TRY(buf_add_text(out, " AS v("));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(buf_printf(out, "%sc%u", i ? "," : "", i));
    return buf_add_char(out, ')');
}

static enum err update_sql(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    char old[128] = "", value[32];
    bool first = true;
    TRY(buf_printf(out, "UPDATE %s SET ", w->table->name));
    if (d == DB_PG)
        snprintf(old, sizeof old, "%s.", w->table->name);
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->columns[i].op == DB_KEY || w->columns[i].op == DB_GUARD)
            continue;
        snprintf(value, sizeof value, d == DB_PG ? "v.c%u" : "?%u", d == DB_PG ? i : i + 1);
        TRY(buf_add_text(out, first ? "" : ","));
        TRY(add_assignment(d, w, i, old, value, out));
        first = false;
    }
    TRY(add_source(d, w, "FROM", out));
    return add_where(d, w, out);
}

enum err db_sql_write(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    if (w->verb == DB_UPDATE)
        return update_sql(d, w, out);
    if (w->verb != DB_DELETE)
        return insert_sql(d, w, out);
    TRY(buf_printf(out, "DELETE FROM %s", w->table->name));
    TRY(add_source(d, w, "USING", out));
    return add_where(d, w, out);
}

static enum err add_lock(enum db_dialect d, enum db_lock lock, const char *of, struct buf *out)
{
    if (d != DB_PG || lock == DB_LOCK_NONE)
        return ERR_OK;
    return buf_printf(out, " FOR UPDATE%s%s", of, lock == DB_LOCK_SKIP ? " SKIP LOCKED" : "");
}

enum err db_sql_fetch(enum db_dialect d, const struct db_fetch *f, struct buf *out)
{
    uint8_t keys[DB_COLUMNS_MAX];
    uint32_t n = db_fetch_width(f);
    for (uint32_t i = 0; i < n; i++)
        keys[i] = f->index == DB_BY_KEY ? (uint8_t)i : f->table->indexes[f->index].columns[i];
    TRY(buf_add_text(out, "SELECT "));
    TRY(add_names(f->table, f->columns, f->count, "t.", out));
    TRY(buf_printf(out, " FROM %s AS t", f->table->name));
    if (d == DB_PG && n > 1) {
        TRY(buf_add_text(out, " JOIN "));
        TRY(add_unnest(f->table, keys, n, out));
        TRY(buf_add_text(out, " AS v("));
        for (uint32_t i = 0; i < n; i++)
            TRY(buf_printf(out, "%sc%u", i ? "," : "", i));
        TRY(buf_add_text(out, ") ON "));
    } else {
        TRY(buf_add_text(out, " WHERE "));
    }
    for (uint32_t i = 0; i < n; i++) {
        const char *c = column_name(f->table, keys[i]);
        TRY(buf_add_text(out, i ? " AND " : ""));
        if (d == DB_SQLITE)
            TRY(buf_printf(out, "t.%s=?%u", c, i + 1));
        else if (n > 1)
            TRY(buf_printf(out, "t.%s=v.c%u", c, i));
        else
            TRY(buf_printf(out, "t.%s=ANY($1::%s[])", c, type_name(d, f->table->columns[keys[i]].kind)));
    }
    return add_lock(d, f->lock, " OF t", out);
}

enum err db_sql_scan(enum db_dialect d, const struct db_scan *s, struct buf *out)
{
    uint8_t order[DB_COLUMNS_MAX];
    uint32_t n = db_order_columns(s->table, s->index, order), at = 0;
    const char *mark = d == DB_PG ? "$" : "?", *joint = " WHERE ";
    TRY(buf_add_text(out, "SELECT "));
    TRY(add_names(s->table, s->columns, s->count, "", out));
    TRY(buf_printf(out, " FROM %s", s->table->name));
    for (uint32_t i = 0; i < s->equal; i++, joint = " AND ")
        TRY(buf_printf(out, "%s%s=%s%u", joint, column_name(s->table, order[i]), mark, ++at));
    if (s->after) {
        TRY(buf_printf(out, "%s%s%s%s%u", joint, column_name(s->table, order[s->equal]),
                       s->descending ? "<" : ">", mark, ++at));
        joint = " AND ";
    }
    if (s->until) {
        TRY(buf_printf(out, "%s%s%s%s%u", joint, column_name(s->table, order[s->equal]),
                       s->descending ? ">=" : "<=", mark, ++at));
        joint = " AND ";
    }
    if (s->index != DB_BY_KEY && s->table->indexes[s->index].partial && s->equal == 0 && !s->until &&
        !s->after)
        TRY(buf_printf(out, "%s%s IS NOT NULL", joint, column_name(s->table, order[0])));
    for (uint32_t i = s->equal; i < n; i++)
        TRY(buf_printf(out, "%s%s%s", i == s->equal ? " ORDER BY " : ",", column_name(s->table, order[i]),
                       s->descending ? " DESC" : ""));
    TRY(buf_printf(out, " LIMIT %s%u", mark, ++at));
    return add_lock(d, s->lock, "", out);
}

enum err db_sql_add(enum db_dialect d, const struct db_write *w, struct buf *out)
{
    const char *mark = d == DB_PG ? "$" : "?";
    assert(w->verb == DB_PUT && w->columns[w->count - 1].op == DB_ADD);
    TRY(buf_printf(out, "INSERT INTO %s(", w->table->name));
    TRY(add_write_names(w, out));
    TRY(buf_add_text(out, ") VALUES("));
    for (uint32_t i = 0; i < w->count; i++)
        TRY(buf_printf(out, "%s%s%u", i ? "," : "", mark, i + 1));
    TRY(buf_add_char(out, ')'));
    TRY(add_conflict(d, w, out));
    return buf_printf(out, " RETURNING %s", column_name(w->table, w->columns[w->count - 1].column));
}

static enum err create_table(enum db_dialect d, const struct db_table *t, struct buf *out)
{
    bool rowid = t->key_count == 1 && t->columns[0].kind == DB_INT;
    TRY(buf_printf(out, "CREATE TABLE %s(", t->name));
    for (uint32_t i = 0; i < t->column_count; i++) {
        TRY(buf_printf(out, "%s%s %s", i ? "," : "", t->columns[i].name, column_type(d, t->columns[i].kind)));
        if (i < t->key_count)
            TRY(buf_add_text(out, rowid ? " PRIMARY KEY" : " NOT NULL"));
    }
    if (!rowid) {
        TRY(buf_add_text(out, ",PRIMARY KEY("));
        for (uint32_t i = 0; i < t->key_count; i++)
            TRY(buf_printf(out, "%s%s", i ? "," : "", t->columns[i].name));
        TRY(buf_add_char(out, ')'));
    }
    TRY(buf_add_char(out, ')'));
    if (d == DB_SQLITE)
        TRY(buf_add_text(out, rowid ? " STRICT" : " STRICT,WITHOUT ROWID"));
    if (d == DB_PG && t->full_percent)
        TRY(buf_printf(out, " WITH(fillfactor=%u)", t->full_percent));
    return ERR_OK;
}

static enum err create_index(enum db_dialect d, const struct db_table *t, const struct db_index *x,
                             struct buf *out)
{
    uint8_t order[DB_COLUMNS_MAX];
    uint32_t n = db_order_columns(t, (int)(x - t->indexes), order);
    /* SQLite keeps the key in every index entry anyway; a unique index must not hold more than its columns.
     */
    if (d == DB_SQLITE || x->unique)
        n = x->count;
    TRY(buf_printf(out, "CREATE %sINDEX %s ON %s(", x->unique ? "UNIQUE " : "", x->name, t->name));
    TRY(add_names(t, order, n, "", out));
    TRY(buf_add_char(out, ')'));
    if (x->partial)
        TRY(buf_printf(out, " WHERE %s IS NOT NULL", t->columns[x->columns[0]].name));
    return ERR_OK;
}

enum err db_sql_change(enum db_dialect d, enum db_change change, const struct db_table *t, uint32_t at,
                       struct buf *out)
{
    switch (change) {
    case DB_ADD_TABLE:
        return create_table(d, t, out);
    case DB_DROP_TABLE:
        return buf_printf(out, "DROP TABLE %s", t->name);
    case DB_ADD_INDEX:
        return create_index(d, t, &t->indexes[at], out);
    case DB_DROP_INDEX:
        return buf_printf(out, "DROP INDEX %s", t->indexes[at].name);
    case DB_ADD_COLUMN:
        return buf_printf(out, "ALTER TABLE %s ADD COLUMN %s %s", t->name, t->columns[at].name,
                          column_type(d, t->columns[at].kind));
    case DB_DROP_COLUMN:
        return buf_printf(out, "ALTER TABLE %s DROP COLUMN %s", t->name, t->columns[at].name);
    }
    return ERR_INVALID;
}
