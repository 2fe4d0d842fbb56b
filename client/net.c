/* net.c - see net.h. One curl multi handle while there is something to do; none, with its connections and
 * buffers, after a quiet while. */
#include "client/net.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "wire/error_msg.h"

enum {
    IDLE_MS = 15000,    /* connections stay open this long for the next request */
    CONNECT_MS = 30000, /* until a connection stands, TLS included */
    STALL_S = 60,       /* without a byte moving */
    FDS_MAX = 256,      /* extra ones of net_poll() */
    PIN_TEXT_MAX = 64,  /* "sha256//" and base64 of 32 bytes */
    PROBLEM_BYTES = 512,
    RETRY_AFTER_S_MAX = 7 * 86400
};
#define REPLY_BYTES_DEFAULT (8u << 20)

struct transfer {
    struct net *net;
    struct net_request request;
    struct net_reply reply;
    net_done *done;
    void *ctx;
    uint32_t id;
    CURL *curl;
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
    uint64_t sent;
    bool started_file; /* where the file's content goes is settled */
    uint64_t file_at;  /* next byte's place in it */
    enum err err;      /* of our own callbacks, with its sentence */
    char problem[PROBLEM_BYTES];
};

struct net {
    CURLM *multi;  /* NULL while idle */
    CURLSH *share; /* TLS sessions, so that coming back costs a short handshake */
    char user_agent[64];
    char pins[NET_PINS_MAX * (PIN_TEXT_MAX + 1)];
    char *proxy; /* NULL: from the environment */
    bool unverified;
    uint64_t down_bytes_s, up_bytes_s;
    struct transfer *transfers[NET_REQUESTS_MAX];
    uint32_t active, last_id;
    int64_t quiet_since_ms;
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err net_new(const char *user_agent, struct net **ret_net)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    struct net *n = calloc(1, sizeof *n);
    if (!n || !(n->share = curl_share_init())) {
        free(n);
        return err_set(ERR_NOMEM, "out of memory");
    }
    curl_share_setopt(n->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    snprintf(n->user_agent, sizeof n->user_agent, "%s", user_agent);
    *ret_net = n;
    return ERR_OK;
}

static void transfer_free(struct transfer *t)
{
    if (t->net->multi)
        curl_multi_remove_handle(t->net->multi, t->curl);
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    free(t);
}

static void go_idle(struct net *n)
{
    if (n->multi)
        curl_multi_cleanup(n->multi);
    n->multi = NULL;
}

void net_free(struct net *n)
{
    if (!n)
        return;
    for (uint32_t i = 0; i < n->active; i++) {
        net_reply_done(&n->transfers[i]->reply);
        transfer_free(n->transfers[i]);
    }
    go_idle(n);
    curl_share_cleanup(n->share);
    free(n->proxy);
    free(n);
}

enum err net_set_pins(struct net *n, const char *const *pins, uint32_t count)
{
    char all[sizeof n->pins] = "";
    size_t len = 0;
    if (count > NET_PINS_MAX)
        return err_set(ERR_LIMIT, "more than %d pins of a server's certificate", NET_PINS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        BUF_AUTO struct buf raw = {0};
        enum err e = str_unbase64(pins[i], strlen(pins[i]), &raw);
        if (e != ERR_OK || raw.len != 32)
            return err_set(ERR_INVALID, "'%.60s' is no pin: it must be the base64 of 32 bytes", pins[i]);
        len += (size_t)snprintf(all + len, sizeof all - len, "%ssha256//%s", i ? ";" : "", pins[i]);
    }
    memcpy(n->pins, all, sizeof all);
    return ERR_OK;
}

void net_set_unverified(struct net *n, bool on)
{
    n->unverified = on;
}

enum err net_set_proxy(struct net *n, const char *url)
{
    char *copy = url ? strdup(url) : NULL;
    if (url && !copy)
        return err_set(ERR_NOMEM, "out of memory");
    free(n->proxy);
    n->proxy = copy;
    return ERR_OK;
}

/* A share for each request under way: curl knows only a limit for one. */
static void share_rate(struct net *n)
{
    uint64_t parts = n->active ? n->active : 1;
    uint64_t down = n->down_bytes_s ? n->down_bytes_s / parts + 1 : 0;
    uint64_t up = n->up_bytes_s ? n->up_bytes_s / parts + 1 : 0;
    for (uint32_t i = 0; i < n->active; i++) {
        curl_easy_setopt(n->transfers[i]->curl, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)down);
        curl_easy_setopt(n->transfers[i]->curl, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)up);
    }
}

void net_set_rate(struct net *n, uint64_t down_bytes_s, uint64_t up_bytes_s)
{
    n->down_bytes_s = down_bytes_s;
    n->up_bytes_s = up_bytes_s;
    share_rate(n);
}

void net_reply_done(struct net_reply *r)
{
    buf_done(&r->body);
}

uint32_t net_active(const struct net *n)
{
    return n->active;
}

static size_t fail(struct transfer *t, enum err e)
{
    t->err = e;
    snprintf(t->problem, sizeof t->problem, "%s", err_text());
    return 0;
}

static size_t on_read(char *to, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct net_request *r = &t->request;
    uint64_t left = r->body_bytes - t->sent;
    size_t want = size * count < left ? size * count : (size_t)left;
    if (r->has_body_fd) {
        ssize_t got = pread(r->body_fd, to, want, (off_t)(r->body_offset + t->sent));
        if (got < 0 || (got == 0 && want > 0)) {
            fail(t, got < 0 ? err_set_errno(ERR_IO, "cannot read the file to send")
                            : err_set(ERR_CORRUPT, "the file to send became shorter"));
            return CURL_READFUNC_ABORT;
        }
        want = (size_t)got;
    } else if (want > 0) {
        memcpy(to, r->body + t->sent, want);
    }
    t->sent += want;
    return want;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request.body_bytes)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* A server that ignores the range sends the whole: the file starts anew. */
static enum err start_file(struct transfer *t, long status)
{
    t->started_file = true;
    t->file_at = status == 206 ? t->request.range_from : 0;
    if (status != 206 && ftruncate(t->request.reply_fd, 0) != 0)
        return err_set_errno(ERR_IO, "cannot empty the file to write");
    return ERR_OK;
}

static enum err write_file(struct transfer *t, const char *bytes, size_t len, long status)
{
    enum err e = t->started_file ? ERR_OK : start_file(t, status);
    while (e == ERR_OK && len > 0) {
        ssize_t put = pwrite(t->request.reply_fd, bytes, len, (off_t)t->file_at);
        if (put < 0)
            return err_set_errno(ERR_IO, "cannot write what was fetched");
        bytes += put;
        len -= (size_t)put;
        t->file_at += (uint64_t)put;
    }
    return e;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    const struct net_request *r = &t->request;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    bool good = status >= 200 && status <= 299;
    if (!good) { /* an error's JSON is short; what is longer comes from something in between */
        size_t room = JSON_BODY_SMALL_BYTES_MAX - t->reply.body.len;
        enum err e = buf_add(&t->reply.body, bytes, len < room ? len : room);
        return e == ERR_OK ? len : fail(t, e);
    }
    uint64_t most = r->reply_bytes_max ? r->reply_bytes_max
                    : r->has_reply_fd  ? BLOB_BYTES_MAX
                                       : REPLY_BYTES_DEFAULT;
    if (t->reply.received_bytes + len > most)
        return fail(t, err_set(ERR_LIMIT, "the reply is larger than the %llu bytes it may have",
                               (unsigned long long)most));
    t->reply.received_bytes += len;
    enum err e = r->has_reply_fd ? write_file(t, bytes, len, status) : buf_add(&t->reply.body, bytes, len);
    return e == ERR_OK ? len : fail(t, e);
}

/* The number in "name: 12"; unchanged when it is another header or no number. */
static void take_number(const char *line, size_t len, const char *name, uint64_t max, int64_t unit,
                        int64_t *ret)
{
    char text[24];
    size_t at = strlen(name);
    uint64_t value;
    if (len < at || strncasecmp(line, name, at) != 0)
        return;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (len > at && strchr("\r\n \t", line[len - 1]))
        len--;
    if (len - at >= sizeof text)
        return;
    memcpy(text, line + at, len - at);
    text[len - at] = 0;
    if (str_to_u64(text, INT64_MAX / 1000, &value) == ERR_OK)
        *ret = (int64_t)(value < max ? value : max) * unit;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    if (len > 5 && strncmp(line, "HTTP/", 5) == 0) /* of the last of several replies: proxies answer too */
        t->reply.retry_after_ms = t->reply.upload_offset = t->reply.content_length = -1;
    take_number(line, len, "retry-after:", RETRY_AFTER_S_MAX, 1000, &t->reply.retry_after_ms);
    take_number(line, len, "upload-offset:", INT64_MAX, 1, &t->reply.upload_offset);
    take_number(line, len, "content-length:", INT64_MAX, 1, &t->reply.content_length);
    return len;
}

static enum err add_header(struct transfer *t, const char *format, const char *value)
{
    char line[512];
    int len = snprintf(line, sizeof line, format, value);
    if (len < 0 || (size_t)len >= sizeof line || strpbrk(line, "\r\n"))
        return err_set(ERR_INVALID, "a header of the request is too long or has a line break");
    struct curl_slist *more = curl_slist_append(t->headers, line);
    explicit_bzero(line, sizeof line);
    if (!more)
        return err_set(ERR_NOMEM, "out of memory");
    t->headers = more;
    return ERR_OK;
}

static enum err set_headers(struct transfer *t)
{
    const struct net_request *r = &t->request;
    char number[32];
    enum err e = add_header(t, "%s", "Expect:");
    if (e == ERR_OK && (r->body_bytes || r->has_body_fd))
        e = add_header(t, "Content-Type: %s", r->content_type ? r->content_type : "application/json");
    if (e == ERR_OK && r->token && !t->net->unverified)
        e = add_header(t, "Authorization: Bearer %s", r->token);
    if (e == ERR_OK && r->idempotency_key)
        e = add_header(t, "Idempotency-Key: %s", r->idempotency_key);
    if (e == ERR_OK && r->upload) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)r->body_offset);
        e = add_header(t, "Upload-Offset: %s", number);
    }
    if (e == ERR_OK && r->upload) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)r->upload_bytes);
        e = add_header(t, "Upload-Length: %s", number);
    }
    return e;
}

static void set_trust(struct transfer *t)
{
    const struct net *n = t->net;
    bool ask_authorities = !n->unverified && !*n->pins;
    curl_easy_setopt(t->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, ask_authorities ? 1L : 0L);
    curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, ask_authorities ? 2L : 0L);
    if (!ask_authorities) { /* else curl reads a megabyte of certificates for nothing */
        curl_easy_setopt(t->curl, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(t->curl, CURLOPT_CAPATH, NULL);
    }
    if (!n->unverified && *n->pins)
        curl_easy_setopt(t->curl, CURLOPT_PINNEDPUBLICKEY, n->pins);
}

static void set_body(struct transfer *t)
{
    const struct net_request *r = &t->request;
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(r->method, "GET") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(r->method, "DELETE") == 0) {
        curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, "DELETE");
    } else {
        curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, r->method);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_bytes);
        curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
        curl_easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
    }
    if (r->range_from) { /* CURLOPT_RESUME_FROM would take a 200 for an error */
        char range[32];
        snprintf(range, sizeof range, "%llu-", (unsigned long long)r->range_from);
        curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    }
}

static void set_options(struct transfer *t)
{
    const struct net *n = t->net;
    CURL *c = t->curl;
    curl_easy_setopt(c, CURLOPT_URL, t->request.url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_SHARE, n->share);
    curl_easy_setopt(c, CURLOPT_USERAGENT, n->user_agent);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, t->request.timeout_s ? 0L : (long)STALL_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)t->request.timeout_s);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    if (n->proxy)
        curl_easy_setopt(c, CURLOPT_PROXY, n->proxy);
    set_trust(t);
    set_body(t);
}

static enum err transfer_new(struct net *n, const struct net_request *request, struct transfer **ret)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t || !(t->curl = curl_easy_init())) {
        free(t);
        return err_set(ERR_NOMEM, "out of memory");
    }
    t->net = n;
    t->request = *request;
    t->reply = (struct net_reply){.retry_after_ms = -1, .upload_offset = -1, .content_length = -1};
    enum err e = set_headers(t);
    if (e != ERR_OK) {
        transfer_free(t);
        return e;
    }
    set_options(t);
    *ret = t;
    return ERR_OK;
}

enum err net_start(struct net *n, const struct net_request *request, net_done *done, void *ctx,
                   uint32_t *ret_id)
{
    struct transfer *t = NULL;
    if (n->active == NET_REQUESTS_MAX)
        return err_set(ERR_BUSY, "more than %d requests at once", NET_REQUESTS_MAX);
    if (!str_starts(request->url, "https://"))
        return err_set(ERR_INVALID, "'%.200s' is not an address: it must start with https://", request->url);
    if (!n->multi && !(n->multi = curl_multi_init()))
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = transfer_new(n, request, &t);
    if (e != ERR_OK)
        return e;
    t->done = done;
    t->ctx = ctx;
    t->id = ++n->last_id ? n->last_id : ++n->last_id;
    if (curl_multi_add_handle(n->multi, t->curl) != CURLM_OK) {
        transfer_free(t);
        return err_set(ERR_NOMEM, "out of memory");
    }
    n->transfers[n->active++] = t;
    share_rate(n);
    *ret_id = t->id;
    return ERR_OK;
}

static void take_out(struct net *n, struct transfer *t)
{
    for (uint32_t i = 0; i < n->active; i++)
        if (n->transfers[i] == t)
            n->transfers[i] = n->transfers[--n->active];
    n->quiet_since_ms = clock_mono_ms();
    share_rate(n);
}

void net_cancel(struct net *n, uint32_t id)
{
    for (uint32_t i = 0; i < n->active; i++) {
        struct transfer *t = n->transfers[i];
        if (t->id != id)
            continue;
        take_out(n, t);
        net_reply_done(&t->reply);
        transfer_free(t);
        return;
    }
}

/* scheme://host:port of a URL, for sentences: the rest is nobody's business. */
static int origin_len(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (int)((size_t)(host - url) + strcspn(host, "/?#"));
}

static enum err no_reply(const struct transfer *t, CURLcode code)
{
    const char *url = t->request.url;
    int len = origin_len(url);
    const char *detail = *t->detail ? t->detail : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(ERR_TIMEOUT, "%.*s did not answer in time: %s", len, url, detail);
    case CURLE_OUT_OF_MEMORY:
        return err_set(ERR_NOMEM, "out of memory");
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return err_set(ERR_UNTRUSTED,
                       "%.*s shows another certificate than the project has signed for: "
                       "the project has renewed it, or somebody stands in between",
                       len, url);
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(ERR_UNTRUSTED,
                       "%.*s shows a certificate that nobody vouches for (%s): use the project's join link",
                       len, url, detail);
    default:
        return err_set(ERR_UNREACHABLE, "%.*s cannot be reached: %s", len, url, detail);
    }
}

static enum err judge(struct transfer *t, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->err != ERR_OK)
        return err_set(t->err, "%s", t->problem);
    if (code != CURLE_OK)
        return no_reply(t, code);
    t->reply.status = status;
    if (status >= 200 && status <= 299) {
        /* a whole of no bytes still empties what a range had begun */
        if (t->request.has_reply_fd && !t->started_file && status != 206)
            return start_file(t, status);
        return ERR_OK;
    }
    if (status >= 300 && status <= 399)
        return err_set(ERR_UNREACHABLE,
                       "%.*s sends us elsewhere, which is not followed: use the project's own address",
                       origin_len(t->request.url), t->request.url);
    return error_from_reply((int)status, buf_text(&t->reply.body), t->reply.body.len);
}

static void finish(struct net *n, struct transfer *t, CURLcode code)
{
    struct net_reply reply;
    net_done *done = t->done;
    void *ctx = t->ctx;
    enum err e = judge(t, code);
    reply = t->reply;
    take_out(n, t);
    transfer_free(t);
    done(ctx, e, &reply);
}

/* Returns how many have ended. */
static uint32_t move(struct net *n)
{
    int running, queued;
    uint32_t ended = 0;
    CURLMsg *message;
    curl_multi_perform(n->multi, &running);
    while (n->multi && (message = curl_multi_info_read(n->multi, &queued))) {
        struct transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        finish(n, t, code);
        ended++;
    }
    return ended;
}

/* Nothing under way: an ordinary poll, cut short once to drop the connections. */
static enum err wait_idle(struct net *n, int timeout_ms, const int *fds, uint32_t fd_count)
{
    struct pollfd list[FDS_MAX];
    int64_t left = n->quiet_since_ms + IDLE_MS - clock_mono_ms();
    if (n->multi && left <= 0)
        go_idle(n);
    if (n->multi && (timeout_ms < 0 || left < timeout_ms))
        timeout_ms = (int)left;
    for (uint32_t i = 0; i < fd_count; i++)
        list[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    poll(list, fd_count, timeout_ms);
    return ERR_OK;
}

enum err net_poll(struct net *n, int timeout_ms, const int *fds, uint32_t fd_count)
{
    struct curl_waitfd list[FDS_MAX];
    if (fd_count > FDS_MAX)
        return err_set(ERR_LIMIT, "more than %d descriptors to wait for", FDS_MAX);
    if (n->active == 0)
        return wait_idle(n, timeout_ms, fds, fd_count);
    if (move(n) > 0)
        return ERR_OK;
    for (uint32_t i = 0; i < fd_count; i++)
        list[i] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
    CURLMcode code = curl_multi_poll(n->multi, list, fd_count, timeout_ms < 0 ? 60000 : timeout_ms, NULL);
    if (code != CURLM_OK)
        return err_set(ERR_IO, "cannot wait for the network: %s", curl_multi_strerror(code));
    move(n);
    return ERR_OK;
}

struct waiting {
    bool ended;
    enum err err;
    char problem[ERR_TEXT_BYTES_MAX];
    struct net_reply *reply;
};

static void on_ended(void *ctx, enum err err, struct net_reply *reply)
{
    struct waiting *w = ctx;
    w->ended = true;
    w->err = err;
    snprintf(w->problem, sizeof w->problem, "%s", err_text());
    *w->reply = *reply;
}

enum err net_do(struct net *n, const struct net_request *request, struct net_reply *ret_reply)
{
    struct waiting w = {.reply = ret_reply};
    uint32_t id;
    *ret_reply = (struct net_reply){.retry_after_ms = -1, .upload_offset = -1, .content_length = -1};
    enum err e = net_start(n, request, on_ended, &w, &id);
    while (e == ERR_OK && !w.ended)
        if ((e = net_poll(n, 60000, NULL, 0)) != ERR_OK)
            net_cancel(n, id);
    if (e != ERR_OK)
        return e;
    return w.err == ERR_OK ? ERR_OK : err_set(w.err, "%s", w.problem);
}
