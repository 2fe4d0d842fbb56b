/* engine_prefetch.c - what a turn will need is read at once, before its first request: each statement of its
 * own in the midst of a turn is a round trip to a database that is far away. */
#include <string.h>

#include "server/engine_in.h"

/* Those who ask, with what they hold, and those whose answers may get their verdict now. */
static enum err prefetch_hosts(struct engine *e, const uint64_t *callers, uint32_t caller_count,
                               const wu_id *units, uint32_t unit_count)
{
    uint64_t *ids = arena_array(&e->turn, caller_count + (size_t)unit_count * ATTEMPTS_MAX + 1u, sizeof *ids);
    uint32_t n = caller_count;
    if (!ids)
        return ERR_NOMEM;
    memcpy(ids, callers, caller_count * sizeof *ids);
    for (uint32_t i = 0; i < unit_count; i++) {
        const struct unit_mem *u = (const struct unit_mem *)(void *)cache_get(&e->units, units[i]);
        for (uint32_t k = 0; u && k < u->wu.attempt_count; k++)
            if (u->wu.attempts[k].state == ATTEMPT_REPORTED)
                ids[n++] = u->wu.attempts[k].host_id;
    }
    TRY(host_prefetch(e, ids, n));
    return host_prefetch_leases(e, callers, caller_count);
}

/* What is looked up now and then by the midst of a turn, after all was written that changed until then: where
 * others wait for rows that are written, that must be the end of the turn. Nothing has changed yet. */
static enum err look_first(struct engine *e)
{
    TRY(version_minima_read(e));
    return e->wanted > 0 ? tail_look(e) : ERR_OK;
}

/* Reads at once what the work requests will need. Whoever is not alone reads all of it anew, and holds the
 * units that will change. */
enum err turn_prefetch(struct engine *e, struct engine_request **requests, uint32_t count)
{
    uint32_t units = 0, hosts = 0;
    for (uint32_t i = 0; i < count; i++)
        if (requests[i]->kind == ENGINE_WORK)
            units += requests[i]->u.work.report_count + requests[i]->u.work.renew_count;
    wu_id *ids = arena_array(&e->turn, units + 1u, sizeof *ids);
    uint64_t *host_ids = arena_array(&e->turn, count + 1u, sizeof *host_ids);
    if (!ids || !host_ids)
        return ERR_NOMEM;
    bool alone = e->view.alone;
    units = e->wanted = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct engine_work *w = &requests[i]->u.work;
        if (requests[i]->kind != ENGINE_WORK)
            continue;
        e->wanted += w->want ? w->want->units_max : 0;
        if (!alone || !cache_get(&e->hosts, w->host_id))
            host_ids[hosts++] = w->host_id;
        for (uint32_t k = 0; k < w->report_count; k++)
            if (!alone || !cache_get(&e->units, w->reports[k].unit))
                ids[units++] = w->reports[k].unit;
        for (uint32_t k = 0; k < w->renew_count && !alone; k++)
            ids[units++] = w->renew[k].unit;
    }
    if (alone) {
        TRY(unit_prefetch(e, ids, units));
        return host_prefetch(e, host_ids, hosts);
    }
    TRY(look_first(e));
    TRY(unit_prefetch_locked(e, ids, units));
    return prefetch_hosts(e, host_ids, hosts, ids, units);
}
