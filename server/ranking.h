/* ranking.h - a page of a list in the order of one of its numbers, found in one pass over all of it: for
 * lists that are thousands long and have no index by that number. Cursors are VALUE:ID. */
#ifndef SERVER_RANKING_H
#define SERVER_RANKING_H

#include "server/route.h"

struct ranking {
    uint32_t by; /* index into the names that can be sorted by */
    bool down;   /* the largest first */
    bool after;  /* a page after the first one */
    int64_t after_value;
    uint64_t after_id;
    struct ranked {
        int64_t value;
        uint64_t id;
    } * list;
    uint32_t count, limit;
    bool more; /* something comes after the page */
};

/* Reads ?sort=NAME or -NAME, ?after= and ?limit=. *ret_asked is false where no order was asked for. */
enum err ranking_begin(struct call *c, const char *const *names, uint32_t name_count, struct ranking *ret,
                       bool *ret_asked) NODISCARD;
void ranking_add(struct ranking *r, int64_t value, uint64_t id);
/* Ends the open list "items" and the object around it. */
void ranking_end(const struct ranking *r, struct json_out *o);

#endif
