/* api_unit.c - one work unit: what became of each attempt, its whole history, why it is not done */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "rules/wu_history.h"
#include "server/api.h"
#include "server/try.h"
#include "wire/failure.h"

struct seen {
    struct store_unit unit;
    struct store_batch batch;
    struct store_note *notes;
    uint32_t note_count;
};

static enum err no_unit(struct call *c, wu_id id)
{
    struct store_batch b;
    uint32_t batch = wu_id_batch(id);
    if (store_batch_get(c->store, &c->http->arena, batch, &b) != ERR_OK || api_may_see(c, &b) != ERR_OK)
        return err_set(ERR_MISSING, "there is no work unit %.60s: dugnad ls lists your batches",
                       c->params[0]);
    if (b.counts.units == 0)
        return err_set(ERR_MISSING, "there is no work unit %.60s: batch %u has no units yet", c->params[0],
                       batch);
    return err_set(ERR_MISSING, "there is no work unit %.60s: batch %u has the units %u.0 to %u.%" PRId64,
                   c->params[0], batch, batch, batch, b.counts.units - 1);
}

static enum err find_unit(struct call *c, struct seen *ret)
{
    wu_id id;
    struct arena *a = &c->http->arena;
    if (wu_id_parse(c->params[0], &id) != ERR_OK)
        return err_set(ERR_MISSING, "\"%.60s\" is no work unit: they are called BATCH.INDEX", c->params[0]);
    enum err e = store_unit_get(c->store, a, id, &ret->unit);
    if (e == ERR_MISSING && store_batch_get(c->store, a, wu_id_batch(id), &ret->batch) == ERR_OK)
        TRY(api_not_archived(&ret->batch));
    if (e == ERR_MISSING)
        return no_unit(c, id);
    TRY(e);
    TRY(store_batch_get(c->store, a, wu_id_batch(id), &ret->batch));
    if (api_may_see(c, &ret->batch) != ERR_OK)
        return err_set(ERR_MISSING, "you have no work unit %.60s", c->params[0]);
    return store_note_list(c->store, a, id, &ret->notes, &ret->note_count);
}

static void note_write(struct json_out *o, const struct store_note *n)
{
    char pattern[FAILURE_PATTERN_BYTES];
    failure_pattern(n->stderr_tail, n->message, pattern, sizeof pattern);
    json_out_string(o, "pattern", pattern);
    json_out_i64(o, "exit_code", n->exit_code);
    if (n->signal)
        json_out_i64(o, "signal", n->signal);
    json_out_string_len(o, "message", n->message, strlen(n->message));
    json_out_string_len(o, "stderr", n->stderr_tail, strlen(n->stderr_tail));
    if (n->stdout_tail[0])
        json_out_string_len(o, "stdout", n->stdout_tail, strlen(n->stdout_tail));
}

static void attempt_write(struct json_out *o, const struct seen *s, uint32_t i)
{
    const struct attempt *t = &s->unit.wu.attempts[i];
    json_out_object(o, NULL);
    json_out_i64(o, "attempt", i);
    json_out_string(o, "state", attempt_state_name(t->state));
    if (t->audit)
        json_out_bool(o, "audit", true);
    if (t->state == ATTEMPT_ERRORED)
        json_out_string(o, "error", attempt_error_name(t->error));
    if (t->host_id) {
        api_id(o, "host", t->host_id);
        api_id(o, "owner", t->owner_id);
        json_out_i64(o, "sent_ms", t->sent_ms);
        json_out_i64(o, "deadline_ms", t->deadline_ms);
    }
    if (t->ended_ms)
        json_out_i64(o, "ended_ms", t->ended_ms);
    if (!digest_is_zero(&t->answer))
        digest_write(o, "answer", &t->answer);
    if (s->unit.use[i].wall_ms || s->unit.use[i].cpu_ms) {
        json_out_i64(o, "cpu_ms", s->unit.use[i].cpu_ms);
        json_out_i64(o, "wall_ms", s->unit.use[i].wall_ms);
        json_out_u64(o, "memory_bytes", s->unit.use[i].memory_bytes);
    }
    for (uint32_t n = 0; n < s->note_count; n++)
        if (s->notes[n].attempt == i)
            note_write(o, &s->notes[n]);
    json_out_close(o);
}

static void retry_write(struct json_out *o, const struct wu_rules *r)
{
    json_out_object(o, "retry");
    for (uint32_t c = 0; c < WU_CAUSES; c++) {
        if (!r->retry[c].wait_s && !r->retry[c].has_most)
            continue;
        json_out_object(o, wu_cause_name((enum wu_cause)c));
        json_out_i64(o, "wait_ms", (int64_t)r->retry[c].wait_s * 1000);
        if (r->retry[c].has_most)
            json_out_i64(o, "most", r->retry[c].most);
        json_out_close(o);
    }
    json_out_close(o);
}

static void rules_write(struct json_out *o, const struct wu_rules *r)
{
    json_out_object(o, "rules");
    json_out_i64(o, "quorum", r->quorum);
    json_out_i64(o, "target_attempts", r->target_attempts);
    json_out_i64(o, "errors_max", r->errors_max);
    json_out_i64(o, "attempts_max", r->attempts_max);
    json_out_i64(o, "successes_max", r->successes_max);
    json_out_i64(o, "lease_ms", r->lease_ms);
    json_out_string(o, "compare", wu_compare_name(r->compare));
    json_out_bool(o, "own_hosts", r->own_hosts);
    json_out_string(o, "escrow", wu_escrow_name(r->escrow));
    if (r->escrow != WU_ESCROW_NONE)
        json_out_i64(o, "hold_ms", r->hold_ms);
    retry_write(o, r);
    json_out_close(o);
}

static void history_write(struct json_out *o, const struct text *history)
{
    const char *at = history->data, *end = at + history->len;
    json_out_array(o, "history");
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        if (len > 0)
            json_out_raw(o, NULL, at, len);
        at += len + 1;
    }
    json_out_close(o);
}

/* The unit that its answer was taken from; 0 when the history does not say. */
static wu_id taken_from(const struct text *history)
{
    const char *at = history->data, *end = at + history->len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        struct wu_event ev;
        if (len > 7 && memcmp(at, "[\"take\"", 7) == 0 && wu_history_read(at, len, 0, &ev) == ERR_OK)
            return ev.source;
        at += len + 1;
    }
    return 0;
}

static void fate_write(const struct seen *s, struct json_out *o)
{
    const struct wu *wu = &s->unit.wu;
    char id[ID_TEXT_BYTES];
    wu_id source = wu_is_taken(wu) ? taken_from(&s->unit.history) : 0;
    if (wu->failure != WU_FAILURE_NONE)
        json_out_string(o, "failure", wu_failure_name(wu->failure));
    if (wu->rest_until_ms)
        json_out_i64(o, "rest_until_ms", wu->rest_until_ms);
    if (!source)
        return;
    wu_id_text(source, id);
    json_out_string(o, "taken", id);
}

static enum err unit_write(struct call *c, const struct seen *s, bool data, struct json_out *o)
{
    const struct wu *wu = &s->unit.wu;
    char id[ID_TEXT_BYTES];
    JSON_AUTO struct json_doc *spec = NULL;
    TRY(json_parse(s->unit.spec.data, s->unit.spec.len, WU_SPEC_BYTES_MAX, &spec));
    wu_id_text(wu->id, id);
    json_out_object(o, NULL);
    json_out_string(o, "unit", id);
    json_out_string(o, "state", wu_state_name(wu->state));
    fate_write(s, o);
    json_out_value(o, "vars", json_field(json_root(spec), "vars"));
    json_out_value(o, "inputs", json_field(json_root(spec), "inputs"));
    if (wu->canonical >= 0) {
        json_out_i64(o, "canonical", wu->canonical);
        TRY(api_outputs_write(c, o, wu->id, &wu->attempts[wu->canonical].answer, data));
    } else {
        json_out_null(o, "canonical");
        json_out_null(o, "outputs");
    }
    if (s->unit.known.len > 0) {
        struct digest known = hash_bytes(s->unit.known.data, s->unit.known.len);
        digest_write(o, "known", &known);
    }
    json_out_i64(o, "base_ms", s->batch.created_ms);
    rules_write(o, &wu->rules);
    json_out_bool(o, "purged", wu->purged);
    json_out_array(o, "attempts");
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        attempt_write(o, s, i);
    json_out_close(o);
    history_write(o, &s->unit.history);
    json_out_close(o);
    return ERR_OK;
}

enum err api_unit_get(struct call *c)
{
    struct seen s;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(find_unit(c, &s));
    json_out_init(&o, &body);
    const char *data = http_query(c->http, "data");
    TRY(unit_write(c, &s, data && str_eq(data, "true"), &o));
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_unit_write(struct call *c, const struct store_batch *b, wu_id id, struct json_out *o)
{
    struct seen s = {.batch = *b};
    TRY(store_unit_get(c->store, &c->http->arena, id, &s.unit));
    return unit_write(c, &s, false, o);
}

enum err api_unit_write_all(struct call *c, const struct store_batch *b, const struct store_unit *u,
                            struct json_out *o)
{
    struct seen s = {.batch = *b, .unit = *u};
    TRY(store_note_list(c->store, &c->http->arena, u->wu.id, &s.notes, &s.note_count));
    return unit_write(c, &s, true, o);
}

/* --- explaining --- */

static const char *failure_text(enum wu_failure f)
{
    static const char *const texts[WU_FAILURES] = {
        [WU_FAILURE_CANCELLED] = "it was cancelled",
        [WU_FAILURE_ERRORS] = "too many of its attempts ended in an error",
        [WU_FAILURE_ATTEMPTS] = "as many attempts were made as it may have",
        [WU_FAILURE_SUCCESSES] = "answers came but too few of them agree",
        [WU_FAILURE_JUDGE] = "the app's validator could not compare the answers",
    };
    return texts[f] ? texts[f] : "it failed";
}

/* An open unit with enough answers has none that are equal: else it would be accepted or be judged. */
static enum err explain_answers(uint32_t needed, uint32_t have, struct buf *out)
{
    if (needed <= 1)
        return buf_add_text(out, have ? "It needs an answer that counts; the one it has does not."
                                      : "It needs an answer and has none yet.");
    if (have < needed)
        return buf_printf(out, "It needs %u equal answers and has %u.", needed, have);
    return buf_printf(out, "It needs %u equal answers: %u are in, and no %u of them are equal.", needed, have,
                      needed);
}

static enum err explain_open(const struct seen *s, int64_t now_ms, struct buf *out)
{
    const struct wu *wu = &s->unit.wu;
    uint32_t count[ATTEMPT_STATES] = {0};
    char left[48];
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        count[wu->attempts[i].state]++;
    if (s->unit.known.len > 0)
        TRY(buf_add_text(out, "Its answer is known: each one that comes is compared with it."));
    else
        TRY(explain_answers(wu->needed, count[ATTEMPT_REPORTED] + count[ATTEMPT_VALID], out));
    if (count[ATTEMPT_UNSENT])
        TRY(buf_printf(out, " %u attempt%s for a host%s.", count[ATTEMPT_UNSENT],
                       count[ATTEMPT_UNSENT] == 1 ? " waits" : "s wait",
                       s->batch.paused ? ", but the batch is paused" : ""));
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        const struct attempt *t = &wu->attempts[i];
        if (t->state != ATTEMPT_LEASED)
            continue;
        str_from_duration_ms(t->deadline_ms > now_ms ? t->deadline_ms - now_ms : 0, left, sizeof left);
        TRY(buf_printf(out, " Attempt %u is at host %" PRIu64 ", due in %s.", i, t->host_id, left));
    }
    str_from_duration_ms(wu->rest_until_ms > now_ms ? wu->rest_until_ms - now_ms : 0, left, sizeof left);
    if (wu->rest_until_ms)
        TRY(buf_printf(out, " The next attempt is put off for %s by the batch's retry rules.", left));
    if (count[ATTEMPT_ERRORED])
        TRY(buf_printf(out, " %u ended in an error.", count[ATTEMPT_ERRORED]));
    if (count[ATTEMPT_EXPIRED])
        TRY(buf_printf(out, " %u missed the deadline.", count[ATTEMPT_EXPIRED]));
    return ERR_OK;
}

static enum err explain_unit(struct call *c, const struct seen *s, struct buf *out)
{
    const struct wu *wu = &s->unit.wu;
    if (wu_is_taken(wu)) {
        char id[ID_TEXT_BYTES];
        wu_id_text(taken_from(&s->unit.history), id);
        return buf_printf(out, "It is done: unit %s had asked the same, its answer was taken.", id);
    }
    if (wu->state == WU_PROVISIONAL)
        return buf_printf(out,
                          "Attempt %d of host %" PRIu64
                          " has a provisional answer: it is final when enough later "
                          "answers of that host are in and all checks among them passed.",
                          wu->canonical, wu->attempts[wu->canonical].host_id);
    if (wu->canonical >= 0)
        return buf_printf(out, "It is done: attempt %d of host %" PRIu64 " is the accepted answer.",
                          wu->canonical, wu->attempts[wu->canonical].host_id);
    if (wu->failure != WU_FAILURE_NONE) {
        TRY(buf_printf(out, "It failed: %s.", failure_text(wu->failure)));
        const struct store_note *last = s->note_count ? &s->notes[s->note_count - 1] : NULL;
        if (last)
            TRY(buf_printf(out, " The last error: %s%s%s.", attempt_error_name(last->error),
                           *last->message ? ", " : "", last->message));
        return ERR_OK;
    }
    if (wu->state == WU_JUDGING)
        return buf_add_text(out, "Enough answers are in and are being compared.");
    TRY(explain_open(s, clock_wall_ms(), out));
    bool waits = wu->state == WU_OPEN && wu_unsent(wu) > 0 && !s->batch.paused && !s->batch.cancelled;
    return waits ? api_explain_hosts(c, &s->batch, wu, out) : ERR_OK;
}

enum err api_unit_explain(struct call *c)
{
    struct seen s;
    struct json_out o;
    BUF_AUTO struct buf text = {0}, body = {0};
    TRY(find_unit(c, &s));
    TRY(explain_unit(c, &s, &text));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "unit", c->params[0]);
    json_out_string(&o, "state", wu_state_name(s.unit.wu.state));
    json_out_string_len(&o, "text", buf_text(&text), text.len);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- steering --- */

enum err api_unit_do(struct call *c)
{
    struct seen s;
    struct engine_unit_do *q = &c->request.u.unit_do;
    TRY(find_unit(c, &s));
    if (str_eq(c->params[1], "cancel"))
        q->event = WU_EV_CANCEL;
    else if (str_eq(c->params[1], "retry"))
        q->event = WU_EV_RETRY;
    else if (str_eq(c->params[1], "spare"))
        q->event = WU_EV_SPARE;
    else
        return err_set(ERR_MISSING, "\"%.40s\" cannot be done to a unit: cancel, retry and spare can",
                       c->params[1]);
    q->unit = s.unit.wu.id;
    c->request.kind = ENGINE_UNIT_DO;
    TRY(call_engine(c));
    return api_unit_get(c);
}
