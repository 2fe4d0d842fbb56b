/* plan_decide.c - what follows from the state: the same state and time give the same actions */
#include "base/limits.h"
#include "client/plan/plan_inner.h"

enum {
    CONTACT_APART_MS = 1000, /* in the long run, with nothing or one thing to tell */
    CONTACT_SOONER_MAX = 10, /* times as often at most */
    CONTACT_AHEAD_MS = 3000, /* who was quiet so long may speak a few times at once: small batches end soon */
    CONTACT_LEAST_MS = 100,  /* even then */
    WAIT_APART_MS = 250,     /* from the beginning of a contact to that of one that waits */
    WAIT_LEAST_MS = 10000,   /* nothing waits when a run is expected to end before */
    GIVE_UP_CONTACTS = 3,    /* finishing or leaving, a server that is away keeps nobody */
    REPORTS_FULL = REPORTS_PER_REQUEST_MAX / 2
};
#define UNIT_SECONDS_UNKNOWN 10.0
#define WANT_SHARE           0.25 /* of the buffer must be free before more is asked for */

static bool has_room(const struct plan_actions *out)
{
    return out->count < PLAN_ACTIONS_MAX;
}

/* Only called where has_room(): what does not fit waits for the next step, which wake_ms makes come at once.
 */
static struct plan_action *add(struct plan_actions *out, enum plan_action_kind kind, uint32_t job)
{
    struct plan_action *a = &out->list[out->count++];
    *a = (struct plan_action){.kind = kind, .job = job};
    return a;
}

static void wake_at(struct plan_actions *out, int64_t ms)
{
    if (ms < out->wake_ms)
        out->wake_ms = ms;
}

/* True when `ms` is reached; else that is a time to look again. */
static bool due(struct plan_actions *out, int64_t ms, int64_t now_ms)
{
    if (now_ms >= ms)
        return true;
    wake_at(out, ms);
    return false;
}

static void forget(struct plan *p, uint32_t i, struct plan_actions *out)
{
    p->jobs[i] = (struct plan_job){0};
    while (p->used > 0 && p->jobs[p->used - 1].state == PLAN_NONE)
        p->used--;
    add(out, PLAN_DO_FORGET, i);
}

static void drop_unwanted(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    for (uint32_t i = 0; i < p->used && has_room(out); i++) {
        struct plan_job *j = &p->jobs[i];
        if (!j->give_back)
            continue;
        if (j->state == PLAN_RUNNING) {
            plan_move(j, PLAN_STOPPING, now_ms);
            j->give_back = false; /* until it has ended */
            add(out, PLAN_DO_STOP, i);
        } else {
            forget(p, i, out);
        }
    }
}

/* Finishing: what has not begun goes back. Leaving: the server is told that all is given back. */
static void wind_down(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    for (uint32_t i = 0; i < p->used && has_room(out); i++) {
        struct plan_job *j = &p->jobs[i];
        if (p->mode == PLAN_LEAVING && j->state == PLAN_RUNNING) {
            plan_move(j, PLAN_STOPPING, now_ms);
            add(out, PLAN_DO_STOP, i);
        } else if (p->mode == PLAN_LEAVING &&
                   ((j->state >= PLAN_QUEUED && j->state <= PLAN_READY) ||
                    (j->state == PLAN_FINISHED && j->failures >= GIVE_UP_CONTACTS))) {
            forget(p, i, out);
        } else if (p->mode == PLAN_FINISHING && j->state >= PLAN_QUEUED && j->state <= PLAN_READY) {
            plan_move(j, PLAN_REPORTABLE, now_ms);
            add(out, PLAN_DO_GIVE_UP, i)->word = "returned";
        }
    }
}

static uint32_t cores_for_runs(const struct plan *p)
{
    return p->cores_given < p->cores_now ? p->cores_given : p->cores_now;
}

/* The runs that began first go on; those beyond the cores that may work stand still. */
static void hold_runs(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    if (p->paused && p->pause_until_ms > 0 && due(out, p->pause_until_ms, now_ms))
        p->paused = false;
    uint32_t left = p->paused ? 0 : cores_for_runs(p);
    for (uint32_t i = 0; i < p->used && has_room(out); i++) {
        struct plan_job *j = &p->jobs[i];
        if (j->state != PLAN_RUNNING)
            continue;
        bool hold = left == 0;
        left -= !hold;
        if (hold == j->held)
            continue;
        j->held = hold;
        add(out, hold ? PLAN_DO_PAUSE : PLAN_DO_CONTINUE, i);
    }
}

static void fetch(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    uint32_t under_way = plan_count(p, PLAN_FETCHING);
    for (uint32_t i = 0; i < p->used && has_room(out); i++) {
        struct plan_job *j = &p->jobs[i];
        if (j->state != PLAN_QUEUED)
            continue;
        if (j->failures >= PLAN_FAILURES_MAX) {
            plan_move(j, PLAN_REPORTABLE, now_ms);
            add(out, PLAN_DO_GIVE_UP, i)->word = "download";
        } else if (under_way < PLAN_FETCHES_MAX && due(out, j->not_before_ms, now_ms)) {
            plan_move(j, PLAN_FETCHING, now_ms);
            under_way++;
            add(out, PLAN_DO_FETCH, i);
        }
    }
}

static bool fits(const struct plan *p, const struct plan_job *j, uint64_t memory_used)
{
    bool alone = memory_used == 0 && p->memory_given >= p->settings.memory_bytes;
    return alone || p->memory_given == 0 || memory_used + j->memory_bytes <= p->memory_given;
}

/* The ready job that is due first; PLAN_JOBS_MAX when none may start. */
static uint32_t next_run(const struct plan *p, int64_t now_ms, uint64_t memory_used, struct plan_actions *out)
{
    uint32_t best = PLAN_JOBS_MAX;
    for (uint32_t i = 0; i < p->used; i++) {
        const struct plan_job *j = &p->jobs[i];
        if (j->state == PLAN_READY && fits(p, j, memory_used) && due(out, j->not_before_ms, now_ms) &&
            (best == PLAN_JOBS_MAX || j->deadline_ms < p->jobs[best].deadline_ms))
            best = i;
    }
    return best;
}

static void run(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    uint32_t running = plan_count(p, PLAN_RUNNING) + plan_count(p, PLAN_STOPPING), i;
    uint64_t memory = 0;
    for (i = 0; i < p->used; i++)
        if (p->jobs[i].state == PLAN_RUNNING || p->jobs[i].state == PLAN_STOPPING)
            memory += p->jobs[i].memory_bytes;
    while (running < cores_for_runs(p) && has_room(out) &&
           (i = next_run(p, now_ms, memory, out)) < PLAN_JOBS_MAX) {
        plan_move(&p->jobs[i], PLAN_RUNNING, now_ms);
        memory += p->jobs[i].memory_bytes;
        running++;
        add(out, PLAN_DO_RUN, i);
    }
}

static void upload(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    uint32_t under_way = plan_count(p, PLAN_UPLOADING);
    for (uint32_t i = 0; i < p->used && under_way < PLAN_UPLOADS_MAX && has_room(out); i++) {
        struct plan_job *j = &p->jobs[i];
        if (j->state == PLAN_FINISHED && due(out, j->not_before_ms, now_ms)) {
            plan_move(j, PLAN_UPLOADING, now_ms);
            under_way++;
            add(out, PLAN_DO_UPLOAD, i);
        }
    }
}

/* What is in the house, in the way a contact looks at it. */
struct stock {
    uint32_t total, active; /* active: queued to running */
    uint32_t reportable, transfers;
    uint32_t unsettled; /* neither ready nor running: something is to be fetched, stopped, told */
    double seconds;     /* of work that is left */
    double soonest_s;   /* until a run ends; -1: none runs */
    int64_t oldest_report_ms;
    bool renew;
};

static double left_seconds(const struct plan *p, const struct plan_job *j, int64_t now_ms)
{
    double whole = j->seconds > 0 ? j->seconds : p->unit_seconds > 0 ? p->unit_seconds : UNIT_SECONDS_UNKNOWN;
    double ran = j->state == PLAN_RUNNING ? (double)(now_ms - j->since_ms) / 1000 : 0;
    return whole > ran ? whole - ran : 0;
}

static struct stock take_stock(const struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    struct stock s = {.oldest_report_ms = INT64_MAX, .soonest_s = -1};
    for (uint32_t i = 0; i < p->used; i++) {
        const struct plan_job *j = &p->jobs[i];
        s.total += j->state != PLAN_NONE;
        if (j->state >= PLAN_QUEUED && j->state <= PLAN_RUNNING) {
            double left = left_seconds(p, j, now_ms);
            s.active++;
            s.seconds += left;
            if (j->state == PLAN_RUNNING && (s.soonest_s < 0 || left < s.soonest_s))
                s.soonest_s = left;
        }
        s.unsettled += j->state != PLAN_NONE && j->state != PLAN_READY && j->state != PLAN_RUNNING;
        if (j->state >= PLAN_QUEUED && j->state < PLAN_REPORTABLE && j->state != PLAN_STOPPING)
            s.renew = due(out, j->renew_ms, now_ms) || s.renew;
        s.transfers += j->state == PLAN_FINISHED || j->state == PLAN_UPLOADING || j->state == PLAN_STOPPING;
        if (j->state == PLAN_REPORTABLE && due(out, j->not_before_ms, now_ms)) {
            s.reportable++;
            if (j->since_ms < s.oldest_report_ms)
                s.oldest_report_ms = j->since_ms;
        }
    }
    return s;
}

/* That it wants work for: of several projects each has one at least. */
static uint32_t cores_of_part(const struct plan *p)
{
    double cores = p->part * (double)p->settings.cores + 0.999;
    return cores < 1 ? 1 : (uint32_t)cores;
}

static void want(const struct plan *p, const struct stock *s, struct plan_action *a)
{
    uint32_t cores = cores_of_part(p), idle = s->active < cores ? cores - s->active : 0;
    double buffer = (double)p->settings.cores * p->part * (double)p->settings.buffer_ms / 1000;
    uint32_t room = PLAN_JOBS_MAX - s->total;
    if (p->mode != PLAN_WORKING || p->paused || p->cores_now == 0 || room == 0)
        return;
    double seconds = buffer > s->seconds ? buffer - s->seconds : 0;
    if (idle == 0 && seconds < WANT_SHARE * buffer)
        return;
    if (idle == 0 && buffer <= 0)
        return;
    a->want_seconds = seconds;
    a->want_cores = idle > 0 ? idle : 1;
    a->want_units = room < LEASES_PER_REQUEST_MAX ? room : LEASES_PER_REQUEST_MAX;
}

static bool has_idle_core(const struct plan *p, const struct stock *s, const struct plan_action *a)
{
    return a->want_units > 0 && s->active < cores_of_part(p);
}

/* Is there nothing to say but that a core is idle, now and for a while? */
static bool may_wait(const struct plan *p, const struct stock *s, const struct plan_action *a, int64_t now_ms)
{
    return p->wait_ms > 0 && now_ms >= p->wait_not_before_ms && has_idle_core(p, s, a) && s->unsettled == 0 &&
           !s->renew && (s->soonest_s < 0 || s->soonest_s * 1000 >= WAIT_LEAST_MS);
}

static bool heartbeat_due(const struct plan *p, const struct stock *s, int64_t now_ms,
                          struct plan_actions *out)
{
    /* the first after a restart tells what survived it */
    return s->total > 0 && due(out, p->contacted_ms ? p->contacted_ms + p->settings.heartbeat_ms : 0, now_ms);
}

/* When there is another thing to say, the contact that waits is dropped for one that says it. */
static void hang_up(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    struct plan_action wanted = {0};
    if (!p->waiting || !has_room(out))
        return;
    struct stock s = take_stock(p, now_ms, out);
    want(p, &s, &wanted);
    bool fine = !p->waits_wrong && !p->offline && !p->refresh_wanted && has_idle_core(p, &s, &wanted) &&
                s.unsettled == 0 && !s.renew && !heartbeat_due(p, &s, now_ms, out);
    if (fine)
        return;
    p->contacting = p->waiting = p->waits_wrong = false;
    add(out, PLAN_DO_HANG_UP, 0);
}

static bool wants_contact(const struct plan *p, const struct stock *s, const struct plan_action *a,
                          bool waits, int64_t now_ms, struct plan_actions *out)
{
    bool idle_core = has_idle_core(p, s, a);
    bool yes = false;
    if (s->reportable > 0)
        yes = idle_core || s->reportable >= REPORTS_FULL || p->mode != PLAN_WORKING ||
              due(out, s->oldest_report_ms + p->settings.report_ms, now_ms);
    if (a->want_units > 0)
        yes = due(out, waits ? p->asked_ms + WAIT_APART_MS : p->ask_ms, now_ms) || yes;
    yes = heartbeat_due(p, s, now_ms, out) || yes;
    return yes || s->renew || (p->mode == PLAN_LEAVING && s->transfers == 0);
}

/* Whoever has done all it held in less than a second would be idle for the rest of it. A server that gives
 * one unit at a time hears of nobody more often for that: the time between two contacts goes by the answers
 * that one brings. */
static int64_t apart_ms(const struct stock *s)
{
    uint32_t sooner = s->reportable < CONTACT_SOONER_MAX ? s->reportable : CONTACT_SOONER_MAX;
    return CONTACT_APART_MS / (sooner > 0 ? sooner : 1);
}

/* The earliest time of the next contact by what it had of them lately. One that waits at the server is none
 * of the quick ones: those are for what it brings. */
static int64_t may_speak_ms(const struct plan *p, const struct stock *s, bool waits)
{
    int64_t least_ms = p->contacted_ms ? p->contacted_ms + CONTACT_LEAST_MS : 0;
    int64_t paced_ms = p->paced_ms ? p->paced_ms + apart_ms(s) : 0;
    if (waits)
        return p->asked_ms + WAIT_APART_MS;
    return paced_ms > least_ms ? paced_ms : least_ms;
}

static void contact(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    struct plan_action wanted = {0};
    struct stock s = take_stock(p, now_ms, out);
    want(p, &s, &wanted);
    if (p->contacting || p->refreshing || !has_room(out))
        return;
    bool waits = may_wait(p, &s, &wanted, now_ms);
    if (!wants_contact(p, &s, &wanted, waits, now_ms, out) && !p->refresh_wanted)
        return;
    if (!due(out, p->refresh_wanted ? 0 : p->contact_not_before_ms, now_ms) ||
        !due(out, may_speak_ms(p, &s, waits), now_ms))
        return;
    if (p->refresh_wanted || (p->refreshed_ms && now_ms - p->refreshed_ms >= p->settings.refresh_ms)) {
        p->refreshing = true;
        add(out, PLAN_DO_REFRESH, 0);
        return;
    }
    p->contacting = true;
    p->waiting = waits;
    p->asked_ms = now_ms;
    if (!waits)
        p->paced_ms = (p->paced_ms > now_ms - CONTACT_AHEAD_MS ? p->paced_ms : now_ms - CONTACT_AHEAD_MS) +
                      apart_ms(&s);
    struct plan_action *a = add(out, PLAN_DO_CONTACT, 0);
    a->wait_ms = waits ? p->wait_ms : 0;
    a->want_seconds = wanted.want_seconds;
    a->want_cores = wanted.want_cores;
    a->want_units = wanted.want_units;
    a->leaving = p->saying_goodbye = p->mode == PLAN_LEAVING && s.transfers == 0;
}

static bool may_exit(const struct plan *p)
{
    uint32_t busy = 0;
    if (p->left)
        return true;
    if (p->mode == PLAN_WORKING || (p->mode != PLAN_HALTING && (p->contacting || p->refreshing)))
        return false;
    for (uint32_t i = 0; i < p->used; i++) {
        enum plan_job_state s = p->jobs[i].state;
        if (s == PLAN_RUNNING || s == PLAN_STOPPING)
            return false;
        busy += s != PLAN_NONE;
    }
    return p->mode == PLAN_HALTING || (p->mode == PLAN_FINISHING && busy == 0) ||
           p->contact_failures >= GIVE_UP_CONTACTS;
}

void plan_decide(struct plan *p, int64_t now_ms, struct plan_actions *out)
{
    out->wake_ms = INT64_MAX;
    drop_unwanted(p, now_ms, out);
    hold_runs(p, now_ms, out);
    if (p->mode != PLAN_WORKING)
        wind_down(p, now_ms, out);
    bool online = !p->offline || p->mode == PLAN_LEAVING;
    if (p->mode == PLAN_WORKING && !p->paused && p->cores_now > 0) {
        fetch(p, now_ms, out); /* offline: what is in the house needs no more than a look */
        run(p, now_ms, out);
    }
    if (p->mode != PLAN_HALTING && online)
        upload(p, now_ms, out);
    hang_up(p, now_ms, out);
    if (may_exit(p)) {
        if (has_room(out))
            add(out, PLAN_DO_EXIT, 0);
        return;
    }
    if (p->mode != PLAN_HALTING && online)
        contact(p, now_ms, out);
    if (!has_room(out))
        out->wake_ms = now_ms;
}
