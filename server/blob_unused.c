/* blob_unused.c - users let go of what nothing else needs: see "what users hold" in blob.h */
#include <inttypes.h>
#include <stdio.h>

#include "server/blob_in.h"

void blob_holder_user(uint64_t user_id, char ret[BLOB_HOLDER_BYTES_MAX + 1])
{
    snprintf(ret, BLOB_HOLDER_BYTES_MAX + 1, "u%" PRIu64, user_id);
}

void blobs_keep_unused(struct blobs *b, int64_t unused_kept_ms, int64_t purged_kept_ms)
{
    b->unused_kept_ms = unused_kept_ms;
    b->purged_kept_ms = purged_kept_ms;
}

enum err blob_keep(struct blobs *b, const struct digest *blob)
{
    return b->keeper->keep(b, blob, false);
}

enum err blob_asked_for(struct blobs *b, const struct digest *blob)
{
    return b->keeper->keep(b, blob, true);
}

enum err blobs_kept(const struct blobs *b, struct arena *a, const char *holder, const struct digest *after,
                    uint32_t limit, struct blob_kept **ret, uint32_t *ret_count)
{
    return b->keeper->kept(b, a, holder, after, limit, ret, ret_count);
}

enum err blobs_charged(const struct blobs *b, const char *holder, uint64_t *ret_bytes)
{
    return b->keeper->held(b, holder, ret_bytes);
}

enum err blobs_holders(const struct blobs *b, char letter, enum err (*visit)(void *ctx, const char *holder),
                       void *ctx)
{
    return b->keeper->holders(b, letter, visit, ctx);
}

struct giving {
    struct blobs *b;
    const char *holder;
    bool at_once;
    int64_t now_ms;
    uint64_t count, bytes;
};

static enum err give_one(struct giving *g, const struct blob_kept *k)
{
    bool gone;
    if (k->needed)
        return ERR_OK;
    if (k->goes_ms < 0 && !g->at_once) { /* its time begins */
        enum err e = blob_keep(g->b, &k->blob);
        return e == ERR_MISSING ? ERR_OK : e;
    }
    if (k->goes_ms > g->now_ms && !g->at_once)
        return ERR_OK;
    TRY(g->b->keeper->let_go(g->b, &k->blob, g->holder, g->at_once, g->now_ms, &gone));
    g->count += gone;
    g->bytes += gone ? k->bytes : 0;
    return ERR_OK;
}

static enum err give_all(struct giving *g)
{
    struct digest after = {{0}};
    uint32_t each = g->b->keeper->look_each, count = each;
    while (count == each) {
        struct arena ARENA_AUTO a = {0};
        struct blob_kept *list;
        TRY(blobs_kept(g->b, &a, g->holder, &after, each, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            TRY(give_one(g, &list[i]));
            after = list[i].blob;
        }
    }
    return ERR_OK;
}

enum err blobs_give_back(struct blobs *b, const char *holder, bool at_once, int64_t now_ms,
                         uint64_t *ret_count, uint64_t *ret_bytes)
{
    struct giving g = {.b = b, .holder = holder, .at_once = at_once, .now_ms = now_ms};
    enum err e = give_all(&g);
    if (g.count > 0) { /* before anybody is told that it is gone */
        enum err synced = b->keeper->sync(b, holder);
        e = e == ERR_OK ? synced : e;
    }
    *ret_count = g.count;
    *ret_bytes = g.bytes;
    return e;
}
