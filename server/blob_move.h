/* blob_move.h - all files of a project from a folder into an object store, or back, while nobody serves it.
 */
#ifndef SERVER_BLOB_MOVE_H
#define SERVER_BLOB_MOVE_H

#include "server/blob.h"

struct blob_moved {
    uint64_t holds, files, bytes; /* files and bytes that were copied: not what an earlier try had */
};

/* Copies every file and hold; then reads every file of the target again, past any copy that is kept here, and
 * compares its digest and what each holder has. Nothing is taken from the source. Done again it goes on. */
enum err blob_move(struct blobs *from, struct blobs *to, struct blob_moved *ret) NODISCARD;
/* Lets go of all in what is not used any more. */
enum err blob_move_leave(struct blobs *from) NODISCARD;

#endif
