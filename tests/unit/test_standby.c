/* test_standby.c - hosts that wait for work: who looks when (server/standby.h), and the engine's thread with
 * them. */
#include "lib/t.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "lib/engine_world.h"
#include "server/engine_thread.h"
#include "server/standby.h"

enum { HOSTS = 12, WAIT_MS = 30000, AGAIN_MS = 5000 };

/* --- who looks when */

struct room {
    struct standby *standby;
    struct engine_request r[HOSTS];
    struct engine_outlook o;
    struct engine_request *woken[HOSTS];
    int64_t now_ms;
};

static bool keep(struct room *m, uint32_t i)
{
    return standby_keep(m->standby, &m->r[i], &m->o, m->now_ms);
}

static uint32_t wake(struct room *m)
{
    return standby_wake(m->standby, &m->o, m->now_ms, m->woken, HOSTS);
}

static uint32_t number_of(const struct room *m, const struct engine_request *r)
{
    return (uint32_t)(r - m->r);
}

/* All come a second after each other, and there is nothing. */
static void open_room(struct room *m, uint32_t seats, uint32_t hosts)
{
    *m = (struct room){.now_ms = 1000000};
    assert_ok(standby_new(seats, &m->standby));
    for (uint32_t i = 0; i < HOSTS; i++) {
        m->r[i].kind = ENGINE_WORK;
        m->r[i].u.work.host_id = 100 + i;
        m->r[i].u.work.wait_ms = WAIT_MS;
        m->r[i].u.work.next_contact_ms = AGAIN_MS;
        m->r[i].u.work.nothing = true;
        assert_true(standby_may_wait(&m->r[i]));
        if (i < hosts)
            assert_int_equal(keep(m, i), i < seats);
        m->now_ms += i < hosts ? 1000 : 0;
    }
}

static void close_room(struct room *m)
{
    (void)standby_end(m->standby, INT64_MAX, m->woken, HOSTS);
    assert_int_equal(standby_count(m->standby), 0);
    standby_free(m->standby);
}

static void new_units(struct room *m, uint64_t units)
{
    m->o.unsent = units;
    m->o.news++;
}

static void as_many_look_as_there_are_attempts_to_send_the_oldest_first(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 5);
    assert_int_equal(wake(&m), 0);
    new_units(&m, 2);
    assert_int_equal(wake(&m), 2);
    assert_int_equal(number_of(&m, m.woken[0]), 0);
    assert_int_equal(number_of(&m, m.woken[1]), 1);
    m.o.unsent = 0; /* they have taken all */
    assert_int_equal(wake(&m), 0);
    new_units(&m, 100);
    assert_int_equal(wake(&m), 3);
    close_room(&m);
}

static void who_looked_in_vain_makes_room_for_the_others_and_rests(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 3);
    new_units(&m, 1);
    for (uint32_t i = 0; i < 3; i++) { /* it is for none of them */
        assert_int_equal(wake(&m), 1);
        assert_int_equal(number_of(&m, m.woken[0]), i);
        assert_true(keep(&m, i));
    }
    assert_int_equal(wake(&m), 0);
    new_units(&m, 1); /* whatever is new */
    m.now_ms += STANDBY_REST_MS - 1;
    assert_int_equal(wake(&m), 0);
    m.now_ms++;
    assert_int_equal(wake(&m), 1);
    assert_int_equal(number_of(&m, m.woken[0]), 0);
    close_room(&m);
}

static void who_came_too_late_for_the_last_unit_does_not_rest(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 2);
    new_units(&m, 2);
    assert_int_equal(wake(&m), 2);
    m.o.unsent = 0; /* the first one took both */
    assert_true(keep(&m, 1));
    new_units(&m, 1);
    assert_int_equal(wake(&m), 1);
    close_room(&m);
}

static void what_comes_with_time_is_looked_for_as_often_as_the_host_would_have_called(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 1);
    m.now_ms += AGAIN_MS;
    assert_int_equal(wake(&m), 0); /* nothing is out: nothing can come */
    m.o.out = true;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(wake(&m), 1);
        assert_true(keep(&m, 0));
        assert_int_equal(wake(&m), 0);
        m.now_ms += AGAIN_MS - 1;
        assert_int_equal(wake(&m), 0);
        m.now_ms++;
    }
    close_room(&m);
}

static void nobody_waits_longer_than_he_wants_to(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 2); /* the second a second after the first, and a second ago */
    m.now_ms += WAIT_MS - 2001;
    assert_int_equal(standby_end(m.standby, m.now_ms, m.woken, HOSTS), 0);
    m.now_ms++;
    assert_int_equal(standby_end(m.standby, m.now_ms, m.woken, HOSTS), 1);
    assert_int_equal(number_of(&m, m.woken[0]), 0);
    assert_false(keep(&m, 0)); /* its time is over */
    new_units(&m, 1);
    m.now_ms += 999;
    assert_int_equal(wake(&m), 1);
    m.now_ms++;
    assert_false(keep(&m, 1)); /* also of one that was given back its place */
    close_room(&m);
}

static void a_full_room_takes_nobody_and_who_asks_anew_leaves_his_earlier_place(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, 3, 5);
    assert_int_equal(standby_count(m.standby), 3);
    assert_false(standby_has_room(m.standby));
    assert_null(standby_leave(m.standby, 104));
    assert_ptr_equal(standby_leave(m.standby, 101), &m.r[1]);
    assert_null(standby_leave(m.standby, 101));
    assert_true(keep(&m, 3));
    m.r[4].u.work.host_id = 100;
    assert_ptr_equal(standby_leave(m.standby, 103), &m.r[3]);
    assert_false(keep(&m, 4)); /* one for each host */
    close_room(&m);
}

static void who_has_hung_up_is_given_nothing(void **state)
{
    (void)state;
    struct room m;
    atomic_bool gone = false;
    open_room(&m, HOSTS, 0);
    m.r[0].u.work.gone = &gone;
    assert_true(keep(&m, 0));
    assert_int_equal(standby_end(m.standby, m.now_ms, m.woken, HOSTS), 0);
    atomic_store(&gone, true);
    new_units(&m, 1);
    assert_int_equal(wake(&m), 0);
    assert_int_equal(standby_end(m.standby, m.now_ms, m.woken, HOSTS), 1);
    assert_false(keep(&m, 0));
    close_room(&m);
}

static void only_a_request_that_was_answered_with_nothing_may_wait(void **state)
{
    (void)state;
    struct room m;
    open_room(&m, HOSTS, 0);
    m.r[0].err = ERR_BUSY;
    m.r[1].u.work.nothing = false;
    m.r[2].u.work.wait_ms = 0;
    m.r[3].u.work.report_count = 1;
    m.r[4].u.work.renew_count = 1;
    m.r[5].u.work.recall_count = 1;
    m.r[6].kind = ENGINE_JOIN;
    for (uint32_t i = 0; i < 7; i++)
        assert_false(standby_may_wait(&m.r[i]));
    assert_true(standby_may_wait(&m.r[7]));
    close_room(&m);
}

/* --- the engine's thread with them */

struct call {
    struct engine_request r;
    struct engine_want want;
    struct arena arena;
    atomic_int answers;
};

struct grid {
    struct world w;
    struct engine_thread *thread;
    struct call calls[HOSTS];
    uint32_t hosts;
};

static void answered(struct engine_request *r, void *ctx)
{
    struct call *c = ctx;
    (void)r;
    atomic_fetch_add(&c->answers, 1);
}

static void call(struct grid *g, uint32_t i)
{
    struct call *c = &g->calls[i];
    c->want = (struct engine_want){.seconds = 1, .cores = 1, .units_max = 1};
    c->r = (struct engine_request){.kind = ENGINE_WORK, .arena = &c->arena, .done = answered, .done_ctx = c};
    c->r.u.work =
        (struct engine_work){.host_id = i + 1, .held_given = true, .want = &c->want, .wait_ms = WAIT_MS};
    atomic_store(&c->answers, 0);
    assert_ok(engine_thread_put(g->thread, &c->r));
}

static uint32_t hosts_waiting(struct grid *g)
{
    struct engine_stats s;
    engine_thread_stats(g->thread, &s);
    return s.hosts_waiting;
}

static void wait_until_waiting(struct grid *g, uint32_t count)
{
    for (int i = 0; i < 1000 && hosts_waiting(g) != count; i++)
        clock_sleep_ms(5);
    assert_int_equal(hosts_waiting(g), count);
}

static void wait_until_answered(const struct call *c)
{
    for (int i = 0; i < 1000 && atomic_load(&c->answers) == 0; i++)
        clock_sleep_ms(5);
    assert_int_equal(atomic_load(&c->answers), 1);
}

static void open_grid(struct grid *g, uint32_t hosts, uint32_t waiting_max)
{
    struct engine_thread_config config = {.tick_ms = 50, .wait_ms = WAIT_MS, .waiting_max = waiting_max};
    *g = (struct grid){.hosts = hosts};
    world_open(&g->w, "memory:");
    g->w.now_ms = clock_wall_ms();
    for (uint32_t i = 0; i < hosts; i++)
        assert_int_equal(join(&g->w), i + 1);
    assert_ok(engine_thread_start(g->w.engine, &config, &g->thread));
    for (uint32_t i = 0; i < hosts; i++)
        call(g, i);
    wait_until_waiting(g, hosts < waiting_max ? hosts : waiting_max);
}

static void close_grid(struct grid *g)
{
    engine_thread_stop(g->thread);
    for (uint32_t i = 0; i < g->hosts; i++) {
        assert_int_equal(atomic_load(&g->calls[i].answers), 1);
        assert_ok(g->calls[i].r.err);
        arena_done(&g->calls[i].arena);
    }
    world_close(&g->w);
}

static void submit_to(struct grid *g, uint32_t units)
{
    static const struct wu_rules rules = {.quorum = 1,
                                          .target_attempts = 1,
                                          .errors_max = 3,
                                          .attempts_max = 8,
                                          .successes_max = 6,
                                          .lease_ms = 60000};
    struct engine_request r = {.kind = ENGINE_BATCH, .user_id = 1, .arena = &g->w.arena};
    struct store_batch *b = &r.u.batch.batch;
    *b = (struct store_batch){.name = "test",
                              .app = "pi",
                              .version = 1,
                              .rules = rules,
                              .release_count = 1,
                              .cost = 10,
                              .hr_kind = "none",
                              .needs_features = "",
                              .array = true,
                              .array_step = 1,
                              .array_count = units};
    b->releases[0].platform = "x86_64-linux";
    r.u.batch.order = order;
    assert_ok(engine_thread_do(g->thread, &r));
}

static void the_engine_gives_new_units_to_those_who_wait_longest_and_leaves_the_others(void **state)
{
    (void)state;
    struct grid g;
    open_grid(&g, 6, HOSTS);
    submit_to(&g, 2);
    wait_until_answered(&g.calls[0]);
    wait_until_answered(&g.calls[1]);
    wait_until_waiting(&g, 4);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(atomic_load(&g.calls[i].answers), i < 2);
        if (i < 2)
            assert_int_equal(g.calls[i].r.u.work.given_count, 1);
    }
    close_grid(&g); /* and who waits at the end is answered with nothing */
    assert_int_equal(g.calls[5].r.u.work.given_count, 0);
    assert_int_equal(g.calls[5].r.u.work.next_wait_ms, 0);
}

static void where_too_many_wait_the_next_is_told_to_come_back_and_not_to_wait(void **state)
{
    (void)state;
    struct grid g;
    open_grid(&g, 4, 3);
    wait_until_answered(&g.calls[3]);
    assert_int_equal(g.calls[3].r.u.work.next_wait_ms, 0);
    assert_true(g.calls[3].r.u.work.next_contact_ms > 0);
    close_grid(&g);
}

static void a_host_that_asks_anew_ends_its_earlier_request_with_nothing(void **state)
{
    (void)state;
    struct grid g;
    open_grid(&g, 2, HOSTS);
    struct call earlier = {0};
    earlier.r = (struct engine_request){
        .kind = ENGINE_WORK, .arena = &earlier.arena, .done = answered, .done_ctx = &earlier};
    earlier.r.u.work = (struct engine_work){.host_id = 1, .held_given = true};
    assert_ok(engine_thread_put(g.thread, &earlier.r));
    wait_until_answered(&earlier);
    wait_until_answered(&g.calls[0]);
    assert_int_equal(g.calls[0].r.u.work.given_count, 0);
    submit_to(&g, 2);
    wait_until_answered(&g.calls[1]);
    assert_int_equal(g.calls[1].r.u.work.given_count, 1);
    close_grid(&g);
    arena_done(&earlier.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_look_as_there_are_attempts_to_send_the_oldest_first),
        cmocka_unit_test(who_looked_in_vain_makes_room_for_the_others_and_rests),
        cmocka_unit_test(who_came_too_late_for_the_last_unit_does_not_rest),
        cmocka_unit_test(what_comes_with_time_is_looked_for_as_often_as_the_host_would_have_called),
        cmocka_unit_test(nobody_waits_longer_than_he_wants_to),
        cmocka_unit_test(a_full_room_takes_nobody_and_who_asks_anew_leaves_his_earlier_place),
        cmocka_unit_test(who_has_hung_up_is_given_nothing),
        cmocka_unit_test(only_a_request_that_was_answered_with_nothing_may_wait),
        cmocka_unit_test(the_engine_gives_new_units_to_those_who_wait_longest_and_leaves_the_others),
        cmocka_unit_test(where_too_many_wait_the_next_is_told_to_come_back_and_not_to_wait),
        cmocka_unit_test(a_host_that_asks_anew_ends_its_earlier_request_with_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
