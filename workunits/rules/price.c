#include "rules/price.h"

#define EULER 2.718281828459045

static double power(double x, uint32_t n)
{
    double r = 1;
    while (n-- > 0)
        r *= x;
    return r;
}

static double choose(uint32_t n, uint32_t k)
{
    double r = 1;
    for (uint32_t i = 0; i < k; i++)
        r = r * (n - i) / (i + 1);
    return r;
}

static double voted_down(uint32_t m, double f)
{
    double sum = 0;
    for (uint32_t j = m; j < 2 * m; j++)
        sum += choose(2 * m - 1, j) * power(f, j) * power(1 - f, 2 * m - 1 - j);
    return sum;
}

struct price price_of(const struct price_question *q)
{
    double f = q->liars, items = q->items < 1 ? 1 : q->items;
    if (q->checker)
        return (struct price){.runs = 1 / (1 - f), .wrong = 0};
    if (q->escrow == WU_ESCROW_NONE)
        return (struct price){.runs = q->quorum / (1 - f),
                              .wrong = q->quorum < 2 ? f : voted_down(q->quorum, f)};
    double a = (double)q->policy.floor_ppm / TRUST_MILLION, checked = a * (1 - f);
    double window = q->policy.wait > 0 ? q->policy.wait : 1;
    double wrong = f * (1 - checked) / (EULER * checked * window * (q->escrow == WU_ESCROW_ALL ? items : 1));
    return (struct price){.runs = 1 + a, .wrong = wrong < f ? wrong : f};
}

/* Newton's way, as the rules take nothing from libm; x is between 0 and some billions. */
static double root(double x)
{
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 80; i++)
        r = (r + x / r) / 2;
    return r;
}

double price_liars_at_most(uint64_t wrong, uint64_t checked)
{
    const double z = 1.96;
    if (checked == 0 || wrong >= checked)
        return 1;
    double n = (double)checked, p = (double)wrong / n;
    double middle = p + z * z / (2 * n), spread = z * root(p * (1 - p) / n + z * z / (4 * n * n));
    double most = (middle + spread) / (1 + z * z / n);
    return most < 1 ? most : 1;
}
