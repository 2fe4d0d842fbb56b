/* password.h - what is kept of a password: scrypt with a salt of its own, its cost beside it, so that the
 * cost can be raised later. One is checked at a time: each takes 32 MiB for a moment, and nobody shall fill
 * the memory or all workers by guessing. */
#ifndef SERVER_PASSWORD_H
#define SERVER_PASSWORD_H

#include "base/buf.h"
#include "base/err.h"

#define PASSWORD_BYTES_MIN 12
#define PASSWORD_BYTES_MAX 256
#define PASSWORD_KEPT_MAX  160

/* ERR_INVALID for one that is too short, too long, or the same few characters again and again. */
enum err password_judge(const char *password) NODISCARD;
/* ERR_BUSY while another is being worked at. */
enum err password_keep(const char *password, char ret[PASSWORD_KEPT_MAX]) NODISCARD;
/* ERR_AUTH when it is another one. kept NULL: takes as long and is ERR_AUTH, so that nobody learns from the
 * time who has a password. */
enum err password_check(const char *password, const char *kept) NODISCARD;

#endif
