/* The seam under the store: transactions, the schema, and all at once against the model in memory. */
#include "lib/t.h"

#include "lib/things.h"

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
    static const struct db_table small = {"pair", 3, 2, pair_columns, 0, pair_indexes, 0};
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
