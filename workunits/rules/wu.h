/* wu.h - the life of a work unit, as data. Nothing here does I/O, reads a clock or takes memory.
 *
 * A work unit is a question; an attempt is one copy of it, handed or to be handed to one host. wu_step()
 * applies one event and says what the world owes the unit in return. BOINC's meanings hold where it has one,
 * without its known faults: a quorum of N means N equal answers; an unsent spare is cancelled once the quorum
 * is in; a straggler that agrees with the canonical answer still earns credit; an answer is accepted late
 * until the unit is purged.
 *
 * Under rules.escrow an answer that has its quorum may be provisional first: it waits until enough later
 * answers of its host were found good, and other hosts may audit it (recompute some of its items). Whose
 * answers are checked, how often, and when one is final is decided outside (trust.h) and told by CONFIRM,
 * AUDIT, FINAL and VOID. */
#ifndef RULES_WU_H
#define RULES_WU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/limits.h"

#define EFFECTS_MAX (2 * ATTEMPTS_MAX + 6)

/* Answer groups: what a judge says of each answer. Any other number names a group; numbers mean nothing from
 * one judgement to the next. */
#define WU_GROUP_NONE     0u         /* not compared (yet): the answer came after the judge had looked */
#define WU_GROUP_UNUSABLE UINT32_MAX /* no answer at all: unreadable, cut off, fails the app's own checks */

enum wu_state {
    WU_OPEN,     /* attempts are wanted or out */
    WU_JUDGING,  /* enough answers are in; a judge outside compares them */
    WU_ACCEPTED, /* there is a canonical answer, not yet delivered */
    WU_FAILED,   /* there will be none: too many errors, attempts, answers, or cancelled; not yet delivered */
    WU_DELIVERED,   /* the outcome was handed on */
    WU_PROVISIONAL, /* there is a canonical answer, which may still be voided; not delivered */
    WU_STATES
};

enum attempt_state {
    ATTEMPT_UNSENT,
    ATTEMPT_LEASED,
    ATTEMPT_REPORTED, /* an answer is in, no verdict yet */
    ATTEMPT_VALID,
    ATTEMPT_INVALID,
    ATTEMPT_ERRORED,
    ATTEMPT_EXPIRED,   /* past its deadline; a late report is still welcome */
    ATTEMPT_CANCELLED, /* not wanted any more; a late report is still compared with the canonical answer */
    ATTEMPT_STATES
};

/* Why an attempt ended without an answer. The words are on the wire (wire/PROTOCOL.md). X(name, word, counts
 * towards errors_max) */
#define ATTEMPT_ERROR_LIST(X)                                                                                \
    X(NONE, "none", false)                                                                                   \
    X(EXIT, "exit", true)         /* the program ended with an exit status that is not 0 */                  \
    X(SIGNAL, "signal", true)     /* a signal ended it: crash, division by zero */                           \
    X(CPU_TIME, "cpu_time", true) /* over its CPU time limit */                                              \
    X(WALL_TIME, "wall_time", true)                                                                          \
    X(MEMORY, "memory", true)                                                                                \
    X(DISK, "disk", true)                                                                                    \
    X(OUTPUT, "output", true) /* an output is missing, over its limit or not a regular file */               \
    X(PROCESSES, "processes", true)                                                                          \
    X(LAUNCH, "launch", true)       /* the host could not start it */                                        \
    X(DOWNLOAD, "download", true)   /* a file it needs could not be had */                                   \
    X(UNTRUSTED, "untrusted", true) /* a signature or digest did not check on the host */                    \
    X(RETURNED, "returned", false)  /* the host gives it back unfinished: it leaves, or its owner asked */   \
    X(LOST, "lost", false)          /* the host lost it: crash of the PC, journal gone */                    \
    X(OTHER, "other", true)

enum attempt_error {
#define X(name, word, counts) ATTEMPT_ERROR_##name,
    ATTEMPT_ERROR_LIST(X)
#undef X
        ATTEMPT_ERRORS
};

struct attempt {
    enum attempt_state state;
    enum attempt_error error; /* of an errored attempt */
    bool audit;               /* recomputes items of the answer that stood when it was made */
    uint32_t group;           /* WU_GROUP_*, of the last judgement; of an answer */
    uint64_t host_id;         /* 0 while unsent */
    uint64_t owner_id;
    int64_t sent_ms;
    int64_t deadline_ms;
    int64_t ended_ms;     /* when the report came */
    struct digest answer; /* SHA-256 of the answer's manifest; zero until reported */
};

/* Why a unit failed. X(name, word) */
#define WU_FAILURE_LIST(X)                                                                                   \
    X(NONE, "none")                                                                                          \
    X(CANCELLED, "cancelled")                                                                                \
    X(ERRORS, "errors")       /* more than errors_max attempts ended in error or were invalid, or more than  \
                                 the retry rule of one cause lets */                                         \
    X(ATTEMPTS, "attempts")   /* attempts_max were made and more would be needed */                          \
    X(SUCCESSES, "successes") /* successes_max answers are in and no quorum agrees */                        \
    X(JUDGE, "judge")         /* the judge could not compare the answers: the app's validator is broken */

enum wu_failure {
#define X(name, word) WU_FAILURE_##name,
    WU_FAILURE_LIST(X)
#undef X
        WU_FAILURES
};

enum wu_compare {
    WU_COMPARE_DIGEST, /* equal digests are equal answers: compared inside the step */
    WU_COMPARE_JUDGE,  /* numeric tolerance or the app's validator: the step asks for WU_FX_JUDGE */
    WU_COMPARE_CHECK,  /* each answer by itself, by the app's checker or against the answer that is known: as
                          WU_COMPARE_JUDGE for the step */
    WU_COMPARES
};

enum wu_escrow {
    WU_ESCROW_NONE, /* a quorum is accepted */
    WU_ESCROW_LONE, /* one answer alone is provisional; two equal ones are accepted */
    WU_ESCROW_ALL,  /* every answer is provisional, and its items are audited */
    WU_ESCROWS
};

/* Why an attempt brought nothing, as far as trying again goes. X(name, word) */
#define WU_CAUSE_LIST(X)                                                                                     \
    X(PROGRAM, "program") /* it ended with an exit status that is not 0, or by a signal */                   \
    X(LIMIT, "limit")     /* it went over one of its limits, or an output was missing */                     \
    X(HOST, "host")       /* the host could not start it, or not get a file */                               \
    X(LOST, "lost")       /* nothing came in time, or the host gave it back */                               \
    X(WRONG, "wrong")     /* its answer was found to be none */

enum wu_cause {
#define X(name, word) WU_CAUSE_##name,
    WU_CAUSE_LIST(X)
#undef X
        WU_CAUSES
};

/* What follows from one more attempt that ended for a cause. Zeroed: the next one may go out at once. */
struct wu_retry {
    uint32_t wait_s; /* before the next attempt is made; doubled each time, up to WU_REST_MS_MAX */
    uint16_t most;   /* the unit fails when more attempts than this ended for the cause */
    bool has_most;
};
#define WU_REST_MS_MAX 86400000ll

struct wu_rules {
    uint32_t quorum;          /* so many equal answers make one true; 1..ATTEMPTS_MAX */
    uint32_t target_attempts; /* attempts made at once; >= quorum */
    uint32_t errors_max;      /* fails when more than so many attempts ended in error (strictly more) */
    uint32_t attempts_max;    /* attempts ever; <= ATTEMPTS_MAX */
    uint32_t successes_max;   /* fails when so many answers are in without a quorum; <= attempts_max */
    int64_t lease_ms;         /* deadline of an attempt after it is sent */
    enum wu_compare compare;
    enum wu_escrow escrow;
    int64_t hold_ms; /* escrow: longest time that an answer is provisional without more being done for it */
    bool own_hosts;  /* the owner's own trusted machines, quorum 1: nobody's answer needs to be independent of
                      * another's, so an owner may have several attempts and a host may try again */
    struct wu_retry retry[WU_CAUSES];
};

struct wu {
    wu_id id;
    enum wu_state state;
    enum wu_failure failure;
    bool overdue; /* provisional for longer than rules.hold_ms */
    bool purged;  /* its answers' files are gone: late reports are stale from now on */
    struct wu_rules rules;
    uint32_t needed;      /* equal answers: the rules' quorum, or what CONFIRM or a contradiction asked for */
    uint32_t audit_count; /* of the answer that stands: so many auditors must agree with it */
    uint32_t audit_first; /* audits before this attempt were of an answer that stands no more */
    uint32_t attempt_count;
    int32_t canonical;     /* index into attempts, or -1 */
    int64_t wake_at_ms;    /* when to look again though nothing happened; INT64_MAX: never */
    int64_t rest_until_ms; /* no further attempt is made before; 0: none is put off */
    struct attempt attempts[ATTEMPTS_MAX];
};

/* Copies what there is: attempts beyond attempt_count stay as they were in *to. */
static inline void wu_copy(struct wu *to, const struct wu *from)
{
    memcpy(to, from, offsetof(struct wu, attempts) + from->attempt_count * sizeof from->attempts[0]);
}

/* X(name, word): the word is in the unit's history, so that a person and `dugnad replay` can read it. */
#define WU_EVENT_LIST(X)                                                                                     \
    X(SUBMIT, "submit")                                                                                      \
    X(LEASE, "lease")   /* attempt, host_id, owner_id, lease_ms (0: the rules') */                           \
    X(RENEW, "renew")   /* attempt, host_id, lease_ms: the host still works on it */                         \
    X(REPORT, "report") /* attempt, host_id, answer */                                                       \
    X(ERROR, "error")   /* attempt, host_id, error */                                                        \
    X(JUDGED, "judged") /* groups; or error: the judge gave up */                                            \
    X(DELIVERED, "delivered")                                                                                \
    X(CANCEL, "cancel")   /* not wanted any more. An accepted unit stays, what is still out is recalled */   \
    X(RETRY, "retry")     /* a failed, delivered unit starts again with fresh limits, its history goes on */ \
    X(SPARE, "spare")     /* one more attempt is wanted though none is due: the tail of a batch */           \
    X(PURGE, "purge")     /* its answers' files go: nothing can be compared any more */                      \
    X(TICK, "tick")       /* time has passed: expires leases */                                              \
    X(CONFIRM, "confirm") /* count: so many equal answers are needed from now on */                          \
    X(AUDIT, "audit")     /* count: so many hosts are to audit the answer that stands */                     \
    X(FINAL, "final")     /* the escrow is over: accept */                                                   \
    X(VOID, "void")       /* attempt: an answer without a verdict counts for nothing, nobody is blamed */    \
    X(TAKE, "take") /* answer, source: an earlier unit that asked the same has it; nothing was sent yet */

enum wu_event_kind {
#define X(name, word) WU_EV_##name,
    WU_EVENT_LIST(X)
#undef X
        WU_EVENTS
};

struct wu_event {
    enum wu_event_kind kind;
    enum attempt_error error; /* ERROR: why; JUDGED: not NONE when the judge gave up */
    int64_t now_ms;
    uint32_t attempt;
    uint64_t host_id;
    uint64_t owner_id;
    int64_t lease_ms;
    uint32_t count;       /* CONFIRM: answers; AUDIT: auditors */
    struct digest answer; /* REPORT: of an audit, what the auditor computed */
    wu_id source;         /* TAKE */
    /* JUDGED: the group of each reported attempt. Once there is a canonical answer it must be in a group too,
     * as what comes late is compared with it. Of a provisional unit: audits in the group of the canonical
     * answer agree with it; the canonical answer in WU_GROUP_UNUSABLE was found wrong. */
    uint32_t groups[ATTEMPTS_MAX];
};

enum wu_effect_kind {
    WU_FX_JUDGE,   /* compare the reported answers, then send JUDGED */
    WU_FX_DELIVER, /* hand the outcome on, then send DELIVERED */
    WU_FX_CREDIT,  /* attempt's host gave a valid answer */
    WU_FX_BLAME,   /* attempt's host gave a wrong or unusable answer */
    WU_FX_ERRED,   /* attempt's host ended in an error that counts */
    WU_FX_EXPIRED, /* attempt's host let the deadline pass */
    WU_FX_ESCROW,  /* attempt's answer stands, provisionally: draw whether it is checked */
    WU_FX_PASSED,  /* all audits of attempt's answer agree with it */
    WU_FX_OVERDUE, /* attempt's answer has been provisional for too long */
    WU_FX_RECALL,  /* attempt is out at its host and no longer wanted: tell it to stop */
    WU_FX_KINDS
};

struct wu_effect {
    enum wu_effect_kind kind;
    uint32_t attempt;
};

struct wu_effects {
    uint32_t count;
    struct wu_effect list[EFFECTS_MAX];
};

/* "none", "lone", "all" */
const char *wu_escrow_name(enum wu_escrow e);
enum wu_escrow wu_escrow_from_name(const char *word); /* WU_ESCROWS for a word that is none */
/* "digest", "judge", "check" */
const char *wu_compare_name(enum wu_compare c);
enum wu_compare wu_compare_from_name(const char *word); /* WU_COMPARES for a word that is none */
const char *wu_state_name(enum wu_state s);
const char *attempt_state_name(enum attempt_state s);
const char *attempt_error_name(enum attempt_error e);
/* ATTEMPT_ERROR_OTHER for a word it does not know */
enum attempt_error attempt_error_from_name(const char *word);
/* Is it the host's or the program's doing, so that it counts towards errors_max? */
bool attempt_error_counts(enum attempt_error e);
const char *wu_failure_name(enum wu_failure f);
const char *wu_cause_name(enum wu_cause c);
enum wu_cause wu_cause_of_error(enum attempt_error e); /* WU_CAUSES for ATTEMPT_ERROR_NONE */
/* Has the answer that is kept come from an earlier unit, with TAKE? */
bool wu_is_taken(const struct wu *wu);
const char *wu_event_name(enum wu_event_kind k);
bool wu_may_move(enum wu_state from, enum wu_state to);
bool attempt_may_move(enum attempt_state from, enum attempt_state to);
/* May this event change a unit in this state at all? wu_step() answers ERR_STALE where it may not. */
bool wu_may_take(enum wu_state s, enum wu_event_kind k);
const char *wu_effect_name(enum wu_effect_kind k);
/* All that must be true of a unit between two steps. */
bool wu_invariant(const struct wu *wu);

/* Checks rules against each other and the limits; ERR_INVALID with a sentence that names the field. */
enum err wu_rules_check(const struct wu_rules *rules) NODISCARD;
/* How many attempts wait to be sent, and the first of them (-1: none). */
uint32_t wu_unsent(const struct wu *wu);
int32_t wu_first_unsent(const struct wu *wu);
/* The soonest deadline of what is leased, provisional or put off, INT64_MAX when nothing is: what wake_at_ms
 * must be. */
int64_t wu_next_deadline(const struct wu *wu);
/* May this host be given an attempt of this unit? Never two attempts on one host or for one owner, whatever
 * became of the first one - except that errors that are nobody's fault (RETURNED, LOST) do not bar the
 * owner's other hosts. Under own_hosts only a host that has one out or reported is barred. */
bool wu_host_may_take(const struct wu *wu, uint64_t host_id, uint64_t owner_id);

/* Applies one event. Either wu is moved and fx says what the world owes it, or an error is returned and wu
 * and fx are untouched:
 * - ERR_STALE: true once, too late now, or told twice; a SPARE while one waits; a TICK when nothing is due.
 *   Harmless: a report told again is acknowledged again;
 * - ERR_DENIED: another host's attempt, a second attempt on one host or for one owner;
 * - ERR_MISSING: no such attempt;
 * - ERR_CONFLICT: too early: RETRY before it was delivered, PURGE while a late answer waits for its judge,
 *   FINAL while an audit is not over;
 * - ERR_LIMIT: SPARE, CONFIRM or AUDIT beyond attempts_max;
 * - ERR_INVALID: the event contradicts itself.
 *
 * SUBMIT wants a zeroed wu with id and rules set; from then on wu changes only here. Effects are to be stored
 * with the unit in one transaction and done at least once: the events they end in are harmless when they come
 * twice. */
enum err wu_step(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx) NODISCARD;

#endif
