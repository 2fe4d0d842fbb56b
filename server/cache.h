/* cache.h - what is kept in memory under a number, with the order in which it was last used. Items are
 * embedded as the first member of what they stand for; the cache owns no memory but its table. */
#ifndef SERVER_CACHE_H
#define SERVER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cache_item {
    uint64_t key;
    struct cache_item *chain;
    struct cache_item *newer, *older;
};

struct cache { /* zeroed is valid and empty */
    struct cache_item **buckets;
    uint32_t bucket_count, count;
    struct cache_item *newest, *oldest;
};

/* NULL when it is not there; else it is the newest now. */
struct cache_item *cache_get(struct cache *c, uint64_t key);
/* key must be set and not be there yet. */
enum err cache_put(struct cache *c, struct cache_item *item) NODISCARD;
void cache_drop(struct cache *c, struct cache_item *item);
void cache_done(struct cache *c); /* the table's memory; items are the caller's */

#endif
