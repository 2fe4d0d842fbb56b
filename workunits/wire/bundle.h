/* bundle.h - the files of an app version as one uncompressed ustar archive (POSIX.1-1988) that any tar can
 * list: regular files and folders only, safe relative paths in byte order, modes 0644 and 0755, owner and
 * time zero. The same files give the same bytes. The reader takes nothing else: no links, no devices, no
 * surprises; what it refuses leaves nothing behind but the target folder. */
#ifndef WIRE_BUNDLE_H
#define WIRE_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct bundle_entry {
    const char *path;
    bool folder, executable;
    uint64_t bytes;
    uint64_t offset; /* of the content within the archive */
};

/* Packs all below `folder` into the new file `to`. Links are refused: the packer's caller resolves them.
 * ERR_LIMIT over BUNDLE_FILES_MAX, BUNDLE_BYTES_MAX or a path longer than ustar holds (255 bytes, 100 after
 * the last usable '/'). */
enum err bundle_pack(const char *folder, const char *to) NODISCARD;
/* Checks the whole archive and calls visit (may be NULL) for each entry in order. */
enum err bundle_list(int fd, enum err (*visit)(void *ctx, const struct bundle_entry *entry),
                     void *ctx) NODISCARD;
/* Checks the archive, then unpacks it into `folder`, which is made and must not exist. Files are 0444 or
 * 0555, folders 0755: an app's files are never written again. Not synced: a cache can be filled anew. */
enum err bundle_unpack(int fd, const char *folder) NODISCARD;

#endif
