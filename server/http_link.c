#include "server/http_link.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
    AHEAD_BYTES = 1024,   /* most requests; more is read straight to where it belongs */
    HANDSHAKE_MS = 300000 /* with all its pauses: in a crowd both ends are slow */
};

struct http_link {
    struct http_loop *loop;
    struct http_certificate *certificate;
    struct http_pause pause;
    int64_t begun_ms;
    int fd;
    bool shaken, more;
    uint16_t used, have;
    char ahead[AHEAD_BYTES];
};

static int on_finished(gnutls_session_t session, unsigned type, unsigned post, unsigned incoming,
                       const gnutls_datum_t *message)
{
    struct http_link *l = gnutls_transport_get_ptr(session);
    (void)type;
    (void)post;
    (void)message;
    if (incoming != 0 && !l->shaken) { /* the last word of a handshake is the client's */
        l->shaken = true;
        http_loop_shaken(l->loop, &l->pause);
    }
    return 0;
}

static ssize_t take(struct http_link *l, void *bytes, size_t len)
{
    ssize_t got = recv(l->fd, bytes, len, 0);
    if (got > 0)
        l->pause.late = false;
    if (got >= 0 || l->shaken || (errno != EAGAIN && errno != EWOULDBLOCK))
        return got;
    if (l->pause.late || clock_mono_ms() - l->begun_ms > HANDSHAKE_MS) {
        errno = ETIMEDOUT;
        return -1;
    }
    http_loop_pause(l->loop, &l->pause);
    errno = EAGAIN;
    return -1;
}

/* Never asks the kernel when something is here already: what comes later wakes the thread again, because
 * libmicrohttpd reads on until it is told that there is nothing. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *bytes, size_t len)
{
    struct http_link *l = ptr;
    if (l->used == l->have) {
        if (len >= AHEAD_BYTES)
            return take(l, bytes, len);
        ssize_t got = take(l, l->ahead, AHEAD_BYTES);
        if (got <= 0)
            return got;
        l->used = 0;
        l->have = (uint16_t)got;
    }
    size_t n = len < (size_t)(l->have - l->used) ? len : (size_t)(l->have - l->used);
    memcpy(bytes, l->ahead + l->used, n);
    l->used = (uint16_t)(l->used + n);
    return (ssize_t)n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
    struct http_link *l = ptr;
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    int more = l->more ? MSG_MORE : 0;
    l->more = false;
    return sendmsg(l->fd, &m, MSG_NOSIGNAL | more);
}

struct http_link *http_link_new(gnutls_session_t session, int fd, struct MHD_Connection *c,
                                struct http_loop *loop, struct http_certificate *certificate)
{
    struct http_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->fd = fd;
    l->loop = loop;
    l->certificate = http_certificate_hold(certificate);
    l->pause = (struct http_pause){.connection = c, .fd = fd};
    l->begun_ms = clock_mono_ms();
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
    http_certificate_show(certificate, session);
    gnutls_transport_set_ptr(session, l);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
    return l;
}

void http_link_free(struct http_link *l)
{
    if (!l)
        return;
    http_loop_shaken(l->loop, &l->pause);
    http_certificate_drop(l->certificate);
    free(l);
}

struct http_pause *http_link_pause(struct http_link *l)
{
    return l ? &l->pause : NULL;
}

void http_link_more(struct http_link *l)
{
    l->more = true;
}
