#include "rules/trust.h"

#include <assert.h>

#define MILLI 1000u

enum err trust_policy_check(const struct trust_policy *p)
{
    if (p->audit_ppm < 1000 || p->audit_ppm > TRUST_MILLION)
        return err_set(ERR_INVALID, "audit_share is %g, must be from 0.001 to 1",
                       (double)p->audit_ppm / TRUST_MILLION);
    if (p->floor_ppm < 1000 || p->floor_ppm > p->audit_ppm)
        return err_set(ERR_INVALID, "audit_floor is %g, must be from 0.001 to audit_share, which is %g",
                       (double)p->floor_ppm / TRUST_MILLION, (double)p->audit_ppm / TRUST_MILLION);
    if (p->wait >= TRUST_ESCROW_MAX)
        return err_set(ERR_INVALID, "escrow_units is %u, must be less than %u", p->wait, TRUST_ESCROW_MAX);
    if (p->probation > TRUST_ESCROW_MAX)
        return err_set(ERR_INVALID, "probation is %u, must be %u at most", p->probation, TRUST_ESCROW_MAX);
    return ERR_OK;
}

/* v after so many milliseconds: whole half-lives by shifts, the rest along the chord (6 % too much at most,
 * in the middle). */
static uint32_t decayed(uint32_t v, int64_t ms)
{
    if (ms <= 0)
        return v;
    if (ms / TRUST_HALF_LIFE_MS >= 32)
        return 0;
    v >>= ms / TRUST_HALF_LIFE_MS;
    return v - (uint32_t)((uint64_t)v * (uint64_t)(ms % TRUST_HALF_LIFE_MS) / (2 * TRUST_HALF_LIFE_MS));
}

static void move_to(struct host_trust *t, int64_t now_ms)
{
    t->passed_milli = decayed(t->passed_milli, now_ms - t->changed_ms);
    t->faults_milli = decayed(t->faults_milli, now_ms - t->changed_ms);
    if (now_ms > t->changed_ms)
        t->changed_ms = now_ms;
}

uint32_t trust_share_ppm(const struct trust_policy *p, const struct host_trust *t, int64_t now_ms)
{
    uint32_t passed = decayed(t->passed_milli, now_ms - t->changed_ms) / MILLI;
    uint32_t faults = decayed(t->faults_milli, now_ms - t->changed_ms);
    uint64_t span = p->audit_ppm - p->floor_ppm;
    uint64_t share = p->audit_ppm - span * (passed < TRUST_SETTLED ? passed : TRUST_SETTLED) / TRUST_SETTLED;
    share *= 1 + 4ull * ((faults + MILLI / 2) / MILLI); /* once found wrong: watched five times as closely */
    return share < TRUST_MILLION ? (uint32_t)share : TRUST_MILLION;
}

static bool is_faulty(const struct host_trust *t, int64_t now_ms)
{
    return decayed(t->faults_milli, now_ms - t->changed_ms) > MILLI / 2;
}

bool trust_are_enough(uint32_t trusted_hosts, uint32_t hosts)
{
    return trusted_hosts >= TRUST_CHECKERS_MIN && trusted_hosts >= hosts / 8;
}

bool trust_may_check(const struct trust_policy *p, const struct host_trust *t, uint32_t trusted_hosts,
                     uint32_t hosts, int64_t now_ms)
{
    bool proven = t->answers >= p->probation && !is_faulty(t, now_ms);
    return proven || !trust_are_enough(trusted_hosts, hosts);
}

uint32_t trust_begins(const struct trust_policy *p, const struct host_trust *t, uint32_t waiting,
                      int64_t now_ms)
{
    if (t->answers >= p->probation)
        return UINT32_MAX;
    uint32_t most = is_faulty(t, now_ms) ? p->probation - t->answers : 2 * p->probation;
    return waiting < most ? most - waiting : 0;
}

bool trust_may_begin(const struct trust_policy *p, const struct host_trust *t, uint32_t waiting,
                     int64_t now_ms)
{
    return trust_begins(p, t, waiting, now_ms) > 0;
}

/* Who asks regularly was silent for half the time between on average. */
int64_t trust_draw_ms(int64_t silent_ms)
{
    if (silent_ms < 0 || silent_ms >= TRUST_DRAW_MS_MAX / 4)
        return TRUST_DRAW_MS_MAX;
    return silent_ms * 4 < TRUST_DRAW_MS_MIN ? TRUST_DRAW_MS_MIN : silent_ms * 4;
}

bool trust_is_drawn(uint32_t draw, uint32_t hosts, int64_t waited_ms, int64_t draw_ms)
{
    int64_t times = waited_ms < 0 ? 0 : waited_ms / draw_ms;
    if (hosts <= TRUST_CROWD || times >= 20)
        return true;
    return (uint64_t)draw * hosts < ((uint64_t)TRUST_DRAWN << times) * TRUST_MILLION;
}

bool trust_is_patience_over(uint32_t hosts, int64_t waited_ms, int64_t draw_ms)
{
    int64_t crowd_ms = hosts <= TRUST_CROWD ? 0 : 16 * draw_ms;
    return waited_ms >= (crowd_ms > TRUST_PATIENCE_MS ? crowd_ms : TRUST_PATIENCE_MS);
}

enum trust_choice trust_choose(const struct trust_policy *p, const struct host_trust *t, const struct wu *wu,
                               uint32_t waiting, uint32_t draw, int64_t now_ms)
{
    assert(wu->state == WU_PROVISIONAL && draw < TRUST_MILLION);
    bool alone = wu->needed < 2;
    if (alone && (t->answers < p->probation || waiting >= TRUST_ESCROW_MAX))
        return TRUST_CONFIRM;
    if (wu->rules.escrow == WU_ESCROW_ALL)
        return TRUST_AUDIT;
    return draw < trust_share_ppm(p, t, now_ms) ? TRUST_CONFIRM : TRUST_WAIT;
}

uint32_t trust_auditors(uint32_t trusted_hosts)
{
    return trusted_hosts < TRUST_AUDITORS_MIN ? 1 : 2;
}

static bool audits_passed(const struct wu *wu)
{
    uint32_t passed = 0;
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++)
        passed += wu->attempts[i].audit && wu->attempts[i].state == ATTEMPT_VALID;
    return passed >= wu->audit_count;
}

enum trust_choice trust_overdue(const struct trust_policy *p, const struct host_trust *t, const struct wu *wu,
                                int64_t now_ms)
{
    assert(wu->state == WU_PROVISIONAL);
    if (!audits_passed(wu))
        return TRUST_WAIT;
    if (wu->needed >= 2)
        return TRUST_FINAL;
    bool audited = wu->rules.escrow == WU_ESCROW_ALL && wu->audit_count > 0;
    /* A long clean past says of the host what the answers that should have followed would have said. */
    bool known = decayed(t->passed_milli, now_ms - t->changed_ms) / MILLI > p->wait;
    return audited && known ? TRUST_FINAL : TRUST_CONFIRM;
}

void trust_passed(struct host_trust *t, uint32_t share_ppm, int64_t now_ms)
{
    static const struct trust_policy usual = TRUST_POLICY_ALL;
    bool whole = share_ppm >= usual.floor_ppm;
    uint32_t worth = whole ? MILLI : share_ppm * MILLI / usual.floor_ppm;
    move_to(t, now_ms);
    if (t->passed_milli < UINT32_MAX - MILLI)
        t->passed_milli += worth;
    if (whole && t->answers < UINT32_MAX)
        t->answers++;
}

void trust_audited(struct host_trust *t, uint32_t share_ppm, uint32_t other, uint32_t level, int64_t now_ms)
{
    uint32_t answers = t->answers;
    trust_passed(t, share_ppm, now_ms);
    if (other <= answers && other < level)
        t->answers = answers;
}

void trust_agreed(struct host_trust *t, uint32_t other, uint32_t level, int64_t now_ms)
{
    trust_audited(t, TRUST_CONFIRMED, other, level, now_ms);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool trust_is_convicted(const struct trust_policy *p, const struct host_trust *t, uint32_t other,
                        uint32_t level)
{
    static const struct trust_policy low = TRUST_POLICY_ALL, high = TRUST_POLICY_LONE;
    uint32_t usual = least(p->probation > low.probation ? p->probation : low.probation, high.probation);
    return other >= least(usual, least(level, t->answers));
}

enum trust_sentence trust_fault(struct host_trust *t, bool agreed, bool audit, int64_t now_ms)
{
    move_to(t, now_ms);
    if (t->faults_milli < UINT32_MAX - MILLI)
        t->faults_milli += MILLI;
    if (!audit) {
        t->passed_milli = 0;
        t->answers = 0;
    }
    /* Half a fault may have decayed away since the first one. */
    if (agreed || t->faults_milli + MILLI / 2 >= TRUST_FAULTS_BAN * MILLI)
        return TRUST_BAN;
    return audit ? TRUST_SPARED : TRUST_QUARANTINE;
}

bool trust_is_agreed(const struct wu *before, const struct wu *after, uint32_t i)
{
    const struct attempt *a = &after->attempts[i];
    uint32_t voices = 0;
    bool same = false;
    for (uint32_t k = 0; k < after->attempt_count; k++) {
        const struct attempt *o = &after->attempts[k];
        voices += !o->audit && o->state == ATTEMPT_VALID;
        same = same || (k != i && !o->audit && o->state == ATTEMPT_INVALID && o->owner_id != a->owner_id &&
                        digest_eq(&o->answer, &a->answer));
    }
    bool audited = before->state == WU_PROVISIONAL && before->audit_count > 0 &&
                   after->attempts[before->canonical].state == ATTEMPT_INVALID;
    bool proven = audited || after->rules.compare == WU_COMPARE_CHECK;
    return !a->audit && same && (proven || voices >= 3);
}

uint32_t escrow_weight(const struct trust_policy *p)
{
    return p->floor_ppm;
}

uint32_t escrow_wait(const struct trust_policy *p)
{
    return (p->wait + 1) * escrow_weight(p) - 1;
}

uint32_t escrow_ripe(const struct escrow_entry *entries, uint32_t count, uint64_t next, wu_id *ret_units,
                     uint32_t room)
{
    uint64_t before = next; /* what is numbered from here on says nothing yet */
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].open && entries[i].seq < before)
            before = entries[i].seq;
    for (uint32_t i = 0; i < count && found < room; i++)
        if (entries[i].held && !entries[i].open && entries[i].seq + entries[i].wait < before)
            ret_units[found++] = entries[i].unit;
    return found;
}
