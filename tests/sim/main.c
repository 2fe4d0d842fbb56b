/* main.c - runs seeds and prints a line for each; with --twice each seed must tell the same story twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static void print(const struct sim *s)
{
    const struct count *c = &s->count;
    printf("seed %llu: %u hosts, %u units delivered by day %.1f (%llu accepted, %llu of them wrong; %llu "
           "failed; %llu "
           "tried again), %llu steps, %llu requests, %llu lost, %llu twice, %llu kills, %llu expired, %llu "
           "spares, %llu "
           "credits, %llu blames, trace %016llx\n",
           (unsigned long long)s->options.seed, s->options.hosts, s->delivered,
           (double)s->now_ms / (double)DAY_MS, (unsigned long long)c->accepted, (unsigned long long)c->wrong,
           (unsigned long long)c->failed, (unsigned long long)c->retries, (unsigned long long)c->steps,
           (unsigned long long)c->requests, (unsigned long long)c->lost, (unsigned long long)c->duplicated,
           (unsigned long long)c->kills, (unsigned long long)c->expired, (unsigned long long)c->spares,
           (unsigned long long)c->credits, (unsigned long long)c->blames, (unsigned long long)s->trace);
}

static uint64_t run(const struct options *o, bool quiet)
{
    static struct sim s;
    sim_run(&s, o);
    uint64_t trace = s.trace;
    if (!quiet)
        print(&s);
    sim_done(&s);
    return trace;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    if (*end || end == text) {
        fprintf(stderr, "\"%s\" is not a number\n", text);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct options o = {.hosts = 2000, .units = 6000, .chaos_ms = 6 * DAY_MS, .bound_ms = 20 * DAY_MS};
    uint64_t first = 1, last = 1;
    bool twice = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--twice") == 0) {
            twice = true;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            first = number(value);
            last = number(argv[i += 2]);
        } else if (strcmp(argv[i], "--hosts") == 0 && i + 1 < argc) {
            o.hosts = (uint32_t)number(argv[++i]);
        } else if (strcmp(argv[i], "--units") == 0 && i + 1 < argc) {
            o.units = (uint32_t)number(argv[++i]);
        } else {
            fprintf(stderr, "usage: %s [--seeds FIRST LAST] [--hosts N] [--units N] [--twice]\n", argv[0]);
            return 2;
        }
    }
    uint64_t before = 0;
    for (o.seed = first; o.seed <= last; o.seed++) {
        uint64_t trace = run(&o, false);
        if (twice && run(&o, true) != trace) {
            fprintf(stderr, "seed %llu tells two stories\n", (unsigned long long)o.seed);
            return 1;
        }
        if (trace == before) {
            fprintf(stderr, "seeds %llu and the one before tell the same story\n",
                    (unsigned long long)o.seed);
            return 1;
        }
        before = trace;
    }
    return 0;
}
