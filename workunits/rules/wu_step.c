/* wu_step.c - the one place where a work unit changes. */
#include "rules/wu.h"

#include <assert.h>

#include "rules/wu_inner.h"

static int64_t later(int64_t now_ms, int64_t span_ms)
{
    return now_ms > INT64_MAX - span_ms ? INT64_MAX : now_ms + span_ms;
}

static void renew(const struct wu *wu, struct attempt *a, const struct wu_event *ev)
{
    int64_t until_ms = later(ev->now_ms, ev->lease_ms > 0 ? ev->lease_ms : wu->rules.lease_ms);
    if (until_ms > a->deadline_ms)
        a->deadline_ms = until_ms;
}

static enum err on_submit(struct wu *wu, struct wu_effects *fx)
{
    if (wu->attempt_count != 0)
        return err_set(ERR_STALE, "the unit was submitted before");
    enum err e = wu_rules_check(&wu->rules);
    if (e != ERR_OK)
        return e;
    wu->canonical = -1;
    wu->failure = WU_FAILURE_NONE;
    wu->needed = wu->rules.quorum;
    wu_settle(wu, fx);
    return ERR_OK;
}

static enum err on_lease(struct wu *wu, const struct wu_event *ev)
{
    struct attempt *a = &wu->attempts[ev->attempt];
    if (a->state != ATTEMPT_UNSENT)
        return err_set(ERR_STALE, "attempt %u is %s, it cannot be handed out", ev->attempt,
                       attempt_state_name(a->state));
    if (ev->host_id == 0 || ev->owner_id == 0 || ev->lease_ms < 0)
        return err_set(ERR_INVALID, "a lease needs a host, an owner and a time that is not negative");
    if (!wu_host_may_take(wu, ev->host_id, ev->owner_id))
        return err_set(ERR_DENIED, "the host or its owner has had an attempt of this unit");
    attempt_move(a, ATTEMPT_LEASED);
    a->host_id = ev->host_id;
    a->owner_id = ev->owner_id;
    a->sent_ms = ev->now_ms;
    a->deadline_ms = INT64_MIN;
    renew(wu, a, ev);
    return ERR_OK;
}

static enum err on_renew(struct wu *wu, const struct wu_event *ev)
{
    struct attempt *a = &wu->attempts[ev->attempt];
    if (a->state != ATTEMPT_LEASED)
        return err_set(ERR_STALE, "attempt %u is %s, its lease cannot be renewed", ev->attempt,
                       attempt_state_name(a->state));
    if (ev->lease_ms < 0)
        return err_set(ERR_INVALID, "a lease cannot be renewed for a negative time");
    renew(wu, a, ev);
    return ERR_OK;
}

static enum err on_report(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    struct attempt *a = &wu->attempts[ev->attempt];
    if (digest_is_zero(&ev->answer))
        return err_set(ERR_INVALID, "a report needs the digest of its answer");
    if (a->audit)
        return wu_audit_reported(wu, ev, fx);
    if (!attempt_may_move(a->state, ATTEMPT_REPORTED))
        return err_set(ERR_STALE, "attempt %u is %s already", ev->attempt, attempt_state_name(a->state));
    if (wu->purged || (!wu_is_accepted(wu) && (wu->state == WU_DELIVERED || a->state == ATTEMPT_CANCELLED)))
        return err_set(ERR_STALE, "the unit is over, nothing is left to compare the answer with");
    attempt_move(a, ATTEMPT_REPORTED);
    a->answer = ev->answer;
    a->ended_ms = ev->now_ms;
    if (wu_is_accepted(wu))
        wu_late(wu, ev->attempt, fx);
    else if (wu->state == WU_PROVISIONAL)
        wu_second_answer(wu, ev->attempt, fx);
    else
        wu_settle(wu, fx);
    return ERR_OK;
}

static enum err on_error(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    struct attempt *a = &wu->attempts[ev->attempt];
    if (ev->error == ATTEMPT_ERROR_NONE || ev->error >= ATTEMPT_ERRORS)
        return err_set(ERR_INVALID, "an error needs its reason");
    if (!attempt_may_move(a->state, ATTEMPT_ERRORED) || (wu->state == WU_DELIVERED && !wu_is_accepted(wu)))
        return err_set(ERR_STALE, "attempt %u is %s already", ev->attempt, attempt_state_name(a->state));
    attempt_move(a, ATTEMPT_ERRORED);
    a->error = ev->error;
    a->ended_ms = ev->now_ms;
    if (attempt_error_counts(ev->error))
        wu_owe(fx, WU_FX_ERRED, ev->attempt);
    if (wu->state == WU_PROVISIONAL) {
        wu_refill_audits(wu, fx);
        return ERR_OK;
    }
    if (!a->audit && (wu->state == WU_OPEN || wu->state == WU_JUDGING))
        wu_rest(wu, wu_cause_of_error(ev->error), ev->now_ms);
    wu_settle(wu, fx);
    return ERR_OK;
}

/* Lease, renew, report and error speak of one attempt and, but for the lease, come from the host that has it.
 */
static enum err on_attempt(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    if (ev->attempt >= wu->attempt_count)
        return err_set(ERR_MISSING, "the unit has no attempt %u", ev->attempt);
    if (ev->kind == WU_EV_LEASE)
        return on_lease(wu, ev);
    if (ev->host_id == 0 || ev->host_id != wu->attempts[ev->attempt].host_id)
        return err_set(ERR_DENIED, "attempt %u is not this host's", ev->attempt);
    if (ev->kind == WU_EV_RENEW)
        return on_renew(wu, ev);
    return ev->kind == WU_EV_REPORT ? on_report(wu, ev, fx) : on_error(wu, ev, fx);
}

static uint32_t recall_all(struct wu *wu, struct wu_effects *fx)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].state != ATTEMPT_LEASED)
            continue;
        attempt_move(&wu->attempts[i], ATTEMPT_CANCELLED);
        wu_owe(fx, WU_FX_RECALL, i);
        n++;
    }
    return n;
}

static enum err on_cancel(struct wu *wu, struct wu_effects *fx)
{
    if (wu->state == WU_OPEN || wu->state == WU_JUDGING || wu->state == WU_PROVISIONAL)
        wu_fail(wu, WU_FAILURE_CANCELLED, fx);
    else if (recall_all(wu, fx) == 0)
        return err_set(ERR_STALE, "the unit is over and nothing of it is out");
    return ERR_OK;
}

/* The attempts are forgotten, so their numbers are given again: a host that still holds one of the earlier
 * life is told that it is another host's. */
static enum err on_retry(struct wu *wu, struct wu_effects *fx)
{
    if (wu->state != WU_DELIVERED)
        return err_set(ERR_CONFLICT, "the unit failed but is not delivered yet: try again when it is");
    if (wu_is_accepted(wu))
        return err_set(ERR_STALE, "the unit has an accepted answer, there is nothing to try again");
    *wu = (struct wu){
        .id = wu->id, .state = wu->state, .rules = wu->rules, .canonical = -1, .needed = wu->rules.quorum};
    wu_move(wu, WU_OPEN);
    wu_settle(wu, fx);
    return ERR_OK;
}

static enum err on_spare(struct wu *wu)
{
    if (wu_tally(wu).unsent > 0)
        return err_set(ERR_STALE, "an attempt of the unit waits to be sent already");
    if (wu->attempt_count >= wu->rules.attempts_max)
        return err_set(ERR_LIMIT, "the unit has had its %u attempts", wu->rules.attempts_max);
    (void)wu_attempt_add(wu);
    return ERR_OK;
}

static enum err on_purge(struct wu *wu, struct wu_effects *fx)
{
    if (wu->state != WU_DELIVERED)
        return err_set(ERR_CONFLICT, "the unit is not delivered yet: its files are still needed");
    if (wu->purged)
        return err_set(ERR_STALE, "the unit was purged before");
    if (wu_tally(wu).reported > 0)
        return err_set(ERR_CONFLICT, "a late answer waits for its judge: purge later");
    (void)recall_all(wu, fx);
    wu->purged = true;
    return ERR_OK;
}

/* The answer of an earlier unit that asked the same, under the same rules: nobody need compute it again. */
static enum err on_take(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    struct attempt *a = &wu->attempts[0];
    if (digest_is_zero(&ev->answer))
        return err_set(ERR_INVALID, "an answer that is taken needs its digest");
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state != ATTEMPT_UNSENT)
            return err_set(ERR_STALE, "the unit was sent already, it is answered by who has it");
    attempt_move(a, ATTEMPT_VALID);
    a->answer = ev->answer;
    a->ended_ms = ev->now_ms;
    for (uint32_t i = 1; i < wu->attempt_count; i++)
        attempt_move(&wu->attempts[i], ATTEMPT_CANCELLED);
    wu->canonical = 0;
    wu_move(wu, WU_ACCEPTED);
    wu_owe(fx, WU_FX_DELIVER, 0);
    return ERR_OK;
}

static enum err on_tick(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    uint32_t due = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].state != ATTEMPT_LEASED || wu->attempts[i].deadline_ms > ev->now_ms)
            continue;
        attempt_move(&wu->attempts[i], ATTEMPT_EXPIRED);
        wu_owe(fx, WU_FX_EXPIRED, i);
        due++;
        if (!wu->attempts[i].audit && (wu->state == WU_OPEN || wu->state == WU_JUDGING))
            wu_rest(wu, WU_CAUSE_LOST, ev->now_ms);
    }
    if (wu->state == WU_PROVISIONAL && !wu->overdue && wu_overdue_ms(wu) <= ev->now_ms) {
        wu->overdue = true;
        wu_owe(fx, WU_FX_OVERDUE, (uint32_t)wu->canonical);
        due++;
    }
    if (wu->rest_until_ms != 0 && wu->rest_until_ms <= ev->now_ms) {
        wu->rest_until_ms = 0;
        due++;
    }
    if (due == 0)
        return err_set(ERR_STALE, "nothing is due");
    if (wu->state == WU_PROVISIONAL)
        wu_refill_audits(wu, fx);
    else
        wu_settle(wu, fx);
    return ERR_OK;
}

static enum err apply(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    switch (ev->kind) {
    case WU_EV_SUBMIT:
        return on_submit(wu, fx);
    case WU_EV_LEASE:
    case WU_EV_RENEW:
    case WU_EV_REPORT:
    case WU_EV_ERROR:
        return on_attempt(wu, ev, fx);
    case WU_EV_JUDGED:
        return wu_on_judged(wu, ev, fx);
    case WU_EV_DELIVERED:
        wu_move(wu, WU_DELIVERED);
        return ERR_OK;
    case WU_EV_CANCEL:
        return on_cancel(wu, fx);
    case WU_EV_RETRY:
        return on_retry(wu, fx);
    case WU_EV_SPARE:
        return on_spare(wu);
    case WU_EV_PURGE:
        return on_purge(wu, fx);
    case WU_EV_TICK:
        return on_tick(wu, ev, fx);
    case WU_EV_TAKE:
        return on_take(wu, ev, fx);
    case WU_EV_CONFIRM:
    case WU_EV_AUDIT:
    case WU_EV_FINAL:
    case WU_EV_VOID:
        return wu_on_escrow(wu, ev, fx);
    case WU_EVENTS:
        break;
    }
    return ERR_INVALID;
}

enum err wu_step(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    if (ev->kind >= WU_EVENTS)
        return err_set(ERR_INVALID, "event %u is not known", (unsigned)ev->kind);
    if (!wu_may_take(wu->state, ev->kind))
        return err_set(ERR_STALE, "a unit that is %s cannot take the event \"%s\"", wu_state_name(wu->state),
                       wu_event_name(ev->kind));
    if (ev->kind != WU_EV_SUBMIT && wu->attempt_count == 0)
        return err_set(ERR_INVALID, "the unit was never submitted");
    struct wu next; /* a copy: all of a step, or none of it */
    struct wu_effects owed;
    wu_copy(&next, wu);
    owed.count = 0;
    enum err e = apply(&next, ev, &owed);
    if (e != ERR_OK)
        return e;
    next.wake_at_ms = wu_next_deadline(&next);
    assert(wu_invariant(&next));
    for (uint32_t i = next.attempt_count; i < wu->attempt_count; i++) /* after a RETRY there are fewer */
        memset(&wu->attempts[i], 0, sizeof wu->attempts[i]);
    wu_copy(wu, &next);
    fx->count = owed.count;
    for (uint32_t i = 0; i < owed.count; i++)
        fx->list[i] = owed.list[i];
    return ERR_OK;
}
