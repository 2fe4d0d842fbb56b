/* The end of the HTTPS server while requests are under way. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "lib/t.h"
#include "lib/temp.h"
#include "server/http.h"
#include "server/tls_cert.h"

enum { ASKED = 3, WAIT_MS = 20000, BUSY_MS = 300 };

struct door {
    struct http *http;
    atomic_uint begun, handled, inside;
    bool streams, busy;
    struct http_stream *stream[ASKED];
};

static enum err begin(void *ctx, struct http_request *r)
{
    struct door *d = ctx;
    r->body_bytes_max = 100;
    atomic_fetch_add(&d->begun, 1);
    return ERR_OK;
}

/* Nobody ever answers, or goes on with what was begun. */
static void handle(void *ctx, struct http_request *r)
{
    struct door *d = ctx;
    atomic_fetch_add(&d->inside, 1);
    if (d->busy)
        clock_sleep_ms(BUSY_MS);
    atomic_fetch_sub(&d->inside, 1);
    if (d->streams)
        d->stream[atomic_load(&d->handled)] = http_reply_stream(r);
    atomic_fetch_add(&d->handled, 1);
}

static void door_open(struct door *d)
{
    BUF_AUTO struct buf certificate = {0}, key = {0};
    assert_ok(tls_cert_make("127.0.0.1", &certificate, &key));
    struct http_config config = {.address = "127.0.0.1",
                                 .certificate_pem = buf_text(&certificate),
                                 .key_pem = buf_text(&key),
                                 .threads = 1,
                                 .begin = begin,
                                 .handle = handle,
                                 .ctx = d};
    assert_ok(http_start(&config, &d->http));
}

static FILE *ask(struct door *d)
{
    char command[200];
    snprintf(command, sizeof command,
             "curl -sk -m 20 -o /dev/null -w '%%{http_code} %%{exitcode}' https://127.0.0.1:%u/x",
             http_port(d->http));
    FILE *curl = popen(command, "r");
    assert_non_null(curl);
    return curl;
}

static void wait_for(const atomic_uint *count, unsigned wanted)
{
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS; atomic_load(count) < wanted && clock_mono_ms() < end_ms;)
        clock_sleep_ms(5);
    assert_int_equal(atomic_load(count), wanted);
}

static void stop_while_asked(struct door *d, const char *answer)
{
    char said[32] = "";
    door_open(d);
    FILE *curl[ASKED];
    for (unsigned i = 0; i < ASKED; i++)
        curl[i] = ask(d);
    wait_for(&d->handled, ASKED);
    clock_sleep_ms(50); /* all sleep */
    http_stop(d->http);
    for (unsigned i = 0; i < ASKED; i++) {
        assert_non_null(fgets(said, sizeof said, curl[i]));
        assert_string_equal(said, answer);
        assert_int_equal(pclose(curl[i]), 0);
    }
}

static void a_request_that_nobody_answered_gets_503_and_ends_nothing_else(void **state)
{
    (void)state;
    struct door d = {0};
    stop_while_asked(&d, "503 0");
}

static void a_stream_that_nobody_closed_ends(void **state)
{
    (void)state;
    struct door d = {.streams = true};
    stop_while_asked(&d, "200 0");
    for (unsigned i = 0; i < ASKED; i++)
        http_stream_close(d.stream[i]);
}

/* A connection whose words are the test's; what comes back goes to the file `replies`. */
static FILE *talk(struct door *d, struct temp *t)
{
    char command[TEMP_PATH_BYTES + 200];
    snprintf(command, sizeof command,
             "timeout 20 openssl s_client -quiet -connect 127.0.0.1:%u >%s 2>/dev/null", http_port(d->http),
             temp_path(t, "replies"));
    FILE *link = popen(command, "w");
    assert_non_null(link);
    return link;
}

static void say(FILE *link, const char *words)
{
    fputs(words, link);
    fflush(link);
}

static uint32_t count_replies(struct temp *t, const char *status)
{
    BUF_AUTO struct buf all = {0};
    uint32_t n = 0;
    assert_ok(file_read(temp_path(t, "replies"), 1 << 16, &all));
    for (const char *at = buf_text(&all); (at = strstr(at, status)); at++)
        n++;
    return n;
}

static void
once_it_is_quiet_a_body_that_was_under_way_and_what_is_asked_next_get_503_and_no_handler(void **state)
{
    (void)state;
    struct door d = {0};
    struct temp t = temp_new();
    door_open(&d);
    FILE *link = talk(&d, &t);
    say(link, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    wait_for(&d.begun, 1);
    http_quiesce(d.http);
    say(link, "cd");
    for (int64_t end_ms = clock_mono_ms() + WAIT_MS;
         count_replies(&t, "HTTP/1.1 503") < 1 && clock_mono_ms() < end_ms;)
        clock_sleep_ms(5);
    say(link, "GET /y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    (void)pclose(link);
    assert_int_equal(count_replies(&t, "HTTP/1.1 503"), 2);
    assert_int_equal(count_replies(&t, "about to stop"), 2);
    assert_int_equal(atomic_load(&d.begun), 1);
    assert_int_equal(atomic_load(&d.handled), 0);
    http_stop(d.http);
    temp_done(&t);
}

static void it_is_quiet_when_no_handler_runs_any_more(void **state)
{
    (void)state;
    struct door d = {.busy = true};
    door_open(&d);
    FILE *curl = ask(&d);
    wait_for(&d.inside, 1);
    http_quiesce(d.http);
    assert_int_equal(atomic_load(&d.inside), 0);
    http_stop(d.http);
    (void)pclose(curl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_nobody_answered_gets_503_and_ends_nothing_else),
        cmocka_unit_test(a_stream_that_nobody_closed_ends),
        cmocka_unit_test(
            once_it_is_quiet_a_body_that_was_under_way_and_what_is_asked_next_get_503_and_no_handler),
        cmocka_unit_test(it_is_quiet_when_no_handler_runs_any_more),
    };
    signal(SIGPIPE, SIG_IGN); /* a connection that has gone is a test that fails */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
