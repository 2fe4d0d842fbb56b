/* store_care.h - a whole store at once: looked at, copied, written out as text, read back, compared. For the
 * operator's commands; what serves uses store.h.
 *
 * A dump is lines of JSON that any tool can read: a head, each row of each table in the order of its key, a
 * count and digest after each table, an end. The same content gives the same lines, whatever database it is
 * in. */
#ifndef SERVER_STORE_CARE_H
#define SERVER_STORE_CARE_H

#include "base/buf.h"
#include "base/hash.h"
#include "server/store.h"

#define STORE_TABLES_MAX    64
#define DUMP_LINE_BYTES_MAX (64u << 20)

/* As store_reader_open(), of data that no store of this program has open; nothing is made or migrated.
 * ERR_MISSING without data; ERR_UNSUPPORTED where the schema is another than this program's. */
enum err store_open_existing(const char *where, struct store **ret_store) NODISCARD;

struct store_about {
    char engine[64];  /* "SQLite 3.40.1" */
    uint32_t version; /* of the schema, whatever it is */
};
enum err store_about(const char *where, struct store_about *ret) NODISCARD;
/* Reads all of the data; a line in `out` for each thing that is wrong. */
enum err store_check(const char *where, struct buf *out) NODISCARD;

/* Follows the chain of the audit log from its newest entry to its first: ERR_CORRUPT names the entry that was
 * changed, removed or put in. What was cut off at its newest end shows only beside a hash that was noted
 * elsewhere: *ret_last is entry *ret_count's, and wanted, when not NULL, that of entry wanted_seq. */
enum err store_audit_verify(struct store *s, uint64_t wanted_seq, const struct digest *wanted,
                            uint64_t *ret_count, struct digest *ret_last) NODISCARD;

/* One moment of the store in a new SQLite file, while it serves. ERR_UNSUPPORTED where it is in no file:
 * then store_dump() does it. */
enum err store_backup(struct store *s, const char *path) NODISCARD;

struct store_table_sum {
    const char *table;
    uint64_t rows;
    struct digest digest; /* of its lines */
};
struct store_sums {
    uint32_t count;
    struct store_table_sum tables[STORE_TABLES_MAX];
};

/* Of one moment. write is given pieces of text, a line may come in several; NULL: only the sums are wanted.
 * The store is in no transaction. */
enum err store_dump(struct store *s, int64_t now_ms,
                    enum err (*write)(void *ctx, const char *bytes, size_t len), void *ctx,
                    struct store_sums *ret_sums) NODISCARD;
/* Reads a dump into a store that holds nothing, all of it or nothing of it. read gives at most `room` bytes
 * and 0 at the end. ERR_CONFLICT where something is there; ERR_CORRUPT where the dump is cut or changed,
 * with the number of the line. */
enum err store_load(struct store *s, enum err (*read)(void *ctx, char *to, size_t room, size_t *ret_len),
                    void *ctx, struct store_sums *ret_sums) NODISCARD;
/* Copies all that is in one into another that holds nothing, without the detour over text. */
enum err store_copy(struct store *from, struct store *to) NODISCARD;
/* ERR_CORRUPT names the first table that differs. */
enum err store_sums_compare(const struct store_sums *a, const struct store_sums *b) NODISCARD;

#endif
