#include "lib/t.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "wire/answer.h"
#include "wire/batch_msg.h"
#include "wire/error_msg.h"
#include "wire/join_msg.h"
#include "wire/link.h"
#include "wire/token.h"
#include "wire/work_msg.h"

static void a_work_request_reads_back_as_it_was_written(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf text = {0}, again = {0};
    struct report_output out = {
        .file = {.path = "out.txt", .bytes = 3}, .has_data = true, .data = "42\n", .data_len = 3};
    out.file.sha256 = hash_bytes("42\n", 3);
    struct report reports[] = {{.id = {wu_id_make(7, 3), 1},
                                .outcome = "ok",
                                .outputs = &out,
                                .output_count = 1,
                                .cpu_ms = 5,
                                .wall_ms = 6,
                                .memory_bytes = 7},
                               {.id = {wu_id_make(7, 4), 0},
                                .outcome = "exit",
                                .has_exit_code = true,
                                .exit_code = -3,
                                .stderr_tail = "oh \"no\"\n"}};
    struct attempt_ref held = {wu_id_make(7, 9), 2};
    const char *features[] = {"avx2"};
    struct work_request r = {.reports = reports,
                             .report_count = 2,
                             .held_given = true,
                             .held = &held,
                             .held_count = 1,
                             .has_host = true,
                             .has_want = true,
                             .host = {.platform = "x86_64-linux",
                                      .os = "linux",
                                      .cpu = "a CPU @ 3 GHz",
                                      .client = "0.1.0",
                                      .cores = 4,
                                      .memory_bytes = 1,
                                      .disk_bytes = 2,
                                      .features = features,
                                      .feature_count = 1,
                                      .speed = 1.5},
                             .want = {.seconds = 3600, .cores = 4, .units_max = 10}};
    struct work_request back;
    assert_ok(work_request_write(&r, &text));
    assert_ok(work_request_parse(text.data, text.len, &a, &back));
    assert_int_equal(back.report_count, 2);
    assert_memory_equal(back.reports[0].outputs[0].data, "42\n", 3);
    assert_string_equal(back.reports[1].stderr_tail, "oh \"no\"\n");
    assert_int_equal(back.reports[1].exit_code, -3);
    assert_int_equal(back.held[0].unit, held.unit);
    assert_ok(work_request_write(&back, &again));
    assert_string_equal(text.data, again.data);
}

static void a_bad_work_request_is_refused_with_the_name_of_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } bad[] = {
        {"", "nothing"},
        {"{", "malformed"},
        {"[]", "object"},
        {"{\"surprise\":1}", "surprise"},
        {"{\"reports\":{}}", "reports"},
        {"{\"reports\":[{\"attempt\":\"7.1\",\"outcome\":\"exit\"}]}", "attempt"},
        {"{\"reports\":[{\"attempt\":\"7.1.0\",\"outcome\":\"ok\"}]}", "outputs"},
        {"{\"reports\":[{\"attempt\":\"7.1.0\",\"outcome\":\"ok\",\"outputs\":[{\"path\":\"../x\",\"sha256\":"
         "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"bytes\":0}]}]}",
         ".."},
        {"{\"reports\":[{\"attempt\":\"7.1.0\",\"outcome\":\"ok\",\"outputs\":[{\"path\":\"x\",\"sha256\":"
         "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"bytes\":1,\"data\":\"QQ==\"}"
         "]}]}",
         "SHA-256"},
        {"{\"held\":[\"1.2.99\"]}", "held[0]"},
        {"{\"want\":{\"seconds\":-1}}", "want.seconds"},
        {"{\"want\":{\"seconds\":1,\"cached\":[\"x\"]}}", "want.cached[0]"},
        {"{\"leaving\":1}", "leaving"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ARENA_AUTO struct arena a = {0};
        struct work_request r;
        enum err e = work_request_parse(bad[i].body, strlen(bad[i].body), &a, &r);
        assert_true(e == ERR_INVALID || e == ERR_LIMIT);
        if (!strstr(err_text(), bad[i].says))
            fail_msg("'%s' does not say '%s'", err_text(), bad[i].says);
    }
}

static void a_bad_batch_is_refused_with_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *says;
    } bad[] = {
        {"\"stdin\":\"../x\"", "stdin '../x'"},
        {"\"stdin\":\"/etc/passwd\"", "safe relative path"},
        {"\"stdin\":\"in\",\"array\":{\"first\":0,\"last\":1}", "none of the inputs"},
        {"\"env\":{\"A=B\":\"x\"}", "env has 'A=B'"},
        {"\"env\":{\"\":\"x\"}", "env has ''"},
        {"\"env\":{\"1A\":\"x\"}", "env has '1A'"},
        {"\"array\":{\"first\":3,\"last\":1}", "array"},
        {"\"streams\":[\"a\",\"B c\"]", "streams[1]"},
        {"\"streams\":[\"a\",\"a\"]", "twice"},
        {"\"from_stream\":{\"name\":\"-\"}", "from_stream.name"},
        {"\"from_stream\":{\"name\":\"a\",\"until_batch\":\"x\"}", "until_batch"},
        {"\"from_stream\":{\"name\":\"a\"},\"array\":{\"first\":0,\"last\":1}", "not from both"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ARENA_AUTO struct arena a = {0};
        struct batch_request r;
        char body[200];
        int len = snprintf(body, sizeof body, "{\"app\":\"say\",\"command\":[],%s}", bad[i].rest);
        assert_err(batch_request_parse(body, (size_t)len, &a, &r), ERR_INVALID);
        if (!strstr(err_text(), bad[i].says))
            fail_msg("'%s' does not say '%s'", err_text(), bad[i].says);
    }
}

static void a_work_reply_reads_back(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf text = {0};
    struct digest path[2] = {hash_bytes("a", 1), hash_bytes("b", 1)};
    struct work_ack ack = {.id = {wu_id_make(1, 2), 0}, .code = "stale", .message = "too late"};
    struct work_unit units[2] = {{.id = {wu_id_make(1, 3), 1},
                                  .deadline_ms = 99,
                                  .spec = "{\"unit\":\"1.3\"}",
                                  .spec_len = 14,
                                  .chunk = "1.0",
                                  .index = 3,
                                  .path = path,
                                  .path_len = 2,
                                  .release = path[0],
                                  .bundle = path[1]},
                                 {.id = {wu_id_make(1, 4), 0}, .deadline_ms = 100}};
    struct work_chunk chunk = {.name = "1.0", .envelope = "{\"payload\":\"x\"}", .envelope_len = 15};
    struct work_reply r = {.acks = &ack,
                           .ack_count = 1,
                           .units = units,
                           .unit_count = 2,
                           .chunks = &chunk,
                           .chunk_count = 1,
                           .reason_code = "no_work",
                           .reason_message = "none",
                           .next_contact_ms = 5000,
                           .wait_ms = 30000};
    struct work_reply back;
    assert_ok(work_reply_write(&r, &text));
    assert_ok(work_reply_parse(text.data, text.len, &a, &back));
    assert_string_equal(back.acks[0].message, "too late");
    assert_memory_equal(back.units[0].spec, units[0].spec, 14);
    assert_true(digest_eq(&back.units[0].path[1], &path[1]));
    assert_null(back.units[1].spec);
    assert_string_equal(back.chunks[0].envelope, chunk.envelope);
    assert_string_equal(back.reason_code, "no_work");
    assert_int_equal(back.next_contact_ms, 5000);
    assert_int_equal(back.wait_ms, 30000);
}

static void tokens_links_and_errors_read_back(void **state)
{
    (void)state;
    uint8_t secret[TOKEN_SECRET_BYTES];
    char text[TOKEN_TEXT_BYTES];
    struct token t;
    struct link link = {.url = "https://127.0.0.1:8443", .invitation = "abc"}, back;
    BUF_AUTO struct buf out = {0}, error = {0};
    memset(secret, 0xfb, sizeof secret);
    token_print(TOKEN_HOST, 12, secret, text);
    assert_ok(token_parse(text, &t));
    assert_int_equal(t.kind, TOKEN_HOST);
    assert_int_equal(t.id, 12);
    struct digest d = hash_bytes(secret, sizeof secret);
    assert_true(digest_eq(&d, &t.secret));
    assert_err(token_parse("dgh_12_short", &t), ERR_AUTH);
    assert_err(token_parse("", &t), ERR_AUTH);
    link.project_key = d;
    assert_ok(link_print(&link, &out));
    assert_ok(link_parse(out.data, &back));
    assert_string_equal(back.url, link.url);
    assert_string_equal(back.invitation, "abc");
    assert_err(link_parse("http://x/join#k=1", &back), ERR_INVALID);
    assert_err(link_parse("https://x/join", &back), ERR_INVALID);
    assert_ok(error_write(ERR_BUSY, "come back \"later\"", &error));
    assert_int_equal(error_from_reply(503, error.data, error.len), ERR_BUSY);
    assert_string_equal(err_text(), "come back \"later\"");
    assert_int_equal(error_from_reply(404, "<html>", 6), ERR_MISSING);
}

static void a_batch_reads_back_and_an_answer_does_not_depend_on_the_order_of_its_outputs(void **state)
{
    (void)state;
    ARENA_AUTO struct arena a = {0};
    BUF_AUTO struct buf text = {0};
    const char *command[] = {"--n", "{}"};
    struct batch_request r = {.app = "pi",
                              .command = command,
                              .command_count = 2,
                              .rules = {.probation = -1,
                                        .escrow_units = -1,
                                        .hold_ms = -1,
                                        .audit_share = -1,
                                        .audit_floor = -1,
                                        .min_quorum = 2,
                                        .has_max_error_attempts = true},
                              .policy = "{\"kind\":\"quorum\"}",
                              .has_array = true,
                              .first = 1,
                              .last = 10,
                              .step = 1},
                         back;
    assert_ok(batch_request_write(&r, &text));
    assert_ok(batch_request_parse(text.data, text.len, &a, &back));
    assert_int_equal(back.rules.min_quorum, 2);
    assert_true(back.rules.has_max_error_attempts);
    assert_string_equal(back.policy, r.policy);
    assert_int_equal(batch_array_count(back.first, back.last, back.step), 10);
    assert_int_equal(batch_array_count(5, 4, 1), 0);
    const char *streams[] = {"hits", "all"};
    r.has_array = false;
    r.streams = streams;
    r.stream_count = 2;
    r.from_stream = "prime";
    r.from_max = 9;
    r.until_batch = 7;
    buf_clear(&text);
    assert_ok(batch_request_write(&r, &text));
    assert_ok(batch_request_parse(text.data, text.len, &a, &back));
    assert_int_equal(back.stream_count, 2);
    assert_string_equal(back.streams[1], "all");
    assert_string_equal(back.from_stream, "prime");
    assert_int_equal(back.from_max, 9);
    assert_int_equal(back.until_batch, 7);
    struct file_ref one[] = {{"a", hash_bytes("1", 1), 1}, {"b", hash_bytes("2", 1), 1}},
                    two[] = {one[1], one[0]};
    struct digest x, y;
    assert_ok(answer_digest(one, 2, &x));
    assert_ok(answer_digest(two, 2, &y));
    assert_true(digest_eq(&x, &y));
    two[1].path = two[0].path;
    assert_err(answer_digest(two, 2, &y), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_work_request_reads_back_as_it_was_written),
        cmocka_unit_test(a_bad_work_request_is_refused_with_the_name_of_the_field),
        cmocka_unit_test(a_bad_batch_is_refused_with_what_is_wrong),
        cmocka_unit_test(a_work_reply_reads_back),
        cmocka_unit_test(tokens_links_and_errors_read_back),
        cmocka_unit_test(a_batch_reads_back_and_an_answer_does_not_depend_on_the_order_of_its_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
