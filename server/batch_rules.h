/* batch_rules.h - from what a batch asks for, and what its app can do, to the rules that hold for its units.
 */
#ifndef SERVER_BATCH_RULES_H
#define SERVER_BATCH_RULES_H

#include "rules/price.h"
#include "rules/trust.h"
#include "rules/wu.h"
#include "server/store.h"
#include "wire/batch_msg.h"
#include "wire/release.h"

/* ERR_INVALID with a sentence that names the field, where they contradict each other or the app. */
enum err batch_rules_take(const struct batch_rules *asked, const struct manifest *app, struct wu_rules *ret,
                          struct trust_policy *ret_trust) NODISCARD;
/* The policy that such rules are. */
enum batch_policy batch_rules_policy(const struct wu_rules *r);
/* What they cost and let through by formula, for such a share of liars and answers of PRICE_ITEMS items. */
#define PRICE_ITEMS 10000
struct price batch_rules_price(const struct wu_rules *r, const struct trust_policy *t, double liars);

/* How many attempts were held against another one or a checker. */
uint64_t batch_rules_checked(const struct wu_rules *r, const struct batch_counts *n);
/* Runs that are not out any more; an audit is the part of one that it recomputes. */
double batch_rules_runs(const struct batch_counts *n);
/* As it has turned out: runs for each answer that was not taken from an earlier unit, and what is let through
 * when so many lie as may, at most, by what was found wrong. False: too little is in to say. */
bool batch_rules_measure(const struct wu_rules *r, const struct trust_policy *t, const struct batch_counts *n,
                         struct price *ret, double *ret_liars);

#endif
