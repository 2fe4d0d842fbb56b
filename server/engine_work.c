/* engine_work.c - a host's work request: what ended, what it holds, what it wants. */
#include <string.h>

#include "server/engine_in.h"
#include "server/store_answer.h"

static enum err ack(struct engine_request *r, struct engine_report *p, enum err code, const char *text)
{
    p->ack = code;
    p->ack_message = NULL;
    return code == ERR_OK ? ERR_OK : engine_text(r->arena, text, &p->ack_message);
}

/* Told again: what this host said of this attempt before. */
static bool is_repeated(const struct wu *wu, const struct engine_report *p, uint64_t host_id)
{
    if (p->attempt >= wu->attempt_count || wu->attempts[p->attempt].host_id != host_id)
        return false;
    const struct attempt *a = &wu->attempts[p->attempt];
    if (p->error != ATTEMPT_ERROR_NONE)
        return a->state == ATTEMPT_ERRORED;
    return (a->state == ATTEMPT_REPORTED || a->state == ATTEMPT_VALID || a->state == ATTEMPT_INVALID) &&
           digest_eq(&a->answer, &p->answer);
}

enum err answer_keep(struct engine *e, wu_id unit, const struct digest *answer, const struct text *row)
{
    struct store_answer_key *key = arena_alloc(&e->turn, sizeof *key);
    struct text copy;
    if (!key)
        return ERR_NOMEM;
    *key = (struct store_answer_key){unit, *answer};
    TRY(engine_bytes(&e->turn, row, &copy));
    if (e->view.schema < STORE_ANSWERS_SINCE)
        return store_set_answer_apart(e->set, &e->turn, key, &copy);
    store_set_answer(e->set, key, &copy);
    return ERR_OK;
}

static enum err keep_note(struct engine *e, const struct engine_report *p, uint64_t host_id)
{
    struct batch_mem *b;
    struct store_note note = {.unit = p->unit,
                              .attempt = p->attempt,
                              .host_id = host_id,
                              .error = p->error,
                              .exit_code = p->exit_code,
                              .signal = p->signal,
                              .at_ms = e->now_ms};
    TRY(engine_text(&e->turn, p->message, &note.message));
    TRY(engine_text(&e->turn, p->stderr_tail, &note.stderr_tail));
    TRY(engine_text(&e->turn, p->stdout_tail, &note.stdout_tail));
    store_set_note(e->set, &note);
    TRY(batch_find(e, wu_id_batch(p->unit), &b));
    return b ? batch_note_failure(e, b, &note) : ERR_OK;
}

/* An answer without the app's files, or with others, is none. */
static enum err check_outputs(struct engine *e, struct engine_request *r, struct engine_report *p,
                              const struct wu *wu)
{
    bool audit = p->attempt < wu->attempt_count && wu->attempts[p->attempt].audit;
    struct batch_mem *b;
    char why[320];
    TRY(batch_find(e, wu_id_batch(p->unit), &b));
    if (!b)
        return ERR_OK;
    TRY(output_check(e, b, p, audit, why, sizeof why));
    if (!why[0])
        TRY(route_check(e, b, p, why, sizeof why));
    if (!why[0])
        return ERR_OK;
    p->error = ATTEMPT_ERROR_OUTPUT;
    return engine_text(r->arena, why, &p->message);
}

static enum err report(struct engine *e, struct engine_request *r, struct host_mem *h,
                       struct engine_report *p)
{
    struct unit_mem *u;
    enum err step;
    TRY(unit_find(e, p->unit, &u));
    if (!u)
        return ack(r, p, ERR_MISSING, "there is no such work unit");
    if (h->h.banned) /* what it had out is with others */
        return is_repeated(&u->wu, p, h->h.id)
                   ? ack(r, p, ERR_OK, NULL)
                   : ack(r, p, ERR_STALE, "this host is banned: its answers are not taken");
    if (p->error == ATTEMPT_ERROR_NONE)
        TRY(check_outputs(e, r, p, &u->wu));
    struct wu_event ev = {.kind = p->error == ATTEMPT_ERROR_NONE ? WU_EV_REPORT : WU_EV_ERROR,
                          .now_ms = e->now_ms,
                          .attempt = p->attempt,
                          .host_id = h->h.id,
                          .error = p->error,
                          .answer = p->answer};
    struct unit_fact fact = {.cpu_ms = p->cpu_ms,
                             .wall_ms = p->wall_ms,
                             .memory_bytes = p->memory_bytes,
                             .output_bytes = p->output_bytes,
                             .used = p->error == ATTEMPT_ERROR_NONE || p->cpu_ms > 0 || p->wall_ms > 0};
    if (ev.kind == WU_EV_REPORT)
        TRY(unit_void_banned(e, u));
    TRY(unit_apply(e, u, &ev, &fact, &step));
    if (step == ERR_STALE && is_repeated(&u->wu, p, h->h.id))
        return ack(r, p, ERR_OK, NULL);
    if (step != ERR_OK)
        return ack(r, p, step == ERR_CONFLICT || step == ERR_LIMIT ? ERR_STALE : step, err_text());
    e->stats.reports++;
    struct batch_mem *b;
    TRY(batch_find(e, wu_id_batch(p->unit), &b));
    if (b && ev.kind == WU_EV_REPORT)
        tail_note(b, e->now_ms - u->wu.attempts[p->attempt].sent_ms);
    h->added.reports++;
    h->h.reports++;
    host_touch(e, h);
    TRY(ev.kind == WU_EV_REPORT ? answer_keep(e, p->unit, &p->answer, &p->row) : keep_note(e, p, h->h.id));
    return ack(r, p, ERR_OK, NULL);
}

/* Is an attempt that the host holds, but that is not out at it, still worth its time? */
static bool is_welcome(const struct wu *wu, uint32_t attempt, uint64_t host_id)
{
    if (attempt >= wu->attempt_count || wu->attempts[attempt].host_id != host_id)
        return false;
    enum attempt_state s = wu->attempts[attempt].state;
    return s == ATTEMPT_LEASED || (s == ATTEMPT_EXPIRED && (wu->state == WU_OPEN || wu->state == WU_JUDGING));
}

static enum err recall(struct engine *e, struct engine_request *r, struct host_mem *h)
{
    struct engine_work *w = &r->u.work;
    for (uint32_t i = 0; i < w->held_count; i++) {
        struct unit_mem *u;
        if (host_lease_find(h, w->held[i].unit, w->held[i].attempt))
            continue;
        TRY(unit_find(e, w->held[i].unit, &u));
        if (!u || !is_welcome(&u->wu, w->held[i].attempt, h->h.id))
            w->recall[w->recall_count++] = w->held[i];
    }
    return ERR_OK;
}

static bool is_held(const struct engine_work *w, const struct host_lease *l)
{
    for (uint32_t i = 0; i < w->held_count; i++)
        if (w->held[i].unit == l->unit && w->held[i].attempt == l->attempt)
            return true;
    for (uint32_t i = 0; i < w->report_count; i++)
        if (w->reports[i].unit == l->unit && w->reports[i].attempt == l->attempt)
            return true;
    return false;
}

/* What should be at the host and is not held: the reply that gave it was lost, so it is given again. */
static enum err resend(struct engine *e, struct engine_request *r, struct host_mem *h)
{
    struct engine_work *w = &r->u.work;
    for (uint32_t i = 0; i < h->lease_count && w->given_count < w->want->units_max; i++) {
        const struct host_lease *l = &h->leases[i];
        struct unit_mem *u;
        struct batch_mem *b;
        if (l->gone || is_held(w, l))
            continue;
        TRY(unit_find(e, l->unit, &u));
        TRY(batch_find(e, wu_id_batch(l->unit), &b));
        if (!u || !b || l->attempt >= u->wu.attempt_count)
            continue;
        TRY(dispatch_give(e, r, h, b, u, l->attempt));
        e->stats.resent++;
    }
    return ERR_OK;
}

static enum err renew(struct engine *e, struct engine_request *r, struct host_mem *h)
{
    struct engine_work *w = &r->u.work;
    for (uint32_t i = 0; i < w->renew_count; i++) {
        struct unit_mem *u;
        enum err step;
        TRY(unit_find(e, w->renew[i].unit, &u));
        if (!u)
            continue;
        struct wu_event ev = {
            .kind = WU_EV_RENEW, .now_ms = e->now_ms, .attempt = w->renew[i].attempt, .host_id = h->h.id};
        TRY(unit_apply(e, u, &ev, NULL, &step));
        if (step != ERR_OK)
            continue;
        struct engine_given *g;
        TRY(given_add(r, &g));
        *g = (struct engine_given){
            .unit = u->wu.id, .attempt = ev.attempt, .deadline_ms = u->wu.attempts[ev.attempt].deadline_ms};
    }
    return ERR_OK;
}

static enum err leave(struct engine *e, struct host_mem *h)
{
    TRY(host_give_back(e, h));
    return host_leave(e, h);
}

enum err given_add(struct engine_request *r, struct engine_given **ret)
{
    struct engine_work *w = &r->u.work;
    if (w->given_count == w->given_room) {
        struct engine_given *given = arena_array(r->arena, w->given_room * 2u, sizeof *given);
        struct engine_chunk *chunks = arena_array(r->arena, w->given_room * 2u, sizeof *chunks);
        if (!given || !chunks)
            return ERR_NOMEM;
        memcpy(given, w->given, w->given_count * sizeof *given);
        memcpy(chunks, w->chunks, w->chunk_count * sizeof *chunks);
        w->given = given;
        w->chunks = chunks;
        w->given_room *= 2;
    }
    *ret = &w->given[w->given_count++];
    return ERR_OK;
}

enum { GIVEN_ROOM = 8 }; /* more is made when there is more */

static enum err reply_room(struct engine_request *r)
{
    struct engine_work *w = &r->u.work;
    if (!w->waits_since_ms) { /* else it has asked before, and has the room */
        w->given_room = w->renew_count + GIVEN_ROOM;
        w->given = arena_array(r->arena, w->given_room, sizeof *w->given);
        w->chunks = arena_array(r->arena, w->given_room, sizeof *w->chunks);
        w->recall = arena_array(r->arena, w->held_count + 1u, sizeof *w->recall);
    }
    w->given_count = w->chunk_count = w->recall_count = 0;
    w->reason = ENGINE_REASON_NONE;
    w->reason_text = NULL;
    w->nothing = w->unfilled = false;
    return w->given && w->chunks && w->recall ? ERR_OK : ERR_NOMEM;
}

enum { SEEN_EVERY_MS = 60000 };

static void seen(struct engine *e, struct host_mem *h, const struct engine_work *w)
{
    h->calls.asked_ms = e->now_ms;
    h->calls.waits_until_ms = w->nothing ? e->now_ms + w->wait_ms : 0;
    if (e->now_ms - h->h.seen_ms >= SEEN_EVERY_MS)
        host_touch(e, h);
    if (h->dirty)
        h->h.seen_ms = e->now_ms;
}

enum { IDLE_CALLS_PER_S = 20, IDLE_MS_MIN = 5000, BUSY_MS_MIN = 1000, BUSY_FOR_MS = 120000 };

/* A few hosts ask again within seconds, so that new work starts at once, and all the sooner while somebody is
 * at work with the project: who has just had an answer often asks the next question. Many share out what the
 * server can well bear of calls for nothing. */
static int64_t next_contact_ms(const struct engine *e, enum engine_reason reason)
{
    bool busy = e->work_ms != 0 && e->now_ms - e->work_ms < BUSY_FOR_MS;
    int64_t soon_ms = busy ? BUSY_MS_MIN : IDLE_MS_MIN;
    int64_t idle_ms = (int64_t)e->hosts.count * 1000 / IDLE_CALLS_PER_S;
    if (reason == ENGINE_REASON_NONE)
        return e->config.contact_ms;
    if (reason == ENGINE_REASON_BANNED || reason == ENGINE_REASON_VERSION ||
        idle_ms > e->config.contact_idle_ms)
        return e->config.contact_idle_ms;
    int64_t least_ms = e->config.contact_idle_ms < soon_ms ? e->config.contact_idle_ms : soon_ms;
    return idle_ms > least_ms ? idle_ms : least_ms;
}

enum err on_work(struct engine *e, struct engine_request *r)
{
    struct engine_work *w = &r->u.work;
    struct host_mem *h;
    TRY(reply_room(r));
    TRY(host_find(e, w->host_id, &h));
    if (!h || h->h.left) {
        engine_fail(r, err_set(ERR_AUTH, "this host has left the project: join again"));
        return ERR_OK;
    }
    if (w->host)
        TRY(host_tell(e, h, w->host));
    if (w->network && w->network != h->h.network) {
        h->h.network = w->network;
        h->told = true;
        host_touch(e, h);
    }
    for (uint32_t i = 0; i < w->report_count; i++)
        TRY(report(e, r, h, &w->reports[i]));
    if (w->leaving) {
        TRY(leave(e, h));
    } else {
        TRY(host_leases(e, h));
        if (w->held_given)
            TRY(recall(e, r, h));
        if (w->want && w->want->units_max > 0) {
            if (w->held_given)
                TRY(resend(e, r, h));
            if (w->given_count < w->want->units_max)
                TRY(dispatch(e, r, h));
        }
        TRY(renew(e, r, h));
    }
    seen(e, h, w);
    w->next_contact_ms = next_contact_ms(e, w->reason);
    return ERR_OK;
}
