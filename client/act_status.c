/* act_status.c - what the daemon does and why, in one sentence, and in numbers */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "client/act_in.h"

enum { RUNNING_SHOWN_MAX = 64, TEXT_ROOM = 640 };

struct counts {
    uint32_t waiting, fetching, running, reporting;
};

static struct counts count(const struct plan *p)
{
    return (struct counts){.waiting = plan_count(p, PLAN_QUEUED) + plan_count(p, PLAN_READY),
                           .fetching = plan_count(p, PLAN_FETCHING),
                           .running = plan_count(p, PLAN_RUNNING) + plan_count(p, PLAN_STOPPING),
                           .reporting = plan_count(p, PLAN_FINISHED) + plan_count(p, PLAN_UPLOADING) +
                                        plan_count(p, PLAN_REPORTABLE)};
}

static void in_text(int64_t until_ms, int64_t now_ms, char *ret, size_t room)
{
    str_from_duration_ms(until_ms > now_ms ? (until_ms - now_ms + 999) / 1000 * 1000 : 1000, ret, room);
}

static const char *state_word(const struct act *a, const struct counts *c)
{
    const struct plan *p = &a->plan;
    return p->mode == PLAN_LEAVING     ? "leaving"
           : p->paused                 ? "paused"
           : p->cores_now == 0         ? "waiting_for_owner"
           : p->mode == PLAN_FINISHING ? "finishing"
           : c->running > 0            ? "running"
           : c->fetching > 0           ? "fetching"
           : p->contact_err != ERR_OK  ? "unreachable"
                                       : "waiting";
}

static void waiting_sentence(const struct act *a, const struct counts *c, int64_t now_ms, char *ret)
{
    const struct plan *p = &a->plan;
    const char *name = a->project->trust.root.project;
    char when[64];
    if (p->contacting || p->refreshing) {
        snprintf(ret, TEXT_ROOM, "Asking %s for work.", name);
    } else if (p->contact_err != ERR_OK) {
        in_text(p->contact_not_before_ms, now_ms, when, sizeof when);
        snprintf(ret, TEXT_ROOM, "Cannot get work from %s: %s; tries again in %s.", name, a->problem, when);
    } else if (c->waiting > 0) {
        snprintf(ret, TEXT_ROOM, "Has %u work units that cannot begin yet%s%s.", c->waiting,
                 *a->problem ? ": " : "", a->problem);
    } else {
        in_text(p->ask_ms, now_ms, when, sizeof when);
        snprintf(ret, TEXT_ROOM, "Waiting for work from %s%s%s; asks again in %s.", name,
                 *a->reason ? ": " : "", a->reason, when);
    }
}

static void sentence(const struct act *a, const struct counts *c, int64_t now_ms, char *ret)
{
    const struct plan *p = &a->plan;
    const char *name = a->project->trust.root.project;
    char when[64] = "";
    if (p->mode == PLAN_LEAVING) {
        snprintf(ret, TEXT_ROOM, "Leaving %s: gives back what it has.", name);
    } else if (p->paused) {
        if (p->pause_until_ms)
            in_text(p->pause_until_ms, now_ms, when, sizeof when);
        snprintf(ret, TEXT_ROOM, "Paused by the owner%s%s; %u work units wait.",
                 p->pause_until_ms ? " for another " : " until resumed", when,
                 c->waiting + c->running + c->fetching);
    } else if (p->cores_now == 0) {
        char why[160];
        policy_text(&a->policy, &a->verdict, &a->sample, why, sizeof why);
        snprintf(ret, TEXT_ROOM, "Stands still: %s; %u work units wait.", why,
                 c->waiting + c->running + c->fetching);
    } else if (p->mode == PLAN_FINISHING) {
        snprintf(ret, TEXT_ROOM, "Finishing: %u work units run and %u are to be reported, then it ends.",
                 c->running, c->reporting);
    } else if (c->running > 0) {
        snprintf(ret, TEXT_ROOM, "Running %u work unit%s for %s on %u core%s; %u more in the house.",
                 c->running, c->running == 1 ? "" : "s", name, p->cores_now, p->cores_now == 1 ? "" : "s",
                 c->waiting + c->fetching);
    } else if (c->fetching > 0) {
        snprintf(ret, TEXT_ROOM, "Fetching the files of %u work units for %s.", c->fetching, name);
    } else {
        waiting_sentence(a, c, now_ms, ret);
    }
}

static double read_progress(const struct act *a, const struct job *j)
{
    char folder[ACT_PATH_BYTES];
    act_slot_folder(a, &j->ids.id, folder);
    return slot_progress(folder);
}

static void write_running(struct act *a, struct json_out *o)
{
    uint32_t shown = 0;
    double progress;
    char id[ID_TEXT_BYTES];
    json_out_array(o, "running");
    for (uint32_t i = 0; i < a->plan.used && shown < RUNNING_SHOWN_MAX; i++) {
        const struct job *j = a->jobs[i];
        if (!j || !j->run)
            continue;
        const struct run_usage *u = run_usage(j->run);
        attempt_id_text(j->ids.id.unit, j->ids.id.attempt, id);
        json_out_object(o, NULL);
        json_out_string(o, "attempt", id);
        json_out_string(o, "app", j->app);
        if (j->sdk && (progress = read_progress(a, j)) >= 0)
            json_out_real(o, "progress", progress);
        json_out_i64(o, "cpu_ms", u->cpu_ms);
        json_out_i64(o, "wall_ms", u->wall_ms);
        json_out_u64(o, "memory_bytes", u->memory_bytes);
        json_out_i64(o, "deadline_ms", j->deadline_ms);
        json_out_bool(o, "paused", run_is_paused(j->run));
        json_out_close(o);
        shown++;
    }
    json_out_close(o);
}

enum err act_status(struct act *a, struct buf *out)
{
    struct json_out o;
    char text[TEXT_ROOM];
    struct counts c = count(&a->plan);
    uint64_t memory;
    int64_t cpu_ms;
    host_self(&memory, &cpu_ms);
    sentence(a, &c, clock_mono_ms(), text);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "state", state_word(a, &c));
    json_out_string(&o, "sentence", text);
    json_out_string(&o, "project", a->project->trust.root.project);
    json_out_string(&o, "url", a->project->url);
    json_out_string(&o, "host", a->project->host);
    json_out_string(&o, "volunteer", a->project->volunteer);
    json_out_string(&o, "version", DUGNAD_VERSION);
    json_out_u64(&o, "cores", a->host.cores);
    json_out_u64(&o, "cores_now", a->plan.cores_now);
    json_out_bool(&o, "in_use", a->verdict.in_use);
    json_out_string(&o, "stopped_by", policy_reason_word(a->verdict.reason));
    json_out_u64(&o, "memory_bytes", a->host.memory_bytes);
    write_running(a, &o);
    json_out_u64(&o, "waiting", c.waiting);
    json_out_u64(&o, "fetching", c.fetching);
    json_out_u64(&o, "to_report", c.reporting);
    json_out_u64(&o, "ended_ok", a->ended_ok);
    json_out_u64(&o, "ended_bad", a->ended_bad);
    json_out_string(&o, "problem", a->problem);
    json_out_u64(&o, "cache_bytes", depot_bytes(a->depot));
    json_out_u64(&o, "own_memory_bytes", memory);
    json_out_i64(&o, "own_cpu_ms", cpu_ms);
    json_out_close(&o);
    return json_out_end(&o);
}
