#include "server/http_loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { EVENTS = 64, LAST_ROUNDS = 1000 };

struct http_loop {
    struct MHD_Daemon *daemon;
    int epoll, bell;
    pthread_t thread;
    bool runs;
    MHD_socket listening; /* after quiescing, which makes it ours to close */
    uint32_t pause_ms;
    struct http_pause *oldest, *newest;
    pthread_mutex_t lock;
    struct http_sleeper *basket;
    bool quiesce, stop;
};

static void ring(struct http_loop *l)
{
    uint64_t one = 1;
    while (write(l->bell, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void http_loop_wake(struct http_sleeper *s)
{
    struct http_loop *l = s->loop;
    pthread_mutex_lock(&l->lock);
    bool was_empty = !l->basket;
    s->next = l->basket;
    l->basket = s;
    pthread_mutex_unlock(&l->lock);
    if (was_empty)
        ring(l);
}

/* --- handshakes --- */

void http_loop_pause(struct http_loop *l, struct http_pause *p)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = p};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, p->fd, &ev) != 0)
        return; /* it spins, then */
    MHD_suspend_connection(p->connection);
    p->until_ms = clock_mono_ms() + l->pause_ms;
    p->before = l->newest;
    p->after = NULL;
    *(l->newest ? &l->newest->after : &l->oldest) = p;
    l->newest = p;
}

static void go_on(struct http_loop *l, struct http_pause *p)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, p->fd, NULL);
    *(p->before ? &p->before->after : &l->oldest) = p->after;
    *(p->after ? &p->after->before : &l->newest) = p->before;
    MHD_resume_connection(p->connection);
}

static void end_late(struct http_loop *l, int64_t now_ms)
{
    while (l->oldest && l->oldest->until_ms <= now_ms) {
        l->oldest->late = true;
        go_on(l, l->oldest);
    }
}

/* --- the thread --- */

/* false: it is to stop. */
static bool empty_basket(struct http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct http_sleeper *s = l->basket;
    bool quiesce = l->quiesce, stop = l->stop;
    l->basket = NULL;
    l->quiesce = false;
    pthread_mutex_unlock(&l->lock);
    while (s) {
        struct http_sleeper *next = s->next; /* once resumed, it may sleep again */
        MHD_resume_connection(s->connection);
        s = next;
    }
    if (quiesce && l->listening == MHD_INVALID_SOCKET)
        l->listening = MHD_quiesce_daemon(l->daemon);
    return !stop;
}

static int wait_ms(const struct http_loop *l)
{
    MHD_UNSIGNED_LONG_LONG ms;
    int64_t wait = MHD_get_timeout(l->daemon, &ms) != MHD_YES || ms > INT_MAX ? INT_MAX : (int64_t)ms;
    if (wait > 0 && l->oldest) {
        int64_t left = l->oldest->until_ms - clock_mono_ms();
        wait = left < wait ? left : wait;
    }
    return wait < 0 ? 0 : (int)wait;
}

static void *run(void *arg)
{
    struct http_loop *l = arg;
    bool goes_on = true;
    while (goes_on) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(l->epoll, events, EVENTS, wait_ms(l));
        for (int i = 0; i < n; i++) {
            uint64_t rung;
            if (events[i].data.ptr == &l->bell) {
                if (read(l->bell, &rung, sizeof rung) < 0 && errno != EAGAIN)
                    log_event(LOG_WARN, "https-thread", "error", "its bell cannot be read", NULL);
            } else if (events[i].data.ptr != &l->daemon) {
                go_on(l, events[i].data.ptr);
            }
        }
        if (l->oldest)
            end_late(l, clock_mono_ms());
        goes_on = empty_basket(l);
        MHD_run(l->daemon);
    }
    return NULL;
}

/* --- its life --- */

static enum err wait_for(const struct http_loop *l, int fd, void *mark)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = mark};
    return l->epoll >= 0 && fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0
               ? ERR_OK
               : err_set_errno(ERR_IO, "the HTTPS server cannot wait for its connections");
}

enum err http_loop_new(struct MHD_Daemon *daemon, uint32_t pause_ms, struct http_loop **ret_loop)
{
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct http_loop *l = calloc(1, sizeof *l);
    if (!l) {
        MHD_stop_daemon(daemon);
        return err_set(ERR_NOMEM, "no memory for the HTTPS server's threads");
    }
    pthread_mutex_init(&l->lock, NULL);
    l->daemon = daemon;
    l->pause_ms = pause_ms;
    l->listening = MHD_INVALID_SOCKET;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum err e = wait_for(l, epoll ? epoll->epoll_fd : -1, &l->daemon);
    if (e == ERR_OK)
        e = wait_for(l, l->bell, &l->bell);
    if (e != ERR_OK) {
        http_loop_free(l);
        return e;
    }
    *ret_loop = l;
    return ERR_OK;
}

enum err http_loop_start(struct http_loop *l)
{
    int n = pthread_create(&l->thread, NULL, run, l);
    if (n != 0) {
        errno = n;
        return err_set_errno(ERR_IO, "a thread of the HTTPS server cannot be started");
    }
    l->runs = true;
    (void)pthread_setname_np(l->thread, "https"); /* for who looks where the time goes */
    return ERR_OK;
}

void http_loop_quiesce(struct http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->quiesce = true;
    pthread_mutex_unlock(&l->lock);
    ring(l);
}

static void end_thread(struct http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    ring(l);
    pthread_join(l->thread, NULL);
}

/* What was answered leaves, as far as it goes at once; handshakes end. */
static void send_last(struct http_loop *l)
{
    l->quiesce = true;
    (void)empty_basket(l);
    for (int i = 0; i < LAST_ROUNDS; i++) {
        end_late(l, INT64_MAX);
        MHD_run(l->daemon);
        if (!l->oldest && wait_ms(l) != 0)
            break;
    }
    end_late(l, INT64_MAX);
}

void http_loop_free(struct http_loop *l)
{
    if (!l)
        return;
    if (l->runs)
        end_thread(l);
    send_last(l);
    MHD_stop_daemon(l->daemon);
    if (l->listening != MHD_INVALID_SOCKET)
        close(l->listening);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->bell >= 0)
        close(l->bell);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
