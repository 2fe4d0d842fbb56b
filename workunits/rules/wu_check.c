/* wu_check.c - what must be true of rules, of a unit between two steps, and of a host that asks for an
 * attempt. */

#include "rules/wu_inner.h"

#define LEASE_MS_MAX (366ll * 24 * 3600 * 1000)

enum err wu_rules_check(const struct wu_rules *r)
{
    if (r->attempts_max < 1 || r->attempts_max > ATTEMPTS_MAX)
        return err_set(ERR_INVALID, "max_total_attempts is %u, it must be 1 to %u", r->attempts_max,
                       ATTEMPTS_MAX);
    if (r->quorum < 1 || r->quorum > r->attempts_max)
        return err_set(ERR_INVALID, "min_quorum is %u, it must be 1 to max_total_attempts (%u)", r->quorum,
                       r->attempts_max);
    if (r->target_attempts < r->quorum || r->target_attempts > r->attempts_max)
        return err_set(ERR_INVALID,
                       "target_attempts is %u, it must be min_quorum (%u) to max_total_attempts (%u)",
                       r->target_attempts, r->quorum, r->attempts_max);
    if (r->successes_max < r->quorum || r->successes_max > r->attempts_max)
        return err_set(ERR_INVALID,
                       "max_success_attempts is %u, it must be min_quorum (%u) to max_total_attempts (%u)",
                       r->successes_max, r->quorum, r->attempts_max);
    if (r->errors_max > r->attempts_max)
        return err_set(ERR_INVALID, "max_error_attempts is %u, it must be at most max_total_attempts (%u)",
                       r->errors_max, r->attempts_max);
    if (r->lease_ms < 1 || r->lease_ms > LEASE_MS_MAX)
        return err_set(ERR_INVALID, "deadline_ms is %lld, it must be 1 to %lld (366 days)",
                       (long long)r->lease_ms, LEASE_MS_MAX);
    if (r->compare >= WU_COMPARES)
        return err_set(ERR_INVALID, "compare is %u, which is not known", (unsigned)r->compare);
    if (r->escrow >= WU_ESCROWS)
        return err_set(ERR_INVALID, "escrow is %u, which is not known", (unsigned)r->escrow);
    if (r->own_hosts && r->escrow)
        return err_set(ERR_INVALID,
                       "answers of one's own hosts are not kept in escrow: nobody else may audit them");
    if (r->escrow && (r->hold_ms < 1 || r->hold_ms > LEASE_MS_MAX))
        return err_set(ERR_INVALID, "hold_ms is %lld, must be from 1 to %lld", (long long)r->hold_ms,
                       LEASE_MS_MAX);
    for (uint32_t c = 0; c < WU_CAUSES; c++)
        if (r->retry[c].wait_s > WU_REST_MS_MAX / 1000 || r->retry[c].most > ATTEMPTS_MAX)
            return err_set(ERR_INVALID, "retry.%s must wait a day at most, and try %u times at most",
                           wu_cause_name((enum wu_cause)c), ATTEMPTS_MAX);
    if (r->own_hosts && r->quorum != 1)
        return err_set(
            ERR_INVALID,
            "min_quorum is %u, but answers of one owner's own hosts do not confirm each other: use 1",
            r->quorum);
    return ERR_OK;
}

uint32_t wu_unsent(const struct wu *wu)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n += wu->attempts[i].state == ATTEMPT_UNSENT;
    return n;
}

int32_t wu_first_unsent(const struct wu *wu)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_UNSENT)
            return (int32_t)i;
    return -1;
}

int64_t wu_overdue_ms(const struct wu *wu)
{
    int64_t since_ms = wu->attempts[wu->canonical].ended_ms;
    return since_ms > INT64_MAX - wu->rules.hold_ms ? INT64_MAX : since_ms + wu->rules.hold_ms;
}

int64_t wu_next_deadline(const struct wu *wu)
{
    int64_t soonest_ms = INT64_MAX;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_LEASED && wu->attempts[i].deadline_ms < soonest_ms)
            soonest_ms = wu->attempts[i].deadline_ms;
    if (wu->state == WU_PROVISIONAL && !wu->overdue && wu_overdue_ms(wu) < soonest_ms)
        soonest_ms = wu_overdue_ms(wu);
    if (wu->rest_until_ms != 0 && wu->rest_until_ms < soonest_ms)
        soonest_ms = wu->rest_until_ms;
    return soonest_ms;
}

static bool is_nobodys_fault(const struct attempt *a)
{
    return a->state == ATTEMPT_ERRORED &&
           (a->error == ATTEMPT_ERROR_RETURNED || a->error == ATTEMPT_ERROR_LOST);
}

static bool holds(const struct attempt *a)
{
    return a->state == ATTEMPT_LEASED || a->state == ATTEMPT_REPORTED;
}

/* Would these two attempts, of which the second is about to be handed out or was, stand in each other's way?
 */
static bool collides(const struct wu *wu, const struct attempt *a, uint64_t host_id, uint64_t owner_id)
{
    if (wu->rules.own_hosts)
        return a->host_id == host_id && holds(a);
    return a->host_id == host_id || (a->owner_id == owner_id && !is_nobodys_fault(a));
}

bool wu_host_may_take(const struct wu *wu, uint64_t host_id, uint64_t owner_id)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].host_id != 0 && collides(wu, &wu->attempts[i], host_id, owner_id))
            return false;
    return true;
}

static bool attempt_is_sound(const struct wu *wu, const struct attempt *a)
{
    bool answered = a->state == ATTEMPT_REPORTED || a->state == ATTEMPT_VALID || a->state == ATTEMPT_INVALID;
    if (a->state >= ATTEMPT_STATES || a->error >= ATTEMPT_ERRORS)
        return false;
    if ((a->state == ATTEMPT_ERRORED) != (a->error != ATTEMPT_ERROR_NONE))
        return false;
    if (a->state == ATTEMPT_UNSENT && a->host_id != 0)
        return false;
    bool taken = a->state == ATTEMPT_VALID && wu->canonical >= 0 && a == &wu->attempts[wu->canonical];
    if (a->state != ATTEMPT_UNSENT && a->state != ATTEMPT_CANCELLED && a->host_id == 0 && !taken)
        return false;
    if ((a->host_id == 0) != (a->owner_id == 0))
        return false;
    if (answered && digest_is_zero(&a->answer))
        return false;
    if (a->audit)
        return wu->rules.escrow && (a->state != ATTEMPT_REPORTED || wu->state == WU_PROVISIONAL);
    return a->state != ATTEMPT_VALID || wu_is_accepted(wu);
}

static bool owners_are_apart(const struct wu *wu)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        for (uint32_t j = 0; a->host_id != 0 && j < i; j++) {
            const struct attempt *b = &wu->attempts[j];
            if (wu->rules.own_hosts || b->host_id == 0)
                continue;
            if (a->host_id == b->host_id)
                return false;
            if (a->owner_id == b->owner_id && !is_nobodys_fault(a) && !is_nobodys_fault(b))
                return false;
        }
    }
    return true;
}

bool wu_is_taken(const struct wu *wu)
{
    return wu->canonical >= 0 && wu->attempts[wu->canonical].host_id == 0;
}

static bool quorum_stands(const struct wu *wu, const struct wu_tally *t)
{
    if (wu->canonical < 0 || (uint32_t)wu->canonical >= wu->attempt_count)
        return false;
    if (wu_is_taken(wu) ? t->valid != 1 : t->valid < wu->needed)
        return false;
    if (wu->attempts[wu->canonical].state != ATTEMPT_VALID || wu->attempts[wu->canonical].audit)
        return false;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->rules.compare == WU_COMPARE_DIGEST && wu->attempts[i].state == ATTEMPT_VALID &&
            !wu->attempts[i].audit && !wu_same_answer(wu, i, (uint32_t)wu->canonical))
            return false;
    return t->unsent == 0 && wu_audits_open(wu) == 0 && wu->failure == WU_FAILURE_NONE &&
           (wu->rules.compare != WU_COMPARE_DIGEST || t->reported == 0);
}

/* All answers without a verdict agree with the one that stands, and so many hosts audit it or have. */
static bool answer_stands(const struct wu *wu, const struct wu_tally *t)
{
    uint32_t audits = 0;
    if (!wu->rules.escrow || wu->canonical < 0 || (uint32_t)wu->canonical >= wu->attempt_count ||
        wu->failure != WU_FAILURE_NONE)
        return false;
    const struct attempt *canonical = &wu->attempts[wu->canonical];
    if (canonical->state != ATTEMPT_REPORTED || canonical->audit || t->unjudged > 0 || t->unsent > 0 ||
        t->best < wu->needed || t->best != t->reported || wu->audit_first > wu->attempt_count)
        return false;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *a = &wu->attempts[i];
        bool live = a->state == ATTEMPT_UNSENT || a->state == ATTEMPT_LEASED || a->state == ATTEMPT_REPORTED;
        if (a->audit && i < wu->audit_first && live)
            return false; /* of an answer that stood before */
        audits += a->audit && i >= wu->audit_first && (live || a->state == ATTEMPT_VALID);
    }
    return audits >= wu->audit_count;
}

static bool failure_stands(const struct wu *wu, const struct wu_tally *t)
{
    return wu->canonical == -1 && wu->failure != WU_FAILURE_NONE && t->pending == 0 && t->reported == 0;
}

static bool state_is_sound(const struct wu *wu)
{
    struct wu_tally t = wu_tally(wu);
    bool undecided = wu->canonical == -1 && wu->failure == WU_FAILURE_NONE;
    switch (wu->state) {
    case WU_OPEN: /* never stuck: something is out or waits to go, and no quorum is overlooked */
        return undecided && (t.pending > 0 || wu->rest_until_ms != 0) && t.best < wu->needed &&
               wu_audits_open(wu) == 0 && (t.unjudged == 0 || t.best + t.unjudged < wu->needed);
    case WU_JUDGING:
        return undecided && wu->rules.compare != WU_COMPARE_DIGEST && t.unjudged > 0 &&
               t.best + t.unjudged >= wu->needed && wu_audits_open(wu) == 0;
    case WU_ACCEPTED:
        return quorum_stands(wu, &t);
    case WU_FAILED:
        return failure_stands(wu, &t);
    case WU_DELIVERED:
        return wu_is_accepted(wu) ? quorum_stands(wu, &t) : failure_stands(wu, &t);
    case WU_PROVISIONAL:
        return answer_stands(wu, &t);
    case WU_STATES:
        break;
    }
    return false;
}

bool wu_invariant(const struct wu *wu)
{
    if (wu->attempt_count < 1 || wu->attempt_count > wu->rules.attempts_max ||
        wu->rules.attempts_max > ATTEMPTS_MAX || wu->failure >= WU_FAILURES ||
        wu->needed < wu->rules.quorum || wu->needed > wu->rules.attempts_max ||
        (wu->overdue && wu->state != WU_PROVISIONAL) || wu->rest_until_ms < 0 ||
        (wu->rest_until_ms != 0 && wu->state != WU_OPEN && wu->state != WU_JUDGING) ||
        wu->audit_count > ATTEMPTS_MAX || wu->audit_first > ATTEMPTS_MAX)
        return false;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (!attempt_is_sound(wu, &wu->attempts[i]))
            return false;
    if (wu->purged && (wu->state != WU_DELIVERED || wu_next_deadline(wu) != INT64_MAX))
        return false;
    return owners_are_apart(wu) && wu->wake_at_ms == wu_next_deadline(wu) && state_is_sound(wu);
}
