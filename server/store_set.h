/* store_set.h - what one turn of the engine writes: collected, then written kind by kind in one transaction.
 *
 * Each row (each key of each kind) is told at most once between two writes. Pointers handed in must live
 * until the write, and a set until the end of the transaction it was written in. A set that ran out of memory
 * says so when it is written. */
#ifndef SERVER_STORE_SET_H
#define SERVER_STORE_SET_H

#include "server/store.h"

struct store_set;

struct store_set *store_set_new(void); /* NULL when out of memory */
void store_set_free(struct store_set *set);
void store_set_clear(struct store_set *set);
bool store_set_is_empty(const struct store_set *set);
/* Writes all that was collected into the open transaction and clears the set. After an error the transaction
 * must be rolled back; ERR_CONFLICT: somebody else (another server) moved first. */
enum err store_set_write(struct store *s, struct store_set *set) NODISCARD;
/* Makes the transaction durable. ERR_CONFLICT: nothing was changed. After any other error it is not known
 * whether it was. */
enum err store_commit(struct store *s) NODISCARD;
/* How long commits took, all together: mostly the disk. */
uint64_t store_commit_us(const struct store *s);

/* Takes n new numbers, and returns the last one; part of the open transaction. kind: "host", "batch", ... */
enum err store_take_ids(struct store *s, const char *kind, uint32_t n, uint64_t *ret_last) NODISCARD;

/* --- units --- */

struct store_unit_change {
    wu_id id;
    uint32_t rev; /* as it was read */
    enum wu_state state;
    enum wu_failure failure; /* NONE unless it ended without an answer */
    uint32_t hr;
    int ready;                       /* -1: nothing to send; 0: never sent; 1: sent before */
    int64_t wake_ms;                 /* INT64_MAX: never */
    bool set_ready, set_wake;        /* do they (or failure) differ from what is stored? */
    struct text life, history, used; /* history, used: appended */
};

void store_set_unit_new(struct store_set *set, wu_id id, const struct text *spec);
void store_set_unit(struct store_set *set, const struct store_unit_change *c);
void store_set_chunk(struct store_set *set, uint32_t batch, uint32_t number, const struct text *envelope);
/* is_new: no such row is stored, which is cheaper than finding out; one that is there all the same is a
 * conflict. */
void store_set_lease(struct store_set *set, const struct store_lease *lease, bool is_new);
void store_set_lease_end(struct store_set *set, uint64_t host_id, wu_id unit);
void store_set_note(struct store_set *set, const struct store_note *note);
void store_set_failure(struct store_set *set, uint32_t batch, uint64_t hash,
                       const struct store_failure_group *add);
void store_set_delivery(struct store_set *set, uint64_t stream, wu_id unit,
                        int64_t at_ms); /* seq is given when it is written */

/* was: as it was read; NULL: it is new. ERR_CONFLICT at the write when it is otherwise by now. */
void store_set_trust(struct store_set *set, const struct store_trust *t, const struct host_trust *was);
void store_set_escrow(struct store_set *set, const struct store_escrow *e);
void store_set_escrow_end(struct store_set *set, uint64_t host_id, uint64_t app, uint64_t seq);

/* --- batches --- */

void store_set_batch_new(struct store_set *set, const struct store_batch *b, const char *rules,
                         const char *releases);
void store_set_batch_change(struct store_set *set, uint32_t id, int32_t priority, const char *name,
                            const struct text *labels);
/* flags, job, finished; rev is what was read. New: rev 0 and is_new. */
void store_set_batch_live(struct store_set *set, const struct store_batch *b, bool active, bool is_new);
void store_set_batch_counts(struct store_set *set, uint32_t id, const struct batch_counts *added);

/* --- hosts and people --- */

/* Without what it did. */
void store_set_host_new(struct store_set *set, const struct store_host *h);
void store_set_host(struct store_set *set, const struct store_host *h); /* what it says of itself */
/* banned, left and why; ERR_CONFLICT at the write when they are otherwise than they were read. */
void store_set_host_flags(struct store_set *set, const struct store_host *h, bool was_banned, bool was_left);
struct store_host_stat {
    uint64_t id;
    int64_t seen_ms;
    uint32_t allowed;
    struct text pace;
    /* Added. */
    int64_t leased, valid, invalid, errors, expired, reports, credit_micro;
};
void store_set_host_stat(struct store_set *set, const struct store_host_stat *st);
void store_set_volunteer_new(struct store_set *set, const struct store_volunteer *v);
void store_set_volunteer_add(struct store_set *set, uint64_t id, int64_t hosts, int64_t valid,
                             int64_t invalid, int64_t credit_micro);
void store_set_user(struct store_set *set, const struct store_user *u, bool is_new);
void store_set_user_quota(struct store_set *set, uint64_t id, int64_t bytes);
void store_set_token(struct store_set *set, const struct store_token *t);
void store_set_invitation(struct store_set *set, const struct store_invitation *i);
void store_set_release(struct store_set *set, const struct store_release *r);
void store_set_release_retired(struct store_set *set, uint64_t id);

/* --- the rest --- */

void store_set_outbox(struct store_set *set, enum outbox_kind kind, uint64_t subject, const struct text *body,
                      int64_t due_ms); /* its number is given when it is written */
void store_set_outbox_done(struct store_set *set, uint64_t id);
void store_set_outbox_later(struct store_set *set, uint64_t id, int64_t due_ms);
void store_set_replay(struct store_set *set, const char *owner, const char *name, const struct digest *body,
                      const struct text *result, int64_t at_ms);
void store_set_replay_forget(struct store_set *set, const char *owner, const char *name);
void store_set_audit(struct store_set *set,
                     const struct store_audit *entry); /* seq and chain are given when it is written */
void store_set_setting(struct store_set *set, const char *name, const char *value);
void store_set_project(struct store_set *set, uint32_t server, const struct project_counts *added,
                       int64_t credit_micro);

#endif
