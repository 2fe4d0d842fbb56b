/* args.h - the words after a command, read against its table of options. The same table gives --help and the
 * completions, so that they cannot differ from what is read. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define ARGS_VALUES_MAX 4096 /* options given at once */

struct cli_option {
    const char *name;  /* "json" for --json */
    char letter;       /* 'q' for -q; 0: none */
    const char *value; /* what stands for the value in the help; NULL: a flag */
    const char *help;  /* one sentence without a dot */
    const char
        *choose; /* "digest numeric": the words to complete; NULL: files for FILE and DIR, else nothing */
    bool many;   /* may be given more than once */
};

struct cli;
struct args;
struct cli_command {
    const char *words; /* "app pack" */
    const char *usage; /* what follows, without the options: "PROGRAM" */
    const char *summary;
    const char *details; /* paragraphs and examples; NULL: none */
    const struct cli_option *options;
    size_t option_count;
    uint32_t words_min, words_max;
    bool rest; /* takes words after -- */
    enum err (*run)(struct cli *c, const struct args *a);
};

struct args_value {
    const struct cli_option *option;
    const char *text; /* "" of a flag */
};

struct args {
    const struct cli_command *command;
    const char **words;
    uint32_t word_count;
    const char **rest; /* what stood after -- */
    uint32_t rest_count;
    struct args_value *values;
    uint32_t value_count;
};

/* The options every command has: --help --json --quiet --profile --url --token-file. */
extern const struct cli_option args_common[];
extern const size_t args_common_count;

/* Reads argv[0..argc), which stands after the command's own words. Texts are argv's. */
enum err args_parse(const struct cli_command *command, int argc, char **argv, struct arena *a,
                    struct args *ret) NODISCARD;

bool args_flag(const struct args *a, const char *name);
/* The last value given, or fallback. */
const char *args_text(const struct args *a, const char *name, const char *fallback);
/* The i-th value of an option that may be given often; NULL past the end. */
const char *args_each(const struct args *a, const char *name, uint32_t i);
uint32_t args_count(const struct args *a, const char *name);
/* Typed values; the fallback where the option is not given. The sentence names the option. */
enum err args_i64(const struct args *a, const char *name, int64_t min, int64_t max, int64_t fallback,
                  int64_t *ret) NODISCARD;
enum err args_duration(const struct args *a, const char *name, int64_t fallback_ms,
                       int64_t *ret_ms) NODISCARD;
enum err args_bytes(const struct args *a, const char *name, uint64_t fallback, uint64_t *ret) NODISCARD;

/* Cuts "NAME=REST" at the first '='. ERR_INVALID, naming the option, when there is none. */
enum err args_pair(const char *option, const char *text, struct arena *a, const char **ret_name,
                   const char **ret_value) NODISCARD;

#endif
