/* load_net.c - see load_net.h */
#include "load_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Hosts are not all at one address; and with many ports of one in use the kernel searches long for another.
 */
enum { CONNS_PER_ADDRESS = 500 };

int64_t load_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void watch(struct load_conn *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};
    epoll_ctl(c->net->epfd, op, c->fd, &ev);
}

void load_close(struct load_conn *c)
{
    if (c->ssl) {
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = LOAD_CLOSED;
}

static void broken(struct load_conn *c, const char *why)
{
    load_close(c);
    c->net->broken++;
    if (c->net->on_broken)
        c->net->on_broken(c, why);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct load_conn *c = SSL_get_app_data(ssl);
    if (c->session)
        SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

bool load_net_init(struct load_net *n, const char *address, uint16_t port, uint32_t conns, bool resume)
{
    n->ctx = SSL_CTX_new(TLS_client_method());
    n->epfd = epoll_create1(EPOLL_CLOEXEC);
    n->conns = calloc(conns, sizeof *n->conns);
    n->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    if (!n->ctx || n->epfd < 0 || !n->conns || inet_pton(AF_INET, address, &n->to.sin_addr) != 1 ||
        (ntohl(n->to.sin_addr.s_addr) >> 24) != 127)
        return false; /* loopback only: this program is never pointed at somebody else's machine */
    SSL_CTX_set_mode(n->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(n->ctx, 1);
    n->resume = resume;
    if (resume) {
        SSL_CTX_set_session_cache_mode(n->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(n->ctx, on_new_session);
    }
    n->conn_count = conns;
    for (uint32_t i = 0; i < conns; i++)
        n->conns[i] = (struct load_conn){.net = n, .fd = -1, .index = i};
    return true;
}

void load_net_done(struct load_net *n)
{
    for (uint32_t i = 0; i < n->conn_count; i++) {
        load_close(&n->conns[i]);
        buf_done(&n->conns[i].out);
        buf_done(&n->conns[i].in);
        if (n->conns[i].session)
            SSL_SESSION_free(n->conns[i].session);
    }
    free(n->conns);
    SSL_CTX_free(n->ctx);
    close(n->epfd);
}

static bool want(struct load_conn *c, int result)
{
    int e = SSL_get_error(c->ssl, result);
    bool write = e == SSL_ERROR_WANT_WRITE;
    if (e != SSL_ERROR_WANT_READ && !write)
        return false;
    if (write != c->want_write) {
        c->want_write = write;
        watch(c, EPOLL_CTL_MOD, write ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
}

static bool dial(struct load_conn *c)
{
    struct load_net *n = c->net;
    uint32_t source = 0x7f000002u + c->index / CONNS_PER_ADDRESS;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0)
        return false;
    if (connect(c->fd, (struct sockaddr *)&n->to, sizeof n->to) != 0 && errno != EINPROGRESS)
        return false;
    c->ssl = SSL_new(n->ctx);
    if (!c->ssl || !SSL_set_fd(c->ssl, c->fd))
        return false;
    SSL_set_app_data(c->ssl, c);
    SSL_set_connect_state(c->ssl);
    if (n->resume && c->session)
        SSL_set_session(c->ssl, c->session);
    c->state = LOAD_CONNECTING;
    c->want_write = true;
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return true;
}

static void write_out(struct load_conn *c)
{
    while (c->out_done < c->out.len) {
        int wrote = SSL_write(c->ssl, c->out.data + c->out_done, (int)(c->out.len - c->out_done));
        if (wrote <= 0) {
            if (!want(c, wrote))
                broken(c, "write");
            return;
        }
        c->out_done += (size_t)wrote;
    }
    c->state = LOAD_READING;
    buf_clear(&c->in);
    c->head_len = 0;
    if (c->want_write) {
        c->want_write = false;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    }
}

void load_send(struct load_conn *c)
{
    c->out_done = 0;
    c->sent_us = load_now_us();
    if (c->state == LOAD_CLOSED) {
        if (!dial(c))
            broken(c, "connect");
        return;
    }
    c->state = LOAD_WRITING;
    write_out(c);
}

static void read_head(struct load_conn *c)
{
    const char *end = strstr(buf_text(&c->in), "\r\n\r\n");
    if (!end)
        return;
    c->head_len = (size_t)(end - c->in.data) + 4;
    c->status = c->in.len > 12 ? atoi(c->in.data + 9) : 0;
    c->body_len = 0;
    c->retry_after_s = -1;
    c->closing = false;
    for (const char *line = strstr(c->in.data, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            c->body_len = strtoul(line + 17, NULL, 10);
        if (strncasecmp(line + 2, "retry-after:", 12) == 0)
            c->retry_after_s = atoi(line + 14);
        if (strncasecmp(line + 2, "connection: close", 17) == 0)
            c->closing = true;
    }
}

static void answer(struct load_conn *c)
{
    struct load_reply reply = {.status = c->status,
                               .retry_after_s = c->retry_after_s,
                               .body = c->in.data + c->head_len,
                               .len = c->body_len,
                               .took_us = load_now_us() - c->sent_us};
    c->state = LOAD_IDLE;
    if (c->net->close_each || c->closing)
        load_close(c);
    c->net->on_reply(c, &reply);
}

static void read_in(struct load_conn *c)
{
    for (;;) {
        if (buf_reserve(&c->in, 16384) != ERR_OK) {
            broken(c, "memory");
            return;
        }
        int got = SSL_read(c->ssl, c->in.data + c->in.len, 16384);
        if (got <= 0) {
            if (!want(c, got))
                broken(c, "read");
            return;
        }
        c->in.len += (size_t)got;
        c->in.data[c->in.len] = 0;
        if (c->head_len == 0)
            read_head(c);
        if (c->head_len != 0 && c->in.len >= c->head_len + c->body_len) {
            answer(c);
            return;
        }
    }
}

static void shake(struct load_conn *c)
{
    int ok = SSL_do_handshake(c->ssl);
    if (ok != 1) {
        if (!want(c, ok))
            broken(c, "handshake");
        return;
    }
    c->net->handshakes++;
    c->net->resumed += (uint64_t)SSL_session_reused(c->ssl);
    c->state = LOAD_WRITING;
    write_out(c);
}

static void step(struct load_conn *c)
{
    if (c->state == LOAD_CONNECTING) {
        int err = 0;
        socklen_t len = sizeof err;
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0) {
            broken(c, "connect");
            return;
        }
        c->state = LOAD_HANDSHAKE;
    }
    if (c->state == LOAD_HANDSHAKE)
        shake(c);
    else if (c->state == LOAD_WRITING)
        write_out(c);
    else if (c->state == LOAD_READING)
        read_in(c);
    else if (c->state == LOAD_IDLE) {
        char byte;
        int got = SSL_read(c->ssl, &byte, 1); /* session tickets, or the server closes an idle connection */
        if (got <= 0 && !want(c, got))
            load_close(c);
    }
}

void load_poll(struct load_net *n, int timeout_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(n->epfd, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct load_conn *c = events[i].data.ptr;
        if (c->fd >= 0)
            step(c);
    }
}

void load_hist_add(struct load_hist *h, int64_t us)
{
    double at = us < 1 ? 0 : log((double)us) / log(1.03);
    size_t bucket = at >= LOAD_BUCKETS ? LOAD_BUCKETS - 1 : (size_t)at;
    h->count[bucket]++;
    h->total++;
    if (us > h->max_us)
        h->max_us = us;
}

double load_hist_ms(const struct load_hist *h, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < LOAD_BUCKETS; i++) {
        seen += h->count[i];
        if ((double)seen >= share * (double)h->total && seen > 0)
            return pow(1.03, (double)i + 0.5) / 1000;
    }
    return 0;
}
