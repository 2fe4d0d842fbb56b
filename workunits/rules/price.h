/* price.h - what a policy costs and what it lets through, before anything has run.
 *
 * For an assumed share f of the capacity that lies together and as cleverly as it can:
 * - quorum of m: m / (1 - f) runs for each answer; wrong: the sum over j = m..2m-1 of C(2m-1, j) f^j
 *   (1-f)^(2m-1-j) (first m equal ones; Sarmenta 2002);
 * - escrow: 1 + a runs (and the probation); wrong: f (1 - a') / (e a' K M) with a' = a (1 - f), items M in an
 *   answer (1 when it has none), K answers of escrow;
 * - checker: one run and the check; nothing wrong passes but what the checker calls right;
 * - once: one run, and whatever lies is believed. */
#ifndef RULES_PRICE_H
#define RULES_PRICE_H

#include <stdint.h>

#include "rules/trust.h"
#include "rules/wu.h"

struct price_question {
    uint32_t quorum;
    enum wu_escrow escrow;
    bool checker;
    struct trust_policy policy;
    double items; /* of an answer, as the app says; at least 1 */
    double liars; /* f, from 0 to below 0.5 */
};
struct price {
    double runs;  /* for each accepted answer, all taken together */
    double wrong; /* share of accepted items that may be wrong, at worst */
};
struct price price_of(const struct price_question *q);

/* The share of all attempts that is wrong, at most, where `wrong` of `checked` ones were found wrong: the
 * upper end of Wilson's interval, with 97.5 % confidence. 1 where nothing was checked. */
double price_liars_at_most(uint64_t wrong, uint64_t checked);

#define PRICE_LIARS_DEFAULT 0.05

#endif
