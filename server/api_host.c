/* api_host.c - what hosts ask: to join, for work, and for what work needs */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/answer_row.h"
#include "server/api.h"
#include "server/try.h"
#include "wire/answer.h"
#include "wire/answer_route.h"
#include "wire/join_msg.h"
#include "wire/token.h"

/* --- what a host says of itself --- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err join_words(struct arena *a, const char **words, uint32_t count, const char **ret)
{
    size_t room = 1;
    for (uint32_t i = 0; i < count; i++)
        room += strlen(words[i]) + 1;
    char *text = arena_alloc(a, room);
    TRY(text ? ERR_OK : ERR_NOMEM);
    qsort(words, count, sizeof *words, by_bytes);
    for (uint32_t i = 0, at = 0; i < count; i++)
        at += (uint32_t)snprintf(text + at, room - at, "%s%s", i ? " " : "", words[i]);
    *ret = text;
    return ERR_OK;
}

/* The newest version of the protocol that the client speaks: a header, as an older server refuses a field
 * that it does not know. */
static uint32_t protocol_of(const struct http_request *r)
{
    const char *text = http_header(r, "Dugnad-Protocol");
    uint64_t n = 1;
    return text && str_to_u64(text, 1000, &n) == ERR_OK && n > 0 ? (uint32_t)n : 1;
}

static enum err host_from_facts(const struct http_request *r, struct arena *a, const struct host_facts *f,
                                struct store_host *ret)
{
    *ret = (struct store_host){.nickname = "",
                               .platform = f->platform,
                               .os = f->os ? f->os : "",
                               .cpu = f->cpu ? f->cpu : "",
                               .client = f->client ? f->client : "",
                               .hr_class = f->app_class ? f->app_class : "",
                               .cores = f->cores,
                               .memory_bytes = f->memory_bytes,
                               .disk_bytes = f->disk_bytes,
                               .speed = f->speed > 0 ? f->speed : 1.0,
                               .protocol = protocol_of(r),
                               .ban_reason = ""};
    return join_words(a, f->features, f->feature_count, &ret->features);
}

/* --- joining --- */

static enum err join_reply(struct call *c, const uint8_t host_secret[32], const uint8_t volunteer_secret[32])
{
    const struct engine_join *q = &c->request.u.join;
    char token[TOKEN_TEXT_BYTES], volunteer_token[TOKEN_TEXT_BYTES], host[24], volunteer[24];
    struct buf body = {0};
    struct join_reply reply = {.host = host, .token = token, .volunteer = volunteer};
    token_print(TOKEN_HOST, q->ret_host_token_id, host_secret, token);
    snprintf(host, sizeof host, "%" PRIu64, q->ret_host_id);
    snprintf(volunteer, sizeof volunteer, "%" PRIu64, q->ret_volunteer_id);
    if (q->ret_volunteer_token_id) {
        token_print(TOKEN_VOLUNTEER, q->ret_volunteer_token_id, volunteer_secret, volunteer_token);
        reply.volunteer_token = volunteer_token;
    }
    auth_forget(c->server->auth, q->ret_host_token_id); /* a join told again has a new secret */
    enum err e = join_reply_write(&reply, &body);
    explicit_bzero(token, sizeof token);
    explicit_bzero(volunteer_token, sizeof volunteer_token);
    if (e != ERR_OK) {
        buf_done(&body);
        return e;
    }
    log_event(LOG_INFO, "host-joined", "host", host, "volunteer", volunteer, "platform", q->host.platform,
              NULL);
    return call_reply(c, 200, &body);
}

static enum err fill_invitation(const char *text, struct digest *ret)
{
    uint8_t secret[TOKEN_SECRET_BYTES];
    if (secret_parse(text, secret) != ERR_OK)
        return err_set(ERR_DENIED,
                       "the invitation is not known to this project: ask its operator for another");
    *ret = hash_bytes(secret, sizeof secret);
    return ERR_OK;
}

/* Nobody becomes many at once: hosts of one owner, and of one public network, join a few a day beyond the
 * first dozens. */
static enum err check_crowd(struct call *c, struct engine_join *join)
{
    int64_t now_ms = clock_wall_ms();
    join->host.network = rate_network(c->http->peer);
    if (join->host.network &&
        rate_take(c->server->network_joins, join->host.network, now_ms, &c->retry_after_ms) != ERR_OK)
        return err_set(ERR_RATE,
                       "many computers of this network have joined lately: try again tomorrow, or ask the "
                       "project");
    if (join->volunteer_id &&
        rate_take(c->server->owner_joins, join->volunteer_id, now_ms, &c->retry_after_ms) != ERR_OK)
        return err_set(ERR_RATE,
                       "many of your computers have joined lately: try again tomorrow, or ask the project");
    return ERR_OK;
}

enum err api_join(struct call *c)
{
    struct join_request q;
    struct engine_join *join = &c->request.u.join;
    struct principal owner;
    uint8_t host_secret[32], volunteer_secret[32];
    TRY(join_request_parse(buf_text(&c->http->body), c->http->body.len, &c->http->arena, &q));
    c->request.kind = ENGINE_JOIN;
    TRY(host_from_facts(c->http, &c->http->arena, &q.host, &join->host));
    join->host.nickname = q.nickname ? q.nickname : "";
    join->team = q.team;
    join->invitation_needed = c->server->settings.invitation_needed;
    if (q.invitation)
        TRY(fill_invitation(q.invitation, &join->invitation));
    if (q.volunteer_token) {
        TRY(auth_check(c->server->auth, q.volunteer_token, clock_wall_ms(), &owner));
        if (owner.role != ROLE_VOLUNTEER)
            return err_set(ERR_DENIED, "volunteer_token is no volunteer's token");
        join->volunteer_id = owner.id;
    }
    TRY(check_crowd(c, join));
    api_secret(host_secret, &join->host_secret);
    api_secret(volunteer_secret, &join->volunteer_secret);
    TRY(call_idempotent(c));
    TRY(call_engine(c));
    enum err e = join_reply(c, host_secret, volunteer_secret);
    explicit_bzero(host_secret, sizeof host_secret);
    explicit_bzero(volunteer_secret, sizeof volunteer_secret);
    return e;
}

/* --- work --- */

enum { REPLY_BYTES = 4000 }; /* room for a reply with one unit, so that it grows but for many */

static struct text data_of(const struct report_output *o)
{
    if (!o->has_data)
        return (struct text){0};
    return (struct text){o->data_len ? o->data : "", (uint32_t)o->data_len};
}

/* By path: answer_digest() has sorted the files, and their paths are still the report's. */
static void sort_data(const struct report *p, struct store_answer *answer)
{
    for (uint32_t i = 0; i < answer->count; i++)
        for (uint32_t k = 0; k < p->output_count; k++)
            if (p->outputs[k].file.path == answer->files[i].path)
                answer->data[i] = data_of(&p->outputs[k]);
}

/* A report as the engine wants it; the digests of inline outputs were checked by the parser. */
static enum err take_answer(struct arena *a, const struct report *p, struct engine_report *ret)
{
    BUF_AUTO struct buf row = {0};
    struct store_answer answer;
    struct engine_output *outputs = arena_array(a, p->output_count + 1, sizeof *outputs);
    TRY(outputs ? answer_room(a, p->output_count, &answer) : ERR_NOMEM);
    ret->outputs = outputs;
    ret->output_count = answer.count = p->output_count;
    for (uint32_t i = 0; i < p->output_count; i++) {
        const struct report_output *o = &p->outputs[i];
        answer.files[i] = o->file;
        outputs[i] = (struct engine_output){o->file.path, o->file.bytes};
        ret->output_bytes += o->file.bytes;
        if (str_eq(o->file.path, ANSWER_ROUTES_PATH))
            ret->routes = data_of(o);
    }
    TRY(answer_digest(answer.files, answer.count, &ret->answer));
    sort_data(p, &answer);
    TRY(answer_row_write(&answer, &row));
    ret->row = (struct text){arena_bytes(a, row.data, row.len), (uint32_t)row.len};
    return ret->row.data ? ERR_OK : ERR_NOMEM;
}

static enum err take_report(struct arena *a, const struct report *p, struct engine_report *ret)
{
    *ret = (struct engine_report){.unit = p->id.unit,
                                  .attempt = p->id.attempt,
                                  .exit_code = (int32_t)p->exit_code,
                                  .signal = (int32_t)p->signal,
                                  .message = p->message,
                                  .stderr_tail = p->stderr_tail,
                                  .stdout_tail = p->stdout_tail,
                                  .cpu_ms = (uint32_t)(p->cpu_ms < UINT32_MAX ? p->cpu_ms : UINT32_MAX),
                                  .wall_ms = (uint32_t)(p->wall_ms < UINT32_MAX ? p->wall_ms : UINT32_MAX),
                                  .memory_bytes = p->memory_bytes};
    if (!str_eq(p->outcome, "ok")) {
        ret->error = attempt_error_from_name(p->outcome);
        return ret->error != ATTEMPT_ERROR_NONE
                   ? ERR_OK
                   : err_set(ERR_INVALID, "the outcome \"%.20s\" is no error: an answer is \"ok\"",
                             p->outcome);
    }
    return take_answer(a, p, ret);
}

struct work {
    struct work_request q;
    struct store_host host;
    struct engine_want want;
    uint32_t *missing; /* reports whose outputs are not all here: their place in q */
    uint32_t missing_count;
    uint32_t *place; /* of each report of the engine's request in q */
};

static struct engine_attempt *take_attempts(struct arena *a, const struct attempt_ref *from, uint32_t count)
{
    struct engine_attempt *to = arena_array(a, count + 1, sizeof *to);
    for (uint32_t i = 0; to && i < count; i++)
        to[i] = (struct engine_attempt){from[i].unit, from[i].attempt};
    return to;
}

static enum err add_report(struct call *c, struct work *w, uint32_t i)
{
    struct engine_work *to = &c->request.u.work;
    w->place[to->report_count] = i;
    return take_report(&c->http->arena, &w->q.reports[i], &to->reports[to->report_count++]);
}

static void write_acks(const struct call *c, const struct work *w, struct work_ack *acks)
{
    const struct engine_work *from = &c->request.u.work;
    for (uint32_t i = 0; i < from->report_count; i++) {
        const struct engine_report *p = &from->reports[i];
        acks[w->place[i]] = (struct work_ack){w->q.reports[w->place[i]].id, err_word(p->ack), p->ack_message};
    }
    for (uint32_t i = 0; i < w->missing_count; i++)
        acks[w->missing[i]] =
            (struct work_ack){w->q.reports[w->missing[i]].id, err_word(ERR_MISSING),
                              "an output is not here in full: upload it, then report again"};
}

/* The last part of a name tells apart what is of the same units: of a batch that grew, two statements may be
 * in one reply. */
static void write_chunks(const struct engine_work *from, char (*names)[ID_TEXT_BYTES],
                         struct work_chunk *chunks)
{
    for (uint32_t i = 0; i < from->chunk_count; i++) {
        const struct engine_chunk *k = &from->chunks[i];
        snprintf(names[i], ID_TEXT_BYTES, "%u-%u-%u", k->batch, k->number, i);
        chunks[i] = (struct work_chunk){names[i], k->envelope.data, k->envelope.len};
    }
}

static void write_units(const struct engine_work *from, char (*names)[ID_TEXT_BYTES], struct work_unit *units)
{
    for (uint32_t i = 0; i < from->given_count; i++) {
        const struct engine_given *g = &from->given[i];
        units[i] = (struct work_unit){.id = {g->unit, g->attempt}, .deadline_ms = g->deadline_ms};
        if (!g->spec.len)
            continue;
        units[i].spec = g->spec.data;
        units[i].spec_len = g->spec.len;
        units[i].chunk = names[g->chunk];
        units[i].index = g->index % CHUNK_UNITS_MAX;
        units[i].path = (struct digest *)(uintptr_t)g->path;
        units[i].path_len = g->path_count;
        units[i].release = g->release;
        units[i].bundle = g->bundle;
        units[i].audit = g->audit;
    }
}

static enum err work_reply(struct call *c, struct work *w, struct buf *body)
{
    struct engine_work *from = &c->request.u.work;
    struct arena *a = &c->http->arena;
    struct work_reply reply = {.ack_count = w->q.report_count,
                               .recall_count = from->recall_count,
                               .unit_count = from->given_count,
                               .chunk_count = from->chunk_count,
                               .next_contact_ms = from->next_contact_ms,
                               .wait_ms = from->next_wait_ms};
    if (reply.wait_ms > 0 && !http_may_linger(c->http))
        reply.wait_ms = 0;
    char(*names)[ID_TEXT_BYTES] = arena_array(a, from->chunk_count + 1, sizeof *names);
    reply.acks = arena_array(a, reply.ack_count + 1, sizeof *reply.acks);
    reply.recall = arena_array(a, reply.recall_count + 1, sizeof *reply.recall);
    reply.units = arena_array(a, reply.unit_count + 1, sizeof *reply.units);
    reply.chunks = arena_array(a, reply.chunk_count + 1, sizeof *reply.chunks);
    TRY(names && reply.acks && reply.recall && reply.units && reply.chunks ? ERR_OK : ERR_NOMEM);
    write_acks(c, w, reply.acks);
    for (uint32_t i = 0; i < from->recall_count; i++)
        reply.recall[i] = (struct attempt_ref){from->recall[i].unit, from->recall[i].attempt};
    write_chunks(from, names, reply.chunks);
    write_units(from, names, reply.units);
    if (from->reason != ENGINE_REASON_NONE) {
        reply.reason_code = engine_reason_name(from->reason);
        reply.reason_message = from->reason_text ? from->reason_text : "";
    }
    return work_reply_write(&reply, body);
}

static void write_work(struct http_request *http)
{
    struct call *c = http->state;
    const struct engine_request *r = &c->request;
    struct buf body = {0};
    enum err e = r->err;
    c->retry_after_ms = r->retry_after_ms;
    http->begun_us += r->u.work.waited_ms * 1000; /* what it waited for says nothing of the server's speed */
    if (e != ERR_OK)
        e = err_set(e, "%s", r->message ? r->message : "");
    else if ((e = buf_reserve(&body, REPLY_BYTES)) == ERR_OK)
        e = work_reply(c, c->work, &body);
    if (e == ERR_OK)
        e = call_reply(c, 200, &body);
    if (e != ERR_OK) {
        buf_done(&body);
        call_fail(c, e);
    }
}

/* On the engine's thread, which is not to write JSON. */
static void work_done(struct engine_request *r, void *ctx)
{
    struct call *c = ctx;
    if (r->err == ERR_OK && r->u.work.leaving)
        auth_forget(c->server->auth, c->who.token_id);
    http_reply_by(c->http, write_work);
}

static enum err work_put(struct call *c)
{
    c->request.done = work_done;
    c->request.done_ctx = c;
    enum err e = engine_thread_put(c->server->thread, &c->request);
    if (e != ERR_OK) /* else the call is the engine's, or answered and gone */
        c->retry_after_ms = c->request.retry_after_ms;
    return e;
}

/* Are the outputs that did not come along complete, and held for the batch from now on? */
static enum err hold_outputs(struct call *c, const struct report *p, bool *ret_all)
{
    char holder[BLOB_HOLDER_BYTES_MAX + 1], uploader[BLOB_HOLDER_BYTES_MAX + 1];
    snprintf(holder, sizeof holder, "b%u", wu_id_batch(p->id.unit));
    snprintf(uploader, sizeof uploader, "h%" PRIu64, c->who.id);
    *ret_all = true;
    for (uint32_t i = 0; *ret_all && i < p->output_count; i++) {
        if (p->outputs[i].has_data)
            continue;
        uint64_t bytes;
        enum err e = blob_find(c->server->blobs, &p->outputs[i].file.sha256, &bytes);
        if (e == ERR_OK && bytes == p->outputs[i].file.bytes)
            e = blob_hold(c->server->blobs, &p->outputs[i].file.sha256, holder);
        else if (e == ERR_OK)
            e = ERR_MISSING;
        *ret_all = e == ERR_OK;
        if (e == ERR_OK) /* another one may have uploaded it: then there is nothing to drop */
            e = blob_drop(c->server->blobs, &p->outputs[i].file.sha256, uploader);
        if (e != ERR_OK && e != ERR_MISSING)
            return e;
    }
    return blobs_sync(c->server->blobs, holder);
}

/* Only for attempts this host has, so that nobody else's batch is made to hold things. */
static bool is_leased(struct call *c, const struct attempt_ref *id)
{
    struct store_unit u;
    struct arena ARENA_AUTO a = {0};
    return store_unit_get(c->store, &a, id->unit, &u) == ERR_OK && id->attempt < u.wu.attempt_count &&
           u.wu.attempts[id->attempt].host_id == c->who.id;
}

/* The engine follows the output `streams` (engine_route.c) also where it is too big to travel in the report:
 * from here on it is as if it had. */
static enum err read_routes(struct call *c, struct report *p)
{
    for (uint32_t i = 0; i < p->output_count; i++) {
        struct report_output *o = &p->outputs[i];
        BUF_AUTO struct buf bytes = {0};
        if (o->has_data || !str_eq(o->file.path, ANSWER_ROUTES_PATH) ||
            o->file.bytes > ANSWER_ROUTES_BYTES_MAX)
            continue;
        enum err e = blob_read(c->server->blobs, &o->file.sha256, ANSWER_ROUTES_BYTES_MAX, &bytes);
        if (e == ERR_MISSING)
            return ERR_OK; /* the engine says what is wrong with the report */
        TRY(e);
        o->data = arena_bytes(&c->http->arena, buf_text(&bytes), bytes.len);
        TRY(o->data ? ERR_OK : ERR_NOMEM);
        o->data_len = bytes.len;
        o->has_data = true;
    }
    return ERR_OK;
}

/* On a worker: the blobs are looked at, and made durable for the batch, before anything is acknowledged. */
static enum err work_with_blobs(struct call *c)
{
    struct work *w = c->work;
    for (uint32_t i = 0; i < w->q.report_count; i++) {
        struct report *p = &w->q.reports[i];
        bool all = true;
        if (p->output_count > 0 && is_leased(c, &p->id))
            TRY(hold_outputs(c, p, &all));
        if (all) {
            TRY(read_routes(c, p));
            TRY(add_report(c, w, i));
        } else {
            w->missing[w->missing_count++] = i;
        }
    }
    return work_put(c);
}

static bool has_blobs(const struct work_request *q)
{
    for (uint32_t i = 0; i < q->report_count; i++)
        for (uint32_t j = 0; j < q->reports[i].output_count; j++)
            if (!q->reports[i].outputs[j].has_data)
                return true;
    return false;
}

static enum err take_request(struct call *c, struct work *w)
{
    struct engine_work *to = &c->request.u.work;
    struct arena *a = &c->http->arena;
    to->host_id = c->who.id;
    to->network = rate_network(c->http->peer);
    to->held_given = w->q.held_given;
    to->held = take_attempts(a, w->q.held, w->q.held_count);
    to->held_count = w->q.held_count;
    to->renew = take_attempts(a, w->q.renew, w->q.renew_count);
    to->renew_count = w->q.renew_count;
    to->leaving = w->q.leaving;
    to->wait_ms = w->q.wait_ms;
    if (to->wait_ms > c->server->settings.contact_wait_ms)
        to->wait_ms = (uint32_t)c->server->settings.contact_wait_ms;
    to->reports = arena_array(a, w->q.report_count + 1, sizeof *to->reports);
    w->missing = arena_array(a, w->q.report_count + 1, sizeof *w->missing);
    w->place = arena_array(a, w->q.report_count + 1, sizeof *w->place);
    TRY(to->held && to->renew && to->reports && w->missing && w->place ? ERR_OK : ERR_NOMEM);
    if (w->q.has_host) {
        TRY(host_from_facts(c->http, a, &w->q.host, &w->host));
        to->host = &w->host;
    }
    if (w->q.has_want) {
        w->want = (struct engine_want){.seconds = w->q.want.seconds,
                                       .cores = w->q.want.cores,
                                       .units_max = w->q.want.units_max,
                                       .cached = w->q.want.cached,
                                       .cached_count = w->q.want.cached_count};
        to->want = &w->want;
    }
    return ERR_OK;
}

enum err api_work(struct call *c)
{
    struct work *w = arena_alloc(&c->http->arena, sizeof *w);
    TRY(w ? ERR_OK : ERR_NOMEM);
    c->work = w;
    c->request.kind = ENGINE_WORK;
    TRY(work_request_parse(buf_text(&c->http->body), c->http->body.len, &c->http->arena, &w->q));
    buf_done(&c->http->body);
    TRY(take_request(c, w));
    if (has_blobs(&w->q))
        return call_on_worker(c, work_with_blobs);
    for (uint32_t i = 0; i < w->q.report_count; i++)
        TRY(add_report(c, w, i));
    struct engine_work *to = &c->request.u.work;
    if (to->wait_ms > 0 && !http_may_linger(c->http))
        to->wait_ms = 0;
    if (to->wait_ms > 0)
        to->gone = http_watch(c->http);
    return work_put(c);
}

/* --- what work needs --- */

static enum err reply_immutable(struct call *c, const struct text *text)
{
    struct buf body = {0};
    struct http_reply p = {.status = 200, .body = &body};
    enum err e = buf_add(&body, text->data, text->len);
    if (e != ERR_OK) {
        buf_done(&body);
        return e;
    }
    http_reply_header(&p, "Cache-Control", "private, max-age=31536000, immutable");
    http_reply(c->http, &p);
    return ERR_OK;
}

enum err api_order(struct call *c)
{
    struct digest digest;
    struct text order;
    TRY(digest_parse(c->params[0], &digest));
    enum err e = store_order_get(c->store, &c->http->arena, &digest, &order);
    if (e == ERR_MISSING)
        return err_set(e, "there is no order %.64s", c->params[0]);
    return e == ERR_OK ? reply_immutable(c, &order) : e;
}

enum err api_release(struct call *c)
{
    struct digest digest;
    struct store_release release;
    TRY(digest_parse(c->params[0], &digest));
    enum err e = store_release_get(c->store, &c->http->arena, &digest, &release);
    if (e == ERR_MISSING)
        return err_set(e, "there is no release %.64s", c->params[0]);
    return e == ERR_OK ? reply_immutable(c, &release.envelope) : e;
}
