/* http_lobby.h - takes connections from the kernel and keeps them until one of the server's threads has a
 * hand free for their handshake. From any thread.
 *
 * A crowd that was let in at once would have thousands of handshakes half done, each of them touched again
 * when the caches have long forgotten it; left in the kernel's queue it would fill that, and the first word
 * of whoever comes then is lost and said again after one, three, seven seconds. Here a connection that waits
 * is a socket and a hundred bytes. They go in as they came; those from addresses that people or health checks
 * were heard from lately go ahead, three of four.
 *
 * Who has not said a word yet keeps nobody waiting: it is watched, and queues when it has spoken. */
#ifndef SERVER_HTTP_LOBBY_H
#define SERVER_HTTP_LOBBY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/http_door.h"

struct http_lobby;

struct http_guest {
    int fd;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } from;
    socklen_t from_len;
};

struct http_lobby_config {
    struct http_door *door; /* a guest has entered it; whoever takes him calls http_door_left() in the end */
    uint32_t inside_max;    /* guests and those who were taken: what the files allow */
    uint32_t silent_ms;     /* how long one may say nothing */
    uint32_t threads;       /* that take guests */
};

/* Nobody comes in yet. */
enum err http_lobby_new(const struct http_lobby_config *config, struct http_lobby **ret_lobby) NODISCARD;
void http_lobby_open(struct http_lobby *l);
/* Readable when http_lobby_look() has something to do; for any number of threads. */
int http_lobby_fd(const struct http_lobby *l);
void http_lobby_look(struct http_lobby *l);
/* Takes the guest who is next. false: there is none, and the bell (an eventfd) rings when there are more than
 * others can take at once. */
bool http_lobby_take(struct http_lobby *l, int bell, struct http_guest *ret);
void http_lobby_call(struct http_lobby *l); /* rings for who waits still: one bell */
/* Nobody comes in any more, who waits is sent away, no bell is rung from now on. */
void http_lobby_close(struct http_lobby *l);
void http_lobby_free(struct http_lobby *l); /* NULL is fine */
uint32_t http_lobby_guests(const struct http_lobby *l);

#endif
