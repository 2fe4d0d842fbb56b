/* store_load.h - what the engine reads in bulk; people read through store.h. */
#ifndef SERVER_STORE_LOAD_H
#define SERVER_STORE_LOAD_H

#include "base/buf.h"
#include "server/store.h"

/* A unit as it is stored; the bytes live during the call of the row function. */
struct store_unit_row {
    wu_id id;
    uint32_t rev, hr;
    struct text life; /* empty: as it was submitted */
    struct text spec; /* tail, empty for an array's */
    bool waking, failed;
    int64_t wake_ms;
};

struct store_unit_rows {
    enum err (*row)(void *ctx, const struct store_unit_row *row);
    void *ctx;
};

/* Until the end of a transaction that writes nobody else changes a user, token or invitation that was read by
 * itself: they are written back whole. */
enum err store_begin(struct store *s, bool write) NODISCARD;
void store_rollback(struct store *s);
bool store_shared(const struct store *s); /* do other servers write to the same data? */

enum err store_units_load(struct store *s, struct arena *a, const wu_id *ids, uint32_t count,
                          struct store_unit_rows to) NODISCARD;
/* The same; until the end of the transaction no other server changes them. ids in ascending order, so that
 * servers wait for each other in one order. */
enum err store_units_lock(struct store *s, struct arena *a, const wu_id *ids, uint32_t count,
                          struct store_unit_rows to) NODISCARD;
/* Units of a batch that have attempts to send: never sent ones or the others, ids beyond `after` in their
 * order. */
enum err store_ready_scan(struct store *s, uint32_t batch, bool started, wu_id after, uint32_t limit,
                          struct store_unit_rows to) NODISCARD;
/* The same, but those that another server has in hand are left out, and the others are held until the end of
 * the transaction. */
enum err store_ready_lock(struct store *s, uint32_t batch, bool started, wu_id after, uint32_t limit,
                          struct store_unit_rows to) NODISCARD;
/* Never sent ones from `first` to `last`. */
enum err store_fresh_scan(struct store *s, wu_id first, wu_id last, uint32_t limit,
                          struct store_unit_rows to) NODISCARD;
/* All units of a batch (or those that failed) beyond `after` in their order. */
enum err store_range_scan(struct store *s, uint32_t batch, bool failed, wu_id after, uint32_t limit,
                          struct store_unit_rows to) NODISCARD;
/* Units to be looked at by now, the longest due first. */
enum err store_wake_scan(struct store *s, int64_t now_ms, uint32_t limit,
                         struct store_unit_rows to) NODISCARD;
enum err store_wake_lock(struct store *s, int64_t now_ms, uint32_t limit,
                         struct store_unit_rows to) NODISCARD; /* as store_ready_lock() */
/* When the next unit is to be looked at; INT64_MAX: never. */
enum err store_wake_next(struct store *s, int64_t *ret_ms) NODISCARD;
enum err store_hosts_load(struct store *s, struct arena *a, const uint64_t *ids, uint32_t count,
                          struct store_host **ret, uint32_t *ret_count) NODISCARD;
enum err store_leases_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                           void (*lease)(void *ctx, const struct store_lease *lease), void *ctx) NODISCARD;
/* Of all apps of these hosts, in no order. */
enum err store_trusts_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                           struct store_trust **ret, uint32_t *ret_count) NODISCARD;
struct store_trusted {
    uint64_t app;
    uint32_t answers, hosts;
    int64_t since_ms;   /* 0: whenever they were seen */
    uint32_t ret_level; /* so many have each of the TRUST_CHECKERS_MIN furthest hosts, whenever */
};
/* Have at least so many hosts, seen since then, had so many answers for this app confirmed? No more than
 * 20,000 rows are looked at: in a project of more it is said that they have. */
enum err store_trusted(struct store *s, struct arena *a, struct store_trusted *q, bool *ret) NODISCARD;
/* How many hosts were seen in the hour, and in the day, before any was seen last. Likewise. */
enum err store_hosts_seen(struct store *s, struct arena *a, uint32_t *ret_hour, uint32_t *ret_day) NODISCARD;
enum err store_escrows_load(struct store *s, struct arena *a, const uint64_t *hosts, uint32_t count,
                            struct store_escrow **ret, uint32_t *ret_count) NODISCARD;
enum err store_batches_active(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                              struct store_batch **ret, uint32_t *ret_count) NODISCARD;
/* What changes of the batches that are active, by id; nothing else of them is set. */
enum err store_batches_live(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                            struct store_batch **ret, uint32_t *ret_count) NODISCARD;
/* The specs' tails of a range of units of a batch, in order: for the Merkle tree of a chunk. */
enum err store_specs_scan(struct store *s, wu_id first, wu_id last, struct store_unit_rows to) NODISCARD;
enum err store_chunk_get(struct store *s, struct arena *a, uint32_t batch, uint32_t number,
                         struct text *ret_envelope) NODISCARD;
enum err store_invitation_get(struct store *s, struct arena *a, uint64_t id,
                              struct store_invitation *ret) NODISCARD;

struct store_replay { /* the outcome of a request with an idempotency key */
    struct digest body;
    struct text result;
    int64_t at_ms;
};
enum err store_replay_get(struct store *s, struct arena *a, const char *owner, const char *name,
                          struct store_replay *ret) NODISCARD;
/* Keys of what may be forgotten, as pairs of texts. */
enum err store_replays_old(struct store *s, struct arena *a, int64_t before_ms, uint32_t limit,
                           const char ***ret_owners, const char ***ret_names, uint32_t *ret_count) NODISCARD;
enum err store_outbox_get(struct store *s, struct arena *a, uint64_t id, struct store_outbox *ret) NODISCARD;
enum err store_audit_last(struct store *s, uint64_t *ret_seq, struct digest *ret_chain) NODISCARD;
enum err store_failures_known(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                              uint64_t **ret_hashes, uint32_t *ret_count) NODISCARD;

/* What a unit is when it was just submitted: id and rules are set. */
enum err store_unit_fresh(struct wu *wu) NODISCARD;
/* Texts in which rules and releases are stored. */
enum err store_batch_rules_text(const struct wu_rules *r, const struct trust_policy *t,
                                struct buf *out) NODISCARD;
enum err store_batch_releases_text(const struct store_batch *b, struct buf *out) NODISCARD;

#endif
