/* batch_msg.h - what a scientist submits: POST /v1/batches and the lines of its units, PROTOCOL.md section 7.
 */
#ifndef WIRE_BATCH_MSG_H
#define WIRE_BATCH_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/order.h"
#include "wire/stage_msg.h"

#define LABELS_MAX 32

/* How an answer becomes true. X(name, word) */
#define BATCH_POLICY_LIST(X)                                                                                 \
    X(DEFAULT, "default")   /* adaptive, or a quorum where min_quorum is given */                            \
    X(ONCE, "once")         /* what any host says is believed: for hosts that are all one's own */           \
    X(QUORUM, "quorum")     /* so many equal answers of different owners */                                  \
    X(ADAPTIVE, "adaptive") /* new hosts are confirmed, trusted ones now and then, the rest waits */         \
    X(AUDIT, "audit")       /* other hosts recompute some items of every answer */                           \
    X(CHECKER, "checker")   /* the app's own verify program looks at each answer */
enum batch_policy {
#define X(name, word) BATCH_POLICY_##name,
    BATCH_POLICY_LIST(X)
#undef X
        BATCH_POLICIES
};
const char *batch_policy_name(enum batch_policy p);
/* BATCH_POLICIES for a word that is none. */
enum batch_policy batch_policy_from_name(const char *word);

/* What may befall an attempt, as far as trying again goes: rules/wu.h says what each means. X(name, word) */
#define BATCH_CAUSE_LIST(X)                                                                                  \
    X(PROGRAM, "program") X(LIMIT, "limit") X(HOST, "host") X(LOST, "lost") X(WRONG, "wrong")
enum batch_cause {
#define X(name, word) BATCH_CAUSE_##name,
    BATCH_CAUSE_LIST(X)
#undef X
        BATCH_CAUSES
};
#define BATCH_RETRY_WAIT_MS_MAX INT64_C(86400000)

/* BOINC's names for what rules/wu.h calls struct wu_rules; 0: not set. */
struct batch_retry { /* of failures of one cause, as struct wu_retry (rules/wu.h) */
    int64_t wait_ms;
    int32_t most; /* negative: not given */
};

struct batch_rules {
    uint32_t min_quorum, target_attempts, max_error_attempts, max_total_attempts, max_success_attempts;
    int64_t deadline_ms;
    bool has_max_error_attempts; /* 0 is a value for it */
    enum batch_policy policy;
    /* adaptive and audit; negative: not given */
    int64_t probation, escrow_units, hold_ms;
    double audit_share, audit_floor;
    struct batch_retry retry[BATCH_CAUSES];
};
#define BATCH_RULES_NOT_GIVEN                                                                                \
    {                                                                                                        \
        .probation = -1, .escrow_units = -1, .hold_ms = -1, .audit_share = -1, .audit_floor = -1, .retry = { \
            {0, -1},                                                                                         \
            {0, -1},                                                                                         \
            {0, -1},                                                                                         \
            {0, -1},                                                                                         \
            {0, -1}                                                                                          \
        }                                                                                                    \
    }
/* Reads "10s", "10s:2" or ":0": how long before the next try, how many tries more. name: program, limit,
 * host, lost, wrong. */
enum err batch_retry_parse(struct batch_rules *r, const char *name, const char *value) NODISCARD;

struct batch_request {
    const char *app, *name; /* name may be NULL */
    uint32_t version;       /* 0: the newest */
    const char **command;
    uint32_t command_count;
    struct file_ref *inputs;
    uint32_t input_count;
    const char *stdin_path;
    struct wu_limits limits;
    struct variable *env;
    uint32_t env_count;
    int32_t priority;
    bool reuse; /* units that were answered before take that answer; answers are remembered for later batches
                 */
    struct variable *labels;
    uint32_t label_count;
    struct batch_rules rules;
    const char *policy; /* JSON text of the policy object; NULL: none */
    bool has_array;
    int64_t first, last, step;
    /* Streams that its answers go to; and the one (NULL: none) whose records become its units: as many as
     * from_max (0: all), until the batch until_batch (0: none) has finished. */
    const char **streams;
    uint32_t stream_count;
    const char *from_stream;
    uint64_t from_max;
    uint32_t until_batch;
    struct stage_request stage; /* of a graph */
};

/* One line of POST /v1/batches/B/units. */
struct unit_line {
    struct variable *vars;
    uint32_t var_count;
    struct file_ref *inputs;
    uint32_t input_count;
    struct file_ref *known; /* the outputs of the right answer, where it is known; 0: it is not */
    uint32_t known_count;
};

enum err batch_request_write(const struct batch_request *r, struct buf *out) NODISCARD;
enum err batch_request_parse(const char *body, size_t len, struct arena *a,
                             struct batch_request *ret) NODISCARD;
/* How many units an array makes; 0 for one that is empty or over BATCH_UNITS_MAX. */
uint64_t batch_array_count(int64_t first, int64_t last, int64_t step);
enum err unit_line_write(const struct unit_line *u, struct buf *out) NODISCARD; /* without the newline */
enum err unit_line_parse(const char *line, size_t len, struct arena *a, struct unit_line *ret) NODISCARD;

#endif
