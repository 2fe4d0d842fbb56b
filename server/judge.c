#include "server/judge.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/batch_rules.h"
#include "server/judge_audit.h"
#include "server/judge_numeric.h"
#include "server/judge_validator.h"
#include "server/ticker.h"
#include "server/try.h"

enum { PAGE = 50, LOOK_EVERY_MS = 5000, TRIES_MAX = 5, NUMERIC_BYTES_MAX = 64 << 20, FOLDER_ROOM = 3800 };
#define RETRY_DEFAULT_MS 2000ll
#define RETRY_CAP_MS     600000ll
#define CPU_DEFAULT_MS   60000ll
#define WALL_DEFAULT_MS  120000ll
static_assert(RETRY_DEFAULT_MS <= OUTBOX_RETRY_MS_MAX && RETRY_CAP_MS <= OUTBOX_WAIT_MS_MAX,
              "the store takes longer waits for those of a wrong clock");

struct judge {
    struct judge_config config;
    char folder[FOLDER_ROOM];
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
    struct judge_answer known; /* of a unit whose answer is */
};

/* File i of both. */
static enum err same_file(const struct bench *b, const struct judge_answer *x, const struct judge_answer *y,
                          uint32_t i, bool *ret)
{
    const struct file_ref *p = &x->files[i], *q = &y->files[i];
    BUF_AUTO struct buf p_bytes = {.bytes_max = NUMERIC_BYTES_MAX},
                        q_bytes = {.bytes_max = NUMERIC_BYTES_MAX};
    *ret = digest_eq(&p->sha256, &q->sha256);
    if (*ret || p->bytes >= NUMERIC_BYTES_MAX || q->bytes >= NUMERIC_BYTES_MAX)
        return ERR_OK;
    TRY(judge_answer_read(&b->from, x, i, NUMERIC_BYTES_MAX, &p_bytes));
    TRY(judge_answer_read(&b->from, y, i, NUMERIC_BYTES_MAX, &q_bytes));
    *ret = judge_numeric_same(buf_text(&p_bytes), p_bytes.len, buf_text(&q_bytes), q_bytes.len,
                              b->app.compare_abs, b->app.compare_rel);
    return ERR_OK;
}

static enum err same_numbers(const struct bench *b, const struct judge_answer *x,
                             const struct judge_answer *y, bool *ret)
{
    *ret = x->count == y->count;
    for (uint32_t i = 0; *ret && i < x->count; i++)
        *ret = strcmp(x->files[i].path, y->files[i].path) == 0;
    for (uint32_t i = 0; *ret && i < x->count; i++)
        TRY(same_file(b, x, y, i, ret));
    return ERR_OK;
}

static enum err compare(const struct bench *b, const struct judge_answer *p, const struct judge_answer *q,
                        enum judge_verdict *ret)
{
    const struct judge_config *c = &b->judge->config;
    bool same = false;
    if (b->app.compare == COMPARE_VALIDATOR) {
        const struct judge_validator v = {b->judge->folder, c->blobs, c->validator_cpu_ms,
                                          c->validator_wall_ms};
        return judge_validate(&v, &b->from, &b->app, &b->bundle, p, q, ret);
    }
    if (b->app.compare == COMPARE_NUMERIC)
        TRY(same_numbers(b, p, q, &same));
    *ret = same ? JUDGE_SAME : JUDGE_DIFFERENT;
    return ERR_OK;
}

/* --- grouping a unit's answers --- */

/* Groups are numbered as their heads are: group g + 1 has heads[g] for its representative. */
struct grouping {
    uint32_t *groups; /* of each attempt */
    uint32_t heads[ATTEMPTS_MAX], head_count;
};

static void spoil(struct grouping *g, uint32_t head)
{
    uint32_t was = g->groups[head];
    for (uint32_t i = 0; i < ATTEMPTS_MAX; i++)
        if (g->groups[i] == was)
            g->groups[i] = WU_GROUP_UNUSABLE;
}

/* The group of one that has the same digest. */
static bool join_equal(const struct bench *b, struct grouping *g, uint32_t i)
{
    for (uint32_t k = 0; k < b->unit.wu.attempt_count; k++) {
        if (g->groups[k] != WU_GROUP_NONE && digest_eq(&b->answers[k].digest, &b->answers[i].digest)) {
            g->groups[i] = g->groups[k];
            return true;
        }
    }
    return false;
}

static void open_group(struct grouping *g, uint32_t i)
{
    g->heads[g->head_count++] = i;
    g->groups[i] = g->head_count;
}

/* Into the group of the first representative it equals, or into a new one. */
static enum err place(const struct bench *b, struct grouping *g, uint32_t i)
{
    bool is_late = b->unit.wu.canonical >= 0;
    uint32_t asked =
        is_late ? 1 : g->head_count; /* what is not the canonical answer is wrong: no need to ask how */
    for (uint32_t h = 0; h < asked; h++) {
        enum judge_verdict verdict;
        if (g->groups[g->heads[h]] == WU_GROUP_UNUSABLE)
            continue;
        TRY(compare(b, &b->answers[g->heads[h]], &b->answers[i], &verdict));
        if (verdict == JUDGE_UNUSABLE_A && is_late)
            return err_set(ERR_INVALID, "the validator calls the accepted answer unusable");
        if (verdict == JUDGE_UNUSABLE_A)
            spoil(g, g->heads[h]);
        if (verdict == JUDGE_SAME || verdict == JUDGE_UNUSABLE_B) {
            g->groups[i] = verdict == JUDGE_SAME ? h + 1 : WU_GROUP_UNUSABLE;
            return ERR_OK;
        }
    }
    open_group(g, i);
    return ERR_OK;
}

static enum err load(struct bench *b, uint32_t i, struct engine_judged *ret)
{
    const struct digest *answer = &b->unit.wu.attempts[i].answer;
    ret->answers[i] = *answer;
    return judge_answer_load(&b->from, answer, &b->answers[i]);
}

static enum err group(struct bench *b, struct engine_judged *ret)
{
    const struct wu *wu = &b->unit.wu;
    struct grouping g = {.groups = ret->groups};
    if (wu->canonical >= 0) {
        TRY(load(b, (uint32_t)wu->canonical, ret));
        open_group(&g, (uint32_t)wu->canonical);
    }
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].state != ATTEMPT_REPORTED)
            continue;
        TRY(load(b, i, ret));
        if (b->answers[i].clashes)
            g.groups[i] = WU_GROUP_UNUSABLE;
        else if (!join_equal(b, &g, i))
            TRY(place(b, &g, i));
    }
    return ERR_OK;
}

/* All platforms of a version compare in the same way; a validator has to be one that runs here. */
static const struct batch_release *choose_release(const struct store_batch *batch)
{
    for (uint32_t i = 0; i < batch->release_count; i++)
        if (str_eq(batch->releases[i].platform, platform_here()))
            return &batch->releases[i];
    return &batch->releases[0];
}

static enum err load_app(struct bench *b, const struct store_batch *batch)
{
    struct store_release r;
    const struct batch_release *release = choose_release(batch);
    TRY(store_release_get(b->from.store, b->from.arena, &release->release, &r));
    b->bundle = r.bundle;
    TRY(manifest_parse(r.manifest.data, r.manifest.len, b->from.arena, &b->app));
    if (b->app.compare == COMPARE_VALIDATOR && !str_eq(release->platform, platform_here()))
        return err_set(ERR_UNSUPPORTED,
                       "the validator of app %s has no release for %s, where this server runs", batch->app,
                       platform_here());
    return ERR_OK;
}

/* Is the answer the known one, as the app compares answers? */
static enum err check_known(const struct bench *b, const struct judge_answer *answer, bool *ret_right)
{
    enum judge_verdict verdict = JUDGE_DIFFERENT;
    *ret_right = digest_eq(&answer->digest, &b->known.digest);
    if (*ret_right || answer->clashes || b->app.compare == COMPARE_DIGEST)
        return ERR_OK;
    TRY(compare(b, &b->known, answer, &verdict));
    *ret_right = verdict == JUDGE_SAME;
    return verdict == JUDGE_UNUSABLE_A
               ? err_set(ERR_INVALID, "the validator calls the unit's known answer unusable")
               : ERR_OK;
}

/* Each answer by itself: against the known one, or (unit not NULL) by the app's own program. */
static enum err check(struct bench *b, const struct judge_unit *unit, struct engine_judged *ret)
{
    const struct wu *wu = &b->unit.wu;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        bool right = true;
        bool truth = (int32_t)i == wu->canonical;
        if (wu->attempts[i].state != ATTEMPT_REPORTED && !truth)
            continue;
        TRY(load(b, i, ret));
        if (!truth)
            TRY(unit ? judge_unit_check(unit, &b->answers[i], &right)
                     : check_known(b, &b->answers[i], &right));
        ret->groups[i] = right ? 1 : WU_GROUP_UNUSABLE;
    }
    return ERR_OK;
}

static enum err judge(struct bench *b, const struct store_batch *batch, struct engine_judged *ret)
{
    const struct judge_config *c = &b->judge->config;
    const struct judge_validator v = {b->judge->folder, c->blobs, c->validator_cpu_ms, c->validator_wall_ms};
    struct judge_unit unit = {.from = &b->from, .validator = &v, .app = &b->app, .bundle = &b->bundle};
    bool audit = b->unit.wu.state == WU_PROVISIONAL;
    if (b->unit.known.len > 0) {
        struct digest digest = hash_bytes(b->unit.known.data, b->unit.known.len);
        TRY(judge_answer_read_manifest(&b->from, &digest, &b->unit.known, &b->known));
        return check(b, NULL, ret);
    }
    if (!audit && batch_rules_policy(&batch->rules) != BATCH_POLICY_CHECKER)
        return group(b, ret);
    TRY(judge_unit_load(&unit, &b->unit, batch));
    return audit ? judge_audits(&unit, &b->unit, batch, &c->audit_key, ret) : check(b, &unit, ret);
}

static enum err judge_one(struct judge *j, struct arena *a, wu_id id, struct engine_judged *ret)
{
    struct store_batch batch;
    struct bench *b = arena_alloc(a, sizeof *b);
    TRY(b ? ERR_OK : ERR_NOMEM);
    b->judge = j;
    b->from = (struct judge_source){j->config.store, j->config.blobs, a, id, &j->stop};
    TRY(store_unit_get(j->config.store, a, id, &b->unit));
    TRY(store_batch_get(j->config.store, a, wu_id_batch(id), &batch));
    TRY(load_app(b, &batch));
    return judge(b, &batch, ret);
}

/* --- the outbox --- */

static enum err tell(struct judge *j, struct arena *a, struct engine_request *r)
{
    r->arena = a;
    return engine_thread_do(j->config.engine, r);
}

/* This machine cannot: neither the answers nor the validator can help it. */
static bool is_ours(enum err e)
{
    return e == ERR_BUSY || e == ERR_FULL || e == ERR_NOMEM || e == ERR_IO || e == ERR_UNREACHABLE ||
           e == ERR_TIMEOUT || e == ERR_UNSUPPORTED;
}

static enum err put_off(struct judge *j, struct arena *a, const struct store_outbox *o)
{
    struct engine_request r = {.kind = ENGINE_OUTBOX};
    int64_t most_ms = o->tries < 20 ? j->config.retry_ms << o->tries : RETRY_CAP_MS;
    most_ms = most_ms < RETRY_CAP_MS ? most_ms : RETRY_CAP_MS;
    r.u.outbox = (struct engine_outbox){
        .id = o->id, .due_ms = clock_wall_ms() + 1 + (int64_t)(rand_u64() % (uint64_t)most_ms)};
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
    enum err e = judge_one(j, a, o->subject, q);
    if (atomic_load(&j->stop))
        return ERR_BUSY;
    if (e != ERR_OK) {
        log_event(is_ours(e) ? LOG_ERROR : LOG_WARN, "judge-failed", "wu", unit, "try", log_i64(o->tries + 1),
                  "err", err_text(), NULL);
        if (is_ours(e) || o->tries + 1 < TRIES_MAX)
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
            if (!members_have(j->config.members, DUTY_JUDGE + after % DUTY_JUDGES))
                continue;
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
    if (strlen(config->folder) >= FOLDER_ROOM)
        return err_set(ERR_LIMIT, "the path of the judge's folder is too long: %.100s...", config->folder);
    TRY(file_remove_tree(config->folder));
    TRY(file_make_folders(config->folder, 0755));
    struct judge *j = calloc(1, sizeof *j);
    if (!j)
        return err_set(ERR_NOMEM, "no memory for the judge");
    j->config = *config;
    j->config.retry_ms = config->retry_ms ? config->retry_ms : RETRY_DEFAULT_MS;
    j->config.validator_cpu_ms = config->validator_cpu_ms ? config->validator_cpu_ms : CPU_DEFAULT_MS;
    j->config.validator_wall_ms = config->validator_wall_ms ? config->validator_wall_ms : WALL_DEFAULT_MS;
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
