/* store_stage.h - the stages of graphs: which batch waits for which, and how far its units are made. Reading
 * is as in store.h, writing as in store_set.h. */
#ifndef SERVER_STORE_STAGE_H
#define SERVER_STORE_STAGE_H

#include "server/store_set.h"
#include "wire/stage_msg.h"

struct store_stage {
    uint32_t batch;
    uint32_t graph; /* the number of its first batch */
    uint32_t rev;
    bool active; /* something is still to be done for it */
    enum stage_kind kind;
    uint32_t source;
    const char *after; /* batch numbers with a blank between */
    const char *file;  /* "": all */
    uint32_t fan_in;
    enum stage_failed failed;
    uint64_t next_seq;  /* deliveries of the source up to this one became units */
    uint32_t next_line; /* and so many lines of the one after it */
    uint32_t total;     /* REDUCE: answers that it takes, known once it has begun */
    const char *why;    /* it waits, or ended; "": nothing to tell */
};

enum err store_stage_get(struct store *s, struct arena *a, uint32_t batch, struct store_stage *ret) NODISCARD;
/* Those that are active, by batch; or those of a graph. */
enum err store_stage_active(struct store *s, struct arena *a, uint32_t after, uint32_t limit,
                            struct store_stage **ret, uint32_t *ret_count) NODISCARD;
enum err store_stage_list(struct store *s, struct arena *a, uint32_t graph, uint32_t limit,
                          struct store_stage **ret, uint32_t *ret_count) NODISCARD;

void store_set_stage_new(struct store_set *set, const struct store_stage *st);
/* What changes of it: active, next_seq, next_line, total, why; rev is what was read. */
void store_set_stage(struct store_set *set, const struct store_stage *st);

#endif
