/* http_door.h - the listening socket, and who may come in.
 *
 * Each of the server's threads accepts at the same socket. Connections beyond the most are not accepted and
 * sent away again, which costs a handshake begun in vain: they wait in the kernel's queue until somebody
 * leaves (libmicrohttpd sees to that, thread by thread). Who has too many of them already is closed before a
 * word is said. From any thread. */
#ifndef SERVER_HTTP_DOOR_H
#define SERVER_HTTP_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct http_door;

/* connections_per_address_max: 0 is no limit. An IPv6 address counts with all of its /64. */
enum err http_door_open(const char *address, uint16_t port, uint32_t connections_per_address_max,
                        struct http_door **ret_door) NODISCARD;
void http_door_close(struct http_door *d); /* NULL is fine */
uint16_t http_door_port(const struct http_door *d);
enum err http_door_share(const struct http_door *d,
                         int *ret_fd) NODISCARD; /* the caller's own, to accept at */
bool http_door_may_enter(struct http_door *d, const struct sockaddr *from);
void http_door_entered(struct http_door *d, const struct sockaddr *from);
void http_door_left(struct http_door *d, const struct sockaddr *from);
uint32_t http_door_inside(const struct http_door *d); /* connections */

#endif
