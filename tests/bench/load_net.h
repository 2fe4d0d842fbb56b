/* load_net.h - many HTTPS connections from one thread: non-blocking OpenSSL over epoll, keep-alive, one
 * request at a time on each. Lean on purpose: what the load generator spends is missing from the server on
 * the same cores. */
#ifndef TESTS_BENCH_LOAD_NET_H
#define TESTS_BENCH_LOAD_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"

enum load_state { LOAD_CLOSED, LOAD_CONNECTING, LOAD_HANDSHAKE, LOAD_IDLE, LOAD_WRITING, LOAD_READING };

struct load_net;
struct load_conn {
    struct load_net *net;
    int fd;
    SSL *ssl;
    SSL_SESSION *session; /* for resumption, when net->resume */
    enum load_state state;
    bool want_write;
    bool again; /* a request waits for the connection to be ready */
    uint32_t index;
    struct buf out, in;
    size_t out_done;
    size_t head_len; /* bytes of the reply's head, 0 until it is complete */
    size_t body_len;
    int status;
    int retry_after_s; /* -1: no such header */
    bool closing;      /* the server said that it closes the connection */
    int64_t sent_us;
    void *user;
};

struct load_reply {
    int status;
    int retry_after_s;
    const char *body;
    size_t len;
    int64_t took_us;
};

struct load_net {
    SSL_CTX *ctx;
    int epfd;
    struct sockaddr_in to;
    bool resume;
    bool close_each; /* a new connection for each request */
    uint32_t conn_count;
    struct load_conn *conns;
    uint64_t handshakes, resumed, broken;
    void (*on_reply)(struct load_conn *c, const struct load_reply *reply);
    void (*on_broken)(struct load_conn *c, const char *why);
    void *user;
};

bool load_net_init(struct load_net *n, const char *address, uint16_t port, uint32_t conns, bool resume);
void load_net_done(struct load_net *n);
/* Sends what stands in c->out (fill it first), connecting first where needed. */
void load_send(struct load_conn *c);
void load_close(struct load_conn *c);
void load_poll(struct load_net *n, int timeout_ms);
int64_t load_now_us(void);

/* Latency counts in buckets about 3 % wide. */
#define LOAD_BUCKETS 1024
struct load_hist {
    uint64_t count[LOAD_BUCKETS];
    uint64_t total;
    int64_t max_us;
};
void load_hist_add(struct load_hist *h, int64_t us);
double load_hist_ms(const struct load_hist *h, double share);

#endif
