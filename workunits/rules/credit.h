/* credit.h - what validated work is worth.
 *
 * Credit follows the question, never what a host claims to have spent on it: every valid attempt of a unit
 * earns the unit's cost, so a slow host, an inflated report and a second run earn nothing more, and two hosts
 * with equal answers earn the same. The cost is what the app declares, or what reference runs measured, once
 * for a batch; never adapted later. (BOINC derives credit from claimed time by two running averages; its
 * maintainers' thread #2498 calls it opaque and unstable.)
 *
 * One credit is one second of one core of the reference machine (speed 1.0), counted in millionths so that
 * sums are exact in any order. */
#ifndef RULES_CREDIT_H
#define RULES_CREDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CREDIT_MICRO            1000000ull
#define CREDIT_COST_SECONDS_MAX 1e8 /* three years of one core: more is a mistake in the manifest */
#define CREDIT_RUNS_MAX         64

/* Credit of one valid attempt of a unit that costs so many reference seconds, in millionths. ERR_INVALID for
 * a cost that is not a number, negative or over CREDIT_COST_SECONDS_MAX. */
enum err credit_of_cost(double cost_seconds, uint64_t *ret_micro) NODISCARD;

/* A run of a unit of the batch on a machine whose speed was measured: by the operator's own reference hosts,
 * or, where there are none, by hosts whose answers were validated. */
struct credit_run {
    uint64_t owner_id;
    double cpu_seconds;
    double speed; /* of the host's core, the reference machine is 1 */
};

/* The cost of a unit that declares none: the median over owners of each owner's least cost. A claim can only
 * move it when more than half of the owners claim alike, and no owner gains by claiming from many hosts.
 * ERR_INVALID when there are no usable runs (all of speed or time 0, or more than CREDIT_RUNS_MAX). Runs are
 * reordered. */
enum err credit_cost_of_runs(struct credit_run *runs, size_t count, double *ret_cost_seconds) NODISCARD;

#endif
