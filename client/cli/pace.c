/* pace.c - see pace.h */
#include "client/cli/pace.h"

#include <math.h>

void pace_add(struct pace *p, int64_t now_ms, int64_t done)
{
    struct pace_sample *last = p->count ? &p->ring[(p->count - 1) % PACE_SAMPLES] : 0;
    if (last && now_ms - last->at_ms < PACE_EVERY_MS)
        return;
    p->ring[p->count++ % PACE_SAMPLES] = (struct pace_sample){now_ms, done};
}

static const struct pace_sample *nth(const struct pace *p, uint32_t i)
{
    uint32_t first = p->count > PACE_SAMPLES ? p->count - PACE_SAMPLES : 0;
    return &p->ring[(first + i) % PACE_SAMPLES];
}

static int64_t time_for(int64_t left, double rate)
{
    double ms = rate > 0 ? (double)left * 1000 / rate : INFINITY;
    return ms < 9e18 ? (int64_t)ms : INT64_MAX;
}

/* Answers come in heaps, so what differs between the spans between samples says how far the mean may be off:
 * two standard errors of it to either side. */
static double error_of(const struct pace *p, uint32_t spans, double mean)
{
    double squares = 0;
    for (uint32_t i = 0; i < spans; i++) {
        const struct pace_sample *a = nth(p, i), *b = nth(p, i + 1);
        double off = (double)(b->done - a->done) * 1000 / (double)(b->at_ms - a->at_ms) - mean;
        squares += off * off;
    }
    return sqrt(squares / (double)(spans - 1) / (double)spans);
}

struct pace_guess pace_guess(const struct pace *p, int64_t left)
{
    struct pace_guess g = {0};
    uint32_t samples = p->count < PACE_SAMPLES ? p->count : PACE_SAMPLES;
    if (samples < 2)
        return g;
    const struct pace_sample *first = nth(p, 0), *last = nth(p, samples - 1);
    if (last->done <= first->done || last->at_ms <= first->at_ms)
        return g;
    g.rate = (double)(last->done - first->done) * 1000 / (double)(last->at_ms - first->at_ms);
    g.eta_ms = time_for(left, g.rate);
    if (samples < PACE_SURE_FROM)
        return g;
    double off = 2 * error_of(p, samples - 1, g.rate);
    g.has_bounds = true;
    g.soonest_ms = time_for(left, g.rate + off);
    g.latest_ms = time_for(left, g.rate - off);
    return g;
}
