/* api_shared.c - what several of the api_*.c files need */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/api.h"
#include "server/batch_rules.h"
#include "server/try.h"
#include "wire/answer.h"

enum { PAGE_DEFAULT = 100 };

void api_secret(uint8_t ret_secret[32], struct digest *ret_stored)
{
    rand_bytes(ret_secret, 32);
    *ret_stored = hash_bytes(ret_secret, 32);
}

void api_id(struct json_out *o, const char *key, uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, id);
    json_out_string(o, key, text);
}

void api_user_name(struct call *c, struct json_out *o, const char *key, uint64_t id)
{
    struct store_user u;
    if (id != 0 && store_user_get(c->store, &c->http->arena, id, &u) == ERR_OK)
        json_out_string(o, key, u.name);
}

enum err api_body(struct call *c, struct json_doc **ret_doc)
{
    const struct buf *body = &c->http->body;
    TRY(json_parse(buf_text(body), body->len, (size_t)c->route->body_bytes_max, ret_doc));
    if (json_kind(json_root(*ret_doc)) == JSON_IS_OBJECT)
        return ERR_OK;
    json_free(*ret_doc);
    *ret_doc = NULL;
    return err_set(ERR_INVALID, "the body must be a JSON object");
}

enum err api_page_limit(const struct call *c, uint32_t *ret_limit)
{
    uint64_t limit;
    TRY(call_number(c, "limit", PAGE_DEFAULT, STORE_PAGE_MAX, &limit));
    if (limit == 0)
        return err_set(ERR_INVALID, "?limit= must be from 1 to %d", STORE_PAGE_MAX);
    *ret_limit = (uint32_t)limit;
    return ERR_OK;
}

enum err api_page(const struct call *c, uint32_t *ret_limit, uint64_t *ret_after)
{
    TRY(call_number(c, "after", 0, UINT64_MAX, ret_after));
    return api_page_limit(c, ret_limit);
}

void api_page_end(struct json_out *o, uint64_t next)
{
    json_out_close(o);
    if (next)
        api_id(o, "next", next);
    else
        json_out_null(o, "next");
    json_out_close(o);
}

enum err api_may_see(const struct call *c, const struct store_batch *b)
{
    if (c->who.role == ROLE_SCIENTIST && b->user_id != c->who.id)
        return err_set(ERR_MISSING, "you have no batch %u: dugnad ls lists yours", b->id);
    return ERR_OK;
}

enum err api_find_batch(struct call *c, struct store_batch *ret)
{
    uint64_t id;
    TRY(call_id(c->params[0], "batch", UINT32_MAX, &id));
    enum err e = store_batch_get(c->store, &c->http->arena, (uint32_t)id, ret);
    if (e == ERR_MISSING)
        return err_set(e, "there is no batch %" PRIu64 ": dugnad ls lists yours", id);
    TRY(e);
    return api_may_see(c, ret);
}

enum err api_not_archived(const struct store_batch *b)
{
    return !b->archived
               ? ERR_OK
               : err_set(ERR_STALE,
                         "the units of batch %u are in its archive: `dugnad archive get %u` fetches it",
                         b->id, b->id);
}

static void count_write(struct json_out *o, const struct batch_counts *n)
{
#define X(name) json_out_i64(o, #name, n->name);
    BATCH_COUNT_LIST(X)
#undef X
}

void api_policy_write(struct json_out *o, const struct store_batch *b)
{
    struct price p = batch_rules_price(&b->rules, &b->trust, PRICE_LIARS_DEFAULT);
    double liars;
    json_out_object(o, "policy");
    json_out_string(o, "name", batch_policy_name(batch_rules_policy(&b->rules)));
    json_out_real(o, "runs_expected", p.runs);
    json_out_real(o, "wrong_at_most", p.wrong);
    json_out_real(o, "liars_assumed", PRICE_LIARS_DEFAULT);
    if (batch_rules_measure(&b->rules, &b->trust, &b->counts, &p, &liars)) {
        json_out_real(o, "runs_measured", p.runs);
        json_out_real(o, "liars_measured", liars);
        json_out_real(o, "wrong_measured", p.wrong);
    }
    json_out_close(o);
}

void api_batch_write(struct call *c, struct json_out *o, const struct store_batch *b)
{
    json_out_object(o, NULL);
    api_id(o, "batch", b->id);
    json_out_string(o, "name", b->name);
    json_out_string(o, "app", b->app);
    json_out_i64(o, "version", b->version);
    api_id(o, "user", b->user_id);
    api_user_name(c, o, "user_name", b->user_id);
    json_out_string(o, "state", store_batch_state(b));
    json_out_i64(o, "priority", b->priority);
    if (b->labels.len)
        json_out_raw(o, "labels", b->labels.data, b->labels.len);
    count_write(o, &b->counts);
    api_policy_write(o, b);
    if (b->array)
        json_out_i64(o, "units_wanted", b->array_count);
    json_out_bool(o, "purged_files", b->purged);
    json_out_bool(o, "archived", b->archived);
    json_out_i64(o, "created_ms", b->created_ms);
    if (b->finished_ms)
        json_out_i64(o, "finished_ms", b->finished_ms);
    else
        json_out_null(o, "finished_ms");
    /* At the rate so far; while nothing is out it is at no rate. */
    if (b->finished_ms == 0 && !b->paused && b->counts.leased > 0 && b->counts.accepted > 0 &&
        b->counts.open > 0)
        json_out_i64(o, "eta_ms",
                     (int64_t)((double)(clock_wall_ms() - b->created_ms) / (double)b->counts.accepted *
                               (double)b->counts.open));
    json_out_close(o);
}

/* data: NULL, or its bytes. */
static enum err output_write(struct json_out *o, const struct file_ref *file, const struct text *data)
{
    BUF_AUTO struct buf base64 = {0};
    json_out_object(o, NULL);
    json_out_string(o, "path", file->path);
    digest_write(o, "sha256", &file->sha256);
    json_out_u64(o, "bytes", file->bytes);
    if (data && file->bytes <= INLINE_BYTES_MAX) {
        TRY(str_base64(data->data, data->len, &base64));
        json_out_string(o, "data", buf_text(&base64));
    }
    json_out_close(o);
    return ERR_OK;
}

enum err api_outputs_write(struct call *c, struct json_out *o, wu_id unit, const struct digest *name,
                           bool data)
{
    struct store_answer answer;
    enum err e = store_answer_get(c->store, &c->http->arena, unit, name, &answer);
    if (e == ERR_MISSING) {
        json_out_null(o, "outputs");
        return ERR_OK;
    }
    TRY(e);
    json_out_array(o, "outputs");
    for (uint32_t i = 0; i < answer.count; i++)
        TRY(output_write(o, &answer.files[i], data && answer.data[i].data ? &answer.data[i] : NULL));
    json_out_close(o);
    return ERR_OK;
}
