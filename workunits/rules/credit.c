#include "rules/credit.h"

#include <stdbool.h>

enum err credit_of_cost(double cost_seconds, uint64_t *ret_micro)
{
    if (!(cost_seconds >= 0 && cost_seconds <= CREDIT_COST_SECONDS_MAX))
        return err_set(ERR_INVALID, "cost is %g reference seconds, it must be 0 to %g", cost_seconds,
                       CREDIT_COST_SECONDS_MAX);
    *ret_micro = (uint64_t)(cost_seconds * (double)CREDIT_MICRO + 0.5);
    return ERR_OK;
}

static bool usable(const struct credit_run *r)
{
    double cost = r->cpu_seconds * r->speed;
    return r->cpu_seconds > 0 && r->speed > 0 && cost <= CREDIT_COST_SECONDS_MAX;
}

/* Keeps each owner's cheapest run, in place; returns how many owners there are. */
static size_t keep_cheapest(struct credit_run *runs, size_t count, double *costs)
{
    size_t owners = 0;
    for (size_t i = 0; i < count; i++) {
        double cost = runs[i].cpu_seconds * runs[i].speed;
        size_t at = 0;
        if (!usable(&runs[i]))
            continue;
        while (at < owners && runs[at].owner_id != runs[i].owner_id)
            at++;
        if (at == owners) {
            runs[owners] = runs[i];
            costs[owners++] = cost;
        } else if (cost < costs[at]) {
            costs[at] = cost;
        }
    }
    return owners;
}

static void sort(double *costs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double cost = costs[i];
        size_t at = i;
        for (; at > 0 && costs[at - 1] > cost; at--)
            costs[at] = costs[at - 1];
        costs[at] = cost;
    }
}

enum err credit_cost_of_runs(struct credit_run *runs, size_t count, double *ret_cost_seconds)
{
    double costs[CREDIT_RUNS_MAX];
    if (count > CREDIT_RUNS_MAX)
        return err_set(ERR_INVALID, "%zu runs to take the cost from, at most %d can be used", count,
                       CREDIT_RUNS_MAX);
    size_t owners = keep_cheapest(runs, count, costs);
    if (owners == 0)
        return err_set(ERR_INVALID,
                       "no run to take the cost of a unit from: declare \"cost\" in the app's manifest");
    sort(costs, owners);
    *ret_cost_seconds = (costs[(owners - 1) / 2] + costs[owners / 2]) / 2;
    return ERR_OK;
}
