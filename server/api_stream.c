/* api_stream.c - streams for people: lists with their cursors, publishing, pause, delete, rewind,
 * acknowledge. */
#include "server/api_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/flight.h"
#include "server/try.h"

enum { STREAM_METRICS_MAX = 200 };

enum err stream_of_call(struct call *c, struct store_stream *ret)
{
    TRY(store_stream_find(c->store, &c->http->arena, c->params[0], ret));
    if (c->who.role == ROLE_SCIENTIST && ret->user_id != c->who.id)
        return err_set(ERR_MISSING, "you have no stream %.64s: the one of that name is somebody else's",
                       c->params[0]);
    return ERR_OK;
}

enum err stream_to_change(struct call *c, struct store_stream *ret)
{
    return stream_of_call(c, ret); /* the routes let nobody in who may only look */
}

/* --- lists --- */

struct cursor_facts {
    uint64_t acked, depth, in_flight;
    int64_t oldest_ms; /* when the first record that is not acknowledged came; 0: none */
};

static enum err look_at(struct call *c, const struct store_stream *st, const struct store_cursor *k,
                        struct cursor_facts *ret)
{
    struct flight *f = arena_alloc(&c->http->arena, sizeof *f);
    struct store_record *oldest;
    uint32_t count;
    TRY(f ? ERR_OK : ERR_NOMEM);
    TRY(flight_read(k->flight.data, k->flight.len, f));
    ret->acked = flight_acked(f, k->handed);
    ret->in_flight = flight_records(f);
    uint64_t waits = k->handed > st->purged ? k->handed : st->purged;
    ret->depth = (st->last > waits ? st->last - waits : 0) + ret->in_flight;
    ret->oldest_ms = 0;
    if (ret->depth == 0)
        return ERR_OK;
    TRY(store_record_list(c->store, &c->http->arena, st->id, ret->acked, 1, &oldest, &count));
    ret->oldest_ms = count ? oldest->at_ms : 0;
    return ERR_OK;
}

static void stream_write(struct json_out *o, const struct store_stream *st)
{
    json_out_string(o, "stream", st->name);
    json_out_bool(o, "paused", st->paused);
    json_out_u64(o, "records", st->last - st->purged);
    json_out_u64(o, "first", st->purged + 1);
    json_out_u64(o, "last", st->last);
}

static enum err cursor_write(struct call *c, struct json_out *o, const struct store_stream *st,
                             const struct store_cursor *k)
{
    struct cursor_facts f;
    TRY(look_at(c, st, k, &f));
    json_out_string(o, "cursor", k->name);
    if (k->batch)
        api_id(o, "batch", k->batch);
    json_out_u64(o, "acknowledged", f.acked);
    json_out_u64(o, "depth", f.depth);
    json_out_u64(o, "in_flight", f.in_flight);
    json_out_u64(o, "redelivered", k->redelivered);
    if (f.oldest_ms)
        json_out_i64(o, "oldest_ms", f.oldest_ms);
    if (f.oldest_ms)
        json_out_i64(o, "age_ms", clock_wall_ms() > f.oldest_ms ? clock_wall_ms() - f.oldest_ms : 0);
    json_out_i64(o, "seen_ms", k->seen_ms);
    return ERR_OK;
}

static enum err cursors_of(struct call *c, const struct store_stream *st, struct store_cursor **ret,
                           uint32_t *ret_count)
{
    return store_cursor_list(c->store, &c->http->arena, st->id, "", STREAM_CURSORS_MAX, ret, ret_count);
}

/* One item for each cursor, or one for a stream that has none. */
static enum err items_write(struct call *c, struct json_out *o, const struct store_stream *st, bool cursors)
{
    struct store_cursor *list = NULL;
    uint32_t count = 0;
    if (cursors)
        TRY(cursors_of(c, st, &list, &count));
    for (uint32_t i = 0; i < count || (i == 0 && count == 0); i++) {
        json_out_object(o, NULL);
        stream_write(o, st);
        api_id(o, "user", st->user_id);
        api_user_name(c, o, "user_name", st->user_id);
        json_out_i64(o, "created_ms", st->created_ms);
        if (count > 0)
            TRY(cursor_write(c, o, st, &list[i]));
        json_out_close(o);
    }
    return ERR_OK;
}

static bool may_list(const struct call *c, const struct store_stream *st)
{
    return st->name[0] && (c->who.role != ROLE_SCIENTIST || st->user_id == c->who.id);
}

enum err api_streams(struct call *c)
{
    struct store_stream *list;
    uint32_t limit, count, i;
    uint64_t after;
    bool cursors = false;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    const char *wanted = http_query(c->http, "cursors");
    TRY(api_page(c, &limit, &after));
    if (wanted)
        TRY(err_prefix(str_to_bool(wanted, &cursors), "?cursors="));
    TRY(store_stream_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (i = 0; i < count; i++)
        if (may_list(c, &list[i]))
            TRY(items_write(c, &o, &list[i], cursors));
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err reply_stream(struct call *c)
{
    struct store_stream st;
    struct store_cursor *list;
    uint32_t count;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(stream_of_call(c, &st));
    TRY(cursors_of(c, &st, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    stream_write(&o, &st);
    json_out_array(&o, "cursors");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        TRY(cursor_write(c, &o, &st, &list[i]));
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_stream_get(struct call *c)
{
    return reply_stream(c);
}

/* --- publishing --- */

static enum err check_record(const struct text *t)
{
    if (t->len > RECORD_BYTES_MAX)
        return err_set(ERR_LIMIT, "a record has at most %u bytes: publish a reference to a file instead",
                       RECORD_BYTES_MAX);
    if (!str_is_utf8(t->data, t->len) || memchr(t->data, '\0', t->len))
        return err_set(ERR_INVALID, "a record must be UTF-8 text");
    return ERR_OK;
}

static bool is_visible(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return len > 0 && len <= NAME_BYTES_MAX;
}

static enum err first_word(struct call *c, const struct text *line, const char **ret)
{
    size_t len = 0;
    while (len < line->len && line->data[len] != ' ' && line->data[len] != '\t')
        len++;
    const char *word = arena_bytes(&c->http->arena, line->data, len);
    TRY(word ? ERR_OK : ERR_NOMEM);
    if (!is_visible(word))
        return err_set(ERR_INVALID, "its first word must be 1 to %d visible characters", NAME_BYTES_MAX);
    *ret = word;
    return ERR_OK;
}

static enum err take_lines(struct call *c, struct engine_publish *q)
{
    const char *at = buf_text(&c->http->body), *end = at + c->http->body.len;
    struct text *bodies = arena_array(&c->http->arena, RECORDS_PER_REQUEST_MAX, sizeof *bodies);
    const char **groups = arena_array(&c->http->arena, RECORDS_PER_REQUEST_MAX, sizeof *groups);
    const char *by = http_query(c->http, "group_by");
    TRY(bodies && groups ? ERR_OK : ERR_NOMEM);
    if (by && !str_eq(by, "word"))
        return err_set(ERR_INVALID, "?group_by= can be word: the first word of a record is its group");
    for (uint32_t n = 1; at < end; n++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct text line = {at, (uint32_t)((newline ? newline : end) - at)};
        at += line.len + 1;
        if (line.len == 0)
            continue;
        if (q->count == RECORDS_PER_REQUEST_MAX)
            return err_set(ERR_LIMIT, "a request takes %d records at most: send the rest in another",
                           RECORDS_PER_REQUEST_MAX);
        TRY(err_prefix(check_record(&line), "line %u", n));
        if (by)
            TRY(err_prefix(first_word(c, &line, &groups[q->count]), "line %u", n));
        bodies[q->count++] = line;
    }
    q->bodies = bodies;
    q->groups = by ? groups : NULL;
    return ERR_OK;
}

static enum err take_one(struct call *c, struct engine_publish *q)
{
    struct text *body = arena_alloc(&c->http->arena, sizeof *body);
    TRY(body ? ERR_OK : ERR_NOMEM);
    *body = (struct text){buf_text(&c->http->body), (uint32_t)c->http->body.len};
    if (body->len > 0 && body->data[body->len - 1] == '\n')
        body->len--;
    q->bodies = body;
    q->count = body->len > 0;
    return check_record(body);
}

static enum err check_name(const char *name)
{
    if (str_is_name(name))
        return ERR_OK;
    return err_set(ERR_INVALID,
                   "\"%.80s\" is no name: small letters, digits, dots, dashes and underlines, %d at most",
                   name, NAME_BYTES_MAX);
}

enum err api_stream_publish(struct call *c)
{
    struct engine_publish *q = &c->request.u.publish;
    const char *type = http_header(c->http, "Content-Type"), *group = http_query(c->http, "group");
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(check_name(c->params[0]));
    if (group && !is_visible(group))
        return err_set(ERR_INVALID, "?group= must be 1 to %d visible characters", NAME_BYTES_MAX);
    *q = (struct engine_publish){.stream = c->params[0], .group = group ? group : ""};
    TRY(type && strcasestr(type, "ndjson") ? take_lines(c, q) : take_one(c, q));
    if (q->count == 0)
        return err_set(ERR_INVALID, "there is nothing to publish: the body is empty");
    TRY(blobs_room(c->server->blobs, c->http->body.len)); /* the database is on the same disk */
    c->request.kind = ENGINE_PUBLISH;
    TRY(call_idempotent(c));
    TRY(call_engine(c));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "stream", c->params[0]);
    json_out_u64(&o, "first", q->ret_last - q->count + 1);
    json_out_u64(&o, "last", q->ret_last);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, c->request.replayed ? 200 : 201, &body);
}

/* --- steering --- */

static enum err do_stream(struct call *c, enum engine_stream_verb verb)
{
    struct store_stream st;
    TRY(stream_to_change(c, &st));
    c->request.kind = ENGINE_STREAM;
    c->request.u.stream = (struct engine_stream){.verb = verb, .name = c->params[0]};
    TRY(call_engine(c));
    if (verb != ENGINE_STREAM_DELETE)
        return reply_stream(c);
    struct buf none = {0};
    return call_reply(c, 204, &none);
}

enum err api_stream_pause(struct call *c)
{
    return do_stream(c, ENGINE_STREAM_PAUSE);
}

enum err api_stream_resume(struct call *c)
{
    return do_stream(c, ENGINE_STREAM_RESUME);
}

enum err api_stream_delete(struct call *c)
{
    return do_stream(c, ENGINE_STREAM_DELETE);
}

/* --- cursors --- */

static enum err begin_cursor(struct call *c, enum engine_cursor_verb verb, struct engine_cursor **ret)
{
    struct store_stream st;
    TRY(stream_to_change(c, &st));
    c->request.kind = ENGINE_CURSOR;
    c->request.u.cursor =
        (struct engine_cursor){.verb = verb, .stream = c->params[0], .cursor = c->params[1]};
    *ret = &c->request.u.cursor;
    return ERR_OK;
}

static enum err read_seqs(struct call *c, const struct json *root, const char *field, const uint64_t **ret,
                          uint32_t *ret_count)
{
    const struct json *list;
    TRY(json_opt_array(root, "", field, RECORDS_PER_REQUEST_MAX, &list));
    if (!list)
        return ERR_OK;
    uint64_t *seqs = arena_array(&c->http->arena, json_count(list) + 1, sizeof *seqs);
    TRY(seqs ? ERR_OK : ERR_NOMEM);
    for (size_t i = 0; i < json_count(list); i++) {
        int64_t seq = json_int(json_at(list, i), 0);
        if (seq <= 0)
            return err_set(ERR_INVALID, "%s[%zu] must be the number of a record", field, i);
        seqs[i] = (uint64_t)seq;
    }
    *ret = seqs;
    *ret_count = (uint32_t)json_count(list);
    return ERR_OK;
}

static enum err read_spans(struct call *c, const struct json *root, struct engine_cursor *q)
{
    const struct json *list;
    TRY(json_opt_array(root, "", "renew", RECORDS_PER_REQUEST_MAX, &list));
    if (!list)
        return ERR_OK;
    struct engine_span *spans = arena_array(&c->http->arena, json_count(list) + 1, sizeof *spans);
    TRY(spans ? ERR_OK : ERR_NOMEM);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *pair = json_at(list, i);
        bool is_pair = json_kind(pair) == JSON_IS_ARRAY && json_count(pair) == 2;
        int64_t first = is_pair ? json_int(json_at(pair, 0), 0) : 0,
                last = is_pair ? json_int(json_at(pair, 1), 0) : 0;
        if (first <= 0 || last < first)
            return err_set(ERR_INVALID, "renew[%zu] must be [FIRST, LAST], numbers of records", i);
        spans[i] = (struct engine_span){(uint64_t)first, (uint64_t)last};
    }
    q->renews = spans;
    q->renew_count = (uint32_t)json_count(list);
    return ERR_OK;
}

enum err api_cursor_member(struct call *c, const char *given, const char **ret)
{
    char text[32];
    if (given && !is_visible(given))
        return err_set(ERR_INVALID, "member must be 1 to %d visible characters", NAME_BYTES_MAX);
    snprintf(text, sizeof text, "t%" PRIu64, c->who.token_id);
    *ret = given ? given : arena_text(&c->http->arena, text);
    return *ret ? ERR_OK : ERR_NOMEM;
}

enum err api_cursor_ack(struct call *c)
{
    static const char *const fields[] = {"member", "first", "last",    "seqs",   "back",
                                         "back_s", "renew", "renew_s", "release"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct engine_cursor *q;
    const char *member;
    int64_t first, last, renew_s, back_s;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(begin_cursor(c, ENGINE_CURSOR_ACK, &q));
    TRY(api_body(c, &doc));
    const struct json *root = json_root(doc);
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    TRY(json_opt_string(root, "", "member", NAME_BYTES_MAX, NULL, &member));
    TRY(api_cursor_member(c, member, &q->member));
    TRY(json_opt_i64(root, "", "first", 1, INT64_MAX, 0, &first));
    TRY(json_opt_i64(root, "", "last", 1, INT64_MAX, 0, &last));
    if (!first != !last || first > last)
        return err_set(ERR_INVALID, "first and last must be given together, first not after last");
    TRY(json_opt_i64(root, "", "renew_s", 1, STREAM_LEASE_S_MAX, 0, &renew_s));
    TRY(json_opt_bool(root, "", "release", false, &q->release));
    TRY(json_opt_i64(root, "", "back_s", 0, STREAM_LEASE_S_MAX, 0, &back_s));
    TRY(read_seqs(c, root, "seqs", &q->seqs, &q->seq_count));
    TRY(read_seqs(c, root, "back", &q->backs, &q->back_count));
    TRY(read_spans(c, root, q));
    q->back_ms = back_s * 1000;
    q->first = (uint64_t)first;
    q->last = (uint64_t)last;
    if (q->renew_count && !renew_s)
        return err_set(ERR_INVALID, "renew needs renew_s: how much longer");
    q->renew_ms = renew_s * 1000;
    TRY(call_engine(c));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_u64(&o, "acknowledged", q->ret_count);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_cursor_rewind(struct call *c)
{
    static const char *const fields[] = {"seq"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct engine_cursor *q;
    int64_t seq;
    TRY(begin_cursor(c, ENGINE_CURSOR_REWIND, &q));
    TRY(api_body(c, &doc));
    TRY(json_only(json_root(doc), "", fields, 1));
    TRY(json_opt_i64(json_root(doc), "", "seq", 0, INT64_MAX, 0, &seq));
    q->seq = (uint64_t)seq;
    TRY(call_engine(c));
    return reply_stream(c);
}

enum err api_cursor_delete(struct call *c)
{
    struct engine_cursor *q;
    struct buf none = {0};
    TRY(begin_cursor(c, ENGINE_CURSOR_DELETE, &q));
    TRY(call_engine(c));
    return call_reply(c, 204, &none);
}

/* --- metrics --- */

static enum err print_cursor(struct call *c, const struct store_stream *st, const struct store_cursor *k,
                             struct buf *out)
{
    struct cursor_facts f;
    TRY(look_at(c, st, k, &f));
    double age_s = f.oldest_ms ? (double)(clock_wall_ms() - f.oldest_ms) / 1000 : 0;
    TRY(buf_printf(out, "dugnad_stream_depth{stream=\"%s\",cursor=\"%s\"} %" PRIu64 "\n", st->name, k->name,
                   f.depth));
    TRY(buf_printf(out, "dugnad_stream_in_flight{stream=\"%s\",cursor=\"%s\"} %" PRIu64 "\n", st->name,
                   k->name, f.in_flight));
    TRY(buf_printf(out, "dugnad_stream_redelivered_total{stream=\"%s\",cursor=\"%s\"} %" PRIu64 "\n",
                   st->name, k->name, k->redelivered));
    return buf_printf(out, "dugnad_stream_oldest_seconds{stream=\"%s\",cursor=\"%s\"} %.3f\n", st->name,
                      k->name, age_s > 0 ? age_s : 0);
}

enum err streams_write(struct call *c, struct json_out *o)
{
    struct store_stream *list;
    uint32_t count;
    TRY(store_stream_list(c->store, &c->http->arena, 0, STREAM_METRICS_MAX, &list, &count));
    json_out_array(o, "streams");
    for (uint32_t i = 0; i < count; i++)
        if (may_list(c, &list[i]))
            TRY(items_write(c, o, &list[i], true));
    json_out_close(o);
    return ERR_OK;
}

enum err streams_print(struct call *c, struct buf *out)
{
    struct store_stream *list;
    struct store_cursor *cursors;
    uint32_t count, n, left = STREAM_METRICS_MAX;
    TRY(store_stream_list(c->store, &c->http->arena, 0, STREAM_METRICS_MAX, &list, &count));
    if (count > 0)
        TRY(buf_add_text(
            out,
            "# HELP dugnad_stream_records_total Records ever put into a stream; the others of a stream are "
            "of its cursors.\n# TYPE dugnad_stream_records_total counter\n"));
    for (uint32_t i = 0; i < count; i++) {
        if (!list[i].name[0])
            continue;
        TRY(buf_printf(out, "dugnad_stream_records_total{stream=\"%s\"} %" PRIu64 "\n", list[i].name,
                       list[i].last));
        TRY(cursors_of(c, &list[i], &cursors, &n));
        for (uint32_t k = 0; k < n && left > 0; k++, left--)
            TRY(print_cursor(c, &list[i], &cursors[k], out));
    }
    return ERR_OK;
}
