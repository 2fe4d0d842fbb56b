/* workers.h - threads that may block: requests of people wait here, each thread reads with a store of its
 * own. */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/replica.h"
#include "server/store.h"

struct workers;

struct worker_job { /* embedded in what is to be done */
    void (*run)(struct worker_job *job, struct store *reader);
    bool late;               /* what a replica says will do */
    struct store *otherwise; /* while it is read: where to look when that fails; else NULL */
    struct worker_job *next;
};

/* queue_max: jobs that wait; beyond it a put is ERR_BUSY. replica: NULL when there is none. */
enum err workers_start(struct store *of, struct replica *replica, uint32_t threads, uint32_t queue_max,
                       struct workers **ret_workers) NODISCARD;
enum err workers_put(struct workers *w, struct worker_job *job) NODISCARD;
uint32_t workers_waiting(struct workers *w);
/* Does all that waits, then ends. NULL is fine. */
void workers_stop(struct workers *w);

#endif
