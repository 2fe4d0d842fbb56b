/* Which batches ask the same question. */
#include "server/reuse.h"

#include <string.h>

#include "lib/t.h"

static struct digest question(enum wu_escrow escrow, const struct trust_policy *trust)
{
    struct store_batch b = {
        .app = "pi", .version = 1, .rules = {.quorum = 1, .escrow = escrow}, .trust = *trust};
    struct batch_request q;
    struct digest d;
    memset(&q, 0, sizeof q);
    assert_ok(reuse_batch_question(&b, &q, &d));
    return d;
}

static void differs(const struct trust_policy *trust)
{
    static const struct trust_policy usual = TRUST_POLICY_LONE;
    struct digest a = question(WU_ESCROW_LONE, &usual), b = question(WU_ESCROW_LONE, trust);
    assert_false(digest_eq(&a, &b));
}

static void an_answer_that_was_accepted_on_less_answers_nobody_who_asked_for_more(void **state)
{
    (void)state;
    struct trust_policy lax = TRUST_POLICY_LONE;
    lax.probation = 0;
    differs(&lax);
    lax = (struct trust_policy)TRUST_POLICY_LONE;
    lax.audit_ppm = 1000;
    differs(&lax);
    lax = (struct trust_policy)TRUST_POLICY_LONE;
    lax.floor_ppm = 1000;
    differs(&lax);
    lax = (struct trust_policy)TRUST_POLICY_LONE;
    lax.wait = 0;
    differs(&lax);
}

static void under_a_quorum_nobody_is_believed(void **state)
{
    (void)state;
    struct trust_policy none = {0}, lone = TRUST_POLICY_LONE;
    struct digest a = question(WU_ESCROW_NONE, &none), b = question(WU_ESCROW_NONE, &lone);
    assert_true(digest_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_was_accepted_on_less_answers_nobody_who_asked_for_more),
        cmocka_unit_test(under_a_quorum_nobody_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
