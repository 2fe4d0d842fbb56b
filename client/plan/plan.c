/* plan.c - what each event does to the state; what follows from the state is in plan_decide.c */
#include "client/plan/plan.h"

#include <assert.h>

#include "client/plan/plan_inner.h"
#include "rules/backoff.h"

enum {
    AUTH_WAIT_MS = 3600 * 1000, /* a token that is not taken will not be taken in a minute */
    REFRESH_APART_MS = 60 * 1000,
    RENEW_SHARE = 4, /* ask when a quarter of the lease is left */
    RENEW_AGAIN_MS = 60 * 1000,
    WAIT_FAILURES_MAX = 2, /* something in between does not bear long requests */
    WAIT_AGAIN_MS = 600 * 1000,
    START_AGAIN_MS = 30 * 1000
};
#define UNIT_SECONDS_WEIGHT 0.2 /* of the newest run in the mean */

const char *plan_job_state_name(enum plan_job_state s)
{
    static const char *const names[] = {"none",     "queued",   "fetching",  "ready",     "running",
                                        "stopping", "finished", "uploading", "reportable"};
    return names[s];
}

void plan_init(struct plan *p, const struct plan_settings *settings)
{
    *p = (struct plan){.settings = *settings,
                       .cores_now = settings->cores,
                       .cores_given = settings->cores,
                       .memory_given = settings->memory_bytes,
                       .part = 1};
    assert(settings->cores > 0);
}

uint32_t plan_place(const struct plan *p)
{
    uint32_t i = 0;
    while (i < p->used && p->jobs[i].state != PLAN_NONE)
        i++;
    return i;
}

uint32_t plan_count(const struct plan *p, enum plan_job_state state)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->used; i++)
        n += p->jobs[i].state == state;
    return n;
}

static void set_deadline(struct plan_job *j, int64_t now_ms, int64_t deadline_ms)
{
    int64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    j->leased_ms = now_ms;
    j->deadline_ms = deadline_ms;
    j->renew_ms = now_ms + left - left / RENEW_SHARE;
}

bool plan_wants_renewal(const struct plan_job *j, int64_t now_ms)
{
    return j->state >= PLAN_QUEUED && j->state <= PLAN_UPLOADING && j->state != PLAN_STOPPING &&
           now_ms >= j->renew_ms;
}

void plan_move(struct plan_job *j, enum plan_job_state state, int64_t now_ms)
{
    j->state = state;
    j->since_ms = now_ms;
    j->not_before_ms = 0;
    j->held = false;
}

static int64_t wait_until(const struct plan_event *ev, uint32_t failures)
{
    return ev->now_ms + backoff_wait_ms(&BACKOFF_CLIENT, failures, ev->retry_after_ms, ev->random);
}

/* Back to `state`, to be tried again after a while. */
static void put_off(struct plan_job *j, enum plan_job_state state, const struct plan_event *ev)
{
    plan_move(j, state, ev->now_ms);
    j->not_before_ms = wait_until(ev, j->failures);
    j->failures++;
}

void plan_add(struct plan *p, const struct plan_event *ev)
{
    assert(ev->job < PLAN_JOBS_MAX && p->jobs[ev->job].state == PLAN_NONE);
    struct plan_job *j = &p->jobs[ev->job];
    *j = (struct plan_job){.state = PLAN_QUEUED, .since_ms = ev->now_ms};
    if (ev->job >= p->used)
        p->used = ev->job + 1;
    set_deadline(j, ev->now_ms, ev->deadline_ms);
    if (ev->kind == PLAN_RESTORED)
        plan_move(j, ev->uploads ? PLAN_FINISHED : PLAN_REPORTABLE, ev->now_ms);
}

static void learn(struct plan *p, int64_t ran_ms)
{
    double seconds = (double)ran_ms / 1000;
    if (ran_ms > 0)
        p->unit_seconds = p->unit_seconds > 0
                              ? p->unit_seconds + UNIT_SECONDS_WEIGHT * (seconds - p->unit_seconds)
                              : seconds;
}

static void ended(struct plan *p, struct plan_job *j, const struct plan_event *ev)
{
    if (j->state == PLAN_RUNNING)
        learn(p, ev->ran_ms);
    if (p->part < 1 && p->cores_given > 0 && (j->state == PLAN_RUNNING || j->state == PLAN_STOPPING))
        p->cores_given--; /* whose turn it is now, share.h says */
    if (j->state == PLAN_STOPPING && !j->give_back) {
        j->give_back = true; /* decide() forgets it */
        return;
    }
    plan_move(j, ev->uploads ? PLAN_FINISHED : PLAN_REPORTABLE, ev->now_ms);
    j->failures = 0;
    j->give_back = false;
}

/* What the server does not want any more is dropped before it has cost more; a finished answer is worth
 * telling even then. */
static void recalled(struct plan_job *j)
{
    if (j->state >= PLAN_QUEUED && j->state <= PLAN_RUNNING)
        j->give_back = true;
}

static void acked(struct plan_job *j, const struct plan_event *ev)
{
    if (j->state != PLAN_REPORTABLE)
        return;
    if (ev->err == ERR_BUSY)
        put_off(j, PLAN_REPORTABLE, ev);
    else if (ev->err == ERR_MISSING)
        put_off(j, PLAN_FINISHED, ev);
    else
        j->give_back = true;
}

static void on_job(struct plan *p, struct plan_job *j, const struct plan_event *ev)
{
    switch (ev->kind) {
    case PLAN_FETCHED:
        if (j->state == PLAN_FETCHING) {
            plan_move(j, PLAN_READY, ev->now_ms);
            j->seconds = ev->seconds;
            j->memory_bytes = ev->memory_bytes;
        }
        break;
    case PLAN_FETCH_FAILED:
        if (j->state == PLAN_FETCHING)
            put_off(j, PLAN_QUEUED, ev);
        if (p->offline && j->failures > 0) /* it was not tried */
            j->failures--;
        break;
    case PLAN_START_PUT_OFF:
        j->held = false;
        put_off(j, PLAN_QUEUED, ev);
        if (ev->err != ERR_CORRUPT && ev->err != ERR_MISSING) /* of those the cure is to fetch it again */
            j->not_before_ms = ev->now_ms + START_AGAIN_MS;
        break;
    case PLAN_ENDED:
        ended(p, j, ev);
        break;
    case PLAN_UPLOADED:
        if (j->state == PLAN_UPLOADING)
            plan_move(j, PLAN_REPORTABLE, ev->now_ms);
        break;
    case PLAN_UPLOAD_FAILED:
        if (j->state == PLAN_UPLOADING)
            put_off(j, PLAN_FINISHED, ev);
        break;
    case PLAN_ACKED:
        acked(j, ev);
        break;
    case PLAN_RECALLED:
        recalled(j);
        break;
    case PLAN_RENEWED:
        set_deadline(j, ev->now_ms, ev->deadline_ms);
        break;
    default:
        assert(false && "an event of a job");
    }
}

/* A deadline that was not moved is asked about again, but not with every contact. */
static void space_renewals(struct plan *p, int64_t now_ms)
{
    for (uint32_t i = 0; i < p->used; i++) {
        struct plan_job *j = &p->jobs[i];
        if (plan_wants_renewal(j, now_ms)) {
            int64_t left = j->deadline_ms > now_ms ? j->deadline_ms - now_ms : 0;
            j->renew_ms = now_ms + (left / 2 > RENEW_AGAIN_MS ? left / 2 : RENEW_AGAIN_MS);
        }
    }
}

bool plan_may_refresh(const struct plan *p, int64_t now_ms)
{
    return p->refreshed_ms == 0 || now_ms - p->refreshed_ms > REFRESH_APART_MS;
}

static void heard(struct plan *p)
{
    p->wait_failures = p->waiting ? 0 : p->wait_failures;
    p->waiting = false;
}

static void contacted(struct plan *p, const struct plan_event *ev)
{
    p->contacting = false;
    p->wait_ms = ev->wait_ms;
    p->contact_failures = 0;
    p->contact_err = ERR_OK;
    p->contacted_ms = ev->now_ms;
    p->contact_not_before_ms = 0;
    p->ask_ms = ev->now_ms + ev->next_contact_ms;
    space_renewals(p, ev->now_ms);
    p->left = p->saying_goodbye;
}

static void contact_failed(struct plan *p, const struct plan_event *ev)
{
    if (p->waiting && ev->err != ERR_BUSY && ev->err != ERR_RATE &&
        ++p->wait_failures % WAIT_FAILURES_MAX == 0)
        p->wait_not_before_ms = ev->now_ms + WAIT_AGAIN_MS;
    p->contacting = p->waiting = false;
    p->wait_ms = 0;
    p->contact_err = ev->err;
    p->contact_not_before_ms = wait_until(ev, p->contact_failures);
    p->contact_failures++;
    if (ev->err == ERR_AUTH || ev->err == ERR_DENIED)
        p->contact_not_before_ms = ev->now_ms + AUTH_WAIT_MS;
    /* Whom the project does not know (any more: it was brought back from a backup) owes it no goodbye. */
    p->left = p->saying_goodbye && ev->err == ERR_AUTH;
    if (ev->err == ERR_UNTRUSTED && (p->refreshed_ms == 0 || ev->now_ms - p->refreshed_ms > REFRESH_APART_MS))
        p->refresh_wanted = true;
}

static void refreshed(struct plan *p, const struct plan_event *ev)
{
    p->refreshing = false;
    p->refresh_wanted = false;
    p->refreshed_ms = ev->now_ms;
    if (ev->kind == PLAN_REFRESHED) {
        if (p->contact_err == ERR_UNTRUSTED)
            p->contact_not_before_ms = 0;
        p->refresh_failures = 0;
    } else {
        int64_t until = wait_until(ev, p->refresh_failures++);
        p->contact_err = ev->err;
        if (until > p->contact_not_before_ms)
            p->contact_not_before_ms = until;
    }
}

/* It is nobody's failure. */
static void end_transfers(struct plan *p, int64_t now_ms)
{
    for (uint32_t i = 0; i < p->used; i++) {
        struct plan_job *j = &p->jobs[i];
        if (j->state == PLAN_FETCHING)
            plan_move(j, PLAN_QUEUED, now_ms);
        else if (j->state == PLAN_UPLOADING)
            plan_move(j, PLAN_FINISHED, now_ms);
    }
}

static void on_owner(struct plan *p, const struct plan_event *ev)
{
    if (ev->kind == PLAN_HALT || p->mode == PLAN_HALTING) {
        p->mode = PLAN_HALTING;
    } else if (ev->kind == PLAN_PAUSE) {
        p->paused = true;
        p->pause_until_ms = ev->until_ms;
    } else if (ev->kind == PLAN_RESUME) {
        p->paused = false;
        if (p->mode == PLAN_FINISHING)
            p->mode = PLAN_WORKING;
    } else if (ev->kind == PLAN_FINISH && p->mode == PLAN_WORKING) {
        p->mode = PLAN_FINISHING;
        p->paused = false; /* what is paused cannot finish */
    } else if (ev->kind == PLAN_LEAVE) {
        p->mode = PLAN_LEAVING;
        p->contact_not_before_ms = 0;
        p->contact_failures = 0;
    }
}

void plan_step(struct plan *p, const struct plan_event *ev, struct plan_actions *ret)
{
    ret->count = 0;
    switch (ev->kind) {
    case PLAN_TICK:
        break;
    case PLAN_LEASED:
    case PLAN_RESTORED:
        plan_add(p, ev);
        break;
    case PLAN_HEARD:
        heard(p);
        break;
    case PLAN_CONTACTED:
        heard(p);
        contacted(p, ev);
        break;
    case PLAN_CONTACT_FAILED:
        contact_failed(p, ev);
        break;
    case PLAN_REFRESHED:
    case PLAN_REFRESH_FAILED:
        refreshed(p, ev);
        break;
    case PLAN_DOUBTED:
        p->refresh_wanted = p->refresh_wanted || plan_may_refresh(p, ev->now_ms);
        break;
    case PLAN_POLICY:
        p->cores_now = ev->cores < p->settings.cores ? ev->cores : p->settings.cores;
        if (ev->offline && !p->offline)
            end_transfers(p, ev->now_ms);
        p->offline = ev->offline;
        break;
    case PLAN_SHARE:
        p->cores_given = ev->cores;
        p->part = ev->part;
        p->memory_given = ev->memory_bytes;
        break;
    case PLAN_SETTINGS:
        p->settings = *ev->settings;
        p->waits_wrong = p->waiting;
        break;
    case PLAN_PAUSE:
    case PLAN_RESUME:
    case PLAN_FINISH:
    case PLAN_LEAVE:
    case PLAN_HALT:
        on_owner(p, ev);
        break;
    default:
        assert(ev->job < p->used && p->jobs[ev->job].state != PLAN_NONE);
        on_job(p, &p->jobs[ev->job], ev);
    }
    plan_decide(p, ev->now_ms, ret);
}
