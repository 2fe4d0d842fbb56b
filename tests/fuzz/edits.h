/* edits.h - input as a list of changes to something sound: what is deep behind a signature is reached that
 * way. Each edit is four bytes: place (2), byte, and what to do with it. */
#ifndef TESTS_FUZZ_EDITS_H
#define TESTS_FUZZ_EDITS_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline void edits_apply(struct buf *b, const uint8_t *edits, size_t len)
{
    for (; len >= 4 && b->len > 1; edits += 4, len -= 4) {
        size_t at = (size_t)(edits[0] << 8 | edits[1]) % b->len;
        switch (edits[3] % 4) {
        case 0:
            b->data[at] = (char)edits[2];
            break;
        case 1: /* one byte less */
            memmove(b->data + at, b->data + at + 1, b->len - at);
            b->len--;
            break;
        case 2: /* one byte more */
            if (buf_add_char(b, 0) == ERR_OK) {
                memmove(b->data + at + 1, b->data + at, b->len - at - 1);
                b->data[at] = (char)edits[2];
            }
            break;
        default: /* cut */
            b->len = at ? at : 1;
            b->data[b->len] = 0;
        }
    }
}

#endif
