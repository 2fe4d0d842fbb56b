/* feed.h - batches that are fed from a stream: each record becomes a unit, once, for the batch's cursor moves
 * in the transaction that makes the units. A thread of its own.
 *
 * A text that was published is the unit's variable "" ({} in the command); where it is a JSON object its
 * texts and numbers are variables too. Of an answer the unit's variables come along, and its outputs become
 * inputs. What fits no unit (a variable that the command wants is missing, it is too long) goes as a record
 * of JSON to the stream batch-N.unfit, and the batch goes on. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/members.h"
#include "server/store.h"

struct feed;

struct feed_config {
    struct store *store; /* a reader, this thread's alone until feed_stop() */
    struct engine_thread *engine;
    const struct members *members; /* NULL: the only server */
    struct blobs *blobs;
};

enum err feed_start(const struct feed_config *config, struct feed **ret_feed) NODISCARD;
void feed_wake(struct feed *f); /* some stream has new records; any thread, quick */
void feed_stop(struct feed *f); /* NULL is fine */

#endif
