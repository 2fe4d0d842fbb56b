/* act_contact.c - POST /v1/work both ways, and the project's statements */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "client/act_in.h"

#define BODY_BYTES_SOFT (5u << 20) /* no report is added after that; the wire allows 8 MiB */

enum {
    TIMEOUT_S = 180,
    WAIT_MARGIN_S = 30 /* for the way there and back */,
    CACHED_MAX = 64,
    ARENA_BYTES_MAX = 48 << 20
};

/* --- the request */

/* The outputs of a report with the bytes of the small ones. ERR_CORRUPT: they are gone. */
static enum err report_outputs(const struct act *a, const struct job *j, struct arena *arena,
                               struct report *r)
{
    char folder[ACT_PATH_BYTES], path[ACT_PATH_BYTES + 16];
    const struct outcome *x = &j->outcome;
    r->outputs = arena_array(arena, x->output_count + 1, sizeof *r->outputs);
    if (!r->outputs)
        return ERR_NOMEM;
    act_answer_folder(a, &j->ids.id, folder);
    for (uint32_t i = 0; i < x->output_count; i++) {
        BUF_AUTO struct buf data = {.bytes_max = INLINE_BYTES_MAX + 1};
        struct report_output *o = &r->outputs[i];
        o->file = x->outputs[i];
        if (o->file.bytes > INLINE_BYTES_MAX)
            continue;
        snprintf(path, sizeof path, "%s/%u", folder, i);
        enum err e = file_read(path, INLINE_BYTES_MAX, &data);
        if (e != ERR_OK || data.len != o->file.bytes)
            return err_set(ERR_CORRUPT, "the output %s of the finished answer is gone or damaged", path);
        o->has_data = true;
        o->data_len = data.len;
        if (!(o->data = arena_bytes(arena, buf_text(&data), data.len)))
            return ERR_NOMEM;
    }
    r->output_count = x->output_count;
    return ERR_OK;
}

static enum err make_report(struct act *a, struct job *j, struct arena *arena, struct report *ret)
{
    const struct outcome *x = &j->outcome;
    struct report r = {.id = j->ids.id,
                       .outcome = x->word,
                       .has_exit_code = x->has_exit_code,
                       .has_signal = x->has_signal,
                       .exit_code = x->exit_code,
                       .signal = x->signal,
                       .message = x->message,
                       .stderr_tail = x->stderr_tail,
                       .stdout_tail = x->stdout_tail,
                       .cpu_ms = x->cpu_ms,
                       .wall_ms = x->wall_ms,
                       .memory_bytes = x->memory_bytes,
                       .has_release = x->has_release,
                       .release = x->release};
    enum err e = str_eq(x->word, "ok") ? report_outputs(a, j, arena, &r) : ERR_OK;
    if (e == ERR_CORRUPT) {
        r = (struct report){.id = j->ids.id, .outcome = "lost"};
        r.message = outcome_text(arena, err_text(), ERR_TEXT_BYTES_MAX - 1, false);
        e = ERR_OK;
    }
    *ret = r;
    return e;
}

static size_t report_bytes(const struct report *r)
{
    size_t n = 512 + (r->message ? strlen(r->message) : 0) +
               (r->stderr_tail ? 2 * strlen(r->stderr_tail) : 0) +
               (r->stdout_tail ? 2 * strlen(r->stdout_tail) : 0);
    for (uint32_t i = 0; i < r->output_count; i++)
        n += 200 + strlen(r->outputs[i].file.path) + r->outputs[i].data_len * 3 / 2;
    return n;
}

static enum err add_reports(struct act *a, struct arena *arena, int64_t now_ms, struct work_request *w)
{
    size_t bytes = 0;
    enum err e = ERR_OK;
    w->reports = arena_array(arena, REPORTS_PER_REQUEST_MAX, sizeof *w->reports);
    if (!w->reports)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < a->plan.used && e == ERR_OK && w->report_count < REPORTS_PER_REQUEST_MAX; i++) {
        struct job *j = a->jobs[i];
        if (!j || !j->has_outcome || a->plan.jobs[i].state != PLAN_REPORTABLE ||
            a->plan.jobs[i].not_before_ms > now_ms || bytes > BODY_BYTES_SOFT)
            continue;
        e = make_report(a, j, arena, &w->reports[w->report_count]);
        if (e == ERR_OK)
            bytes += report_bytes(&w->reports[w->report_count++]);
    }
    return e;
}

static enum err add_held(struct act *a, struct arena *arena, int64_t now_ms, struct work_request *w)
{
    w->held = arena_array(arena, PLAN_JOBS_MAX, sizeof *w->held);
    w->renew = arena_array(arena, PLAN_JOBS_MAX, sizeof *w->renew);
    if (!w->held || !w->renew)
        return ERR_NOMEM;
    w->held_given = true;
    for (uint32_t i = 0; i < a->plan.used; i++) {
        if (!a->jobs[i])
            continue;
        w->held[w->held_count++] = a->jobs[i]->ids.id;
        if (plan_wants_renewal(&a->plan.jobs[i], now_ms) && w->renew_count < LEASES_PER_REQUEST_MAX)
            w->renew[w->renew_count++] = a->jobs[i]->ids.id;
    }
    return ERR_OK;
}

static enum err add_want(struct act *a, const struct plan_action *action, struct arena *arena,
                         struct work_request *w)
{
    if (action->want_units == 0)
        return ERR_OK;
    w->has_want = true;
    w->want = (struct work_want){
        .seconds = action->want_seconds, .cores = action->want_cores, .units_max = action->want_units};
    w->want.cached = arena_array(arena, CACHED_MAX, sizeof *w->want.cached);
    if (!w->want.cached)
        return ERR_NOMEM;
    w->want.cached_count = depot_recent(a->depot, w->want.cached, CACHED_MAX);
    return ERR_OK;
}

static enum err write_body(struct act *a, const struct plan_action *action)
{
    ARENA_AUTO struct arena arena = {.bytes_max = ARENA_BYTES_MAX};
    struct work_request w = {.leaving = action->leaving, .wait_ms = action->wait_ms};
    int64_t now_ms = clock_mono_ms();
    enum err e = add_reports(a, &arena, now_ms, &w);
    if (e == ERR_OK)
        e = add_held(a, &arena, now_ms, &w);
    if (e == ERR_OK)
        e = add_want(a, action, &arena, &w);
    if (!a->host_told) {
        w.has_host = true;
        host_facts_of(&a->host->host, &w.host);
    }
    buf_done(&a->contact.body);
    return e == ERR_OK ? work_request_write(&w, &a->contact.body) : e;
}

/* --- the reply */

static void take_acks(struct act *a, const struct work_reply *r)
{
    for (uint32_t i = 0; i < r->ack_count; i++) {
        const struct work_ack *ack = &r->acks[i];
        uint32_t place = act_find_job(a, &ack->id);
        if (place == PLAN_JOBS_MAX)
            continue;
        bool good = str_eq(ack->code, "ok");
        act_log_job(a, place, good ? "reported" : "report_refused", good ? NULL : ack->message);
        act_tell(a, (struct plan_event){
                        .kind = PLAN_ACKED, .job = place, .err = good ? ERR_OK : err_from_word(ack->code)});
    }
}

static void take_recalls(struct act *a, const struct work_reply *r)
{
    for (uint32_t i = 0; i < r->recall_count; i++) {
        uint32_t place = act_find_job(a, &r->recall[i]);
        if (place == PLAN_JOBS_MAX)
            continue;
        act_log_job(a, place, "recalled", NULL);
        act_tell(a, (struct plan_event){.kind = PLAN_RECALLED, .job = place});
    }
}

/* A unit that does not prove where it comes from is reported as such and never looked at again. */
static void take_untrusted(struct act *a, const struct work_unit *u)
{
    struct task_ids ids = {.id = u->id, .spec = "", .spec_len = 0};
    log_event(LOG_WARN, "untrusted", "error", err_text(), NULL);
    snprintf(a->problem, sizeof a->problem, "%s", err_text());
    if (plan_may_refresh(&a->plan, clock_mono_ms())) { /* newer keys? it will be given again */
        act_tell(a, (struct plan_event){.kind = PLAN_DOUBTED});
        return;
    }
    uint32_t place = act_add_job(a, &ids, u->deadline_ms);
    if (place == PLAN_JOBS_MAX)
        return;
    struct job *j = a->jobs[place];
    struct outcome x = {.word = "untrusted",
                        .message = outcome_text(&j->arena, a->problem, ERR_TEXT_BYTES_MAX - 1, false)};
    act_settle(a, place, &x);
    act_tell(a, (struct plan_event){
                    .kind = PLAN_RESTORED, .job = place, .deadline_ms = act_mono_of(u->deadline_ms)});
}

static bool take_lease(struct act *a, const struct work_unit *u, const struct work_reply *r)
{
    struct task_ids ids;
    enum err e = task_accept(&a->project->trust, u, r->chunks, r->chunk_count, clock_wall_ms(), &ids);
    if (e != ERR_OK) {
        take_untrusted(a, u);
        return false;
    }
    struct journal_record record = {.kind = JOURNAL_LEASED,
                                    .id = ids.id,
                                    .deadline_ms = u->deadline_ms,
                                    .order = ids.order,
                                    .release = ids.release,
                                    .bundle = ids.bundle,
                                    .spec = ids.spec,
                                    .spec_len = ids.spec_len,
                                    .audit = ids.audit};
    if (journal_add(a->journal, &record) != ERR_OK) { /* not taken: the server gives it again */
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
        return false;
    }
    return act_add_job(a, &ids, u->deadline_ms) < PLAN_JOBS_MAX;
}

static void renew(struct act *a, uint32_t place, int64_t deadline_ms)
{
    a->jobs[place]->deadline_ms = deadline_ms;
    act_tell(
        a, (struct plan_event){.kind = PLAN_RENEWED, .job = place, .deadline_ms = act_mono_of(deadline_ms)});
}

/* All of a reply's leases become durable with one sync before the first of them is begun. */
static void take_units(struct act *a, const struct work_reply *r)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < r->unit_count; i++) {
        const struct work_unit *u = &r->units[i];
        uint32_t place = act_find_job(a, &u->id);
        if (place < PLAN_JOBS_MAX)
            renew(a, place, u->deadline_ms);
        else if (u->spec)
            taken += take_lease(a, u, r);
    }
    if (taken == 0)
        return;
    if (journal_sync(a->journal) != ERR_OK)
        log_event(LOG_ERROR, "journal", "error", err_text(), NULL);
    log_event(LOG_INFO, "leased", "units", log_i64(taken), NULL);
    for (uint32_t i = 0; i < PLAN_JOBS_MAX; i++)
        if (a->jobs[i] && (i >= a->plan.used || a->plan.jobs[i].state == PLAN_NONE))
            act_tell(a, (struct plan_event){.kind = PLAN_LEASED,
                                            .job = i,
                                            .deadline_ms = act_mono_of(a->jobs[i]->deadline_ms)});
}

/* The server says the same again and again: once is enough. */
static void keep_message(struct act *a, const char *text)
{
    uint32_t kept = a->message_count < ACT_MESSAGES_MAX ? a->message_count : ACT_MESSAGES_MAX;
    for (uint32_t i = 0; i < kept; i++)
        if (strncmp(a->messages[i].text, text, sizeof a->messages[i].text - 1) == 0)
            return;
    struct message *m = &a->messages[a->message_count++ % ACT_MESSAGES_MAX];
    m->at_ms = clock_wall_ms();
    snprintf(m->text, sizeof m->text, "%s", text);
    log_event(LOG_INFO, "message", "text", text, NULL);
}

static void take_words(struct act *a, const struct work_reply *r)
{
    for (uint32_t i = 0; i < r->message_count; i++)
        keep_message(a, r->messages[i]);
    a->reason[0] = 0;
    if (r->reason_code)
        snprintf(a->reason, sizeof a->reason, "%s", r->reason_message ? r->reason_message : r->reason_code);
}

static void contact_failed(struct act *a, enum err e, int64_t retry_after_ms)
{
    snprintf(a->problem, sizeof a->problem, "%s", err_text());
    log_event(LOG_WARN, "contact_failed", "error", err_text(), "code", err_word(e), NULL);
    if (e == ERR_UNREACHABLE || e == ERR_TIMEOUT)
        project_next_url(a->project);
    act_tell(a, (struct plan_event){.kind = PLAN_CONTACT_FAILED,
                                    .err = e,
                                    .retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 0});
}

static void on_reply(void *ctx, enum err e, struct net_reply *reply)
{
    ARENA_AUTO struct arena arena = {.bytes_max = ARENA_BYTES_MAX};
    struct act *a = ctx;
    struct work_reply r = {0};
    a->contact.id = 0;
    buf_done(&a->contact.body);
    if (e == ERR_OK)
        e = work_reply_parse(buf_text(&reply->body), reply->body.len, &arena, &r);
    int64_t retry_after_ms = reply->retry_after_ms;
    net_reply_done(reply);
    if (e != ERR_OK) {
        contact_failed(a, e, retry_after_ms);
        return;
    }
    a->host_told = true;
    a->problem[0] = 0;
    act_tell(a, (struct plan_event){.kind = PLAN_HEARD});
    take_words(a, &r);
    take_acks(a, &r);
    take_recalls(a, &r);
    take_units(a, &r);
    act_tell(a, (struct plan_event){
                    .kind = PLAN_CONTACTED, .next_contact_ms = r.next_contact_ms, .wait_ms = r.wait_ms});
}

void act_contact(struct act *a, const struct plan_action *action)
{
    act_sync_settled(a);
    enum err e = write_body(a, action);
    if (e == ERR_OK)
        e = project_use_pins(a->project, a->net);
    snprintf(a->contact.url, sizeof a->contact.url, "%s/v1/work", a->project->url);
    struct net_request request = {.method = "POST",
                                  .url = a->contact.url,
                                  .token = a->project->token,
                                  .body = a->contact.body.data,
                                  .body_bytes = a->contact.body.len,
                                  .reply_bytes_max = 2 * JSON_BODY_BYTES_MAX,
                                  .timeout_s = TIMEOUT_S};
    if (action->wait_ms > 0) {
        request.waits = true;
        request.timeout_s = (action->wait_ms + 999) / 1000 + WAIT_MARGIN_S;
    }
    if (e == ERR_OK)
        e = net_start(a->net, &request, on_reply, a, &a->contact.id);
    if (e != ERR_OK)
        contact_failed(a, e, 0);
}

void act_hang_up(struct act *a)
{
    if (a->contact.id)
        net_cancel(a->net, a->contact.id);
    a->contact.id = 0;
    buf_done(&a->contact.body);
}

/* --- the project's statements */

static void on_project(void *ctx, enum err e, struct net_reply *reply)
{
    struct act *a = ctx;
    bool changed = false;
    a->refresh_id = 0;
    if (e == ERR_OK)
        e = project_learn(a->project, buf_text(&reply->body), reply->body.len, clock_wall_ms(), &changed);
    int64_t retry_after_ms = reply->retry_after_ms;
    net_reply_done(reply);
    if (e == ERR_OK)
        e = project_save(a->project);
    if (e == ERR_OK) {
        log_event(LOG_INFO, "project", "statements", changed ? "new" : "unchanged", NULL);
        act_tell(a, (struct plan_event){.kind = PLAN_REFRESHED});
        return;
    }
    snprintf(a->problem, sizeof a->problem, "%s", err_text());
    log_event(e == ERR_UNTRUSTED ? LOG_ERROR : LOG_WARN, "project", "error", err_text(), NULL);
    project_next_url(a->project);
    act_tell(a, (struct plan_event){.kind = PLAN_REFRESH_FAILED,
                                    .err = e,
                                    .retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 0});
}

void act_refresh(struct act *a)
{
    snprintf(a->refresh_url, sizeof a->refresh_url, "%s/v1/project", a->project->url);
    struct net_request request = {.method = "GET", .url = a->refresh_url, .timeout_s = 60};
    net_set_unverified(a->net, true);
    enum err e = net_start(a->net, &request, on_project, a, &a->refresh_id);
    net_set_unverified(a->net, false);
    if (e != ERR_OK) {
        snprintf(a->problem, sizeof a->problem, "%s", err_text());
        act_tell(a, (struct plan_event){.kind = PLAN_REFRESH_FAILED, .err = e});
    }
}
