/* engine.h - the only door to what the server knows about work: every change goes through a request to the
 * engine.
 *
 * A turn takes requests, reads in bulk what they need, applies the rules in memory, writes all that changed
 * in one transaction, commits once, and only then answers: a request that ends with ERR_OK is durable.
 * engine_turn() is single-threaded and reads no clock and no randomness, so that the simulator can drive it;
 * engine_thread.h puts it on a thread behind a bounded queue.
 *
 * A request belongs to its caller. From engine_turn() (or engine_thread_put()) until it is answered only the
 * engine touches it; what the reply holds lives in request->arena. Every request may be sent again after a
 * lost answer. */
#ifndef SERVER_ENGINE_H
#define SERVER_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "server/store.h"
#include "server/store_credential.h"
#include "server/store_schedule.h"
#include "server/store_stage.h"
#include "server/store_version.h"

struct engine;

/* --- a host's work request (PROTOCOL section 4) --- */

struct engine_output { /* a file of an answer */
    const char *path;
    uint64_t bytes;
};

struct engine_report {
    wu_id unit;
    uint32_t attempt;
    enum attempt_error error; /* ATTEMPT_ERROR_NONE: an answer */
    /* An answer. The caller has checked that every output whose bytes are not in the row is a complete blob.
     */
    struct digest answer;  /* SHA-256 of the manifest */
    struct text row;       /* answer_row.h */
    struct text routes;    /* the output ANSWER_ROUTES_PATH; data NULL: none, or more than is read */
    uint64_t output_bytes; /* of all outputs */
    uint32_t output_count;
    const struct engine_output
        *outputs; /* what the app does not declare ends the attempt as ATTEMPT_ERROR_OUTPUT */
    /* An error. */
    int32_t exit_code, signal;
    const char *message, *stderr_tail, *stdout_tail; /* NULL or text */
    /* Both. */
    uint32_t cpu_ms, wall_ms;
    uint64_t memory_bytes;
    /* Answer. */
    enum err ack;            /* ERR_OK, ERR_STALE, ERR_DENIED, ERR_MISSING (no such attempt), ERR_INVALID */
    const char *ack_message; /* NULL with ERR_OK */
};

struct engine_attempt { /* an attempt by name */
    wu_id unit;
    uint32_t attempt;
};

struct engine_want {
    double seconds; /* of work for all cores together */
    uint32_t cores, units_max;
    uint32_t cached_count;
    const struct digest *cached; /* bundles and inputs the host has */
};

struct engine_given { /* one UNIT of the reply */
    wu_id unit;
    uint32_t attempt;
    int64_t deadline_ms;
    struct text spec; /* empty: a renewed deadline, nothing below is set */
    uint32_t chunk;   /* index into work.chunks of the reply */
    uint32_t index;   /* of the unit within its batch */
    uint32_t path_count;
    const struct digest *path; /* from leaf to root of its chunk */
    struct digest release, bundle;
    const char *audit; /* the items to recompute (wire/items.h), in the arena; NULL: the whole unit */
};

struct engine_chunk {
    uint32_t batch, number;
    struct text envelope;
};

/* Why a host got nothing. X(name, word on the wire) */
#define ENGINE_REASON_LIST(X)                                                                                \
    X(NONE, "none")                                                                                          \
    X(NO_WORK, "no_work")                                                                                    \
    X(NO_APP, "no_app_for_platform")                                                                         \
    X(MEMORY, "needs_memory")                                                                                \
    X(DISK, "needs_disk")                                                                                    \
    X(FEATURES, "needs_features")                                                                            \
    X(SAME_OWNER, "same_owner")                                                                              \
    X(HR_CLASS, "other_class")                                                                               \
    X(QUOTA, "quota")                                                                                        \
    X(VERSION, "version")                                                                                    \
    X(PAUSED, "paused")                                                                                      \
    X(BANNED, "banned")
enum engine_reason {
#define X(name, word) ENGINE_REASON_##name,
    ENGINE_REASON_LIST(X)
#undef X
        ENGINE_REASONS
};
const char *engine_reason_name(enum engine_reason r);

struct engine_work {
    uint64_t host_id; /* whose token it was */
    struct engine_report *reports;
    uint32_t report_count;
    bool held_given; /* false: the request did not say what it holds, so nothing is given again or recalled */
    const struct engine_attempt *held;
    uint32_t held_count;
    const struct engine_attempt *renew;
    uint32_t renew_count;
    const struct store_host *host;  /* NULL, or what HOST says now (what the store keeps itself is ignored) */
    const struct engine_want *want; /* NULL: wants none */
    bool leaving;
    uint64_t network;        /* rules/kin.h, of the address it calls from; 0: private or not known */
    uint32_t wait_ms;        /* when there is nothing for it, it may be left to wait so long; 0: not */
    const atomic_bool *gone; /* nobody reads the reply any more; NULL: not known */
    /* Answer. */
    struct engine_attempt *recall;
    uint32_t recall_count;
    struct engine_given *given;
    uint32_t given_count, given_room;
    struct engine_chunk *chunks; /* as much room */
    uint32_t chunk_count;
    enum engine_reason reason;
    const char *reason_text; /* one sentence, with numbers */
    int64_t next_contact_ms; /* from now */
    bool unfilled;           /* it could use more than there is for it now */
    bool nothing;            /* and there is nothing at all */
    /* Kept by who lets it wait: engine_thread.h. */
    int64_t waits_since_ms; /* 0: it has not waited */
    int64_t waited_ms;
    uint32_t next_wait_ms; /* its next request may wait so long */
};

/* --- the other requests --- */

/* X(NAME): the field of engine_request.u is the same in lower case. */
enum engine_kind {
    ENGINE_WORK,
    ENGINE_JOIN,       /* a host joins */
    ENGINE_HOST,       /* ban, unban; an operator's */
    ENGINE_BATCH,      /* create */
    ENGINE_UNITS,      /* append units to a loading batch */
    ENGINE_BATCH_DO,   /* close, cancel, pause, resume, retry, change, purge */
    ENGINE_UNIT_DO,    /* cancel, retry or add a spare to one unit */
    ENGINE_JUDGED,     /* the judge's verdict on a unit */
    ENGINE_OUTBOX,     /* an outbox entry is done, or is to be tried later */
    ENGINE_RELEASE,    /* publish or retire */
    ENGINE_USER,       /* create or change */
    ENGINE_TOKEN,      /* create, rotate, revoke */
    ENGINE_INVITATION, /* create, revoke */
    ENGINE_CREDENTIAL, /* passwords, passkeys, recovery codes: made, used, removed */
    ENGINE_VERSION,    /* how far a version of an app is rolled out */
    ENGINE_SETTING,    /* set */
    ENGINE_AUDIT,      /* an entry for something done outside the engine */
    ENGINE_QUOTA,      /* a user's blob bytes grew or shrank */
    ENGINE_PUBLISH,    /* records into a stream */
    ENGINE_CURSOR,     /* hand out, acknowledge, rewind, delete */
    ENGINE_STREAM,     /* pause, resume, delete */
    ENGINE_STAGE,      /* units of a stage of a graph, and how far it is */
    ENGINE_SCHEDULE,   /* make, change, delete */
    ENGINE_TICK,       /* time passes: expiries, slices of long jobs, clean-up. Once a second or sooner */
    ENGINE_KINDS
};

struct engine_join {
    struct store_host host; /* what HOST says, and nickname */
    bool invitation_needed;
    struct digest invitation;       /* SHA-256 of its secret; zero: none given */
    uint64_t volunteer_id;          /* the owner by his token; 0: a new volunteer is made */
    const char *team;               /* of a new volunteer */
    struct digest host_secret;      /* SHA-256 of the secret of the token to make */
    struct digest volunteer_secret; /* the same, used when a volunteer is made */
    /* Answer. Joining again with the same idempotency key finds the same host and gives its token the new
     * secret. */
    uint64_t ret_host_id, ret_host_token_id, ret_volunteer_id;
    uint64_t ret_volunteer_token_id; /* 0: no volunteer was made */
};

struct engine_host {
    uint64_t host_id;
    bool ban; /* false: unban. A banned host gets no work, what it has out goes to others, and what waits of
               * its answers is void; those that are accepted stand */
    const char *reason;
};

struct engine_batch {
    /* All that store_batch says of what does not change, but id, created_ms, order and order_digest. array:
     * the engine makes the units in slices and closes the batch; otherwise it is loading until it is closed.
     */
    struct store_batch batch;
    uint64_t units_max; /* of the user, not finished at once; 0: no limit */
    /* Streams that its answers go to, and the one (NULL: none) whose records become its units. */
    const char **streams;
    uint32_t stream_count;
    const char *from_stream;
    uint64_t from_max;    /* as feed_max of struct store_cursor */
    uint32_t until_batch; /* likewise */
    /* NULL, or how it is a stage of a graph: batch is not set; graph 0: the first of one. With `after` its
     * units are held until ENGINE_STAGE_STARTS. */
    const struct store_stage *stage;
    /* Writes the order (wire/PROTOCOL.md section 2) once the batch has its number; called on the engine's
     * thread. */
    enum err (*order)(void *ctx, uint32_t batch, struct buf *out);
    void *order_ctx;
    uint32_t ret_batch;
};

struct engine_taken { /* a new unit whose answer an earlier one has (server/reuse.h) */
    uint32_t at;      /* which of the request's */
    wu_id source;
    struct digest answer;
    struct text row; /* the answer's (answer_row.h); what it has as blobs is held already */
};

struct engine_units {
    uint32_t batch;
    uint32_t first; /* must be the number of units already there; else ERR_CONFLICT and ret_next */
    uint32_t count;
    /* The text of each spec after its unit: `"vars":{...},"inputs":[...]}`; the engine puts {"unit":"B.I",
     * before it. */
    const struct text *specs;
    /* Of records of a stream: the batch's cursor moves from feed_after to feed_upto with them, or it is
     * ERR_CONFLICT, so that no record becomes two units. feed_stream 0: not of a stream. */
    uint64_t feed_stream, feed_after, feed_upto;
    const struct engine_taken *taken;
    uint32_t taken_count;
    uint32_t ret_next;
};

enum engine_stage_end {
    ENGINE_STAGE_GOES_ON,
    ENGINE_STAGE_CLOSES, /* all its units are there */
    ENGINE_STAGE_STARTS, /* what it waited for is done */
    ENGINE_STAGE_FAILS,  /* what it waited for has failed: cancelled */
};
struct engine_stage {
    struct store_stage stage; /* as it shall be; ERR_CONFLICT when rev is not what is stored */
    uint32_t first, count;    /* units, as in struct engine_units; count may be 0 */
    const struct text *specs;
    const struct engine_taken *taken;
    uint32_t taken_count;
    enum engine_stage_end then;
};

enum engine_schedule_verb { ENGINE_SCHEDULE_NEW, ENGINE_SCHEDULE_MOVE, ENGINE_SCHEDULE_DELETE };
struct engine_schedule {
    enum engine_schedule_verb verb;
    struct store_schedule schedule; /* MOVE: as it shall be; ERR_CONFLICT when rev is not what is stored */
    uint64_t ret_id;                /* NEW */
};

enum engine_batch_verb {
    ENGINE_BATCH_CLOSE,
    ENGINE_BATCH_CANCEL,
    ENGINE_BATCH_PAUSE,
    ENGINE_BATCH_RESUME,
    ENGINE_BATCH_RETRY,   /* all units that failed, those cancelled included */
    ENGINE_BATCH_CHANGE,  /* priority, name, labels */
    ENGINE_BATCH_PURGE,   /* its answers' files go; its units and their history stay */
    ENGINE_BATCH_FREEZE,  /* nothing of it changes from now on, until it is archived */
    ENGINE_BATCH_ARCHIVE, /* its archive is there: the rows of its units go */
    ENGINE_BATCH_VERBS
};

struct engine_batch_do {
    uint32_t batch;
    enum engine_batch_verb verb;
    const int32_t *priority; /* CHANGE: NULL leaves it */
    const char *name;
    const struct text *labels;
    const struct store_archive *archive; /* ARCHIVE */
};

struct engine_unit_do {
    wu_id unit;
    enum wu_event_kind event; /* WU_EV_CANCEL, WU_EV_RETRY, WU_EV_SPARE */
};

struct engine_judged {
    wu_id unit;
    uint64_t outbox_id;                  /* the entry that asked; it is done with this */
    enum attempt_error error;            /* not NONE: the judge gave up */
    uint32_t groups[ATTEMPTS_MAX];       /* as in wu_event */
    struct digest answers[ATTEMPTS_MAX]; /* the answers that were compared, zero for others: if the unit has
                                          * moved on since, only the matching ones count */
};

struct engine_outbox {
    uint64_t id;
    bool done; /* false: try again at due_ms */
    int64_t due_ms;
};

struct engine_release {
    struct store_release release; /* id, created_ms are the engine's. The same digest again is ERR_OK */
    bool retire;                  /* only digest is used */
    uint64_t ret_id;
};

struct engine_user {
    struct store_user user; /* id 0: create; else change (NULL name, mail: leave; role NONE: leave) */
    bool set_disabled, set_limits;
    uint64_t ret_id;
};

enum engine_token_verb { ENGINE_TOKEN_CREATE, ENGINE_TOKEN_ROTATE, ENGINE_TOKEN_REVOKE };
struct engine_token {
    enum engine_token_verb verb;
    struct store_token
        token; /* CREATE: role, owner_id, secret, scope, name, expires_ms; ROTATE: id, secret; REVOKE: id */
    uint64_t ret_id;
};

struct engine_invitation {
    struct store_invitation invitation; /* id 0: create; else revoke */
    uint64_t ret_id;
};

enum engine_credential_verb { ENGINE_CREDENTIAL_NEW, ENGINE_CREDENTIAL_USED, ENGINE_CREDENTIAL_END };
#define CREDENTIALS_MAX 32 /* of a user */
#define RECOVERY_CODES  10
struct engine_credential {
    enum engine_credential_verb verb;
    /* NEW: all but id and times; a password takes the place of the one before. USED: id, and the counter as
     * it was read; ERR_STALE when it is not there or was used meanwhile; a recovery code is used up. END: id.
     */
    struct store_credential credential;
    uint32_t counter;                    /* USED: as it is now */
    struct digest codes[RECOVERY_CODES]; /* NEW of STORE_RECOVERY: they take the place of all before */
    uint64_t ret_id;
};

/* Sets the share of the hosts that a version goes to (and lets it go on), or stops it. */
struct engine_version {
    const char *app;
    uint32_t version, share_ppm;
    uint32_t base; /* the version that it is held against; 0: none */
    bool only_new; /* does nothing when a share was set before */
    bool halt;
    const char *why; /* halt */
    struct store_version ret;
};

/* These two are read by the engine: the oldest client, and version of the protocol, that gets work. */
#define SETTING_CLIENT_MIN   "client_min"
#define SETTING_PROTOCOL_MIN "protocol_min"
struct engine_setting {
    const char *name, *value;
};

struct engine_audit {
    const char *action, *subject;
    struct text detail;
};

struct engine_quota {
    uint64_t user_id;
    int64_t bytes; /* added */
    bool guarded;  /* only if `counted` are counted now; else ERR_CONFLICT */
    int64_t counted;
};

/* Streams are made when they are first named. */
struct engine_publish {
    const char *stream;
    const char *group;         /* as in store_record; "": none */
    const char *const *groups; /* of each record instead; NULL: none */
    const struct text *bodies;
    uint32_t count;
    uint64_t ret_last; /* number of the last one; they are neighbours */
};

enum engine_cursor_verb {
    ENGINE_CURSOR_FETCH, /* leases the next records to a member; makes the cursor when there is none */
    ENGINE_CURSOR_ACK,
    ENGINE_CURSOR_REWIND,
    ENGINE_CURSOR_DELETE,
    ENGINE_CURSOR_VERBS
};

struct engine_span { /* of records */
    uint64_t first, last;
};

struct engine_cursor {
    enum engine_cursor_verb verb;
    const char *stream, *cursor;
    const char *member; /* 1 to NAME_BYTES_MAX visible characters; not of REWIND, DELETE */
    /* FETCH */
    uint32_t limit;
    int64_t lease_ms;
    uint64_t ret_stream, ret_first, ret_last; /* ret_last 0: nothing to hand out now */
    uint32_t ret_times;                       /* how often they were handed out, this time included */
    int64_t ret_until_ms;
    int64_t ret_look_ms; /* nothing given: when to look again though nothing is published; INT64_MAX: never */
    /* ACK: the member's records first..last (last 0: none), these ones whoever holds them, then its leases.
     * What a member was leased in a reply that it never got must come back, so nothing is said of all it has.
     */
    uint64_t first, last;
    const uint64_t *seqs;
    uint32_t seq_count;
    const uint64_t *backs; /* these are for whoever asks after back_ms */
    uint32_t back_count;
    int64_t back_ms;
    const struct engine_span *renews; /* its leases of these run so much longer */
    uint32_t renew_count;
    int64_t renew_ms;
    bool release; /* the member's records may be handed to others at once */
    uint64_t ret_count;
    uint64_t seq; /* REWIND: hands out from the record after this one */
};

enum engine_stream_verb { ENGINE_STREAM_PAUSE, ENGINE_STREAM_RESUME, ENGINE_STREAM_DELETE };
struct engine_stream {
    enum engine_stream_verb verb;
    const char *name;
};

struct engine_tick {
    bool ret_more;          /* more is due than one slice: tick again at once */
    int64_t ret_wake_at_ms; /* nothing is due before, INT64_MAX: never */
};

struct engine_request {
    enum engine_kind kind;
    struct arena *arena; /* for the reply; not NULL */
    uint64_t user_id;    /* who asks, for the audit log; 0: a host or the server itself */
    /* Idempotency key with whose it is ("u7", "h3", "join"), and the digest of the body; NULL: none. Replayed
     * within 7 days the request ends as it did before; with another body it is ERR_CONFLICT. */
    const char *key, *key_owner;
    struct digest body;
    union {
        struct engine_work work;
        struct engine_join join;
        struct engine_host host;
        struct engine_batch batch;
        struct engine_units units;
        struct engine_batch_do batch_do;
        struct engine_unit_do unit_do;
        struct engine_judged judged;
        struct engine_outbox outbox;
        struct engine_release release;
        struct engine_user user;
        struct engine_token token;
        struct engine_invitation invitation;
        struct engine_credential credential;
        struct engine_version version;
        struct engine_setting setting;
        struct engine_audit audit;
        struct engine_quota quota;
        struct engine_publish publish;
        struct engine_cursor cursor;
        struct engine_stream stream;
        struct engine_stage stage;
        struct engine_schedule schedule;
        struct engine_tick tick;
    } u;
    /* Answer. */
    enum err err;
    const char *message;    /* the sentence of err, in the arena; NULL with ERR_OK */
    bool replayed;          /* the idempotency key was known */
    int64_t retry_after_ms; /* with ERR_BUSY and ERR_RATE */
    /* Used by engine_thread.h. */
    void (*done)(struct engine_request *r, void *ctx);
    void *done_ctx;
    struct engine_request *next;
};

/* --- making and driving one --- */

/* Who else writes to the same store. */
struct engine_view {
    bool alone;       /* nobody: what is in memory is what is stored */
    bool ticks;       /* what is due by the clock is this one's to do */
    uint32_t servers; /* that live */
    uint32_t slot;    /* this one's place among them, 1.. */
    uint32_t schema; /* STORE_SCHEMA_VERSION of the oldest program among them: what is written must be read by
                        it */
    uint64_t me;     /* its name as owner of claims */
    uint64_t epoch;  /* when this changes, nothing that is in memory may be trusted */
};

/* What the only server sees. */
static inline struct engine_view engine_view_alone(void)
{
    return (struct engine_view){
        .alone = true, .ticks = true, .servers = 1, .slot = 1, .schema = STORE_SCHEMA_VERSION};
}

struct engine_config {
    /* NULL: alone. Asked at the beginning and at the end of each turn. */
    void (*view)(void *ctx, struct engine_view *ret);
    void *view_ctx;
    /* Signs a units statement; called on the engine's thread, appends the envelope. */
    enum err (*sign_units)(void *ctx, uint32_t batch, const struct digest *order, uint32_t first,
                           uint32_t count, const struct digest *root, struct buf *out);
    void *sign_ctx;
    /* After a commit, on the engine's thread, quick: entries were added to this batch's stream; outbox
     * entries of this kind were added. May be NULL. */
    void (*on_delivered)(void *ctx, uint32_t batch);
    void (*on_outbox)(void *ctx, enum outbox_kind kind);
    void (*on_streamed)(void *ctx,
                        uint64_t stream); /* there are new records, or old ones to hand out again */
    void *hook_ctx;
    struct digest audit_key; /* secret: who knows it knows which answers will be checked (audit_draw.h) */
    /* 0 means the default in brackets. */
    uint32_t units_cached;        /* [20000] about 1.6 KB each */
    uint32_t hosts_cached;        /* [50000] */
    uint32_t chunks_cached;       /* [1000] about 17 KB each */
    uint32_t slice_units;         /* [4096] of a long job within one turn */
    uint32_t leases_per_core_max; /* [100] out at a host at once */
    uint32_t leases_per_host_max; /* [2000] */
    int64_t contact_ms;           /* [60000] next_contact_ms of a host that got work or nothing is due */
    int64_t contact_idle_ms; /* [300000] the longest, when there is nothing for it; less while there are few
                                hosts */
};

/* The store stays the caller's and is used by the engine alone until engine_free(). */
enum err engine_new(struct store *store, const struct engine_config *config,
                    struct engine **ret_engine) NODISCARD;
void engine_free(struct engine *e);
/* What there is to hand out, to tell whether somebody may be given something now who was not before. */
struct engine_outlook {
    uint64_t unsent; /* attempts that wait to be sent, of all batches that go on */
    bool out;        /* some are out: with time they may be doubled */
    uint64_t news;   /* another number when some batch has something to send that had nothing */
};
void engine_outlook(struct engine *e, struct engine_outlook *ret); /* between turns */
/* Applies the requests in order and sets err of each. If the commit fails, nothing of the turn has happened
 * and all that would have succeeded get ERR_BUSY. Returns ERR_OK when the turn was committed. */
enum err engine_turn(struct engine *e, struct engine_request **requests, uint32_t count, int64_t now_ms);

struct engine_stats { /* since the start, for /metrics */
    uint64_t turns, requests, commits, conflicts, commit_failures;
    uint64_t leases, reports, resent, refills, unit_loads, unit_hits;
    uint64_t turn_us;   /* spent in engine_turn; 0 unless the caller measures: engine_thread.h does */
    uint64_t commit_us; /* of it until transactions were durable */
    uint32_t units_cached, hosts_cached, batches_active;
    uint32_t hosts_waiting; /* engine_thread.h */
};
void engine_stats(const struct engine *e, struct engine_stats *ret);

#endif
