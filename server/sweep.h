/* sweep.h - what has to be done now and then: broken-off uploads, warnings of what will end soon. */
#ifndef SERVER_SWEEP_H
#define SERVER_SWEEP_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "server/blob.h"

struct sweep;

struct sweep_config {
    struct blobs *blobs;
    int64_t upload_kept_ms;
    const atomic_llong *certificate_ends_ms; /* outlives the sweeper */
    int64_t root_ends_ms;
};

enum err sweep_start(const struct sweep_config *config, struct sweep **ret_sweep) NODISCARD;
void sweep_stop(struct sweep *s); /* NULL is fine */

#endif
