/* db_pg_wire.h - values in PostgreSQL's binary format: the parameters of a statement, and what rows hold. */
#ifndef SERVER_DB_PG_WIRE_H
#define SERVER_DB_PG_WIRE_H

#include <stddef.h>

#include "server/db.h"

#define PG_PARAMS_MAX       (DB_COLUMNS_MAX + 1)
#define PG_PARAMS_BYTES_MAX (512u << 20) /* of one statement: the server takes less than 1 GiB */

/* Zeroed is valid and empty. What the arrays say is complete when pg_params_end() was called. */
struct pg_params {
    int count;
    uint32_t types[PG_PARAMS_MAX]; /* Oids */
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
    char *bytes;
    size_t len, room, at[PG_PARAMS_MAX];
};

void pg_params_clear(struct pg_params *p); /* keeps the memory */
void pg_params_done(struct pg_params *p);
/* Text that is no UTF-8, or has a NUL, cannot be stored: its bad bytes become question marks. */
enum err pg_params_add(struct pg_params *p, enum db_kind kind, const struct db_value *v) NODISCARD;
/* One array of `count` values that are `stride` values apart. */
enum err pg_params_add_array(struct pg_params *p, enum db_kind kind, const struct db_value *first,
                             uint32_t stride, uint32_t count) NODISCARD;
void pg_params_end(struct pg_params *p);

/* bytes: NULL for null, else what came; they are not copied. */
enum err pg_value_read(enum db_kind kind, const char *bytes, uint32_t len, struct db_value *ret) NODISCARD;

#endif
