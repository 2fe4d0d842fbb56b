#include "server/db.h"

#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "server/db_driver.h"

struct db_value db_text(const char *text)
{
    return db_text_len(text ? text : "", text ? (uint32_t)strlen(text) : 0);
}

static bool is_pg(const char *where)
{
    return str_starts(where, "postgres://") || str_starts(where, "postgresql://");
}

static enum err unknown_kind(void)
{
    return err_set(ERR_INVALID, "the database is of no known kind: use sqlite:PATH or postgres://...");
}

enum err db_open(const char *where, struct db **ret_db)
{
    if (str_starts(where, "sqlite:"))
        return db_sqlite_open(where + strlen("sqlite:"), ret_db);
    if (is_pg(where))
        return db_pg_open(where, ret_db);
    return str_eq(where, "memory:") ? db_mem_open(ret_db) : unknown_kind();
}

enum err db_open_existing(const char *where, struct db **ret_db)
{
    struct db *db;
    enum err e = str_starts(where, "sqlite:") ? db_sqlite_open_existing(where + strlen("sqlite:"), &db)
                 : is_pg(where)               ? db_pg_open_existing(where, &db)
                 : str_eq(where, "memory:")   ? err_set(ERR_MISSING, "a database in memory is nobody else's")
                                              : unknown_kind();
    if (e != ERR_OK)
        return e;
    db->reader = true;
    *ret_db = db;
    return ERR_OK;
}

enum err db_open_reader(struct db *of, struct db **ret_db)
{
    struct db *db;
    enum err e = of->driver->open_reader(of, &db);
    if (e != ERR_OK)
        return e;
    db->reader = true;
    *ret_db = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    db->driver->close(db);
}

bool db_shared(const struct db *db)
{
    return db->shared;
}

void db_fault(struct db *db, uint32_t operations, bool late)
{
    db->fault_armed = true;
    db->fault_struck = false;
    db->fault_after = operations;
    db->fault_late = late;
}

static bool struck(struct db *db)
{
    if (!db->fault_armed)
        return false;
    if (!db->fault_struck && db->fault_after-- == 0)
        db->fault_struck = true;
    return db->fault_struck;
}

#define FAULT(db)                                                                                            \
    do {                                                                                                     \
        if (struck(db))                                                                                      \
            return err_set(ERR_IO, "the database failed, as the test wanted");                               \
    } while (0)
#define NO_READER(db)                                                                                        \
    do {                                                                                                     \
        if ((db)->reader)                                                                                    \
            return err_set(ERR_DENIED, "this connection to the database only reads");                        \
    } while (0)

enum err db_ping(struct db *db)
{
    FAULT(db);
    return db->driver->ping(db);
}

enum err db_begin(struct db *db, bool write)
{
    FAULT(db);
    if (write)
        NO_READER(db);
    assert(!db->in_transaction);
    enum err e = db->driver->begin(db, write);
    db->in_transaction = e == ERR_OK;
    return e;
}

enum err db_commit(struct db *db)
{
    assert(db->in_transaction);
    if (struck(db)) {
        enum err ignored = db->fault_late ? db->driver->commit(db) : ERR_OK;
        (void)ignored;
        if (db->fault_late)
            db->in_transaction = false;
        db_rollback(db);
        return err_set(ERR_IO, "the commit failed, as the test wanted");
    }
    db->in_transaction = false;
    enum err e = db->driver->commit(db);
    if (e != ERR_OK)
        db->driver->rollback(db);
    return e;
}

void db_rollback(struct db *db)
{
    if (db->in_transaction)
        db->driver->rollback(db);
    db->in_transaction = false;
    if (db->fault_struck)
        db->fault_armed = false;
}

enum err db_write_rows(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                       uint32_t *ret_changed)
{
    uint32_t changed = 0;
    NO_READER(db);
    FAULT(db);
    if (count == 0)
        return ERR_OK;
    enum err e = db->driver->write(db, w, rows, count, &changed);
    if (e == ERR_OK && ret_changed)
        *ret_changed = changed;
    return e;
}

enum err db_write_later(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                        uint32_t *ret_changed)
{
    if (!db->driver->write_later)
        return db_write_rows(db, w, rows, count, ret_changed);
    NO_READER(db);
    FAULT(db);
    return count == 0 ? ERR_OK : db->driver->write_later(db, w, rows, count, ret_changed);
}

enum err db_settle(struct db *db)
{
    FAULT(db);
    return db->driver->settle ? db->driver->settle(db) : ERR_OK;
}

enum err db_fetch_rows(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                       uint32_t key_count, struct db_rows to)
{
    FAULT(db);
    return key_count == 0 ? ERR_OK : db->driver->fetch(db, f, keys, key_count, to);
}

enum err db_scan_rows(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                      struct db_rows to)
{
    FAULT(db);
    return limit == 0 ? ERR_OK : db->driver->scan(db, s, args, limit, to);
}

enum err db_add(struct db *db, const struct db_write *w, const struct db_value *row, int64_t *ret_sum)
{
    NO_READER(db);
    FAULT(db);
    return db->driver->add(db, w, row, ret_sum);
}

enum err db_version(struct db *db, uint32_t *ret_version)
{
    FAULT(db);
    return db->driver->version(db, ret_version);
}

enum err db_set_version(struct db *db, uint32_t version)
{
    NO_READER(db);
    FAULT(db);
    return db->driver->set_version(db, version);
}

enum err db_change_schema(struct db *db, enum db_change change, const struct db_table *table, uint32_t at)
{
    NO_READER(db);
    FAULT(db);
    return db->driver->change_schema(db, change, table, at);
}

enum err db_about(struct db *db, char *ret, size_t room)
{
    return db->driver->about(db, ret, room);
}

enum err db_check(struct db *db, struct buf *out)
{
    FAULT(db);
    return db->driver->check ? db->driver->check(db, out) : db_ping(db);
}

enum err db_backup(struct db *db, const char *path)
{
    if (!db->driver->backup)
        return err_set(ERR_UNSUPPORTED, "this kind of database is in no file that could be copied");
    FAULT(db);
    return db->driver->backup(db, path);
}

uint32_t db_fetch_width(const struct db_fetch *f)
{
    if (f->equal)
        return f->equal;
    return f->index == DB_BY_KEY ? f->table->key_count : f->table->indexes[f->index].count;
}

uint32_t db_order_columns(const struct db_table *t, int index, uint8_t ret_columns[DB_COLUMNS_MAX])
{
    uint32_t n = 0;
    if (index != DB_BY_KEY)
        for (; n < t->indexes[index].count; n++)
            ret_columns[n] = t->indexes[index].columns[n];
    uint32_t own = n;
    for (uint32_t k = 0; k < t->key_count; k++) {
        bool there = false;
        for (uint32_t i = 0; i < own; i++)
            there = there || ret_columns[i] == k;
        if (!there)
            ret_columns[n++] = (uint8_t)k;
    }
    return n;
}
