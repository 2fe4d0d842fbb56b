/* batch_file.h - a submission in a file, for what a command line gets too long for. A JSON object: "app",
 * "command" (a list of words), and the options of `dugnad submit` by their names. batch.schema.json describes
 * it. */
#ifndef CLI_BATCH_FILE_H
#define CLI_BATCH_FILE_H

#include "client/cli/cli.h"

/* What the file and the command line say together. The app, the command and every single option of the
 * command line win over the file's; of options that may be given often both count. Texts live in the arena.
 */
enum err batch_file_args(const char *path, const struct args *given, struct arena *a,
                         struct args *ret) NODISCARD;

#endif
