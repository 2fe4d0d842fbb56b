/* reuse.h - answers of earlier units that asked the same: a re-run skips what has a valid answer.
 *
 * A question is what decides an answer: the app and its version, the command, the environment, the batch's
 * and the unit's inputs by their digests, the unit's variables. Who asked and by which rules answers become
 * true belong to it too: nobody is given an answer of another user's, nor one that was checked less than this
 * batch wants. */
#ifndef SERVER_REUSE_H
#define SERVER_REUSE_H

#include "server/blob.h"
#include "server/engine.h"
#include "wire/batch_msg.h"

/* What all units of a batch ask. b: its user, version and rules; q: the rest. */
enum err reuse_batch_question(const struct store_batch *b, const struct batch_request *q,
                              struct digest *ret) NODISCARD;
/* What one of them asks. tail: its spec after the unit's id, as in struct engine_units. */
void reuse_question(const struct digest *of_batch, const struct text *tail, struct digest *ret);

#define REUSE_BYTES_MAX (16u << 20)

/* Which of the units about to be made have an answer already. Their answers' files are held for the batch b
 * when this returns, durably. *ret is in the arena, and empty where the batch does not want it. No more is
 * looked at once REUSE_BYTES_MAX of answers are to be copied: *ret_looked (may be NULL) is how many units
 * were. */
enum err reuse_find(struct store *s, struct blobs *blobs, struct arena *a, const struct store_batch *b,
                    const struct text *specs, uint32_t count, struct engine_taken **ret, uint32_t *ret_count,
                    uint32_t *ret_looked) NODISCARD;

#endif
