/* truth.h - one simulated grid with liars: see truth.c. */
#ifndef TESTS_TRUTH_H
#define TESTS_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/trust.h"
#include "rules/wu.h"

struct truth_policy {
    const char *name;
    struct wu_rules rules;
    struct trust_policy trust;
    bool first_come; /* who checks is who asks first, not who is drawn: what that would cost */
};

/* How those lie who lie; all of them are one party. */
struct truth_strategy {
    const char *name;
    uint32_t honest_first; /* so many answers of an identity are right */
    double chance;         /* of each later answer to be wrong */
    uint32_t items;        /* that are false in a wrong answer */
    uint32_t lies_most;    /* wrong answers of one identity; 0: no limit */
    uint32_t bursts;       /* so many answers honest, so many not, in turns; 0: no turns */
    uint32_t life;         /* leaves after so many answers and comes back as a new host; 0: never */
    bool agree;            /* all give the same wrong answer */
    bool reborn;           /* comes back as a new host when banned */
    bool only_at_the_end;  /* of the batch: the last 2 % of it */
    bool eager;            /* asks for checks every few seconds, others when they have finished something, and
                            * hands back what is not of a friend */
    enum truth_where {
        TRUTH_EVERYWHERE,
        TRUTH_LAX_ONLY,   /* half of the work is another batch's, which checks next to nothing */
        TRUTH_STRICT_ONLY /* of that one it takes what trust it can */
    } where;
    enum truth_audits {
        TRUTH_AUDITS_HONESTLY,
        TRUTH_AUDITS_COVER, /* a friend's lies are not told */
        TRUTH_AUDITS_FRAME, /* and honest hosts are accused */
        TRUTH_AUDITS_NEVER  /* lets audits run out */
    } audits;
};

struct truth_size {
    uint32_t hosts, units, items; /* items of each unit */
    uint32_t life;                /* units that an honest host stays for, on average; 0: for ever */
    double liars, flaky;          /* shares of the hosts */
    double unit_ms;               /* a unit takes */
};

/* Sums over clusters: all that comes of one place in the crowd, whoever is there. Places do not know of each
 * other's luck, answers of one host do: so bounds are taken over places. */
struct truth_ratio {
    double x, d, xx, xd, dd;
    uint32_t clusters;
};

struct truth_result {
    uint64_t units, accepted, failed;
    struct truth_ratio runs, wrong, wrong_units, waited; /* of an answer; of an item; of an answer twice */
    uint64_t banned[3];                                  /* honest, flaky, liars */
};

void truth_run(const struct truth_policy *policy, const struct truth_strategy *strategy,
               const struct truth_size *size, uint64_t seed, struct truth_result *ret);
void truth_add(struct truth_result *to, const struct truth_result *r);
double truth_mean(const struct truth_ratio *r);
/* Half the width of the 95 % interval. Where nothing was seen: what would have been, but for one time in
 * twenty (3 divided by all that was looked at). */
double truth_bound(const struct truth_ratio *r);

#endif
