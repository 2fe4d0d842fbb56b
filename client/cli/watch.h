/* watch.h - following a batch until it is done. */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdint.h>

#include "client/cli/cli.h"

/* A bar on a terminal, lines elsewhere; with --json one status a line. Sets c->status when units have failed
 * or the batch was cancelled. Returns ERR_TIMEOUT after timeout_ms, 0: never. aside: standard output is
 * another command's, so how it ended is a remark. */
enum err watch_batch(struct cli *c, const char *batch, int64_t timeout_ms, bool aside) NODISCARD;

#endif
