/* pi --samples N --block K: throws N darts at the unit square and writes how many hit the quarter circle to
 * pi.json. Whole numbers only, and a generator of its own for each block: every machine gives the same bytes.
 * Goes on from the checkpoint pi.state when there is one of the same block. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/dugnad.h"

#define SAMPLES_MAX 1000000000000u
#define STRIDE      65536u /* samples between two looks at the host's wishes */
#define STATE_FORMAT                                                                                         \
    "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64

struct darts {
    uint64_t block, samples;
    uint64_t thrown, hits;
    uint64_t random[4]; /* of xoshiro256**, Blackman and Vigna, https://prng.di.unimi.it/ */
};

static uint64_t turn_left(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static uint64_t next(uint64_t s[4])
{
    const uint64_t ret = turn_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = turn_left(s[3], 45);
    return ret;
}

/* splitmix64: neighbouring blocks get states that have nothing in common */
static void seed(struct darts *d)
{
    uint64_t x = d->block;
    for (int i = 0; i < 4; i++) {
        uint64_t z = x += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        d->random[i] = z ^ (z >> 31);
    }
}

static void throw_some(struct darts *d)
{
    uint64_t left = d->samples - d->thrown, count = left < STRIDE ? left : STRIDE, hits = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t r = next(d->random), x = r >> 33, y = r & 0x7fffffffu; /* 31 bits each */
        hits += x * x + y * y < (uint64_t)1 << 62;
    }
    d->thrown += count;
    d->hits += hits;
}

static void keep(struct dugnad *grid, const struct darts *d)
{
    char text[256];
    int n = snprintf(
        text, sizeof text,
        "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
        d->block, d->samples, d->thrown, d->hits, d->random[0], d->random[1], d->random[2], d->random[3]);
    if (dugnad_checkpoint(grid, "pi.state", text, (size_t)n) != 0)
        perror("pi: pi.state");
}

static void go_on_from_checkpoint(struct darts *d)
{
    struct darts k;
    FILE *f = fopen("pi.state", "r");
    if (!f)
        return;
    int n = fscanf(f, STATE_FORMAT, &k.block, &k.samples, &k.thrown, &k.hits, &k.random[0], &k.random[1],
                   &k.random[2], &k.random[3]);
    fclose(f);
    if (n == 8 && k.block == d->block && k.samples == d->samples && k.thrown <= k.samples)
        *d = k;
}

static int write_answer(const struct darts *d)
{
    FILE *f = fopen("pi.json", "w");
    if (!f ||
        fprintf(f, "{\"block\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"hits\":%" PRIu64 "}\n", d->block,
                d->samples, d->hits) < 0 ||
        fclose(f) != 0) {
        perror("pi: pi.json");
        return 1;
    }
    return 0;
}

static int number(const char *text, uint64_t most, uint64_t *ret)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    *ret = strtoull(text, &end, 10);
    return !*end && *ret <= most;
}

int main(int argc, char **argv)
{
    struct darts d = {0};
    struct dugnad grid;
    if (argc != 5 || strcmp(argv[1], "--samples") != 0 || strcmp(argv[3], "--block") != 0 ||
        !number(argv[2], SAMPLES_MAX, &d.samples) || !number(argv[4], UINT64_MAX - 1, &d.block)) {
        fprintf(stderr, "usage: %s --samples N --block K\n", argv[0]);
        return 2;
    }
    seed(&d);
    dugnad_init(&grid);
    go_on_from_checkpoint(&d);
    while (d.thrown < d.samples) {
        throw_some(&d);
        dugnad_progress(&grid, (double)d.thrown / (double)d.samples);
        if (dugnad_should_stop(&grid) || dugnad_checkpoint_wanted(&grid))
            keep(&grid, &d);
        if (dugnad_should_stop(&grid) && d.thrown < d.samples)
            return 75; /* EX_TEMPFAIL: not finished, goes on from the checkpoint */
    }
    dugnad_done(&grid);
    return write_answer(&d);
}
