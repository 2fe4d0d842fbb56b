/* graph.c - see graph.h */
#include "server/graph_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "rules/graph.h"
#include "server/reuse.h"
#include "server/ticker.h"
#include "server/try.h"

enum { LOOK_EVERY_MS = 1000, STAGES_EACH = 100 };

struct graph {
    struct graph_config config;
    struct ticker *ticker;
};

enum outcome graph_outcome(const struct store_unit *u)
{
    if (u->wu.state != WU_DELIVERED)
        return OUTCOME_OPEN;
    return u->wu.canonical >= 0 ? OUTCOME_ACCEPTED : OUTCOME_FAILED;
}

/* --- telling the engine --- */

/* Somebody moved it meanwhile: the next look sees how it is. */
static enum err tell(struct stage_work *w, enum engine_stage_end then)
{
    struct engine_request r = {.kind = ENGINE_STAGE, .arena = w->a};
    if (w->count > 0)
        TRY(blobs_sync(w->config->blobs, w->holder));
    r.u.stage = (struct engine_stage){
        .stage = w->stage, .first = (uint32_t)w->batch.counts.units, .count = w->count, .specs = w->specs};
    r.u.stage.then = then;
    struct engine_taken *taken;
    TRY(reuse_find(w->config->store, w->config->blobs, w->a, &w->batch, w->specs, w->count, &taken,
                   &r.u.stage.taken_count, NULL));
    r.u.stage.taken = taken;
    enum err e = engine_thread_do(w->config->engine, &r);
    if (e == ERR_OK) {
        w->stage.rev++;
        w->batch.counts.units += w->count;
        w->count = 0;
    }
    return e;
}

static enum err end(struct stage_work *w, enum engine_stage_end then, const char *why)
{
    w->stage.active = false;
    w->stage.why = why;
    log_event(LOG_INFO, "stage-ended", "batch", log_i64(w->batch.id), "why", why, NULL);
    return tell(w, then);
}

/* Written once, not at every look. */
static enum err wait_for(struct stage_work *w, const char *why)
{
    if (str_eq(w->stage.why, why))
        return ERR_OK;
    w->stage.why = arena_text(w->a, why);
    return w->stage.why ? tell(w, ENGINE_STAGE_GOES_ON) : ERR_NOMEM;
}

static const char *failed_text(struct stage_work *w, const struct store_batch *b, const char *then)
{
    char text[200];
    snprintf(text, sizeof text, "%" PRId64 " units of batch %u failed%s; %s", b->counts.failed, b->id,
             b->cancelled ? " (it was cancelled)" : "", then);
    const char *kept = arena_text(w->a, text);
    return kept ? kept : "units it needs have failed";
}

/* --- what must be done before --- */

/* *ret_ready: b is over and the stage may go on; otherwise it waits, or was ended. */
static enum err is_done(struct stage_work *w, const struct store_batch *b, bool *ret_ready)
{
    char text[64];
    *ret_ready = false;
    if (b->finished_ms == 0) {
        snprintf(text, sizeof text, "waits for batch %u", b->id);
        return wait_for(w, text);
    }
    *ret_ready = (b->counts.failed == 0 && !b->cancelled) || w->stage.failed == STAGE_FAILED_SKIP;
    if (*ret_ready)
        return ERR_OK;
    snprintf(text, sizeof text, "dugnad retry %u goes on", b->id);
    if (w->stage.failed == STAGE_FAILED_WAIT)
        return wait_for(w, failed_text(w, b, text));
    return end(w, ENGINE_STAGE_FAILS, failed_text(w, b, "this stage needs them"));
}

static enum err are_done(struct stage_work *w, bool *ret_ready)
{
    const char *at = w->stage.after;
    *ret_ready = true;
    while (*ret_ready && *at) {
        struct store_batch b;
        char *next;
        uint32_t id = (uint32_t)strtoul(at, &next, 10);
        at = next + (*next == ' ');
        TRY(store_batch_get(w->config->store, w->a, id, &b));
        TRY(is_done(w, &b, ret_ready));
    }
    return ERR_OK;
}

/* --- unit by unit --- */

/* Was the unit tried again after this delivery? Then another one comes, or came. */
static bool is_retried(const struct store_unit *u, const struct store_delivery *d)
{
    for (uint32_t i = 0; i < u->wu.attempt_count; i++)
        if (u->wu.attempts[i].sent_ms > d->at_ms)
            return true;
    return false;
}

static enum err take_delivery(struct stage_work *w, const struct store_delivery *d, bool *ret_all)
{
    struct store_unit u;
    *ret_all = true;
    TRY(store_unit_get(w->config->store, w->a, d->unit, &u));
    if (graph_outcome(&u) == OUTCOME_ACCEPTED && !is_retried(&u, d)) {
        TRY(w->stage.kind == STAGE_EACH ? graph_unit_each(w, &u)
                                        : graph_unit_lines(w, &u, &w->stage.next_line, ret_all));
    }
    if (*ret_all) {
        w->stage.next_seq = d->seq;
        w->stage.next_line = 0;
    }
    return ERR_OK;
}

static enum err all_taken(struct stage_work *w)
{
    bool ready;
    if (w->source.finished_ms == 0)
        return wait_for(w, "");
    if (w->source.counts.failed > 0 && w->stage.failed == STAGE_FAILED_FAIL)
        return end(w, ENGINE_STAGE_CLOSES, failed_text(w, &w->source, "nothing was made of them"));
    TRY(is_done(w, &w->source, &ready));
    return ready ? end(w, ENGINE_STAGE_CLOSES, "") : ERR_OK;
}

/* The source's state is older than the list, so that none that came in between is missed. */
static enum err follow(struct stage_work *w, bool *ret_more)
{
    struct store_delivery *list;
    uint32_t count, i = 0;
    bool all = true;
    TRY(store_delivery_list(w->config->store, w->a, w->stage.source, w->stage.next_seq, GRAPH_UNITS_EACH,
                            &list, &count));
    if (count == 0)
        return all_taken(w);
    while (i < count && all && w->count < w->room) {
        TRY(take_delivery(w, &list[i], &all));
        i += all;
    }
    *ret_more = true;
    w->stage.why = "";
    return tell(w, ENGINE_STAGE_GOES_ON);
}

/* --- reducing --- */

struct place {
    const char *order;
    wu_id id;
};

static int by_order(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    int c = strcmp(a->order, b->order);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

/* All answers of the source, in order. */
static enum err list_answers(struct stage_work *w, struct place **ret, uint32_t *ret_count)
{
    struct store_unit_filter filter = {.state = WU_DELIVERED};
    struct place *places = arena_array(w->a, (size_t)w->source.counts.units + 1, sizeof *places);
    uint32_t n = 0;
    wu_id after = 0;
    TRY(places ? ERR_OK : ERR_NOMEM);
    do {
        struct arena ARENA_AUTO page = {0};
        struct store_unit *list;
        uint32_t count;
        TRY(store_unit_list(w->config->store, &page, w->source.id, &filter, after, STORE_PAGE_MAX, &list,
                            &count, &after));
        for (uint32_t i = 0; i < count; i++) {
            if (graph_outcome(&list[i]) != OUTCOME_ACCEPTED || n == (uint32_t)w->source.counts.units)
                continue;
            TRY(graph_unit_order(w->a, &list[i], &places[n].order));
            places[n++].id = list[i].wu.id;
        }
    } while (after);
    qsort(places, n, sizeof *places, by_order);
    *ret = places;
    *ret_count = n;
    return ERR_OK;
}

/* Units of this stage that a group takes; *ret_ready: all have answers. */
static enum err list_own(struct stage_work *w, const struct graph_group *g, wu_id *ids, bool *ret_ready)
{
    *ret_ready = g->first + g->count <= (uint32_t)w->batch.counts.units;
    for (uint32_t i = 0; i < g->count && *ret_ready; i++) {
        struct store_unit u;
        char text[ID_TEXT_BYTES], why[160];
        ids[i] = wu_id_make(w->batch.id, g->first + i);
        TRY(store_unit_get(w->config->store, w->a, ids[i], &u));
        *ret_ready = graph_outcome(&u) == OUTCOME_ACCEPTED;
        if (graph_outcome(&u) != OUTCOME_FAILED)
            continue;
        wu_id_text(ids[i], text);
        snprintf(why, sizeof why, "unit %s of this stage failed; dugnad retry %u goes on", text, w->batch.id);
        if (w->stage.failed == STAGE_FAILED_WAIT)
            return wait_for(w, why);
        return end(w, ENGINE_STAGE_FAILS, "a unit that reduces others failed");
    }
    return ERR_OK;
}

static enum err begin_reduce(struct stage_work *w, struct place **places, bool *ret_goes)
{
    uint32_t count;
    *ret_goes = false;
    TRY(list_answers(w, places, &count));
    if (w->stage.total == 0) {
        w->stage.total = count;
        w->stage.why = "";
    }
    if (count == 0)
        return end(w, ENGINE_STAGE_CLOSES, "there was nothing to reduce");
    if (count != w->stage.total) /* with failed = skip, and retried in this very moment */
        return end(w, ENGINE_STAGE_FAILS, "the answers it takes have changed since it began");
    *ret_goes = true;
    return ERR_OK;
}

static enum err take_group(struct stage_work *w, const struct graph_group *g, const struct place *places,
                           bool *ret_ready)
{
    wu_id ids[STAGE_FAN_IN_MAX];
    *ret_ready = true;
    if (g->level > 0)
        TRY(list_own(w, g, ids, ret_ready));
    for (uint32_t i = 0; i < g->count && g->level == 0; i++)
        ids[i] = places[g->first + i].id;
    return *ret_ready && w->stage.active ? graph_unit_reduce(w, ids, g->count, g->level, g->last) : ERR_OK;
}

static enum err reduce(struct stage_work *w, bool *ret_more)
{
    struct place *places = NULL;
    uint32_t units = w->stage.total ? graph_units(w->stage.total, w->stage.fan_in) : 0;
    uint32_t made = (uint32_t)w->batch.counts.units;
    bool ready;
    if (w->stage.total == 0) {
        TRY(is_done(w, &w->source, &ready));
        if (!ready)
            return ERR_OK;
    }
    if (w->stage.total && made == units)
        return end(w, ENGINE_STAGE_CLOSES, "");
    if (made == 0 || graph_group(w->stage.total, w->stage.fan_in, made).level == 0) {
        TRY(begin_reduce(w, &places, &ready));
        if (!ready)
            return ERR_OK;
        units = graph_units(w->stage.total, w->stage.fan_in);
    }
    for (ready = true; made < units && ready && w->stage.active && w->count < w->room; made++) {
        struct graph_group g = graph_group(w->stage.total, w->stage.fan_in, made);
        if (g.level > 0 && w->count > 0)
            break; /* its own level first */
        TRY(take_group(w, &g, places, &ready));
    }
    if (w->count == 0)
        return ERR_OK;
    *ret_more = true;
    w->stage.why = "";
    return tell(w, ENGINE_STAGE_GOES_ON);
}

/* --- one stage --- */

static enum err read_batches(struct stage_work *w)
{
    struct text order;
    struct store *s = w->config->store;
    if (w->stage.source)
        TRY(store_batch_get(s, w->a, w->stage.source, &w->source));
    TRY(store_batch_get(s, w->a, w->stage.batch, &w->batch));
    TRY(store_order_get(s, w->a, &w->batch.order_digest, &order));
    TRY(order_parse(order.data, order.len, w->a, &w->order));
    snprintf(w->holder, sizeof w->holder, "i%u", w->batch.id);
    w->room = GRAPH_UNITS_EACH;
    w->specs = arena_array(w->a, w->room, sizeof *w->specs);
    return w->specs ? ERR_OK : ERR_NOMEM;
}

static enum err go_on(struct stage_work *w, bool *ret_more)
{
    bool ready, own = w->stage.kind == STAGE_OWN;
    if (own ? w->batch.cancelled || w->batch.finished_ms : !w->batch.loading)
        return end(w, ENGINE_STAGE_GOES_ON, "closed by hand before all its units were made");
    if (own && !w->batch.paused)
        return end(w, ENGINE_STAGE_GOES_ON, "");
    if (!own && w->batch.paused)
        return ERR_OK;
    TRY(are_done(w, &ready));
    if (!ready)
        return ERR_OK;
    if (own)
        return end(w, ENGINE_STAGE_STARTS, "");
    return w->stage.kind == STAGE_REDUCE ? reduce(w, ret_more) : follow(w, ret_more);
}

/* What no unit can be made of ends the stage: the next look would find the same. */
static enum err work_stage(struct graph *g, const struct store_stage *stage, bool *ret_more)
{
    struct arena ARENA_AUTO a = {.bytes_max = 512u << 20};
    struct stage_work w = {.config = &g->config, .a = &a, .stage = *stage};
    TRY(read_batches(&w));
    enum err e = go_on(&w, ret_more);
    if (e == ERR_CONFLICT || e == ERR_STALE)
        return ERR_OK; /* it has moved meanwhile */
    if (e != ERR_INVALID && e != ERR_LIMIT && e != ERR_MISSING)
        return e;
    const char *why = arena_text(&a, err_text());
    w.stage = *stage;
    w.count = 0;
    return end(&w, ENGINE_STAGE_FAILS, why ? why : "no unit can be made of an answer");
}

static enum err work_all(struct graph *g, bool *ret_more)
{
    uint32_t count, after = 0;
    do {
        struct arena ARENA_AUTO page = {0};
        struct store_stage *list;
        TRY(store_stage_active(g->config.store, &page, after, STAGES_EACH, &list, &count));
        for (uint32_t i = 0; i < count && !ticker_stops(g->ticker); i++) {
            after = list[i].batch;
            if (work_stage(g, &list[i], ret_more) != ERR_OK)
                log_event(LOG_WARN, "stage-failed", "batch", log_i64(list[i].batch), "err", err_text(), NULL);
        }
    } while (count == STAGES_EACH && !ticker_stops(g->ticker));
    return ERR_OK;
}

static void look(void *ctx)
{
    struct graph *g = ctx;
    bool more = true;
    while (more && !ticker_stops(g->ticker) && members_have(g->config.members, DUTY_GRAPH)) {
        more = false;
        if (work_all(g, &more) != ERR_OK)
            log_event(LOG_WARN, "stages-failed", "err", err_text(), NULL);
    }
}

enum err graph_start(const struct graph_config *config, struct graph **ret_graph)
{
    struct graph *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(ERR_NOMEM, "no memory for graphs");
    g->config = *config;
    enum err e = ticker_start(look, g, LOOK_EVERY_MS, &g->ticker);
    if (e != ERR_OK) {
        free(g);
        return e;
    }
    *ret_graph = g;
    return ERR_OK;
}

void graph_wake(struct graph *g)
{
    ticker_wake(g->ticker);
}

void graph_stop(struct graph *g)
{
    if (!g)
        return;
    ticker_stop(g->ticker);
    free(g);
}
