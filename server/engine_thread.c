#include "server/engine_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "server/standby.h"

enum {
    QUEUE_DEFAULT = 4096,
    TURN_DEFAULT = 256,
    TICK_DEFAULT_MS = 500,
    FULL_RETRY_MS = 2000,
    LOOKS_MAX = 64
};

struct queue {
    struct engine_request *first, *last;
    uint32_t count;
};

struct engine_thread {
    struct engine *engine;
    struct engine_thread_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct queue hosts, people; /* people's and the judge's go first */
    int64_t oldest_ms;          /* when the queue was last empty */
    bool stop;
    struct engine_stats stats; /* as of the last turn */
    /* The thread's alone. */
    struct standby *standby;
    struct engine_request **turn; /* room for turn_max */
    atomic_uint waiting;          /* its count, for the others */
    bool crowded; /* more wait for the engine than one turn takes: nobody is left to wait for work as well */
};

static void append(struct queue *q, struct engine_request *r)
{
    r->next = NULL;
    *(q->last ? &q->last->next : &q->first) = r;
    q->last = r;
    q->count++;
}

static struct engine_request *take(struct queue *q)
{
    struct engine_request *r = q->first;
    q->first = r->next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    return r;
}

static bool is_hosts(const struct engine_request *r)
{
    return (r->kind == ENGINE_WORK || r->kind == ENGINE_JOIN) && r->user_id == 0;
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Waits until there is something to do or the tick is due; takes what waits. */
static uint32_t gather(struct engine_thread *t, struct engine_request **turn, int64_t tick_at_ms,
                       bool *ret_stop)
{
    uint32_t n = 0;
    pthread_mutex_lock(&t->lock);
    int64_t left_ms = tick_at_ms - clock_mono_ms();
    struct timespec until = in_ms(left_ms > 0 ? left_ms : 0);
    while (!t->stop && t->hosts.count + t->people.count == 0 && left_ms > 0)
        if (pthread_cond_timedwait(&t->work, &t->lock, &until) == ETIMEDOUT)
            break;
    while (n < t->config.turn_max && t->people.count > 0)
        turn[n++] = take(&t->people);
    while (n < t->config.turn_max && t->hosts.count > 0)
        turn[n++] = take(&t->hosts);
    t->crowded = t->hosts.count > 0;
    t->oldest_ms = clock_mono_ms();
    *ret_stop = t->stop && t->hosts.count + t->people.count == 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

/* --- hosts that wait for work --- */

static void let_go(struct engine_thread *t, struct engine_request *r)
{
    struct engine_work *w = &r->u.work;
    if (r->kind == ENGINE_WORK) {
        w->waited_ms = w->waits_since_ms ? clock_mono_ms() - w->waits_since_ms : 0;
        if (w->waits_since_ms && w->nothing) /* many end at once: they are not to come back so */
            w->next_contact_ms += (int64_t)(rand_u64() % ((uint64_t)w->next_contact_ms + 1));
        w->next_wait_ms = w->unfilled && !t->crowded && standby_has_room(t->standby) ? t->config.wait_ms : 0;
    }
    r->done(r, r->done_ctx);
}

static void keep_or_let_go(struct engine_thread *t, struct engine_request **turn, uint32_t n)
{
    struct engine_outlook outlook;
    bool looked = false;
    for (uint32_t i = 0; i < n; i++) {
        bool may_wait = !t->crowded && standby_may_wait(turn[i]);
        if (may_wait && !looked)
            engine_outlook(t->engine, &outlook);
        looked |= may_wait;
        if (!may_wait || !standby_keep(t->standby, turn[i], &outlook, clock_mono_ms()))
            let_go(t, turn[i]);
    }
    atomic_store(&t->waiting, standby_count(t->standby));
}

/* A host that asks anew reads no earlier reply: what that would give is for this one. */
static void end_earlier(struct engine_thread *t, struct engine_request *const *turn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct engine_request *earlier =
            turn[i]->kind == ENGINE_WORK ? standby_leave(t->standby, turn[i]->u.work.host_id) : NULL;
        if (earlier)
            let_go(t, earlier);
    }
}

static void end_waits(struct engine_thread *t, struct engine_request **room, int64_t now_ms)
{
    uint32_t n;
    while ((n = standby_end(t->standby, now_ms, room, t->config.turn_max)) > 0)
        for (uint32_t i = 0; i < n; i++)
            let_go(t, room[i]);
    atomic_store(&t->waiting, standby_count(t->standby));
}

static void answer(struct engine_thread *t, struct engine_request **turn, uint32_t n, int64_t took_us)
{
    pthread_mutex_lock(&t->lock);
    uint64_t before_us = t->stats.turn_us;
    engine_stats(t->engine, &t->stats);
    t->stats.turn_us = before_us + (uint64_t)took_us;
    pthread_mutex_unlock(&t->lock);
    keep_or_let_go(t, turn, n);
}

/* Something that goes on in slices, with ticks: the first one is not to wait. */
static bool begins_job(struct engine_request *const *turn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (turn[i]->kind == ENGINE_BATCH || turn[i]->kind == ENGINE_BATCH_DO)
            return true;
    return false;
}

static void take_turn(struct engine_thread *t, struct engine_request **turn, uint32_t n)
{
    int64_t begun_us = clock_mono_us();
    enum err e = engine_turn(t->engine, turn, n, clock_wall_ms());
    if (e != ERR_OK)
        log_event(LOG_ERROR, "engine_turn", "code", err_word(e), "requests", log_i64(n), "error", err_text(),
                  NULL);
    answer(t, turn, n, clock_mono_us() - begun_us);
}

/* Those who wait look again, where there may be something for them; true: others may have to, at once. */
static bool look_again(struct engine_thread *t, struct engine_request **room)
{
    struct engine_outlook outlook;
    if (standby_count(t->standby) == 0 || t->crowded)
        return false;
    engine_outlook(t->engine, &outlook);
    uint32_t most = t->config.turn_max < LOOKS_MAX ? t->config.turn_max : LOOKS_MAX;
    uint32_t n = standby_wake(t->standby, &outlook, clock_mono_ms(), room, most);
    if (n > 0)
        take_turn(t, room, n);
    return n > 0;
}

/* Nobody waits for it. */
static void ticked(struct engine_request *tick, void *ctx)
{
    (void)tick;
    (void)ctx;
}

static void *run(void *arg)
{
    struct engine_thread *t = arg;
    struct engine_request **turn = t->turn;
    struct arena arena = {0};
    struct engine_request tick = {.kind = ENGINE_TICK, .arena = &arena, .done = ticked}, *only = &tick;
    int64_t tick_at_ms = 0;
    bool stop = false, more = false;
    while (!stop) {
        uint32_t n = gather(t, turn, more ? 0 : tick_at_ms, &stop);
        bool ticks = clock_mono_ms() >= tick_at_ms && !stop, begins = begins_job(turn, n);
        end_earlier(t, turn, n);
        /* In a turn of its own: it writes twice, and would hold what the others wrote. The first: who was
         * told that a job has begun, and asks on, finds its first slice done. */
        if (ticks) {
            take_turn(t, &only, 1);
            bool slices = tick.err == ERR_OK && tick.u.tick.ret_more;
            tick_at_ms = slices ? 0 : clock_mono_ms() + t->config.tick_ms;
            arena_reset(&arena);
        }
        if (n > 0)
            take_turn(t, turn, n);
        if (ticks)
            end_waits(t, turn, clock_mono_ms());
        more = look_again(t, turn);
        if (begins)
            tick_at_ms = 0;
    }
    t->crowded = true; /* nobody is to come back at once */
    end_waits(t, turn, INT64_MAX);
    arena_done(&arena);
    return NULL;
}

static void drop(struct engine_thread *t)
{
    standby_free(t->standby);
    free(t->turn);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

enum err engine_thread_start(struct engine *e, const struct engine_thread_config *config,
                             struct engine_thread **ret_thread)
{
    struct engine_thread *t = calloc(1, sizeof *t);
    pthread_condattr_t attr;
    if (!t)
        return err_set(ERR_NOMEM, "no memory for the engine's thread");
    t->engine = e;
    t->config = *config;
    t->config.queue_max = config->queue_max ? config->queue_max : QUEUE_DEFAULT;
    t->config.turn_max = config->turn_max ? config->turn_max : TURN_DEFAULT;
    t->config.tick_ms = config->tick_ms ? config->tick_ms : TICK_DEFAULT_MS;
    t->oldest_ms = clock_mono_ms();
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->work, &attr);
    pthread_condattr_destroy(&attr);
    t->turn = calloc(t->config.turn_max, sizeof(struct engine_request *));
    enum err err = standby_new(t->config.wait_ms ? t->config.waiting_max : 0, &t->standby);
    int n = err == ERR_OK && t->turn ? pthread_create(&t->thread, NULL, run, t) : ENOMEM;
    if (n != 0) {
        drop(t);
        errno = n;
        return err_set_errno(ERR_IO, "the engine's thread cannot be started");
    }
    (void)pthread_setname_np(t->thread, "engine"); /* for who looks where the time goes */
    *ret_thread = t;
    return ERR_OK;
}

enum err engine_thread_put(struct engine_thread *t, struct engine_request *r)
{
    bool host = is_hosts(r);
    pthread_mutex_lock(&t->lock);
    struct queue *q = host ? &t->hosts : &t->people;
    bool refused = t->stop || q->count >= t->config.queue_max;
    if (!refused) {
        if (t->hosts.count + t->people.count == 0)
            t->oldest_ms = clock_mono_ms();
        append(q, r);
        pthread_cond_signal(&t->work);
    }
    pthread_mutex_unlock(&t->lock);
    if (!refused)
        return ERR_OK;
    r->retry_after_ms = FULL_RETRY_MS;
    return err_set(ERR_BUSY, "the server has all it can do: come back later");
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void wake(struct engine_request *r, void *ctx)
{
    struct waiter *w = ctx;
    (void)r;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

enum err engine_thread_do(struct engine_thread *t, struct engine_request *r)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    r->done = wake;
    r->done_ctx = &w;
    enum err e = engine_thread_put(t, r);
    if (e != ERR_OK) {
        r->err = e;
        r->message = arena_text(r->arena, err_text());
        return e;
    }
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.lock);
    return r->err == ERR_OK ? ERR_OK : err_set(r->err, "%s", r->message ? r->message : "");
}

void engine_thread_load(struct engine_thread *t, uint32_t *ret_waiting, int64_t *ret_oldest_ms)
{
    pthread_mutex_lock(&t->lock);
    *ret_waiting = t->hosts.count + t->people.count;
    *ret_oldest_ms = *ret_waiting ? clock_mono_ms() - t->oldest_ms : 0;
    pthread_mutex_unlock(&t->lock);
}

void engine_thread_stats(struct engine_thread *t, struct engine_stats *ret)
{
    pthread_mutex_lock(&t->lock);
    *ret = t->stats;
    pthread_mutex_unlock(&t->lock);
    ret->hosts_waiting = atomic_load(&t->waiting);
}

void engine_thread_stop(struct engine_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    drop(t);
}
