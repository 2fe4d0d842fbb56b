/* The seam under the store: fetches and scans, the same over every driver. */
#include "lib/t.h"

#include "lib/things.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_fetched_by_many_keys_and_those_not_there_are_left_out),
        cmocka_unit_test(a_scan_gives_a_range_in_the_order_of_index_and_key),
        cmocka_unit_test(a_partial_index_holds_only_rows_that_have_its_value),
        cmocka_unit_test(nothing_is_not_within_any_bound),
        cmocka_unit_test(texts_are_ordered_by_their_bytes),
        cmocka_unit_test(an_index_of_two_columns_is_scanned_within_the_first),
        cmocka_unit_test(an_error_of_the_reader_ends_the_read_and_the_connection_goes_on),
        cmocka_unit_test(a_row_function_may_read_something_else),
    };
    return DATABASE_RUN(tests);
}
