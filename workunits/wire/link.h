/* link.h - the join link: https://HOST:PORT/join#k=PROJECT_KEY[&i=INVITATION]. What stands after # is never
 * sent to anybody. */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "wire/trust.h"

#define INVITATION_BYTES_MAX 64

struct link {
    char url[URL_BYTES_MAX]; /* https://HOST:PORT without a slash at the end */
    struct digest project_key;
    char invitation[INVITATION_BYTES_MAX + 1]; /* "" when there is none */
};

enum err link_parse(const char *text, struct link *ret) NODISCARD;
enum err link_print(const struct link *link, struct buf *out) NODISCARD;

#endif
