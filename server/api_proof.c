/* api_proof.c - what others can check without us: how a batch came to its answers, what a host has earned */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/api.h"
#include "server/batch_rules.h"
#include "server/project.h"
#include "server/try.h"

enum { PAGE_UNITS = 200, PAGE_BYTES_MAX = 4 << 20 };

static void policy_write(struct json_out *o, const struct store_batch *b)
{
    json_out_object(o, "policy");
    json_out_string(o, "escrow", wu_escrow_name(b->rules.escrow));
    json_out_u64(o, "quorum", b->rules.quorum);
    if (b->rules.escrow != WU_ESCROW_NONE) {
        json_out_u64(o, "probation", b->trust.probation);
        json_out_u64(o, "audit_ppm", b->trust.audit_ppm);
        json_out_u64(o, "escrow_units", b->trust.wait);
    }
    json_out_close(o);
}

/* What is signed of a page: which lines follow, by their digest. */
static enum err statement_print(struct call *c, const struct store_batch *b, uint64_t from, uint32_t count,
                                bool last, const struct buf *lines, struct buf *out)
{
    struct digest digest = hash_bytes(lines->data, lines->len);
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    digest_write(&o, "project", project_key(c->server->project));
    api_id(&o, "batch", b->id);
    json_out_string(&o, "app", b->app);
    json_out_u64(&o, "version", b->version);
    digest_write(&o, "order", &b->order_digest);
    json_out_array(&o, "releases");
    for (uint32_t i = 0; i < b->release_count; i++)
        digest_write(&o, NULL, &b->releases[i].release);
    json_out_close(&o);
    policy_write(&o, b);
    json_out_u64(&o, "from", from);
    json_out_u64(&o, "count", count);
    json_out_bool(&o, "last", last);
    json_out_i64(&o, "made_ms", clock_wall_ms());
    digest_write(&o, "lines", &digest);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err add_line(struct call *c, const struct store_batch *b, uint32_t index, struct buf *lines)
{
    struct json_out o;
    json_out_init(&o, lines);
    TRY(api_unit_write(c, b, wu_id_make(b->id, index), &o));
    TRY(json_out_end(&o));
    return buf_add_char(lines, '\n');
}

enum err api_batch_provenance(struct call *c)
{
    struct store_batch b;
    BUF_AUTO struct buf lines = {0}, statement = {0}, body = {0};
    uint64_t from;
    uint32_t count = 0;
    TRY(api_find_batch(c, &b));
    TRY(api_not_archived(&b));
    TRY(call_number(c, "from", 0, BATCH_UNITS_MAX, &from));
    while (from + count < (uint64_t)b.counts.units && count < PAGE_UNITS && lines.len < PAGE_BYTES_MAX)
        TRY(add_line(c, &b, (uint32_t)from + count++, &lines));
    bool last = from + count >= (uint64_t)b.counts.units && b.finished_ms != 0;
    TRY(statement_print(c, &b, from, count, last, &lines, &statement));
    TRY(buf_add_text(&body, "{\"statement\":"));
    TRY(project_sign(c->server->project, ENVELOPE_TYPE_PROVENANCE, &statement, &body));
    TRY(buf_add_text(&body, "}\n"));
    TRY(buf_add(&body, lines.data, lines.len));
    struct http_reply p = {.status = 200, .content_type = "application/x-ndjson", .body = &body};
    http_reply(c->http, &p);
    return ERR_OK;
}

/* Anybody may ask: a receipt is there to be shown, and holds no more than numbers. */
enum err api_host_receipt(struct call *c)
{
    BUF_AUTO struct buf text = {0}, body = {0};
    struct store_host h;
    struct json_out o;
    uint64_t id;
    TRY(call_id(c->params[0], "host", INT64_MAX, &id));
    enum err e = store_host_get(c->store, &c->http->arena, id, &h);
    if (e == ERR_MISSING)
        return err_set(e, "there is no host %" PRIu64, id);
    TRY(e);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    digest_write(&o, "project", project_key(c->server->project));
    json_out_string(&o, "name", project_name(c->server->project));
    api_id(&o, "host", h.id);
    api_id(&o, "volunteer", h.volunteer_id);
    json_out_u64(&o, "credit_micro", h.credit_micro);
    json_out_u64(&o, "valid", h.valid);
    json_out_i64(&o, "since_ms", h.created_ms);
    json_out_i64(&o, "made_ms", clock_wall_ms());
    json_out_close(&o);
    TRY(json_out_end(&o));
    TRY(project_sign(c->server->project, ENVELOPE_TYPE_RECEIPT, &text, &body));
    return call_reply(c, 200, &body);
}
