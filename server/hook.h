/* hook.h - who is told when a batch has finished: {"webhook":URL} in its policy; a web hook, or a mail for
 * mailto:. */
#ifndef SERVER_HOOK_H
#define SERVER_HOOK_H

#include <stddef.h>

#include "base/err.h"

#define HOOK_URL_BYTES 1024
#define HOOK_MAIL      "mailto:"

/* "" where the policy (JSON, may be empty) names none. ERR_INVALID for a URL that is neither https nor
 * mailto:; plain http is for this machine alone: localhost, 127.0.0.0/8, [::1]. The sentence never repeats
 * the URL, which may hold a secret. */
enum err hook_url(const char *policy, size_t len, char ret[HOOK_URL_BYTES]) NODISCARD;

#endif
