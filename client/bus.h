/* bus.h - asks services of this computer by D-Bus for one number: a property, or what a method without
 * arguments returns. Just enough of https://dbus.freedesktop.org/doc/dbus-specification.html for that,
 * instead of a library. Each question waits for a fraction of a second at most; nothing is started by asking.
 */
#ifndef CLIENT_BUS_H
#define CLIENT_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BUS_MESSAGE_BYTES_MAX 4096

struct bus;
/* path: of the bus's socket; '@' at its start: an abstract one. */
enum err bus_open(const char *path, struct bus **ret) NODISCARD;
void bus_close(struct bus *b); /* NULL is fine */

struct bus_question {
    const char *service, *object, *interface;
    const char *member;   /* a method; NULL: the property */
    const char *property; /* a boolean or a number */
};
/* ERR_MISSING: nobody answers to that name, or it has no such thing. After any other error the bus is of no
 * use any more. */
enum err bus_ask(struct bus *b, const struct bus_question *q, int64_t *ret) NODISCARD;

/* --- PURE, for tests: messages as bytes */
size_t bus_write_call(uint8_t out[BUS_MESSAGE_BYTES_MAX], uint32_t serial, const struct bus_question *q);
/* Bytes of the message that begins here, from its first 16; 0: it is none, or too large. */
size_t bus_message_bytes(const uint8_t *head);
/* The number in an answer to that call. ERR_STALE: another message; ERR_MISSING: it is an error. */
enum err bus_read_answer(const uint8_t *message, size_t len, uint32_t serial, int64_t *ret) NODISCARD;

#endif
