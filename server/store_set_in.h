/* store_set_in.h - what store_set.c collects and store_flush.c writes. */
#ifndef SERVER_STORE_SET_IN_H
#define SERVER_STORE_SET_IN_H

#include "server/db.h"
#include "server/store_set.h"

/* What is written, in the order of the flush. Rows that several servers fight for come last, so that their
 * locks are held shortly: counters, then the streams, the outbox and the audit log. */
enum write_kind {
    UNIT_NEW,
    UNIT_PLAIN, /* + 1: ready and failed too, + 2: wake too */
    UNIT_SET_READY,
    UNIT_SET_WAKE,
    UNIT_SET_BOTH,
    CHUNK_PUT,
    LEASE_NEW,
    LEASE_PUT,
    LEASE_END,
    TRUST_NEW,
    TRUST_MOVE,
    ESCROW_PUT,
    ESCROW_END,
    NOTE_PUT,
    ANSWER_NEW,
    SMALL_NEW,
    UNIT_END,
    NOTE_END,
    ANSWER_END,
    SMALL_END,
    DELIVERY_END,
    ARCHIVE_NEW,
    BATCH_NEW,
    BATCH_CHANGE,
    BATCH_LIVE_NEW,
    BATCH_LIVE_SET,
    HOST_NEW,
    HOST_TELL, /* what it says of itself */
    HOST_FLAG,
    VOLUNTEER_NEW,
    ACCOUNT_NEW,
    ACCOUNT_PUT,
    TOKEN_PUT,
    CREDENTIAL_NEW,
    CREDENTIAL_USE,
    CREDENTIAL_END,
    APP_VERSION_PUT,
    INVITATION_PUT,
    RELEASE_NEW,
    RELEASE_RETIRE,
    OUTBOX_END,
    OUTBOX_AGAIN,
    REPLAY_NEW,
    REPLAY_END,
    SETTING_PUT,
    FAILURE_ADD,
    HOST_STAT_ADD,
    VOLUNTEER_ADD,
    ACCOUNT_ADD,
    /* From here on rows that every turn of every server wants, and has until its end: last. */
    APP_VERSION_ADD,
    BATCH_COUNT_ADD,
    PROJECT_ADD,
    STREAM_NEW,
    STREAM_PAUSE,
    STREAM_GONE,
    STREAM_PURGE,
    STREAM_END,
    CURSOR_NEW,
    CURSOR_MOVE,
    CURSOR_END,
    ROUTE_NEW,
    STAGE_NEW,
    STAGE_MOVE,
    SCHEDULE_NEW,
    SCHEDULE_MOVE,
    SCHEDULE_END,
    ANSWERED_NEW,
    ANSWERED_END,
    MEMBER_NEW,
    MEMBER_ALIVE,
    MEMBER_END,
    CLAIM_NEW,
    CLAIM_END,
    RECORD_END,
    RECORD_NEW,   /* numbered at the flush */
    DELIVERY_NEW, /* numbered at the flush */
    OUTBOX_NEW,   /* numbered at the flush */
    AUDIT_NEW,    /* numbered and chained at the flush */
    WRITE_KINDS
};

struct rows {
    struct db_value *values;
    uint32_t count, room; /* in rows */
};

struct store_set {
    bool failed; /* out of memory */
    struct rows rows[WRITE_KINDS];
    uint32_t changed[WRITE_KINDS];           /* by the last flush */
    struct digest *chains;                   /* of the audit entries of a flush */
    struct db_value nowhere[DB_COLUMNS_MAX]; /* where rows go when there is no memory for them */
};

/* A new row of a kind, for files beside store_set.c: never NULL. */
struct db_value *store_set_row(struct store_set *set, enum write_kind k);

/* How each kind is written; its columns are the values of a row, in this order. */
extern const struct db_write store_writes[WRITE_KINDS];

#endif
