/* blob.h - files to and from the server by their digest, resumed where they were cut off. */
#ifndef CLI_BLOB_H
#define CLI_BLOB_H

#include "base/hash.h"
#include "client/cli/cli.h"

/* Called while bytes move: how many of this file are there. May be NULL. */
typedef void blob_progress(void *ctx, uint64_t done, uint64_t bytes);

/* Uploads what the server does not have yet. The file must not change meanwhile: its digest would not fit.
 * *ret_sent (may be NULL) is how many bytes went over the wire. */
enum err blob_put(struct cli *c, const char *path, const struct digest *digest, uint64_t bytes,
                  blob_progress *progress, void *ctx, uint64_t *ret_sent) NODISCARD;
/* Downloads into path, through path.part, which a later call continues. ERR_UNTRUSTED when the bytes are not
 * those of the digest. A file that is there and right is left alone. Not synced. */
enum err blob_get(struct cli *c, const struct digest *digest, uint64_t bytes, const char *path) NODISCARD;

struct blob_want {
    struct digest digest;
    uint64_t bytes;
    const char *path;
};
/* The same for many at once: far away servers answer one request in the time they answer twenty. What cannot
 * be had this way is left to blob_get(), which says why. */
enum err blob_get_many(struct cli *c, const struct blob_want *wants, size_t count) NODISCARD;

#endif
