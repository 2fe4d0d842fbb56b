/* unit_row.h - the parts of a unit that are stored shorter than they are. */
#ifndef SERVER_UNIT_ROW_H
#define SERVER_UNIT_ROW_H

#include "base/buf.h"
#include "server/store.h"

/* How a batch's units get their variables when the server makes them. */
struct unit_array {
    bool is_array;
    int64_t first, step;
};

/* The exact text of a unit's spec (wire/PROTOCOL.md section 2). tail: what stands after the unit's id, stored
 * for units that were sent one by one; those of an array follow from it. Both are for ever: the text is
 * signed. */
enum err unit_spec(wu_id id, const struct unit_array *array, const struct text *tail,
                   struct buf *out) NODISCARD;

/* A unit whose answer is known beforehand (a ringer) has that answer's manifest (wire/answer.h) behind its
 * tail, after a newline. Hosts are never sent it. */
enum err unit_known_add(const struct text *manifest, struct buf *tail) NODISCARD;
/* Points into tail; empty when the unit's answer is not known. */
struct text unit_known(const struct text *tail);
/* The rules of one unit: its batch's, but a known answer takes the place of a quorum and of an escrow. Each
 * answer is looked at by itself, so that a wrong one is proven. */
struct wu_rules unit_rules(const struct wu_rules *of_batch, const struct text *tail);

/* What each attempt used: records that are appended one after the other; a later one of the same attempt
 * counts. */
#define UNIT_USE_BYTES_MAX 32
uint32_t unit_use_write(uint32_t attempt, const struct store_attempt_use *use,
                        uint8_t ret_bytes[UNIT_USE_BYTES_MAX]);
enum err unit_use_read(const uint8_t *bytes, uint32_t len,
                       struct store_attempt_use ret_use[ATTEMPTS_MAX]) NODISCARD;

#endif
