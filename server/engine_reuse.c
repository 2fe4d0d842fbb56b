/* engine_reuse.c - answers that later units with the same question take over. */
#include "server/engine_in.h"
#include "server/reuse.h"
#include "server/store_answered.h"
#include "server/unit_row.h"

/* *ret is NULL where nothing is remembered: by the batch's wish, and of what is known beforehand. */
static enum err question_of(struct engine *e, const struct batch_mem *b, const struct unit_mem *u,
                            const struct digest **ret)
{
    struct digest *question = NULL;
    *ret = NULL;
    if (digest_is_zero(&b->b.question) || u->spec.len == 0 || unit_known(&u->spec).len > 0)
        return ERR_OK;
    if (!(question = arena_alloc(&e->turn, sizeof *question)))
        return ERR_NOMEM;
    reuse_question(&b->b.question, &u->spec, question);
    *ret = question;
    return ERR_OK;
}

enum err answered_keep(struct engine *e, struct batch_mem *b, const struct unit_mem *u)
{
    const struct digest *question;
    TRY(question_of(e, b, u, &question));
    if (question && u->wu.canonical >= 0)
        store_set_answered(e->set, question, u->wu.id);
    return ERR_OK;
}

enum err answered_forget(struct engine *e, struct batch_mem *b, const struct unit_mem *u)
{
    const struct digest *question;
    TRY(question_of(e, b, u, &question));
    if (question && u->wu.canonical >= 0)
        store_set_answered_end(e->set, question, u->wu.id);
    return ERR_OK;
}

static enum err take(struct engine *e, wu_id id, const struct engine_taken *t)
{
    struct wu_event ev = {.kind = WU_EV_TAKE, .now_ms = e->now_ms, .answer = t->answer, .source = t->source};
    struct unit_mem *u;
    enum err step;
    TRY(unit_find(e, id, &u));
    if (!u)
        return err_set(ERR_CORRUPT, "a unit that was just made is not there");
    TRY(answer_keep(e, id, &t->answer, &t->row));
    TRY(unit_apply(e, u, &ev, NULL, &step));
    return step == ERR_STALE ? ERR_OK : step;
}

enum err units_take(struct engine *e, uint32_t batch, uint32_t first, const struct engine_taken *taken,
                    uint32_t count)
{
    wu_id *ids = arena_array(&e->turn, count + 1u, sizeof *ids);
    if (!ids)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = wu_id_make(batch, first + taken[i].at);
    TRY(unit_prefetch(e, ids, count));
    for (uint32_t i = 0; i < count; i++)
        TRY(take(e, ids[i], &taken[i]));
    return ERR_OK;
}
