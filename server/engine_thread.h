/* engine_thread.h - the engine on a thread of its own, behind a bounded queue.
 *
 * All that waits is taken together, so a commit is shared by everything that came while the last one was
 * written. */
#ifndef SERVER_ENGINE_THREAD_H
#define SERVER_ENGINE_THREAD_H

#include "server/engine.h"

struct engine_thread;

struct engine_thread_config {
    uint32_t queue_max; /* [4096] requests that wait; beyond it a put is ERR_BUSY */
    uint32_t turn_max;  /* [256] requests of one turn */
    int64_t tick_ms;    /* [500] the thread ticks by itself at least so often */
    /* Of hosts that may wait for work (standby.h): how long at most, and how many at once. 0: none may. */
    uint32_t wait_ms, waiting_max;
};

/* Starts the thread. The engine is the thread's until engine_thread_stop(). */
enum err engine_thread_start(struct engine *e, const struct engine_thread_config *config,
                             struct engine_thread **ret_thread) NODISCARD;
/* Queues a request; r->done is called on the engine's thread when it is answered, and must be quick (resume a
 * connection, wake a thread). ERR_BUSY (r->retry_after_ms is set) when the queue is full or the thread stops:
 * done is not called. Requests of operators and the judge (user_id not 0, or not ENGINE_WORK/ENGINE_JOIN)
 * have places of their own and go first. */
enum err engine_thread_put(struct engine_thread *t, struct engine_request *r) NODISCARD;
/* Queues and waits for the answer: for callers that have a thread to block. Returns r->err. */
enum err engine_thread_do(struct engine_thread *t, struct engine_request *r) NODISCARD;
/* Requests waiting now, and the age of the oldest one: for /readyz and /metrics. */
void engine_thread_load(struct engine_thread *t, uint32_t *ret_waiting, int64_t *ret_oldest_ms);
void engine_thread_stats(struct engine_thread *t, struct engine_stats *ret);
/* Answers all that was queued and all that wait, then ends the thread and frees t (not the engine). */
void engine_thread_stop(struct engine_thread *t);

#endif
