/* act_fetch.c - brings together what an attempt needs: its release, its order, its bundle, its inputs. Each
 * is checked when it has come, before anything is done with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/act_in.h"

enum { FETCH_RELEASE, FETCH_ORDER, FETCH_FILE };
enum { MISMATCHES_MAX = 2, STATEMENT_TIMEOUT_S = 120 };

static void advance(struct act *a, uint32_t place);

void act_fetch_again(struct act *a)
{
    a->look_again = false;
    for (uint32_t i = 0; i < a->plan.used; i++)
        if (a->jobs[i] && a->plan.jobs[i].state == PLAN_FETCHING && !a->jobs[i]->transfer)
            advance(a, i);
}

static void try_later(struct act *a, uint32_t place, enum err e, int64_t retry_after_ms)
{
    snprintf(a->problem, sizeof a->problem, "%s", err_text());
    act_log_job(a, place, "fetch_failed", err_text());
    act_tell(a, (struct plan_event){.kind = PLAN_FETCH_FAILED,
                                    .job = place,
                                    .err = e,
                                    .retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 0});
}

/* Something signed or named by a digest is not what it should be. Newer keys may explain it: the project is
 * asked once. Otherwise the attempt ends here, and nothing of it was run. */
static void distrust(struct act *a, uint32_t place)
{
    if (plan_may_refresh(&a->plan, clock_mono_ms())) {
        try_later(a, place, ERR_UNTRUSTED, 0);
        act_tell(a, (struct plan_event){.kind = PLAN_DOUBTED});
    } else {
        act_settle_error(a, place, "untrusted");
    }
}

static void fetch_failed(struct act *a, uint32_t place, enum err e, const struct net_reply *reply)
{
    if (e == ERR_UNTRUSTED && reply->status == 0) {
        try_later(a, place, e, 0);
        act_tell(a, (struct plan_event){.kind = PLAN_DOUBTED});
    } else if (err_retry(e) || e == ERR_AUTH) {
        try_later(a, place, e, reply->retry_after_ms);
    } else {
        act_settle_error(a, place, "download");
    }
}

static enum err take_release(struct act *a, const struct digest *d, const struct buf *body)
{
    BUF_AUTO struct buf payload = {.bytes_max = ENVELOPE_BYTES_MAX};
    enum err e = task_prove_release(&a->proofs, &a->project->trust, d, buf_text(body), body->len, &payload);
    return e == ERR_OK ? depot_put(a->depot, DEPOT_RELEASE, d, body->data, body->len) : e;
}

static enum err take_order(struct act *a, const struct digest *d, const struct buf *body)
{
    struct digest got = hash_bytes(buf_text(body), body->len);
    if (!digest_eq(&got, d))
        return err_set(ERR_UNTRUSTED, "the server sent another order than the unit's statement names");
    return depot_put(a->depot, DEPOT_FILE, d, body->data, body->len);
}

static void on_statement(void *ctx, enum err e, struct net_reply *reply)
{
    struct transfer *t = ctx;
    struct act *a = t->act;
    struct digest d = t->digest;
    uint32_t place = t->job;
    uint8_t kind = t->kind;
    bool came = e == ERR_OK;
    act_transfer_end(a, t);
    if (came)
        e = kind == FETCH_RELEASE ? take_release(a, &d, &reply->body) : take_order(a, &d, &reply->body);
    if (e == ERR_OK)
        a->look_again = true;
    else if (!came)
        fetch_failed(a, place, e, reply);
    else if (e == ERR_UNTRUSTED || e == ERR_INVALID)
        distrust(a, place);
    else
        try_later(a, place, e, 0);
    net_reply_done(reply);
}

static void on_file(void *ctx, enum err e, struct net_reply *reply)
{
    struct transfer *t = ctx;
    struct act *a = t->act;
    struct digest d = t->digest;
    uint32_t place = t->job;
    uint64_t bytes = t->bytes;
    struct job *j = a->jobs[place];
    bool came = e == ERR_OK;
    act_transfer_end(a, t);
    if (came)
        e = depot_part_take(a->depot, &d, bytes);
    if (e == ERR_OK)
        a->look_again = true;
    else if (!came)
        fetch_failed(a, place, e, reply);
    else if (e == ERR_UNTRUSTED && ++j->mismatches >= MISMATCHES_MAX)
        act_settle_error(a, place, "untrusted");
    else
        try_later(a, place, e, 0);
    net_reply_done(reply);
}

static bool is_coming(const struct act *a, const struct digest *d)
{
    for (uint32_t i = 0; i < a->plan.used; i++)
        if (a->jobs[i] && a->jobs[i]->transfer && a->plan.jobs[i].state == PLAN_FETCHING &&
            digest_eq(&a->jobs[i]->transfer->digest, d))
            return true;
    return false;
}

static void start_statement(struct act *a, uint32_t place, uint8_t kind, const struct digest *d)
{
    char name[DIGEST_TEXT_BYTES];
    struct transfer *t = act_transfer_new(a, place);
    if (!t) {
        try_later(a, place, err_set(ERR_NOMEM, "out of memory"), 0);
        return;
    }
    digest_text(d, name);
    t->kind = kind;
    t->digest = *d;
    snprintf(t->url, sizeof t->url, "%s/v1/%s/%s", a->project->url,
             kind == FETCH_RELEASE ? "releases" : "orders", name);
    struct net_request request = {.method = "GET",
                                  .timeout_s = STATEMENT_TIMEOUT_S,
                                  .reply_bytes_max =
                                      kind == FETCH_RELEASE ? ENVELOPE_BYTES_MAX : BATCH_ORDER_BYTES_MAX};
    enum err e = act_start_request(a, t, &request, on_statement);
    if (e != ERR_OK) {
        act_transfer_end(a, t);
        try_later(a, place, e, 0);
    }
}

static void start_file(struct act *a, uint32_t place, const struct digest *d, uint64_t bytes)
{
    char name[DIGEST_TEXT_BYTES];
    struct transfer *t = act_transfer_new(a, place);
    enum err e = t ? ERR_OK : err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK)
        e = depot_part_open(a->depot, d, bytes, &t->fd, &t->offset);
    if (e == ERR_OK) {
        digest_text(d, name);
        t->kind = FETCH_FILE;
        t->digest = *d;
        t->bytes = bytes;
        snprintf(t->url, sizeof t->url, "%s/v1/blobs/%s", a->project->url, name);
        struct net_request request = {.method = "GET",
                                      .reply_fd = t->fd,
                                      .has_reply_fd = true,
                                      .follow = true,
                                      .range_from = t->offset,
                                      .reply_bytes_max = bytes};
        e = act_start_request(a, t, &request, on_file);
    }
    if (e == ERR_OK)
        return;
    if (t)
        act_transfer_end(a, t);
    try_later(a, place, e, 0);
}

/* Held things are not thrown out while others come. */
static bool hold(struct act *a, struct job *j, enum depot_kind kind, const struct digest *d)
{
    for (uint32_t i = 0; i < j->hold_count; i++)
        if (j->holds[i].kind == kind && digest_eq(&j->holds[i].digest, d))
            return true;
    struct held *more = realloc(j->holds, (j->hold_count + 1) * sizeof *more);
    if (!more)
        return false;
    j->holds = more;
    if (!depot_hold(a->depot, kind, d))
        return false;
    j->holds[j->hold_count++] = (struct held){kind, *d};
    return true;
}

/* True when it is there; otherwise it has been asked for, or is coming for another job. */
static bool have_file(struct act *a, uint32_t place, const struct digest *d, uint64_t bytes)
{
    if (hold(a, a->jobs[place], DEPOT_FILE, d))
        return true;
    if (!is_coming(a, d))
        start_file(a, place, d, bytes);
    return false;
}

static bool have_app(struct act *a, uint32_t place, const struct release *r)
{
    struct job *j = a->jobs[place];
    if (hold(a, j, DEPOT_APP, &r->bundle))
        return true;
    if (!depot_has(a->depot, DEPOT_FILE, &r->bundle)) {
        if (!is_coming(a, &r->bundle))
            start_file(a, place, &r->bundle, r->bundle_bytes);
        return false;
    }
    enum err e = depot_unpack(a->depot, &r->bundle);
    if (e == ERR_OK)
        return hold(a, j, DEPOT_APP, &r->bundle);
    if (e == ERR_CORRUPT) /* it is gone from the cache: fetched again */
        start_file(a, place, &r->bundle, r->bundle_bytes);
    else if (err_retry(e))
        try_later(a, place, e, 0);
    else
        act_settle_error(a, place, "untrusted");
    return false;
}

static bool have_statements(struct act *a, uint32_t place)
{
    const struct task_ids *ids = &a->jobs[place]->ids;
    struct job *j = a->jobs[place];
    if (!hold(a, j, DEPOT_RELEASE, &ids->release)) {
        if (!is_coming(a, &ids->release))
            start_statement(a, place, FETCH_RELEASE, &ids->release);
        return false;
    }
    if (!hold(a, j, DEPOT_FILE, &ids->order)) {
        if (!is_coming(a, &ids->order))
            start_statement(a, place, FETCH_ORDER, &ids->order);
        return false;
    }
    return true;
}

static void refuse(struct act *a, uint32_t place, enum err e)
{
    if (e == ERR_UNTRUSTED || e == ERR_INVALID)
        distrust(a, place);
    else
        try_later(a, place, e, 0);
}

static void advance(struct act *a, uint32_t place)
{
    ARENA_AUTO struct arena arena = {0};
    struct job *j = a->jobs[place];
    struct task task;
    if (!have_statements(a, place))
        return;
    enum err e = task_load(a->depot, &a->project->trust, &a->proofs, &j->ids, clock_wall_ms(), &arena, &task);
    if (e != ERR_OK) {
        refuse(a, place, e);
        return;
    }
    snprintf(j->app, sizeof j->app, "%s %u", task.release.app, task.release.version);
    if (!have_app(a, place, &task.release))
        return;
    for (uint32_t i = 0; i < task.input_count; i++)
        if (!have_file(a, place, &task.inputs[i].sha256, task.inputs[i].bytes))
            return;
    double cost = task.release.manifest.cost, speed = a->host->host.speed > 0 ? a->host->host.speed : 1;
    act_tell(a, (struct plan_event){.kind = PLAN_FETCHED,
                                    .job = place,
                                    .seconds = cost > 0 ? cost / speed : 0,
                                    .memory_bytes = task.limits.memory_bytes});
}

void act_fetch(struct act *a, uint32_t place)
{
    struct job *j = a->jobs[place];
    if (j->starts >= ACT_STARTS_MAX) {
        (void)err_set(ERR_IO, "this computer or its client stopped %u times while it ran", j->starts);
        act_settle_error(a, place, "other");
        return;
    }
    advance(a, place);
}
