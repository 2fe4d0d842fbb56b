/* provenance.h - fetching how a batch came to its answers, page by page into a file. */
#ifndef CLI_PROVENANCE_H
#define CLI_PROVENANCE_H

#include "base/buf.h"
#include "client/cli/cli.h"

/* The first line of such a file and of a receipt: the project's own statements and keys. */
enum err provenance_project(struct cli *c, struct buf *out) NODISCARD;
/* Whole or not at all; path NULL: to standard output. ERR_CONFLICT when the batch is not done. */
enum err provenance_save(struct cli *c, uint64_t batch, const char *path) NODISCARD;

#endif
