#include "server/batch_rules.h"

#include "server/try.h"

_Static_assert((int)BATCH_CAUSES == (int)WU_CAUSES && (int)BATCH_CAUSE_WRONG == (int)WU_CAUSE_WRONG &&
                   (int)BATCH_CAUSE_LIMIT == (int)WU_CAUSE_LIMIT &&
                   (int)BATCH_CAUSE_LOST == (int)WU_CAUSE_LOST,
               "what is on the wire are the rules' causes, in their order");

#define DEADLINE_DEFAULT_MS (7ll * 86400000)
#define HOLD_DEFAULT_MS     86400000ll

/* Audits look at the list of items and at nothing else: what else an app puts out would be believed of
 * whoever is trusted, so nobody gets this without having asked for it. */
static bool lists_all(const struct manifest *app)
{
    return app->items && app->output_count == 1;
}

/* What the app makes possible is better than what works for all. */
static enum batch_policy policy_of(const struct batch_rules *q, const struct manifest *app)
{
    if (q->policy != BATCH_POLICY_DEFAULT)
        return q->policy;
    if (q->min_quorum || q->target_attempts)
        return BATCH_POLICY_QUORUM;
    if (app->checker_count)
        return BATCH_POLICY_CHECKER;
    return lists_all(app) ? BATCH_POLICY_AUDIT : BATCH_POLICY_ADAPTIVE;
}

static enum err check_policy(const struct batch_rules *q, const struct manifest *app, enum batch_policy p)
{
    bool escrow = p == BATCH_POLICY_ADAPTIVE || p == BATCH_POLICY_AUDIT;
    bool tuned = q->probation >= 0 || q->escrow_units >= 0 || q->hold_ms >= 0 || q->audit_share >= 0 ||
                 q->audit_floor >= 0;
    if (p == BATCH_POLICY_AUDIT && !app->items)
        return err_set(ERR_INVALID,
                       "policy is audit, but the app lists no items (\"items\" in its manifest): "
                       "use adaptive, or let the app list them");
    if (p == BATCH_POLICY_CHECKER && !app->checker_count)
        return err_set(ERR_INVALID, "policy is checker, but the app brings no verify program (\"checker\" in "
                                    "its manifest): use adaptive or quorum");
    if (p != BATCH_POLICY_QUORUM && q->min_quorum > 1)
        return err_set(ERR_INVALID, "min_quorum is %u under the policy %s: it goes with quorum alone",
                       q->min_quorum, batch_policy_name(p));
    if (tuned && !escrow)
        return err_set(ERR_INVALID,
                       "probation, escrow_units, hold_ms, audit_share and audit_floor go with the "
                       "policies adaptive and audit, not with %s",
                       batch_policy_name(p));
    return ERR_OK;
}

static void take_trust(const struct batch_rules *q, enum batch_policy p, struct wu_rules *r,
                       struct trust_policy *t)
{
    static const struct trust_policy lone = TRUST_POLICY_LONE, all = TRUST_POLICY_ALL;
    *t = p == BATCH_POLICY_AUDIT ? all : lone;
    r->escrow = p == BATCH_POLICY_AUDIT ? WU_ESCROW_ALL : WU_ESCROW_LONE;
    r->hold_ms = q->hold_ms > 0 ? q->hold_ms : HOLD_DEFAULT_MS;
    if (q->probation >= 0)
        t->probation = (uint32_t)q->probation;
    if (q->escrow_units >= 0)
        t->wait = (uint32_t)q->escrow_units;
    if (q->audit_share >= 0)
        t->audit_ppm = (uint32_t)(q->audit_share * TRUST_MILLION + 0.5);
    if (q->audit_floor >= 0)
        t->floor_ppm = (uint32_t)(q->audit_floor * TRUST_MILLION + 0.5);
    else if (t->floor_ppm > t->audit_ppm)
        t->floor_ppm = t->audit_ppm;
}

enum err batch_rules_take(const struct batch_rules *q, const struct manifest *app, struct wu_rules *ret,
                          struct trust_policy *ret_trust)
{
    enum batch_policy p = policy_of(q, app);
    TRY(check_policy(q, app, p));
    uint32_t quorum = p != BATCH_POLICY_QUORUM ? 1 : q->min_quorum ? q->min_quorum : 2;
    *ret = (struct wu_rules){
        .quorum = quorum,
        .target_attempts = q->target_attempts ? q->target_attempts : quorum,
        .errors_max = q->has_max_error_attempts || q->max_error_attempts ? q->max_error_attempts : 3,
        .attempts_max = q->max_total_attempts ? q->max_total_attempts : 8,
        .successes_max = q->max_success_attempts ? q->max_success_attempts : 6,
        .lease_ms = q->deadline_ms ? q->deadline_ms : DEADLINE_DEFAULT_MS,
        .compare = p == BATCH_POLICY_CHECKER        ? WU_COMPARE_CHECK
                   : app->compare != COMPARE_DIGEST ? WU_COMPARE_JUDGE
                                                    : WU_COMPARE_DIGEST,
        .own_hosts = p == BATCH_POLICY_ONCE};
    for (uint32_t c = 0; c < WU_CAUSES; c++)
        ret->retry[c] = (struct wu_retry){.wait_s = (uint32_t)((q->retry[c].wait_ms + 999) / 1000),
                                          .most = q->retry[c].most < 0 ? 0 : (uint16_t)q->retry[c].most,
                                          .has_most = q->retry[c].most >= 0};
    if (!q->max_total_attempts && ret->attempts_max < ret->target_attempts + 4)
        ret->attempts_max = ret->target_attempts + 4 < ATTEMPTS_MAX ? ret->target_attempts + 4 : ATTEMPTS_MAX;
    if (ret->successes_max > ret->attempts_max)
        ret->successes_max = ret->attempts_max;
    if (!q->max_success_attempts && ret->successes_max < ret->target_attempts)
        ret->successes_max = ret->target_attempts;
    *ret_trust = (struct trust_policy){0};
    if (p == BATCH_POLICY_ADAPTIVE || p == BATCH_POLICY_AUDIT) {
        take_trust(q, p, ret, ret_trust);
        if (!q->max_total_attempts)
            ret->attempts_max = ATTEMPTS_MAX; /* audits are attempts too */
        TRY(trust_policy_check(ret_trust));
    }
    return wu_rules_check(ret);
}

enum batch_policy batch_rules_policy(const struct wu_rules *r)
{
    if (r->escrow != WU_ESCROW_NONE)
        return r->escrow == WU_ESCROW_ALL ? BATCH_POLICY_AUDIT : BATCH_POLICY_ADAPTIVE;
    if (r->own_hosts)
        return BATCH_POLICY_ONCE;
    return r->compare == WU_COMPARE_CHECK ? BATCH_POLICY_CHECKER : BATCH_POLICY_QUORUM;
}

struct price batch_rules_price(const struct wu_rules *r, const struct trust_policy *t, double liars)
{
    struct price_question q = {.quorum = r->quorum,
                               .escrow = r->escrow,
                               .checker = batch_rules_policy(r) == BATCH_POLICY_CHECKER,
                               .policy = *t,
                               .items = PRICE_ITEMS,
                               .liars = liars < 0.99 ? liars : 0.99};
    return price_of(&q);
}

/* One answer of each accepted unit may have stood alone; what else was found right or wrong was a check. */
uint64_t batch_rules_checked(const struct wu_rules *r, const struct batch_counts *n)
{
    bool checker = batch_rules_policy(r) == BATCH_POLICY_CHECKER;
    int64_t all = n->valid + n->invalid - (checker ? 0 : n->accepted - n->taken);
    return all > 0 ? (uint64_t)all : 0;
}

double batch_rules_runs(const struct batch_counts *n)
{
    return (double)(n->attempts - n->leased - n->audits) + (double)n->audited_ppm / TRUST_MILLION;
}

bool batch_rules_measure(const struct wu_rules *r, const struct trust_policy *t, const struct batch_counts *n,
                         struct price *ret, double *ret_liars)
{
    int64_t answers = n->accepted + n->provisional - n->taken;
    uint64_t checked = batch_rules_checked(r, n);
    if (answers < 1 || checked < 1)
        return false;
    *ret_liars = price_liars_at_most((uint64_t)n->invalid, checked);
    *ret = batch_rules_price(r, t, *ret_liars);
    ret->runs = batch_rules_runs(n) / (double)answers;
    return true;
}
