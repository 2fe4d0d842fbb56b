/* answer_route.h - an app's output `streams`: which streams its answer goes to. A line of it is NAME, for a
 * record that is the whole answer, or NAME, a tab and a text, for a record of that text. PROTOCOL.md
 * section 7. */
#ifndef WIRE_ANSWER_ROUTE_H
#define WIRE_ANSWER_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

#define ANSWER_ROUTES_PATH "streams"

struct answer_route {
    char stream[NAME_BYTES_MAX + 1];
    const char *text; /* within the file, not terminated */
    uint32_t len;     /* 0: the whole answer */
};

/* Calls take for each line, empty ones left out; its error ends the reading and is returned. ERR_INVALID and
 * ERR_LIMIT name the line. */
enum err answer_routes_each(const char *file, size_t len,
                            enum err (*take)(void *ctx, const struct answer_route *route),
                            void *ctx) NODISCARD;

#endif
