/* bus.c - see bus.h: the connection */
#include "client/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/socket_file.h"

enum { WAIT_MS = 250, OTHERS_MAX = 32 };

struct bus {
    int fd;
    uint32_t serial;
};

static enum err closed(void)
{
    return err_set(ERR_UNREACHABLE, "the bus does not answer in time");
}

static enum err receive_answer(const struct bus *b, uint32_t serial, int64_t *ret)
{
    uint8_t message[BUS_MESSAGE_BYTES_MAX];
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    for (int i = 0; i < OTHERS_MAX; i++) { /* signals may come in between */
        enum err e = socket_file_receive(b->fd, message, 16, until_ms);
        size_t len = e == ERR_OK ? bus_message_bytes(message) : 0;
        if (e == ERR_OK && len == 0)
            e = err_set(ERR_LIMIT, "a message on the bus is too large");
        if (e == ERR_OK)
            e = socket_file_receive(b->fd, message + 16, len - 16, until_ms);
        if (e != ERR_OK)
            return e;
        if ((e = bus_read_answer(message, len, serial, ret)) != ERR_STALE)
            return e;
    }
    return closed();
}

enum err bus_ask(struct bus *b, const struct bus_question *q, int64_t *ret)
{
    uint8_t message[BUS_MESSAGE_BYTES_MAX];
    size_t len = bus_write_call(message, ++b->serial, q);
    enum err e = len ? socket_file_send(b->fd, message, len)
                     : err_set(ERR_LIMIT, "a question is too long for the bus");
    return e == ERR_OK ? receive_answer(b, b->serial, ret) : e;
}

/* Who we are says the socket itself; the number is only the form. */
static enum err say_hello(struct bus *b)
{
    static const struct bus_question hello = {.service = "org.freedesktop.DBus",
                                              .object = "/org/freedesktop/DBus",
                                              .interface = "org.freedesktop.DBus",
                                              .member = "Hello"};
    char uid[16], line[96] = "AUTH EXTERNAL ";
    uint8_t reply[128];
    size_t at = 0;
    int64_t until_ms = clock_mono_ms() + WAIT_MS, none;
    snprintf(uid, sizeof uid, "%u", (unsigned)geteuid());
    for (const char *c = uid; *c; c++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%02x", (unsigned)*c);
    snprintf(line + strlen(line), sizeof line - strlen(line), "\r\n");
    enum err e = socket_file_send(b->fd, "", 1);
    if (e == ERR_OK)
        e = socket_file_send(b->fd, line, strlen(line));
    while (e == ERR_OK && (at < 2 || reply[at - 1] != '\n')) {
        if (at == sizeof reply)
            return closed();
        e = socket_file_receive(b->fd, reply + at, 1, until_ms);
        at += e == ERR_OK;
    }
    if (e == ERR_OK && memcmp(reply, "OK ", 3) != 0)
        e = err_set(ERR_DENIED, "the bus does not let us in");
    if (e == ERR_OK)
        e = socket_file_send(b->fd, "BEGIN\r\n", 7);
    if (e == ERR_OK && (e = bus_ask(b, &hello, &none)) == ERR_MISSING) /* our name there is no number */
        e = ERR_OK;
    return e;
}

enum err bus_open(const char *path, struct bus **ret)
{
    struct bus *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(ERR_NOMEM, "out of memory");
    b->fd = -1;
    enum err e = socket_file_open(path, &b->fd);
    if (e == ERR_OK)
        e = say_hello(b);
    if (e != ERR_OK)
        bus_close(b);
    else
        *ret = b;
    return e;
}

void bus_close(struct bus *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        close(b->fd);
    free(b);
}
