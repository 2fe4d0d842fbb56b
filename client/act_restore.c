/* act_restore.c - from the journal to the table of jobs and back */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "client/act_in.h"

static void keep_outcome(struct job *j, const struct outcome *from)
{
    struct outcome x = *from;
    x.word = arena_text(&j->arena, from->word);
    x.message = from->message ? arena_text(&j->arena, from->message) : NULL;
    x.stderr_tail = from->stderr_tail ? arena_text(&j->arena, from->stderr_tail) : NULL;
    x.stdout_tail = from->stdout_tail ? arena_text(&j->arena, from->stdout_tail) : NULL;
    x.outputs = arena_array(&j->arena, from->output_count + 1, sizeof *x.outputs);
    for (uint32_t i = 0; x.outputs && i < from->output_count; i++) {
        x.outputs[i] = from->outputs[i];
        x.outputs[i].path = arena_text(&j->arena, from->outputs[i].path);
    }
    j->has_outcome = x.word && x.outputs;
    j->outcome = x;
}

static void on_record(void *ctx, const struct journal_record *r)
{
    struct act *a = ctx;
    uint32_t place = act_find_job(a, &r->id);
    struct task_ids ids = {.id = r->id,
                           .order = r->order,
                           .release = r->release,
                           .bundle = r->bundle,
                           .spec = r->spec ? r->spec : "",
                           .spec_len = r->spec_len,
                           .audit = r->audit};
    switch (r->kind) {
    case JOURNAL_LEASED:
        if (place == PLAN_JOBS_MAX)
            act_add_job(a, &ids, r->deadline_ms);
        break;
    case JOURNAL_STARTED:
        if (place < PLAN_JOBS_MAX)
            a->jobs[place]->starts = r->starts;
        break;
    case JOURNAL_FINISHED: /* without a lease: one that was not to be trusted */
        if (place == PLAN_JOBS_MAX)
            place = act_add_job(a, &ids, 0);
        if (place < PLAN_JOBS_MAX)
            keep_outcome(a->jobs[place], &r->outcome);
        break;
    case JOURNAL_FORGOTTEN:
        if (place < PLAN_JOBS_MAX)
            act_drop_job(a, place);
        break;
    case JOURNAL_KINDS:
        break;
    }
}

static enum err write_job(struct journal *journal, const struct job *j)
{
    struct journal_record r = {.kind = JOURNAL_LEASED,
                               .id = j->ids.id,
                               .deadline_ms = j->deadline_ms,
                               .order = j->ids.order,
                               .release = j->ids.release,
                               .bundle = j->ids.bundle,
                               .spec = j->ids.spec,
                               .spec_len = j->ids.spec_len,
                               .audit = j->ids.audit};
    enum err e = journal_add(journal, &r);
    if (e == ERR_OK && j->starts > 0 && !j->has_outcome)
        e = journal_add(
            journal, &(struct journal_record){.kind = JOURNAL_STARTED, .id = j->ids.id, .starts = j->starts});
    if (e == ERR_OK && j->has_outcome)
        e = journal_add(journal, &(struct journal_record){
                                     .kind = JOURNAL_FINISHED, .id = j->ids.id, .outcome = j->outcome});
    return e;
}

static enum err write_jobs(void *ctx, struct journal *journal)
{
    struct act *a = ctx;
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < PLAN_JOBS_MAX && e == ERR_OK; i++)
        if (a->jobs[i])
            e = write_job(journal, a->jobs[i]);
    return e;
}

enum err act_compact(struct act *a)
{
    return journal_compact(a->journal, write_jobs, a);
}

/* Names in a folder that no job has a claim to: finished ones to an answer, others to a slot that they may go
 * on from. */
static void clean_folder(struct act *a, const char *name, bool finished)
{
    char path[ACT_PATH_BYTES], whole[ACT_PATH_BYTES + 300];
    struct dirent *d;
    snprintf(path, sizeof path, "%s/%s", a->folder, name);
    DIR *dir = opendir(path);
    while (dir && (d = readdir(dir))) {
        struct attempt_ref id;
        if (d->d_name[0] == '.')
            continue;
        bool claimed = attempt_id_parse(d->d_name, &id.unit, &id.attempt) == ERR_OK &&
                       act_find_job(a, &id) < PLAN_JOBS_MAX &&
                       a->jobs[act_find_job(a, &id)]->has_outcome == finished;
        snprintf(whole, sizeof whole, "%s/%s", path, d->d_name);
        if (!claimed && file_remove_tree(whole) != ERR_OK)
            log_event(LOG_WARN, "clean", "error", err_text(), NULL);
    }
    if (dir)
        closedir(dir);
}

static void tell_plan(struct act *a)
{
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        struct job *j = a->jobs[i];
        if (!j)
            continue;
        /* nothing is begun before all of it is known */
        struct plan_event event = {.now_ms = clock_mono_ms(),
                                   .kind = j->has_outcome ? PLAN_RESTORED : PLAN_LEASED,
                                   .job = i,
                                   .deadline_ms = act_mono_of(j->deadline_ms),
                                   .uploads = j->has_outcome && outcome_uploads(&j->outcome)};
        plan_add(&a->plan, &event);
    }
}

enum err act_restore(struct act *a)
{
    char path[ACT_PATH_BYTES];
    uint32_t skipped, jobs = 0, finished = 0;
    snprintf(path, sizeof path, "%s/journal", a->folder);
    enum err e = journal_open(path, on_record, a, &a->journal, &skipped);
    if (e != ERR_OK)
        return e;
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++) {
        jobs += a->jobs[i] != NULL;
        finished += a->jobs[i] && a->jobs[i]->has_outcome;
    }
    if (jobs > 0 || skipped > 0)
        log_event(LOG_INFO, "restored", "attempts", log_i64(jobs), "finished", log_i64(finished),
                  "damaged_lines", log_i64(skipped), NULL);
    clean_folder(a, "slots", false);
    clean_folder(a, "answers", true);
    tell_plan(a);
    return act_compact(a);
}
