/* api_archive.c - where an archived batch is */
#include "server/api.h"
#include "server/try.h"

enum err api_batch_archive(struct call *c)
{
    struct store_batch b;
    struct store_archive a;
    struct json_out o;
    char hex[DIGEST_TEXT_BYTES];
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    if (!b.archived)
        return err_set(ERR_MISSING, "batch %u is not archived: `dugnad results %u` fetches its answers", b.id,
                       b.id);
    if (b.purged)
        return err_set(ERR_STALE, "batch %u is purged, its archive with it", b.id);
    TRY(store_archive_get(c->store, &c->http->arena, b.id, &a));
    digest_text(&a.file, hex);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    api_id(&o, "batch", b.id);
    json_out_string(&o, "sha256", hex);
    json_out_u64(&o, "bytes", a.bytes);
    json_out_u64(&o, "units", a.units);
    json_out_i64(&o, "made_ms", a.made_ms);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
