#include "server/http_link.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { AHEAD_BYTES = 1024 }; /* most requests; more is read straight to where it belongs */

struct http_link {
    int fd;
    bool more;
    uint16_t used, have;
    char ahead[AHEAD_BYTES];
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

static ssize_t push(gnutls_transport_ptr_t ptr, const giovec_t *parts, int count)
{
    struct http_link *l = ptr;
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    int more = l->more ? MSG_MORE : 0;
    l->more = false;
    return sendmsg(l->fd, &m, MSG_NOSIGNAL | more);
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
