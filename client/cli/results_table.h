/* results_table.h - a folder of results as a table: its results.ndjson read again, in the order of the units,
 * a summary as CSV, and all answers put together into one file. */
#ifndef CLI_RESULTS_TABLE_H
#define CLI_RESULTS_TABLE_H

#include "base/json.h"

#define RESULTS_CSV_FILE "results.csv"

/* Each line, in the order they came; a folder without the list has none. */
enum err results_table_each(const char *folder, enum err (*visit)(void *ctx, const struct json *item),
                            void *ctx) NODISCARD;
/* Leaves only the lines in this state. */
enum err results_table_keep(const char *folder, const char *state) NODISCARD;
/* results.csv: a row for each unit, in their order: unit, state, failure, its variables, bytes of each
 * output. */
enum err results_table_csv(const char *folder) NODISCARD;

struct results_merge {
    const char *folder, *pattern; /* where files are, as in struct results */
    const char *path;             /* which output; NULL: the only one */
    const char *to;
    bool header;    /* the first line of each file but the first is left out */
    uint64_t units; /* that there must be; 0: not known */
};
/* One file of the answers, one after the other in the order of the units. ERR_MISSING while one has no
 * answer. */
enum err results_table_merge(const struct results_merge *m) NODISCARD;

#endif
