/* http_loop.h - one thread that speaks HTTPS: a libmicrohttpd without a thread of its own, and what wakes it.
 *
 * Connections that wait for an answer are woken from any thread. libmicrohttpd's own way asks the kernel to
 * wake its thread for each of them; here they are put into a basket, and only the first into an empty one
 * rings.
 *
 * Only some hundred handshakes are in progress at once, so that one is over soon after it was begun, and so
 * that what is suspended stays few: libmicrohttpd looks through all that is, each time when one goes on. One
 * whose other end is slow does not count, so that who says nothing more keeps nobody out; when there is no
 * place left, the slowest is given up for whoever waits. */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct http_loop;
struct http_lobby;
struct http_guest;

/* A suspended connection; part of what belongs to the connection. */
struct http_sleeper {
    struct http_loop *loop;
    struct MHD_Connection *connection;
    void (*lost)(struct http_sleeper *s); /* the loop ends and nobody has woken it: wakes it with an answer */
    struct http_sleeper *next;            /* in the basket */
    struct http_sleeper *before, *after;  /* of those that sleep */
};

/* What hears of a socket; the first member of it. */
struct http_ear {
    void (*heard)(struct http_loop *l, struct http_ear *e);
};

/* A connection from its first word until its handshake is over; part of it, zeroed at first. */
struct http_pause {
    struct http_ear ear;
    struct MHD_Connection *connection;
    int fd;
    bool counts; /* as a handshake in progress */
    bool slow;
    bool late; /* the other end has not said a word for too long */
    int64_t since_ms;
    struct http_pause *before, *after;
};

/* A request whose connection is suspended for long: has the other end hung up? Zeroed at first. */
struct http_watch {
    struct http_ear ear;
    int fd;
    bool on;
    atomic_bool gone;
};

struct http_loop_config {
    struct MHD_Daemon *daemon; /* started with MHD_USE_EPOLL, without a thread, without a listening socket */
    struct http_lobby *lobby;
    uint32_t connections_max;
    uint32_t pause_ms; /* how long a handshake waits for the other end's next word */
    /* Puts the guest, who is taken over, into the daemon; false: it was closed. */
    bool (*seat)(void *ctx, const struct http_guest *g);
    void *ctx;
};

/* The daemon is the loop's from now on, also on failure. */
enum err http_loop_new(const struct http_loop_config *config, struct http_loop **ret_loop) NODISCARD;
enum err http_loop_start(struct http_loop *l) NODISCARD;
/* From its return on the thread is in no handler and http_loop_is_quiet(). */
void http_loop_quiesce(struct http_loop *l);
bool http_loop_is_quiet(const struct http_loop *l); /* on its thread */
/* Sends what was answered until now, then ends thread and connections; who sleeps still is lost
 * (libmicrohttpd aborts the program otherwise). Nobody may wake a connection any more, and the lobby is
 * closed. */
void http_loop_free(struct http_loop *l);
uint32_t http_loop_shaking(const struct http_loop *l); /* handshakes in progress, the slow ones too */
/* What MHD_suspend_connection() is otherwise, on its thread, and MHD_resume_connection(), on any: once for
 * each time the connection was suspended. */
void http_loop_sleep(struct http_sleeper *s);
void http_loop_wake(struct http_sleeper *s);
/* On its thread, of each connection: when it is there, when its handshake is done (or it ends before), when
 * it ends. */
void http_loop_seated(struct http_loop *l, struct http_pause *p);
void http_loop_shaken(struct http_loop *l, struct http_pause *p);
void http_loop_left(struct http_loop *l);
/* On its thread, while the connection is served: until there is something to read, or too late. libmicrohttpd
 * by itself spins through a handshake: it asks for the other end's next word again and again, for each
 * connection of a crowd in each of its rounds. */
void http_loop_pause(struct http_loop *l, struct http_pause *p);
/* On its thread. Until unwatch, or until the other end has hung up; what is not watched may be unwatched. */
void http_loop_watch(struct http_loop *l, struct http_watch *w, int fd);
void http_loop_unwatch(struct http_loop *l, struct http_watch *w);

#endif
