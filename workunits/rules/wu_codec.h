/* wu_codec.h - the life of a unit as few bytes, for one column of the store.
 *
 * All that wu_step() keeps except id and rules (the unit's row and its batch have them) and wake_at_ms (it
 * follows). A finished unit with two equal answers takes about 70 bytes: the answer's digest is stored once,
 * times are differences, numbers are varints (LEB128; zigzag where they may be negative).
 *
 * Bytes: version; state | purged << 3 | failure << 4; number of attempts; canonical + 1, | 0x20 if
 * more equal answers are needed than the rules say, then that number, | 0x40 if there was ever an audit, then
 * the mask of the attempts that are audits (two bytes, low first), audits wanted, first audit, | 0x80 if
 * overdue; until when the next attempt is put off, if the number of attempts has 0x80 set; then for each
 * attempt: state | flags << 3; error if errored; host and owner if it ever had one, time sent less the one
 * before, deadline less sent less the rules' lease; time ended less sent if it ended; group if it has one;
 * answer if it has one that is not the canonical one's. */
#ifndef RULES_WU_CODEC_H
#define RULES_WU_CODEC_H

#include "rules/wu.h"

#define WU_CODEC_VERSION 1
#define WU_BYTES_MAX     (20 + ATTEMPTS_MAX * (2 + 5 * 10 + 5 + DIGEST_BYTES))

/* wu must be one that wu_step() left. Returns the number of bytes. */
size_t wu_encode(const struct wu *wu, uint8_t ret_bytes[WU_BYTES_MAX]);
/* wu->id and wu->rules must be set and the same as when it was encoded; the rest is overwritten. There is one
 * encoding of each life; anything else, or a life that breaks wu_invariant(), is ERR_CORRUPT and leaves wu
 * untouched. */
enum err wu_decode(const uint8_t *bytes, size_t len, struct wu *wu) NODISCARD;

#endif
