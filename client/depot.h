/* depot.h - files that are named by their digest and may be needed again: inputs, orders, release statements,
 * and bundles as the folders they unpack to. Bounded: what was not used for longest goes first, except what
 * is held. A download goes on where it stopped, over restarts too.
 *
 * FOLDER/files/DIGEST, FOLDER/releases/DIGEST (the envelope; the digest is that of the statement in it),
 * FOLDER/apps/DIGEST/..., FOLDER/parts/DIGEST. Content is checked when it comes in, and once more when it is
 * copied out. */
#ifndef CLIENT_DEPOT_H
#define CLIENT_DEPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define DEPOT_ENTRIES_MAX 100000
#define DEPOT_PATH_BYTES  4096

enum depot_kind { DEPOT_FILE, DEPOT_RELEASE, DEPOT_APP, DEPOT_KINDS };

struct depot;
/* Reads what is there; removes what a crash left half made. */
enum err depot_open(const char *folder, uint64_t bytes_max, struct depot **ret) NODISCARD;
void depot_close(struct depot *c);
void depot_set_bytes_max(struct depot *c, uint64_t bytes_max);

/* It is there; counts as a use. */
bool depot_has(struct depot *c, enum depot_kind kind, const struct digest *d);
/* Held things stay; what is not there cannot be held (false). Each hold wants one depot_release(). */
bool depot_hold(struct depot *c, enum depot_kind kind, const struct digest *d);
void depot_release(struct depot *c, enum depot_kind kind, const struct digest *d);
/* Where it is, also before it is there; ret has DEPOT_PATH_BYTES. */
void depot_path(const struct depot *c, enum depot_kind kind, const struct digest *d, char *ret);

/* Opens what has come of a download so far, for writing from *ret_have on. Room for bytes is made first:
 * ERR_FULL when there is none. */
enum err depot_part_open(struct depot *c, const struct digest *d, uint64_t bytes, int *ret_fd,
                         uint64_t *ret_have) NODISCARD;
/* The part is whole: checks its length and digest and takes it in. ERR_UNTRUSTED, and the part is gone, when
 * it is something else. */
enum err depot_part_take(struct depot *c, const struct digest *d, uint64_t bytes) NODISCARD;
void depot_part_drop(struct depot *c, const struct digest *d);
/* Small things that came as a whole and were checked by the caller. */
enum err depot_put(struct depot *c, enum depot_kind kind, const struct digest *d, const void *bytes,
                   size_t len) NODISCARD;
/* The bundle is there as a file: unpacks it, durably, and drops the file. ERR_CORRUPT: it is not what it was,
 * and dropped. */
enum err depot_unpack(struct depot *c, const struct digest *bundle) NODISCARD;
/* A small one's content. */
enum err depot_read(struct depot *c, enum depot_kind kind, const struct digest *d, size_t bytes_max,
                    struct buf *out) NODISCARD;
/* Makes a new file at `to` and checks the digest of what was copied: ERR_CORRUPT, and it is not there any
 * more, when the disk has changed it. */
enum err depot_copy(struct depot *c, const struct digest *d, const char *to) NODISCARD;
void depot_drop(struct depot *c, enum depot_kind kind, const struct digest *d);

uint64_t depot_bytes(const struct depot *c);
/* The apps and files that were used last, newest first; returns how many. */
uint32_t depot_recent(const struct depot *c, struct digest *ret, uint32_t most);

#endif
