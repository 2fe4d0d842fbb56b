#include "server/ticker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct ticker {
    void (*run)(void *ctx);
    void *ctx;
    int64_t every_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;
    atomic_bool stop;
};

static void wait(struct ticker *t)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += t->every_ms / 1000;
    at.tv_nsec += t->every_ms % 1000 * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_mutex_lock(&t->lock);
    while (!t->woken && !atomic_load(&t->stop))
        if (pthread_cond_timedwait(&t->wake, &t->lock, &at) != 0)
            break;
    t->woken = false;
    pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg)
{
    struct ticker *t = arg;
    while (!atomic_load(&t->stop)) {
        t->run(t->ctx);
        wait(t);
    }
    return NULL;
}

enum err ticker_start(void (*run)(void *ctx), void *ctx, int64_t every_ms, struct ticker **ret_ticker)
{
    pthread_condattr_t attr;
    struct ticker *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "no memory for a thread");
    t->run = run;
    t->ctx = ctx;
    t->every_ms = every_ms;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    *ret_ticker = t; /* before run may want it */
    if (pthread_create(&t->thread, NULL, work, t) == 0)
        return ERR_OK;
    *ret_ticker = NULL;
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return err_set(ERR_NOMEM, "no more threads can be made");
}

void ticker_wake(struct ticker *t)
{
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void ticker_stop(struct ticker *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, true);
    ticker_wake(t);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

bool ticker_stops(const struct ticker *t)
{
    return t && atomic_load(&t->stop);
}
