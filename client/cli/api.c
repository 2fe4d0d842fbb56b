/* api.c - see api.h */
#include "client/cli/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "rules/backoff.h"
#include "wire/error_msg.h"
#include "wire/link.h"

enum { TRIES_MAX = 6, FIRST_TRIES_MAX = 3, PAGE_UNITS = 200, QUIET_WAIT_MS = 1000 };

static const struct backoff_rules patience = {.base_ms = 500, .cap_ms = 15000};

enum err api_error_json(enum err e, struct buf *out)
{
    return error_write(e, err_text(), out);
}

void api_key(char ret[33])
{
    uint8_t bytes[16];
    rand_bytes(bytes, sizeof bytes);
    str_hex(bytes, sizeof bytes, ret);
}

enum err api_escape(const char *text, struct buf *out)
{
    enum err e = ERR_OK;
    for (; *text && e == ERR_OK; text++) {
        unsigned char b = (unsigned char)*text;
        bool plain =
            (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || strchr("-._~", b);
        e = plain ? buf_add_char(out, *text) : buf_printf(out, "%%%02X", b);
    }
    return e;
}

static enum err fetch_project(struct net *net, const char *url, struct buf *body)
{
    char whole[URL_BYTES_MAX + 16];
    struct net_reply reply = {0};
    snprintf(whole, sizeof whole, "%s/v1/project", url);
    struct net_request request = {.method = "GET", .url = whole, .timeout_s = 60};
    net_set_unverified(net, true);
    enum err e = net_do(net, &request, &reply);
    net_set_unverified(net, false);
    if (e == ERR_OK)
        e = buf_add(body, buf_text(&reply.body), reply.body.len);
    net_reply_done(&reply);
    return e;
}

/* The key the server claims: what a person is shown before believing it. */
static enum err claimed_key(const struct buf *body, struct digest *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *text = NULL;
    enum err e = json_parse(buf_text(body), body->len, JSON_BODY_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = json_get_string(json_root(doc), "project", "project_key", DIGEST_TEXT_BYTES, &text);
    return e == ERR_OK ? digest_parse(text, ret) : e;
}

static void keep_proof(const struct trust *t, const char *url, struct profile *p)
{
    snprintf(p->url, sizeof p->url, "%s", url);
    snprintf(p->project, sizeof p->project, "%s", t->root.project);
    p->project_key = t->project_key;
    p->root_version = t->root.version;
    p->server_issued_ms = t->server.issued_ms;
    p->pin_count = t->server.pin_count;
    memcpy(p->pins, t->server.pins, sizeof p->pins);
}

enum err api_prove(struct net *net, const char *url, const struct digest *key, struct profile *ret)
{
    BUF_AUTO struct buf body = {0};
    struct digest believed = *key;
    struct trust *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = fetch_project(net, url, &body);
    if (e == ERR_OK && digest_is_zero(key))
        e = claimed_key(&body, &believed);
    if (e == ERR_OK) {
        trust_init(t, &believed);
        e = trust_add_project(t, buf_text(&body), body.len, clock_wall_ms());
    }
    if (e == ERR_OK && (t->root.version < ret->root_version || t->server.issued_ms < ret->server_issued_ms))
        e = err_set(
            ERR_UNTRUSTED,
            "%s shows older statements than it did before: somebody may be replaying them, ask the operator",
            url);
    if (e == ERR_OK)
        keep_proof(t, url, ret);
    free(t);
    return e;
}

static enum err use_pins(struct api *api)
{
    const char *pins[SERVER_PINS_MAX];
    for (uint32_t i = 0; i < api->profile.pin_count; i++)
        pins[i] = api->profile.pins[i];
    return net_set_pins(api->net, pins, api->profile.pin_count);
}

static enum err read_token(const char *file, struct profile *p)
{
    BUF_AUTO struct buf text = {0};
    struct token token;
    enum err e = file_read(file, 4096, &text);
    if (e != ERR_OK)
        return e;
    char *line = text.data ? text.data : (char[]){0};
    line[strcspn(line, " \t\r\n")] = 0;
    if (token_parse(line, &token) != ERR_OK || strlen(line) >= sizeof p->token)
        return err_set(ERR_AUTH, "%s holds no token: it should be one line such as dgu_7_...", file);
    memcpy(p->token, line, strlen(line) + 1);
    return ERR_OK;
}

/* --url or DUGNAD_URL: an address of a profile that is known, a join link that is proved now, or one that the
 * certificate authorities vouch for. */
static enum err from_url(struct cli *c, struct api *api)
{
    struct link link;
    for (uint32_t i = 0; i < api->profiles->count; i++) {
        if (str_eq(api->profiles->list[i].url, c->url)) {
            api->profile = api->profiles->list[i];
            api->stored = true;
            return ERR_OK;
        }
    }
    if (strchr(c->url, '#')) {
        enum err e = link_parse(c->url, &link);
        return e == ERR_OK ? api_prove(api->net, link.url, &link.project_key, &api->profile) : e;
    }
    if (!str_starts(c->url, "https://") || strlen(c->url) >= sizeof api->profile.url)
        return err_set(ERR_INVALID, "'%.200s' is not an address: it must start with https://", c->url);
    size_t len = strlen(c->url);
    while (len > 8 && c->url[len - 1] == '/')
        len--;
    snprintf(api->profile.url, sizeof api->profile.url, "%.*s", (int)len, c->url);
    return ERR_OK;
}

static enum err from_profile(struct cli *c, struct api *api)
{
    const char *names[PROFILES_MAX];
    struct profile *p = profiles_find(api->profiles, c->profile);
    for (uint32_t i = 0; i < api->profiles->count; i++)
        names[i] = api->profiles->list[i].name;
    if (p) {
        api->profile = *p;
        api->stored = true;
        return ERR_OK;
    }
    const char *near = c->profile ? str_nearest(c->profile, names, api->profiles->count) : NULL;
    if (near)
        return err_set(ERR_AUTH, "there is no profile '%s': did you mean '%s'?", c->profile, near);
    if (c->profile)
        return err_set(ERR_AUTH, "there is no profile '%s': dugnad login URL --profile %s makes it",
                       c->profile, c->profile);
    if (api->profiles->count > 0)
        return err_set(ERR_AUTH,
                       "several projects are known and none is the current one: say --profile NAME");
    return err_set(ERR_AUTH,
                   "you are not logged in: dugnad login JOIN-LINK --token-file FILE (the operator has both)");
}

enum err api_open(struct cli *c)
{
    char path[4096];
    if (c->api)
        return ERR_OK;
    struct api *api = arena_alloc(&c->arena, sizeof *api);
    if (!api)
        return ERR_NOMEM;
    api->profiles = calloc(1, sizeof *api->profiles);
    c->api = api;
    enum err e =
        api->profiles ? net_new("dugnad/" DUGNAD_VERSION, &api->net) : err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK)
        e = profiles_path(path, sizeof path);
    if (e == ERR_OK)
        e = profiles_load(path, api->profiles);
    if (e == ERR_OK)
        e = c->url ? from_url(c, api) : from_profile(c, api);
    if (e == ERR_OK && c->token_file)
        e = read_token(c->token_file, &api->profile);
    if (e == ERR_OK)
        e = use_pins(api);
    if (e != ERR_OK) /* the next call shall say the same, and not go on with half of it */
        api_close(c);
    return e;
}

void api_close(struct cli *c)
{
    if (!c->api)
        return;
    net_free(c->api->net);
    free(c->api->profiles);
    c->api = NULL;
}

/* The server has a new certificate: believe it if the project says so, and remember. */
static enum err prove_again(struct api *api)
{
    char path[4096], url[URL_BYTES_MAX];
    memcpy(url, api->profile.url, sizeof url);
    enum err e = api_prove(api->net, url, &api->profile.project_key, &api->profile);
    if (e == ERR_OK)
        e = use_pins(api);
    if (e == ERR_OK && api->stored && profiles_path(path, sizeof path) == ERR_OK &&
        profiles_put(api->profiles, &api->profile) == ERR_OK)
        e = profiles_save(path, api->profiles);
    return e;
}

enum err api_do(struct cli *c, const struct net_request *request, struct net_reply *reply)
{
    char url[2048];
    struct net_request sent = *request;
    bool proved = false;
    enum err e = api_open(c);
    if (e != ERR_OK)
        return e;
    if ((size_t)snprintf(url, sizeof url, "%s%s", c->api->profile.url, request->url) >= sizeof url)
        return err_set(ERR_LIMIT, "the address %.100s... is too long", request->url);
    sent.url = url;
    sent.token = *c->api->profile.token ? c->api->profile.token : NULL;
    for (uint32_t tries = 0;; tries++) {
        *reply = (struct net_reply){0};
        e = net_do(c->api->net, &sent, reply);
        if (e == ERR_UNTRUSTED && reply->status == 0 && !proved &&
            !digest_is_zero(&c->api->profile.project_key)) {
            proved = true;
            if (prove_again(c->api) != ERR_OK)
                return ERR_UNTRUSTED;
        } else if (e == ERR_OK || !err_retry(e) || e == ERR_CONFLICT || e == ERR_FULL ||
                   tries + 1 >= (c->api->answered || reply->status ? TRIES_MAX : FIRST_TRIES_MAX)) {
            c->api->answered = c->api->answered || reply->status;
            return e;
        } else {
            int64_t wait = backoff_wait_ms(&patience, tries,
                                           reply->retry_after_ms > 0 ? reply->retry_after_ms : 0, rand_u64());
            if (tries > 0 || wait > QUIET_WAIT_MS) /* a moment's hiccup is nobody's concern */
                cli_say(c, "%s; trying again in %lld.%lld s", err_text(), (long long)(wait / 1000),
                        (long long)(wait % 1000 / 100));
            clock_sleep_ms(wait);
        }
        net_reply_done(reply);
    }
}

enum err api_send(struct cli *c, const char *method, const char *path, const struct buf *body,
                  const char *key, struct json_doc **ret_doc)
{
    struct net_reply reply = {0};
    struct net_request request = {.method = method,
                                  .url = path,
                                  .idempotency_key = key,
                                  .body = body ? buf_text(body) : NULL,
                                  .body_bytes = body ? body->len : 0,
                                  .timeout_s = 120};
    if (ret_doc)
        *ret_doc = NULL;
    enum err e = api_do(c, &request, &reply);
    if (e == ERR_OK && ret_doc && reply.body.len > 0)
        e = json_parse(buf_text(&reply.body), reply.body.len, JSON_BODY_BYTES_MAX, ret_doc);
    net_reply_done(&reply);
    return e;
}

enum err api_get(struct cli *c, const char *path, struct json_doc **ret_doc)
{
    enum err e = api_send(c, "GET", path, NULL, NULL, ret_doc);
    if (e == ERR_OK && !*ret_doc)
        e = err_set(ERR_CORRUPT, "the server gave an empty reply for %s", path);
    return e;
}

enum err api_batch_units(struct cli *c, const char *batch, uint64_t *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    BUF_AUTO struct buf path = {0};
    enum err e = buf_printf(&path, "/v1/batches/%s", batch);
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc);
    int64_t units = e == ERR_OK ? json_int(json_field(json_root(doc), "units"), 0) : 0;
    *ret = units > 0 ? (uint64_t)units : 0;
    return e;
}

/* One page; *ret_next is "" at the end. */
static enum err page(struct cli *c, const char *path, const char *after, uint64_t *left,
                     enum err (*visit)(void *ctx, const struct json *item), void *ctx, struct buf *ret_next)
{
    BUF_AUTO struct buf url = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *items;
    enum err e = buf_printf(&url, "%s%climit=%d", path, strchr(path, '?') ? '&' : '?',
                            *left < PAGE_UNITS ? (int)*left : PAGE_UNITS);
    if (e == ERR_OK && *after && (e = buf_add_text(&url, "&after=")) == ERR_OK)
        e = api_escape(after, &url);
    if (e == ERR_OK)
        e = api_get(c, buf_text(&url), &doc);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
    for (size_t i = 0; e == ERR_OK && *left > 0 && i < json_count(items); i++, --*left)
        e = visit(ctx, json_at(items, i));
    if (e != ERR_OK)
        return e;
    buf_clear(ret_next);
    const struct json *next = json_field(json_root(doc), "next");
    if (!next || json_count(items) == 0)
        return ERR_OK;
    if (json_kind(next) == JSON_IS_INT)
        return buf_printf(ret_next, "%lld", (long long)json_int(next, 0));
    return json_text(next) ? buf_add_text(ret_next, json_text(next)) : ERR_OK;
}

enum err api_pages(struct cli *c, const char *path, uint64_t most,
                   enum err (*visit)(void *ctx, const struct json *item), void *ctx)
{
    BUF_AUTO struct buf next = {0};
    uint64_t left = most ? most : UINT64_MAX;
    enum err e;
    do {
        char *after = strdup(buf_text(&next));
        e = after ? page(c, path, after, &left, visit, ctx, &next) : err_set(ERR_NOMEM, "out of memory");
        free(after);
    } while (e == ERR_OK && left > 0 && next.len > 0);
    return e;
}
