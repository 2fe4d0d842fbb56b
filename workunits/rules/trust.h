/* trust.h - how far a host's answers are believed without asking another one, and when an answer is final.
 *
 * Trust belongs to a host and an app version. A new host is on probation: all its answers are confirmed by
 * others. Later only some are checked, drawn from the server's secret after the host has committed to its
 * answer, so that it cannot tell which. What is not checked waits in escrow until so many later answers of
 * the host are in and every check among them passed: a host that begins to lie is caught before its lies
 * are final. One that is caught loses all that waits and begins again; one that is caught again, or that
 * gives the very same wrong answer as another host (two faults of machines do not agree), is banned.
 *
 * The mathematics: with a share f of the capacity lying as cleverly as it can, items checked at rate a, M
 * items in an answer and K answers of escrow, at most f (1 - a) / (e a K M) of what is accepted is wrong
 * (price.h; derivation: Sarmenta, Future Generation Computer Systems 18 (2002), with items in place of jobs).
 * Trust decays with time because faults of hosts are not stationary (Kondo et al., EuroPar 2007). */
#ifndef RULES_TRUST_H
#define RULES_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "rules/wu.h"

#define TRUST_MILLION      1000000u
#define TRUST_HALF_LIFE_MS (30 * 86400000ll)
#define TRUST_SETTLED      100u /* checks passed after which the share has come down to its floor */
#define TRUST_FAULTS_BAN   3u   /* within about a half-life */
#define TRUST_CHECKERS_MIN 4u   /* with fewer trusted hosts anybody checks anybody */
#define TRUST_AUDITORS_MIN                                                                                   \
    20u /* trusted hosts; with fewer one audits, so that there are always more to ask */
#define TRUST_PATIENCE_MS   60000 /* at least; then who is on probation may check too: there are few others */
#define TRUST_CROWD         50u   /* hosts; with fewer anybody may check at once, and sooner */
#define TRUST_DRAWN         2u    /* hosts of a crowd that may check something from the start */
#define TRUST_DRAW_MS_MAX   180000 /* twice as many after so long at most: trust_draw_ms() */
#define TRUST_DRAW_MS_MIN   50
#define TRUST_JOINS_PER_DAY 5     /* hosts of one owner */
#define TRUST_ESCROW_MAX    1024u /* answers of one host and app that wait; beyond it each one is confirmed */

struct trust_policy {
    uint32_t probation; /* so many first answers are all confirmed */
    uint32_t audit_ppm; /* share that is checked, of answers (WU_ESCROW_LONE) or items (_ALL); millionths */
    uint32_t floor_ppm; /* what the share comes down to */
    uint32_t wait;      /* answers of the same host that must follow; 0..TRUST_ESCROW_MAX - 1 */
};
#define TRUST_POLICY_LONE                                                                                    \
    {                                                                                                        \
        .probation = 10, .audit_ppm = 100000, .floor_ppm = 50000, .wait = 100                                \
    }
#define TRUST_POLICY_ALL                                                                                     \
    {                                                                                                        \
        .probation = 5, .audit_ppm = 20000, .floor_ppm = 20000, .wait = 100                                  \
    }

struct host_trust {        /* zero for a host that is new to the app */
    int64_t changed_ms;    /* when the next two were right */
    uint32_t passed_milli; /* checks passed, decayed; thousandths */
    uint32_t faults_milli;
    uint32_t answers; /* confirmed since it began, or was last found wrong */
    uint64_t next;    /* the seq of its next answer in escrow; never goes back */
};

/* ERR_INVALID with a sentence that names the field. */
enum err trust_policy_check(const struct trust_policy *p) NODISCARD;

/* The share of its answers (or of their items) that is checked, in millionths. */
uint32_t trust_share_ppm(const struct trust_policy *p, const struct host_trust *t, int64_t now_ms);

/* Are so many trusted that who is new need not check anything? A few in a small project and an eighth of all
 * in a big one: a crowd that comes in order to outnumber the others must be seven times theirs. */
bool trust_are_enough(uint32_t trusted_hosts, uint32_t hosts);
/* May it confirm or audit what others answered? Not on probation, where enough hosts are trusted: who is new
 * could only speak for who is new with him. Nor for a half-life after it was found wrong: who accuses others
 * falsely is asked no more, and that is all he achieves. */
bool trust_may_check(const struct trust_policy *p, const struct host_trust *t, uint32_t trusted_hosts,
                     uint32_t hosts, int64_t now_ms);
/* May it begin something new? On probation only while little of what it answered waits to be confirmed:
 * others must keep up with checking it. Who was found wrong begins no more than its probation needs. */
bool trust_may_begin(const struct trust_policy *p, const struct host_trust *t, uint32_t waiting,
                     int64_t now_ms);
/* How many; what it was given and has not answered yet waits, too. UINT32_MAX: as many as it likes. */
uint32_t trust_begins(const struct trust_policy *p, const struct host_trust *t, uint32_t waiting,
                      int64_t now_ms);

/* Who gives the second answer to a unit, or audits the first one, is drawn and not whoever asks first: liars
 * who ask every second would otherwise meet each other at most units, be they as few as they may. draw:
 * 0..999999, uniform, of the unit's attempt and this host, from a secret. waited_ms: since somebody was last
 * given the unit or answered it. hosts: that ask for this app's work. draw_ms: trust_draw_ms(). */
bool trust_is_drawn(uint32_t draw, uint32_t hosts, int64_t waited_ms, int64_t draw_ms);
/* May who may not check (trust_may_check()) do so nevertheless, so that the unit gets on? */
bool trust_is_patience_over(uint32_t hosts, int64_t waited_ms, int64_t draw_ms);
/* After how long twice as many may: about twice the time after which a host asks again, so that those that
 * are drawn have come. silent_ms: for how long the median host has not asked, each counted once: a few that
 * ask all the time hardly move it. Negative: not known. */
int64_t trust_draw_ms(int64_t silent_ms);

enum trust_choice {
    TRUST_WAIT,    /* in escrow, unchecked */
    TRUST_CONFIRM, /* ask another host for the whole answer: CONFIRM 2 */
    TRUST_AUDIT,   /* ask others for some items: AUDIT trust_auditors() */
    TRUST_FINAL    /* accept: FINAL */
};
/* What to do with an answer that has just come to stand. draw: 0..999999, uniform, from a secret. waiting:
 * how many of the host's answers are in escrow. */
enum trust_choice trust_choose(const struct trust_policy *p, const struct host_trust *t, const struct wu *wu,
                               uint32_t waiting, uint32_t draw, int64_t now_ms);
/* What to do with a provisional unit that is overdue: nothing while its audit is open. */
enum trust_choice trust_overdue(const struct trust_policy *p, const struct host_trust *t, const struct wu *wu,
                                int64_t now_ms);

/* How many hosts audit an answer; each of them its part of the share. Two, where there are enough: one alone
 * may be the liar's friend. */
uint32_t trust_auditors(uint32_t trusted_hosts);

#define TRUST_CONFIRMED UINT32_MAX /* in place of the share of items: all of the answer was checked */
/* An answer of the host was checked and found right. Audits of less than the usual share of items
 * (TRUST_POLICY_ALL) count for less, and not towards probation: a lax batch must not buy trust in a strict
 * one of the same app. */
void trust_passed(struct host_trust *t, uint32_t share_ppm, int64_t now_ms);
/* The same, where others agreed with it and nothing else proves it. The furthest of them had `other` answers
 * confirmed; level: as many have the TRUST_CHECKERS_MIN furthest hosts of all that are there. It counts
 * towards probation only if one of them is further than the host, or as far as anybody: newcomers, though a
 * batch lets them confirm each other (one that believes anybody, or one so strict that nobody is trusted in
 * it), must not become trusted in all batches of the app by it. */
void trust_agreed(struct host_trust *t, uint32_t other, uint32_t level, int64_t now_ms);
/* audits: by hosts of which the furthest had `other` answers confirmed; of that share of the items. */
void trust_audited(struct host_trust *t, uint32_t share_ppm, uint32_t other, uint32_t level, int64_t now_ms);
enum trust_sentence { TRUST_SPARED, TRUST_QUARANTINE, TRUST_BAN };
/* An answer of the host was outvoted under p by hosts of which the furthest had `other` answers confirmed: is
 * their word enough to say that it was wrong? Not where they are on probation by any usual measure, and it is
 * not: a batch that lets newcomers vote must not cost a trusted host its trust. level: as of trust_agreed().
 */
bool trust_is_convicted(const struct trust_policy *p, const struct host_trust *t, uint32_t other,
                        uint32_t level);
/* An answer of the host was found wrong. agreed: another host gave the same wrong one, and it is not only a
 * vote that says so (trust_is_agreed()). audit: what it said of another's answer was wrong, not its own: it
 * checks no more (trust_may_check()), and its own answers stay as believed as they were. */
enum trust_sentence trust_fault(struct host_trust *t, bool agreed, bool audit, int64_t now_ms);

/* Attempt i has just been found wrong, in the step from before to after: did another owner's host give the
 * same wrong answer, and is it proven (by an audit that the server judged, a checker or a known answer) or
 * the word of three others? A vote of two against two proves nothing: liars must not be able to have honest
 * hosts banned. */
bool trust_is_agreed(const struct wu *before, const struct wu *after, uint32_t i);

/* An answer in escrow. What later answers say for it is the share of them that is checked: an answer of a
 * batch that checks a thousandth of its items is no twentieth of one of a batch that checks a fiftieth. So
 * seq and wait count millionths of answers that are checked. */
struct escrow_entry {
    uint64_t seq; /* host_trust.next as it was */
    wu_id unit;
    uint32_t wait; /* as of escrow_wait() */
    bool open;     /* it is being checked: until then nothing near it is final */
    bool held;     /* its unit is provisional */
};
/* What an answer of a batch adds to host_trust.next: at least 1000; and how far it must get before the answer
 * is final: p->wait answers of such a batch. */
uint32_t escrow_weight(const struct trust_policy *p);
uint32_t escrow_wait(const struct trust_policy *p);
/* entries: in the order of seq. Writes to ret_units what has waited for long enough (at most `room`), and
 * returns how many. next: the host's trust.next. */
uint32_t escrow_ripe(const struct escrow_entry *entries, uint32_t count, uint64_t next, wu_id *ret_units,
                     uint32_t room);

#endif
