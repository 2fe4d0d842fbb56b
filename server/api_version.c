/* api_version.c - which versions are about, of clients, the protocol and apps; how old a client may be; how
 * far a version of an app is rolled out */
#include "server/api_version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rules/rollout.h"
#include "server/store_load.h"
#include "server/try.h"

enum { VERSIONS_MAX = 500, PAGES_MAX = 10, MIN_TEXT_BYTES = 24 };

/* --- one app --- */

enum err app_version_find(struct call *c, struct app_versions *of, const char *app, uint32_t version,
                          const struct store_version **ret)
{
    *ret = NULL;
    if (!of->app || !str_eq(of->app, app)) {
        TRY(store_version_list(c->store, &c->http->arena, app, &of->list, &of->count));
        of->app = app;
    }
    for (uint32_t i = 0; i < of->count && !*ret; i++)
        if (of->list[i].version == version)
            *ret = &of->list[i];
    return ERR_OK;
}

bool app_version_is_out(const struct store_version *v)
{
    return !v || (!v->halted && v->share_ppm >= ROLLOUT_ALL_PPM);
}

void app_version_write(struct json_out *o, const struct store_version *v)
{
    json_out_real(o, "share", v ? v->share_ppm / 1e6 : 1);
    json_out_bool(o, "halted", v && v->halted);
    if (v && *v->why)
        json_out_string(o, "why", v->why);
    if (v && v->base)
        json_out_i64(o, "base", v->base);
    if (v && v->changed_ms)
        json_out_i64(o, "changed_ms", v->changed_ms);
    json_out_i64(o, "ended", v ? v->ended : 0);
    json_out_i64(o, "bad", v ? v->bad : 0);
}

/* --- all that are about --- */

struct about { /* a version of an app */
    const char *app;
    uint32_t version;
    bool retired;
    int64_t units_open, leased;
};

struct abouts {
    struct about *list;
    uint32_t count;
};

static struct about *about_find(struct abouts *a, const char *app, uint32_t version)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (a->list[i].version == version && str_eq(a->list[i].app, app))
            return &a->list[i];
    if (a->count == VERSIONS_MAX)
        return NULL;
    a->list[a->count] = (struct about){.app = app, .version = version, .retired = true};
    return &a->list[a->count++];
}

/* The newest VERSIONS_MAX of them: releases by age, from the first on, of which the later ones count. */
static enum err gather_releases(struct call *c, struct abouts *a)
{
    struct store_release *list;
    uint32_t count;
    uint64_t after = 0;
    for (int page = 0; page < PAGES_MAX; page++) {
        TRY(store_release_list(c->store, &c->http->arena, NULL, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            struct about *is = about_find(a, list[i].app, list[i].version);
            if (is)
                is->retired = is->retired && list[i].retired;
        }
        if (count < STORE_PAGE_MAX)
            break;
    }
    return ERR_OK;
}

static enum err gather_batches(struct call *c, struct abouts *a)
{
    struct store_batch *list;
    uint32_t count, after = 0;
    for (int page = 0; page < PAGES_MAX; page++) {
        struct arena ARENA_AUTO arena = {0};
        TRY(store_batches_active(c->store, &arena, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            for (uint32_t k = 0; k < a->count; k++)
                if (a->list[k].version == list[i].version && str_eq(a->list[k].app, list[i].app)) {
                    a->list[k].units_open += list[i].counts.open + list[i].counts.judging;
                    a->list[k].leased += list[i].counts.leased;
                }
        }
        if (count < STORE_PAGE_MAX)
            break;
    }
    return ERR_OK;
}

static int by_name_newest_first(const void *x, const void *y)
{
    const struct about *a = x, *b = y;
    int order = strcmp(a->app, b->app);
    return order ? order : (a->version < b->version) - (a->version > b->version);
}

static enum err apps_write(struct call *c, struct json_out *o)
{
    struct app_versions of = {0};
    struct abouts a = {.list = arena_array(&c->http->arena, VERSIONS_MAX, sizeof *a.list)};
    TRY(a.list ? ERR_OK : ERR_NOMEM);
    TRY(gather_releases(c, &a));
    TRY(gather_batches(c, &a));
    qsort(a.list, a.count, sizeof *a.list, by_name_newest_first);
    json_out_array(o, "apps");
    for (uint32_t i = 0; i < a.count; i++) {
        const struct store_version *v;
        TRY(app_version_find(c, &of, a.list[i].app, a.list[i].version, &v));
        json_out_object(o, NULL);
        json_out_string(o, "app", a.list[i].app);
        json_out_i64(o, "version", a.list[i].version);
        json_out_bool(o, "retired", a.list[i].retired);
        json_out_i64(o, "units_open", a.list[i].units_open);
        json_out_i64(o, "leased", a.list[i].leased);
        app_version_write(o, v);
        json_out_close(o);
    }
    json_out_close(o);
    return ERR_OK;
}

enum err api_versions(struct call *c)
{
    struct json_out o;
    const char *client, *protocol;
    BUF_AUTO struct buf body = {0};
    TRY(store_setting_get(c->store, &c->http->arena, SETTING_CLIENT_MIN, &client));
    TRY(store_setting_get(c->store, &c->http->arena, SETTING_PROTOCOL_MIN, &protocol));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "server", DUGNAD_VERSION);
    json_out_string(&o, "client_min", client);
    json_out_i64(&o, "protocol_min", *protocol ? strtol(protocol, NULL, 10) : 1);
    json_out_i64(&o, "protocol_max", PROTOCOL_VERSION);
    json_out_array(&o, "clients");
    pulse_versions(c->server->pulse, &o);
    json_out_close(&o);
    json_out_array(&o, "protocols");
    pulse_protocols(c->server->pulse, &o);
    json_out_close(&o);
    TRY(apps_write(c, &o));
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- how old a client may be --- */

static enum err set(struct call *c, const char *name, const char *value)
{
    c->request = (struct engine_request){.kind = ENGINE_SETTING};
    c->request.u.setting = (struct engine_setting){name, value};
    return call_engine(c);
}

static enum err check_version(const char *text)
{
    if (*text && (*text < '0' || *text > '9' || strspn(text, "0123456789.") != strlen(text)))
        return err_set(ERR_INVALID, "client_min \"%s\" is no version such as 0.2.1, nor empty for any", text);
    return ERR_OK;
}

enum err api_versions_patch(struct call *c)
{
    static const char *const fields[] = {"client_min", "protocol_min"};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *client;
    char number[MIN_TEXT_BYTES];
    int64_t protocol;
    TRY(api_body(c, &doc));
    const struct json *root = json_root(doc);
    TRY(json_only(root, "", fields, 2));
    TRY(json_opt_string(root, "", "client_min", MIN_TEXT_BYTES, NULL, &client));
    TRY(json_opt_i64(root, "", "protocol_min", 1, PROTOCOL_VERSION, 0, &protocol));
    if (client) {
        TRY(check_version(client));
        TRY(set(c, SETTING_CLIENT_MIN, client));
    }
    snprintf(number, sizeof number, "%" PRId64, protocol);
    if (protocol)
        TRY(set(c, SETTING_PROTOCOL_MIN, number));
    return api_versions(c);
}

/* --- rolling out --- */

enum err app_version_base(struct call *c, const char *app, uint32_t version, uint32_t *ret_base,
                          bool *ret_known)
{
    struct store_release *list;
    struct app_versions of = {0};
    uint32_t count;
    uint64_t after = 0;
    *ret_base = 0;
    *ret_known = false;
    do {
        TRY(store_release_list(c->store, &c->http->arena, app, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            const struct store_version *v;
            after = list[i].id;
            *ret_known |= list[i].version == version;
            if (list[i].retired || list[i].version >= version || list[i].version <= *ret_base)
                continue;
            TRY(app_version_find(c, &of, app, list[i].version, &v));
            if (app_version_is_out(v))
                *ret_base = list[i].version;
        }
    } while (count == STORE_PAGE_MAX);
    return ERR_OK;
}

static enum err rollout_read(const struct json *root, struct engine_version *q)
{
    static const char *const fields[] = {"share", "halt", "why"};
    double share;
    TRY(json_only(root, "", fields, 3));
    TRY(json_opt_bool(root, "", "halt", false, &q->halt));
    TRY(json_opt_real(root, "", "share", 0, 1, -1, &share));
    TRY(json_opt_string(root, "", "why", 200, "stopped by an operator", &q->why));
    if (q->halt == (share >= 0))
        return err_set(ERR_INVALID, "either a share from 0 to 1, or \"halt\":true, must be said");
    q->share_ppm = share >= 0 ? (uint32_t)(share * ROLLOUT_ALL_PPM + 0.5) : 0;
    return ERR_OK;
}

enum err api_rollout(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct engine_version *q = &c->request.u.version;
    uint64_t version;
    bool known;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(call_id(c->params[1], "version", UINT32_MAX, &version));
    TRY(api_body(c, &doc));
    TRY(rollout_read(json_root(doc), q));
    q->app = c->params[0];
    q->version = (uint32_t)version;
    TRY(app_version_base(c, q->app, q->version, &q->base, &known));
    if (!known)
        return err_set(ERR_MISSING, "there is no version %" PRIu64 " of an app \"%.64s\" here", version,
                       q->app);
    c->request.kind = ENGINE_VERSION;
    TRY(call_engine(c));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "app", q->ret.app);
    json_out_i64(&o, "version", q->ret.version);
    app_version_write(&o, &q->ret);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
