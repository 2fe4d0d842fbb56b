/* test_client_top.c - a status as lines of a terminal: client/top_text.h */
#include "lib/t.h"

#include <stdlib.h>
#include <string.h>

#include "client/top_text.h"

static const char status[] =
    "{\"sentence\":\"Running 2 work units for proteins on 2 cores; 3 more in the "
    "house.\",\"cores\":4,\"cores_now\":2,"
    "\"stopped_by\":\"none\",\"memory_bytes\":4294967296,\"running\":[{\"app\":\"fold "
    "3\",\"project\":\"proteins\","
    "\"attempt\":\"7.1.0\",\"signers\":\"00aa 11bb\",\"progress\":0.5,\"left_ms\":90000,\"cpu_ms\":60000,"
    "\"memory_bytes\":1048576,\"paused\":true}],\"projects\":[{\"project\":\"proteins\",\"sentence\":"
    "\"Running.\","
    "\"ended_ok\":4,\"ended_bad\":1,\"waiting\":2,\"fetching\":1,\"to_report\":0,\"next_contact_ms\":61000,"
    "\"problem\":\"\",\"messages\":[{\"text\":\"thank\\u001b[2Jyou\"}]}]}";

static void text_of(const char *json, uint32_t width, struct buf *out)
{
    JSON_AUTO struct json_doc *doc = NULL;
    assert_ok(json_parse(json, strlen(json), 1 << 20, &doc));
    assert_ok(top_text(json_root(doc), width, 1000, out));
}

static void all_that_matters_is_there(void **state)
{
    (void)state;
    static const char *const wanted[] = {"Running 2 work units",
                                         "2 of 4 cores",
                                         "[##########..........]  50 %",
                                         "1m 30s left",
                                         "stands still",
                                         "proteins",
                                         "00aa 11bb",
                                         "7.1.0",
                                         "4 well, 1 not, 3 wait",
                                         "next contact: 1m",
                                         "it says: thank [2Jyou"};
    BUF_AUTO struct buf out = {0};
    text_of(status, 200, &out);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(buf_text(&out), wanted[i]))
            fail_msg("'%s' is missing in\n%s", wanted[i], buf_text(&out));
    assert_null(strchr(buf_text(&out), 27));
}

static void no_line_is_longer_than_the_terminal(void **state)
{
    (void)state;
    for (uint32_t width = 1; width < 130; width++) {
        BUF_AUTO struct buf out = {0};
        text_of(status, width, &out);
        for (const char *at = buf_text(&out); *at; at += strcspn(at, "\n") + 1)
            assert_true(strcspn(at, "\n") <= (width < TOP_WIDTH_MIN ? TOP_WIDTH_MIN : width));
    }
}

static void an_empty_status_is_no_reason_to_fall(void **state)
{
    (void)state;
    BUF_AUTO struct buf out = {0};
    text_of("{}", 80, &out);
    assert_non_null(strstr(buf_text(&out), "Nothing runs."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_matters_is_there),
        cmocka_unit_test(no_line_is_longer_than_the_terminal),
        cmocka_unit_test(an_empty_status_is_no_reason_to_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
