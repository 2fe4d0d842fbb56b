/* test_plan_house.c - many days of one host, from a seed: a network that fails, a server that is busy,
 * recalls and forgets, an owner who pauses, a daemon that is killed. What must never happen is checked at
 * each step; when the trouble ends, everything that was taken on is handed over within a bound. */
#include "lib/t.h"

#include <stdlib.h>

#include "base/limits.h"
#include "client/plan/plan.h"

#define SECOND_MS  1000
#define HOUR_MS    (3600 * SECOND_MS)
#define TROUBLE_MS (72ll * HOUR_MS)
#define AFTER_MS   (6ll * HOUR_MS)

enum { SEEDS = 100, CORES = 3, UNITS = 400, STEPS_AT_ONCE_MAX = 500 };

enum under_way { IDLE, FETCH, RUN, STOPPED_RUN, UPLOAD };

struct place {
    bool taken, has_outcome, uploads;
    enum under_way what;
    int64_t end_ms, deadline_ms;
};

struct house {
    struct plan p;
    struct place places[PLAN_JOBS_MAX];
    uint64_t seed;
    int64_t now_ms, wake_ms, trouble_until_ms, not_before_ms;
    int64_t contact_end_ms, refresh_end_ms; /* 0: none under way */
    bool paused, exited;
    uint32_t units_left, leased, settled, restarts, contacts, waits, hang_ups, steps_at_once;
    struct plan_action contact;
};

static uint64_t roll(struct house *h, uint64_t below)
{
    h->seed ^= h->seed << 13;
    h->seed ^= h->seed >> 7;
    h->seed ^= h->seed << 17;
    return h->seed % below;
}

static bool trouble(struct house *h, uint64_t one_in)
{
    return h->now_ms < h->trouble_until_ms && roll(h, one_in) == 0;
}

static uint32_t busy(const struct house *h, enum under_way what)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
        n += h->places[i].taken && h->places[i].what == what;
    return n;
}

static void begin(struct house *h, uint32_t job, enum under_way what, int64_t most_ms)
{
    struct place *x = &h->places[job];
    assert_true(x->taken && x->what == IDLE);
    assert_int_equal(x->has_outcome, what == UPLOAD);
    x->what = what;
    x->end_ms = h->now_ms + 1 + (int64_t)roll(h, (uint64_t)most_ms);
    assert_true(busy(h, FETCH) <= PLAN_FETCHES_MAX && busy(h, UPLOAD) <= PLAN_UPLOADS_MAX);
    assert_true(busy(h, RUN) + busy(h, STOPPED_RUN) <= CORES);
}

static void do_action(struct house *h, const struct plan_action *a)
{
    struct place *x = &h->places[a->job];
    switch (a->kind) {
    case PLAN_DO_CONTACT:
        assert_true(!h->contact_end_ms && !h->refresh_end_ms && !h->exited);
        assert_true(h->now_ms >= h->not_before_ms);
        h->contact = *a;
        h->contacts++;
        h->waits += a->wait_ms > 0;
        h->contact_end_ms = h->now_ms + 1 + (int64_t)roll(h, a->wait_ms ? a->wait_ms : 5 * SECOND_MS);
        break;
    case PLAN_DO_HANG_UP:
        assert_true(h->contact_end_ms && h->contact.wait_ms > 0);
        h->contact_end_ms = 0;
        h->hang_ups++;
        break;
    case PLAN_DO_REFRESH:
        assert_true(!h->contact_end_ms && !h->refresh_end_ms);
        h->refresh_end_ms = h->now_ms + 1 + (int64_t)roll(h, 5 * SECOND_MS);
        break;
    case PLAN_DO_FETCH:
        assert_false(h->paused);
        begin(h, a->job, FETCH, 20 * SECOND_MS);
        break;
    case PLAN_DO_RUN:
        assert_false(h->paused);
        begin(h, a->job, RUN, HOUR_MS);
        break;
    case PLAN_DO_STOP:
        assert_int_equal(x->what, RUN);
        x->what = STOPPED_RUN;
        x->end_ms = h->now_ms + 50;
        break;
    case PLAN_DO_GIVE_UP:
        assert_true(x->taken && !x->has_outcome && x->what != RUN && a->word);
        x->what = IDLE;
        x->has_outcome = true;
        break;
    case PLAN_DO_FORGET:
        assert_true(x->taken && x->what != RUN);
        *x = (struct place){0};
        h->settled++;
        break;
    case PLAN_DO_UPLOAD:
        assert_true(x->uploads);
        begin(h, a->job, UPLOAD, 60 * SECOND_MS);
        break;
    case PLAN_DO_EXIT:
        h->exited = true;
        break;
    default:
        break;
    }
}

static void tell(struct house *h, struct plan_event ev)
{
    struct plan_actions out;
    ev.now_ms = h->now_ms;
    ev.random = roll(h, UINT64_MAX);
    plan_step(&h->p, &ev, &out);
    assert_true(out.count <= PLAN_ACTIONS_MAX);
    h->wake_ms = out.wake_ms;
    for (uint32_t i = 0; i < out.count; i++)
        do_action(h, &out.list[i]);
    assert_true(++h->steps_at_once < STEPS_AT_ONCE_MAX); /* it does not turn in a circle */
}

/* --- the world */

static void end_job(struct house *h, uint32_t job)
{
    struct place *x = &h->places[job];
    enum under_way what = x->what;
    struct plan_event ev = {.job = job, .err = ERR_UNREACHABLE};
    x->what = IDLE;
    if (what == FETCH) {
        ev.kind = trouble(h, 3) ? PLAN_FETCH_FAILED : PLAN_FETCHED;
        ev.seconds = 1800;
    } else if (what == RUN && trouble(h, 20)) {
        ev.kind = PLAN_START_PUT_OFF;
        ev.err = roll(h, 2) ? ERR_CORRUPT : ERR_FULL;
    } else if (what == UPLOAD) {
        ev.kind = trouble(h, 2) ? PLAN_UPLOAD_FAILED : PLAN_UPLOADED;
        ev.retry_after_ms = (int64_t)roll(h, 3) * SECOND_MS;
    } else {
        ev.kind = PLAN_ENDED;
        ev.ran_ms = 1000;
        ev.uploads = what == RUN && roll(h, 2);
        x->has_outcome = what == RUN;
        x->uploads = ev.uploads;
    }
    tell(h, ev);
}

static void give(struct house *h)
{
    uint32_t n = h->contact.want_units ? (uint32_t)roll(h, 8) : 0;
    uint32_t wanted = h->contact.want_units;
    for (uint32_t i = 0; i < n && i < wanted && h->units_left > 0; i++) {
        uint32_t job = plan_place(&h->p);
        if (job == PLAN_JOBS_MAX)
            return;
        int64_t deadline_ms = h->now_ms + 4 * HOUR_MS;
        h->units_left--;
        h->leased++;
        h->places[job] = (struct place){.taken = true, .deadline_ms = deadline_ms};
        tell(h, (struct plan_event){.kind = PLAN_LEASED, .job = job, .deadline_ms = deadline_ms});
    }
}

static void reply(struct house *h)
{
    tell(h, (struct plan_event){.kind = PLAN_HEARD});
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        const struct plan_job *j = &h->p.jobs[i];
        if (!h->places[i].taken)
            continue;
        if (j->state == PLAN_REPORTABLE && j->not_before_ms <= h->now_ms) {
            assert_true(h->places[i].has_outcome);
            enum err e = trouble(h, 4)                           ? ERR_BUSY
                         : h->places[i].uploads && trouble(h, 6) ? ERR_MISSING
                         : trouble(h, 6)                         ? ERR_STALE
                                                                 : ERR_OK;
            tell(h, (struct plan_event){.kind = PLAN_ACKED, .job = i, .err = e});
        } else if (trouble(h, 30)) {
            tell(h, (struct plan_event){.kind = PLAN_RECALLED, .job = i});
        } else if (plan_wants_renewal(j, h->now_ms) && roll(h, 2)) {
            tell(h,
                 (struct plan_event){.kind = PLAN_RENEWED, .job = i, .deadline_ms = h->now_ms + 4 * HOUR_MS});
        }
    }
    give(h);
    if (trouble(h, 20))
        tell(h, (struct plan_event){.kind = PLAN_DOUBTED});
    tell(h, (struct plan_event){.kind = PLAN_CONTACTED,
                                .next_contact_ms = (int64_t)roll(h, 60) * SECOND_MS,
                                .wait_ms = roll(h, 2) ? 30 * SECOND_MS : 0});
}

static void end_contact(struct house *h)
{
    static const enum err errors[] = {ERR_UNREACHABLE, ERR_BUSY, ERR_TIMEOUT, ERR_IO, ERR_UNTRUSTED};
    h->contact_end_ms = 0;
    if (!trouble(h, 3)) {
        reply(h);
        return;
    }
    struct plan_event ev = {.kind = PLAN_CONTACT_FAILED, .err = errors[roll(h, 5)]};
    if (ev.err == ERR_BUSY)
        ev.retry_after_ms = (int64_t)roll(h, 120) * SECOND_MS;
    h->not_before_ms = h->now_ms + ev.retry_after_ms;
    tell(h, ev);
}

static void end_refresh(struct house *h)
{
    h->refresh_end_ms = 0;
    tell(h, (struct plan_event){.kind = trouble(h, 2) ? PLAN_REFRESH_FAILED : PLAN_REFRESHED,
                                .err = ERR_UNREACHABLE});
}

static void start_daemon(struct house *h)
{
    static const struct plan_settings settings = {.cores = CORES,
                                                  .buffer_ms = HOUR_MS,
                                                  .report_ms = 60 * SECOND_MS,
                                                  .heartbeat_ms = HOUR_MS / 2,
                                                  .refresh_ms = 24 * HOUR_MS};
    plan_init(&h->p, &settings);
    h->contact_end_ms = h->refresh_end_ms = 0;
    h->not_before_ms = 0;
    h->paused = false;
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        struct place *x = &h->places[i];
        if (!x->taken)
            continue;
        x->what = IDLE;
        struct plan_event ev = {.kind = x->has_outcome ? PLAN_RESTORED : PLAN_LEASED,
                                .job = i,
                                .now_ms = h->now_ms,
                                .deadline_ms = x->deadline_ms,
                                .uploads = x->uploads};
        plan_add(&h->p, &ev);
    }
    tell(h, (struct plan_event){.kind = PLAN_TICK});
}

static void disturb(struct house *h)
{
    if (trouble(h, 40)) {
        h->paused = !h->paused;
        tell(h, (struct plan_event){.kind = h->paused ? PLAN_PAUSE : PLAN_RESUME});
    } else if (trouble(h, 300)) {
        h->restarts++;
        start_daemon(h);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a && a < b ? a : b;
}

/* To the next moment at which something happens. */
static void advance(struct house *h)
{
    int64_t next_ms = sooner(h->contact_end_ms, sooner(h->refresh_end_ms, h->wake_ms));
    for (uint32_t i = 0; i < h->p.used; i++)
        if (h->places[i].what != IDLE && (!h->paused || h->places[i].what != RUN))
            next_ms = sooner(h->places[i].end_ms, next_ms);
    if (next_ms == INT64_MAX)
        next_ms = h->now_ms + HOUR_MS;
    if (next_ms > h->now_ms) {
        h->now_ms = next_ms;
        h->steps_at_once = 0;
    }
}

static void turn(struct house *h)
{
    advance(h);
    if (h->contact_end_ms && h->now_ms >= h->contact_end_ms)
        end_contact(h);
    if (h->refresh_end_ms && h->now_ms >= h->refresh_end_ms)
        end_refresh(h);
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
        if (h->places[i].what != IDLE && (!h->paused || h->places[i].what != RUN) &&
            h->now_ms >= h->places[i].end_ms)
            end_job(h, i);
    if (h->now_ms >= h->wake_ms)
        tell(h, (struct plan_event){.kind = PLAN_TICK});
    disturb(h);
}

static void live(struct house *h, uint64_t seed)
{
    *h = (struct house){.seed = seed * 0x9E3779B97F4A7C15ull + 1, .units_left = UNITS, .now_ms = 5000};
    h->trouble_until_ms = h->now_ms + TROUBLE_MS;
    start_daemon(h);
    while (h->now_ms < h->trouble_until_ms)
        turn(h);
    h->units_left = 0;
    h->paused = false;
    tell(h, (struct plan_event){.kind = PLAN_RESUME});
    int64_t until_ms = h->now_ms + AFTER_MS;
    while (h->settled < h->leased && h->now_ms < until_ms)
        turn(h);
}

static void whatever_happens_all_that_was_taken_on_is_handed_over(void **state)
{
    (void)state;
    struct house *h = calloc(1, sizeof *h);
    uint32_t restarts = 0, leased = 0, waits = 0, hang_ups = 0;
    assert_non_null(h);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        live(h, seed);
        if (h->settled != h->leased)
            fail_msg("seed %llu: %u attempts taken on, %u settled", (unsigned long long)seed, h->leased,
                     h->settled);
        assert_int_equal(h->p.used, 0);
        assert_int_equal(busy(h, IDLE) + busy(h, RUN), 0);
        tell(h, (struct plan_event){.kind = PLAN_FINISH});
        while (!h->exited && (h->contact_end_ms || h->refresh_end_ms))
            turn(h);
        assert_true(h->exited);
        restarts += h->restarts;
        leased += h->leased;
        waits += h->waits;
        hang_ups += h->hang_ups;
    }
    print_message("%u attempts, %u restarts, %u waits at the server, %u given up\n", leased, restarts, waits,
                  hang_ups);
    assert_true(waits > SEEDS && hang_ups > SEEDS / 10 && hang_ups < waits);
    assert_true(restarts > SEEDS && leased > SEEDS * 50);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_all_that_was_taken_on_is_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
