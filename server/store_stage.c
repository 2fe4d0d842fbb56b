/* store_stage.c - see store_stage.h */
#include "server/store_stage.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_STAGE(N, n, k) STAGE_##N,

static void fill_stage(struct row_in *r, void *item)
{
    *(struct store_stage *)item = (struct store_stage){
        .batch = row_u32(r, STAGE_BATCH),
        .graph = row_u32(r, STAGE_GRAPH),
        .rev = row_u32(r, STAGE_REV),
        .active = row_bool(r, STAGE_ACTIVE),
        .kind = (enum stage_kind)row_int(r, STAGE_KIND),
        .source = row_u32(r, STAGE_SOURCE),
        .after = row_text(r, STAGE_AFTER),
        .file = row_text(r, STAGE_FILE),
        .fan_in = row_u32(r, STAGE_FAN_IN),
        .failed = (enum stage_failed)row_int(r, STAGE_FAILED),
        .next_seq = row_u64(r, STAGE_SEQ),
        .next_line = row_u32(r, STAGE_LINE),
        .total = row_u32(r, STAGE_TOTAL),
        .why = row_text(r, STAGE_WHY),
    };
}

enum err store_stage_get(struct store *s, struct arena *a, uint32_t batch, struct store_stage *ret)
{
    static const struct db_fetch fetch = {
        &schema_stage, STAGE_COLUMN_COUNT, {STAGE_COLUMNS(NUMBER_STAGE)}, .index = DB_BY_KEY};
    struct db_value key = db_int(batch);
    return collect_one(s, a, &fetch, &key, fill_stage, ret, "stage of batch", batch);
}

enum err store_stage_active(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                            struct store_stage **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_stage,   STAGE_COLUMN_COUNT, {STAGE_COLUMNS(NUMBER_STAGE)},
                                        STAGE_BY_ACTIVE, .equal = 1,         .after = true};
    struct db_value args[] = {db_int(1), db_int(after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_stage};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_stage_list(struct store *s, struct arena *a, uint32_t graph, uint32_t limit,
                          struct store_stage **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_stage, STAGE_COLUMN_COUNT, {STAGE_COLUMNS(NUMBER_STAGE)}, STAGE_BY_GRAPH, .equal = 1};
    struct db_value key = db_int(graph);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_stage};
    TRY(collect_scan(s, &scan, &key, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

void store_set_stage_new(struct store_set *set, const struct store_stage *st)
{
    struct db_value *v = store_set_row(set, STAGE_NEW);
    v[STAGE_BATCH] = db_int(st->batch);
    v[STAGE_ACTIVE] = st->active ? db_int(1) : db_null();
    v[STAGE_GRAPH] = db_int(st->graph);
    v[STAGE_REV] = db_int(0);
    v[STAGE_KIND] = db_int(st->kind);
    v[STAGE_SOURCE] = db_int(st->source);
    v[STAGE_AFTER] = db_text(st->after);
    v[STAGE_FILE] = db_text(st->file);
    v[STAGE_FAN_IN] = db_int(st->fan_in);
    v[STAGE_FAILED] = db_int(st->failed);
    v[STAGE_SEQ] = db_int((int64_t)st->next_seq);
    v[STAGE_LINE] = db_int(st->next_line);
    v[STAGE_TOTAL] = db_int(st->total);
    v[STAGE_WHY] = db_text(st->why);
}

void store_set_stage(struct store_set *set, const struct store_stage *st)
{
    struct db_value *v = store_set_row(set, STAGE_MOVE);
    *v++ = db_int(st->batch);
    *v++ = db_int(st->rev);
    *v++ = db_int((int64_t)st->rev + 1);
    *v++ = st->active ? db_int(1) : db_null();
    *v++ = db_int((int64_t)st->next_seq);
    *v++ = db_int(st->next_line);
    *v++ = db_int(st->total);
    *v = db_text(st->why);
}
