/* waiters.h - requests that wait for something to happen to a batch, without a thread. */
#ifndef SERVER_WAITERS_H
#define SERVER_WAITERS_H

#include <stdint.h>

#include "base/err.h"
#include "server/workers.h"

#define WAITERS_MAX 2000

struct waiters;

enum err waiters_start(struct workers *workers, struct waiters **ret_waiters) NODISCARD;
/* Gives the job to the workers when `batch` is told of, at until_ms (clock_mono_ms) at the latest. `seen`:
 * waiters_count() of the batch before the caller looked: what was told since is not missed. ERR_BUSY when too
 * many wait. */
enum err waiters_add(struct waiters *w, struct worker_job *job, uint32_t batch, uint64_t seen,
                     int64_t until_ms) NODISCARD;
uint64_t waiters_count(struct waiters *w);
void waiters_tell(struct waiters *w, uint32_t batch); /* any thread, quick */
void waiters_tell_all(struct waiters *w);             /* of every batch */
/* All that wait go on at once, and nobody waits any more. While the workers work. NULL is fine. */
void waiters_close(struct waiters *w);
void waiters_free(struct waiters *w);

#endif
