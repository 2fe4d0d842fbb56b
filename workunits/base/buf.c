/* buf.c - see buf.h */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t bytes_max)
{
    *b = (struct buf){.bytes_max = bytes_max};
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = 0;
}

enum err buf_reserve(struct buf *b, size_t more)
{
    size_t ceiling = b->bytes_max ? b->bytes_max : BUF_DEFAULT_BYTES_MAX;
    if (ceiling > SIZE_MAX / 4)
        ceiling = SIZE_MAX / 4; /* so that no sum below can wrap */
    if (more > ceiling || b->len > ceiling - more)
        return err_set(ERR_LIMIT, "content would grow over its limit of %zu bytes", ceiling);
    size_t need = b->len + more + 1;
    if (need <= b->room)
        return ERR_OK;
    size_t room = b->room ? b->room : 64;
    while (room < need)
        room *= 2;
    if (room > ceiling + 1)
        room = ceiling + 1;
    char *data = realloc(b->data, room);
    if (!data)
        return err_set(ERR_NOMEM, "out of memory for a buffer of %zu bytes", room);
    data[b->len] = 0;
    b->data = data;
    b->room = room;
    return ERR_OK;
}

enum err buf_add(struct buf *b, const void *bytes, size_t len)
{
    enum err e = buf_reserve(b, len);
    if (e != ERR_OK)
        return e;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = 0;
    return ERR_OK;
}

enum err buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

enum err buf_add_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

enum err buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    enum err e = ERR_OK;
    size_t spare = b->data ? b->room - b->len : 0;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(spare ? b->data + b->len : NULL, spare, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= spare) {
        if (spare)
            b->data[b->len] = 0;
        e = len < 0 ? err_set(ERR_INVALID, "text cannot be formatted") : buf_reserve(b, (size_t)len);
        if (e == ERR_OK)
            vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
    }
    va_end(again);
    if (e == ERR_OK)
        b->len += (size_t)len;
    return e;
}

char *buf_take(struct buf *b)
{
    char *data = b->data ? b->data : calloc(1, 1);
    *b = (struct buf){.bytes_max = b->bytes_max};
    return data;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}
