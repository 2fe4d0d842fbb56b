/* cli.h - the `dugnad` command: one table of subcommands, each a function of its arguments. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "client/cli/args.h"

struct api;

/* One call of the program. */
struct cli {
    FILE *out, *err;
    bool json, quiet;
    int status; /* exit status of a command that ended with ERR_OK: 1 when it has to say that something failed
                 */
    bool reader_gone;                       /* who reads standard output has closed it */
    const char *profile, *url, *token_file; /* from options and environment; NULL: none */
    struct arena arena;                     /* lives as long as the call */
    struct api *api;                        /* opened by api_open() */
};

#define CLI_STATUS_FAILED 1 /* the command did its work, and what it looked at has failed */

/* Runs the program: argv as main() gets it. Returns the exit status: 0, CLI_STATUS_FAILED, or that of the
 * error (base/err.h), after its sentence went to err. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* The table, in the order of the help. */
extern const struct cli_command *const cli_table[];
extern const size_t cli_table_count;
/* The command that argv starts with; *ret_used words name it. ERR_INVALID with "did you mean". */
enum err cli_find(int argc, char **argv, const struct cli_command **ret, int *ret_used) NODISCARD;

void cli_help(FILE *out, const struct cli_command *command); /* NULL: the overview */
/* A remark for people on standard error, unless --quiet or --json. */
void cli_say(const struct cli *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* To be called where writing to c->out has failed: remembers a reader that left, which is no failure to tell
 * of. */
enum err cli_output_error(struct cli *c) NODISCARD;
/* Is standard error a terminal that can take a progress bar? */
bool cli_bar(const struct cli *c);

#define CLI_COMMAND(name, call, use, text, more, list, min, max, takes_rest)                                 \
    const struct cli_command name = {.words = call,                                                          \
                                     .usage = use,                                                           \
                                     .summary = text,                                                        \
                                     .details = more,                                                        \
                                     .options = list,                                                        \
                                     .option_count = sizeof list / sizeof *list,                             \
                                     .words_min = min,                                                       \
                                     .words_max = max,                                                       \
                                     .rest = takes_rest,                                                     \
                                     .run = run_##name}

#endif
