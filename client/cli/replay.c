#include "client/cli/replay.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "rules/wu_history.h"
#include "wire/parts.h"

static enum err read_retry(const struct json *rules, struct wu_rules *ret)
{
    const struct json *retry, *one;
    enum err e = json_opt_object(rules, "rules", "retry", &retry);
    for (uint32_t c = 0; e == ERR_OK && retry && c < WU_CAUSES; c++) {
        const char *name = wu_cause_name((enum wu_cause)c);
        int64_t wait_ms = 0, most = -1;
        if ((e = json_opt_object(retry, "retry", name, &one)) != ERR_OK || !one)
            continue;
        if ((e = json_opt_i64(one, name, "wait_ms", 0, WU_REST_MS_MAX, 0, &wait_ms)) != ERR_OK ||
            (e = json_opt_i64(one, name, "most", 0, ATTEMPTS_MAX, -1, &most)) != ERR_OK)
            return e;
        ret->retry[c] = (struct wu_retry){.wait_s = (uint32_t)(wait_ms / 1000),
                                          .most = most < 0 ? 0 : (uint16_t)most,
                                          .has_most = most >= 0};
    }
    return e;
}

static enum err read_rules(const struct json *unit, struct wu_rules *ret)
{
    static const char *const names[] = {"quorum", "target_attempts", "errors_max", "attempts_max",
                                        "successes_max"};
    uint32_t *const fields[] = {&ret->quorum, &ret->target_attempts, &ret->errors_max, &ret->attempts_max,
                                &ret->successes_max};
    const struct json *rules;
    const char *compare = NULL, *escrow = NULL;
    int64_t v = 0;
    enum err e = json_get_object(unit, "unit", "rules", &rules);
    for (size_t i = 0; e == ERR_OK && i < sizeof names / sizeof *names; i++) {
        e = json_get_i64(rules, "rules", names[i], 0, ATTEMPTS_MAX, &v);
        *fields[i] = (uint32_t)v;
    }
    if (e != ERR_OK ||
        (e = json_get_i64(rules, "rules", "lease_ms", 1, INT64_MAX, &ret->lease_ms)) != ERR_OK ||
        (e = json_get_string(rules, "rules", "compare", 16, &compare)) != ERR_OK ||
        (e = json_opt_bool(rules, "rules", "own_hosts", false, &ret->own_hosts)) != ERR_OK ||
        (e = json_opt_i64(rules, "rules", "hold_ms", 0, INT64_MAX, 0, &ret->hold_ms)) != ERR_OK ||
        (e = json_opt_string(rules, "rules", "escrow", 16, "none", &escrow)) != ERR_OK ||
        (e = read_retry(rules, ret)) != ERR_OK)
        return e;
    ret->escrow = wu_escrow_from_name(escrow);
    ret->compare = wu_compare_from_name(compare);
    return wu_rules_check(ret);
}

static enum err step(const struct json *item, size_t number, int64_t base_ms, struct wu *wu,
                     const struct replay_watch *watch)
{
    BUF_AUTO struct buf line = {0};
    struct wu_event ev;
    struct wu_effects fx = {0};
    enum err e = ERR_OK;
    if (json_kind(item) == JSON_IS_TEXT)
        e = buf_add(&line, json_text(item), json_text_len(item));
    else
        e = json_dump(item, &line);
    if (e == ERR_OK)
        e = wu_history_read(buf_text(&line), line.len, base_ms, &ev);
    if (e == ERR_OK && (e = wu_step(wu, &ev, &fx)) != ERR_OK)
        e = err_set(ERR_CORRUPT, "the rules do not take this event: %s", err_text());
    if (e != ERR_OK)
        return err_prefix(e, "event %zu, %s", number + 1, buf_text(&line));
    if (watch)
        watch->step(watch->ctx, &ev, wu, &fx);
    return ERR_OK;
}

/* Adds a sentence to `out` when what is stored is not what came out. */
static enum err compare_text(const char *what, const struct json *stored, const char *replayed,
                             struct buf *out)
{
    const char *text = json_text(stored) ? json_text(stored) : "none";
    return str_eq(text, replayed) ? ERR_OK
                                  : buf_printf(out, "%s%s is stored as %s and replays as %s",
                                               out->len ? "; " : "", what, text, replayed);
}

static enum err compare_attempt(const struct json *stored, const struct attempt *a, size_t number,
                                struct buf *out)
{
    char what[64], hex[DIGEST_TEXT_BYTES] = "none";
    snprintf(what, sizeof what, "attempt %zu's state", number);
    enum err e = compare_text(what, json_field(stored, "state"), attempt_state_name(a->state), out);
    if (e != ERR_OK)
        return e;
    snprintf(what, sizeof what, "attempt %zu's answer", number);
    if (!digest_is_zero(&a->answer))
        digest_text(&a->answer, hex);
    return compare_text(what, json_field(stored, "answer"), hex, out);
}

static enum err compare(const struct json *unit, const struct wu *wu, struct buf *out)
{
    const struct json *attempts = json_field(unit, "attempts");
    enum err e = compare_text("the state", json_field(unit, "state"), wu_state_name(wu->state), out);
    if (e == ERR_OK)
        e = compare_text("the failure", json_field(unit, "failure"), wu_failure_name(wu->failure), out);
    if (e == ERR_OK && json_int(json_field(unit, "canonical"), -1) != wu->canonical)
        e = buf_printf(out, "%sthe true attempt is stored as %lld and replays as %d", out->len ? "; " : "",
                       (long long)json_int(json_field(unit, "canonical"), -1), wu->canonical);
    if (e == ERR_OK && json_count(attempts) != wu->attempt_count)
        return buf_printf(out, "%s%zu attempts are stored and %u replay", out->len ? "; " : "",
                          json_count(attempts), wu->attempt_count);
    for (uint32_t i = 0; e == ERR_OK && i < wu->attempt_count; i++)
        e = compare_attempt(json_at(attempts, i), &wu->attempts[i], i, out);
    return e;
}

enum err replay_unit(const struct json *unit, const struct replay_watch *watch, struct wu *ret)
{
    BUF_AUTO struct buf differences = {0};
    const struct json *history;
    const char *id;
    int64_t base_ms;
    struct wu wu = {0};
    enum err e;
    if ((e = json_get_string(unit, "unit", "unit", ID_TEXT_BYTES, &id)) != ERR_OK ||
        (e = wu_id_parse(id, &wu.id)) != ERR_OK || (e = read_rules(unit, &wu.rules)) != ERR_OK ||
        (e = json_opt_i64(unit, "unit", "base_ms", 0, INT64_MAX, 0, &base_ms)) != ERR_OK ||
        (e = json_get_array(unit, "unit", "history", JSON_VALUES_MAX, &history)) != ERR_OK)
        return e;
    for (size_t i = 0; i < json_count(history) && e == ERR_OK; i++)
        e = step(json_at(history, i), i, base_ms, &wu, watch);
    if (e == ERR_OK)
        e = compare(unit, &wu, &differences);
    if (e == ERR_OK && differences.len > 0)
        e = err_set(ERR_CORRUPT, "unit %s: %.900s", id, buf_text(&differences));
    if (e == ERR_OK)
        *ret = wu;
    return e;
}
