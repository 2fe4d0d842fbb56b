#include "server/http_lobby.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    EVENTS = 64,
    ACCEPTS = 256,              /* in one turn */
    REST_MS = 50,               /* when there is no place, or no file for one */
    TICK_MS = 1000,             /* those who say nothing are looked at */
    SILENT_AT_LEAST_MS = 10000, /* whoever says nothing may be sent away for another one after that */
    LONG_MS = 500,
    COMPLAIN_EVERY_MS = 60000,
    OTHERS_EVERY = 4 /* guests, one is of those who do not go ahead */
};

struct guest {
    struct http_guest is;
    int64_t since_ms;
    struct guest *before, *after;
};

struct row {
    struct guest *first, *last;
};

struct http_lobby {
    struct http_lobby_config config;
    int epoll, timer;
    atomic_uint guests;
    pthread_mutex_t lock; /* of all below */
    struct row ahead, others, silent;
    bool watches, closed;
    int tick_ms; /* 0: no ticks */
    int64_t rest_until_ms, complained_ms;
    uint32_t taken, bell_count;
    int bells[]; /* of those who found nobody */
};

/* --- rows --- */

static void add(struct row *r, struct guest *g)
{
    g->before = r->last;
    g->after = NULL;
    *(r->last ? &r->last->after : &r->first) = g;
    r->last = g;
}

static void drop(struct row *r, struct guest *g)
{
    *(g->before ? &g->before->after : &r->first) = g->after;
    *(g->after ? &g->after->before : &r->last) = g->before;
}

static void send_away(struct http_lobby *l, struct guest *g)
{
    close(g->is.fd);
    atomic_fetch_sub(&l->guests, 1); /* first: guests are never more than are inside */
    http_door_left(l->config.door, &g->is.from.any);
    free(g);
}

static void send_all_away(struct http_lobby *l, struct row *r)
{
    for (struct guest *g; (g = r->first);) {
        drop(r, g);
        send_away(l, g);
    }
}

/* --- those who have spoken --- */

static void queue(struct http_lobby *l, struct guest *g)
{
    add(http_door_knows(l->config.door, &g->is.from.any) ? &l->ahead : &l->others, g);
}

static struct guest *next_guest(struct http_lobby *l)
{
    bool others = !l->ahead.first || (l->others.first && l->taken % OTHERS_EVERY == OTHERS_EVERY - 1);
    struct row *r = others ? &l->others : &l->ahead;
    struct guest *g = r->first;
    if (g) {
        drop(r, g);
        l->taken++;
    }
    return g;
}

static struct guest *next_or_bell(struct http_lobby *l, int bell)
{
    pthread_mutex_lock(&l->lock);
    struct guest *g = next_guest(l);
    bool listed = g || l->closed || l->bell_count == l->config.threads;
    for (uint32_t i = 0; i < l->bell_count; i++)
        listed |= l->bells[i] == bell;
    if (!listed)
        l->bells[l->bell_count++] = bell;
    pthread_mutex_unlock(&l->lock);
    return g;
}

/* After a long wait, many have: a handshake with them would be for nothing. */
static bool has_gone(const struct guest *g)
{
    struct pollfd p = {.fd = g->is.fd, .events = POLLRDHUP};
    return clock_mono_ms() - g->since_ms > LONG_MS && poll(&p, 1, 0) > 0;
}

bool http_lobby_take(struct http_lobby *l, int bell, struct http_guest *ret)
{
    for (struct guest *g; (g = next_or_bell(l, bell));) {
        if (has_gone(g)) {
            send_away(l, g);
            continue;
        }
        *ret = g->is;
        free(g);
        atomic_fetch_sub(&l->guests, 1);
        return true;
    }
    return false;
}

void http_lobby_call(struct http_lobby *l)
{
    uint64_t one = 1;
    pthread_mutex_lock(&l->lock);
    if (l->bell_count > 0 && (l->ahead.first || l->others.first)) {
        while (write(l->bells[0], &one, sizeof one) < 0 && errno == EINTR)
            ;
        memmove(l->bells, l->bells + 1, --l->bell_count * sizeof *l->bells);
    }
    pthread_mutex_unlock(&l->lock);
}

uint32_t http_lobby_guests(const struct http_lobby *l)
{
    return atomic_load_explicit(&l->guests, memory_order_relaxed);
}

/* --- those who have not --- */

static void tick(struct http_lobby *l, int every_ms)
{
    struct timespec every = {.tv_sec = every_ms / 1000, .tv_nsec = every_ms % 1000 * 1000000L};
    struct itimerspec timer = {.it_value = every, .it_interval = every};
    if (l->tick_ms != every_ms && timerfd_settime(l->timer, 0, &timer, NULL) == 0)
        l->tick_ms = every_ms;
}

static void watch_silent(struct http_lobby *l, struct guest *g)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = g};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, g->is.fd, &ev) == 0)
        add(&l->silent, g);
    else
        send_away(l, g);
    if (l->tick_ms == 0)
        tick(l, TICK_MS);
}

/* By hand: closed, it would still be heard while a process that was just copied from this one has it open. */
static void unwatch(struct http_lobby *l, struct guest *g)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, g->is.fd, NULL);
    drop(&l->silent, g);
}

static void take_in(struct http_lobby *l, struct guest *g)
{
    char first;
    ssize_t got = recv(g->is.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0)
        queue(l, g);
    else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        watch_silent(l, g);
    else
        send_away(l, g);
}

static void hear(struct http_lobby *l, struct guest *g, uint32_t events)
{
    unwatch(l, g);
    if (events == EPOLLIN)
        queue(l, g);
    else
        send_away(l, g);
}

static bool is_full(const struct http_lobby *l)
{
    return http_door_inside(l->config.door) >= l->config.inside_max;
}

static void end_silent(struct http_lobby *l, int64_t now_ms)
{
    int64_t may_ms = l->config.silent_ms;
    if (is_full(l) && may_ms > SILENT_AT_LEAST_MS)
        may_ms = SILENT_AT_LEAST_MS;
    for (struct guest *g; (g = l->silent.first) && now_ms - g->since_ms >= may_ms;) {
        unwatch(l, g);
        send_away(l, g);
    }
}

/* --- the door --- */

static void watch_door(struct http_lobby *l, bool watches)
{
    struct epoll_event ev = {.events = watches ? EPOLLIN : 0, .data.ptr = &l->config};
    if (l->watches != watches && epoll_ctl(l->epoll, EPOLL_CTL_MOD, http_door_fd(l->config.door), &ev) == 0)
        l->watches = watches;
}

static void complain(struct http_lobby *l, int trouble, int64_t now_ms)
{
    if (l->complained_ms && now_ms - l->complained_ms < COMPLAIN_EVERY_MS)
        return;
    l->complained_ms = now_ms;
    log_event(LOG_WARN, "newcomers-wait", "err", strerror(trouble), "todo",
              "allow more open files (LimitNOFILE), or set fewer connections", NULL);
}

static void rest(struct http_lobby *l, int64_t now_ms)
{
    l->rest_until_ms = now_ms + REST_MS;
    watch_door(l, false);
    tick(l, REST_MS);
}

/* false: nobody is there, or nobody can be taken. */
static bool goes_on_after(struct http_lobby *l, int trouble, int64_t now_ms)
{
    if (trouble == EAGAIN || trouble == EWOULDBLOCK)
        return false;
    if (trouble == EINTR || trouble == ECONNABORTED || trouble == EPROTO || trouble == EPERM)
        return true; /* who came has left, or may not come */
    complain(l, trouble, now_ms);
    rest(l, now_ms);
    return false;
}

static bool take_one(struct http_lobby *l, int64_t now_ms)
{
    struct http_guest is = {.from_len = sizeof is.from};
    is.fd = accept4(http_door_fd(l->config.door), &is.from.any, &is.from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (is.fd < 0)
        return goes_on_after(l, errno, now_ms);
    struct guest *g = http_door_may_enter(l->config.door, &is.from.any) ? calloc(1, sizeof *g) : NULL;
    if (!g) {
        close(is.fd);
        return true;
    }
    g->is = is;
    g->since_ms = now_ms;
    http_door_entered(l->config.door, &is.from.any);
    atomic_fetch_add(&l->guests, 1);
    take_in(l, g);
    return true;
}

static void take_some(struct http_lobby *l)
{
    int64_t now_ms = clock_mono_ms();
    for (int i = 0; i < ACCEPTS; i++) {
        if (is_full(l)) {
            rest(l, now_ms);
            return;
        }
        if (!take_one(l, now_ms))
            return;
    }
}

/* --- looking after them --- */

static void on_tick(struct http_lobby *l)
{
    uint64_t ticks;
    int64_t now_ms = clock_mono_ms();
    if (read(l->timer, &ticks, sizeof ticks) < 0)
        return;
    end_silent(l, now_ms);
    watch_door(l, now_ms >= l->rest_until_ms);
    if (l->watches)
        tick(l, l->silent.first ? TICK_MS : 0);
}

void http_lobby_look(struct http_lobby *l)
{
    struct epoll_event events[EVENTS];
    bool ticked = false;
    pthread_mutex_lock(&l->lock);
    int n = l->closed ? 0 : epoll_wait(l->epoll, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &l->config)
            take_some(l);
        else if (events[i].data.ptr == &l->timer)
            ticked = true;
        else
            hear(l, events[i].data.ptr, events[i].events);
    }
    if (ticked) /* after them: it may send away whom they name */
        on_tick(l);
    pthread_mutex_unlock(&l->lock);
}

int http_lobby_fd(const struct http_lobby *l)
{
    return l->epoll;
}

/* --- its life --- */

static enum err wait_for(const struct http_lobby *l, int fd, uint32_t events, void *mark)
{
    struct epoll_event ev = {.events = events, .data.ptr = mark};
    return l->epoll >= 0 && fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0
               ? ERR_OK
               : err_set_errno(ERR_IO, "the HTTPS server cannot wait for newcomers");
}

enum err http_lobby_new(const struct http_lobby_config *config, struct http_lobby **ret_lobby)
{
    struct http_lobby *l = calloc(1, sizeof *l + config->threads * sizeof *l->bells);
    if (!l)
        return err_set(ERR_NOMEM, "no memory for newcomers of the HTTPS server");
    l->config = *config;
    pthread_mutex_init(&l->lock, NULL);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    enum err e = wait_for(l, http_door_fd(config->door), 0, &l->config);
    if (e == ERR_OK)
        e = wait_for(l, l->timer, EPOLLIN, &l->timer);
    if (e != ERR_OK) {
        http_lobby_free(l);
        return e;
    }
    *ret_lobby = l;
    return ERR_OK;
}

void http_lobby_open(struct http_lobby *l)
{
    pthread_mutex_lock(&l->lock);
    watch_door(l, true);
    pthread_mutex_unlock(&l->lock);
}

void http_lobby_close(struct http_lobby *l)
{
    pthread_mutex_lock(&l->lock);
    watch_door(l, false);
    tick(l, 0);
    l->closed = true;
    l->bell_count = 0;
    send_all_away(l, &l->silent);
    send_all_away(l, &l->ahead);
    send_all_away(l, &l->others);
    pthread_mutex_unlock(&l->lock);
}

void http_lobby_free(struct http_lobby *l)
{
    if (!l)
        return;
    http_lobby_close(l);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->timer >= 0)
        close(l->timer);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
