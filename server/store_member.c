/* store_member.c - see store_member.h */
#include "server/store_member.h"

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_MEMBER(N, n, k) MEMBER_##N,
#define NUMBER_CLAIM(N, n, k)  CLAIM_##N,
#define ALL_CLAIM                                                                                            \
    CLAIM_COLUMN_COUNT,                                                                                      \
    {                                                                                                        \
        CLAIM_COLUMNS(NUMBER_CLAIM)                                                                          \
    }

/* Programs of before version 4 do not say. */
static uint32_t schema_of(const struct row_in *r)
{
    return r->v[MEMBER_SCHEMA].kind == DB_INT ? row_u32(r, MEMBER_SCHEMA) : 3;
}

static void fill_member(struct row_in *r, void *item)
{
    *(struct store_member *)item = (struct store_member){.id = row_u32(r, MEMBER_ID),
                                                         .joined = row_u64(r, MEMBER_JOINED),
                                                         .beat = row_u64(r, MEMBER_BEAT),
                                                         .knows = row_u64(r, MEMBER_KNOWS),
                                                         .wall_ms = row_int(r, MEMBER_WALL),
                                                         .place = row_text(r, MEMBER_PLACE),
                                                         .news = row_u64(r, MEMBER_NEWS),
                                                         .told = row_text(r, MEMBER_TOLD),
                                                         .schema = schema_of(r)};
}

enum err store_member_list(struct store *s, struct arena *a, struct store_member **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {
        &schema_member, MEMBER_COLUMN_COUNT, {MEMBER_COLUMNS(NUMBER_MEMBER)}, DB_BY_KEY, .equal = 0};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_member};
    TRY(collect_scan(s, &scan, NULL, MEMBERS_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

static void fill_claim(struct row_in *r, void *item)
{
    *(struct store_claim *)item = (struct store_claim){.kind = (enum claim_kind)row_int(r, CLAIM_KIND),
                                                       .subject = row_u64(r, CLAIM_SUBJECT),
                                                       .owner = row_u64(r, CLAIM_OWNER)};
}

enum err store_claim_list(struct store *s, struct arena *a, enum claim_kind kind, uint64_t first,
                          uint64_t last, uint32_t limit, struct store_claim **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_claim, ALL_CLAIM,     DB_BY_KEY,
                                        .equal = 1,    .after = true, .until = true};
    struct db_value args[] = {db_int(kind), db_int((int64_t)first - 1), db_int((int64_t)last)};
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_claim};
    TRY(db_scan_rows(s->db, &scan, args, limit, (struct db_rows){.row = collect_row, .ctx = &c}));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

enum err store_claims_of(struct store *s, struct arena *a, uint64_t owner, uint32_t limit,
                         struct store_claim **ret, uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_claim, ALL_CLAIM, CLAIM_BY_OWNER, .equal = 1};
    struct db_value key = db_int((int64_t)owner);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill_claim};
    TRY(collect_scan(s, &scan, &key, limit, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

struct mine {
    const uint64_t *subjects;
    uint32_t count;
    uint64_t owner;
    bool *ret;
};

static enum err mine_row(void *ctx, const struct db_value *v)
{
    const struct mine *m = ctx;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->subjects[i] == (uint64_t)v[0].as.i)
            m->ret[i] = (uint64_t)v[1].as.i == m->owner;
    return ERR_OK;
}

enum err store_claims_take(struct store *s, struct arena *a, enum claim_kind kind, const uint64_t *subjects,
                           uint32_t count, uint32_t place, uint64_t owner, bool *ret_mine)
{
    static const struct db_write here = {
        &schema_member,
        DB_UPDATE,
        3,
        {{MEMBER_ID, DB_KEY}, {MEMBER_JOINED, DB_GUARD}, {MEMBER_JOINED, DB_SET}}};
    struct db_value me[] = {db_int(place), db_int((int64_t)owner), db_int((int64_t)owner)};
    uint32_t lives = 0;
    static const struct db_fetch fetch = {&schema_claim, 2, {CLAIM_SUBJECT, CLAIM_OWNER}, .index = DB_BY_KEY};
    struct mine m = {.subjects = subjects, .count = count, .owner = owner, .ret = ret_mine};
    struct db_value *rows = arena_array(a, (size_t)count * 3 + 1u, sizeof *rows);
    struct db_value *keys = arena_array(a, (size_t)count * 2 + 1u, sizeof *keys);
    if (!rows || !keys)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        ret_mine[i] = false;
        rows[i * 3] = keys[i * 2] = db_int(kind);
        rows[i * 3 + 1] = keys[i * 2 + 1] = db_int((int64_t)subjects[i]);
        rows[i * 3 + 2] = db_int((int64_t)owner);
    }
    if (count == 0)
        return ERR_OK;
    TRY(db_write_later(s->db, &here, me, 1, &lives));
    TRY(db_write_later(s->db, &store_writes[CLAIM_NEW], rows, count, NULL));
    TRY(db_fetch_rows(s->db, &fetch, keys, count, (struct db_rows){.row = mine_row, .ctx = &m}));
    return lives == 1 ? ERR_OK : err_set(ERR_CONFLICT, "this server was given up for dead");
}

void store_set_member_new(struct store_set *set, const struct store_member *m)
{
    struct db_value *v = store_set_row(set, MEMBER_NEW);
    v[MEMBER_ID] = db_int(m->id);
    v[MEMBER_JOINED] = db_int((int64_t)m->joined);
    v[MEMBER_BEAT] = db_int((int64_t)m->beat);
    v[MEMBER_KNOWS] = db_int((int64_t)m->knows);
    v[MEMBER_WALL] = db_int(m->wall_ms);
    v[MEMBER_PLACE] = db_text(m->place);
    v[MEMBER_NEWS] = db_int((int64_t)m->news);
    v[MEMBER_TOLD] = db_text(m->told);
    v[MEMBER_SCHEMA] = db_int(m->schema);
}

void store_set_member_beat(struct store_set *set, const struct store_member *m)
{
    struct db_value *v = store_set_row(set, MEMBER_ALIVE);
    *v++ = db_int(m->id);
    *v++ = db_int((int64_t)m->joined);
    *v++ = db_int((int64_t)m->beat);
    *v++ = db_int((int64_t)m->knows);
    *v++ = db_int(m->wall_ms);
    *v++ = db_int((int64_t)m->news);
    *v = db_text(m->told);
}

void store_set_member_end(struct store_set *set, const struct store_member *m)
{
    struct db_value *v = store_set_row(set, MEMBER_END);
    *v++ = db_int(m->id);
    *v++ = db_int((int64_t)m->joined);
    *v = db_int((int64_t)m->beat);
}

void store_set_claim_end(struct store_set *set, const struct store_claim *c)
{
    struct db_value *v = store_set_row(set, CLAIM_END);
    *v++ = db_int(c->kind);
    *v++ = db_int((int64_t)c->subject);
    *v = db_int((int64_t)c->owner);
}
