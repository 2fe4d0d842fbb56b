/* deliver.h - tells the outside world, as the outbox says: a batch's web hook; and lets a purged batch's
 * files go. A thread of its own. */
#ifndef SERVER_DELIVER_H
#define SERVER_DELIVER_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/store.h"

struct deliver;

struct deliver_config {
    struct store *store; /* a reader, this thread's alone until deliver_stop() */
    struct engine_thread *engine;
    struct blobs *blobs;
};

enum err deliver_start(const struct deliver_config *config, struct deliver **ret_deliver) NODISCARD;
void deliver_wake(struct deliver *d); /* there is something new in the outbox; any thread, quick */
void deliver_stop(struct deliver *d); /* NULL is fine */

#endif
