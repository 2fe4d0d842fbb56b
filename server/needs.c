/* needs.c - see needs.h */
#include "server/needs.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/str.h"
#include "server/store_schedule.h"
#include "server/try.h"
#include "wire/batch_msg.h"

enum { PAGE = 100, DROP_SLICE = 500 };

struct needs {
    struct store *store;
    struct blobs *blobs;
};

enum err needs_hold_files(struct blobs *b, const char *holder, const struct file_ref *files, uint32_t count)
{
    bool some = false;
    for (uint32_t i = 0; i < count; i++) {
        enum err e = blob_hold(b, &files[i].sha256, holder);
        if (e != ERR_OK && e != ERR_MISSING)
            return e;
        some |= e == ERR_OK;
    }
    return some ? blobs_sync(b, holder) : ERR_OK;
}

static enum err drop_all(struct blobs *b, const char *holder)
{
    bool more = true;
    while (more)
        TRY(blobs_drop(b, holder, DROP_SLICE, &more));
    return ERR_OK;
}

/* --- schedules --- */

static enum err hold_schedule(const struct needs *n, uint64_t id)
{
    struct arena ARENA_AUTO a = {0};
    struct store_schedule s;
    struct batch_request q;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    enum err e = store_schedule_get(n->store, &a, id, &s);
    if (e != ERR_OK || s.next_ms == 0)
        return e == ERR_MISSING ? ERR_OK : e;
    e = batch_request_parse(s.body.data, s.body.len, &a, &q);
    if (e != ERR_OK) /* it will say so when its time has come */
        return e == ERR_NOMEM ? e : ERR_OK;
    snprintf(holder, sizeof holder, "s%llu", (unsigned long long)id);
    return needs_hold_files(n->blobs, holder, q.inputs, q.input_count);
}

static enum err hold_schedules(const struct needs *n)
{
    uint64_t after = 0;
    uint32_t count = PAGE;
    while (count == PAGE) {
        struct arena ARENA_AUTO a = {0};
        struct store_schedule *list;
        TRY(store_schedule_list(n->store, &a, after, PAGE, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            TRY(hold_schedule(n, after));
        }
    }
    return ERR_OK;
}

/* One that is made right now has a row before it holds anything. */
static enum err end_schedule(void *ctx, const char *holder)
{
    const struct needs *n = ctx;
    struct arena ARENA_AUTO a = {0};
    struct store_schedule s;
    uint64_t id;
    if (str_to_u64(holder + 1, INT64_MAX, &id) != ERR_OK)
        return ERR_OK;
    enum err e = store_schedule_get(n->store, &a, id, &s);
    if (e == ERR_MISSING || (e == ERR_OK && s.next_ms == 0))
        return drop_all(n->blobs, holder);
    return e;
}

/* --- batches --- */

/* Asked again when it holds: had it been purged in between, nothing else would let go. */
static enum err hold_order(const struct needs *n, struct arena *a, uint32_t batch, const struct order *order)
{
    struct store_batch now;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    if (order->input_count == 0)
        return ERR_OK;
    snprintf(holder, sizeof holder, "i%u", batch);
    TRY(needs_hold_files(n->blobs, holder, order->inputs, order->input_count));
    TRY(store_batch_get(n->store, a, batch, &now));
    return now.purged ? drop_all(n->blobs, holder) : ERR_OK;
}

static enum err hold_batch(const struct needs *n, const struct store_batch *b)
{
    struct arena ARENA_AUTO a = {0};
    struct text text;
    struct order order;
    if (b->purged)
        return ERR_OK;
    enum err e = store_order_get(n->store, &a, &b->order_digest, &text);
    if (e != ERR_OK)
        return e == ERR_MISSING ? ERR_OK : e;
    e = order_parse(text.data, text.len, &a, &order);
    if (e != ERR_OK) /* what it needs is not known: nobody lets go of anything */
        return err_prefix(e, "batch %u", b->id);
    return hold_order(n, &a, b->id, &order);
}

static enum err hold_batches(const struct needs *n, int64_t since_ms)
{
    uint32_t after = 0, count = PAGE;
    while (count == PAGE) {
        struct arena ARENA_AUTO a = {0};
        struct store_batch *list;
        TRY(store_batch_list(n->store, &a, 0, after, PAGE, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (list[i].created_ms < since_ms)
                return ERR_OK;
            after = list[i].id;
            TRY(hold_batch(n, &list[i]));
        }
    }
    return ERR_OK;
}

enum err needs_hold(struct store *s, struct blobs *b, int64_t since_ms)
{
    struct needs n = {s, b};
    TRY(hold_schedules(&n));
    TRY(blobs_holders(b, 's', end_schedule, &n));
    return hold_batches(&n, since_ms);
}
