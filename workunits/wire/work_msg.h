/* work_msg.h - POST /v1/work, both ways, PROTOCOL.md section 4. The hot path: requests and replies are
 * written as streams; what is parsed points into the document or the arena, which must outlive it. */
#ifndef WIRE_WORK_MSG_H
#define WIRE_WORK_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/limits.h"
#include "wire/envelope.h"
#include "wire/parts.h"
#include "wire/release.h"

/* What a host says of itself: what may be used, not what is built in. */
struct host_facts {
    const char *platform, *os, *client;
    const char *cpu, *app_class; /* may be NULL */
    uint32_t cores;
    uint64_t memory_bytes, disk_bytes;
    const char **features;
    uint32_t feature_count;
    double speed; /* in units of the reference machine; 0: not measured */
};

struct report_output {
    struct file_ref file;
    bool has_data;
    const char *data; /* the bytes, when has_data */
    size_t data_len;  /* equals file.bytes; its digest is checked by the parser */
};

struct report {
    struct attempt_ref id;
    const char *outcome; /* "ok" or a word of ATTEMPT_ERROR_LIST */
    struct report_output *outputs;
    uint32_t output_count;
    bool has_exit_code, has_signal;
    int64_t exit_code, signal;
    const char *message, *stderr_tail, *stdout_tail; /* may be NULL */
    int64_t cpu_ms, wall_ms;
    uint64_t memory_bytes;
    bool has_release;
    struct digest release;
};

struct work_want {
    double seconds;
    uint32_t cores, units_max;
    struct digest *cached;
    uint32_t cached_count;
};

struct work_request {
    struct report *reports;
    uint32_t report_count;
    bool held_given;
    struct attempt_ref *held;
    uint32_t held_count;
    struct attempt_ref *renew;
    uint32_t renew_count;
    bool has_host, has_want, leaving;
    struct host_facts host;
    struct work_want want;
    uint32_t wait_ms; /* when there is nothing for it, it waits so long for something; 0: it does not */
};

struct work_ack {
    struct attempt_ref id;
    const char *code; /* "ok" or an error word */
    const char *message;
};

struct work_unit {
    struct attempt_ref id;
    int64_t deadline_ms;
    const char *spec; /* NULL: only the deadline was renewed, nothing below is set */
    size_t spec_len;
    const char *chunk; /* name within the reply's chunks */
    uint32_t index;    /* of the unit within its chunk */
    struct digest *path;
    uint32_t path_len;
    struct digest release, bundle;
    const char *audit; /* which items to recompute (items.h); NULL: the whole unit */
};

struct work_chunk {
    const char *name;
    const char *envelope; /* JSON text of the envelope */
    size_t envelope_len;
};

struct work_reply {
    struct work_ack *acks;
    uint32_t ack_count;
    struct attempt_ref *recall;
    uint32_t recall_count;
    struct work_unit *units;
    uint32_t unit_count;
    struct work_chunk *chunks;
    uint32_t chunk_count;
    const char *reason_code, *reason_message; /* NULL when there is none */
    int64_t next_contact_ms;
    uint32_t wait_ms; /* the next request may wait so long; 0: the server takes no such request now */
    const char **messages;
    uint32_t message_count;
};

enum err host_facts_read(const struct json *obj, const char *where, struct arena *a,
                         struct host_facts *ret) NODISCARD;
void host_facts_write(struct json_out *o, const char *key, const struct host_facts *h);

enum err work_request_write(const struct work_request *r, struct buf *out) NODISCARD;
/* Strict. Texts of ret live in the arena. Inline data is decoded and its length and digest are checked. */
enum err work_request_parse(const char *body, size_t len, struct arena *a,
                            struct work_request *ret) NODISCARD;
enum err work_reply_write(const struct work_reply *r, struct buf *out) NODISCARD;
/* Open: unknown fields are ignored. */
enum err work_reply_parse(const char *body, size_t len, struct arena *a, struct work_reply *ret) NODISCARD;

#endif
