/* auth.h - who asks, by the token shown. What was read is kept for some seconds, so that a host's request
 * does not cost a read of the database. Any thread. */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdint.h>

#include "base/err.h"
#include "server/store.h"

#define AUTH_KEPT_MS 5000 /* a change made by another server is seen after so long */

/* What a token may be narrowed to. A user's token without any scope may do all that the role may. */
enum scope { SCOPE_READ = 1, SCOPE_SUBMIT = 2, SCOPE_RELEASE = 4, SCOPE_ADMIN = 8, SCOPE_LOGIN = 16 };
#define SCOPE_ALL (SCOPE_READ | SCOPE_SUBMIT | SCOPE_RELEASE | SCOPE_ADMIN)

struct principal {
    enum role role;
    uint64_t id; /* user, host or volunteer */
    uint64_t token_id;
    uint32_t scope; /* of enum scope */
    int64_t created_ms, expires_ms;
    uint64_t blob_bytes_max, units_max; /* of a user, 0: the server's default */
    bool by_cookie;
};

struct auth;

enum err auth_new(struct store *of, struct auth **ret_auth) NODISCARD;
void auth_free(struct auth *a); /* NULL is fine */
/* ERR_AUTH for a token that is malformed, unknown, wrong, expired or revoked, or whose user is disabled. */
enum err auth_check(struct auth *a, const char *token, int64_t now_ms, struct principal *ret) NODISCARD;
/* A token or its user was changed here. 0: all. */
void auth_forget(struct auth *a, uint64_t token_id);
/* "read submit" to bits; "" is all. ERR_INVALID names the word that is unknown. */
enum err scope_parse(const char *words, uint32_t *ret) NODISCARD;

#endif
