/* act_run.c - runs: one slot each */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "client/act_in.h"

static void slot_folder(const struct act *a, uint32_t slot, char ret[ACT_PATH_BYTES])
{
    snprintf(ret, ACT_PATH_BYTES, "%s/slots/%u", a->folder, slot);
}

static uint32_t free_slot(const struct act *a)
{
    for (uint32_t s = 0;; s++) {
        bool taken = false;
        for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
            taken = taken || (a->jobs[i] && a->jobs[i]->slot == s);
        if (!taken)
            return s;
    }
}

static void note_start(struct act *a, struct job *j, uint32_t starts)
{
    struct journal_record r = {.kind = JOURNAL_STARTED, .id = j->ids.id, .starts = starts};
    j->starts = starts;
    if (journal_add(a->journal, &r) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}

static void not_started(struct act *a, uint32_t place, enum err e)
{
    if (e == ERR_UNSUPPORTED || e == ERR_INVALID || e == ERR_LIMIT || e == ERR_UNTRUSTED) {
        act_settle_error(a, place, e == ERR_UNTRUSTED ? "untrusted" : "launch");
        return;
    }
    act_log_job(a, place, "not_started", err_text());
    snprintf(a->problem, sizeof a->problem, "%s", err_text());
    act_release_holds(a, a->jobs[place]); /* a file of the cache that is gone is fetched again */
    act_tell(a, (struct plan_event){.kind = PLAN_START_PUT_OFF, .job = place, .err = e});
}

void act_run(struct act *a, uint32_t place)
{
    ARENA_AUTO struct arena arena = {0};
    char folder[ACT_PATH_BYTES];
    struct job *j = a->jobs[place];
    struct slot_limits limits = {.memory_bytes = a->host.memory_bytes,
                                 .disk_bytes = a->host.disk_bytes,
                                 .idle = a->settings->idle_priority};
    struct task task;
    enum err e = task_load(a->depot, &a->project->trust, &j->ids, clock_wall_ms(), &arena, &task);
    uint32_t slot = free_slot(a);
    slot_folder(a, slot, folder);
    if (e == ERR_OK) {
        note_start(a, j, j->starts + 1);
        e = slot_start(folder, a->depot, &task, &limits, clock_mono_ms(), &j->run);
        if (e != ERR_OK)
            note_start(a, j, j->starts - 1);
    }
    if (e != ERR_OK) {
        not_started(a, place, e);
        return;
    }
    j->slot = slot;
    act_log_job(a, place, "started", NULL);
    a->run_poll_ms = 0;
}

/* The outcome of a run that this host itself spoiled. */
static void host_failed(struct job *j, struct outcome *x)
{
    *x = (struct outcome){.word = "other",
                          .message = outcome_text(&j->arena, err_text(), ERR_TEXT_BYTES_MAX - 1, false)};
}

static void keep_texts(struct job *j, struct outcome *x)
{
    struct file_ref *outputs = arena_array(&j->arena, x->output_count + 1, sizeof *outputs);
    for (uint32_t i = 0; outputs && i < x->output_count; i++) {
        outputs[i] = x->outputs[i];
        outputs[i].path = arena_text(&j->arena, x->outputs[i].path);
    }
    x->outputs = outputs;
    x->word = arena_text(&j->arena, x->word);
    x->message = x->message ? arena_text(&j->arena, x->message) : NULL;
    x->stderr_tail = x->stderr_tail ? arena_text(&j->arena, x->stderr_tail) : NULL;
}

static void ended(struct act *a, uint32_t place)
{
    ARENA_AUTO struct arena arena = {0};
    char folder[ACT_PATH_BYTES], answer[ACT_PATH_BYTES], answers[ACT_PATH_BYTES];
    struct job *j = a->jobs[place];
    struct outcome x;
    struct task task = {0};
    int64_t ran_ms = run_usage(j->run)->wall_ms;
    a->ended_cpu_ms += run_usage(j->run)->cpu_ms;
    bool wanted = a->plan.jobs[place].state == PLAN_RUNNING;
    slot_folder(a, j->slot, folder);
    act_answer_folder(a, &j->ids.id, answer);
    snprintf(answers, sizeof answers, "%s/answers", a->folder);
    enum err e = wanted
                     ? task_load(a->depot, &a->project->trust, &j->ids, a->project->checked_ms, &arena, &task)
                     : ERR_STALE;
    if (e == ERR_OK)
        e = slot_finish(folder, j->run, &task, answer, &arena, &x);
    else
        run_finish(j->run, NULL);
    j->run = NULL;
    if (e == ERR_OK)
        e = file_sync_folder(answers);
    if (wanted && e != ERR_OK)
        host_failed(j, &x);
    else if (wanted)
        keep_texts(j, &x);
    if (file_remove_tree(folder) != ERR_OK)
        log_event(LOG_WARN, "slot", "error", err_text(), NULL);
    j->slot = ACT_SLOT_NONE;
    if (wanted) {
        x.has_release = str_eq(x.word, "ok");
        x.release = j->ids.release;
        act_settle(a, place, &x);
    }
    act_tell(
        a, (struct plan_event){
               .kind = PLAN_ENDED, .job = place, .uploads = wanted && outcome_uploads(&x), .ran_ms = ran_ms});
}

void act_poll_runs(struct act *a)
{
    int64_t now_ms = clock_mono_ms(), next_ms = INT64_MAX;
    for (uint32_t i = 0; i < a->plan.used; i++) {
        struct job *j = a->jobs[i];
        bool over = false;
        if (!j || !j->run)
            continue;
        run_poll(j->run, now_ms, &over);
        if (over)
            ended(a, i);
        else if (now_ms + run_poll_ms(j->run) < next_ms)
            next_ms = now_ms + run_poll_ms(j->run);
    }
    for (uint32_t i = 0; i < a->plan.used; i++) /* what an end has let begin */
        if (a->jobs[i] && a->jobs[i]->run && now_ms + run_poll_ms(a->jobs[i]->run) < next_ms)
            next_ms = now_ms + run_poll_ms(a->jobs[i]->run);
    a->run_poll_ms = next_ms;
}

/* In good order: it does not count against the attempt. */
void act_kill_runs(struct act *a)
{
    char folder[ACT_PATH_BYTES];
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->run)
            continue;
        run_finish(j->run, NULL);
        j->run = NULL;
        note_start(a, j, j->starts > 0 ? j->starts - 1 : 0);
        slot_folder(a, j->slot, folder);
        (void)!file_remove_tree(folder);
    }
    if (journal_sync(a->journal) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}
