/* admit.h - is the server so busy that no new batch is taken? PURE.
 *
 * Each share is smoothed over a minute (an exponential average), so that a burst refuses nobody and what
 * lasts does. */
#ifndef RULES_ADMIT_H
#define RULES_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

struct admit_load { /* 0..1 */
    double engine;  /* of its thread's time: rules, SQL and commits */
    double queue;   /* of the places for requests that wait */
    double cpu;     /* of all cores, by the server itself */
    double disk;    /* of the time that the engine has: waiting for the disk to make a transaction durable */
};

#define ADMIT_AMBER 0.6 /* from here on somebody should look */

#define ADMIT_SMOOTH_MS 60000

/* span_ms: since the last look. A clock that was set back or stood still counts as none. */
void admit_smooth(struct admit_load *average, const struct admit_load *now, int64_t span_ms);
/* "" or the name of what is busier than most; *ret_share is how busy. most 0: never. */
const char *admit_refusal(const struct admit_load *average, double most, double *ret_share);

#endif
