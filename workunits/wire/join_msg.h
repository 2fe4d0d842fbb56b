/* join_msg.h - POST /v1/hosts, both ways, PROTOCOL.md section 4. */
#ifndef WIRE_JOIN_MSG_H
#define WIRE_JOIN_MSG_H

#include "wire/work_msg.h"

struct join_request {
    const char *invitation, *volunteer_token, *nickname, *team; /* may be NULL */
    struct host_facts host;
};

struct join_reply {
    const char *host, *token, *volunteer;
    const char *volunteer_token; /* NULL when the volunteer was known already */
};

enum err join_request_write(const struct join_request *r, struct buf *out) NODISCARD;
enum err join_request_parse(const char *body, size_t len, struct arena *a,
                            struct join_request *ret) NODISCARD;
enum err join_reply_write(const struct join_reply *r, struct buf *out) NODISCARD;
enum err join_reply_parse(const char *body, size_t len, struct arena *a, struct join_reply *ret) NODISCARD;

#endif
