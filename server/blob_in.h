/* blob_in.h - what the files of blob share; nobody else includes it.
 *
 * blob.c takes uploads into a local folder and hashes them. Where complete files are, and who holds them, is
 * a keeper's business: blob_local.c (the same folder, holders are hard links) or blob_far.c (an object store,
 * holders are rows, the folder is a cache). */
#ifndef SERVER_BLOB_IN_H
#define SERVER_BLOB_IN_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/blob.h"
#include "server/try.h"

enum { BLOB_PATH_ROOM = 4096, BLOB_FOLDER_ROOM = 3800 };

struct blob_keeper {
    enum err (*find)(const struct blobs *b, const struct digest *blob, uint64_t *ret_bytes);
    enum err (*open)(const struct blobs *b, const struct digest *blob, int *ret_fd, uint64_t *ret_bytes);
    /* `part` is durable and has the digest: it becomes the blob, durably, and is held. On failure it stays.
     */
    enum err (*settle)(struct blobs *b, const struct digest *blob, const char *part, uint64_t bytes,
                       const char *holder, bool *ret_new);
    enum err (*hold)(struct blobs *b, const struct digest *blob, const char *holder, bool *ret_new);
    enum err (*sync)(struct blobs *b, const char *holder);
    enum err (*drop)(struct blobs *b, const struct digest *blob, const char *holder);
    enum err (*drop_some)(struct blobs *b, const char *holder, uint32_t limit, bool *ret_more);
    enum err (*held)(const struct blobs *b, const char *holder, uint64_t *ret_bytes);
    enum err (*keep)(struct blobs *b, const struct digest *blob, bool asked);
    uint32_t look_each; /* how many kept() may be asked for at once without others waiting for long */
    enum err (*kept)(const struct blobs *b, struct arena *a, const char *holder, const struct digest *after,
                     uint32_t limit, struct blob_kept **ret, uint32_t *ret_count);
    /* Only if nobody but users holds it, and it is due by then (at_once: whenever it is due). */
    enum err (*let_go)(struct blobs *b, const struct digest *blob, const char *holder, bool at_once,
                       int64_t now_ms, bool *ret_gone);
    enum err (*holders)(const struct blobs *b, char letter, enum err (*visit)(void *ctx, const char *holder),
                        void *ctx);
    /* What hosts hold since before then, and what nobody holds. */
    enum err (*sweep)(struct blobs *b, int64_t before_ms);
    enum err (*each)(const struct blobs *b,
                     enum err (*visit)(void *ctx, const char *holder, const struct digest *blob), void *ctx);
    void (*close)(struct blobs *b);
};

struct blobs {
    const struct blob_keeper *keeper;
    char folder[BLOB_FOLDER_ROOM];
    uint64_t disk_free_min;
    int64_t unused_kept_ms, purged_kept_ms;
    int lock_fd;          /* of blob_local.c: for other processes on the same folder; -1: none */
    pthread_mutex_t lock; /* of holds coming and going, and of the list of uploads */
    struct blob_upload *uploads;
    uint32_t upload_count;
    struct blob_far *far; /* of blob_far.c */
};

static inline bool blob_holder_is_user(const char *holder)
{
    return holder[0] == 'u';
}

extern const struct blob_keeper blob_keeper_local, blob_keeper_far;

void blob_local_lock_open(struct blobs *b);
enum err blobs_make(const char *folder, uint64_t disk_free_min, const struct blob_keeper *keeper,
                    struct blobs **ret_blobs) NODISCARD;
/* FOLDER/ab/DIGEST: the blob of the local keeper, the cached copy of the far one. */
void blob_main_path(const struct blobs *b, const struct digest *blob, char ret[BLOB_PATH_ROOM]);
enum err blob_missing(const struct digest *blob);
/* Opens a complete file below the folder; ERR_MISSING. */
enum err blob_open_local(const struct blobs *b, const struct digest *blob, int *ret_fd,
                         uint64_t *ret_bytes) NODISCARD;
/* Bytes of regular files below FOLDER/NAME/HOLDER. */
enum err blob_count_folder(const struct blobs *b, const char *name, const char *holder,
                           uint64_t *bytes) NODISCARD;

/* --- blob_cache.c: the folder of a far keeper --- */

/* Removes what was not asked for the longest, until bytes_max are kept. */
enum err blob_cache_trim(const struct blobs *b, uint64_t bytes_max) NODISCARD;

#endif
