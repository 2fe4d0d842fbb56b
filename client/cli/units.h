/* units.h - where the units of a submission come from: numbers, lines, files, and sweeps over them. Any unit
 * can be made at any time, so that a submission goes on anywhere. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "client/cli/args.h"
#include "wire/order.h"

#define UNITS_SWEEPS_MAX 16
#define UNITS_VARS_MAX   (UNITS_SWEEPS_MAX + VARIABLES_MAX + 1)
#define UNITS_FILE_BYTES (1u << 30) /* of --each-line's file */

struct units_sweep {
    const char *name;
    const char *const *values; /* NULL: numbers */
    int64_t first, step;
    uint64_t count;
};

struct units {
    enum { UNITS_ONE, UNITS_NUMBERS, UNITS_LINES, UNITS_FILES, UNITS_JSON } kind;
    uint64_t count; /* of all */
    uint64_t outer; /* of numbers, lines or files: each is combined with every sweep */
    int64_t first, last, step;
    struct buf text;
    size_t *lines; /* where each starts in text */
    char **files;
    size_t file_count;
    const char *as;       /* what each file is called for the program; NULL: its own path */
    struct json_doc *doc; /* of --from-json's list; NULL: its lines */
    char csv_folder[256]; /* holds the parts of --from-csv; "": none */
    uint32_t sweep_count;
    struct units_sweep sweeps[UNITS_SWEEPS_MAX];
};

/* From --array, --each-line, --each-file, --glob, --from-json, --from-csv, --rows, --as and --sweep. Zeroed
 * is valid for units_done(). */
enum err units_open(const struct args *a, struct arena *arena, struct units *ret) NODISCARD;
void units_done(struct units *u);

/* What unit i is called in the templates: "" is its number, line or the path of its file; a file has name and
 * stem too. Texts live in the arena. *ret_file is the unit's file on this machine, NULL where there is none.
 */
enum err units_vars(const struct units *u, uint64_t i, struct arena *arena,
                    struct variable ret[UNITS_VARS_MAX], uint32_t *ret_count,
                    const char **ret_file) NODISCARD;
/* What the path of a file is called without its folders (name), and without its last suffix, too (stem). */
enum err units_file_vars(const char *file, struct arena *arena, struct variable ret[2]) NODISCARD;
/* A text file or, for "-", standard input. */
enum err units_read_text(const char *path, struct buf *out) NODISCARD;
/* Cuts the text into lines in place; empty ones are left out. */
enum err units_cut_lines(struct units *u, const char *path) NODISCARD;
enum err units_open_json(struct units *u, const char *path) NODISCARD;
enum err units_json_vars(const struct units *u, uint64_t at, struct arena *a, struct variable *ret,
                         uint32_t *count) NODISCARD;
/* Cuts a table into files of so many rows, which units_done() removes. header: the first record goes into
 * each. */
enum err units_cut_csv(struct units *u, const char *path, uint64_t rows, bool header) NODISCARD;
/* Does a word use {name}? */
bool units_uses(const char *const *words, uint32_t count, const char *name);

#endif
