/* control_wish.h - one line of the control socket: what the owner wants. */
#ifndef CLIENT_CONTROL_WISH_H
#define CLIENT_CONTROL_WISH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

#define CONTROL_LINE_BYTES 1024

enum control_command {
    CONTROL_STATUS,
    CONTROL_PAUSE,
    CONTROL_RESUME,
    CONTROL_FINISH,
    CONTROL_LEAVE,
    CONTROL_PAGE,   /* serve the local page; the reply is {"link"} */
    CONTROL_JOINED, /* a project was joined: take it up */
    CONTROL_COMMANDS
};

struct control_wish {
    enum control_command command;
    int64_t for_ms;                   /* of pause; 0: until resumed */
    char project[NAME_BYTES_MAX + 1]; /* "": all */
};

/* {"command":WORD,"for_ms":N?,"project":NAME?} and nothing else. */
enum err control_wish_parse(const char *line, size_t len, struct control_wish *ret) NODISCARD;
const char *control_command_name(enum control_command c);

#endif
