/* judge.h - compares answers where equal digests are not what counts: within a numeric tolerance, or by the
 * app's own validator program in the sandbox. A thread of its own, fed by the outbox. */
#ifndef SERVER_JUDGE_H
#define SERVER_JUDGE_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/store.h"

struct judge;

struct judge_config {
    struct store *store; /* a reader, the judge's alone until judge_stop() */
    struct engine_thread *engine;
    const struct blobs *blobs;
    const char *folder; /* for bundles and scratch; made, its content is the judge's */
};

enum err judge_start(const struct judge_config *config, struct judge **ret_judge) NODISCARD;
void judge_wake(struct judge *j); /* there is something new in the outbox; any thread, quick */
void judge_stop(struct judge *j); /* waits for the comparison that is under way; NULL is fine */

#endif
