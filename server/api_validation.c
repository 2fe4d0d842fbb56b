/* api_validation.c - what the answers cost and how sure they are, as it was measured; where hosts disagreed
 */
#include "base/str.h"
#include "server/api.h"
#include "server/batch_rules.h"
#include "server/metrics.h"
#include "server/try.h"

enum { BATCHES_LOOKED_AT = 50, WAITING_MAX = 50, UNITS_LOOKED_AT = 20000 };

/* --- measured --- */

struct measured {
    uint64_t valid, invalid;
    int64_t answers;      /* accepted or provisional, not taken from earlier units */
    double runs;          /* for them: batch_rules_runs() */
    uint64_t checked;     /* attempts that were held against another one, or a checker */
    double liars;         /* at most, as a share of attempts */
    double wrong, weight; /* accepted answers that may be wrong, of so many */
    int64_t judging, provisional;
    const struct store_batch *waiting[WAITING_MAX];
    uint32_t waiting_count;
};

static void add_batch(struct measured *m, const struct store_batch *b)
{
    m->valid += (uint64_t)b->counts.valid;
    m->invalid += (uint64_t)b->counts.invalid;
    m->answers += b->counts.accepted + b->counts.provisional - b->counts.taken;
    m->runs += batch_rules_runs(&b->counts);
    m->checked += batch_rules_checked(&b->rules, &b->counts);
    m->judging += b->counts.judging;
    m->provisional += b->counts.provisional;
    if (b->counts.provisional > 0 && m->waiting_count < WAITING_MAX)
        m->waiting[m->waiting_count++] = b;
}

/* Looks at the newest batches, up to STORE_PAGE_MAX. */
static enum err measure(struct call *c, struct measured *m)
{
    struct store_batch *list;
    uint32_t count;
    uint64_t user = c->who.role == ROLE_SCIENTIST ? c->who.id : 0;
    TRY(store_batch_list(c->store, &c->http->arena, user, 0, STORE_PAGE_MAX, &list, &count));
    *m = (struct measured){0};
    for (uint32_t i = 0; i < count; i++)
        add_batch(m, &list[i]);
    m->liars = price_liars_at_most(m->invalid, m->checked);
    for (uint32_t i = 0; i < count; i++) {
        double accepted = (double)list[i].counts.accepted;
        m->wrong += accepted * batch_rules_price(&list[i].rules, &list[i].trust, m->liars).wrong;
        m->weight += accepted;
    }
    return ERR_OK;
}

static void share_write(struct json_out *o, const char *name, double share, bool known)
{
    if (known)
        json_out_real(o, name, share);
    else
        json_out_null(o, name);
}

enum err api_validation(struct call *c)
{
    struct measured *m = arena_alloc(&c->http->arena, sizeof *m);
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(m ? ERR_OK : ERR_NOMEM);
    TRY(measure(c, m));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    share_write(&o, "replication", m->runs / (double)m->answers, m->answers > 0);
    json_out_u64(&o, "valid", m->valid);
    json_out_u64(&o, "invalid", m->invalid);
    json_out_u64(&o, "checked", m->checked);
    share_write(&o, "liars", m->liars, m->checked > 0);
    share_write(&o, "error_bound", m->wrong / m->weight, m->checked > 0 && m->weight > 0);
    json_out_i64(&o, "provisional", m->provisional);
    json_out_i64(&o, "judging", m->judging);
    json_out_array(&o, "batches");
    for (uint32_t i = 0; i < m->waiting_count; i++) {
        json_out_object(&o, NULL);
        api_id(&o, "batch", m->waiting[i]->id);
        json_out_string(&o, "name", m->waiting[i]->name);
        json_out_i64(&o, "provisional", m->waiting[i]->counts.provisional);
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_validation_metrics(struct call *c, struct buf *out)
{
    struct measured *m = arena_alloc(&c->http->arena, sizeof *m);
    TRY(m ? ERR_OK : ERR_NOMEM);
    TRY(measure(c, m));
    TRY(metrics_value(out, "dugnad_provisional", "gauge", "Answers that wait in escrow.",
                      (double)m->provisional));
    if (m->answers > 0)
        TRY(metrics_value(out, "dugnad_replication", "gauge",
                          "Runs for an answer, of the newest 1,000 batches; an audit is the part of one that "
                          "it recomputes.",
                          m->runs / (double)m->answers));
    if (m->checked == 0)
        return ERR_OK;
    TRY(metrics_value(out, "dugnad_liars_at_most", "gauge",
                      "Share of attempts that is wrong, at most, by those that were checked.", m->liars));
    return m->weight > 0
               ? metrics_value(out, "dugnad_error_bound", "gauge",
                               "Share of accepted answers that is wrong, at most, with as many liars.",
                               m->wrong / m->weight)
               : ERR_OK;
}

/* --- disputes --- */

static void dispute_write(struct json_out *o, const struct wu *wu, uint32_t invalid)
{
    char unit[ID_TEXT_BYTES];
    int64_t last_ms = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].ended_ms > last_ms)
            last_ms = wu->attempts[i].ended_ms;
    wu_id_text(wu->id, unit);
    json_out_object(o, NULL);
    json_out_string(o, "unit", unit);
    json_out_string(o, "state", wu_state_name(wu->state));
    json_out_i64(o, "attempts", wu->attempt_count);
    json_out_i64(o, "invalid", invalid);
    json_out_i64(o, "time_ms", last_ms);
    json_out_close(o);
}

static uint32_t count_invalid(const struct wu *wu)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        n += wu->attempts[i].state == ATTEMPT_INVALID;
    return n;
}

struct disputes {
    uint32_t looked, shown, limit;
    wu_id next; /* where a next page goes on after; 0: nothing is left */
};

static enum err write_disputes(struct call *c, struct json_out *o, uint32_t batch, wu_id after,
                               struct disputes *d)
{
    const struct store_unit_filter all = {.state = WU_STATES};
    do {
        struct arena ARENA_AUTO a = {0};
        struct store_unit *list;
        uint32_t count;
        TRY(store_unit_list(c->store, &a, batch, &all, after, STORE_PAGE_MAX, &list, &count, &after));
        for (uint32_t i = 0; i < count; i++) {
            uint32_t invalid = count_invalid(&list[i].wu);
            d->next = list[i].wu.id;
            if (invalid == 0)
                continue;
            dispute_write(o, &list[i].wu, invalid);
            if (++d->shown == d->limit)
                return ERR_OK;
        }
        d->looked += count;
    } while (after != 0 && d->looked < UNITS_LOOKED_AT);
    return ERR_OK;
}

static enum err find_disputes(struct call *c, struct json_out *o, wu_id after, struct disputes *d)
{
    struct store_batch *batches;
    uint32_t count, before = after ? wu_id_batch(after) + 1 : 0;
    uint64_t user = c->who.role == ROLE_SCIENTIST ? c->who.id : 0;
    TRY(store_batch_list(c->store, &c->http->arena, user, before, BATCHES_LOOKED_AT, &batches, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool goes_on = after && batches[i].id == wu_id_batch(after);
        if (batches[i].counts.invalid > 0)
            TRY(write_disputes(c, o, batches[i].id, goes_on ? after : 0, d));
        if (d->shown == d->limit || d->looked >= UNITS_LOOKED_AT)
            return ERR_OK;
    }
    d->next = count == BATCHES_LOOKED_AT ? wu_id_make(batches[count - 1].id, BATCH_UNITS_MAX - 1) : 0;
    return ERR_OK;
}

/* Newest batches first. So many units are looked at for a page that it may come short, though more follow. */
enum err api_disputes(struct call *c)
{
    struct disputes d = {0};
    struct json_out o;
    const char *from = http_query(c->http, "after");
    char next[ID_TEXT_BYTES];
    wu_id after = 0;
    BUF_AUTO struct buf body = {0};
    TRY(api_page_limit(c, &d.limit));
    if (from && *from)
        TRY(wu_id_parse(from, &after));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    TRY(find_disputes(c, &o, after, &d));
    json_out_close(&o);
    wu_id_text(d.next, next);
    if (d.next)
        json_out_string(&o, "next", next);
    else
        json_out_null(&o, "next");
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
