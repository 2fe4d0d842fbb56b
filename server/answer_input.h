/* answer_input.h - an answer's output as the input of another unit: hosts fetch inputs as blobs, so a small
 * output that travelled inside a report becomes one. */
#ifndef SERVER_ANSWER_INPUT_H
#define SERVER_ANSWER_INPUT_H

#include "server/blob.h"
#include "server/store.h"
#include "wire/parts.h"

/* The answer that became a unit's. ERR_INVALID when it is gone. */
enum err answer_input_get(struct store *s, struct arena *a, wu_id unit, const struct digest *answer,
                          struct store_answer *ret) NODISCARD;
/* Makes its output i the holder's. ERR_INVALID when its bytes are gone. Durable after blobs_sync(). */
enum err answer_input_hold(struct blobs *blobs, const struct store_answer *answer, uint32_t i,
                           const char *holder) NODISCARD;
/* Its bytes, at most bytes_max, added to out. */
enum err answer_input_read(struct blobs *blobs, const struct store_answer *answer, uint32_t i,
                           size_t bytes_max, struct buf *out) NODISCARD;

#endif
