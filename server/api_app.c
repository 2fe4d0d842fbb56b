/* api_app.c - released code: published with its signatures checked, listed */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "server/api_version.h"
#include "server/try.h"
#include "wire/release.h"

static enum err check_bundle(struct call *c, const struct release *r)
{
    char hex[DIGEST_TEXT_BYTES];
    uint64_t bytes;
    digest_text(&r->bundle, hex);
    enum err e = blob_find(c->server->blobs, &r->bundle, &bytes);
    if (e == ERR_MISSING)
        return err_set(e, "the bundle %s is not here: upload it first, to /v1/blobs/%s", hex, hex);
    TRY(e);
    if (bytes != r->bundle_bytes)
        return err_set(ERR_UNTRUSTED, "the bundle %s has %" PRIu64 " bytes, the release says %" PRIu64, hex,
                       bytes, r->bundle_bytes);
    TRY(blob_hold(c->server->blobs, &r->bundle, "releases"));
    return blobs_sync(c->server->blobs, "releases");
}

static enum err manifest_text(struct arena *a, const struct manifest *m, struct text *ret)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    json_out_init(&o, &text);
    manifest_write(&o, NULL, m);
    TRY(json_out_end(&o));
    ret->data = arena_bytes(a, text.data, text.len);
    ret->len = (uint32_t)text.len;
    return ret->data ? ERR_OK : ERR_NOMEM;
}

/* The same version for the same platform must not become something else. */
static enum err check_version(struct call *c, const struct release *r, const struct digest *digest)
{
    struct store_release *list;
    uint32_t count;
    uint64_t after = 0;
    do {
        TRY(store_release_list(c->store, &c->http->arena, r->app, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            if (list[i].version == r->version && str_eq(list[i].platform, r->platform) && !list[i].retired &&
                !digest_eq(&list[i].digest, digest))
                return err_set(
                    ERR_CONFLICT,
                    "%s version %u for %s is published already, with other content: give this one a "
                    "new version",
                    r->app, r->version, r->platform);
        }
    } while (count == STORE_PAGE_MAX);
    return ERR_OK;
}

static enum err reply_release(struct call *c, const struct digest *digest, const struct store_release *r)
{
    struct buf body = {0};
    struct json_out o;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    digest_write(&o, "release", digest);
    api_id(&o, "id", c->request.u.release.ret_id);
    if (r) {
        json_out_string(&o, "app", r->app);
        json_out_i64(&o, "version", r->version);
        json_out_string(&o, "platform", r->platform);
    }
    json_out_close(&o);
    enum err e = json_out_end(&o);
    if (e != ERR_OK) {
        buf_done(&body);
        return e;
    }
    return call_reply(c, 200, &body);
}

/* A new version of an app that has others goes to a share of the hosts first, where the operator wants it so.
 * Told again, or for another platform, nothing changes. */
static enum err begin_rollout(struct call *c, const struct store_release *r)
{
    double share = c->server->settings.rollout;
    uint64_t id = c->request.u.release.ret_id;
    struct engine_version q = {.app = r->app, .version = r->version, .only_new = true};
    bool known;
    if (share >= 1)
        return ERR_OK;
    TRY(app_version_base(c, r->app, r->version, &q.base, &known));
    if (!q.base)
        return ERR_OK;
    q.share_ppm = (uint32_t)(share * 1e6 + 0.5);
    c->request = (struct engine_request){.kind = ENGINE_VERSION, .u.version = q};
    TRY(call_engine(c));
    c->request.u.release = (struct engine_release){.ret_id = id};
    return ERR_OK;
}

static enum err open_release(struct call *c, const struct buf *envelope, struct buf *ret_payload)
{
    enum err e = envelope_open(buf_text(envelope), envelope->len, ENVELOPE_TYPE_RELEASE,
                               project_release_keys(c->server->project), ret_payload);
    if (e != ERR_UNTRUSTED)
        return e;
    return err_set(e,
                   "%s: sign it anew with dugnad app sign and a release key of this project, not with its "
                   "root key or another project's",
                   err_text());
}

enum err api_release_post(struct call *c)
{
    BUF_AUTO struct buf payload = {0};
    const struct buf *envelope = &c->http->body;
    struct arena *a = &c->http->arena;
    struct release r;
    struct store_release *to = &c->request.u.release.release, made;
    TRY(open_release(c, envelope, &payload));
    TRY(release_parse(payload.data, payload.len, a, &r));
    struct digest digest = hash_bytes(payload.data, payload.len);
    TRY(check_version(c, &r, &digest));
    TRY(check_bundle(c, &r));
    c->request.kind = ENGINE_RELEASE;
    *to = (struct store_release){.digest = digest,
                                 .app = r.app,
                                 .platform = r.platform,
                                 .version = r.version,
                                 .bundle = r.bundle,
                                 .bundle_bytes = r.bundle_bytes,
                                 .envelope = {.data = envelope->data, .len = (uint32_t)envelope->len}};
    TRY(manifest_text(a, &r.manifest, &to->manifest));
    TRY(call_engine(c));
    made = *to;
    TRY(begin_rollout(c, &made));
    log_event(LOG_INFO, "release-published", "app", r.app, "version", log_i64(r.version), "platform",
              r.platform, NULL);
    return reply_release(c, &digest, &made);
}

enum err api_release_retire(struct call *c)
{
    struct digest digest;
    TRY(digest_parse(c->params[0], &digest));
    c->request.kind = ENGINE_RELEASE;
    c->request.u.release = (struct engine_release){.release.digest = digest, .retire = true};
    TRY(call_engine(c));
    return reply_release(c, &digest, NULL);
}

/* --- listing --- */

static void title_write(struct json_out *o, const struct store_release *r)
{
    JSON_AUTO struct json_doc *doc = NULL;
    if (json_parse(r->manifest.data, r->manifest.len, ENVELOPE_BYTES_MAX, &doc) == ERR_OK)
        json_out_value(o, "title", json_field(json_root(doc), "title"));
}

/* Whose signatures the envelope has; they were checked when it was published. */
static enum err signers_write(struct call *c, struct json_out *o, const struct digest *digest)
{
    struct store_release r;
    JSON_AUTO struct json_doc *doc = NULL;
    TRY(store_release_get(c->store, &c->http->arena, digest, &r));
    TRY(json_parse(r.envelope.data, r.envelope.len, ENVELOPE_BYTES_MAX, &doc));
    const struct json *list = json_field(json_root(doc), "signatures");
    json_out_array(o, "signers");
    for (size_t i = 0; i < json_count(list); i++)
        json_out_value(o, NULL, json_field(json_at(list, i), "keyid"));
    json_out_close(o);
    return ERR_OK;
}

static enum err release_write(struct call *c, struct json_out *o, const struct store_release *r,
                              const struct store_version *v, bool whole)
{
    json_out_object(o, NULL);
    api_id(o, "id", r->id);
    digest_write(o, "release", &r->digest);
    json_out_string(o, "app", r->app);
    json_out_i64(o, "version", r->version);
    json_out_string(o, "platform", r->platform);
    digest_write(o, "bundle", &r->bundle);
    json_out_u64(o, "bundle_bytes", r->bundle_bytes);
    json_out_bool(o, "retired", r->retired);
    json_out_i64(o, "created_ms", r->created_ms);
    api_id(o, "user", r->user_id);
    title_write(o, r);
    TRY(signers_write(c, o, &r->digest));
    app_version_write(o, v);
    if (whole && r->manifest.len)
        json_out_raw(o, "manifest", r->manifest.data, r->manifest.len);
    json_out_close(o);
    return ERR_OK;
}

static enum err reply_releases(struct call *c, const char *app, bool whole)
{
    struct store_release *list;
    struct app_versions of = {0};
    uint32_t limit, count;
    uint64_t after;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    TRY(store_release_list(c->store, &c->http->arena, app, after, limit, &list, &count));
    if (app && count == 0 && after == 0)
        return err_set(ERR_MISSING, "there is no app \"%.64s\" here: `dugnad app ls` shows which there are",
                       app);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++) {
        const struct store_version *v;
        TRY(app_version_find(c, &of, list[i].app, list[i].version, &v));
        TRY(release_write(c, &o, &list[i], v, whole));
    }
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_apps(struct call *c)
{
    return reply_releases(c, NULL, false);
}

enum err api_app(struct call *c)
{
    return reply_releases(c, c->params[0], true);
}
