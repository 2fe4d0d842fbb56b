/* act_policy.c - what the PC and its owner let us do, looked at every second while something runs */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "client/act_in.h"
#include "client/schedule.h"

enum { BUSY_MS = 1000, IDLE_MS = 10000 };

enum err act_policy_init(struct act *a)
{
    const struct settings *s = a->settings;
    struct policy_settings *p = &a->policy_settings;
    *p = (struct policy_settings){.cores = a->host.cores,
                                  .in_use = {s->cores_in_use, s->load_in_use},
                                  .away = {s->cores_away, s->load_away},
                                  .away_after_ms = s->away_after_ms,
                                  .grace_ms = s->grace_ms,
                                  .on_battery = s->on_battery,
                                  .memory_free_min = s->memory_free_min,
                                  .temperature_max_c = s->temperature_max_c};
    enum err e = schedule_parse(s->schedule, p->windows, &p->window_count);
    if (e != ERR_OK)
        return err_prefix(e, "client.conf: schedule");
    a->verdict.cores = a->host.cores;
    return sense_new(s->exclusive, &a->sense);
}

static int64_t own_cpu_ms(const struct act *a)
{
    int64_t sum = a->ended_cpu_ms;
    for (uint32_t i = 0; i < a->plan.used; i++)
        if (a->jobs[i] && a->jobs[i]->run)
            sum += run_usage(a->jobs[i]->run)->cpu_ms;
    return sum;
}

static void tell(struct act *a, uint32_t cores)
{
    char why[160];
    policy_text(&a->policy, &a->verdict, &a->sample, why, sizeof why);
    log_event(LOG_INFO, "policy", "cores", log_i64(cores), "why", *why ? why : "nothing disturbs", NULL);
    act_tell(a, (struct plan_event){.kind = PLAN_POLICY, .cores = cores});
}

void act_policy_look(struct act *a)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms < a->sense_due_ms)
        return;
    sense_take(a->sense, own_cpu_ms(a), &a->sample);
    policy_step(&a->policy, &a->policy_settings, &a->sample, &a->verdict);
    a->sense_due_ms = now_ms + (a->plan.used > 0 ? BUSY_MS : IDLE_MS);
    if (a->verdict.look_again_ms < a->sense_due_ms)
        a->sense_due_ms = a->verdict.look_again_ms;
    if (a->verdict.cores != a->plan.cores_now)
        tell(a, a->verdict.cores);
}
