/* sim.h - a whole grid in one thread, from one seed: hosts, network, clock, disk and a server that is killed
 * at will.
 *
 * The same rules as in production decide everything. What is simulated is the world around them; it keeps its
 * own books of who really said what, and checks the grid against them after every commit. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "rules/wu.h"

#define MINUTE_MS 60000ll
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

#define BATCHES       4
#define TASKS_MAX     4  /* attempts one host has at once */
#define CHANGED_MAX   64 /* units in one transaction */
#define STAGED_FX_MAX (CHANGED_MAX * EFFECTS_MAX)

enum temper {
    TEMPER_HONEST,
    TEMPER_SLOW,      /* honest, but often past its deadline */
    TEMPER_FLAKY,     /* errors, garbage, lost disks, work given back */
    TEMPER_VANISHING, /* is gone one day, for hours or for ever */
    TEMPER_LYING,     /* wrong answers, each of its own */
    TEMPER_COLLUDING, /* wrong answers, all alike */
    TEMPERS
};

struct options {
    uint64_t seed;
    uint32_t hosts, units;
    int64_t chaos_ms; /* until then messages are lost, the server is killed, hosts misbehave at random */
    int64_t bound_ms; /* after the chaos, everything is delivered within this time */
    bool verbose;
};

/* ---- time ---- */

enum happening {
    HAPPENS_HOST_WAKES,
    HAPPENS_HOST_TIMES_OUT,
    HAPPENS_REQUEST,
    HAPPENS_REPLY,
    HAPPENS_TIMER, /* a unit's wake_at_ms */
    HAPPENS_WORK,  /* the server looks into its outbox */
    HAPPENS_SUBMIT,
    HAPPENS_PERSON, /* a scientist or the sweeper does something: cancel, retry, purge */
    HAPPENS_RESTART,
};

struct event {
    int64_t at_ms;
    uint64_t order; /* of two at the same time, the one queued first comes first */
    enum happening kind;
    uint32_t who;
    uint64_t number;
    void *message; /* owned by the event */
};

struct agenda {
    struct event *heap;
    size_t count, room;
    uint64_t order;
};

void agenda_add(struct agenda *a, struct event e);
bool agenda_next(struct agenda *a, struct event *ret);
void agenda_done(struct agenda *a);

/* ---- hosts and what they say ---- */

struct said {
    uint32_t unit, attempt;
    enum attempt_error error; /* NONE: an answer */
    struct digest answer;
};

struct task {
    uint32_t unit, attempt;
    int64_t done_ms;
    bool done;
    struct said result;
};

struct host {
    enum temper temper;
    uint64_t owner_id;
    bool gone;
    bool asking; /* a request is on its way */
    uint64_t request;
    uint32_t failures;
    uint32_t task_count;
    struct task tasks[TASKS_MAX];
};

struct request {
    uint32_t host;
    uint64_t number;
    uint32_t report_count, held_count, want;
    struct said reports[TASKS_MAX];
    struct {
        uint32_t unit, attempt;
    } held[TASKS_MAX];
};

struct reply {
    uint32_t host;
    uint64_t number;
    uint32_t ack_count, lease_count, recall_count;
    struct {
        uint32_t unit, attempt;
        enum err code;
    } acks[TASKS_MAX];
    struct {
        uint32_t unit, attempt;
    } leases[TASKS_MAX], recalls[TASKS_MAX];
};

/* ---- the store ---- */

struct outbox_row {
    uint32_t unit, attempt;
    enum wu_effect_kind kind;
};

struct lease_row {
    uint32_t unit, attempt;
};

struct unit_row {
    uint8_t *life; /* as the codec has it; NULL: not submitted yet */
    uint32_t life_bytes;
    int64_t wake_at_ms;
    char *history; /* lines, each ended by a line feed */
    uint32_t history_bytes, history_room;
};

struct staged_unit {
    uint32_t unit;
    struct wu wu;
    char lines[4 * 256];
    uint32_t lines_bytes;
};

struct store {
    struct unit_row *units;
    struct outbox_row *outbox;
    size_t outbox_count, outbox_room;
    /* uncommitted */
    bool open;
    struct staged_unit staged[CHANGED_MAX];
    uint32_t staged_count;
    struct outbox_row added[STAGED_FX_MAX];
    uint32_t added_count;
    struct outbox_row paid[STAGED_FX_MAX]; /* credit, in the same transaction as the verdict */
    uint32_t paid_count;
    bool takes_first; /* the outbox's first row is done */
};

/* ---- the books of the checker ---- */

struct book {
    uint32_t life;           /* how often the unit began anew */
    uint32_t delivered_life; /* the last life that was delivered, + 1 */
    bool wanted_cancel;
    uint32_t paid; /* bits of the attempts that have had their credit in this life */
    struct {
        uint64_t host_id, owner_id;
        struct digest answer;
    } said[ATTEMPTS_MAX]; /* what really left a host, in this life */
};

struct count {
    uint64_t steps, requests, lost, duplicated, kills, credits, blames, accepted, failed, wrong, expired,
        retries, spares;
};

struct sim {
    struct options options;
    struct rand_seeded rand;
    int64_t now_ms;
    struct agenda agenda;
    struct host *hosts;
    struct store store;
    struct book *books;
    struct wu_rules rules[BATCHES];
    uint32_t submitted; /* units whose submission was acknowledged */
    uint32_t delivered; /* units whose present life is delivered */
    uint64_t trace;
    struct count count;
    /* the server's memory: gone when it is killed */
    bool server_up;
    jmp_buf killed;
    uint32_t *ready; /* ring of units with an unsent attempt */
    uint32_t ready_first, ready_count;
    bool *is_ready;
    struct lease_row *leases; /* TASKS_MAX * 4 for each host: where its leases may be; checked when read */
};

#define LEASE_ROWS (TASKS_MAX * 4u)

bool sim_chaos(const struct sim *s);
/* True once in n, never outside the chaos. */
bool sim_mishap(struct sim *s, uint64_t once_in);
uint64_t sim_roll(struct sim *s, uint64_t n);
void sim_trace(struct sim *s, uint64_t what);
/* Ends the program with the sentence and the seed: the grid broke a promise. */
void sim_broken(const struct sim *s, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
const struct wu_rules *sim_rules(const struct sim *s, uint32_t unit);
/* Runs from start to finish; prints nothing unless verbose. */
void sim_run(struct sim *s, const struct options *o);
void sim_done(struct sim *s);

struct digest truth_of(uint32_t unit, uint32_t variant); /* variants are equal to a judge, not to the byte */
bool is_true(uint32_t unit, const struct digest *answer);
#define VARIANTS 3

/* host.c */
void host_start(struct sim *s, uint32_t h);
void host_wake(struct sim *s, uint32_t h);
void host_time_out(struct sim *s, uint32_t h, uint64_t request);
void host_hear(struct sim *s, const struct reply *reply);

/* server.c */
void server_start(struct sim *s);
void server_request(struct sim *s, const struct request *request);
void server_timer(struct sim *s, uint32_t unit);
void server_work(struct sim *s);
void server_submit(struct sim *s);
void server_person(struct sim *s);

/* store.c: every call may be the server's last; see sim_kill_point */
void sim_kill_point(struct sim *s);
void store_start(struct sim *s);
void store_done(struct sim *s);
void store_begin(struct sim *s);
bool store_load(struct sim *s, uint32_t unit, struct wu *ret); /* false: no such unit */
void store_save(struct sim *s, uint32_t unit, const struct wu *wu, const struct wu_event *ev);
void store_owe(struct sim *s, struct outbox_row row);
void store_pay(struct sim *s, struct outbox_row row);
void store_take_first(struct sim *s);
void store_commit(struct sim *s);
void store_abandon(struct sim *s);
/* As committed, without a chance to be killed: for the checker. */
bool store_peek(const struct sim *s, uint32_t unit, struct wu *ret);

/* check.c */
void check_said(struct sim *s, uint32_t h, const struct said *said);
void check_commit(struct sim *s, uint32_t unit, const struct wu *before, const struct wu *after,
                  enum wu_event_kind last);
void check_paid(struct sim *s, const struct outbox_row *row);
void check_acked(struct sim *s, uint32_t h, const struct said *said);
void check_end(struct sim *s);

#endif
