/* engine_trust_mem.c - what is believed of hosts, and their answers in escrow, in memory: read, changed,
 * written. */
#include <stdlib.h>
#include <string.h>

#include "server/engine_in.h"

enum { IS_STORED = 1, IS_CHANGED = 2 };

uint64_t batch_app(struct batch_mem *b)
{
    if (!b->trust_app)
        b->trust_app = store_trust_app(b->b.app, b->b.version);
    return b->trust_app;
}

static enum err add(struct trust_mem *t, const struct escrow_entry *entry, uint8_t marks)
{
    if (t->count == t->room) {
        uint32_t room = t->room ? t->room * 2 : 16;
        struct escrow_entry *entries = realloc(t->entries, room * sizeof *entries);
        if (entries)
            t->entries = entries;
        uint8_t *more = entries ? realloc(t->marks, room) : NULL;
        if (!more)
            return err_set(ERR_NOMEM, "no memory for an answer in escrow");
        t->marks = more;
        t->room = room;
    }
    t->entries[t->count] = *entry;
    t->marks[t->count++] = marks;
    return ERR_OK;
}

enum err entry_add(struct trust_mem *t, const struct escrow_entry *entry)
{
    return add(t, entry, IS_CHANGED);
}

static void trust_drop(struct trust_mem *t)
{
    free(t->entries);
    free(t->marks);
    free(t);
}

void trusts_free(struct host_mem *h)
{
    while (h->trusts) {
        struct trust_mem *next = h->trusts->next;
        trust_drop(h->trusts);
        h->trusts = next;
    }
}

static struct trust_mem *known(const struct host_mem *h, uint64_t app)
{
    struct trust_mem *t = h->trusts;
    while (t && t->app != app)
        t = t->next;
    return t;
}

static enum err trust_new(struct host_mem *h, uint64_t app, struct trust_mem **ret)
{
    struct trust_mem *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "no memory for what is believed of a host");
    t->app = app;
    t->next = h->trusts;
    *ret = h->trusts = t;
    return ERR_OK;
}

static int by_place(const void *x, const void *y)
{
    const struct store_escrow *a = x, *b = y;
    if (a->host_id != b->host_id)
        return a->host_id < b->host_id ? -1 : 1;
    return a->entry.seq < b->entry.seq ? -1 : a->entry.seq > b->entry.seq;
}

static int by_host(const void *x, const void *y)
{
    const struct host_mem *a = *(struct host_mem *const *)x, *b = *(struct host_mem *const *)y;
    return a->h.id < b->h.id ? -1 : a->h.id > b->h.id;
}

static struct host_mem *host_of(struct host_mem **sorted, uint32_t count, uint64_t id)
{
    struct host_mem key = {.h.id = id}, *wanted = &key;
    struct host_mem **found = bsearch(&wanted, sorted, count, sizeof *sorted, by_host);
    return found ? *found : NULL;
}

static enum err add_trusts(struct engine *e, struct host_mem **sorted, const uint64_t *ids, uint32_t count)
{
    struct store_trust *trusts;
    struct store_escrow *entries;
    struct trust_mem *t = NULL;
    uint32_t n;
    TRY(store_trusts_load(e->store, &e->turn, ids, count, &trusts, &n));
    for (uint32_t i = 0; i < n; i++) {
        TRY(trust_new(host_of(sorted, count, trusts[i].host_id), trusts[i].app, &t));
        t->trust = t->was = trusts[i].trust;
        t->stored = true;
    }
    if (n == 0)
        return ERR_OK;
    TRY(store_escrows_load(e->store, &e->turn, ids, count, &entries, &n));
    if (n > 0)
        qsort(entries, n, sizeof *entries, by_place);
    for (uint32_t i = 0; i < n; i++) {
        t = known(host_of(sorted, count, entries[i].host_id), entries[i].app);
        if (t)
            TRY(add(t, &entries[i].entry, IS_STORED));
    }
    return ERR_OK;
}

enum err trusts_prefetch(struct engine *e, struct host_mem *const *hosts, uint32_t count)
{
    struct host_mem **sorted = arena_array(&e->turn, count + 1u, sizeof(struct host_mem *));
    uint64_t *ids = arena_array(&e->turn, count + 1u, sizeof *ids);
    if (!sorted || !ids)
        return ERR_NOMEM;
    if (count == 0)
        return ERR_OK;
    memcpy(sorted, hosts, count * sizeof(struct host_mem *));
    qsort(sorted, count, sizeof(struct host_mem *), by_host);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = sorted[i]->h.id;
    TRY(add_trusts(e, sorted, ids, count));
    for (uint32_t i = 0; i < count; i++)
        sorted[i]->trusts_loaded = true;
    return ERR_OK;
}

enum err trust_find(struct engine *e, struct host_mem *h, uint64_t app, struct trust_mem **ret)
{
    if (!h->trusts_loaded)
        TRY(trusts_prefetch(e, &h, 1));
    *ret = known(h, app);
    return *ret ? ERR_OK : trust_new(h, app, ret);
}

uint32_t entry_find(const struct trust_mem *t, wu_id unit)
{
    uint32_t i = t->count;
    while (i > 0 && (t->entries[i - 1].unit != unit || (!t->entries[i - 1].open && !t->entries[i - 1].held)))
        i--;
    return i; /* one more than its place; 0: none */
}

void entry_put(struct trust_mem *t, uint32_t at, bool held, bool open)
{
    t->entries[at - 1].held = held;
    t->entries[at - 1].open = open;
    t->marks[at - 1] |= IS_CHANGED;
}

void entry_set(struct trust_mem *t, wu_id unit, bool held, bool open)
{
    uint32_t at = entry_find(t, unit);
    if (at > 0)
        entry_put(t, at, t->entries[at - 1].held && held, t->entries[at - 1].open && open);
}

void trust_touch(struct engine *e, struct host_mem *h, struct trust_mem *t)
{
    t->changed = true;
    crowd_trust(e, t->app, h->h.id, t->trust.answers);
    host_touch(e, h);
}

void trusts_write(struct engine *e, struct host_mem *h)
{
    for (struct trust_mem *t = h->trusts; t; t = t->next) {
        uint32_t kept = 0;
        if (!t->changed)
            continue;
        store_set_trust(e->set, &(struct store_trust){h->h.id, t->app, t->trust}, t->stored ? &t->was : NULL);
        t->was = t->trust;
        t->stored = true;
        for (uint32_t i = 0; i < t->count; i++) {
            struct escrow_entry entry = t->entries[i];
            bool over = !entry.open && !entry.held;
            if (over && t->marks[i] & IS_STORED)
                store_set_escrow_end(e->set, h->h.id, t->app, entry.seq);
            if (over)
                continue;
            if (t->marks[i] & IS_CHANGED)
                store_set_escrow(e->set, &(struct store_escrow){h->h.id, t->app, entry});
            t->entries[kept] = entry;
            t->marks[kept++] = IS_STORED;
        }
        t->count = kept;
        t->changed = false;
    }
}
