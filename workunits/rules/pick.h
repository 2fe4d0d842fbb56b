/* pick.h - which attempt goes out first, and when a unit that holds up its batch gets a spare.
 *
 * First the higher priority, then the older batch, then what was issued again (its unit has waited longest
 * and holds half a quorum already), then the order of the batch. */
#ifndef RULES_PICK_H
#define RULES_PICK_H

#include "rules/wu.h"

struct pick_item {
    int32_t priority; /* of the batch; higher goes first */
    bool again;       /* not one of the unit's first target_attempts */
    wu_id id;
};

/* < 0: a goes first; > 0: b; 0 only for the same unit. A total order. */
int pick_compare(const struct pick_item *a, const struct pick_item *b);

/* How many attempts one host is given at most when `unsent` wait and `hosts` share them: half of its fair
 * share, so that the last ones are dealt out one by one to whoever is ready, but as many as it has cores. */
uint32_t pick_share(uint64_t unsent, uint32_t hosts, uint32_t cores);

/* The tail of a batch: there are hosts that ask and nothing else to give them. */
struct pick_tail {
    int64_t now_ms;
    uint32_t queued;     /* attempts that wait to be sent and would suit the hosts */
    uint32_t asking;     /* hosts that ask, or asked lately and got nothing */
    int64_t typical_ms;  /* median time from lease to report in this batch or app; 0 when not known yet */
    uint32_t spares_max; /* attempts out beyond what the quorum lacks, at most so many; 0 turns spares off */
};

#define PICK_SPARES_MAX_DEFAULT 1

/* How long this unit has held up its batch: milliseconds since the first of its leases that are still out was
 * due by typical_ms, or 0 when a spare is not called for. The caller gives spares (WU_EV_SPARE) to the
 * longest first. */
int64_t pick_tail_wait_ms(const struct wu *wu, const struct pick_tail *tail);

#endif
