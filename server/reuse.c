/* reuse.c - see reuse.h */
#include "server/reuse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "server/answer_row.h"
#include "server/batch_rules.h"
#include "server/store_answered.h"
#include "server/try.h"
#include "server/unit_row.h"
#include "wire/parts.h"

static bool same(const struct trust_policy *a, const struct trust_policy *b)
{
    return a->probation == b->probation && a->audit_ppm == b->audit_ppm && a->floor_ppm == b->floor_ppm &&
           a->wait == b->wait;
}

/* What was accepted on less must not answer who asked for more. What all use is left out: it was always so.
 */
static void write_trust(struct json_out *o, const struct store_batch *b)
{
    static const struct trust_policy lone = TRUST_POLICY_LONE, all = TRUST_POLICY_ALL;
    if (b->rules.escrow == WU_ESCROW_NONE || same(&b->trust, b->rules.escrow == WU_ESCROW_ALL ? &all : &lone))
        return;
    json_out_u64(o, "probation", b->trust.probation);
    json_out_u64(o, "audit", b->trust.audit_ppm);
    json_out_u64(o, "floor", b->trust.floor_ppm);
    json_out_u64(o, "wait", b->trust.wait);
}

enum err reuse_batch_question(const struct store_batch *b, const struct batch_request *q, struct digest *ret)
{
    BUF_AUTO struct buf text = {0};
    struct json_out o;
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_u64(&o, "user", b->user_id);
    json_out_string(&o, "app", b->app);
    json_out_u64(&o, "version", b->version);
    json_out_string(&o, "policy", batch_policy_name(batch_rules_policy(&b->rules)));
    json_out_u64(&o, "quorum", b->rules.quorum);
    json_out_string(&o, "compare", wu_compare_name(b->rules.compare));
    write_trust(&o, b);
    words_write(&o, "command", q->command, q->command_count);
    variables_write(&o, "env", q->env, q->env_count);
    json_out_string(&o, "stdin", q->stdin_path ? q->stdin_path : "");
    file_refs_write(&o, "inputs", q->inputs, q->input_count);
    json_out_close(&o);
    TRY(json_out_end(&o));
    *ret = hash_bytes(text.data, text.len);
    return ERR_OK;
}

void reuse_question(const struct digest *of_batch, const struct text *tail, struct digest *ret)
{
    uint8_t both[2 * DIGEST_BYTES];
    struct digest unit = hash_bytes(tail->data, tail->len);
    memcpy(both, of_batch->bytes, DIGEST_BYTES);
    memcpy(both + DIGEST_BYTES, unit.bytes, DIGEST_BYTES);
    *ret = hash_bytes(both, sizeof both);
}

struct search {
    struct store *store;
    struct blobs *blobs;
    struct arena *a;       /* what is kept */
    struct arena *scratch; /* what is looked at, of one unit */
    const struct store_batch *batch;
    char holder[24];
    size_t bytes; /* kept so far */
};

/* ERR_MISSING: bytes of it are gone. */
static enum err take_answer(struct search *s, const struct store_unit *u, struct engine_taken *t)
{
    BUF_AUTO struct buf row = {0};
    struct store_answer answer;
    t->source = u->wu.id;
    t->answer = u->wu.attempts[u->wu.canonical].answer;
    TRY(store_answer_get(s->store, s->scratch, u->wu.id, &t->answer, &answer));
    for (uint32_t i = 0; i < answer.count; i++)
        if (!answer.data[i].data)
            TRY(blob_hold(s->blobs, &answer.files[i].sha256, s->holder));
    TRY(answer_row_write(&answer, &row));
    s->bytes += row.len;
    t->row = (struct text){arena_bytes(s->a, row.data, row.len), (uint32_t)row.len};
    return t->row.data ? ERR_OK : ERR_NOMEM;
}

/* *ret_found: an earlier unit has the answer, with all its files. */
static enum err look(struct search *s, const struct text *spec, struct engine_taken *t, bool *ret_found)
{
    struct digest question;
    struct store_unit u;
    wu_id id;
    *ret_found = false;
    reuse_question(&s->batch->question, spec, &question);
    TRY(store_answered_find(s->store, &question, &id));
    if (id == 0)
        return ERR_OK;
    arena_reset(s->scratch);
    enum err e = store_unit_get(s->store, s->scratch, id, &u);
    if (e == ERR_MISSING)
        return ERR_OK;
    TRY(e);
    if (u.wu.state != WU_DELIVERED || u.wu.canonical < 0 || u.wu.purged)
        return ERR_OK;
    e = take_answer(s, &u, t);
    *ret_found = e == ERR_OK;
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err look_at_all(struct search *s, const struct text *specs, uint32_t count,
                            struct engine_taken *list, uint32_t *ret_count, uint32_t *ret_looked)
{
    uint32_t i = 0;
    for (*ret_count = 0; i < count && s->bytes < REUSE_BYTES_MAX; i++) {
        bool found = false;
        list[*ret_count] = (struct engine_taken){.at = i};
        if (unit_known(&specs[i]).len == 0)
            TRY(look(s, &specs[i], &list[*ret_count], &found));
        *ret_count += found;
    }
    *ret_looked = i;
    return ERR_OK;
}

enum err reuse_find(struct store *store, struct blobs *blobs, struct arena *a, const struct store_batch *b,
                    const struct text *specs, uint32_t count, struct engine_taken **ret, uint32_t *ret_count,
                    uint32_t *ret_looked)
{
    ARENA_AUTO struct arena scratch = {0};
    struct search s = {.store = store, .blobs = blobs, .a = a, .scratch = &scratch, .batch = b};
    uint32_t looked = count;
    *ret = NULL;
    *ret_count = 0;
    if (!digest_is_zero(&b->question) && count > 0) {
        *ret = arena_array(a, count, sizeof **ret);
        TRY(*ret ? ERR_OK : ERR_NOMEM);
        snprintf(s.holder, sizeof s.holder, "b%" PRIu32, b->id);
        TRY(look_at_all(&s, specs, count, *ret, ret_count, &looked));
        if (*ret_count > 0)
            TRY(blobs_sync(blobs, s.holder));
    }
    if (ret_looked)
        *ret_looked = looked;
    return ERR_OK;
}
