/* archive.h - batches that ended long ago leave the database: each becomes one file of gzipped lines of JSON,
 * a blob that the batch holds, and its units' rows go. First it is frozen, so that nothing of it changes any
 * more; then the file is written and durable; then the rows leave in slices (engine_batch_do.c). Killed
 * anywhere between, the next look goes on.
 *
 * Lines: the batch as GET /v1/batches/B has it, one for each unit as GET /v1/units/U has it with small
 * outputs in full, {"units":N,"sha256":"..."} over all lines before. */
#ifndef SERVER_ARCHIVE_H
#define SERVER_ARCHIVE_H

#include "base/err.h"
#include "server/store.h"

struct archiver;
struct server;

enum err archiver_start(struct server *server, struct store *store, struct archiver **ret_archiver) NODISCARD;
void archiver_stop(struct archiver *a); /* NULL is fine */

#endif
