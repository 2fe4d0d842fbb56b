/* top.h - `dugnad-client top`: the daemon's status in a terminal, live, with keys for what the local page has
 * buttons for. The only user of ncurses. */
#ifndef CLIENT_TOP_H
#define CLIENT_TOP_H

#include "base/err.h"

/* Until the owner has enough. Where the output is no terminal, or one of no known kind: the text once. */
enum err top_run(const char *control_path) NODISCARD;

#endif
