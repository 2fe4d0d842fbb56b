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
           : a->exit                   ? "finished"
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
    if (p->offline) {
        snprintf(ret, TEXT_ROOM, "Leaves the network alone: %s; %u answers wait to be reported.", a->offline,
                 c->reporting);
    } else if (p->waiting) {
        snprintf(ret, TEXT_ROOM, "Waiting for work from %s%s%s; begins as soon as there is some.", name,
                 *a->reason ? ": " : "", a->reason);
    } else if (p->contacting || p->refreshing) {
        snprintf(ret, TEXT_ROOM, "Asking %s for work.", name);
    } else if (p->contact_err == ERR_AUTH) {
        snprintf(ret, TEXT_ROOM,
                 "%s does not know this computer (%s). Tell who runs the project; or leave and join again.",
                 name, a->problem);
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

static uint32_t cores_of(const struct plan *p)
{
    return p->cores_given < p->cores_now ? p->cores_given : p->cores_now;
}

/* Work goes on meanwhile; why its answers are still here stands nowhere else. */
static void add_out_of_reach(const struct act *a, int64_t now_ms, char *ret)
{
    char when[64];
    size_t len = strlen(ret);
    in_text(a->plan.contact_not_before_ms, now_ms, when, sizeof when);
    snprintf(ret + len, TEXT_ROOM - len, " Cannot reach %s to report: %s; tries again in %s.",
             a->project->trust.root.project, a->problem, when);
}

static void sentence(const struct act *a, const struct counts *c, int64_t now_ms, char *ret)
{
    const struct plan *p = &a->plan;
    const char *name = a->project->trust.root.project;
    char when[64] = "";
    if (p->mode == PLAN_LEAVING) {
        snprintf(ret, TEXT_ROOM, "Leaving %s: gives back what it has.", name);
    } else if (a->exit && p->mode == PLAN_FINISHING) {
        snprintf(ret, TEXT_ROOM, "Finished with %s: takes nothing new until resumed.", name);
    } else if (p->paused) {
        if (p->pause_until_ms)
            in_text(p->pause_until_ms, now_ms, when, sizeof when);
        snprintf(ret, TEXT_ROOM, "Paused by the owner%s%s; %u work units wait.",
                 p->pause_until_ms ? " for another " : " until resumed", when,
                 c->waiting + c->running + c->fetching);
    } else if (p->cores_now == 0) {
        snprintf(ret, TEXT_ROOM, "Stands still: %s; %u work units wait.", a->why,
                 c->waiting + c->running + c->fetching);
    } else if (p->mode == PLAN_FINISHING) {
        snprintf(ret, TEXT_ROOM, "Finishing: %u work units run and %u are to be reported, then it ends.",
                 c->running, c->reporting);
    } else if (c->running > 0) {
        snprintf(ret, TEXT_ROOM, "Running %u work unit%s for %s on %u core%s; %u more in the house.",
                 c->running, c->running == 1 ? "" : "s", name, cores_of(p), cores_of(p) == 1 ? "" : "s",
                 c->waiting + c->fetching);
    } else if (c->fetching > 0) {
        snprintf(ret, TEXT_ROOM, "Fetching the files of %u work units for %s.", c->fetching, name);
    } else {
        waiting_sentence(a, c, now_ms, ret);
        return;
    }
    if (p->contact_err != ERR_OK && p->cores_now > 0 && !p->paused && p->mode != PLAN_LEAVING && !a->exit)
        add_out_of_reach(a, now_ms, ret);
}

static double read_progress(const struct act *a, const struct job *j)
{
    char folder[ACT_PATH_BYTES];
    act_slot_folder(a, &j->ids.id, folder);
    return slot_progress(folder);
}

/* By what it has done itself, else by what such units take; -1: not known. */
static int64_t left_ms(const struct act *a, uint32_t place, double progress)
{
    const struct plan_job *p = &a->plan.jobs[place];
    double ran = (double)run_usage(a->jobs[place]->run)->wall_ms, whole = p->seconds * 1000;
    if (progress > 0.01)
        whole = ran / progress;
    else if (whole <= 0)
        whole = a->plan.unit_seconds * 1000;
    return whole <= 0 ? -1 : whole > ran ? (int64_t)(whole - ran) : 0;
}

static void write_run(struct act *a, uint32_t place, struct json_out *o)
{
    const struct job *j = a->jobs[place];
    const struct run_usage *u = run_usage(j->run);
    double progress = j->sdk ? read_progress(a, j) : -1;
    char id[ID_TEXT_BYTES];
    attempt_id_text(j->ids.id.unit, j->ids.id.attempt, id);
    json_out_object(o, NULL);
    json_out_string(o, "attempt", id);
    json_out_string(o, "app", j->app);
    json_out_string(o, "project", act_project_name(a));
    json_out_u64(o, "batch", j->batch);
    json_out_string(o, "signers", j->signers);
    json_out_u64(o, "signers_needed", a->project->trust.root.release.threshold);
    if (progress >= 0)
        json_out_real(o, "progress", progress);
    if (left_ms(a, place, progress) >= 0)
        json_out_i64(o, "left_ms", left_ms(a, place, progress));
    json_out_i64(o, "cpu_ms", u->cpu_ms);
    json_out_i64(o, "wall_ms", u->wall_ms);
    json_out_u64(o, "memory_bytes", u->memory_bytes);
    json_out_i64(o, "deadline_ms", j->deadline_ms);
    json_out_bool(o, "paused", run_is_paused(j->run));
    json_out_close(o);
}

void act_status_running(struct act *a, struct json_out *o)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < a->plan.used && shown < RUNNING_SHOWN_MAX; i++) {
        if (!a->jobs[i] || !a->jobs[i]->run)
            continue;
        write_run(a, i, o);
        shown++;
    }
}

static void write_messages(const struct act *a, struct json_out *o)
{
    uint32_t n = a->message_count < ACT_MESSAGES_MAX ? a->message_count : ACT_MESSAGES_MAX;
    json_out_array(o, "messages");
    for (uint32_t i = 1; i <= n; i++) {
        const struct message *m = &a->messages[(a->message_count - i) % ACT_MESSAGES_MAX];
        json_out_object(o, NULL);
        json_out_i64(o, "at_ms", m->at_ms);
        json_out_string(o, "text", m->text);
        json_out_close(o);
    }
    json_out_close(o);
}

/* Unix time of the next contact that is sure to come, 0: now or when something has ended. */
static int64_t next_contact_ms(const struct act *a)
{
    const struct plan *p = &a->plan;
    int64_t at = p->contact_err != ERR_OK ? p->contact_not_before_ms : p->ask_ms, now_ms = clock_mono_ms();
    if (p->used > 0 && p->contact_err == ERR_OK && p->contacted_ms)
        at = p->contacted_ms + p->settings.heartbeat_ms;
    return p->contacting || at <= now_ms ? 0 : at - now_ms + clock_wall_ms();
}

void act_status(struct act *a, struct json_out *o)
{
    char text[TEXT_ROOM], id[PROJECT_ID_BYTES];
    struct counts c = count(&a->plan);
    sentence(a, &c, clock_mono_ms(), text);
    project_id(a->project, id);
    json_out_string(o, "id", id);
    json_out_string(o, "state", state_word(a, &c));
    json_out_string(o, "sentence", text);
    json_out_string(o, "project", act_project_name(a));
    json_out_string(o, "url", a->project->url);
    json_out_string(o, "host", a->project->host);
    json_out_string(o, "volunteer", a->project->volunteer);
    json_out_u64(o, "cores_given", cores_of(&a->plan));
    json_out_i64(o, "next_contact_ms", next_contact_ms(a));
    json_out_i64(o, "pause_left_ms",
                 a->plan.paused && a->plan.pause_until_ms ? a->plan.pause_until_ms - clock_mono_ms() : 0);
    json_out_u64(o, "waiting", c.waiting);
    json_out_u64(o, "fetching", c.fetching);
    json_out_u64(o, "to_report", c.reporting);
    json_out_u64(o, "ended_ok", a->ended_ok);
    json_out_u64(o, "ended_bad", a->ended_bad);
    json_out_string(o, "problem", a->problem);
    json_out_u64(o, "cache_bytes", depot_bytes(a->depot));
    write_messages(a, o);
}
