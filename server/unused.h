/* unused.h - a thread that lets users go of files that nothing needs any more, and keeps what is counted
 * against their quota true.
 *
 * What a user holds in the blobs ("u3") is what counts; the number in the user's row is kept beside it, so
 * that an upload need not look at all of them. Files go first and are counted off then: a server that is
 * killed between the two leaves a number that differs, and the next look puts it right. */
#ifndef SERVER_UNUSED_H
#define SERVER_UNUSED_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/members.h"
#include "server/store.h"

struct unused;

struct unused_config {
    struct store *store; /* a reader, this thread's alone until unused_stop() */
    struct engine_thread *engine;
    const struct members *members; /* NULL: the only server */
    struct blobs *blobs;
    int64_t purged_kept_ms; /* as the blobs have it */
    int64_t settle_ms; /* [10000] an upload that has been stored is counted within that; 0: the default */
};

enum err unused_start(const struct unused_config *config, struct unused **ret_unused) NODISCARD;
/* A batch was purged, or a schedule deleted: there will be something to give back. NULL is fine. */
void unused_wake(struct unused *u);
void unused_stop(struct unused *u); /* NULL is fine */

#endif
