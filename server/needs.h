/* needs.h - holds in the database's name: whatever a batch or schedule on record needs is held by it, also
 * where a server was killed between the two. To be called before users let go of what nobody holds. */
#ifndef SERVER_NEEDS_H
#define SERVER_NEEDS_H

#include "server/blob.h"
#include "server/store.h"
#include "wire/order.h"

/* Holds the files that are here; what is not is skipped: whoever needs it says so when it is used. */
enum err needs_hold_files(struct blobs *b, const char *holder, const struct file_ref *files,
                          uint32_t count) NODISCARD;
#define NEEDS_YOUNG_MS (2 * 86400000ll) /* what a killed server did not hold for is held within that */
/* Inputs of the schedules that are to fire ("s5"), of which those that are over or deleted are let go; and of
 * batches that are not purged ("i7") and were made since then. The store is a reader. */
enum err needs_hold(struct store *s, struct blobs *b, int64_t since_ms) NODISCARD;

#endif
