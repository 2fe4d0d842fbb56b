/* db.h - the seam between the store and a database engine.
 *
 * The store describes its tables, writes and reads as data; a driver makes of them what its engine does best:
 * SQLite loops a prepared statement, PostgreSQL sends one statement over arrays, the memory driver keeps
 * ordered lists. There is no other SQL, so whatever works here works on all of them.
 *
 * A db is one connection and belongs to one thread at a time. Values handed in need to live during the call
 * only; values in a row live until the row function returns. Descriptors are static: drivers remember what
 * they prepared by their address. */
#ifndef SERVER_DB_H
#define SERVER_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define DB_COLUMNS_MAX       32
#define DB_INDEX_COLUMNS_MAX 4

enum db_kind { DB_NULL, DB_INT, DB_REAL, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_kind kind;
    uint32_t len; /* bytes of TEXT and BLOB */
    union {
        int64_t i;
        double r;
        const void *p;
    } as;
};

static inline struct db_value db_null(void)
{
    return (struct db_value){.kind = DB_NULL};
}
static inline struct db_value db_int(int64_t i)
{
    return (struct db_value){.kind = DB_INT, .as.i = i};
}
static inline struct db_value db_real(double r)
{
    return (struct db_value){.kind = DB_REAL, .as.r = r};
}
static inline struct db_value db_blob(const void *p, uint32_t len)
{
    return (struct db_value){.kind = DB_BLOB, .len = len, .as.p = p};
}
static inline struct db_value db_text_len(const void *p, uint32_t len)
{
    return (struct db_value){.kind = DB_TEXT, .len = len, .as.p = p};
}
struct db_value db_text(const char *text); /* NULL is written as "" */

struct db_column {
    const char *name;
    enum db_kind kind; /* not DB_NULL */
};

struct db_index {
    const char *name;
    uint32_t count;
    uint8_t columns[DB_INDEX_COLUMNS_MAX];
    bool partial; /* holds only rows whose first column is set */
    bool unique;
};

struct db_table {
    const char *name;
    uint32_t column_count, key_count; /* the first key_count columns are the primary key */
    const struct db_column *columns;
    uint32_t index_count;
    const struct db_index *indexes;
    uint32_t full_percent; /* of a page when rows are added: the rest is for their changes. 0: all of it. What
                              has no such thing does without */
};

/* The rows of one write have different keys. */
enum db_verb {
    DB_INSERT,     /* a row that is there already is ERR_CONFLICT */
    DB_INSERT_NEW, /* a row that is there already stays as it is */
    DB_PUT,        /* inserts, or does to the row that is there what the ops say */
    DB_UPDATE,     /* rows that are not there, or whose guards differ, are not changed nor counted */
    DB_DELETE
};

enum db_op {
    DB_KEY,   /* all columns of the primary key, first and in order */
    DB_GUARD, /* UPDATE, DELETE: only where the column has this value */
    DB_SET,
    DB_ADD,   /* to a number; what is not there counts as 0. The value is not null */
    DB_APPEND /* to text or bytes; what is not there counts as empty. The value is not null */
};

struct db_write {
    const struct db_table *table;
    enum db_verb verb;
    uint32_t count;
    struct db_write_column {
        uint8_t column;
        uint8_t op;
    } columns[DB_COLUMNS_MAX];
};

/* What a transaction that writes does with the rows that it reads, until it ends. Where nobody else writes
 * meanwhile anyway (SQLite, memory) it makes no difference. */
enum db_lock {
    DB_LOCK_NONE,
    DB_LOCK_WAIT, /* nobody else changes them; whoever holds one is waited for, in the order of the keys given
                   */
    DB_LOCK_SKIP  /* the same, but those that somebody holds are left out */
};

/* Rows by many keys at once. */
struct db_fetch {
    const struct db_table *table;
    uint32_t count;
    uint8_t columns[DB_COLUMNS_MAX];
    int index;      /* DB_BY_KEY, or the number of an index whose columns are given instead */
    uint32_t equal; /* so many of the leading columns are given; 0: all of them */
    enum db_lock lock;
};
/* How many columns one key of a fetch has. */
uint32_t db_fetch_width(const struct db_fetch *f);
#define DB_BY_KEY (-1)

/* One ordered range of an index. The order is that of (index columns, key columns); `equal` leading ones have
 * given values; `after` and `until` bound the next one, and a row without a value there is within no bound.
 * Text is ordered by its bytes. Nothing equals nothing: a unique index lets many rows have no value. An index
 * of a column that may be null is partial, or not used for order. */
struct db_scan {
    const struct db_table *table;
    uint32_t count;
    uint8_t columns[DB_COLUMNS_MAX];
    int index; /* DB_BY_KEY, or the number of an index */
    uint32_t equal;
    bool after; /* strictly beyond the value */
    bool until; /* not beyond the value */
    bool descending;
    enum db_lock lock; /* of the rows that are given */
};

/* Returning an error ends the read, which returns it. */
struct db_rows {
    enum err (*row)(void *ctx, const struct db_value *values);
    void *ctx;
};

enum db_change { DB_ADD_TABLE, DB_DROP_TABLE, DB_ADD_INDEX, DB_DROP_INDEX, DB_ADD_COLUMN, DB_DROP_COLUMN };

struct db;

/* where: "sqlite:PATH", "postgres://..." or "postgresql://...", "memory:". A password in it is in no message.
 */
enum err db_open(const char *where, struct db **ret_db) NODISCARD;
/* A connection to the same data that only reads: writing through it is ERR_DENIED. */
enum err db_open_reader(struct db *of, struct db **ret_db) NODISCARD;
/* The same for data that need not be in use: nothing is made, nothing is changed. ERR_MISSING when there is
 * none. */
enum err db_open_existing(const char *where, struct db **ret_db) NODISCARD;
void db_close(struct db *db); /* NULL is fine */
enum err db_ping(struct db *db) NODISCARD;
bool db_shared(const struct db *db); /* may other processes write to the same data? */

/* What is read between begin and commit is one moment for a reader, and nobody else's change slips between
 * for the writer's guards. */
enum err db_begin(struct db *db, bool write) NODISCARD;
/* ERR_CONFLICT: somebody else moved first, nothing was changed: do all of it again. Any other error: it is
 * not known whether the changes were made. In any case the transaction is over. */
enum err db_commit(struct db *db) NODISCARD;
void db_rollback(struct db *db); /* fine when none is open */

/* rows: count * w->count values. ret_changed (may be NULL): rows inserted, changed or deleted. */
enum err db_write_rows(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                       uint32_t *ret_changed) NODISCARD;
/* The same, but where the database is far away it is only sent. How it went is known after db_settle() (or
 * any other call on this db, but another db_write_later()), which may return its error. *ret_changed (may be
 * NULL) is written until then or until the rollback. Values need to live during the call only. */
enum err db_write_later(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                        uint32_t *ret_changed) NODISCARD;
enum err db_settle(struct db *db) NODISCARD;
/* keys: key_count * (columns of the key). Rows come in no order; keys without a row are left out. */
enum err db_fetch_rows(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                       uint32_t key_count, struct db_rows to) NODISCARD;
/* args: the equal values, then after's, then until's. */
enum err db_scan_rows(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                      struct db_rows to) NODISCARD;
/* Adds n to a number of one row, made when it is not there, and returns the sum: whoever comes next waits for
 * this transaction's end, so that numbers are given without holes. */
enum err db_add(struct db *db, const struct db_write *w, const struct db_value *row,
                int64_t *ret_sum) NODISCARD;

/* The number of the schema, kept in the data; 0 of a new one. */
enum err db_version(struct db *db, uint32_t *ret_version) NODISCARD;
enum err db_set_version(struct db *db, uint32_t version) NODISCARD;
/* at: the column or index. */
enum err db_change_schema(struct db *db, enum db_change change, const struct db_table *table,
                          uint32_t at) NODISCARD;

/* --- care --- */

/* "SQLite 3.40.1": the engine and its version. */
enum err db_about(struct db *db, char *ret, size_t room) NODISCARD;
/* What the engine finds wrong in its own data, a line each; nothing is added when all is well. Reads all of
 * the data, and takes as long. */
enum err db_check(struct db *db, struct buf *out) NODISCARD;
/* A copy of one moment into a file that must not be there, durable, while others read and write on.
 * ERR_UNSUPPORTED where the data is in no file. */
enum err db_backup(struct db *db, const char *path) NODISCARD;

/* For tests: the operation after `operations` more ones fails, and all until the rollback; late: a commit
 * that fails has happened all the same. */
void db_fault(struct db *db, uint32_t operations, bool late);

#endif
