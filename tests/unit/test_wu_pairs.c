/* Visits every (state, event) pair: units in every kind of situation, each given every event in many shapes.
 */
#include "lib/t.h"

#include "lib/wu_make.h"
#include "rules/wu_codec.h"

#define SITUATIONS_MAX 64

static struct wu situations[SITUATIONS_MAX];
static uint32_t situation_count;

static void keep(struct wu wu)
{
    assert_true(situation_count < SITUATIONS_MAX);
    situations[situation_count++] = wu;
}

static void keep_with_delivery(struct wu wu)
{
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    keep(wu);
}

static void make_open(enum wu_compare compare)
{
    struct wu_rules r = rules_of(2, compare);
    r.target_attempts = 3;
    struct wu wu = wu_with(r);
    keep(wu);
    lease(&wu, 0, 0);
    keep(wu);
    lease(&wu, 1, 0);
    lease(&wu, 2, 0);
    keep(wu); /* nothing unsent */
    struct wu expired = wu;
    does(&expired, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS});
    keep(expired);
    struct wu erred = wu;
    does(&erred, error_of(1, ATTEMPT_ERROR_EXIT));
    keep(erred);
    does(&wu, report_of(0, 'a'));
    keep(wu);
}

static void make_judging(void)
{
    struct wu_rules r = rules_of(2, WU_COMPARE_JUDGE);
    r.target_attempts = 4;
    struct wu wu = wu_with(r);
    lease(&wu, 2, 0);
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'b');
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 2}});
    keep(wu); /* open, with answers that disagree */
}

static void make_accepted(enum wu_compare compare)
{
    struct wu_rules r = rules_of(2, compare);
    r.target_attempts = 4;
    struct wu wu = wu_with(r);
    lease(&wu, 2, 0);
    lease(&wu, 3, 5000);
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = LEASE_MS});
    lease_and_report(&wu, 0, 'a');
    lease_and_report(&wu, 1, 'a');
    if (compare == WU_COMPARE_JUDGE)
        does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {4, 4}});
    keep_with_delivery(wu);
    struct wu recalled = wu;
    does(&recalled, (struct wu_event){.kind = WU_EV_CANCEL});
    keep_with_delivery(recalled);
    does(&wu, report_of(2, 'b'));
    keep_with_delivery(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    if (compare == WU_COMPARE_DIGEST) {
        does(&wu, (struct wu_event){.kind = WU_EV_PURGE});
        keep(wu);
    }
}

static struct wu_rules escrow_rules(enum wu_compare compare)
{
    struct wu_rules r = rules_of(1, compare);
    r.target_attempts = 3;
    r.escrow = WU_ESCROW_ALL;
    r.hold_ms = 5000;
    return r;
}

static void make_provisional(void)
{
    struct wu wu = wu_with(escrow_rules(WU_COMPARE_DIGEST));
    lease(&wu, 2, 0);
    keep(wu);
    lease_and_report(&wu, 0, 'a');
    keep(wu);
    does(&wu, report_of(2, 'a'));
    keep(wu); /* two that agree */
    does(&wu, (struct wu_event){.kind = WU_EV_AUDIT, .count = 2});
    keep(wu);
    lease(&wu, 3, 0);
    keep(wu);
    does(&wu, report_of(3, 'x'));
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 0, 1, 1}});
    lease(&wu, 4, 0);
    keep(wu);
    does(&wu, report_of(4, 'y'));
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 0, 1, 1, 1}});
    does(&wu, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 1000000});
    keep(wu); /* overdue */
    does(&wu, (struct wu_event){.kind = WU_EV_FINAL});
    keep_with_delivery(wu);
}

static void make_provisional_by_judge(void)
{
    struct wu wu = wu_with(escrow_rules(WU_COMPARE_JUDGE));
    lease(&wu, 2, 0);
    lease(&wu, 1, 0);
    lease_and_report(&wu, 0, 'a');
    keep(wu);
    struct wu two = wu;
    does(&two, report_of(2, 'a'));
    keep(two);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1}});
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_AUDIT, .count = 1});
    keep(wu);
    does(&wu, report_of(1, 'b'));
    keep(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, 2}});
    keep(wu); /* contradicted: two are needed */
}

static void make_failed(void)
{
    struct wu wu = wu_of(2, WU_COMPARE_DIGEST);
    lease_and_report(&wu, 0, 'a');
    lease(&wu, 1, 0);
    does(&wu, (struct wu_event){.kind = WU_EV_CANCEL});
    keep_with_delivery(wu);
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED});
    does(&wu, (struct wu_event){.kind = WU_EV_PURGE});
    keep(wu);
}

/* The next attempt is put off: in all that an open unit can be meanwhile. */
static void make_resting(void)
{
    struct wu_rules r = rules_of(2, WU_COMPARE_JUDGE);
    r.retry[WU_CAUSE_PROGRAM].wait_s = 2;
    struct wu wu = wu_with(r);
    lease(&wu, 0, 0);
    lease(&wu, 1, 0);
    does(&wu, error_of(0, ATTEMPT_ERROR_EXIT));
    keep(wu);
    does(&wu, report_of(1, 'a'));
    keep(wu); /* nothing is out, nothing waits to be sent */
}

static void make_all(void)
{
    situation_count = 0;
    make_open(WU_COMPARE_DIGEST);
    make_open(WU_COMPARE_JUDGE);
    make_judging();
    make_accepted(WU_COMPARE_DIGEST);
    make_accepted(WU_COMPARE_JUDGE);
    make_provisional();
    make_provisional_by_judge();
    make_failed();
    make_resting();
}

/* The shapes of one event: right and wrong hosts, attempts, answers, reasons, times. */
static uint32_t shapes_of(enum wu_event_kind kind, struct wu_event *ret)
{
    uint32_t n = 0;
    for (uint32_t a = 0; a < 6; a++) {
        for (uint32_t v = 0; v < 8; v++) {
            struct wu_event ev = {.kind = kind,
                                  .attempt = a,
                                  .host_id = v & 1 ? 10 + a : 77,
                                  .owner_id = v & 1 ? 100 + a : 777,
                                  .now_ms = v & 2 ? 900 : 100000,
                                  .answer = answer_of(v & 4 ? 'a' : 'z'),
                                  .count = v & 1 ? 3 : 9,
                                  .groups = {1, v & 1 ? 1 : 5, v & 4 ? 1 : 2, 3}};
            if (kind == WU_EV_ERROR || (kind == WU_EV_JUDGED && v & 2))
                ev.error = v & 4 ? ATTEMPT_ERROR_EXIT : ATTEMPT_ERROR_LOST;
            ret[n++] = ev;
        }
    }
    return n;
}

static void codec_keeps(const struct wu *wu)
{
    uint8_t bytes[WU_BYTES_MAX];
    struct wu back = {.id = wu->id, .rules = wu->rules};
    size_t len = wu_encode(wu, bytes);
    assert_ok(wu_decode(bytes, len, &back));
    assert_memory_equal(&back, wu, sizeof back);
}

/* Tries one event on one unit; true if it was taken. */
static bool visit(const struct wu *before, const struct wu_event *ev)
{
    struct wu wu = *before;
    struct wu_effects fx = {.count = 77};
    enum err e = wu_step(&wu, ev, &fx);
    if (e != ERR_OK) {
        assert_memory_equal(&wu, before, sizeof wu);
        assert_int_equal(fx.count, 77);
        assert_string_not_equal(err_text(), "");
        return false;
    }
    assert_true(wu_may_take(before->state, ev->kind));
    assert_true(wu_invariant(&wu));
    assert_true(wu.state == before->state || wu_may_move(before->state, wu.state) ||
                (before->state == WU_DELIVERED && ev->kind == WU_EV_RETRY));
    codec_keeps(&wu);
    return true;
}

static void every_pair_of_state_and_event_is_visited_and_the_table_says_what_happens(void **state)
{
    (void)state;
    static struct wu_event shapes[64];
    uint32_t visited[WU_STATES][WU_EVENTS] = {0}, taken[WU_STATES][WU_EVENTS] = {0};
    make_all();
    for (uint32_t s = 0; s < situation_count; s++) {
        for (uint32_t k = 0; k < WU_EVENTS; k++) {
            uint32_t count = shapes_of((enum wu_event_kind)k, shapes);
            for (uint32_t v = 0; v < count; v++) {
                visited[situations[s].state][k]++;
                taken[situations[s].state][k] += visit(&situations[s], &shapes[v]);
            }
        }
    }
    struct wu zero = {.id = 1, .rules = rules_of(2, WU_COMPARE_DIGEST)};
    taken[WU_OPEN][WU_EV_SUBMIT] += visit(&zero, &(struct wu_event){.kind = WU_EV_SUBMIT});
    for (uint32_t s = 0; s < WU_STATES; s++)
        for (uint32_t k = 0; k < WU_EVENTS; k++) {
            bool early =
                (k == WU_EV_PURGE && (s == WU_ACCEPTED || s == WU_FAILED)) ||
                (k == WU_EV_RETRY && s == WU_FAILED); /* in the table so that they are told to wait */
            if (!visited[s][k])
                fail_msg("(%s, %s) was not visited", wu_state_name((enum wu_state)s),
                         wu_event_name((enum wu_event_kind)k));
            if (!early && wu_may_take((enum wu_state)s, (enum wu_event_kind)k) != (taken[s][k] > 0))
                fail_msg("(%s, %s): the table says %d, it was taken %u times",
                         wu_state_name((enum wu_state)s), wu_event_name((enum wu_event_kind)k),
                         wu_may_take((enum wu_state)s, (enum wu_event_kind)k), taken[s][k]);
        }
}

static void every_move_of_the_tables_is_made_by_some_event(void **state)
{
    (void)state;
    static struct wu_event shapes[64];
    bool unit_moved[WU_STATES][WU_STATES] = {{false}};
    bool attempt_moved[ATTEMPT_STATES][ATTEMPT_STATES] = {{false}};
    make_all();
    for (uint32_t s = 0; s < situation_count; s++)
        for (uint32_t k = 0; k < WU_EVENTS; k++) {
            uint32_t count = shapes_of((enum wu_event_kind)k, shapes);
            for (uint32_t v = 0; v < count; v++) {
                struct wu wu = situations[s];
                struct wu_effects fx;
                if (wu_step(&wu, &shapes[v], &fx) != ERR_OK)
                    continue;
                unit_moved[situations[s].state][wu.state] = true;
                for (uint32_t a = 0; a < situations[s].attempt_count && k != WU_EV_RETRY; a++)
                    attempt_moved[situations[s].attempts[a].state][wu.attempts[a].state] = true;
            }
        }
    for (uint32_t from = 0; from < WU_STATES; from++)
        for (uint32_t to = 0; to < WU_STATES; to++)
            if (wu_may_move((enum wu_state)from, (enum wu_state)to) && !unit_moved[from][to])
                fail_msg("no event moves a unit from %s to %s", wu_state_name((enum wu_state)from),
                         wu_state_name((enum wu_state)to));
    for (uint32_t from = 0; from < ATTEMPT_STATES; from++)
        for (uint32_t to = 0; to < ATTEMPT_STATES; to++)
            if (attempt_may_move((enum attempt_state)from, (enum attempt_state)to) &&
                !attempt_moved[from][to])
                fail_msg("no event moves an attempt from %s to %s",
                         attempt_state_name((enum attempt_state)from),
                         attempt_state_name((enum attempt_state)to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_state_and_event_is_visited_and_the_table_says_what_happens),
        cmocka_unit_test(every_move_of_the_tables_is_made_by_some_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
