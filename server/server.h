/* server.h - the parts of a running server, and one request on its way through them. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/alerts.h"
#include "server/archive.h"
#include "server/auth.h"
#include "server/blob.h"
#include "server/challenge.h"
#include "server/deliver.h"
#include "server/engine_thread.h"
#include "server/feed.h"
#include "server/graph.h"
#include "server/http.h"
#include "server/judge.h"
#include "server/members.h"
#include "server/metrics.h"
#include "server/project.h"
#include "server/pulse.h"
#include "server/rate.h"
#include "server/settings.h"
#include "server/store.h"
#include "server/sweep.h"
#include "server/tail.h"
#include "server/timetable.h"
#include "server/unused.h"
#include "server/waiters.h"
#include "server/workers.h"

struct server {
    struct settings settings;
    char data[2048]; /* the data folder */
    int lock_fd;
    struct store *store, *judge_store, *deliver_store, *pulse_store, *tail_store, *feed_store, *graph_store,
        *timetable_store, *alerts_store, *archive_store, *unused_store;
    struct store *members_store; /* writes, as `store` does; NULL where no other server can be */
    struct members *members;     /* NULL: likewise */
    struct store *upload_store;  /* under upload_lock */
    pthread_mutex_t upload_lock;
    struct engine *engine;
    struct engine_thread *thread;
    struct blobs *blobs;
    struct project *project;
    struct auth *auth;
    struct rate *token_rate, *address_rate, *owner_joins, *network_joins, *login_rate;
    struct challenges *challenges;
    struct workers *workers;
    struct waiters *waiters;
    struct judge *judge;
    struct deliver *deliver;
    struct feed *feed;
    struct graph *graph;
    struct timetable *timetable;
    struct archiver *archiver;
    struct replica *replica;
    atomic_bool told;          /* the engine's hooks and news reach waiters, tails and those below */
    pthread_mutex_t hook_lock; /* the engine's hooks against the end of judge, deliver, feed and graph */
    atomic_llong certificate_ends_ms;
    struct sweep *sweep;
    struct unused *unused;
    struct pulse *pulse;
    struct alerts *alerts;
    struct tails *tails;
    struct metrics *metrics;
    struct http *http;
    int64_t started_ms;
    atomic_bool stopping;
};

struct route;

/* One request. Handlers return ERR_OK when they have answered or will; any other error is answered for them
 * with this thread's sentence. */
struct call {
    struct http_request *http;
    struct server *server;
    const struct route *route;
    const char *params[2]; /* what stood for the *s of the route's path */
    struct principal who;
    struct store *store; /* a reader; on a worker only */
    struct blob_upload *upload;
    struct worker_job job;
    struct engine_request request; /* for the one thing it wants of the engine */
    void *work;                    /* a handler's own, in the arena */
    int64_t retry_after_ms;
    enum err (*then)(struct call *c); /* on a worker, instead of the route's handler */
};

#endif
