/* wu_inner.h - what the files of wu_*.c share and nobody else needs. */
#ifndef RULES_WU_INNER_H
#define RULES_WU_INNER_H

#include "rules/wu.h"

/* Of answers; audits are not counted. */
struct wu_tally {
    uint32_t unsent;
    uint32_t pending;  /* unsent or leased: may still bring an answer in time */
    uint32_t reported; /* answers without a verdict */
    uint32_t unjudged; /* of these, not compared yet (always 0 where digests are compared) */
    uint32_t valid;
    uint32_t failed;  /* what counts towards errors_max */
    uint32_t best;    /* the largest number of equal answers among the reported */
    uint32_t best_at; /* the first attempt of these */
};

struct wu_tally wu_tally(const struct wu *wu);
/* Did attempts a and b, both reported and compared, give the same answer? */
bool wu_same_answer(const struct wu *wu, uint32_t a, uint32_t b);
bool wu_is_accepted(const struct wu *wu); /* delivered or not; a provisional answer is not accepted */

void wu_move(struct wu *wu, enum wu_state to);
void attempt_move(struct attempt *a, enum attempt_state to);
/* An unsent one. Every byte of it is set, so that units that are the same are so bit by bit. */
struct attempt *wu_attempt_add(struct wu *wu);
void wu_owe(struct wu_effects *fx, enum wu_effect_kind kind, uint32_t attempt);

/* What an open unit does next: accept, give up, ask for judgement, or want more attempts. */
void wu_settle(struct wu *wu, struct wu_effects *fx);
/* An attempt ended for this cause: what the retry rules say of the next one. */
void wu_rest(struct wu *wu, enum wu_cause cause, int64_t now_ms);
void wu_fail(struct wu *wu, enum wu_failure why, struct wu_effects *fx);
/* The verdict on an answer that came after the unit was accepted. */
void wu_late(struct wu *wu, uint32_t attempt, struct wu_effects *fx);
void wu_give_verdict(struct wu *wu, uint32_t attempt, bool valid, struct wu_effects *fx);

/* Escrow. */
int64_t wu_overdue_ms(const struct wu *wu);   /* of a provisional one: when it will have waited too long */
uint32_t wu_audits_open(const struct wu *wu); /* unsent, leased or disputed */
/* A provisional unit becomes open again: what stands stands no more, its audits are over. */
void wu_reopen(struct wu *wu, struct wu_effects *fx);
/* The audits that expired or ended in an error are asked of others. */
void wu_refill_audits(struct wu *wu, struct wu_effects *fx);
/* An answer came while another stands. */
void wu_second_answer(struct wu *wu, uint32_t attempt, struct wu_effects *fx);
/* The auditor's report, and what the judge made of it. */
enum err wu_audit_reported(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx) NODISCARD;
enum err wu_on_audit_judged(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx) NODISCARD;
enum err wu_on_escrow(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx) NODISCARD;

enum err wu_on_judged(struct wu *wu, const struct wu_event *ev, struct wu_effects *fx) NODISCARD;

#endif
