#include "server/sweep.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum { EVERY_S = 3600, WARN_DAYS = 30 };

struct sweep {
    struct sweep_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static void warn_of_end(const char *what, int64_t ends_ms, int64_t now_ms)
{
    if (ends_ms - now_ms < WARN_DAYS * 86400000ll)
        log_event(LOG_WARN, "ends-soon", "what", what, "days", log_i64((ends_ms - now_ms) / 86400000), NULL);
}

static void sweep(struct sweep *s)
{
    int64_t now_ms = clock_wall_ms();
    if (blobs_sweep(s->config.blobs, now_ms - s->config.upload_kept_ms) != ERR_OK)
        log_event(LOG_ERROR, "sweep-failed", "err", err_text(), NULL);
    if (blobs_room(s->config.blobs, 0) != ERR_OK)
        log_event(LOG_ERROR, "disk-full", "err", err_text(), NULL);
    warn_of_end("certificate", s->config.certificate_ends_ms, now_ms);
    warn_of_end("root statement", s->config.root_ends_ms, now_ms);
}

static void *work(void *arg)
{
    struct sweep *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct timespec at;
        pthread_mutex_unlock(&s->lock);
        sweep(s);
        pthread_mutex_lock(&s->lock);
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += EVERY_S;
        if (!s->stop)
            pthread_cond_timedwait(&s->wake, &s->lock, &at);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

enum err sweep_start(const struct sweep_config *config, struct sweep **ret_sweep)
{
    struct sweep *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    if (!s)
        return err_set(ERR_NOMEM, "no memory for the sweeper");
    s->config = *config;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&s->thread, NULL, work, s) != 0) {
        free(s);
        return err_set(ERR_NOMEM, "no more threads can be made");
    }
    *ret_sweep = s;
    return ERR_OK;
}

void sweep_stop(struct sweep *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
