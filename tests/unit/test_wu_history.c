#include "lib/t.h"

#include "lib/wu_make.h"
#include "rules/wu_codec.h"
#include "rules/wu_history.h"

#define BASE_MS 1764000000000

static size_t line_of(struct wu_event ev, char *line)
{
    ev.now_ms += BASE_MS;
    return wu_history_write(&ev, BASE_MS, line);
}

static void lines_are_short_and_readable(void **state)
{
    (void)state;
    char line[WU_HISTORY_BYTES_MAX];
    struct wu_event ev = {
        .kind = WU_EV_LEASE, .now_ms = 86400000, .attempt = 1, .host_id = 12345, .owner_id = 3456};
    line_of(ev, line);
    assert_string_equal(line, "[\"lease\",86400000,1,12345,3456]");
    ev.lease_ms = 60000;
    line_of(ev, line);
    assert_string_equal(line, "[\"lease\",86400000,1,12345,3456,60000]");
    ev.kind = WU_EV_REPORT, ev.answer = answer_of(0xff);
    assert_true(line_of(ev, line) < 80);
    assert_string_equal(line,
                        "[\"report\",86400000,1,12345,\"__________________________________________8\"]");
    ev = (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, WU_GROUP_UNUSABLE, 0, 2}};
    line_of(ev, line);
    assert_string_equal(line, "[\"judged\",0,[1,-1,0,2]]");
    ev.error = ATTEMPT_ERROR_EXIT;
    line_of(ev, line);
    assert_string_equal(line, "[\"judged\",0,\"exit\"]");
    line_of(error_of(2, ATTEMPT_ERROR_CPU_TIME), line);
    assert_string_equal(line, "[\"error\",500,2,12,\"cpu_time\"]");
}

static void the_longest_lines_fit(void **state)
{
    (void)state;
    char line[WU_HISTORY_BYTES_MAX];
    struct wu_event ev = {.now_ms = INT64_MIN / 2,
                          .attempt = UINT32_MAX,
                          .host_id = UINT64_MAX,
                          .owner_id = UINT64_MAX,
                          .lease_ms = INT64_MIN,
                          .answer = answer_of(1)};
    for (uint32_t g = 0; g < ATTEMPTS_MAX; g++)
        ev.groups[g] = UINT32_MAX - 1;
    for (uint32_t k = 0; k < WU_EVENTS; k++) {
        struct wu_event back;
        ev.kind = (enum wu_event_kind)k;
        ev.error = k == WU_EV_ERROR ? ATTEMPT_ERROR_UNTRUSTED : ATTEMPT_ERROR_NONE;
        size_t len = wu_history_write(&ev, 0, line);
        assert_ok(wu_history_read(line, len, 0, &back));
        assert_int_equal(back.now_ms, ev.now_ms);
    }
}

static void what_was_not_written_by_us_is_refused(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "[",
        "[]",
        "[\"nonsense\",0]",
        "[\"tick\"]",
        "[\"tick\",]",
        "[\"tick\",-0]",
        "[\"tick\",01]",
        "[\"tick\",1.5]",
        "[\"tick\",1 ]",
        " [\"tick\",1]",
        "[\"tick\",1]\n",
        "[\"tick\",1,2]",
        "[\"tick\",9223372036854775808]",
        "[\"tick\",9223372036854775807]", /* beyond time with the base added */
        "[\"lease\",1,0,12]",
        "[\"lease\",1,0,12,3,0]",
        "[\"lease\",1,4294967296,12,3]",
        "[\"lease\",1,0,18446744073709551616,3]",
        "[\"report\",1,0,12]",
        "[\"report\",1,0,12,\"AAAA\"]",
        "[\"report\",1,0,12,\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\"]",
        "[\"report\",1,0,12,\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+\"]",
        "[\"report\",1,0,12,\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]",
        "[\"error\",1,0,12,\"none\"]",
        "[\"error\",1,0,12,\"nonsense\"]",
        "[\"judged\",1,[0]]",
        "[\"judged\",1,[1,0]]",
        "[\"judged\",1,[1,]]",
        "[\"judged\",1,[-2]]",
        "[\"judged\",1,[4294967295]]",
        "[\"judged\",1,[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wu_event ev;
        if (wu_history_read(bad[i], strlen(bad[i]), BASE_MS, &ev) != ERR_CORRUPT)
            fail_msg("was read: %s", bad[i]);
    }
}

struct log {
    struct wu wu;
    char lines[64][WU_HISTORY_BYTES_MAX];
    uint32_t count;
};

static void tell(struct log *log, struct wu_event ev)
{
    ev.now_ms += BASE_MS;
    does(&log->wu, ev);
    wu_history_write(&ev, BASE_MS, log->lines[log->count++]);
}

static struct wu_event lease_of(uint32_t attempt)
{
    return (struct wu_event){
        .kind = WU_EV_LEASE, .attempt = attempt, .host_id = 10 + attempt, .owner_id = 100 + attempt};
}

static void a_replay_of_the_history_ends_in_the_same_unit(void **state)
{
    (void)state;
    struct log log = {.wu = {.id = 9, .rules = rules_of(2, WU_COMPARE_JUDGE)}};
    struct wu replayed = log.wu;
    tell(&log, (struct wu_event){.kind = WU_EV_SUBMIT});
    tell(&log, (struct wu_event){.kind = WU_EV_CANCEL});
    tell(&log, (struct wu_event){.kind = WU_EV_DELIVERED});
    tell(&log, (struct wu_event){.kind = WU_EV_RETRY});
    for (uint32_t i = 0; i < 2; i++) {
        tell(&log, lease_of(i));
        tell(&log, report_of(i, (uint8_t)('a' + i)));
    }
    tell(&log, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {1, WU_GROUP_UNUSABLE}});
    tell(&log, lease_of(2));
    tell(&log, (struct wu_event){.kind = WU_EV_RENEW, .attempt = 2, .host_id = 12, .now_ms = 900});
    tell(&log, (struct wu_event){.kind = WU_EV_TICK, .now_ms = 1900});
    tell(&log, lease_of(3));
    tell(&log, error_of(3, ATTEMPT_ERROR_MEMORY));
    tell(&log, report_of(2, 'c'));
    tell(&log, (struct wu_event){.kind = WU_EV_JUDGED, .groups = {3, 0, 3}});
    tell(&log, (struct wu_event){.kind = WU_EV_DELIVERED});
    tell(&log, (struct wu_event){.kind = WU_EV_PURGE});
    for (uint32_t i = 0; i < log.count; i++) {
        struct wu_event ev;
        struct wu_effects fx;
        assert_ok(wu_history_read(log.lines[i], strlen(log.lines[i]), BASE_MS, &ev));
        assert_ok(wu_step(&replayed, &ev, &fx));
    }
    assert_memory_equal(&replayed, &log.wu, sizeof replayed);
}

static struct wu finished(void)
{
    struct wu wu = {.id = wu_id_make(1, 2), .rules = rules_of(2, WU_COMPARE_DIGEST)};
    wu.rules.lease_ms = 86400000;
    does(&wu, (struct wu_event){.kind = WU_EV_SUBMIT, .now_ms = BASE_MS});
    for (uint32_t i = 0; i < 2; i++) {
        struct wu_event ev = lease_of(i);
        ev.host_id += 100000, ev.owner_id += 100000, ev.now_ms = BASE_MS + 5000 * i;
        does(&wu, ev);
    }
    for (uint32_t i = 0; i < 2; i++) {
        struct wu_event ev = report_of(i, 'a');
        ev.host_id += 100000, ev.now_ms = BASE_MS + 3600000;
        does(&wu, ev);
    }
    does(&wu, (struct wu_event){.kind = WU_EV_DELIVERED, .now_ms = BASE_MS});
    return wu;
}

static void a_finished_unit_takes_about_seventy_bytes(void **state)
{
    (void)state;
    struct wu wu = finished();
    uint8_t bytes[WU_BYTES_MAX];
    size_t len = wu_encode(&wu, bytes);
    assert_in_range(len, 60, 72);
}

static void a_damaged_life_is_refused_and_leaves_the_unit_untouched(void **state)
{
    (void)state;
    struct wu wu = finished();
    uint8_t bytes[WU_BYTES_MAX + 1];
    size_t len = wu_encode(&wu, bytes);
    struct wu back = {.id = wu.id, .rules = wu.rules};
    struct wu before = back;
    for (size_t cut = 0; cut < len; cut++)
        assert_err(wu_decode(bytes, cut, &back), ERR_CORRUPT);
    bytes[len] = 0;
    assert_err(wu_decode(bytes, len + 1, &back), ERR_CORRUPT);
    for (size_t i = 0; i < 5; i++) { /* version, state, counts, the first attempt's flags */
        uint8_t was = bytes[i];
        for (uint32_t v = 0; v < 256; v++) {
            bytes[i] = (uint8_t)v;
            if (v == was || wu_decode(bytes, len, &back) != ERR_OK)
                continue;
            assert_true(wu_invariant(&back)); /* another sound life, no less */
            back = before;
        }
        bytes[i] = was;
    }
    assert_memory_equal(&back, &before, sizeof back);
    assert_ok(wu_decode(bytes, len, &back));
    assert_memory_equal(&back, &wu, sizeof back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_short_and_readable),
        cmocka_unit_test(the_longest_lines_fit),
        cmocka_unit_test(what_was_not_written_by_us_is_refused),
        cmocka_unit_test(a_replay_of_the_history_ends_in_the_same_unit),
        cmocka_unit_test(a_finished_unit_takes_about_seventy_bytes),
        cmocka_unit_test(a_damaged_life_is_refused_and_leaves_the_unit_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
