/* store_blob_in.h - what the files of store_blob share; nobody else includes it. */
#ifndef SERVER_STORE_BLOB_IN_H
#define SERVER_STORE_BLOB_IN_H

#include "server/store_blob.h"
#include "server/store_in.h"

#define NUMBER_FAR(N, n, k)  FAR_##N,
#define NUMBER_HOLD(N, n, k) HOLD_##N,

struct blob_row {
    struct digest blob;
    uint64_t bytes;
    enum store_blob_state state;
    int64_t look_ms; /* -1: none */
};

struct blob_job {
    struct digest blob;
    const char *holder;
    uint64_t bytes;
    int64_t now_ms, kept_ms;
    uint32_t limit;
    bool at_once;
    bool yes; /* what the call returns */
};

struct blob_held {
    bool by_users, by_others;
};

static inline struct db_value digest_value(const struct digest *d)
{
    return db_blob(d->bytes, DIGEST_BYTES);
}

/* A transaction of its own. Others may move first: then all of it is done again. */
enum err blob_transact(struct store *s, enum err (*step)(struct store *s, struct blob_job *job),
                       struct blob_job *job) NODISCARD;
enum err blob_row_missing(const struct digest *blob);
enum err blob_row_read(struct store *s, const struct digest *blob, struct blob_row *ret) NODISCARD;
/* The row is this transaction's when it was in `from`: others wait for its end. look_ms -1: none. */
enum err blob_row_move(struct store *s, const struct digest *blob, enum store_blob_state from,
                       enum store_blob_state to, int64_t look_ms, bool *ret_moved) NODISCARD;
/* The same for a present one, which stays as it is: what is read of it from here on does not change. */
enum err blob_row_lock(struct store *s, const struct digest *blob, bool *ret_there) NODISCARD;
enum err blob_held_by(struct store *s, const struct digest *blob, struct blob_held *ret) NODISCARD;
/* j->holder's, as of j->now_ms; see store_blob_drop() for j->kept_ms. */
enum err blob_hold_drop(struct store *s, const struct blob_job *j, const struct digest *blob,
                        bool *ret_dropped) NODISCARD;

#endif
