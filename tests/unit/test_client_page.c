/* test_client_page.c - who may ask the local page, and how: client/page_http.h */
#include "lib/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/page_http.h"

#define KEY  "0123456789abcdef0123456789abcdef"
#define HOST "Host: 127.0.0.1:4711\r\n"
#define ASK  "X-CSRF-Token: " KEY "\r\n"

enum { PORT = 4711 };

/* What becomes of a whole request: the status of reading, else of admitting. */
static int status_of(const char *text)
{
    struct page_request r;
    int status = page_http_read(text, strlen(text), &r);
    return status == 200 ? page_http_admit(&r, PORT, KEY) : status;
}

static void what_the_page_asks_is_admitted(void **state)
{
    (void)state;
    struct page_request r;
    const char *post =
        "POST /v1/wish HTTP/1.1\r\n" HOST ASK "Origin: http://127.0.0.1:4711\r\n"
        "Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    assert_int_equal(status_of("GET / HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_int_equal(status_of("GET /web/local/local.js HTTP/1.1\r\nhost:localhost:4711\r\n\r\n"), 200);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST ASK "\r\n"), 200);
    assert_int_equal(status_of(post), 200);
    assert_int_equal(page_http_read(post, strlen(post), &r), 200);
    assert_true(r.post && r.json && r.body_len == 2 && memcmp(post + r.head_len, "{}", 2) == 0);
    assert_string_equal(r.path, "/v1/wish");
}

static void other_names_of_this_computer_are_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "evil.example:4711", "127.0.0.1", "127.0.0.1:4712",  "localhost",    "127.0.0.1:4711.x",
        "[::1]:4711",        "",          "localhost:47110", "0.0.0.0:4711", "LOCALHOST:4711x"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET /v1/status HTTP/1.1\r\nHost: %s\r\n" ASK "\r\n", hosts[i]);
        assert_int_equal(status_of(text), 403);
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
        assert_int_equal(status_of(text), 403);
    }
    assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
}

static void other_pages_are_refused(void **state)
{
    (void)state;
#define POST(more)                                                                                           \
    "POST /v1/wish HTTP/1.1\r\n" HOST ASK "Content-Type: application/json\r\nContent-Length: 2\r\n" more     \
    "\r\n{}"
    assert_int_equal(status_of(POST("Origin: http://127.0.0.1:4711\r\n")), 200);
    assert_int_equal(status_of(POST("")), 403);
    assert_int_equal(status_of(POST("Origin: null\r\n")), 403);
    assert_int_equal(status_of(POST("Origin: https://127.0.0.1:4711\r\n")), 403);
    assert_int_equal(status_of(POST("Origin: http://evil.example\r\n")), 403);
    assert_int_equal(status_of(POST("Origin: http://127.0.0.1:80\r\n")), 403);
    assert_int_equal(status_of(POST("Origin: http://127.0.0.1:4711\r\nSec-Fetch-Site: cross-site\r\n")), 403);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST ASK "Origin: http://evil.example\r\n\r\n"),
                     403);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST ASK "Sec-Fetch-Site: same-site\r\n\r\n"),
                     403);
#undef POST
    const char *form = "POST /v1/wish HTTP/1.1\r\n" HOST ASK "Origin: http://127.0.0.1:4711\r\n"
                       "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    assert_int_equal(status_of(form), 400);
}

static void without_the_key_nothing_is_told(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST "\r\n"), 401);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST "X-CSRF-Token: \r\n\r\n"), 401);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST
                               "X-CSRF-Token: 0123456789abcdef0123456789abcdee\r\n\r\n"),
                     401);
    assert_int_equal(status_of("GET /v1/status HTTP/1.1\r\n" HOST "X-CSRF-Token: " KEY "0\r\n\r\n"), 401);
    struct page_request r;
    const char *text = "GET /v1/status HTTP/1.1\r\n" HOST "X-CSRF-Token: \r\n\r\n";
    assert_int_equal(page_http_read(text, strlen(text), &r), 200);
}

static void what_is_not_plainly_right_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } wrong[] = {
        {"PUT / HTTP/1.1\r\n" HOST "\r\n", 405},
        {"OPTIONS /v1/wish HTTP/1.1\r\n" HOST "\r\n", 405},
        {"get / HTTP/1.1\r\n" HOST "\r\n", 405},
        {"GET / HTTP/1.0\r\n" HOST "\r\n", 400},
        {"GET http://127.0.0.1:4711/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /../x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /%2e HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /?k=1 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST " folded: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400},
        {"GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "\r\n", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", 400},
        {"POST /v1/wish HTTP/1.1\r\n" HOST "Content-Length: 16385\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\n" HOST "Origin: http://127.0.0.1:4711\r\nContent-Length: 0\r\n\r\n", 405},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (status_of(wrong[i].text) != wrong[i].status)
            fail_msg("%d instead of %d for %s", status_of(wrong[i].text), wrong[i].status, wrong[i].text);
}

static void what_has_not_come_is_waited_for_up_to_a_limit(void **state)
{
    (void)state;
    struct page_request r;
    const char *whole = "POST /v1/wish HTTP/1.1\r\n" HOST ASK "Content-Length: 3\r\n\r\nabc";
    for (size_t len = 0; len < strlen(whole); len++)
        assert_int_equal(page_http_read(whole, len, &r), 0);
    assert_int_equal(page_http_read(whole, strlen(whole), &r), 200);
    char *long_one = malloc(PAGE_HEAD_BYTES_MAX);
    assert_non_null(long_one);
    memset(long_one, 'a', PAGE_HEAD_BYTES_MAX);
    assert_int_equal(page_http_read(long_one, PAGE_HEAD_BYTES_MAX - 1, &r), 0);
    assert_int_equal(page_http_read(long_one, PAGE_HEAD_BYTES_MAX, &r), 431);
    free(long_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_page_asks_is_admitted),
        cmocka_unit_test(other_names_of_this_computer_are_refused),
        cmocka_unit_test(other_pages_are_refused),
        cmocka_unit_test(without_the_key_nothing_is_told),
        cmocka_unit_test(what_is_not_plainly_right_is_refused),
        cmocka_unit_test(what_has_not_come_is_waited_for_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
