#include "server/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "server/judge_numeric.h"
#include "server/judge_validator.h"
#include "server/ticker.h"
#include "server/try.h"

enum { PAGE = 50, LOOK_EVERY_MS = 5000, TRIES_MAX = 5, NUMERIC_BYTES_MAX = 64 << 20 };
#define RETRY_BASE_MS 2000ll

struct judge {
    struct judge_config config;
    char folder[3900];
    struct ticker *ticker;
    atomic_bool stop;
};

/* --- comparing two answers --- */

struct bench { /* one unit on the judge's bench */
    struct judge *judge;
    struct judge_source from;
    struct store_unit unit;
    struct manifest app;
    struct digest bundle;
    struct judge_answer answers[ATTEMPTS_MAX];
};

static enum err same_numbers(const struct bench *b, const struct judge_answer *x,
                             const struct judge_answer *y, bool *ret)
{
    *ret = x->count == y->count;
    for (uint32_t i = 0; *ret && i < x->count; i++) {
        const struct file_ref *p = &x->files[i], *q = &y->files[i];
        BUF_AUTO struct buf p_bytes = {0}, q_bytes = {0};
        *ret = strcmp(p->path, q->path) == 0;
        if (!*ret || digest_eq(&p->sha256, &q->sha256))
            continue;
        buf_init(&p_bytes, NUMERIC_BYTES_MAX);
        buf_init(&q_bytes, NUMERIC_BYTES_MAX);
        if (p->bytes >= NUMERIC_BYTES_MAX || q->bytes >= NUMERIC_BYTES_MAX) {
            *ret = false; /* too long to be compared as numbers: only equal bytes would do */
            break;
        }
        TRY(judge_answer_read(&b->from, p, NUMERIC_BYTES_MAX, &p_bytes));
        TRY(judge_answer_read(&b->from, q, NUMERIC_BYTES_MAX, &q_bytes));
        *ret = judge_numeric_same(buf_text(&p_bytes), p_bytes.len, buf_text(&q_bytes), q_bytes.len,
                                  b->app.compare_abs, b->app.compare_rel);
    }
    return ERR_OK;
}

static enum err compare(const struct bench *b, uint32_t x, uint32_t y, enum judge_verdict *ret)
{
    const struct judge_answer *p = &b->answers[x], *q = &b->answers[y];
    if (digest_eq(&p->digest, &q->digest) && b->app.compare != COMPARE_VALIDATOR) {
        *ret = JUDGE_SAME;
        return ERR_OK;
    }
    if (b->app.compare == COMPARE_NUMERIC) {
        bool same;
        TRY(same_numbers(b, p, q, &same));
        *ret = same ? JUDGE_SAME : JUDGE_DIFFERENT;
        return ERR_OK;
    }
    const struct judge_validator v = {b->judge->folder, b->judge->config.blobs, &b->judge->stop};
    return judge_validate(&v, &b->from, &b->app, &b->bundle, p, q, ret);
}

/* --- grouping a unit's answers --- */

static bool is_answer(const struct attempt *a)
{
    return (a->state == ATTEMPT_REPORTED || a->state == ATTEMPT_VALID || a->state == ATTEMPT_INVALID) &&
           !digest_is_zero(&a->answer);
}

/* Puts attempt i into the group of the first representative it equals, or into a new one. */
static enum err place(struct bench *b, uint32_t i, uint32_t *groups, uint32_t *heads, uint32_t *head_count)
{
    for (uint32_t g = 0; g < *head_count; g++) {
        enum judge_verdict verdict;
        if (groups[heads[g]] == WU_GROUP_UNUSABLE)
            continue;
        TRY(compare(b, heads[g], i, &verdict));
        if (verdict == JUDGE_SAME) {
            groups[i] = g + 1;
            return ERR_OK;
        }
        if (verdict == JUDGE_UNUSABLE_B) {
            groups[i] = WU_GROUP_UNUSABLE;
            return ERR_OK;
        }
        if (verdict == JUDGE_UNUSABLE_A)
            for (uint32_t k = 0, was = groups[heads[g]]; k < ATTEMPTS_MAX; k++)
                if (groups[k] == was)
                    groups[k] = WU_GROUP_UNUSABLE;
    }
    heads[(*head_count)++] = i;
    groups[i] = *head_count;
    return ERR_OK;
}

static enum err group(struct bench *b, struct engine_judged *ret)
{
    const struct wu *wu = &b->unit.wu;
    uint32_t heads[ATTEMPTS_MAX], head_count = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (!is_answer(&wu->attempts[i]))
            continue;
        TRY(judge_answer_load(&b->from, &wu->attempts[i].answer, &b->answers[i]));
        ret->answers[i] = wu->attempts[i].answer;
    }
    /* The canonical answer is what the others are held against. */
    if (wu->canonical >= 0)
        TRY(place(b, (uint32_t)wu->canonical, ret->groups, heads, &head_count));
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (is_answer(&wu->attempts[i]) && (int32_t)i != wu->canonical)
            TRY(place(b, i, ret->groups, heads, &head_count));
    return ERR_OK;
}

static enum err load_app(struct bench *b, const struct store_batch *batch)
{
    struct store_release r;
    TRY(store_release_get(b->from.store, b->from.arena, &batch->releases[0].release, &r));
    b->bundle = r.bundle;
    return manifest_parse(r.manifest.data, r.manifest.len, b->from.arena, &b->app);
}

static enum err judge_unit(struct judge *j, struct arena *a, wu_id id, struct engine_judged *ret)
{
    struct store_batch batch;
    struct bench *b = arena_alloc(a, sizeof *b);
    TRY(b ? ERR_OK : ERR_NOMEM);
    b->judge = j;
    b->from = (struct judge_source){j->config.store, j->config.blobs, a, wu_id_batch(id)};
    TRY(store_unit_get(j->config.store, a, id, &b->unit));
    TRY(store_batch_get(j->config.store, a, wu_id_batch(id), &batch));
    TRY(load_app(b, &batch));
    return group(b, ret);
}

/* --- the outbox --- */

static enum err tell(struct judge *j, struct arena *a, struct engine_request *r)
{
    r->arena = a;
    return engine_thread_do(j->config.engine, r);
}

/* Trying again helps where something was missing or busy for a while; after some tries the unit fails with a
 * reason. */
static enum err put_off(struct judge *j, struct arena *a, const struct store_outbox *o)
{
    struct engine_request r = {.kind = ENGINE_OUTBOX};
    int64_t most_ms = RETRY_BASE_MS << o->tries;
    r.u.outbox = (struct engine_outbox){
        .id = o->id, .due_ms = clock_wall_ms() + (int64_t)(rand_u64() % (uint64_t)most_ms) + 100};
    return tell(j, a, &r);
}

static enum err handle(struct judge *j, struct arena *a, const struct store_outbox *o)
{
    char unit[ID_TEXT_BYTES];
    struct engine_request r = {.kind = ENGINE_JUDGED};
    struct engine_judged *q = &r.u.judged;
    wu_id_text(o->subject, unit);
    q->unit = o->subject;
    q->outbox_id = o->id;
    enum err e = judge_unit(j, a, o->subject, q);
    if (atomic_load(&j->stop))
        return ERR_BUSY;
    if (e != ERR_OK) {
        log_event(LOG_WARN, "judge-failed", "wu", unit, "try", log_i64(o->tries + 1), "err", err_text(),
                  NULL);
        if (o->tries + 1 < TRIES_MAX)
            return put_off(j, a, o);
        *q = (struct engine_judged){.unit = o->subject, .outbox_id = o->id, .error = ATTEMPT_ERROR_OTHER};
    }
    return tell(j, a, &r);
}

static enum err handle_due(struct judge *j)
{
    struct arena ARENA_AUTO list_arena = {0};
    struct store_outbox *list;
    uint32_t count;
    uint64_t after = 0;
    do {
        TRY(store_outbox_list(j->config.store, &list_arena, OUTBOX_JUDGE, clock_wall_ms(), after, PAGE, &list,
                              &count));
        for (uint32_t i = 0; i < count && !atomic_load(&j->stop); i++) {
            struct arena ARENA_AUTO a = {0};
            after = list[i].id;
            enum err e = handle(j, &a, &list[i]);
            if (e != ERR_OK && e != ERR_BUSY)
                log_event(LOG_WARN, "judge-failed", "outbox", log_i64((long long)list[i].id), "err",
                          err_text(), NULL);
        }
        arena_reset(&list_arena);
    } while (count == PAGE && !atomic_load(&j->stop));
    return ERR_OK;
}

/* --- the thread --- */

static void look(void *ctx)
{
    if (handle_due(ctx) != ERR_OK)
        log_event(LOG_WARN, "judge-failed", "err", err_text(), NULL);
}

enum err judge_start(const struct judge_config *config, struct judge **ret_judge)
{
    TRY(file_remove_tree(config->folder));
    TRY(file_make_folders(config->folder, 0755));
    struct judge *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(ERR_NOMEM, "no memory for the judge");
    j->config = *config;
    snprintf(j->folder, sizeof j->folder, "%s", config->folder);
    enum err e = ticker_start(look, j, LOOK_EVERY_MS, &j->ticker);
    if (e != ERR_OK) {
        free(j);
        return e;
    }
    *ret_judge = j;
    return ERR_OK;
}

void judge_wake(struct judge *j)
{
    ticker_wake(j->ticker);
}

void judge_stop(struct judge *j)
{
    if (!j)
        return;
    atomic_store(&j->stop, true); /* a validator that runs sees it */
    ticker_stop(j->ticker);
    free(j);
}
