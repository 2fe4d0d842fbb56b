/* server.c - the smallest shell that keeps the promises of the real one: begin, load, step, save where
 * nothing else has moved, history, effects, commit; only then does anybody hear of it. Its memory is lost
 * with it. */
#include <stdlib.h>
#include <string.h>

#include "rules/pick.h"
#include "sim.h"

#define LEASES_LOOKED_AT 200

static void put_ready(struct sim *s, uint32_t unit)
{
    if (s->is_ready[unit])
        return;
    s->is_ready[unit] = true;
    s->ready[(s->ready_first + s->ready_count++) % s->options.units] = unit;
}

static uint32_t take_ready(struct sim *s)
{
    uint32_t unit = s->ready[s->ready_first];
    s->ready_first = (s->ready_first + 1) % s->options.units;
    s->ready_count--;
    s->is_ready[unit] = false;
    return unit;
}

static void set_timer(struct sim *s, uint32_t unit, int64_t at_ms)
{
    if (at_ms != INT64_MAX)
        agenda_add(&s->agenda, (struct event){.at_ms = at_ms > s->now_ms ? at_ms : s->now_ms,
                                              .kind = HAPPENS_TIMER,
                                              .who = unit,
                                              .number = (uint64_t)at_ms});
}

static void note_lease(struct sim *s, uint64_t host_id, uint32_t unit, uint32_t attempt)
{
    struct lease_row *rows = &s->leases[(host_id - 1) * LEASE_ROWS];
    memmove(rows + 1, rows, (LEASE_ROWS - 1) * sizeof *rows);
    rows[0] = (struct lease_row){unit + 1, attempt};
}

/* What the server knows without looking: all of it comes from the store. */
void server_start(struct sim *s)
{
    s->server_up = true;
    s->ready_first = s->ready_count = 0;
    memset(s->is_ready, 0, s->options.units * sizeof *s->is_ready);
    memset(s->leases, 0, (size_t)s->options.hosts * LEASE_ROWS * sizeof *s->leases);
    for (uint32_t u = 0; u < s->options.units; u++) {
        struct wu wu;
        if (!store_peek(s, u, &wu))
            continue;
        if (wu_unsent(&wu) > 0)
            put_ready(s, u);
        set_timer(s, u, wu.wake_at_ms);
        for (uint32_t a = 0; a < wu.attempt_count; a++)
            if (wu.attempts[a].state == ATTEMPT_LEASED)
                note_lease(s, wu.attempts[a].host_id, u, a);
    }
}

static void book_effects(struct sim *s, uint32_t unit, const struct wu_effects *fx)
{
    for (uint32_t i = 0; i < fx->count; i++) {
        struct outbox_row row = {.unit = unit, .attempt = fx->list[i].attempt, .kind = fx->list[i].kind};
        if (row.kind == WU_FX_JUDGE || row.kind == WU_FX_DELIVER)
            store_owe(s, row);
        else if (row.kind == WU_FX_CREDIT)
            store_pay(s, row);
        s->count.blames += row.kind == WU_FX_BLAME;
        s->count.expired += row.kind == WU_FX_EXPIRED;
    }
}

/* One event inside the open transaction. */
static enum err apply(struct sim *s, uint32_t unit, struct wu_event ev)
{
    struct wu wu;
    struct wu_effects fx;
    ev.now_ms = s->now_ms;
    bool known = unit < s->options.units && store_load(s, unit, &wu);
    if (!known && ev.kind != WU_EV_SUBMIT)
        return ERR_MISSING;
    enum err e = wu_step(&wu, &ev, &fx);
    s->count.steps++;
    sim_trace(s, (uint64_t)unit << 32 | (uint64_t)ev.kind << 16 | (uint64_t)e << 8 | (uint64_t)wu.state);
    if (e != ERR_OK)
        return e;
    store_save(s, unit, &wu, &ev);
    book_effects(s, unit, &fx);
    if (wu_unsent(&wu) > 0)
        put_ready(s, unit); /* memory may be ahead of the store: whoever takes it from there looks again */
    set_timer(s, unit, wu.wake_at_ms);
    return ERR_OK;
}

static bool holds(const struct request *r, uint32_t unit, uint32_t attempt)
{
    for (uint32_t i = 0; i < r->held_count; i++)
        if (r->held[i].unit == unit && r->held[i].attempt == attempt)
            return true;
    return false;
}

static void give(struct reply *reply, uint32_t unit, uint32_t attempt)
{
    reply->leases[reply->lease_count].unit = unit;
    reply->leases[reply->lease_count++].attempt = attempt;
}

/* Leases the host does not know of: the reply that gave them was lost. */
static void give_again(struct sim *s, const struct request *r, struct reply *reply)
{
    struct lease_row *rows = &s->leases[r->host * LEASE_ROWS];
    for (uint32_t i = 0; i < LEASE_ROWS && reply->lease_count < r->want; i++) {
        struct wu wu;
        if (rows[i].unit == 0 || holds(r, rows[i].unit - 1, rows[i].attempt) ||
            !store_load(s, rows[i].unit - 1, &wu))
            continue;
        if (rows[i].attempt < wu.attempt_count && wu.attempts[rows[i].attempt].state == ATTEMPT_LEASED &&
            wu.attempts[rows[i].attempt].host_id == r->host + 1)
            give(reply, rows[i].unit - 1, rows[i].attempt);
        else
            rows[i].unit = 0;
    }
}

static void give_new(struct sim *s, const struct request *r, struct reply *reply)
{
    uint64_t host_id = r->host + 1, owner_id = s->hosts[r->host].owner_id;
    uint32_t tries = s->ready_count < LEASES_LOOKED_AT ? s->ready_count : LEASES_LOOKED_AT;
    while (reply->lease_count < r->want && tries-- > 0 && s->ready_count > 0) {
        uint32_t unit = take_ready(s);
        struct wu wu;
        if (!store_load(s, unit, &wu) || wu_unsent(&wu) == 0)
            continue;
        uint32_t attempt = (uint32_t)wu_first_unsent(&wu);
        enum err e =
            apply(s, unit,
                  (struct wu_event){
                      .kind = WU_EV_LEASE, .attempt = attempt, .host_id = host_id, .owner_id = owner_id});
        if (e == ERR_OK) {
            give(reply, unit, attempt);
            note_lease(s, host_id, unit, attempt);
        } else {
            put_ready(s, unit);
        }
    }
}

/* Nothing else to give: a spare for a unit that holds up its batch. */
static void give_spare(struct sim *s, const struct request *r)
{
    struct pick_tail tail = {.now_ms = s->now_ms,
                             .queued = 0,
                             .asking = 1,
                             .typical_ms = 6 * HOUR_MS,
                             .spares_max = PICK_SPARES_MAX_DEFAULT};
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t unit = (uint32_t)sim_roll(s, s->options.units);
        struct wu wu;
        if (!store_load(s, unit, &wu) || !wu_host_may_take(&wu, r->host + 1, s->hosts[r->host].owner_id) ||
            pick_tail_wait_ms(&wu, &tail) == 0)
            continue;
        s->count.spares += apply(s, unit, (struct wu_event){.kind = WU_EV_SPARE}) == ERR_OK;
        return;
    }
}

static void recall(struct sim *s, const struct request *r, struct reply *reply)
{
    for (uint32_t i = 0; i < r->held_count; i++) {
        struct wu wu;
        uint32_t a = r->held[i].attempt;
        bool wanted = store_load(s, r->held[i].unit, &wu) && a < wu.attempt_count &&
                      wu.attempts[a].host_id == r->host + 1 &&
                      (wu.attempts[a].state == ATTEMPT_LEASED || wu.attempts[a].state == ATTEMPT_EXPIRED) &&
                      !(wu.state == WU_DELIVERED && (wu.purged || wu.failure != WU_FAILURE_NONE));
        if (wanted)
            continue;
        reply->recalls[reply->recall_count].unit = r->held[i].unit;
        reply->recalls[reply->recall_count++].attempt = a;
    }
}

static void take_report(struct sim *s, const struct request *r, const struct said *said, struct reply *reply)
{
    struct wu_event ev = {.kind = said->error == ATTEMPT_ERROR_NONE ? WU_EV_REPORT : WU_EV_ERROR,
                          .attempt = said->attempt,
                          .host_id = r->host + 1,
                          .error = said->error,
                          .answer = said->answer};
    reply->acks[reply->ack_count].unit = said->unit;
    reply->acks[reply->ack_count].attempt = said->attempt;
    reply->acks[reply->ack_count++].code = apply(s, said->unit, ev);
}

static void send_reply(struct sim *s, const struct reply *reply)
{
    struct reply *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = *reply;
    if (sim_mishap(s, 20)) {
        s->count.lost++;
        free(copy);
        return;
    }
    agenda_add(&s->agenda, (struct event){.at_ms = s->now_ms + 20 + (int64_t)sim_roll(s, 2000),
                                          .kind = HAPPENS_REPLY,
                                          .message = copy});
}

void server_request(struct sim *s, const struct request *r)
{
    struct reply reply = {.host = r->host, .number = r->number};
    if (!s->server_up || setjmp(s->killed))
        return;
    s->count.requests++;
    store_begin(s);
    for (uint32_t i = 0; i < r->report_count; i++)
        take_report(s, r, &r->reports[i], &reply);
    recall(s, r, &reply);
    give_again(s, r, &reply);
    give_new(s, r, &reply);
    if (reply.lease_count == 0 && r->want > 0)
        give_spare(s, r);
    store_commit(s);
    for (uint32_t i = 0; i < r->report_count; i++)
        if (reply.acks[i].code == ERR_OK)
            check_acked(s, r->host, &r->reports[i]);
    send_reply(s, &reply);
}

void server_timer(struct sim *s, uint32_t unit)
{
    struct wu wu;
    if (!s->server_up || !store_peek(s, unit, &wu) || wu.wake_at_ms > s->now_ms || setjmp(s->killed))
        return;
    store_begin(s);
    enum err e = apply(s, unit, (struct wu_event){.kind = WU_EV_TICK});
    if (e != ERR_OK)
        sim_broken(s, "unit %u asked to be looked at, but nothing was due: %s", unit, err_text());
    store_commit(s);
}

/* Truths are alike whatever their variant; a lie is alike only to itself. */
static struct wu_event judge(struct sim *s, uint32_t unit, const struct wu *wu)
{
    struct wu_event ev = {.kind = WU_EV_JUDGED};
    if (sim_mishap(s, 500)) {
        ev.error = ATTEMPT_ERROR_EXIT;
        return ev;
    }
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (digest_is_zero(&a->answer))
            continue;
        ev.groups[i] = is_true(unit, &a->answer) ? 1 : 2 + i;
        for (uint32_t j = 0; ev.groups[i] != 1 && j < i; j++)
            if (digest_eq(&a->answer, &wu->attempts[j].answer))
                ev.groups[i] = 2 + j;
        if (a->answer.bytes[0] == 0xee)
            ev.groups[i] = WU_GROUP_UNUSABLE;
    }
    return ev;
}

/* One row of the outbox: done, then taken out, in one transaction with the event it ends in. */
void server_work(struct sim *s)
{
    struct wu wu;
    if (!s->server_up || s->store.outbox_count == 0 || setjmp(s->killed))
        return;
    struct outbox_row row = s->store.outbox[0];
    store_begin(s);
    (void)store_load(s, row.unit, &wu);
    struct wu_event ev = {.kind = WU_EV_DELIVERED};
    if (row.kind == WU_FX_JUDGE)
        ev = judge(s, row.unit, &wu);
    enum err e = apply(s, row.unit, ev);
    if (e != ERR_OK && e != ERR_STALE)
        sim_broken(s, "unit %u refuses the event its effect ends in: %s", row.unit, err_text());
    if (!sim_mishap(s, 50)) /* else it is done again: at least once */
        store_take_first(s);
    store_commit(s);
}

void server_submit(struct sim *s)
{
    if (!s->server_up || setjmp(s->killed))
        return;
    store_begin(s);
    uint32_t count = s->options.units - s->submitted;
    count = count < CHANGED_MAX ? count : CHANGED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        enum err e = apply(s, s->submitted + i, (struct wu_event){.kind = WU_EV_SUBMIT});
        if (e != ERR_OK && e != ERR_STALE) /* stale: the last acknowledgement was lost */
            sim_broken(s, "unit %u cannot be submitted: %s", s->submitted + i, err_text());
    }
    store_commit(s);
    s->submitted += count;
}

void server_person(struct sim *s)
{
    uint32_t unit = (uint32_t)sim_roll(s, s->options.units);
    struct wu wu;
    if (!s->server_up || !store_peek(s, unit, &wu) || setjmp(s->killed))
        return;
    enum wu_event_kind kind = WU_EV_PURGE;
    if (wu.state == WU_DELIVERED && wu.failure != WU_FAILURE_NONE)
        kind = WU_EV_RETRY;
    else if (sim_roll(s, 4) == 0)
        kind = WU_EV_CANCEL;
    store_begin(s);
    enum err e = apply(s, unit, (struct wu_event){.kind = kind});
    if (e == ERR_INVALID || e == ERR_DENIED || e == ERR_MISSING)
        sim_broken(s, "unit %u refuses what a person may do: %s", unit, err_text());
    store_commit(s);
}
