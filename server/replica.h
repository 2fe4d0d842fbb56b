/* replica.h - a second database that follows the first (PostgreSQL's streaming replication): what people read
 * at leisure, the console's lists and reports, comes from there and costs the first one nothing.
 *
 * How late may it be? Every few seconds the time is written into the first database; a reader that finds an
 * older one in the second than database_read_lag reads the first instead, and so does one that cannot reach
 * the second. */
#ifndef SERVER_REPLICA_H
#define SERVER_REPLICA_H

#include "server/engine_thread.h"
#include "server/store.h"

struct replica;

/* lag_ms: how late it may be. It need not be there: it is tried again and again. */
enum err replica_start(struct engine_thread *engine, const char *where, int64_t lag_ms,
                       struct replica **ret_replica) NODISCARD;
void replica_stop(struct replica *r); /* NULL is fine */

/* One thread's way to it; zeroed before the first use. */
struct replica_reader {
    struct store *store;
    int64_t try_again_ms;
};
/* NULL when it is away or late: then the first database has to do. */
struct store *replica_store(struct replica *r, struct replica_reader *reader);

#endif
