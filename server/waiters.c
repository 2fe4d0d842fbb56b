#include "server/waiters.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

enum { TELLS_KEPT = 64 };

struct waiters {
    struct workers *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stop;
    uint64_t tells;
    uint32_t recent[TELLS_KEPT]; /* the batches told of last */
    uint32_t count;
    struct waiter {
        struct worker_job *job;
        uint32_t batch;
        int64_t until_ms;
    } list[WAITERS_MAX];
};

/* Under the lock. When the workers are full it stays for the next look. */
static bool release(struct waiters *w, uint32_t i)
{
    if (workers_put(w->workers, w->list[i].job) != ERR_OK) {
        w->list[i].until_ms = 0;
        return false;
    }
    w->list[i] = w->list[--w->count];
    return true;
}

static void *watch(void *arg)
{
    struct waiters *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_nsec += 200 * 1000000l;
        at.tv_sec += at.tv_nsec / 1000000000l;
        at.tv_nsec %= 1000000000l;
        pthread_cond_timedwait(&w->wake, &w->lock, &at);
        int64_t now_ms = clock_mono_ms();
        for (uint32_t i = 0; i < w->count;)
            if (w->list[i].until_ms > now_ms || !release(w, i))
                i++;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum err waiters_start(struct workers *workers, struct waiters **ret_waiters)
{
    struct waiters *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    if (!w)
        return err_set(ERR_NOMEM, "no memory for waiting requests");
    w->workers = workers;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&w->thread, NULL, watch, w) != 0) {
        free(w);
        return err_set(ERR_NOMEM, "no more threads can be made");
    }
    *ret_waiters = w;
    return ERR_OK;
}

uint64_t waiters_count(struct waiters *w)
{
    pthread_mutex_lock(&w->lock);
    uint64_t n = w->tells;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* Under the lock: was the batch told of since `seen`? When that is too long ago to know: yes. */
static bool was_told(const struct waiters *w, uint32_t batch, uint64_t seen)
{
    if (w->tells - seen > TELLS_KEPT)
        return true;
    for (uint64_t i = seen; i < w->tells; i++)
        if (w->recent[i % TELLS_KEPT] == batch)
            return true;
    return false;
}

enum err waiters_add(struct waiters *w, struct worker_job *job, uint32_t batch, uint64_t seen,
                     int64_t until_ms)
{
    enum err e = ERR_OK;
    pthread_mutex_lock(&w->lock);
    if (w->stop || w->count == WAITERS_MAX)
        e = err_set(ERR_BUSY, "too many requests wait: ask again later");
    else if (was_told(w, batch, seen))
        e = workers_put(w->workers, job);
    else
        w->list[w->count++] = (struct waiter){.job = job, .batch = batch, .until_ms = until_ms};
    pthread_mutex_unlock(&w->lock);
    return e;
}

void waiters_tell(struct waiters *w, uint32_t batch)
{
    pthread_mutex_lock(&w->lock);
    w->recent[w->tells++ % TELLS_KEPT] = batch;
    for (uint32_t i = 0; i < w->count;)
        if (w->list[i].batch != batch || !release(w, i))
            i++;
    pthread_mutex_unlock(&w->lock);
}

void waiters_tell_all(struct waiters *w)
{
    pthread_mutex_lock(&w->lock);
    w->tells += TELLS_KEPT + 1; /* too many to know of which */
    for (uint32_t i = 0; i < w->count;)
        if (!release(w, i))
            i++;
    pthread_mutex_unlock(&w->lock);
}

void waiters_close(struct waiters *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    while (w->count > 0)
        if (!release(w, w->count - 1)) { /* the workers are at work, and want the lock: there will be room */
            pthread_mutex_unlock(&w->lock);
            clock_sleep_ms(10);
            pthread_mutex_lock(&w->lock);
        }
    pthread_mutex_unlock(&w->lock);
}

void waiters_free(struct waiters *w)
{
    if (!w)
        return;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
