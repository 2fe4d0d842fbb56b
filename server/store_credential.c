/* store_credential.c - see store_credential.h */
#include "server/store_credential.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_CREDENTIAL(N, n, k) CREDENTIAL_##N,
#define ALL                                                                                                  \
    CREDENTIAL_COLUMN_COUNT,                                                                                 \
    {                                                                                                        \
        CREDENTIAL_COLUMNS(NUMBER_CREDENTIAL)                                                                \
    }

const char *credential_kind_name(enum credential_kind k)
{
    static const char *const words[] = {
#define X(name, word) word,
        CREDENTIAL_KIND_LIST(X)
#undef X
    };
    return k < CREDENTIAL_KINDS ? words[k] : "?";
}

static void fill(struct row_in *r, void *item)
{
    *(struct store_credential *)item = (struct store_credential){
        .id = row_u64(r, CREDENTIAL_ID),
        .user_id = row_u64(r, CREDENTIAL_USER),
        .kind = (enum credential_kind)row_u32(r, CREDENTIAL_KIND),
        .name = row_text(r, CREDENTIAL_NAME),
        .handle = row_bytes(r, CREDENTIAL_HANDLE),
        .secret = row_bytes(r, CREDENTIAL_SECRET),
        .counter = row_u32(r, CREDENTIAL_COUNTER),
        .created_ms = row_int(r, CREDENTIAL_CREATED),
        .used_ms = row_int(r, CREDENTIAL_USED),
    };
}

static void fill_id(struct row_in *r, void *item)
{
    *(uint64_t *)item = row_u64(r, 0);
}

enum err store_credential_get(struct store *s, struct arena *a, uint64_t id, struct store_credential *ret)
{
    static const struct db_fetch fetch = {&schema_credential, ALL, .index = DB_BY_KEY};
    struct db_value key = db_int((int64_t)id);
    return collect_one(s, a, &fetch, &key, fill, ret, "credential", id);
}

enum err store_credential_find(struct store *s, struct arena *a, const void *handle, size_t len,
                               struct store_credential *ret)
{
    static const struct db_fetch fetch = {&schema_credential, ALL, .index = CREDENTIAL_BY_HANDLE};
    struct db_value key = db_blob(handle, (uint32_t)len);
    return collect_one(s, a, &fetch, &key, fill, ret, "credential", 0);
}

enum err store_credential_list(struct store *s, struct arena *a, uint64_t user_id,
                               struct store_credential **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_credential, ALL, CREDENTIAL_BY_USER, .equal = 1};
    struct db_value user = db_int((int64_t)user_id);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill};
    TRY(collect_scan(s, &scan, &user, STORE_PAGE_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

void store_set_credential_new(struct store_set *set, const struct store_credential *c)
{
    struct db_value *v = store_set_row(set, CREDENTIAL_NEW);
    v[CREDENTIAL_ID] = db_int((int64_t)c->id);
    v[CREDENTIAL_USER] = db_int((int64_t)c->user_id);
    v[CREDENTIAL_KIND] = db_int(c->kind);
    v[CREDENTIAL_NAME] = db_text(c->name);
    v[CREDENTIAL_HANDLE] = c->handle.len ? db_blob(c->handle.data, c->handle.len) : db_null();
    v[CREDENTIAL_SECRET] = db_blob(c->secret.data, c->secret.len);
    v[CREDENTIAL_COUNTER] = db_int(c->counter);
    v[CREDENTIAL_CREATED] = db_int(c->created_ms);
    v[CREDENTIAL_USED] = db_int(c->used_ms);
}

void store_set_credential_used(struct store_set *set, const struct store_credential *c, uint32_t counter,
                               int64_t now_ms)
{
    struct db_value *v = store_set_row(set, CREDENTIAL_USE);
    *v++ = db_int((int64_t)c->id);
    *v++ = db_int(c->counter);
    *v++ = db_int(counter);
    *v = db_int(now_ms);
}

void store_set_credential_end(struct store_set *set, uint64_t id)
{
    store_set_row(set, CREDENTIAL_END)[0] = db_int((int64_t)id);
}

enum err store_user_find(struct store *s, struct arena *a, const char *name, struct store_user *ret)
{
    static const struct db_fetch fetch = {&schema_account, 1, {ACCOUNT_ID}, .index = ACCOUNT_BY_NAME};
    struct db_value key = db_text(name);
    uint64_t id = 0;
    TRY(collect_one(s, a, &fetch, &key, fill_id, &id, "user", 0));
    return store_user_get(s, a, id, ret);
}
