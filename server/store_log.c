/* store_log.c - reading what is owed to the outside, what was done by whom, and sums. */
#include <inttypes.h>
#include <string.h>

#include "server/store_in.h"
#include "server/store_load.h"

#define NUMBER_OUTBOX(N, n, k)  OUTBOX_##N,
#define NUMBER_AUDIT(N, n, k)   AUDIT_##N,
#define NUMBER_REPLAY(N, n, k)  REPLAY_##N,
#define NUMBER_PROJECT(N, n, k) PROJECT_##N,
#define NUMBER_COUNT(name)      PROJECT_COUNT_##name,

static void fill_outbox(struct row_in *r, void *item)
{
    uint32_t kind = row_u32(r, OUTBOX_KIND);
    *(struct store_outbox *)item = (struct store_outbox){
        .id = row_u64(r, OUTBOX_ID),
        .kind = kind < OUTBOX_KINDS ? (enum outbox_kind)kind : OUTBOX_JUDGE,
        .subject = row_u64(r, OUTBOX_SUBJECT),
        .body = row_bytes(r, OUTBOX_BODY),
        .tries = row_u32(r, OUTBOX_TRIES),
        .due_ms = row_int(r, OUTBOX_DUE),
    };
}

struct due {
    struct collect list;
    int64_t due_ms;
    uint32_t limit, seen;
    uint64_t last;
};

static int64_t wait_max_ms(uint32_t tries)
{
    uint32_t doubled = tries > 1 ? tries - 1 : 0;
    int64_t ms = doubled < 20 ? OUTBOX_RETRY_MS_MAX << doubled : OUTBOX_WAIT_MS_MAX;
    return ms < OUTBOX_WAIT_MS_MAX ? ms : OUTBOX_WAIT_MS_MAX;
}

static bool is_due(struct row_in *r, int64_t now_ms)
{
    int64_t due_ms = row_int(r, OUTBOX_DUE);
    return due_ms <= now_ms || due_ms - now_ms > wait_max_ms(row_u32(r, OUTBOX_TRIES));
}

static enum err due_row(void *ctx, const struct db_value *values)
{
    struct due *d = ctx;
    struct row_in r = {.v = values};
    d->seen++;
    d->last = row_u64(&r, OUTBOX_ID);
    if (d->list.count >= d->limit || !is_due(&r, d->due_ms))
        return ERR_OK;
    return collect_row(&d->list, values);
}

enum err store_outbox_list(struct store *s, struct arena *a, enum outbox_kind kind, int64_t due_ms,
                           uint64_t after, uint32_t limit, struct store_outbox **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_outbox, OUTBOX_COLUMN_COUNT, {OUTBOX_COLUMNS(NUMBER_OUTBOX)},
                                        OUTBOX_BY_KIND, .equal = 1,          .after = true};
    struct due d = {.list = {.a = a, .each = sizeof **ret, .fill = fill_outbox},
                    .due_ms = due_ms,
                    .limit = page_limit(limit),
                    .last = after};
    /* What is not due yet must not hide what is behind it. */
    do {
        struct db_value args[] = {db_int(kind), db_int((int64_t)d.last)};
        d.seen = 0;
        TRY(db_scan_rows(s->db, &scan, args, d.limit, (struct db_rows){.row = due_row, .ctx = &d}));
    } while (d.list.count < d.limit && d.seen == d.limit && d.seen > 0);
    *ret = (void *)d.list.items;
    *ret_count = d.list.count;
    return ERR_OK;
}

enum err store_outbox_get(struct store *s, struct arena *a, uint64_t id, struct store_outbox *ret)
{
    static const struct db_fetch fetch = {
        &schema_outbox, OUTBOX_COLUMN_COUNT, {OUTBOX_COLUMNS(NUMBER_OUTBOX)}, .index = DB_BY_KEY};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, &fetch, &key, fill_outbox, ret, "entry of the outbox", id);
}

static void fill_audit(struct row_in *r, void *item)
{
    *(struct store_audit *)item = (struct store_audit){
        .seq = row_u64(r, AUDIT_SEQ),
        .at_ms = row_int(r, AUDIT_AT),
        .user_id = row_u64(r, AUDIT_USER),
        .action = row_text(r, AUDIT_ACTION),
        .subject = row_text(r, AUDIT_SUBJECT),
        .detail = row_bytes(r, AUDIT_DETAIL),
        .chain = row_digest(r, AUDIT_CHAIN),
    };
}

enum err store_audit_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                          struct store_audit **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_audit,     AUDIT_COLUMN_COUNT, {AUDIT_COLUMNS(NUMBER_AUDIT)},
                                        DB_BY_KEY,         .equal = 0,         .after = true,
                                        .descending = true};
    struct db_value from = db_int(after ? (int64_t)after : INT64_MAX);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_audit};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_audit_last(struct store *s, uint64_t *ret_seq, struct digest *ret_chain)
{
    struct arena ARENA_AUTO a = {0};
    struct store_audit *entry;
    uint32_t count;
    TRY(store_audit_list(s, &a, 0, 1, &entry, &count));
    *ret_seq = count ? entry->seq : 0;
    *ret_chain = count ? entry->chain : (struct digest){{0}};
    return ERR_OK;
}

/* Each part is preceded by its length, so that no two entries have the same text. */
struct digest store_audit_chain(const struct digest *before, const struct store_audit *e)
{
    struct buf BUF_AUTO text = {0};
    if (buf_add(&text, before->bytes, DIGEST_BYTES) != ERR_OK ||
        buf_printf(&text, "%" PRIu64 " %" PRId64 " %" PRIu64 " %zu:%s %zu:%s %" PRIu32 ":", e->seq, e->at_ms,
                   e->user_id, strlen(e->action), e->action, strlen(e->subject), e->subject,
                   e->detail.len) != ERR_OK ||
        buf_add(&text, e->detail.data, e->detail.len) != ERR_OK)
        return (struct digest){{0}}; /* out of memory: the entry will not verify, which is true */
    return hash_bytes(text.data, text.len);
}

static enum err add_project(void *ctx, const struct db_value *v)
{
    struct project_counts *p = ctx;
    struct row_in r = {.v = v};
    p->credit += (double)row_int(&r, PROJECT_CREDIT) / 1e6;
#define X(name) p->name += row_int(&r, PROJECT_COUNT_##name);
    PROJECT_COUNT_LIST(X)
#undef X
    return ERR_OK;
}

enum err store_project_counts(struct store *s, struct project_counts *ret)
{
    static const struct db_scan scan = {&schema_project,
                                        PROJECT_COLUMN_COUNT,
                                        {PROJECT_COLUMNS(NUMBER_PROJECT) PROJECT_COUNT_LIST(NUMBER_COUNT)},
                                        DB_BY_KEY,
                                        .equal = 0};
    struct project_counts sum = {0};
    TRY(db_scan_rows(s->db, &scan, NULL, STORE_PAGE_MAX, (struct db_rows){.row = add_project, .ctx = &sum}));
    *ret = sum;
    return ERR_OK;
}

static void fill_replay(struct row_in *r, void *item)
{
    *(struct store_replay *)item = (struct store_replay){.body = row_digest(r, REPLAY_BODY),
                                                         .result = row_bytes(r, REPLAY_RESULT),
                                                         .at_ms = row_int(r, REPLAY_AT)};
}

enum err store_replay_get(struct store *s, struct arena *a, const char *owner, const char *name,
                          struct store_replay *ret)
{
    static const struct db_fetch fetch = {
        &schema_replay, REPLAY_COLUMN_COUNT, {REPLAY_COLUMNS(NUMBER_REPLAY)}, .index = DB_BY_KEY};
    struct db_value key[] = {db_text(owner), db_text(name)};
    return collect_one(s, a, &fetch, key, fill_replay, ret, "idempotency key", 0);
}

struct pair {
    const char *owner, *name;
};

static void fill_pair(struct row_in *r, void *item)
{
    *(struct pair *)item = (struct pair){row_text(r, 0), row_text(r, 1)};
}

enum err store_replays_old(struct store *s, struct arena *a, int64_t before_ms, uint32_t limit,
                           const char ***ret_owners, const char ***ret_names, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_replay, 2,          {REPLAY_OWNER, REPLAY_NAME},
                                        REPLAY_BY_AT,   .equal = 0, .until = true};
    struct db_value until = db_int(before_ms);
    struct collect c = {.a = a, .each = sizeof(struct pair), .fill = fill_pair};
    TRY(collect_scan(s, &scan, &until, limit, &c));
    const char **owners = arena_array(a, c.count + 1u, sizeof *owners);
    const char **names = arena_array(a, c.count + 1u, sizeof *names);
    if (!owners || !names)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < c.count; i++) {
        owners[i] = ((struct pair *)(void *)c.items)[i].owner;
        names[i] = ((struct pair *)(void *)c.items)[i].name;
    }
    *ret_owners = owners;
    *ret_names = names;
    *ret_count = c.count;
    return ERR_OK;
}
