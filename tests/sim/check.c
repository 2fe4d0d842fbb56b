/* check.c - the promises, checked against books that the grid cannot write in. */
#include <string.h>

#include "rules/wu_history.h"
#include "sim.h"

void check_said(struct sim *s, uint32_t h, const struct said *said)
{
    struct book *b = &s->books[said->unit];
    struct wu wu;
    if (said->error != ATTEMPT_ERROR_NONE || !store_peek(s, said->unit, &wu) ||
        said->attempt >= wu.attempt_count || wu.attempts[said->attempt].host_id != h + 1)
        return; /* of an earlier life, or not its attempt: it must not count, see check_answers */
    b->said[said->attempt].host_id = h + 1;
    b->said[said->attempt].owner_id = s->hosts[h].owner_id;
    b->said[said->attempt].answer = said->answer;
}

/* Every answer the unit has was really given by the host it is said to be from, and none changes or goes
 * away. */
static void check_answers(const struct sim *s, uint32_t unit, const struct wu *before, const struct wu *after)
{
    const struct book *b = &s->books[unit];
    for (uint32_t i = 0; i < after->attempt_count; i++) {
        const struct attempt *a = &after->attempts[i];
        if (!digest_is_zero(&a->answer) &&
            (b->said[i].host_id != a->host_id || b->said[i].owner_id != a->owner_id ||
             !digest_eq(&b->said[i].answer, &a->answer)))
            sim_broken(s, "unit %u attempt %u has an answer that host %llu never gave", unit, i,
                       (unsigned long long)a->host_id);
        if (before && i < before->attempt_count && !digest_is_zero(&before->attempts[i].answer) &&
            !digest_eq(&before->attempts[i].answer, &a->answer))
            sim_broken(s, "unit %u attempt %u lost its answer", unit, i);
    }
    for (uint32_t i = 0; before && i < before->attempt_count; i++)
        if (i >= after->attempt_count)
            sim_broken(s, "unit %u lost an attempt", unit);
}

static bool same(const struct sim *s, uint32_t unit, const struct digest *a, const struct digest *b)
{
    if (sim_rules(s, unit)->compare == WU_COMPARE_JUDGE && is_true(unit, a))
        return is_true(unit, b);
    return digest_eq(a, b);
}

/* So many different hosts of different owners really gave this answer. */
static void check_quorum(struct sim *s, uint32_t unit, const struct wu *wu)
{
    const struct book *b = &s->books[unit];
    const struct digest *truth = &wu->attempts[wu->canonical].answer;
    uint32_t voices = 0;
    for (uint32_t i = 0; i < wu->attempt_count; i++) {
        if (wu->attempts[i].state != ATTEMPT_VALID)
            continue;
        if (!same(s, unit, &b->said[i].answer, truth))
            sim_broken(s, "unit %u attempt %u is valid but its answer is another", unit, i);
        for (uint32_t j = 0; j < i; j++)
            if (wu->attempts[j].state == ATTEMPT_VALID && !wu->rules.own_hosts &&
                (b->said[j].host_id == b->said[i].host_id || b->said[j].owner_id == b->said[i].owner_id))
                sim_broken(s, "unit %u was confirmed by one owner twice", unit);
        voices++;
    }
    if (voices < wu->rules.quorum)
        sim_broken(s, "unit %u was accepted by %u voices of %u", unit, voices, wu->rules.quorum);
}

static void begin_life(struct sim *s, uint32_t unit)
{
    struct book *b = &s->books[unit];
    *b = (struct book){.life = b->life + 1, .delivered_life = b->delivered_life};
    s->delivered--;
    s->count.retries++;
}

void check_commit(struct sim *s, uint32_t unit, const struct wu *before, const struct wu *after,
                  enum wu_event_kind last)
{
    struct book *b = &s->books[unit];
    bool was_decided = before && (before->state == WU_ACCEPTED || before->state == WU_FAILED);
    if (last == WU_EV_RETRY) {
        begin_life(s, unit);
        return;
    }
    if (!wu_invariant(after))
        sim_broken(s, "unit %u is not sound", unit);
    check_answers(s, unit, before, after);
    if (after->canonical >= 0)
        check_quorum(s, unit, after);
    if (before && before->canonical >= 0 && before->canonical != after->canonical)
        sim_broken(s, "unit %u changed its accepted answer", unit);
    if (!was_decided && after->state == WU_ACCEPTED) {
        s->count.accepted++;
        s->count.wrong += !is_true(unit, &after->attempts[after->canonical].answer);
    }
    s->count.failed += !was_decided && after->state == WU_FAILED;
    if (after->state == WU_DELIVERED && before && before->state != WU_DELIVERED) {
        if (b->delivered_life == b->life + 1)
            sim_broken(s, "unit %u was delivered twice", unit);
        b->delivered_life = b->life + 1;
        s->delivered++;
    }
}

void check_paid(struct sim *s, const struct outbox_row *row)
{
    struct book *b = &s->books[row->unit];
    struct wu wu;
    (void)store_peek(s, row->unit, &wu);
    if (b->paid & 1u << row->attempt)
        sim_broken(s, "unit %u attempt %u was paid twice", row->unit, row->attempt);
    if (wu.attempts[row->attempt].state != ATTEMPT_VALID)
        sim_broken(s, "unit %u attempt %u was paid but is not valid", row->unit, row->attempt);
    b->paid |= 1u << row->attempt;
    s->count.credits++;
}

void check_acked(struct sim *s, uint32_t h, const struct said *said)
{
    struct wu wu;
    bool kept = store_peek(s, said->unit, &wu) && said->attempt < wu.attempt_count &&
                wu.attempts[said->attempt].host_id == h + 1;
    if (kept && said->error == ATTEMPT_ERROR_NONE)
        kept = digest_eq(&wu.attempts[said->attempt].answer, &said->answer);
    else if (kept)
        kept = wu.attempts[said->attempt].state == ATTEMPT_ERRORED;
    if (!kept)
        sim_broken(s, "a report on unit %u attempt %u was acknowledged and is not there", said->unit,
                   said->attempt);
}

static void check_replay(const struct sim *s, uint32_t unit, const struct wu *stored)
{
    const struct unit_row *row = &s->store.units[unit];
    struct wu wu = {.id = stored->id, .rules = stored->rules};
    const char *line = row->history, *end = row->history + row->history_bytes;
    for (const char *feed; line < end; line = feed + 1) {
        struct wu_event ev;
        struct wu_effects fx;
        feed = memchr(line, '\n', (size_t)(end - line));
        if (wu_history_read(line, (size_t)(feed - line), 0, &ev) != ERR_OK ||
            wu_step(&wu, &ev, &fx) != ERR_OK)
            sim_broken(s, "unit %u: its history cannot be replayed: %s", unit, err_text());
    }
    if (memcmp(&wu, stored, sizeof wu) != 0)
        sim_broken(s, "unit %u: a replay of its history ends elsewhere", unit);
}

static void check_unpaid(const struct sim *s, uint32_t unit, const struct wu *wu)
{
    for (uint32_t i = 0; i < wu->attempt_count; i++)
        if (wu->attempts[i].state == ATTEMPT_VALID && !(s->books[unit].paid & 1u << i))
            sim_broken(s, "unit %u attempt %u is valid and was never paid", unit, i);
}

/* Nothing lost, nothing leaked. */
void check_end(struct sim *s)
{
    for (uint32_t u = 0; u < s->options.units; u++) {
        struct wu wu;
        if (!store_peek(s, u, &wu))
            sim_broken(s, "unit %u was submitted and is not there", u);
        if (wu.state != WU_DELIVERED)
            sim_broken(s, "unit %u was not delivered", u);
        for (uint32_t a = 0; a < wu.attempt_count; a++)
            if (wu.attempts[a].state == ATTEMPT_UNSENT || wu.attempts[a].state == ATTEMPT_LEASED ||
                wu.attempts[a].state == ATTEMPT_REPORTED)
                sim_broken(s, "unit %u attempt %u is %s for ever", u, a,
                           attempt_state_name(wu.attempts[a].state));
        check_unpaid(s, u, &wu);
        check_replay(s, u, &wu);
    }
    if (s->store.outbox_count != 0)
        sim_broken(s, "%zu effects are owed for ever", s->store.outbox_count);
    for (uint32_t h = 0; h < s->options.hosts; h++)
        if (!s->hosts[h].gone && s->hosts[h].task_count != 0)
            sim_broken(s, "host %u holds an attempt for ever", h + 1);
    if (s->submitted != s->options.units || s->delivered != s->options.units)
        sim_broken(s, "%u units submitted, %u delivered of %u", s->submitted, s->delivered, s->options.units);
}
