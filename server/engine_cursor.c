/* engine_cursor.c - cursors of streams: records are leased to members of a cursor's group, and acknowledged.
 */
#include <stdio.h>
#include <string.h>

#include "server/engine_in.h"
#include "server/flight.h"

enum {
    RUN_BYTES = 1 << 20,       /* handed out at once */
    GROUP_BYTES_MAX = 3 << 20, /* the same, when its last group is large: it may come in parts, one by one */
    ANSWER_BYTES_THOUGHT = 2048,
    SEEN_EVERY_MS = 30000
};

struct open_cursor {
    struct store_stream st;
    struct store_cursor c;
    struct flight *flight;
    bool is_new, changed;
    bool held_up;     /* there are records, but they wait for what others have */
    enum err refused; /* what is wrong with the request, its sentence set; else the turn is */
};

static enum err open(struct engine *e, const struct engine_request *r, struct open_cursor *o)
{
    const struct engine_cursor *q = &r->u.cursor;
    bool make = q->verb == ENGINE_CURSOR_FETCH;
    struct stream_mem *m;
    if (make) /* whoever reads first may name it */
        TRY(stream_find(e, q->stream, r->user_id, &m));
    if (e->streams_new)
        TRY(engine_flush(e));
    o->flight = arena_alloc(&e->turn, sizeof *o->flight);
    TRY(o->flight ? ERR_OK : ERR_NOMEM);
    enum err err = store_stream_find(e->store, &e->turn, q->stream, &o->st);
    bool found = err == ERR_OK;
    if (found)
        err = store_cursor_get(e->store, &e->turn, o->st.id, q->cursor, &o->c);
    if (err == ERR_OK)
        return flight_read(o->c.flight.data, o->c.flight.len, o->flight);
    if (err != ERR_MISSING)
        return err;
    if (!found || !make) {
        o->refused = err;
        return ERR_OK;
    }
    struct store_cursor *list;
    uint32_t count;
    TRY(store_cursor_list(e->store, &e->turn, o->st.id, "", STREAM_CURSORS_MAX, &list, &count));
    if (count == STREAM_CURSORS_MAX) {
        o->refused = err_set(ERR_LIMIT, "stream %s has %d cursors already: delete one first", q->stream,
                             STREAM_CURSORS_MAX);
        return ERR_OK;
    }
    o->c = (struct store_cursor){
        .stream = o->st.id, .handed = o->st.purged, .seen_ms = e->now_ms, .created_ms = e->now_ms};
    o->is_new = o->changed = true;
    return engine_text(&e->turn, q->cursor, &o->c.name);
}

static enum err save(struct engine *e, struct open_cursor *o)
{
    struct buf BUF_AUTO text = {0};
    if (!o->changed)
        return ERR_OK;
    TRY(flight_write(o->flight, &text));
    struct text flight = {.data = buf_text(&text), .len = (uint32_t)text.len};
    TRY(engine_bytes(&e->turn, &flight, &o->c.flight));
    if (o->is_new)
        store_set_cursor_new(e->set, &o->c);
    else
        store_set_cursor(e->set, &o->c);
    e->streams_new = true;
    return ERR_OK;
}

/* --- handing out --- */

struct measuring { /* how far a run goes: what is of one group stays together */
    uint64_t most; /* not beyond this record */
    uint32_t limit, count;
    size_t bytes;
    uint64_t first, last;
    struct store_record before;
    char group[NAME_BYTES_MAX + 1];
    bool full;
};

static enum err measure_row(void *ctx, const struct store_record *r)
{
    struct measuring *m = ctx;
    bool tied = m->count > 0 && store_record_tied(&m->before, r);
    if (m->full || r->seq > m->most)
        return ERR_OK;
    bool enough = m->count >= m->limit || m->bytes >= RUN_BYTES;
    bool too_many = m->count >= m->limit + ANSWER_ROUTES_MAX || m->bytes >= GROUP_BYTES_MAX;
    if (too_many || (enough && !tied)) {
        m->full = true;
        return ERR_OK;
    }
    if (m->count == 0)
        m->first = r->seq;
    m->last = r->seq;
    m->count++;
    m->bytes += r->body.len + (r->unit && r->body.len == 0 ? ANSWER_BYTES_THOUGHT : 0);
    m->before.unit = r->unit;
    snprintf(m->group, sizeof m->group, "%s", r->group);
    m->before.group = m->group;
    return ERR_OK;
}

/* Records from..most that go out together; count 0: they are purged. */
static enum err measure(struct engine *e, const struct open_cursor *o, uint64_t from, uint64_t most,
                        uint32_t limit, struct measuring *m)
{
    *m = (struct measuring){.most = most, .limit = limit};
    for (uint64_t after = from - 1; !m->full && after < most;) {
        uint32_t ask = m->count == 0 ? limit + 1 : 64, before = m->count;
        TRY(store_record_scan(e->store, o->st.id, after, ask < STORE_PAGE_MAX ? ask : STORE_PAGE_MAX,
                              (struct store_record_rows){.row = measure_row, .ctx = m}));
        if (m->count == before)
            break;
        after = m->last;
    }
    return ERR_OK;
}

struct pair {
    struct store_record first;
    char group[NAME_BYTES_MAX + 1];
    uint32_t count;
    bool tied;
};

static enum err pair_row(void *ctx, const struct store_record *r)
{
    struct pair *p = ctx;
    if (p->count++ == 0) {
        p->first.unit = r->unit;
        snprintf(p->group, sizeof p->group, "%s", r->group);
        p->first.group = p->group;
    } else {
        p->tied = store_record_tied(&p->first, r);
    }
    return ERR_OK;
}

/* A group is handled in order: while another member has the start of it, what follows waits. */
static enum err must_wait(struct engine *e, const struct open_cursor *o, uint64_t first, const char *member,
                          bool *ret)
{
    const struct flight_run *before = flight_before(o->flight, first);
    struct pair p = {0};
    *ret = false;
    if (!before || strcmp(before->member, member) == 0)
        return ERR_OK;
    TRY(store_record_scan(e->store, o->st.id, first - 2, 2,
                          (struct store_record_rows){.row = pair_row, .ctx = &p}));
    *ret = p.tied;
    return ERR_OK;
}

/* The first run whose time is over and that need not wait for another; NULL: none. */
static enum err find_due(struct engine *e, struct open_cursor *o, const struct engine_cursor *q,
                         struct flight_run **ret)
{
    *ret = NULL;
    for (uint32_t i = 0; i < o->flight->count; i++) {
        struct flight_run *run = &o->flight->runs[i];
        bool waits;
        if (run->until_ms > e->now_ms)
            continue;
        TRY(must_wait(e, o, run->first, q->member, &waits));
        if (!waits) {
            *ret = run;
            return ERR_OK;
        }
        o->held_up = true;
    }
    return ERR_OK;
}

static enum err hand_again(struct engine *e, struct open_cursor *o, struct engine_cursor *q,
                           struct flight_run *run)
{
    struct measuring m;
    uint64_t lost;
    TRY(measure(e, o, run->first, run->last, q->limit, &m));
    if (m.count == 0) /* purged meanwhile: after a rewind */
        return flight_ack(o->flight, NULL, run->first, run->last, &lost);
    if (flight_again(o->flight, run, m.last, q->member, q->ret_until_ms) != ERR_OK) {
        o->held_up = true; /* by too many runs */
        return ERR_OK;
    }
    o->c.redelivered += m.count;
    q->ret_first = run->first;
    q->ret_last = m.last;
    q->ret_times = run->times;
    return ERR_OK;
}

static enum err hand_new(struct engine *e, struct open_cursor *o, struct engine_cursor *q)
{
    struct measuring m;
    bool waits;
    if (o->c.handed < o->st.purged)
        o->c.handed = o->st.purged;
    if (o->c.handed >= o->st.last)
        return ERR_OK;
    TRY(must_wait(e, o, o->c.handed + 1, q->member, &waits));
    if (waits || flight_records(o->flight) + q->limit > STREAM_FLIGHT_MAX) {
        o->held_up = true;
        return ERR_OK;
    }
    TRY(measure(e, o, o->c.handed + 1, o->st.last, q->limit, &m));
    if (m.count == 0)
        return ERR_OK;
    struct flight_run run = {.first = m.first, .last = m.last, .until_ms = q->ret_until_ms, .times = 1};
    snprintf(run.member, sizeof run.member, "%s", q->member);
    if (flight_add(o->flight, &run) != ERR_OK) {
        o->held_up = true;
        return ERR_OK;
    }
    o->c.handed = m.last;
    q->ret_first = m.first;
    q->ret_last = m.last;
    q->ret_times = 1;
    return ERR_OK;
}

static enum err fetch(struct engine *e, struct open_cursor *o, struct engine_cursor *q)
{
    q->ret_stream = o->st.id;
    q->ret_first = q->ret_last = 0;
    q->ret_until_ms = e->now_ms + q->lease_ms;
    if (o->st.paused) {
        q->ret_look_ms = INT64_MAX;
        return ERR_OK;
    }
    struct flight_run *due;
    TRY(find_due(e, o, q, &due));
    if (due)
        TRY(hand_again(e, o, q, due));
    if (q->ret_last == 0)
        TRY(hand_new(e, o, q));
    o->held_up = o->held_up && q->ret_last == 0;
    q->ret_look_ms = flight_next_ms(o->flight, e->now_ms);
    if (q->ret_last != 0 || due || e->now_ms - o->c.seen_ms >= SEEN_EVERY_MS) {
        o->changed = true;
        o->c.seen_ms = e->now_ms;
    }
    return ERR_OK;
}

/* --- the rest --- */

/* Whatever is wrong is the request's. */
static enum err ack(const struct engine *e, struct open_cursor *o, struct engine_cursor *q)
{
    uint64_t count;
    q->ret_count = 0;
    if (q->last)
        TRY(flight_ack(o->flight, q->member, q->first, q->last, &q->ret_count));
    for (uint32_t i = 0; i < q->seq_count; i++) {
        TRY(flight_ack(o->flight, NULL, q->seqs[i], q->seqs[i], &count));
        q->ret_count += count;
    }
    for (uint32_t i = 0; i < q->back_count; i++)
        TRY(flight_back(o->flight, q->backs[i], e->now_ms + q->back_ms));
    for (uint32_t i = 0; i < q->renew_count; i++)
        flight_renew(o->flight, q->member, q->renews[i].first, q->renews[i].last, e->now_ms + q->renew_ms);
    if (q->release)
        flight_renew(o->flight, q->member, 0, UINT64_MAX, 0);
    o->c.seen_ms = e->now_ms;
    o->changed = true;
    return ERR_OK;
}

/* The members' leases are forgotten: what they hold is handed out again, or is not wanted. Errors as above.
 */
static enum err rewind_to(struct open_cursor *o, const struct engine_cursor *q)
{
    if (o->c.batch)
        return err_set(ERR_CONFLICT, "cursor %s feeds batch %u: its records would become units twice",
                       o->c.name, o->c.batch);
    if (q->seq > o->st.last)
        return err_set(ERR_INVALID, "stream %s ends at record %llu", q->stream,
                       (unsigned long long)o->st.last);
    o->c.handed = q->seq > o->st.purged ? q->seq : o->st.purged;
    o->flight->count = 0;
    o->changed = true;
    return ERR_OK;
}

static enum err drop(struct engine *e, const struct open_cursor *o)
{
    const char *name;
    TRY(engine_text(&e->turn, o->c.name, &name));
    store_set_cursor_end(e->set, o->st.id, name);
    e->streams_new = true;
    return ERR_OK;
}

static enum err do_verb(struct engine *e, struct open_cursor *o, struct engine_cursor *q)
{
    switch (q->verb) {
    case ENGINE_CURSOR_FETCH:
        return fetch(e, o, q);
    case ENGINE_CURSOR_ACK:
        o->refused = ack(e, o, q);
        return ERR_OK;
    case ENGINE_CURSOR_REWIND:
        o->refused = rewind_to(o, q);
        return ERR_OK;
    case ENGINE_CURSOR_DELETE:
        return drop(e, o);
    case ENGINE_CURSOR_VERBS:
        break;
    }
    return err_set(ERR_INVALID, "this cannot be done with a cursor");
}

/* Whoever was given nothing waits, and must be told when another has acknowledged. Forgetting it is no harm:
 * he looks again when the other's lease ends. */
static void hold_up(struct engine *e, uint64_t stream)
{
    for (uint32_t i = 0; i < HELD_UP_MAX; i++)
        if (e->held_up[i] == stream)
            return;
    e->held_up[e->held_up_next++ % HELD_UP_MAX] = stream;
}

static bool let_go(struct engine *e, uint64_t stream)
{
    for (uint32_t i = 0; i < HELD_UP_MAX; i++)
        if (e->held_up[i] == stream) {
            e->held_up[i] = 0;
            return true;
        }
    return false;
}

enum err on_cursor(struct engine *e, struct engine_request *r)
{
    struct engine_cursor *q = &r->u.cursor;
    struct open_cursor o = {0};
    TRY(open(e, r, &o));
    if (o.refused == ERR_OK)
        TRY(do_verb(e, &o, q));
    if (o.refused != ERR_OK) {
        engine_fail(r, o.refused);
        return ERR_OK;
    }
    if (q->verb == ENGINE_CURSOR_REWIND || q->verb == ENGINE_CURSOR_DELETE)
        engine_audit(e, r, q->verb == ENGINE_CURSOR_REWIND ? "cursor.rewind" : "cursor.delete", o.st.id);
    if (o.held_up)
        hold_up(e, o.st.id);
    if (q->verb == ENGINE_CURSOR_REWIND || q->release || q->back_count ||
        (q->verb == ENGINE_CURSOR_ACK &&
         (let_go(e, o.st.id) || !e->view.alone))) /* he may wait at another server */
        TRY(stream_tell(e, &o.st));
    return q->verb == ENGINE_CURSOR_DELETE ? ERR_OK : save(e, &o);
}

enum err cursor_feed(struct engine *e, const struct engine_units *q, bool *ret_moved)
{
    struct store_cursor *c;
    uint32_t count;
    *ret_moved = false;
    if (e->streams_new)
        TRY(engine_flush(e));
    TRY(store_cursor_feeding(e->store, &e->turn, q->batch - 1, 1, &c, &count));
    if (count == 0 || c->batch != q->batch || c->stream != q->feed_stream || c->handed != q->feed_after)
        return ERR_OK;
    c->handed = q->feed_upto;
    c->seen_ms = e->now_ms;
    store_set_cursor(e->set, c);
    e->streams_new = true;
    *ret_moved = true;
    return ERR_OK;
}
