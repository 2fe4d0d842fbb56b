#include "client/plan/policy.h"

#include <stdio.h>

enum {
    LOAD_LASTS_MS = 10000, /* a short burst of others is no reason to stop */
};
#define LOAD_BACK 0.6 /* of load_max: below it others leave room again */

const char *policy_reason_word(enum policy_reason r)
{
    static const char *const words[] = {
#define X(name, word) word,
        POLICY_REASON_LIST(X)
#undef X
    };
    return words[r];
}

static bool is_in_window(const struct policy_settings *s, uint16_t minute)
{
    for (uint32_t i = 0; i < s->window_count; i++) {
        const struct policy_window *w = &s->windows[i];
        bool over_end = w->until <= w->from;
        if (over_end ? minute >= w->from || minute < w->until : minute >= w->from && minute < w->until)
            return true;
    }
    return s->window_count == 0;
}

static bool is_in_use(const struct policy_settings *s, const struct policy_sample *m)
{
    return m->input_ms_ago >= 0 && m->input_ms_ago < s->away_after_ms;
}

/* Others use too much, and not only for a moment. */
static bool is_loaded(struct policy *p, const struct policy_profile *profile, const struct policy_sample *m)
{
    double most = profile->load_max * (p->stopped && p->because == POLICY_LOAD ? LOAD_BACK : 1.0);
    if (profile->load_max <= 0 || m->others_load < 0 || m->others_load <= most) {
        p->load_since_ms = 0;
        return false;
    }
    if (p->stopped && p->because == POLICY_LOAD)
        return true;
    if (p->load_since_ms == 0)
        p->load_since_ms = m->now_ms;
    return m->now_ms - p->load_since_ms >= LOAD_LASTS_MS;
}

static enum policy_reason look(struct policy *p, const struct policy_settings *s,
                               const struct policy_sample *m, const struct policy_profile *profile,
                               bool in_use)
{
    bool loaded = is_loaded(p, profile, m);
    if (!is_in_window(s, m->week_minute))
        return POLICY_SCHEDULE;
    if (m->exclusive)
        return POLICY_EXCLUSIVE;
    if (m->on_battery && !s->on_battery)
        return POLICY_BATTERY;
    if (s->temperature_max_c > 0 && m->temperature_c > s->temperature_max_c)
        return POLICY_TEMPERATURE;
    if (m->memory_free < s->memory_free_min)
        return POLICY_MEMORY;
    if (s->pressure_max > 0 && m->pressure > s->pressure_max)
        return POLICY_PRESSURE;
    if (m->disk_free < s->disk_free_min)
        return POLICY_DISK;
    if (profile->cores_share <= 0)
        return in_use ? POLICY_IN_USE : POLICY_SCHEDULE;
    return loaded ? POLICY_LOAD : POLICY_NONE;
}

/* At least one where any is allowed: a share of two cores is not none. */
static uint32_t cores_of(const struct policy_settings *s, const struct policy_profile *profile)
{
    double cores = (double)s->cores * profile->cores_share;
    if (profile->cores_share <= 0)
        return 0;
    if (s->smooth)
        cores += 0.999;
    return cores < 1 ? 1 : cores >= (double)s->cores ? s->cores : (uint32_t)cores;
}

static enum policy_network look_at_network(const struct policy_settings *s, const struct policy_sample *m)
{
    if (m->metered && !s->on_metered)
        return POLICY_NETWORK_METERED;
    if (s->moved_day_max && m->moved_day >= s->moved_day_max)
        return POLICY_NETWORK_DAY;
    if (s->moved_month_max && m->moved_month >= s->moved_month_max)
        return POLICY_NETWORK_MONTH;
    return POLICY_NETWORK_FREE;
}

const char *policy_network_text(enum policy_network n)
{
    static const char *const texts[] = {
        [POLICY_NETWORK_FREE] = "",
        [POLICY_NETWORK_METERED] = "this network costs by the byte",
        [POLICY_NETWORK_DAY] = "today's bytes are used up",
        [POLICY_NETWORK_MONTH] = "this month's bytes are used up",
    };
    return texts[n];
}

void policy_step(struct policy *p, const struct policy_settings *s, const struct policy_sample *m,
                 struct policy_verdict *ret)
{
    bool in_use = is_in_use(s, m);
    const struct policy_profile *profile = in_use ? &s->in_use : &s->away;
    enum policy_reason reason = look(p, s, m, profile, in_use);
    *ret = (struct policy_verdict){.in_use = in_use,
                                   .look_again_ms = INT64_MAX,
                                   .memory_short = reason == POLICY_MEMORY || reason == POLICY_PRESSURE,
                                   .network = look_at_network(s, m)};
    if (!p->began) { /* no grace at the start: nothing was disturbed yet */
        p->began = true;
        p->calm_since_ms = m->now_ms - s->grace_ms;
    }
    if (reason != POLICY_NONE) {
        p->stopped = true;
        p->because = reason;
        p->calm_since_ms = 0;
        ret->reason = reason;
        return;
    }
    if (p->calm_since_ms == 0)
        p->calm_since_ms = m->now_ms;
    /* The time of day is no disturbance: work begins with its window. */
    if (p->stopped && p->because != POLICY_SCHEDULE && m->now_ms - p->calm_since_ms < s->grace_ms) {
        ret->reason = POLICY_GRACE;
        ret->look_again_ms = p->calm_since_ms + s->grace_ms;
        return;
    }
    p->stopped = false;
    ret->cores = cores_of(s, profile);
    double share = (double)s->cores * profile->cores_share;
    ret->share = s->smooth && share < (double)ret->cores ? share : (double)ret->cores;
}

static const char *because(const struct policy_sample *m, enum policy_reason r)
{
    static const char *const texts[POLICY_REASONS] = {
        [POLICY_NONE] = "",
        [POLICY_SCHEDULE] = "it is not the time for it",
        [POLICY_BATTERY] = "on battery",
        [POLICY_TEMPERATURE] = "too warm",
        [POLICY_MEMORY] = "memory is short",
        [POLICY_PRESSURE] = "other programs wait for memory",
        [POLICY_DISK] = "the disk is nearly full",
        [POLICY_IN_USE] = "somebody uses the PC",
        [POLICY_LOAD] = "other programs need the processor",
    };
    return r == POLICY_EXCLUSIVE ? (m->exclusive ? m->exclusive : "a program that wants the PC alone")
           : texts[r]            ? texts[r]
                                 : "";
}

void policy_text(const struct policy *p, const struct policy_verdict *v, const struct policy_sample *m,
                 char *ret, uint32_t room)
{
    if (v->reason == POLICY_GRACE)
        snprintf(ret, room, "goes on soon: until a moment ago %s%s", because(m, p->because),
                 p->because == POLICY_EXCLUSIVE ? " ran" : "");
    else if (v->reason == POLICY_TEMPERATURE)
        snprintf(ret, room, "too warm: %.0f degrees", m->temperature_c);
    else if (v->reason == POLICY_DISK)
        snprintf(ret, room,
                 "the disk is nearly full: it has %llu MiB left (disk_free_min says how many there must be)",
                 (unsigned long long)(m->disk_free >> 20));
    else if (v->reason == POLICY_LOAD)
        snprintf(ret, room, "other programs use %.0f %% of the processor", m->others_load * 100);
    else
        snprintf(ret, room, "%s%s",
                 because(m, v->in_use && v->reason == POLICY_NONE ? POLICY_IN_USE : v->reason),
                 v->reason == POLICY_EXCLUSIVE ? " runs" : "");
}
