/* copy.h - copying and hashing in one pass */
#ifndef CLIENT_COPY_H
#define CLIENT_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

/* Everything of the open file `from`, from its start, into the new file `to`. More than bytes_max is
 * ERR_LIMIT. Nothing is left of `to` after a failure. */
enum err copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                     struct digest *ret_digest, uint64_t *ret_bytes) NODISCARD;

#endif
