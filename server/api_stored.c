/* api_stored.c - what a user stores: the files that count against the quota, and giving back what nothing
 * needs */
#include <inttypes.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/needs.h"
#include "server/try.h"

uint64_t api_quota(const struct call *c, const struct store_user *u)
{
    return u->blob_bytes_max ? u->blob_bytes_max : c->server->settings.user_bytes;
}

void api_stored(const struct call *c, const struct store_user *u, struct json_out *o)
{
    json_out_u64(o, "blob_bytes", u->blob_bytes);
    json_out_u64(o, "blob_bytes_max", api_quota(c, u));
}

/* ?user=ID is for operators. */
static enum err find_user(struct call *c, struct store_user *ret)
{
    const char *name = http_query(c->http, "user");
    uint64_t id = c->who.id;
    if (name)
        TRY(call_id(name, "user", INT64_MAX, &id));
    if (id != c->who.id && c->who.role != ROLE_OPERATOR)
        return err_set(ERR_DENIED, "only an operator may ask what others store");
    enum err e = store_user_get(c->store, &c->http->arena, id, ret);
    return e == ERR_MISSING ? err_set(e, "there is no user %" PRIu64 ": dugnad user ls lists them", id) : e;
}

static void write_file(struct json_out *o, const struct blob_kept *k)
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(&k->blob, hex);
    json_out_object(o, NULL);
    json_out_string(o, "sha256", hex);
    json_out_u64(o, "bytes", k->bytes);
    json_out_bool(o, "needed", k->needed);
    if (k->needed || k->goes_ms < 0 || k->goes_ms == INT64_MAX)
        json_out_null(o, "goes_ms");
    else
        json_out_i64(o, "goes_ms", k->goes_ms);
    json_out_close(o);
}

static void write_user(struct call *c, struct json_out *o, const struct store_user *u)
{
    api_id(o, "user", u->id);
    api_stored(c, u, o);
}

enum err api_files(struct call *c)
{
    struct store_user u;
    struct blob_kept *list;
    struct digest after = {{0}};
    uint32_t limit, count;
    char holder[BLOB_HOLDER_BYTES_MAX + 1], hex[DIGEST_TEXT_BYTES];
    const char *cursor = http_query(c->http, "after");
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page_limit(c, &limit));
    if (cursor)
        TRY(digest_parse(cursor, &after));
    TRY(find_user(c, &u));
    blob_holder_user(u.id, holder);
    TRY(blobs_kept(c->server->blobs, &c->http->arena, holder, &after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    write_user(c, &o, &u);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        write_file(&o, &list[i]);
    json_out_close(&o);
    if (count == limit) {
        digest_text(&list[count - 1].blob, hex);
        json_out_string(&o, "next", hex);
    } else {
        json_out_null(&o, "next");
    }
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err count_off(struct call *c, const struct store_user *u, uint64_t bytes)
{
    c->request.kind = ENGINE_QUOTA;
    c->request.u.quota = (struct engine_quota){.user_id = u->id, .bytes = -(int64_t)bytes};
    return call_engine(c);
}

/* What went before an error is counted off too. */
enum err api_files_free(struct call *c)
{
    struct store_user u;
    uint64_t files, bytes;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    struct json_out o;
    int64_t now_ms = clock_wall_ms();
    BUF_AUTO struct buf body = {0};
    TRY(find_user(c, &u));
    TRY(needs_hold(c->store, c->server->blobs, now_ms - NEEDS_YOUNG_MS));
    blob_holder_user(u.id, holder);
    enum err e = blobs_give_back(c->server->blobs, holder, true, now_ms, &files, &bytes);
    if (files > 0)
        TRY(count_off(c, &u, bytes));
    TRY(e);
    TRY(store_user_get(c->store, &c->http->arena, u.id, &u));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    write_user(c, &o, &u);
    json_out_u64(&o, "files", files);
    json_out_u64(&o, "bytes", bytes);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
