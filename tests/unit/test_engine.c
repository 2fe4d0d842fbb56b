/* The engine over every database: whole lives of units, through requests only. */
#include "lib/engine_world.h"
#include "server/answer_row.h"
#include "server/store_answer.h"
#include "server/store_load.h"
#include "server/store_stream.h"
#include "wire/answer.h"

/* Every unit's answer has one record, and no two have the same. */
static void assert_in_stream_once(struct world *w, uint32_t units)
{
    struct store_stream st;
    struct store_record *list;
    uint32_t count;
    uint64_t seen = 0;
    assert_ok(store_stream_find(w->store, &w->arena, "hits", &st));
    assert_ok(store_record_list(w->store, &w->arena, st.id, 0, 1000, &list, &count));
    assert_int_equal(count, units);
    assert_int_equal(st.last, units);
    for (uint32_t i = 0; i < count; i++) {
        assert_false(digest_is_zero(&list[i].answer));
        seen |= 1ull << wu_id_index(list[i].unit);
    }
    assert_int_equal(seen, (1ull << units) - 1);
}

static void whole_life(const char *where)
{
    struct world w;
    struct engine_given *a, *b;
    world_open(&w, where);
    uint64_t one = join(&w), two = join(&w);
    uint32_t batch = submit(&w, 300);
    assert_int_equal(fetch(&w, one, 200, &a), 200);
    assert_int_equal(fetch(&w, two, 200, &b), 200);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(a[i].unit, b[i].unit);
        assert_ok(report(&w, one, &a[i], 1));
        assert_int_equal(report(&w, two, &a[i], 1), ERR_DENIED);
        assert_ok(report(&w, two, &b[i], 1));
        assert_ok(report(&w, two, &b[i], 1));
    }
    assert_int_equal(deliveries(&w, batch), 200);
    restart(&w);
    assert_int_equal(fetch(&w, one, 200, &a), 100);
    assert_int_equal(fetch(&w, two, 200, &b), 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_ok(report(&w, one, &a[i], 1));
        assert_ok(report(&w, two, &b[i], 1));
    }
    struct store_batch s = batch_of(&w, batch);
    assert_int_equal(s.counts.units, 300);
    assert_int_equal(s.counts.accepted, 300);
    assert_int_equal(s.counts.delivered, 300);
    assert_int_equal(s.counts.valid, 600);
    assert_int_equal(s.counts.unsent, 0);
    assert_int_equal(s.counts.leased, 0);
    assert_true(s.finished_ms > 0);
    assert_int_equal(deliveries(&w, batch), 300);
    struct store_host h;
    assert_ok(store_host_get(w.store, &w.arena, one, &h));
    assert_int_equal(h.valid, 300);
    assert_true(h.credit_micro > 0);
    world_close(&w);
}

static void wrong_answer(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t liar = join(&w), one = join(&w), two = join(&w);
    uint32_t batch = submit(&w, 10);
    assert_int_equal(fetch(&w, liar, 10, &g), 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_ok(report(&w, liar, &g[i], 66));
    uint64_t honest[] = {one, two};
    for (int k = 0; k < 2; k++) {
        uint32_t n = fetch(&w, honest[k], 20, &g);
        assert_int_equal(n, 10);
        for (uint32_t i = 0; i < n; i++)
            assert_ok(report(&w, honest[k], &g[i], 1));
    }
    struct store_batch s = batch_of(&w, batch);
    assert_int_equal(s.counts.accepted, 10);
    assert_int_equal(s.counts.invalid, 10);
    struct store_unit u;
    assert_ok(store_unit_get(w.store, &w.arena, g[0].unit, &u));
    assert_int_equal(u.wu.attempts[u.wu.canonical].answer.bytes[0], 1);
    world_close(&w);
}

static void vanished(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t gone = join(&w), one = join(&w), two = join(&w);
    uint32_t batch = submit(&w, 5);
    assert_int_equal(fetch(&w, gone, 10, &g), 5);
    struct engine_given late = g[0];
    assert_int_equal(fetch(&w, one, 10, &g), 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_ok(report(&w, one, &g[i], 1));
    assert_int_equal(fetch(&w, two, 10, &g), 0);
    w.now_ms += 61000;
    restart(&w);
    tick(&w);
    assert_int_equal(batch_of(&w, batch).counts.expired, 5);
    assert_int_equal(fetch(&w, two, 10, &g), 5);
    assert_ok(report(&w, gone, &late, 1)); /* late, but welcome: it makes the quorum */
    for (uint32_t i = 0; i < 5; i++)
        assert_ok(report(&w, two, &g[i], 1));
    struct store_batch s = batch_of(&w, batch);
    assert_int_equal(s.counts.accepted, 5);
    assert_int_equal(s.counts.delivered, 5);
    world_close(&w);
}

/* The last unit is out at a host that went to sleep: who has nothing to do gets it too, once, when the others
 * took half as long. */
static void tail(const char *where)
{
    struct world w;
    struct engine_given *slow, *g;
    world_open(&w, where);
    uint64_t asleep = join(&w), one = join(&w), two = join(&w), three = join(&w);
    uint32_t batch = submit(&w, 6);
    assert_int_equal(fetch(&w, asleep, 1, &slow), 1);
    wu_id held_up = slow[0].unit;
    uint64_t awake[] = {one, two};
    for (int k = 0; k < 2; k++) {
        uint32_t n = fetch(&w, awake[k], 10, &g);
        w.now_ms += 2000;
        for (uint32_t i = 0; i < n; i++)
            assert_ok(report(&w, awake[k], &g[i], 1));
    }
    assert_int_equal(batch_of(&w, batch).counts.accepted, 5);
    assert_int_equal(batch_of(&w, batch).counts.unsent, 0);
    w.now_ms += 1500;
    assert_int_equal(fetch(&w, one, 10, &g), 0); /* it has given its half */
    assert_int_equal(fetch(&w, three, 10, &g), 1);
    assert_int_equal(g[0].unit, held_up);
    assert_int_equal(g[0].attempt, 2);
    w.now_ms += 20000;
    assert_int_equal(fetch(&w, join(&w), 10, &slow), 0); /* one spare, no more */
    assert_ok(report(&w, three, &g[0], 1));
    assert_int_equal(batch_of(&w, batch).counts.delivered, 6);
    assert_int_equal(deliveries(&w, batch), 6);
    world_close(&w);
}

static void cancelled_and_retried(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t one = join(&w), two = join(&w);
    uint32_t batch = submit(&w, 1000);
    assert_int_equal(fetch(&w, one, 10, &g), 10);
    struct engine_request r = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    r.u.batch_do.batch = batch;
    r.u.batch_do.verb = ENGINE_BATCH_CANCEL;
    assert_ok(ask(&w, &r));
    tick(&w);
    struct store_batch s = batch_of(&w, batch);
    assert_int_equal(s.counts.cancelled, 1000);
    assert_int_equal(s.counts.leased, 0);
    assert_true(s.finished_ms > 0);
    assert_int_equal(deliveries(&w, batch), 1000);
    r.u.batch_do.verb = ENGINE_BATCH_RETRY;
    assert_ok(ask(&w, &r));
    tick(&w);
    restart(&w);
    s = batch_of(&w, batch);
    assert_int_equal(s.counts.open, 1000);
    assert_int_equal(s.counts.delivered, 0);
    for (uint32_t done = 0; done < 1000;) {
        uint32_t n = fetch(&w, one, 200, &g);
        assert_true(n > 0);
        for (uint32_t i = 0; i < n; i++)
            assert_ok(report(&w, one, &g[i], 1));
        n = fetch(&w, two, 200, &g);
        for (uint32_t i = 0; i < n; i++)
            assert_ok(report(&w, two, &g[i], 1));
        done += n;
    }
    s = batch_of(&w, batch);
    assert_int_equal(s.counts.accepted, 1000);
    assert_int_equal(s.counts.delivered, 1000);
    world_close(&w);
}

static void lost_replies(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t one = join(&w);
    submit(&w, 20);
    assert_int_equal(fetch(&w, one, 5, &g), 5);
    /* The reply was lost: the host says that it holds nothing, and is given the same ones first. */
    struct engine_want want = {.seconds = 1e9, .cores = 4, .units_max = 7};
    struct engine_request r = {.kind = ENGINE_WORK};
    struct engine_attempt held[] = {{.unit = g[0].unit, .attempt = g[0].attempt},
                                    {.unit = wu_id_make(1, 19), .attempt = 0}};
    r.u.work = (struct engine_work){
        .host_id = one, .want = &want, .held_given = true, .held = held, .held_count = 2};
    assert_ok(ask(&w, &r));
    assert_int_equal(r.u.work.given_count, 7);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(r.u.work.given[i].unit, g[i + 1].unit);
    assert_int_equal(r.u.work.recall_count, 1);
    assert_int_equal(r.u.work.recall[0].unit, held[1].unit);
    world_close(&w);
}

static void failing_commits(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t one = join(&w), two = join(&w);
    uint32_t batch = submit(&w, 40), accepted = 0;
    for (uint32_t round = 0; accepted < 40 && round < 4000; round++) {
        uint64_t host = round & 1 ? one : two;
        struct engine_want want = {.seconds = 1e9, .cores = 4, .units_max = 3};
        struct engine_request r = {.kind = ENGINE_WORK, .arena = &w.arena}, *list[] = {&r};
        r.u.work = (struct engine_work){.host_id = host, .want = &want, .held_given = true};
        store_fault(w.store, round % 23, round % 2);
        if (engine_turn(w.engine, list, 1, w.now_ms) != ERR_OK || r.err != ERR_OK)
            continue;
        g = r.u.work.given;
        for (uint32_t i = 0; i < r.u.work.given_count; i++) {
            struct engine_report p = {.unit = g[i].unit, .attempt = g[i].attempt};
            memset(&p.answer, 1, sizeof p.answer);
            struct engine_request told = {.kind = ENGINE_WORK, .arena = &w.arena}, *again[] = {&told};
            uint32_t tries = 0;
            do {
                assert_true(tries < 200); /* each try gets further before it fails */
                told.u.work = (struct engine_work){.host_id = host, .reports = &p, .report_count = 1};
                store_fault(w.store, tries++, i % 2);
            } while (engine_turn(w.engine, again, 1, w.now_ms) != ERR_OK || told.err != ERR_OK);
            assert_ok(p.ack);
        }
        store_fault(w.store, UINT32_MAX, false);
        accepted = (uint32_t)batch_of(&w, batch).counts.accepted;
    }
    store_fault(w.store, UINT32_MAX, false);
    struct store_batch s = batch_of(&w, batch);
    assert_int_equal(s.counts.accepted, 40);
    assert_int_equal(s.counts.delivered, 40);
    assert_int_equal(s.counts.valid, 80);
    assert_int_equal(s.counts.leased, 0);
    assert_int_equal(s.counts.unsent, 0);
    assert_int_equal(deliveries(&w, batch), 40);
    assert_in_stream_once(&w, 40);
    world_close(&w);
}

static int64_t asks_again_in_ms(struct world *w, uint64_t host)
{
    struct engine_want want = {.seconds = 1e9, .cores = 4, .units_max = 9};
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.want = &want;
    assert_ok(ask(w, &r));
    assert_int_equal(r.u.work.given_count, 0);
    return r.u.work.next_contact_ms;
}

static void asking_again(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t one = join(&w), two = join(&w);
    assert_int_equal(asks_again_in_ms(&w, one), 5000);
    submit(&w, 1);
    assert_int_equal(fetch(&w, one, 10, &g), 1);
    assert_ok(report(&w, one, &g[0], 1));
    assert_int_equal(fetch(&w, two, 10, &g), 1);
    assert_ok(report(&w, two, &g[0], 1));
    assert_int_equal(asks_again_in_ms(&w, one), 1000); /* the next batch may come any moment */
    w.now_ms += 119000;
    assert_int_equal(asks_again_in_ms(&w, one), 1000);
    w.now_ms += 2000;
    assert_int_equal(asks_again_in_ms(&w, one), 5000);
    world_close(&w);
}

/* `out` with this text as its bytes. */
static void answer_text(struct world *w, uint64_t host, const struct engine_given *g, const char *text,
                        struct store_answer_key *ret)
{
    BUF_AUTO struct buf row = {0};
    struct file_ref file = {"out", hash_bytes(text, strlen(text)), strlen(text)};
    struct text data = {text, (uint32_t)strlen(text)};
    struct store_answer answer = {&file, &data, 1};
    struct engine_output output = {file.path, file.bytes};
    struct engine_report p = {.unit = g->unit, .attempt = g->attempt, .outputs = &output, .output_count = 1};
    struct engine_request r = {.kind = ENGINE_WORK};
    assert_ok(answer_digest(&file, 1, &p.answer));
    assert_ok(answer_row_write(&answer, &row));
    p.row = (struct text){buf_text(&row), (uint32_t)row.len};
    *ret = (struct store_answer_key){g->unit, p.answer};
    r.u.work.host_id = host;
    r.u.work.reports = &p;
    r.u.work.report_count = 1;
    assert_ok(ask(w, &r));
    assert_int_equal(p.ack, ERR_OK);
}

static uint32_t answers_of(struct world *w, uint32_t batch)
{
    struct store_answer_key *keys;
    uint32_t count;
    assert_ok(store_answer_list(w->store, &w->arena, batch, 10, &keys, &count));
    return count;
}

/* What it does not know would be missing to it. */
static void beside_older(const char *where)
{
    struct world w;
    struct engine_given *g, *h;
    struct store_answer_key one, two;
    struct store_answer got;
    world_open(&w, where);
    w.schema = STORE_ANSWERS_SINCE - 1;
    restart(&w);
    uint32_t batch = submit(&w, 1);
    uint64_t a = join(&w), b = join(&w);
    assert_int_equal(fetch(&w, a, 1, &g), 1);
    assert_int_equal(fetch(&w, b, 1, &h), 1);
    answer_text(&w, a, g, "as before", &one);
    assert_int_equal(answers_of(&w, batch), 0);
    assert_ok(store_answer_get(w.store, &w.arena, one.unit, &one.answer, &got));
    assert_string_equal(got.data[0].data, "as before");
    w.schema = 0; /* it has gone */
    restart(&w);
    answer_text(&w, b, h, "as now", &two);
    assert_int_equal(answers_of(&w, batch), 1);
    assert_ok(store_answer_get(w.store, &w.arena, two.unit, &two.answer, &got));
    assert_string_equal(got.data[0].data, "as now");
    world_close(&w);
}

/* One unit of a cancelled batch that is wanted after all goes out, and the batch ends again. */
static void retried_alone(const char *where)
{
    struct world w;
    struct engine_given *g;
    world_open(&w, where);
    uint64_t hosts[] = {join(&w), join(&w)};
    uint32_t batch = submit(&w, 20);
    struct engine_request end = {.kind = ENGINE_BATCH_DO, .user_id = 1},
                          again = {.kind = ENGINE_UNIT_DO, .user_id = 1};
    end.u.batch_do.batch = batch;
    end.u.batch_do.verb = ENGINE_BATCH_CANCEL;
    again.u.unit_do.unit = wu_id_make(batch, 7);
    again.u.unit_do.event = WU_EV_RETRY;
    assert_ok(ask(&w, &end));
    assert_int_equal(ask(&w, &again), ERR_CONFLICT); /* it is not over yet */
    tick(&w);
    assert_true(batch_of(&w, batch).finished_ms > 0);
    assert_ok(ask(&w, &again));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(fetch(&w, hosts[i], 20, &g), 1);
        assert_ok(report(&w, hosts[i], g, 1));
    }
    struct store_batch b = batch_of(&w, batch);
    assert_true(b.finished_ms > 0 && b.counts.accepted == 1 && b.counts.failed == 19);
    end.u.batch_do.verb = ENGINE_BATCH_PURGE;
    assert_ok(ask(&w, &end));
    again.u.unit_do.unit = wu_id_make(batch, 8);
    assert_int_equal(ask(&w, &again), ERR_STALE); /* its files go */
    world_close(&w);
}

static int64_t next_wake(struct world *w)
{
    int64_t at_ms;
    assert_ok(store_wake_next(w->store, &at_ms));
    return at_ms;
}

static void old_wake(const char *where)
{
    struct world w;
    struct engine_given *a, *b;
    world_open(&w, where);
    uint64_t one = join(&w), two = join(&w);
    (void)submit(&w, 1);
    assert_int_equal(next_wake(&w), INT64_MAX);
    assert_int_equal(fetch(&w, one, 1, &a), 1);
    int64_t due_ms = next_wake(&w);
    assert_true(due_ms < INT64_MAX);
    assert_ok(report(&w, one, &a[0], 1));
    assert_true(next_wake(&w) == due_ms); /* nothing is due, and the second copy will be */
    assert_int_equal(fetch(&w, two, 1, &b), 1);
    assert_true(next_wake(&w) <= due_ms);
    assert_ok(report(&w, two, &b[0], 1));
    assert_true(next_wake(&w) == INT64_MAX);
    world_close(&w);
}

#define OVER_EACH(name, test)                                                                                \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        char where[DATABASE_WHERE_BYTES];                                                                    \
        database_new(*state, where);                                                                         \
        test(where);                                                                                         \
    }
OVER_EACH(every_unit_is_delivered_once_with_two_equal_answers_of_different_owners, whole_life)
OVER_EACH(a_wrong_answer_is_never_accepted, wrong_answer)
OVER_EACH(what_a_vanished_host_had_goes_to_another_after_its_deadline, vanished)
OVER_EACH(what_holds_up_a_batch_goes_to_an_idle_host_too_but_once, tail)
OVER_EACH(a_cancelled_batch_ends_and_can_be_tried_again, cancelled_and_retried)
OVER_EACH(a_unit_of_a_cancelled_batch_can_be_tried_again_alone, retried_alone)
OVER_EACH(a_unit_that_waits_for_its_next_copy_keeps_when_it_is_looked_at, old_wake)
OVER_EACH(what_a_lost_reply_gave_is_given_again_and_what_is_not_wanted_is_recalled, lost_replies)
OVER_EACH(an_idle_host_asks_again_sooner_while_somebody_is_at_work_with_the_project, asking_again)
OVER_EACH(beside_an_older_server_answers_are_kept_as_it_reads_them, beside_older)
OVER_EACH(nothing_is_lost_or_counted_twice_when_any_operation_of_the_database_fails, failing_commits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_delivered_once_with_two_equal_answers_of_different_owners),
        cmocka_unit_test(a_wrong_answer_is_never_accepted),
        cmocka_unit_test(what_a_vanished_host_had_goes_to_another_after_its_deadline),
        cmocka_unit_test(what_holds_up_a_batch_goes_to_an_idle_host_too_but_once),
        cmocka_unit_test(a_cancelled_batch_ends_and_can_be_tried_again),
        cmocka_unit_test(a_unit_of_a_cancelled_batch_can_be_tried_again_alone),
        cmocka_unit_test(a_unit_that_waits_for_its_next_copy_keeps_when_it_is_looked_at),
        cmocka_unit_test(what_a_lost_reply_gave_is_given_again_and_what_is_not_wanted_is_recalled),
        cmocka_unit_test(an_idle_host_asks_again_sooner_while_somebody_is_at_work_with_the_project),
        cmocka_unit_test(beside_an_older_server_answers_are_kept_as_it_reads_them),
        cmocka_unit_test(nothing_is_lost_or_counted_twice_when_any_operation_of_the_database_fails),
    };
    return DATABASE_RUN(tests);
}
