#include "server/store_schema.h"

#include "server/store_answer.h"
#include "server/try.h"

#define COLUMN(N, n, k) {#n, DB_##k},
#define COUNT(name)     {#name, DB_INT},
#define LENGTH(a)       (sizeof(a) / sizeof *(a))

#define TABLE_FULL(lower, text, keys, full, COLUMNS, ...)                                                    \
    static const struct db_column lower##_columns[] = {COLUMNS(COLUMN)};                                     \
    static const struct db_index lower##_indexes[] = {__VA_ARGS__};                                          \
    const struct db_table schema_##lower = {.name = text,                                                    \
                                            .column_count = LENGTH(lower##_columns),                         \
                                            .key_count = keys,                                               \
                                            .columns = lower##_columns,                                      \
                                            .index_count = LENGTH(lower##_indexes) - 1,                      \
                                            .indexes = lower##_indexes,                                      \
                                            .full_percent = full};
#define TABLE(lower, text, keys, COLUMNS, ...) TABLE_FULL(lower, text, keys, 0, COLUMNS, __VA_ARGS__)
enum { UNIT_FULL_PERCENT = 50 };
#define NO_MORE                                                                                              \
    {                                                                                                        \
        0                                                                                                    \
    } /* C has no empty arrays: the last one is not counted */

/* In PostgreSQL a change of a row that finds room in its page, and is of no index, leaves the indexes alone.
 */
TABLE_FULL(unit, "unit", 1, UNIT_FULL_PERCENT, UNIT_COLUMNS,
           {.name = "unit_ready", .count = 1, .columns = {UNIT_READY}, .partial = true},
           {.name = "unit_wake", .count = 1, .columns = {UNIT_WAKE}, .partial = true},
           {.name = "unit_failed", .count = 1, .columns = {UNIT_FAILED}, .partial = true}, NO_MORE)
TABLE(chunk, "chunk", 2, CHUNK_COLUMNS, NO_MORE)
TABLE(lease, "lease", 2, LEASE_COLUMNS, NO_MORE)
TABLE(batch, "batch", 1, BATCH_COLUMNS,
      {.name = "batch_order", .count = 1, .columns = {BATCH_ORDER_DIGEST}, .unique = true},
      {.name = "batch_user", .count = 1, .columns = {BATCH_USER}}, NO_MORE)
TABLE(host, "host", 1, HOST_COLUMNS, {.name = "host_volunteer", .count = 1, .columns = {HOST_VOLUNTEER}},
      NO_MORE)
TABLE(host_stat, "host_stat", 1, HOST_STAT_COLUMNS, NO_MORE)
TABLE(volunteer, "volunteer", 1, VOLUNTEER_COLUMNS, NO_MORE)
TABLE(account, "account", 1, ACCOUNT_COLUMNS,
      {.name = "account_name", .count = 1, .columns = {ACCOUNT_NAME}, .unique = true}, NO_MORE)
TABLE(token, "token", 1, TOKEN_COLUMNS,
      {.name = "token_owner", .count = 2, .columns = {TOKEN_ROLE, TOKEN_OWNER}}, NO_MORE)
TABLE(invitation, "invitation", 1, INVITATION_COLUMNS,
      {.name = "invitation_secret", .count = 1, .columns = {INVITATION_SECRET}, .unique = true}, NO_MORE)
TABLE(release, "app_release", 1, RELEASE_COLUMNS,
      {.name = "app_release_digest", .count = 1, .columns = {RELEASE_DIGEST}, .unique = true},
      {.name = "app_release_app", .count = 1, .columns = {RELEASE_APP}}, NO_MORE)
TABLE(note, "note", 2, NOTE_COLUMNS, {.name = "note_host", .count = 2, .columns = {NOTE_HOST, NOTE_AT}},
      NO_MORE)
TABLE(failure, "failure", 2, FAILURE_COLUMNS, NO_MORE)
TABLE(delivery, "delivery", 2, DELIVERY_COLUMNS, NO_MORE)
TABLE(stream, "stream", 1, STREAM_COLUMNS, NO_MORE)
TABLE(small, "small", 2, SMALL_COLUMNS, NO_MORE)
TABLE(outbox, "outbox", 1, OUTBOX_COLUMNS, {.name = "outbox_kind", .count = 1, .columns = {OUTBOX_KIND}},
      NO_MORE)
TABLE(replay, "replay", 2, REPLAY_COLUMNS, {.name = "replay_at", .count = 1, .columns = {REPLAY_AT}}, NO_MORE)
TABLE(audit, "audit", 1, AUDIT_COLUMNS, NO_MORE)
TABLE(trust, "trust", 2, TRUST_COLUMNS, NO_MORE)
TABLE(escrow, "escrow", 3, ESCROW_COLUMNS, NO_MORE)
TABLE(setting, "setting", 1, SETTING_COLUMNS, NO_MORE)
TABLE(number, "number", 1, NUMBER_COLUMNS, NO_MORE)
TABLE(named, "named_stream", 1, NAMED_COLUMNS,
      {.name = "named_stream_name", .count = 1, .columns = {NAMED_NAME}, .partial = true, .unique = true},
      NO_MORE)
TABLE(record, "stream_record", 2, RECORD_COLUMNS, NO_MORE)
TABLE(cursor, "stream_cursor", 2, CURSOR_COLUMNS,
      {.name = "stream_cursor_batch", .count = 1, .columns = {CURSOR_BATCH}, .partial = true}, NO_MORE)
TABLE(route, "stream_route", 2, ROUTE_COLUMNS, NO_MORE)
TABLE(stage, "stage", 1, STAGE_COLUMNS,
      {.name = "stage_active", .count = 1, .columns = {STAGE_ACTIVE}, .partial = true},
      {.name = "stage_graph", .count = 1, .columns = {STAGE_GRAPH}}, NO_MORE)
TABLE(schedule, "schedule", 1, SCHEDULE_COLUMNS,
      {.name = "schedule_due", .count = 1, .columns = {SCHEDULE_DUE}, .partial = true}, NO_MORE)
TABLE(answered, "answered", 2, ANSWERED_COLUMNS, NO_MORE)
TABLE(far, "far_blob", 1, FAR_COLUMNS,
      {.name = "far_blob_look", .count = 1, .columns = {FAR_LOOK}, .partial = true}, NO_MORE)
TABLE(hold, "blob_hold", 2, HOLD_COLUMNS, {.name = "blob_hold_digest", .count = 1, .columns = {HOLD_DIGEST}},
      {.name = "blob_hold_since", .count = 1, .columns = {HOLD_SINCE}, .partial = true}, NO_MORE)
TABLE(archive, "archive", 1, ARCHIVE_COLUMNS, NO_MORE)
TABLE(credential, "credential", 1, CREDENTIAL_COLUMNS,
      {.name = "credential_user", .count = 1, .columns = {CREDENTIAL_USER}},
      {.name = "credential_handle",
       .count = 1,
       .columns = {CREDENTIAL_HANDLE},
       .partial = true,
       .unique = true},
      NO_MORE)
TABLE(app_version, "app_version", 2, APP_VERSION_COLUMNS, NO_MORE)
TABLE(member, "member", 1, MEMBER_COLUMNS, NO_MORE)
TABLE(claim, "claim", 2, CLAIM_COLUMNS, {.name = "claim_owner", .count = 1, .columns = {CLAIM_OWNER}},
      NO_MORE)
TABLE(answer, "answer", 2, ANSWER_COLUMNS, NO_MORE)
#define BATCH_LIVE_ALL(X) BATCH_LIVE_COLUMNS(X) BATCH_COUNT_LIST(COUNT)
#define PROJECT_ALL(X)    PROJECT_COLUMNS(X) PROJECT_COUNT_LIST(COUNT)
TABLE(batch_live, "batch_live", 1, BATCH_LIVE_ALL,
      {.name = "batch_live_active", .count = 1, .columns = {BATCH_LIVE_ACTIVE}, .partial = true}, NO_MORE)
TABLE(project, "project", 1, PROJECT_ALL, NO_MORE)

/* One step of the schema. Going down does the opposite of each, from the last to the first. A new database
 * gets all tables at once as they are in this program; what a later version adds to a table that is in use is
 * a step of its own, which only data of an older version takes. */
struct step {
    uint32_t version; /* it leads to */
    enum db_change change;
    const struct db_table *table;
    uint32_t at;
};

static const struct step steps[] = {
    {1, DB_ADD_TABLE, &schema_unit, 0},
    {1, DB_ADD_TABLE, &schema_chunk, 0},
    {1, DB_ADD_TABLE, &schema_lease, 0},
    {1, DB_ADD_TABLE, &schema_batch, 0},
    {1, DB_ADD_TABLE, &schema_batch_live, 0},
    {1, DB_ADD_TABLE, &schema_host, 0},
    {1, DB_ADD_TABLE, &schema_host_stat, 0},
    {1, DB_ADD_TABLE, &schema_volunteer, 0},
    {1, DB_ADD_TABLE, &schema_account, 0},
    {1, DB_ADD_TABLE, &schema_token, 0},
    {1, DB_ADD_TABLE, &schema_invitation, 0},
    {1, DB_ADD_TABLE, &schema_release, 0},
    {1, DB_ADD_TABLE, &schema_note, 0},
    {1, DB_ADD_TABLE, &schema_failure, 0},
    {1, DB_ADD_TABLE, &schema_delivery, 0},
    {1, DB_ADD_TABLE, &schema_stream, 0},
    {1, DB_ADD_TABLE, &schema_small, 0},
    {1, DB_ADD_TABLE, &schema_outbox, 0},
    {1, DB_ADD_TABLE, &schema_replay, 0},
    {1, DB_ADD_TABLE, &schema_audit, 0},
    {1, DB_ADD_TABLE, &schema_setting, 0},
    {1, DB_ADD_TABLE, &schema_number, 0},
    {1, DB_ADD_TABLE, &schema_project, 0},
    {2, DB_ADD_TABLE, &schema_named, 0},
    {2, DB_ADD_TABLE, &schema_record, 0},
    {2, DB_ADD_TABLE, &schema_cursor, 0},
    {2, DB_ADD_TABLE, &schema_route, 0},
    {2, DB_ADD_TABLE, &schema_trust, 0},
    {2, DB_ADD_TABLE, &schema_escrow, 0},
    {2, DB_ADD_TABLE, &schema_stage, 0},
    {2, DB_ADD_TABLE, &schema_schedule, 0},
    {2, DB_ADD_COLUMN, &schema_host, HOST_NETWORK},
    {2, DB_ADD_COLUMN, &schema_batch_live, BATCH_LIVE_COUNT_provisional},
    {3, DB_ADD_TABLE, &schema_answered, 0},
    {3, DB_ADD_COLUMN, &schema_batch, BATCH_QUESTION},
    {3, DB_ADD_COLUMN, &schema_note, NOTE_STDOUT},
    {3, DB_ADD_COLUMN, &schema_batch_live, BATCH_LIVE_COUNT_taken},
    {3, DB_ADD_COLUMN, &schema_batch_live, BATCH_LIVE_COUNT_audits},
    {3, DB_ADD_COLUMN, &schema_batch_live, BATCH_LIVE_COUNT_audited_ppm},
    {3, DB_ADD_TABLE, &schema_far, 0},
    {3, DB_ADD_TABLE, &schema_hold, 0},
    {3, DB_ADD_TABLE, &schema_archive, 0},
    {3, DB_ADD_TABLE, &schema_credential, 0},
    {3, DB_ADD_TABLE, &schema_app_version, 0},
    {3, DB_ADD_COLUMN, &schema_host, HOST_PROTOCOL},
    {3, DB_ADD_COLUMN, &schema_token, TOKEN_AGENT},
    {3, DB_ADD_INDEX, &schema_note, NOTE_BY_HOST},
    {3, DB_ADD_TABLE, &schema_member, 0},
    {3, DB_ADD_TABLE, &schema_claim, 0},
    {4, DB_ADD_TABLE, &schema_answer, 0},
    {4, DB_ADD_COLUMN, &schema_member, MEMBER_SCHEMA},
};

static bool is_dropped(size_t added)
{
    for (size_t i = added + 1; i < LENGTH(steps); i++)
        if (steps[i].change == DB_DROP_TABLE && steps[i].table == steps[added].table)
            return true;
    return false;
}

const struct db_table *schema_table(uint32_t at)
{
    for (size_t i = 0; i < LENGTH(steps); i++)
        if (steps[i].change == DB_ADD_TABLE && !is_dropped(i) && at-- == 0)
            return steps[i].table;
    return NULL;
}

static enum db_change opposite(enum db_change c)
{
    switch (c) {
    case DB_ADD_TABLE:
        return DB_DROP_TABLE;
    case DB_DROP_TABLE:
        return DB_ADD_TABLE;
    case DB_ADD_INDEX:
        return DB_DROP_INDEX;
    case DB_DROP_INDEX:
        return DB_ADD_INDEX;
    case DB_ADD_COLUMN:
        return DB_DROP_COLUMN;
    case DB_DROP_COLUMN:
        return DB_ADD_COLUMN;
    }
    return c;
}

static enum err apply(struct db *db, enum db_change change, const struct step *s)
{
    TRY(db_change_schema(db, change, s->table, s->at));
    if (change != DB_ADD_TABLE)
        return ERR_OK;
    for (uint32_t i = 0; i < s->table->index_count; i++)
        TRY(db_change_schema(db, DB_ADD_INDEX, s->table, i));
    return ERR_OK;
}

/* A table as it was when a version brought it: columns that came later are its last. */
static struct db_table as_of(const struct step *brought)
{
    struct db_table t = *brought->table;
    for (size_t i = 0; i < LENGTH(steps); i++)
        if (steps[i].change == DB_ADD_COLUMN && steps[i].table == brought->table &&
            steps[i].version > brought->version)
            t.column_count--;
    return t;
}

static enum err take(struct db *db, const struct step *s)
{
    if (s->change != DB_ADD_TABLE)
        return apply(db, s->change, s);
    struct db_table table = as_of(s);
    struct step as_it_was = {s->version, s->change, &table, s->at};
    return apply(db, s->change, &as_it_was);
}

static enum err make_all(struct db *db)
{
    for (size_t i = 0; i < LENGTH(steps); i++)
        if (steps[i].change == DB_ADD_TABLE && !is_dropped(i))
            TRY(apply(db, DB_ADD_TABLE, &steps[i]));
    return db_set_version(db, STORE_SCHEMA_VERSION);
}

static enum err step_up(struct db *db, uint32_t to)
{
    if (to == 1)
        return make_all(db);
    for (size_t i = 0; i < LENGTH(steps); i++)
        if (steps[i].version == to)
            TRY(take(db, &steps[i]));
    return db_set_version(db, to);
}

static enum err step_down(struct db *db, uint32_t from)
{
    if (from == STORE_ANSWERS_SINCE)
        TRY(store_answers_apart(db));
    for (size_t i = LENGTH(steps); i-- > 0;)
        if (steps[i].version == from)
            TRY(apply(db, opposite(steps[i].change), &steps[i]));
    return db_set_version(db, from - 1);
}

enum err schema_version(struct db *db, uint32_t *ret_version)
{
    uint32_t now = 0;
    TRY(db_version(db, &now));
    if (now > STORE_SCHEMA_VERSION)
        return err_set(ERR_UNSUPPORTED,
                       "the data has schema version %u, this program knows up to %d: use the program that "
                       "wrote it, or let that one migrate the data down",
                       now, STORE_SCHEMA_VERSION);
    *ret_version = now;
    return ERR_OK;
}

/* The version is read again: another server may have taken the step while this one waited to write. */
static enum err take_step(struct db *db, uint32_t version)
{
    uint32_t now = 0;
    TRY(schema_version(db, &now));
    if (now == version)
        return ERR_OK;
    enum err e = now < version ? step_up(db, now + 1) : step_down(db, now);
    return e == ERR_OK ? e : err_prefix(e, "migrating the schema from version %u", now);
}

enum err schema_migrate(struct db *db, uint32_t version)
{
    uint32_t now = 0;
    if (version > STORE_SCHEMA_VERSION)
        return err_set(ERR_INVALID, "schema version %u is not known: this program's is %d", version,
                       STORE_SCHEMA_VERSION);
    TRY(schema_version(db, &now));
    while (now != version) {
        TRY(db_begin(db, true));
        enum err e = take_step(db, version);
        if (e != ERR_OK) {
            db_rollback(db);
            return e;
        }
        TRY(db_commit(db));
        TRY(schema_version(db, &now));
    }
    return ERR_OK;
}
