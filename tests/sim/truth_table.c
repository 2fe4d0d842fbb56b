/* truth_table.c - the table of policy x strategy: runs for each answer, share of wrong items, how long an
 * answer waits, who was banned. Every line is the mean of several seeds with a 95 % confidence bound. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/price.h"
#include "truth.h"

#define QUORUM(n)                                                                                            \
    {                                                                                                        \
        .quorum = n, .target_attempts = n, .errors_max = 8, .attempts_max = 16, .successes_max = 16,         \
        .lease_ms = 3600000                                                                                  \
    }
#define ESCROW(how)                                                                                          \
    {                                                                                                        \
        .quorum = 1, .target_attempts = 1, .errors_max = 15, .attempts_max = 16, .successes_max = 16,        \
        .lease_ms = 3600000, .escrow = how, .hold_ms = 3600000                                               \
    }

static const struct truth_policy policies[] = {
    {"once", QUORUM(1), {0}},
    {"quorum2", QUORUM(2), {0}},
    {"quorum3", QUORUM(3), {0}},
    {"quorum5", QUORUM(5), {0}},
    {"adaptive", ESCROW(WU_ESCROW_LONE), TRUST_POLICY_LONE},
    {"adaptive1000", ESCROW(WU_ESCROW_LONE), {10, 100000, 50000, 1000}},
    {"audit", ESCROW(WU_ESCROW_ALL), TRUST_POLICY_ALL},
    {"audit5", ESCROW(WU_ESCROW_ALL), {5, 50000, 50000, 100}},
};

#define COVER TRUTH_AUDITS_COVER
#define FRAME TRUTH_AUDITS_FRAME
#define NEVER TRUTH_AUDITS_NEVER
#define ALL   100000 /* items: the whole answer */

static const struct truth_strategy strategies[] = {
    /* name, honest first, chance, items, lies at most, bursts, life, agree, reborn, only at the end, audits
     */
    {"honest", 0, 0, 0, 0, 0, 0, false, false, false, 0},
    {"always-all", 0, 1, ALL, 0, 0, 0, true, true, false, COVER},
    {"always-all-alone", 0, 1, ALL, 0, 0, 0, false, true, false, 0},
    {"always-one-item", 0, 1, 1, 0, 0, 0, true, true, false, COVER},
    {"always-one-no-rebirth", 0, 1, 1, 0, 0, 0, true, false, false, COVER},
    {"half-one", 0, 0.5, 1, 0, 0, 0, true, true, false, COVER},
    {"tenth-one", 0, 0.1, 1, 0, 0, 0, true, true, false, COVER},
    {"tenth-all", 0, 0.1, ALL, 0, 0, 0, true, true, false, COVER},
    {"hundredth-one", 0, 0.01, 1, 0, 0, 0, true, true, false, COVER},
    {"hundredth-ten", 0, 0.01, 10, 0, 0, 0, true, true, false, COVER},
    {"hundredth-all", 0, 0.01, ALL, 0, 0, 0, true, true, false, COVER},
    {"rare-positives", 0, 0.001, 1, 0, 0, 0, true, true, false, COVER},
    {"trusted-then-one", 10, 1, 1, 0, 0, 0, true, true, false, COVER},
    {"trusted-then-all", 10, 1, ALL, 0, 0, 0, true, true, false, COVER},
    {"trusted-then-third", 10, 0.33, 1, 0, 0, 0, true, true, false, COVER},
    {"trusted-then-tenth", 10, 0.1, 1, 0, 0, 0, true, true, false, COVER},
    {"best-response", 10, 0.35, 1, 0, 0, 0, true, true, false,
     COVER}, /* 1 / (a K) false items in an answer */
    {"sleeper-100-one", 100, 1, 1, 0, 0, 0, true, true, false, COVER},
    {"sleeper-100-tenth", 100, 0.1, 1, 0, 0, 0, true, true, false, COVER},
    {"sleeper-200-all", 200, 1, ALL, 0, 0, 0, true, true, false, COVER},
    {"one-lie-one-item", 20, 1, 1, 1, 0, 0, true, true, false, COVER},
    {"one-lie-all", 20, 1, ALL, 1, 0, 0, true, true, false, COVER},
    {"ten-lies", 20, 0.5, 1, 10, 0, 0, true, true, false, COVER},
    {"bursts-of-20", 10, 1, 1, 0, 20, 0, true, true, false, COVER},
    {"bursts-of-100", 10, 1, 1, 0, 100, 0, true, true, false, COVER},
    {"whitewash-30", 10, 1, 1, 0, 0, 30, true, true, false, COVER},
    {"whitewash-120", 10, 0.35, 1, 0, 0, 120, true, true, false, COVER},
    {"whitewash-300", 50, 0.35, 1, 0, 0, 300, true, true, false, COVER},
    {"hit-and-run", 0, 1, 1, 0, 0, 0, true, true, true, COVER},
    {"hit-and-run-all", 0, 1, ALL, 0, 0, 0, true, true, true, COVER},
    {"framers", 10, 0.35, 1, 0, 0, 0, true, true, false, FRAME},
    {"framers-only", 0, 0, 0, 0, 0, 0, true, true, false, FRAME},
    {"never-audit", 10, 0.35, 1, 0, 0, 0, true, true, false, NEVER},
    {"never-audit-only", 0, 0, 0, 0, 0, 0, true, true, false, NEVER},
    {"disagree-one", 10, 0.35, 1, 0, 0, 0, false, true, false, 0},
    {"disagree-all", 10, 0.35, ALL, 0, 0, 0, false, true, false, 0},
};

struct mean {
    double sum, squares;
    uint32_t n;
};

static void add(struct mean *m, double v)
{
    m->sum += v;
    m->squares += v * v;
    m->n++;
}

static double mean(const struct mean *m)
{
    return m->n ? m->sum / m->n : 0;
}

/* Half the width of the 95 % interval of the mean. */
static double spread(const struct mean *m)
{
    static const double student[] = {0, 0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26};
    if (m->n < 2)
        return 0;
    double var = (m->squares - m->sum * m->sum / m->n) / (m->n - 1);
    return (m->n < 11 ? student[m->n] : 2.0) * sqrt(var > 0 ? var / m->n : 0);
}

struct options {
    struct truth_size size;
    uint64_t seed;
    uint32_t seeds;
    const char *policy, *strategy;
    bool check, json, brief; /* brief: a short run, where probations are half of the work */
};

struct line {
    struct mean runs, wrong, wrong_units, waits, honest, liars;
    double failed;
};

static struct line line_of(const struct options *o, const struct truth_policy *p,
                           const struct truth_strategy *s)
{
    struct line l = {0};
    for (uint32_t i = 0; i < o->seeds; i++) {
        struct truth_result r = truth_run(p, s, &o->size, o->seed + i);
        double answers = r.accepted ? (double)r.accepted : 1;
        add(&l.runs, r.runs / answers);
        add(&l.wrong, r.items > 0 ? r.wrong_items / r.items : 0);
        add(&l.wrong_units, (double)r.wrong_units / answers);
        add(&l.waits, r.waited / answers / o->size.hosts);
        add(&l.honest, (double)r.banned[0]);
        add(&l.liars, (double)r.banned[2]);
        l.failed += (double)r.failed + (double)(r.units - r.accepted - r.failed);
    }
    return l;
}

static void print(const struct options *o, const struct truth_policy *p, const struct truth_strategy *s,
                  const struct line *l)
{
    if (o->json)
        printf("{\"policy\":\"%s\",\"strategy\":\"%s\",\"runs\":%.4f,\"runs_95\":%.4f,\"wrong\":%.3g,"
               "\"wrong_95\":%.3g,\"wrong_units\":%.3g,\"wait_units\":%.1f,\"honest_banned\":%.1f,"
               "\"liars_banned\":%.1f,\"not_accepted\":%.0f}\n",
               p->name, s->name, mean(&l->runs), spread(&l->runs), mean(&l->wrong), spread(&l->wrong),
               mean(&l->wrong_units), mean(&l->waits), mean(&l->honest), mean(&l->liars), l->failed);
    else
        printf("%-13s %-22s %6.3f ±%5.3f  %8.2e ±%7.1e  %8.2e  %6.1f  %6.1f %8.1f %6.0f\n", p->name, s->name,
               mean(&l->runs), spread(&l->runs), mean(&l->wrong), spread(&l->wrong), mean(&l->wrong_units),
               mean(&l->waits), mean(&l->honest), mean(&l->liars), l->failed);
    fflush(stdout);
}

/* What is promised of the policy "audit" with 5 % liars and units of 10,000 items. */
static bool holds(const struct options *o, const struct truth_policy *p, const struct truth_strategy *s,
                  const struct line *l)
{
    if (strcmp(p->name, "audit") != 0)
        return true;
    /* Who only wants to cost something may cost more than who wants to deceive. */
    bool main = strcmp(s->name, "best-response") == 0 || strcmp(s->name, "honest") == 0;
    double dear = o->brief ? 1.8 : main ? 1.10 : 1.25;
    /* Two whole answers more than promised may be chance. */
    double chance = 2.0 / o->size.units / o->seeds;
    bool ok = mean(&l->runs) <= dear && mean(&l->wrong) <= 1e-6 + chance && mean(&l->honest) < 1;
    if (!ok)
        fprintf(stderr, "broken: audit against %s: %.3f runs (%.2f), %.2e wrong (1e-6), %.1f honest banned\n",
                s->name, mean(&l->runs), dear, mean(&l->wrong), mean(&l->honest));
    return ok;
}

static bool table(const struct options *o)
{
    bool ok = true;
    if (!o->json)
        printf("%-13s %-22s %-14s %-19s %-9s %7s %7s %8s %6s\n", "policy", "strategy", "runs/answer",
               "wrong items", "wr.units", "waits", "honest", "liars", "not");
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++) {
        double worst = 0, dearest = 0;
        if (o->policy && strcmp(o->policy, policies[p].name) != 0)
            continue;
        for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++) {
            if (o->strategy && strcmp(o->strategy, strategies[s].name) != 0)
                continue;
            struct line l = line_of(o, &policies[p], &strategies[s]);
            print(o, &policies[p], &strategies[s], &l);
            ok = holds(o, &policies[p], &strategies[s], &l) && ok;
            worst = mean(&l.wrong) > worst ? mean(&l.wrong) : worst;
            dearest = mean(&l.runs) > dearest ? mean(&l.runs) : dearest;
        }
        struct price_question q = {.quorum = policies[p].rules.quorum,
                                   .escrow = policies[p].rules.escrow,
                                   .policy = policies[p].trust,
                                   .items = o->size.items,
                                   .liars = o->size.liars};
        struct price price = price_of(&q);
        if (!o->json)
            printf("%-13s %-22s %6.3f         %8.2e   by formula: %.3f runs, %.2e wrong\n\n",
                   policies[p].name, "WORST", dearest, worst, price.runs, price.wrong);
    }
    return ok;
}

static const struct options defaults = {.size = {.hosts = 1000,
                                                 .units = 300000,
                                                 .items = 10000,
                                                 .life = 2500,
                                                 .liars = 0.05,
                                                 .flaky = 0.01,
                                                 .unit_ms = 600000},
                                        .seed = 1,
                                        .seeds = 3};

static bool read_options(int argc, char **argv, struct options *ret)
{
    struct options o = defaults;
    static const struct option names[] = {{"hosts", 1, NULL, 'h'},
                                          {"units", 1, NULL, 'u'},
                                          {"items", 1, NULL, 'i'},
                                          {"life", 1, NULL, 'l'},
                                          {"liars", 1, NULL, 'f'},
                                          {"seed", 1, NULL, 's'},
                                          {"seeds", 1, NULL, 'n'},
                                          {"policy", 1, NULL, 'p'},
                                          {"strategy", 1, NULL, 'y'},
                                          {"check", 0, NULL, 'c'},
                                          {"json", 0, NULL, 'j'},
                                          {"short", 0, NULL, 'b'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'h':
            o.size.hosts = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'u':
            o.size.units = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'i':
            o.size.items = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'l':
            o.size.life = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            o.size.liars = strtod(optarg, NULL);
            break;
        case 's':
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o.seeds = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            o.policy = optarg;
            break;
        case 'y':
            o.strategy = optarg;
            break;
        case 'c':
            o.check = true;
            break;
        case 'b':
            o.brief = true;
            break;
        case 'j':
            o.json = true;
            break;
        default:
            return false;
        }
    }
    if (o.size.hosts < 20 || o.size.units < o.size.hosts || o.size.units >= 1u << 28 || o.size.items < 1 ||
        o.size.items > 65535 || o.seeds < 1) {
        fputs("dugnad_truth: at least 20 hosts, as many units as hosts, 1 to 65535 items, 1 seed\n", stderr);
        return false;
    }
    *ret = o;
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!read_options(argc, argv, &o))
        return 2;
    bool ok = table(&o);
    return o.check && !ok;
}
