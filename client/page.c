/* page.c - see page.h: the socket and its callers. One request a connection, all limits small. */
#include "client/page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/page_api.h"

enum {
    CALLER_MS = 5000,            /* to say all it wants; a browser on this computer needs no millisecond */
    LINGER_MS = 1000,            /* for the other side to have read the answer */
    UNSEEN_MS = 15 * 60 * 1000,  /* nobody looks: no port is open any more */
    REPLY_BYTES_MAX = 128 << 10, /* fits into the socket's buffer, so that sending never waits */
    SEND_ROOM = 256 << 10
};

/* The page runs nothing but its own files, is in no frame, and talks to nobody else. */
static const char headers[] =
    "Content-Security-Policy: default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n";

struct caller {
    int fd; /* 0: free */
    bool answered;
    int64_t until_ms;
    char *text; /* of PAGE_HEAD_BYTES_MAX + PAGE_BODY_BYTES_MAX + 1 */
    size_t len;
};

struct page {
    int fd; /* -1: off */
    uint16_t port;
    char key[PAGE_KEY_BYTES];
    int64_t seen_ms;
    struct caller callers[PAGE_CALLERS_MAX];
};

enum { TEXT_ROOM = PAGE_HEAD_BYTES_MAX + PAGE_BODY_BYTES_MAX + 1 };

enum err page_new(struct page **ret)
{
    struct page *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(ERR_NOMEM, "out of memory");
    p->fd = -1;
    *ret = p;
    return ERR_OK;
}

static void hang_up(struct caller *c)
{
    if (c->fd > 0)
        close(c->fd);
    free(c->text);
    *c = (struct caller){0};
}

static void shut(struct page *p)
{
    for (int i = 0; i < PAGE_CALLERS_MAX; i++)
        hang_up(&p->callers[i]);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    explicit_bzero(p->key, sizeof p->key);
}

void page_free(struct page *p)
{
    if (!p)
        return;
    shut(p);
    free(p);
}

static enum err listen_here(struct page *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(p->fd, PAGE_CALLERS_MAX) != 0 || getsockname(p->fd, (struct sockaddr *)&at, &len) != 0) {
        enum err e = err_set_errno(ERR_IO, "cannot serve the page on 127.0.0.1");
        if (p->fd >= 0)
            close(p->fd);
        p->fd = -1;
        return e;
    }
    p->port = ntohs(at.sin_port);
    return ERR_OK;
}

enum err page_open(struct page *p, char ret_link[PAGE_LINK_BYTES])
{
    uint8_t bytes[(PAGE_KEY_BYTES - 1) / 2];
    if (p->fd < 0) {
        enum err e = listen_here(p);
        if (e != ERR_OK)
            return e;
        rand_bytes(bytes, sizeof bytes);
        str_hex(bytes, sizeof bytes, p->key);
        explicit_bzero(bytes, sizeof bytes);
        log_event(LOG_INFO, "page", "port", log_i64(p->port), NULL);
    }
    p->seen_ms = clock_mono_ms();
    snprintf(ret_link, PAGE_LINK_BYTES, "http://127.0.0.1:%u/#k=%s", p->port, p->key);
    return ERR_OK;
}

uint32_t page_fds(const struct page *p, int ret[PAGE_FDS_MAX])
{
    uint32_t n = 0;
    if (p->fd < 0)
        return 0;
    for (int i = 0; i < PAGE_CALLERS_MAX; i++)
        if (p->callers[i].fd)
            ret[n++] = p->callers[i].fd;
    if (n < PAGE_CALLERS_MAX) /* else who comes waits for a place */
        ret[n++] = p->fd;
    return n;
}

int page_wait_ms(const struct page *p)
{
    int64_t until = p->seen_ms + UNSEEN_MS;
    if (p->fd < 0)
        return -1;
    for (int i = 0; i < PAGE_CALLERS_MAX; i++)
        if (p->callers[i].fd && p->callers[i].until_ms < until)
            until = p->callers[i].until_ms;
    int64_t left = until - clock_mono_ms();
    return left > 0 ? (int)left : 0;
}

/* --- answers */

static const char *reason_of(int status)
{
    return status == 200 ? "OK" : "Refused";
}

/* Who does not read it fast enough asks again. */
static void send_reply(struct caller *c, const struct page_reply *r)
{
    char head[1024];
    const void *body = r->file ? r->file : buf_text(&r->body);
    size_t len = r->file ? r->file_len : r->body.len;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                     r->status, reason_of(r->status), r->content_type, len, headers);
    struct iovec parts[] = {{head, (size_t)n}, {(void *)(uintptr_t)body, len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    (void)!sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(c->fd, SHUT_WR);
    free(c->text);
    c->text = NULL;
    c->answered = true;
    c->until_ms = clock_mono_ms() + LINGER_MS;
}

static enum err sentence_of(int status)
{
    switch (status) {
    case 401:
        return err_set(ERR_AUTH, "this link is not valid any more: dugnad-client page gives a new one");
    case 403:
        return err_set(ERR_DENIED, "only this page may ask, at the address that dugnad-client page gives");
    case 405:
        return err_set(ERR_INVALID, "only GET, and POST below /v1/, are known here");
    case 408:
        return err_set(ERR_TIMEOUT, "the request did not come to its end");
    case 413:
    case 431:
        return err_set(ERR_LIMIT, "the request is too large");
    default:
        return err_set(ERR_INVALID, "this is no request that the page makes");
    }
}

static void refuse(struct caller *c, int status)
{
    struct page_reply reply = {0};
    page_refuse(status, sentence_of(status), &reply);
    send_reply(c, &reply);
    buf_done(&reply.body);
}

static void answer(struct page *p, struct caller *c, const struct page_request *r, struct house *h)
{
    struct page_reply reply = {.body.bytes_max = REPLY_BYTES_MAX};
    int status = page_http_admit(r, p->port, p->key);
    if (status != 200) {
        refuse(c, status);
        return;
    }
    p->seen_ms = clock_mono_ms();
    page_answer(r, c->text + r->head_len, h, &reply);
    send_reply(c, &reply);
    buf_done(&reply.body);
}

/* After the answer: what still comes is dropped, so that closing does not cut the answer off. */
static void drain(struct caller *c)
{
    char unread[4096];
    ssize_t got;
    while ((got = recv(c->fd, unread, sizeof unread, MSG_DONTWAIT)) > 0)
        continue;
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        hang_up(c);
}

static void listen_to(struct page *p, struct caller *c, struct house *h)
{
    struct page_request r;
    if (c->answered) {
        drain(c);
        return;
    }
    ssize_t got = recv(c->fd, c->text + c->len, TEXT_ROOM - c->len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        hang_up(c);
        return;
    }
    c->len += (size_t)got;
    int status = page_http_read(c->text, c->len, &r);
    if (status == 200)
        answer(p, c, &r, h);
    else if (status != 0)
        refuse(c, status);
}

static void take(struct page *p, int64_t now_ms)
{
    int room = SEND_ROOM;
    for (int i = 0; i < PAGE_CALLERS_MAX; i++) {
        struct caller *c = &p->callers[i];
        if (c->fd)
            continue;
        int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        (void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        *c = (struct caller){.fd = fd, .until_ms = now_ms + CALLER_MS, .text = malloc(TEXT_ROOM)};
        if (!c->text)
            hang_up(c);
    }
}

void page_turn(struct page *p, struct house *h)
{
    int64_t now_ms = clock_mono_ms();
    if (p->fd < 0)
        return;
    take(p, now_ms);
    for (int i = 0; i < PAGE_CALLERS_MAX; i++) {
        struct caller *c = &p->callers[i];
        if (c->fd)
            listen_to(p, c, h);
        if (c->fd && now_ms >= c->until_ms && !c->answered)
            refuse(c, 408);
        else if (c->fd && now_ms >= c->until_ms)
            hang_up(c);
    }
    if (now_ms >= p->seen_ms + UNSEEN_MS) {
        log_event(LOG_INFO, "page", "state", "off: nobody looks", NULL);
        shut(p);
    }
}
