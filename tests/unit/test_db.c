/* The seam under the store: every verb, op, read and change of the schema, the same over every driver. */
#include "lib/t.h"

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
static const struct db_table thing = {"thing", THING_COLUMNS, 1, thing_columns, 3, thing_indexes};

enum { OWNER, NUMBER, KIND, SUM, PAIR_COLUMNS };
static const struct db_column pair_columns[] = {
    {"owner", DB_TEXT}, {"number", DB_INT}, {"kind", DB_TEXT}, {"sum", DB_INT}};
static const struct db_index pair_indexes[] = {{.name = "pair_kind", .count = 2, .columns = {KIND, OWNER}}};
static const struct db_table pair = {"pair", PAIR_COLUMNS, 2, pair_columns, 1, pair_indexes};

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

static enum err see(void *ctx, const struct db_value *values)
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

static struct db_rows into(struct seen *s, uint32_t columns)
{
    s->count = 0;
    s->used = 0;
    s->columns = columns;
    return (struct db_rows){.row = see, .ctx = s};
}

static bool same(const struct db_value *a, const struct db_value *b)
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

static void assert_values(const struct db_value *got, const struct db_value *wanted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!same(&got[i], &wanted[i]))
            fail_msg("column %u differs: kind %d, wanted %d, number %lld, wanted %lld", i, got[i].kind,
                     wanted[i].kind, (long long)got[i].as.i, (long long)wanted[i].as.i);
}

static void assert_first_column(const struct seen *s, const int64_t *wanted, uint32_t count)
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

static void add_table(struct db *db, const struct db_table *t)
{
    assert_ok(db_change_schema(db, DB_ADD_TABLE, t, 0));
    for (uint32_t i = 0; i < t->index_count; i++)
        assert_ok(db_change_schema(db, DB_ADD_INDEX, t, i));
}

static struct db *open_new(struct databases *d, char *ret_where)
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

static struct db *fresh(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    return open_new(*state, where);
}

static void thing_values(int64_t id, int64_t rank, const char *label, const char *code,
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
static void add_things(struct db *db, const int64_t *ranks, const int64_t *dues, uint32_t n)
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

static void add_thing(struct db *db, int64_t id)
{
    struct db_value v[THING_COLUMNS];
    char code[24];
    snprintf(code, sizeof code, "c%lld", (long long)id);
    thing_values(id, id * 10, "x", code, v);
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &insert, v, 1, NULL));
    assert_ok(db_commit(db));
}

static uint32_t write_now(struct db *db, const struct db_write *w, const struct db_value *rows,
                          uint32_t count)
{
    uint32_t changed = 0;
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, w, rows, count, &changed));
    assert_ok(db_commit(db));
    return changed;
}

static enum err try_now(struct db *db, const struct db_write *w, const struct db_value *rows, uint32_t count)
{
    assert_ok(db_begin(db, true));
    enum err e = db_write_rows(db, w, rows, count, NULL);
    if (e == ERR_OK)
        e = db_commit(db);
    else
        db_rollback(db);
    return e;
}

static void get(struct db *db, int64_t id, struct seen *ret)
{
    struct db_value key = db_int(id);
    assert_ok(db_fetch_rows(db, &by_key, &key, 1, into(ret, THING_COLUMNS)));
}

static void all(struct db *db, struct seen *ret)
{
    assert_ok(db_scan_rows(db, &in_order, NULL, 400, into(ret, THING_COLUMNS)));
}

/* --- writing --- */

static void every_kind_of_value_comes_back_as_it_was(void **state)
{
    struct db *db = fresh(state);
    struct seen s;
    const struct db_value rows[][THING_COLUMNS] = {
        {db_int(INT64_MIN), db_int(INT64_MAX), db_real(-0.1), db_text("blåbær\n\"{},\\ 'x'"),
         db_blob("\0\1\xfe", 3), db_int(0), db_text("a")},
        {db_int(0), db_int(-1), db_real(1e300), db_text(""), db_blob(NULL, 0), db_null(), db_text(NULL)},
        {db_int(INT64_MAX), db_null(), db_null(), db_null(), db_null(), db_null(), db_null()},
    };
    assert_int_equal(write_now(db, &insert, rows[0], 3), 3);
    all(db, &s);
    assert_int_equal(s.count, 3);
    for (int i = 0; i < 3; i++)
        assert_values(s.values[i], rows[i], THING_COLUMNS);
    db_close(db);
}

static void inserting_what_is_there_is_a_conflict_and_changes_nothing(void **state)
{
    struct db *db = fresh(state);
    struct seen s;
    struct db_value rows[2][THING_COLUMNS];
    add_thing(db, 2);
    thing_values(1, 1, "new", "new", rows[0]);
    thing_values(2, 1, "other", "other", rows[1]);
    assert_err(try_now(db, &insert, rows[0], 2), ERR_CONFLICT);
    all(db, &s);
    ASSERT_IDS(&s, 2);
    assert_int_equal(s.values[0][RANK].as.i, 20);
    db_close(db);
}

static void insert_new_leaves_what_is_there(void **state)
{
    struct db *db = fresh(state);
    struct seen s;
    struct db_value rows[2][THING_COLUMNS];
    add_thing(db, 2);
    thing_values(1, 1, "new", "new", rows[0]);
    thing_values(2, 1, "other", "other", rows[1]);
    assert_int_equal(write_now(db, &insert_new, rows[0], 2), 1);
    assert_int_equal(write_now(db, &insert_new, rows[0], 2), 0);
    all(db, &s);
    ASSERT_IDS(&s, 1, 2);
    assert_int_equal(s.values[1][RANK].as.i, 20);
    db_close(db);
}

static void put_inserts_and_then_does_what_its_ops_say(void **state)
{
    struct db *db = fresh(state);
    struct seen s;
    struct db_value v[THING_COLUMNS];
    thing_values(1, 5, "first", "one", v);
    assert_int_equal(write_now(db, &put, v, 1), 1);
    thing_values(1, 7, "second", "two", v);
    v[DUE] = db_int(9);
    assert_int_equal(write_now(db, &put, v, 1), 1);
    get(db, 1, &s);
    assert_values(s.values[0], v, THING_COLUMNS);
    v[RANK] = db_int(-3);
    v[SCORE] = db_real(0.5);
    v[DUE] = db_null();
    assert_int_equal(write_now(db, &put_adding, v, 1), 1);
    get(db, 1, &s);
    v[RANK] = db_int(4);
    v[SCORE] = db_real(4.0);
    assert_values(s.values[0], v, THING_COLUMNS);
    db_close(db);
}

static void adding_and_appending_to_nothing_count_it_as_empty(void **state)
{
    static const struct db_write change = {
        &thing,
        DB_UPDATE,
        5,
        {{ID, DB_KEY}, {RANK, DB_ADD}, {SCORE, DB_ADD}, {LABEL, DB_APPEND}, {BYTES, DB_APPEND}}};
    struct db *db = fresh(state);
    struct seen s;
    struct db_value v[THING_COLUMNS] = {db_int(1), db_null(), db_null(), db_null(),
                                        db_null(), db_null(), db_null()};
    struct db_value add[] = {db_int(1), db_int(3), db_real(1.5), db_text("ab"), db_blob("\0\xff", 2)};
    write_now(db, &insert, v, 1);
    assert_int_equal(write_now(db, &change, add, 1), 1);
    v[RANK] = db_int(3);
    v[SCORE] = db_real(1.5);
    v[LABEL] = db_text("ab");
    v[BYTES] = db_blob("\0\xff", 2);
    get(db, 1, &s);
    assert_values(s.values[0], v, THING_COLUMNS);
    add[3] = db_text("");
    add[4] = db_blob("\xfe\0", 2);
    assert_int_equal(write_now(db, &change, add, 1), 1);
    v[RANK] = db_int(6);
    v[SCORE] = db_real(3.0);
    v[BYTES] = db_blob("\0\xff\xfe\0", 4);
    get(db, 1, &s);
    assert_values(s.values[0], v, THING_COLUMNS);
    db_close(db);
}

static void an_update_changes_and_counts_only_rows_that_are_there_and_whose_guards_hold(void **state)
{
    static const struct db_write guarded = {
        &thing, DB_UPDATE, 4, {{ID, DB_KEY}, {RANK, DB_GUARD}, {RANK, DB_SET}, {LABEL, DB_APPEND}}};
    struct db *db = fresh(state);
    struct seen s;
    add_things(db, (const int64_t[]){1, 2, 3}, NULL, 3);
    const struct db_value rows[] = {
        db_int(1), db_int(1), db_int(11), db_text("!"), /* holds */
        db_int(2), db_int(1), db_int(12), db_text("!"), /* another rank */
        db_int(9), db_int(1), db_int(19), db_text("!"), /* not there */
    };
    assert_int_equal(write_now(db, &guarded, rows, 3), 1);
    all(db, &s);
    assert_int_equal(s.values[0][RANK].as.i, 11);
    assert_int_equal(s.values[0][LABEL].len, 2);
    assert_int_equal(s.values[1][RANK].as.i, 2);
    assert_int_equal(s.values[1][LABEL].len, 1);
    assert_int_equal(s.count, 3);
    db_close(db);
}

static void an_update_can_clear_a_value(void **state)
{
    static const struct db_write set_due = {&thing, DB_UPDATE, 2, {{ID, DB_KEY}, {DUE, DB_SET}}};
    struct db *db = fresh(state);
    struct seen s;
    add_things(db, (const int64_t[]){1, 2}, (const int64_t[]){5, 6}, 2);
    const struct db_value rows[] = {db_int(1), db_null(), db_int(2), db_int(7)};
    assert_int_equal(write_now(db, &set_due, rows, 2), 2);
    all(db, &s);
    assert_int_equal(s.values[0][DUE].kind, DB_NULL);
    assert_int_equal(s.values[1][DUE].as.i, 7);
    db_close(db);
}

static void a_delete_removes_and_counts_only_rows_whose_guards_hold(void **state)
{
    static const struct db_write guarded = {&thing, DB_DELETE, 2, {{ID, DB_KEY}, {RANK, DB_GUARD}}};
    static const struct db_write plain = {&thing, DB_DELETE, 1, {{ID, DB_KEY}}};
    struct db *db = fresh(state);
    struct seen s;
    add_things(db, (const int64_t[]){1, 2, 3}, (const int64_t[]){1, 0, 1}, 3);
    const struct db_value rows[] = {db_int(1), db_int(1), db_int(2), db_int(1), db_int(9), db_int(1)};
    assert_int_equal(write_now(db, &guarded, rows, 3), 1);
    all(db, &s);
    ASSERT_IDS(&s, 2, 3);
    const struct db_value keys[] = {db_int(3), db_int(9)};
    assert_int_equal(write_now(db, &plain, keys, 2), 1);
    all(db, &s);
    ASSERT_IDS(&s, 2);
    db_close(db);
}

static void a_unique_index_is_a_conflict_for_every_verb_but_insert_new(void **state)
{
    static const struct db_write set_code = {&thing, DB_UPDATE, 2, {{ID, DB_KEY}, {CODE, DB_SET}}};
    struct db *db = fresh(state);
    struct db_value v[THING_COLUMNS];
    struct seen s;
    add_thing(db, 1);
    add_thing(db, 2);
    thing_values(3, 1, "x", "c1", v);
    assert_err(try_now(db, &insert, v, 1), ERR_CONFLICT);
    assert_err(try_now(db, &put, v, 1), ERR_CONFLICT);
    assert_int_equal(write_now(db, &insert_new, v, 1), 0);
    const struct db_value taken[] = {db_int(2), db_text("c1")}, own[] = {db_int(2), db_text("c2")};
    assert_err(try_now(db, &set_code, taken, 1), ERR_CONFLICT);
    assert_int_equal(write_now(db, &set_code, own, 1), 1);
    all(db, &s);
    ASSERT_IDS(&s, 1, 2);
    db_close(db);
}

static void many_rows_go_in_one_write(void **state)
{
    enum { ROWS = 3000 };
    static struct db_value rows[ROWS][4];
    static const struct db_scan sums = {&pair, 2, {NUMBER, SUM}, DB_BY_KEY, .equal = 1, .after = true};
    struct db *db = fresh(state);
    struct seen s;
    for (int i = 0; i < ROWS; i++) {
        rows[i][0] = db_text("me");
        rows[i][1] = db_int(i);
        rows[i][2] = i % 2 ? db_text("odd") : db_null();
        rows[i][3] = db_int(i * 3);
    }
    assert_int_equal(write_now(db, &insert_pair, rows[0], ROWS), ROWS);
    const struct db_value after[] = {db_text("me"), db_int(ROWS - 3)};
    assert_ok(db_scan_rows(db, &sums, after, 100, into(&s, 2)));
    ASSERT_IDS(&s, ROWS - 2, ROWS - 1);
    assert_int_equal(s.values[1][1].as.i, (ROWS - 1) * 3);
    db_close(db);
}

static enum err measure(void *ctx, const struct db_value *v)
{
    size_t *sum = ctx;
    *sum = v[0].len;
    for (uint32_t i = 0; i < v[0].len; i += 4096)
        *sum += ((const unsigned char *)v[0].as.p)[i] != 0xab;
    return ERR_OK;
}

static void a_value_of_megabytes_comes_back_whole(void **state)
{
    static const struct db_fetch bytes = {&thing, 1, {BYTES}, .index = DB_BY_KEY};
    enum { LEN = 3 << 20 };
    struct db *db = fresh(state);
    struct db_value v[THING_COLUMNS], key = db_int(1);
    char *big = malloc(LEN);
    size_t sum = 0;
    assert_non_null(big);
    memset(big, 0xab, LEN);
    thing_values(1, 1, "x", "c", v);
    v[BYTES] = db_blob(big, LEN);
    write_now(db, &insert, v, 1);
    assert_ok(db_fetch_rows(db, &bytes, &key, 1, (struct db_rows){.row = measure, .ctx = &sum}));
    assert_int_equal(sum, LEN);
    free(big);
    db_close(db);
}

/* --- reading --- */

static void rows_are_fetched_by_many_keys_and_those_not_there_are_left_out(void **state)
{
    static const struct db_fetch two = {&pair, 2, {SUM, OWNER}, .index = DB_BY_KEY};
    static const struct db_fetch of_owner = {&pair, 2, {SUM, OWNER}, .index = DB_BY_KEY, .equal = 1};
    static const struct db_fetch of_code = {&thing, 1, {ID}, .index = BY_CODE};
    struct db *db = fresh(state);
    struct seen s;
    const struct db_value rows[][4] = {{db_text("a"), db_int(1), db_text("k"), db_int(10)},
                                       {db_text("a"), db_int(2), db_text("k"), db_int(20)},
                                       {db_text("b"), db_int(1), db_text("l"), db_int(30)}};
    write_now(db, &insert_pair, rows[0], 3);
    const struct db_value keys[] = {db_text("a"), db_int(2),    db_text("b"),
                                    db_int(2),    db_text("b"), db_int(1)};
    int64_t sum = 0;
    assert_ok(db_fetch_rows(db, &two, keys, 3, into(&s, 2)));
    for (uint32_t i = 0; i < s.count; i++)
        sum += s.values[i][0].as.i;
    assert_int_equal(s.count, 2);
    assert_int_equal(sum, 50);
    const struct db_value owners[] = {db_text("a"), db_text("none")};
    assert_ok(db_fetch_rows(db, &of_owner, owners, 2, into(&s, 2)));
    assert_int_equal(s.count, 2);
    add_things(db, (const int64_t[]){1, 2}, NULL, 2);
    const struct db_value codes[] = {db_text("c1"), db_text("c"), db_text("")};
    assert_ok(db_fetch_rows(db, &of_code, codes, 3, into(&s, 1)));
    ASSERT_IDS(&s, 2);
    assert_ok(db_fetch_rows(db, &of_code, NULL, 0, into(&s, 1)));
    assert_int_equal(s.count, 0);
    db_close(db);
}

static void a_scan_gives_a_range_in_the_order_of_index_and_key(void **state)
{
    static const struct db_scan up = {&thing, 1, {ID}, BY_RANK, .equal = 0, .after = true, .until = true};
    static const struct db_scan down = {
        &thing, 1, {ID}, BY_RANK, .equal = 0, .after = true, .until = true, .descending = true};
    static const struct db_scan equal = {&thing, 1, {ID}, BY_RANK, .equal = 1, .after = true};
    static const struct db_scan equal_down = {
        &thing, 1, {ID}, BY_RANK, .equal = 1, .after = true, .descending = true};
    struct db *db = fresh(state);
    struct seen s;
    add_things(db, (const int64_t[]){5, 3, 5, 1, 9, 5}, NULL, 6); /* ids by rank: 4, 2, 1 3 6, 5 */
    const struct db_value range[] = {db_int(1), db_int(5)}, back[] = {db_int(9), db_int(3)};
    assert_ok(db_scan_rows(db, &up, range, 100, into(&s, 1)));
    ASSERT_IDS(&s, 2, 1, 3, 6);
    assert_ok(db_scan_rows(db, &up, range, 3, into(&s, 1)));
    ASSERT_IDS(&s, 2, 1, 3);
    assert_ok(db_scan_rows(db, &down, back, 100, into(&s, 1)));
    ASSERT_IDS(&s, 6, 3, 1, 2);
    assert_ok(db_scan_rows(db, &down, back, 2, into(&s, 1)));
    ASSERT_IDS(&s, 6, 3);
    const struct db_value five[] = {db_int(5), db_int(1)}, five_back[] = {db_int(5), db_int(6)};
    assert_ok(db_scan_rows(db, &equal, five, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 6);
    assert_ok(db_scan_rows(db, &equal_down, five_back, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 1);
    assert_ok(db_scan_rows(db, &equal_down, five_back, 0, into(&s, 1)));
    assert_int_equal(s.count, 0);
    db_close(db);
}

static void a_partial_index_holds_only_rows_that_have_its_value(void **state)
{
    static const struct db_scan every = {&thing, 1, {ID}, BY_DUE, .equal = 0};
    static const struct db_scan until = {&thing, 1, {ID}, BY_DUE, .equal = 0, .until = true};
    static const struct db_scan after = {&thing, 1, {ID}, BY_DUE, .equal = 0, .after = true};
    static const struct db_scan back = {&thing, 1, {ID}, BY_DUE, .equal = 0, .descending = true};
    static const struct db_scan at = {&thing, 1, {ID}, BY_DUE, .equal = 1};
    static const struct db_write set_due = {&thing, DB_UPDATE, 2, {{ID, DB_KEY}, {DUE, DB_SET}}};
    struct db *db = fresh(state);
    struct seen s;
    struct db_value v = db_int(20);
    add_things(db, (const int64_t[]){1, 1, 1, 1}, (const int64_t[]){30, 0, 10, 20}, 4);
    assert_ok(db_scan_rows(db, &every, NULL, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 4, 1);
    assert_ok(db_scan_rows(db, &back, NULL, 100, into(&s, 1)));
    ASSERT_IDS(&s, 1, 4, 3);
    assert_ok(db_scan_rows(db, &until, &v, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 4);
    assert_ok(db_scan_rows(db, &after, &v, 100, into(&s, 1)));
    ASSERT_IDS(&s, 1);
    assert_ok(db_scan_rows(db, &at, &v, 100, into(&s, 1)));
    ASSERT_IDS(&s, 4);
    const struct db_value rows[] = {db_int(4), db_null(), db_int(2), db_int(5)};
    write_now(db, &set_due, rows, 2);
    assert_ok(db_scan_rows(db, &every, NULL, 100, into(&s, 1)));
    ASSERT_IDS(&s, 2, 3, 1);
    db_close(db);
}

static void nothing_is_not_within_any_bound(void **state)
{
    static const struct db_scan until = {&thing, 1, {ID}, BY_RANK, .equal = 0, .until = true};
    static const struct db_scan after_back = {
        &thing, 1, {ID}, BY_RANK, .equal = 0, .after = true, .descending = true};
    struct db *db = fresh(state);
    struct seen s;
    struct db_value v[THING_COLUMNS], bound = db_int(5);
    thing_values(1, 0, "x", "a", v);
    v[RANK] = db_null();
    write_now(db, &insert, v, 1);
    thing_values(2, 3, "x", "b", v);
    write_now(db, &insert, v, 1);
    assert_ok(db_scan_rows(db, &until, &bound, 100, into(&s, 1)));
    ASSERT_IDS(&s, 2);
    assert_ok(db_scan_rows(db, &after_back, &bound, 100, into(&s, 1)));
    ASSERT_IDS(&s, 2);
    db_close(db);
}

static void texts_are_ordered_by_their_bytes(void **state)
{
    static const char *const owners[] = {"", "A-b", "B", "Z", "a", "a b", "ab", "b", "å"};
    static const struct db_scan scan = {&pair, 1, {OWNER}, DB_BY_KEY, .equal = 0};
    static const struct db_scan between = {&pair,        1, {NUMBER}, DB_BY_KEY, .equal = 0, .after = true,
                                           .until = true};
    struct db *db = fresh(state);
    struct seen s;
    for (int i = 8; i >= 0; i--) {
        const struct db_value row[] = {db_text(owners[i]), db_int(i), db_null(), db_null()};
        write_now(db, &insert_pair, row, 1);
    }
    assert_ok(db_scan_rows(db, &scan, NULL, 100, into(&s, 1)));
    assert_int_equal(s.count, 9);
    for (uint32_t i = 0; i < 9; i++) {
        struct db_value wanted = db_text(owners[i]);
        assert_values(s.values[i], &wanted, 1);
    }
    const struct db_value args[] = {db_text("B"), db_text("ab")};
    assert_ok(db_scan_rows(db, &between, args, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 4, 5, 6);
    db_close(db);
}

static void an_index_of_two_columns_is_scanned_within_the_first(void **state)
{
    static const struct db_scan scan = {&pair, 1, {SUM}, 0, .equal = 1, .after = true, .until = true};
    static const struct db_scan both = {&pair, 1, {SUM}, 0, .equal = 2, .after = true};
    struct db *db = fresh(state);
    struct seen s;
    const struct db_value rows[][4] = {{db_text("c"), db_int(1), db_text("k"), db_int(1)},
                                       {db_text("a"), db_int(2), db_text("k"), db_int(2)},
                                       {db_text("b"), db_int(3), db_text("k"), db_int(3)},
                                       {db_text("b"), db_int(4), db_text("k"), db_int(4)},
                                       {db_text("b"), db_int(5), db_text("l"), db_int(5)}};
    write_now(db, &insert_pair, rows[0], 5);
    const struct db_value args[] = {db_text("k"), db_text("a"), db_text("b")};
    assert_ok(db_scan_rows(db, &scan, args, 100, into(&s, 1)));
    ASSERT_IDS(&s, 3, 4);
    const struct db_value within[] = {db_text("k"), db_text("b"), db_int(3)};
    assert_ok(db_scan_rows(db, &both, within, 100, into(&s, 1)));
    ASSERT_IDS(&s, 4);
    db_close(db);
}

static enum err refuse_second(void *ctx, const struct db_value *v)
{
    (void)v;
    return ++*(int *)ctx == 2 ? err_set(ERR_LIMIT, "enough") : ERR_OK;
}

static void an_error_of_the_reader_ends_the_read_and_the_connection_goes_on(void **state)
{
    struct db *db = fresh(state);
    struct seen s;
    int rows = 0;
    add_things(db, (const int64_t[]){1, 2, 3}, NULL, 3);
    struct db_rows to = {.row = refuse_second, .ctx = &rows};
    assert_err(db_scan_rows(db, &in_order, NULL, 100, to), ERR_LIMIT);
    assert_int_equal(rows, 2);
    const struct db_value keys[] = {db_int(1), db_int(2), db_int(3)};
    rows = 0;
    assert_err(db_fetch_rows(db, &by_key, keys, 3, to), ERR_LIMIT);
    assert_int_equal(rows, 2);
    all(db, &s);
    assert_int_equal(s.count, 3);
    db_close(db);
}

struct nested {
    struct db *db;
    int64_t sum;
};

static enum err add_rank(void *ctx, const struct db_value *v)
{
    ((struct nested *)ctx)->sum += v[RANK].as.i;
    return ERR_OK;
}

static enum err fetch_within(void *ctx, const struct db_value *v)
{
    struct nested *n = ctx;
    struct db_value key = v[0];
    return db_fetch_rows(n->db, &by_key, &key, 1, (struct db_rows){.row = add_rank, .ctx = n});
}

static void a_row_function_may_read_something_else(void **state)
{
    struct db *db = fresh(state);
    struct nested n = {.db = db};
    add_things(db, (const int64_t[]){1, 2, 4}, NULL, 3);
    assert_ok(db_scan_rows(db, &in_order, NULL, 100, (struct db_rows){.row = fetch_within, .ctx = &n}));
    assert_int_equal(n.sum, 7);
    db_close(db);
}

/* --- transactions --- */

static const struct db_write take = {&pair, DB_PUT, 3, {{OWNER, DB_KEY}, {NUMBER, DB_KEY}, {SUM, DB_ADD}}};

static int64_t take_now(struct db *db, const char *owner, int64_t n)
{
    const struct db_value row[] = {db_text(owner), db_int(0), db_int(n)};
    int64_t sum = -1;
    assert_ok(db_add(db, &take, row, &sum));
    return sum;
}

static void adding_to_a_number_returns_the_sum_and_a_rollback_leaves_no_hole(void **state)
{
    struct db *db = fresh(state);
    assert_ok(db_begin(db, true));
    assert_int_equal(take_now(db, "a", 5), 5);
    assert_int_equal(take_now(db, "a", 2), 7);
    assert_int_equal(take_now(db, "b", 1), 1);
    assert_ok(db_commit(db));
    assert_ok(db_begin(db, true));
    assert_int_equal(take_now(db, "a", 100), 107);
    db_rollback(db);
    assert_ok(db_begin(db, true));
    assert_int_equal(take_now(db, "a", 1), 8);
    assert_ok(db_commit(db));
    db_close(db);
}

static void a_rollback_undoes_every_kind_of_write(void **state)
{
    static const struct db_write del = {&thing, DB_DELETE, 1, {{ID, DB_KEY}}};
    static const struct db_write change = {
        &thing, DB_UPDATE, 4, {{ID, DB_KEY}, {RANK, DB_ADD}, {LABEL, DB_APPEND}, {DUE, DB_SET}}};
    struct db *db = fresh(state);
    static struct seen before, after;
    struct db_value v[THING_COLUMNS];
    static const struct db_scan due = {&thing, ALL_THING, BY_DUE, .equal = 0};
    add_things(db, (const int64_t[]){1, 2, 3}, (const int64_t[]){1, 0, 3}, 3);
    all(db, &before);
    assert_ok(db_begin(db, true));
    const struct db_value changes[] = {db_int(2), db_int(7), db_text("!"), db_int(2)};
    assert_ok(db_write_rows(db, &change, changes, 1, NULL));
    assert_ok(db_write_rows(db, &change, changes, 1, NULL));
    const struct db_value gone = db_int(1);
    assert_ok(db_write_rows(db, &del, &gone, 1, NULL));
    thing_values(1, 8, "again", "c0", v);
    assert_ok(db_write_rows(db, &insert, v, 1, NULL));
    thing_values(3, 9, "put", "c7", v);
    assert_ok(db_write_rows(db, &put, v, 1, NULL));
    thing_values(4, 9, "new", "c8", v);
    assert_ok(db_write_rows(db, &insert_new, v, 1, NULL));
    all(db, &after);
    assert_int_equal(after.count, 4);
    assert_int_equal(after.values[1][RANK].as.i, 16);
    db_rollback(db);
    all(db, &after);
    assert_int_equal(after.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_values(after.values[i], before.values[i], THING_COLUMNS);
    assert_ok(db_scan_rows(db, &due, NULL, 100, into(&after, THING_COLUMNS)));
    ASSERT_IDS(&after, 1, 3);
    db_rollback(db);
    db_close(db);
}

static void what_was_committed_is_there_after_opening_again(void **state)
{
    struct databases *d = *state;
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(d, where);
    struct seen s;
    add_thing(db, 1);
    assert_ok(db_begin(db, true));
    assert_int_equal(take_now(db, "a", 5), 5);
    db_close(db); /* in the middle: what was not committed is gone */
    if (!d->kept)
        return;
    assert_ok(db_open(where, &db));
    get(db, 1, &s);
    assert_int_equal(s.count, 1);
    assert_ok(db_begin(db, true));
    assert_int_equal(take_now(db, "a", 1), 1);
    assert_ok(db_commit(db));
    db_close(db);
}

static void a_reader_sees_what_is_committed_and_one_moment_of_it(void **state)
{
    struct databases *d = *state;
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(d, where), *reader;
    struct seen s;
    struct db_value v[THING_COLUMNS];
    add_thing(db, 1);
    assert_ok(db_open_reader(db, &reader));
    get(reader, 1, &s);
    assert_int_equal(s.count, 1);
    thing_values(2, 2, "x", "y", v);
    assert_int_equal(db_shared(reader), db_shared(db));
    if (d->kept) {
        assert_ok(db_begin(db, true));
        assert_ok(db_write_rows(db, &insert, v, 1, NULL));
        get(reader, 2, &s);
        assert_int_equal(s.count, 0);
        assert_ok(db_begin(reader, false));
        get(reader, 1, &s);
        assert_ok(db_commit(db));
        get(reader, 2, &s);
        assert_int_equal(s.count, 0);
        db_rollback(reader);
        get(reader, 2, &s);
        assert_int_equal(s.count, 1);
    }
    db_close(reader);
    db_close(db);
}

static void a_reader_cannot_write(void **state)
{
    struct db *db = fresh(state), *reader;
    struct db_value v[THING_COLUMNS];
    struct seen s;
    const struct db_value row[] = {db_text("a"), db_int(0), db_int(1)};
    int64_t sum;
    assert_ok(db_open_reader(db, &reader));
    thing_values(2, 2, "x", "y", v);
    assert_err(db_write_rows(reader, &insert, v, 1, NULL), ERR_DENIED);
    assert_err(db_add(reader, &take, row, &sum), ERR_DENIED);
    assert_err(db_begin(reader, true), ERR_DENIED);
    get(db, 2, &s);
    assert_int_equal(s.count, 0);
    db_close(reader);
    db_close(db);
}

static void the_version_is_kept_and_goes_back_with_its_transaction(void **state)
{
    struct db *db = fresh(state);
    uint32_t version = 9;
    assert_ok(db_version(db, &version));
    assert_int_equal(version, 0);
    assert_ok(db_begin(db, true));
    assert_ok(db_set_version(db, 3));
    assert_ok(db_version(db, &version));
    assert_int_equal(version, 3);
    assert_ok(db_commit(db));
    assert_ok(db_begin(db, true));
    assert_ok(db_set_version(db, 4));
    db_rollback(db);
    assert_ok(db_version(db, &version));
    assert_int_equal(version, 3);
    db_close(db);
}

static void the_schema_changes_up_and_down(void **state)
{
    static const struct db_table small = {"pair", 3, 2, pair_columns, 0, pair_indexes};
    static const struct db_fetch sums = {&pair, 2, {SUM, KIND}, .index = DB_BY_KEY};
    struct databases *d = *state;
    char where[DATABASE_WHERE_BYTES];
    struct db *db;
    struct seen s;
    const struct db_value row[] = {db_text("a"), db_int(1), db_text("k"), db_int(7)};
    if (!d->kept)
        return; /* tables in memory are always those of this program */
    database_new(d, where);
    assert_ok(db_open(where, &db));
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_ADD_TABLE, &small, 0));
    assert_ok(db_commit(db));
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_ADD_COLUMN, &pair, SUM));
    assert_ok(db_change_schema(db, DB_ADD_INDEX, &pair, 0));
    assert_ok(db_commit(db));
    write_now(db, &insert_pair, row, 1);
    assert_ok(db_fetch_rows(db, &sums, row, 1, into(&s, 2)));
    ASSERT_IDS(&s, 7);
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_DROP_INDEX, &pair, 0));
    assert_ok(db_change_schema(db, DB_DROP_COLUMN, &pair, SUM));
    assert_ok(db_commit(db));
    assert_true(db_fetch_rows(db, &sums, row, 1, into(&s, 2)) != ERR_OK);
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_ADD_COLUMN, &pair, SUM));
    db_rollback(db);
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_DROP_TABLE, &pair, 0));
    assert_ok(db_commit(db));
    assert_ok(db_begin(db, true));
    add_table(db, &pair);
    assert_ok(db_commit(db));
    write_now(db, &insert_pair, row, 1);
    db_close(db);
}

static void a_failure_that_a_test_wants_comes_when_it_wants_it(void **state)
{
    struct db *db = fresh(state);
    struct db_value v[THING_COLUMNS];
    struct seen s;
    for (uint32_t late = 0; late < 2; late++)
        for (uint32_t after = 0; after < 4; after++) {
            int64_t id = 1 + after + late * 10;
            char code[8];
            snprintf(code, sizeof code, "%lld", (long long)id);
            thing_values(id, 1, "x", code, v);
            db_fault(db, after, late);
            enum err e = db_begin(db, true);
            assert_int_equal(e == ERR_OK, after > 0);
            e = e == ERR_OK ? db_write_rows(db, &insert, v, 1, NULL) : e;
            assert_int_equal(e == ERR_OK, after > 1);
            e = e == ERR_OK ? db_commit(db) : e;
            assert_int_equal(e == ERR_OK, after > 2);
            db_rollback(db);
            db_fault(db, UINT32_MAX, false);
            get(db, id, &s);
            assert_int_equal(s.count, after > 2 || (after == 2 && late));
        }
    db_close(db);
}

static void a_database_of_no_known_kind_is_refused_without_its_secrets(void **state)
{
    struct db *db;
    (void)state;
    assert_err(db_open("mysql://me:hunter2@host/db", &db), ERR_INVALID);
    assert_null(strstr(err_text(), "hunter2"));
    assert_err(db_open("hunter2", &db), ERR_INVALID);
    assert_null(strstr(err_text(), "hunter2"));
    assert_true(db_open("sqlite:/nowhere/at/all/x.db", &db) != ERR_OK);
}

/* --- all of it at once --- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

struct random_op {
    const struct db_write *write;
    struct db_value rows[4][THING_COLUMNS];
    uint32_t count;
    char codes[4][8];
};

static void make_random(uint32_t *seed, struct random_op *op)
{
    static const struct db_write guarded = {
        &thing,
        DB_UPDATE,
        5,
        {{ID, DB_KEY}, {RANK, DB_GUARD}, {RANK, DB_SET}, {LABEL, DB_APPEND}, {DUE, DB_SET}}};
    static const struct db_write gone = {&thing, DB_DELETE, 1, {{ID, DB_KEY}}};
    static const struct db_write *const writes[] = {&insert, &insert_new, &put, &put_adding, &guarded, &gone};
    op->write = writes[next_random(seed) % 6];
    op->count = 1 + next_random(seed) % 4;
    uint32_t first = next_random(seed) % 20;
    struct db_value *at = op->rows[0];
    for (uint32_t i = 0; i < op->count; i++) {
        struct db_value v[THING_COLUMNS];
        snprintf(op->codes[i], sizeof op->codes[i], "c%u", next_random(seed) % 40);
        thing_values(first + i * 5, next_random(seed) % 5, "abc", op->codes[i], v);
        v[DUE] = next_random(seed) % 2 ? db_int(next_random(seed) % 9) : db_null();
        v[CODE] = next_random(seed) % 4 ? v[CODE] : db_null();
        if (op->write->verb == DB_UPDATE) {
            const struct db_value u[] = {v[ID], v[RANK], db_int(next_random(seed) % 5), v[LABEL], v[DUE]};
            memcpy(v, u, sizeof u);
        }
        memcpy(at, v, op->write->count * sizeof *v);
        at += op->write->count;
    }
}

static void assert_same_rows(struct db *a, struct db *b, const struct db_scan *scan,
                             const struct db_value *args, uint32_t limit)
{
    static struct seen x, y;
    assert_ok(db_scan_rows(a, scan, args, limit, into(&x, THING_COLUMNS)));
    assert_ok(db_scan_rows(b, scan, args, limit, into(&y, THING_COLUMNS)));
    assert_int_equal(x.count, y.count);
    for (uint32_t i = 0; i < x.count; i++)
        assert_values(x.values[i], y.values[i], THING_COLUMNS);
}

static void compare(struct db *a, struct db *b, uint32_t *seed)
{
    static const struct db_scan ranks = {&thing, ALL_THING, BY_RANK, .equal = 0, .after = true};
    static const struct db_scan ranks_back = {&thing,        ALL_THING,     BY_RANK,           .equal = 0,
                                              .after = true, .until = true, .descending = true};
    static const struct db_scan dues = {&thing, ALL_THING, BY_DUE, .equal = 0};
    static const struct db_scan one_due = {&thing,     ALL_THING,     BY_DUE,
                                           .equal = 1, .after = true, .descending = true};
    const struct db_value args[] = {db_int(next_random(seed) % 9), db_int(next_random(seed) % 9)};
    assert_same_rows(a, b, &in_order, NULL, 400);
    assert_same_rows(a, b, &ranks, args, 1 + next_random(seed) % 9);
    assert_same_rows(a, b, &ranks_back, args, 1 + next_random(seed) % 9);
    assert_same_rows(a, b, &dues, NULL, 400);
    assert_same_rows(a, b, &one_due, args, 2);
}

static void whatever_is_done_leaves_the_same_as_in_memory(void **state)
{
    struct db *db = fresh(state), *model;
    uint32_t seed = 7, conflicts = 0;
    assert_ok(db_open("memory:", &model));
    add_table(model, &thing);
    for (int round = 0; round < 150; round++) {
        assert_ok(db_begin(db, true));
        assert_ok(db_begin(model, true));
        bool give_up = next_random(&seed) % 8 == 0;
        for (int k = 0; k < 3; k++) {
            struct random_op op;
            uint32_t changed = 0, wanted = 0;
            make_random(&seed, &op);
            enum err e = db_write_rows(db, op.write, op.rows[0], op.count, &changed);
            assert_err(db_write_rows(model, op.write, op.rows[0], op.count, &wanted), e);
            give_up = give_up || e != ERR_OK;
            conflicts += e == ERR_CONFLICT;
            if (e != ERR_OK)
                break;
            if (changed != wanted)
                fail_msg("round %d: verb %d changed %u, wanted %u", round, op.write->verb, changed, wanted);
        }
        if (give_up) {
            db_rollback(db);
            db_rollback(model);
        } else {
            assert_ok(db_commit(db));
            assert_ok(db_commit(model));
        }
        compare(db, model, &seed);
    }
    assert_true(conflicts > 10 && conflicts < 140);
    db_close(db);
    db_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_comes_back_as_it_was),
        cmocka_unit_test(inserting_what_is_there_is_a_conflict_and_changes_nothing),
        cmocka_unit_test(insert_new_leaves_what_is_there),
        cmocka_unit_test(put_inserts_and_then_does_what_its_ops_say),
        cmocka_unit_test(adding_and_appending_to_nothing_count_it_as_empty),
        cmocka_unit_test(an_update_changes_and_counts_only_rows_that_are_there_and_whose_guards_hold),
        cmocka_unit_test(an_update_can_clear_a_value),
        cmocka_unit_test(a_delete_removes_and_counts_only_rows_whose_guards_hold),
        cmocka_unit_test(a_unique_index_is_a_conflict_for_every_verb_but_insert_new),
        cmocka_unit_test(many_rows_go_in_one_write),
        cmocka_unit_test(a_value_of_megabytes_comes_back_whole),
        cmocka_unit_test(rows_are_fetched_by_many_keys_and_those_not_there_are_left_out),
        cmocka_unit_test(a_scan_gives_a_range_in_the_order_of_index_and_key),
        cmocka_unit_test(a_partial_index_holds_only_rows_that_have_its_value),
        cmocka_unit_test(nothing_is_not_within_any_bound),
        cmocka_unit_test(texts_are_ordered_by_their_bytes),
        cmocka_unit_test(an_index_of_two_columns_is_scanned_within_the_first),
        cmocka_unit_test(an_error_of_the_reader_ends_the_read_and_the_connection_goes_on),
        cmocka_unit_test(a_row_function_may_read_something_else),
        cmocka_unit_test(adding_to_a_number_returns_the_sum_and_a_rollback_leaves_no_hole),
        cmocka_unit_test(a_rollback_undoes_every_kind_of_write),
        cmocka_unit_test(what_was_committed_is_there_after_opening_again),
        cmocka_unit_test(a_reader_sees_what_is_committed_and_one_moment_of_it),
        cmocka_unit_test(a_reader_cannot_write),
        cmocka_unit_test(the_version_is_kept_and_goes_back_with_its_transaction),
        cmocka_unit_test(the_schema_changes_up_and_down),
        cmocka_unit_test(a_failure_that_a_test_wants_comes_when_it_wants_it),
        cmocka_unit_test(a_database_of_no_known_kind_is_refused_without_its_secrets),
        cmocka_unit_test(whatever_is_done_leaves_the_same_as_in_memory),
    };
    return DATABASE_RUN(tests);
}
