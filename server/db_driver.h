/* db_driver.h - what a database driver provides; used by db.c and the drivers alone. */
#ifndef SERVER_DB_DRIVER_H
#define SERVER_DB_DRIVER_H

#include "server/db.h"

struct db_driver {
    enum err (*open_reader)(struct db *of, struct db **ret_db);
    void (*close)(struct db *db);
    enum err (*ping)(struct db *db);
    enum err (*begin)(struct db *db, bool write);
    enum err (*commit)(struct db *db);
    void (*rollback)(struct db *db);
    enum err (*write)(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count,
                      uint32_t *ret_changed);
    /* Both may be NULL: then it writes at once. */
    enum err (*write_later)(struct db *db, const struct db_write *w, const struct db_value *rows,
                            uint32_t count, uint32_t *ret_changed);
    enum err (*settle)(struct db *db);
    enum err (*fetch)(struct db *db, const struct db_fetch *f, const struct db_value *keys,
                      uint32_t key_count, struct db_rows to);
    enum err (*scan)(struct db *db, const struct db_scan *s, const struct db_value *args, uint32_t limit,
                     struct db_rows to);
    enum err (*add)(struct db *db, const struct db_write *w, const struct db_value *row, int64_t *ret_sum);
    enum err (*version)(struct db *db, uint32_t *ret_version);
    enum err (*set_version)(struct db *db, uint32_t version);
    enum err (*change_schema)(struct db *db, enum db_change change, const struct db_table *table,
                              uint32_t at);
    enum err (*about)(struct db *db, char *ret, size_t room);
    enum err (*check)(struct db *db, struct buf *out);   /* NULL: the engine has no such thing */
    enum err (*backup)(struct db *db, const char *path); /* NULL: likewise */
};

/* The first member of every driver's own struct. */
struct db {
    const struct db_driver *driver;
    bool shared;
    bool reader;
    bool in_transaction;
    bool fault_armed, fault_late, fault_struck;
    uint32_t fault_after;
};

enum err db_sqlite_open(const char *path, struct db **ret_db) NODISCARD;
enum err db_sqlite_open_existing(const char *path, struct db **ret_db) NODISCARD;
enum err db_pg_open(const char *url, struct db **ret_db) NODISCARD;
enum err db_pg_open_existing(const char *url, struct db **ret_db) NODISCARD;
enum err db_mem_open(struct db **ret_db) NODISCARD;

/* The columns that order an index: its own, then those of the key that are not among them. Returns their
 * number. */
uint32_t db_order_columns(const struct db_table *t, int index, uint8_t ret_columns[DB_COLUMNS_MAX]);

#endif
