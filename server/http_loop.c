#include "server/http_loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/http_lobby.h"

enum {
    EVENTS = 64,
    LAST_ROUNDS = 1000,
    SHAKING_MAX = 256,    /* handshakes at once: with 0.2 s to the other end and back, 1,280 a second */
    SEATS_AT_ONCE = 16,   /* then those are served who are there */
    QUICK_MS = 1000,      /* another one may begin when a handshake has waited so long */
    YIELD_MS = 10000,     /* and so long, for a place */
    LOOK_AGAIN_MS = 1000, /* whether somebody wants a place */
};

struct row {
    struct http_pause *oldest, *newest;
};

struct http_loop {
    struct http_loop_config config;
    int epoll, bell;
    pthread_t thread;
    bool runs, nobody_waits; /* in the lobby, which rings when that changes */
    uint32_t inside, in_hand;
    atomic_uint shaking;
    struct row quick, slow;
    pthread_mutex_t lock;
    pthread_cond_t is_quiet;
    struct http_sleeper *basket;
    struct http_sleeper *asleep; /* the thread's alone: they, and those in the basket */
    bool stop, hush;
    bool quiet; /* the thread has seen that it is to be; it alone changes it, under the lock */
};

static void ring(struct http_loop *l)
{
    uint64_t one = 1;
    while (write(l->bell, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void http_loop_sleep(struct http_sleeper *s)
{
    struct http_loop *l = s->loop;
    s->before = NULL;
    s->after = l->asleep;
    if (s->after)
        s->after->before = s;
    l->asleep = s;
    MHD_suspend_connection(s->connection);
}

static void resume(struct http_loop *l, struct http_sleeper *s)
{
    *(s->before ? &s->before->after : &l->asleep) = s->after;
    if (s->after)
        s->after->before = s->before;
    MHD_resume_connection(s->connection);
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

static struct row *row_of(struct http_loop *l, const struct http_pause *p)
{
    return p->slow ? &l->slow : &l->quick;
}

static void add(struct row *r, struct http_pause *p)
{
    p->before = r->newest;
    p->after = NULL;
    *(r->newest ? &r->newest->after : &r->oldest) = p;
    r->newest = p;
}

static void drop(struct row *r, struct http_pause *p)
{
    *(p->before ? &p->before->after : &r->oldest) = p->after;
    *(p->after ? &p->after->before : &r->newest) = p->before;
}

void http_loop_seated(struct http_loop *l, struct http_pause *p)
{
    l->inside++;
    if (!p)
        return;
    p->counts = true;
    l->in_hand++;
    atomic_fetch_add_explicit(&l->shaking, 1, memory_order_relaxed);
}

void http_loop_shaken(struct http_loop *l, struct http_pause *p)
{
    if (!p->counts)
        return;
    p->counts = false;
    l->in_hand -= p->slow ? 0 : 1;
    atomic_fetch_sub_explicit(&l->shaking, 1, memory_order_relaxed);
}

void http_loop_left(struct http_loop *l)
{
    l->inside--;
}

uint32_t http_loop_shaking(const struct http_loop *l)
{
    return atomic_load_explicit(&l->shaking, memory_order_relaxed);
}

static void go_on(struct http_loop *l, struct http_pause *p)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, p->fd, NULL);
    drop(row_of(l, p), p);
    MHD_resume_connection(p->connection);
}

static void has_word(struct http_loop *l, struct http_ear *e)
{
    go_on(l, (struct http_pause *)(void *)e);
}

void http_loop_pause(struct http_loop *l, struct http_pause *p)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = &p->ear};
    p->ear.heard = has_word;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, p->fd, &ev) != 0)
        return; /* it spins, then */
    MHD_suspend_connection(p->connection);
    p->since_ms = clock_mono_ms();
    add(row_of(l, p), p);
}

static void end_late(struct http_loop *l, struct row *r, int64_t since_ms)
{
    while (r->oldest && r->oldest->since_ms <= since_ms) {
        r->oldest->late = true;
        go_on(l, r->oldest);
    }
}

static void let_others_begin(struct http_loop *l, int64_t since_ms)
{
    for (struct http_pause *p; (p = l->quick.oldest) && p->since_ms <= since_ms;) {
        drop(&l->quick, p);
        p->slow = true;
        l->in_hand -= p->counts ? 1 : 0;
        add(&l->slow, p);
    }
}

static bool is_full(const struct http_loop *l)
{
    return l->inside >= l->config.connections_max;
}

static void look_after_handshakes(struct http_loop *l)
{
    if (!l->quick.oldest && !l->slow.oldest)
        return;
    int64_t now_ms = clock_mono_ms();
    let_others_begin(l, now_ms - QUICK_MS);
    end_late(l, &l->quick, now_ms - l->config.pause_ms);
    end_late(l, &l->slow, now_ms - l->config.pause_ms);
    if (is_full(l) && http_lobby_guests(l->config.lobby) > 0)
        end_late(l, &l->slow, now_ms - YIELD_MS);
}

/* --- newcomers --- */

static bool may_seat(const struct http_loop *l)
{
    return !l->nobody_waits && l->in_hand < SHAKING_MAX && !is_full(l);
}

static void seat_some(struct http_loop *l)
{
    struct http_guest g;
    for (int i = 0; i < SEATS_AT_ONCE && may_seat(l); i++) {
        l->nobody_waits = !http_lobby_take(l->config.lobby, l->bell, &g);
        if (!l->nobody_waits)
            (void)l->config.seat(l->config.ctx, &g);
    }
    if (!l->nobody_waits)
        http_lobby_call(l->config.lobby);
}

/* --- who hangs up --- */

void http_loop_unwatch(struct http_loop *l, struct http_watch *w)
{
    if (w->on)
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->on = false;
}

static void hung_up(struct http_loop *l, struct http_ear *e)
{
    struct http_watch *w = (void *)e;
    http_loop_unwatch(l, w);
    atomic_store(&w->gone, true);
}

void http_loop_watch(struct http_loop *l, struct http_watch *w, int fd)
{
    struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = &w->ear};
    w->ear.heard = hung_up;
    w->fd = fd;
    w->on = epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void hear(struct http_loop *l, struct http_ear *e)
{
    e->heard(l, e);
}

/* --- the thread --- */

/* false: it is to stop. */
static bool empty_basket(struct http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct http_sleeper *s = l->basket;
    bool stop = l->stop;
    if (l->hush && !l->quiet) {
        l->quiet = true;
        pthread_cond_signal(&l->is_quiet);
    }
    l->basket = NULL;
    pthread_mutex_unlock(&l->lock);
    while (s) {
        struct http_sleeper *next = s->next; /* once resumed, it may sleep again */
        resume(l, s);
        s = next;
    }
    return !stop;
}

static int64_t sooner(int64_t wait_ms, const struct row *r, int64_t may_wait_ms, int64_t now_ms)
{
    int64_t left = r->oldest ? r->oldest->since_ms + may_wait_ms - now_ms : wait_ms;
    return left < wait_ms ? left : wait_ms;
}

static int wait_ms(const struct http_loop *l)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (may_seat(l))
        return 0;
    int64_t wait = MHD_get_timeout(l->config.daemon, &ms) != MHD_YES || ms > INT_MAX ? INT_MAX : (int64_t)ms;
    if (wait > 0 && (l->quick.oldest || l->slow.oldest)) {
        int64_t now_ms = clock_mono_ms(), pause_ms = l->config.pause_ms;
        wait = sooner(wait, &l->quick, pause_ms < QUICK_MS ? pause_ms : QUICK_MS, now_ms);
        wait = sooner(wait, &l->slow, pause_ms, now_ms);
        if (is_full(l) && l->slow.oldest && wait > LOOK_AGAIN_MS)
            wait = LOOK_AGAIN_MS;
    }
    return wait < 0 ? 0 : (int)wait;
}

static void read_bell(struct http_loop *l)
{
    uint64_t rung;
    if (read(l->bell, &rung, sizeof rung) < 0 && errno != EAGAIN)
        log_event(LOG_WARN, "https-thread", "error", "its bell cannot be read", NULL);
    l->nobody_waits = false;
}

static void look_into_lobby(struct http_loop *l)
{
    http_lobby_look(l->config.lobby);
    l->nobody_waits = false;
}

static void *run(void *arg)
{
    struct http_loop *l = arg;
    bool goes_on = true;
    while (goes_on) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(l->epoll, events, EVENTS, wait_ms(l));
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &l->bell)
                read_bell(l);
            else if (events[i].data.ptr == l->config.lobby)
                look_into_lobby(l);
            else if (events[i].data.ptr != &l->config)
                hear(l, events[i].data.ptr);
        }
        look_after_handshakes(l);
        goes_on = empty_basket(l);
        seat_some(l);
        MHD_run(l->config.daemon);
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

enum err http_loop_new(const struct http_loop_config *config, struct http_loop **ret_loop)
{
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(config->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct http_loop *l = calloc(1, sizeof *l);
    if (!l) {
        MHD_stop_daemon(config->daemon);
        return err_set(ERR_NOMEM, "no memory for the HTTPS server's threads");
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->is_quiet, NULL);
    l->config = *config;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum err e = wait_for(l, epoll ? epoll->epoll_fd : -1, &l->config);
    if (e == ERR_OK)
        e = wait_for(l, l->bell, &l->bell);
    if (e == ERR_OK)
        e = wait_for(l, http_lobby_fd(config->lobby), config->lobby);
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
    l->hush = true;
    pthread_mutex_unlock(&l->lock);
    ring(l);
    pthread_mutex_lock(&l->lock);
    while (l->runs && !l->quiet)
        pthread_cond_wait(&l->is_quiet, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

bool http_loop_is_quiet(const struct http_loop *l)
{
    return l->quiet;
}

static void end_thread(struct http_loop *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    ring(l);
    pthread_join(l->thread, NULL);
}

static void end_handshakes(struct http_loop *l)
{
    end_late(l, &l->quick, INT64_MAX);
    end_late(l, &l->slow, INT64_MAX);
}

/* What was answered leaves, as far as it goes at once; handshakes end. */
static void send_last(struct http_loop *l)
{
    struct http_sleeper *next;
    l->nobody_waits = true;
    (void)empty_basket(l);
    for (struct http_sleeper *s = l->asleep; s; s = next) {
        next = s->after;
        s->lost(s);
    }
    (void)empty_basket(l);
    for (int i = 0; i < LAST_ROUNDS; i++) {
        end_handshakes(l);
        MHD_run(l->config.daemon);
        if (!l->quick.oldest && !l->slow.oldest && wait_ms(l) != 0)
            break;
    }
    end_handshakes(l);
}

void http_loop_free(struct http_loop *l)
{
    if (!l)
        return;
    if (l->runs)
        end_thread(l);
    send_last(l);
    MHD_stop_daemon(l->config.daemon);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->bell >= 0)
        close(l->bell);
    pthread_cond_destroy(&l->is_quiet);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
