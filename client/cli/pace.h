/* pace.h - how fast a count grows, and so when it will reach its end: at best, at worst, most likely. Pure.
 */
#ifndef CLI_PACE_H
#define CLI_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_SAMPLES = 48, PACE_EVERY_MS = 2000, PACE_SURE_FROM = 6 };

/* The counts of the last minute and a half, one every PACE_EVERY_MS. Zeroed is valid. */
struct pace {
    struct pace_sample {
        int64_t at_ms, done;
    } ring[PACE_SAMPLES];
    uint32_t count;
};

void pace_add(struct pace *p, int64_t now_ms, int64_t done);

struct pace_guess {
    double rate; /* a second; 0: it cannot be told yet */
    int64_t eta_ms;
    bool has_bounds;
    int64_t soonest_ms, latest_ms; /* 95 of 100 times; latest_ms INT64_MAX: no telling */
};
/* left: how many are still to come. */
struct pace_guess pace_guess(const struct pace *p, int64_t left);

#endif
