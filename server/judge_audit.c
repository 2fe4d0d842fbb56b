#include "server/judge_audit.h"

#include <string.h>

#include "base/str.h"
#include "server/audit_draw.h"
#include "server/try.h"

enum { GROUP_STANDING = 1, GROUP_AGAINST = 2 };

/* A host that names no list, or one that is too long, has an unusable one. */
static enum err read_items(const struct judge_unit *j, const struct digest *answer, struct buf *out)
{
    struct judge_answer a;
    TRY(judge_answer_load(j->from, answer, &a));
    for (uint32_t i = 0; i < a.count; i++)
        if (str_eq(a.files[i].path, j->app->items))
            return a.files[i].bytes < ITEMS_BYTES_MAX
                       ? judge_answer_read(j->from, &a, i, ITEMS_BYTES_MAX, out)
                       : ERR_OK;
    return ERR_OK;
}

static enum items_verdict against_truth(struct buf *list, struct buf *truth, uint64_t item)
{
    struct audit one = {.seed = item, .one = true};
    uint64_t index;
    return items_compare(&one, buf_text(list), list->len, buf_text(truth), truth->len, &index);
}

/* Who is right about an item? The auditor's list need not be whole, so its line is compared by itself. */
static enum err referee(const struct judge_unit *j, struct buf *answer, struct buf *audit, uint64_t item,
                        uint32_t *ret_answer, uint32_t *ret_audit)
{
    BUF_AUTO struct buf truth = {.bytes_max = ITEMS_BYTES_MAX};
    uint64_t at = item == UINT64_MAX ? 0 : item, index, other;
    struct items a, t;
    const char *text, *true_text;
    size_t len, true_len;
    bool any = true, true_any = false;
    TRY(judge_unit_item(j, at, &truth));
    TRY(items_begin(&t, buf_text(&truth), truth.len));
    if (against_truth(answer, &truth, at) == ITEMS_SAME) {
        *ret_audit = WU_GROUP_UNUSABLE;
        return ERR_OK;
    }
    if (t.total > at)
        TRY(items_next(&t, &true_any, &index, &true_text, &true_len));
    if (t.total > at && (!true_any || index != at))
        return err_set(ERR_INVALID, "the app, run for item %llu alone, did not compute it",
                       (unsigned long long)at);
    *ret_answer = WU_GROUP_UNUSABLE;
    *ret_audit = WU_GROUP_UNUSABLE;
    if (items_begin(&a, buf_text(audit), audit->len) != ERR_OK || a.total != t.total)
        return ERR_OK;
    while (any && a.next <= at)
        if (items_next(&a, &any, &other, &text, &len) != ERR_OK)
            return ERR_OK;
    if (t.total <= at || (any && other == at && len == true_len && memcmp(text, true_text, len) == 0))
        *ret_audit = GROUP_AGAINST;
    return ERR_OK;
}

static enum err judge_one(const struct judge_unit *j, const struct audit *asked, struct buf *answer,
                          const struct digest *audit, uint32_t *ret_answer, uint32_t *ret_audit)
{
    BUF_AUTO struct buf list = {.bytes_max = ITEMS_BYTES_MAX};
    uint64_t item = 0;
    TRY(read_items(j, audit, &list));
    *ret_audit = GROUP_STANDING;
    switch (items_compare(asked, buf_text(answer), answer->len, buf_text(&list), list.len, &item)) {
    case ITEMS_SAME:
        break;
    case ITEMS_UNUSABLE_ANSWER:
        *ret_answer = WU_GROUP_UNUSABLE;
        *ret_audit = GROUP_AGAINST;
        break;
    case ITEMS_UNUSABLE_AUDIT:
        *ret_audit = WU_GROUP_UNUSABLE;
        break;
    case ITEMS_DIFFERENT:
        return referee(j, answer, &list, item, ret_answer, ret_audit);
    }
    return ERR_OK;
}

enum err judge_audits(const struct judge_unit *j, const struct store_unit *unit,
                      const struct store_batch *batch, const struct digest *key, struct engine_judged *ret)
{
    BUF_AUTO struct buf answer = {.bytes_max = ITEMS_BYTES_MAX};
    const struct wu *wu = &unit->wu;
    uint32_t standing = (uint32_t)wu->canonical;
    const struct digest *digest = &wu->attempts[standing].answer;
    TRY(read_items(j, digest, &answer));
    ret->answers[standing] = *digest;
    ret->groups[standing] = GROUP_STANDING;
    for (uint32_t i = wu->audit_first; i < wu->attempt_count; i++) {
        if (!wu->attempts[i].audit || wu->attempts[i].state != ATTEMPT_REPORTED)
            continue;
        ret->answers[i] = wu->attempts[i].answer;
        struct audit asked = audit_draw_items(key, wu, i, batch->trust.audit_ppm);
        TRY(judge_one(j, &asked, &answer, &wu->attempts[i].answer, &ret->groups[standing], &ret->groups[i]));
    }
    return ERR_OK;
}
