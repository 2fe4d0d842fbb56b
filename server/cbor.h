/* cbor.h - a strict reader of CBOR (RFC 8949) as passkeys write it (CTAP2's canonical form): lengths are
 * definite and in their shortest form, nothing reaches past the end, nesting is bounded. It allocates
 * nothing; what it gives points into the bytes that it reads. */
#ifndef SERVER_CBOR_H
#define SERVER_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CBOR_DEPTH_MAX 8

enum cbor_kind {
    CBOR_UNSIGNED, /* value */
    CBOR_NEGATIVE, /* -1 - value */
    CBOR_BYTES,    /* value bytes at bytes */
    CBOR_TEXT,     /* likewise, UTF-8 */
    CBOR_ARRAY,    /* value items follow */
    CBOR_MAP,      /* value pairs follow */
    CBOR_TAG,
    CBOR_SIMPLE, /* false, true, null and other small values; a float's bits */
};

struct cbor {
    const uint8_t *at, *end;
};
struct cbor_item {
    enum cbor_kind kind;
    uint64_t value;
    const uint8_t *bytes;
};

/* The head of the next item, and its bytes where it is a string. ERR_INVALID where there is none. */
enum err cbor_next(struct cbor *c, struct cbor_item *ret) NODISCARD;
/* Passes over one whole item, whatever it holds. */
enum err cbor_skip(struct cbor *c) NODISCARD;
bool cbor_is_text(const struct cbor_item *i, const char *text);
/* Is it this number? */
bool cbor_is_int(const struct cbor_item *i, int64_t value);

#endif
