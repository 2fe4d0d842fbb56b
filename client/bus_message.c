/* bus_message.c - D-Bus messages as bytes, see bus.h */
#include <string.h>

#include "client/bus.h"

enum { CALL = 1, ANSWER = 2, ERROR = 3, NO_AUTO_START = 2, HEAD_BYTES = 16 };
enum { PATH = 1, INTERFACE = 2, MEMBER = 3, REPLY_SERIAL = 5, DESTINATION = 6, SIGNATURE = 8 };

/* --- writing; it never grows beyond the limit, and what would has a length of 0 */

struct out {
    uint8_t *bytes;
    size_t len;
    bool full;
};

static void put(struct out *o, const void *bytes, size_t len)
{
    if (o->len + len > BUS_MESSAGE_BYTES_MAX) {
        o->full = true;
        return;
    }
    memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
}

static void align(struct out *o, size_t to)
{
    static const uint8_t zeros[8];
    put(o, zeros, (to - o->len % to) % to);
}

static void put_u32(struct out *o, uint32_t v)
{
    const uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    align(o, 4);
    put(o, b, 4);
}

static void put_text(struct out *o, const char *text)
{
    put_u32(o, (uint32_t)strlen(text));
    put(o, text, strlen(text) + 1);
}

static void put_field(struct out *o, uint8_t code, char type, const char *text)
{
    const uint8_t head[] = {code, 1, (uint8_t)type, 0};
    align(o, 8);
    put(o, head, 4);
    if (type == 'g') {
        const uint8_t len = (uint8_t)strlen(text);
        put(o, &len, 1);
        put(o, text, (size_t)len + 1);
    } else {
        put_text(o, text);
    }
}

size_t bus_write_call(uint8_t out[BUS_MESSAGE_BYTES_MAX], uint32_t serial, const struct bus_question *q)
{
    struct out o = {.bytes = out};
    const uint8_t start[] = {'l', CALL, NO_AUTO_START, 1};
    put(&o, start, 4);
    put_u32(&o, 0); /* of the body, known below */
    put_u32(&o, serial);
    put_u32(&o, 0); /* of the fields */
    put_field(&o, PATH, 'o', q->object);
    put_field(&o, INTERFACE, 's', q->member ? q->interface : "org.freedesktop.DBus.Properties");
    put_field(&o, MEMBER, 's', q->member ? q->member : "Get");
    put_field(&o, DESTINATION, 's', q->service);
    if (!q->member)
        put_field(&o, SIGNATURE, 'g', "ss");
    size_t fields = o.len - HEAD_BYTES;
    align(&o, 8);
    size_t body = o.len;
    if (!q->member) {
        put_text(&o, q->interface);
        put_text(&o, q->property);
    }
    if (o.full)
        return 0;
    size_t end = o.len;
    o.len = 4;
    put_u32(&o, (uint32_t)(end - body));
    o.len = 12;
    put_u32(&o, (uint32_t)fields);
    return end;
}

/* --- reading: whoever sends, nothing outside of the message is looked at */

struct in {
    const uint8_t *bytes;
    size_t len, at;
    bool bad, big_endian;
};

static uint64_t get(struct in *in, size_t size)
{
    uint64_t v = 0;
    in->at += (size - in->at % size) % size;
    if (in->bad || in->at > in->len || size > in->len - in->at) {
        in->bad = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)in->bytes[in->at + (in->big_endian ? size - 1 - i : i)] << (8 * i);
    in->at += size;
    return v;
}

static void skip(struct in *in, uint64_t len)
{
    if (in->bad || in->at > in->len || len > in->len - in->at)
        in->bad = true;
    else
        in->at += (size_t)len;
}

size_t bus_message_bytes(const uint8_t *head)
{
    struct in in = {.bytes = head, .len = HEAD_BYTES, .at = 4, .big_endian = head[0] == 'B'};
    uint64_t body = get(&in, 4);
    (void)get(&in, 4);
    uint64_t fields = (get(&in, 4) + 7) / 8 * 8;
    uint64_t whole = HEAD_BYTES + fields + body;
    return (head[0] == 'l' || head[0] == 'B') && whole <= BUS_MESSAGE_BYTES_MAX ? (size_t)whole : 0;
}

/* A field's value, if it is a number; what is no simple type is of no interest, and the end. */
static uint64_t read_field(struct in *in, char type)
{
    if (type == 'g') {
        skip(in, get(in, 1) + 1);
    } else if (type == 's' || type == 'o') {
        skip(in, get(in, 4) + 1);
    } else if (type == 'u') {
        return get(in, 4);
    } else {
        in->bad = true;
    }
    return 0;
}

static char read_signature(struct in *in)
{
    uint64_t len = get(in, 1);
    char type = (char)get(in, 1);
    skip(in, len); /* the rest and the 0 at its end */
    return len == 1 ? type : 0;
}

static int64_t read_number(struct in *in)
{
    char type = read_signature(in);
    if (type == 'b' || type == 'u')
        return (int64_t)get(in, 4);
    if (type == 'i')
        return (int32_t)(uint32_t)get(in, 4);
    if (type == 't' || type == 'x')
        return (int64_t)get(in, 8);
    in->bad = true;
    return 0;
}

enum err bus_read_answer(const uint8_t *message, size_t len, uint32_t serial, int64_t *ret)
{
    struct in in = {.bytes = message, .len = len, .at = 12};
    uint64_t of = 0;
    char type = 0;
    if (len < HEAD_BYTES || (message[1] != ANSWER && message[1] != ERROR))
        return err_set(ERR_STALE, "the bus tells of something else");
    in.big_endian = message[0] == 'B';
    size_t end = HEAD_BYTES + (size_t)get(&in, 4);
    while (!in.bad && (in.at + 7) / 8 * 8 < end) {
        in.at = (in.at + 7) / 8 * 8;
        uint64_t code = get(&in, 1);
        char kind = read_signature(&in);
        size_t value = in.at;
        uint64_t v = read_field(&in, kind);
        if (code == REPLY_SERIAL)
            of = v;
        if (code == SIGNATURE && value + 1 < len && message[value] == 1)
            type = (char)message[value + 1];
    }
    if (in.bad || of != serial)
        return err_set(ERR_STALE, "the bus answers something else");
    if (message[1] == ERROR)
        return err_set(ERR_MISSING, "nobody on the bus answers that");
    in.at = (end + 7) / 8 * 8;
    int64_t v = type == 'v'                  ? read_number(&in)
                : type == 't' || type == 'x' ? (int64_t)get(&in, 8)
                : type == 'u' || type == 'b' ? (int64_t)get(&in, 4)
                                             : 0;
    if (in.bad || !type)
        return err_set(ERR_MISSING, "the answer on the bus is no number");
    *ret = v;
    return ERR_OK;
}
