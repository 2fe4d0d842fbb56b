/* store_schedule.h - batches that are submitted later, or again and again. Reading is as in store.h, writing
 * as in store_set.h. */
#ifndef SERVER_STORE_SCHEDULE_H
#define SERVER_STORE_SCHEDULE_H

#include "server/store_set.h"

struct store_schedule {
    uint64_t id, user_id;
    uint32_t rev;
    const char *cron; /* rules/cron.h; "": once */
    int64_t next_ms;  /* 0: never again */
    bool paused;
    struct text body; /* of POST /v1/batches; empty in lists */
    int64_t created_ms;
    int64_t last_ms;     /* when it was to fire last; 0: not yet */
    uint32_t last_batch; /* what that gave; 0: nothing */
    const char *why;     /* and why it gave nothing; "": it did */
};

enum err store_schedule_get(struct store *s, struct arena *a, uint64_t id,
                            struct store_schedule *ret) NODISCARD;
enum err store_schedule_list(struct store *s, struct arena *a, uint64_t after, uint32_t limit,
                             struct store_schedule **ret, uint32_t *ret_count) NODISCARD; /* by id */
/* Those that are not paused and due by now, the longest due first. */
enum err store_schedule_due(struct store *s, struct arena *a, int64_t now_ms, uint32_t limit,
                            struct store_schedule **ret, uint32_t *ret_count) NODISCARD;

void store_set_schedule_new(struct store_set *set, const struct store_schedule *c);
/* What changes of it: next_ms, paused, last_ms, last_batch, why; rev is what was read. */
void store_set_schedule(struct store_set *set, const struct store_schedule *c);
void store_set_schedule_end(struct store_set *set, uint64_t id);

#endif
