/* share.c - see share.h */
#include "client/plan/share.h"

enum { MARGIN_MS = 5 * 60 * 1000 };
#define MARGIN_SHARE         0.1 /* estimates are wrong by some */
#define UNIT_SECONDS_UNKNOWN 10.0

static uint32_t able(const struct share_project *p)
{
    return p->running + p->ready;
}

/* Lower goes first. */
static double claim(const struct share_project *p, uint32_t given)
{
    double use = p->used_s + (double)given * SHARE_SLICE_S;
    if (given < p->running)
        use -= SHARE_SLICE_S;
    return use / p->weight;
}

static uint32_t first(const struct share_project *p, uint32_t count, const uint32_t *given, bool danger)
{
    uint32_t best = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t wants = danger && p[i].danger < able(&p[i]) ? p[i].danger : able(&p[i]);
        if ((danger && p[i].danger == 0) || given[i] >= wants)
            continue;
        if (best == count || claim(&p[i], given[i]) < claim(&p[best], given[best]))
            best = i;
    }
    return best;
}

void share_cores(const struct share_project *p, uint32_t count, uint32_t cores, uint32_t *ret_cores)
{
    for (uint32_t i = 0; i < count; i++)
        ret_cores[i] = count == 1 ? cores : 0;
    for (uint32_t left = count == 1 ? 0 : cores; left > 0; left--) {
        uint32_t i = first(p, count, ret_cores, true);
        if (i == count)
            i = first(p, count, ret_cores, false);
        if (i == count)
            break;
        ret_cores[i]++;
    }
}

void share_settle(struct share_project *p, uint32_t count)
{
    double least = 0;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        double had = p[i].used_s / p[i].weight;
        if (able(&p[i]) > 0 && (!any || had < least)) {
            least = had;
            any = true;
        }
    }
    for (uint32_t i = 0; any && i < count; i++) {
        p[i].used_s -= least * p[i].weight;
        if (p[i].used_s < 0)
            p[i].used_s = 0;
        if (p[i].used_s > SHARE_AHEAD_MAX_S * p[i].weight)
            p[i].used_s = SHARE_AHEAD_MAX_S * p[i].weight;
    }
}

static double left_ms(const struct plan *p, const struct plan_job *j, int64_t now_ms)
{
    double whole = j->seconds > 0 ? j->seconds : p->unit_seconds > 0 ? p->unit_seconds : UNIT_SECONDS_UNKNOWN;
    double ran = j->state == PLAN_RUNNING ? (double)(now_ms - j->since_ms) : 0;
    return whole * 1000 > ran ? whole * 1000 - ran : 0;
}

static bool is_active(const struct plan_job *j)
{
    return j->state == PLAN_READY || j->state == PLAN_RUNNING;
}

/* What is before it in the order of deadlines, spread over the cores; one job cannot be spread. */
static bool is_late(const struct plan *p, uint32_t i, uint32_t cores, int64_t now_ms)
{
    double sum = 0, own = left_ms(p, &p->jobs[i], now_ms);
    for (uint32_t k = 0; k < p->used; k++)
        if (is_active(&p->jobs[k]) && p->jobs[k].deadline_ms <= p->jobs[i].deadline_ms)
            sum += left_ms(p, &p->jobs[k], now_ms);
    double need = cores > 0 && sum / cores > own ? sum / cores : own;
    return (double)now_ms + need * (1 + MARGIN_SHARE) + MARGIN_MS > (double)p->jobs[i].deadline_ms;
}

uint32_t share_danger(const struct plan *p, uint32_t cores, int64_t now_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->used; i++)
        n += is_active(&p->jobs[i]) && p->jobs[i].deadline_ms > now_ms && is_late(p, i, cores, now_ms);
    return n;
}
