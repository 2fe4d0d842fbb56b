/* house_share.c - what the PC and its owner let us do, looked at twice a second while something runs, and how
 * the projects share it */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "client/house_in.h"
#include "client/schedule.h"

enum { BUSY_MS = 500, IDLE_MS = 10000 }; /* input is to stop work within a second */

enum err house_policy_init(struct house *h)
{
    const struct settings *s = &h->common.settings;
    struct policy_settings p = {.cores = h->common.host.cores,
                                .in_use = {s->cores_in_use, s->load_in_use},
                                .away = {s->cores_away, s->load_away},
                                .away_after_ms = s->away_after_ms,
                                .grace_ms = s->grace_ms,
                                .on_battery = s->on_battery,
                                .memory_free_min = s->memory_free_min,
                                .disk_free_min = s->disk_free_min,
                                .pressure_max = s->pressure_max,
                                .on_metered = s->on_metered,
                                .moved_day_max = s->network_bytes_day,
                                .moved_month_max = s->network_bytes_month,
                                .temperature_max_c = s->temperature_max_c};
    struct sense *sense = NULL;
    enum err e = schedule_parse(s->schedule, p.windows, &p.window_count);
    if (e != ERR_OK)
        return err_prefix(e, "client.conf: schedule");
    p.smooth = run_groups_cpu(h->common.groups, 0);
    struct sense_settings look = {.exclusive = s->exclusive, .folder = h->folder, .metered = s->metered};
    if ((e = sense_new(&look, &sense)) != ERR_OK)
        return e;
    sense_free(h->sense);
    h->sense = sense;
    h->sample = (struct policy_sample){0}; /* it may point into the former */
    h->policy_settings = p;
    h->verdict.cores = h->verdict.cores < p.cores && h->sense_due_ms ? h->verdict.cores : p.cores;
    h->sense_due_ms = 0;
    for (uint32_t i = 0; i < h->member_count; i++)
        h->members[i].weight = settings_share(s, act_project_name(h->members[i].act));
    return ERR_OK;
}

static int64_t own_cpu_ms(const struct house *h)
{
    int64_t sum = h->gone_cpu_ms;
    for (uint32_t i = 0; i < h->member_count; i++)
        sum += act_cpu_ms(h->members[i].act);
    return sum;
}

static bool is_idle(const struct house *h)
{
    for (uint32_t i = 0; i < h->member_count; i++)
        if (!act_is_idle(h->members[i].act))
            return false;
    return true;
}

/* Since the day and the month began where this computer is. */
static void count_moved(struct house *h)
{
    int64_t now_ms = clock_wall_ms();
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm = {0};
    uint64_t moved = net_moved_bytes(h->common.net);
    tally_add_moved(h->tally, now_ms, moved - h->moved_bytes);
    h->moved_bytes = moved;
    localtime_r(&now, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    h->sample.moved_day = tally_moved_since(h->tally, (int64_t)mktime(&tm) * 1000);
    tm.tm_mday = 1;
    tm.tm_isdst = -1;
    h->sample.moved_month = tally_moved_since(h->tally, (int64_t)mktime(&tm) * 1000);
}

void house_policy_look(struct house *h)
{
    int64_t now_ms = clock_mono_ms();
    uint32_t before = h->verdict.cores;
    enum policy_network network = h->verdict.network;
    double share = h->verdict.share;
    char why[160];
    /* What has begun since the last look is looked after as often as anything that runs. */
    if (now_ms < h->sense_due_ms && (h->sense_due_ms - now_ms <= BUSY_MS || is_idle(h)))
        return;
    sense_take(h->sense, own_cpu_ms(h), &h->sample);
    count_moved(h);
    policy_step(&h->policy, &h->policy_settings, &h->sample, &h->verdict);
    h->sense_due_ms = now_ms + (is_idle(h) ? IDLE_MS : BUSY_MS);
    if (h->verdict.look_again_ms < h->sense_due_ms)
        h->sense_due_ms = h->verdict.look_again_ms;
    if (h->policy_settings.smooth && h->verdict.share > 0 &&
        (h->verdict.share < share || h->verdict.share > share))
        (void)run_groups_cpu(h->common.groups, h->verdict.share);
    if (h->verdict.network != network)
        log_event(LOG_INFO, "network", "why",
                  h->verdict.network ? policy_network_text(h->verdict.network) : "may be used", NULL);
    if (h->verdict.cores == before)
        return;
    policy_text(&h->policy, &h->verdict, &h->sample, why, sizeof why);
    log_event(LOG_INFO, "policy", "cores", log_i64(h->verdict.cores), "why", *why ? why : "nothing disturbs",
              NULL);
}

/* What each has used since the last turn. */
static void count_use(struct house *h, struct share_project *p)
{
    for (uint32_t i = 0; i < h->member_count; i++) {
        struct member *m = &h->members[i];
        int64_t cpu_ms = act_cpu_ms(m->act);
        p[i].weight = m->weight;
        p[i].used_s = m->used_s + (double)(cpu_ms - m->cpu_ms) / 1000;
        m->cpu_ms = cpu_ms;
    }
    share_settle(p, h->member_count);
    for (uint32_t i = 0; i < h->member_count; i++)
        h->members[i].used_s = p[i].used_s;
}

static uint32_t cores_of(const struct house *h, double part)
{
    double cores = part * (double)h->verdict.cores;
    return cores < 1 ? 1 : (uint32_t)cores;
}

void house_share(struct house *h)
{
    struct share_project p[HOUSE_PROJECTS_MAX] = {0};
    uint32_t cores[HOUSE_PROJECTS_MAX] = {0}, n = h->member_count;
    uint64_t memory = 0, limit = h->common.host.memory_bytes;
    double weights = 0;
    char why[160];
    policy_text(&h->policy, &h->verdict, &h->sample, why, sizeof why);
    for (uint32_t i = 0; i < n; i++) {
        weights += h->members[i].weight;
        memory += act_memory_used(h->members[i].act);
    }
    for (uint32_t i = 0; n > 1 && i < n; i++)
        act_demand(h->members[i].act, cores_of(h, h->members[i].weight / weights), &p[i]);
    count_use(h, p);
    share_cores(p, n, h->verdict.cores, cores);
    for (uint32_t i = 0; i < n; i++) {
        struct act *a = h->members[i].act;
        uint64_t others = memory - act_memory_used(a);
        act_allow(a, &(struct act_allowance){.cores = h->verdict.cores,
                                             .cores_given = n == 1 ? h->common.host.cores : cores[i],
                                             .part = h->members[i].weight / weights,
                                             .memory_bytes = others < limit ? limit - others : 1,
                                             .why = why,
                                             .offline = policy_network_text(h->verdict.network),
                                             .memory_short = h->verdict.memory_short});
    }
}
