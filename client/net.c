/* net.c - see net.h. One curl multi handle while there is something to do; none, with its connections and
 * buffers, after a quiet while. */
#include "client/net.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/net_in.h"

enum {
    IDLE_MS = 15000, /* connections stay open this long for the next request */
    QUIET_MS = 2000, /* after which a request that waits has been sent */
    FDS_MAX = 256    /* extra ones of net_poll() */
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
    free(n->authorities);
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

enum err net_set_authorities(struct net *n, const char *path)
{
    char *copy = path ? strdup(path) : NULL;
    if (path && !copy)
        return err_set(ERR_NOMEM, "out of memory");
    if (path && access(path, R_OK) != 0) {
        free(copy);
        return err_set(ERR_INVALID, "cannot read the certificates in %s", path);
    }
    free(n->authorities);
    n->authorities = copy;
    return ERR_OK;
}

/* A share for each request under way: curl knows only a limit for one. */
static void share_rate(struct net *n)
{
    uint64_t parts = 0;
    for (uint32_t i = 0; i < n->active; i++)
        parts += !n->transfers[i]->request.waits;
    parts = parts ? parts : 1;
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

uint64_t net_moved_bytes(const struct net *n)
{
    return n->moved_bytes;
}

uint32_t net_active(const struct net *n)
{
    return n->active;
}

bool net_is_quiet(const struct net *n)
{
    for (uint32_t i = 0; i < n->active; i++)
        if (!n->transfers[i]->request.waits || clock_mono_ms() - n->transfers[i]->begun_ms < QUIET_MS)
            return false;
    return true;
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
    t->begun_ms = clock_mono_ms();
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

/* False when it goes on elsewhere. */
static bool finish(struct net *n, struct transfer *t, CURLcode code)
{
    struct net_reply reply;
    net_done *done = t->done;
    void *ctx = t->ctx;
    curl_multi_remove_handle(n->multi, t->curl);
    if (transfer_again(t, code) && curl_multi_add_handle(n->multi, t->curl) == CURLM_OK) {
        share_rate(n);
        return false;
    }
    enum err e = transfer_judge(t, code);
    reply = t->reply;
    take_out(n, t);
    transfer_free(t);
    done(ctx, e, &reply);
    return true;
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
        ended += finish(n, t, code);
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
