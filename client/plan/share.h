/* share.h - which project may use how many of the cores now, where this host works for several. PURE, like
 * plan.h.
 *
 * Over time each gets its weight's part of the processor time that is used; right now the cores go to work
 * that would miss its deadline, then to what runs already, then to who has had least. Who has nothing to run
 * loses nothing but the time, and saves up none. */
#ifndef CLIENT_PLAN_SHARE_H
#define CLIENT_PLAN_SHARE_H

#include <stdint.h>

#include "client/plan/plan.h"

#define SHARE_PROJECTS_MAX 8
#define SHARE_SLICE_S      3600.0 /* what runs goes on, unless its project is so far ahead */
#define SHARE_AHEAD_MAX_S  (4 * SHARE_SLICE_S)

struct share_project {
    double weight; /* above 0; of all that take part */
    double used_s; /* core seconds, less what all have had: share_settle() */
    uint32_t running, ready;
    uint32_t danger; /* of running and ready: would miss their deadlines by their share alone */
};

/* Cores of each of the count projects; their sum is at most cores. One project alone gets all. */
void share_cores(const struct share_project *p, uint32_t count, uint32_t cores, uint32_t *ret_cores);
/* After used_s has grown: takes off what all have had. */
void share_settle(struct share_project *p, uint32_t count);

/* Jobs of a plan that would end after their deadlines on so many cores, done in the order of deadlines. */
uint32_t share_danger(const struct plan *p, uint32_t cores, int64_t now_ms);

#endif
