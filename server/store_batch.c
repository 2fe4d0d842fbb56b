/* store_batch.c - reading releases and batches. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store_in.h"
#include "server/store_load.h"

#define NUMBER_RELEASE(N, n, k)    RELEASE_##N,
#define NUMBER_BATCH(N, n, k)      BATCH_##N,
#define NUMBER_BATCH_LIVE(N, n, k) BATCH_LIVE_##N,
#define NUMBER_COUNT(name)         BATCH_LIVE_COUNT_##name,
#define ALL_BATCH                                                                                            \
    BATCH_COLUMN_COUNT,                                                                                      \
    {                                                                                                        \
        BATCH_COLUMNS(NUMBER_BATCH)                                                                          \
    }
#define ALL_BATCH_LIVE                                                                                       \
    BATCH_LIVE_COLUMN_COUNT,                                                                                 \
    {                                                                                                        \
        BATCH_LIVE_COLUMNS(NUMBER_BATCH_LIVE) BATCH_COUNT_LIST(NUMBER_COUNT)                                 \
    }

enum { RELEASE_BRIEF = RELEASE_COLUMN_COUNT - 1 }; /* all but the last one, the envelope */

static void fill_release_brief(struct row_in *r, void *item)
{
    *(struct store_release *)item = (struct store_release){
        .id = row_u64(r, RELEASE_ID),
        .digest = row_digest(r, RELEASE_DIGEST),
        .app = row_text(r, RELEASE_APP),
        .platform = row_text(r, RELEASE_PLATFORM),
        .version = row_u32(r, RELEASE_VERSION),
        .bundle = row_digest(r, RELEASE_BUNDLE),
        .bundle_bytes = row_u64(r, RELEASE_BUNDLE_BYTES),
        .retired = row_bool(r, RELEASE_RETIRED),
        .created_ms = row_int(r, RELEASE_CREATED),
        .user_id = row_u64(r, RELEASE_USER),
        .manifest = row_bytes(r, RELEASE_MANIFEST),
        .envelope = {.data = ""},
    };
}

static void fill_release(struct row_in *r, void *item)
{
    fill_release_brief(r, item);
    ((struct store_release *)item)->envelope = row_bytes(r, RELEASE_ENVELOPE);
}

enum err store_release_get(struct store *s, struct arena *a, const struct digest *digest,
                           struct store_release *ret)
{
    static const struct db_fetch fetch = {
        &schema_release, RELEASE_COLUMN_COUNT, {RELEASE_COLUMNS(NUMBER_RELEASE)}, .index = RELEASE_BY_DIGEST};
    struct db_value key = db_blob(digest->bytes, DIGEST_BYTES);
    return collect_one(s, a, &fetch, &key, fill_release, ret, "release", 0);
}

enum err store_release_list(struct store *s, struct arena *a, const char *app, uint64_t after, uint32_t limit,
                            struct store_release **ret, uint32_t *ret_count)
{
    static const struct db_scan all = {&schema_release, RELEASE_BRIEF, {RELEASE_COLUMNS(NUMBER_RELEASE)},
                                       DB_BY_KEY,       .equal = 0,    .after = true};
    static const struct db_scan of_app = {&schema_release, RELEASE_BRIEF, {RELEASE_COLUMNS(NUMBER_RELEASE)},
                                          RELEASE_BY_APP,  .equal = 1,    .after = true};
    struct db_value args[] = {db_text(app), db_int((int64_t)after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_release_brief};
    TRY(app ? collect_scan(s, &of_app, args, limit, &c) : collect_scan(s, &all, &args[1], limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

const struct db_fetch store_fetch_batch = {&schema_batch, ALL_BATCH, .index = DB_BY_KEY};
const struct db_fetch store_fetch_batch_live = {&schema_batch_live, ALL_BATCH_LIVE, .index = DB_BY_KEY};

/* "; WAIT:MOST ..", for each cause; nothing where nothing is said. */
static void parse_retry(const char *at, struct wu_rules *ret)
{
    for (uint32_t c = 0; at && c < WU_CAUSES; c++) {
        char *end = NULL;
        unsigned long wait_s = strtoul(at + 1, &end, 10), most = 0;
        bool has_most = *end == ':' && end[1] >= '0' && end[1] <= '9';
        if (has_most)
            most = strtoul(end + 1, &end, 10);
        ret->retry[c] =
            (struct wu_retry){.wait_s = (uint32_t)wait_s, .most = (uint16_t)most, .has_most = has_most};
        at = strchr(end, ' ');
    }
}

static enum err retry_text(const struct wu_rules *r, struct buf *out)
{
    bool any = false;
    for (uint32_t c = 0; c < WU_CAUSES; c++)
        any |= r->retry[c].wait_s || r->retry[c].has_most;
    for (uint32_t c = 0; any && c < WU_CAUSES; c++) {
        TRY(buf_printf(out, "%s%u", c ? " " : ";", r->retry[c].wait_s));
        if (r->retry[c].has_most)
            TRY(buf_printf(out, ":%u", (unsigned)r->retry[c].most));
    }
    return ERR_OK;
}

/* The numbers of wu_rules as text: see store_batch_rules_text(). */
static void parse_rules(const char *text, struct wu_rules *ret, struct trust_policy *t)
{
    unsigned compare = 0, own = 0, escrow = 0;
    memset(ret, 0, sizeof *ret);
    memset(t, 0, sizeof *t);
    int n = sscanf(text,
                   "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNd64 " %u %u %u %" SCNd64
                   " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32,
                   &ret->quorum, &ret->target_attempts, &ret->errors_max, &ret->attempts_max,
                   &ret->successes_max, &ret->lease_ms, &compare, &own, &escrow, &ret->hold_ms, &t->probation,
                   &t->audit_ppm, &t->floor_ppm, &t->wait);
    if (n == 8 || n == 14) {
        ret->escrow = escrow < WU_ESCROWS ? (enum wu_escrow)escrow : WU_ESCROW_NONE;
        ret->compare = compare < WU_COMPARES ? (enum wu_compare)compare : WU_COMPARE_DIGEST;
        ret->own_hosts = own != 0;
    }
    parse_retry(strchr(text, ';'), ret);
}

enum err store_batch_rules_text(const struct wu_rules *r, const struct trust_policy *t, struct buf *out)
{
    TRY(buf_printf(out, "%u %u %u %u %u %" PRId64 " %u %u", r->quorum, r->target_attempts, r->errors_max,
                   r->attempts_max, r->successes_max, r->lease_ms, (unsigned)r->compare,
                   r->own_hosts ? 1u : 0u));
    if (r->escrow != WU_ESCROW_NONE)
        TRY(buf_printf(out, " %u %" PRId64 " %u %u %u %u", (unsigned)r->escrow, r->hold_ms, t->probation,
                       t->audit_ppm, t->floor_ppm, t->wait));
    return retry_text(r, out);
}

enum err store_batch_releases_text(const struct store_batch *b, struct buf *out)
{
    for (uint32_t i = 0; i < b->release_count; i++) {
        char release[DIGEST_TEXT_BYTES], bundle[DIGEST_TEXT_BYTES];
        digest_text(&b->releases[i].release, release);
        digest_text(&b->releases[i].bundle, bundle);
        TRY(buf_printf(out, "%s %s %s\n", b->releases[i].platform, release, bundle));
    }
    return ERR_OK;
}

static uint32_t parse_releases(const char *text, struct batch_release *ret)
{
    uint32_t n = 0;
    char *copy = (char *)(uintptr_t)text; /* in the arena, ours */
    char *next = NULL;
    for (char *line = strtok_r(copy, "\n", &next); line && n < BATCH_RELEASES_MAX;
         line = strtok_r(NULL, "\n", &next)) {
        char *at = NULL;
        const char *platform = strtok_r(line, " ", &at), *release = strtok_r(NULL, " ", &at),
                   *bundle = strtok_r(NULL, " ", &at);
        if (platform && release && bundle && digest_parse(release, &ret[n].release) == ERR_OK &&
            digest_parse(bundle, &ret[n].bundle) == ERR_OK)
            ret[n++].platform = platform;
    }
    return n;
}

void store_fill_batch(struct row_in *r, void *item)
{
    struct store_batch *b = item;
    *b = (struct store_batch){
        .id = row_u32(r, BATCH_ID),
        .user_id = row_u64(r, BATCH_USER),
        .name = row_text(r, BATCH_NAME),
        .app = row_text(r, BATCH_APP),
        .version = row_u32(r, BATCH_VERSION),
        .priority = (int32_t)row_int(r, BATCH_PRIORITY),
        .order_digest = row_digest(r, BATCH_ORDER_DIGEST),
        .order = row_bytes(r, BATCH_ORDER_TEXT),
        .labels = row_bytes(r, BATCH_LABELS),
        .policy = row_bytes(r, BATCH_POLICY),
        .request = row_bytes(r, BATCH_REQUEST),
        .needs_memory_bytes = row_u64(r, BATCH_MEMORY),
        .needs_disk_bytes = row_u64(r, BATCH_DISK),
        .needs_features = row_text(r, BATCH_FEATURES),
        .hr_kind = row_text(r, BATCH_HR_KIND),
        .cost = row_real(r, BATCH_COST),
        .array = row_bool(r, BATCH_IS_ARRAY),
        .array_first = row_int(r, BATCH_ARRAY_FIRST),
        .array_step = row_int(r, BATCH_ARRAY_STEP),
        .array_count = row_u32(r, BATCH_ARRAY_COUNT),
        .created_ms = row_int(r, BATCH_CREATED),
        .question = row_digest(r, BATCH_QUESTION),
    };
    parse_rules(row_text(r, BATCH_RULES), &b->rules, &b->trust);
    b->release_count = parse_releases(row_text(r, BATCH_RELEASES), b->releases);
}

void store_fill_batch_live(struct row_in *r, struct store_batch *b)
{
    uint32_t flags = row_u32(r, BATCH_LIVE_FLAGS), job = row_u32(r, BATCH_LIVE_JOB);
    b->rev = row_u32(r, BATCH_LIVE_REV);
    b->loading = flags & STORE_BATCH_LOADING;
    b->paused = flags & STORE_BATCH_PAUSED;
    b->cancelled = flags & STORE_BATCH_CANCELLED;
    b->purged = flags & STORE_BATCH_PURGED;
    b->frozen = flags & STORE_BATCH_FROZEN;
    b->archived = flags & STORE_BATCH_ARCHIVED;
    b->job = job < BATCH_JOBS ? (enum batch_job)job : BATCH_JOB_NONE;
    b->job_next = row_u32(r, BATCH_LIVE_JOB_NEXT);
    b->finished_ms = row_int(r, BATCH_LIVE_FINISHED);
#define X(name) b->counts.name = row_int(r, BATCH_LIVE_COUNT_##name);
    BATCH_COUNT_LIST(X)
#undef X
}

static void fill_live(struct row_in *r, void *item)
{
    store_fill_batch_live(r, item);
}

enum err store_batch_get(struct store *s, struct arena *a, uint32_t id, struct store_batch *ret)
{
    struct db_value key = db_int(id);
    struct store_batch b;
    TRY(collect_one(s, a, &store_fetch_batch, &key, store_fill_batch, &b, "batch", id));
    TRY(collect_one(s, a, &store_fetch_batch_live, &key, fill_live, &b, "batch", id));
    *ret = b;
    return ERR_OK;
}

struct ids {
    uint32_t *ids;
    uint32_t count;
};

static enum err id_row(void *ctx, const struct db_value *values)
{
    struct ids *l = ctx;
    l->ids[l->count++] = (uint32_t)values[0].as.i;
    return ERR_OK;
}

static enum err load_all(struct store *s, struct arena *a, const struct ids *l, struct store_batch **ret,
                         uint32_t *ret_count)
{
    struct store_batch *batches = arena_array(a, l->count + 1u, sizeof *batches);
    if (!batches)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < l->count; i++)
        TRY(store_batch_get(s, a, l->ids[i], &batches[i]));
    *ret = batches;
    *ret_count = l->count;
    return ERR_OK;
}

enum err store_batch_list(struct store *s, struct arena *a, uint64_t user_id, uint32_t after, uint32_t limit,
                          struct store_batch **ret, uint32_t *ret_count)
{
    static const struct db_scan all = {&schema_batch,     1, {BATCH_ID}, DB_BY_KEY, .equal = 0, .after = true,
                                       .descending = true};
    static const struct db_scan of_user = {
        &schema_batch, 1, {BATCH_ID}, BATCH_BY_USER, .equal = 1, .after = true, .descending = true};
    limit = page_limit(limit);
    struct ids l = {.ids = arena_array(a, limit + 1u, sizeof *l.ids)};
    struct db_value args[] = {db_int((int64_t)user_id), db_int(after ? after : INT64_MAX)};
    struct db_rows to = {.row = id_row, .ctx = &l};
    if (!l.ids)
        return ERR_NOMEM;
    TRY(user_id ? db_scan_rows(s->db, &of_user, args, limit, to)
                : db_scan_rows(s->db, &all, &args[1], limit, to));
    return load_all(s, a, &l, ret, ret_count);
}

enum err store_batches_active(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                              struct store_batch **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_batch_live,   1,          {BATCH_LIVE_ID},
                                        BATCH_LIVE_BY_ACTIVE, .equal = 1, .after = true};
    struct ids l = {.ids = arena_array(a, limit + 1u, sizeof *l.ids)};
    struct db_value args[] = {db_int(1), db_int(after)};
    if (!l.ids)
        return ERR_NOMEM;
    TRY(db_scan_rows(s->db, &scan, args, limit, (struct db_rows){.row = id_row, .ctx = &l}));
    return load_all(s, a, &l, ret, ret_count);
}

static void fill_live_only(struct row_in *r, void *item)
{
    struct store_batch *b = item;
    *b = (struct store_batch){.id = row_u32(r, BATCH_LIVE_ID)};
    store_fill_batch_live(r, b);
}

enum err store_batches_live(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                            struct store_batch **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_batch_live, ALL_BATCH_LIVE, BATCH_LIVE_BY_ACTIVE, .equal = 1,
                                        .after = true};
    struct db_value args[] = {db_int(1), db_int(after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_live_only};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_order(struct row_in *r, void *item)
{
    *(struct text *)item = row_bytes(r, 0);
}

enum err store_order_get(struct store *s, struct arena *a, const struct digest *digest,
                         struct text *ret_order)
{
    static const struct db_fetch fetch = {&schema_batch, 1, {BATCH_ORDER_TEXT}, .index = BATCH_BY_ORDER};
    struct db_value key = db_blob(digest->bytes, DIGEST_BYTES);
    return collect_one(s, a, &fetch, &key, fill_order, ret_order, "order", 0);
}

const char *store_batch_state(const struct store_batch *b)
{
    if (b->finished_ms)
        return b->cancelled ? "cancelled" : "done";
    if (b->cancelled)
        return "cancelled";
    if (b->paused)
        return "paused";
    return b->loading ? "loading" : "running";
}
