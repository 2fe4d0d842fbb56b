/* store_trust.c - reading what is believed of hosts, and what of theirs is in escrow. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "rules/trust.h"
#include "server/store_in.h"
#include "server/store_load.h"

uint64_t store_trust_app(const char *app, uint32_t version)
{
    char name[160];
    uint64_t number = 0;
    snprintf(name, sizeof name, "%s %u", app, version);
    struct digest d = hash_bytes(name, strlen(name));
    for (int i = 0; i < 8; i++)
        number = number << 8 | d.bytes[i];
    return (number >> 1) | 1;
}

#define NUMBER_TRUST(N, n, k)  TRUST_##N,
#define NUMBER_ESCROW(N, n, k) ESCROW_##N,

static void fill_trust(struct row_in *r, void *item)
{
    *(struct store_trust *)item = (struct store_trust){.host_id = row_u64(r, TRUST_HOST),
                                                       .app = row_u64(r, TRUST_APP),
                                                       .trust = {.changed_ms = row_int(r, TRUST_CHANGED),
                                                                 .passed_milli = row_u32(r, TRUST_PASSED),
                                                                 .faults_milli = row_u32(r, TRUST_FAULTS),
                                                                 .answers = row_u32(r, TRUST_ANSWERS),
                                                                 .next = row_u64(r, TRUST_NEXT)}};
}

enum err store_trust_list(struct store *s, struct arena *a, uint64_t host_id, uint64_t app,
                          struct store_trust **ret, uint32_t *ret_count)
{
    static const struct db_scan all = {
        &schema_trust, TRUST_COLUMN_COUNT, {TRUST_COLUMNS(NUMBER_TRUST)}, DB_BY_KEY, .equal = 1};
    static const struct db_scan one = {
        &schema_trust, TRUST_COLUMN_COUNT, {TRUST_COLUMNS(NUMBER_TRUST)}, DB_BY_KEY, .equal = 2};
    struct db_value args[] = {db_int((int64_t)host_id), db_int((int64_t)app)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_trust};
    TRY(collect_scan(s, app ? &one : &all, args, STORE_PAGE_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static enum err load_of_hosts(struct store *s, const struct db_fetch *fetch, const uint64_t *hosts,
                              uint32_t count, struct collect *c)
{
    struct db_value *keys = arena_array(c->a, count + 1u, sizeof *keys);
    if (!keys)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = db_int((int64_t)hosts[i]);
    return db_fetch_rows(s->db, fetch, keys, count, (struct db_rows){.row = collect_row, .ctx = c});
}

enum err store_trusts_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                           struct store_trust **ret, uint32_t *ret_count)
{
    static const struct db_fetch fetch = {
        &schema_trust, TRUST_COLUMN_COUNT, {TRUST_COLUMNS(NUMBER_TRUST)}, DB_BY_KEY, .equal = 1};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_trust};
    TRY(load_of_hosts(s, &fetch, hosts, count, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum { TRUSTED_LOOK = 20000, SEEN_LOOK = 256 /* of them at once */ };
struct trusted {
    uint64_t app;
    uint32_t answers, hosts, rows;
    int64_t since_ms;
    struct db_value *ids;                  /* of the hosts, so many */
    uint32_t furthest[TRUST_CHECKERS_MIN]; /* in falling order */
};

static void note_far(struct trusted *t, uint32_t answers)
{
    uint32_t i = TRUST_CHECKERS_MIN;
    for (; i > 0 && t->furthest[i - 1] < answers; i--)
        if (i < TRUST_CHECKERS_MIN)
            t->furthest[i] = t->furthest[i - 1];
    if (i < TRUST_CHECKERS_MIN)
        t->furthest[i] = answers;
}

static enum err count_trusted(void *ctx, const struct db_value *values)
{
    struct trusted *t = ctx;
    struct row_in r = {.v = values};
    t->rows++;
    if (row_u64(&r, TRUST_APP) != t->app)
        return ERR_OK;
    note_far(t, row_u32(&r, TRUST_ANSWERS));
    if (row_u32(&r, TRUST_ANSWERS) >= t->answers)
        t->ids[t->hosts++] = db_int((int64_t)row_u64(&r, TRUST_HOST));
    return ERR_OK;
}

static enum err count_since(void *ctx, const struct db_value *values)
{
    struct trusted *t = ctx;
    struct row_in r = {.v = values};
    t->hosts += row_int(&r, HOST_STAT_SEEN) >= t->since_ms;
    return ERR_OK;
}

enum err store_trusted(struct store *s, struct arena *a, struct store_trusted *q, bool *ret)
{
    static const struct db_scan scan = {
        &schema_trust, TRUST_COLUMN_COUNT, {TRUST_COLUMNS(NUMBER_TRUST)}, DB_BY_KEY, .equal = 0};
    static const struct db_fetch seen = {
        &schema_host_stat, 2, {HOST_STAT_ID, HOST_STAT_SEEN}, .index = DB_BY_KEY};
    struct trusted t = {.app = q->app, .answers = q->answers, .since_ms = q->since_ms};
    TRY((t.ids = arena_array(a, TRUSTED_LOOK, sizeof *t.ids)) ? ERR_OK : ERR_NOMEM);
    TRY(db_scan_rows(s->db, &scan, NULL, TRUSTED_LOOK, (struct db_rows){count_trusted, &t}));
    uint32_t all = t.hosts, from = 0;
    for (t.hosts = 0; q->since_ms != 0 && from < all && t.hosts < q->hosts; from += SEEN_LOOK)
        TRY(db_fetch_rows(s->db, &seen, t.ids + from, all - from < SEEN_LOOK ? all - from : SEEN_LOOK,
                          (struct db_rows){count_since, &t}));
    q->ret_level = t.furthest[TRUST_CHECKERS_MIN - 1];
    *ret = (q->since_ms != 0 ? t.hosts : all) >= q->hosts || t.rows == TRUSTED_LOOK;
    return ERR_OK;
}

struct seen {
    int64_t at_ms[TRUSTED_LOOK];
    uint32_t count;
    int64_t last_ms;
};

static enum err add_seen(void *ctx, const struct db_value *values)
{
    struct seen *s = ctx;
    struct row_in r = {.v = values};
    int64_t at_ms = row_int(&r, 0);
    s->at_ms[s->count++] = at_ms;
    s->last_ms = at_ms > s->last_ms ? at_ms : s->last_ms;
    return ERR_OK;
}

static uint32_t count_seen(const struct seen *s, int64_t within_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->count; i++)
        n += s->last_ms - s->at_ms[i] <= within_ms;
    return s->count < TRUSTED_LOOK ? n : s->count;
}

enum err store_hosts_seen(struct store *s, struct arena *a, uint32_t *ret_hour, uint32_t *ret_day)
{
    static const struct db_scan scan = {&schema_host_stat, 1, {HOST_STAT_SEEN}, DB_BY_KEY, .equal = 0};
    struct seen *seen = arena_alloc(a, sizeof *seen);
    TRY(seen ? ERR_OK : ERR_NOMEM);
    seen->count = 0;
    seen->last_ms = INT64_MIN;
    TRY(db_scan_rows(s->db, &scan, NULL, TRUSTED_LOOK, (struct db_rows){add_seen, seen}));
    *ret_hour = count_seen(seen, 3600000);
    *ret_day = count_seen(seen, 86400000);
    return ERR_OK;
}

static void fill_escrow(struct row_in *r, void *item)
{
    int64_t flags = row_int(r, ESCROW_FLAGS);
    *(struct store_escrow *)item = (struct store_escrow){.host_id = row_u64(r, ESCROW_HOST),
                                                         .app = row_u64(r, ESCROW_APP),
                                                         .entry = {.seq = row_u64(r, ESCROW_SEQ),
                                                                   .unit = row_u64(r, ESCROW_UNIT),
                                                                   .wait = row_u32(r, ESCROW_WAIT),
                                                                   .open = flags & 1,
                                                                   .held = flags & 2}};
}

enum err store_escrow_list(struct store *s, struct arena *a, uint64_t host_id, uint64_t app,
                           struct store_escrow **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_escrow, ESCROW_COLUMN_COUNT, {ESCROW_COLUMNS(NUMBER_ESCROW)}, DB_BY_KEY, .equal = 2};
    struct db_value args[] = {db_int((int64_t)host_id), db_int((int64_t)app)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_escrow};
    TRY(collect_scan(s, &scan, args, 4 * TRUST_ESCROW_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_escrows_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                            struct store_escrow **ret, uint32_t *ret_count)
{
    static const struct db_fetch fetch = {
        &schema_escrow, ESCROW_COLUMN_COUNT, {ESCROW_COLUMNS(NUMBER_ESCROW)}, DB_BY_KEY, .equal = 1};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_escrow};
    TRY(load_of_hosts(s, &fetch, hosts, count, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}
