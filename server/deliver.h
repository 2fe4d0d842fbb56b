/* deliver.h - tells the outside world, as the outbox says: a batch's web hook or mail; and lets a purged
 * batch's files go. A thread of its own.
 *
 * A hook is posted at least once after its batch has finished, and again with full-jitter back-off (5 s to
 * 1 h) until a 2xx comes back; it is given up when three days have passed. Each post has 10 s. No more than
 * half a minute is spent on hooks before files get their turn again, and hooks take turns among themselves.
 */
#ifndef SERVER_DELIVER_H
#define SERVER_DELIVER_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/members.h"
#include "server/settings.h"
#include "server/store.h"
#include "server/unused.h"

struct deliver;

struct deliver_config {
    struct store *store; /* a reader, this thread's alone until deliver_stop() */
    struct engine_thread *engine;
    const struct members *members; /* NULL: the only server */
    struct blobs *blobs;
    struct unused *unused;           /* is told of what was purged; NULL: nobody is */
    const struct settings *settings; /* of mail; NULL: there is none */
    int64_t retry_ms; /* [5000] the longest first back-off, doubled each time; 0 means the default */
};

enum err deliver_start(const struct deliver_config *config, struct deliver **ret_deliver) NODISCARD;
void deliver_wake(struct deliver *d); /* there is something new in the outbox; any thread, quick */
/* Waits for the post that is under way, 10 s at most; NULL is fine. */
void deliver_stop(struct deliver *d);

#endif
