/* http_loop.h - one thread that speaks HTTPS: a libmicrohttpd without a thread of its own, and what wakes it.
 *
 * Connections that wait for an answer are woken from any thread. libmicrohttpd's own way asks the kernel to
 * wake its thread for each of them; here they are put into a basket, and only the first into an empty one
 * rings. */
#ifndef SERVER_HTTP_LOOP_H
#define SERVER_HTTP_LOOP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct http_loop;

/* A suspended connection in the basket; part of what belongs to the connection. */
struct http_sleeper {
    struct http_loop *loop;
    struct MHD_Connection *connection;
    struct http_sleeper *next;
};

/* A connection whose handshake waits for the other end; part of it, zeroed at first. */
struct http_pause {
    struct MHD_Connection *connection;
    int fd;
    bool late; /* the other end has not said a word for too long */
    int64_t until_ms;
    struct http_pause *before, *after;
};

/* daemon: started with MHD_USE_EPOLL and without a thread; the loop's from now on, also on failure. pause_ms:
 * how long a handshake waits for the other end's next word. */
enum err http_loop_new(struct MHD_Daemon *daemon, uint32_t pause_ms, struct http_loop **ret_loop) NODISCARD;
enum err http_loop_start(struct http_loop *l) NODISCARD;
void http_loop_quiesce(struct http_loop *l); /* takes no new connections from now on */
/* Sends what was answered until now, then ends thread and connections. Nobody may wake a connection any more.
 */
void http_loop_free(struct http_loop *l);
/* What MHD_resume_connection() is otherwise: once for each time the connection was suspended. */
void http_loop_wake(struct http_sleeper *s);
/* On its thread, while the connection is served: until there is something to read, or too late. libmicrohttpd
 * by itself spins through a handshake: it asks for the other end's next word again and again, for each
 * connection of a crowd in each of its rounds. */
void http_loop_pause(struct http_loop *l, struct http_pause *p);

#endif
