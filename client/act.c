/* act.c - see act.h: the table of jobs, the plan's events and actions */
#include "client/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/act_in.h"

enum { HALT_MS = 5000 }; /* for a last checkpoint; a computer that shuts down has no more patience */

/* --- jobs */

struct job *act_job(struct act *a, uint32_t place)
{
    return place < PLAN_JOBS_MAX ? a->jobs[place] : NULL;
}

uint32_t act_find_job(const struct act *a, const struct attempt_ref *id)
{
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
        if (a->jobs[i] && a->jobs[i]->ids.id.unit == id->unit && a->jobs[i]->ids.id.attempt == id->attempt)
            return i;
    return PLAN_JOBS_MAX;
}

uint32_t act_add_job(struct act *a, const struct task_ids *ids, int64_t deadline_ms)
{
    uint32_t place = 0;
    while (place < PLAN_JOBS_MAX && a->jobs[place])
        place++;
    if (place == PLAN_JOBS_MAX)
        return place;
    struct job *j = calloc(1, sizeof *j);
    char *spec = j ? malloc(ids->spec_len + 1) : NULL;
    if (!spec) {
        free(j);
        return PLAN_JOBS_MAX;
    }
    if (ids->spec_len)
        memcpy(spec, ids->spec, ids->spec_len);
    spec[ids->spec_len] = 0;
    j->ids = *ids;
    j->ids.spec = spec;
    if (ids->audit) {
        snprintf(j->audit, sizeof j->audit, "%s", ids->audit);
        j->ids.audit = j->audit;
    }
    j->deadline_ms = deadline_ms;
    a->jobs[place] = j;
    return place;
}

void act_release_holds(struct act *a, struct job *j)
{
    for (uint32_t i = 0; i < j->hold_count; i++)
        depot_release(a->depot, j->holds[i].kind, &j->holds[i].digest);
    free(j->holds);
    j->holds = NULL;
    j->hold_count = 0;
}

void act_drop_job(struct act *a, uint32_t place)
{
    struct job *j = a->jobs[place];
    if (j->transfer) {
        net_cancel(a->net, j->transfer->net_id);
        act_transfer_end(a, j->transfer);
    }
    if (j->run)
        run_finish(j->run, NULL);
    act_release_holds(a, j);
    arena_done(&j->arena);
    free((char *)(uintptr_t)j->ids.spec);
    free(j);
    a->jobs[place] = NULL;
}

void act_log_job(const struct act *a, uint32_t place, const char *event, const char *detail)
{
    char id[ID_TEXT_BYTES];
    const struct job *j = a->jobs[place];
    attempt_id_text(j->ids.id.unit, j->ids.id.attempt, id);
    log_event(LOG_INFO, event, "attempt", id, "app", *j->app ? j->app : "?", "detail", detail, NULL);
}

int64_t act_mono_of(int64_t wall_ms)
{
    return wall_ms - clock_wall_ms() + clock_mono_ms();
}

void act_answer_folder(const struct act *a, const struct attempt_ref *id, char ret[ACT_PATH_BYTES])
{
    char name[ID_TEXT_BYTES];
    attempt_id_text(id->unit, id->attempt, name);
    snprintf(ret, ACT_PATH_BYTES, "%s/answers/%s", a->folder, name);
}

void act_slot_folder(const struct act *a, const struct attempt_ref *id, char ret[ACT_PATH_BYTES])
{
    char name[ID_TEXT_BYTES];
    attempt_id_text(id->unit, id->attempt, name);
    snprintf(ret, ACT_PATH_BYTES, "%s/slots/%s", a->folder, name);
}

/* --- outcomes */

static void record(struct act *a, const struct journal_record *r)
{
    if (journal_add(a->journal, r) != ERR_OK) /* it goes on in memory; a crash now would cost it */
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}

void act_sync_settled(struct act *a)
{
    if (!a->settled)
        return;
    a->settled = false;
    if (journal_sync(a->journal) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}

void act_settle(struct act *a, uint32_t place, const struct outcome *outcome)
{
    struct job *j = a->jobs[place];
    struct journal_record r = {.kind = JOURNAL_FINISHED, .id = j->ids.id, .outcome = *outcome};
    j->outcome = *outcome;
    j->has_outcome = true;
    j->upload_next = 0;
    act_release_holds(a, j);
    if (str_eq(outcome->word, "ok"))
        a->ended_ok++;
    else
        a->ended_bad++;
    act_log_job(a, place, "ended", outcome->message ? outcome->message : outcome->word);
    record(a, &r);
    a->settled = true;
}

void act_settle_error(struct act *a, uint32_t place, const char *word)
{
    struct job *j = a->jobs[place];
    struct outcome x = {.word = arena_text(&j->arena, word),
                        .message = outcome_text(&j->arena, err_text(), ERR_TEXT_BYTES_MAX - 1, false)};
    if (!x.word)
        x.word = "other";
    act_settle(a, place, &x);
    act_tell(a, (struct plan_event){.kind = PLAN_ENDED, .job = place});
}

/* --- requests of jobs */

struct transfer *act_transfer_new(struct act *a, uint32_t place)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->act = a;
    t->job = place;
    t->fd = -1;
    a->jobs[place]->transfer = t;
    return t;
}

void act_transfer_end(struct act *a, struct transfer *t)
{
    struct job *j = act_job(a, t->job);
    if (j && j->transfer == t)
        j->transfer = NULL;
    if (t->fd >= 0)
        close(t->fd);
    free(t);
    a->look_again = true; /* others may wait for the same file */
}

enum err act_start_request(struct act *a, struct transfer *t, struct net_request *request, net_done *done)
{
    if (a->plan.offline && a->plan.mode != PLAN_LEAVING)
        return err_set(ERR_UNREACHABLE, "the network is left alone: %s", a->offline);
    request->url = t->url;
    request->token = a->project->token;
    enum err e = project_use_pins(a->project, a->net);
    return e != ERR_OK ? e : net_start(a->net, request, done, t, &t->net_id);
}

/* --- actions */

static void forget(struct act *a, uint32_t place)
{
    char folder[ACT_PATH_BYTES];
    struct job *j = a->jobs[place];
    struct journal_record r = {.kind = JOURNAL_FORGOTTEN, .id = j->ids.id};
    act_answer_folder(a, &j->ids.id, folder);
    record(a, &r); /* lost, it is only told once more */
    if (j->has_outcome && file_remove_tree(folder) != ERR_OK)
        log_event(LOG_WARN, "answer", "error", err_text(), NULL);
    act_slot_folder(a, &j->ids.id, folder);
    if (j->starts > 0 && file_remove_tree(folder) != ERR_OK)
        log_event(LOG_WARN, "slot", "error", err_text(), NULL);
    act_drop_job(a, place);
    if (journal_is_long(a->journal) && act_compact(a) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}

/* The plan has moved the job on already: only the outcome is written here. */
static void give_up(struct act *a, uint32_t place, const char *word)
{
    struct job *j = a->jobs[place];
    struct outcome x = {.word = word, .message = *a->problem ? a->problem : NULL};
    if (j->transfer) {
        net_cancel(a->net, j->transfer->net_id);
        act_transfer_end(a, j->transfer);
    }
    if (str_eq(word, "returned"))
        x.message = "the owner of the computer lets it do no more";
    else
        x.message = outcome_text(&j->arena, x.message, ERR_TEXT_BYTES_MAX - 1, false);
    act_settle(a, place, &x);
}

static void hold(struct act *a, uint32_t place, bool on)
{
    struct run *run = a->jobs[place]->run;
    if (run && on)
        run_pause(run, clock_mono_ms());
    else if (run)
        run_resume(run, clock_mono_ms());
}

static void do_action(struct act *a, const struct plan_action *action)
{
    switch (action->kind) {
    case PLAN_DO_CONTACT:
        act_contact(a, action);
        break;
    case PLAN_DO_HANG_UP:
        act_hang_up(a);
        break;
    case PLAN_DO_REFRESH:
        act_refresh(a);
        break;
    case PLAN_DO_FETCH:
        act_fetch(a, action->job);
        break;
    case PLAN_DO_RUN:
        act_run(a, action->job);
        break;
    case PLAN_DO_STOP:
        if (a->jobs[action->job]->run)
            run_stop(a->jobs[action->job]->run);
        break;
    case PLAN_DO_GIVE_UP:
        give_up(a, action->job, action->word);
        break;
    case PLAN_DO_FORGET:
        forget(a, action->job);
        break;
    case PLAN_DO_PAUSE:
        hold(a, action->job, true);
        break;
    case PLAN_DO_CONTINUE:
        hold(a, action->job, false);
        break;
    case PLAN_DO_UPLOAD:
        act_upload(a, action->job);
        break;
    case PLAN_DO_EXIT:
        a->exit = true;
        break;
    case PLAN_ACTION_KINDS:
        break;
    }
}

static void step(struct act *a, struct plan_event event)
{
    struct plan_actions actions;
    event.now_ms = clock_mono_ms();
    event.random = rand_u64();
    plan_step(&a->plan, &event, &actions);
    a->wake_ms = actions.wake_ms;
    for (uint32_t i = 0; i < actions.count; i++)
        do_action(a, &actions.list[i]);
}

void act_tell(struct act *a, struct plan_event event)
{
    if (a->event_count == ACT_EVENTS_MAX) { /* an action tells one event: 64 actions cannot fill it */
        log_event(LOG_ERROR, "events", "error", "too many at once", NULL);
        abort();
    }
    a->events[(a->event_first + a->event_count++) % ACT_EVENTS_MAX] = event;
    if (a->stepping)
        return;
    a->stepping = true;
    while (a->event_count > 0) {
        struct plan_event next = a->events[a->event_first];
        a->event_first = (a->event_first + 1) % ACT_EVENTS_MAX;
        a->event_count--;
        step(a, next);
    }
    act_sync_settled(a);
    a->stepping = false;
}

/* --- outside */

static enum err make_folders(const struct act *a)
{
    static const char *const names[] = {"slots", "answers"};
    char path[ACT_PATH_BYTES];
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && e == ERR_OK; i++) {
        snprintf(path, sizeof path, "%s/%s", a->folder, names[i]);
        e = file_make_folders(path, 0700);
    }
    return e;
}

static struct plan_settings plan_settings_of(const struct act *a)
{
    const struct settings *s = a->settings;
    return (struct plan_settings){.cores = a->host->host.cores,
                                  .memory_bytes = a->host->host.memory_bytes,
                                  .buffer_ms = s->work_buffer_ms,
                                  .report_ms = s->report_wait_ms,
                                  .heartbeat_ms = s->heartbeat_ms,
                                  .refresh_ms = s->refresh_ms};
}

static void init_plan(struct act *a)
{
    const struct settings *s = a->settings;
    struct plan_settings p = plan_settings_of(a);
    int64_t now_ms = clock_mono_ms(), age_ms = clock_wall_ms() - a->project->checked_ms;
    plan_init(&a->plan, &p);
    a->plan.refresh_wanted = age_ms < 0 || age_ms > s->refresh_ms;
    a->plan.refreshed_ms = a->plan.refresh_wanted || age_ms >= now_ms ? 0 : now_ms - age_ms;
    if (!a->plan.refresh_wanted && a->plan.refreshed_ms == 0)
        a->plan.refreshed_ms = 1;
}

static enum err open_parts(struct act *a)
{
    char path[ACT_PATH_BYTES];
    enum err e = make_folders(a);
    snprintf(path, sizeof path, "%s/cache", a->folder);
    if (e == ERR_OK)
        e = depot_open(path, a->settings->disk_bytes / 2, &a->depot);
    if (e != ERR_OK)
        return e;
    init_plan(a);
    return act_restore(a);
}

enum err act_open(const char *folder, struct act_host *host, struct project *project, struct act **ret)
{
    struct act *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(ERR_NOMEM, "out of memory");
    if (strlen(folder) >= sizeof a->folder) {
        free(a);
        return err_set(ERR_LIMIT, "the path of the data folder is too long");
    }
    snprintf(a->folder, sizeof a->folder, "%s", folder);
    a->host = host;
    a->net = host->net;
    a->settings = &host->settings;
    a->project = project;
    enum err e = open_parts(a);
    if (e != ERR_OK) {
        act_close(a);
        return e;
    }
    *ret = a;
    return ERR_OK;
}

void act_close(struct act *a)
{
    if (!a)
        return;
    if (a->journal)
        act_kill_runs(a);
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
        if (a->jobs[i])
            act_drop_job(a, i);
    if (a->contact.id)
        net_cancel(a->net, a->contact.id);
    if (a->refresh_id)
        net_cancel(a->net, a->refresh_id);
    depot_close(a->depot);
    journal_close(a->journal);
    buf_done(&a->contact.body);
    free(a);
}

void act_turn(struct act *a)
{
    act_poll_runs(a);
    if (a->look_again)
        act_fetch_again(a);
    if (a->halt_ms && clock_mono_ms() >= a->halt_ms)
        a->exit = true;
    if (clock_mono_ms() >= a->wake_ms)
        act_tell(a, (struct plan_event){.kind = PLAN_TICK});
}

int act_wait_ms(const struct act *a)
{
    int64_t now_ms = clock_mono_ms(), until = a->wake_ms;
    if (a->halt_ms && a->halt_ms < until)
        until = a->halt_ms;
    if (a->run_poll_ms < until)
        until = a->run_poll_ms;
    if (until == INT64_MAX)
        return -1;
    int64_t wait = until > now_ms ? until - now_ms : 0;
    return wait < 3600 * 1000 ? (int)wait : 3600 * 1000;
}

uint32_t act_fds(const struct act *a, int ret[ACT_FDS_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->plan.used && n < ACT_FDS_MAX; i++)
        if (a->jobs[i] && a->jobs[i]->run)
            ret[n++] = run_fd(a->jobs[i]->run);
    return n;
}

bool act_wants_exit(const struct act *a)
{
    return a->exit;
}

bool act_has_left(const struct act *a)
{
    return a->plan.left;
}

void act_pause(struct act *a, int64_t for_ms)
{
    act_tell(a,
             (struct plan_event){.kind = PLAN_PAUSE, .until_ms = for_ms > 0 ? clock_mono_ms() + for_ms : 0});
}

void act_resume(struct act *a)
{
    a->exit = false; /* it had finished, and others went on */
    act_tell(a, (struct plan_event){.kind = PLAN_RESUME});
}

void act_finish(struct act *a)
{
    act_tell(a, (struct plan_event){.kind = PLAN_FINISH});
}

void act_halt(struct act *a)
{
    a->halt_ms = clock_mono_ms() + HALT_MS;
    act_tell(a, (struct plan_event){.kind = PLAN_HALT});
    act_stop_runs(a);
}

void act_leave(struct act *a)
{
    act_tell(a, (struct plan_event){.kind = PLAN_LEAVE});
}

/* The plan puts them back where they were; what has come of a file stays. */
static void cancel_transfers(struct act *a)
{
    for (uint32_t i = 0; i < a->plan.used; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->transfer)
            continue;
        net_cancel(a->net, j->transfer->net_id);
        act_transfer_end(a, j->transfer);
    }
}

void act_allow(struct act *a, const struct act_allowance *w)
{
    snprintf(a->why, sizeof a->why, "%s", w->why);
    bool offline = *w->offline;
    if (offline && !a->plan.offline)
        cancel_transfers(a);
    snprintf(a->offline, sizeof a->offline, "%s", w->offline);
    if (w->cores != a->plan.cores_now || offline != a->plan.offline)
        act_tell(a, (struct plan_event){.kind = PLAN_POLICY, .cores = w->cores, .offline = offline});
    if (w->memory_short)
        act_unload_runs(a);
    if (w->cores_given != a->plan.cores_given || w->part < a->plan.part || w->part > a->plan.part ||
        w->memory_bytes != a->plan.memory_given)
        act_tell(a, (struct plan_event){.kind = PLAN_SHARE,
                                        .cores = w->cores_given,
                                        .part = w->part,
                                        .memory_bytes = w->memory_bytes});
}

void act_settings_changed(struct act *a)
{
    struct plan_settings p = plan_settings_of(a);
    depot_set_bytes_max(a->depot, a->settings->disk_bytes / 2);
    a->host_told = false; /* the server hears of it with the next contact */
    act_tell(a, (struct plan_event){.kind = PLAN_SETTINGS, .settings = &p});
}

void act_demand(const struct act *a, uint32_t cores, struct share_project *ret)
{
    bool able = !a->plan.paused && !a->exit;
    ret->running = able ? plan_count(&a->plan, PLAN_RUNNING) + plan_count(&a->plan, PLAN_STOPPING) : 0;
    ret->ready = able && a->plan.mode == PLAN_WORKING ? plan_count(&a->plan, PLAN_READY) : 0;
    ret->danger = ret->running + ret->ready > 0 ? share_danger(&a->plan, cores, clock_mono_ms()) : 0;
}

uint64_t act_memory_used(const struct act *a)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < a->plan.used; i++)
        if (a->plan.jobs[i].state == PLAN_RUNNING || a->plan.jobs[i].state == PLAN_STOPPING)
            sum += a->plan.jobs[i].memory_bytes;
    return sum;
}

int64_t act_cpu_ms(const struct act *a)
{
    int64_t sum = a->ended_cpu_ms;
    for (uint32_t i = 0; i < a->plan.used; i++)
        if (a->jobs[i] && a->jobs[i]->run)
            sum += run_usage(a->jobs[i]->run)->cpu_ms;
    return sum;
}

bool act_is_idle(const struct act *a)
{
    return a->plan.used == 0;
}

struct act_tally act_take_tally(struct act *a)
{
    struct act_tally t = {(uint32_t)(a->ended_ok - a->counted_ok), (uint32_t)(a->ended_bad - a->counted_bad),
                          a->ended_cpu_ms - a->counted_cpu_ms};
    a->counted_ok = a->ended_ok;
    a->counted_bad = a->ended_bad;
    a->counted_cpu_ms = a->ended_cpu_ms;
    return t;
}

const char *act_project_name(const struct act *a)
{
    return a->project->trust.root.project;
}
