/* truth_table.c - the table of policy x strategy: runs for each answer, share of wrong items, how long an
 * answer waits until it is final, who was banned; with 95 % confidence bounds. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
    {"once", QUORUM(1), {0}, false},
    {"quorum2", QUORUM(2), {0}, false},
    {"quorum3", QUORUM(3), {0}, false},
    {"quorum5", QUORUM(5), {0}, false},
    {"adaptive", ESCROW(WU_ESCROW_LONE), TRUST_POLICY_LONE, false},
    {"adaptive1000", ESCROW(WU_ESCROW_LONE), {10, 100000, 50000, 1000}, false},
    {"audit", ESCROW(WU_ESCROW_ALL), TRUST_POLICY_ALL, false},
    {"audit5", ESCROW(WU_ESCROW_ALL), {5, 50000, 50000, 100}, false},
    {"audit-first-come", ESCROW(WU_ESCROW_ALL), TRUST_POLICY_ALL, true},
    {"quorum2-first-come", QUORUM(2), {0}, true},
};

#define COVER      TRUTH_AUDITS_COVER
#define FRAME      TRUTH_AUDITS_FRAME
#define NEVER      TRUTH_AUDITS_NEVER
#define EVERYWHERE TRUTH_EVERYWHERE
#define ALL        100000 /* items: the whole answer */
#define DEAREST    1.10   /* runs for an answer, whatever the liars do */

static const struct truth_strategy strategies[] = {
    /* name, honest first, chance, items, lies at most, bursts, life, agree, reborn, only at the end, eager,
     * where, audits */
    {"honest", 0, 0, 0, 0, 0, 0, false, false, false, false, EVERYWHERE, 0},
    {"always-all", 0, 1, ALL, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"always-all-alone", 0, 1, ALL, 0, 0, 0, false, true, false, false, EVERYWHERE, 0},
    {"always-one-item", 0, 1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"always-one-no-rebirth", 0, 1, 1, 0, 0, 0, true, false, false, false, EVERYWHERE, COVER},
    {"half-one", 0, 0.5, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"tenth-one", 0, 0.1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"tenth-all", 0, 0.1, ALL, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"hundredth-one", 0, 0.01, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"hundredth-ten", 0, 0.01, 10, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"hundredth-all", 0, 0.01, ALL, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"rare-positives", 0, 0.001, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"trusted-then-one", 10, 1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"trusted-then-all", 10, 1, ALL, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"trusted-then-third", 10, 0.33, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"trusted-then-tenth", 10, 0.1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"best-response", 10, 0.35, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"sleeper-100-one", 100, 1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"sleeper-100-tenth", 100, 0.1, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"sleeper-200-all", 200, 1, ALL, 0, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"one-lie-one-item", 20, 1, 1, 1, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"one-lie-all", 20, 1, ALL, 1, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"ten-lies", 20, 0.5, 1, 10, 0, 0, true, true, false, false, EVERYWHERE, COVER},
    {"bursts-of-20", 10, 1, 1, 0, 20, 0, true, true, false, false, EVERYWHERE, COVER},
    {"bursts-of-100", 10, 1, 1, 0, 100, 0, true, true, false, false, EVERYWHERE, COVER},
    {"whitewash-30", 10, 1, 1, 0, 0, 30, true, true, false, false, EVERYWHERE, COVER},
    {"whitewash-120", 10, 0.35, 1, 0, 0, 120, true, true, false, false, EVERYWHERE, COVER},
    {"whitewash-300", 50, 0.35, 1, 0, 0, 300, true, true, false, false, EVERYWHERE, COVER},
    {"hit-and-run", 0, 1, 1, 0, 0, 0, true, true, true, false, EVERYWHERE, COVER},
    {"hit-and-run-all", 0, 1, ALL, 0, 0, 0, true, true, true, false, EVERYWHERE, COVER},
    {"framers", 10, 0.35, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, FRAME},
    {"framers-only", 0, 0, 0, 0, 0, 0, true, true, false, false, EVERYWHERE, FRAME},
    {"never-audit", 10, 0.35, 1, 0, 0, 0, true, true, false, false, EVERYWHERE, NEVER},
    {"never-audit-only", 0, 0, 0, 0, 0, 0, true, true, false, false, EVERYWHERE, NEVER},
    {"disagree-one", 10, 0.35, 1, 0, 0, 0, false, true, false, false, EVERYWHERE, 0},
    {"disagree-all", 10, 0.35, ALL, 0, 0, 0, false, true, false, false, EVERYWHERE, 0},
    {"eager-best", 10, 0.35, 1, 0, 0, 0, true, true, false, true, EVERYWHERE, COVER},
    {"eager-always-all", 0, 1, ALL, 0, 0, 0, true, true, false, true, EVERYWHERE, COVER},
    {"eager-tenth-all", 0, 0.1, ALL, 0, 0, 0, true, true, false, true, EVERYWHERE, COVER},
    {"eager-framers", 10, 0.35, 1, 0, 0, 0, true, true, false, true, EVERYWHERE, FRAME},
    {"lax-batch-only", 0, 1, 1, 0, 0, 0, true, true, false, false, TRUTH_LAX_ONLY, COVER},
    {"lax-batch-only-all", 0, 1, ALL, 0, 0, 0, true, true, false, false, TRUTH_LAX_ONLY, COVER},
    {"lax-batch-for-trust", 10, 0.35, 1, 0, 0, 0, true, true, false, false, TRUTH_STRICT_ONLY, COVER},
    {"lax-batch-hit-and-run", 0, 1, 1, 0, 0, 0, true, true, true, false, TRUTH_STRICT_ONLY, COVER},
};

struct options {
    struct truth_size size;
    uint64_t seed;
    uint32_t seeds, jobs;
    const char *policy, *strategy; /* names, with commas between them */
    bool check, json, brief;       /* brief: a short run, where probations are half of the work */
};

/* --- printing --- */

static void print(const struct options *o, const struct truth_policy *p, const struct truth_strategy *s,
                  const struct truth_result *r)
{
    double seeds = o->seeds, lost = (double)(r->units - r->accepted);
    if (o->json)
        printf("{\"policy\":\"%s\",\"strategy\":\"%s\",\"runs\":%.4f,\"runs_95\":%.4f,\"wrong\":%.3g,"
               "\"wrong_95\":%.3g,\"wrong_units\":%.3g,\"wait_units\":%.1f,\"wait_95\":%.1f,"
               "\"honest_banned\":%.1f,\"liars_banned\":%.1f,\"not_accepted\":%.0f}\n",
               p->name, s->name, truth_mean(&r->runs), truth_bound(&r->runs), truth_mean(&r->wrong),
               truth_bound(&r->wrong), truth_mean(&r->wrong_units), truth_mean(&r->waited),
               truth_bound(&r->waited), (double)r->banned[0] / seeds, (double)r->banned[2] / seeds, lost);
    else
        printf("%-18s %-22s %6.3f ±%5.3f  %8.2e ±%7.1e  %8.2e  %6.1f ±%4.1f  %6.1f %8.1f %6.0f\n", p->name,
               s->name, truth_mean(&r->runs), truth_bound(&r->runs), truth_mean(&r->wrong),
               truth_bound(&r->wrong), truth_mean(&r->wrong_units), truth_mean(&r->waited),
               truth_bound(&r->waited), (double)r->banned[0] / seeds, (double)r->banned[2] / seeds, lost);
    fflush(stdout);
}

/* What is promised of the policy "audit" with 5 % liars and units of 10,000 items. */
static bool holds(const struct options *o, const struct truth_policy *p, const struct truth_strategy *s,
                  const struct truth_result *r)
{
    if (strcmp(p->name, "audit") != 0)
        return true;
    double dear = o->brief ? 1.4 : DEAREST, honest = (double)r->banned[0] / o->seeds;
    bool ok = truth_mean(&r->runs) - truth_bound(&r->runs) <= dear &&
              truth_mean(&r->wrong) - truth_bound(&r->wrong) <= 1e-6 && honest < 1 + o->size.hosts / 500.0;
    if (!ok)
        fprintf(stderr, "broken: audit against %s: %.3f runs (%.2f), %.2e wrong (1e-6), %.1f honest banned\n",
                s->name, truth_mean(&r->runs), dear, truth_mean(&r->wrong), honest);
    return ok;
}

static void print_worst(const struct options *o, const struct truth_policy *p, double dearest, double worst)
{
    struct price_question q = {.quorum = p->rules.quorum,
                               .escrow = p->rules.escrow,
                               .policy = p->trust,
                               .items = o->size.items,
                               .liars = o->size.liars};
    struct price price = price_of(&q);
    if (!o->json)
        printf("%-18s %-22s %6.3f         %8.2e   by formula: %.3f runs, %.2e wrong\n\n", p->name, "WORST",
               dearest, worst, price.runs, price.wrong);
}

/* --- playing --- */

static bool is_named(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, len) == 0 && (at[len] == 0 || at[len] == ','))
            return true;
    return !names;
}

enum { POLICIES = sizeof policies / sizeof *policies, STRATEGIES = sizeof strategies / sizeof *strategies };

struct cell {
    uint32_t policy, strategy;
    struct truth_result r;
};

static void play(const struct options *o, struct cell *c)
{
    for (uint32_t i = 0; i < o->seeds; i++) {
        struct truth_result r;
        truth_run(&policies[c->policy], &strategies[c->strategy], &o->size, o->seed + i, &r);
        truth_add(&c->r, &r);
    }
}

/* Every `jobs`th cell is played by another process, which tells here with its number that it is done. */
static void play_share(const struct options *o, struct cell *cells, uint32_t count, uint32_t first, int done)
{
    for (uint32_t i = first; i < count; i += o->jobs) {
        play(o, &cells[i]);
        if (write(done, &i, sizeof i) != sizeof i)
            _exit(1);
    }
    _exit(0);
}

static bool table(const struct options *o)
{
    static bool is_done[POLICIES * STRATEGIES];
    uint32_t count = 0, told = 0, i;
    double worst = 0, dearest = 0;
    bool ok = true;
    int ends[2];
    struct cell *cells = mmap(NULL, sizeof(struct cell) * POLICIES * STRATEGIES, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cells == MAP_FAILED || pipe(ends) != 0)
        return false;
    for (uint32_t p = 0; p < POLICIES; p++)
        for (uint32_t s = 0; s < STRATEGIES; s++)
            if (is_named(o->policy, policies[p].name) && is_named(o->strategy, strategies[s].name))
                cells[count++] = (struct cell){.policy = p, .strategy = s};
    for (i = 0; i < o->jobs; i++)
        if (fork() == 0)
            play_share(o, cells, count, i, ends[1]);
    close(ends[1]);
    if (!o->json)
        printf("%-18s %-22s %-14s %-19s %-9s %-13s %6s %8s %6s\n", "policy", "strategy", "runs/answer",
               "wrong items", "wr.units", "answers until", "honest", "liars", "not");
    while (told < count && read(ends[0], &i, sizeof i) == sizeof i) {
        is_done[i] = true;
        for (; told < count && is_done[told]; told++) {
            const struct cell *c = &cells[told];
            const struct truth_policy *p = &policies[c->policy];
            double wrong = truth_mean(&c->r.wrong), runs = truth_mean(&c->r.runs);
            print(o, p, &strategies[c->strategy], &c->r);
            ok = holds(o, p, &strategies[c->strategy], &c->r) && ok;
            worst = wrong > worst ? wrong : worst;
            dearest = runs > dearest ? runs : dearest;
            if (told + 1 < count && cells[told + 1].policy == c->policy)
                continue;
            print_worst(o, p, dearest, worst);
            worst = dearest = 0;
        }
    }
    while (wait(NULL) > 0)
        ;
    munmap(cells, sizeof(struct cell) * POLICIES * STRATEGIES);
    return ok && told == count;
}

static const struct options defaults = {.size = {.hosts = 1000,
                                                 .units = 300000,
                                                 .items = 10000,
                                                 .life = 2500,
                                                 .liars = 0.05,
                                                 .flaky = 0.01,
                                                 .unit_ms = 600000},
                                        .seed = 1,
                                        .seeds = 1,
                                        .jobs = 1};

/* What a project of some size has: --table. */
static void take_table(struct options *o)
{
    o->size.hosts = 4000;
    o->size.units = 4000 * 400;
    o->size.life = 5000;
    o->jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static bool read_options(int argc, char **argv, struct options *ret)
{
    struct options o = defaults;
    static const struct option names[] = {
        {"hosts", 1, NULL, 'h'}, {"units", 1, NULL, 'u'},  {"items", 1, NULL, 'i'},
        {"life", 1, NULL, 'l'},  {"liars", 1, NULL, 'f'},  {"seed", 1, NULL, 's'},
        {"seeds", 1, NULL, 'n'}, {"policy", 1, NULL, 'p'}, {"strategy", 1, NULL, 'y'},
        {"check", 0, NULL, 'c'}, {"json", 0, NULL, 'j'},   {"short", 0, NULL, 'b'},
        {"table", 0, NULL, 't'}, {"jobs", 1, NULL, 'k'},   {0}};
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
        case 't':
            take_table(&o);
            break;
        case 'k':
            o.jobs = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'j':
            o.json = true;
            break;
        default:
            return false;
        }
    }
    if (o.size.hosts < 20 || o.size.units < o.size.hosts || o.size.units >= 1u << 28 || o.size.items < 1 ||
        o.size.items > 65535 || o.seeds < 1 || o.jobs < 1 || o.jobs > 256) {
        fputs("dugnad_truth: at least 20 hosts, as many units as hosts, 1 to 65535 items, 1 seed, 1 to 256 "
              "jobs\n",
              stderr);
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
