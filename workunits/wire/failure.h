/* failure.h - what attempts that failed in the same way have in common: both ends group by it. */
#ifndef WIRE_FAILURE_H
#define WIRE_FAILURE_H

#include <stddef.h>

#define FAILURE_PATTERN_BYTES 256

/* The last line of stderr (of the message, where nothing was said there), each number in it a '#'. Cut to
 * room. */
void failure_pattern(const char *stderr_tail, const char *message, char *ret, size_t room);

#endif
