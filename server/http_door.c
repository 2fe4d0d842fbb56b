#include "server/http_door.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "server/try.h"

/* Counts of addresses that fall together are added up: with as many places as this, a crowd and a stranger
 * hardly ever do, and no stranger can arrange it. */
enum {
    PLACE_BITS = 16,
    PLACES = 1 << PLACE_BITS,
    BACKLOG = 65535, /* as many as the kernel lets wait (net.core.somaxconn): the first word of who finds no
                       place is lost */
    KNOWN_BITS = 10,
    KNOWN_S = 3600
};

struct http_door {
    int fd;
    uint16_t port;
    uint32_t per_address_max;
    uint64_t seed;
    atomic_uint inside;
    atomic_uint of_address[PLACES];
    atomic_uint_least64_t known[1 << KNOWN_BITS]; /* an address's other bits, and when, in seconds */
};

static enum err address_of(const char *address, uint16_t port, struct sockaddr_storage *ret,
                           socklen_t *ret_len)
{
    struct sockaddr_in *a = (void *)ret;
    struct sockaddr_in6 *a6 = (void *)ret;
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, address, &a->sin_addr) == 1) {
        a->sin_family = AF_INET;
        a->sin_port = htons(port);
        *ret_len = sizeof *a;
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, address, &a6->sin6_addr) == 1) {
        a6->sin6_family = AF_INET6;
        a6->sin6_port = htons(port);
        *ret_len = sizeof *a6;
        return ERR_OK;
    }
    return err_set(ERR_INVALID,
                   "\"%s\" is no IP address to listen at: use for example 0.0.0.0, :: or 127.0.0.1", address);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return 0;
    return ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                           : ((struct sockaddr_in *)&own)->sin_port);
}

static enum err listen_at(struct http_door *d, const char *address, uint16_t port)
{
    struct sockaddr_storage at;
    socklen_t len = 0;
    int on = 1, off = 0;
    TRY(address_of(address, port, &at, &len));
    d->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0)
        return err_set_errno(ERR_IO, "a socket to listen at %s", address);
    (void)setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.ss_family == AF_INET6) /* :: is every address, IPv4 too */
        (void)setsockopt(d->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    (void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* its connections inherit it */
    if (bind(d->fd, (struct sockaddr *)&at, len) != 0 || listen(d->fd, BACKLOG) != 0)
        return err_set_errno(ERR_IO, "cannot serve HTTPS at %s port %u (is another program listening there?)",
                             address, port);
    d->port = port_of(d->fd);
    return ERR_OK;
}

enum err http_door_open(const char *address, uint16_t port, uint32_t connections_per_address_max,
                        struct http_door **ret_door)
{
    struct http_door *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(ERR_NOMEM, "no memory for the HTTPS server's door");
    d->fd = -1;
    d->per_address_max = connections_per_address_max;
    rand_bytes(&d->seed, sizeof d->seed);
    enum err e = listen_at(d, address, port);
    if (e != ERR_OK) {
        http_door_close(d);
        return e;
    }
    *ret_door = d;
    return ERR_OK;
}

void http_door_close(struct http_door *d)
{
    if (!d)
        return;
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

uint16_t http_door_port(const struct http_door *d)
{
    return d->port;
}

int http_door_fd(const struct http_door *d)
{
    return d->fd;
}

uint32_t http_door_inside(const struct http_door *d)
{
    return atomic_load_explicit(&d->inside, memory_order_relaxed);
}

static uint64_t mixed(const struct http_door *d, const struct sockaddr *from)
{
    const struct sockaddr_in6 *a6 = (const void *)from;
    uint64_t bits = 0;
    if (from->sa_family == AF_INET)
        bits = ((const struct sockaddr_in *)(const void *)from)->sin_addr.s_addr;
    else if (from->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a6->sin6_addr))
        memcpy(&bits, &a6->sin6_addr.s6_addr[12], 4);
    else if (from->sa_family == AF_INET6)
        memcpy(&bits, &a6->sin6_addr, sizeof bits);
    uint64_t mix = (bits ^ d->seed) * 0x9e3779b97f4a7c15u;
    return (mix ^ mix >> 32) * (d->seed | 1);
}

static atomic_uint *count_of(struct http_door *d, const struct sockaddr *from)
{
    return &d->of_address[mixed(d, from) >> (64 - PLACE_BITS)];
}

bool http_door_may_enter(struct http_door *d, const struct sockaddr *from)
{
    return !d->per_address_max || atomic_load(count_of(d, from)) < d->per_address_max;
}

bool http_door_is_half_full(struct http_door *d, const struct sockaddr *from)
{
    return d->per_address_max && atomic_load(count_of(d, from)) > d->per_address_max / 2;
}

void http_door_entered(struct http_door *d, const struct sockaddr *from)
{
    atomic_fetch_add(count_of(d, from), 1);
    atomic_fetch_add(&d->inside, 1);
}

void http_door_left(struct http_door *d, const struct sockaddr *from)
{
    atomic_fetch_sub(count_of(d, from), 1);
    atomic_fetch_sub(&d->inside, 1);
}

/* A place is an address's first bits, its content the next 32: whoever came there before is forgotten. */
static uint32_t known_place(uint64_t mix)
{
    return (uint32_t)(mix >> (64 - KNOWN_BITS));
}

static uint32_t known_tag(uint64_t mix)
{
    return (uint32_t)(mix >> (32 - KNOWN_BITS));
}

void http_door_remember(struct http_door *d, const struct sockaddr *from)
{
    uint64_t mix = mixed(d, from), now_s = (uint64_t)clock_mono_ms() / 1000;
    uint64_t known = (uint64_t)known_tag(mix) << 32 | (now_s & UINT32_MAX);
    atomic_uint_least64_t *place = &d->known[known_place(mix)];
    if (atomic_load_explicit(place, memory_order_relaxed) != known)
        atomic_store_explicit(place, known, memory_order_relaxed);
}

bool http_door_knows(const struct http_door *d, const struct sockaddr *from)
{
    uint64_t mix = mixed(d, from), now_s = (uint64_t)clock_mono_ms() / 1000;
    uint64_t known = atomic_load_explicit(&d->known[known_place(mix)], memory_order_relaxed);
    return known && known >> 32 == known_tag(mix) && now_s - (known & UINT32_MAX) < KNOWN_S;
}
