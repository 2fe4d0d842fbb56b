/* api_batch_read.c - what scientists see: batches, their units, failures and results */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/try.h"

enum { WAIT_S_MAX = 60, FAILURES_MAX = 200, RESULT_BYTES_MAX = 4 << 20 };

/* --- lists and one --- */

struct wanted {
    const char *state, *app, *search, *label;
};

/* NAME=VALUE, or NAME for any value. */
static bool has_label(const struct store_batch *b, const char *label)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *value;
    const char *name;
    size_t len = strcspn(label, "=");
    if (!b->labels.len || json_parse(b->labels.data, b->labels.len, BATCH_ORDER_BYTES_MAX, &doc) != ERR_OK)
        return false;
    for (size_t i = 0; json_each(json_root(doc), i, &name, &value); i++)
        if (strlen(name) == len && memcmp(name, label, len) == 0)
            return !label[len] || str_eq(json_text(value), label + len + 1);
    return false;
}

static bool is_wanted(const struct store_batch *b, const struct wanted *w)
{
    char id[24];
    snprintf(id, sizeof id, "%u", b->id);
    return (!w->state || !*w->state || str_eq(w->state, store_batch_state(b))) &&
           (!w->app || str_eq(w->app, b->app)) && (!w->label || !*w->label || has_label(b, w->label)) &&
           (!w->search || !*w->search || strcasestr(b->name, w->search) || str_eq(id, w->search));
}

enum err api_batches(struct call *c)
{
    const struct wanted wanted = {http_query(c->http, "state"), http_query(c->http, "app"),
                                  http_query(c->http, "search"), http_query(c->http, "label")};
    struct store_batch *list;
    uint32_t limit, count, shown = 0;
    uint64_t after, user = c->who.role == ROLE_SCIENTIST ? c->who.id : 0;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    if (!user)
        TRY(call_number(c, "user", 0, UINT64_MAX, &user));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (int pages = 0;; pages++) { /* a filter may skip many: a bounded search, then the cursor */
        TRY(store_batch_list(c->store, &c->http->arena, user, (uint32_t)after, STORE_PAGE_MAX, &list,
                             &count));
        uint32_t i;
        for (i = 0; i < count && shown < limit; i++) {
            after = list[i].id;
            if (is_wanted(&list[i], &wanted)) {
                api_batch_write(c, &o, &list[i]);
                shown++;
            }
        }
        if (i == count && count < STORE_PAGE_MAX)
            after = 0;
        if (after == 0 || shown == limit || pages == 10)
            break;
    }
    api_page_end(&o, after);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_batch_get(struct call *c)
{
    struct store_batch b;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    json_out_init(&o, &body);
    api_batch_write(c, &o, &b);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_batch_order(struct call *c)
{
    struct store_batch b;
    struct text order;
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    TRY(store_order_get(c->store, &c->http->arena, &b.order_digest, &order));
    TRY(buf_add(&body, order.data, order.len));
    return call_reply(c, 200, &body);
}

/* --- units --- */

static void unit_write(struct json_out *o, const struct store_unit *u)
{
    char id[ID_TEXT_BYTES];
    const struct wu *wu = &u->wu;
    uint32_t leased = 0, errors = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        leased += wu->attempts[i].state == ATTEMPT_LEASED;
        errors += wu->attempts[i].state == ATTEMPT_ERRORED;
    }
    wu_id_text(wu->id, id);
    json_out_object(o, NULL);
    json_out_string(o, "unit", id);
    json_out_string(o, "state", wu_state_name(wu->state));
    if (wu->failure != WU_FAILURE_NONE)
        json_out_string(o, "failure", wu_failure_name(wu->failure));
    json_out_i64(o, "attempts", wu->attempt_count);
    json_out_i64(o, "leased", leased);
    json_out_i64(o, "errors", errors);
    json_out_close(o);
}

static enum err parse_state(const char *word, struct store_unit_filter *ret)
{
    *ret = (struct store_unit_filter){.state = WU_STATES};
    if (!word || !*word)
        return ERR_OK;
    if (str_eq(word, "failed")) {
        ret->failed = true;
        return ERR_OK;
    }
    for (int s = 0; s < WU_STATES; s++)
        if (str_eq(word, wu_state_name((enum wu_state)s))) {
            ret->state = (enum wu_state)s;
            return ERR_OK;
        }
    return err_set(ERR_INVALID, "?state=%.40s is none of open, judging, accepted, failed, delivered", word);
}

enum err api_batch_units(struct call *c)
{
    struct store_batch b;
    struct store_unit_filter filter;
    struct store_unit *list;
    const char *after = http_query(c->http, "after");
    char next_text[ID_TEXT_BYTES];
    uint32_t count;
    uint64_t limit;
    wu_id from = 0, next;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    TRY(api_not_archived(&b));
    TRY(call_number(c, "limit", 100, STORE_PAGE_MAX, &limit));
    TRY(parse_state(http_query(c->http, "state"), &filter));
    if (after && *after)
        TRY(wu_id_parse(after, &from));
    TRY(store_unit_list(c->store, &c->http->arena, b.id, &filter, from, limit ? (uint32_t)limit : 1, &list,
                        &count, &next));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        unit_write(&o, &list[i]);
    json_out_close(&o);
    if (next) {
        wu_id_text(next, next_text);
        json_out_string(&o, "next", next_text);
    } else {
        json_out_null(&o, "next");
    }
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- failures --- */

static enum err failure_write(struct call *c, struct json_out *o, const struct store_failure_group *g)
{
    struct store_note *notes;
    uint32_t count;
    char unit[ID_TEXT_BYTES];
    wu_id_text(g->sample_unit, unit);
    json_out_object(o, NULL);
    json_out_string(o, "error", attempt_error_name(g->error));
    if (g->exit_code)
        json_out_i64(o, "exit_code", g->exit_code);
    if (g->signal)
        json_out_i64(o, "signal", g->signal);
    json_out_u64(o, "count", g->count);
    json_out_string(o, "unit", unit);
    json_out_string(o, "pattern", g->pattern);
    json_out_i64(o, "last_ms", g->last_ms);
    TRY(store_note_list(c->store, &c->http->arena, g->sample_unit, &notes, &count));
    for (uint32_t i = 0; i < count; i++)
        if (notes[i].attempt == g->sample_attempt) {
            json_out_string(o, "message", notes[i].message);
            json_out_string_len(o, "stderr", notes[i].stderr_tail, strlen(notes[i].stderr_tail));
            if (notes[i].stdout_tail[0])
                json_out_string_len(o, "stdout", notes[i].stdout_tail, strlen(notes[i].stdout_tail));
            break;
        }
    json_out_close(o);
    return ERR_OK;
}

enum err api_batch_failures(struct call *c)
{
    struct store_batch b;
    struct store_failure_group *list;
    uint32_t count;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_find_batch(c, &b));
    TRY(store_failure_list(c->store, &c->http->arena, b.id, FAILURES_MAX, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        TRY(failure_write(c, &o, &list[i]));
    api_page_end(&o, 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- results --- */

static enum err result_write(struct call *c, struct json_out *o, const struct store_delivery *d)
{
    struct store_unit u;
    char id[ID_TEXT_BYTES];
    JSON_AUTO struct json_doc *spec = NULL;
    TRY(store_unit_get(c->store, &c->http->arena, d->unit, &u));
    TRY(json_parse(u.spec.data, u.spec.len, WU_SPEC_BYTES_MAX, &spec));
    wu_id_text(d->unit, id);
    json_out_object(o, NULL);
    json_out_u64(o, "seq", d->seq);
    json_out_string(o, "unit", id);
    json_out_value(o, "vars", json_field(json_root(spec), "vars"));
    if (u.wu.canonical >= 0) {
        json_out_string(o, "state", "accepted");
        TRY(api_outputs_write(c, o, u.wu.id, &u.wu.attempts[u.wu.canonical].answer, true));
    } else {
        json_out_string(o, "state", "failed");
        json_out_null(o, "outputs");
        json_out_string(o, "failure", wu_failure_name(u.wu.failure));
    }
    json_out_i64(o, "at_ms", d->at_ms);
    json_out_close(o);
    return ERR_OK;
}

bool api_batch_is_complete(const struct store_batch *b)
{
    return !b->loading && b->job == BATCH_JOB_NONE && b->counts.delivered >= b->counts.units &&
           b->finished_ms != 0;
}

struct results {
    uint64_t after, limit;
    uint64_t seen; /* waiters_count() before the look */
    int64_t until_ms;
};

static enum err results_write(struct call *c, const struct results *r, const struct store_batch *b,
                              const struct store_delivery *list, uint32_t count)
{
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    uint64_t next = r->after;
    uint32_t i;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (i = 0; i < count && body.len < RESULT_BYTES_MAX; i++) {
        TRY(result_write(c, &o, &list[i]));
        next = list[i].seq;
    }
    json_out_close(&o);
    json_out_u64(&o, "next", next);
    json_out_bool(&o, "complete", api_batch_is_complete(b) && i == count && count < r->limit);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* The batch is read before its stream, so that "complete" never hides a delivery that came in between. */
static enum err look(struct call *c)
{
    struct results *r = c->work;
    struct server *s = c->server;
    struct store_batch b;
    struct store_delivery *list;
    uint32_t count;
    r->seen = waiters_count(s->waiters);
    TRY(api_find_batch(c, &b));
    TRY(api_not_archived(&b));
    TRY(store_delivery_list(c->store, &c->http->arena, b.id, r->after, (uint32_t)r->limit, &list, &count));
    if (count == 0 && !api_batch_is_complete(&b) && clock_mono_ms() < r->until_ms &&
        !atomic_load(&s->stopping) && waiters_add(s->waiters, &c->job, b.id, r->seen, r->until_ms) == ERR_OK)
        return ERR_OK;
    return results_write(c, r, &b, list, count);
}

enum err api_batch_results(struct call *c)
{
    struct results *r = arena_alloc(&c->http->arena, sizeof *r);
    uint64_t wait_s;
    TRY(r ? ERR_OK : ERR_NOMEM);
    c->work = r;
    TRY(call_number(c, "after", 0, INT64_MAX, &r->after));
    TRY(call_number(c, "limit", 100, STORE_PAGE_MAX, &r->limit));
    TRY(call_number(c, "wait_s", 0, WAIT_S_MAX, &wait_s));
    if (r->limit == 0)
        return err_set(ERR_INVALID, "?limit= must be from 1 to %d", STORE_PAGE_MAX);
    r->until_ms = clock_mono_ms() + (int64_t)wait_s * 1000;
    c->then = look;
    return look(c);
}
