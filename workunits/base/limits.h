/* limits.h - every maximum, with its unit in its name. What grows beyond one of these is refused with
 * ERR_LIMIT and a sentence that names the limit. Wire limits are repeated in wire/PROTOCOL.md. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define ERR_TEXT_BYTES_MAX 1024
#define LOG_LINE_BYTES_MAX 4096

/* JSON of any origin. */
#define JSON_DEPTH_MAX            32
#define JSON_VALUES_MAX           262144 /* in one document: each takes up to 250 bytes of memory */
#define JSON_BODY_BYTES_MAX       (8u << 20)
#define JSON_BODY_SMALL_BYTES_MAX (64u << 10) /* Bodies of requests that carry no list. */

/* Names: apps, inputs, outputs, labels, streams. [a-z0-9][a-z0-9._-]* for names of ours. */
#define NAME_BYTES_MAX 64
#define PATH_BYTES_MAX 512

/* One work unit. */
#define ATTEMPTS_MAX          16
#define WU_ARGS_MAX           256         /* words of a command */
#define WU_SPEC_BYTES_MAX     (16u << 10) /* JSON of one unit */
#define WU_INPUTS_MAX         64
#define WU_OUTPUTS_MAX        64
#define STDERR_TAIL_BYTES_MAX 2048
#define INLINE_BYTES_MAX      4096 /* an output this small travels inside the report */

/* One batch. */
#define BATCH_UNITS_MAX       20000000u
#define BATCH_ORDER_BYTES_MAX (256u << 10)
#define CHUNK_UNITS_MAX       256u /* units under one signature, see wire/PROTOCOL.md */

/* One work request of a host. */
#define REPORTS_PER_REQUEST_MAX 200
#define LEASES_PER_REQUEST_MAX  200
#define HELD_PER_REQUEST_MAX    2000
#define CACHED_PER_REQUEST_MAX  256
#define WORK_WAIT_MS_MAX        60000 /* an idle host waits at the server for so long at most */

/* Named streams. */
#define STREAMS_MAX             1000
#define STREAM_RECORDS_MAX      50000000ull /* not purged; beyond it publishing is refused */
#define STREAM_KEPT_RECORDS     1000000ull  /* of those that every cursor has passed */
#define STREAM_KEPT_MS          (7ll * 86400000)
#define STREAM_CURSORS_MAX      64    /* of one stream */
#define STREAM_FLIGHT_MAX       20000 /* records of one cursor that are handed out and not acknowledged */
#define STREAM_LEASES_MAX       1024  /* in so many runs */
#define STREAM_LEASE_S_MAX      86400
#define RECORD_BYTES_MAX        (16u << 10)
#define RECORDS_PER_REQUEST_MAX 1000 /* published or read at once */
#define PUBLISH_BYTES_MAX       (2u << 20)
#define BATCH_STREAMS_MAX       8           /* that a batch names */
#define ANSWER_ROUTES_BYTES_MAX (64u << 10) /* the output `streams` of an answer */
#define ANSWER_ROUTES_MAX       4096        /* and its lines */

/* Bundles (signed app versions). */
#define BUNDLE_FILES_MAX   10000
#define BUNDLE_BYTES_MAX   (4ull << 30)
#define ENVELOPE_BYTES_MAX (1u << 20)
#define SIGNATURES_MAX     16
#define KEYS_MAX           64

/* Files. */
#define BLOB_BYTES_MAX   (64ull << 30)
#define CONFIG_BYTES_MAX (1u << 20)
#define WALK_DEPTH_MAX   128
#define WALK_ENTRIES_MAX 1000000

#endif
