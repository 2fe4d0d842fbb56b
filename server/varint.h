/* varint.h - unsigned numbers in few bytes (LEB128), below 2^63. */
#ifndef SERVER_VARINT_H
#define SERVER_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 9

/* Returns how many bytes it took. */
static inline uint32_t varint_put(uint8_t *at, uint64_t v)
{
    uint32_t n = 0;
    for (; v >= 128; v >>= 7)
        at[n++] = (uint8_t)(v | 128);
    at[n++] = (uint8_t)v;
    return n;
}

/* Moves *at behind it; false where the bytes end before it does. */
static inline bool varint_get(const uint8_t *bytes, uint32_t len, uint32_t *at, uint64_t *ret)
{
    uint64_t v = 0;
    for (uint32_t shift = 0; shift < 63 && *at < len; shift += 7) {
        uint8_t b = bytes[(*at)++];
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128) {
            *ret = v;
            return true;
        }
    }
    return false;
}

#endif
