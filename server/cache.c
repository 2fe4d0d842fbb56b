#include "server/cache.h"

#include <stdlib.h>

static uint32_t place(const struct cache *c, uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ull; /* Knuth's multiplicative hashing */
    return (uint32_t)(key >> 32) & (c->bucket_count - 1);
}

static void unlink_item(struct cache *c, struct cache_item *i)
{
    *(i->newer ? &i->newer->older : &c->newest) = i->older;
    *(i->older ? &i->older->newer : &c->oldest) = i->newer;
}

static void link_newest(struct cache *c, struct cache_item *i)
{
    i->newer = NULL;
    i->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = i;
    c->newest = i;
}

struct cache_item *cache_get(struct cache *c, uint64_t key)
{
    if (c->bucket_count == 0)
        return NULL;
    for (struct cache_item *i = c->buckets[place(c, key)]; i; i = i->chain) {
        if (i->key != key)
            continue;
        if (i != c->newest) {
            unlink_item(c, i);
            link_newest(c, i);
        }
        return i;
    }
    return NULL;
}

static enum err grow(struct cache *c)
{
    struct cache bigger = {.bucket_count = c->bucket_count ? c->bucket_count * 2 : 64};
    bigger.buckets = calloc(bigger.bucket_count, sizeof *bigger.buckets);
    if (!bigger.buckets)
        return err_set(ERR_NOMEM, "no memory for a cache of %u items", bigger.bucket_count);
    for (struct cache_item *i = c->newest; i; i = i->older) {
        struct cache_item **at = &bigger.buckets[place(&bigger, i->key)];
        i->chain = *at;
        *at = i;
    }
    free(c->buckets);
    c->buckets = bigger.buckets;
    c->bucket_count = bigger.bucket_count;
    return ERR_OK;
}

enum err cache_put(struct cache *c, struct cache_item *item)
{
    if (c->count >= c->bucket_count) {
        enum err e = grow(c);
        if (e != ERR_OK)
            return e;
    }
    struct cache_item **at = &c->buckets[place(c, item->key)];
    item->chain = *at;
    *at = item;
    link_newest(c, item);
    c->count++;
    return ERR_OK;
}

void cache_drop(struct cache *c, struct cache_item *item)
{
    struct cache_item **at = &c->buckets[place(c, item->key)];
    while (*at != item)
        at = &(*at)->chain;
    *at = item->chain;
    unlink_item(c, item);
    c->count--;
}

void cache_done(struct cache *c)
{
    free(c->buckets);
    *c = (struct cache){0};
}
