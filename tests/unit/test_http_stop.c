/* The end of the HTTPS server while requests are under way. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/t.h"
#include "server/http.h"
#include "server/tls_cert.h"

enum { ASKED = 3 };

struct door {
    struct http *http;
    atomic_uint handled;
    bool streams;
    struct http_stream *stream[ASKED];
};

static enum err begin(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
    return ERR_OK;
}

/* Nobody ever answers, or goes on with what was begun. */
static void handle(void *ctx, struct http_request *r)
{
    struct door *d = ctx;
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

static void stop_while_asked(struct door *d, const char *answer)
{
    char said[32] = "";
    door_open(d);
    FILE *curl[ASKED];
    for (unsigned i = 0; i < ASKED; i++)
        curl[i] = ask(d);
    for (int64_t end_ms = clock_mono_ms() + 20000;
         atomic_load(&d->handled) < ASKED && clock_mono_ms() < end_ms;)
        clock_sleep_ms(5);
    assert_int_equal(atomic_load(&d->handled), ASKED);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_nobody_answered_gets_503_and_ends_nothing_else),
        cmocka_unit_test(a_stream_that_nobody_closed_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
