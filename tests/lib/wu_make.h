/* wu_make.h - work units for tests, brought where a test wants them in few words. */
#ifndef TESTS_LIB_WU_MAKE_H
#define TESTS_LIB_WU_MAKE_H

#include <string.h>

#include "lib/t.h"
#include "rules/wu.h"

#define LEASE_MS 1000

static inline struct digest answer_of(uint8_t kind)
{
    struct digest d;
    memset(d.bytes, kind, sizeof d.bytes);
    return d;
}

static inline struct wu_rules rules_of(uint32_t quorum, enum wu_compare compare)
{
    return (struct wu_rules){.quorum = quorum,
                             .target_attempts = quorum,
                             .errors_max = 3,
                             .attempts_max = 8,
                             .successes_max = 6,
                             .lease_ms = LEASE_MS,
                             .compare = compare};
}

/* Applies an event that must be taken. */
static inline struct wu_effects does(struct wu *wu, struct wu_event ev)
{
    struct wu_effects fx = {0};
    assert_ok(wu_step(wu, &ev, &fx));
    assert_true(wu_invariant(wu));
    return fx;
}

/* Applies an event that must be refused with e and change nothing. */
static inline void refuses(struct wu *wu, struct wu_event ev, enum err e)
{
    struct wu before = *wu;
    struct wu_effects fx = {.count = 77};
    assert_err(wu_step(wu, &ev, &fx), e);
    assert_memory_equal(wu, &before, sizeof before);
    assert_int_equal(fx.count, 77);
}

static inline struct wu wu_with(struct wu_rules rules)
{
    struct wu wu = {.id = wu_id_make(7, 12), .rules = rules};
    does(&wu, (struct wu_event){.kind = WU_EV_SUBMIT});
    return wu;
}

static inline struct wu wu_of(uint32_t quorum, enum wu_compare compare)
{
    return wu_with(rules_of(quorum, compare));
}

/* Host 10+attempt of owner 100+attempt. */
static inline void lease(struct wu *wu, uint32_t attempt, int64_t now_ms)
{
    does(wu, (struct wu_event){.kind = WU_EV_LEASE,
                               .attempt = attempt,
                               .host_id = 10 + attempt,
                               .owner_id = 100 + attempt,
                               .now_ms = now_ms});
}

static inline struct wu_event report_of(uint32_t attempt, uint8_t answer)
{
    return (struct wu_event){.kind = WU_EV_REPORT,
                             .attempt = attempt,
                             .host_id = 10 + attempt,
                             .answer = answer_of(answer),
                             .now_ms = 500};
}

static inline struct wu_event error_of(uint32_t attempt, enum attempt_error error)
{
    return (struct wu_event){
        .kind = WU_EV_ERROR, .attempt = attempt, .host_id = 10 + attempt, .error = error, .now_ms = 500};
}

static inline struct wu_effects lease_and_report(struct wu *wu, uint32_t attempt, uint8_t answer)
{
    lease(wu, attempt, 0);
    return does(wu, report_of(attempt, answer));
}

static inline uint32_t owed(const struct wu_effects *fx, enum wu_effect_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fx->count; i++)
        n += fx->list[i].kind == kind;
    return n;
}

static inline bool owes(const struct wu_effects *fx, enum wu_effect_kind kind, uint32_t attempt)
{
    for (uint32_t i = 0; i < fx->count; i++)
        if (fx->list[i].kind == kind && fx->list[i].attempt == attempt)
            return true;
    return false;
}

#endif
