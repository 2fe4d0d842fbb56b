/* things.h - two tables of a database of any kind, and what the tests of the seam under the store do with
 * them. */
#ifndef TESTS_LIB_THINGS_H
#define TESTS_LIB_THINGS_H

#include <string.h>

#include "lib/database.h"
#include "server/db.h"

enum { ID, RANK, SCORE, LABEL, BYTES, DUE, CODE, THING_COLUMNS };
static const struct db_column thing_columns[] = {
    {"id", DB_INT},     {"rank", DB_INT}, {"score", DB_REAL}, {"label", DB_TEXT},
    {"bytes", DB_BLOB}, {"due", DB_INT},  {"code", DB_TEXT},
};
enum { BY_RANK, BY_DUE, BY_CODE };
static const struct db_index thing_indexes[] = {
    {.name = "thing_rank", .count = 1, .columns = {RANK}},
    {.name = "thing_due", .count = 1, .columns = {DUE}, .partial = true},
    {.name = "thing_code", .count = 1, .columns = {CODE}, .unique = true},
};
static const struct db_table thing = {"thing", THING_COLUMNS, 1, thing_columns, 3, thing_indexes, 0};

enum { OWNER, NUMBER, KIND, SUM, PAIR_COLUMNS };
static const struct db_column pair_columns[] = {
    {"owner", DB_TEXT}, {"number", DB_INT}, {"kind", DB_TEXT}, {"sum", DB_INT}};
static const struct db_index pair_indexes[] = {{.name = "pair_kind", .count = 2, .columns = {KIND, OWNER}}};
static const struct db_table pair = {"pair", PAIR_COLUMNS, 2, pair_columns, 1, pair_indexes, 0};

#define WHOLE(verb, op)                                                                                      \
    {                                                                                                        \
        &thing, verb, THING_COLUMNS,                                                                         \
        {                                                                                                    \
            {ID, DB_KEY}, {RANK, op}, {SCORE, op}, {LABEL, DB_SET}, {BYTES, DB_SET}, {DUE, DB_SET},          \
            {                                                                                                \
                CODE, DB_SET                                                                                 \
            }                                                                                                \
        }                                                                                                    \
    }
static const struct db_write insert = WHOLE(DB_INSERT, DB_SET), insert_new = WHOLE(DB_INSERT_NEW, DB_SET),
                             put = WHOLE(DB_PUT, DB_SET), put_adding = WHOLE(DB_PUT, DB_ADD);
static const struct db_write insert_pair = {
    &pair, DB_INSERT, 4, {{OWNER, DB_KEY}, {NUMBER, DB_KEY}, {KIND, DB_SET}, {SUM, DB_SET}}};

#define ALL_THING                                                                                            \
    THING_COLUMNS,                                                                                           \
    {                                                                                                        \
        ID, RANK, SCORE, LABEL, BYTES, DUE, CODE                                                             \
    }
static const struct db_fetch by_key = {&thing, ALL_THING, .index = DB_BY_KEY};
static const struct db_scan in_order = {&thing, ALL_THING, DB_BY_KEY, .equal = 0};

/* --- what a read gave --- */

struct seen {
    uint32_t count, columns;
    struct db_value values[400][THING_COLUMNS];
    char text[1 << 16];
    size_t used;
};

static inline enum err see(void *ctx, const struct db_value *values)
{
    struct seen *s = ctx;
    assert_true(s->count < 400);
    for (uint32_t i = 0; i < s->columns; i++) {
        struct db_value *v = &s->values[s->count][i];
        *v = values[i];
        if (v->kind != DB_TEXT && v->kind != DB_BLOB)
            continue;
        assert_true(s->used + v->len < sizeof s->text);
        if (v->len)
            memcpy(s->text + s->used, v->as.p, v->len);
        v->as.p = s->text + s->used;
        s->used += v->len;
    }
    s->count++;
    return ERR_OK;
}

static inline struct db_rows into(struct seen *s, uint32_t columns)
{
    s->count = 0;
    s->used = 0;
    s->columns = columns;
    return (struct db_rows){.row = see, .ctx = s};
}

static inline bool same(const struct db_value *a, const struct db_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case DB_INT:
        return a->as.i == b->as.i;
    case DB_REAL:
        return memcmp(&a->as.r, &b->as.r, sizeof a->as.r) == 0;
    case DB_TEXT:
    case DB_BLOB:
        return a->len == b->len && (a->len == 0 || memcmp(a->as.p, b->as.p, a->len) == 0);
    case DB_NULL:
        break;
    }
    return true;
}

static inline void assert_values(const struct db_value *got, const struct db_value *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!same(&got[i], &wanted[i]))
            fail_msg("column %u differs: kind %d, wanted %d, number %lld, wanted %lld", i, got[i].kind,
                     wanted[i].kind, (long long)got[i].as.i, (long long)wanted[i].as.i);
}

static inline void assert_first_column(const struct seen *s, const int64_t *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < s->count; i++)
        if (s->values[i][0].as.i != wanted[i])
            fail_msg("row %u is %lld, wanted %lld", i, (long long)s->values[i][0].as.i, (long long)wanted[i]);
    assert_int_equal(s->count, count);
}
#define ASSERT_IDS(s, ...)                                                                                   \
    assert_first_column((s), (const int64_t[]){__VA_ARGS__},                                                 \
                        sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* --- making --- */

static inline void add_table(struct db *db, const struct db_table *t)
{
    assert_ok(db_change_schema(db, DB_ADD_TABLE, t, 0));
    for (uint32_t i = 0; i < t->index_count; i++)
        assert_ok(db_change_schema(db, DB_ADD_INDEX, t, i));
}

static inline struct db *open_new(struct databases *d, char *ret_where)
{
    struct db *db;
    database_new(d, ret_where);
    assert_ok(db_open(ret_where, &db));
    assert_ok(db_begin(db, true));
    add_table(db, &thing);
    add_table(db, &pair);
    assert_ok(db_commit(db));
    return db;
}

static inline struct db *fresh(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    return open_new(*state, where);
}

static inline void thing_values(int64_t id, int64_t rank, const char *label, const char *code,
                                struct db_value v[THING_COLUMNS])
{
    v[ID] = db_int(id);
    v[RANK] = db_int(rank);
    v[SCORE] = db_real((double)rank / 2);
    v[LABEL] = db_text(label);
    v[BYTES] = db_blob("\0\xff", 2);
    v[DUE] = db_null();
    v[CODE] = db_text(code);
}

/* Things 1..n of ranks `rank[i]`, due where not 0. */
static inline void add_things(struct db *db, const int64_t *ranks, const int64_t *dues, uint32_t n)
{
    struct db_value rows[64 * THING_COLUMNS];
    char codes[64][12];
    uint32_t changed = 0;
    assert_true(n <= 64);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(codes[i], sizeof codes[i], "c%u", i);
        thing_values(i + 1, ranks[i], "x", codes[i], rows + i * THING_COLUMNS);
        if (dues && dues[i])
            rows[i * THING_COLUMNS + DUE] = db_int(dues[i]);
    }
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &insert, rows, n, &changed));
    assert_int_equal(changed, n);
    assert_ok(db_commit(db));
}

static inline void add_thing(struct db *db, int64_t id)
{
    struct db_value v[THING_COLUMNS];
    char code[24];
    snprintf(code, sizeof code, "c%lld", (long long)id);
    thing_values(id, id * 10, "x", code, v);
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &insert, v, 1, NULL));
    assert_ok(db_commit(db));
}

static inline uint32_t write_now(struct db *db, const struct db_write *w, const struct db_value *rows,
                                 uint32_t count)
{
    uint32_t changed = 0;
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, w, rows, count, &changed));
    assert_ok(db_commit(db));
    return changed;
}

static inline enum err try_now(struct db *db, const struct db_write *w, const struct db_value *rows,
                               uint32_t count)
{
    assert_ok(db_begin(db, true));
    enum err e = db_write_rows(db, w, rows, count, NULL);
    if (e == ERR_OK)
        e = db_commit(db);
    else
        db_rollback(db);
    return e;
}

static inline void get(struct db *db, int64_t id, struct seen *ret)
{
    struct db_value key = db_int(id);
    assert_ok(db_fetch_rows(db, &by_key, &key, 1, into(ret, THING_COLUMNS)));
}

static inline void all(struct db *db, struct seen *ret)
{
    assert_ok(db_scan_rows(db, &in_order, NULL, 400, into(ret, THING_COLUMNS)));
}

#endif
