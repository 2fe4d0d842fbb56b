/* test_plan_share.c - several projects on one computer: client/plan/share.h */
#include "lib/t.h"

#include "client/plan/share.h"

static void one_project_gets_all(void **state)
{
    (void)state;
    struct share_project p = {.weight = 1};
    uint32_t cores = 7;
    share_cores(&p, 1, 4, &cores);
    assert_int_equal(cores, 4);
}

static void cores_go_by_weight(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 3, .ready = 8}, {.weight = 1, .ready = 8}};
    uint32_t cores[2];
    share_cores(p, 2, 4, cores);
    assert_true(cores[0] == 3 && cores[1] == 1);
}

static void who_has_nothing_to_run_leaves_its_cores_to_the_others(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 9}, {.weight = 1, .ready = 2}, {.weight = 1, .ready = 9}};
    uint32_t cores[3];
    share_cores(p, 3, 6, cores);
    assert_true(cores[0] == 0 && cores[1] == 2 && cores[2] == 4);
}

static void what_runs_goes_on_until_its_project_is_far_ahead(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 1, .running = 1, .ready = 3, .used_s = SHARE_SLICE_S / 2},
                                {.weight = 1, .ready = 3}};
    uint32_t cores[2];
    share_cores(p, 2, 1, cores);
    assert_true(cores[0] == 1 && cores[1] == 0);
    p[0].used_s = SHARE_SLICE_S + 1;
    share_cores(p, 2, 1, cores);
    assert_true(cores[0] == 0 && cores[1] == 1);
}

static void a_deadline_in_danger_goes_before_all(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 100, .running = 2, .ready = 5},
                                {.weight = 1, .ready = 3, .danger = 1, .used_s = 3 * SHARE_SLICE_S}};
    uint32_t cores[2];
    share_cores(p, 2, 2, cores);
    assert_true(cores[0] == 1 && cores[1] == 1);
}

static void over_a_day_each_gets_its_weights_part(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 2}, {.weight = 1}};
    double had[2] = {0};
    uint32_t cores[2];
    for (int minute = 0; minute < 24 * 60; minute++) {
        for (int i = 0; i < 2; i++)
            p[i].ready = 4;
        share_cores(p, 2, 1, cores);
        for (int i = 0; i < 2; i++) {
            had[i] += 60 * cores[i];
            p[i].used_s += 60 * cores[i];
            p[i].running = cores[i];
            p[i].ready = 4 - cores[i];
        }
        share_settle(p, 2);
    }
    assert_true(had[0] + had[1] == 24 * 3600);
    assert_true(had[0] > 1.8 * had[1] && had[0] < 2.2 * had[1]);
}

static void nobody_saves_up_time_while_it_has_no_work(void **state)
{
    (void)state;
    struct share_project p[] = {{.weight = 1, .running = 1, .used_s = 100000}, {.weight = 1}};
    share_settle(p, 2);
    assert_true(p[0].used_s == 0 && p[1].used_s == 0);
}

static struct plan *plan_with(struct plan *p, const double *seconds, const int64_t *deadlines, uint32_t n)
{
    struct plan_settings s = {.cores = 2, .buffer_ms = 1};
    plan_init(p, &s);
    for (uint32_t i = 0; i < n; i++) {
        plan_add(
            p, &(struct plan_event){.kind = PLAN_LEASED, .job = i, .now_ms = 1, .deadline_ms = deadlines[i]});
        p->jobs[i].state = PLAN_READY;
        p->jobs[i].seconds = seconds[i];
    }
    return p;
}

static void danger_is_what_the_share_alone_cannot_keep(void **state)
{
    (void)state;
    static struct plan p;
    const int64_t hour = 3600 * 1000;
    const double seconds[] = {3600, 3600, 3600};
    const int64_t easy[] = {10 * hour, 10 * hour, 10 * hour}, tight[] = {2 * hour, 2 * hour, 10 * hour};
    assert_int_equal(share_danger(plan_with(&p, seconds, easy, 3), 1, 1), 0);
    assert_int_equal(share_danger(plan_with(&p, seconds, tight, 3), 1, 1), 2);
    assert_int_equal(share_danger(plan_with(&p, seconds, tight, 3), 2, 1), 0);
    const int64_t past[] = {-1, 10 * hour, 10 * hour};
    assert_int_equal(share_danger(plan_with(&p, seconds, past, 3), 1, 1), 0);
}

static void of_its_runs_a_project_starts_as_many_as_it_was_given(void **state)
{
    (void)state;
    static struct plan p;
    struct plan_actions out;
    const double seconds[] = {10, 10, 10};
    const int64_t deadlines[] = {3000000, 1000000, 2000000};
    plan_with(&p, seconds, deadlines, 3);
    p.contacted_ms = p.refreshed_ms = 1;
    p.ask_ms = INT64_MAX;
    plan_step(&p, &(struct plan_event){.kind = PLAN_SHARE, .now_ms = 2, .cores = 1, .part = 0.5}, &out);
    assert_int_equal(plan_count(&p, PLAN_RUNNING), 1);
    assert_int_equal(p.jobs[1].state, PLAN_RUNNING); /* due first */
    plan_step(&p, &(struct plan_event){.kind = PLAN_SHARE, .now_ms = 3, .cores = 0, .part = 0.5}, &out);
    assert_true(p.jobs[1].held);
    plan_step(&p, &(struct plan_event){.kind = PLAN_SHARE, .now_ms = 4, .cores = 2, .part = 1}, &out);
    assert_true(!p.jobs[1].held && p.jobs[2].state == PLAN_RUNNING && p.jobs[0].state == PLAN_READY);
}

static void of_several_projects_who_ends_a_run_gives_its_core_back(void **state)
{
    (void)state;
    static struct plan p;
    struct plan_actions out;
    const double seconds[] = {10, 10};
    const int64_t deadlines[] = {1000000, 2000000};
    for (int alone = 0; alone < 2; alone++) {
        plan_with(&p, seconds, deadlines, 2);
        p.contacted_ms = p.refreshed_ms = 1;
        p.ask_ms = INT64_MAX;
        plan_step(&p,
                  &(struct plan_event){.kind = PLAN_SHARE, .now_ms = 2, .cores = 1, .part = alone ? 1 : 0.5},
                  &out);
        assert_int_equal(p.jobs[0].state, PLAN_RUNNING);
        plan_step(&p, &(struct plan_event){.kind = PLAN_ENDED, .now_ms = 3, .job = 0, .ran_ms = 1}, &out);
        assert_int_equal(p.jobs[1].state, alone ? PLAN_RUNNING : PLAN_READY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_project_gets_all),
        cmocka_unit_test(cores_go_by_weight),
        cmocka_unit_test(who_has_nothing_to_run_leaves_its_cores_to_the_others),
        cmocka_unit_test(what_runs_goes_on_until_its_project_is_far_ahead),
        cmocka_unit_test(a_deadline_in_danger_goes_before_all),
        cmocka_unit_test(over_a_day_each_gets_its_weights_part),
        cmocka_unit_test(nobody_saves_up_time_while_it_has_no_work),
        cmocka_unit_test(danger_is_what_the_share_alone_cannot_keep),
        cmocka_unit_test(of_several_projects_who_ends_a_run_gives_its_core_back),
        cmocka_unit_test(of_its_runs_a_project_starts_as_many_as_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
