/* command.h - what an operator does with a project's folder beside the server: looked up by its name. */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include <stdbool.h>

#include "base/err.h"

/* The part of --help that tells them. */
extern const char command_usage[];
/* Is there one of that name? Then it runs; *ret_status is the exit status when it returns ERR_OK. */
bool command_find(const char *name,
                  enum err (**ret_run)(const char *data, int argc, char **argv, int *ret_status));

#endif
