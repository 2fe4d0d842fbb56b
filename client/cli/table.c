/* table.c - the commands in the order of the help */
#include "client/cli/cli.h"
#include "client/cli/commands.h"

const struct cli_command *const cli_table[] = {
#define X(name) &name,
    CLI_COMMANDS(X)
#undef X
};
const size_t cli_table_count = sizeof cli_table / sizeof *cli_table;
