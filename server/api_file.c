/* api_file.c - blobs over HTTP: ranges down, resumable pieces up */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "server/api.h"
#include "server/try.h"
#include "wire/order.h"

/* "bytes=A-" or "bytes=A-B"; anything else gets the whole, as RFC 9110 allows. */
static enum err parse_range(const char *range, uint64_t bytes, uint64_t *ret_from, uint64_t *ret_len,
                            bool *ret_part)
{
    uint64_t from, to = bytes - 1;
    char text[24];
    *ret_from = 0;
    *ret_len = bytes;
    *ret_part = false;
    if (!range || !str_starts(range, "bytes=") || strchr(range, ','))
        return ERR_OK;
    size_t len = strcspn(range + 6, "-");
    const char *end = range + 6 + len;
    if (len == 0 || len >= sizeof text || *end != '-')
        return ERR_OK;
    snprintf(text, sizeof text, "%.*s", (int)len, range + 6);
    if (str_to_u64(text, UINT64_MAX, &from) != ERR_OK)
        return ERR_OK;
    if (end[1] && str_to_u64(end + 1, UINT64_MAX, &to) != ERR_OK)
        return ERR_OK;
    if (from >= bytes || to < from)
        return err_set(ERR_INVALID, "Range starts at %" PRIu64 ", the blob has %" PRIu64 " bytes", from,
                       bytes);
    *ret_from = from;
    *ret_len = (to < bytes - 1 ? to : bytes - 1) - from + 1;
    *ret_part = true;
    return ERR_OK;
}

static enum err reply_file(struct call *c, int fd, uint64_t bytes)
{
    uint64_t from, len;
    bool part;
    char range[80];
    enum err e = parse_range(http_header(c->http, "Range"), bytes, &from, &len, &part);
    if (e != ERR_OK) {
        close(fd);
        return e;
    }
    struct http_reply p = {.status = part ? 206 : 200,
                           .content_type = "application/octet-stream",
                           .has_fd = true,
                           .fd = fd,
                           .fd_offset = from,
                           .fd_bytes = len};
    if (part) {
        snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, from + len - 1, bytes);
        http_reply_header(&p, "Content-Range", range);
    }
    http_reply_header(&p, "Accept-Ranges", "bytes");
    http_reply_header(&p, "Cache-Control", "private, max-age=31536000, immutable");
    http_reply_header(&p, "X-Content-Type-Options", "nosniff");
    http_reply_header(&p, "Content-Disposition", "attachment");
    http_reply(c->http, &p);
    return ERR_OK;
}

/* Who says that it can is sent to the object store itself for what is large. What comes from there is checked
 * against its digest like anything. */
static enum err reply_link(struct call *c, const struct digest *digest, bool *ret_replied)
{
    char url[BLOB_LINK_BYTES_MAX];
    const char *prefer = http_header(c->http, "Prefer");
    struct http_reply p = {.status = 307};
    *ret_replied = false;
    if (!prefer || !str_eq(prefer, "redirect"))
        return ERR_OK;
    enum err e = blob_link(c->server->blobs, digest, url);
    if (e != ERR_OK)
        return e == ERR_UNSUPPORTED ? ERR_OK : e;
    http_reply_header(&p, "Location", url);
    http_reply_header(&p, "Cache-Control", "no-store");
    http_reply(c->http, &p);
    *ret_replied = true;
    return ERR_OK;
}

static enum err get_file(struct call *c)
{
    struct digest digest;
    int fd;
    uint64_t bytes;
    bool replied;
    TRY(digest_parse(c->params[0], &digest));
    TRY(reply_link(c, &digest, &replied));
    if (replied)
        return ERR_OK;
    TRY(blob_open(c->server->blobs, &digest, &fd, &bytes));
    return reply_file(c, fd, bytes);
}

enum err api_blob_get(struct call *c)
{
    return blobs_block(c->server->blobs) ? call_on_worker(c, get_file) : get_file(c);
}

/* Uploads are kept apart by who sends them, so that nobody can spoil another's. */
static void upload_holder(const struct call *c, char ret[BLOB_HOLDER_BYTES_MAX + 1])
{
    if (c->who.role >= ROLE_VIEWER)
        blob_holder_user(c->who.id, ret);
    else
        snprintf(ret, BLOB_HOLDER_BYTES_MAX + 1, "%.1s%" PRIu64, role_name(c->who.role), c->who.id);
}

/* The length alone: no file is fetched for it. */
static enum err reply_length(struct call *c, uint64_t bytes)
{
    struct http_reply p = {.status = 200, .content_type = "application/octet-stream", .head_bytes = bytes};
    http_reply_header(&p, "Accept-Ranges", "bytes");
    http_reply(c->http, &p);
    return ERR_OK;
}

static enum err head_file(struct call *c)
{
    struct digest digest;
    char holder[BLOB_HOLDER_BYTES_MAX + 1], offset[24];
    uint64_t bytes;
    int fd;
    TRY(digest_parse(c->params[0], &digest));
    enum err e = blob_find(c->server->blobs, &digest, &bytes);
    if (e == ERR_OK && c->who.role >= ROLE_SCIENTIST) /* who asks before a submission counts on it */
        e = blob_asked_for(c->server->blobs, &digest);
    if (e == ERR_OK && blobs_block(c->server->blobs))
        return reply_length(c, bytes);
    if (e == ERR_OK) {
        TRY(blob_open(c->server->blobs, &digest, &fd, &bytes));
        return reply_file(c, fd, bytes);
    }
    if (e != ERR_MISSING)
        return e;
    upload_holder(c, holder);
    snprintf(offset, sizeof offset, "%" PRIu64, blob_upload_offset(c->server->blobs, &digest, holder));
    struct http_reply p = {.status = 404};
    http_reply_header(&p, "Upload-Offset", offset);
    http_reply(c->http, &p);
    return ERR_OK;
}

enum err api_blob_head(struct call *c)
{
    return blobs_block(c->server->blobs) ? call_on_worker(c, head_file) : head_file(c);
}

/* --- up --- */

static enum err header_number(const struct call *c, const char *name, uint64_t *ret)
{
    const char *text = http_header(c->http, name);
    if (!text || str_to_u64(text, BLOB_BYTES_MAX, ret) != ERR_OK)
        return err_set(ERR_INVALID, "the header %s: NUMBER is needed, at most %" PRIu64, name,
                       (uint64_t)BLOB_BYTES_MAX);
    return ERR_OK;
}

struct upload {
    struct digest digest;
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    uint64_t offset, total;
    char now_at[24]; /* for the reply */
};

/* What all outputs of one attempt may have together, and so each of them. */
static enum err output_bytes_max(struct call *c, const struct store_batch *b, struct arena *a, uint64_t *ret)
{
    struct text text;
    struct order order;
    TRY(store_order_get(c->store, a, &b->order_digest, &text));
    TRY(order_parse(text.data, text.len, a, &order));
    *ret = c->server->settings.unit_output_max;
    if (order.limits.output_bytes && order.limits.output_bytes < *ret)
        *ret = order.limits.output_bytes;
    return ERR_OK;
}

/* A host uploads for an attempt it has, within what its batch allows. */
static enum err check_attempt(struct call *c, uint64_t total)
{
    const char *name = http_query(c->http, "attempt");
    struct arena ARENA_AUTO a = {0};
    wu_id unit;
    uint32_t attempt;
    struct store_unit u;
    struct store_batch b;
    uint64_t most;
    if (!name)
        return err_set(ERR_INVALID, "a host's upload names its attempt: ?attempt=BATCH.INDEX.ATTEMPT");
    TRY(attempt_id_parse(name, &unit, &attempt));
    enum err e = store_unit_get(c->store, &a, unit, &u);
    if (e == ERR_MISSING)
        return err_set(e, "there is no attempt %.60s", name);
    TRY(e);
    if (attempt >= u.wu.attempt_count || u.wu.attempts[attempt].host_id != c->who.id)
        return err_set(ERR_DENIED, "attempt %.60s is not this host's", name);
    enum attempt_state state = u.wu.attempts[attempt].state;
    if (state != ATTEMPT_LEASED && state != ATTEMPT_EXPIRED)
        return err_set(ERR_STALE, "attempt %.60s is %s: no output of it is wanted any more", name,
                       attempt_state_name(state));
    TRY(store_batch_get(c->store, &a, wu_id_batch(unit), &b));
    if (b.purged)
        return err_set(ERR_STALE, "batch %u is purged: its answers are not wanted any more", b.id);
    TRY(output_bytes_max(c, &b, &a, &most));
    return total <= most ? ERR_OK
                         : err_set(ERR_LIMIT,
                                   "the outputs of an attempt of batch %u have at most %" PRIu64
                                   " bytes, this one has %" PRIu64,
                                   b.id, most, total);
}

/* What a host has uploaded and not reported yet is bounded too: it is nobody's until then. */
static enum err check_host_room(const struct call *c, uint64_t more)
{
    char holder[BLOB_HOLDER_BYTES_MAX + 1];
    uint64_t held;
    upload_holder(c, holder);
    TRY(blobs_held(c->server->blobs, holder, &held));
    return held + more <= c->server->settings.host_bytes
               ? ERR_OK
               : err_set(ERR_LIMIT,
                         "this host has uploaded %" PRIu64 " bytes it has not reported, and may have %" PRIu64
                         ": report first",
                         held, c->server->settings.host_bytes);
}

static enum err check_quota(struct call *c, uint64_t total)
{
    struct arena ARENA_AUTO a = {0};
    struct store_user user;
    TRY(store_user_get(c->store, &a, c->who.id, &user));
    uint64_t most = api_quota(c, &user);
    if (user.blob_bytes + total > most)
        return err_set(ERR_LIMIT,
                       "you keep %" PRIu64 " bytes here and may keep %" PRIu64 ": this upload has %" PRIu64
                       ". dugnad files free gives back what no batch, schedule or release needs; the "
                       "operator can allow more: dugnad user set %" PRIu64 " --quota SIZE",
                       user.blob_bytes, most, total, c->who.id);
    return ERR_OK;
}

/* Before a byte of the body is taken. A quick read by keys, so it may be done on the connection's thread. */
static enum err check_allowed(struct call *c, uint64_t offset, uint64_t total)
{
    struct server *s = c->server;
    pthread_mutex_lock(&s->upload_lock);
    c->store = s->upload_store;
    enum err e = c->who.role == ROLE_HOST ? check_attempt(c, total) : check_quota(c, total);
    c->store = NULL;
    pthread_mutex_unlock(&s->upload_lock);
    return e == ERR_OK && c->who.role == ROLE_HOST ? check_host_room(c, total - offset) : e;
}

static enum err take_bytes(struct http_request *r, const void *bytes, size_t len)
{
    struct call *c = r->state;
    return blob_upload_write(c->upload, bytes, len);
}

enum err api_blob_begin(struct call *c)
{
    struct upload *u = arena_alloc(&c->http->arena, sizeof *u);
    TRY(u ? ERR_OK : ERR_NOMEM);
    c->work = u;
    TRY(digest_parse(c->params[0], &u->digest));
    TRY(header_number(c, "Upload-Offset", &u->offset));
    TRY(header_number(c, "Upload-Length", &u->total));
    if (c->who.role < ROLE_SCIENTIST && c->who.role != ROLE_HOST)
        return err_set(ERR_DENIED, "a %s may not upload", role_name(c->who.role));
    TRY(check_allowed(c, u->offset < u->total ? u->offset : u->total, u->total));
    upload_holder(c, u->holder);
    enum err e = blob_upload_begin(c->server->blobs, &u->digest, u->holder, u->offset, u->total, &c->upload);
    if (e == ERR_CONFLICT) {
        snprintf(u->now_at, sizeof u->now_at, "%" PRIu64,
                 blob_upload_offset(c->server->blobs, &u->digest, u->holder));
        c->http->error_header = "Upload-Offset";
        c->http->error_value = u->now_at;
    }
    TRY(e);
    c->http->sink = take_bytes;
    return ERR_OK;
}

static enum err count_bytes(struct call *c, uint64_t bytes)
{
    c->request = (struct engine_request){.kind = ENGINE_QUOTA};
    c->request.u.quota = (struct engine_quota){.user_id = c->who.id, .bytes = (int64_t)bytes};
    return call_engine(c);
}

enum err api_blob_patch(struct call *c)
{
    struct upload *u = c->work;
    bool complete, is_new = false;
    uint64_t at;
    struct http_reply p = {.status = 204};
    struct blob_upload *upload = c->upload;
    c->upload = NULL;
    TRY(blob_upload_end(upload, &complete, &is_new, &at));
    if (complete && is_new && c->who.role != ROLE_HOST)
        TRY(count_bytes(c, u->total));
    snprintf(u->now_at, sizeof u->now_at, "%" PRIu64, at);
    if (complete)
        p.status = 201;
    http_reply_header(&p, "Upload-Offset", u->now_at);
    http_reply(c->http, &p);
    return ERR_OK;
}
