/* login.h - `dugnad-server login-link`: a link that opens the console once. */
#ifndef SERVER_LOGIN_H
#define SERVER_LOGIN_H

#include "base/buf.h"
#include "server/settings.h"

/* Asks the server that runs on this data folder, with its operator.token. ERR_UNREACHABLE when none runs. */
enum err login_link(const char *data, const struct settings *s, struct buf *ret_link) NODISCARD;

#endif
