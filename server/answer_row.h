/* answer_row.h - an answer as one row of the store. Its manifest (wire/answer.h), whose SHA-256 is the
 * answer's name, follows from the row and is not stored, nor is the digest of an output whose bytes are.
 *
 * Bytes: for each output, by path: the path's length, the path, the size * 2 + 1 when the bytes follow, then
 * these or the 32 of their SHA-256. Numbers are varints. */
#ifndef SERVER_ANSWER_ROW_H
#define SERVER_ANSWER_ROW_H

#include "base/buf.h"
#include "server/store.h"

/* The outputs must be in the order of answer_print(). */
enum err answer_row_write(const struct store_answer *answer, struct buf *out) NODISCARD;
/* ERR_CORRUPT unless it is the answer of this name. */
enum err answer_row_read(const struct text *row, const struct digest *name, struct arena *a,
                         struct store_answer *ret) NODISCARD;
/* Room for the outputs of an answer. */
enum err answer_room(struct arena *a, uint32_t count, struct store_answer *ret) NODISCARD;

#endif
