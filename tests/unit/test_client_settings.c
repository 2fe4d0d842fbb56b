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

static void the_owners_wishes_are_five(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_written_with_every_option_and_changes_nothing),
        cmocka_unit_test(what_the_file_says_wins),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_its_line),
        cmocka_unit_test(the_owners_wishes_are_five),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
