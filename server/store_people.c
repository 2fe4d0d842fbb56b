/* store_people.c - reading users, volunteers, hosts, their leases, tokens, invitations. */
#include <stdlib.h>

#include "server/store_in.h"
#include "server/store_load.h"

#define COLUMN_NUMBERS_ACCOUNT(N, n, k)    ACCOUNT_##N,
#define COLUMN_NUMBERS_VOLUNTEER(N, n, k)  VOLUNTEER_##N,
#define COLUMN_NUMBERS_HOST(N, n, k)       HOST_##N,
#define COLUMN_NUMBERS_HOST_STAT(N, n, k)  HOST_STAT_##N,
#define COLUMN_NUMBERS_TOKEN(N, n, k)      TOKEN_##N,
#define COLUMN_NUMBERS_INVITATION(N, n, k) INVITATION_##N,
#define COLUMN_NUMBERS_LEASE(N, n, k)      LEASE_##N,
/* All columns of a table, so that a row's values have the columns' numbers. */
#define ALL(T)                                                                                               \
    T##_COLUMN_COUNT,                                                                                        \
    {                                                                                                        \
        T##_COLUMNS(COLUMN_NUMBERS_##T)                                                                      \
    }

static void fill_account(struct row_in *r, void *item)
{
    *(struct store_user *)item = (struct store_user){
        .id = row_u64(r, ACCOUNT_ID),
        .name = row_text(r, ACCOUNT_NAME),
        .mail = row_text(r, ACCOUNT_MAIL),
        .role = role_from_name(row_text(r, ACCOUNT_ROLE)),
        .disabled = row_bool(r, ACCOUNT_DISABLED),
        .created_ms = row_int(r, ACCOUNT_CREATED),
        .blob_bytes_noted = row_int(r, ACCOUNT_BLOB_BYTES),
        .blob_bytes = row_int(r, ACCOUNT_BLOB_BYTES) > 0 ? row_u64(r, ACCOUNT_BLOB_BYTES) : 0,
        .blob_bytes_max = row_u64(r, ACCOUNT_BLOB_BYTES_MAX),
        .units_max = row_u64(r, ACCOUNT_UNITS_MAX),
    };
}

enum err store_user_get(struct store *s, struct arena *a, uint64_t id, struct store_user *ret)
{
    static const struct db_fetch fetch = {&schema_account, ALL(ACCOUNT), .index = DB_BY_KEY};
    static const struct db_fetch held = {&schema_account, ALL(ACCOUNT), .index = DB_BY_KEY,
                                         .lock = DB_LOCK_WAIT};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, s->writing ? &held : &fetch, &key, fill_account, ret, "user", id);
}

enum err store_user_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                         struct store_user **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_account, ALL(ACCOUNT), DB_BY_KEY, .equal = 0, .after = true};
    struct db_value from = db_int((int64_t)after);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_account};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_volunteer(struct row_in *r, void *item)
{
    *(struct store_volunteer *)item = (struct store_volunteer){
        .id = row_u64(r, VOLUNTEER_ID),
        .name = row_text(r, VOLUNTEER_NAME),
        .team = row_text(r, VOLUNTEER_TEAM),
        .created_ms = row_int(r, VOLUNTEER_CREATED),
        .credit = (double)row_int(r, VOLUNTEER_CREDIT) / 1e6,
        .hosts = row_u64(r, VOLUNTEER_HOSTS),
        .valid = row_u64(r, VOLUNTEER_VALID),
        .invalid = row_u64(r, VOLUNTEER_INVALID),
    };
}

enum err store_volunteer_get(struct store *s, struct arena *a, uint64_t id, struct store_volunteer *ret)
{
    static const struct db_fetch fetch = {&schema_volunteer, ALL(VOLUNTEER), .index = DB_BY_KEY};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, &fetch, &key, fill_volunteer, ret, "volunteer", id);
}

enum err store_volunteer_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                              struct store_volunteer **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_volunteer, ALL(VOLUNTEER), DB_BY_KEY, .equal = 0,
                                        .after = true};
    struct db_value from = db_int((int64_t)after);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_volunteer};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_host(struct row_in *r, void *item)
{
    uint32_t flags = row_u32(r, HOST_FLAGS);
    *(struct store_host *)item = (struct store_host){
        .id = row_u64(r, HOST_ID),
        .volunteer_id = row_u64(r, HOST_VOLUNTEER),
        .banned = flags & STORE_HOST_BANNED,
        .left = flags & STORE_HOST_LEFT,
        .ban_reason = row_text(r, HOST_BAN_REASON),
        .nickname = row_text(r, HOST_NICKNAME),
        .platform = row_text(r, HOST_PLATFORM),
        .os = row_text(r, HOST_OS),
        .cpu = row_text(r, HOST_CPU),
        .client = row_text(r, HOST_CLIENT),
        .hr_class = row_text(r, HOST_HR_CLASS),
        .features = row_text(r, HOST_FEATURES),
        .cores = row_u32(r, HOST_CORES),
        .memory_bytes = row_u64(r, HOST_MEMORY),
        .disk_bytes = row_u64(r, HOST_DISK),
        .speed = row_real(r, HOST_SPEED),
        .created_ms = row_int(r, HOST_CREATED),
        .network = row_u64(r, HOST_NETWORK),
        .protocol = row_u32(r, HOST_PROTOCOL),
    };
}

static void fill_host_stat(struct row_in *r, void *item)
{
    struct store_host *h = item;
    h->seen_ms = row_int(r, HOST_STAT_SEEN);
    h->allowed = row_u32(r, HOST_STAT_ALLOWED);
    h->leased = row_u64(r, HOST_STAT_LEASED);
    h->valid = row_u64(r, HOST_STAT_VALID);
    h->invalid = row_u64(r, HOST_STAT_INVALID);
    h->errors = row_u64(r, HOST_STAT_ERRORS);
    h->expired = row_u64(r, HOST_STAT_EXPIRED);
    h->reports = row_u64(r, HOST_STAT_REPORTS);
    h->credit_micro = row_u64(r, HOST_STAT_CREDIT);
    h->credit = (double)h->credit_micro / 1e6;
    h->pace = row_bytes(r, HOST_STAT_PACE);
}

static const struct db_fetch fetch_host = {&schema_host, ALL(HOST), .index = DB_BY_KEY};
static const struct db_fetch fetch_host_stat = {&schema_host_stat, ALL(HOST_STAT), .index = DB_BY_KEY};

enum err store_host_get(struct store *s, struct arena *a, uint64_t id, struct store_host *ret)
{
    struct db_value key = db_int((int64_t)id);
    TRY(collect_one(s, a, &fetch_host, &key, fill_host, ret, "host", id));
    return collect_one(s, a, &fetch_host_stat, &key, fill_host_stat, ret, "host", id);
}

struct host_rows {
    struct arena *a;
    struct store_host *hosts;
    uint32_t count;
    struct store_host **by_id; /* the same, for what comes in no order */
};

static enum err host_row(void *ctx, const struct db_value *values)
{
    struct host_rows *h = ctx;
    struct row_in r = {.a = h->a, .v = values};
    fill_host(&r, &h->hosts[h->count++]);
    return r.failed ? ERR_NOMEM : ERR_OK;
}

static int compare_hosts(const void *a, const void *b)
{
    const struct store_host *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static uint32_t first_of(const struct host_rows *h, uint64_t id)
{
    uint32_t low = 0, high = h->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (h->by_id[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err host_stat_row(void *ctx, const struct db_value *values)
{
    struct host_rows *h = ctx;
    struct row_in r = {.a = h->a, .v = values};
    uint64_t id = row_u64(&r, HOST_STAT_ID);
    for (uint32_t i = first_of(h, id); i < h->count && h->by_id[i]->id == id;
         i++) /* one may be there twice */
        fill_host_stat(&r, h->by_id[i]);
    return r.failed ? ERR_NOMEM : ERR_OK;
}

/* The second half of hosts that were read by fill_host(). */
static enum err add_stats(struct store *s, struct host_rows *h)
{
    struct db_value *keys = arena_array(h->a, h->count + 1u, sizeof *keys);
    h->by_id = arena_array(h->a, h->count + 1u, sizeof(struct store_host *));
    if (!keys || !h->by_id)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < h->count; i++) {
        keys[i] = db_int((int64_t)h->hosts[i].id);
        h->by_id[i] = &h->hosts[i];
    }
    qsort(h->by_id, h->count, sizeof *h->by_id, compare_hosts);
    return db_fetch_rows(s->db, &fetch_host_stat, keys, h->count,
                         (struct db_rows){.row = host_stat_row, .ctx = h});
}

enum err store_hosts_load(struct store *s, struct arena *a, const uint64_t *ids, uint32_t count,
                          struct store_host **ret, uint32_t *ret_count)
{
    struct host_rows h = {.a = a, .hosts = arena_array(a, count + 1u, sizeof *h.hosts)};
    struct db_value *keys = arena_array(a, count + 1u, sizeof *keys);
    if (!h.hosts || !keys)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = db_int((int64_t)ids[i]);
    TRY(db_fetch_rows(s->db, &fetch_host, keys, count, (struct db_rows){.row = host_row, .ctx = &h}));
    TRY(add_stats(s, &h));
    *ret = h.hosts;
    *ret_count = h.count;
    return ERR_OK;
}

static enum err list_hosts(struct store *s, struct arena *a, const struct db_scan *scan,
                           const struct db_value *args, uint32_t limit, struct store_host **ret,
                           uint32_t *ret_count)
{
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_host};
    TRY(collect_scan(s, scan, args, limit, &c));
    struct host_rows h = {.a = a, .hosts = (void *)c.items, .count = c.count};
    TRY(add_stats(s, &h));
    *ret = h.hosts;
    *ret_count = h.count;
    return ERR_OK;
}

enum err store_host_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                         struct store_host **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_host, ALL(HOST), DB_BY_KEY, .equal = 0, .after = true};
    struct db_value from = db_int((int64_t)after);
    return list_hosts(s, a, &scan, &from, limit, ret, ret_count);
}

enum err store_host_list_of(struct store *s, struct arena *a, uint64_t volunteer_id, uint64_t after,
                            uint32_t limit, struct store_host **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_host, ALL(HOST), HOST_BY_VOLUNTEER, .equal = 1,
                                        .after = true};
    struct db_value args[] = {db_int((int64_t)volunteer_id), db_int((int64_t)after)};
    return list_hosts(s, a, &scan, args, limit, ret, ret_count);
}

static void fill_lease(struct row_in *r, void *item)
{
    *(struct store_lease *)item = (struct store_lease){
        .host_id = row_u64(r, LEASE_HOST),
        .unit = row_u64(r, LEASE_UNIT),
        .attempt = row_u32(r, LEASE_ATTEMPT),
        .deadline_ms = row_int(r, LEASE_DEADLINE),
    };
}

enum err store_lease_list(struct store *s, struct arena *a, uint64_t host_id, wu_id after, uint32_t limit,
                          struct store_lease **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_lease, ALL(LEASE), DB_BY_KEY, .equal = 1, .after = true};
    struct db_value args[] = {db_int((int64_t)host_id), db_int((int64_t)after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_lease};
    TRY(collect_scan(s, &scan, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

struct lease_rows {
    void (*lease)(void *ctx, const struct store_lease *lease);
    void *ctx;
};

static enum err lease_row(void *ctx, const struct db_value *values)
{
    struct lease_rows *to = ctx;
    struct row_in r = {.v = values};
    struct store_lease lease;
    fill_lease(&r, &lease);
    to->lease(to->ctx, &lease);
    return ERR_OK;
}

enum err store_leases_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                           void (*lease)(void *ctx, const struct store_lease *lease), void *ctx)
{
    static const struct db_fetch fetch = {&schema_lease, ALL(LEASE), DB_BY_KEY, .equal = 1};
    struct lease_rows to = {.lease = lease, .ctx = ctx};
    struct db_value *keys = arena_array(a, count + 1u, sizeof *keys);
    if (!keys)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = db_int((int64_t)hosts[i]);
    return db_fetch_rows(s->db, &fetch, keys, count, (struct db_rows){.row = lease_row, .ctx = &to});
}

static void fill_token(struct row_in *r, void *item)
{
    *(struct store_token *)item = (struct store_token){
        .id = row_u64(r, TOKEN_ID),
        .role = role_from_name(row_text(r, TOKEN_ROLE)),
        .owner_id = row_u64(r, TOKEN_OWNER),
        .secret = row_digest(r, TOKEN_SECRET),
        .scope = row_text(r, TOKEN_SCOPE),
        .name = row_text(r, TOKEN_NAME),
        .created_ms = row_int(r, TOKEN_CREATED),
        .expires_ms = row_int(r, TOKEN_EXPIRES),
        .revoked = row_bool(r, TOKEN_REVOKED),
        .agent = row_text(r, TOKEN_AGENT),
    };
}

enum err store_token_get(struct store *s, struct arena *a, uint64_t id, struct store_token *ret)
{
    static const struct db_fetch fetch = {&schema_token, ALL(TOKEN), .index = DB_BY_KEY};
    static const struct db_fetch held = {&schema_token, ALL(TOKEN), .index = DB_BY_KEY, .lock = DB_LOCK_WAIT};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, s->writing ? &held : &fetch, &key, fill_token, ret, "token", id);
}

enum err store_token_list(struct store *s, struct arena *a, enum role role, uint64_t owner_id, uint64_t after,
                          uint32_t limit, struct store_token **ret, uint32_t *ret_count)
{
    static const struct db_scan all = {&schema_token, ALL(TOKEN), DB_BY_KEY, .equal = 0, .after = true};
    static const struct db_scan owned = {&schema_token, ALL(TOKEN), TOKEN_BY_OWNER, .equal = 2,
                                         .after = true};
    struct db_value args[] = {db_text(role_name(role)), db_int((int64_t)owner_id), db_int((int64_t)after)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_token};
    TRY(role == ROLE_NONE ? collect_scan(s, &all, &args[2], limit, &c)
                          : collect_scan(s, &owned, args, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_invitation(struct row_in *r, void *item)
{
    *(struct store_invitation *)item = (struct store_invitation){
        .id = row_u64(r, INVITATION_ID),
        .secret = row_digest(r, INVITATION_SECRET),
        .name = row_text(r, INVITATION_NAME),
        .uses = row_u32(r, INVITATION_USES),
        .uses_max = row_u32(r, INVITATION_USES_MAX),
        .created_ms = row_int(r, INVITATION_CREATED),
        .expires_ms = row_int(r, INVITATION_EXPIRES),
        .revoked = row_bool(r, INVITATION_REVOKED),
    };
}

enum err store_invitation_find(struct store *s, struct arena *a, const struct digest *secret,
                               struct store_invitation *ret)
{
    static const struct db_fetch fetch = {&schema_invitation, ALL(INVITATION), .index = INVITATION_BY_SECRET};
    static const struct db_fetch held = {&schema_invitation, ALL(INVITATION), .index = INVITATION_BY_SECRET,
                                         .lock = DB_LOCK_WAIT};
    struct db_value key = db_blob(secret->bytes, DIGEST_BYTES);
    return collect_one(s, a, s->writing ? &held : &fetch, &key, fill_invitation, ret, "invitation", 0);
}

enum err store_invitation_get(struct store *s, struct arena *a, uint64_t id, struct store_invitation *ret)
{
    static const struct db_fetch fetch = {&schema_invitation, ALL(INVITATION), .index = DB_BY_KEY};
    static const struct db_fetch held = {&schema_invitation, ALL(INVITATION), .index = DB_BY_KEY,
                                         .lock = DB_LOCK_WAIT};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, s->writing ? &held : &fetch, &key, fill_invitation, ret, "invitation", id);
}

enum err store_invitation_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                               struct store_invitation **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_invitation, ALL(INVITATION), DB_BY_KEY, .equal = 0,
                                        .after = true};
    struct db_value from = db_int((int64_t)after);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_invitation};
    TRY(collect_scan(s, &scan, &from, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}
