/* api_list.c - lists of hosts and volunteers: by number, or in the order of one of their counts */
#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/ranking.h"
#include "server/try.h"

enum { ACTIVE_MS = 3600000, PAGES_MAX = 1000 };

/* --- hosts --- */

static void fields_write(struct json_out *o, const struct store_host *h)
{
    api_id(o, "host", h->id);
    api_id(o, "volunteer", h->volunteer_id);
    json_out_string(o, "nickname", h->nickname);
    json_out_string(o, "platform", h->platform);
    json_out_string(o, "os", h->os);
    json_out_string(o, "cpu", h->cpu);
    json_out_string(o, "client", h->client);
    json_out_string(o, "features", h->features);
    json_out_i64(o, "cores", h->cores);
    json_out_u64(o, "memory_bytes", h->memory_bytes);
    json_out_u64(o, "disk_bytes", h->disk_bytes);
    json_out_real(o, "speed", h->speed);
    json_out_bool(o, "banned", h->banned);
    json_out_string(o, "ban_reason", h->ban_reason);
    json_out_bool(o, "left", h->left);
    json_out_i64(o, "created_ms", h->created_ms);
    json_out_i64(o, "seen_ms", h->seen_ms);
    json_out_i64(o, "allowed", h->allowed);
    json_out_u64(o, "leased", h->leased);
    json_out_u64(o, "valid", h->valid);
    json_out_u64(o, "invalid", h->invalid);
    json_out_u64(o, "errors", h->errors);
    json_out_u64(o, "expired", h->expired);
    json_out_u64(o, "reports", h->reports);
    json_out_real(o, "credit", h->credit);
}

void api_host_write(struct json_out *o, const struct store_host *h)
{
    json_out_object(o, NULL);
    fields_write(o, h);
    json_out_close(o);
}

/* --- how far one is believed --- */

static const struct store_release *release_of(const struct store_release *list, uint32_t count, uint64_t app)
{
    for (uint32_t i = 0; i < count; i++)
        if (store_trust_app(list[i].app, list[i].version) == app)
            return &list[i];
    return NULL;
}

/* By the usual probation: a batch may have another. */
static const char *trust_word(const struct host_trust *t)
{
    static const struct trust_policy usual = TRUST_POLICY_LONE;
    if (t->answers >= usual.probation)
        return "trusted";
    return t->faults_milli >= 500 ? "quarantined" : "new";
}

static void trust_write(struct json_out *o, const struct store_release *r, const struct host_trust *t)
{
    json_out_object(o, NULL);
    json_out_string(o, "app", r->app);
    json_out_i64(o, "version", r->version);
    json_out_string(o, "state", trust_word(t));
    json_out_i64(o, "answers", t->answers);
    json_out_real(o, "passed", t->passed_milli / 1000.0);
    json_out_real(o, "faults", t->faults_milli / 1000.0);
    json_out_close(o);
}

enum err api_host_believed(struct call *c, const struct store_host *h, struct json_out *o)
{
    struct arena *a = &c->http->arena;
    struct store_trust *list;
    struct store_release *releases;
    uint32_t count, release_count;
    TRY(store_trust_list(c->store, a, h->id, 0, &list, &count));
    TRY(store_release_list(c->store, a, NULL, 0, STORE_PAGE_MAX, &releases, &release_count));
    json_out_object(o, NULL);
    fields_write(o, h);
    json_out_array(o, "trust");
    for (uint32_t i = 0; i < count; i++) {
        const struct store_release *r = release_of(releases, release_count, list[i].app);
        if (r)
            trust_write(o, r, &list[i].trust);
    }
    json_out_close(o);
    json_out_close(o);
    return ERR_OK;
}

/* "active" (called within the hour), "gone", "banned", "left" */
static bool is_host_in(const struct store_host *h, const char *state, int64_t now_ms)
{
    bool late = now_ms - h->seen_ms >= ACTIVE_MS;
    if (!state || !*state)
        return true;
    return str_eq(state, h->left ? "left" : h->banned ? "banned" : late ? "gone" : "active");
}

static enum err host_state(const struct call *c, const char **ret)
{
    const char *banned = http_query(c->http, "banned");
    bool only_banned = false;
    *ret = http_query(c->http, "state");
    if (banned)
        TRY(str_to_bool(banned, &only_banned));
    if (only_banned)
        *ret = "banned";
    return ERR_OK;
}

struct host_wish {
    const char *state;
    uint64_t volunteer;
    int64_t now_ms;
};

static enum err read_wish(struct call *c, struct host_wish *ret)
{
    *ret = (struct host_wish){.now_ms = clock_wall_ms()};
    TRY(call_number(c, "volunteer", 0, INT64_MAX, &ret->volunteer));
    return host_state(c, &ret->state);
}

static enum err list_hosts(struct call *c, struct arena *a, const struct host_wish *w, uint64_t after,
                           struct store_host **ret, uint32_t *ret_count)
{
    return w->volunteer ? store_host_list_of(c->store, a, w->volunteer, after, STORE_PAGE_MAX, ret, ret_count)
                        : store_host_list(c->store, a, after, STORE_PAGE_MAX, ret, ret_count);
}

static const char *const host_sorts[] = {"seen_ms", "leased",  "valid", "invalid",
                                         "errors",  "expired", "cores"};

static int64_t host_value(const struct store_host *h, uint32_t by)
{
    const int64_t values[] = {h->seen_ms,         (int64_t)h->leased,  (int64_t)h->valid, (int64_t)h->invalid,
                              (int64_t)h->errors, (int64_t)h->expired, h->cores};
    return values[by];
}

static enum err rank_hosts(struct call *c, const struct host_wish *w, struct ranking *r)
{
    struct store_host *list;
    uint32_t count = STORE_PAGE_MAX;
    uint64_t after = 0;
    for (int pages = 0; count == STORE_PAGE_MAX && pages < PAGES_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        TRY(list_hosts(c, &a, w, after, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            if (is_host_in(&list[i], w->state, w->now_ms))
                ranking_add(r, host_value(&list[i], r->by), list[i].id);
        }
    }
    return ERR_OK;
}

static enum err reply_ranked_hosts(struct call *c, const struct host_wish *w, struct ranking *r)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(rank_hosts(c, w, r));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < r->count; i++) {
        struct store_host h;
        TRY(store_host_get(c->store, &c->http->arena, r->list[i].id, &h));
        api_host_write(&o, &h);
    }
    ranking_end(r, &o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* Writes what is wanted until there are `limit`; *ret_next is the cursor to go on after, 0 at the end. */
static enum err write_hosts(struct call *c, const struct host_wish *w, uint32_t limit, uint64_t after,
                            struct json_out *o, uint64_t *ret_next)
{
    struct store_host *list;
    uint32_t count = STORE_PAGE_MAX, shown = 0;
    *ret_next = 0;
    for (int pages = 0; count == STORE_PAGE_MAX && pages < PAGES_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        TRY(list_hosts(c, &a, w, after, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (shown == limit) {
                *ret_next = after;
                return ERR_OK;
            }
            after = list[i].id;
            if (!is_host_in(&list[i], w->state, w->now_ms))
                continue;
            api_host_write(o, &list[i]);
            shown++;
        }
    }
    return ERR_OK;
}

enum err api_hosts(struct call *c)
{
    struct host_wish w;
    struct ranking r;
    uint32_t limit;
    uint64_t after, next;
    bool ranked;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(read_wish(c, &w));
    TRY(ranking_begin(c, host_sorts, sizeof host_sorts / sizeof *host_sorts, &r, &ranked));
    if (ranked)
        return reply_ranked_hosts(c, &w, &r);
    TRY(api_page(c, &limit, &after));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    TRY(write_hosts(c, &w, limit, after, &o, &next));
    api_page_end(&o, next);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- volunteers --- */

static const char *const volunteer_sorts[] = {"credit", "hosts", "valid", "invalid"};

static int64_t volunteer_value(const struct store_volunteer *v, uint32_t by)
{
    const int64_t values[] = {(int64_t)(v->credit * 1000), (int64_t)v->hosts, (int64_t)v->valid,
                              (int64_t)v->invalid};
    return values[by];
}

static void volunteer_write(struct json_out *o, const struct store_volunteer *v)
{
    json_out_object(o, NULL);
    api_id(o, "volunteer", v->id);
    json_out_string(o, "name", v->name);
    json_out_string(o, "team", v->team);
    json_out_u64(o, "hosts", v->hosts);
    json_out_u64(o, "valid", v->valid);
    json_out_u64(o, "invalid", v->invalid);
    json_out_real(o, "credit", v->credit);
    json_out_i64(o, "created_ms", v->created_ms);
    json_out_close(o);
}

static enum err rank_volunteers(struct call *c, struct ranking *r)
{
    struct store_volunteer *list;
    uint32_t count = STORE_PAGE_MAX;
    uint64_t after = 0;
    for (int pages = 0; count == STORE_PAGE_MAX && pages < PAGES_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        TRY(store_volunteer_list(c->store, &a, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            ranking_add(r, volunteer_value(&list[i], r->by), list[i].id);
        }
    }
    return ERR_OK;
}

static enum err reply_ranked_volunteers(struct call *c, struct ranking *r)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(rank_volunteers(c, r));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < r->count; i++) {
        struct store_volunteer v;
        TRY(store_volunteer_get(c->store, &c->http->arena, r->list[i].id, &v));
        volunteer_write(&o, &v);
    }
    ranking_end(r, &o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_volunteers(struct call *c)
{
    struct store_volunteer *list;
    struct ranking r;
    uint32_t limit, count;
    uint64_t after;
    bool ranked;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(ranking_begin(c, volunteer_sorts, sizeof volunteer_sorts / sizeof *volunteer_sorts, &r, &ranked));
    if (ranked)
        return reply_ranked_volunteers(c, &r);
    TRY(api_page(c, &limit, &after));
    TRY(store_volunteer_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        volunteer_write(&o, &list[i]);
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
