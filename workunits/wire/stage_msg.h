/* stage_msg.h - how a batch is a stage of a graph: the object "stage" of POST /v1/batches, PROTOCOL.md
 * section 7.
 */
#ifndef WIRE_STAGE_MSG_H
#define WIRE_STAGE_MSG_H

#include "wire/parts.h"

#define STAGE_AFTER_MAX       32
#define STAGE_FAN_IN_MAX      60 /* with room for inputs of the batch below WU_INPUTS_MAX */
#define STAGE_FAN_IN_DEFAULT  32
#define STAGE_LINES_BYTES_MAX (16u << 20) /* a file of lines that become units */

/* Where its units come from. X(NAME, word) */
#define STAGE_KIND_LIST(X)                                                                                   \
    X(OWN, "own")       /* from who submits it, as ever */                                                   \
    X(EACH, "each")     /* one for each answer of another stage */                                           \
    X(LINES, "lines")   /* one for each line of a file in those answers */                                   \
    X(REDUCE, "reduce") /* few, that take all answers of it, see rules/graph.h */
enum stage_kind {
#define X(name, word) STAGE_##name,
    STAGE_KIND_LIST(X)
#undef X
        STAGE_KINDS
};
const char *stage_kind_name(enum stage_kind k);

/* When units that it needs have failed. X(NAME, word) */
#define STAGE_FAILED_LIST(X)                                                                                 \
    X(WAIT, "wait") /* it stays open until they are retried; the rest goes on */                             \
    X(FAIL, "fail") /* it ends, and says so; of EACH and LINES what could be made goes on */                 \
    X(SKIP, "skip") /* it goes on without them */
enum stage_failed {
#define X(name, word) STAGE_FAILED_##name,
    STAGE_FAILED_LIST(X)
#undef X
        STAGE_FAILEDS
};
const char *stage_failed_name(enum stage_failed f);

struct stage_request {
    bool given;
    uint32_t graph; /* a batch of the graph that it joins; 0: that of the stages it needs, or a new one */
    uint32_t after[STAGE_AFTER_MAX]; /* batches that must be done before */
    uint32_t after_count;
    enum stage_kind kind;
    uint32_t source;  /* whose answers it takes; 0 with OWN */
    const char *file; /* that output alone; needed with LINES; NULL: all */
    uint32_t fan_in;
    enum stage_failed failed;
};

void stage_write(struct json_out *o, const struct stage_request *s); /* nothing when it is not given */
enum err stage_read(const struct json *root, struct arena *a, struct stage_request *ret) NODISCARD;

#endif
