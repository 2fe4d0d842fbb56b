/* engine_schedule.c - schedules are made, changed and deleted; their batches are made by server/timetable.c
 */
#include <inttypes.h>

#include "server/engine_in.h"

enum { SCHEDULES_MAX = 10000 };

static enum err make(struct engine *e, struct engine_request *r, struct engine_schedule *q)
{
    uint64_t n[REPLAY_NUMBERS] = {0};
    bool known;
    TRY(replay_find(e, r, n, &known));
    q->ret_id = n[0];
    if (known || r->err != ERR_OK)
        return ERR_OK;
    TRY(store_take_ids(e->store, "schedule", 1, &n[0]));
    struct store_schedule c = q->schedule;
    c.id = q->ret_id = n[0];
    c.created_ms = e->now_ms;
    if (c.id > SCHEDULES_MAX) {
        engine_fail(r, err_set(ERR_FULL, "%d schedules have been made, which is all there are numbers for",
                               SCHEDULES_MAX));
        return ERR_OK;
    }
    store_set_schedule_new(e->set, &c);
    engine_audit(e, r, "schedule.create", c.id);
    TRY(replay_keep(e, r, n));
    return engine_flush(e); /* the texts are the request's */
}

enum err on_schedule(struct engine *e, struct engine_request *r)
{
    struct engine_schedule *q = &r->u.schedule;
    struct store_schedule is;
    if (q->verb == ENGINE_SCHEDULE_NEW)
        return make(e, r, q);
    TRY(engine_flush(e)); /* it may have been changed before in this turn */
    enum err err = store_schedule_get(e->store, &e->turn, q->schedule.id, &is);
    if (err == ERR_OK && q->verb == ENGINE_SCHEDULE_MOVE && is.rev != q->schedule.rev)
        err = err_set(ERR_CONFLICT, "schedule %" PRIu64 " has changed meanwhile: try again", is.id);
    if (err != ERR_OK) {
        if (err != ERR_MISSING && err != ERR_CONFLICT)
            return err;
        engine_fail(r, err);
        return ERR_OK;
    }
    if (q->verb == ENGINE_SCHEDULE_DELETE)
        store_set_schedule_end(e->set, is.id);
    else
        store_set_schedule(e->set, &q->schedule);
    if (r->user_id)
        engine_audit(e, r, q->verb == ENGINE_SCHEDULE_DELETE ? "schedule.delete" : "schedule.change", is.id);
    return engine_flush(e);
}
