/* results.h - a batch's answers in a folder: DIR/UNIT/PATH, or by a pattern. What is fetched stays fetched: a
 * state file in the folder remembers the last answer, so that a second call goes on. */
#ifndef CLI_RESULTS_H
#define CLI_RESULTS_H

#include "base/json.h"
#include "client/cli/cli.h"

#define RESULTS_STATE_FILE ".dugnad-results.json"
#define RESULTS_LIST_FILE  "results.ndjson"
#define RESULTS_PROOF_FILE "provenance.ndjson"

struct results {
    struct cli *cli;
    const char *batch, *folder;
    const char *pattern; /* "{unit}/{path}"; also {index}, {} and the unit's own variables */
    const char **only;   /* the outputs that are fetched */
    uint32_t only_count; /* 0: all */
    int64_t after;       /* sequence number of the last answer that is here */
    uint64_t list_bytes; /* of results.ndjson up to it */
    uint64_t accepted, failed, bytes;
    uint64_t units; /* of the batch, 0: not known */
    bool complete;
};

/* Reads the folder's state; ERR_CONFLICT when it holds another batch or was filled by another pattern. */
enum err results_open(struct results *r) NODISCARD;
/* Makes all that was taken durable, then remembers it. */
enum err results_save(const struct results *r) NODISCARD;
/* Downloads the files of a whole page at once, as far as they come: results_take() gets the rest. */
enum err results_prefetch(struct results *r, const struct json *items) NODISCARD;
/* Takes one item of the server's reply: files, then its line in results.ndjson. */
enum err results_take(struct results *r, const struct json *item) NODISCARD;
/* What is wrong with it for any unit: it leads out of the folder, or a brace is not closed. */
enum err results_pattern_check(const char *pattern) NODISCARD;
/* Where an output of a unit goes, below the folder. ERR_INVALID when the pattern leads out of it or names
 * something that the unit has not. */
enum err results_name(const char *pattern, const struct json *item, const char *path,
                      struct buf *out) NODISCARD;

#endif
