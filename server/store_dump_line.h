/* store_dump_line.h - the lines of a dump: one row as JSON, and back. */
#ifndef SERVER_STORE_DUMP_LINE_H
#define SERVER_STORE_DUMP_LINE_H

#include "base/json.h"
#include "server/store_in.h"

/* {"table":T,"row":{"column":value,..}} and a line feed. Columns without a value are left out; bytes are
 * base64; text that JSON cannot hold is {"base64":..}. */
enum err dump_line_row(const struct db_table *t, const struct db_value *values, struct buf *out) NODISCARD;
/* The object "row" of such a line; texts live in the document or the arena. */
enum err dump_line_read(const struct db_table *t, const struct json *row, struct arena *a,
                        struct db_value *ret_values) NODISCARD;

#endif
