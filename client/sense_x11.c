/* sense_x11.c - see sense_x11.h. The X protocol, as far as two questions need it: X11R7 protocol, sections 8
 * and 9, and the MIT-SCREEN-SAVER extension 1.0. Whole numbers are sent in our order, which 'l' announces. */
#include "client/sense_x11.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/socket_file.h"

enum {
    WAIT_MS = 250,
    AGAIN_MS = 60000,
    REPLY_BYTES = 32,
    OTHERS_MAX = 64,
    SETUP_BYTES_MAX = 65536,
    COOKIE_MAX = 64
};
#define COOKIE_NAME    "MIT-MAGIC-COOKIE-1"
#define EXTENSION_NAME "MIT-SCREEN-SAVER"

struct sense_x11 {
    char path[64], number[16]; /* of the display */
    int fd;                    /* -1: not connected */
    uint32_t root;
    uint8_t opcode;
    int64_t not_before_ms;
};

static void put16(uint8_t *at, size_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

/* Without the 0 at its end: its length is said elsewhere. */
static void put_text(uint8_t *at, const char *text)
{
    while (*text)
        *at++ = (uint8_t)*text++;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static size_t padded(size_t len)
{
    return (len + 3) / 4 * 4;
}

struct sense_x11 *sense_x11_new(void)
{
    const char *display = getenv("DISPLAY");
    if (display && str_starts(display, "unix"))
        display += 4;
    if (!display || display[0] != ':' || !isdigit((unsigned char)display[1]))
        return NULL;
    struct sense_x11 *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->fd = -1;
    snprintf(x->number, sizeof x->number, "%.*s", (int)strspn(display + 1, "0123456789"), display + 1);
    snprintf(x->path, sizeof x->path, "/tmp/.X11-unix/X%s", x->number);
    return x;
}

static void hang_up(struct sense_x11 *x, int64_t now_ms)
{
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
    x->not_before_ms = now_ms + AGAIN_MS;
}

void sense_x11_free(struct sense_x11 *x)
{
    if (x && x->fd >= 0)
        close(x->fd);
    free(x);
}

/* --- who may connect: the cookie in ~/.Xauthority, whose numbers are big-endian */

static bool read_counted(FILE *f, char *ret, size_t room, size_t *ret_len)
{
    int high = fgetc(f), low = fgetc(f);
    if (high == EOF || low == EOF)
        return false;
    size_t len = (size_t)high << 8 | (size_t)low;
    for (size_t i = 0; i < len; i++) {
        int c = fgetc(f);
        if (c == EOF)
            return false;
        if (i < room)
            ret[i] = (char)c;
    }
    *ret_len = len;
    return true;
}

static bool is_text(const char *bytes, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(bytes, text, len) == 0;
}

static size_t find_cookie(const char *number, uint8_t ret[COOKIE_MAX])
{
    const char *given = getenv("XAUTHORITY"), *home = getenv("HOME");
    char path[512], host[256], display[16], name[32], data[COOKIE_MAX];
    size_t host_len, display_len, name_len, data_len, found = 0;
    snprintf(path, sizeof path, "%s%s", given ? given : home ? home : "", given ? "" : "/.Xauthority");
    FILE *f = fopen(path, "re");
    while (f && !found && fgetc(f) != EOF && fgetc(f) != EOF &&
           read_counted(f, host, sizeof host, &host_len) &&
           read_counted(f, display, sizeof display, &display_len) &&
           read_counted(f, name, sizeof name, &name_len) && read_counted(f, data, sizeof data, &data_len)) {
        bool right =
            display_len == 0 || (display_len <= sizeof display && is_text(display, display_len, number));
        if (right && name_len <= sizeof name && is_text(name, name_len, COOKIE_NAME) &&
            data_len <= COOKIE_MAX) {
            memcpy(ret, data, data_len);
            found = data_len;
        }
    }
    if (f)
        fclose(f);
    explicit_bzero(data, sizeof data);
    return found;
}

/* --- the two questions */

static enum err say_hello(struct sense_x11 *x, int64_t until_ms)
{
    uint8_t cookie[COOKIE_MAX], hello[12 + 20 + COOKIE_MAX] = {'l', 0, 11}, head[8];
    size_t len = find_cookie(x->number, cookie), name_len = len ? strlen(COOKIE_NAME) : 0;
    put16(hello + 6, name_len);
    put16(hello + 8, len);
    if (len)
        put_text(hello + 12, COOKIE_NAME);
    memcpy(hello + 12 + padded(name_len), cookie, len);
    enum err e = socket_file_send(x->fd, hello, 12 + padded(name_len) + padded(len));
    explicit_bzero(cookie, sizeof cookie);
    explicit_bzero(hello, sizeof hello);
    if (e == ERR_OK)
        e = socket_file_receive(x->fd, head, sizeof head, until_ms);
    if (e != ERR_OK || head[0] != 1)
        return e != ERR_OK ? e : err_set(ERR_DENIED, "the display does not let us in");
    size_t more = ((size_t)head[6] | (size_t)head[7] << 8) * 4;
    uint8_t *setup = more >= 36 && more <= SETUP_BYTES_MAX ? malloc(more) : NULL;
    if (!setup)
        return err_set(ERR_LIMIT, "the display says too much or too little of itself");
    e = socket_file_receive(x->fd, setup, more, until_ms);
    size_t screens = 32 + padded((size_t)setup[16] | (size_t)setup[17] << 8) + (size_t)setup[21] * 8;
    if (e == ERR_OK && screens + 4 > more)
        e = err_set(ERR_INVALID, "the display has no screen");
    if (e == ERR_OK)
        x->root = get32(setup + screens);
    free(setup);
    return e;
}

/* The next reply, whatever events come before it. */
static enum err receive_reply(const struct sense_x11 *x, uint8_t reply[REPLY_BYTES], int64_t until_ms)
{
    for (int i = 0; i < OTHERS_MAX; i++) {
        enum err e = socket_file_receive(x->fd, reply, REPLY_BYTES, until_ms);
        if (e != ERR_OK || reply[0] == 1)
            return e;
        if (reply[0] == 0)
            return err_set(ERR_MISSING, "the display cannot tell that");
    }
    return err_set(ERR_LIMIT, "the display tells of other things only");
}

static enum err find_extension(struct sense_x11 *x, int64_t until_ms)
{
    uint8_t ask[8 + sizeof EXTENSION_NAME + 3] = {98}, reply[REPLY_BYTES];
    size_t len = strlen(EXTENSION_NAME);
    put16(ask + 2, (8 + padded(len)) / 4);
    put16(ask + 4, len);
    put_text(ask + 8, EXTENSION_NAME);
    enum err e = socket_file_send(x->fd, ask, 8 + padded(len));
    if (e == ERR_OK)
        e = receive_reply(x, reply, until_ms);
    if (e == ERR_OK && !reply[8])
        e = err_set(ERR_MISSING, "the display has no screen saver");
    if (e == ERR_OK)
        x->opcode = reply[9];
    return e;
}

static enum err ask_idle(const struct sense_x11 *x, int64_t until_ms, int64_t *ret)
{
    const uint8_t ask[8] = {x->opcode,
                            1,
                            2,
                            0,
                            (uint8_t)x->root,
                            (uint8_t)(x->root >> 8),
                            (uint8_t)(x->root >> 16),
                            (uint8_t)(x->root >> 24)};
    uint8_t reply[REPLY_BYTES];
    enum err e = socket_file_send(x->fd, ask, sizeof ask);
    if (e == ERR_OK)
        e = receive_reply(x, reply, until_ms);
    if (e == ERR_OK)
        *ret = get32(reply + 16);
    return e;
}

int64_t sense_x11_input_ms_ago(struct sense_x11 *x, int64_t now_ms)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS, ago = -1;
    enum err e = ERR_OK;
    if (!x || now_ms < x->not_before_ms)
        return -1;
    if (x->fd < 0 && (e = socket_file_open(x->path, &x->fd)) == ERR_OK &&
        (e = say_hello(x, until_ms)) == ERR_OK)
        e = find_extension(x, until_ms);
    if (e == ERR_OK)
        e = ask_idle(x, until_ms, &ago);
    if (e != ERR_OK)
        hang_up(x, now_ms);
    return e == ERR_OK ? ago : -1;
}
