/* Trust in a host, escrow, who may check whom, and what it all costs. */
#include "lib/t.h"

#include <math.h>

#include "lib/wu_make.h"
#include "rules/kin.h"
#include "rules/price.h"
#include "rules/trust.h"

#define DAY_MS 86400000ll

static const struct trust_policy lone = TRUST_POLICY_LONE;
static const struct trust_policy all = TRUST_POLICY_ALL;

static struct wu standing(enum wu_escrow escrow)
{
    struct wu_rules r = rules_of(1, WU_COMPARE_DIGEST);
    r.escrow = escrow, r.hold_ms = 5000;
    struct wu wu = wu_with(r);
    lease_and_report(&wu, 0, 'a');
    assert_int_equal(wu.state, WU_PROVISIONAL);
    return wu;
}

static struct host_trust with_passed(uint32_t n)
{
    struct host_trust t = {0};
    for (uint32_t i = 0; i < n; i++)
        trust_passed(&t, TRUST_CONFIRMED, 0);
    return t;
}

static void a_new_host_is_confirmed_until_its_probation_is_over(void **state)
{
    (void)state;
    struct wu wu = standing(WU_ESCROW_LONE);
    struct host_trust t = with_passed(lone.probation - 1);
    assert_int_equal(trust_choose(&lone, &t, &wu, 0, 999999, 0), TRUST_CONFIRM);
    trust_passed(&t, TRUST_CONFIRMED, 0);
    assert_int_equal(trust_choose(&lone, &t, &wu, 0, 999999, 0), TRUST_WAIT);
}

static void later_answers_are_checked_by_the_share_that_is_drawn(void **state)
{
    (void)state;
    struct wu wu = standing(WU_ESCROW_LONE);
    struct host_trust t = with_passed(50);
    uint32_t share = trust_share_ppm(&lone, &t, 0);
    assert_int_equal(share, 75000); /* half way from 10 % to 5 % */
    assert_int_equal(trust_choose(&lone, &t, &wu, 0, share - 1, 0), TRUST_CONFIRM);
    assert_int_equal(trust_choose(&lone, &t, &wu, 0, share, 0), TRUST_WAIT);
    t = with_passed(1000);
    assert_int_equal(trust_share_ppm(&lone, &t, 0), lone.floor_ppm);
}

static void items_are_audited_in_every_answer_and_a_new_host_is_confirmed_as_well(void **state)
{
    (void)state;
    struct wu wu = standing(WU_ESCROW_ALL);
    struct host_trust t = {0};
    assert_int_equal(trust_choose(&all, &t, &wu, 0, 0, 0), TRUST_CONFIRM);
    wu.needed = 2;
    assert_int_equal(trust_choose(&all, &t, &wu, 0, 0, 0), TRUST_AUDIT);
    wu.needed = 1;
    t = with_passed(all.probation);
    assert_int_equal(trust_choose(&all, &t, &wu, 0, 999999, 0), TRUST_AUDIT);
}

static void a_full_escrow_confirms_all_that_comes(void **state)
{
    (void)state;
    struct wu wu = standing(WU_ESCROW_LONE);
    struct host_trust t = with_passed(500);
    assert_int_equal(trust_choose(&lone, &t, &wu, TRUST_ESCROW_MAX, 999999, 0), TRUST_CONFIRM);
}

static void trust_decays_with_time(void **state)
{
    (void)state;
    struct host_trust t = with_passed(200);
    assert_int_equal(trust_share_ppm(&lone, &t, 0), 50000);
    assert_int_equal(trust_share_ppm(&lone, &t, TRUST_HALF_LIFE_MS), 50000);     /* 100 left */
    assert_int_equal(trust_share_ppm(&lone, &t, 2 * TRUST_HALF_LIFE_MS), 75000); /* 50 left */
    assert_int_equal(trust_share_ppm(&lone, &t, 40 * TRUST_HALF_LIFE_MS), 100000);
    trust_passed(&t, TRUST_CONFIRMED, 2 * TRUST_HALF_LIFE_MS);
    assert_int_equal(t.passed_milli, 51000);
}

static void who_is_found_wrong_begins_again_and_is_watched_and_at_last_banned(void **state)
{
    (void)state;
    struct host_trust t = with_passed(200);
    uint64_t next = t.next = 300;
    assert_int_equal(trust_fault(&t, false, false, 0), TRUST_QUARANTINE);
    assert_int_equal(t.answers, 0);
    assert_int_equal(t.next, next);
    assert_int_equal(trust_share_ppm(&lone, &t, 0), 500000);
    assert_int_equal(trust_fault(&t, false, false, DAY_MS), TRUST_QUARANTINE);
    assert_int_equal(trust_fault(&t, false, false, 2 * DAY_MS), TRUST_BAN);
}

static void who_accuses_others_falsely_checks_no_more_and_is_believed_as_before(void **state)
{
    (void)state;
    struct host_trust t = with_passed(200);
    assert_true(trust_may_check(&all, &t, 50, 100, 0));
    assert_int_equal(trust_fault(&t, false, true, 0), TRUST_SPARED);
    assert_int_equal(t.answers, 200);
    assert_false(trust_may_check(&all, &t, 50, 100, DAY_MS));
    assert_true(trust_may_begin(&all, &t, 1000, DAY_MS));
    assert_true(trust_may_check(&all, &t, 50, 100, 2 * TRUST_HALF_LIFE_MS));
    assert_int_equal(trust_fault(&t, false, true, 0), TRUST_SPARED); /* leased before the first was judged */
    assert_int_equal(trust_fault(&t, false, true, 0), TRUST_BAN);
}

static void who_was_found_wrong_begins_no_more_than_its_probation_needs(void **state)
{
    (void)state;
    struct host_trust t = {0};
    assert_true(trust_may_begin(&all, &t, 2 * all.probation - 1, 0));
    assert_false(trust_may_begin(&all, &t, 2 * all.probation, 0));
    assert_int_equal(trust_fault(&t, false, false, 0), TRUST_QUARANTINE);
    assert_true(trust_may_begin(&all, &t, all.probation - 1, 0));
    assert_false(trust_may_begin(&all, &t, all.probation, 0));
    trust_passed(&t, TRUST_CONFIRMED, 0);
    assert_false(trust_may_begin(&all, &t, all.probation - 1, 0));
}

static void a_crowd_of_new_hosts_does_not_check_itself(void **state)
{
    (void)state;
    struct host_trust new = {0};
    assert_true(trust_may_check(&all, &new, TRUST_CHECKERS_MIN - 1, 9, 0));
    assert_false(trust_may_check(&all, &new, TRUST_CHECKERS_MIN, 9, 0));
    assert_false(trust_may_check(&all, &new, 100, 100 + 700, 0));
    assert_true(trust_may_check(&all, &new, 100, 100 + 800, 0));
}

/* Of 1000 hosts two may take something at once, then four, eight ...; in a small project everybody. */
static void who_checks_is_drawn_and_more_may_as_time_goes(void **state)
{
    (void)state;
    uint32_t hosts = 1000, may = 0, later = 0, late = 0;
    int64_t draw_ms = trust_draw_ms(10000);
    assert_int_equal(draw_ms, 40000);
    assert_int_equal(trust_draw_ms(0), TRUST_DRAW_MS_MIN);
    assert_int_equal(trust_draw_ms(INT64_MAX), TRUST_DRAW_MS_MAX);
    assert_int_equal(trust_draw_ms(-1), TRUST_DRAW_MS_MAX);
    for (uint32_t i = 0; i < hosts; i++) {
        may += trust_is_drawn(i * 1000, hosts, 0, draw_ms);
        later += trust_is_drawn(i * 1000, hosts, 3 * draw_ms, draw_ms);
        late += trust_is_drawn(i * 1000, hosts, 10 * draw_ms, draw_ms);
    }
    assert_int_equal(may, TRUST_DRAWN);
    assert_int_equal(later, TRUST_DRAWN * 8);
    assert_int_equal(late, hosts);
    assert_true(trust_is_drawn(999999, TRUST_CROWD, 0, draw_ms));
    assert_false(trust_is_drawn(999999, UINT32_MAX, 0, draw_ms));
    assert_true(trust_is_drawn(999999, UINT32_MAX, INT64_MAX, draw_ms));
    assert_true(trust_is_patience_over(TRUST_CROWD, TRUST_PATIENCE_MS, draw_ms));
    assert_false(trust_is_patience_over(TRUST_CROWD + 1, TRUST_PATIENCE_MS, draw_ms));
    assert_false(trust_is_patience_over(hosts, TRUST_PATIENCE_MS - 1, TRUST_DRAW_MS_MIN));
    assert_true(trust_is_patience_over(hosts, TRUST_PATIENCE_MS, TRUST_DRAW_MS_MIN));
}

/* Of answers that are checked a twentieth as closely, twenty times as many must follow; and trust that was
 * earned with them is worth a twentieth. */
static void a_lax_batch_lends_a_strict_one_nothing(void **state)
{
    (void)state;
    struct trust_policy lax = {.audit_ppm = all.audit_ppm / 20, .floor_ppm = all.floor_ppm / 20, .wait = 0};
    struct host_trust t = with_passed(all.probation);
    struct escrow_entry e = {.seq = t.next, .unit = 7, .wait = escrow_wait(&all), .held = true};
    wu_id ripe;
    uint32_t strict = 0, slack = 0;
    for (t.next += escrow_weight(&all); !escrow_ripe(&e, 1, t.next, &ripe, 1); strict++)
        t.next += escrow_weight(&all);
    t.next = e.seq + escrow_weight(&all);
    for (; !escrow_ripe(&e, 1, t.next, &ripe, 1); slack++)
        t.next += escrow_weight(&lax);
    assert_int_equal(strict, all.wait);
    assert_int_equal(slack, 20 * all.wait);
    t = (struct host_trust){0};
    for (int i = 0; i < 100; i++)
        trust_passed(&t, lax.audit_ppm, 0);
    assert_int_equal(t.answers, 0);
    assert_int_equal(t.passed_milli, 5000);
    struct trust_policy most = {
        .audit_ppm = TRUST_MILLION, .floor_ppm = TRUST_MILLION, .wait = TRUST_ESCROW_MAX - 1};
    assert_int_equal(escrow_wait(&most), TRUST_ESCROW_MAX * TRUST_MILLION - 1);
}

static void faults_far_apart_are_a_machines_and_ban_nobody(void **state)
{
    (void)state;
    struct host_trust t = {0};
    for (int i = 0; i < 20; i++)
        assert_int_equal(trust_fault(&t, false, false, i * 2 * TRUST_HALF_LIFE_MS), TRUST_QUARANTINE);
}

static void two_hosts_with_the_same_wrong_answer_lie(void **state)
{
    (void)state;
    struct host_trust t = with_passed(200);
    assert_int_equal(trust_fault(&t, true, false, 0), TRUST_BAN);
}

/* Two votes against one prove nothing; a checker or a known answer does. */
static void the_same_wrong_answer_is_a_lie_only_where_it_is_proven_wrong(void **state)
{
    (void)state;
    struct wu before = {.state = WU_JUDGING, .canonical = -1, .attempt_count = 3};
    for (uint32_t i = 0; i < 3; i++)
        before.attempts[i] = (struct attempt){.host_id = i + 1, .owner_id = i + 1, .answer.bytes = {i < 2}};
    struct wu after = before;
    after.state = WU_ACCEPTED;
    after.canonical = 2;
    after.attempts[0].state = after.attempts[1].state = ATTEMPT_INVALID;
    after.attempts[2].state = ATTEMPT_VALID;
    assert_false(trust_is_agreed(&before, &after, 0));
    after.rules.compare = WU_COMPARE_CHECK;
    assert_true(trust_is_agreed(&before, &after, 0));
    after.attempts[1].owner_id = 1;
    assert_false(trust_is_agreed(&before, &after, 0));
}

static void what_is_overdue_is_confirmed_unless_the_host_has_a_long_clean_past(void **state)
{
    (void)state;
    struct wu wu = standing(WU_ESCROW_LONE);
    struct host_trust old = with_passed(500);
    assert_int_equal(trust_overdue(&lone, &old, &wu, 0), TRUST_CONFIRM);
    wu.needed = 2;
    assert_int_equal(trust_overdue(&lone, &old, &wu, 0), TRUST_FINAL);
    wu = standing(WU_ESCROW_ALL);
    assert_int_equal(trust_overdue(&all, &old, &wu, 0), TRUST_CONFIRM); /* was never audited */
    does(&wu, (struct wu_event){.kind = WU_EV_AUDIT, .count = 1});
    assert_int_equal(trust_overdue(&all, &old, &wu, 0), TRUST_WAIT);
    lease(&wu, 1, 0);
    does(&wu, report_of(1, 'x'));
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 1}});
    assert_int_equal(trust_overdue(&all, &old, &wu, 0), TRUST_FINAL);
    struct host_trust young = with_passed(20);
    assert_int_equal(trust_overdue(&all, &young, &wu, 0), TRUST_CONFIRM);
}

static void an_answer_is_final_when_enough_later_ones_are_in_and_no_check_near_it_is_open(void **state)
{
    (void)state;
    wu_id ripe[8];
    struct escrow_entry e[] = {{.seq = 0, .unit = 100, .wait = 3, .held = true},
                               {.seq = 1, .unit = 101, .wait = 3, .held = true},
                               {.seq = 5, .unit = 105, .wait = 3, .held = true, .open = true},
                               {.seq = 6, .unit = 106, .wait = 3, .held = true}};
    assert_int_equal(escrow_ripe(e, 4, 3, ripe, 8), 0);
    assert_int_equal(escrow_ripe(e, 4, 4, ripe, 8), 1);
    assert_int_equal(ripe[0], 100);
    assert_int_equal(escrow_ripe(e, 4, 1000, ripe, 8), 2); /* 105 and what it may speak against are not */
    e[2].open = false;
    assert_int_equal(escrow_ripe(e, 4, 1000, ripe, 8), 4);
    assert_int_equal(escrow_ripe(e, 4, 1000, ripe, 2), 2);
    e[3].held = false;
    assert_int_equal(escrow_ripe(e, 4, 1000, ripe, 8), 3);
}

static void hosts_of_one_owner_network_or_burst_do_not_check_each_other(void **state)
{
    (void)state;
    struct kin a = {.host_id = 1, .owner_id = 10, .network = 7, .joined_ms = 0}, b = a;
    assert_false(kin_apart(&a, &b, 10));
    b.host_id = 2;
    assert_false(kin_apart(&a, &b, 10));
    b.owner_id = 20;
    assert_false(kin_apart(&a, &b, 10));
    b.network = 8;
    assert_true(kin_apart(&a, &b, 10));
    assert_false(kin_apart(&a, &b, KIN_BURST_HOSTS_MIN));
    b.joined_ms = KIN_BURST_MS + 1;
    assert_true(kin_apart(&a, &b, KIN_BURST_HOSTS_MIN));
    a.network = b.network = 0; /* both private */
    assert_true(kin_apart(&a, &b, KIN_BURST_HOSTS_MIN));
}

static void a_network_is_a_24_or_a_48_and_private_ones_are_none(void **state)
{
    (void)state;
    const uint8_t x[] = {8, 8, 8, 8}, y[] = {8, 8, 8, 200}, z[] = {8, 8, 9, 8};
    assert_true(kin_network(x, 4) != 0 && kin_network(x, 4) == kin_network(y, 4));
    assert_true(kin_network(x, 4) != kin_network(z, 4));
    const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 8, 8, 8, 1};
    assert_true(kin_network(mapped, 16) == kin_network(x, 4));
    const uint8_t six[16] = {0x20, 1, 4, 5, 6, 7, 1}, near[16] = {0x20, 1, 4, 5, 6, 7, 9, 9},
                  far[16] = {0x20, 1, 4, 5, 6, 8};
    assert_true(kin_network(six, 16) != 0 && kin_network(six, 16) == kin_network(near, 16));
    assert_true(kin_network(six, 16) != kin_network(far, 16));
    const uint8_t none[][4] = {{127, 0, 0, 1},   {10, 1, 2, 3},   {192, 168, 3, 4}, {172, 31, 0, 1},
                               {169, 254, 0, 1}, {100, 64, 0, 1}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_true(kin_network(none[i], 4) == 0);
    const uint8_t local[16] = {[15] = 1}, link[16] = {0xfe, 0x80}, unique[16] = {0xfd};
    assert_true(kin_network(local, 16) == 0 && kin_network(link, 16) == 0 && kin_network(unique, 16) == 0);
    assert_true(kin_network(x, 3) == 0);
}

static void near(double is, double wanted)
{
    if (fabs(is - wanted) > wanted * 0.02)
        fail_msg("%g is not about %g", is, wanted);
}

static void a_policy_has_its_price(void **state)
{
    (void)state;
    struct price_question q = {.quorum = 2, .liars = 0.05};
    near(price_of(&q).wrong, 7.25e-3);
    near(price_of(&q).runs, 2.105);
    q.quorum = 7;
    near(price_of(&q).wrong, 1.03e-6);
    q = (struct price_question){.quorum = 1, .liars = 0.05};
    near(price_of(&q).wrong, 0.05);
    q.escrow = WU_ESCROW_ALL, q.items = 10000, q.policy = all;
    near(price_of(&q).wrong, 9.5e-7);
    near(price_of(&q).runs, 1.02);
    q.escrow = WU_ESCROW_LONE, q.policy = lone;
    near(price_of(&q).wrong, 3.7e-3);
    q.checker = true;
    assert_true(price_of(&q).wrong <= 0);
}

static void what_was_checked_bounds_the_share_of_liars(void **state)
{
    (void)state;
    near(price_liars_at_most(0, 100), 0.037);
    near(price_liars_at_most(0, 1000000), 3.84e-6);
    near(price_liars_at_most(5, 100), 0.1118);
    near(price_liars_at_most(50, 100), 0.5966);
    near(price_liars_at_most(0, 0), 1);
    near(price_liars_at_most(7, 7), 1);
    for (uint64_t wrong = 0; wrong < 1000; wrong++)
        assert_true(price_liars_at_most(wrong, 1000) < price_liars_at_most(wrong + 1, 1000) || wrong > 990);
}

static void policies_out_of_bounds_are_refused_by_name(void **state)
{
    (void)state;
    struct trust_policy p = lone;
    assert_ok(trust_policy_check(&p));
    p.audit_ppm = 0;
    assert_err(trust_policy_check(&p), ERR_INVALID);
    assert_non_null(strstr(err_text(), "audit_share"));
    p = lone, p.floor_ppm = p.audit_ppm + 1;
    assert_err(trust_policy_check(&p), ERR_INVALID);
    assert_non_null(strstr(err_text(), "audit_floor"));
    p = lone, p.wait = TRUST_ESCROW_MAX;
    assert_err(trust_policy_check(&p), ERR_INVALID);
    assert_non_null(strstr(err_text(), "escrow_units"));
}

/* Who is as far as he is says nothing of him, unless nobody is further. */
static void who_agrees_must_be_further_or_as_far_as_anybody(void **state)
{
    (void)state;
    struct host_trust t = {0};
    trust_agreed(&t, 0, 1, 0);
    assert_int_equal(t.answers, 0);
    assert_int_equal(t.passed_milli, 1000);
    trust_agreed(&t, 0, 0, 0); /* nobody is anything yet */
    assert_int_equal(t.answers, 1);
    trust_agreed(&t, 2, 10, 0);
    assert_int_equal(t.answers, 2);
    trust_agreed(&t, 2, 10, 0);
    assert_int_equal(t.answers, 2);
    trust_agreed(&t, 10, 10, 0);
    assert_int_equal(t.answers, 3);
    t.answers = 50;
    trust_agreed(&t, 10, 10, 0);
    assert_int_equal(t.answers, 51);
    trust_audited(&t, TRUST_CONFIRMED, 9, 10, 0);
    assert_int_equal(t.answers, 51);
}

static void newcomers_convict_nobody_who_is_trusted(void **state)
{
    (void)state;
    struct trust_policy p = TRUST_POLICY_LONE;
    struct host_trust t = {.answers = 50};
    assert_false(trust_is_convicted(&p, &t, 9, 40));
    assert_true(trust_is_convicted(&p, &t, 10, 40));
    p.probation = 300; /* whoever is trusted by any usual measure may */
    assert_true(trust_is_convicted(&p, &t, 10, 40));
    p.probation = 0;
    assert_false(trust_is_convicted(&p, &t, 4, 40));
    assert_true(trust_is_convicted(&p, &t, 5, 40));
    assert_true(trust_is_convicted(&p, &t, 3, 3)); /* there is nobody who is further */
    t.answers = 0;
    assert_true(trust_is_convicted(&p, &t, 0, 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newcomers_convict_nobody_who_is_trusted),
        cmocka_unit_test(who_agrees_must_be_further_or_as_far_as_anybody),
        cmocka_unit_test(a_new_host_is_confirmed_until_its_probation_is_over),
        cmocka_unit_test(later_answers_are_checked_by_the_share_that_is_drawn),
        cmocka_unit_test(items_are_audited_in_every_answer_and_a_new_host_is_confirmed_as_well),
        cmocka_unit_test(a_full_escrow_confirms_all_that_comes),
        cmocka_unit_test(trust_decays_with_time),
        cmocka_unit_test(who_is_found_wrong_begins_again_and_is_watched_and_at_last_banned),
        cmocka_unit_test(who_accuses_others_falsely_checks_no_more_and_is_believed_as_before),
        cmocka_unit_test(who_was_found_wrong_begins_no_more_than_its_probation_needs),
        cmocka_unit_test(a_crowd_of_new_hosts_does_not_check_itself),
        cmocka_unit_test(who_checks_is_drawn_and_more_may_as_time_goes),
        cmocka_unit_test(a_lax_batch_lends_a_strict_one_nothing),
        cmocka_unit_test(faults_far_apart_are_a_machines_and_ban_nobody),
        cmocka_unit_test(two_hosts_with_the_same_wrong_answer_lie),
        cmocka_unit_test(the_same_wrong_answer_is_a_lie_only_where_it_is_proven_wrong),
        cmocka_unit_test(what_is_overdue_is_confirmed_unless_the_host_has_a_long_clean_past),
        cmocka_unit_test(an_answer_is_final_when_enough_later_ones_are_in_and_no_check_near_it_is_open),
        cmocka_unit_test(hosts_of_one_owner_network_or_burst_do_not_check_each_other),
        cmocka_unit_test(a_network_is_a_24_or_a_48_and_private_ones_are_none),
        cmocka_unit_test(a_policy_has_its_price),
        cmocka_unit_test(what_was_checked_bounds_the_share_of_liars),
        cmocka_unit_test(policies_out_of_bounds_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
