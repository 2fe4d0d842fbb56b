#include "server/store_stream.h"

#include <string.h>

#include "base/str.h"
#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_NAMED(N, n, k)  NAMED_##N,
#define NUMBER_RECORD(N, n, k) RECORD_##N,
#define NUMBER_CURSOR(N, n, k) CURSOR_##N,

bool store_record_tied(const struct store_record *a, const struct store_record *b)
{
    if (a->unit != b->unit)
        return false;
    return a->unit != 0 || (a->group[0] && str_eq(a->group, b->group));
}

/* --- reading --- */

static void fill_stream(struct row_in *r, void *item)
{
    *(struct store_stream *)item = (struct store_stream){
        .id = row_u64(r, NAMED_ID),
        .name = row_text(r, NAMED_NAME),
        .user_id = row_u64(r, NAMED_USER),
        .paused = row_bool(r, NAMED_PAUSED),
        .created_ms = row_int(r, NAMED_CREATED),
        .last = row_u64(r, NAMED_LAST),
        .purged = row_u64(r, NAMED_PURGED),
    };
}

enum err store_stream_find(struct store *s, struct arena *a, const char *name, struct store_stream *ret)
{
    static const struct db_fetch fetch = {
        &schema_named, NAMED_COLUMN_COUNT, {NAMED_COLUMNS(NUMBER_NAMED)}, .index = NAMED_BY_NAME};
    struct db_value key = db_text(name);
    enum err e = collect_one(s, a, &fetch, &key, fill_stream, ret, "stream", 0);
    return e == ERR_MISSING
               ? err_set(
                     e,
                     "there is no stream %.64s: dugnad streams lists yours, and the first record makes one",
                     name)
               : e;
}

enum err store_stream_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                           struct store_stream **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_named, NAMED_COLUMN_COUNT, {NAMED_COLUMNS(NUMBER_NAMED)},
                                        DB_BY_KEY,     .equal = 0,         .after = true};
    struct db_value from = db_int((int64_t)after);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_stream};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static const struct db_scan scan_records = {
    &schema_record, RECORD_COLUMN_COUNT, {RECORD_COLUMNS(NUMBER_RECORD)},
    DB_BY_KEY,      .equal = 1,          .after = true};

static void fill_record(struct row_in *r, void *item)
{
    *(struct store_record *)item = (struct store_record){
        .stream = row_u64(r, RECORD_STREAM),
        .seq = row_u64(r, RECORD_SEQ),
        .unit = row_u64(r, RECORD_UNIT),
        .answer = row_digest(r, RECORD_ANSWER),
        .group = row_text(r, RECORD_GROUP),
        .body = row_bytes(r, RECORD_BODY),
        .at_ms = row_int(r, RECORD_AT),
    };
}

enum err store_record_list(struct store *s, struct arena *a, uint64_t stream, uint64_t after_seq,
                           uint32_t limit, struct store_record **ret, uint32_t *ret_count)
{
    struct db_value args[] = {db_int((int64_t)stream), db_int((int64_t)after_seq)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_record};
    TRY(collect_scan(s, &scan_records, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static struct text still(const struct db_value *v)
{
    bool has = v->kind == DB_TEXT || v->kind == DB_BLOB;
    return (struct text){.data = has ? v->as.p : "", .len = has ? v->len : 0};
}

static enum err pass_record(void *ctx, const struct db_value *v)
{
    const struct store_record_rows *to = ctx;
    struct row_in r = {.v = v};
    char group[NAME_BYTES_MAX + 1];
    struct text is = still(&v[RECORD_GROUP]);
    size_t len = is.len < sizeof group ? is.len : sizeof group - 1;
    memcpy(group, is.data, len);
    group[len] = '\0';
    struct store_record record = {.stream = row_u64(&r, RECORD_STREAM),
                                  .seq = row_u64(&r, RECORD_SEQ),
                                  .unit = row_u64(&r, RECORD_UNIT),
                                  .answer = row_digest(&r, RECORD_ANSWER),
                                  .group = group,
                                  .body = still(&v[RECORD_BODY]),
                                  .at_ms = row_int(&r, RECORD_AT)};
    return to->row(to->ctx, &record);
}

enum err store_record_scan(struct store *s, uint64_t stream, uint64_t after_seq, uint32_t limit,
                           struct store_record_rows to)
{
    struct db_value args[] = {db_int((int64_t)stream), db_int((int64_t)after_seq)};
    return db_scan_rows(s->db, &scan_records, args, limit, (struct db_rows){.row = pass_record, .ctx = &to});
}

static void fill_cursor(struct row_in *r, void *item)
{
    *(struct store_cursor *)item = (struct store_cursor){
        .stream = row_u64(r, CURSOR_STREAM),
        .name = row_text(r, CURSOR_NAME),
        .rev = row_u32(r, CURSOR_REV),
        .handed = row_u64(r, CURSOR_HANDED),
        .redelivered = row_u64(r, CURSOR_REDELIVERED),
        .flight = row_bytes(r, CURSOR_FLIGHT),
        .batch = row_u32(r, CURSOR_BATCH),
        .feed_max = row_u64(r, CURSOR_FEED_MAX),
        .until_batch = row_u32(r, CURSOR_UNTIL),
        .seen_ms = row_int(r, CURSOR_SEEN),
        .created_ms = row_int(r, CURSOR_CREATED),
    };
}

enum err store_cursor_get(struct store *s, struct arena *a, uint64_t stream, const char *name,
                          struct store_cursor *ret)
{
    static const struct db_fetch fetch = {
        &schema_cursor, CURSOR_COLUMN_COUNT, {CURSOR_COLUMNS(NUMBER_CURSOR)}, .index = DB_BY_KEY};
    struct db_value key[] = {db_int((int64_t)stream), db_text(name)};
    enum err e = collect_one(s, a, &fetch, key, fill_cursor, ret, "cursor", 0);
    return e == ERR_MISSING ? err_set(e, "the stream has no cursor %.64s", name) : e;
}

enum err store_cursor_list(struct store *s, struct arena *a, uint64_t stream, const char *after,
                           uint32_t limit, struct store_cursor **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_cursor, CURSOR_COLUMN_COUNT, {CURSOR_COLUMNS(NUMBER_CURSOR)},
                                        DB_BY_KEY,      .equal = 1,          .after = true};
    struct db_value args[] = {db_int((int64_t)stream), db_text(after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_cursor};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_cursor_feeding(struct store *s, struct arena *a, uint32_t after_batch, uint32_t limit,
                              struct store_cursor **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_cursor,  CURSOR_COLUMN_COUNT, {CURSOR_COLUMNS(NUMBER_CURSOR)},
                                        CURSOR_BY_BATCH, .equal = 0,          .after = true};
    struct db_value from = db_int(after_batch);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_cursor};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_route(struct row_in *r, void *item)
{
    *(const char **)item = row_text(r, 0);
}

enum err store_route_list(struct store *s, struct arena *a, uint32_t batch, const char ***ret_names,
                          uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_route, 1, {ROUTE_NAME}, DB_BY_KEY, .equal = 1};
    struct db_value key = db_int(batch);
    struct collect c = {.a = a, .each = sizeof **ret_names, .fill = fill_route};
    TRY(collect_scan(s, &scan, &key, BATCH_STREAMS_MAX, &c));
    *ret_names = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

/* --- writing --- */

static struct db_value text_value(const struct text *t)
{
    return db_text_len(t->data ? t->data : "", t->len);
}

void store_set_stream_new(struct store_set *set, const struct store_stream *st)
{
    struct db_value *v = store_set_row(set, STREAM_NEW);
    v[NAMED_ID] = db_int((int64_t)st->id);
    v[NAMED_NAME] = db_text(st->name);
    v[NAMED_USER] = db_int((int64_t)st->user_id);
    v[NAMED_PAUSED] = db_int(st->paused);
    v[NAMED_CREATED] = db_int(st->created_ms);
    v[NAMED_LAST] = db_int(0);
    v[NAMED_PURGED] = db_int(0);
}

void store_set_stream_paused(struct store_set *set, uint64_t id, bool paused)
{
    struct db_value *v = store_set_row(set, STREAM_PAUSE);
    v[0] = db_int((int64_t)id);
    v[1] = db_int(paused);
}

void store_set_stream_gone(struct store_set *set, uint64_t id)
{
    struct db_value *v = store_set_row(set, STREAM_GONE);
    v[0] = db_int((int64_t)id);
    v[1] = db_null();
}

void store_set_stream_purged(struct store_set *set, uint64_t id, uint64_t purged)
{
    struct db_value *v = store_set_row(set, STREAM_PURGE);
    v[0] = db_int((int64_t)id);
    v[1] = db_int((int64_t)purged);
}

void store_set_stream_end(struct store_set *set, uint64_t id)
{
    store_set_row(set, STREAM_END)[0] = db_int((int64_t)id);
}

void store_set_record(struct store_set *set, const struct store_record *r)
{
    struct db_value *v = store_set_row(set, RECORD_NEW);
    v[RECORD_STREAM] = db_int((int64_t)r->stream);
    v[RECORD_SEQ] = db_int(0);
    v[RECORD_UNIT] = db_int((int64_t)r->unit);
    v[RECORD_ANSWER] = digest_is_zero(&r->answer) ? db_null() : db_blob(r->answer.bytes, DIGEST_BYTES);
    v[RECORD_GROUP] = db_text(r->group);
    v[RECORD_BODY] = text_value(&r->body);
    v[RECORD_AT] = db_int(r->at_ms);
}

void store_set_record_end(struct store_set *set, uint64_t stream, uint64_t seq)
{
    struct db_value *v = store_set_row(set, RECORD_END);
    v[0] = db_int((int64_t)stream);
    v[1] = db_int((int64_t)seq);
}

void store_set_cursor_new(struct store_set *set, const struct store_cursor *c)
{
    struct db_value *v = store_set_row(set, CURSOR_NEW);
    v[CURSOR_STREAM] = db_int((int64_t)c->stream);
    v[CURSOR_NAME] = db_text(c->name);
    v[CURSOR_REV] = db_int(0);
    v[CURSOR_HANDED] = db_int((int64_t)c->handed);
    v[CURSOR_REDELIVERED] = db_int((int64_t)c->redelivered);
    v[CURSOR_FLIGHT] = text_value(&c->flight);
    v[CURSOR_BATCH] = c->batch ? db_int(c->batch) : db_null();
    v[CURSOR_FEED_MAX] = db_int((int64_t)c->feed_max);
    v[CURSOR_UNTIL] = db_int(c->until_batch);
    v[CURSOR_SEEN] = db_int(c->seen_ms);
    v[CURSOR_CREATED] = db_int(c->created_ms);
}

void store_set_cursor(struct store_set *set, const struct store_cursor *c)
{
    struct db_value *v = store_set_row(set, CURSOR_MOVE);
    *v++ = db_int((int64_t)c->stream);
    *v++ = db_text(c->name);
    *v++ = db_int(c->rev);
    *v++ = db_int((int64_t)c->rev + 1);
    *v++ = db_int((int64_t)c->handed);
    *v++ = db_int((int64_t)c->redelivered);
    *v++ = text_value(&c->flight);
    *v = db_int(c->seen_ms);
}

void store_set_cursor_end(struct store_set *set, uint64_t stream, const char *name)
{
    struct db_value *v = store_set_row(set, CURSOR_END);
    v[0] = db_int((int64_t)stream);
    v[1] = db_text(name);
}

void store_set_route(struct store_set *set, uint32_t batch, uint32_t place, const char *name)
{
    struct db_value *v = store_set_row(set, ROUTE_NEW);
    v[0] = db_int(batch);
    v[1] = db_int(place);
    v[2] = db_text(name);
}
