/* say.c - what a person may want to know beside the result */
#include <stdarg.h>
#include <stdio.h>

#include "client/cli/cli.h"

void cli_say(const struct cli *c, const char *format, ...)
{
    if (c->quiet || c->json)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(c->err, format, args);
    va_end(args);
    fputc('\n', c->err);
}
