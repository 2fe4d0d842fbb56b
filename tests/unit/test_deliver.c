#include "lib/t.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "lib/live.h"
#include "server/deliver.h"
#include "server/hook.h"

struct world {
    struct live live;
    struct deliver *deliver;
    int listener; /* somebody's web hook, on loopback */
    uint16_t port;
};

static void start_listener(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(w->listener, 8), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    w->port = ntohs(a.sin_port);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    live_open(&w->live);
    start_listener(w);
    struct deliver_config c = {
        .store = w->live.side, .engine = w->live.thread, .blobs = w->live.blobs, .retry_ms = 1};
    assert_ok(deliver_start(&c, &w->deliver));
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    deliver_stop(w->deliver);
    close(w->listener);
    live_close(&w->live);
    free(w);
    return 0;
}

/* A batch of one unit that has been answered. */
static uint32_t finish_batch(struct world *w, const char *policy)
{
    struct store_batch b = {.rules = {.quorum = 1,
                                      .target_attempts = 1,
                                      .errors_max = 3,
                                      .attempts_max = 8,
                                      .successes_max = 6,
                                      .lease_ms = 3600000},
                            .policy = {policy, (uint32_t)strlen(policy)}};
    uint32_t batch = live_submit(&w->live, &b);
    live_answer(&w->live, "done");
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(2)) {
        assert_ok(store_batch_get(w->live.reader, &w->live.arena, batch, &b));
        if (b.finished_ms != 0)
            return batch;
    }
    fail_msg("the batch does not finish");
    return 0;
}

static void wait_until_done(struct world *w, enum outbox_kind kind)
{
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(2)) {
        deliver_wake(w->deliver);
        if (live_outbox(&w->live, kind, NULL) == 0)
            return;
    }
    fail_msg("the outbox is not emptied");
}

static bool is_called(struct world *w, int64_t within_ms)
{
    struct pollfd p = {.fd = w->listener, .events = POLLIN};
    return poll(&p, 1, (int)within_ms) == 1;
}

/* Takes one post and answers; its text, headers and all. */
static void serve_hook(struct world *w, const char *status, size_t answer_bytes, char *ret, size_t room)
{
    char head[128];
    size_t len = 0;
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; !is_called(w, 5); deliver_wake(w->deliver))
        if (clock_mono_ms() > end_ms)
            fail_msg("the web hook is not called");
    int fd = accept(w->listener, NULL, NULL);
    assert_true(fd >= 0);
    do {
        ssize_t got = recv(fd, ret + len, room - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
        ret[len] = '\0';
    } while (!strstr(ret, "\r\n\r\n") || ret[len - 1] != '}');
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                     status, answer_bytes);
    assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
    for (size_t i = 0; i < answer_bytes; i++)
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 1)
            break; /* it has heard enough */
    close(fd);
}

static const char *policy_here(struct world *w)
{
    char text[100];
    snprintf(text, sizeof text, "{\"webhook\":\"http://127.0.0.1:%u/done\"}", w->port);
    return arena_text(&w->live.arena, text);
}

static void a_finished_batch_is_told_of(void **state)
{
    struct world *w = *state;
    char post[4096], number[40];
    uint32_t batch = finish_batch(w, policy_here(w));
    serve_hook(w, "204 No Content", 0, post, sizeof post);
    snprintf(number, sizeof number, "\"batch\":%u,", batch);
    assert_true(str_starts(post, "POST /done HTTP/1.1\r\n"));
    assert_non_null(strstr(post, "Content-Type: application/json"));
    assert_non_null(strstr(post, "{\"event\":\"batch.finished\""));
    assert_non_null(strstr(post, number));
    assert_non_null(strstr(post, "\"state\":\"done\",\"units\":1,\"accepted\":1,\"failed\":0"));
    wait_until_done(w, OUTBOX_WEBHOOK);
    assert_false(is_called(w, 50));
}

static void a_hook_that_fails_is_called_again(void **state)
{
    struct world *w = *state;
    char post[4096];
    finish_batch(w, policy_here(w));
    serve_hook(w, "500 Internal Server Error", 0, post, sizeof post);
    serve_hook(w, "302 Found", 0, post, sizeof post);
    serve_hook(w, "200 OK", 0, post, sizeof post);
    wait_until_done(w, OUTBOX_WEBHOOK);
    assert_false(is_called(w, 50));
}

static void a_long_answer_is_an_answer(void **state)
{
    struct world *w = *state;
    char post[4096];
    finish_batch(w, policy_here(w));
    serve_hook(w, "200 OK", 70000, post, sizeof post);
    wait_until_done(w, OUTBOX_WEBHOOK);
    assert_false(is_called(w, 50));
}

static void a_hook_that_may_not_be_called_is_given_up_at_once(void **state)
{
    struct world *w = *state;
    finish_batch(w, "{\"webhook\":\"http://192.0.2.1/\"}");
    wait_until_done(w, OUTBOX_WEBHOOK);
    finish_batch(w, "{\"webhook\":\"file:///etc/passwd\"}");
    wait_until_done(w, OUTBOX_WEBHOOK);
    finish_batch(w, "");
    wait_until_done(w, OUTBOX_WEBHOOK);
}

static void one_dead_hook_does_not_hold_up_another(void **state)
{
    struct world *w = *state;
    char post[4096];
    int dead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound and not listening: it refuses */
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    char policy[100];
    assert_int_equal(bind(dead, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(dead, (struct sockaddr *)&a, &len), 0);
    snprintf(policy, sizeof policy, "{\"webhook\":\"http://127.0.0.1:%u/\"}", ntohs(a.sin_port));
    finish_batch(w, policy);
    uint32_t batch = finish_batch(w, policy_here(w));
    serve_hook(w, "200 OK", 0, post, sizeof post);
    snprintf(policy, sizeof policy, "\"batch\":%u,", batch);
    assert_non_null(strstr(post, policy));
    struct store_outbox o;
    clock_sleep_ms(20);
    assert_in_range(live_outbox(&w->live, OUTBOX_WEBHOOK, &o), 1, 2);
    close(dead);
}

static void a_purged_batch_lets_its_files_go_and_no_other(void **state)
{
    struct world *w = *state;
    char holder[24], input[24], bytes[32];
    uint64_t size;
    uint32_t batch = finish_batch(w, "");
    snprintf(holder, sizeof holder, "b%u", batch);
    snprintf(input, sizeof input, "i%u", batch);
    struct digest first = live_blob(&w->live, "answer 0", 8, holder);
    for (int i = 1; i < 20; i++) {
        snprintf(bytes, sizeof bytes, "answer %d", i);
        live_blob(&w->live, bytes, strlen(bytes), holder);
    }
    struct digest in = live_blob(&w->live, "input", 5, input);
    struct digest other = live_blob(&w->live, "other", 5, "b999");
    struct digest shared = live_blob(&w->live, "shared", 6, holder);
    assert_ok(blob_hold(w->live.blobs, &shared, "u1"));
    struct engine_request r = {.kind = ENGINE_BATCH_DO, .user_id = 1};
    r.u.batch_do = (struct engine_batch_do){.batch = batch, .verb = ENGINE_BATCH_PURGE};
    assert_ok(live_ask(&w->live, &r));
    for (int64_t end_ms = clock_mono_ms() + LIVE_WAIT_MS; clock_mono_ms() < end_ms; clock_sleep_ms(2)) {
        deliver_wake(w->deliver);
        if (blob_find(w->live.blobs, &in, &size) == ERR_MISSING)
            break;
    }
    wait_until_done(w, OUTBOX_PURGE_FILES);
    assert_err(blob_find(w->live.blobs, &in, &size), ERR_MISSING);
    assert_err(blob_find(w->live.blobs, &first, &size), ERR_MISSING);
    assert_ok(blob_find(w->live.blobs, &other, &size));
    assert_ok(blob_find(w->live.blobs, &shared, &size));
}

static enum err read_url(const char *url, char ret[HOOK_URL_BYTES])
{
    char policy[2048];
    int len = snprintf(policy, sizeof policy, "{\"webhook\":\"%s\"}", url);
    return hook_url(policy, (size_t)len, ret);
}

static void a_hook_is_https_or_on_this_machine(void **state)
{
    static const char *const good[] = {"https://example.org/hook?key=1", "https://example.org:8443",
                                       "https://[2001:db8::1]:1/x",      "https://10.0.0.1/",
                                       "http://localhost:8000/x",        "http://127.0.0.1",
                                       "http://127.1.2.3:80/x",          "http://[::1]:9/"};
    static const char *const bad[] = {"http://example.org/",
                                      "http://10.0.0.1/",
                                      "http://localhost.example.org/",
                                      "http://127.0.0.1.nip.io/",
                                      "http://127.0.0.1@evil.org/",
                                      "https://user:pass@example.org/",
                                      "http://127.1/",
                                      "http://[::1].evil.org/",
                                      "http://[::1/",
                                      "http://0.0.0.0/",
                                      "http://[::ffff:10.0.0.1]/",
                                      "HTTP://127.0.0.1/",
                                      "ftp://127.0.0.1/",
                                      "file:///etc/passwd",
                                      "https://",
                                      "https:///x",
                                      "https://a b/",
                                      "http://127.0.0.1\\\\@evil.org/",
                                      "https://example.org/\\u000a",
                                      "https://:443/",
                                      "//example.org/"};
    char url[HOOK_URL_BYTES], policy[] = "{\"other\":1}";
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(read_url(good[i], url));
        assert_string_equal(url, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_url(bad[i], url) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
    assert_ok(hook_url(policy, strlen(policy), url));
    assert_string_equal(url, "");
    assert_ok(hook_url("", 0, url));
    assert_err(hook_url("{\"webhook\":7}", 13, url), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_is_https_or_on_this_machine),
        cmocka_unit_test_setup_teardown(a_finished_batch_is_told_of, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_hook_that_fails_is_called_again, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_long_answer_is_an_answer, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_hook_that_may_not_be_called_is_given_up_at_once, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(one_dead_hook_does_not_hold_up_another, open_world, close_world),
        cmocka_unit_test_setup_teardown(a_purged_batch_lets_its_files_go_and_no_other, open_world,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
