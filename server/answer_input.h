/* answer_input.h - an answer's output as the input of another unit: hosts fetch inputs as blobs, so a small
 * output that travelled inside a report becomes one. */
#ifndef SERVER_ANSWER_INPUT_H
#define SERVER_ANSWER_INPUT_H

#include "server/blob.h"
#include "server/store.h"
#include "wire/parts.h"

/* Makes the output of a unit of of_batch the holder's. ERR_INVALID when its bytes are gone. Durable after
 * blobs_sync(). */
enum err answer_input_hold(struct store *s, struct blobs *blobs, struct arena *a, uint32_t of_batch,
                           const struct file_ref *file, const char *holder) NODISCARD;
/* Its bytes, at most bytes_max, added to out. */
enum err answer_input_read(struct store *s, struct blobs *blobs, struct arena *a, uint32_t of_batch,
                           const struct file_ref *file, size_t bytes_max, struct buf *out) NODISCARD;

#endif
