/* engine_batch_do.c - what people do with a batch, and the long jobs that come of it: a slice of units in a
 * turn. */
#include <stdlib.h>

#include "server/engine_in.h"
#include "server/store_answer.h"
#include "server/store_archive.h"

/* --- long jobs --- */

static enum err array_slice(struct engine *e, struct batch_mem *b, uint32_t slice)
{
    static const struct text none = {.data = "", .len = 0};
    uint32_t left = b->b.array_count - b->b.job_next, n = left < slice ? left : slice;
    for (uint32_t i = 0; i < n; i++)
        store_set_unit_new(e->set, wu_id_make(b->b.id, b->b.job_next + i), &none);
    batch_count_new(e, b, n);
    b->b.job_next += n;
    if (b->b.job_next == b->b.array_count)
        b->b.job = BATCH_JOB_NONE;
    batch_live_changed(e, b);
    trust_look(e, b);
    return batch_check_finished(e, b);
}

struct slice {
    struct engine *e;
    wu_id *ids;
    uint32_t count;
};

static enum err slice_row(void *ctx, const struct store_unit_row *row)
{
    struct slice *s = ctx;
    struct unit_mem *u;
    s->ids[s->count++] = row->id;
    return unit_keep(s->e, row, &u);
}

static enum wu_event_kind event_of(enum batch_job job)
{
    return job == BATCH_JOB_CANCEL ? WU_EV_CANCEL : job == BATCH_JOB_RETRY ? WU_EV_RETRY : WU_EV_PURGE;
}

static enum err archive_slice(struct engine *e, struct batch_mem *b, uint32_t slice);

static int by_id(const void *x, const void *y)
{
    wu_id a = *(const wu_id *)x, b = *(const wu_id *)y;
    return a < b ? -1 : a > b;
}

static enum err job_done(struct engine *e, struct batch_mem *b)
{
    if (b->b.job == BATCH_JOB_PURGE) {
        b->b.purged = true;
        store_set_outbox(e->set, OUTBOX_PURGE_FILES, b->b.id, NULL, e->now_ms);
        e->purge_new = true;
    }
    b->b.job = BATCH_JOB_NONE;
    b->b.job_next = 0;
    batch_live_changed(e, b);
    trust_look(e, b);
    return batch_check_finished(e, b);
}

/* job_next is the index after the last one done. */
static enum err units_slice(struct engine *e, struct batch_mem *b, uint32_t slice)
{
    bool failed = b->b.job == BATCH_JOB_RETRY;
    enum wu_event_kind kind = event_of(b->b.job);
    /* Failed units are listed kind by kind. */
    struct slice s = {.e = e, .ids = arena_array(&e->turn, (size_t)slice * WU_FAILURES + 1, sizeof *s.ids)};
    wu_id after = b->b.job_next ? wu_id_make(b->b.id, b->b.job_next - 1) : 0;
    if (!s.ids)
        return ERR_NOMEM;
    TRY(engine_flush(e));
    TRY(store_range_scan(e->store, b->b.id, failed, after, slice,
                         (struct store_unit_rows){.row = slice_row, .ctx = &s}));
    if (s.count == 0)
        return job_done(e, b);
    qsort(s.ids, s.count, sizeof *s.ids, by_id);
    uint32_t n = s.count < slice ? s.count : slice;
    for (uint32_t i = 0; i < n; i++) {
        struct unit_mem *u;
        enum err step;
        struct wu_event ev = {.kind = kind, .now_ms = e->now_ms};
        TRY(unit_find(e, s.ids[i], &u));
        if (u && b->b.job == BATCH_JOB_SETTLE)
            TRY(trust_close(e, b, u));
        else if (u)
            TRY(unit_apply(e, u, &ev, NULL, &step));
    }
    b->b.job_next = wu_id_index(s.ids[n - 1]) + 1;
    batch_live_changed(e, b);
    return ERR_OK;
}

enum err batch_jobs(struct engine *e, bool *ret_more)
{
    uint32_t slice = e->config.slice_units;
    for (uint32_t i = 0; i < e->active_count; i++) {
        struct batch_mem *b = e->active[i];
        if (b->b.job == BATCH_JOB_NONE)
            continue;
        TRY(b->b.job == BATCH_JOB_ARRAY     ? array_slice(e, b, slice)
            : b->b.job == BATCH_JOB_ARCHIVE ? archive_slice(e, b, slice / 4 + 1) /* each has several rows */
                                            : units_slice(e, b, slice));
        *ret_more = true; /* one slice of one batch in a turn: hosts wait behind it */
        return ERR_OK;
    }
    return ERR_OK;
}

/* --- what people do with a batch --- */

static enum err start_job(struct engine *e, struct batch_mem *b, enum batch_job job)
{
    bool gives_way = b->b.job == BATCH_JOB_NONE || b->b.job == BATCH_JOB_SETTLE ||
                     (b->b.job == BATCH_JOB_RETRY && job == BATCH_JOB_CANCEL);
    if (b->b.job == BATCH_JOB_ARRAY && job == BATCH_JOB_CANCEL)
        b->b.array_count = b->b.job_next; /* what was not made yet is never made */
    else if (!gives_way)
        return err_set(ERR_CONFLICT, "batch %u is still busy with what was asked before: try again", b->b.id);
    b->b.job = job;
    b->b.job_next = 0;
    b->settling = false;
    batch_live_changed(e, b);
    return ERR_OK;
}

static enum err cancel(struct engine *e, struct batch_mem *b)
{
    if (b->b.cancelled || b->b.finished_ms)
        return err_set(ERR_STALE, "batch %u is %s already", b->b.id, store_batch_state(&b->b));
    TRY(start_job(e, b, BATCH_JOB_CANCEL));
    b->b.cancelled = true;
    b->b.loading = false;
    return ERR_OK;
}

static enum err retry(struct engine *e, struct batch_mem *b)
{
    if (b->b.purged || b->b.job == BATCH_JOB_PURGE)
        return err_set(ERR_STALE, "batch %u is purged: submit it again", b->b.id);
    if (b->b.frozen)
        return err_set(ERR_STALE, "batch %u is archived: submit what failed anew", b->b.id);
    if (b->b.counts.failed == 0)
        return err_set(ERR_STALE, "nothing of batch %u has failed", b->b.id);
    TRY(start_job(e, b, BATCH_JOB_RETRY));
    b->b.cancelled = false;
    b->b.finished_ms = 0;
    return ERR_OK;
}

static enum err purge(struct engine *e, struct batch_mem *b)
{
    if (b->b.purged || b->b.job == BATCH_JOB_PURGE)
        return err_set(ERR_STALE, "batch %u is purged already", b->b.id);
    if (!b->b.finished_ms)
        return err_set(ERR_CONFLICT, "batch %u is not finished: cancel it first", b->b.id);
    return start_job(e, b, BATCH_JOB_PURGE);
}

/* --- archives: server/archive.c writes the file between these two --- */

static enum err freeze(struct engine *e, struct batch_mem *b)
{
    const struct batch_counts *c = &b->b.counts;
    if (b->b.purged || b->b.archived)
        return err_set(ERR_STALE, "batch %u is %s already", b->b.id, b->b.purged ? "purged" : "archived");
    if (!b->b.finished_ms || b->b.job != BATCH_JOB_NONE || c->leased > 0 || c->delivered < c->units)
        return err_set(ERR_CONFLICT, "batch %u is not over yet", b->b.id);
    if (!b->b.frozen) {
        b->b.frozen = true;
        batch_live_changed(e, b);
    }
    return ERR_OK;
}

static enum err archive(struct engine *e, struct batch_mem *b, const struct store_archive *a)
{
    if (!b->b.frozen || b->b.archived || b->b.purged || b->b.job != BATCH_JOB_NONE)
        return err_set(ERR_CONFLICT, "batch %u is not about to be archived", b->b.id);
    b->b.archived = true;
    store_set_archive(e->set, a);
    b->b.job = BATCH_JOB_ARCHIVE;
    b->b.job_next = 0;
    batch_live_changed(e, b);
    return ERR_OK;
}

struct leaving {
    struct engine *e;
    struct batch_mem *b;
    uint32_t count;
};

static enum err leave(void *ctx, const struct store_unit_row *row)
{
    struct leaving *l = ctx;
    struct unit_mem *u;
    TRY(unit_keep(l->e, row, &u));
    for (uint32_t i = 0; i < u->wu.attempt_count; i++)
        if (u->wu.attempts[i].state == ATTEMPT_ERRORED)
            store_set_note_end(l->e->set, row->id, i);
    TRY(answered_forget(l->e, l->b, u)); /* no later unit finds its answer any more */
    store_set_unit_end(l->e->set, row->id);
    l->b->b.job_next = wu_id_index(row->id) + 1;
    l->count++;
    return ERR_OK;
}

/* Some of what is kept of a batch's answers. */
static enum err leave_answers(struct engine *e, uint32_t batch, uint32_t slice, uint32_t *ret_count)
{
    struct store_answer_key *answers;
    struct digest *small;
    uint32_t count;
    TRY(store_answer_list(e->store, &e->turn, batch, slice, &answers, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++)
        store_set_answer_end(e->set, &answers[i]);
    TRY(store_small_list(e->store, &e->turn, batch, slice, &small, &count));
    for (uint32_t i = 0; i < count; i++)
        store_set_small_end(e->set, batch, &small[i]);
    *ret_count += count;
    return ERR_OK;
}

/* Units first, then their answers. Counters stay as they are. */
static enum err archive_slice(struct engine *e, struct batch_mem *b, uint32_t slice)
{
    struct leaving l = {.e = e, .b = b};
    wu_id after = b->b.job_next ? wu_id_make(b->b.id, b->b.job_next - 1) : 0;
    uint32_t count = 0;
    TRY(engine_flush(e));
    TRY(store_range_scan(e->store, b->b.id, false, after, slice, (struct store_unit_rows){leave, &l}));
    if (l.count == 0)
        TRY(leave_answers(e, b->b.id, slice, &count));
    if (l.count == 0 && count == 0)
        return job_done(e, b);
    batch_live_changed(e, b);
    return ERR_OK;
}

static enum err pause(struct engine *e, struct batch_mem *b, bool on)
{
    if (b->b.finished_ms || b->b.cancelled)
        return err_set(ERR_STALE, "batch %u is %s", b->b.id, store_batch_state(&b->b));
    if (b->b.paused != on) {
        check_offered(e, b, false);
        b->b.paused = on;
        batch_live_changed(e, b);
    }
    return ERR_OK;
}

static enum err close_batch(struct engine *e, struct batch_mem *b)
{
    if (b->b.loading) {
        b->b.loading = false;
        batch_live_changed(e, b);
        trust_look(e, b);
    }
    return batch_check_finished(e, b);
}

static enum err change(struct engine *e, struct batch_mem *b, const struct engine_batch_do *q)
{
    if (q->priority) {
        b->b.priority = *q->priority;
        e->resort = true;
    }
    if (q->name)
        TRY(engine_text(&b->text, q->name, &b->b.name));
    if (q->labels)
        TRY(engine_bytes(&b->text, q->labels, &b->b.labels));
    b->changed = true;
    batch_live_changed(e, b); /* its rev tells other servers */
    batches_sort(e);
    return ERR_OK;
}

static enum err do_verb(struct engine *e, struct batch_mem *b, const struct engine_batch_do *q)
{
    switch (q->verb) {
    case ENGINE_BATCH_CLOSE:
        return close_batch(e, b);
    case ENGINE_BATCH_CANCEL:
        return cancel(e, b);
    case ENGINE_BATCH_PAUSE:
        return pause(e, b, true);
    case ENGINE_BATCH_RESUME:
        return pause(e, b, false);
    case ENGINE_BATCH_RETRY:
        return retry(e, b);
    case ENGINE_BATCH_CHANGE:
        return change(e, b, q);
    case ENGINE_BATCH_PURGE:
        return purge(e, b);
    case ENGINE_BATCH_FREEZE:
        return freeze(e, b);
    case ENGINE_BATCH_ARCHIVE:
        return archive(e, b, q->archive);
    case ENGINE_BATCH_VERBS:
        break;
    }
    return err_set(ERR_INVALID, "this cannot be done with a batch");
}

enum err batch_do(struct engine *e, struct batch_mem *b, enum engine_batch_verb verb)
{
    struct engine_batch_do q = {.batch = b->b.id, .verb = verb};
    return do_verb(e, b, &q);
}

enum err on_batch_do(struct engine *e, struct engine_request *r)
{
    static const char *const names[ENGINE_BATCH_VERBS] = {"batch.close",  "batch.cancel", "batch.pause",
                                                          "batch.resume", "batch.retry",  "batch.change",
                                                          "batch.purge",  "batch.freeze", "batch.archive"};
    struct engine_batch_do *q = &r->u.batch_do;
    struct batch_mem *b;
    TRY(batch_find(e, q->batch, &b));
    enum err err = b ? do_verb(e, b, q) : err_set(ERR_MISSING, "there is no batch %u", q->batch);
    if (err == ERR_NOMEM)
        return err;
    if (err != ERR_OK)
        engine_fail(r, err);
    else
        engine_audit(e, r, names[q->verb], q->batch);
    return ERR_OK;
}
