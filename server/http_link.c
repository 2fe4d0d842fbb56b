#include "server/http_link.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    AHEAD_BYTES = 1024, /* most requests; more is read straight to where it belongs */
    HELD_BYTES = 512,   /* most heads of replies */
    PARTS_MAX = 32      /* of one send; the rest is sent by the next */
};

struct http_link {
    int fd;
    bool more;
    uint16_t used, have, held_from, held_to;
    char ahead[AHEAD_BYTES];
    char held[HELD_BYTES]; /* counts as sent; goes out in front of what is sent next */
};

/* Never asks the kernel when something is here already: what comes later wakes the thread again, because
 * libmicrohttpd reads on until it is told that there is nothing. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *bytes, size_t len)
{
    struct http_link *l = ptr;
    if (l->used == l->have) {
        if (len >= AHEAD_BYTES)
            return recv(l->fd, bytes, len, 0);
        ssize_t got = recv(l->fd, l->ahead, AHEAD_BYTES, 0);
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

static ssize_t push_held(struct http_link *l, const giovec_t *parts, int wanted)
{
    int count = wanted < PARTS_MAX ? wanted : PARTS_MAX;
    struct iovec all[PARTS_MAX + 1] = {{l->held + l->held_from, l->held_to - l->held_from}};
    struct msghdr m = {.msg_iov = all, .msg_iovlen = (size_t)count + 1};
    size_t before = all[0].iov_len;
    memcpy(all + 1, parts, (size_t)count * sizeof *parts);
    ssize_t sent = sendmsg(l->fd, &m, MSG_NOSIGNAL);
    if (sent < 0)
        return sent;
    if ((size_t)sent <= before) {
        l->held_from = (uint16_t)(l->held_from + sent);
        errno = EAGAIN;
        return -1;
    }
    l->held_from = l->held_to = 0;
    return sent - (ssize_t)before;
}

static bool hold(struct http_link *l, const giovec_t *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    if (len > HELD_BYTES)
        return false;
    for (int i = 0; i < count; i++) {
        memcpy(l->held + l->held_to, parts[i].iov_base, parts[i].iov_len);
        l->held_to = (uint16_t)(l->held_to + parts[i].iov_len);
    }
    return true;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
    struct http_link *l = ptr;
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    bool more = l->more;
    l->more = false;
    if (l->held_to > 0)
        return push_held(l, parts, count);
    if (more && hold(l, parts, count))
        return l->held_to;
    return sendmsg(l->fd, &m, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

struct http_link *http_link_new(gnutls_session_t session, int fd)
{
    struct http_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->fd = fd;
    gnutls_transport_set_ptr(session, l);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
    return l;
}

void http_link_free(struct http_link *l)
{
    free(l);
}

void http_link_more(struct http_link *l)
{
    l->more = true;
}
