/* db_mem.c - the database in memory, for simulations and tests: every table and index is an ordered list.
 * Rows never change: a new one takes the old one's place, and a transaction remembers both until it ends. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/db_driver.h"
#include "server/db_mem_list.h"
#include "server/try.h"

enum { TABLES_MAX = 64, INDEXES_MAX = 8 };

struct table {
    const struct db_table *is;
    struct mem_list primary, indexes[INDEXES_MAX];
};

struct change {
    struct table *table;
    struct mem_row *old_row, *new_row;
};

struct content { /* shared by a connection and its readers */
    uint32_t users;
    uint32_t version, version_before, table_count;
    struct table tables[TABLES_MAX];
    struct change *undo;
    size_t undo_count, undo_room;
};

struct mem {
    struct db db;
    struct content *content;
};

static struct content *of(struct db *db)
{
    return ((struct mem *)db)->content;
}

static struct table *table_of(struct content *c, const struct db_table *is)
{
    for (uint32_t i = 0; i < c->table_count; i++)
        if (c->tables[i].is == is)
            return &c->tables[i];
    return NULL;
}

static enum err put_row(struct table *t, struct mem_row *r)
{
    TRY(mem_list_add(&t->primary, r));
    for (uint32_t i = 0; i < t->is->index_count; i++)
        TRY(mem_list_add(&t->indexes[i], r));
    return ERR_OK;
}

static void take_row(struct table *t, const struct mem_row *r)
{
    mem_list_remove(&t->primary, r);
    for (uint32_t i = 0; i < t->is->index_count; i++)
        mem_list_remove(&t->indexes[i], r);
}

static enum err replace(struct db *db, struct table *t, struct mem_row *old_row, struct mem_row *new_row)
{
    struct content *c = of(db);
    if (c->undo_count == c->undo_room) {
        size_t room = c->undo_room ? c->undo_room * 2 : 256;
        struct change *more = realloc(c->undo, room * sizeof *more);
        if (!more)
            return err_set(ERR_NOMEM, "no memory for a transaction");
        c->undo = more;
        c->undo_room = room;
    }
    if (old_row)
        take_row(t, old_row);
    c->undo[c->undo_count++] = (struct change){.table = t, .old_row = old_row, .new_row = new_row};
    return new_row ? put_row(t, new_row) : ERR_OK;
}

static void end(struct content *c, bool keep)
{
    while (c->undo_count > 0) {
        struct change *u = &c->undo[--c->undo_count];
        if (keep) {
            free(u->old_row);
            continue;
        }
        if (u->new_row)
            take_row(u->table, u->new_row);
        free(u->new_row);
        enum err e = u->old_row ? put_row(u->table, u->old_row) : ERR_OK;
        assert(e == ERR_OK);
        (void)e;
    }
}

static struct mem_row *row_by_key(struct table *t, const struct db_value *key)
{
    struct mem_node *n = mem_list_find(&t->primary, key, t->is->key_count, false);
    return n && mem_list_compare(&t->primary, n->row, key, t->is->key_count) == 0 ? n->row : NULL;
}

static bool guards_hold(const struct db_write *w, const struct mem_row *r, const struct db_value *row)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->columns[i].op == DB_GUARD && mem_value_compare(&r->values[w->columns[i].column], &row[i]) != 0)
            return false;
    return true;
}

static enum err apply_op(const struct db_write *w, uint32_t i, const struct db_value *given,
                         struct db_value *v, char **ret_joined)
{
    enum db_kind kind = w->table->columns[w->columns[i].column].kind;
    *ret_joined = NULL;
    if (w->columns[i].op == DB_ADD && v->kind != DB_NULL) {
        if (kind == DB_INT)
            v->as.i += given->as.i;
        else
            v->as.r += given->as.r;
        return ERR_OK;
    }
    if (w->columns[i].op == DB_APPEND && v->kind != DB_NULL) {
        char *joined = malloc((size_t)v->len + given->len + 1);
        if (!joined)
            return err_set(ERR_NOMEM, "no memory to append to %s", w->table->name);
        if (v->len)
            memcpy(joined, v->as.p, v->len);
        if (given->len)
            memcpy(joined + v->len, given->as.p, given->len);
        v->as.p = *ret_joined = joined;
        v->len += given->len;
        return ERR_OK;
    }
    *v = *given;
    return ERR_OK;
}

static enum err changed_row(const struct db_write *w, const struct mem_row *old_row,
                            const struct db_value *given, struct mem_row **ret_row)
{
    struct db_value values[DB_COLUMNS_MAX];
    char *joined[DB_COLUMNS_MAX] = {0};
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < w->table->column_count; i++)
        values[i] = old_row ? old_row->values[i] : db_null();
    for (uint32_t i = 0; i < w->count && e == ERR_OK; i++) {
        uint8_t op = w->columns[i].op;
        if (op == DB_GUARD || (op == DB_KEY && old_row))
            continue;
        e = apply_op(w, i, &given[i], &values[w->columns[i].column], &joined[i]);
    }
    if (e == ERR_OK && !(*ret_row = mem_row_new(values, w->table->column_count)))
        e = err_set(ERR_NOMEM, "no memory for a row of %s", w->table->name);
    for (uint32_t i = 0; i < w->count; i++)
        free(joined[i]);
    return e;
}

static bool has_null(const struct db_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (values[i].kind == DB_NULL)
            return true;
    return false;
}

static bool breaks_unique(struct table *t, const struct mem_row *r, const struct mem_row *but)
{
    struct db_value key[DB_INDEX_COLUMNS_MAX];
    for (uint32_t i = 0; i < t->is->index_count; i++) {
        const struct db_index *x = &t->is->indexes[i];
        if (!x->unique || !mem_list_holds(&t->indexes[i], r))
            continue;
        for (uint32_t k = 0; k < x->count; k++)
            key[k] = r->values[x->columns[k]];
        if (has_null(key, x->count))
            continue; /* nothing is not equal to nothing */
        struct mem_node *n = mem_list_find(&t->indexes[i], key, x->count, false);
        if (n && n->row != but && mem_list_compare(&t->indexes[i], n->row, key, x->count) == 0)
            return true;
    }
    return false;
}

static enum err write_one(struct db *db, struct table *t, const struct db_write *w,
                          const struct db_value *given, uint32_t *ret_changed)
{
    struct mem_row *old_row = row_by_key(t, given), *new_row = NULL;
    bool inserts = w->verb == DB_INSERT || w->verb == DB_INSERT_NEW || w->verb == DB_PUT;
    if (old_row && w->verb == DB_INSERT)
        return err_set(ERR_CONFLICT, "%s has this row already", w->table->name);
    if ((old_row && w->verb == DB_INSERT_NEW) || (!old_row && !inserts) ||
        (old_row && !guards_hold(w, old_row, given)))
        return ERR_OK;
    if (w->verb != DB_DELETE) {
        TRY(changed_row(w, old_row, given, &new_row));
        if (breaks_unique(t, new_row, old_row)) {
            free(new_row);
            if (w->verb == DB_INSERT_NEW)
                return ERR_OK;
            return err_set(ERR_CONFLICT, "%s has a row with the same unique value", w->table->name);
        }
    }
    (*ret_changed)++;
    return replace(db, t, old_row, new_row);
}

static enum err mem_write(struct db *db, const struct db_write *w, const struct db_value *rows,
                          uint32_t count, uint32_t *ret_changed)
{
    struct table *t = table_of(of(db), w->table);
    bool alone = !db->in_transaction;
    enum err e = ERR_OK;
    assert(t);
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = write_one(db, t, w, rows + (size_t)i * w->count, ret_changed);
    if (alone)
        end(of(db), e == ERR_OK);
    return e;
}

static enum err give(const struct mem_row *r, const uint8_t *columns, uint32_t count, struct db_rows to)
{
    struct db_value values[DB_COLUMNS_MAX];
    for (uint32_t i = 0; i < count; i++)
        values[i] = r->values[columns[i]];
    return to.row(to.ctx, values);
}

static enum err mem_fetch(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                          uint32_t key_count, struct db_rows to)
{
    struct table *t = table_of(of(db), f->table);
    assert(t);
    struct mem_list *l = f->index == DB_BY_KEY ? &t->primary : &t->indexes[f->index];
    uint32_t width = db_fetch_width(f);
    for (uint32_t i = 0; i < key_count; i++) {
        const struct db_value *key = keys + (size_t)i * width;
        struct mem_node *n = mem_list_find(l, key, width, false);
        for (; n && mem_list_compare(l, n->row, key, width) == 0; n = n->next[0])
            TRY(give(n->row, f->columns, f->count, to));
    }
    return ERR_OK;
}

static bool within_bounds(const struct mem_list *l, const struct db_scan *s, const struct mem_row *r)
{
    return !(s->after || s->until) || r->values[l->order[s->equal]].kind != DB_NULL;
}

static enum err scan_up(struct mem_list *l, const struct db_scan *s, const struct db_value *args,
                        uint32_t limit, struct db_rows to)
{
    struct db_value until[DB_COLUMNS_MAX];
    struct mem_node *n = mem_list_find(l, args, s->equal + s->after, s->after);
    if (s->equal > 0)
        memcpy(until, args, s->equal * sizeof *until);
    if (s->until)
        until[s->equal] = args[s->equal + s->after];
    for (; n && limit > 0; n = n->next[0]) {
        if (mem_list_compare(l, n->row, args, s->equal) != 0 ||
            (s->until && mem_list_compare(l, n->row, until, s->equal + 1) > 0))
            break;
        if (!within_bounds(l, s, n->row))
            continue;
        TRY(give(n->row, s->columns, s->count, to));
        limit--;
    }
    return ERR_OK;
}

/* The lists lead upwards only: the range is walked once, the last `limit` rows are kept, and given in
 * reverse. */
static enum err scan_down(struct mem_list *l, const struct db_scan *s, const struct db_value *args,
                          uint32_t limit, struct db_rows to)
{
    const struct mem_row **kept = malloc(limit * sizeof *kept);
    struct db_value from[DB_COLUMNS_MAX];
    size_t seen = 0;
    enum err e = ERR_OK;
    if (!kept)
        return err_set(ERR_NOMEM, "no memory to read %s", s->table->name);
    if (s->equal > 0)
        memcpy(from, args, s->equal * sizeof *from);
    if (s->until)
        from[s->equal] = args[s->equal + s->after];
    for (struct mem_node *n = mem_list_find(l, from, s->equal + s->until, false); n; n = n->next[0]) {
        if (mem_list_compare(l, n->row, args, s->equal) != 0 ||
            (s->after && mem_list_compare(l, n->row, args, s->equal + 1) >= 0))
            break;
        if (within_bounds(l, s, n->row))
            kept[seen++ % limit] = n->row;
    }
    for (uint32_t i = 0; i < limit && i < seen && e == ERR_OK; i++)
        e = give(kept[(seen - 1 - i) % limit], s->columns, s->count, to);
    free(kept);
    return e;
}

static enum err mem_scan(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                         struct db_rows to)
{
    struct table *t = table_of(of(db), s->table);
    assert(t);
    struct mem_list *l = s->index == DB_BY_KEY ? &t->primary : &t->indexes[s->index];
    return (s->descending ? scan_down : scan_up)(l, s, args, limit, to);
}

static enum err mem_add(struct db *db, const struct db_write *w, const struct db_value *row, int64_t *ret_sum)
{
    struct table *t = table_of(of(db), w->table);
    uint32_t changed = 0;
    TRY(mem_write(db, w, row, 1, &changed));
    *ret_sum = row_by_key(t, row)->values[w->columns[w->count - 1].column].as.i;
    return ERR_OK;
}

static enum err mem_ping(struct db *db)
{
    (void)db;
    return ERR_OK;
}

static enum err mem_begin(struct db *db, bool write)
{
    (void)write;
    of(db)->version_before = of(db)->version;
    return ERR_OK;
}

static enum err mem_commit(struct db *db)
{
    end(of(db), true);
    return ERR_OK;
}

static void mem_rollback(struct db *db)
{
    end(of(db), false);
    of(db)->version = of(db)->version_before;
}

static enum err mem_version(struct db *db, uint32_t *ret_version)
{
    *ret_version = of(db)->version;
    return ERR_OK;
}

static enum err mem_set_version(struct db *db, uint32_t version)
{
    of(db)->version = version;
    return ERR_OK;
}

static enum err add_table(struct content *c, const struct db_table *is)
{
    if (table_of(c, is))
        return ERR_OK; /* a transaction that was rolled back has left it */
    assert(c->table_count < TABLES_MAX && is->index_count <= INDEXES_MAX);
    struct table *t = &c->tables[c->table_count++];
    t->is = is;
    t->primary.table = is;
    t->primary.index = DB_BY_KEY;
    t->primary.order_count = db_order_columns(is, DB_BY_KEY, t->primary.order);
    for (uint32_t i = 0; i < is->index_count; i++) {
        t->indexes[i].table = is;
        t->indexes[i].index = (int)i;
        t->indexes[i].order_count = db_order_columns(is, (int)i, t->indexes[i].order);
    }
    return ERR_OK;
}

/* Tables are made whole: what a later version adds to one is there from the start. */
static enum err mem_change_schema(struct db *db, enum db_change change, const struct db_table *t, uint32_t at)
{
    (void)at;
    if (change == DB_ADD_TABLE)
        return add_table(of(db), t);
    if (change == DB_DROP_TABLE)
        return err_set(ERR_UNSUPPORTED, "a database in memory cannot go back to an older schema");
    return ERR_OK;
}

static void mem_close(struct db *db)
{
    struct content *c = of(db);
    free(db);
    if (--c->users > 0)
        return;
    end(c, false);
    for (uint32_t i = 0; i < c->table_count; i++) {
        for (uint32_t x = 0; x < c->tables[i].is->index_count; x++)
            mem_list_done(&c->tables[i].indexes[x], false);
        mem_list_done(&c->tables[i].primary, true);
    }
    free(c->undo);
    free(c);
}

static enum err mem_open_reader(struct db *of_db, struct db **ret_db);

static enum err mem_about(struct db *db, char *ret, size_t room)
{
    (void)db;
    snprintf(ret, room, "memory");
    return ERR_OK;
}

static const struct db_driver driver = {
    .open_reader = mem_open_reader,
    .close = mem_close,
    .ping = mem_ping,
    .begin = mem_begin,
    .commit = mem_commit,
    .rollback = mem_rollback,
    .write = mem_write,
    .fetch = mem_fetch,
    .scan = mem_scan,
    .add = mem_add,
    .version = mem_version,
    .set_version = mem_set_version,
    .change_schema = mem_change_schema,
    .about = mem_about,
};

static enum err open_on(struct content *c, struct db **ret_db)
{
    struct mem *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(ERR_NOMEM, "no memory for a database");
    m->db.driver = &driver;
    m->content = c;
    c->users++;
    *ret_db = &m->db;
    return ERR_OK;
}

static enum err mem_open_reader(struct db *of_db, struct db **ret_db)
{
    return open_on(of(of_db), ret_db);
}

enum err db_mem_open(struct db **ret_db)
{
    struct content *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(ERR_NOMEM, "no memory for a database");
    enum err e = open_on(c, ret_db);
    if (e != ERR_OK)
        free(c);
    return e;
}
