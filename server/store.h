/* store.h - everything the server remembers, as structs. No SQL and no database type is seen above it.
 *
 * A store is one connection and belongs to one thread at a time. The engine owns the one that writes;
 * people's requests read through store_reader_open(), which never waits for the engine nor makes it wait.
 *
 * Text and bytes in what is read live in the arena that was passed in. Lists are keyset pages: `after` is the
 * key of the last item seen (0 from the start), at most `limit` items come, in the order the function names.
 * ERR_MISSING where there is no such thing; ERR_BUSY or ERR_UNREACHABLE where the database cannot answer now;
 * ERR_CORRUPT where what is stored contradicts itself. */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/ids.h"
#include "rules/trust.h"
#include "rules/wu.h"
#include "wire/parts.h"

#define STORE_SCHEMA_VERSION 4
#define STORE_PAGE_MAX       1000

struct store;

struct text { /* bytes with a length; NUL-terminated where it was read from a store; data may be NULL when len
                 is 0 */
    const char *data;
    uint32_t len;
};

/* --- people and machines --- */

enum role { ROLE_NONE, ROLE_HOST, ROLE_VOLUNTEER, ROLE_VIEWER, ROLE_SCIENTIST, ROLE_OPERATOR, ROLES };
const char *role_name(enum role r);         /* "host", "volunteer", "viewer", "scientist", "operator" */
enum role role_from_name(const char *word); /* ROLE_NONE for a word it does not know */

struct store_user { /* someone with a say: viewer, scientist, operator */
    uint64_t id;
    const char *name; /* unique */
    const char *mail; /* "" when not given */
    enum role role;
    bool disabled;
    int64_t created_ms;
    uint64_t blob_bytes,
        blob_bytes_max;       /* uploads kept for this user, and the quota (0: the server's default) */
    int64_t blob_bytes_noted; /* blob_bytes as it is written: below nothing until it is put right */
    uint64_t units_max;       /* units not finished at once, 0: the server's default */
};

struct store_volunteer { /* the owner of hosts */
    uint64_t id;
    const char *name; /* nickname, "" when not given; not unique */
    const char *team;
    int64_t created_ms;
    double credit;
    uint64_t hosts, valid, invalid;
};

enum { STORE_HOST_BANNED = 1, STORE_HOST_LEFT = 2 };
struct store_host {
    uint64_t id, volunteer_id;
    const char *nickname, *platform, *os, *cpu, *client, *hr_class;
    const char *features; /* words in byte order, one blank between */
    uint32_t cores;
    uint64_t memory_bytes, disk_bytes;
    double speed; /* in units of the reference machine; 1.0 when not known */
    bool banned, left;
    const char *ban_reason;
    int64_t created_ms;
    uint64_t network;  /* rules/kin.h, of the address it was heard from; 0: not known */
    uint32_t protocol; /* the newest version of it that it speaks; 0 is 1 */
    /* What changes with the work: kept, never counted. */
    int64_t seen_ms;  /* last contact, true within a minute */
    uint32_t allowed; /* attempts it may have out now, learnt from what it did; see dispatch.h */
    uint64_t leased, valid, invalid, errors, expired, reports;
    double credit;
    uint64_t credit_micro; /* the same, exactly: millionths */
    struct text pace;      /* the engine's own: how long its attempts take */
};

struct store_token {
    uint64_t id;
    enum role role;
    uint64_t owner_id;              /* user, host or volunteer, by role */
    struct digest secret;           /* SHA-256 of the secret */
    const char *scope;              /* words with one blank between, "" is all that the role may */
    const char *name;               /* for people */
    int64_t created_ms, expires_ms; /* 0: never */
    bool revoked;
    const char *agent; /* of a browser's session: which browser; "": no session. NULL is "" */
};

struct store_invitation {
    uint64_t id;
    struct digest secret;
    const char *name;
    uint32_t uses, uses_max; /* 0: no limit */
    int64_t created_ms, expires_ms;
    bool revoked;
};

/* What is believed of a host as runner of an app version. */
struct store_trust {
    uint64_t host_id;
    uint64_t app; /* a number made of name and version; below 2^63 */
    struct host_trust trust;
};
struct store_escrow {
    uint64_t host_id, app;
    struct escrow_entry entry;
};

/* --- code --- */

struct store_release {
    uint64_t id;
    struct digest digest; /* of the statement */
    const char *app, *platform;
    uint32_t version;
    struct digest bundle;
    uint64_t bundle_bytes;
    bool retired; /* no new batch may use it */
    int64_t created_ms;
    uint64_t user_id;
    struct text envelope; /* empty in lists */
    struct text manifest; /* JSON */
};

/* --- work --- */

enum {
    STORE_BATCH_LOADING = 1,
    STORE_BATCH_PAUSED = 2,
    STORE_BATCH_CANCELLED = 4,
    STORE_BATCH_PURGED = 8,
    STORE_BATCH_FROZEN = 16,
    STORE_BATCH_ARCHIVED = 32
};
enum batch_job {
    BATCH_JOB_NONE,
    BATCH_JOB_ARRAY,
    BATCH_JOB_CANCEL,
    BATCH_JOB_RETRY,
    BATCH_JOB_PURGE,
    BATCH_JOB_SETTLE,  /* all that is left waits in escrow: end it */
    BATCH_JOB_ARCHIVE, /* its units are in an archive: their rows go */
    BATCH_JOBS
};

/* Counters of a batch. X(name). units = open + judging + accepted + failed, but for the moment between an
 * outcome and its delivery. */
#define BATCH_COUNT_LIST(X)                                                                                  \
    X(units) /* made so far */                                                                               \
    X(open)  /* no outcome yet, judging not included */                                                      \
    X(judging)                                                                                               \
    X(accepted) /* ended with a canonical answer */                                                          \
    X(failed)   /* ended without, cancelled ones included */                                                 \
    X(cancelled)                                                                                             \
    X(delivered)                                                                                             \
    X(purged)                                                                                                \
    X(unsent)   /* attempts that wait for a host */                                                          \
    X(leased)   /* attempts at hosts */                                                                      \
    X(attempts) /* attempts ever handed out */                                                               \
    X(valid)                                                                                                 \
    X(invalid)                                                                                               \
    X(errors) /* attempts that ended in an error that counts */                                              \
    X(expired)                                                                                               \
    X(reports) /* answers reported; the sums below are over errors too    */                                 \
    X(cpu_ms)                                                                                                \
    X(wall_ms)                                                                                               \
    X(output_bytes)                                                                                          \
    X(provisional) /* have an answer that waits in escrow; counted by open too */                            \
    X(taken)       /* accepted with the answer of an earlier unit */                                         \
    X(audits)      /* of the attempts, those that were audits and are not out any more */                    \
    X(audited_ppm) /* what audits recompute, in millionths of an answer */

struct batch_counts {
#define X(name) int64_t name;
    BATCH_COUNT_LIST(X)
#undef X
};

struct batch_release { /* what a batch's units may run with, one for each platform */
    const char *platform;
    struct digest release, bundle;
};
#define BATCH_RELEASES_MAX 16

struct store_batch {
    uint32_t id;
    uint64_t user_id;
    const char *name, *app;
    uint32_t version;
    int32_t priority; /* higher first */
    struct digest order_digest;
    struct text order; /* empty in lists */
    struct text labels, policy,
        request; /* JSON; request is what was posted, for people. Empty in lists, but labels */
    struct wu_rules rules;
    struct trust_policy trust; /* under rules.escrow */
    struct digest question; /* what all its units ask (server/reuse.h); zero: none is remembered or taken */
    uint32_t release_count;
    struct batch_release releases[BATCH_RELEASES_MAX];
    uint64_t needs_memory_bytes, needs_disk_bytes;
    const char *needs_features; /* as in store_host */
    const char *hr_kind;        /* "none", "os", "cpu", "release": within what answers can be equal */
    double cost; /* seconds on the reference machine that one attempt is thought to take; 0: not known */
    bool array;  /* units are made by the server: vars[""] = array_first + index * array_step */
    int64_t array_first, array_step;
    uint32_t array_count;
    int64_t created_ms;
    /* What changes. */
    uint32_t rev;
    bool loading, paused, cancelled, purged;
    bool frozen;         /* nothing of it changes any more: it is being archived, or has been */
    bool archived;       /* its archive is there and its units' rows are gone, or going */
    enum batch_job job;  /* work in slices that goes on after a restart */
    uint32_t job_next;   /* next index of the job */
    int64_t finished_ms; /* 0: not yet */
    struct batch_counts counts;
};
/* "loading", "running", "paused", "done", "cancelled" */
const char *store_batch_state(const struct store_batch *b);

struct store_unit {
    struct wu wu;        /* with its rules (unit_rules()) */
    struct text spec;    /* the exact text that is signed and sent */
    struct text known;   /* the manifest of the answer it must have; empty: nobody knows */
    struct text history; /* lines of rules/wu_history.h, each ended by a line feed, relative to the batch's
                            created_ms */
    struct store_attempt_use {
        uint32_t cpu_ms, wall_ms;
        uint64_t memory_bytes;
    } use[ATTEMPTS_MAX]; /* zero where not reported */
};

struct store_note { /* what a host said of an attempt that went wrong */
    wu_id unit;
    uint32_t attempt;
    uint64_t host_id;
    enum attempt_error error;
    int32_t exit_code, signal; /* 0 when not given */
    const char *message, *stderr_tail, *stdout_tail;
    int64_t at_ms;
};

struct store_failure_group { /* attempts of a batch that went wrong in the same way */
    enum attempt_error error;
    int32_t exit_code, signal;
    const char *pattern; /* last line of stderr with numbers and addresses blanked */
    uint64_t count;
    wu_id sample_unit;
    uint32_t sample_attempt;
    int64_t last_ms;
};

struct store_lease {
    uint64_t host_id;
    wu_id unit;
    uint32_t attempt;
    int64_t deadline_ms;
};

struct store_delivery { /* one entry of a stream; a batch's own stream has the batch's number */
    uint64_t stream;
    uint64_t seq; /* 1.. without holes within a stream */
    wu_id unit;
    int64_t at_ms;
};

/* What failed is tried again after at most so long the first time, twice as long each time after that, and
 * never longer than the second. */
#define OUTBOX_RETRY_MS_MAX 5000ll
#define OUTBOX_WAIT_MS_MAX  3600000ll

enum outbox_kind { OUTBOX_JUDGE, OUTBOX_WEBHOOK, OUTBOX_PURGE_FILES, OUTBOX_KINDS };

struct store_outbox { /* something owed to the outside world, until ENGINE_OUTBOX says it is done */
    uint64_t id;
    enum outbox_kind kind;
    uint64_t subject; /* JUDGE: the unit; PURGE_FILES, WEBHOOK: the batch */
    struct text body; /* WEBHOOK: JSON to send */
    uint32_t tries;
    int64_t due_ms; /* not before */
};

struct store_audit {
    uint64_t seq;
    int64_t at_ms;
    uint64_t user_id;             /* 0: the server itself */
    const char *action, *subject; /* "batch.cancel", "7" */
    struct text detail;           /* JSON */
    struct digest
        chain; /* SHA-256(previous chain || the canonical text of this entry), see store_audit_chain() */
};

/* Counters of the whole project, X(name). */
/* (clang-format takes such a list apart, one place further at every run.) */
/* clang-format off */
#define PROJECT_COUNT_LIST(X)                                                                                \
    X(batches) X(hosts) X(volunteers) X(units) X(accepted) X(failed) X(delivered) X(attempts) X(reports)     \
    X(valid) X(invalid) X(errors) X(expired) X(unsent) X(leased) X(judging) X(cpu_ms) X(wall_ms)
/* clang-format on */
struct project_counts {
#define X(name) int64_t name;
    PROJECT_COUNT_LIST(X)
#undef X
    double credit;
};

/* --- opening --- */

/* where: "sqlite:PATH", "postgres://...", or "memory:" (not shared between stores). Migrates the schema up; a
 * schema that is newer than this program is ERR_UNSUPPORTED with a sentence that says which versions. */
enum err store_open(const char *where, struct store **ret_store) NODISCARD;
/* A read-only store on the same data. Of "memory:" it is the same data in the same thread. */
enum err store_reader_open(struct store *of, struct store **ret_store) NODISCARD;
void store_close(struct store *s); /* NULL is fine */
/* Moves the schema down or up to a version, for going back to an older program; only while nothing serves. */
enum err store_migrate(const char *where, uint32_t version) NODISCARD;
/* For tests and the simulator: the operation on the database after `operations` more ones fails, and all that
 * follow until the engine has given up its turn. late: a commit that fails has happened all the same. */
void store_fault(struct store *s, uint32_t operations, bool late);
/* One round trip, for /readyz. */
enum err store_ping(struct store *s) NODISCARD;

/* --- reading --- */

enum err store_user_get(struct store *s, struct arena *a, uint64_t id, struct store_user *ret) NODISCARD;
enum err store_user_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                         struct store_user **ret, uint32_t *ret_count) NODISCARD; /* by id */
enum err store_volunteer_get(struct store *s, struct arena *a, uint64_t id,
                             struct store_volunteer *ret) NODISCARD;
enum err store_volunteer_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                              struct store_volunteer **ret, uint32_t *ret_count) NODISCARD;
enum err store_host_get(struct store *s, struct arena *a, uint64_t id, struct store_host *ret) NODISCARD;
enum err store_host_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                         struct store_host **ret, uint32_t *ret_count) NODISCARD;
enum err store_host_list_of(struct store *s, struct arena *a, uint64_t volunteer_id, uint64_t after,
                            uint32_t limit, struct store_host **ret, uint32_t *ret_count) NODISCARD;
enum err store_lease_list(struct store *s, struct arena *a, uint64_t host_id, wu_id after, uint32_t limit,
                          struct store_lease **ret, uint32_t *ret_count) NODISCARD;
enum err store_token_get(struct store *s, struct arena *a, uint64_t id, struct store_token *ret) NODISCARD;
enum err store_token_list(struct store *s, struct arena *a, enum role role, uint64_t owner_id, uint64_t after,
                          uint32_t limit, struct store_token **ret,
                          uint32_t *ret_count) NODISCARD; /* ROLE_NONE: all */
enum err store_invitation_find(struct store *s, struct arena *a, const struct digest *secret,
                               struct store_invitation *ret) NODISCARD;
enum err store_invitation_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                               struct store_invitation **ret, uint32_t *ret_count) NODISCARD;

enum err store_release_get(struct store *s, struct arena *a, const struct digest *digest,
                           struct store_release *ret) NODISCARD;
/* All releases by id, or those of one app (app not NULL). */
enum err store_release_list(struct store *s, struct arena *a, const char *app, uint64_t after, uint32_t limit,
                            struct store_release **ret, uint32_t *ret_count) NODISCARD;

enum err store_batch_get(struct store *s, struct arena *a, uint32_t id, struct store_batch *ret) NODISCARD;
/* Newest first: after is the last id seen, 0 from the newest. user_id 0: everybody's. */
enum err store_batch_list(struct store *s, struct arena *a, uint64_t user_id, uint32_t after, uint32_t limit,
                          struct store_batch **ret, uint32_t *ret_count) NODISCARD;
/* Where a batch's units are when it is archived: a file of gzipped lines, a blob that the batch holds. */
struct store_archive {
    uint32_t batch;
    struct digest file;
    uint64_t bytes, units;
    int64_t made_ms;
};
enum err store_archive_get(struct store *s, struct arena *a, uint32_t batch,
                           struct store_archive *ret) NODISCARD;
enum err store_order_get(struct store *s, struct arena *a, const struct digest *digest,
                         struct text *ret_order) NODISCARD;
enum err store_unit_get(struct store *s, struct arena *a, wu_id id, struct store_unit *ret) NODISCARD;
/* By index. state WU_STATES: any; failed: only those that ended without an answer. A page may come short,
 * even empty, though more follow (a rare state is searched for a while only): go on while *ret_next is not 0.
 */
struct store_unit_filter {
    enum wu_state state;
    bool failed;
};
enum err store_unit_list(struct store *s, struct arena *a, uint32_t batch,
                         const struct store_unit_filter *filter, wu_id after, uint32_t limit,
                         struct store_unit **ret, uint32_t *ret_count, wu_id *ret_next) NODISCARD;
/* What went wrong at a host, the newest first. */
enum err store_note_list_of(struct store *s, struct arena *a, uint64_t host_id, uint32_t limit,
                            struct store_note **ret, uint32_t *ret_count) NODISCARD;
enum err store_note_list(struct store *s, struct arena *a, wu_id unit, struct store_note **ret,
                         uint32_t *ret_count) NODISCARD; /* by time, at most ATTEMPTS_MAX */
enum err store_failure_list(struct store *s, struct arena *a, uint32_t batch, uint32_t limit,
                            struct store_failure_group **ret,
                            uint32_t *ret_count) NODISCARD; /* most frequent first */
enum err store_delivery_list(struct store *s, struct arena *a, uint64_t stream, uint64_t after_seq,
                             uint32_t limit, struct store_delivery **ret,
                             uint32_t *ret_count) NODISCARD; /* by seq */
/* What a host answered, its outputs by path. data[i].data is NULL where the bytes of files[i] did not come
 * inside the report: they are a blob, which the batch holds. */
struct store_answer {
    struct file_ref *files;
    struct text *data;
    uint32_t count;
};
/* By the answer's name, which is its manifest's SHA-256. ERR_MISSING: never stored, or its batch was purged.
 */
enum err store_answer_get(struct store *s, struct arena *a, wu_id unit, const struct digest *answer,
                          struct store_answer *ret) NODISCARD;
/* By id: what is due at due_ms, and what would have to wait longer than anything was ever put off: since then
 * the clock has been set back. */
enum err store_outbox_list(struct store *s, struct arena *a, enum outbox_kind kind, int64_t due_ms,
                           uint64_t after, uint32_t limit, struct store_outbox **ret,
                           uint32_t *ret_count) NODISCARD;
enum err store_audit_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                          struct store_audit **ret,
                          uint32_t *ret_count) NODISCARD; /* newest first; after as in store_batch_list */
/* The hash of an entry given the one before it (zero before the first): what makes the log tamper-evident. */
struct digest store_audit_chain(const struct digest *before, const struct store_audit *entry);
/* The number of an app version, as struct store_trust has it. */
uint64_t store_trust_app(const char *app, uint32_t version);
/* Of all apps of a host, or of one (0: all). */
enum err store_trust_list(struct store *s, struct arena *a, uint64_t host_id, uint64_t app,
                          struct store_trust **ret, uint32_t *ret_count) NODISCARD;
/* In the order of seq, at most TRUST_ESCROW_MAX and some. */
enum err store_escrow_list(struct store *s, struct arena *a, uint64_t host_id, uint64_t app,
                           struct store_escrow **ret, uint32_t *ret_count) NODISCARD;
enum err store_project_counts(struct store *s, struct project_counts *ret) NODISCARD;
/* Settings are short texts under names ("project.name", "join.invitation_needed"); "" when never set. */
enum err store_setting_get(struct store *s, struct arena *a, const char *name, const char **ret) NODISCARD;
enum err store_setting_list(struct store *s, struct arena *a, const char ***ret_names,
                            const char ***ret_values, uint32_t *ret_count) NODISCARD;

#endif
