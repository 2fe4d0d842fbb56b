#include "server/workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct worker_job *first, **last;
    uint32_t waiting, queue_max, thread_count;
    bool stop;
    struct replica *replica;
    struct worker {
        struct workers *workers;
        struct store *reader;
        struct replica_reader late;
        pthread_t thread;
        bool runs;
    } threads[];
};

static void *work(void *arg)
{
    struct worker *me = arg;
    struct workers *w = me->workers;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->stop)
            pthread_cond_wait(&w->wake, &w->lock);
        struct worker_job *job = w->first;
        if (!job)
            break;
        w->first = job->next;
        if (!w->first)
            w->last = &w->first;
        w->waiting--;
        pthread_mutex_unlock(&w->lock);
        struct store *late = job->late ? replica_store(w->replica, &me->late) : NULL;
        job->otherwise = late ? me->reader : NULL;
        job->run(job, late ? late : me->reader);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum err workers_start(struct store *of, struct replica *replica, uint32_t threads, uint32_t queue_max,
                       struct workers **ret_workers)
{
    struct workers *w = calloc(1, sizeof *w + threads * sizeof *w->threads);
    if (!w)
        return err_set(ERR_NOMEM, "no memory for worker threads");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->last = &w->first;
    w->queue_max = queue_max;
    w->replica = replica;
    w->thread_count = threads;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < threads && e == ERR_OK; i++) {
        struct worker *me = &w->threads[i];
        me->workers = w;
        e = store_reader_open(of, &me->reader);
        if (e == ERR_OK && pthread_create(&me->thread, NULL, work, me) != 0)
            e = err_set(ERR_NOMEM, "no more threads can be made");
        me->runs = e == ERR_OK;
        if (me->runs)
            (void)pthread_setname_np(me->thread, "worker");
    }
    if (e != ERR_OK) {
        workers_stop(w);
        return e;
    }
    *ret_workers = w;
    return ERR_OK;
}

enum err workers_put(struct workers *w, struct worker_job *job)
{
    enum err e = ERR_OK;
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    if (w->stop || w->waiting >= w->queue_max) {
        e = err_set(ERR_BUSY, "the server has too much to do just now: try again later");
    } else {
        *w->last = job;
        w->last = &job->next;
        w->waiting++;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return e;
}

uint32_t workers_waiting(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    uint32_t n = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void workers_stop(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < w->thread_count; i++) {
        if (w->threads[i].runs)
            pthread_join(w->threads[i].thread, NULL);
        store_close(w->threads[i].reader);
        store_close(w->threads[i].late.store);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
