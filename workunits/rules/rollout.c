/* rollout.c - see rollout.h */
#include "rules/rollout.h"

#include <math.h>
#include <stddef.h>

static uint64_t mix(uint64_t v) /* splitmix64's finalizer */
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
    v = (v ^ v >> 27) * 0x94d049bb133111ebull;
    return v ^ v >> 31;
}

bool rollout_reaches(uint64_t host_id, uint64_t app, uint32_t share_ppm)
{
    return mix(mix(host_id * 0x9e3779b97f4a7c15ull) ^ app) % ROLLOUT_ALL_PPM < share_ppm;
}

/* One end of Wilson's interval for a share of `bad` in `all`. */
static double wilson(double bad, double all, double sign)
{
    const double z = 2.326; /* one in a hundred */
    double share = bad / all, z2 = z * z;
    double half = z * sqrt(share * (1 - share) / all + z2 / (4 * all * all));
    return (share + z2 / (2 * all) + sign * half) / (1 + z2 / all);
}

bool rollout_is_worse(const struct rollout_count *is, const struct rollout_count *base, bool several)
{
    double worst = ROLLOUT_BASE_SHARE;
    if (!several || is->bad < ROLLOUT_BAD_LEAST || is->ended < is->bad)
        return false;
    if (base->ended >= ROLLOUT_BASE_LEAST && base->bad >= 0 && base->bad <= base->ended)
        worst = wilson((double)base->bad, (double)base->ended, 1);
    if (worst < ROLLOUT_SHARE_LEAST)
        worst = ROLLOUT_SHARE_LEAST;
    return wilson((double)is->bad, (double)is->ended, -1) > worst;
}

/* The number at *at, which is moved behind it and one dot. Numbers beyond all reason are all the same. */
static uint32_t take(const char **at)
{
    uint32_t n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        n = n < 100000000 ? n * 10 + (uint32_t)(**at - '0') : n;
    if (**at == '.')
        ++*at;
    return n;
}

int version_compare(const char *a, const char *b)
{
    bool a_is = *a >= '0' && *a <= '9', b_is = *b >= '0' && *b <= '9';
    if (a_is != b_is)
        return a_is ? 1 : -1;
    for (int i = 0; i < 4 && (*a || *b); i++) {
        uint32_t x = take(&a), y = take(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}
