/* store_in.h - what the store_*.c files share. */
#ifndef SERVER_STORE_IN_H
#define SERVER_STORE_IN_H

#include "server/db.h"
#include "server/store.h"
#include "server/store_schema.h"
#include "server/try.h"

struct store {
    struct db *db;
    bool writing; /* a transaction is open that writes */
    char *where;
    struct table_io *ios; /* of store_dump.c; NULL until they are wanted */
    uint64_t commit_us;   /* spent in commits */
};

/* A store on a connection, which is closed when that fails. */
enum err store_wrap(struct db *db, const char *where, struct store **ret_store) NODISCARD;

/* Reads one row: text is copied into the arena; `failed` is set when that has no room. */
struct row_in {
    struct arena *a;
    const struct db_value *v;
    bool failed;
};
int64_t row_int(const struct row_in *r, uint32_t column);
static inline uint64_t row_u64(const struct row_in *r, uint32_t column)
{
    return (uint64_t)row_int(r, column);
}
static inline uint32_t row_u32(const struct row_in *r, uint32_t column)
{
    return (uint32_t)row_int(r, column);
}
static inline bool row_bool(const struct row_in *r, uint32_t column)
{
    return row_int(r, column) != 0;
}
double row_real(const struct row_in *r, uint32_t column);
const char *row_text(struct row_in *r, uint32_t column); /* never NULL */
struct text row_bytes(struct row_in *r, uint32_t column);
struct digest row_digest(const struct row_in *r,
                         uint32_t column); /* zero for anything that is not 32 bytes */

/* Collects rows as items of an array in the arena. */
struct collect {
    struct arena *a;
    size_t each;
    void (*fill)(struct row_in *r, void *item);
    char *items;
    uint32_t count, room;
};
enum err collect_row(void *ctx, const struct db_value *values);
enum err collect_scan(struct store *s, const struct db_scan *scan, const struct db_value *args,
                      uint32_t limit, struct collect *c) NODISCARD;
/* One row by key: ERR_MISSING "no <what> <name>" when there is none. item is filled in place. */
enum err collect_one(struct store *s, struct arena *a, const struct db_fetch *f, const struct db_value *key,
                     void (*fill)(struct row_in *r, void *item), void *item, const char *what,
                     uint64_t name) NODISCARD;
uint32_t page_limit(uint32_t limit);

/* The batches' columns in the order in which batch rows are read: all of BATCH, and all of BATCH_LIVE. */
void store_fill_batch(struct row_in *r, void *batch);
void store_fill_batch_live(struct row_in *r, struct store_batch *b);
extern const struct db_fetch store_fetch_batch, store_fetch_batch_live;

#endif
