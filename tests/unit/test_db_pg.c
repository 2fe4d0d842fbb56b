/* What only a database on another machine can do: go away, come back, have other writers, refuse. */
#include "lib/t.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/database.h"
#include "server/db.h"

static const struct db_column columns[] = {{"id", DB_INT}, {"sum", DB_INT}, {"label", DB_TEXT}};
static const struct db_table thing = {"thing", 3, 1, columns, 0, NULL, 50};
static const struct db_write put = {&thing, DB_PUT, 3, {{0, DB_KEY}, {1, DB_ADD}, {2, DB_SET}}};
static const struct db_write insert = {&thing, DB_INSERT, 3, {{0, DB_KEY}, {1, DB_SET}, {2, DB_SET}}};
static const struct db_write add = {&thing, DB_UPDATE, 2, {{0, DB_KEY}, {1, DB_ADD}}};
static const struct db_fetch by_key = {&thing, 2, {1, 2}, .index = DB_BY_KEY};

struct got {
    uint32_t rows;
    int64_t sum;
    char label[64];
};

static enum err keep(void *ctx, const struct db_value *v)
{
    struct got *g = ctx;
    g->rows++;
    g->sum = v[0].as.i;
    if (v[1].kind == DB_TEXT)
        snprintf(g->label, sizeof g->label, "%s", (const char *)v[1].as.p);
    return ERR_OK;
}

static enum err read_one(struct db *db, int64_t id, struct got *ret)
{
    struct db_value key = db_int(id);
    *ret = (struct got){0};
    return db_fetch_rows(db, &by_key, &key, 1, (struct db_rows){.row = keep, .ctx = ret});
}

static enum err write_one(struct db *db, int64_t id, const char *label)
{
    const struct db_value row[] = {db_int(id), db_int(1), db_text(label)};
    enum err e = db_begin(db, true);
    if (e == ERR_OK)
        e = db_write_rows(db, &put, row, 1, NULL);
    if (e == ERR_OK)
        e = db_commit(db);
    if (e != ERR_OK)
        db_rollback(db);
    return e;
}

static struct db *open_new(struct databases *d, char *ret_where)
{
    struct db *db;
    database_new(d, ret_where);
    assert_ok(db_open(ret_where, &db));
    assert_ok(db_begin(db, true));
    assert_ok(db_change_schema(db, DB_ADD_TABLE, &thing, 0));
    assert_ok(db_commit(db));
    return db;
}

static void a_connection_that_was_ended_while_idle_is_made_again_unnoticed(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where), *reader;
    struct got g;
    assert_ok(db_open_reader(db, &reader));
    assert_ok(write_one(db, 1, "x"));
    assert_ok(read_one(reader, 1, &g));
    database_tell(*state, "break");
    assert_ok(write_one(db, 1, "x"));
    assert_ok(read_one(reader, 1, &g));
    assert_int_equal(g.sum, 2);
    database_tell(*state, "stop");
    database_tell(*state, "start");
    assert_ok(db_ping(reader));
    assert_ok(write_one(db, 1, "x"));
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.sum, 3);
    assert_true(db_shared(db));
    db_close(reader);
    db_close(db);
}

static void a_connection_that_is_lost_in_a_transaction_has_done_nothing(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where);
    const struct db_value row[] = {db_int(1), db_int(1), db_text("x")};
    struct got g;
    uint32_t changed = 0;
    assert_ok(write_one(db, 1, "x"));
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &put, row, 1, NULL));
    database_tell(*state, "break");
    assert_err(db_write_rows(db, &put, row, 1, NULL), ERR_UNREACHABLE);
    assert_err(read_one(db, 1, &g), ERR_UNREACHABLE); /* it does not go on without what was lost */
    db_rollback(db);
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &put, row, 1, NULL));
    database_tell(*state, "break");
    assert_err(db_commit(db), ERR_UNREACHABLE);
    assert_ok(db_begin(db, true));
    assert_ok(db_write_later(db, &put, row, 1, &changed));
    database_tell(*state, "break");
    assert_err(db_settle(db), ERR_UNREACHABLE);
    db_rollback(db);
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.sum, 1);
    db_close(db);
}

static void a_server_that_is_down_is_unreachable_until_it_is_up_again(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where), *other;
    struct got g;
    database_tell(*state, "stop");
    assert_err(write_one(db, 1, "x"), ERR_UNREACHABLE);
    assert_err(read_one(db, 1, &g), ERR_UNREACHABLE);
    assert_err(db_ping(db), ERR_UNREACHABLE);
    assert_err(db_open(where, &other), ERR_UNREACHABLE);
    database_tell(*state, "start");
    assert_ok(write_one(db, 1, "x"));
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.rows, 1);
    db_close(db);
}

static void writes_that_are_only_sent_are_counted_when_they_are_settled(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where);
    const struct db_value two[] = {db_int(1), db_int(5), db_text("x"), db_int(2), db_int(5), db_text("y")};
    const struct db_value there[] = {db_int(1), db_int(1), db_int(9), db_int(1)};
    uint32_t inserted = 9, changed[100];
    struct got g;
    assert_ok(db_begin(db, true));
    assert_ok(db_write_later(db, &insert, two, 2, &inserted));
    for (int i = 0; i < 100; i++)
        assert_ok(db_write_later(db, &add, there, 2, &changed[i]));
    assert_ok(db_settle(db));
    assert_int_equal(inserted, 2);
    for (int i = 0; i < 100; i++)
        assert_int_equal(changed[i], 1);
    assert_ok(db_write_later(db, &add, there, 2, NULL));
    assert_ok(db_commit(db));
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.sum, 106);
    assert_ok(db_begin(db, true));
    assert_ok(db_write_later(db, &insert, two, 1, &inserted));
    assert_ok(db_write_later(db, &add, there, 2, &changed[0]));
    assert_err(db_commit(db), ERR_CONFLICT); /* the first error is the one that is told */
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.sum, 106);
    db_close(db);
}

static void text_that_postgres_cannot_keep_is_kept_with_question_marks(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where);
    const struct db_value row[] = {db_int(1), db_int(1), db_text_len("a\xff\0å\xc3", 6)};
    struct got g;
    assert_ok(db_begin(db, true));
    assert_ok(db_write_rows(db, &insert, row, 1, NULL));
    assert_ok(db_commit(db));
    assert_ok(read_one(db, 1, &g));
    assert_string_equal(g.label, "a??å?");
    db_close(db);
}

struct rival {
    struct db *db;
    int64_t first, second;
    enum err err;
    pthread_barrier_t *both;
};

static void *change_two(void *ctx)
{
    struct rival *r = ctx;
    const struct db_value first[] = {db_int(r->first), db_int(1)}, second[] = {db_int(r->second), db_int(1)};
    enum err e = db_begin(r->db, true);
    if (e == ERR_OK)
        e = db_write_rows(r->db, &add, first, 1, NULL);
    pthread_barrier_wait(r->both);
    if (e == ERR_OK)
        e = db_write_rows(r->db, &add, second, 1, NULL);
    if (e == ERR_OK)
        e = db_commit(r->db);
    else
        db_rollback(r->db);
    r->err = e;
    return NULL;
}

static void of_two_that_lock_each_other_out_one_has_a_conflict(void **state)
{
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where), *other;
    pthread_barrier_t both;
    pthread_t threads[2];
    struct got g;
    assert_ok(db_open(where, &other));
    assert_ok(write_one(db, 1, "x"));
    assert_ok(write_one(db, 2, "x"));
    assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
    struct rival rivals[] = {{db, 1, 2, ERR_OK, &both}, {other, 2, 1, ERR_OK, &both}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change_two, &rivals[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true((rivals[0].err == ERR_OK) != (rivals[1].err == ERR_OK));
    assert_int_equal(rivals[0].err + rivals[1].err, ERR_OK + ERR_CONFLICT);
    assert_ok(read_one(db, 1, &g));
    assert_int_equal(g.sum, 2);
    assert_ok(write_one(db, 1, "x"));
    assert_ok(write_one(other, 1, "x"));
    pthread_barrier_destroy(&both);
    db_close(other);
    db_close(db);
}

static void no_message_has_a_password_or_a_value(void **state)
{
    static const char *const urls[] = {
        "postgres://me:hunter2@127.0.0.1:1/db",
        "postgres://me:hunter2@127.0.0.1:port/db",
        "postgres://me:hunter2@[::1/db",
        "postgres://me:hunter2@127.0.0.1/db?hunter2",
        "postgres://me:hunter2%zz@127.0.0.1/db",
        "postgres://me@127.0.0.1:1/db?password=hunter2",
        "postgresql://me:hunter2@nowhere.invalid:1/db",
        "postgres://me:hunter2@127.0.0.1:1/db?sslmode=wrong",
    };
    char where[DATABASE_WHERE_BYTES];
    struct db *db = open_new(*state, where);
    const struct db_value row[] = {db_int(31337), db_int(1), db_text("hunter2")};
    struct db *other;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_true(db_open(urls[i], &other) != ERR_OK);
        if (strstr(err_text(), "hunter2"))
            fail_msg("%s", err_text());
    }
    assert_ok(write_one(db, 31337, "hunter2"));
    assert_ok(db_begin(db, true));
    assert_err(db_write_rows(db, &insert, row, 1, NULL), ERR_CONFLICT);
    assert_null(strstr(err_text(), "31337"));
    assert_null(strstr(err_text(), "hunter2"));
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_was_ended_while_idle_is_made_again_unnoticed),
        cmocka_unit_test(a_connection_that_is_lost_in_a_transaction_has_done_nothing),
        cmocka_unit_test(a_server_that_is_down_is_unreachable_until_it_is_up_again),
        cmocka_unit_test(writes_that_are_only_sent_are_counted_when_they_are_settled),
        cmocka_unit_test(text_that_postgres_cannot_keep_is_kept_with_question_marks),
        cmocka_unit_test(of_two_that_lock_each_other_out_one_has_a_conflict),
        cmocka_unit_test(no_message_has_a_password_or_a_value),
    };
    return database_run_one(DATABASE_POSTGRES, "test_db_pg.c", tests, sizeof tests / sizeof *tests);
}
