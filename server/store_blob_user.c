/* store_blob_user.c - what users hold in an object store; see store_blob.h */
#include "base/str.h"
#include "server/store_blob_in.h"
#include "server/store_load.h"

enum err store_blob_goes(struct store *s, const struct digest *blob, int64_t *ret_ms)
{
    struct blob_row row;
    TRY(blob_row_read(s, blob, &row));
    if (row.state != STORE_BLOB_PRESENT)
        return blob_row_missing(blob);
    *ret_ms = row.look_ms;
    return ERR_OK;
}

static enum err keep_step(struct store *s, struct blob_job *j)
{
    bool moved;
    TRY(blob_row_move(s, &j->blob, STORE_BLOB_PRESENT, STORE_BLOB_PRESENT, j->now_ms, &moved));
    return moved ? ERR_OK : blob_row_missing(&j->blob);
}

enum err store_blob_keep(struct store *s, const struct digest *blob, int64_t goes_ms)
{
    struct blob_job j = {.blob = *blob, .now_ms = goes_ms};
    return blob_transact(s, keep_step, &j);
}

static void fill_kept(struct row_in *r, void *item)
{
    *(struct store_blob_kept *)item =
        (struct store_blob_kept){.blob = row_digest(r, HOLD_DIGEST), .bytes = row_u64(r, HOLD_BYTES)};
}

/* What has no time is either needed or was held before files had one. */
static enum err look_at(struct store *s, struct store_blob_kept *k)
{
    struct blob_row row;
    struct blob_held held;
    enum err e = blob_row_read(s, &k->blob, &row);
    k->goes_ms = e == ERR_OK ? row.look_ms : -1;
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    TRY(blob_held_by(s, &k->blob, &held));
    k->needed = held.by_others;
    return ERR_OK;
}

enum err store_blob_kept(struct store *s, struct arena *a, const char *holder, const struct digest *after,
                         uint32_t limit, struct store_blob_kept **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)},
                                        DB_BY_KEY,    .equal = 1,        .after = true};
    struct db_value args[] = {db_text(holder), digest_value(after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_kept};
    TRY(db_scan_rows(s->db, &scan, args, limit, (struct db_rows){collect_row, &c}));
    *ret = (void *)c.items;
    for (uint32_t i = 0; i < c.count; i++)
        TRY(look_at(s, &(*ret)[i]));
    *ret_count = c.count;
    return ERR_OK;
}

/* The row is written before its holds are read, as in doom_step(). */
static enum err let_go_step(struct store *s, struct blob_job *j)
{
    struct blob_row row;
    struct blob_held held;
    bool there;
    TRY(blob_row_lock(s, &j->blob, &there));
    if (!there)
        return ERR_OK;
    TRY(blob_row_read(s, &j->blob, &row));
    if (!j->at_once && (row.look_ms < 0 || row.look_ms > j->now_ms))
        return ERR_OK;
    TRY(blob_held_by(s, &j->blob, &held));
    return held.by_others ? ERR_OK : blob_hold_drop(s, j, &j->blob, &j->yes);
}

enum err store_blob_let_go(struct store *s, const struct digest *blob, const char *holder, bool at_once,
                           int64_t now_ms, bool *ret_gone)
{
    struct blob_job j = {.blob = *blob, .holder = holder, .now_ms = now_ms, .at_once = at_once};
    TRY(blob_transact(s, let_go_step, &j));
    *ret_gone = j.yes;
    return ERR_OK;
}

static enum err note_row(void *ctx, const struct db_value *v)
{
    (void)v;
    *(bool *)ctx = true;
    return ERR_OK;
}

enum err store_blob_holds(struct store *s, const char *holder, const struct digest *blob, bool *ret)
{
    static const struct db_fetch fetch = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, .index = DB_BY_KEY};
    struct db_value key[] = {db_text(holder), digest_value(blob)};
    *ret = false;
    return db_fetch_rows(s->db, &fetch, key, 1, (struct db_rows){note_row, ret});
}
