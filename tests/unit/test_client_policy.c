#include "lib/t.h"

#include <string.h>

#include "client/plan/plan.h"
#include "client/plan/policy.h"
#include "client/schedule.h"

/* --- the policy --- */

static const struct policy_settings usual = {.cores = 4,
                                             .in_use = {0.5, 0.6},
                                             .away = {1.0, 0},
                                             .away_after_ms = 180000,
                                             .grace_ms = 60000,
                                             .memory_free_min = 100,
                                             .disk_free_min = 50,
                                             .pressure_max = 0.2,
                                             .temperature_max_c = 90};

static struct policy_sample calm(int64_t now_ms)
{
    return (struct policy_sample){.now_ms = now_ms,
                                  .input_ms_ago = -1,
                                  .others_load = 0.1,
                                  .memory_free = 1000,
                                  .disk_free = 1000,
                                  .temperature_c = 50};
}

static struct policy_verdict step(struct policy *p, const struct policy_settings *s, struct policy_sample m)
{
    struct policy_verdict v;
    policy_step(p, s, &m, &v);
    return v;
}

static void a_pc_nobody_uses_works_on_all_cores_from_the_start(void **state)
{
    struct policy p = {0};
    (void)state;
    struct policy_verdict v = step(&p, &usual, calm(1000));
    assert_int_equal(v.cores, 4);
    assert_int_equal(v.reason, POLICY_NONE);
    assert_false(v.in_use);
}

static void input_leaves_half_of_the_cores_at_once_and_all_when_it_has_ended(void **state)
{
    struct policy p = {0};
    struct policy_sample m = calm(1000);
    (void)state;
    m.input_ms_ago = 0;
    struct policy_verdict v = step(&p, &usual, m);
    assert_int_equal(v.cores, 2);
    assert_true(v.in_use);
    m.now_ms += 200000;
    m.input_ms_ago = 200000;
    assert_int_equal(step(&p, &usual, m).cores, 4);
}

static void none_while_in_use_is_a_pause_with_that_reason(void **state)
{
    struct policy p = {0};
    struct policy_settings s = usual;
    struct policy_sample m = calm(1000);
    char text[160];
    (void)state;
    s.in_use.cores_share = 0;
    m.input_ms_ago = 5;
    struct policy_verdict v = step(&p, &s, m);
    assert_int_equal(v.cores, 0);
    assert_int_equal(v.reason, POLICY_IN_USE);
    policy_text(&p, &v, &m, text, sizeof text);
    assert_string_equal(text, "somebody uses the PC");
}

static void each_disturbance_stops_work_at_once_and_names_itself(void **state)
{
    const struct {
        enum policy_reason reason;
        struct policy_sample m;
    } cases[] = {
        {POLICY_BATTERY, {.on_battery = true, .memory_free = 1000, .input_ms_ago = -1}},
        {POLICY_TEMPERATURE, {.temperature_c = 91, .memory_free = 1000, .input_ms_ago = -1}},
        {POLICY_MEMORY, {.memory_free = 99, .input_ms_ago = -1}},
        {POLICY_EXCLUSIVE, {.exclusive = "game", .memory_free = 1000, .input_ms_ago = -1}},
        {POLICY_PRESSURE, {.pressure = 0.21, .memory_free = 1000, .disk_free = 1000, .input_ms_ago = -1}},
        {POLICY_DISK, {.disk_free = 49, .memory_free = 1000, .input_ms_ago = -1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy p = {0};
        struct policy_sample m = cases[i].m;
        char text[160];
        assert_int_equal(step(&p, &usual, calm(1000)).cores, 4);
        m.now_ms = 2000;
        struct policy_verdict v = step(&p, &usual, m);
        assert_int_equal(v.cores, 0);
        assert_int_equal(v.reason, cases[i].reason);
        assert_int_equal(v.memory_short, v.reason == POLICY_MEMORY || v.reason == POLICY_PRESSURE);
        policy_text(&p, &v, &m, text, sizeof text);
        assert_true(strlen(text) > 5);
    }
}

static void work_goes_on_only_after_the_grace_time_and_a_flicker_begins_it_anew(void **state)
{
    struct policy p = {0};
    struct policy_sample m = calm(0);
    (void)state;
    m.on_battery = true;
    m.now_ms = 1000;
    assert_int_equal(step(&p, &usual, m).reason, POLICY_BATTERY);
    struct policy_verdict v = step(&p, &usual, calm(2000));
    assert_int_equal(v.reason, POLICY_GRACE);
    assert_int_equal(v.look_again_ms, 62000);
    m.now_ms = 30000;
    assert_int_equal(step(&p, &usual, m).reason, POLICY_BATTERY);
    assert_int_equal(step(&p, &usual, calm(31000)).reason, POLICY_GRACE);
    assert_int_equal(step(&p, &usual, calm(90999)).reason, POLICY_GRACE);
    assert_int_equal(step(&p, &usual, calm(91000)).cores, 4);
}

static void a_burst_of_others_is_let_pass_and_a_lasting_load_stops_until_it_is_clearly_less(void **state)
{
    struct policy p = {0};
    struct policy_sample m = calm(1000);
    (void)state;
    m.input_ms_ago = 0;
    m.others_load = 0.9;
    assert_int_equal(step(&p, &usual, m).cores, 2);
    m.now_ms = 10999;
    assert_int_equal(step(&p, &usual, m).cores, 2);
    m.now_ms = 11000;
    assert_int_equal(step(&p, &usual, m).reason, POLICY_LOAD);
    m.now_ms = 12000;
    m.others_load = 0.5; /* below the limit, above the way back */
    assert_int_equal(step(&p, &usual, m).reason, POLICY_LOAD);
    m.now_ms = 13000;
    m.others_load = 0.3;
    assert_int_equal(step(&p, &usual, m).reason, POLICY_GRACE);
    m.now_ms = 73000;
    assert_int_equal(step(&p, &usual, m).cores, 2);
}

static void the_load_of_others_is_not_looked_at_when_nobody_uses_the_pc(void **state)
{
    struct policy p = {0};
    struct policy_sample m = calm(1000);
    (void)state;
    m.others_load = 1.0;
    assert_int_equal(step(&p, &usual, m).cores, 4);
    m.now_ms = 60000;
    assert_int_equal(step(&p, &usual, m).cores, 4);
}

static void work_begins_with_its_window_without_a_grace_time(void **state)
{
    struct policy p = {0};
    struct policy_settings s = usual;
    struct policy_sample m = calm(1000);
    (void)state;
    assert_int_equal(schedule_parse("Mon-Fri 18:00-08:00", s.windows, &s.window_count), ERR_OK);
    m.week_minute = 17 * 60 + 59;
    assert_int_equal(step(&p, &s, m).reason, POLICY_SCHEDULE);
    m.week_minute = 18 * 60;
    m.now_ms += 60000;
    assert_int_equal(step(&p, &s, m).cores, 4);
    m.week_minute = POLICY_DAY_MINUTES + 7 * 60; /* Tuesday morning */
    assert_int_equal(step(&p, &s, m).cores, 4);
    m.week_minute = POLICY_DAY_MINUTES + 8 * 60;
    assert_int_equal(step(&p, &s, m).reason, POLICY_SCHEDULE);
    m.week_minute = 5 * POLICY_DAY_MINUTES + 7 * 60; /* Saturday morning is Friday's night */
    assert_int_equal(step(&p, &s, m).cores, 4);
}

static void a_share_of_few_cores_is_at_least_one(void **state)
{
    struct policy p = {0};
    struct policy_settings s = usual;
    struct policy_sample m = calm(1000);
    (void)state;
    s.cores = 1;
    m.input_ms_ago = 0;
    assert_int_equal(step(&p, &s, m).cores, 1);
}

static void where_parts_of_cores_can_be_had_the_share_is_exact(void **state)
{
    struct policy p = {0};
    struct policy_settings s = usual;
    struct policy_sample m = calm(1000);
    (void)state;
    s.cores = 3;
    m.input_ms_ago = 0;
    struct policy_verdict v = step(&p, &s, m);
    assert_int_equal(v.cores, 1);
    assert_float_equal(v.share, 1.0, 1e-9);
    s.smooth = true;
    v = step(&p, &s, m);
    assert_int_equal(v.cores, 2);
    assert_float_equal(v.share, 1.5, 1e-9);
    s.in_use.cores_share = 0.1;
    v = step(&p, &s, m);
    assert_int_equal(v.cores, 1);
    assert_float_equal(v.share, 0.3, 1e-9);
}

/* --- schedules --- */

static void schedules_are_read_and_wrong_ones_named(void **state)
{
    struct policy_window w[POLICY_WINDOWS_MAX];
    uint32_t n;
    static const char *const wrong[] = {
        "Moon 1:00-2:00",      "Mon",         "Mon 25:00-26:00", "Mon 8:00",
        "Mon 8:00-9:61",       "8:00-9:00",   "Mon 24:00-1:00",  "Monday 8:00-9:00",
        "Mon-Fry 08:00-09:00", "Mon 8:00-9x", "Mon 8:00-9:00,,"};
    (void)state;
    assert_int_equal(schedule_parse("", w, &n), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(schedule_parse("Sat-Sun 00:00-24:00, wed 12:30-13:00", w, &n), ERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(w[0].from, 5 * POLICY_DAY_MINUTES);
    assert_int_equal(w[0].until, 6 * POLICY_DAY_MINUTES);
    assert_int_equal(w[1].until, 0);
    assert_int_equal(w[2].from, 2 * POLICY_DAY_MINUTES + 750);
    assert_int_equal(schedule_parse("Fri-Mon 01:00-02:00", w, &n), ERR_OK);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (schedule_parse(wrong[i], w, &n) != ERR_INVALID)
            fail_msg("'%s' was taken", wrong[i]);
}

/* --- the network --- */

static void a_network_that_costs_or_is_used_up_is_left_alone_and_work_goes_on(void **state)
{
    struct policy p = {0};
    struct policy_settings s = usual;
    struct policy_sample m = calm(1000);
    (void)state;
    s.moved_day_max = 100;
    s.moved_month_max = 1000;
    assert_int_equal(step(&p, &s, m).network, POLICY_NETWORK_FREE);
    m.moved_day = 99;
    m.moved_month = 999;
    assert_int_equal(step(&p, &s, m).network, POLICY_NETWORK_FREE);
    m.moved_month = 1000;
    assert_int_equal(step(&p, &s, m).network, POLICY_NETWORK_MONTH);
    m.moved_day = 100;
    assert_int_equal(step(&p, &s, m).network, POLICY_NETWORK_DAY);
    m.metered = true;
    struct policy_verdict v = step(&p, &s, m);
    assert_int_equal(v.network, POLICY_NETWORK_METERED);
    assert_int_equal(v.cores, 4);
    assert_true(strlen(policy_network_text(v.network)) > 10);
    s.on_metered = true;
    s.moved_day_max = s.moved_month_max = 0;
    assert_int_equal(step(&p, &s, m).network, POLICY_NETWORK_FREE);
}

/* --- what the plan makes of it --- */

static void tell(struct plan *p, struct plan_event ev, struct plan_actions *out)
{
    plan_step(p, &ev, out);
}

static uint32_t count(const struct plan_actions *a, enum plan_action_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->count; i++)
        n += a->list[i].kind == kind;
    return n;
}

static void two_running(struct plan *p, struct plan_actions *out)
{
    const struct plan_settings s = {
        .cores = 2, .buffer_ms = 1000, .report_ms = 1000, .heartbeat_ms = 60000, .refresh_ms = 1000000};
    plan_init(p, &s);
    for (uint32_t i = 0; i < 3; i++)
        tell(p, (struct plan_event){.kind = PLAN_LEASED, .now_ms = 1000, .job = i, .deadline_ms = 1000000},
             out);
    for (uint32_t i = 0; i < 3; i++)
        tell(p, (struct plan_event){.kind = PLAN_FETCHED, .now_ms = 1000, .job = i}, out);
    assert_int_equal(plan_count(p, PLAN_RUNNING), 2);
}

static void fewer_cores_hold_the_later_runs_and_more_let_them_go_on(void **state)
{
    static struct plan p;
    struct plan_actions out;
    (void)state;
    two_running(&p, &out);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 2000, .cores = 1}, &out);
    assert_int_equal(count(&out, PLAN_DO_PAUSE), 1);
    assert_int_equal(out.list[0].job, 1);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 3000, .cores = 0}, &out);
    assert_int_equal(count(&out, PLAN_DO_PAUSE), 1);
    assert_int_equal(out.list[0].job, 0);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 4000, .cores = 2}, &out);
    assert_int_equal(count(&out, PLAN_DO_CONTINUE), 2);
}

static void no_cores_start_nothing_and_ask_for_nothing(void **state)
{
    static struct plan p;
    struct plan_actions out;
    (void)state;
    two_running(&p, &out);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 2000, .cores = 0}, &out);
    tell(&p, (struct plan_event){.kind = PLAN_ENDED, .now_ms = 3000, .job = 0, .ran_ms = 10}, &out);
    assert_int_equal(count(&out, PLAN_DO_RUN), 0);
    for (uint32_t i = 0; i < out.count; i++)
        if (out.list[i].kind == PLAN_DO_CONTACT)
            assert_int_equal(out.list[i].want_units, 0);
}

static void the_owner_s_pause_and_the_policy_both_must_end(void **state)
{
    static struct plan p;
    struct plan_actions out;
    (void)state;
    two_running(&p, &out);
    tell(&p, (struct plan_event){.kind = PLAN_PAUSE, .now_ms = 2000}, &out);
    assert_int_equal(count(&out, PLAN_DO_PAUSE), 2);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 2500, .cores = 0}, &out);
    tell(&p, (struct plan_event){.kind = PLAN_RESUME, .now_ms = 3000}, &out);
    assert_int_equal(count(&out, PLAN_DO_CONTINUE), 0);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 4000, .cores = 2}, &out);
    assert_int_equal(count(&out, PLAN_DO_CONTINUE), 2);
}

static void offline_nothing_goes_out_but_a_goodbye_and_nothing_counts_as_a_failure(void **state)
{
    static struct plan p;
    struct plan_actions out;
    (void)state;
    two_running(&p, &out);
    tell(&p, (struct plan_event){.kind = PLAN_LEASED, .now_ms = 1500, .job = 3, .deadline_ms = 1000000},
         &out);
    assert_int_equal(p.jobs[3].state, PLAN_FETCHING);
    tell(&p, (struct plan_event){.kind = PLAN_ENDED, .now_ms = 1600, .job = 0, .ran_ms = 10, .uploads = true},
         &out);
    assert_int_equal(p.jobs[0].state, PLAN_UPLOADING);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 60000, .cores = 2, .offline = true}, &out);
    tell(&p, (struct plan_event){.kind = PLAN_CONTACT_FAILED, .now_ms = 60000, .err = ERR_TIMEOUT}, &out);
    assert_int_equal(p.jobs[0].state, PLAN_FINISHED);
    for (int i = 0; i < 20; i++) { /* what cannot be fetched is not given up */
        tell(&p,
             (struct plan_event){
                 .kind = PLAN_FETCH_FAILED, .now_ms = 60001 + i * 100000, .job = 3, .err = ERR_UNREACHABLE},
             &out);
        tell(&p, (struct plan_event){.kind = PLAN_TICK, .now_ms = 60001 + i * 100000 + 90000}, &out);
        assert_int_equal(
            count(&out, PLAN_DO_CONTACT) + count(&out, PLAN_DO_UPLOAD) + count(&out, PLAN_DO_GIVE_UP), 0);
        assert_int_equal(p.jobs[3].state, PLAN_FETCHING);
    }
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 3000000, .cores = 2}, &out);
    assert_int_equal(count(&out, PLAN_DO_UPLOAD), 1);
    assert_int_equal(count(&out, PLAN_DO_CONTACT), 1);
    tell(&p, (struct plan_event){.kind = PLAN_POLICY, .now_ms = 3000200, .cores = 2, .offline = true}, &out);
    tell(&p, (struct plan_event){.kind = PLAN_LEAVE, .now_ms = 3000300}, &out);
    assert_int_equal(count(&out, PLAN_DO_UPLOAD), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pc_nobody_uses_works_on_all_cores_from_the_start),
        cmocka_unit_test(input_leaves_half_of_the_cores_at_once_and_all_when_it_has_ended),
        cmocka_unit_test(none_while_in_use_is_a_pause_with_that_reason),
        cmocka_unit_test(each_disturbance_stops_work_at_once_and_names_itself),
        cmocka_unit_test(work_goes_on_only_after_the_grace_time_and_a_flicker_begins_it_anew),
        cmocka_unit_test(a_burst_of_others_is_let_pass_and_a_lasting_load_stops_until_it_is_clearly_less),
        cmocka_unit_test(the_load_of_others_is_not_looked_at_when_nobody_uses_the_pc),
        cmocka_unit_test(work_begins_with_its_window_without_a_grace_time),
        cmocka_unit_test(a_share_of_few_cores_is_at_least_one),
        cmocka_unit_test(where_parts_of_cores_can_be_had_the_share_is_exact),
        cmocka_unit_test(schedules_are_read_and_wrong_ones_named),
        cmocka_unit_test(fewer_cores_hold_the_later_runs_and_more_let_them_go_on),
        cmocka_unit_test(no_cores_start_nothing_and_ask_for_nothing),
        cmocka_unit_test(the_owner_s_pause_and_the_policy_both_must_end),
        cmocka_unit_test(a_network_that_costs_or_is_used_up_is_left_alone_and_work_goes_on),
        cmocka_unit_test(offline_nothing_goes_out_but_a_goodbye_and_nothing_counts_as_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
