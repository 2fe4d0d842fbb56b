/* store_schema.h - the tables, as data; used by store_*.c alone. A column's number is its place in its table.
 */
#ifndef SERVER_STORE_SCHEMA_H
#define SERVER_STORE_SCHEMA_H

#include "server/db.h"
#include "server/store.h"

/* X(name, kind). The names avoid words that either SQL dialect keeps for itself. */
#define UNIT_COLUMNS(X)                                                                                      \
    X(ID, id, INT)                                                                                           \
    X(REV, rev, INT)          /* grows with every write: a writer that read an older one does nothing */     \
    X(STATE, state, INT)      /* enum wu_state */                                                            \
    X(READY, ready, INT)      /* has attempts to send: 0 if none was ever sent, 1 if some were; else NULL */ \
    X(WAKE, wake, INT)        /* look at it then, or earlier for nothing; NULL: never */                     \
    X(FAILED, failed, INT)    /* enum wu_failure of a failed one, else NULL */                               \
    X(HR, hr, INT)            /* class of hosts it is bound to, 0: none */                                   \
    X(LIFE, life, BLOB)       /* rules/wu_codec.h; NULL: as it was submitted */                              \
    X(SPEC, spec, TEXT)       /* server/unit_row.h; NULL: it follows from the batch's array */               \
    X(HISTORY, history, TEXT) /* but its first line, the submission */                                       \
    X(USED, used, BLOB)       /* server/unit_row.h */
#define CHUNK_COLUMNS(X) X(BATCH, batch, INT) X(NUMBER, number, INT) X(ENVELOPE, envelope, TEXT)
#define LEASE_COLUMNS(X)                                                                                     \
    X(HOST, host, INT) X(UNIT, unit, INT) X(ATTEMPT, attempt, INT) X(DEADLINE, deadline, INT)
/* What is believed of a host (rules/trust.h), for each app version by a number made of its name. */
#define TRUST_COLUMNS(X)                                                                                     \
    X(HOST, host, INT)                                                                                       \
    X(APP, app, INT)                                                                                         \
    X(CHANGED, changed_ms, INT)                                                                              \
    X(PASSED, passed_milli, INT)                                                                             \
    X(FAULTS, faults_milli, INT)                                                                             \
    X(ANSWERS, answers, INT)                                                                                 \
    X(NEXT, next_seq, INT)
#define ESCROW_COLUMNS(X)                                                                                    \
    X(HOST, host, INT)                                                                                       \
    X(APP, app, INT)                                                                                         \
    X(SEQ, seq, INT)                                                                                         \
    X(UNIT, unit, INT)                                                                                       \
    X(WAIT, wait_units, INT)                                                                                 \
    X(FLAGS, flags, INT) /* open 1, held 2 */
#define BATCH_COLUMNS(X)                                                                                     \
    X(ID, id, INT)                                                                                           \
    X(USER, user_id, INT)                                                                                    \
    X(NAME, name, TEXT)                                                                                      \
    X(APP, app, TEXT)                                                                                        \
    X(VERSION, version, INT)                                                                                 \
    X(PRIORITY, priority, INT)                                                                               \
    X(ORDER_DIGEST, order_digest, BLOB)                                                                      \
    X(ORDER_TEXT, order_text, TEXT)                                                                          \
    X(LABELS, labels, TEXT)                                                                                  \
    X(POLICY, policy, TEXT)                                                                                  \
    X(REQUEST, request, TEXT)                                                                                \
    X(RULES, rules, TEXT)       /* the numbers of wu_rules with blanks between */                            \
    X(RELEASES, releases, TEXT) /* lines of platform, release, bundle */                                     \
    X(MEMORY, needs_memory, INT)                                                                             \
    X(DISK, needs_disk, INT)                                                                                 \
    X(FEATURES, needs_features, TEXT)                                                                        \
    X(HR_KIND, hr_kind, TEXT)                                                                                \
    X(COST, cost, REAL)                                                                                      \
    X(IS_ARRAY, is_array, INT)                                                                               \
    X(ARRAY_FIRST, array_first, INT)                                                                         \
    X(ARRAY_STEP, array_step, INT)                                                                           \
    X(ARRAY_COUNT, array_count, INT)                                                                         \
    X(CREATED, created_ms, INT)                                                                              \
    X(QUESTION, question, BLOB) /* server/reuse.h; NULL: its answers are not for later batches */
/* What changes of a batch, and its counters in the order of BATCH_COUNT_LIST after these. */
#define BATCH_LIVE_COLUMNS(X)                                                                                \
    X(ID, id, INT)                                                                                           \
    X(ACTIVE, active, INT) /* 1 while the engine must know it, else NULL */                                  \
    X(REV, rev, INT)                                                                                         \
    X(FLAGS, flags, INT) /* loading 1, paused 2, cancelled 4, purged 8 */                                    \
    X(JOB, job, INT)                                                                                         \
    X(JOB_NEXT, job_next, INT)                                                                               \
    X(FINISHED, finished_ms, INT)
#define HOST_COLUMNS(X)                                                                                      \
    X(ID, id, INT)                                                                                           \
    X(VOLUNTEER, volunteer, INT)                                                                             \
    X(FLAGS, flags, INT) /* banned 1, left 2 */                                                              \
    X(BAN_REASON, ban_reason, TEXT)                                                                          \
    X(NICKNAME, nickname, TEXT)                                                                              \
    X(PLATFORM, platform, TEXT)                                                                              \
    X(OS, os, TEXT)                                                                                          \
    X(CPU, cpu, TEXT)                                                                                        \
    X(CLIENT, client, TEXT)                                                                                  \
    X(HR_CLASS, hr_class, TEXT)                                                                              \
    X(FEATURES, features, TEXT)                                                                              \
    X(CORES, cores, INT)                                                                                     \
    X(MEMORY, memory_bytes, INT)                                                                             \
    X(DISK, disk_bytes, INT)                                                                                 \
    X(SPEED, speed, REAL)                                                                                    \
    X(CREATED, created_ms, INT)                                                                              \
    X(NETWORK, network, INT) /* rules/kin.h, of its last address; 0: not known */                            \
    X(PROTOCOL, protocol, INT)
#define HOST_STAT_COLUMNS(X)                                                                                 \
    X(ID, id, INT)                                                                                           \
    X(SEEN, seen_ms, INT)                                                                                    \
    X(ALLOWED, allowed, INT)                                                                                 \
    X(LEASED, leased, INT)                                                                                   \
    X(VALID, valid, INT)                                                                                     \
    X(INVALID, invalid, INT)                                                                                 \
    X(ERRORS, errors, INT)                                                                                   \
    X(EXPIRED, expired, INT)                                                                                 \
    X(REPORTS, reports, INT)                                                                                 \
    X(CREDIT, credit, INT) /* millionths */                                                                  \
    X(PACE, pace, BLOB)    /* how long its attempts take, see server/engine_host.c */
#define VOLUNTEER_COLUMNS(X)                                                                                 \
    X(ID, id, INT)                                                                                           \
    X(NAME, name, TEXT)                                                                                      \
    X(TEAM, team, TEXT)                                                                                      \
    X(CREATED, created_ms, INT)                                                                              \
    X(CREDIT, credit, INT)                                                                                   \
    X(HOSTS, hosts, INT)                                                                                     \
    X(VALID, valid, INT)                                                                                     \
    X(INVALID, invalid, INT)
#define ACCOUNT_COLUMNS(X)                                                                                   \
    X(ID, id, INT)                                                                                           \
    X(NAME, name, TEXT)                                                                                      \
    X(MAIL, mail, TEXT)                                                                                      \
    X(ROLE, role, TEXT)                                                                                      \
    X(DISABLED, disabled, INT)                                                                               \
    X(CREATED, created_ms, INT)                                                                              \
    X(BLOB_BYTES, blob_bytes, INT)                                                                           \
    X(BLOB_BYTES_MAX, blob_bytes_max, INT)                                                                   \
    X(UNITS_MAX, units_max, INT)
#define TOKEN_COLUMNS(X)                                                                                     \
    X(ID, id, INT)                                                                                           \
    X(ROLE, role, TEXT)                                                                                      \
    X(OWNER, owner, INT)                                                                                     \
    X(SECRET, secret, BLOB)                                                                                  \
    X(SCOPE, scope, TEXT)                                                                                    \
    X(NAME, name, TEXT)                                                                                      \
    X(CREATED, created_ms, INT)                                                                              \
    X(EXPIRES, expires_ms, INT)                                                                              \
    X(REVOKED, revoked, INT)                                                                                 \
    X(AGENT, agent, TEXT) /* the browser's, of a session; else NULL */
/* How people log in, other than with a token. */
#define CREDENTIAL_COLUMNS(X)                                                                                \
    X(ID, id, INT)                                                                                           \
    X(USER, user_id, INT)                                                                                    \
    X(KIND, kind, INT)                                                                                       \
    X(NAME, name, TEXT)                                                                                      \
    X(HANDLE, handle, BLOB) /* a passkey's id, else NULL */                                                  \
    X(SECRET, secret, BLOB)                                                                                  \
    X(COUNTER, counter, INT)                                                                                 \
    X(CREATED, created_ms, INT)                                                                              \
    X(USED, used_ms, INT)
/* How far a version of an app is rolled out, and how it does (rules/rollout.h). */
#define APP_VERSION_COLUMNS(X)                                                                               \
    X(APP, app, TEXT)                                                                                        \
    X(VERSION, version, INT)                                                                                 \
    X(SHARE, share_ppm, INT)                                                                                 \
    X(HALTED, halted, INT)                                                                                   \
    X(BASE, base_version, INT)                                                                               \
    X(WHY, why, TEXT)                                                                                        \
    X(USER, user_id, INT)                                                                                    \
    X(CHANGED, changed_ms, INT)                                                                              \
    X(FROM_ENDED, from_ended, INT) /* its counts when its share was set last */                              \
    X(FROM_BAD, from_bad, INT)                                                                               \
    X(BAD_HOST, bad_host, INT) /* the first one with a bad end since then; 0: none, -1: several */           \
    X(ENDED, ended, INT)                                                                                     \
    X(BAD, bad, INT)
#define INVITATION_COLUMNS(X)                                                                                \
    X(ID, id, INT)                                                                                           \
    X(SECRET, secret, BLOB)                                                                                  \
    X(NAME, name, TEXT)                                                                                      \
    X(USES, uses, INT)                                                                                       \
    X(USES_MAX, uses_max, INT)                                                                               \
    X(CREATED, created_ms, INT)                                                                              \
    X(EXPIRES, expires_ms, INT)                                                                              \
    X(REVOKED, revoked, INT)
#define RELEASE_COLUMNS(X)                                                                                   \
    X(ID, id, INT)                                                                                           \
    X(DIGEST, digest, BLOB)                                                                                  \
    X(APP, app, TEXT)                                                                                        \
    X(PLATFORM, platform, TEXT)                                                                              \
    X(VERSION, version, INT)                                                                                 \
    X(BUNDLE, bundle, BLOB)                                                                                  \
    X(BUNDLE_BYTES, bundle_bytes, INT)                                                                       \
    X(RETIRED, retired, INT)                                                                                 \
    X(CREATED, created_ms, INT)                                                                              \
    X(USER, user_id, INT)                                                                                    \
    X(MANIFEST, manifest, TEXT)                                                                              \
    X(ENVELOPE, envelope, TEXT)
#define NOTE_COLUMNS(X)                                                                                      \
    X(UNIT, unit, INT)                                                                                       \
    X(ATTEMPT, attempt, INT)                                                                                 \
    X(HOST, host, INT)                                                                                       \
    X(ERROR, error, TEXT)                                                                                    \
    X(EXIT_CODE, exit_code, INT)                                                                             \
    X(SIGNAL, signal, INT)                                                                                   \
    X(MESSAGE, message, TEXT)                                                                                \
    X(STDERR, stderr_tail, TEXT)                                                                             \
    X(AT, at_ms, INT)                                                                                        \
    X(STDOUT, stdout_tail, TEXT)
#define FAILURE_COLUMNS(X)                                                                                   \
    X(BATCH, batch, INT)                                                                                     \
    X(GROUP, group_hash, INT) /* of what is equal within it */                                               \
    X(ERROR, error, TEXT)                                                                                    \
    X(EXIT_CODE, exit_code, INT)                                                                             \
    X(SIGNAL, signal, INT)                                                                                   \
    X(PATTERN, pattern, TEXT)                                                                                \
    X(TIMES, times, INT)                                                                                     \
    X(UNIT, unit, INT)                                                                                       \
    X(ATTEMPT, attempt, INT)                                                                                 \
    X(LAST, last_ms, INT)
#define DELIVERY_COLUMNS(X) X(STREAM, stream, INT) X(SEQ, seq, INT) X(UNIT, unit, INT) X(AT, at_ms, INT)
#define STREAM_COLUMNS(X)   X(ID, id, INT) X(LAST, last_seq, INT)
/* Named streams, what is in them, who reads them, and which batches' answers go there. */
#define NAMED_COLUMNS(X)                                                                                     \
    X(ID, id, INT)                                                                                           \
    X(NAME, name, TEXT) /* NULL: deleted, and being cleared */                                               \
    X(USER, user_id, INT)                                                                                    \
    X(PAUSED, paused, INT)                                                                                   \
    X(CREATED, created_ms, INT)                                                                              \
    X(LAST, last_seq, INT)                                                                                   \
    X(PURGED, purged_seq, INT)
#define RECORD_COLUMNS(X)                                                                                    \
    X(STREAM, stream, INT)                                                                                   \
    X(SEQ, seq, INT)                                                                                         \
    X(UNIT, unit, INT)        /* 0: published, not an answer's */                                            \
    X(ANSWER, answer, BLOB)   /* its digest, else NULL */                                                    \
    X(GROUP, group_key, TEXT) /* neighbours of one group stay together */                                    \
    X(BODY, body, TEXT)                                                                                      \
    X(AT, at_ms, INT)
#define CURSOR_COLUMNS(X)                                                                                    \
    X(STREAM, stream, INT)                                                                                   \
    X(NAME, name, TEXT)                                                                                      \
    X(REV, rev, INT)                                                                                         \
    X(HANDED, handed_seq, INT)                                                                               \
    X(REDELIVERED, redelivered, INT)                                                                         \
    X(FLIGHT, flight, TEXT) /* server/flight.h */                                                            \
    X(BATCH, batch, INT)    /* it feeds this batch, else NULL */                                             \
    X(FEED_MAX, feed_max, INT)                                                                               \
    X(UNTIL, until_batch, INT)                                                                               \
    X(SEEN, seen_ms, INT)                                                                                    \
    X(CREATED, created_ms, INT)
#define ROUTE_COLUMNS(X) X(BATCH, batch, INT) X(PLACE, place, INT) X(NAME, name, TEXT)
/* How a batch is a stage of a graph, see wire/stage_msg.h. */
#define STAGE_COLUMNS(X)                                                                                     \
    X(BATCH, batch, INT)                                                                                     \
    X(ACTIVE, active, INT) /* 1 while something is to be done for it, else NULL */                           \
    X(GRAPH, graph, INT)   /* the number of its first batch */                                               \
    X(REV, rev, INT)                                                                                         \
    X(KIND, kind, INT)                                                                                       \
    X(SOURCE, source, INT)                                                                                   \
    X(AFTER, after_batches, TEXT)                                                                            \
    X(FILE, file, TEXT)                                                                                      \
    X(FAN_IN, fan_in, INT)                                                                                   \
    X(FAILED, on_failed, INT)                                                                                \
    X(SEQ, next_seq, INT)                                                                                    \
    X(LINE, next_line, INT)                                                                                  \
    X(TOTAL, total, INT)                                                                                     \
    X(WHY, why, TEXT)
/* Which unit has the answer to a question (server/reuse.h). */
#define ANSWERED_COLUMNS(X) X(QUESTION, question, BLOB) X(UNIT, unit, INT)
#define SCHEDULE_COLUMNS(X)                                                                                  \
    X(ID, id, INT)                                                                                           \
    X(DUE, due_ms, INT) /* when it is to be looked at; NULL: never */                                        \
    X(USER, user_id, INT)                                                                                    \
    X(REV, rev, INT)                                                                                         \
    X(CRON, cron, TEXT)                                                                                      \
    X(NEXT, next_ms, INT)                                                                                    \
    X(PAUSED, paused, INT)                                                                                   \
    X(BODY, body, TEXT)                                                                                      \
    X(CREATED, created_ms, INT)                                                                              \
    X(LAST, last_ms, INT)                                                                                    \
    X(BATCH, last_batch, INT)                                                                                \
    X(WHY, why, TEXT)
/* Servers that work on this data now (server/members.h), one row for each. */
#define MEMBER_COLUMNS(X)                                                                                    \
    X(ID, id, INT)         /* 1 to MEMBERS_MAX: a place that is free again when its server has gone */       \
    X(JOINED, joined, INT) /* another number for each server that ever was */                                \
    X(BEAT, beat, INT)     /* grows while it lives */                                                        \
    X(KNOWS, knows, INT)   /* the highest `joined` that it has seen and reckons with */                      \
    X(WALL, wall_ms, INT)  /* its clock at the last beat */                                                  \
    X(PLACE, place, TEXT)  /* its machine and data folder */                                                 \
    X(NEWS, news, INT)     /* how many numbers it ever put into `told` */                                    \
    X(TOLD, told, TEXT)    /* the last of them */                                                            \
    X(SCHEMA, schema, INT) /* STORE_SCHEMA_VERSION of its program; nothing: 3 */
/* What one server does and no other: see enum claim_kind. */
#define CLAIM_COLUMNS(X) X(KIND, kind, INT) X(SUBJECT, subject, INT) X(OWNER, owner, INT)
/* What hosts answered, one row for each answer of a unit: the keys come in the order in which units are
 * handed out, so that few pages are written. DIGEST: the answer's name. */
#define ANSWER_COLUMNS(X)                                                                                    \
    X(UNIT, unit, INT) X(DIGEST, digest, BLOB) X(BODY, body, BLOB) /* server/answer_row.h */
/* Manifests and outputs of answers, as they were kept before version 4. */
#define SMALL_COLUMNS(X) X(BATCH, batch, INT) X(DIGEST, digest, BLOB) X(BYTES, bytes, BLOB)
#define OUTBOX_COLUMNS(X)                                                                                    \
    X(ID, id, INT)                                                                                           \
    X(KIND, kind, INT)                                                                                       \
    X(SUBJECT, subject, INT)                                                                                 \
    X(BODY, body, TEXT)                                                                                      \
    X(TRIES, tries, INT)                                                                                     \
    X(DUE, due_ms, INT)
#define REPLAY_COLUMNS(X)                                                                                    \
    X(OWNER, owner, TEXT) X(NAME, name, TEXT) X(BODY, body, BLOB) X(RESULT, result, BLOB) X(AT, at_ms, INT)
#define AUDIT_COLUMNS(X)                                                                                     \
    X(SEQ, seq, INT)                                                                                         \
    X(AT, at_ms, INT)                                                                                        \
    X(USER, user_id, INT)                                                                                    \
    X(ACTION, action, TEXT)                                                                                  \
    X(SUBJECT, subject, TEXT)                                                                                \
    X(DETAIL, detail, TEXT)                                                                                  \
    X(CHAIN, chain, BLOB)
/* Files in an object store, and who holds them; see server/store_blob.h. */
#define FAR_COLUMNS(X)                                                                                       \
    X(DIGEST, digest, BLOB)                                                                                  \
    X(BYTES, bytes, INT)                                                                                     \
    X(STATE, state, INT)  /* enum store_blob_state */                                                        \
    X(LOOK, look_ms, INT) /* nobody may hold it: to be looked at from then on; NULL: somebody does */
#define HOLD_COLUMNS(X)                                                                                      \
    X(HOLDER, holder, TEXT)                                                                                  \
    X(DIGEST, digest, BLOB)                                                                                  \
    X(BYTES, bytes, INT)                                                                                     \
    X(SINCE, since_ms, INT) /* of what a host holds: since when; else NULL */
#define ARCHIVE_COLUMNS(X)                                                                                   \
    X(BATCH, batch, INT) X(FILE, file, BLOB) X(BYTES, bytes, INT) X(UNITS, units, INT) X(MADE, made_ms, INT)
#define SETTING_COLUMNS(X) X(NAME, name, TEXT) X(VALUE, value, TEXT)
#define NUMBER_COLUMNS(X)  X(NAME, name, TEXT) X(VALUE, value, INT) /* the last id given of each kind */
/* Sums of the whole project in the order of PROJECT_COUNT_LIST after these; one row for each server. */
#define PROJECT_COLUMNS(X) X(ID, id, INT) X(CREDIT, credit, INT)

/* (clang-format takes such a list apart, one place further at every run.) */
/* clang-format off */
#define SCHEMA_TABLES(X)                                                                                     \
    X(UNIT) X(CHUNK) X(LEASE) X(BATCH) X(HOST) X(HOST_STAT) X(VOLUNTEER) X(ACCOUNT) X(TOKEN) X(INVITATION)   \
    X(RELEASE) X(NOTE) X(FAILURE) X(DELIVERY) X(STREAM) X(SMALL) X(OUTBOX) X(REPLAY) X(AUDIT) X(SETTING)     \
    X(NUMBER) X(NAMED) X(RECORD) X(CURSOR) X(ROUTE) X(TRUST) X(ESCROW)                       \
    X(STAGE) X(SCHEDULE) X(ANSWERED) X(FAR) X(HOLD) X(ARCHIVE) X(CREDENTIAL) X(APP_VERSION) X(MEMBER)   \
    X(CLAIM) X(ANSWER)
/* clang-format on */

#define SCHEMA_COLUMN_UNIT(N, n, k)        UNIT_##N,
#define SCHEMA_COLUMN_CHUNK(N, n, k)       CHUNK_##N,
#define SCHEMA_COLUMN_LEASE(N, n, k)       LEASE_##N,
#define SCHEMA_COLUMN_TRUST(N, n, k)       TRUST_##N,
#define SCHEMA_COLUMN_ESCROW(N, n, k)      ESCROW_##N,
#define SCHEMA_COLUMN_BATCH(N, n, k)       BATCH_##N,
#define SCHEMA_COLUMN_BATCH_LIVE(N, n, k)  BATCH_LIVE_##N,
#define SCHEMA_COLUMN_HOST(N, n, k)        HOST_##N,
#define SCHEMA_COLUMN_HOST_STAT(N, n, k)   HOST_STAT_##N,
#define SCHEMA_COLUMN_VOLUNTEER(N, n, k)   VOLUNTEER_##N,
#define SCHEMA_COLUMN_ACCOUNT(N, n, k)     ACCOUNT_##N,
#define SCHEMA_COLUMN_TOKEN(N, n, k)       TOKEN_##N,
#define SCHEMA_COLUMN_INVITATION(N, n, k)  INVITATION_##N,
#define SCHEMA_COLUMN_RELEASE(N, n, k)     RELEASE_##N,
#define SCHEMA_COLUMN_NOTE(N, n, k)        NOTE_##N,
#define SCHEMA_COLUMN_FAILURE(N, n, k)     FAILURE_##N,
#define SCHEMA_COLUMN_DELIVERY(N, n, k)    DELIVERY_##N,
#define SCHEMA_COLUMN_STREAM(N, n, k)      STREAM_##N,
#define SCHEMA_COLUMN_SMALL(N, n, k)       SMALL_##N,
#define SCHEMA_COLUMN_OUTBOX(N, n, k)      OUTBOX_##N,
#define SCHEMA_COLUMN_REPLAY(N, n, k)      REPLAY_##N,
#define SCHEMA_COLUMN_AUDIT(N, n, k)       AUDIT_##N,
#define SCHEMA_COLUMN_SETTING(N, n, k)     SETTING_##N,
#define SCHEMA_COLUMN_NUMBER(N, n, k)      NUMBER_##N,
#define SCHEMA_COLUMN_PROJECT(N, n, k)     PROJECT_##N,
#define SCHEMA_COLUMN_NAMED(N, n, k)       NAMED_##N,
#define SCHEMA_COLUMN_RECORD(N, n, k)      RECORD_##N,
#define SCHEMA_COLUMN_CURSOR(N, n, k)      CURSOR_##N,
#define SCHEMA_COLUMN_ROUTE(N, n, k)       ROUTE_##N,
#define SCHEMA_COLUMN_STAGE(N, n, k)       STAGE_##N,
#define SCHEMA_COLUMN_SCHEDULE(N, n, k)    SCHEDULE_##N,
#define SCHEMA_COLUMN_ANSWERED(N, n, k)    ANSWERED_##N,
#define SCHEMA_COLUMN_FAR(N, n, k)         FAR_##N,
#define SCHEMA_COLUMN_HOLD(N, n, k)        HOLD_##N,
#define SCHEMA_COLUMN_ARCHIVE(N, n, k)     ARCHIVE_##N,
#define SCHEMA_COLUMN_CREDENTIAL(N, n, k)  CREDENTIAL_##N,
#define SCHEMA_COLUMN_APP_VERSION(N, n, k) APP_VERSION_##N,
#define SCHEMA_COLUMN_MEMBER(N, n, k)      MEMBER_##N,
#define SCHEMA_COLUMN_CLAIM(N, n, k)       CLAIM_##N,
#define SCHEMA_COLUMN_ANSWER(N, n, k)      ANSWER_##N,

#define X(T) enum { T##_COLUMNS(SCHEMA_COLUMN_##T) T##_COLUMN_COUNT };
SCHEMA_TABLES(X)
#undef X
enum {
    BATCH_LIVE_COLUMNS(SCHEMA_COLUMN_BATCH_LIVE) BATCH_LIVE_COUNTS,
#define X(name) BATCH_LIVE_COUNT_##name,
    BATCH_LIVE_LAST_FIXED = BATCH_LIVE_COUNTS - 1,
    BATCH_COUNT_LIST(X)
#undef X
        BATCH_LIVE_COLUMN_COUNT
};
enum {
    PROJECT_COLUMNS(SCHEMA_COLUMN_PROJECT) PROJECT_COUNTS,
    PROJECT_LAST_FIXED = PROJECT_COUNTS - 1,
#define X(name) PROJECT_COUNT_##name,
    PROJECT_COUNT_LIST(X)
#undef X
        PROJECT_COLUMN_COUNT
};

enum { UNIT_BY_READY, UNIT_BY_WAKE, UNIT_BY_FAILED };
enum { BATCH_BY_ORDER, BATCH_BY_USER };
enum { BATCH_LIVE_BY_ACTIVE };
enum { HOST_BY_VOLUNTEER };
enum { NOTE_BY_HOST };
enum { ACCOUNT_BY_NAME };
enum { TOKEN_BY_OWNER };
enum { INVITATION_BY_SECRET };
enum { RELEASE_BY_DIGEST, RELEASE_BY_APP };
enum { OUTBOX_BY_KIND };
enum { REPLAY_BY_AT };
enum { NAMED_BY_NAME };
enum { CURSOR_BY_BATCH };
enum { STAGE_BY_ACTIVE, STAGE_BY_GRAPH };
enum { SCHEDULE_BY_DUE };
enum { FAR_BY_LOOK };
enum { HOLD_BY_DIGEST, HOLD_BY_SINCE };
enum { CREDENTIAL_BY_USER, CREDENTIAL_BY_HANDLE };
enum { CLAIM_BY_OWNER };

extern const struct db_table schema_unit, schema_chunk, schema_lease, schema_batch, schema_batch_live,
    schema_host, schema_host_stat, schema_volunteer, schema_account, schema_token, schema_invitation,
    schema_release, schema_note, schema_failure, schema_delivery, schema_stream, schema_small, schema_outbox,
    schema_replay, schema_audit, schema_setting, schema_number, schema_project, schema_named, schema_record,
    schema_cursor, schema_route, schema_trust, schema_escrow, schema_stage, schema_schedule, schema_answered,
    schema_far, schema_hold, schema_archive, schema_credential, schema_app_version, schema_member,
    schema_claim, schema_answer;

/* The tables that this program's version has, in the order in which they came; NULL past the last. */
const struct db_table *schema_table(uint32_t i);
/* ERR_UNSUPPORTED for data newer than this program. */
enum err schema_version(struct db *db, uint32_t *ret_version) NODISCARD;
/* Brings the data to a version, one step and one transaction at a time, up or down. */
enum err schema_migrate(struct db *db, uint32_t version) NODISCARD;

#endif
