#include "rules/pick.h"

#include "rules/wu_inner.h"

int pick_compare(const struct pick_item *a, const struct pick_item *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (wu_id_batch(a->id) != wu_id_batch(b->id))
        return wu_id_batch(a->id) < wu_id_batch(b->id) ? -1 : 1;
    if (a->again != b->again)
        return a->again ? -1 : 1;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return 0;
}

uint32_t pick_share(uint64_t unsent, uint32_t hosts, uint32_t cores)
{
    uint64_t share = unsent / (2 * (uint64_t)(hosts > 0 ? hosts : 1));
    uint32_t least = cores > 0 ? cores : 1;
    return share > least ? (uint32_t)(share < UINT32_MAX ? share : UINT32_MAX) : least;
}

int64_t pick_tail_wait_ms(const struct wu *wu, const struct pick_tail *tail)
{
    struct wu_tally t = wu_tally(wu);
    uint32_t out = 0, hopeful = t.best + t.unjudged;
    int64_t first_ms = INT64_MAX;
    if (wu->state != WU_OPEN || tail->queued >= tail->asking || tail->typical_ms <= 0 || t.unsent > 0 ||
        wu->attempt_count >= wu->rules.attempts_max)
        return 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].state != ATTEMPT_LEASED)
            continue;
        out++;
        if (wu->attempts[i].sent_ms < first_ms)
            first_ms = wu->attempts[i].sent_ms;
    }
    uint32_t lacks = wu->needed > hopeful ? wu->needed - hopeful : 0;
    if (out == 0 || out >= lacks + tail->spares_max || tail->now_ms - first_ms <= tail->typical_ms)
        return 0;
    return tail->now_ms - first_ms - tail->typical_ms;
}
