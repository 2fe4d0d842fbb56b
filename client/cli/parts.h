/* parts.h - small things that several commands read from their options. */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "client/cli/args.h"
#include "wire/batch_msg.h"
#include "wire/parts.h"
#include "wire/release.h"

/* Every "--limit NAME=VALUE": cpu, wall (durations), memory, disk, output (bytes), processes. */
enum err parts_limits(const struct args *a, struct wu_limits *l) NODISCARD;
/* Every "--OPTION NAME=VALUE". */
enum err parts_variables(const struct args *args, const char *option, uint32_t most, struct arena *a,
                         struct variable **ret, uint32_t *ret_count) NODISCARD;
/* "FILE[=PATH]": where a file is and what it is called for the program. PATH defaults to FILE if that is a
 * safe relative path, else to its name. */
enum err parts_file(const char *option, const char *text, struct arena *a, const char **ret_file,
                    const char **ret_path) NODISCARD;
/* "--compare digest|numeric:ABS,REL|validator:WORDS", WORDS cut at blanks. */
enum err parts_compare(const char *text, struct arena *a, struct manifest *m) NODISCARD;
/* "out.txt", "log.txt?" (may be missing), "big.bin=2G" (at most so large), "log.txt?=1M". */
enum err parts_output(const char *text, struct arena *a, struct output_spec *ret) NODISCARD;
/* "1..100", "1-100", "0..99:3", "7" (one number). */
enum err parts_range(const char *text, int64_t *ret_first, int64_t *ret_last, int64_t *ret_step) NODISCARD;

#endif
