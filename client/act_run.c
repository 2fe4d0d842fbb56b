/* act_run.c - runs: one slot each */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sign.h"
#include "base/str.h"
#include "client/act_in.h"

enum { UNLOAD_MS = 5000 }; /* for a last checkpoint */

/* Durable before it runs: what takes the computer down must not do so for ever. */
static void note_start(struct act *a, struct job *j, uint32_t starts)
{
    struct journal_record r = {.kind = JOURNAL_STARTED, .id = j->ids.id, .starts = starts};
    j->starts = starts;
    if (journal_add(a->journal, &r) != ERR_OK || journal_sync(a->journal) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
}

static void drop_slot(const struct act *a, const struct job *j)
{
    char folder[ACT_PATH_BYTES];
    act_slot_folder(a, &j->ids.id, folder);
    if (file_remove_tree(folder) != ERR_OK)
        log_event(LOG_WARN, "slot", "error", err_text(), NULL);
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

static bool is_release_key(const struct trust *t, const struct digest *id)
{
    for (uint32_t i = 0; i < t->root.release.count; i++) {
        struct digest known = sign_key_id(&t->root.release.keys[i]);
        if (digest_eq(&known, id))
            return true;
    }
    return false;
}

/* For people: which keys stand for the program. It was checked that they are enough, and the project's. */
static void name_signers(struct act *a, struct job *j)
{
    BUF_AUTO struct buf envelope = {.bytes_max = ENVELOPE_BYTES_MAX};
    struct digest ids[SIGNATURES_MAX];
    char text[DIGEST_TEXT_BYTES];
    size_t count = 0, len = 0;
    j->signers[0] = 0;
    if (depot_read(a->depot, DEPOT_RELEASE, &j->ids.release, ENVELOPE_BYTES_MAX, &envelope) != ERR_OK ||
        envelope_signers(buf_text(&envelope), envelope.len, ids, &count) != ERR_OK)
        return;
    for (size_t i = 0; i < count && len + 24 < sizeof j->signers; i++) {
        if (!is_release_key(&a->project->trust, &ids[i])) /* anybody may add a signature of no worth */
            continue;
        digest_text(&ids[i], text);
        len += (size_t)snprintf(j->signers + len, sizeof j->signers - len, "%s%.16s", len ? " " : "", text);
    }
}

void act_run(struct act *a, uint32_t place)
{
    ARENA_AUTO struct arena arena = {0};
    char folder[ACT_PATH_BYTES];
    struct job *j = a->jobs[place];
    struct slot_limits limits = {.memory_bytes = a->host->host.memory_bytes,
                                 .disk_bytes = a->host->host.disk_bytes,
                                 .groups = a->host->groups,
                                 .idle = a->settings->idle_priority};
    struct task task;
    enum err e = task_load(a->depot, &a->project->trust, &a->proofs, &j->ids, clock_wall_ms(), &arena, &task);
    act_slot_folder(a, &j->ids.id, folder);
    if (e == ERR_OK) {
        /* what has failed twice with what it had kept begins anew */
        limits.afresh = j->starts + 1 >= ACT_STARTS_MAX;
        note_start(a, j, j->starts + 1);
        e = slot_start(folder, a->depot, &task, &limits, clock_mono_ms(), &j->run);
        if (e != ERR_OK)
            note_start(a, j, j->starts - 1);
    }
    if (e != ERR_OK) {
        not_started(a, place, e);
        return;
    }
    j->batch = task.order.batch;
    name_signers(a, j);
    j->sdk = task.release.manifest.sdk;
    j->keeps = task.release.manifest.checkpoint_count > 0;
    j->asked_to_stop = false;
    j->stop_ms = 0;
    j->checkpoint_ms = clock_mono_ms() + a->settings->checkpoint_ms;
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
    x->stdout_tail = x->stdout_tail ? arena_text(&j->arena, x->stdout_tail) : NULL;
}

/* It did not end by itself: it goes on from what it has kept, at another time, and nothing counts against
 * it. */
static void put_off(struct act *a, uint32_t place)
{
    struct job *j = a->jobs[place];
    if (!j->keeps)
        drop_slot(a, j);
    note_start(a, j, j->starts > 0 ? j->starts - 1 : 0);
    act_log_job(a, place, "stopped", NULL);
    act_release_holds(a, j);
    act_tell(a, (struct plan_event){.kind = PLAN_START_PUT_OFF, .job = place});
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
    act_slot_folder(a, &j->ids.id, folder);
    act_answer_folder(a, &j->ids.id, answer);
    snprintf(answers, sizeof answers, "%s/answers", a->folder);
    enum err e = wanted ? task_load(a->depot, &a->project->trust, &a->proofs, &j->ids, a->project->checked_ms,
                                    &arena, &task)
                        : ERR_STALE;
    if (e == ERR_OK)
        e = slot_finish(folder, j->run, &task, answer, &arena, &x);
    else
        run_finish(j->run, NULL);
    j->run = NULL;
    if (wanted && e == ERR_OK && j->asked_to_stop && !str_eq(x.word, "ok")) {
        put_off(a, place);
        return;
    }
    if (e == ERR_OK)
        e = file_sync_folder(answers);
    if (wanted && e != ERR_OK)
        host_failed(j, &x);
    else if (wanted)
        keep_texts(j, &x);
    drop_slot(a, j);
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
    char folder[ACT_PATH_BYTES];
    for (uint32_t i = 0; i < a->plan.used; i++) {
        struct job *j = a->jobs[i];
        bool over = false;
        if (!j || !j->run)
            continue;
        run_poll(j->run, now_ms, &over);
        if (!over && j->stop_ms && now_ms >= j->stop_ms)
            run_stop(j->run);
        if (!over && j->sdk && now_ms >= j->checkpoint_ms) {
            act_slot_folder(a, &j->ids.id, folder);
            (void)slot_wish(folder, SLOT_CHECKPOINT); /* best effort */
            j->checkpoint_ms = now_ms + a->settings->checkpoint_ms;
        }
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

void act_unload_runs(struct act *a)
{
    char folder[ACT_PATH_BYTES];
    int64_t now_ms = clock_mono_ms();
    for (uint32_t i = 0; i < a->plan.used; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->run || !run_is_paused(j->run) || j->asked_to_stop || !(j->sdk || j->keeps))
            continue;
        act_slot_folder(a, &j->ids.id, folder);
        j->asked_to_stop = true;
        j->stop_ms = now_ms + UNLOAD_MS;
        act_log_job(a, i, "unloaded", "memory is short");
        if (j->sdk && slot_wish(folder, SLOT_STOP))
            run_resume(j->run, now_ms); /* to write down what it has */
        else
            run_stop(j->run);
    }
    a->run_poll_ms = 0;
}

void act_stop_runs(struct act *a)
{
    char folder[ACT_PATH_BYTES];
    for (uint32_t i = 0; i < a->plan.used; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->run)
            continue;
        act_slot_folder(a, &j->ids.id, folder);
        j->asked_to_stop = j->sdk && !run_is_paused(j->run) && slot_wish(folder, SLOT_STOP);
        if (j->asked_to_stop)
            continue;
        run_finish(j->run, NULL);
        j->run = NULL;
        put_off(a, i);
    }
}

void act_kill_runs(struct act *a)
{
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->run)
            continue;
        run_finish(j->run, NULL);
        j->run = NULL;
        note_start(a, j, j->starts > 0 ? j->starts - 1 : 0);
        if (!j->keeps)
            drop_slot(a, j);
    }
}
