/* admit.c - see admit.h */
#include "rules/admit.h"

#include <stddef.h>

static double clamp(double share)
{
    return share > 1 ? 1 : share > 0 ? share : 0;
}

static void smooth(double *average, double now, double weight)
{
    *average += (clamp(now) - *average) * weight;
}

void admit_smooth(struct admit_load *average, const struct admit_load *now, int64_t span_ms)
{
    if (span_ms <= 0)
        return;
    /* The implicit step of an exponential average: stable for any span, without an exp(). */
    double weight = (double)span_ms / (double)(span_ms + ADMIT_SMOOTH_MS);
    smooth(&average->engine, now->engine, weight);
    smooth(&average->queue, now->queue, weight);
    smooth(&average->cpu, now->cpu, weight);
    smooth(&average->disk, now->disk, weight);
}

const char *admit_refusal(const struct admit_load *average, double most, double *ret_share)
{
    const struct {
        const char *name;
        double share;
    } all[] = {{"engine", average->engine},
               {"queue", average->queue},
               {"processor", average->cpu},
               {"disk", average->disk}};
    const char *name = "";
    *ret_share = most;
    for (size_t i = 0; most > 0 && i < sizeof all / sizeof *all; i++)
        if (all[i].share > *ret_share) {
            *ret_share = all[i].share;
            name = all[i].name;
        }
    return name;
}
