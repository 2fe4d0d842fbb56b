/* blob.h - files by their SHA-256: inputs, bundles, answers. Complete ones never change.
 *
 * A blob is kept for as long as somebody holds it: a user who uploaded it ("u3"), a batch whose answer ("b7")
 * or input ("i7") it is, a schedule ("s5"), a host ("h3"), a release ("releases"). Users hold what counts
 * against their quota, and let go of what nobody else needs (blobs_give_back()). Blobs are in a folder, where
 * holds are hard links, so that they survive whatever happens to the database; or in an object store
 * (blob_far.h). Any thread may call; calls that write block until the bytes are durable, and those of an
 * object store until it has answered: ERR_BUSY when it does not. */
#ifndef SERVER_BLOB_H
#define SERVER_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define BLOB_HOLDER_BYTES_MAX 32
#define BLOB_LINK_BYTES_MAX   2048

struct blobs;
struct blob_upload;

/* folder is made. disk_free_min: uploads that would leave less room than that are ERR_FULL. */
enum err blobs_open(const char *folder, uint64_t disk_free_min, struct blobs **ret_blobs) NODISCARD;
void blobs_close(struct blobs *b);
/* Room for so many more bytes above the floor? ERR_FULL with a sentence if not. */
enum err blobs_room(const struct blobs *b, uint64_t bytes) NODISCARD;

/* ERR_UNREACHABLE with a sentence while an object store does not answer. */
enum err blobs_well(const struct blobs *b) NODISCARD;
/* Do calls wait for others than this machine's disk? Then not on a thread that answers requests. */
bool blobs_block(const struct blobs *b);
/* ERR_MISSING when there is no complete one. */
enum err blob_find(const struct blobs *b, const struct digest *blob, uint64_t *ret_bytes) NODISCARD;
enum err blob_open(const struct blobs *b, const struct digest *blob, int *ret_fd,
                   uint64_t *ret_bytes) NODISCARD;
/* Where whoever has this link may fetch it from the object store for the next quarter of an hour, without
 * asking us; ERR_UNSUPPORTED where it is small or in a folder: then blob_open(). */
enum err blob_link(const struct blobs *b, const struct digest *blob,
                   char ret_url[BLOB_LINK_BYTES_MAX]) NODISCARD;
/* The whole of a small one. */
enum err blob_read(const struct blobs *b, const struct digest *blob, size_t bytes_max,
                   struct buf *out) NODISCARD;
/* Makes it the holder's too. ERR_MISSING when there is no such blob. Twice is once. Durable after
 * blobs_sync(). */
enum err blob_hold(struct blobs *b, const struct digest *blob, const char *holder) NODISCARD;
enum err blobs_sync(struct blobs *b, const char *holder) NODISCARD;
/* Drops all a holder holds, at most `limit` at once; *ret_more: call again. What nobody holds is removed. */
enum err blobs_drop(struct blobs *b, const char *holder, uint32_t limit, bool *ret_more) NODISCARD;
/* Bytes that a holder has here, broken-off uploads included. Looks at each of them: for holders of few. */
enum err blobs_held(const struct blobs *b, const char *holder, uint64_t *ret_bytes) NODISCARD;
/* Every hold there is. Nobody else changes anything meanwhile; the visit may hold and drop. */
enum err blobs_each(const struct blobs *b,
                    enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                    void *ctx) NODISCARD;
/* Forgets what is kept here beside an object store. */
enum err blobs_forget_copies(const struct blobs *b) NODISCARD;
/* Drops one; ERR_MISSING when the holder does not hold it. */
enum err blob_drop(struct blobs *b, const struct digest *blob, const char *holder) NODISCARD;

/* --- what users hold ("u3") ---
 *
 * What only users hold is needed by nothing. It goes purged_kept_ms after the last one that needed it let go
 * (its batch was purged); or, where nothing has since, unused_kept_ms after it was sent or kept by
 * blob_keep().
 */

/* The name by which a user holds. */
void blob_holder_user(uint64_t user_id, char ret[BLOB_HOLDER_BYTES_MAX + 1]);

struct blob_kept {
    struct digest blob;
    uint64_t bytes;
    bool needed;     /* by other holders than users */
    int64_t goes_ms; /* when it goes if nothing needs it: INT64_MAX never, -1 it has no time yet */
};

/* Before blobs are used. unused_kept_ms 0: what nothing ever needed is kept for ever. */
void blobs_keep_unused(struct blobs *b, int64_t unused_kept_ms, int64_t purged_kept_ms);
/* Somebody is about to need it: its time begins anew. ERR_MISSING when there is no such blob. */
enum err blob_keep(struct blobs *b, const struct digest *blob) NODISCARD;
/* The same for whoever only asks, and often. */
enum err blob_asked_for(struct blobs *b, const struct digest *blob) NODISCARD;
/* By digest, at most limit after that one. */
enum err blobs_kept(const struct blobs *b, struct arena *a, const char *holder, const struct digest *after,
                    uint32_t limit, struct blob_kept **ret, uint32_t *ret_count) NODISCARD;
/* A user lets go of what nothing needs: of what is due by now, or at_once of all. What was let go is counted
 * also on failure, and is durable; a call that was broken off is called again. */
enum err blobs_give_back(struct blobs *b, const char *holder, bool at_once, int64_t now_ms,
                         uint64_t *ret_count, uint64_t *ret_bytes) NODISCARD;
/* What it holds, without broken-off uploads. */
enum err blobs_charged(const struct blobs *b, const char *holder, uint64_t *ret_bytes) NODISCARD;
/* Every holder whose name begins with this letter. The visit may drop. */
enum err blobs_holders(const struct blobs *b, char letter, enum err (*visit)(void *ctx, const char *holder),
                       void *ctx) NODISCARD;

/* --- uploads: in pieces, resumable, one at a time for each (blob, holder) --- */

/* How much of it this holder has sent; 0 when nothing. */
uint64_t blob_upload_offset(const struct blobs *b, const struct digest *blob, const char *holder);
/* ERR_CONFLICT when offset is not where the upload stands (see blob_upload_offset()), ERR_BUSY when this
 * holder sends it in another request right now, ERR_FULL, ERR_LIMIT. */
enum err blob_upload_begin(struct blobs *b, const struct digest *blob, const char *holder, uint64_t offset,
                           uint64_t total, struct blob_upload **ret_upload) NODISCARD;
enum err blob_upload_write(struct blob_upload *u, const void *bytes, size_t len) NODISCARD;
/* Makes what came durable and frees u. When all is there the digest is checked and the blob is complete and
 * held (*ret_complete), or all of it is dropped and this is ERR_UNTRUSTED. *ret_new: the holder did not hold
 * it before. */
enum err blob_upload_end(struct blob_upload *u, bool *ret_complete, bool *ret_new,
                         uint64_t *ret_offset) NODISCARD;
/* The connection broke: keeps what came for a later try. Frees u; NULL is fine. */
void blob_upload_drop(struct blob_upload *u);
/* Removes uploads that nobody went on with since then, and what hosts ("h3") uploaded before then and never
 * reported; from an object store also what no row of the database names, when it was put there before then.
 */
enum err blobs_sweep(struct blobs *b, int64_t before_ms) NODISCARD;

#endif
