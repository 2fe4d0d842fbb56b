/* log.h - one line per event, the event's name first, then key=value. base, rules and wire never log.
 * error: someone must act. warn: look when there is time. info: what an operator follows. debug: everything.
 * Lines go to standard error as "2026-11-23T18:00:00.000Z info lease wu=7.12 host=3" or as one JSON object
 * per line. Values with blanks or quotes are quoted; control characters are escaped, so that a line is always
 * one line. Never pass a secret. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(enum log_level level, bool json);
enum err log_level_parse(const char *word, enum log_level *ret) NODISCARD;
bool log_on(enum log_level level);
/* log_event(LOG_INFO, "lease", "wu", wu_text, "host", host_text, NULL): names and values are texts, in pairs.
 * A value that is NULL is written as "-" and ends the line. A line over LOG_LINE_BYTES_MAX is cut. Leaves
 * errno as it was. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
/* For numbers without a buffer: returns one of eight per-thread buffers, good for one log_event call. */
const char *log_i64(long long v);

#endif
