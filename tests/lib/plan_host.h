/* plan_host.h - one host of client/plan, its clock, and what the last step said to do: tests tell it events
 * and look at the actions. */
#ifndef TESTS_LIB_PLAN_HOST_H
#define TESTS_LIB_PLAN_HOST_H

#include <string.h>

#include "client/plan/plan.h"
#include "lib/t.h"

#define MINUTE_MS 60000
#define HOUR_MS   (60 * MINUTE_MS)

static const struct plan_settings usual = {.cores = 2,
                                           .buffer_ms = 10 * MINUTE_MS,
                                           .report_ms = MINUTE_MS,
                                           .heartbeat_ms = 30 * MINUTE_MS,
                                           .refresh_ms = 24 * HOUR_MS};

struct house {
    struct plan p;
    struct plan_actions out;
    int64_t now_ms;
};

static struct house h;

static inline void move_in(const struct plan_settings *settings)
{
    plan_init(&h.p, settings);
    h.out = (struct plan_actions){0};
    h.now_ms = 1000000;
    h.p.refreshed_ms = h.now_ms;
}

static inline void tell(struct plan_event ev)
{
    ev.now_ms = h.now_ms;
    plan_step(&h.p, &ev, &h.out);
}

static inline void tick_after(int64_t ms)
{
    h.now_ms += ms;
    tell((struct plan_event){.kind = PLAN_TICK});
}

static inline uint32_t said(enum plan_action_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h.out.count; i++)
        n += h.out.list[i].kind == kind;
    return n;
}

static inline const struct plan_action *action(enum plan_action_kind kind)
{
    for (uint32_t i = 0; i < h.out.count; i++)
        if (h.out.list[i].kind == kind)
            return &h.out.list[i];
    fail_msg("no action of kind %d", (int)kind);
    return NULL;
}

static inline void lease(uint32_t job, int64_t deadline_ms)
{
    tell((struct plan_event){.kind = PLAN_LEASED, .job = job, .deadline_ms = deadline_ms});
}

static inline void fetched(uint32_t job, double seconds, uint64_t memory_bytes)
{
    tell((struct plan_event){
        .kind = PLAN_FETCHED, .job = job, .seconds = seconds, .memory_bytes = memory_bytes});
}

static inline void ended(uint32_t job, bool uploads)
{
    tell((struct plan_event){.kind = PLAN_ENDED, .job = job, .uploads = uploads, .ran_ms = 5000});
}

static inline void acked(uint32_t job, enum err err)
{
    tell((struct plan_event){.kind = PLAN_ACKED, .job = job, .err = err});
}

static inline void contacted(int64_t next_contact_ms)
{
    tell((struct plan_event){.kind = PLAN_CONTACTED, .next_contact_ms = next_contact_ms});
}

/* Has asked, and been told to come again in an hour. */
static inline void move_in_and_ask(const struct plan_settings *settings)
{
    move_in(settings);
    tick_after(0);
    assert_int_equal(said(PLAN_DO_CONTACT), 1);
    contacted(HOUR_MS);
    assert_int_equal(said(PLAN_DO_CONTACT), 0);
}

static inline void lease_and_run(uint32_t job)
{
    lease(job, h.now_ms + 24 * HOUR_MS);
    fetched(job, 400, 0);
    assert_int_equal(h.p.jobs[job].state, PLAN_RUNNING);
}

#endif
