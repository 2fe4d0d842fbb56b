/* ids.h - names of things as integers inside and as short text outside.
 *
 * A work unit's id is its batch and its place in the batch: one 63-bit integer (batch << 32 | index), so that
 * a batch is one range of the primary key. On the wire and for people it is "BATCH.INDEX", an attempt is
 * "BATCH.INDEX.ATTEMPT", with decimal numbers and no leading zeros; text, because JSON numbers lose bits over
 * 2^53. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdint.h>

#include "base/err.h"

#define ID_TEXT_BYTES 48 /* room for any id as text, terminator included */

typedef uint64_t wu_id; /* batch << 32 | index; batch 1..2^31-1, index 0..2^32-1 */

static inline wu_id wu_id_make(uint32_t batch, uint32_t index)
{
    return (uint64_t)batch << 32 | index;
}
static inline uint32_t wu_id_batch(wu_id id)
{
    return (uint32_t)(id >> 32);
}
static inline uint32_t wu_id_index(wu_id id)
{
    return (uint32_t)id;
}

void wu_id_text(wu_id id, char ret_text[ID_TEXT_BYTES]);
enum err wu_id_parse(const char *text, wu_id *ret_id) NODISCARD;
void attempt_id_text(wu_id id, uint32_t attempt, char ret_text[ID_TEXT_BYTES]);
/* Refuses an attempt number of ATTEMPTS_MAX or more. */
enum err attempt_id_parse(const char *text, wu_id *ret_id, uint32_t *ret_attempt) NODISCARD;

#endif
