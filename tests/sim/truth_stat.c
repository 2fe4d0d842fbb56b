/* truth_stat.c - what many runs say together. */
#include <math.h>

#include "truth.h"

static void ratio_add(struct truth_ratio *to, const struct truth_ratio *r)
{
    to->x += r->x, to->d += r->d;
    to->xx += r->xx, to->xd += r->xd, to->dd += r->dd;
    to->clusters += r->clusters;
}

void truth_add(struct truth_result *to, const struct truth_result *r)
{
    to->units += r->units;
    to->accepted += r->accepted;
    to->failed += r->failed;
    ratio_add(&to->runs, &r->runs);
    ratio_add(&to->wrong, &r->wrong);
    ratio_add(&to->wrong_units, &r->wrong_units);
    ratio_add(&to->waited, &r->waited);
    for (int i = 0; i < 3; i++)
        to->banned[i] += r->banned[i];
}

double truth_mean(const struct truth_ratio *r)
{
    return r->d > 0 ? r->x / r->d : 0;
}

/* Cochran, Sampling Techniques, chapter 6: the variance of a ratio of two sums over clusters. */
double truth_bound(const struct truth_ratio *r)
{
    double m = truth_mean(r), n = r->clusters;
    if (r->d <= 0 || n < 2)
        return 0;
    if (r->x <= 0)
        return 3 / r->d;
    double squares = r->xx - 2 * m * r->xd + m * m * r->dd;
    return 1.96 * sqrt(squares > 0 ? squares * n / (n - 1) : 0) / r->d;
}
