/* wu_settle.c - from answers to an outcome: quorum, judgement, re-issue, limits. */
#include "rules/wu_inner.h"

#include <assert.h>

bool wu_same_answer(const struct wu *wu, uint32_t a, uint32_t b)
{
    const struct attempt *x = &wu->attempts[a], *y = &wu->attempts[b];
    if (wu->rules.compare == WU_COMPARE_DIGEST)
        return digest_eq(&x->answer, &y->answer);
    return x->group != WU_GROUP_NONE && x->group == y->group;
}

bool wu_is_accepted(const struct wu *wu)
{
    return wu->canonical >= 0 && wu->state != WU_PROVISIONAL;
}

static uint32_t count_equal(const struct wu *wu, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n += wu->attempts[i].state == ATTEMPT_REPORTED && !wu->attempts[i].audit && wu_same_answer(wu, i, to);
    return n;
}

struct wu_tally wu_tally(const struct wu *wu)
{
    struct wu_tally t = {0};
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (a->audit)
            continue;
        t.unsent += a->state == ATTEMPT_UNSENT;
        t.pending += a->state == ATTEMPT_UNSENT || a->state == ATTEMPT_LEASED;
        t.valid += a->state == ATTEMPT_VALID;
        t.failed +=
            a->state == ATTEMPT_INVALID || (a->state == ATTEMPT_ERRORED && attempt_error_counts(a->error));
        if (a->state != ATTEMPT_REPORTED)
            continue;
        t.reported++;
        if (wu->rules.compare != WU_COMPARE_DIGEST && a->group == WU_GROUP_NONE) {
            t.unjudged++;
            continue;
        }
        uint32_t equal = count_equal(wu, i);
        if (equal > t.best) {
            t.best = equal;
            t.best_at = i;
        }
    }
    return t;
}

void wu_move(struct wu *wu, enum wu_state to)
{
    assert(wu_may_move(wu->state, to));
    wu->state = to;
}

void attempt_move(struct attempt *a, enum attempt_state to)
{
    assert(attempt_may_move(a->state, to));
    a->state = to;
}

struct attempt *wu_attempt_add(struct wu *wu)
{
    struct attempt *a = &wu->attempts[wu->attempt_count++];
    memset(a, 0, sizeof *a);
    a->state = ATTEMPT_UNSENT;
    return a;
}

void wu_owe(struct wu_effects *fx, enum wu_effect_kind kind, uint32_t attempt)
{
    assert(fx->count < EFFECTS_MAX);
    fx->list[fx->count++] = (struct wu_effect){.kind = kind, .attempt = attempt};
}

void wu_give_verdict(struct wu *wu, uint32_t i, bool valid, struct wu_effects *fx)
{
    attempt_move(&wu->attempts[i], valid ? ATTEMPT_VALID : ATTEMPT_INVALID);
    wu_owe(fx, valid ? WU_FX_CREDIT : WU_FX_BLAME, i);
}

/* Leased siblings stay out: their hosts have worked for it and shall have their credit. */
static void accept_answer(struct wu *wu, uint32_t canonical, struct wu_effects *fx)
{
    bool late = false;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (a->state == ATTEMPT_UNSENT)
            attempt_move(a, ATTEMPT_CANCELLED);
        if (a->state != ATTEMPT_REPORTED || i == canonical)
            continue;
        if (wu->rules.compare != WU_COMPARE_DIGEST && a->group == WU_GROUP_NONE)
            late = true; /* it came while the judge was at work */
        else
            wu_give_verdict(wu, i, wu_same_answer(wu, i, canonical), fx);
    }
    wu_give_verdict(wu, canonical, true, fx);
    wu->canonical = (int32_t)canonical;
    wu->rest_until_ms = 0;
    wu_move(wu, WU_ACCEPTED);
    wu_owe(fx, WU_FX_DELIVER, canonical);
    if (late)
        wu_owe(fx, WU_FX_JUDGE, canonical);
}

/* The answers that disagree are wrong; those that agree wait with the one that stands. */
static void let_stand(struct wu *wu, uint32_t canonical, struct wu_effects *fx)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (a->state == ATTEMPT_UNSENT)
            attempt_move(a, ATTEMPT_CANCELLED);
        if (a->state == ATTEMPT_REPORTED && !wu_same_answer(wu, i, canonical))
            wu_give_verdict(wu, i, false, fx);
    }
    wu->canonical = (int32_t)canonical;
    wu->audit_count = 0;
    wu->audit_first = wu->attempt_count;
    wu->rest_until_ms = 0;
    wu_move(wu, WU_PROVISIONAL);
    wu_owe(fx, WU_FX_ESCROW, canonical);
}

void wu_fail(struct wu *wu, enum wu_failure why, struct wu_effects *fx)
{
    if (wu->state == WU_PROVISIONAL)
        wu_reopen(wu, fx);
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (a->state == ATTEMPT_LEASED)
            wu_owe(fx, WU_FX_RECALL, i);
        if (a->state == ATTEMPT_UNSENT || a->state == ATTEMPT_LEASED || a->state == ATTEMPT_REPORTED)
            attempt_move(a, ATTEMPT_CANCELLED);
    }
    wu->failure = why;
    wu->rest_until_ms = 0;
    wu_move(wu, WU_FAILED);
    wu_owe(fx, WU_FX_DELIVER, 0);
}

static uint32_t count_cause(const struct wu *wu, enum wu_cause cause)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        if (a->audit)
            continue;
        n += a->state == ATTEMPT_ERRORED && wu_cause_of_error(a->error) == cause;
        n += a->state == ATTEMPT_EXPIRED && cause == WU_CAUSE_LOST;
        n += a->state == ATTEMPT_INVALID && cause == WU_CAUSE_WRONG;
    }
    return n;
}

static bool is_out_of_tries(const struct wu *wu)
{
    for (uint32_t c = 0; c < WU_CAUSES; c++)
        if (wu->rules.retry[c].has_most && count_cause(wu, (enum wu_cause)c) > wu->rules.retry[c].most)
            return true;
    return false;
}

/* Many that failed together must not come back together: up to a quarter more, by the unit's number. */
void wu_rest(struct wu *wu, enum wu_cause cause, int64_t now_ms)
{
    uint32_t times = count_cause(wu, cause);
    if (wu->rules.retry[cause].wait_s == 0 || times == 0)
        return;
    int64_t wait_ms = (int64_t)wu->rules.retry[cause].wait_s * 1000;
    while (--times > 0 && wait_ms < WU_REST_MS_MAX)
        wait_ms *= 2;
    wait_ms = wait_ms < WU_REST_MS_MAX ? wait_ms : WU_REST_MS_MAX;
    wait_ms += (int64_t)(wu->id * 0x9e3779b97f4a7c15u >> 32) % (wait_ms / 4 + 1);
    int64_t until_ms = now_ms > INT64_MAX - wait_ms ? INT64_MAX : now_ms + wait_ms;
    if (until_ms > wu->rest_until_ms)
        wu->rest_until_ms = until_ms;
}

/* Two reasons for one more attempt: the quorum cannot be reached with those that are out, or fewer are out
 * than the rules want at once. Only for the first one is it a failure when no more may be made. */
static void want_more(struct wu *wu, const struct wu_tally *t, struct wu_effects *fx)
{
    const struct wu_rules *r = &wu->rules;
    uint32_t hopeful = t->best + t->unjudged + t->pending;
    uint32_t active = t->reported + t->pending;
    uint32_t target = r->target_attempts > wu->needed ? r->target_attempts : wu->needed;
    uint32_t lack = hopeful < wu->needed ? wu->needed - hopeful : 0;
    uint32_t more = active < target ? target - active : 0;
    uint32_t room = r->attempts_max - wu->attempt_count;
    if (lack > room) {
        wu_fail(wu, WU_FAILURE_ATTEMPTS, fx);
        return;
    }
    if (wu->rest_until_ms != 0)
        return; /* a TICK makes them */
    more = more > lack ? more : lack;
    for (more = more < room ? more : room; more > 0; more--)
        (void)wu_attempt_add(wu);
}

void wu_settle(struct wu *wu, struct wu_effects *fx)
{
    if (wu->state != WU_OPEN)
        return;
    struct wu_tally t = wu_tally(wu);
    bool contradicted = t.reported - t.unjudged > t.best;
    if (wu->rules.escrow && contradicted && wu->needed < 2)
        wu->needed = 2; /* one voice is enough only while there is no other */
    bool judgeable = t.unjudged > 0 && t.best + t.unjudged >= wu->needed;
    if (t.best >= wu->needed && !(wu->rules.escrow && judgeable)) {
        if (wu->rules.escrow == WU_ESCROW_ALL || (wu->rules.escrow == WU_ESCROW_LONE && t.best == 1))
            let_stand(wu, t.best_at, fx);
        else
            accept_answer(wu, t.best_at, fx);
    } else if (judgeable) {
        wu_move(wu, WU_JUDGING);
        wu_owe(fx, WU_FX_JUDGE, 0);
    } else if (t.failed > wu->rules.errors_max || is_out_of_tries(wu)) {
        wu_fail(wu, WU_FAILURE_ERRORS, fx);
    } else if (t.reported >= wu->rules.successes_max) {
        wu_fail(wu, WU_FAILURE_SUCCESSES, fx);
    } else {
        want_more(wu, &t, fx);
    }
}

void wu_late(struct wu *wu, uint32_t i, struct wu_effects *fx)
{
    const struct attempt *canonical = &wu->attempts[wu->canonical];
    bool same = digest_eq(&wu->attempts[i].answer, &canonical->answer);
    if (same || wu->rules.compare == WU_COMPARE_DIGEST)
        wu_give_verdict(wu, i, same, fx);
    else
        wu_owe(fx, WU_FX_JUDGE, i);
}

static enum err judge_gave_up(struct wu *wu, struct wu_effects *fx)
{
    if (wu->state == WU_PROVISIONAL && wu->needed < 2) { /* ask for another whole answer instead */
        wu_reopen(wu, fx);
        wu->needed = 2;
        wu_settle(wu, fx);
        return ERR_OK;
    }
    if (!wu_is_accepted(wu)) {
        wu_fail(wu, WU_FAILURE_JUDGE, fx);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_REPORTED)
            attempt_move(&wu->attempts[i], ATTEMPT_CANCELLED); /* neither credit nor blame */
    return ERR_OK;
}

/* Answers that came late are compared with the canonical one. */
static enum err judged_late(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    uint32_t truth = ev->groups[wu->canonical];
    bool more = false;
    if (truth == WU_GROUP_NONE || truth == WU_GROUP_UNUSABLE)
        return err_set(ERR_INVALID,
                       "judgement of a late answer does not name the group of the canonical answer");
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (a->state != ATTEMPT_REPORTED)
            continue;
        if (ev->groups[i] == WU_GROUP_NONE) {
            more = true;
            continue;
        }
        a->group = ev->groups[i];
        wu_give_verdict(wu, i, a->group == truth, fx);
    }
    if (more)
        wu_owe(fx, WU_FX_JUDGE, (uint32_t)wu->canonical);
    return ERR_OK;
}

static bool covers_any(const struct wu *wu, const struct wu_event *ev)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_REPORTED && ev->groups[i] != WU_GROUP_NONE)
            return true;
    return false;
}

enum err wu_on_judged(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx)
{
    if (wu->state == WU_PROVISIONAL && ev->error == ATTEMPT_ERROR_NONE)
        return wu_on_audit_judged(wu, ev, fx);
    if (wu_tally(wu).reported == 0)
        return err_set(ERR_STALE, "no answer waits for a judge");
    if (ev->error >= ATTEMPT_ERRORS)
        return err_set(ERR_INVALID, "the judge gave up for a reason that is not known");
    if (ev->error != ATTEMPT_ERROR_NONE)
        return judge_gave_up(wu, fx);
    if (!covers_any(wu, ev))
        return err_set(ERR_INVALID, "the judgement names no answer that waits for one");
    if (wu_is_accepted(wu))
        return judged_late(wu, ev, fx);
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        struct attempt *a = &wu->attempts[i];
        if (a->state != ATTEMPT_REPORTED)
            continue;
        a->group = ev->groups[i];
        if (a->group != WU_GROUP_UNUSABLE)
            continue;
        wu_give_verdict(wu, i, false, fx);
        wu_rest(wu, WU_CAUSE_WRONG, ev->now_ms);
    }
    wu_move(wu, WU_OPEN);
    wu_settle(wu, fx);
    return ERR_OK;
}
