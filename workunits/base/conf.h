/* conf.h - configuration files and flags from one table of options.
 *
 * A file has lines "key = value", "# comment" and nothing else; values are text to the end of the line,
 * blanks trimmed. The table gives each option its name, type, default, limits and sentence; from it come the
 * parser, the commented default file, and --help. Unknown keys, bad values and duplicates are errors that
 * name file, line and remedy. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum conf_type { CONF_TEXT, CONF_INT, CONF_REAL, CONF_BOOL, CONF_DURATION_MS, CONF_BYTES };

struct conf_option {
    const char *name; /* "listen_port" */
    enum conf_type type;
    size_t offset; /* of the field in the settings struct: char[text_room] (TEXT), int64_t (INT, DURATION_MS),
                      double (REAL), bool, uint64_t (BYTES) */
    size_t text_room;     /* CONF_TEXT: bytes of the field, terminator included */
    const char *fallback; /* as it would be written in the file; NULL: empty, 0 or no */
    double min, max;      /* of INT, REAL, DURATION_MS (in ms), BYTES; both 0: any that fits */
    const char *help;     /* sentences for the comment above it; '\n' starts a new comment line */
    const char *group;    /* heading in the file; NULL: as the one before */
};

/* A fallback that is not a value of its type stops the program: the table is part of it. */
void conf_defaults(const struct conf_option *options, size_t count, void *settings);
enum err conf_set(const struct conf_option *options, size_t count, const char *name, const char *value,
                  void *settings) NODISCARD;
/* Nothing is changed when anything is wrong. */
enum err conf_parse(const struct conf_option *options, size_t count, const char *file_name, const char *text,
                    size_t len, void *settings) NODISCARD;
enum err conf_load(const struct conf_option *options, size_t count, const char *path,
                   void *settings) NODISCARD;
/* The whole file with every option commented out at its default. */
enum err conf_print_defaults(const struct conf_option *options, size_t count, struct buf *out) NODISCARD;
/* One option's present value as it would be written. */
enum err conf_print_value(const struct conf_option *option, const void *settings, struct buf *out) NODISCARD;

#endif
