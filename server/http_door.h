/* http_door.h - the listening socket, who may come in, and who goes ahead. From any thread.
 *
 * Who has too many connections already is closed before a word is said. */
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
int http_door_fd(const struct http_door *d); /* to accept at; does not block */
bool http_door_may_enter(struct http_door *d, const struct sockaddr *from);
void http_door_entered(struct http_door *d, const struct sockaddr *from);
void http_door_left(struct http_door *d, const struct sockaddr *from);
/* From that address half of what may be inside is. */
bool http_door_is_half_full(struct http_door *d, const struct sockaddr *from);
uint32_t http_door_inside(const struct http_door *d); /* connections */
/* Addresses whose connections need not queue behind a crowd: for an hour, a thousand or so of them. */
void http_door_remember(struct http_door *d, const struct sockaddr *from);
bool http_door_knows(const struct http_door *d, const struct sockaddr *from);

#endif
