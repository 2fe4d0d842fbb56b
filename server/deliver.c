#include "server/deliver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/hook.h"
#include "server/mail.h"
#include "server/ticker.h"
#include "server/try.h"

enum {
    PAGE = 50,
    LOOK_EVERY_MS = 5000,
    DROP_SLICE = 500,
    HOOK_TIMEOUT_MS = 10000,
    HOOK_TRIES_MIN = 10, /* before it is given up: the server itself may have been down for days */
    HOOKS_ROUND_MS = 30000
};
#define RETRY_DEFAULT_MS OUTBOX_RETRY_MS_MAX
#define RETRY_CAP_MS     OUTBOX_WAIT_MS_MAX
#define HOOK_KEPT_MS     (3ll * 86400000)

struct deliver {
    struct deliver_config config;
    struct ticker *ticker;
    uint64_t hooks_after; /* the last one that was tried: the round ended there */
};

static enum err tell(struct deliver *d, struct arena *a, uint64_t id, bool done, int64_t due_ms)
{
    struct engine_request r = {.kind = ENGINE_OUTBOX, .arena = a};
    r.u.outbox = (struct engine_outbox){.id = id, .done = done, .due_ms = due_ms};
    return engine_thread_do(d->config.engine, &r);
}

static enum err put_off(struct deliver *d, struct arena *a, const struct store_outbox *o)
{
    int64_t most_ms = o->tries < 20 ? d->config.retry_ms << o->tries : RETRY_CAP_MS;
    most_ms = most_ms < RETRY_CAP_MS ? most_ms : RETRY_CAP_MS;
    return tell(d, a, o->id, false, clock_wall_ms() + 1 + (int64_t)(rand_u64() % (uint64_t)most_ms));
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
static enum err drop_files(struct deliver *d, uint64_t batch)
{
    char holder[32];
    snprintf(holder, sizeof holder, "b%" PRIu64, batch);
    TRY(drop_all(d, holder));
    holder[0] = 'i';
    return drop_all(d, holder);
}

static enum err purge(struct deliver *d, struct arena *a, const struct store_outbox *o)
{
    enum err e = drop_files(d, o->subject);
    if (e == ERR_OK)
        unused_wake(d->config.unused);
    if (e == ERR_OK)
        return tell(d, a, o->id, true, 0);
    if (ticker_stops(d->ticker))
        return ERR_OK;
    log_event(LOG_WARN, "purge-failed", "batch", log_i64((long long)o->subject), "err", err_text(), NULL);
    return put_off(d, a, o);
}

/* --- web hooks --- */

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

static enum err send_hook(const char *url, const char *body, size_t len)
{
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .headers = {"Content-Type: application/json"},
                                    .body = body,
                                    .body_bytes = len,
                                    .reply_bytes_max = 65536,
                                    .timeout_ms = HOOK_TIMEOUT_MS};
    struct fetch_reply reply = {0};
    enum err e = fetch_http(&request, &reply);
    int status = reply.status;
    if (e != ERR_OK && e != ERR_LIMIT) /* a long answer is an answer */
        return e;
    fetch_reply_done(&reply);
    return status >= 200 && status < 300 ? ERR_OK
                                         : err_set(ERR_UNREACHABLE, "the web hook answered %d", status);
}

static enum err send_mail(const struct settings *s, const char *to, const struct store_batch *b)
{
    BUF_AUTO struct buf subject = {0}, text = {0};
    if (!s || !mail_is_set(s))
        return err_set(ERR_INVALID, "this server sends no mail");
    TRY(buf_printf(&subject,
                   "[%s] batch %" PRIu32 "%s%s is %s: %" PRId64 " of %" PRId64 " units accepted, %" PRId64
                   " failed",
                   s->name, b->id, b->name[0] ? " " : "", b->name, store_batch_state(b),
                   (int64_t)b->counts.accepted, (int64_t)b->counts.units, (int64_t)b->counts.failed));
    TRY(buf_printf(&text, "%s\n\ndugnad results %" PRIu32 " --out DIR\n%s/admin/batches/%" PRIu32 "\n",
                   buf_text(&subject), b->id, s->url, b->id));
    struct mail mail = {.to = to, .subject = buf_text(&subject), .text = buf_text(&text)};
    return mail_send(s, &mail);
}

/* ERR_UNREACHABLE and the like: again later. ERR_INVALID: never. ERR_OK also when nothing is to be told. */
static enum err try_hook(const struct settings *s, const struct store_batch *b, const struct store_outbox *o)
{
    char url[HOOK_URL_BYTES];
    BUF_AUTO struct buf body = {0};
    TRY(hook_url(b->policy.data, b->policy.len, url));
    if (!url[0] || b->finished_ms == 0) /* retried since: it is told of when it finishes again */
        return ERR_OK;
    if (str_starts(url, HOOK_MAIL))
        return send_mail(s, url + sizeof HOOK_MAIL - 1, b);
    if (o->body.len > 0)
        return send_hook(url, o->body.data, o->body.len);
    TRY(hook_body(b, &body));
    return send_hook(url, body.data, body.len);
}

static bool is_hopeless(const struct store_batch *b, const struct store_outbox *o, enum err e)
{
    return e == ERR_INVALID ||
           (o->tries + 1 >= HOOK_TRIES_MIN && clock_wall_ms() - b->finished_ms > HOOK_KEPT_MS);
}

static enum err hook(struct deliver *d, struct arena *a, const struct store_outbox *o)
{
    struct store_batch b;
    enum err e = store_batch_get(d->config.store, a, (uint32_t)o->subject, &b);
    if (e == ERR_MISSING)
        return tell(d, a, o->id, true, 0);
    TRY(e);
    e = try_hook(d->config.settings, &b, o);
    if (e != ERR_OK && !is_hopeless(&b, o, e)) {
        log_event(LOG_INFO, "hook-failed", "batch", log_i64(b.id), "err", err_text(), NULL);
        return put_off(d, a, o);
    }
    if (e != ERR_OK)
        log_event(LOG_WARN, "hook-given-up", "batch", log_i64(b.id), "err", err_text(), NULL);
    return tell(d, a, o->id, true, 0);
}

/* --- the thread --- */

/* What is due after *after, in order, until until_ms; *after is 0 again at the end of the list. */
static enum err handle_due(struct deliver *d, enum outbox_kind kind, uint64_t *after, int64_t until_ms,
                           enum err (*handle)(struct deliver *d, struct arena *a,
                                              const struct store_outbox *o))
{
    struct arena ARENA_AUTO list_arena = {0};
    struct store_outbox *list;
    uint32_t count;
    do {
        TRY(store_outbox_list(d->config.store, &list_arena, kind, clock_wall_ms(), *after, PAGE, &list,
                              &count));
        for (uint32_t i = 0; i < count; i++) {
            struct arena ARENA_AUTO a = {0};
            if (ticker_stops(d->ticker) || clock_mono_ms() >= until_ms)
                return ERR_OK;
            *after = list[i].id;
            if (handle(d, &a, &list[i]) != ERR_OK)
                log_event(LOG_WARN, "deliver-failed", "outbox", log_i64((long long)list[i].id), "err",
                          err_text(), NULL);
        }
        arena_reset(&list_arena);
    } while (count == PAGE);
    *after = 0;
    return ERR_OK;
}

static void look(void *ctx)
{
    struct deliver *d = ctx;
    uint64_t files_after = 0;
    if (!members_have(d->config.members, DUTY_DELIVER))
        return;
    enum err e = handle_due(d, OUTBOX_PURGE_FILES, &files_after, INT64_MAX, purge);
    if (e == ERR_OK)
        e = handle_due(d, OUTBOX_WEBHOOK, &d->hooks_after, clock_mono_ms() + HOOKS_ROUND_MS, hook);
    if (e != ERR_OK)
        log_event(LOG_WARN, "deliver-failed", "err", err_text(), NULL);
    if (d->hooks_after != 0 && !ticker_stops(d->ticker))
        ticker_wake(d->ticker);
}

enum err deliver_start(const struct deliver_config *config, struct deliver **ret_deliver)
{
    struct deliver *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(ERR_NOMEM, "no memory for deliveries");
    d->config = *config;
    d->config.retry_ms = config->retry_ms ? config->retry_ms : RETRY_DEFAULT_MS;
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
