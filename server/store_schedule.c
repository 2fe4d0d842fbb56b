/* store_schedule.c - see store_schedule.h */
#include "server/store_schedule.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_SCHEDULE(N, n, k) SCHEDULE_##N,

static void fill_schedule(struct row_in *r, void *item)
{
    *(struct store_schedule *)item = (struct store_schedule){
        .id = row_u64(r, SCHEDULE_ID),
        .user_id = row_u64(r, SCHEDULE_USER),
        .rev = row_u32(r, SCHEDULE_REV),
        .cron = row_text(r, SCHEDULE_CRON),
        .next_ms = row_int(r, SCHEDULE_NEXT),
        .paused = row_bool(r, SCHEDULE_PAUSED),
        .created_ms = row_int(r, SCHEDULE_CREATED),
        .last_ms = row_int(r, SCHEDULE_LAST),
        .last_batch = row_u32(r, SCHEDULE_BATCH),
        .why = row_text(r, SCHEDULE_WHY),
    };
}

static void fill_whole(struct row_in *r, void *item)
{
    fill_schedule(r, item);
    ((struct store_schedule *)item)->body = row_bytes(r, SCHEDULE_BODY);
}

enum err store_schedule_get(struct store *s, struct arena *a, uint64_t id, struct store_schedule *ret)
{
    static const struct db_fetch fetch = {
        &schema_schedule, SCHEDULE_COLUMN_COUNT, {SCHEDULE_COLUMNS(NUMBER_SCHEDULE)}, .index = DB_BY_KEY};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, &fetch, &key, fill_whole, ret, "schedule", id);
}

enum err store_schedule_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                             struct store_schedule **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_schedule, SCHEDULE_COLUMN_COUNT, {SCHEDULE_COLUMNS(NUMBER_SCHEDULE)}, DB_BY_KEY,
        .equal = 0,       .after = true};
    struct db_value from = db_int((int64_t)after);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_schedule};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_schedule_due(struct store *s, struct arena *a, int64_t now_ms, uint32_t limit,
                            struct store_schedule **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_schedule,
                                        SCHEDULE_COLUMN_COUNT,
                                        {SCHEDULE_COLUMNS(NUMBER_SCHEDULE)},
                                        SCHEDULE_BY_DUE,
                                        .until = true};
    struct db_value until = db_int(now_ms);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_schedule};
    TRY(collect_scan(s, &scan, &until, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

/* When it is looked at; nothing: never. */
static struct db_value due(const struct store_schedule *c)
{
    return c->next_ms && !c->paused ? db_int(c->next_ms) : db_null();
}

void store_set_schedule_new(struct store_set *set, const struct store_schedule *c)
{
    struct db_value *v = store_set_row(set, SCHEDULE_NEW);
    v[SCHEDULE_ID] = db_int((int64_t)c->id);
    v[SCHEDULE_DUE] = due(c);
    v[SCHEDULE_USER] = db_int((int64_t)c->user_id);
    v[SCHEDULE_REV] = db_int(0);
    v[SCHEDULE_CRON] = db_text(c->cron);
    v[SCHEDULE_NEXT] = db_int(c->next_ms);
    v[SCHEDULE_PAUSED] = db_int(c->paused);
    v[SCHEDULE_BODY] = db_text_len(c->body.data, c->body.len);
    v[SCHEDULE_CREATED] = db_int(c->created_ms);
    v[SCHEDULE_LAST] = db_int(c->last_ms);
    v[SCHEDULE_BATCH] = db_int(c->last_batch);
    v[SCHEDULE_WHY] = db_text(c->why);
}

void store_set_schedule(struct store_set *set, const struct store_schedule *c)
{
    struct db_value *v = store_set_row(set, SCHEDULE_MOVE);
    *v++ = db_int((int64_t)c->id);
    *v++ = db_int(c->rev);
    *v++ = db_int((int64_t)c->rev + 1);
    *v++ = due(c);
    *v++ = db_int(c->next_ms);
    *v++ = db_int(c->paused);
    *v++ = db_int(c->last_ms);
    *v++ = db_int(c->last_batch);
    *v = db_text(c->why);
}

void store_set_schedule_end(struct store_set *set, uint64_t id)
{
    store_set_row(set, SCHEDULE_END)[0] = db_int((int64_t)id);
}
