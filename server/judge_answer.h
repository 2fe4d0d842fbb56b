/* judge_answer.h - one answer laid out as files, for whoever compares it: numbers or a validator program. */
#ifndef SERVER_JUDGE_ANSWER_H
#define SERVER_JUDGE_ANSWER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "server/blob.h"
#include "server/store.h"
#include "wire/parts.h"
#include "wire/release.h"

struct judge_answer {
    struct digest digest;
    struct file_ref *files;  /* by path */
    const struct text *data; /* of each; NULL data: a blob. NULL: all are */
    uint32_t count;
    uint64_t bytes; /* of all files */
    bool clashes;   /* a file stands where another one's folder has to be: it cannot be laid out */
};

struct judge_source {
    struct store *store;
    const struct blobs *blobs;
    struct arena *arena;
    wu_id unit;
    const atomic_bool *stop; /* ends what takes long, as ERR_BUSY */
};

/* An answer of the unit. ERR_MISSING when it is not there. */
enum err judge_answer_load(const struct judge_source *from, const struct digest *digest,
                           struct judge_answer *ret) NODISCARD;
/* One that is known beforehand, from its manifest. */
enum err judge_answer_read_manifest(const struct judge_source *from, const struct digest *digest,
                                    const struct text *manifest, struct judge_answer *ret) NODISCARD;
/* The bytes of output i, added to out; ERR_LIMIT over bytes_max, ERR_MISSING when the blob is not there. */
enum err judge_answer_read(const struct judge_source *from, const struct judge_answer *answer, uint32_t i,
                           size_t bytes_max, struct buf *out) NODISCARD;
/* All outputs as files below `folder`, which is made. Not of one that clashes. */
enum err judge_answer_unpack(const struct judge_source *from, const struct judge_answer *answer,
                             const char *folder) NODISCARD;
/* A blob as a file, at a path whose folders are made. */
enum err judge_file_write(const struct judge_source *from, const struct file_ref *file,
                          const char *path) NODISCARD;
/* ERR_BUSY when the server stops. */
enum err judge_answer_go_on(const struct judge_source *from) NODISCARD;

#endif
