/* api_admin.c - what operators watch and steer: hosts, the project in numbers, the audit log */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/api_stream.h"
#include "server/try.h"

/* --- hosts --- */

static enum err find_host(struct call *c, struct store_host *ret)
{
    uint64_t id;
    TRY(call_id(c->params[0], "host", INT64_MAX, &id));
    enum err e = store_host_get(c->store, &c->http->arena, id, ret);
    return e == ERR_MISSING ? err_set(e, "there is no host %" PRIu64 ": dugnad host ls lists them", id) : e;
}

enum err api_host_get(struct call *c)
{
    struct store_host h;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(find_host(c, &h));
    json_out_init(&o, &body);
    TRY(api_host_believed(c, &h, &o));
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* What a ban takes back: attempts that are out, and answers that are not final. */
enum { VOIDS_SHOWN = 100 };

static enum err voided_leases(struct call *c, uint64_t host_id, struct json_out *o)
{
    struct store_lease *list;
    uint32_t count, shown = 0;
    uint64_t all = 0;
    wu_id after = 0;
    json_out_array(o, "units");
    do {
        struct arena ARENA_AUTO a = {0};
        TRY(store_lease_list(c->store, &a, host_id, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            char unit[ID_TEXT_BYTES];
            after = list[i].unit;
            wu_id_text(after, unit);
            if (shown++ < VOIDS_SHOWN)
                json_out_string(o, NULL, unit);
        }
        all += count;
    } while (count == STORE_PAGE_MAX);
    json_out_close(o);
    json_out_u64(o, "leases", all);
    return ERR_OK;
}

static enum err voided_answers(struct call *c, uint64_t host_id, struct json_out *o)
{
    struct store_trust *trusts;
    uint32_t trust_count, shown = 0;
    uint64_t all = 0;
    TRY(store_trust_list(c->store, &c->http->arena, host_id, 0, &trusts, &trust_count));
    json_out_array(o, "provisional_units");
    for (uint32_t i = 0; i < trust_count; i++) {
        struct arena ARENA_AUTO a = {0};
        struct store_escrow *list;
        uint32_t count;
        TRY(store_escrow_list(c->store, &a, host_id, trusts[i].app, &list, &count));
        for (uint32_t k = 0; k < count; k++) {
            char unit[ID_TEXT_BYTES];
            if (!list[k].entry.open && !list[k].entry.held)
                continue;
            wu_id_text(list[k].entry.unit, unit);
            if (shown++ < VOIDS_SHOWN)
                json_out_string(o, NULL, unit);
            all++;
        }
    }
    json_out_close(o);
    json_out_u64(o, "provisional", all);
    return ERR_OK;
}

static enum err reply_ban(struct call *c, const struct store_host *h, bool dry_run)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    api_id(&o, "host", h->id);
    json_out_bool(&o, "banned", h->banned);
    json_out_bool(&o, "dry_run", dry_run);
    json_out_object(&o, "voids");
    TRY(voided_leases(c, h->id, &o));
    TRY(voided_answers(c, h->id, &o));
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err ban(struct call *c, bool on)
{
    static const char *const fields[] = {"reason", "dry_run"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct store_host h;
    struct engine_host *q = &c->request.u.host;
    bool dry_run = false;
    TRY(find_host(c, &h));
    if (c->http->body.len > 0) {
        TRY(api_body(c, &doc));
        TRY(json_only(json_root(doc), "", fields, on ? 2 : 1));
        TRY(json_opt_string(json_root(doc), "", "reason", 200, NULL, &q->reason));
        TRY(json_opt_bool(json_root(doc), "", "dry_run", false, &dry_run));
    }
    if (dry_run)
        return reply_ban(c, &h, true);
    q->host_id = h.id;
    q->ban = on;
    q->reason = q->reason ? q->reason : "";
    c->request.kind = ENGINE_HOST;
    TRY(call_engine(c));
    return api_host_get(c);
}

enum err api_host_ban(struct call *c)
{
    return ban(c, true);
}

enum err api_host_unban(struct call *c)
{
    return ban(c, false);
}

/* --- numbers --- */

enum err api_stats(struct call *c)
{
    struct server *s = c->server;
    struct engine_stats engine;
    uint32_t waiting;
    int64_t oldest_ms;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    engine_thread_stats(s->thread, &engine);
    engine_thread_load(s->thread, &waiting, &oldest_ms);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    pulse_write(s->pulse, &o);
    json_out_i64(&o, "up_ms", clock_mono_ms() - s->started_ms);
    json_out_i64(&o, "batches_active", engine.batches_active);
    json_out_i64(&o, "connections", http_connections(s->http));
    json_out_i64(&o, "engine_waiting", waiting);
    json_out_array(&o, "alerts");
    alerts_write(s->alerts, &o);
    json_out_close(&o);
    TRY(streams_write(c, &o));
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_stats_history(struct call *c)
{
    uint64_t hours;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(call_number(c, "hours", 24, PULSE_HOURS_MAX, &hours));
    if (hours == 0)
        return err_set(ERR_INVALID, "?hours= must be from 1 to %d", PULSE_HOURS_MAX);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    pulse_history(c->server->pulse, (uint32_t)hours, &o);
    api_page_end(&o, 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_events(struct call *c)
{
    return pulse_listen(c->server->pulse, c->http);
}

/* --- the audit log --- */

enum err api_audit(struct call *c)
{
    struct store_audit *list;
    uint32_t limit, count;
    uint64_t after;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    TRY(store_audit_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        api_id(&o, "seq", list[i].seq);
        json_out_i64(&o, "time_ms", list[i].at_ms);
        if (list[i].user_id)
            api_id(&o, "user", list[i].user_id);
        else
            json_out_null(&o, "user");
        api_user_name(c, &o, "user_name", list[i].user_id);
        json_out_string(&o, "action", list[i].action);
        json_out_string(&o, "subject", list[i].subject);
        if (list[i].detail.len)
            json_out_raw(&o, "detail", list[i].detail.data, list[i].detail.len);
        digest_write(&o, "hash", &list[i].chain);
        json_out_close(&o);
    }
    api_page_end(&o, count == limit ? list[count - 1].seq : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
