/* store_unit.c - reading units and what belongs to them. */
#include <stdlib.h>
#include <string.h>

#include "rules/wu_codec.h"
#include "rules/wu_history.h"
#include "server/store_in.h"
#include "server/store_load.h"
#include "server/unit_row.h"

/* What the engine reads of a unit, in this order. */
enum { ROW_ID, ROW_REV, ROW_HR, ROW_LIFE, ROW_SPEC, ROW_WAKE, ROW_FAILED, ROW_COLUMNS };
#define ROW_LIST                                                                                             \
    ROW_COLUMNS,                                                                                             \
    {                                                                                                        \
        UNIT_ID, UNIT_REV, UNIT_HR, UNIT_LIFE, UNIT_SPEC, UNIT_WAKE, UNIT_FAILED                             \
    }

static struct text in_place(const struct db_value *v)
{
    if (v->kind != DB_TEXT && v->kind != DB_BLOB)
        return (struct text){.data = "", .len = 0};
    return (struct text){.data = v->as.p, .len = v->len};
}

static enum err unit_row(void *ctx, const struct db_value *v)
{
    const struct store_unit_rows *to = ctx;
    struct store_unit_row row = {
        .id = (wu_id)v[ROW_ID].as.i,
        .rev = v[ROW_REV].kind == DB_INT ? (uint32_t)v[ROW_REV].as.i : 0,
        .hr = v[ROW_HR].kind == DB_INT ? (uint32_t)v[ROW_HR].as.i : 0,
        .life = in_place(&v[ROW_LIFE]),
        .spec = in_place(&v[ROW_SPEC]),
        .waking = v[ROW_WAKE].kind == DB_INT,
        .wake_ms = v[ROW_WAKE].kind == DB_INT ? v[ROW_WAKE].as.i : INT64_MAX,
        .failed = v[ROW_FAILED].kind == DB_INT,
    };
    return to->row(to->ctx, &row);
}

static struct db_rows through(struct store_unit_rows *to)
{
    return (struct db_rows){.row = unit_row, .ctx = to};
}

static enum err load(struct store *s, const struct db_fetch *fetch, struct arena *a, const wu_id *ids,
                     uint32_t count, struct store_unit_rows to)
{
    struct db_value *keys = arena_array(a, count + 1u, sizeof *keys);
    if (!keys)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = db_int((int64_t)ids[i]);
    return db_fetch_rows(s->db, fetch, keys, count, through(&to));
}

enum err store_units_load(struct store *s, struct arena *a, const wu_id *ids, uint32_t count,
                          struct store_unit_rows to)
{
    static const struct db_fetch fetch = {&schema_unit, ROW_LIST, .index = DB_BY_KEY};
    return load(s, &fetch, a, ids, count, to);
}

enum err store_units_lock(struct store *s, struct arena *a, const wu_id *ids, uint32_t count,
                          struct store_unit_rows to)
{
    static const struct db_fetch fetch = {&schema_unit, ROW_LIST, .index = DB_BY_KEY, .lock = DB_LOCK_WAIT};
    return load(s, &fetch, a, ids, count, to);
}

static int64_t last_of(uint32_t batch)
{
    return (int64_t)wu_id_make(batch, UINT32_MAX);
}

/* The first id of a batch is a place of its own, so `after` is one before it. */
static int64_t after_of(uint32_t batch, wu_id after)
{
    return after ? (int64_t)after : (int64_t)wu_id_make(batch, 0) - 1;
}

enum err store_ready_scan(struct store *s, uint32_t batch, bool started, wu_id after, uint32_t limit,
                          struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit, ROW_LIST,      UNIT_BY_READY,
                                        .equal = 1,   .after = true, .until = true};
    struct db_value args[] = {db_int(started), db_int(after_of(batch, after)), db_int(last_of(batch))};
    return db_scan_rows(s->db, &scan, args, limit, through(&to));
}

enum err store_ready_lock(struct store *s, uint32_t batch, bool started, wu_id after, uint32_t limit,
                          struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit,  ROW_LIST,      UNIT_BY_READY,       .equal = 1,
                                        .after = true, .until = true, .lock = DB_LOCK_SKIP};
    struct db_value args[] = {db_int(started), db_int(after_of(batch, after)), db_int(last_of(batch))};
    return db_scan_rows(s->db, &scan, args, limit, through(&to));
}

enum err store_fresh_scan(struct store *s, wu_id first, wu_id last, uint32_t limit, struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit, ROW_LIST,      UNIT_BY_READY,
                                        .equal = 1,   .after = true, .until = true};
    struct db_value args[] = {db_int(0), db_int((int64_t)first - 1), db_int((int64_t)last)};
    return db_scan_rows(s->db, &scan, args, limit, through(&to));
}

enum { FAILED_KINDS = WU_FAILURES };

static enum err failed_scan(struct store *s, const struct db_scan *scan, uint32_t batch, wu_id after,
                            uint32_t limit, struct db_rows to)
{
    /* The index holds one range for each kind of failure; they are visited one after the other. */
    struct db_value args[] = {db_null(), db_int(after_of(batch, after)), db_int(last_of(batch))};
    for (int64_t kind = 1; kind < FAILED_KINDS; kind++) {
        args[0] = db_int(kind);
        TRY(db_scan_rows(s->db, scan, args, limit, to));
    }
    return ERR_OK;
}

enum err store_range_scan(struct store *s, uint32_t batch, bool failed, wu_id after, uint32_t limit,
                          struct store_unit_rows to)
{
    static const struct db_scan all = {&schema_unit, ROW_LIST,      DB_BY_KEY,
                                       .equal = 0,   .after = true, .until = true};
    static const struct db_scan only_failed = {&schema_unit, ROW_LIST,      UNIT_BY_FAILED,
                                               .equal = 1,   .after = true, .until = true};
    struct db_value args[] = {db_int(after_of(batch, after)), db_int(last_of(batch))};
    if (failed)
        return failed_scan(s, &only_failed, batch, after, limit, through(&to));
    return db_scan_rows(s->db, &all, args, limit, through(&to));
}

enum err store_wake_scan(struct store *s, int64_t now_ms, uint32_t limit, struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit, ROW_LIST, UNIT_BY_WAKE, .equal = 0, .until = true};
    struct db_value until = db_int(now_ms);
    return db_scan_rows(s->db, &scan, &until, limit, through(&to));
}

enum err store_wake_lock(struct store *s, int64_t now_ms, uint32_t limit, struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit, ROW_LIST,      UNIT_BY_WAKE,
                                        .equal = 0,   .until = true, .lock = DB_LOCK_SKIP};
    struct db_value until = db_int(now_ms);
    return db_scan_rows(s->db, &scan, &until, limit, through(&to));
}

static enum err first_int(void *ctx, const struct db_value *v)
{
    *(int64_t *)ctx = v[0].as.i;
    return ERR_OK;
}

enum err store_wake_next(struct store *s, int64_t *ret_ms)
{
    static const struct db_scan scan = {&schema_unit, 1, {UNIT_WAKE}, UNIT_BY_WAKE, .equal = 0};
    *ret_ms = INT64_MAX;
    return db_scan_rows(s->db, &scan, NULL, 1, (struct db_rows){.row = first_int, .ctx = ret_ms});
}

enum err store_specs_scan(struct store *s, wu_id first, wu_id last, struct store_unit_rows to)
{
    static const struct db_scan scan = {&schema_unit, ROW_LIST,      DB_BY_KEY,
                                        .equal = 0,   .after = true, .until = true};
    struct db_value args[] = {db_int((int64_t)first - 1), db_int((int64_t)last)};
    return db_scan_rows(s->db, &scan, args, CHUNK_UNITS_MAX, through(&to));
}

static void fill_text(struct row_in *r, void *item)
{
    *(struct text *)item = row_bytes(r, 0);
}

enum err store_chunk_get(struct store *s, struct arena *a, uint32_t batch, uint32_t number,
                         struct text *ret_envelope)
{
    static const struct db_fetch fetch = {&schema_chunk, 1, {CHUNK_ENVELOPE}, .index = DB_BY_KEY};
    struct db_value key[] = {db_int(batch), db_int(number)};
    return collect_one(s, a, &fetch, key, fill_text, ret_envelope, "chunk", number);
}

/* --- whole units, for people --- */

enum { FULL_ID, FULL_STATE, FULL_LIFE, FULL_SPEC, FULL_HISTORY, FULL_USED, FULL_COLUMNS };
#define FULL_LIST                                                                                            \
    FULL_COLUMNS,                                                                                            \
    {                                                                                                        \
        UNIT_ID, UNIT_STATE, UNIT_LIFE, UNIT_SPEC, UNIT_HISTORY, UNIT_USED                                   \
    }

struct raw {
    wu_id id;
    int64_t state;
    struct text life, spec, history, used;
};

static void fill_raw(struct row_in *r, void *item)
{
    *(struct raw *)item = (struct raw){.id = row_u64(r, FULL_ID),
                                       .state = row_int(r, FULL_STATE),
                                       .life = row_bytes(r, FULL_LIFE),
                                       .spec = row_bytes(r, FULL_SPEC),
                                       .history = row_bytes(r, FULL_HISTORY),
                                       .used = row_bytes(r, FULL_USED)};
}

static enum err set_text(struct arena *a, struct buf *from, struct text *ret)
{
    char *copy = arena_bytes(a, from->data, from->len);
    if (!copy)
        return ERR_NOMEM;
    *ret = (struct text){.data = copy, .len = (uint32_t)from->len};
    return ERR_OK;
}

enum err store_unit_fresh(struct wu *wu)
{
    struct wu_effects fx;
    struct wu_event submit = {.kind = WU_EV_SUBMIT};
    return wu_step(wu, &submit, &fx);
}

static enum err decode(const struct raw *raw, struct wu *wu)
{
    if (raw->life.len == 0)
        return store_unit_fresh(wu);
    TRY(wu_decode((const uint8_t *)raw->life.data, raw->life.len, wu));
    wu->wake_at_ms = wu_next_deadline(wu);
    return ERR_OK;
}

/* Every unit's history begins with its submission, which is the same for all and therefore not stored. */
static enum err make_history(const struct raw *raw, struct buf *out)
{
    char line[WU_HISTORY_BYTES_MAX];
    struct wu_event submit = {.kind = WU_EV_SUBMIT};
    TRY(buf_add(out, line, wu_history_write(&submit, 0, line)));
    TRY(buf_add_char(out, '\n'));
    return buf_add(out, raw->history.data, raw->history.len);
}

static enum err finish_unit(struct arena *a, const struct store_batch *b, const struct raw *raw,
                            struct store_unit *ret)
{
    struct buf BUF_AUTO text = {0};
    struct unit_array array = {.is_array = b->array, .first = b->array_first, .step = b->array_step};
    memset(ret, 0, sizeof *ret);
    ret->wu.id = raw->id;
    struct text known = unit_known(&raw->spec);
    ret->wu.rules = unit_rules(&b->rules, &raw->spec);
    TRY(decode(raw, &ret->wu));
    ret->known = (struct text){.data = arena_bytes(a, known.data, known.len), .len = known.len};
    TRY(ret->known.data ? ERR_OK : ERR_NOMEM);
    TRY(unit_spec(raw->id, &array, &raw->spec, &text));
    TRY(set_text(a, &text, &ret->spec));
    buf_clear(&text);
    TRY(make_history(raw, &text));
    TRY(set_text(a, &text, &ret->history));
    return unit_use_read((const uint8_t *)raw->used.data, raw->used.len, ret->use);
}

enum err store_unit_get(struct store *s, struct arena *a, wu_id id, struct store_unit *ret)
{
    static const struct db_fetch fetch = {&schema_unit, FULL_LIST, .index = DB_BY_KEY};
    struct db_value key = db_int((int64_t)id);
    struct store_batch b;
    struct raw raw;
    char name[ID_TEXT_BYTES];
    wu_id_text(id, name);
    enum err e = collect_one(s, a, &fetch, &key, fill_raw, &raw, "unit", 0);
    if (e != ERR_OK)
        return e == ERR_MISSING ? err_set(e, "there is no work unit %s", name) : e;
    TRY(store_batch_get(s, a, wu_id_batch(id), &b));
    return finish_unit(a, &b, &raw, ret);
}

enum { SEARCH_MAX = 5000 }; /* rows read for one page of a rare state */

static enum err collect_units(struct store *s, uint32_t batch, const struct store_unit_filter *filter,
                              wu_id after, uint32_t limit, struct collect *c)
{
    static const struct db_scan all = {&schema_unit, FULL_LIST,     DB_BY_KEY,
                                       .equal = 0,   .after = true, .until = true};
    static const struct db_scan only_failed = {&schema_unit, FULL_LIST,     UNIT_BY_FAILED,
                                               .equal = 1,   .after = true, .until = true};
    struct db_value args[] = {db_int(after_of(batch, after)), db_int(last_of(batch))};
    struct db_rows to = {.row = collect_row, .ctx = c};
    if (filter->failed)
        return failed_scan(s, &only_failed, batch, after, limit, to);
    return db_scan_rows(s->db, &all, args, filter->state == WU_STATES ? limit : SEARCH_MAX, to);
}

static int by_id(const void *x, const void *y)
{
    const struct raw *a = x, *b = y;
    return a->id < b->id ? -1 : a->id > b->id;
}

enum err store_unit_list(struct store *s, struct arena *a, uint32_t batch,
                         const struct store_unit_filter *filter, wu_id after, uint32_t limit,
                         struct store_unit **ret, uint32_t *ret_count, wu_id *ret_next)
{
    struct collect c = {.a = a, .each = sizeof(struct raw), .fill = fill_raw};
    struct store_batch b;
    limit = page_limit(limit);
    TRY(store_batch_get(s, a, batch, &b));
    TRY(collect_units(s, batch, filter, after, limit, &c));
    struct raw *raws = (void *)c.items;
    uint32_t wanted = filter->failed || filter->state == WU_STATES ? limit : SEARCH_MAX, n = 0;
    if (filter->failed && c.count > 0)
        qsort(raws, c.count, sizeof *raws, by_id);
    struct store_unit *units = arena_array(a, (c.count < limit ? c.count : limit) + 1u, sizeof *units);
    if (!units)
        return ERR_NOMEM;
    wu_id last = 0;
    uint32_t i = 0;
    for (; i < c.count && n < limit; i++) {
        last = raws[i].id;
        if (filter->failed || filter->state == WU_STATES || raws[i].state == (int64_t)filter->state)
            TRY(finish_unit(a, &b, &raws[i], &units[n++]));
    }
    *ret = units;
    *ret_count = n;
    *ret_next = i < c.count || c.count >= wanted ? last : 0;
    return ERR_OK;
}

/* --- what belongs to units --- */

#define NUMBER_NOTE(N, n, k)     NOTE_##N,
#define NUMBER_FAILURE(N, n, k)  FAILURE_##N,
#define NUMBER_DELIVERY(N, n, k) DELIVERY_##N,

static void fill_note(struct row_in *r, void *item)
{
    *(struct store_note *)item = (struct store_note){
        .unit = row_u64(r, NOTE_UNIT),
        .attempt = row_u32(r, NOTE_ATTEMPT),
        .host_id = row_u64(r, NOTE_HOST),
        .error = attempt_error_from_name(row_text(r, NOTE_ERROR)),
        .exit_code = (int32_t)row_int(r, NOTE_EXIT_CODE),
        .signal = (int32_t)row_int(r, NOTE_SIGNAL),
        .message = row_text(r, NOTE_MESSAGE),
        .stderr_tail = row_text(r, NOTE_STDERR),
        .stdout_tail = row_text(r, NOTE_STDOUT),
        .at_ms = row_int(r, NOTE_AT),
    };
}

enum err store_note_list(struct store *s, struct arena *a, wu_id unit, struct store_note **ret,
                         uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_note, NOTE_COLUMN_COUNT, {NOTE_COLUMNS(NUMBER_NOTE)}, DB_BY_KEY, .equal = 1};
    struct db_value key = db_int((int64_t)unit);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_note};
    TRY(collect_scan(s, &scan, &key, ATTEMPTS_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_note_list_of(struct store *s, struct arena *a, uint64_t host_id, uint32_t limit,
                            struct store_note **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_note, NOTE_COLUMN_COUNT, {NOTE_COLUMNS(NUMBER_NOTE)},
                                        NOTE_BY_HOST, .equal = 1,        .descending = true};
    struct db_value key = db_int((int64_t)host_id);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_note};
    TRY(collect_scan(s, &scan, &key, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_failure(struct row_in *r, void *item)
{
    *(struct store_failure_group *)item = (struct store_failure_group){
        .error = attempt_error_from_name(row_text(r, FAILURE_ERROR)),
        .exit_code = (int32_t)row_int(r, FAILURE_EXIT_CODE),
        .signal = (int32_t)row_int(r, FAILURE_SIGNAL),
        .pattern = row_text(r, FAILURE_PATTERN),
        .count = row_u64(r, FAILURE_TIMES),
        .sample_unit = row_u64(r, FAILURE_UNIT),
        .sample_attempt = row_u32(r, FAILURE_ATTEMPT),
        .last_ms = row_int(r, FAILURE_LAST),
    };
}

static int most_frequent(const void *x, const void *y)
{
    const struct store_failure_group *a = x, *b = y;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->sample_unit < b->sample_unit ? -1 : a->sample_unit > b->sample_unit;
}

static const struct db_scan scan_failures = {
    &schema_failure, FAILURE_COLUMN_COUNT, {FAILURE_COLUMNS(NUMBER_FAILURE)}, DB_BY_KEY, .equal = 1};

enum err store_failure_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                            struct store_failure_group **ret, uint32_t *ret_count)
{
    struct db_value key = db_int(batch);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_failure};
    TRY(collect_scan(s, &scan_failures, &key, STORE_PAGE_MAX, &c));
    if (c.count > 0)
        qsort(c.items, c.count, c.each, most_frequent);
    *ret = (void *)c.items;
    *ret_count = c.count < limit ? c.count : limit;
    return ERR_OK;
}

static void fill_u64(struct row_in *r, void *item)
{
    *(uint64_t *)item = row_u64(r, 0);
}

enum err store_failures_known(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                              uint64_t **ret_hashes, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_failure, 1, {FAILURE_GROUP}, DB_BY_KEY, .equal = 1};
    struct db_value key = db_int(batch);
    struct collect c = {.a = a, .each = sizeof **ret_hashes, .fill = fill_u64};
    TRY(collect_scan(s, &scan, &key, limit, &c));
    *ret_hashes = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_delivery(struct row_in *r, void *item)
{
    *(struct store_delivery *)item = (struct store_delivery){
        .stream = row_u64(r, DELIVERY_STREAM),
        .seq = row_u64(r, DELIVERY_SEQ),
        .unit = row_u64(r, DELIVERY_UNIT),
        .at_ms = row_int(r, DELIVERY_AT),
    };
}

enum err store_delivery_list(struct store *s, struct arena *a, uint64_t stream, uint64_t after_seq,
                             uint32_t limit, struct store_delivery **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_delivery, DELIVERY_COLUMN_COUNT, {DELIVERY_COLUMNS(NUMBER_DELIVERY)}, DB_BY_KEY,
        .equal = 1,       .after = true};
    struct db_value args[] = {db_int((int64_t)stream), db_int((int64_t)after_seq)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_delivery};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}
