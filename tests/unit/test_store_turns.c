/* A turn is written whole or not at all, whatever fails; two servers on one database do not undo each other.
 */
#include "lib/t.h"

#include <pthread.h>

#include "lib/store_world.h"
#include "server/db.h"
#include "server/store_answer.h"

/* --- conflicts --- */

static uint32_t rev_of(struct world *w, wu_id id);

static void a_unit_that_somebody_else_has_changed_is_a_conflict_and_nothing_is_written(void **state)
{
    struct world w;
    struct text chunk = text_of("x"), got;
    world_open(&w, state);
    world_units(&w, 5, 3);
    struct store_unit_change c = world_change(wu_id_make(5, 1), 0);
    store_set_unit(w.set, &c);
    world_write(&w);
    store_set_chunk(w.set, 5, 1, &chunk);
    c = world_change(wu_id_make(5, 0), 0);
    store_set_unit(w.set, &c);
    c = world_change(wu_id_make(5, 1), 0); /* it has 1 now */
    store_set_unit(w.set, &c);
    store_set_delivery(w.set, 5, 1, 1);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_true(store_set_is_empty(w.set));
    assert_int_equal(rev_of(&w, wu_id_make(5, 0)), 0);
    assert_err(store_chunk_get(w.store, &w.arena, 5, 1, &got), ERR_MISSING);
    c = world_change(wu_id_make(5, 1), 1);
    store_set_unit(w.set, &c);
    world_write(&w);
    assert_int_equal(rev_of(&w, wu_id_make(5, 1)), 2);
    c = world_change(wu_id_make(5, 99), 0); /* is not there */
    store_set_unit(w.set, &c);
    assert_err(world_try(&w), ERR_CONFLICT);
    struct text none = {0};
    store_set_unit_new(w.set, wu_id_make(5, 1), &none);
    assert_err(world_try(&w), ERR_CONFLICT);
    world_close(&w);
}

static void every_kind_of_change_of_a_unit_is_guarded(void **state)
{
    struct world w;
    world_open(&w, state);
    world_units(&w, 5, 1);
    for (int kind = 0; kind < 4; kind++) {
        struct store_unit_change c = world_change(wu_id_make(5, 0), 7);
        c.set_ready = kind & 1;
        c.set_wake = kind & 2;
        store_set_unit(w.set, &c);
        assert_err(world_try(&w), ERR_CONFLICT);
        c.rev = (uint32_t)kind;
        store_set_unit(w.set, &c);
        world_write(&w);
    }
    assert_int_equal(rev_of(&w, wu_id_make(5, 0)), 4);
    world_close(&w);
}

static void a_batch_is_guarded_and_its_counters_must_be_there(void **state)
{
    struct world w;
    struct store_batch b = world_batch(5, 1), got;
    struct text labels = text_of("[]");
    world_open(&w, state);
    world_batch_new(&w, &b, true);
    world_write(&w);
    b.rev = 3;
    b.paused = true;
    store_set_batch_live(w.set, &b, true, false);
    assert_err(world_try(&w), ERR_CONFLICT);
    store_set_batch_counts(w.set, 6, &(struct batch_counts){.units = 1});
    assert_err(world_try(&w), ERR_CONFLICT);
    store_set_batch_change(w.set, 6, 1, "x", &labels);
    assert_err(world_try(&w), ERR_CONFLICT);
    assert_ok(store_batch_get(w.store, &w.arena, 5, &got));
    assert_true(!got.paused && got.rev == 0);
    world_close(&w);
}

/* --- numbers --- */

static uint64_t take(struct world *w, const char *kind, uint32_t n)
{
    uint64_t last = 0;
    assert_ok(store_take_ids(w->store, kind, n, &last));
    return last;
}

static void ids_are_given_without_holes_also_after_a_rollback(void **state)
{
    struct world w;
    world_open(&w, state);
    assert_ok(store_begin(w.store, true));
    assert_int_equal(take(&w, "host", 1), 1);
    assert_int_equal(take(&w, "host", 3), 4);
    assert_int_equal(take(&w, "batch", 1), 1);
    assert_ok(store_commit(w.store));
    assert_ok(store_begin(w.store, true));
    assert_int_equal(take(&w, "host", 5), 9);
    store_rollback(w.store);
    assert_ok(store_begin(w.store, true));
    assert_int_equal(take(&w, "host", 1), 5);
    assert_ok(store_commit(w.store));
    world_close(&w);
}

/* --- failures --- */

struct rev {
    uint32_t rev;
};

static enum err keep_rev(void *ctx, const struct store_unit_row *row)
{
    ((struct rev *)ctx)->rev = row->rev;
    return ERR_OK;
}

static enum err read_rev(struct world *w, wu_id id, uint32_t *ret)
{
    struct rev r = {.rev = UINT32_MAX};
    enum err e = store_units_load(w->store, &w->arena, &id, 1, (struct store_unit_rows){keep_rev, &r});
    *ret = r.rev;
    return e;
}

static uint32_t rev_of(struct world *w, wu_id id)
{
    uint32_t rev;
    assert_ok(read_rev(w, id, &rev));
    return rev;
}

/* One of each kind of what a turn writes, the `n`th time. */
static void fill(struct world *w, uint32_t n)
{
    static _Thread_local struct store_answer_key key = {.answer = {{1}}}; /* the set points to its digest */
    static const struct project_counts project = {.reports = 1};
    struct store_unit_change c = world_change(wu_id_make(5, 0), n);
    struct text none = {0};
    c.history = text_of("x\n");
    store_set_unit(w->set, &c);
    store_set_unit_new(w->set, wu_id_make(5, 10 + n), &none);
    store_set_lease(w->set, &(struct store_lease){1, wu_id_make(5, n), 0, 1}, false);
    key.unit = wu_id_make(5, n);
    store_set_answer(w->set, &key, &none);
    store_set_batch_counts(w->set, 5, &(struct batch_counts){.reports = 1});
    store_set_host_stat(w->set, &(struct store_host_stat){.id = 1, .reports = 1});
    store_set_project(w->set, 1, &project, 1);
    store_set_delivery(w->set, 5, n, 1);
    store_set_delivery(w->set, 9, n, 1);
    store_set_outbox(w->set, OUTBOX_JUDGE, n, NULL, 1);
    store_set_audit(w->set, &(struct store_audit){.action = "a", .subject = "s", .detail = text_of("{}")});
}

/* All that fill() did must have happened exactly `n` times. */
static void assert_filled(struct world *w, uint32_t n)
{
    struct store_batch b;
    struct project_counts project;
    struct store_delivery *deliveries;
    struct store_outbox *owed;
    struct store_audit *log;
    struct store_lease *leases;
    struct store_host *hosts;
    uint32_t count;
    arena_reset(&w->arena);
    assert_int_equal(rev_of(w, wu_id_make(5, 0)), n);
    assert_ok(store_batch_get(w->store, &w->arena, 5, &b));
    assert_int_equal(b.counts.reports, n);
    assert_ok(store_project_counts(w->store, &project));
    assert_int_equal(project.reports, n);
    for (uint64_t stream = 5; stream <= 9; stream += 4) {
        assert_ok(store_delivery_list(w->store, &w->arena, stream, 0, 1000, &deliveries, &count));
        assert_int_equal(count, n);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(deliveries[i].seq, i + 1);
    }
    assert_ok(store_outbox_list(w->store, &w->arena, OUTBOX_JUDGE, 5, 0, 1000, &owed, &count));
    assert_int_equal(count, n);
    assert_true(n == 0 || owed[n - 1].id == n);
    assert_ok(store_lease_list(w->store, &w->arena, 1, 0, 1000, &leases, &count));
    assert_int_equal(count, n);
    assert_ok(store_audit_list(w->store, &w->arena, 0, 1000, &log, &count));
    assert_int_equal(count, n);
    struct digest before = {{0}};
    for (uint32_t i = n; i-- > 0;) {
        before = store_audit_chain(&before, &log[i]);
        assert_true(digest_eq(&before, &log[i].chain));
    }
    const uint64_t id = 1;
    assert_ok(store_hosts_load(w->store, &w->arena, &id, 1, &hosts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(hosts[0].reports, n);
}

static void fill_first(struct world *w)
{
    world_units(w, 5, 1);
    store_set_host_new(w->set, &(struct store_host){.id = 1});
    store_set_host_stat(w->set, &(struct store_host_stat){.id = 1});
    world_write(w);
}

static enum err turn(struct world *w, uint32_t n)
{
    enum err e = store_begin(w->store, true);
    fill(w, n);
    if (e == ERR_OK)
        e = store_set_write(w->store, w->set);
    if (e == ERR_OK)
        e = store_commit(w->store);
    if (e != ERR_OK)
        store_rollback(w->store);
    store_set_clear(w->set);
    return e;
}

static void whatever_operation_fails_a_turn_has_happened_whole_or_not_at_all(void **state)
{
    struct world w;
    uint32_t done = 0, at_commit = 0, operations = 0;
    world_open(&w, state);
    fill_first(&w);
    for (uint32_t late = 0; late < 2; late++) {
        enum err e = ERR_IO;
        for (uint32_t after = 0; e != ERR_OK; after++) {
            store_fault(w.store, after, late);
            e = turn(&w, done);
            store_fault(w.store, UINT32_MAX, false);
            bool happened = rev_of(&w, wu_id_make(5, 0)) == done + 1;
            assert_true(e != ERR_OK || happened);
            at_commit += e != ERR_OK && happened;
            done += happened;
            assert_filled(&w, done);
            operations = after;
        }
    }
    assert_int_equal(at_commit, 1); /* the late one */
    assert_true(operations > 15);
    world_close(&w);
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    struct world w;
    world_open(&w, state);
    fill_first(&w);
    assert_ok(turn(&w, 0));
    if (w.databases->kept) {
        store_close(w.store);
        assert_ok(store_open(w.where, &w.store));
        assert_filled(&w, 1);
        assert_ok(turn(&w, 1));
        assert_filled(&w, 2);
    }
    world_close(&w);
}

static void a_reader_sees_whole_turns_only(void **state)
{
    struct world w;
    struct store *reader, *store;
    world_open(&w, state);
    store = w.store;
    fill_first(&w);
    assert_ok(store_reader_open(store, &reader));
    assert_ok(store_ping(reader));
    w.store = reader;
    assert_filled(&w, 0);
    assert_err(store_begin(reader, true), ERR_DENIED);
    if (w.databases->kept) {
        assert_ok(store_begin(store, true));
        fill(&w, 0);
        assert_ok(store_set_write(store, w.set));
        assert_filled(&w, 0);
        assert_ok(store_commit(store));
        assert_filled(&w, 1);
    }
    store_close(reader);
    w.store = store;
    assert_ok(store_ping(store));
    world_close(&w);
}

/* --- the schema --- */

static void the_schema_goes_down_and_up_again(void **state)
{
    struct world w;
    struct store_user u;
    world_open(&w, state);
    store_set_user(w.set, &(struct store_user){.id = 1, .name = "kari"}, true);
    world_write(&w);
    if (w.databases->kept) {
        store_close(w.store);
        assert_ok(store_migrate(w.where, 0));
        assert_ok(store_migrate(w.where, 0));
        assert_ok(store_migrate(w.where, STORE_SCHEMA_VERSION));
        assert_ok(store_open(w.where, &w.store));
        assert_err(store_user_get(w.store, &w.arena, 1, &u), ERR_MISSING);
        store_set_user(w.set, &(struct store_user){.id = 1, .name = "kari"}, true);
        world_write(&w);
    }
    assert_err(store_migrate(w.where, STORE_SCHEMA_VERSION + 1), ERR_INVALID);
    world_close(&w);
}

static void data_of_a_newer_program_is_refused_in_a_sentence_that_says_so(void **state)
{
    struct world w;
    struct db *db;
    struct store *other;
    world_open(&w, state);
    if (w.databases->kept) {
        assert_ok(db_open(w.where, &db));
        assert_ok(db_begin(db, true));
        assert_ok(db_set_version(db, STORE_SCHEMA_VERSION + 5));
        assert_ok(db_commit(db));
        db_close(db);
        assert_err(store_open(w.where, &other), ERR_UNSUPPORTED);
        char version[16];
        snprintf(version, sizeof version, "%d", STORE_SCHEMA_VERSION + 5);
        assert_non_null(strstr(err_text(), version));
    }
    world_close(&w);
}

struct opener {
    const char *where;
    struct store *store;
    enum err err;
    char text[256];
};

static void *open_now(void *ctx)
{
    struct opener *o = ctx;
    o->err = store_open(o->where, &o->store);
    if (o->err != ERR_OK)
        snprintf(o->text, sizeof o->text, "%s", err_text());
    return NULL;
}

static void two_servers_that_start_at_once_make_the_tables_once(void **state)
{
    struct databases *d = *state;
    char where[DATABASE_WHERE_BYTES];
    struct opener openers[4] = {{0}};
    pthread_t threads[4];
    if (!d->kept)
        return;
    database_new(d, where);
    for (int i = 0; i < 4; i++) {
        openers[i].where = where;
        assert_int_equal(pthread_create(&threads[i], NULL, open_now, &openers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        if (openers[i].err != ERR_OK)
            fail_msg("%s", openers[i].text);
        store_close(openers[i].store);
    }
}

/* --- two servers --- */

enum { SERVERS = 3, TURNS = 40 };

struct server {
    pthread_t thread;
    const char *where;
    uint32_t conflicts;
    enum err err;
    char text[256];
};

/* All servers change the same unit, streams, counters and log; whoever comes second does it again. On threads
 * of their own, where no assertion of cmocka may fail. */
static enum err serve(struct server *s, struct world *w)
{
    enum err e = ERR_OK;
    for (uint32_t done = 0; done < TURNS && e == ERR_OK;) {
        uint32_t rev;
        arena_reset(&w->arena);
        e = read_rev(w, wu_id_make(5, 0), &rev);
        if (e == ERR_OK)
            e = turn(w, rev);
        if (e == ERR_OK)
            done++;
        else if (e == ERR_CONFLICT || e == ERR_BUSY) {
            s->conflicts++;
            e = ERR_OK;
        }
    }
    return e;
}

static void *run_server(void *ctx)
{
    struct server *s = ctx;
    struct world w = {.set = store_set_new()};
    s->err = store_open(s->where, &w.store);
    if (s->err == ERR_OK)
        s->err = serve(s, &w);
    if (s->err != ERR_OK)
        snprintf(s->text, sizeof s->text, "%s", err_text());
    world_close(&w);
    return NULL;
}

static void servers_on_one_database_leave_no_hole_and_undo_nothing(void **state)
{
    struct world w;
    struct server servers[SERVERS] = {0};
    world_open(&w, state);
    if (w.databases->kept) {
        fill_first(&w);
        for (int i = 0; i < SERVERS; i++) {
            servers[i].where = w.where;
            assert_int_equal(pthread_create(&servers[i].thread, NULL, run_server, &servers[i]), 0);
        }
        for (int i = 0; i < SERVERS; i++)
            pthread_join(servers[i].thread, NULL);
        for (int i = 0; i < SERVERS; i++)
            if (servers[i].err != ERR_OK)
                fail_msg("server %d: %s", i, servers[i].text);
        assert_filled(&w, SERVERS * TURNS);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_that_somebody_else_has_changed_is_a_conflict_and_nothing_is_written),
        cmocka_unit_test(every_kind_of_change_of_a_unit_is_guarded),
        cmocka_unit_test(a_batch_is_guarded_and_its_counters_must_be_there),
        cmocka_unit_test(ids_are_given_without_holes_also_after_a_rollback),
        cmocka_unit_test(whatever_operation_fails_a_turn_has_happened_whole_or_not_at_all),
        cmocka_unit_test(what_was_written_is_there_after_opening_again),
        cmocka_unit_test(a_reader_sees_whole_turns_only),
        cmocka_unit_test(the_schema_goes_down_and_up_again),
        cmocka_unit_test(data_of_a_newer_program_is_refused_in_a_sentence_that_says_so),
        cmocka_unit_test(two_servers_that_start_at_once_make_the_tables_once),
        cmocka_unit_test(servers_on_one_database_leave_no_hole_and_undo_nothing),
    };
    return DATABASE_RUN(tests);
}
