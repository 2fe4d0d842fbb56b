/* wu_history.h - one event as one line of text: what a unit's history is made of.
 *
 * A line is a JSON array, so that people, jq and a replay read the same thing; it holds only what its event
 * uses:
 *   ["submit",T] ["lease",T,ATTEMPT,HOST,OWNER] or with ,LEASE_MS ["renew",T,ATTEMPT,HOST] or with ,LEASE_MS
 *   ["report",T,ATTEMPT,HOST,"SHA-256 in 43 characters of base64url"] ["error",T,ATTEMPT,HOST,"word"]
 *   ["judged",T,[GROUP of attempt 0,...]] (no trailing zeros; -1 is unusable)
 *   ["judged",T,"word"] (the judge gave up)
 *   ["confirm",T,COUNT] ["audit",T,COUNT] ["void",T,ATTEMPT]
 *   ["final",T] ["delivered",T] ["cancel",T] ["retry",T] ["spare",T] ["purge",T] ["tick",T]
 * T is in milliseconds after base_ms, which the caller keeps beside the lines (the batch's time of
 * submission, or 0): numbers of 8 digits instead of 13, and every byte here is stored for every event of
 * every unit.
 *
 * There is one way to write an event: what reads back as an event writes back as the same bytes, anything
 * else is refused. A replay of the lines through wu_step() from a zeroed unit with the same id and rules
 * gives the same unit. */
#ifndef RULES_WU_HISTORY_H
#define RULES_WU_HISTORY_H

#include "rules/wu.h"

#define WU_HISTORY_BYTES_MAX 256 /* of any line, terminator included */

/* Writes one line without a line feed, terminated; returns its length. The event must be one that wu_step()
 * took. */
size_t wu_history_write(const struct wu_event *ev, int64_t base_ms, char ret_line[WU_HISTORY_BYTES_MAX]);
/* Reads one line of len bytes; ERR_CORRUPT with a sentence that says where. Fields the event does not use are
 * zero. */
enum err wu_history_read(const char *line, size_t len, int64_t base_ms, struct wu_event *ret_ev) NODISCARD;

#endif
