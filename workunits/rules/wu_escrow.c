/* wu_escrow.c - an answer that stands, but not for good: audits, confirmation, and what ends the waiting. */
#include <assert.h>

#include "rules/wu_inner.h"

static bool is_open(const struct attempt *a)
{
    return a->audit &&
           (a->state == ATTEMPT_UNSENT || a->state == ATTEMPT_LEASED || a->state == ATTEMPT_REPORTED);
}

uint32_t wu_audits_open(const struct wu *wu)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n += is_open(&wu->attempts[i]);
    return n;
}

/* Of the answer that stands now. */
static uint32_t audits_in(const struct wu *wu, enum attempt_state s)
{
    uint32_t n = 0;
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++)
        n += wu->attempts[i].audit && wu->attempts[i].state == s;
    return n;
}

static void end_audits(struct wu *wu, struct wu_effects *fx)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (!is_open(a))
            continue;
        if (a->state == ATTEMPT_LEASED)
            wu_owe(fx, WU_FX_RECALL, i);
        attempt_move(a, ATTEMPT_CANCELLED);
    }
}

void wu_reopen(struct wu *wu, struct wu_effects *fx)
{
    end_audits(wu, fx);
    wu->canonical = -1;
    wu->overdue = false;
    wu->audit_count = 0;
    wu->audit_first = wu->attempt_count;
    wu_move(wu, WU_OPEN);
}

static void add_audits(struct wu *wu, uint32_t count)
{
    while (count-- > 0)
        wu_attempt_add(wu)->audit = true;
}

void wu_refill_audits(struct wu *wu, struct wu_effects *fx)
{
    uint32_t active = audits_in(wu, ATTEMPT_VALID) + wu_audits_open(wu);
    uint32_t lack = active < wu->audit_count ? wu->audit_count - active : 0;
    if (lack > wu->rules.attempts_max - wu->attempt_count)
        wu_fail(wu, WU_FAILURE_ATTEMPTS, fx);
    else
        add_audits(wu, lack);
}

static enum err accept_standing(struct wu *wu, struct wu_effects *fx)
{
    end_audits(wu, fx);
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_REPORTED)
            wu_give_verdict(wu, i, true, fx);
    wu->overdue = false;
    wu_move(wu, WU_ACCEPTED);
    wu_owe(fx, WU_FX_DELIVER, (uint32_t)wu->canonical);
    return ERR_OK;
}

void wu_second_answer(struct wu *wu, uint32_t i, struct wu_effects *fx)
{
    const struct attempt *canonical = &wu->attempts[wu->canonical];
    if (wu->rules.escrow == WU_ESCROW_ALL && digest_eq(&wu->attempts[i].answer, &canonical->answer)) {
        wu->attempts[i].group = canonical->group;
        return;
    }
    wu_reopen(wu, fx);
    if (wu->needed < 2)
        wu->needed = 2; /* there is another voice, so it may as well be heard */
    wu_settle(wu, fx);
}

static enum err on_confirm(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    if (ev->count > wu->rules.attempts_max)
        return err_set(ERR_INVALID, "%u equal answers cannot come of %u attempts", ev->count,
                       wu->rules.attempts_max);
    if (ev->count <= wu->needed)
        return err_set(ERR_STALE, "%u equal answers are needed already", wu->needed);
    wu->needed = ev->count;
    if (wu->state == WU_PROVISIONAL)
        wu_reopen(wu, fx);
    else if (wu->state == WU_JUDGING)
        wu_move(wu, WU_OPEN);
    wu_settle(wu, fx);
    return ERR_OK;
}

static enum err on_audit(struct wu *wu, const struct wu_event *ev)
{
    if (ev->count < 1)
        return err_set(ERR_INVALID, "an audit needs an auditor");
    if (wu->audit_count > 0)
        return err_set(ERR_STALE, "the answer that stands has its audit");
    if (ev->count > wu->rules.attempts_max - wu->attempt_count)
        return err_set(ERR_LIMIT, "%u audits would be more than the %u attempts a unit may have", ev->count,
                       wu->rules.attempts_max);
    wu->audit_first = wu->attempt_count;
    wu->audit_count = ev->count;
    add_audits(wu, ev->count);
    return ERR_OK;
}

enum err wu_audit_reported(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    struct attempt *a = &wu->attempts[ev->attempt];
    if (wu->state != WU_PROVISIONAL || ev->attempt < wu->audit_first ||
        !attempt_may_move(a->state, ATTEMPT_REPORTED) || a->state == ATTEMPT_CANCELLED)
        return err_set(ERR_STALE, "what attempt %u audits stands no more", ev->attempt);
    attempt_move(a, ATTEMPT_REPORTED);
    a->answer = ev->answer;
    a->ended_ms = ev->now_ms;
    wu_owe(fx, WU_FX_JUDGE, ev->attempt);
    return ERR_OK;
}

/* Substitutes for an auditor that was only late are not needed any more. When both are in and judged
 * together, more have passed than were asked for. */
static void pass_if_done(struct wu *wu, uint32_t passed_before, struct wu_effects *fx)
{
    uint32_t passed = audits_in(wu, ATTEMPT_VALID);
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++)
        if (wu->attempts[i].audit && wu->attempts[i].state == ATTEMPT_UNSENT &&
            passed + wu_audits_open(wu) > wu->audit_count)
            attempt_move(&wu->attempts[i], ATTEMPT_CANCELLED);
    if (passed_before < wu->audit_count && passed >= wu->audit_count)
        wu_owe(fx, WU_FX_PASSED, (uint32_t)wu->canonical);
}

/* The answer is wrong, and so is every one that is equal to it. */
static void convict(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (a->state != ATTEMPT_REPORTED || (a->audit && ev->groups[i] == WU_GROUP_NONE))
            continue;
        wu_give_verdict(wu, i, a->audit && ev->groups[i] != WU_GROUP_UNUSABLE, fx);
    }
    wu_reopen(wu, fx);
    wu_settle(wu, fx);
}

enum err wu_on_audit_judged(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    uint32_t truth = ev->groups[wu->canonical], passed_before = audits_in(wu, ATTEMPT_VALID);
    bool more = false;
    if (audits_in(wu, ATTEMPT_REPORTED) == 0)
        return err_set(ERR_STALE, "no audit waits for a judge");
    if (truth == WU_GROUP_NONE)
        return err_set(ERR_INVALID, "judgement of an audit does not name the group of the canonical answer");
    if (truth == WU_GROUP_UNUSABLE) {
        convict(wu, ev, fx);
        return ERR_OK;
    }
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (!a->audit || a->state != ATTEMPT_REPORTED)
            continue;
        if (ev->groups[i] == WU_GROUP_NONE)
            more = true;
        else
            wu_give_verdict(wu, i, ev->groups[i] == truth, fx);
    }
    wu_refill_audits(wu, fx);
    if (wu->state == WU_PROVISIONAL)
        pass_if_done(wu, passed_before, fx);
    if (more && wu->state == WU_PROVISIONAL)
        wu_owe(fx, WU_FX_JUDGE, (uint32_t)wu->canonical);
    return ERR_OK;
}

static enum err on_final(struct wu *wu, struct wu_effects *fx)
{
    if (audits_in(wu, ATTEMPT_VALID) < wu->audit_count || audits_in(wu, ATTEMPT_REPORTED) > 0)
        return err_set(ERR_CONFLICT, "an audit of the answer is not over");
    return accept_standing(wu, fx);
}

static enum err on_void(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    if (ev->attempt >= wu->attempt_count)
        return err_set(ERR_MISSING, "the unit has no attempt %u", ev->attempt);
    struct attempt *a = &wu->attempts[ev->attempt];
    if (a->state != ATTEMPT_REPORTED || a->audit)
        return err_set(ERR_STALE, "attempt %u has no answer without a verdict", ev->attempt);
    if (wu->state == WU_PROVISIONAL)
        wu_reopen(wu, fx);
    else if (wu->state == WU_JUDGING)
        wu_move(wu, WU_OPEN);
    attempt_move(a, ATTEMPT_CANCELLED);
    wu_settle(wu, fx);
    return ERR_OK;
}

enum err wu_on_escrow(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    switch (ev->kind) {
    case WU_EV_CONFIRM:
        return on_confirm(wu, ev, fx);
    case WU_EV_AUDIT:
        return on_audit(wu, ev);
    case WU_EV_FINAL:
        return on_final(wu, fx);
    default:
        assert(ev->kind == WU_EV_VOID);
        return on_void(wu, ev, fx);
    }
}
