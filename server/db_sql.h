/* db_sql.h - SQL text out of the descriptors of db.h, for the two drivers that speak it. */
#ifndef SERVER_DB_SQL_H
#define SERVER_DB_SQL_H

#include "base/buf.h"
#include "server/db.h"

enum db_dialect { DB_SQLITE, DB_PG };

/* One statement without a final semicolon. Parameters are numbered in the order of the values: ?1 for SQLite,
 * $1 for PostgreSQL, where each parameter of a write or fetch is an array with one element for each row or
 * key. The last one of a scan is the limit. */
enum err db_sql_write(enum db_dialect d, const struct db_write *w, struct buf *out) NODISCARD;
enum err db_sql_fetch(enum db_dialect d, const struct db_fetch *f, struct buf *out) NODISCARD;
enum err db_sql_scan(enum db_dialect d, const struct db_scan *s, struct buf *out) NODISCARD;
/* Inserts or adds one row, scalar parameters, and returns the last column. */
enum err db_sql_add(enum db_dialect d, const struct db_write *w, struct buf *out) NODISCARD;
enum err db_sql_change(enum db_dialect d, enum db_change change, const struct db_table *t, uint32_t at,
                       struct buf *out) NODISCARD;

#endif
