#include "server/pulse.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "server/pulse_history.h"
#include "server/showcase.h"
#include "server/store_version.h"
#include "server/ticker.h"
#include "server/try.h"

enum {
    EVERY_MS = 2000,
    MINUTE_MS = 60000,
    RATE_SAMPLES = 31, /* two seconds apart: a minute */
    HISTORY_ITEMS_MAX = 720,
    HOST_PAGES_MAX = 1000,
    REASONS_MAX = 8,
    REASON_BYTES = 320,
    ENGINE_LATE_MS = 10000,
    ACTIVE_MS = 3600000,
    DAY_MS = 86400000,
    VERSIONS_MAX = 32,
};

struct version {
    char client[48];
    int64_t hosts;
};

enum { PROTOCOLS_MAX = 8 }; /* the last one stands for all that are newer */

struct state {
    int64_t time_ms;
    struct project_counts n;
    int64_t units_open, hosts_active, hosts_day;
    int64_t errors_hour, ended_hour;
    uint64_t changes; /* commits of the engine so far: when it has not moved, nothing has happened */
    double validated_per_s, error_share;
    uint64_t disk_free, disk_all;
    char stopped[200], busy[120]; /* as in struct pulse_view */
    double load;
    uint32_t reason_count; /* not ready, or not well */
    bool ready, bad;
    char reasons[REASONS_MAX][REASON_BYTES];
};

struct pulse {
    struct pulse_config config;
    struct ticker *ticker;
    pthread_mutex_t lock;
    struct state state;
    struct pulse_history *history;
    int64_t minute_ms;    /* when the last minute was kept */
    int64_t validated_ms; /* when a unit was accepted last, or there was nothing to do */
    int64_t accepted_ms;  /* the same, whether hosts call or not */
    int64_t counted_ms;   /* when the hosts were counted last */
    int64_t gathered_ms;  /* and the showcase gathered */
    struct {
        int64_t at_ms, accepted;
    } recent[RATE_SAMPLES];
    uint32_t recent_count;
    struct version versions[VERSIONS_MAX]; /* beyond them, hosts of still other versions are not counted */
    uint32_t version_count;
    int64_t protocols[PROTOCOLS_MAX];      /* hosts by the newest version that they speak */
    uint64_t engine_us, cpu_us, commit_us; /* used so far */
    struct admit_load load;
    struct showcase showcase;
    struct http_stream *listeners[PULSE_LISTENERS_MAX];
    uint32_t listener_count;
};

/* --- sampling --- */

static void count_version(struct version *list, uint32_t *count, const char *client)
{
    uint32_t i = 0;
    while (i < *count && strncmp(list[i].client, client, sizeof list[i].client - 1) != 0)
        i++;
    if (i == VERSIONS_MAX)
        return;
    if (i == *count) {
        list[i] = (struct version){.hosts = 0};
        snprintf(list[i].client, sizeof list[i].client, "%s", client);
        ++*count;
    }
    list[i].hosts++;
}

static int most_hosts_first(const void *a, const void *b)
{
    const struct version *x = a, *y = b;
    return (x->hosts < y->hosts) - (x->hosts > y->hosts);
}

/* A count of who called lately: all hosts are looked at, so not often. */
static enum err count_hosts(struct pulse *p, int64_t now_ms, struct state *s)
{
    struct version versions[VERSIONS_MAX];
    uint32_t version_count = 0;
    int64_t protocols[PROTOCOLS_MAX] = {0};
    struct store_host *list;
    uint32_t count;
    uint64_t after = 0;
    int64_t active = 0, day = 0;
    for (int pages = 0; pages < HOST_PAGES_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        TRY(store_host_list(p->config.store, &a, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            active += !list[i].left && now_ms - list[i].seen_ms < ACTIVE_MS;
            if (!list[i].left && now_ms - list[i].seen_ms < DAY_MS) {
                count_version(versions, &version_count, list[i].client);
                protocols[list[i].protocol < PROTOCOLS_MAX ? list[i].protocol : PROTOCOLS_MAX - 1]++;
                day++;
            }
            after = list[i].id;
        }
        if (count < STORE_PAGE_MAX)
            break;
    }
    qsort(versions, version_count, sizeof *versions, most_hosts_first);
    pthread_mutex_lock(&p->lock);
    memcpy(p->versions, versions, version_count * sizeof *versions);
    p->version_count = version_count;
    memcpy(p->protocols, protocols, sizeof protocols);
    pthread_mutex_unlock(&p->lock);
    s->hosts_active = active;
    s->hosts_day = day;
    return ERR_OK;
}

static double rate(struct pulse *p, const struct state *s)
{
    if (p->recent_count == RATE_SAMPLES)
        memmove(p->recent, p->recent + 1, --p->recent_count * sizeof *p->recent);
    p->recent[p->recent_count].at_ms = s->time_ms;
    p->recent[p->recent_count++].accepted = s->n.accepted;
    int64_t span_ms = s->time_ms - p->recent[0].at_ms;
    int64_t accepted = s->n.accepted - p->recent[0].accepted;
    return span_ms > 0 && accepted > 0 ? (double)accepted * 1000 / (double)span_ms : 0;
}

static int64_t ended(const struct project_counts *n)
{
    return n->valid + n->invalid + n->errors + n->expired;
}

static void look_at_errors(const struct pulse *p, struct state *s)
{
    const struct pulse_minute *then = pulse_history_since(p->history, s->time_ms - ACTIVE_MS);
    int64_t all = ended(&s->n) - (then ? then->ended : 0), errors = s->n.errors - (then ? then->errors : 0);
    s->ended_hour = all > 0 ? all : 0;
    s->errors_hour = errors > 0 && all > 0 ? errors : 0;
    s->error_share = s->errors_hour > 0 ? (double)errors / (double)all : 0;
}

static void keep_minute(struct pulse *p, const struct state *s)
{
    struct pulse_minute m = {.time_ms = s->time_ms,
                             .accepted = s->n.accepted,
                             .failed = s->n.failed,
                             .errors = s->n.errors,
                             .ended = ended(&s->n),
                             .units_open = s->units_open,
                             .hosts_active = s->hosts_active};
    if (s->time_ms - p->minute_ms < MINUTE_MS && s->time_ms >= p->minute_ms)
        return;
    p->minute_ms = s->time_ms;
    pulse_history_add(p->history, &m);
}

/* --- is it well? --- */

static void add_reason(struct state *s, const char *text, bool ready)
{
    if (s->reason_count < REASONS_MAX)
        snprintf(s->reasons[s->reason_count++], REASON_BYTES, "%s", text);
    s->bad = true;
    s->ready &= ready;
}

static void check(struct pulse *p, struct state *s)
{
    uint32_t waiting;
    int64_t oldest_ms;
    char text[REASON_BYTES];
    s->ready = true;
    if (store_ping(p->config.store) != ERR_OK)
        add_reason(s, err_text(), false);
    if (blobs_room(p->config.blobs, 0) != ERR_OK)
        add_reason(s, err_text(), false);
    if (blobs_well(p->config.blobs) != ERR_OK)
        add_reason(s, err_text(), true);
    engine_thread_load(p->config.engine, &waiting, &oldest_ms);
    if (oldest_ms > ENGINE_LATE_MS)
        add_reason(s, "requests wait for more than ten seconds: the server has too much to do", false);
    if (p->config.root_ends_ms <= s->time_ms)
        add_reason(s, "the root statement has expired and no PC takes work: sign a new version", false);
    if (s->n.accepted != p->state.n.accepted || s->units_open == 0 || s->hosts_active == 0)
        p->validated_ms = s->time_ms;
    bool first = p->state.time_ms == 0; /* then the counters are compared with nothing */
    if ((!first && s->n.accepted != p->state.n.accepted) || s->units_open == 0)
        p->accepted_ms = s->time_ms;
    if (s->time_ms - p->validated_ms > p->config.stalled_ms) {
        snprintf(text, sizeof text,
                 "nothing was validated for %" PRId64 " minutes though %" PRId64 " units wait and %" PRId64
                 " hosts call: see what fails",
                 (s->time_ms - p->validated_ms) / MINUTE_MS, s->units_open, s->hosts_active);
        add_reason(s, text, false);
    }
}

static enum err gather(struct pulse *p)
{
    struct showcase *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(ERR_NOMEM, "no memory for what the public page shows");
    enum err e = showcase_gather(p->config.store, w);
    pthread_mutex_lock(&p->lock);
    if (e == ERR_OK)
        p->showcase = *w;
    pthread_mutex_unlock(&p->lock);
    free(w);
    return e;
}

static enum err sample(struct pulse *p, struct state *s)
{
    s->time_ms = clock_wall_ms();
    s->hosts_active = p->state.hosts_active;
    s->hosts_day = p->state.hosts_day;
    TRY(store_project_counts(p->config.store, &s->n));
    if (s->time_ms - p->counted_ms >= MINUTE_MS / 6 || s->time_ms < p->counted_ms) {
        TRY(count_hosts(p, s->time_ms, s));
        p->counted_ms = s->time_ms + s->n.hosts / 20; /* many are counted less often */
    }
    if (s->time_ms - p->gathered_ms >= MINUTE_MS / 6 || s->time_ms < p->gathered_ms) {
        TRY(gather(p));
        p->gathered_ms = s->time_ms + s->n.volunteers / 20;
    }
    s->units_open = s->n.units - s->n.accepted - s->n.failed;
    TRY(store_version_stopped(p->config.store, s->stopped, sizeof s->stopped));
    TRY(file_disk_free(p->config.data, &s->disk_free));
    return file_disk_size(p->config.data, &s->disk_all);
}

/* --- telling --- */

static void write_state(const struct pulse *p, struct json_out *o)
{
    const struct state *s = &p->state;
    json_out_string(o, "project", p->config.project);
    json_out_string(o, "server", DUGNAD_VERSION);
    json_out_i64(o, "time_ms", s->time_ms);
    json_out_u64(o, "changes", s->changes);
    bool amber = s->error_share > 0.5 || *s->stopped || *s->busy;
    json_out_string(o, "health", s->bad ? "bad" : amber ? "warn" : "ok");
    json_out_array(o, "reasons");
    for (uint32_t i = 0; i < s->reason_count; i++)
        json_out_string(o, NULL, s->reasons[i]);
    json_out_close(o);
    json_out_real(o, "validated_per_s", s->validated_per_s);
    json_out_i64(o, "units_open", s->units_open);
    json_out_i64(o, "hosts_active", s->hosts_active);
    json_out_real(o, "error_share", s->error_share);
    json_out_u64(o, "disk_free_bytes", s->disk_free);
    json_out_real(o, "disk_free_share", s->disk_all ? (double)s->disk_free / (double)s->disk_all : 0);
    if (s->units_open > 0 && s->validated_per_s > 0)
        json_out_i64(o, "eta_ms", (int64_t)((double)s->units_open / s->validated_per_s * 1000));
#define X(name) json_out_i64(o, #name, s->n.name);
    PROJECT_COUNT_LIST(X)
#undef X
    json_out_real(o, "credit", s->n.credit);
}

static enum err print_event(const struct pulse *p, struct buf *out)
{
    struct json_out o;
    TRY(buf_printf(out, "event: stats\nid: %" PRId64 "\ndata: ", p->state.time_ms));
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    write_state(p, &o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return buf_add_text(out, "\n\n");
}

/* Under the lock. */
static void push(struct pulse *p)
{
    BUF_AUTO struct buf event = {0};
    if (p->listener_count == 0 || print_event(p, &event) != ERR_OK)
        return;
    for (uint32_t i = 0; i < p->listener_count;)
        if (http_stream_push(p->listeners[i], event.data, event.len)) {
            i++;
        } else {
            http_stream_close(p->listeners[i]);
            p->listeners[i] = p->listeners[--p->listener_count];
        }
}

static uint64_t cpu_used_us(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return 0;
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Under the lock. */
static void look_at_load(struct pulse *p, struct state *s)
{
    int64_t now_ms = s->time_ms;
    struct engine_stats stats;
    uint32_t waiting;
    int64_t oldest_ms, span_ms = now_ms - p->state.time_ms;
    uint64_t cpu_us = cpu_used_us();
    double span_us = (double)span_ms * 1000;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    engine_thread_stats(p->config.engine, &stats);
    engine_thread_load(p->config.engine, &waiting, &oldest_ms);
    s->changes = stats.commits;
    if (p->state.time_ms > 0 && span_ms > 0) {
        struct admit_load now = {.engine = (double)(stats.turn_us - p->engine_us) / span_us,
                                 .queue = (double)waiting / (double)p->config.queue_max,
                                 .cpu =
                                     (double)(cpu_us - p->cpu_us) / span_us / (double)(cores > 0 ? cores : 1),
                                 .disk = (double)(stats.commit_us - p->commit_us) / span_us};
        admit_smooth(&p->load, &now, span_ms);
    }
    p->engine_us = stats.turn_us;
    p->cpu_us = cpu_us;
    p->commit_us = stats.commit_us;
    const char *busy = admit_refusal(&p->load, ADMIT_AMBER, &s->load);
    if (*busy)
        snprintf(s->busy, sizeof s->busy, "the %s is at %.0f %% of what it can do", busy, s->load * 100);
    else
        s->load = 0;
}

static void beat(void *ctx)
{
    struct pulse *p = ctx;
    struct state s = {0};
    if (sample(p, &s) != ERR_OK) {
        log_event(LOG_WARN, "pulse-failed", "err", err_text(), NULL);
        s.time_ms = clock_wall_ms();
        s.n = p->state.n;
        memcpy(s.stopped, p->state.stopped, sizeof s.stopped);
    }
    check(p, &s);
    pthread_mutex_lock(&p->lock);
    s.validated_per_s = rate(p, &s);
    look_at_errors(p, &s);
    look_at_load(p, &s);
    p->state = s;
    keep_minute(p, &s);
    push(p);
    pthread_mutex_unlock(&p->lock);
}

enum err pulse_start(const struct pulse_config *config, struct pulse **ret_pulse)
{
    char path[4096];
    TRY(file_join(path, sizeof path, config->data, "history.ndjson"));
    struct pulse *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(ERR_NOMEM, "no memory for the pulse");
    p->config = *config;
    p->validated_ms = clock_wall_ms();
    pthread_mutex_init(&p->lock, NULL);
    enum err e = pulse_history_open(path, &p->history);
    if (e == ERR_OK) {
        p->accepted_ms = pulse_history_accepted(p->history, p->validated_ms);
        e = ticker_start(beat, p, EVERY_MS, &p->ticker);
    }
    if (e != ERR_OK) {
        pulse_stop(p);
        return e;
    }
    *ret_pulse = p;
    return ERR_OK;
}

void pulse_stop(struct pulse *p)
{
    if (!p)
        return;
    ticker_stop(p->ticker);
    for (uint32_t i = 0; i < p->listener_count; i++)
        http_stream_close(p->listeners[i]);
    pulse_history_close(p->history);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void pulse_write(struct pulse *p, struct json_out *o)
{
    pthread_mutex_lock(&p->lock);
    write_state(p, o);
    pthread_mutex_unlock(&p->lock);
}

void pulse_showcase(struct pulse *p, struct json_out *o)
{
    pthread_mutex_lock(&p->lock);
    showcase_write(&p->showcase, o);
    pthread_mutex_unlock(&p->lock);
}

bool pulse_reasons(struct pulse *p, struct json_out *o)
{
    pthread_mutex_lock(&p->lock);
    bool ready = p->state.ready || p->state.time_ms == 0;
    for (uint32_t i = 0; i < p->state.reason_count; i++)
        json_out_string(o, NULL, p->state.reasons[i]);
    pthread_mutex_unlock(&p->lock);
    return ready;
}

/* Counters go back to zero where a project's database was replaced: such a step counts as nothing. */
static double per_minute(int64_t now, int64_t then, int64_t span_ms)
{
    return now > then && span_ms > 0 ? (double)(now - then) * MINUTE_MS / (double)span_ms : 0;
}

void pulse_history(struct pulse *p, uint32_t hours, struct json_out *o)
{
    int64_t span_ms = (int64_t)hours * 3600000 / HISTORY_ITEMS_MAX, since_ms;
    pthread_mutex_lock(&p->lock);
    since_ms = p->state.time_ms - (int64_t)hours * 3600000;
    const struct pulse_minute *before = NULL;
    for (uint32_t i = 0; i < pulse_history_count(p->history); i++) {
        const struct pulse_minute *m = pulse_history_at(p->history, i);
        if (m->time_ms < since_ms || !before) {
            before = m;
            continue;
        }
        int64_t took_ms = m->time_ms - before->time_ms;
        if (took_ms < span_ms)
            continue;
        if (took_ms < span_ms + 3 * MINUTE_MS) { /* else no server ran */
            json_out_object(o, NULL);
            json_out_i64(o, "time_ms", m->time_ms);
            json_out_real(o, "validated", per_minute(m->accepted, before->accepted, took_ms));
            json_out_i64(o, "units_open", m->units_open);
            json_out_i64(o, "hosts_active", m->hosts_active);
            json_out_real(o, "errors", per_minute(m->errors, before->errors, took_ms));
            json_out_close(o);
        }
        before = m;
    }
    pthread_mutex_unlock(&p->lock);
}

enum err pulse_listen(struct pulse *p, struct http_request *request)
{
    BUF_AUTO struct buf event = {0};
    pthread_mutex_lock(&p->lock);
    enum err e = p->listener_count < PULSE_LISTENERS_MAX
                     ? print_event(p, &event)
                     : err_set(ERR_BUSY, "%d pages watch already: close one", PULSE_LISTENERS_MAX);
    struct http_stream *s = e == ERR_OK ? http_reply_stream(request) : NULL;
    if (s && http_stream_push(s, event.data, event.len))
        p->listeners[p->listener_count++] = s;
    else if (s)
        http_stream_close(s);
    pthread_mutex_unlock(&p->lock);
    return e;
}

void pulse_view(struct pulse *p, struct pulse_view *ret)
{
    pthread_mutex_lock(&p->lock);
    const struct state *s = &p->state;
    *ret = (struct pulse_view){.time_ms = s->time_ms,
                               .units_open = s->units_open,
                               .hosts_hour = s->hosts_active,
                               .hosts_day = s->hosts_day,
                               .errors_hour = s->errors_hour,
                               .ended_hour = s->ended_hour,
                               .silence_ms = s->units_open > 0 ? s->time_ms - p->accepted_ms : 0,
                               .disk_free = s->disk_free,
                               .disk_all = s->disk_all,
                               .ready = s->ready || s->time_ms == 0};
    ret->load = s->load;
    snprintf(ret->busy, sizeof ret->busy, "%s", s->busy);
    snprintf(ret->stopped, sizeof ret->stopped, "%s", s->stopped);
    if (s->reason_count > 0)
        snprintf(ret->reason, sizeof ret->reason, "%s", s->reasons[0]);
    pthread_mutex_unlock(&p->lock);
}

void pulse_day(struct pulse *p, int64_t from_ms, struct pulse_day *ret)
{
    pthread_mutex_lock(&p->lock);
    pulse_history_day(p->history, from_ms, ret);
    pthread_mutex_unlock(&p->lock);
}

struct admit_load pulse_load(struct pulse *p)
{
    pthread_mutex_lock(&p->lock);
    struct admit_load load = p->load;
    pthread_mutex_unlock(&p->lock);
    return load;
}

void pulse_versions(struct pulse *p, struct json_out *o)
{
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = 0; i < p->version_count; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "client", p->versions[i].client);
        json_out_i64(o, "hosts", p->versions[i].hosts);
        json_out_close(o);
    }
    pthread_mutex_unlock(&p->lock);
}

void pulse_protocols(struct pulse *p, struct json_out *o)
{
    pthread_mutex_lock(&p->lock);
    p->protocols[1] += p->protocols[0]; /* who says nothing speaks the first */
    p->protocols[0] = 0;
    for (int i = 1; i < PROTOCOLS_MAX; i++) {
        if (p->protocols[i] == 0)
            continue;
        json_out_object(o, NULL);
        json_out_i64(o, "protocol", i);
        json_out_i64(o, "hosts", p->protocols[i]);
        json_out_close(o);
    }
    pthread_mutex_unlock(&p->lock);
}
