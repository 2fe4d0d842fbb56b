/* engine_host.c - hosts in memory: what they said, what they did, what they hold. */
#include <stdlib.h>
#include <string.h>

#include "server/engine_in.h"

enum {
    HOST_TEXT_BYTES = 256
}; /* what most hosts say of themselves: there may be tens of thousands in memory */

void host_free(struct engine *e, struct host_mem *h)
{
    cache_drop(&e->hosts, &h->item);
    arena_done(&h->text);
    free(h->leases);
    trusts_free(h);
    free(h);
}

uint64_t features_of(const char *words)
{
    uint64_t bits = 0;
    char word[NAME_BYTES_MAX];
    while (words && *words) {
        size_t len = strcspn(words, " ");
        if (len > 0 && len < sizeof word) {
            memcpy(word, words, len);
            word[len] = '\0';
            bits |= match_feature(word);
        }
        words += len + (words[len] == ' ');
    }
    return bits;
}

uint64_t platform_bit(struct engine *e, const char *name)
{
    for (uint32_t i = 0; i < e->platform_count; i++)
        if (strcmp(e->platforms[i], name) == 0)
            return 1ull << i;
    if (e->platform_count == PLATFORMS_MAX || !(e->platforms[e->platform_count] = strdup(name)))
        return 0;
    return 1ull << e->platform_count++;
}

static enum err copy_text(struct arena *a, const struct store_host *from, struct store_host *to)
{
    *to = *from;
    TRY(engine_text(a, from->nickname, &to->nickname));
    TRY(engine_text(a, from->platform, &to->platform));
    TRY(engine_text(a, from->os, &to->os));
    TRY(engine_text(a, from->cpu, &to->cpu));
    TRY(engine_text(a, from->client, &to->client));
    TRY(engine_text(a, from->hr_class, &to->hr_class));
    TRY(engine_text(a, from->features, &to->features));
    TRY(engine_text(a, from->ban_reason, &to->ban_reason));
    to->pace = (struct text){.data = "", .len = 0};
    return ERR_OK;
}

static uint32_t allowed_most(const struct engine *e, const struct store_host *h)
{
    uint64_t most = (uint64_t)e->config.leases_per_core_max * (h->cores ? h->cores : 1);
    return most < e->config.leases_per_host_max ? (uint32_t)most : e->config.leases_per_host_max;
}

static enum err keep(struct engine *e, const struct store_host *from, struct host_mem **ret)
{
    struct host_mem *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(ERR_NOMEM, "no memory for a host");
    h->item.key = from->id;
    h->turn = e->turn_number;
    h->was_banned = from->banned;
    h->was_left = from->left;
    h->text.block_bytes = HOST_TEXT_BYTES;
    enum err err = copy_text(&h->text, from, &h->h);
    if (err == ERR_OK)
        err = cache_put(&e->hosts, &h->item);
    if (err != ERR_OK) {
        arena_done(&h->text);
        free(h);
        return err;
    }
    if (h->h.allowed == 0)
        h->h.allowed = allowed_most(e, &h->h);
    *ret = h;
    return ERR_OK;
}

/* What another server may have changed since. */
static bool is_stale(const struct engine *e, const struct host_mem *h)
{
    return !e->view.alone && h->turn != e->turn_number && !h->dirty;
}

static struct host_mem *known(struct engine *e, uint64_t id)
{
    return (struct host_mem *)(void *)cache_get(&e->hosts, id);
}

struct held {
    struct engine *e;
    enum err err;
};

static void add_held(void *ctx, const struct store_lease *l);

enum err host_prefetch_leases(struct engine *e, const uint64_t *ids, uint32_t count)
{
    struct held to = {.e = e};
    uint64_t *fresh = arena_array(&e->turn, count + 1u, sizeof *fresh);
    uint32_t n = 0;
    TRY(fresh ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < count; i++) {
        struct host_mem *h = known(e, ids[i]);
        if (h && !h->leases_loaded) {
            h->leases_loaded = true; /* each once, though it may stand there twice */
            fresh[n++] = ids[i];
        }
    }
    TRY(store_leases_load(e->store, &e->turn, fresh, n, add_held, &to));
    TRY(to.err);
    for (uint32_t i = 0; i < n; i++)
        known(e, fresh[i])->leases_out = known(e, fresh[i])->lease_count;
    return ERR_OK;
}

enum err host_prefetch(struct engine *e, const uint64_t *ids, uint32_t count)
{
    struct store_host *found;
    uint32_t n, fresh_count = 0;
    if (count == 0)
        return ERR_OK;
    TRY(store_hosts_load(e->store, &e->turn, ids, count, &found, &n));
    struct host_mem **fresh = arena_array(&e->turn, n + 1u, sizeof(struct host_mem *));
    TRY(fresh ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < n; i++) {
        struct host_mem *h = known(e, found[i].id);
        struct host_calls calls = h ? h->calls : (struct host_calls){0};
        if (h && !is_stale(e, h))
            continue;
        if (h)
            host_free(e, h);
        TRY(keep(e, &found[i], &fresh[fresh_count]));
        fresh[fresh_count++]->calls = calls;
    }
    return trusts_prefetch(e, fresh, fresh_count);
}

enum err host_find(struct engine *e, uint64_t id, struct host_mem **ret)
{
    struct host_mem *h = known(e, id);
    if (!h || is_stale(e, h)) {
        TRY(host_prefetch(e, &id, 1));
        h = known(e, id);
    }
    *ret = h;
    return ERR_OK;
}

enum err host_find_about(struct engine *e, uint64_t id, struct host_mem **ret)
{
    *ret = known(e, id);
    return *ret ? ERR_OK : host_find(e, id, ret);
}

enum err host_new(struct engine *e, const struct store_host *from, struct host_mem **ret)
{
    TRY(keep(e, from, ret));
    (*ret)->leases_loaded = (*ret)->trusts_loaded = true;
    (*ret)->is_new = true;
    host_touch(e, *ret);
    return ERR_OK;
}

void host_touch(struct engine *e, struct host_mem *h)
{
    if (h->dirty)
        return;
    h->dirty = true;
    h->next_dirty = e->dirty_hosts;
    e->dirty_hosts = h;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

enum err host_tell(struct engine *e, struct host_mem *h, const struct store_host *says)
{
    struct store_host n = h->h;
    n.platform = says->platform;
    n.os = says->os;
    n.cpu = says->cpu;
    n.client = says->client;
    n.protocol = says->protocol;
    n.hr_class = says->hr_class;
    n.features = says->features;
    n.cores = says->cores;
    n.memory_bytes = says->memory_bytes;
    n.disk_bytes = says->disk_bytes;
    n.speed = says->speed > 0 ? says->speed : h->h.speed;
    if (same_text(n.platform, h->h.platform) && same_text(n.os, h->h.os) && same_text(n.cpu, h->h.cpu) &&
        same_text(n.client, h->h.client) && same_text(n.hr_class, h->h.hr_class) &&
        same_text(n.features, h->h.features) && n.protocol == h->h.protocol && n.cores == h->h.cores &&
        n.memory_bytes == h->h.memory_bytes && n.disk_bytes == h->h.disk_bytes && n.speed == h->h.speed)
        return ERR_OK;
    uint32_t before = allowed_most(e, &h->h), after = allowed_most(e, &n);
    if (h->h.allowed == before || h->h.allowed > after)
        n.allowed = after;
    struct arena text = {.block_bytes = HOST_TEXT_BYTES};
    struct store_host copy;
    enum err err = copy_text(&text, &n, &copy);
    if (err != ERR_OK) {
        arena_done(&text);
        return err;
    }
    arena_done(&h->text);
    h->text = text;
    h->h = copy;
    h->told = true;
    host_touch(e, h);
    return ERR_OK;
}

/* A host that errs gets half as much as before at once, down to one attempt at a time; one that does well
 * gets twice as much (BOINC's max_jobs_per_day works alike, per day). */
void host_well(struct engine *e, struct host_mem *h)
{
    uint32_t most = allowed_most(e, &h->h);
    if (h->h.allowed < most)
        h->h.allowed = h->h.allowed * 2 < most ? h->h.allowed * 2 : most;
}

void host_badly(struct engine *e, struct host_mem *h)
{
    (void)e;
    h->h.allowed = h->h.allowed > 1 ? h->h.allowed / 2 : 1;
}

/* --- leases --- */

struct loading {
    struct host_mem *h;
    enum err err;
};

static enum err push(struct host_mem *h, const struct host_lease *l)
{
    if (h->lease_count == h->lease_room) {
        uint32_t room = h->lease_room ? h->lease_room * 2 : 8;
        struct host_lease *leases = realloc(h->leases, room * sizeof *leases);
        if (!leases)
            return err_set(ERR_NOMEM, "no memory for a lease");
        h->leases = leases;
        h->lease_room = room;
    }
    h->leases[h->lease_count++] = *l;
    return ERR_OK;
}

static void add_stored(void *ctx, const struct store_lease *l)
{
    struct loading *to = ctx;
    struct host_lease lease = {
        .unit = l->unit, .attempt = l->attempt, .deadline_ms = l->deadline_ms, .stored = true};
    if (to->err == ERR_OK)
        to->err = push(to->h, &lease);
}

static void add_held(void *ctx, const struct store_lease *l)
{
    struct held *to = ctx;
    struct host_lease lease = {
        .unit = l->unit, .attempt = l->attempt, .deadline_ms = l->deadline_ms, .stored = true};
    struct host_mem *h = known(to->e, l->host_id);
    if (h && to->err == ERR_OK)
        to->err = push(h, &lease);
}

enum err host_leases(struct engine *e, struct host_mem *h)
{
    struct loading to = {.h = h};
    if (h->leases_loaded)
        return ERR_OK;
    TRY(store_leases_load(e->store, &e->turn, &h->h.id, 1, add_stored, &to));
    TRY(to.err);
    h->leases_out = h->lease_count;
    h->leases_loaded = true;
    return ERR_OK;
}

static struct host_lease *lease_of(struct host_mem *h, wu_id unit)
{
    for (uint32_t i = 0; i < h->lease_count; i++)
        if (h->leases[i].unit == unit)
            return &h->leases[i];
    return NULL;
}

struct host_lease *host_lease_find(struct host_mem *h, wu_id unit, uint32_t attempt)
{
    struct host_lease *l = lease_of(h, unit);
    return l && !l->gone && l->attempt == attempt ? l : NULL;
}

enum err host_lease_set(struct engine *e, struct host_mem *h, wu_id unit, uint32_t attempt,
                        int64_t deadline_ms)
{
    TRY(host_leases(e, h));
    host_touch(e, h);
    struct host_lease *l = lease_of(h, unit);
    if (!l) {
        struct host_lease fresh = {.unit = unit, .gone = true};
        TRY(push(h, &fresh));
        l = &h->leases[h->lease_count - 1];
    }
    h->leases_out += l->gone;
    if (l->gone) {
        h->added.leased++;
        h->h.leased++;
    }
    l->attempt = attempt;
    l->deadline_ms = deadline_ms;
    l->changed = true;
    l->gone = false;
    return ERR_OK;
}

void host_lease_end(struct engine *e, struct host_mem *h, wu_id unit, uint32_t attempt)
{
    host_touch(e, h);
    if (!h->leases_loaded) { /* nobody has looked at them: no more than the row is to go */
        struct host_lease l = {
            .unit = unit, .attempt = attempt, .stored = true, .changed = true, .gone = true};
        if (host_leases(e, h) != ERR_OK && push(h, &l) != ERR_OK)
            return;
    }
    struct host_lease *l = host_lease_find(h, unit, attempt);
    if (!l)
        return;
    l->changed = l->gone = true;
    h->leases_out--;
    h->added.leased--;
    h->h.leased -= h->h.leased > 0;
}

enum err host_leave(struct engine *e, struct host_mem *h)
{
    struct store_token *tokens;
    uint32_t count;
    h->h.left = h->flagged = true;
    host_touch(e, h);
    TRY(store_token_list(e->store, &e->turn, ROLE_HOST, h->h.id, 0, STORE_PAGE_MAX, &tokens, &count));
    for (uint32_t i = 0; i < count; i++) {
        tokens[i].revoked = true;
        store_set_token(e->set, &tokens[i]);
    }
    return ERR_OK;
}

enum err volunteer_add(struct engine *e, uint64_t id, int64_t hosts, int64_t valid, int64_t invalid,
                       int64_t credit_micro)
{
    struct volunteer_add *v = e->volunteers, *end = v + e->volunteer_count;
    while (v < end && v->id != id)
        v++;
    if (v == end) {
        if (e->volunteer_count == e->volunteer_room) {
            uint32_t room = e->volunteer_room ? e->volunteer_room * 2 : 64;
            struct volunteer_add *more = realloc(e->volunteers, room * sizeof *more);
            if (!more)
                return err_set(ERR_NOMEM, "no memory for what a volunteer earned");
            e->volunteers = more;
            e->volunteer_room = room;
        }
        v = &e->volunteers[e->volunteer_count++];
        *v = (struct volunteer_add){.id = id};
    }
    v->hosts += hosts;
    v->valid += valid;
    v->invalid += invalid;
    v->credit_micro += credit_micro;
    return ERR_OK;
}

/* --- writing --- */

static void write_leases(struct engine *e, struct host_mem *h)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct host_lease *l = &h->leases[i];
        if (l->gone && l->stored)
            store_set_lease_end(e->set, h->h.id, l->unit);
        if (!l->gone && l->changed) {
            struct store_lease row = {
                .host_id = h->h.id, .unit = l->unit, .attempt = l->attempt, .deadline_ms = l->deadline_ms};
            store_set_lease(e->set, &row, !l->stored);
            l->stored = true;
        }
        l->changed = false;
        if (!l->gone)
            h->leases[kept++] = *l;
    }
    h->lease_count = kept;
}

static enum err write_facts(struct engine *e, struct host_mem *h)
{
    struct store_host copy;
    if (!h->is_new && !h->told && !h->flagged)
        return ERR_OK;
    TRY(copy_text(&e->turn, &h->h, &copy));
    if (h->is_new)
        store_set_host_new(e->set, &copy);
    else if (h->told)
        store_set_host(e->set, &copy);
    if (h->flagged && !h->is_new)
        store_set_host_flags(e->set, &copy, h->was_banned, h->was_left);
    h->is_new = h->flagged = false;
    h->was_banned = h->h.banned;
    h->was_left = h->h.left;
    return ERR_OK;
}

enum err hosts_write(struct engine *e)
{
    for (struct host_mem *h = e->dirty_hosts; h; h = h->next_dirty) {
        write_leases(e, h);
        trusts_write(e, h);
        TRY(write_facts(e, h));
        h->added.id = h->h.id;
        h->added.seen_ms = h->h.seen_ms;
        h->added.allowed = h->h.allowed;
        store_set_host_stat(e->set, &h->added);
        h->added = (struct store_host_stat){0};
        h->dirty = h->told = false;
    }
    e->dirty_hosts = NULL;
    for (uint32_t i = 0; i < e->volunteer_count; i++) {
        const struct volunteer_add *v = &e->volunteers[i];
        store_set_volunteer_add(e->set, v->id, v->hosts, v->valid, v->invalid, v->credit_micro);
    }
    e->volunteer_count = 0;
    return ERR_OK;
}
