/* sweep.h - what has to be done now and then: broken-off uploads, certificates read again, warnings of what
 * will end soon. */
#ifndef SERVER_SWEEP_H
#define SERVER_SWEEP_H

#include <stdint.h>

#include "base/err.h"
#include "server/blob.h"

struct sweep;

struct sweep_config {
    struct blobs *blobs;
    int64_t upload_kept_ms;
    int64_t certificate_ends_ms, root_ends_ms;
};

enum err sweep_start(const struct sweep_config *config, struct sweep **ret_sweep) NODISCARD;
void sweep_stop(struct sweep *s); /* NULL is fine */

#endif
