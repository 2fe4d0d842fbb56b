/* store_blob.h - rows of the files in an object store and of who holds them. The bucket alone cannot say
 * whether a file may go; these rows can, for all servers at once. Each call is a transaction of its own,
 * durable when it returns, on a store that is used for nothing else meanwhile (not the engine's).
 *
 * A file is `coming` while it is being put into the bucket, then `present`, and `going` while it is being
 * taken out. Whoever moves it writes its row first and so waits for others that do: no file goes that
 * somebody has come to hold, and nobody comes to hold one that goes. */
#ifndef SERVER_STORE_BLOB_H
#define SERVER_STORE_BLOB_H

#include "base/hash.h"
#include "server/store.h"

#define STORE_BLOB_COMING_MS (86400 * 1000ll) /* a put that has not ended by then never will */

enum store_blob_state { STORE_BLOB_COMING, STORE_BLOB_PRESENT, STORE_BLOB_GOING };

/* The size of a present one; ERR_MISSING. */
enum err store_blob_find(struct store *s, const struct digest *blob, uint64_t *ret_bytes) NODISCARD;
/* Before it is put. *ret_present: it is there, nothing is to be put. ERR_BUSY while it is going. */
enum err store_blob_begin(struct store *s, const struct digest *blob, uint64_t bytes, int64_t now_ms,
                          bool *ret_present) NODISCARD;
/* It has been put, and is held. ERR_BUSY when somebody took it for left over meanwhile: begin again. */
enum err store_blob_end(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                        bool *ret_new) NODISCARD;
/* Holds a present one; ERR_MISSING. since_ms is kept for hosts' holds ("h3"), see store_blob_unreported(). */
enum err store_blob_hold(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                         bool *ret_new) NODISCARD;
/* ERR_MISSING: the holder does not hold it. What only users hold then goes kept_ms later. */
enum err store_blob_drop(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                         int64_t kept_ms) NODISCARD;
/* At most limit of a holder's; *ret_more: there are others. */
enum err store_blob_drop_some(struct store *s, const char *holder, int64_t now_ms, int64_t kept_ms,
                              uint32_t limit, bool *ret_more) NODISCARD;
/* Every hold, in the order of holders; the visit may use the store. */
enum err store_blob_each(struct store *s,
                         enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                         void *ctx) NODISCARD;
enum err store_blob_held(struct store *s, const char *holder, uint64_t *ret_bytes) NODISCARD;

/* --- what users ("u3") hold; a file's time is when it goes if nothing but users holds it --- */

/* When a present one goes; -1: it has no time. ERR_MISSING. */
enum err store_blob_goes(struct store *s, const struct digest *blob, int64_t *ret_ms) NODISCARD;
/* A present one gets this time; ERR_MISSING. */
enum err store_blob_keep(struct store *s, const struct digest *blob, int64_t goes_ms) NODISCARD;
struct store_blob_kept {
    struct digest blob;
    uint64_t bytes;
    bool needed;     /* by others than users */
    int64_t goes_ms; /* -1: it has no time */
};
/* By digest, at most limit of a holder's after that one. */
enum err store_blob_kept(struct store *s, struct arena *a, const char *holder, const struct digest *after,
                         uint32_t limit, struct store_blob_kept **ret, uint32_t *ret_count) NODISCARD;
/* A user lets go of it, if nothing but users holds it and its time is due; at_once: whenever it is. */
enum err store_blob_let_go(struct store *s, const struct digest *blob, const char *holder, bool at_once,
                           int64_t now_ms, bool *ret_gone) NODISCARD;
enum err store_blob_holds(struct store *s, const char *holder, const struct digest *blob,
                          bool *ret) NODISCARD;
/* The first holder after that name; "" past the last. */
enum err store_blob_holder_next(struct store *s, const char *after, char *ret, size_t room) NODISCARD;

struct store_blob_hold {
    const char *holder;
    struct digest blob;
};
/* What hosts hold since before then. */
enum err store_blob_unreported(struct store *s, struct arena *a, int64_t before_ms, uint32_t limit,
                               struct store_blob_hold **ret, uint32_t *ret_count) NODISCARD;

/* --- taking out: those that nobody may hold, then for each doom, remove from the bucket, gone --- */
enum err store_blob_loose(struct store *s, struct arena *a, int64_t now_ms, uint32_t limit,
                          struct digest **ret, uint32_t *ret_count) NODISCARD;
/* *ret_doomed: nobody holds it and nobody will: take it out of the bucket. */
enum err store_blob_doom(struct store *s, const struct digest *blob, int64_t now_ms,
                         bool *ret_doomed) NODISCARD;
/* The same for what is in the bucket without a row: *ret_doomed is false when it has one. */
enum err store_blob_doom_stranger(struct store *s, const struct digest *blob, uint64_t bytes, int64_t now_ms,
                                  bool *ret_doomed) NODISCARD;
enum err store_blob_gone(struct store *s, const struct digest *blob) NODISCARD;
/* Which of the blobs have a row, in any state: ret_known[i] for blobs[i]. */
enum err store_blob_known(struct store *s, const struct digest *blobs, uint32_t count,
                          bool *ret_known) NODISCARD;

#endif
