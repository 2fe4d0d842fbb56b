/* wu_table.c - which moves exist and what things are called. wu_step() asks these tables, the tests walk
 * them, and LIFECYCLE.md is printed from them. */
#include "rules/wu.h"

#include <assert.h>
#include <string.h>

#define TO(s) (1u << (s))

static const struct row {
    const char *name;
    uint32_t next;
} units[WU_STATES] =
    {
        [WU_OPEN] = {"open", TO(WU_JUDGING) | TO(WU_PROVISIONAL) | TO(WU_ACCEPTED) | TO(WU_FAILED)},
        [WU_JUDGING] = {"judging", TO(WU_OPEN) | TO(WU_PROVISIONAL) | TO(WU_ACCEPTED) | TO(WU_FAILED)},
        [WU_ACCEPTED] = {"accepted", TO(WU_DELIVERED)},
        [WU_FAILED] = {"failed", TO(WU_DELIVERED)},
        [WU_DELIVERED] = {"delivered", TO(WU_OPEN)},
        [WU_PROVISIONAL] = {"provisional", TO(WU_OPEN) | TO(WU_JUDGING) | TO(WU_ACCEPTED) | TO(WU_FAILED)},
},
  attempts[ATTEMPT_STATES] = {
      [ATTEMPT_UNSENT] = {"unsent", TO(ATTEMPT_LEASED) | TO(ATTEMPT_VALID) | TO(ATTEMPT_CANCELLED)},
      [ATTEMPT_LEASED] = {"leased", TO(ATTEMPT_REPORTED) | TO(ATTEMPT_ERRORED) | TO(ATTEMPT_EXPIRED) |
                                        TO(ATTEMPT_CANCELLED)},
      [ATTEMPT_REPORTED] = {"reported", TO(ATTEMPT_VALID) | TO(ATTEMPT_INVALID) | TO(ATTEMPT_CANCELLED)},
      [ATTEMPT_VALID] = {"valid", 0},
      [ATTEMPT_INVALID] = {"invalid", 0},
      [ATTEMPT_ERRORED] = {"errored", 0},
      [ATTEMPT_EXPIRED] = {"expired", TO(ATTEMPT_REPORTED) | TO(ATTEMPT_ERRORED)},
      [ATTEMPT_CANCELLED] = {"cancelled", TO(ATTEMPT_REPORTED)},
};

#define LIVE (TO(WU_OPEN) | TO(WU_JUDGING) | TO(WU_PROVISIONAL))
#define LATE (LIVE | TO(WU_ACCEPTED) | TO(WU_DELIVERED))

static const uint32_t takers[WU_EVENTS] = {
    [WU_EV_SUBMIT] = TO(WU_OPEN),
    [WU_EV_LEASE] = LIVE,
    [WU_EV_RENEW] = LATE,
    [WU_EV_REPORT] = LATE,
    [WU_EV_ERROR] = LATE,
    [WU_EV_JUDGED] = TO(WU_JUDGING) | TO(WU_PROVISIONAL) | TO(WU_ACCEPTED) | TO(WU_DELIVERED),
    [WU_EV_DELIVERED] = TO(WU_ACCEPTED) | TO(WU_FAILED),
    [WU_EV_CANCEL] = LATE,
    [WU_EV_RETRY] = TO(WU_FAILED) | TO(WU_DELIVERED),
    [WU_EV_SPARE] = TO(WU_OPEN),
    [WU_EV_PURGE] = TO(WU_ACCEPTED) | TO(WU_FAILED) | TO(WU_DELIVERED),
    [WU_EV_TICK] = LATE,
    [WU_EV_CONFIRM] = LIVE,
    [WU_EV_AUDIT] = TO(WU_PROVISIONAL),
    [WU_EV_FINAL] = TO(WU_PROVISIONAL),
    [WU_EV_VOID] = LIVE,
    [WU_EV_TAKE] = TO(WU_OPEN),
};

static const char *const escrow_words[WU_ESCROWS] = {"none", "lone", "all"};

static const char *const compare_words[WU_COMPARES] = {"digest", "judge", "check"};

const char *wu_compare_name(enum wu_compare c)
{
    assert(c < WU_COMPARES);
    return compare_words[c];
}

enum wu_compare wu_compare_from_name(const char *word)
{
    enum wu_compare c = 0;
    while (c < WU_COMPARES && strcmp(word, compare_words[c]) != 0)
        c++;
    return c;
}

const char *wu_escrow_name(enum wu_escrow e)
{
    assert(e < WU_ESCROWS);
    return escrow_words[e];
}

enum wu_escrow wu_escrow_from_name(const char *word)
{
    enum wu_escrow e = 0;
    while (e < WU_ESCROWS && strcmp(word, escrow_words[e]) != 0)
        e++;
    return e;
}

#define WORD(name, word, ...) word,
static const char *const error_words[] = {ATTEMPT_ERROR_LIST(WORD)};
static const char *const failure_words[] = {WU_FAILURE_LIST(WORD)};
static const char *const event_words[] = {WU_EVENT_LIST(WORD)};
static const char *const cause_words[] = {WU_CAUSE_LIST(WORD)};
#undef WORD

static const char *const effect_words[WU_FX_KINDS] = {
    [WU_FX_JUDGE] = "judge",     [WU_FX_DELIVER] = "deliver", [WU_FX_CREDIT] = "credit",
    [WU_FX_BLAME] = "blame",     [WU_FX_ERRED] = "erred",     [WU_FX_EXPIRED] = "expired",
    [WU_FX_RECALL] = "recall",   [WU_FX_ESCROW] = "escrow",   [WU_FX_PASSED] = "passed",
    [WU_FX_OVERDUE] = "overdue",
};

const char *wu_state_name(enum wu_state s)
{
    assert(s < WU_STATES);
    return units[s].name;
}

const char *attempt_state_name(enum attempt_state s)
{
    assert(s < ATTEMPT_STATES);
    return attempts[s].name;
}

const char *attempt_error_name(enum attempt_error e)
{
    assert(e < ATTEMPT_ERRORS);
    return error_words[e];
}

enum attempt_error attempt_error_from_name(const char *word)
{
    for (uint32_t e = 0; e < ATTEMPT_ERRORS; e++)
        if (strcmp(error_words[e], word) == 0)
            return (enum attempt_error)e;
    return ATTEMPT_ERROR_OTHER;
}

bool attempt_error_counts(enum attempt_error e)
{
#define COUNTS(name, word, counts) counts,
    static const bool counts[] = {ATTEMPT_ERROR_LIST(COUNTS)};
#undef COUNTS
    assert(e < ATTEMPT_ERRORS);
    return counts[e];
}

const char *wu_failure_name(enum wu_failure f)
{
    assert(f < WU_FAILURES);
    return failure_words[f];
}

const char *wu_cause_name(enum wu_cause c)
{
    assert(c < WU_CAUSES);
    return cause_words[c];
}

enum wu_cause wu_cause_of_error(enum attempt_error e)
{
    static const enum wu_cause causes[ATTEMPT_ERRORS] = {
        [ATTEMPT_ERROR_NONE] = WU_CAUSES,           [ATTEMPT_ERROR_EXIT] = WU_CAUSE_PROGRAM,
        [ATTEMPT_ERROR_SIGNAL] = WU_CAUSE_PROGRAM,  [ATTEMPT_ERROR_CPU_TIME] = WU_CAUSE_LIMIT,
        [ATTEMPT_ERROR_WALL_TIME] = WU_CAUSE_LIMIT, [ATTEMPT_ERROR_MEMORY] = WU_CAUSE_LIMIT,
        [ATTEMPT_ERROR_DISK] = WU_CAUSE_LIMIT,      [ATTEMPT_ERROR_OUTPUT] = WU_CAUSE_LIMIT,
        [ATTEMPT_ERROR_PROCESSES] = WU_CAUSE_LIMIT, [ATTEMPT_ERROR_LAUNCH] = WU_CAUSE_HOST,
        [ATTEMPT_ERROR_DOWNLOAD] = WU_CAUSE_HOST,   [ATTEMPT_ERROR_UNTRUSTED] = WU_CAUSE_HOST,
        [ATTEMPT_ERROR_RETURNED] = WU_CAUSE_LOST,   [ATTEMPT_ERROR_LOST] = WU_CAUSE_LOST,
        [ATTEMPT_ERROR_OTHER] = WU_CAUSE_HOST,
    };
    assert(e < ATTEMPT_ERRORS);
    return causes[e];
}

const char *wu_event_name(enum wu_event_kind k)
{
    assert(k < WU_EVENTS);
    return event_words[k];
}

const char *wu_effect_name(enum wu_effect_kind k)
{
    assert(k < WU_FX_KINDS);
    return effect_words[k];
}

bool wu_may_move(enum wu_state from, enum wu_state to)
{
    return from < WU_STATES && to < WU_STATES && (units[from].next & TO(to)) != 0;
}

bool attempt_may_move(enum attempt_state from, enum attempt_state to)
{
    return from < ATTEMPT_STATES && to < ATTEMPT_STATES && (attempts[from].next & TO(to)) != 0;
}

bool wu_may_take(enum wu_state s, enum wu_event_kind k)
{
    return s < WU_STATES && k < WU_EVENTS && (takers[k] & TO(s)) != 0;
}
