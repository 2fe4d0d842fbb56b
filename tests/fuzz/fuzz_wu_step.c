/* Any sequence of events keeps the invariant, goes only where the tables say, and is remembered exactly: the
 * codec gives the same unit back, and a replay of the history ends in it. */
#include <assert.h>
#include <string.h>

#include "rules/wu_codec.h"
#include "rules/wu_history.h"

#define STEPS_MAX 200

static struct wu start(uint8_t a, uint8_t b)
{
    uint32_t quorum = 1u + a % 4u;
    return (struct wu){
        .id = wu_id_make(3, 4),
        .rules = {.quorum = quorum,
                  .target_attempts = quorum + (a >> 2) % 3u,
                  .errors_max = b % 5u,
                  .attempts_max = 8u + b % 9u,
                  .successes_max = 4u + (b >> 4) % 4u,
                  .lease_ms = 20,
                  .compare = a & 32 ? WU_COMPARE_JUDGE : WU_COMPARE_DIGEST,
                  .own_hosts = (a & 192) == 64 && quorum == 1,
                  .escrow = a & 128 ? 1 + (b & 1) : 0,
                  .hold_ms = 50,
                  .retry = {[WU_CAUSE_PROGRAM] = {.wait_s = b >> 7, .most = a & 1, .has_most = b & 64},
                            [WU_CAUSE_LOST] = {.wait_s = b >> 6 & 1},
                            [WU_CAUSE_WRONG] = {.wait_s = b >> 7}}}};
}

static struct wu_event event_of(const uint8_t *p, int64_t now_ms)
{
    struct wu_event ev = {.kind = (enum wu_event_kind)(p[0] % (WU_EVENTS + 1)),
                          .now_ms = now_ms,
                          .attempt = p[1] % (ATTEMPTS_MAX + 1),
                          .host_id = p[2] % 32u,
                          .owner_id = p[2] % 29u,
                          .lease_ms = p[1] & 32 ? p[3] : 0,
                          .count = p[3] % 4,
                          .source = p[3] % 3};
    if (ev.kind == WU_EV_ERROR || (ev.kind == WU_EV_JUDGED && p[1] & 64))
        ev.error = (enum attempt_error)(p[3] % (ATTEMPT_ERRORS + 1));
    memset(ev.answer.bytes, p[3] % 4, DIGEST_BYTES);
    for (uint32_t g = 0; g < ATTEMPTS_MAX; g++)
        ev.groups[g] = (p[3] >> (g % 7) & 3) == 3 ? WU_GROUP_UNUSABLE : (uint32_t)(p[3] >> (g % 7) & 3);
    return ev;
}

static void check_codec(const struct wu *wu)
{
    uint8_t bytes[WU_BYTES_MAX];
    struct wu back = {.id = wu->id, .rules = wu->rules};
    size_t len = wu_encode(wu, bytes);
    assert(wu_decode(bytes, len, &back) == ERR_OK);
    assert(memcmp(&back, wu, sizeof back) == 0);
}

static void check_moves(const struct wu *before, const struct wu *after, enum wu_event_kind kind)
{
    assert(wu_may_take(before->state, kind));
    assert(after->state == before->state || wu_may_move(before->state, after->state) ||
           wu_may_move(WU_OPEN, after->state)); /* through open: a judgement that decided nothing, a retry */
    for (uint32_t i = 0; i < before->attempt_count && kind != WU_EV_RETRY; i++) {
        enum attempt_state from = before->attempts[i].state, to = after->attempts[i].state;
        assert(from == to || attempt_may_move(from, to) ||
               (attempt_may_move(from, ATTEMPT_REPORTED) && attempt_may_move(ATTEMPT_REPORTED, to)));
    }
}

static void replay(const char (*lines)[WU_HISTORY_BYTES_MAX], uint32_t count, struct wu wu,
                   const struct wu *reached)
{
    struct wu_effects fx;
    for (uint32_t i = 0; i < count; i++) {
        struct wu_event ev;
        assert(wu_history_read(lines[i], strlen(lines[i]), 0, &ev) == ERR_OK);
        assert(wu_step(&wu, &ev, &fx) == ERR_OK);
    }
    assert(memcmp(&wu, reached, sizeof wu) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static char lines[STEPS_MAX + 1][WU_HISTORY_BYTES_MAX];
    uint32_t count = 0;
    if (len < 2)
        return 0;
    const struct wu zero = start(bytes[0], bytes[1]);
    struct wu wu = zero;
    struct wu_event ev = {.kind = WU_EV_SUBMIT};
    struct wu_effects fx;
    if (wu_step(&wu, &ev, &fx) != ERR_OK)
        return 0;
    wu_history_write(&ev, 0, lines[count++]);
    int64_t now_ms = 0;
    for (size_t i = 2; i + 4 <= len && count <= STEPS_MAX; i += 4) {
        struct wu before = wu;
        now_ms += bytes[i + 1] >> 5;
        ev = event_of(bytes + i, now_ms);
        if (wu_step(&wu, &ev, &fx) != ERR_OK) {
            assert(memcmp(&wu, &before, sizeof wu) == 0);
            continue;
        }
        assert(wu_invariant(&wu) && fx.count <= EFFECTS_MAX);
        check_moves(&before, &wu, ev.kind);
        check_codec(&wu);
        wu_history_write(&ev, 0, lines[count++]);
    }
    replay((const char(*)[WU_HISTORY_BYTES_MAX])lines, count, zero, &wu);
    return 0;
}
