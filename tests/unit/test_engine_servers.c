/* Several engines on one database at once, each on a thread of its own, with hosts that call any of them:
 * what server/README.md promises of several servers. Engines are thrown away in the middle of it, as kill -9
 * does. DUGNAD_SEED repeats a run as far as the threads let it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/engine_world.h"
#include "server/store_load.h"
#include "server/store_member.h"

enum { SERVERS = 3, HOSTS = 18, UNITS = 1500, HELD_MAX = 64, TURN_HOSTS = 4, SECONDS_MAX = 120 };

struct held {
    wu_id unit;
    uint32_t attempt;
};

struct host {
    pthread_mutex_t busy; /* one request at a time, at whichever server */
    uint64_t id;
    struct held held[HELD_MAX], told[HELD_MAX];
    uint32_t held_count, told_count; /* told: acknowledged, and told once more */
};

struct fleet;
struct server {
    struct fleet *fleet;
    struct world w;
    struct engine_view view;
    uint32_t seed, lives;
    bool failed;
};

struct fleet {
    char where[DATABASE_WHERE_BYTES];
    struct server servers[SERVERS];
    struct host hosts[HOSTS];
    uint32_t batch, kill_in;
    atomic_uint acked, conflicts, claims;
    atomic_bool over;
};

static void look(void *ctx, struct engine_view *ret)
{
    *ret = *(struct engine_view *)ctx;
}

static uint32_t draw(struct server *s, uint32_t below)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    return (s->seed >> 8) % below;
}

static enum err write_set(struct store *store, struct store_set *set)
{
    enum err e = store_begin(store, true);
    if (e == ERR_OK)
        e = store_set_write(store, set);
    if (e == ERR_OK)
        e = store_commit(store);
    if (e != ERR_OK)
        store_rollback(store);
    return e;
}

/* As members.c does when a server comes: what the one before it had is nobody's. */
static void live(struct server *s)
{
    struct store_set *set = store_set_new();
    struct arena ARENA_AUTO a = {0};
    struct store_member me = {.id = s->view.slot, .joined = s->view.me, .place = "", .told = ""};
    struct store_claim *list;
    uint32_t count = 0;
    if (s->view.me) {
        assert_ok(store_claims_of(s->w.store, &a, s->view.me, STORE_PAGE_MAX, &list, &count));
        atomic_fetch_add(&s->fleet->claims, count);
        for (uint32_t i = 0; i < count; i++)
            store_set_claim_end(set, &list[i]);
        store_set_member_end(set, &me);
    }
    me.joined = s->view.me = s->view.slot + 10u * ++s->lives;
    assert_ok(write_set(s->w.store, set)); /* first those that end */
    store_set_member_new(set, &me);
    assert_ok(write_set(s->w.store, set));
    s->view.epoch++;
    store_set_free(set);
    struct engine_config config = {
        .sign_units = sign_units, .sign_ctx = &s->w, .view = look, .view_ctx = &s->view};
    assert_ok(engine_new(s->w.store, &config, &s->w.engine));
}

static void die(struct server *s)
{
    struct engine_stats stats;
    engine_stats(s->w.engine, &stats);
    atomic_fetch_add(&s->fleet->conflicts, (unsigned)stats.conflicts);
    engine_free(s->w.engine);
}

static void start(struct fleet *f, uint32_t i)
{
    struct server *s = &f->servers[i];
    *s = (struct server){.fleet = f, .seed = i + 1};
    s->w.now_ms = 1000000;
    assert_ok(sign_key_new(&s->w.key));
    assert_ok(store_open(f->where, &s->w.store));
    s->view = (struct engine_view){
        .ticks = i == 0, .servers = SERVERS, .slot = i + 1, .schema = STORE_SCHEMA_VERSION};
    live(s);
}

/* --- one host's request --- */

struct call {
    struct host *host;
    struct engine_request request;
    struct engine_report reports[HELD_MAX];
    struct engine_attempt held[HELD_MAX];
    struct engine_want want;
};

static void tell(struct call *c, const struct held *of)
{
    struct engine_report *p = &c->reports[c->request.u.work.report_count++];
    *p = (struct engine_report){.unit = of->unit, .attempt = of->attempt, .cpu_ms = 10, .wall_ms = 10};
    memset(&p->answer, 7, sizeof p->answer);
}

static void prepare(struct server *s, struct call *c, struct host *h)
{
    uint32_t keeps = draw(s, 4) == 0 ? h->held_count / 2 : 0;
    *c = (struct call){.host = h, .want = {.seconds = 1e9, .cores = 4, .units_max = 1 + draw(s, 8)}};
    c->request.kind = ENGINE_WORK;
    c->request.arena = &s->w.arena;
    struct engine_work *w = &c->request.u.work;
    w->host_id = h->id;
    w->reports = c->reports;
    for (uint32_t i = keeps; i < h->held_count; i++)
        tell(c, &h->held[i]);
    for (uint32_t i = 0; i < h->told_count && w->report_count < HELD_MAX; i++)
        tell(c, &h->told[i]); /* its acknowledgement was lost */
    for (uint32_t i = 0; i < h->held_count; i++)
        c->held[w->held_count++] = (struct engine_attempt){h->held[i].unit, h->held[i].attempt};
    w->held_given = true;
    w->held = c->held;
    if (h->held_count < HELD_MAX / 2)
        w->want = &c->want;
}

static void forget_held(struct host *h, const struct engine_report *p)
{
    for (uint32_t i = 0; i < h->held_count; i++)
        if (h->held[i].unit == p->unit && h->held[i].attempt == p->attempt)
            h->held[i--] = h->held[--h->held_count];
}

/* The reply arrives. */
static void take(struct server *s, struct call *c)
{
    struct engine_work *w = &c->request.u.work;
    struct host *h = c->host;
    h->told_count = 0;
    for (uint32_t i = 0; i < w->report_count; i++) {
        s->failed = s->failed || w->reports[i].ack != ERR_OK; /* every answer is in time and its own */
        if (w->reports[i].ack != ERR_OK)
            print_error("server %u: host %llu, unit %llx attempt %u: %s %s\n", s->view.slot,
                        (unsigned long long)h->id, (unsigned long long)w->reports[i].unit,
                        w->reports[i].attempt, err_word(w->reports[i].ack), w->reports[i].ack_message);
        forget_held(h, &w->reports[i]);
        atomic_fetch_add(&s->fleet->acked, 1);
        if (draw(s, 8) == 0)
            h->told[h->told_count++] = (struct held){w->reports[i].unit, w->reports[i].attempt};
    }
    for (uint32_t i = 0; i < w->given_count && h->held_count < HELD_MAX; i++)
        if (w->given[i].spec.len > 0)
            h->held[h->held_count++] = (struct held){w->given[i].unit, w->given[i].attempt};
}

static void turn(struct server *s)
{
    static _Thread_local struct call calls[TURN_HOSTS];
    struct engine_request *list[TURN_HOSTS + 1], tick = {.kind = ENGINE_TICK, .arena = &s->w.arena};
    uint32_t n = 0, first = draw(s, HOSTS);
    for (uint32_t i = 0; i < HOSTS && n < TURN_HOSTS; i++) {
        struct host *h = &s->fleet->hosts[(first + i * 5) % HOSTS];
        if (pthread_mutex_trylock(&h->busy) != 0)
            continue;
        prepare(s, &calls[n], h);
        list[n] = &calls[n].request;
        n++;
    }
    list[n] = &tick;
    enum err e = engine_turn(s->w.engine, list, n + 1, s->w.now_ms += 300);
    s->failed = s->failed || (e != ERR_OK && e != ERR_CONFLICT);
    for (uint32_t i = 0; i < n; i++) {
        bool lost = draw(s, 6) == 0; /* the reply is: it is as if nothing had come, and all is told again */
        if (calls[i].request.err == ERR_OK && !lost)
            take(s, &calls[i]);
        pthread_mutex_unlock(&calls[i].host->busy);
    }
    arena_reset(&s->w.arena);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    uint32_t turns = 0;
    while (!atomic_load(&s->fleet->over) && !s->failed) {
        turn(s);
        if (s->fleet->kill_in && ++turns % s->fleet->kill_in == 0 && draw(s, 2) == 0) {
            die(s);
            live(s);
        }
    }
    return NULL;
}

/* --- what must hold --- */

static bool is_over(struct fleet *f, struct store *reader)
{
    struct arena ARENA_AUTO a = {0};
    struct store_batch b;
    assert_ok(store_batch_get(reader, &a, f->batch, &b));
    return b.finished_ms != 0;
}

static void check_deliveries(struct world *w, uint32_t batch)
{
    bool seen[UNITS] = {false};
    uint32_t all = 0, count;
    do {
        struct store_delivery *list;
        assert_ok(store_delivery_list(w->store, &w->arena, batch, all, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(list[i].seq, ++all);
            assert_false(seen[wu_id_index(list[i].unit)]);
            seen[wu_id_index(list[i].unit)] = true;
        }
    } while (count == STORE_PAGE_MAX);
    assert_int_equal(all, UNITS);
}

static void check(struct fleet *f)
{
    struct world *w = &f->servers[0].w;
    struct store_batch b = batch_of(w, f->batch);
    struct store_host *hosts;
    struct project_counts p;
    uint32_t count, valid = 0, leased = 0;
    check_deliveries(w, f->batch);
    assert_true(b.counts.units == UNITS && b.counts.delivered == UNITS && b.counts.accepted == UNITS);
    assert_true(b.counts.open == 0 && b.counts.unsent == 0 && b.counts.leased == 0);
    assert_ok(store_host_list(w->store, &w->arena, 0, HOSTS, &hosts, &count));
    for (uint32_t i = 0; i < count; i++) {
        valid += (uint32_t)hosts[i].valid;
        leased += (uint32_t)hosts[i].leased;
    }
    assert_int_equal(valid, b.counts.valid);
    assert_int_equal(leased, 0);
    assert_true(b.counts.valid >= 2 * UNITS && b.counts.valid == b.counts.reports);
    assert_ok(store_project_counts(w->store, &p));
    assert_true(p.units == UNITS && p.delivered == UNITS && p.valid == b.counts.valid && p.leased == 0);
    for (uint32_t i = 0; i < UNITS; i++) { /* the counters say what the units say */
        struct store_unit u;
        assert_ok(store_unit_get(w->store, &w->arena, wu_id_make(f->batch, i), &u));
        for (uint32_t k = 0; k < u.wu.attempt_count; k++)
            valid -= u.wu.attempts[k].state == ATTEMPT_VALID;
    }
    assert_int_equal(valid, 0);
}

static void run(struct databases *d, uint32_t kill_in)
{
    struct fleet *f = calloc(1, sizeof *f);
    pthread_t threads[SERVERS];
    const char *seed = getenv("DUGNAD_SEED");
    assert_non_null(f);
    database_new(d, f->where);
    for (uint32_t i = 0; i < SERVERS; i++)
        start(f, i);
    f->kill_in = kill_in;
    for (uint32_t i = 0; i < HOSTS; i++) {
        pthread_mutex_init(&f->hosts[i].busy, NULL);
        f->hosts[i].id = join(&f->servers[i % SERVERS].w);
    }
    f->batch = submit(&f->servers[0].w, UNITS);
    for (uint32_t i = 0; i < SERVERS; i++) {
        f->servers[i].seed += seed ? (uint32_t)strtoul(seed, NULL, 10) * 1000 : 0;
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &f->servers[i]), 0);
    }
    struct store *reader;
    assert_ok(store_reader_open(f->servers[0].w.store, &reader));
    for (int i = 0; i < SECONDS_MAX * 20 && !is_over(f, reader); i++)
        usleep(50000);
    atomic_store(&f->over, true);
    for (uint32_t i = 0; i < SERVERS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < SERVERS; i++)
        assert_false(f->servers[i].failed);
    assert_true(is_over(f, reader));
    check(f);
    for (uint32_t i = 0; i < SERVERS; i++)
        die(&f->servers[i]);
    print_message("%u answers, %u conflicts, %u claims taken over\n", atomic_load(&f->acked),
                  atomic_load(&f->conflicts), atomic_load(&f->claims));
    store_close(reader);
    for (uint32_t i = 0; i < SERVERS; i++) {
        store_close(f->servers[i].w.store);
        sign_key_free(f->servers[i].w.key);
        arena_done(&f->servers[i].w.arena);
    }
    free(f);
}

static void three_servers_hand_out_one_batch_and_count_every_answer_once(void **state)
{
    run(*state, 0);
}

static void servers_that_die_in_the_middle_lose_nothing_and_count_nothing_twice(void **state)
{
    run(*state, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers_hand_out_one_batch_and_count_every_answer_once),
        cmocka_unit_test(servers_that_die_in_the_middle_lose_nothing_and_count_nothing_twice),
    };
    return database_run_one(DATABASE_POSTGRES, "test_engine_servers.c", tests, sizeof tests / sizeof *tests);
}
