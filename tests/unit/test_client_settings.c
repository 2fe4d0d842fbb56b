/* test_client_settings.c - client.conf: client/settings.h, and the owner's wishes: client/control_wish.h */
#include "lib/t.h"

#include <sys/stat.h>

#include "client/control_wish.h"
#include "client/settings.h"
#include "lib/temp.h"

static void a_missing_file_is_written_with_every_option_and_changes_nothing(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_path(&t, "client.conf");
    struct settings fresh, again;
    BUF_AUTO struct buf text = {0};
    memset(&fresh, 0, sizeof fresh);
    memset(&again, 0, sizeof again);
    assert_ok(settings_load(path, &fresh));
    assert_true(fresh.idle_priority && fresh.cores == 0 && fresh.disk_bytes == 10ull << 30);
    assert_true(fresh.report_wait_ms == 60000 && fresh.work_buffer_ms == 600000);
    assert_ok(file_read(path, 1 << 20, &text));
    for (size_t i = 0; i < settings_table_count; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n#%s = ", settings_table[i].name);
        if (!strstr(buf_text(&text), line))
            fail_msg("no line '%s' in the file", line + 1);
    }
    assert_ok(settings_load(path, &again));
    assert_memory_equal(&fresh, &again, sizeof fresh);
    temp_done(&t);
}

static void what_the_file_says_wins(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_file(
        &t, "client.conf", "cores = 3\nmemory_bytes = 2G\nproxy = http://p:1\nidle_priority = no\n", 0644);
    struct settings s;
    assert_ok(settings_load(path, &s));
    assert_true(s.cores == 3 && s.memory_bytes == 2ull << 30 && !s.idle_priority);
    assert_string_equal(s.proxy, "http://p:1");
    assert_true(s.heartbeat_ms == 1800000);
    temp_done(&t);
}

static void what_makes_no_sense_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "cores = many\n",   "cores = -1\n",         "kores = 1\n", "disk_bytes = 1K\n",
        "heartbeat = 1s\n", "cores = 1\ncores=2\n", "cores\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct temp t = temp_new();
        const char *path = temp_file(&t, "client.conf", wrong[i], 0644);
        struct settings s;
        assert_err(settings_load(path, &s), ERR_INVALID);
        assert_non_null(strstr(err_text(), "client.conf"));
        temp_done(&t);
    }
}

static enum err wish(const char *line, struct control_wish *ret)
{
    return control_wish_parse(line, strlen(line), ret);
}

static void the_owners_wishes_are_read(void **state)
{
    (void)state;
    struct control_wish w;
    for (int c = 0; c < CONTROL_COMMANDS; c++) {
        char line[64];
        snprintf(line, sizeof line, "{\"command\":\"%s\"}", control_command_name((enum control_command)c));
        assert_ok(wish(line, &w));
        assert_int_equal(w.command, c);
        assert_int_equal(w.for_ms, 0);
    }
    assert_ok(wish("{\"command\":\"pause\",\"for_ms\":7200000}", &w));
    assert_int_equal(w.for_ms, 7200000);
    assert_err(wish("{\"command\":\"pause\",\"for_ms\":-1}", &w), ERR_INVALID);
    assert_err(wish("{\"command\":\"dance\"}", &w), ERR_INVALID);
    assert_err(wish("{\"command\":\"status\",\"to\":1}", &w), ERR_INVALID);
    assert_err(wish("{}", &w), ERR_INVALID);
    assert_err(wish("status", &w), ERR_INVALID);
}

static void a_wish_may_be_for_one_project(void **state)
{
    (void)state;
    struct control_wish w;
    assert_ok(wish("{\"command\":\"pause\",\"project\":\"climate\"}", &w));
    assert_string_equal(w.project, "climate");
    assert_ok(wish("{\"command\":\"pause\"}", &w));
    assert_string_equal(w.project, "");
}

static void an_edit_stands_where_the_option_stood(void **state)
{
    (void)state;
    static const struct {
        const char *before, *value, *after;
    } cases[] = {
        {"# words\n#cores = 0\n\n#grace = 1m\n", "3", "# words\ncores = 3\n\n#grace = 1m\n"},
        {"#cores = 0\n cores=1\nx", "3", "#cores = 0\ncores = 3\nx"},
        {"cores = 1\n", NULL, "#cores =\n"},
        {"cores_away = 1", "2", "cores_away = 1\ncores = 2\n"},
        {"", "2", "cores = 2\n"},
        {"", NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BUF_AUTO struct buf out = {0};
        struct settings_change c = {"cores", cases[i].value};
        assert_ok(settings_edit(cases[i].before, strlen(cases[i].before), &c, &out));
        assert_string_equal(buf_text(&out), cases[i].after);
    }
}

static void changes_are_saved_for_the_owner_alone_or_not_at_all(void **state)
{
    (void)state;
    struct temp t = temp_new();
    const char *path = temp_file(&t, "client.conf", "# mine\ncores = 2\n", 0644);
    struct settings s, before;
    struct stat st;
    assert_ok(settings_load(path, &s));
    struct settings_change good[] = {{"schedule", "Mon-Fri 18:00-08:00"}, {"cores", NULL}, {"grace", "2m"}};
    assert_ok(settings_change(path, good, 3, &s));
    assert_true(s.cores == 0 && s.grace_ms == 120000);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    before = s;
    const struct settings_change bad[] = {{"schedule", "Moonday"},
                                          {"cores", "many"},
                                          {"load_away", "7"},
                                          {"grace", "1m\ncores = 9"},
                                          {"nothing", "1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_err(settings_change(path, &bad[i], 1, &s), ERR_INVALID);
        assert_memory_equal(&s, &before, sizeof s);
    }
    struct settings again;
    memset(&again, 0, sizeof again);
    assert_ok(settings_load(path, &again));
    assert_string_equal(again.schedule, "Mon-Fri 18:00-08:00");
    assert_true(again.cores == 0 && again.grace_ms == 120000);
    temp_done(&t);
}

static void shares_are_by_name_and_one_for_others(void **state)
{
    (void)state;
    struct settings s = {.shares = "proteins:3, climate:0.5 bad:x huge:1e9"};
    assert_true(settings_share(&s, "proteins") > 2.99 && settings_share(&s, "proteins") < 3.01);
    assert_true(settings_share(&s, "climate") < 0.51);
    assert_true(settings_share(&s, "clim") > 0.99 && settings_share(&s, "clim") < 1.01);
    assert_true(settings_share(&s, "bad") < 1.01 && settings_share(&s, "huge") < 100.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_written_with_every_option_and_changes_nothing),
        cmocka_unit_test(what_the_file_says_wins),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_its_line),
        cmocka_unit_test(the_owners_wishes_are_read),
        cmocka_unit_test(a_wish_may_be_for_one_project),
        cmocka_unit_test(an_edit_stands_where_the_option_stood),
        cmocka_unit_test(changes_are_saved_for_the_owner_alone_or_not_at_all),
        cmocka_unit_test(shares_are_by_name_and_one_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
