/* store_rows.h - all rows of a table, in and out: what store_care.c and store_dump.c are made of. */
#ifndef SERVER_STORE_ROWS_H
#define SERVER_STORE_ROWS_H

#include "server/store_in.h"

#define STORE_ROWS_EACH 500 /* written at once */

enum { TABLE_KEYS_MAX = 3 };

/* How to read and write whole rows of one table. A db remembers statements by the address of their
 * descriptor: it must be closed before this goes. */
struct table_io {
    const struct db_table *table;
    struct db_scan first;                  /* from the start */
    struct db_scan within[TABLE_KEYS_MAX]; /* after a column of the key, where those before it are the same */
    struct db_write insert;
};
void table_io_init(struct table_io *io, const struct db_table *table);

/* Every row in the order of the key, with the values of all columns in theirs. */
enum err table_each(struct db *db, const struct table_io *io,
                    enum err (*row)(void *ctx, const struct db_value *values), void *ctx) NODISCARD;
enum err table_is_empty(struct db *db, const struct table_io *io, bool *ret) NODISCARD;

/* Rows to be inserted, kept until there are enough of them. */
struct table_fill {
    struct db *db;
    const struct table_io *io;
    struct arena arena;
    struct db_value *values; /* STORE_ROWS_EACH * columns */
    uint32_t count;
    size_t bytes;
};
enum err table_fill_begin(struct table_fill *f, struct db *db, const struct table_io *io) NODISCARD;
enum err table_fill_add(struct table_fill *f, const struct db_value *values) NODISCARD; /* copies them */
enum err table_fill_flush(struct table_fill *f) NODISCARD;
void table_fill_done(struct table_fill *f);

#endif
