/* New versions of an app reach some hosts first and are stopped when they do worse; clients that are too old
 * get no work; a banned host's work goes to others. Through the engine, over every database. */
#include "lib/engine_world.h"

enum { HOSTS = 40 };

struct rollout {
    struct world w;
    uint64_t hosts[HOSTS];
    uint32_t old, new;
};

static enum err set_share(struct world *w, uint32_t share_ppm, bool only_new)
{
    struct engine_request r = {.kind = ENGINE_VERSION, .user_id = 1};
    r.u.version = (struct engine_version){
        .app = "pi", .version = 2, .base = 1, .share_ppm = share_ppm, .only_new = only_new};
    return ask(w, &r);
}

static enum err end_badly(struct world *w, uint64_t host, const struct engine_given *g)
{
    struct engine_report p = {.unit = g->unit,
                              .attempt = g->attempt,
                              .error = ATTEMPT_ERROR_EXIT,
                              .exit_code = 1,
                              .cpu_ms = 1,
                              .wall_ms = 1};
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.reports = &p;
    r.u.work.report_count = 1;
    assert_ok(ask(w, &r));
    return p.ack;
}

static const struct wu_rules once = {.quorum = 1,
                                     .target_attempts = 1,
                                     .errors_max = 3,
                                     .attempts_max = 8,
                                     .successes_max = 6,
                                     .lease_ms = 60000,
                                     .own_hosts = true};

/* An old version that does well, and a new one at half of the hosts. */
static void rollout_open(struct rollout *r, const char *where)
{
    *r = (struct rollout){0};
    world_open(&r->w, where);
    for (int i = 0; i < HOSTS; i++)
        r->hosts[i] = join(&r->w);
    r->old = submit_with(&r->w, HOSTS, &once, NULL);
    for (int i = 0; i < HOSTS; i++) {
        struct engine_given *given;
        assert_int_equal(fetch(&r->w, r->hosts[i], 1, &given), 1);
        assert_ok(report(&r->w, r->hosts[i], given, 1));
    }
    assert_ok(set_share(&r->w, 500000, false));
    r->w.version = 2;
    r->new = submit_with(&r->w, 1000, &once, NULL);
}

static struct store_version version_of(struct world *w, uint32_t version)
{
    struct store_version *list;
    uint32_t count;
    assert_ok(store_version_list(w->store, &w->arena, "pi", &list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (list[i].version == version)
            return list[i];
    fail_msg("version %u has no row", version);
    return list[0];
}

static bool is_in_audit(struct world *w, const char *action)
{
    struct store_audit *list;
    uint32_t count;
    assert_ok(store_audit_list(w->store, &w->arena, 0, 100, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i].action, action) == 0 && strcmp(list[i].subject, "pi 2") == 0)
            return true;
    return false;
}

static void a_new_version_goes_to_its_share_of_the_hosts_and_to_the_same_after_a_restart(void **state)
{
    struct rollout r;
    char where[DATABASE_WHERE_BYTES];
    uint32_t in = 0, again = 0;
    bool got[HOSTS];
    database_new(*state, where);
    rollout_open(&r, where);
    for (int i = 0; i < HOSTS; i++) {
        struct engine_given *given;
        got[i] = fetch(&r.w, r.hosts[i], 1, &given) > 0;
        in += got[i];
        if (got[i])
            assert_ok(report(&r.w, r.hosts[i], given, 1));
    }
    assert_in_range(in, HOSTS / 4, HOSTS * 3 / 4);
    restart(&r.w);
    for (int i = 0; i < HOSTS; i++) {
        struct engine_given *given;
        again += (fetch(&r.w, r.hosts[i], 1, &given) > 0) == got[i];
    }
    assert_int_equal(again, HOSTS);
    assert_int_equal(version_of(&r.w, 1).ended, HOSTS);
    assert_int_equal(version_of(&r.w, 2).ended, in);
    assert_ok(set_share(&r.w, 100000, true)); /* published again: as it is */
    assert_int_equal(version_of(&r.w, 2).share_ppm, 500000);
    assert_ok(set_share(&r.w, 1000000, false));
    for (int i = 0; i < HOSTS; i++) {
        struct engine_given *given;
        assert_int_equal(fetch(&r.w, r.hosts[i], 1, &given), 1);
    }
    assert_true(is_in_audit(&r.w, "rollout.share"));
    world_close(&r.w);
}

static void a_version_that_fails_is_stopped_by_itself_and_goes_on_when_told(void **state)
{
    struct rollout r;
    struct engine_given *given;
    char where[DATABASE_WHERE_BYTES];
    int failed = 0, after = 0;
    database_new(*state, where);
    rollout_open(&r, where);
    for (int i = 0; i < HOSTS; i++) {
        if (fetch(&r.w, r.hosts[i], 1, &given) == 0)
            continue;
        assert_ok(end_badly(&r.w, r.hosts[i], given));
        failed++;
    }
    assert_in_range(failed, 3, 4); /* the next ones got nothing more */
    struct store_version v = version_of(&r.w, 2);
    assert_true(v.halted && v.share_ppm == 500000 && v.bad == failed);
    assert_non_null(strstr(v.why, "of version 1 0 of 40"));
    assert_true(is_in_audit(&r.w, "rollout.halted"));
    restart(&r.w);
    for (int i = 0; i < HOSTS; i++)
        after += fetch(&r.w, r.hosts[i], 1, &given) > 0;
    assert_int_equal(after, 0);
    assert_ok(set_share(&r.w, 500000, false)); /* it begins to count anew */
    for (int i = 0; i < HOSTS; i++)
        if (fetch(&r.w, r.hosts[i], 1, &given) > 0) {
            assert_ok(report(&r.w, r.hosts[i], given, 1));
            after++;
        }
    assert_true(after > 4);
    assert_false(version_of(&r.w, 2).halted);
    world_close(&r.w);
}

static void one_bad_host_stops_nothing(void **state)
{
    struct rollout r;
    struct engine_given *given;
    char where[DATABASE_WHERE_BYTES];
    int failed = 0;
    database_new(*state, where);
    rollout_open(&r, where);
    for (int i = 0; i < HOSTS && failed == 0; i++)
        for (int k = 0; k < 10 && fetch(&r.w, r.hosts[i], 1, &given) > 0; k++) {
            assert_ok(end_badly(&r.w, r.hosts[i], given));
            failed++;
        }
    assert_int_equal(failed, 10);
    assert_false(version_of(&r.w, 2).halted);
    world_close(&r.w);
}

static void set(struct world *w, const char *name, const char *value)
{
    struct engine_request r = {.kind = ENGINE_SETTING, .user_id = 1};
    r.u.setting = (struct engine_setting){name, value};
    assert_ok(ask(w, &r));
}

static enum engine_reason reason_for(struct world *w, uint64_t host, const char **ret_text)
{
    struct engine_want want = {.seconds = 1e9, .cores = 4, .units_max = 1};
    struct engine_request r = {.kind = ENGINE_WORK};
    r.u.work.host_id = host;
    r.u.work.want = &want;
    assert_ok(ask(w, &r));
    *ret_text = r.u.work.reason_text ? r.u.work.reason_text : "";
    return r.u.work.reason;
}

static void a_client_that_is_too_old_gets_no_work_but_what_it_has_done_is_taken(void **state)
{
    struct world w;
    struct engine_given *given;
    const char *text;
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    world_open(&w, where);
    uint64_t host = join(&w);
    submit(&w, 10);
    assert_int_equal(fetch(&w, host, 1, &given), 1);
    set(&w, SETTING_CLIENT_MIN, "0.2");
    assert_int_equal(reason_for(&w, host, &text), ENGINE_REASON_VERSION);
    assert_non_null(strstr(text, "0.1, the project needs 0.2"));
    restart(&w);
    assert_int_equal(reason_for(&w, host, &text), ENGINE_REASON_VERSION);
    assert_ok(report(&w, host, given, 1));
    struct engine_request r = {.kind = ENGINE_JOIN};
    r.u.join.host = (struct store_host){.platform = "x86_64-linux", .client = "0.1.9", .cores = 1};
    assert_err(ask(&w, &r), ERR_UNSUPPORTED);
    set(&w, SETTING_CLIENT_MIN, "");
    assert_int_equal(reason_for(&w, host, &text), ENGINE_REASON_NONE);
    set(&w, SETTING_PROTOCOL_MIN, "2");
    assert_int_equal(reason_for(&w, host, &text), ENGINE_REASON_VERSION);
    assert_non_null(strstr(text, "version 1 of the protocol"));
    set(&w, SETTING_PROTOCOL_MIN, "1");
    assert_int_equal(reason_for(&w, host, &text), ENGINE_REASON_NONE);
    world_close(&w);
}

static void what_a_banned_host_has_out_goes_to_others_at_once(void **state)
{
    struct world w;
    struct engine_given *given, *again;
    char where[DATABASE_WHERE_BYTES];
    database_new(*state, where);
    world_open(&w, where);
    uint64_t bad = join(&w), good = join(&w);
    uint32_t batch = submit_with(&w, 3, &once, NULL);
    assert_int_equal(fetch(&w, bad, 3, &given), 3);
    assert_int_equal(fetch(&w, good, 3, &again), 0);
    struct engine_request r = {.kind = ENGINE_HOST, .user_id = 1};
    r.u.host.host_id = bad;
    r.u.host.ban = true;
    r.u.host.reason = "lies";
    assert_ok(ask(&w, &r));
    assert_ok(ask(&w, &r)); /* again: nothing more */
    assert_err(report(&w, bad, &given[0], 1), ERR_STALE);
    assert_int_equal(fetch(&w, bad, 3, &given), 0);
    assert_int_equal(fetch(&w, good, 3, &again), 3);
    assert_int_equal(batch_of(&w, batch).counts.leased, 3);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_version_goes_to_its_share_of_the_hosts_and_to_the_same_after_a_restart),
        cmocka_unit_test(a_version_that_fails_is_stopped_by_itself_and_goes_on_when_told),
        cmocka_unit_test(one_bad_host_stops_nothing),
        cmocka_unit_test(a_client_that_is_too_old_gets_no_work_but_what_it_has_done_is_taken),
        cmocka_unit_test(what_a_banned_host_has_out_goes_to_others_at_once),
    };
    return DATABASE_RUN(tests);
}
