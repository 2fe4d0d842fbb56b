/* The seam under the store: every verb and op that writes, the same over every driver. */
#include "lib/t.h"

#include "lib/things.h"

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
    };
    return DATABASE_RUN(tests);
}
