#include "server/deliver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/ticker.h"
#include "server/try.h"

enum { PAGE = 50, LOOK_EVERY_MS = 5000, DROP_SLICE = 500, HOOK_TIMEOUT_MS = 10000, URL_BYTES = 1024 };
#define HOOK_BASE_MS 5000ll
#define HOOK_CAP_MS  3600000ll
#define HOOK_TRIES   100 /* about three days */

struct deliver {
    struct deliver_config config;
    struct ticker *ticker;
};

static enum err tell(struct deliver *d, struct arena *a, uint64_t id, bool done, int64_t due_ms)
{
    struct engine_request r = {.kind = ENGINE_OUTBOX, .arena = a};
    r.u.outbox = (struct engine_outbox){.id = id, .done = done, .due_ms = due_ms};
    return engine_thread_do(d->config.engine, &r);
}

/* --- a purged batch's files --- */

static enum err drop_all(struct deliver *d, const char *holder)
{
    bool more = true;
    while (more && !ticker_stops(d->ticker))
        TRY(blobs_drop(d->config.blobs, holder, DROP_SLICE, &more));
    return more ? err_set(ERR_BUSY, "the server stops") : ERR_OK;
}

/* Answers ("b7") and inputs ("i7"). */
static enum err purge(struct deliver *d, struct arena *a, const struct store_outbox *o)
{
    char holder[32];
    snprintf(holder, sizeof holder, "b%" PRIu64, o->subject);
    TRY(drop_all(d, holder));
    holder[0] = 'i';
    TRY(drop_all(d, holder));
    return tell(d, a, o->id, true, 0);
}

/* --- web hooks --- */

/* {"webhook":URL} in the batch's policy; "" where there is none. */
static enum err hook_url(const struct store_batch *b, char ret[URL_BYTES])
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *url;
    ret[0] = '\0';
    if (!b->policy.len)
        return ERR_OK;
    TRY(json_parse(b->policy.data, b->policy.len, JSON_BODY_SMALL_BYTES_MAX, &doc));
    TRY(json_opt_string(json_root(doc), "policy", "webhook", URL_BYTES - 1, "", &url));
    snprintf(ret, URL_BYTES, "%s", url);
    return ERR_OK;
}

static enum err hook_body(const struct store_batch *b, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "event", "batch.finished");
    json_out_i64(&o, "batch", b->id);
    json_out_string(&o, "name", b->name);
    json_out_string(&o, "state", store_batch_state(b));
    json_out_i64(&o, "units", b->counts.units);
    json_out_i64(&o, "accepted", b->counts.accepted);
    json_out_i64(&o, "failed", b->counts.failed);
    json_out_i64(&o, "finished_ms", b->finished_ms);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err send_hook(const char *url, const struct buf *body)
{
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .headers = {"Content-Type: application/json"},
                                    .body = body->data,
                                    .body_bytes = body->len,
                                    .reply_bytes_max = 4096,
                                    .timeout_ms = HOOK_TIMEOUT_MS};
    struct fetch_reply reply = {0};
    TRY(fetch_http(&request, &reply));
    int status = reply.status;
    fetch_reply_done(&reply);
    return status >= 200 && status < 300 ? ERR_OK
                                         : err_set(ERR_UNREACHABLE, "the web hook answered %d", status);
}

static enum err hook(struct deliver *d, struct arena *a, const struct store_outbox *o)
{
    struct store_batch b;
    char url[URL_BYTES];
    BUF_AUTO struct buf body = {0};
    TRY(store_batch_get(d->config.store, a, (uint32_t)o->subject, &b));
    TRY(hook_url(&b, url));
    if (!url[0])
        return tell(d, a, o->id, true, 0);
    TRY(hook_body(&b, &body));
    enum err e = send_hook(url, &body);
    if (e != ERR_OK && o->tries < HOOK_TRIES) {
        int64_t most_ms = o->tries < 10 ? HOOK_BASE_MS << o->tries : HOOK_CAP_MS;
        most_ms = most_ms < HOOK_CAP_MS ? most_ms : HOOK_CAP_MS;
        log_event(LOG_INFO, "hook-failed", "batch", log_i64(b.id), "err", err_text(), NULL);
        return tell(d, a, o->id, false, clock_wall_ms() + (int64_t)(rand_u64() % (uint64_t)most_ms) + 1000);
    }
    if (e != ERR_OK)
        log_event(LOG_WARN, "hook-given-up", "batch", log_i64(b.id), "err", err_text(), NULL);
    return tell(d, a, o->id, true, 0);
}

/* --- the thread --- */

static enum err handle_due(struct deliver *d, enum outbox_kind kind,
                           enum err (*handle)(struct deliver *d, struct arena *a,
                                              const struct store_outbox *o))
{
    struct arena ARENA_AUTO list_arena = {0};
    struct store_outbox *list;
    uint32_t count;
    uint64_t after = 0;
    do {
        TRY(store_outbox_list(d->config.store, &list_arena, kind, clock_wall_ms(), after, PAGE, &list,
                              &count));
        for (uint32_t i = 0; i < count && !ticker_stops(d->ticker); i++) {
            struct arena ARENA_AUTO a = {0};
            after = list[i].id;
            if (handle(d, &a, &list[i]) != ERR_OK)
                log_event(LOG_WARN, "deliver-failed", "outbox", log_i64((long long)list[i].id), "err",
                          err_text(), NULL);
        }
        arena_reset(&list_arena);
    } while (count == PAGE && !ticker_stops(d->ticker));
    return ERR_OK;
}

static void look(void *ctx)
{
    enum err e = handle_due(ctx, OUTBOX_PURGE_FILES, purge);
    if (e == ERR_OK)
        e = handle_due(ctx, OUTBOX_WEBHOOK, hook);
    if (e != ERR_OK)
        log_event(LOG_WARN, "deliver-failed", "err", err_text(), NULL);
}

enum err deliver_start(const struct deliver_config *config, struct deliver **ret_deliver)
{
    struct deliver *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(ERR_NOMEM, "no memory for deliveries");
    d->config = *config;
    enum err e = ticker_start(look, d, LOOK_EVERY_MS, &d->ticker);
    if (e != ERR_OK) {
        free(d);
        return e;
    }
    *ret_deliver = d;
    return ERR_OK;
}

void deliver_wake(struct deliver *d)
{
    ticker_wake(d->ticker);
}

void deliver_stop(struct deliver *d)
{
    if (!d)
        return;
    ticker_stop(d->ticker);
    free(d);
}
