/* engine_graph.c - stages of graphs: units made of answers, and how far that has come, in one transaction. */
#include <assert.h>

#include "server/engine_in.h"
#include "server/store_stage.h"

enum err stage_keep(struct engine *e, uint32_t batch, const struct store_stage *from)
{
    struct store_stage st = *from;
    st.batch = batch;
    st.graph = from->graph ? from->graph : batch;
    TRY(engine_text(&e->turn, from->after, &st.after));
    TRY(engine_text(&e->turn, from->file, &st.file));
    st.why = "";
    store_set_stage_new(e->set, &st);
    e->stages_new = true;
    return ERR_OK;
}

static enum err check(struct engine *e, const struct engine_stage *q, const struct batch_mem *b)
{
    struct store_stage is;
    if (!b)
        return err_set(ERR_MISSING, "there is no batch %u", q->stage.batch);
    enum err err = store_stage_get(e->store, &e->turn, q->stage.batch, &is);
    if (err != ERR_OK)
        return err;
    if (is.rev != q->stage.rev)
        return err_set(ERR_CONFLICT, "the stage of batch %u has moved on", q->stage.batch);
    if (q->count > 0 && !b->b.loading)
        return err_set(ERR_STALE, "batch %u is closed, nothing can be added to it", q->stage.batch);
    if (q->count > 0 && (uint64_t)b->b.counts.units != q->first)
        return err_set(ERR_CONFLICT, "batch %u has %lld units", q->stage.batch, (long long)b->b.counts.units);
    if ((uint64_t)q->first + q->count > BATCH_UNITS_MAX)
        return err_set(ERR_LIMIT, "a batch takes %u units at most", BATCH_UNITS_MAX);
    return ERR_OK;
}

static void add_units(struct engine *e, struct batch_mem *b, const struct engine_stage *q)
{
    for (uint32_t i = 0; i < q->count; i++)
        store_set_unit_new(e->set, wu_id_make(b->b.id, q->first + i), &q->specs[i]);
    batch_count_new(e, b, q->count);
}

/* The batch may have been closed, cancelled or resumed by hand meanwhile: then there is nothing to end. */
static enum err end(struct engine *e, struct batch_mem *b, const struct engine_stage *q)
{
    static const enum engine_batch_verb verbs[] = {[ENGINE_STAGE_CLOSES] = ENGINE_BATCH_CLOSE,
                                                   [ENGINE_STAGE_STARTS] = ENGINE_BATCH_RESUME,
                                                   [ENGINE_STAGE_FAILS] = ENGINE_BATCH_CANCEL};
    if (q->then == ENGINE_STAGE_GOES_ON)
        return ERR_OK;
    enum err err = batch_do(e, b, verbs[q->then]);
    return err == ERR_STALE ? ERR_OK : err;
}

enum err on_stage(struct engine *e, struct engine_request *r)
{
    struct engine_stage *q = &r->u.stage;
    struct batch_mem *b;
    if (e->stages_new)
        TRY(engine_flush(e));
    TRY(batch_find(e, q->stage.batch, &b));
    enum err err = check(e, q, b);
    if (err != ERR_OK) {
        engine_fail(r, err);
        return ERR_OK;
    }
    struct store_stage st = q->stage;
    TRY(engine_text(&e->turn, q->stage.why, &st.why));
    assert(q->count == 0 || q->then != ENGINE_STAGE_FAILS); /* what may be refused comes alone */
    if (q->count > 0)
        add_units(e, b, q);
    if (q->taken_count > 0) {
        TRY(engine_flush(e));
        TRY(units_take(e, b->b.id, q->first, q->taken, q->taken_count));
    }
    err = end(e, b, q);
    if (err != ERR_OK) {
        engine_fail(r, err);
        return err == ERR_NOMEM ? err : ERR_OK;
    }
    store_set_stage(e->set, &st);
    e->stages_new = true;
    /* The specs are the request's: they must be written while it is alive. */
    return engine_flush(e);
}
