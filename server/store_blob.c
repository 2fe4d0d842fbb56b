/* store_blob.c - see store_blob.h */
#include "server/store_blob.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/store_blob_in.h"
#include "server/store_load.h"

enum { TRIES = 8, KNOWN_EACH = 500 };

static const struct db_fetch far_by_digest = {
    &schema_far, FAR_COLUMN_COUNT, {FAR_COLUMNS(NUMBER_FAR)}, .index = DB_BY_KEY};

static void fill_row(struct row_in *r, void *item)
{
    *(struct blob_row *)item =
        (struct blob_row){.blob = row_digest(r, FAR_DIGEST),
                          .bytes = row_u64(r, FAR_BYTES),
                          .state = (enum store_blob_state)row_int(r, FAR_STATE),
                          .look_ms = r->v[FAR_LOOK].kind == DB_INT ? row_int(r, FAR_LOOK) : -1};
}

enum err blob_row_missing(const struct digest *blob)
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    return err_set(ERR_MISSING, "there is no complete blob %s", hex);
}

static enum err going(const struct digest *blob)
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(blob, hex);
    return err_set(ERR_BUSY, "the blob %s is just being removed: send it again in a moment", hex);
}

enum err blob_row_read(struct store *s, const struct digest *blob, struct blob_row *ret)
{
    struct arena ARENA_AUTO a = {0};
    struct db_value key = digest_value(blob);
    struct collect c = {.a = &a, .each = sizeof *ret, .fill = fill_row};
    TRY(db_fetch_rows(s->db, &far_by_digest, &key, 1, (struct db_rows){collect_row, &c}));
    if (c.count == 0)
        return blob_row_missing(blob);
    *ret = *(const struct blob_row *)(const void *)c.items;
    return ERR_OK;
}

/* --- transactions --- */

enum err blob_transact(struct store *s, enum err (*step)(struct store *s, struct blob_job *job),
                       struct blob_job *job)
{
    enum err e = ERR_OK;
    for (int tries = 0; tries < TRIES; tries++) {
        TRY(store_begin(s, true));
        job->yes = false;
        e = step(s, job);
        if (e == ERR_OK)
            e = db_commit(s->db);
        else
            store_rollback(s);
        if (e != ERR_CONFLICT)
            break;
    }
    return e;
}

enum err blob_row_move(struct store *s, const struct digest *blob, enum store_blob_state from,
                       enum store_blob_state to, int64_t look_ms, bool *ret_moved)
{
    static const struct db_write move = {
        &schema_far,
        DB_UPDATE,
        4,
        {{FAR_DIGEST, DB_KEY}, {FAR_STATE, DB_GUARD}, {FAR_STATE, DB_SET}, {FAR_LOOK, DB_SET}}};
    struct db_value v[] = {digest_value(blob), db_int(from), db_int(to),
                           look_ms < 0 ? db_null() : db_int(look_ms)};
    uint32_t changed = 0;
    TRY(db_write_rows(s->db, &move, v, 1, &changed));
    *ret_moved = changed > 0;
    return ERR_OK;
}

enum err blob_row_lock(struct store *s, const struct digest *blob, bool *ret_there)
{
    static const struct db_write same = {
        &schema_far, DB_UPDATE, 3, {{FAR_DIGEST, DB_KEY}, {FAR_STATE, DB_GUARD}, {FAR_STATE, DB_SET}}};
    struct db_value v[] = {digest_value(blob), db_int(STORE_BLOB_PRESENT), db_int(STORE_BLOB_PRESENT)};
    uint32_t changed = 0;
    TRY(db_write_rows(s->db, &same, v, 1, &changed));
    *ret_there = changed > 0;
    return ERR_OK;
}

static enum err add_row(struct store *s, const struct blob_job *j, enum store_blob_state state,
                        int64_t look_ms, bool *ret_added)
{
    static const struct db_write add = {
        &schema_far,
        DB_INSERT_NEW,
        4,
        {{FAR_DIGEST, DB_KEY}, {FAR_BYTES, DB_SET}, {FAR_STATE, DB_SET}, {FAR_LOOK, DB_SET}}};
    struct db_value v[] = {digest_value(&j->blob), db_int((int64_t)j->bytes), db_int(state), db_int(look_ms)};
    uint32_t changed = 0;
    TRY(db_write_rows(s->db, &add, v, 1, &changed));
    *ret_added = changed > 0;
    return ERR_OK;
}

enum err store_blob_find(struct store *s, const struct digest *blob, uint64_t *ret_bytes)
{
    struct blob_row row;
    TRY(blob_row_read(s, blob, &row));
    if (row.state != STORE_BLOB_PRESENT)
        return blob_row_missing(blob);
    *ret_bytes = row.bytes;
    return ERR_OK;
}

/* --- coming and holding --- */

static enum err begin_step(struct store *s, struct blob_job *j)
{
    bool added, moved;
    struct blob_row row;
    int64_t until_ms = j->now_ms + STORE_BLOB_COMING_MS;
    TRY(add_row(s, j, STORE_BLOB_COMING, until_ms, &added));
    if (added)
        return ERR_OK;
    TRY(blob_row_move(s, &j->blob, STORE_BLOB_COMING, STORE_BLOB_COMING, until_ms, &moved));
    if (moved)
        return ERR_OK;
    enum err e = blob_row_read(s, &j->blob, &row);
    if (e == ERR_MISSING || (e == ERR_OK && row.state == STORE_BLOB_GOING))
        return going(&j->blob);
    j->yes = e == ERR_OK && row.state == STORE_BLOB_PRESENT;
    return e == ERR_OK && !j->yes ? ERR_CONFLICT : e;
}

enum err store_blob_begin(struct store *s, const struct digest *blob, uint64_t bytes, int64_t now_ms,
                          bool *ret_present)
{
    struct blob_job j = {.blob = *blob, .bytes = bytes, .now_ms = now_ms};
    TRY(blob_transact(s, begin_step, &j));
    *ret_present = j.yes;
    return ERR_OK;
}

/* Within a transaction that has the row. */
static enum err add_hold(struct store *s, struct blob_job *j)
{
    static const struct db_write hold = {
        &schema_hold,
        DB_INSERT_NEW,
        4,
        {{HOLD_HOLDER, DB_KEY}, {HOLD_DIGEST, DB_KEY}, {HOLD_BYTES, DB_SET}, {HOLD_SINCE, DB_SET}}};
    struct blob_row row;
    uint32_t changed = 0;
    TRY(blob_row_read(s, &j->blob, &row));
    struct db_value v[] = {db_text(j->holder), digest_value(&j->blob), db_int((int64_t)row.bytes),
                           j->holder[0] == 'h' ? db_int(j->now_ms) : db_null()};
    TRY(db_write_rows(s->db, &hold, v, 1, &changed));
    j->yes = changed > 0;
    return ERR_OK;
}

/* What a host sent is not needed yet: its time goes on. */
static enum err hold_step(struct store *s, struct blob_job *j)
{
    bool moved;
    if (j->holder[0] == 'h')
        TRY(blob_row_lock(s, &j->blob, &moved));
    else
        TRY(blob_row_move(s, &j->blob, STORE_BLOB_PRESENT, STORE_BLOB_PRESENT, -1, &moved));
    return moved ? add_hold(s, j) : blob_row_missing(&j->blob);
}

static enum err end_step(struct store *s, struct blob_job *j)
{
    bool moved;
    TRY(blob_row_move(s, &j->blob, STORE_BLOB_COMING, STORE_BLOB_PRESENT, -1, &moved));
    if (moved)
        return add_hold(s, j);
    enum err e = hold_step(s, j); /* another server has put the same */
    return e == ERR_MISSING ? going(&j->blob) : e;
}

enum err store_blob_end(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                        bool *ret_new)
{
    struct blob_job j = {.blob = *blob, .holder = holder, .now_ms = now_ms};
    TRY(blob_transact(s, end_step, &j));
    *ret_new = j.yes;
    return ERR_OK;
}

enum err store_blob_hold(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                         bool *ret_new)
{
    struct blob_job j = {.blob = *blob, .holder = holder, .now_ms = now_ms};
    TRY(blob_transact(s, hold_step, &j));
    *ret_new = j.yes;
    return ERR_OK;
}

/* --- letting go --- */

static enum err note_holder(void *ctx, const struct db_value *v)
{
    struct blob_held *h = ctx;
    const struct db_value *holder = &v[HOLD_HOLDER];
    bool user = holder->len > 0 && *(const char *)holder->as.p == 'u';
    h->by_users |= user;
    h->by_others |= !user;
    return ERR_OK;
}

enum err blob_held_by(struct store *s, const struct digest *blob, struct blob_held *ret)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, HOLD_BY_DIGEST, .equal = 1};
    struct db_value v = digest_value(blob);
    *ret = (struct blob_held){0};
    return db_scan_rows(s->db, &scan, &v, UINT32_MAX, (struct db_rows){note_holder, ret});
}

/* What nobody holds is taken out at once. What users still hold goes when it would, or later if it has just
 * been needed. */
static enum err look_at_again(struct store *s, const struct blob_job *j, const struct digest *blob)
{
    struct blob_row row;
    struct blob_held held;
    bool moved;
    int64_t look_ms = j->now_ms;
    TRY(blob_row_read(s, blob, &row));
    TRY(blob_held_by(s, blob, &held));
    if (held.by_users)
        look_ms += j->kept_ms;
    if (held.by_users && (j->holder[0] == 'u' || row.look_ms > look_ms))
        return ERR_OK;
    return blob_row_move(s, blob, STORE_BLOB_PRESENT, STORE_BLOB_PRESENT, look_ms, &moved);
}

enum err blob_hold_drop(struct store *s, const struct blob_job *j, const struct digest *blob,
                        bool *ret_dropped)
{
    static const struct db_write drop = {
        &schema_hold, DB_DELETE, 2, {{HOLD_HOLDER, DB_KEY}, {HOLD_DIGEST, DB_KEY}}};
    struct db_value v[] = {db_text(j->holder), digest_value(blob)};
    uint32_t changed = 0;
    bool there;
    TRY(blob_row_lock(s, blob, &there));
    TRY(db_write_rows(s->db, &drop, v, 1, &changed));
    *ret_dropped = changed > 0;
    return there ? look_at_again(s, j, blob) : ERR_OK;
}

static enum err drop_step(struct store *s, struct blob_job *j)
{
    char hex[DIGEST_TEXT_BYTES];
    TRY(blob_hold_drop(s, j, &j->blob, &j->yes));
    digest_text(&j->blob, hex);
    return j->yes ? ERR_OK : err_set(ERR_MISSING, "%s does not hold the blob %s", j->holder, hex);
}

enum err store_blob_drop(struct store *s, const struct digest *blob, const char *holder, int64_t now_ms,
                         int64_t kept_ms)
{
    struct blob_job j = {.blob = *blob, .holder = holder, .now_ms = now_ms, .kept_ms = kept_ms};
    return blob_transact(s, drop_step, &j);
}

static void fill_hold(struct row_in *r, void *item)
{
    *(struct store_blob_hold *)item =
        (struct store_blob_hold){.holder = row_text(r, HOLD_HOLDER), .blob = row_digest(r, HOLD_DIGEST)};
}

static enum err drop_some_step(struct store *s, struct blob_job *j)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, DB_BY_KEY, .equal = 1};
    struct arena ARENA_AUTO a = {0};
    struct db_value holder = db_text(j->holder);
    struct collect c = {.a = &a, .each = sizeof(struct store_blob_hold), .fill = fill_hold};
    bool dropped;
    TRY(db_scan_rows(s->db, &scan, &holder, j->limit + 1, (struct db_rows){collect_row, &c}));
    const struct store_blob_hold *holds = (const void *)c.items;
    for (uint32_t i = 0; i < c.count && i < j->limit; i++)
        TRY(blob_hold_drop(s, j, &holds[i].blob, &dropped));
    j->yes = c.count > j->limit;
    return ERR_OK;
}

enum err store_blob_drop_some(struct store *s, const char *holder, int64_t now_ms, int64_t kept_ms,
                              uint32_t limit, bool *ret_more)
{
    struct blob_job j = {.holder = holder, .now_ms = now_ms, .kept_ms = kept_ms, .limit = limit};
    TRY(blob_transact(s, drop_some_step, &j));
    *ret_more = j.yes;
    return ERR_OK;
}

static enum err add_bytes(void *ctx, const struct db_value *v)
{
    *(uint64_t *)ctx += v[HOLD_BYTES].kind == DB_INT ? (uint64_t)v[HOLD_BYTES].as.i : 0;
    return ERR_OK;
}

enum err store_blob_held(struct store *s, const char *holder, uint64_t *ret_bytes)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, DB_BY_KEY, .equal = 1};
    struct db_value v = db_text(holder);
    *ret_bytes = 0;
    return db_scan_rows(s->db, &scan, &v, UINT32_MAX, (struct db_rows){add_bytes, ret_bytes});
}

enum err store_blob_unreported(struct store *s, struct arena *a, int64_t before_ms, uint32_t limit,
                               struct store_blob_hold **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, HOLD_BY_SINCE, .until = true};
    struct db_value until = db_int(before_ms);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_hold};
    TRY(collect_scan(s, &scan, &until, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static enum err each_of(struct store *s, const char *holder,
                        enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                        void *ctx)
{
    static const struct db_scan scan = {&schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)},
                                        DB_BY_KEY,    .equal = 1,        .after = true};
    struct digest after = {{0}};
    uint32_t count = KNOWN_EACH;
    while (count == KNOWN_EACH) {
        struct arena ARENA_AUTO a = {0};
        struct db_value args[] = {db_text(holder), digest_value(&after)};
        struct collect c = {.a = &a, .each = sizeof(struct store_blob_hold), .fill = fill_hold};
        TRY(db_scan_rows(s->db, &scan, args, KNOWN_EACH, (struct db_rows){collect_row, &c}));
        const struct store_blob_hold *holds = (const void *)c.items;
        count = c.count;
        for (uint32_t i = 0; i < count; i++)
            TRY(visit(ctx, holder, &holds[i].blob));
        if (count > 0)
            after = holds[count - 1].blob;
    }
    return ERR_OK;
}

enum err store_blob_each(struct store *s,
                         enum err (*visit)(void *ctx, const char *holder, const struct digest *blob),
                         void *ctx)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, DB_BY_KEY, .after = true};
    char holder[64] = "";
    for (;;) {
        struct arena ARENA_AUTO a = {0};
        struct db_value after = db_text(holder);
        struct collect c = {.a = &a, .each = sizeof(struct store_blob_hold), .fill = fill_hold};
        TRY(db_scan_rows(s->db, &scan, &after, 1, (struct db_rows){collect_row, &c}));
        if (c.count == 0)
            return ERR_OK;
        const struct store_blob_hold *first = (const void *)c.items;
        snprintf(holder, sizeof holder, "%s", first->holder);
        TRY(each_of(s, holder, visit, ctx));
    }
}

enum err store_blob_holder_next(struct store *s, const char *after, char *ret, size_t room)
{
    static const struct db_scan scan = {
        &schema_hold, HOLD_COLUMN_COUNT, {HOLD_COLUMNS(NUMBER_HOLD)}, DB_BY_KEY, .after = true};
    struct arena ARENA_AUTO a = {0};
    struct db_value v = db_text(after);
    struct collect c = {.a = &a, .each = sizeof(struct store_blob_hold), .fill = fill_hold};
    TRY(db_scan_rows(s->db, &scan, &v, 1, (struct db_rows){collect_row, &c}));
    const struct store_blob_hold *first = (const void *)c.items;
    snprintf(ret, room, "%s", c.count > 0 ? first->holder : "");
    return ERR_OK;
}

/* --- taking out --- */

static void fill_digest(struct row_in *r, void *item)
{
    *(struct digest *)item = row_digest(r, FAR_DIGEST);
}

enum err store_blob_loose(struct store *s, struct arena *a, int64_t now_ms, uint32_t limit,
                          struct digest **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_far, FAR_COLUMN_COUNT, {FAR_COLUMNS(NUMBER_FAR)}, FAR_BY_LOOK, .until = true};
    struct db_value until = db_int(now_ms);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_digest};
    TRY(collect_scan(s, &scan, &until, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

/* As it was read: whoever came meanwhile has put off, or crossed out, when it is looked at. */
static enum err condemn(struct store *s, const struct blob_row *row, int64_t now_ms, bool *ret_moved)
{
    static const struct db_write move = {&schema_far,
                                         DB_UPDATE,
                                         5,
                                         {{FAR_DIGEST, DB_KEY},
                                          {FAR_STATE, DB_GUARD},
                                          {FAR_LOOK, DB_GUARD},
                                          {FAR_STATE, DB_SET},
                                          {FAR_LOOK, DB_SET}}};
    struct db_value v[] = {digest_value(&row->blob), db_int(row->state), db_int(row->look_ms),
                           db_int(STORE_BLOB_GOING), db_int(now_ms)};
    uint32_t changed = 0;
    TRY(db_write_rows(s->db, &move, v, 1, &changed));
    *ret_moved = changed > 0;
    return ERR_OK;
}

/* The row is written before its holds are read: whoever is about to hold it has done so, or comes too late.
 */
static enum err doom_step(struct store *s, struct blob_job *j)
{
    struct blob_row row;
    struct blob_held held;
    bool moved;
    enum err e = blob_row_read(s, &j->blob, &row);
    if (e != ERR_OK)
        return e == ERR_MISSING ? ERR_OK : e;
    if (row.look_ms < 0 || row.look_ms > j->now_ms)
        return ERR_OK;
    TRY(condemn(s, &row, j->now_ms, &moved));
    if (!moved)
        return ERR_CONFLICT;
    TRY(blob_held_by(s, &j->blob, &held));
    if ((held.by_users || held.by_others) && row.state != STORE_BLOB_GOING) /* users let go of it when due */
        return blob_row_move(s, &j->blob, STORE_BLOB_GOING, row.state, held.by_others ? -1 : row.look_ms,
                             &moved);
    j->yes = true;
    return ERR_OK;
}

enum err store_blob_doom(struct store *s, const struct digest *blob, int64_t now_ms, bool *ret_doomed)
{
    struct blob_job j = {.blob = *blob, .now_ms = now_ms};
    TRY(blob_transact(s, doom_step, &j));
    *ret_doomed = j.yes;
    return ERR_OK;
}

static enum err stranger_step(struct store *s, struct blob_job *j)
{
    return add_row(s, j, STORE_BLOB_GOING, j->now_ms, &j->yes);
}

enum err store_blob_doom_stranger(struct store *s, const struct digest *blob, uint64_t bytes, int64_t now_ms,
                                  bool *ret_doomed)
{
    struct blob_job j = {.blob = *blob, .bytes = bytes, .now_ms = now_ms};
    TRY(blob_transact(s, stranger_step, &j));
    *ret_doomed = j.yes;
    return ERR_OK;
}

static enum err gone_step(struct store *s, struct blob_job *j)
{
    static const struct db_write gone = {
        &schema_far, DB_DELETE, 2, {{FAR_DIGEST, DB_KEY}, {FAR_STATE, DB_GUARD}}};
    struct db_value v[] = {digest_value(&j->blob), db_int(STORE_BLOB_GOING)};
    return db_write_rows(s->db, &gone, v, 1, NULL);
}

enum err store_blob_gone(struct store *s, const struct digest *blob)
{
    struct blob_job j = {.blob = *blob};
    return blob_transact(s, gone_step, &j);
}

struct knowing {
    const struct digest *blobs;
    uint32_t count;
    bool *known;
};

static enum err mark_known(void *ctx, const struct db_value *v)
{
    struct knowing *k = ctx;
    for (uint32_t i = 0; i < k->count; i++)
        if (v[FAR_DIGEST].len == DIGEST_BYTES &&
            memcmp(v[FAR_DIGEST].as.p, k->blobs[i].bytes, DIGEST_BYTES) == 0)
            k->known[i] = true;
    return ERR_OK;
}

enum err store_blob_known(struct store *s, const struct digest *blobs, uint32_t count, bool *ret_known)
{
    struct db_value keys[KNOWN_EACH];
    for (uint32_t at = 0; at < count; at += KNOWN_EACH) {
        uint32_t n = count - at < KNOWN_EACH ? count - at : KNOWN_EACH;
        struct knowing k = {blobs + at, n, ret_known + at};
        for (uint32_t i = 0; i < n; i++) {
            keys[i] = digest_value(&blobs[at + i]);
            ret_known[at + i] = false;
        }
        TRY(db_fetch_rows(s->db, &far_by_digest, keys, n, (struct db_rows){mark_known, &k}));
    }
    return ERR_OK;
}
