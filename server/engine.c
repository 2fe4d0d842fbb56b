/* engine.c - the turn: requests in, one transaction, answers out. */
#include "server/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine_in.h"

enum { TURN_TRIES = 8, TURN_BYTES_MAX = 1 << 30, BUSY_RETRY_MS = 1000 };

static const char *const reason_names[ENGINE_REASONS] = {
#define X(name, word) word,
    ENGINE_REASON_LIST(X)
#undef X
};

const char *engine_reason_name(enum engine_reason r)
{
    return r < ENGINE_REASONS ? reason_names[r] : "none";
}

enum err engine_text(struct arena *a, const char *text, const char **ret)
{
    char *copy = arena_text(a, text ? text : "");
    if (!copy)
        return ERR_NOMEM;
    *ret = copy;
    return ERR_OK;
}

enum err engine_bytes(struct arena *a, const struct text *from, struct text *ret)
{
    char *copy = arena_bytes(a, from->data ? from->data : "", from->len);
    if (!copy)
        return ERR_NOMEM;
    *ret = (struct text){.data = copy, .len = from->len};
    return ERR_OK;
}

void engine_fail(struct engine_request *r, enum err e)
{
    r->err = e;
    r->message = arena_text(r->arena, err_text());
    if (e == ERR_BUSY)
        r->retry_after_ms = BUSY_RETRY_MS;
}

static void audit_text(struct engine *e, const struct engine_request *r, const char *action, const char *text)
{
    if (r->user_id == 0)
        return;
    struct store_audit entry = {.at_ms = e->now_ms,
                                .user_id = r->user_id,
                                .action = action,
                                .subject = arena_text(&e->turn, text),
                                .detail = {.data = "{}", .len = 2}};
    store_set_audit(e->set, &entry);
}

void engine_audit(struct engine *e, const struct engine_request *r, const char *action, uint64_t subject)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, subject);
    audit_text(e, r, action, text);
}

/* --- memory --- */

static uint32_t or_default(uint32_t v, uint32_t fallback)
{
    return v ? v : fallback;
}

enum err engine_new(struct store *store, const struct engine_config *config, struct engine **ret_engine)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e || !(e->set = store_set_new())) {
        free(e);
        return err_set(ERR_NOMEM, "no memory for the engine");
    }
    struct engine_config *c = &e->config;
    e->store = store;
    *c = *config;
    c->units_cached = or_default(c->units_cached, 20000);
    c->hosts_cached = or_default(c->hosts_cached, 50000);
    c->chunks_cached = or_default(c->chunks_cached, 1000);
    c->slice_units = or_default(c->slice_units, 4096);
    c->leases_per_core_max = or_default(c->leases_per_core_max, 100);
    c->leases_per_host_max = or_default(c->leases_per_host_max, 2000);
    c->contact_ms = c->contact_ms ? c->contact_ms : 60000;
    c->contact_idle_ms = c->contact_idle_ms ? c->contact_idle_ms : 300000;
    e->turn.bytes_max = TURN_BYTES_MAX;
    *ret_engine = e;
    return ERR_OK;
}

/* Drops the least recently used until `most` are left; what has work to do stays. */
static void trim(struct engine *e, uint32_t units, uint32_t hosts, uint32_t chunks, uint32_t batches)
{
    while (e->units.count > units)
        unit_free(e, (void *)e->units.oldest);
    while (e->hosts.count > hosts)
        host_free(e, (void *)e->hosts.oldest);
    while (e->chunks.count > chunks)
        chunk_free(e, (void *)e->chunks.oldest);
    struct cache_item *next;
    for (struct cache_item *i = e->batches.oldest; i && e->batches.count > batches + e->active_count;
         i = next) {
        next = i->newer;
        if (!((struct batch_mem *)(void *)i)->active)
            batch_free(e, (void *)i);
    }
}

static void forget(struct engine *e)
{
    store_set_clear(e->set);
    e->dirty_units = NULL;
    e->dirty_hosts = NULL;
    e->dirty_batches = NULL;
    e->dirty_unit_count = e->failure_count = e->volunteer_count = e->quota_count = e->active_count =
        e->todo_count = 0;
    while (e->batches.oldest)
        batch_free(e, (void *)e->batches.oldest);
    trim(e, 0, 0, 0, 0);
    e->project = (struct project_counts){0};
    e->project_credit_micro = 0;
    e->batches_loaded = e->units_new = e->keys_new = false;
    e->batches_read_ms = 0;
    e->judge_new = e->webhook_new = e->purge_new = false;
    streams_forget(e);
    versions_forget(e);
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    forget(e);
    cache_done(&e->units);
    cache_done(&e->hosts);
    cache_done(&e->batches);
    cache_done(&e->chunks);
    for (uint32_t i = 0; i < e->platform_count; i++)
        free(e->platforms[i]);
    free(e->active);
    free(e->failures);
    free(e->volunteers);
    free(e->quotas);
    free(e->todo);
    store_set_free(e->set);
    arena_done(&e->turn);
    free(e);
}

/* --- writing --- */

static void project_write(struct engine *e)
{
    static const struct project_counts none = {0};
    if (memcmp(&e->project, &none, sizeof none) == 0 && e->project_credit_micro == 0)
        return;
    store_set_project(e->set, e->view.slot, &e->project, e->project_credit_micro);
    e->project = none;
    e->project_credit_micro = 0;
}

enum err engine_flush(struct engine *e)
{
    TRY(units_write(e));
    TRY(hosts_write(e));
    TRY(batches_write(e));
    versions_write(e);
    project_write(e);
    for (uint32_t i = 0; i < e->quota_count; i++)
        store_set_user_quota(e->set, e->quotas[i].user_id, e->quotas[i].bytes);
    e->quota_count = 0;
    e->units_new = e->keys_new = e->streams_new = e->stages_new = false;
    if (store_set_is_empty(e->set))
        return ERR_OK;
    return store_set_write(e->store, e->set);
}

/* --- small requests --- */

/* May a unit of the batch be tried again? What retry of the whole batch asks, too. */
static enum err may_retry(const struct batch_mem *b)
{
    if (b->b.purged || b->b.job == BATCH_JOB_PURGE)
        return err_set(ERR_STALE, "batch %u is purged: submit it again", b->b.id);
    if (b->b.job == BATCH_JOB_CANCEL)
        return err_set(ERR_CONFLICT, "batch %u is still being cancelled: try again", b->b.id);
    return ERR_OK;
}

static enum err on_unit_do(struct engine *e, struct engine_request *r)
{
    struct engine_unit_do *q = &r->u.unit_do;
    struct unit_mem *u;
    struct batch_mem *b;
    enum err step;
    char name[ID_TEXT_BYTES];
    struct wu_event ev = {.kind = q->event, .now_ms = e->now_ms};
    wu_id_text(q->unit, name);
    TRY(unit_find(e, q->unit, &u));
    if (!u) {
        engine_fail(r, err_set(ERR_MISSING, "there is no work unit %s", name));
        return ERR_OK;
    }
    TRY(batch_find(e, wu_id_batch(q->unit), &b));
    bool again = b && q->event == WU_EV_RETRY;
    step = again ? may_retry(b) : ERR_OK;
    if (step == ERR_OK)
        TRY(unit_apply(e, u, &ev, NULL, &step));
    if (step != ERR_OK) {
        engine_fail(r, step);
        return ERR_OK;
    }
    if (again) { /* also where it is not over: another server may just end it */
        b->b.finished_ms = 0;
        b->b.cancelled = false; /* or it would be sent to nobody, and the batch never end */
        batch_live_changed(e, b);
    }
    char action[40];
    snprintf(action, sizeof action, "unit.%s", wu_event_name(q->event));
    const char *kept;
    TRY(engine_text(&e->turn, action, &kept));
    audit_text(e, r, kept, name);
    return ERR_OK;
}

/* What was judged and what is there now may differ: only answers that were compared count. */
static enum err on_judged(struct engine *e, struct engine_request *r)
{
    struct engine_judged *q = &r->u.judged;
    struct unit_mem *u;
    enum err step = ERR_MISSING;
    struct wu_event ev = {.kind = WU_EV_JUDGED, .now_ms = e->now_ms, .error = q->error};
    TRY(unit_find(e, q->unit, &u));
    if (u) {
        TRY(unit_void_banned(e, u));
        for (uint32_t i = 0; i < u->wu.attempt_count; i++)
            if (digest_eq(&q->answers[i], &u->wu.attempts[i].answer) && !digest_is_zero(&q->answers[i]))
                ev.groups[i] = q->groups[i];
        TRY(unit_apply(e, u, &ev, NULL, &step));
        if (step == ERR_INVALID)
            engine_fail(r, step);
    }
    store_set_outbox_done(e->set, q->outbox_id);
    return ERR_OK;
}

static void on_outbox(struct engine *e, const struct engine_outbox *q)
{
    if (q->done)
        store_set_outbox_done(e->set, q->id);
    else
        store_set_outbox_later(e->set, q->id, q->due_ms);
}

static enum err add_quota(struct engine *e, const struct engine_quota *q)
{
    for (uint32_t i = 0; i < e->quota_count; i++) {
        if (e->quotas[i].user_id == q->user_id) {
            e->quotas[i].bytes += q->bytes;
            return ERR_OK;
        }
    }
    if (e->quota_count == e->quota_room) {
        uint32_t room = e->quota_room ? e->quota_room * 2 : 16;
        struct quota_add *more = realloc(e->quotas, room * sizeof *more);
        if (!more)
            return err_set(ERR_NOMEM, "no memory for a quota");
        e->quotas = more;
        e->quota_room = room;
    }
    e->quotas[e->quota_count++] = (struct quota_add){.user_id = q->user_id, .bytes = q->bytes};
    return ERR_OK;
}

/* What was counted when somebody looked is put right only if nothing was counted since. */
static enum err on_quota(struct engine *e, struct engine_request *r)
{
    const struct engine_quota *q = &r->u.quota;
    struct store_user user;
    if (q->bytes < 0)
        engine_audit(e, r, "files.free", q->user_id);
    if (!q->guarded)
        return add_quota(e, q);
    TRY(engine_flush(e));
    enum err err = store_user_get(e->store, &e->turn, q->user_id, &user);
    if (err == ERR_OK && user.blob_bytes_noted != q->counted)
        err = err_set(ERR_CONFLICT, "the bytes of user %" PRIu64 " have changed meanwhile", q->user_id);
    if (err == ERR_OK)
        return add_quota(e, q);
    if (err != ERR_MISSING && err != ERR_CONFLICT)
        return err;
    engine_fail(r, err);
    return ERR_OK;
}

static enum err setting_detail(struct engine *e, const char *value, struct text *ret)
{
    BUF_AUTO struct buf detail = {0};
    struct json_out o;
    json_out_init(&o, &detail);
    json_out_object(&o, NULL);
    json_out_string(&o, "value", value);
    json_out_close(&o);
    TRY(json_out_end(&o));
    struct text text = {.data = detail.data, .len = (uint32_t)detail.len};
    return engine_bytes(&e->turn, &text, ret);
}

static enum err on_setting(struct engine *e, struct engine_request *r)
{
    const char *name, *value;
    TRY(engine_text(&e->turn, r->u.setting.name, &name));
    TRY(engine_text(&e->turn, r->u.setting.value, &value));
    TRY(engine_flush(e)); /* the same setting may have been set before in this turn */
    store_set_setting(e->set, name, value);
    version_minima_changed(e);
    if (r->user_id == 0)
        return ERR_OK;
    struct store_audit entry = {
        .at_ms = e->now_ms, .user_id = r->user_id, .action = "setting", .subject = name};
    TRY(setting_detail(e, value, &entry.detail));
    store_set_audit(e->set, &entry);
    return ERR_OK;
}

static enum err on_audit(struct engine *e, const struct engine_request *r)
{
    struct store_audit entry = {.at_ms = e->now_ms, .user_id = r->user_id};
    TRY(engine_text(&e->turn, r->u.audit.action, &entry.action));
    TRY(engine_text(&e->turn, r->u.audit.subject, &entry.subject));
    TRY(engine_bytes(&e->turn, &r->u.audit.detail, &entry.detail));
    store_set_audit(e->set, &entry);
    return ERR_OK;
}

/* --- time --- */

struct due {
    struct engine *e;
    wu_id *ids;
    uint32_t count;
};

static enum err due_row(void *ctx, const struct store_unit_row *row)
{
    struct due *d = ctx;
    struct unit_mem *u;
    d->ids[d->count++] = row->id;
    return unit_keep(d->e, row, &u);
}

static void look_later(struct engine *e, struct unit_mem *u)
{
    if (u->dirty)
        return;
    u->dirty = true;
    u->next_dirty = e->dirty_units;
    e->dirty_units = u;
    e->dirty_unit_count++;
}

static enum err on_tick(struct engine *e, struct engine_tick *q)
{
    uint32_t slice = e->config.slice_units;
    struct due d = {.e = e, .ids = arena_array(&e->turn, slice + 1u, sizeof *d.ids)};
    if (!d.ids)
        return ERR_NOMEM;
    q->ret_more = false;
    q->ret_wake_at_ms = INT64_MAX;
    if (!e->view.ticks)
        return ERR_OK;
    struct store_unit_rows to = {.row = due_row, .ctx = &d};
    TRY(engine_flush(e));
    TRY(e->view.alone ? store_wake_scan(e->store, e->now_ms, slice, to)
                      : store_wake_lock(e->store, e->now_ms, slice, to));
    for (uint32_t i = 0; i < d.count; i++) {
        struct unit_mem *u;
        enum err step;
        struct wu_event ev = {.kind = WU_EV_TICK, .now_ms = e->now_ms};
        TRY(unit_find(e, d.ids[i], &u));
        if (!u)
            continue;
        TRY(unit_apply(e, u, &ev, NULL, &step));
        if (step != ERR_OK)
            look_later(e, u); /* it was to be looked at for nothing: when next is written */
    }
    q->ret_more = d.count == slice;
    if (!e->view.alone)
        TRY(batches_look(e));
    if (!q->ret_more)
        TRY(batch_jobs(e, &q->ret_more));
    TRY(replays_clean(e));
    TRY(streams_clear(e, &q->ret_more));
    TRY(engine_flush(e));
    return store_wake_next(e->store, &q->ret_wake_at_ms);
}

/* --- the turn --- */

static enum err handle(struct engine *e, struct engine_request *r)
{
    r->err = ERR_OK;
    r->message = NULL;
    r->replayed = false;
    switch (r->kind) {
    case ENGINE_WORK:
        return on_work(e, r);
    case ENGINE_JOIN:
        return on_join(e, r);
    case ENGINE_HOST:
        return on_host(e, r);
    case ENGINE_BATCH:
        return on_batch(e, r);
    case ENGINE_UNITS:
        return on_units(e, r);
    case ENGINE_BATCH_DO:
        return on_batch_do(e, r);
    case ENGINE_UNIT_DO:
        return on_unit_do(e, r);
    case ENGINE_JUDGED:
        return on_judged(e, r);
    case ENGINE_OUTBOX:
        on_outbox(e, &r->u.outbox);
        return ERR_OK;
    case ENGINE_RELEASE:
        return on_release(e, r);
    case ENGINE_USER:
        return on_user(e, r);
    case ENGINE_TOKEN:
        return on_token(e, r);
    case ENGINE_INVITATION:
        return on_invitation(e, r);
    case ENGINE_CREDENTIAL:
        return on_credential(e, r);
    case ENGINE_VERSION:
        return on_version(e, r);
    case ENGINE_SETTING:
        return on_setting(e, r);
    case ENGINE_AUDIT:
        return on_audit(e, r);
    case ENGINE_QUOTA:
        return on_quota(e, r);
    case ENGINE_PUBLISH:
        return on_publish(e, r);
    case ENGINE_CURSOR:
        return on_cursor(e, r);
    case ENGINE_STREAM:
        return on_stream(e, r);
    case ENGINE_STAGE:
        return on_stage(e, r);
    case ENGINE_SCHEDULE:
        return on_schedule(e, r);
    case ENGINE_TICK:
        return on_tick(e, &r->u.tick);
    case ENGINE_KINDS:
        break;
    }
    engine_fail(r, err_set(ERR_INVALID, "the engine does not know request %d", (int)r->kind));
    return ERR_OK;
}

/* What people and the other threads ask about batches is answered as of now. */
static bool is_patient(struct engine_request *const *requests, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (requests[i]->kind != ENGINE_WORK && requests[i]->kind != ENGINE_JOIN &&
            requests[i]->kind != ENGINE_OUTBOX && requests[i]->kind != ENGINE_TICK)
            return false;
    return true;
}

static struct engine_view look_around(const struct engine *e)
{
    struct engine_view v = engine_view_alone();
    if (e->config.view)
        e->config.view(e->config.view_ctx, &v);
    return v;
}

static enum err attempt_turn(struct engine *e, struct engine_request **requests, uint32_t count)
{
    struct engine_view view = look_around(e);
    e->turn_number++;
    if (view.epoch != e->view.epoch)
        forget(e);
    e->view = view;
    streams_forget(e);
    versions_refresh(e);
    TRY(store_begin(e->store, true));
    TRY(batches_load(e));
    if (!e->view.alone)
        TRY(batches_refresh(e, !is_patient(requests, count)));
    TRY(turn_prefetch(e, requests, count));
    for (uint32_t i = 0; i < count; i++) {
        TRY(handle(e, requests[i]));
        TRY(trust_settle(e));
    }
    TRY(routes_write(e));
    TRY(engine_flush(e));
    view = look_around(e);
    if (view.epoch != e->view.epoch)
        return err_set(ERR_CONFLICT, "the servers on this database are others by now");
    e->stats.commits++;
    return store_commit(e->store);
}

static void after_commit(struct engine *e)
{
    const struct engine_config *c = &e->config;
    for (struct cache_item *i = e->batches.newest; i; i = i->older) {
        struct batch_mem *b = (void *)i;
        if (b->delivered && c->on_delivered)
            c->on_delivered(c->hook_ctx, b->b.id);
        b->delivered = false;
    }
    if (c->on_outbox) {
        if (e->judge_new)
            c->on_outbox(c->hook_ctx, OUTBOX_JUDGE);
        if (e->webhook_new)
            c->on_outbox(c->hook_ctx, OUTBOX_WEBHOOK);
        if (e->purge_new)
            c->on_outbox(c->hook_ctx, OUTBOX_PURGE_FILES);
    }
    for (const struct stream_mem *m = e->streams; m && c->on_streamed; m = m->next)
        if (m->told)
            c->on_streamed(c->hook_ctx, m->st.id);
    e->judge_new = e->webhook_new = e->purge_new = false;
    trim(e, c->units_cached, c->hosts_cached, c->chunks_cached, BATCHES_IDLE_MAX);
}

static enum err take(struct engine *e, struct engine_request **requests, uint32_t count)
{
    enum err err = ERR_CONFLICT;
    for (int try = 0; try < TURN_TRIES && err == ERR_CONFLICT; try++) {
        arena_reset(&e->turn);
        err = attempt_turn(e, requests, count);
        if (err == ERR_OK)
            break;
        store_rollback(e->store);
        forget(e);
        if (err == ERR_CONFLICT)
            e->stats.conflicts++;
    }
    if (err == ERR_OK)
        after_commit(e);
    return err;
}

static void refuse(struct engine *e, struct engine_request *r)
{
    e->stats.commit_failures++;
    r->err = ERR_BUSY;
    r->message = arena_text(r->arena, "the server could not store this now: try again");
    r->retry_after_ms = BUSY_RETRY_MS;
}

enum err engine_turn(struct engine *e, struct engine_request **requests, uint32_t count, int64_t now_ms)
{
    e->now_ms = now_ms;
    e->stats.turns++;
    e->stats.requests += count;
    enum err err = take(e, requests, count);
    if (err == ERR_OK)
        return ERR_OK;
    /* One request that meets corrupt data, or is too big for a turn, must not take the others with it. */
    bool alone =
        count > 1 && (err == ERR_CORRUPT || err == ERR_LIMIT || err == ERR_NOMEM || err == ERR_CONFLICT);
    for (uint32_t i = 0; i < count; i++)
        if (!alone || take(e, &requests[i], 1) != ERR_OK)
            refuse(e, requests[i]);
    return alone ? ERR_OK : err;
}

void engine_stats(const struct engine *e, struct engine_stats *ret)
{
    *ret = e->stats;
    ret->units_cached = e->units.count;
    ret->hosts_cached = e->hosts.count;
    ret->batches_active = e->active_count;
    ret->commit_us = store_commit_us(e->store);
}
