#include "server/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/str.h"
#include "server/api_stream.h"
#include "server/blob_place.h"
#include "server/route.h"
#include "server/serve_certificate.h"
#include "server/store_load.h"
#include "server/try.h"

enum {
    PATH_ROOM = 4096,
    BURST_S = 10,
    OWNER_JOINS_BURST = 50,
    NETWORK_JOINS_BURST = 100,
    LOGINS_BURST = 10, /* tries of one address, and of one name, with a password or recovery code */
    START_RETRY_MS = 200,
    START_RETRY_MS_MAX = 3000,
    START_PATIENCE_MS = 60000, /* for a database that is not there yet */
    WAITING_SHARE = 4,         /* of the connections: so many hosts may be waiting for work */
    HEAP_KEPT_BYTES = 8 << 20,
    HEAP_STEP_BYTES = 256 << 10
};

#define LOGINS_PER_S (1.0 / 30)

/* --- starting --- */

/* What the servers tell each other: the number of a batch with new answers, or one of these and a number. */
#define NEWS_STREAM (1ull << 62)
#define NEWS_OUTBOX (1ull << 61)

static void has_delivered(struct server *s, uint32_t batch)
{
    if (atomic_load(&s->told))
        waiters_tell(s->waiters, batch);
}

static void has_streamed(struct server *s, uint64_t stream)
{
    if (!atomic_load(&s->told))
        return;
    waiters_tell(s->waiters, stream_waiter(stream));
    tails_wake(s->tails);
    pthread_mutex_lock(&s->hook_lock);
    if (s->feed)
        feed_wake(s->feed);
    pthread_mutex_unlock(&s->hook_lock);
}

static void has_to_do(struct server *s, enum outbox_kind kind)
{
    if (!atomic_load(&s->told))
        return;
    pthread_mutex_lock(&s->hook_lock);
    if (kind == OUTBOX_JUDGE && s->judge)
        judge_wake(s->judge);
    else if (kind != OUTBOX_JUDGE && s->deliver)
        deliver_wake(s->deliver);
    if (kind == OUTBOX_WEBHOOK && s->graph) /* a batch has finished */
        graph_wake(s->graph);
    pthread_mutex_unlock(&s->hook_lock);
}

static void on_delivered(void *ctx, uint32_t batch)
{
    struct server *s = ctx;
    has_delivered(s, batch);
    members_tell(s->members, batch);
}

static void on_streamed(void *ctx, uint64_t stream)
{
    struct server *s = ctx;
    has_streamed(s, stream);
    members_tell(s->members, NEWS_STREAM | stream);
}

static void on_outbox(void *ctx, enum outbox_kind kind)
{
    struct server *s = ctx;
    has_to_do(s, kind);
    members_tell(s->members, NEWS_OUTBOX | kind);
}

/* Of another server. */
static void on_news(void *ctx, uint64_t number, bool all)
{
    struct server *s = ctx;
    if (all && atomic_load(&s->told))
        waiters_tell_all(s->waiters);
    for (uint32_t kind = 0; all && kind < OUTBOX_KINDS; kind++)
        has_to_do(s, (enum outbox_kind)kind);
    if (all)
        return;
    if (number & NEWS_STREAM)
        has_streamed(s, number & ~NEWS_STREAM);
    else if (number & NEWS_OUTBOX)
        has_to_do(s, (enum outbox_kind)(number & ~NEWS_OUTBOX));
    else
        has_delivered(s, (uint32_t)number);
}

/* Where others may write to the same data: a place among them. */
static enum err start_members(struct server *s)
{
    char place[PATH_ROOM], host[256] = "";
    struct members_config config = {.store = s->members_store, .place = place, .on_news = on_news, .ctx = s};
    if (!s->members_store)
        return ERR_OK;
    (void)gethostname(host, sizeof host - 1);
    snprintf(place, sizeof place, "%s %s", host, s->data);
    return members_join(&config, &s->members);
}

static enum err start_storage(struct server *s)
{
    char path[PATH_ROOM];
    TRY(file_join(path, sizeof path, s->data, "lock"));
    enum err e = file_lock(path, &s->lock_fd);
    if (e == ERR_CONFLICT)
        return err_set(
            e, "another dugnad-server runs on %s: stop it first, or give this one a --data of its own",
            s->data);
    TRY(e);
    TRY(serve_database(s->data, &s->settings, path, sizeof path));
    TRY(store_open(path, &s->store));
    if (store_shared(s->store))
        TRY(store_open(path, &s->members_store));
    TRY(store_reader_open(s->store, &s->judge_store));
    TRY(store_reader_open(s->store, &s->deliver_store));
    TRY(store_reader_open(s->store, &s->pulse_store));
    TRY(store_reader_open(s->store, &s->tail_store));
    TRY(store_reader_open(s->store, &s->feed_store));
    TRY(store_reader_open(s->store, &s->graph_store));
    TRY(store_reader_open(s->store, &s->timetable_store));
    TRY(store_reader_open(s->store, &s->archive_store));
    TRY(store_reader_open(s->store, &s->alerts_store));
    TRY(store_reader_open(s->store, &s->upload_store));
    TRY(store_reader_open(s->store, &s->unused_store));
    return blob_place_open(s->data, &s->settings, path, &s->blobs);
}

static enum err start_engine(struct server *s)
{
    const struct settings *c = &s->settings;
    struct engine_config config = {.view = members_engine_view,
                                   .view_ctx = s->members,
                                   .sign_units = project_sign_units,
                                   .sign_ctx = s->project,
                                   .on_delivered = on_delivered,
                                   .on_outbox = on_outbox,
                                   .on_streamed = on_streamed,
                                   .hook_ctx = s,
                                   .leases_per_core_max = (uint32_t)c->core_leases,
                                   .leases_per_host_max = (uint32_t)c->host_leases,
                                   .contact_ms = c->contact_ms,
                                   .contact_idle_ms = c->contact_idle_ms};
    TRY(project_audit_key(s->project, &config.audit_key));
    struct engine_thread_config thread = {.queue_max = (uint32_t)c->queue,
                                          .wait_ms = (uint32_t)c->contact_wait_ms,
                                          .waiting_max = (uint32_t)(c->connections / WAITING_SHARE)};
    TRY(engine_new(s->store, &config, &s->engine));
    return engine_thread_start(s->engine, &thread, &s->thread);
}

static enum err start_threads(struct server *s)
{
    const struct settings *c = &s->settings;
    char path[PATH_ROOM];
    TRY(file_join(path, sizeof path, s->data, "judge"));
    struct judge_config judge = {.store = s->judge_store,
                                 .engine = s->thread,
                                 .members = s->members,
                                 .blobs = s->blobs,
                                 .folder = path};
    TRY(project_audit_key(s->project, &judge.audit_key));
    struct deliver_config deliver = {.store = s->deliver_store,
                                     .engine = s->thread,
                                     .members = s->members,
                                     .blobs = s->blobs,
                                     .settings = c};
    struct digest challenge_key;
    TRY(auth_new(s->store, &s->auth));
    TRY(rate_new(c->token_rate, c->token_rate * BURST_S, &s->token_rate));
    TRY(rate_new(c->address_rate, c->address_rate * BURST_S, &s->address_rate));
    TRY(rate_new(c->owner_joins / 86400.0, OWNER_JOINS_BURST, &s->owner_joins));
    TRY(rate_new(c->network_joins / 86400.0, NETWORK_JOINS_BURST, &s->network_joins));
    if (c->database_read[0])
        TRY(replica_start(s->thread, c->database_read, c->database_read_lag_ms, &s->replica));
    TRY(workers_start(s->store, s->replica, (uint32_t)c->workers, (uint32_t)c->queue, &s->workers));
    TRY(rate_new(LOGINS_PER_S, LOGINS_BURST, &s->login_rate));
    TRY(project_challenge_key(s->project, &challenge_key));
    TRY(challenges_new(&challenge_key, &s->challenges));
    TRY(waiters_start(s->workers, &s->waiters));
    struct pulse_config pulse = {.store = s->pulse_store,
                                 .engine = s->thread,
                                 .blobs = s->blobs,
                                 .data = s->data,
                                 .project = c->name,
                                 .root_ends_ms = project_root_expires_ms(s->project),
                                 .stalled_ms = c->ready_stalled_ms,
                                 .queue_max = (uint32_t)c->queue};
    TRY(pulse_start(&pulse, &s->pulse));
    TRY(tails_start(s->tail_store, &s->tails));
    TRY(judge_start(&judge, &s->judge));
    struct feed_config feed = {
        .store = s->feed_store, .engine = s->thread, .members = s->members, .blobs = s->blobs};
    TRY(feed_start(&feed, &s->feed));
    struct graph_config graph = {
        .store = s->graph_store, .engine = s->thread, .members = s->members, .blobs = s->blobs};
    TRY(graph_start(&graph, &s->graph));
    TRY(timetable_start(s, s->timetable_store, &s->timetable));
    TRY(archiver_start(s, s->archive_store, &s->archiver));
    struct unused_config unused = {.store = s->unused_store,
                                   .engine = s->thread,
                                   .members = s->members,
                                   .blobs = s->blobs,
                                   .purged_kept_ms = c->purged_kept_ms};
    TRY(unused_start(&unused, &s->unused));
    deliver.unused = s->unused;
    return deliver_start(&deliver, &s->deliver);
}

/* The engine's thread and the other servers' news go on while the parts are started, and must not find them
 * half there; what they told of before is looked for now. */
static void begin_telling(struct server *s)
{
    atomic_store(&s->told, true);
    for (uint32_t kind = 0; kind < OUTBOX_KINDS; kind++)
        has_to_do(s, (enum outbox_kind)kind);
}

static enum err start_http(struct server *s, const struct pem *pem)
{
    const struct settings *c = &s->settings;
    char address[64];
    uint16_t port;
    uint8_t tickets[HTTP_TICKET_KEY_BYTES];
    TRY(settings_listen(c, address, sizeof address, &port));
    TRY(serve_ticket_key(s->data, tickets));
    struct http_config config = {.address = address,
                                 .port = port,
                                 .certificate_pem = buf_text(&pem->certificate),
                                 .key_pem = buf_text(&pem->key),
                                 .ticket_key = tickets,
                                 .threads = (uint32_t)c->threads,
                                 .connections_max = (uint32_t)c->connections,
                                 .connections_per_ip_max = (uint32_t)c->connections_per_address,
                                 .waiting_max = serve_waiting_max(c),
                                 .idle_s = (uint32_t)((c->idle_ms + 999) / 1000),
                                 .begin = route_begin,
                                 .handle = route_handle,
                                 .done = route_done,
                                 .ctx = s};
    enum err e = http_start(&config, &s->http);
    explicit_bzero(tickets, sizeof tickets);
    return e;
}

static enum err start(struct server *s, struct pem *pem)
{
    struct sweep_config sweep = {.upload_kept_ms = s->settings.upload_kept_ms,
                                 .certificate_ends_ms = &s->certificate_ends_ms};
    TRY(serve_read_pem(s, pem));
    atomic_store(&s->certificate_ends_ms, pem->ends_ms);
    TRY(project_open(s->data, &s->settings, pem->pin, clock_wall_ms(), &s->project));
    s->metrics = metrics_new();
    TRY(s->metrics ? ERR_OK : err_set(ERR_NOMEM, "no memory for metrics"));
    TRY(start_storage(s));
    TRY(start_members(s));
    TRY(start_engine(s));
    TRY(start_threads(s));
    begin_telling(s);
    sweep.blobs = s->blobs;
    sweep.root_ends_ms = project_root_expires_ms(s->project);
    TRY(sweep_start(&sweep, &s->sweep));
    struct alerts_config alerts = {.settings = &s->settings,
                                   .data = s->data,
                                   .store = s->alerts_store,
                                   .pulse = s->pulse,
                                   .members = s->members,
                                   .certificate_ends_ms = &s->certificate_ends_ms,
                                   .root_ends_ms = sweep.root_ends_ms};
    TRY(alerts_start(&alerts, &s->alerts));
    return start_http(s, pem);
}

/* --- stopping: from the door inwards, so that whatever was begun is answered --- */

static void stop_outbox(struct server *s)
{
    pthread_mutex_lock(&s->hook_lock);
    struct judge *judge = s->judge;
    struct deliver *deliver = s->deliver;
    struct feed *feed = s->feed;
    struct graph *graph = s->graph;
    s->judge = NULL;
    s->deliver = NULL;
    s->feed = NULL;
    s->graph = NULL;
    pthread_mutex_unlock(&s->hook_lock);
    judge_stop(judge);
    deliver_stop(deliver);
    unused_stop(s->unused);
    feed_stop(feed);
    graph_stop(graph);
    timetable_stop(s->timetable);
    archiver_stop(s->archiver);
}

static void stop(struct server *s, struct pem *pem)
{
    atomic_store(&s->stopping, true);
    if (s->http)
        http_quiesce(s->http);
    waiters_close(s->waiters);
    workers_stop(s->workers);
    stop_outbox(s);
    replica_stop(s->replica);
    alerts_stop(s->alerts);
    pulse_stop(s->pulse);
    if (s->thread)
        engine_thread_stop(s->thread);
    members_leave(s->members);
    waiters_free(s->waiters);
    tails_stop(s->tails);
    http_stop(s->http);
    sweep_stop(s->sweep);
    engine_free(s->engine);
    auth_free(s->auth);
    rate_free(s->token_rate);
    rate_free(s->address_rate);
    rate_free(s->owner_joins);
    rate_free(s->network_joins);
    rate_free(s->login_rate);
    challenges_free(s->challenges);
    metrics_free(s->metrics);
    project_close(s->project);
    blobs_close(s->blobs);
    store_close(s->upload_store);
    store_close(s->unused_store);
    store_close(s->pulse_store);
    store_close(s->tail_store);
    store_close(s->feed_store);
    store_close(s->graph_store);
    store_close(s->timetable_store);
    store_close(s->archive_store);
    store_close(s->alerts_store);
    store_close(s->judge_store);
    store_close(s->deliver_store);
    store_close(s->members_store);
    store_close(s->store);
    serve_drop_pem(pem);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

/* Waits for a signal to stop; reads the certificate anew when told so, tells the service manager now and then
 * that all is well. */
static void wait_for_end(struct server *s)
{
    sigset_t set;
    int64_t watchdog_ms = notify_watchdog_ms();
    int64_t every_ms = watchdog_ms > 0 ? watchdog_ms : 3600000;
    struct timespec every = {.tv_sec = every_ms / 1000, .tv_nsec = every_ms % 1000 * 1000000};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    notify_send("READY=1");
    for (int told; (told = sigtimedwait(&set, NULL, &every)) < 0 || told == SIGHUP;) {
        if (told == SIGHUP)
            serve_renew_certificate(s);
        if (watchdog_ms > 0)
            notify_send("WATCHDOG=1");
    }
    notify_send("STOPPING=1");
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* every thread inherits it */
    signal(SIGPIPE, SIG_IGN);
}

/* As many open files as connections and those who wait for one may want; the doctor says when the machine
 * does not allow them. */
static void allow_files(const struct settings *s)
{
    struct rlimit files;
    rlim_t wanted = serve_files_may_help(s);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        log_event(LOG_WARN, "few-files", "err", strerror(errno), NULL);
}

/* Requests come and go by the thousand: what they free is kept for the next ones. As it is by itself, the C
 * library gives the end of a thread's heap back and takes it again many times a second. */
static void keep_memory(void)
{
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
}

static struct server *make(const char *data, const struct settings *settings)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->settings = *settings;
    s->lock_fd = -1;
    s->started_ms = clock_mono_ms();
    snprintf(s->data, sizeof s->data, "%s", data);
    pthread_mutex_init(&s->upload_lock, NULL);
    pthread_mutex_init(&s->hook_lock, NULL);
    return s;
}

/* Stops what was started; this thread's sentence stays. */
static enum err unmake(struct server *s, struct pem *pem, enum err e)
{
    char text[ERR_TEXT_BYTES_MAX];
    snprintf(text, sizeof text, "%s", err_text());
    stop(s, pem);
    *pem = (struct pem){0};
    pthread_mutex_destroy(&s->upload_lock);
    pthread_mutex_destroy(&s->hook_lock);
    free(s);
    return e == ERR_OK ? e : err_set(e, "%s", text);
}

/* Told to stop before it has started. */
static bool is_unwanted(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && (sigismember(&set, SIGTERM) || sigismember(&set, SIGINT));
}

/* A database on another machine may come up later than this one. */
static enum err start_patiently(const char *data, const struct settings *settings, struct pem *pem,
                                struct server **ret)
{
    int64_t until_ms = clock_mono_ms() + START_PATIENCE_MS, wait_ms = START_RETRY_MS;
    for (;;) {
        struct server *s = make(data, settings);
        if (!s)
            return err_set(ERR_NOMEM, "no memory for a server");
        enum err e = start(s, pem);
        if (e == ERR_OK) {
            *ret = s;
            return e;
        }
        e = unmake(s, pem, e);
        if (e != ERR_UNREACHABLE || is_unwanted() || clock_mono_ms() >= until_ms)
            return e;
        log_event(LOG_WARN, "start-waits", "err", err_text(), NULL);
        clock_sleep_ms(wait_ms);
        wait_ms = wait_ms * 2 < START_RETRY_MS_MAX ? wait_ms * 2 : START_RETRY_MS_MAX;
    }
}

enum err serve(const char *data, const struct settings *settings)
{
    enum log_level level = LOG_INFO;
    struct pem pem = {0};
    struct server *s = NULL;
    TRY(log_level_parse(settings->log_level, &level));
    TRY(settings_check(settings));
    log_setup(level, settings->log_json);
    keep_memory();
    block_signals();
    allow_files(settings);
    TRY(start_patiently(data, settings, &pem, &s));
    log_event(LOG_INFO, "serving", "version", DUGNAD_VERSION, "project", settings->name, "url", settings->url,
              "listen", settings->listen, "data", data, NULL);
    wait_for_end(s);
    log_event(LOG_INFO, "stopping", NULL);
    enum err e = unmake(s, &pem, ERR_OK);
    log_event(LOG_INFO, "stopped", NULL);
    return e;
}
