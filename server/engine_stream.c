/* engine_stream.c - named streams: made, published to, paused, deleted, purged. */
#include <string.h>

#include "base/str.h"
#include "server/engine_in.h"
#include "server/flight.h"

enum { CLEAR_SLICE = 2000 };

void streams_forget(struct engine *e)
{
    e->streams = NULL;
    e->routed = NULL;
    e->routed_end = &e->routed;
    e->streams_new = false;
}

static enum err count_streams(struct engine *e, uint32_t *ret)
{
    struct store_stream *list;
    TRY(engine_flush(e));
    return store_stream_list(e->store, &e->turn, 0, STREAMS_MAX, &list, ret);
}

static enum err make(struct engine *e, const char *name, uint64_t user_id, struct stream_mem *m)
{
    m->st = (struct store_stream){.user_id = user_id, .created_ms = e->now_ms};
    TRY(engine_text(&e->turn, name, &m->st.name));
    TRY(store_take_ids(e->store, "stream", 1, &m->st.id));
    store_set_stream_new(e->set, &m->st);
    e->streams_new = true;
    return ERR_OK;
}

enum err stream_find(struct engine *e, const char *name, uint64_t user_id, struct stream_mem **ret)
{
    uint32_t count = 0;
    *ret = NULL;
    for (struct stream_mem *m = e->streams; m; m = m->next)
        if (str_eq(m->st.name, name)) {
            *ret = m;
            return ERR_OK;
        }
    struct stream_mem *m = arena_alloc(&e->turn, sizeof *m);
    TRY(m ? ERR_OK : ERR_NOMEM);
    enum err err = store_stream_find(e->store, &e->turn, name, &m->st);
    if (err == ERR_MISSING) {
        TRY(count_streams(e, &count));
        if (count >= STREAMS_MAX)
            return ERR_OK;
        err = make(e, name, user_id, m);
    }
    TRY(err);
    m->next = e->streams;
    e->streams = m;
    *ret = m;
    return ERR_OK;
}

enum err stream_tell(struct engine *e, const struct store_stream *st)
{
    struct stream_mem *m = arena_alloc(&e->turn, sizeof *m);
    TRY(m ? ERR_OK : ERR_NOMEM);
    *m = (struct stream_mem){.st = *st, .told = true, .next = e->streams};
    m->st.name = "";
    e->streams = m;
    return ERR_OK;
}

enum err stream_add(struct engine *e, struct arena *a, struct stream_mem *m,
                    const struct store_record *record)
{
    struct store_record *r = arena_alloc(a, sizeof *r); /* its digest must live until the write */
    TRY(r ? ERR_OK : ERR_NOMEM);
    *r = *record;
    r->stream = m->st.id;
    r->at_ms = e->now_ms;
    store_set_record(e->set, r);
    m->told = true;
    e->streams_new = true;
    return ERR_OK;
}

/* --- publishing --- */

static enum err add_all(struct engine *e, struct stream_mem *m, const struct engine_publish *q)
{
    const char *group;
    TRY(engine_text(&e->turn, q->group, &group));
    for (uint32_t i = 0; i < q->count; i++) {
        struct store_record record = {.group = q->groups ? q->groups[i] : group, .body = q->bodies[i]};
        TRY(stream_add(e, &e->turn, m, &record));
    }
    return ERR_OK;
}

enum err on_publish(struct engine *e, struct engine_request *r)
{
    struct engine_publish *q = &r->u.publish;
    uint64_t numbers[REPLAY_NUMBERS] = {0};
    struct stream_mem *m;
    struct store_stream now;
    bool known;
    TRY(replay_find(e, r, numbers, &known));
    if (known || r->err != ERR_OK) {
        q->ret_last = numbers[0];
        return ERR_OK;
    }
    TRY(stream_find(e, q->stream, r->user_id, &m));
    if (!m)
        engine_fail(r, err_set(ERR_LIMIT, "there are %d streams already: delete one first", STREAMS_MAX));
    else if (m->st.last - m->st.purged >= STREAM_RECORDS_MAX)
        engine_fail(
            r, err_set(ERR_FULL, "stream %s is full: its cursors must read on, or be deleted", q->stream));
    if (r->err != ERR_OK)
        return ERR_OK;
    TRY(add_all(e, m, q));
    TRY(engine_flush(e)); /* the bodies are the request's; and now they have numbers */
    TRY(store_stream_find(e->store, &e->turn, q->stream, &now));
    q->ret_last = numbers[0] = m->st.last = now.last;
    return replay_keep(e, r, numbers);
}

/* --- steering --- */

static enum err check_unfed(struct engine *e, const struct store_stream *st, enum err *ret_refused)
{
    struct store_cursor *list;
    uint32_t count;
    TRY(store_cursor_list(e->store, &e->turn, st->id, "", STREAM_CURSORS_MAX, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (list[i].batch)
            *ret_refused = err_set(ERR_CONFLICT, "batch %u is fed from stream %s: close or cancel it first",
                                   list[i].batch, st->name);
    return ERR_OK;
}

enum err on_stream(struct engine *e, struct engine_request *r)
{
    static const char *const actions[] = {"stream.pause", "stream.resume", "stream.delete"};
    struct engine_stream *q = &r->u.stream;
    struct store_stream st;
    TRY(engine_flush(e)); /* it may have been changed before in this turn */
    enum err err = store_stream_find(e->store, &e->turn, q->name, &st);
    enum err refused = err == ERR_MISSING ? err : ERR_OK;
    if (err != ERR_OK && err != ERR_MISSING)
        return err;
    if (refused == ERR_OK && q->verb == ENGINE_STREAM_DELETE)
        TRY(check_unfed(e, &st, &refused));
    if (refused != ERR_OK) {
        engine_fail(r, refused);
        return ERR_OK;
    }
    if (q->verb == ENGINE_STREAM_DELETE)
        store_set_stream_gone(e->set, st.id);
    else
        store_set_stream_paused(e->set, st.id, q->verb == ENGINE_STREAM_PAUSE);
    for (struct stream_mem *k = e->streams; k; k = k->next)
        k->st.name = ""; /* names may mean something else now */
    TRY(stream_tell(e, &st));
    engine_audit(e, r, actions[q->verb], st.id);
    return engine_flush(e);
}

/* --- purging --- */

/* All records up to this one are behind every cursor. */
static enum err passed(struct engine *e, const struct store_stream *st, uint64_t *ret)
{
    struct store_cursor *list;
    struct flight *f = arena_alloc(&e->turn, sizeof *f);
    uint32_t count;
    *ret = st->last;
    TRY(f ? ERR_OK : ERR_NOMEM);
    TRY(store_cursor_list(e->store, &e->turn, st->id, "", STREAM_CURSORS_MAX, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        TRY(flight_read(list[i].flight.data, list[i].flight.len, f));
        uint64_t acked = flight_acked(f, list[i].handed);
        *ret = acked < *ret ? acked : *ret;
    }
    return ERR_OK;
}

struct clearing {
    struct engine *e;
    const struct store_stream *st;
    uint64_t passed, purged;
    uint32_t count;
    bool stays; /* one that stays was met: all after it do */
};

static enum err clear_row(void *ctx, const struct store_record *r)
{
    struct clearing *c = ctx;
    bool old = r->at_ms + STREAM_KEPT_MS < c->e->now_ms, many = c->st->last - r->seq >= STREAM_KEPT_RECORDS;
    bool gone = !c->st->name[0];
    c->stays = c->stays || (!gone && (r->seq > c->passed || !(old || many)));
    if (c->stays)
        return ERR_OK;
    store_set_record_end(c->e->set, c->st->id, r->seq);
    c->purged = r->seq;
    c->count++;
    return ERR_OK;
}

static enum err end_stream(struct engine *e, const struct store_stream *st)
{
    struct store_cursor *list;
    uint32_t count;
    TRY(store_cursor_list(e->store, &e->turn, st->id, "", STREAM_CURSORS_MAX, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        store_set_cursor_end(e->set, st->id, list[i].name);
    store_set_stream_end(e->set, st->id);
    return ERR_OK;
}

static enum err clear(struct engine *e, const struct store_stream *st, bool *ret_more)
{
    struct clearing c = {.e = e, .st = st, .purged = st->purged};
    if (st->name[0])
        TRY(passed(e, st, &c.passed));
    if (st->name[0] && c.passed <= st->purged)
        return ERR_OK;
    struct store_record_rows to = {.row = clear_row, .ctx = &c};
    TRY(store_record_scan(e->store, st->id, st->purged, 1, to));
    if (c.count > 0) /* else it is not worth reading on */
        TRY(store_record_scan(e->store, st->id, c.purged, CLEAR_SLICE - 1, to));
    *ret_more = c.count == CLEAR_SLICE;
    if (c.count > 0)
        store_set_stream_purged(e->set, st->id, c.purged);
    return !st->name[0] && !*ret_more ? end_stream(e, st) : ERR_OK;
}

enum err streams_clear(struct engine *e, bool *ret_more)
{
    struct store_stream *st;
    uint32_t count;
    bool more = false;
    TRY(store_stream_list(e->store, &e->turn, e->cleared_stream, 1, &st, &count));
    if (count == 0) {
        e->cleared_stream = 0;
        return ERR_OK;
    }
    TRY(clear(e, st, &more));
    *ret_more |= more;
    if (!more)
        e->cleared_stream = st->id;
    return ERR_OK;
}
