/* api_record.c - reading a stream: a page after a number, what a cursor leases, or events as they come. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api_stream.h"
#include "server/store_load.h"
#include "server/tail.h"
#include "server/try.h"

enum {
    WAIT_S_MAX = 60,
    LEASE_S_DEFAULT = 30,
    PAGE_DEFAULT = 100,
    REPLY_BYTES_MAX = 4 << 20,
    SHARED_LOOK_MS = 1000
};

/* --- one record --- */

static enum err vars_write(struct call *c, struct json_out *o, const struct store_record *r)
{
    struct store_unit u;
    JSON_AUTO struct json_doc *spec = NULL;
    enum err e = store_unit_get(c->store, &c->http->arena, r->unit, &u);
    if (e == ERR_MISSING)
        return ERR_OK;
    TRY(e);
    TRY(json_parse(u.spec.data, u.spec.len, WU_SPEC_BYTES_MAX, &spec));
    json_out_value(o, "vars", json_field(json_root(spec), "vars"));
    return ERR_OK;
}

static enum err answer_write(struct call *c, struct json_out *o, const struct store_record *r, bool data)
{
    char unit[ID_TEXT_BYTES];
    wu_id_text(r->unit, unit);
    json_out_string(o, "unit", unit);
    digest_write(o, "answer", &r->answer);
    if (r->body.len > 0)
        return ERR_OK;
    TRY(vars_write(c, o, r));
    return api_outputs_write(c, o, r->unit, &r->answer, data);
}

enum err record_write(struct call *c, struct json_out *o, const struct store_record *r, uint32_t times,
                      bool data)
{
    json_out_object(o, NULL);
    json_out_u64(o, "seq", r->seq);
    json_out_i64(o, "at_ms", r->at_ms);
    if (times)
        json_out_i64(o, "times", times);
    if (r->group[0])
        json_out_string(o, "group", r->group);
    if (r->unit)
        TRY(answer_write(c, o, r, data));
    if (r->body.len > 0)
        json_out_string_len(o, "body", r->body.data, r->body.len);
    json_out_close(o);
    return ERR_OK;
}

/* --- pages --- */

struct reading {
    uint64_t after, limit;
    int64_t until_ms, lease_ms;
    const char *cursor, *member; /* NULL: no cursor's */
    struct store_stream st;
};

/* A cursor's records all come, so that none is leased without being seen. */
static enum err reply_records(struct call *c, const struct reading *r, uint32_t times,
                              const struct store_record *list, uint32_t count)
{
    struct json_out o;
    BUF_AUTO struct buf body = {.bytes_max = 64 << 20};
    uint64_t next = r->after;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count && (times || body.len < REPLY_BYTES_MAX); i++) {
        TRY(record_write(c, &o, &list[i], times, true));
        next = list[i].seq;
    }
    json_out_close(&o);
    json_out_u64(&o, "next", next);
    json_out_u64(&o, "last", r->st.last);
    if (times)
        json_out_i64(&o, "until_ms", c->request.u.cursor.ret_until_ms);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static bool waits(struct call *c, uint64_t stream, uint64_t seen, int64_t until_ms)
{
    struct server *s = c->server;
    if (store_shared(c->store) && until_ms > clock_mono_ms() + SHARED_LOOK_MS)
        until_ms = clock_mono_ms() + SHARED_LOOK_MS; /* another server tells nobody here */
    return clock_mono_ms() < until_ms && !atomic_load(&s->stopping) &&
           waiters_add(s->waiters, &c->job, stream_waiter(stream), seen, until_ms) == ERR_OK;
}

static enum err look(struct call *c)
{
    struct reading *r = c->work;
    struct store_record *list;
    uint32_t count;
    uint64_t seen = waiters_count(c->server->waiters);
    TRY(stream_of_call(c, &r->st));
    TRY(store_record_list(c->store, &c->http->arena, r->st.id, r->after, (uint32_t)r->limit, &list, &count));
    if (count == 0 && waits(c, r->st.id, seen, r->until_ms))
        return ERR_OK;
    return reply_records(c, r, 0, list, count);
}

/* --- cursors --- */

static enum err read_leased(struct call *c, const struct engine_cursor *q, struct store_record **ret,
                            uint32_t *ret_count)
{
    uint32_t count = (uint32_t)(q->ret_last - q->ret_first + 1), got = 0;
    struct store_record *all = arena_array(&c->http->arena, count, sizeof *all), *page;
    TRY(all ? ERR_OK : ERR_NOMEM);
    for (uint64_t after = q->ret_first - 1; got < count;) {
        uint32_t n;
        TRY(store_record_list(c->store, &c->http->arena, q->ret_stream, after, count - got, &page, &n));
        if (n == 0)
            break;
        memcpy(all + got, page, n * sizeof *all);
        got += n;
        after = page[n - 1].seq;
    }
    *ret = all;
    *ret_count = got;
    return ERR_OK;
}

static enum err lease(struct call *c)
{
    struct reading *r = c->work;
    struct engine_cursor *q = &c->request.u.cursor;
    struct store_record *list = NULL;
    uint32_t count = 0;
    uint64_t seen = waiters_count(c->server->waiters);
    c->request.kind = ENGINE_CURSOR;
    *q = (struct engine_cursor){.verb = ENGINE_CURSOR_FETCH,
                                .stream = c->params[0],
                                .cursor = r->cursor,
                                .member = r->member,
                                .limit = (uint32_t)r->limit,
                                .lease_ms = r->lease_ms};
    TRY(call_engine(c));
    if (q->ret_last > 0)
        TRY(read_leased(c, q, &list, &count));
    int64_t look_ms = r->until_ms;
    if (q->ret_look_ms != INT64_MAX) { /* a lease of another may end before */
        int64_t in_ms = q->ret_look_ms - clock_wall_ms() + 1;
        int64_t at_ms = clock_mono_ms() + (in_ms > 10 ? in_ms : 10);
        look_ms = at_ms < look_ms ? at_ms : look_ms;
    }
    if (count == 0 && waits(c, q->ret_stream, seen, look_ms))
        return ERR_OK;
    return reply_records(c, r, q->ret_times ? q->ret_times : 1, list, count);
}

static enum err begin_lease(struct call *c, struct reading *r)
{
    uint64_t lease_s;
    struct store_stream st;
    if (c->who.role < ROLE_SCIENTIST)
        return err_set(ERR_DENIED, "a cursor takes records away from others: that needs a scientist's token");
    if (c->who.by_cookie)
        return err_set(ERR_DENIED, "a page reads with ?after=: cursors are for programs with a token");
    if (!str_is_name(r->cursor) || !str_is_name(c->params[0]))
        return err_set(ERR_INVALID, "streams and cursors have names of small letters, digits, . - and _");
    enum err e = stream_of_call(c, &st);
    if (e != ERR_OK && store_stream_find(c->store, &c->http->arena, c->params[0], &st) != ERR_MISSING)
        TRY(stream_of_call(c, &st)); /* somebody else's, or made just now; one that is not there is made */
    TRY(call_number(c, "lease", LEASE_S_DEFAULT, STREAM_LEASE_S_MAX, &lease_s));
    r->lease_ms = (int64_t)(lease_s ? lease_s : 1) * 1000;
    TRY(api_cursor_member(c, http_query(c->http, "member"), &r->member));
    c->then = lease;
    return lease(c);
}

/* --- events --- */

static enum err follow(struct call *c, struct reading *r)
{
    const char *last = http_header(c->http, "Last-Event-ID");
    TRY(stream_of_call(c, &r->st));
    if (last)
        TRY(err_prefix(str_to_u64(last, INT64_MAX, &r->after), "Last-Event-ID"));
    return tails_add(c->server->tails, c->http, r->st.id, r->after);
}

enum err api_stream_records(struct call *c)
{
    struct reading *r = arena_alloc(&c->http->arena, sizeof *r);
    const char *accept = http_header(c->http, "Accept");
    uint64_t wait_s;
    TRY(r ? ERR_OK : ERR_NOMEM);
    c->work = r;
    r->cursor = http_query(c->http, "cursor");
    TRY(call_number(c, "after", 0, INT64_MAX, &r->after));
    TRY(call_number(c, "limit", PAGE_DEFAULT, RECORDS_PER_REQUEST_MAX, &r->limit));
    TRY(call_number(c, "wait", 0, WAIT_S_MAX, &wait_s));
    if (r->limit == 0)
        return err_set(ERR_INVALID, "?limit= must be from 1 to %d", RECORDS_PER_REQUEST_MAX);
    r->until_ms = clock_mono_ms() + (int64_t)wait_s * 1000;
    if (r->cursor)
        return begin_lease(c, r);
    if (accept && strstr(accept, "text/event-stream"))
        return follow(c, r);
    c->then = look;
    return look(c);
}
