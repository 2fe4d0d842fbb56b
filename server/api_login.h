/* api_login.h - what somebody shows to open a session: a token, a name with a password or a recovery code, or
 * a passkey. */
#ifndef SERVER_API_LOGIN_H
#define SERVER_API_LOGIN_H

#include "server/api.h"
#include "server/passkey.h"

struct login { /* who it is, and what his session may be */
    uint64_t user_id;
    enum role role;
    const char *scope;  /* in the arena or static */
    int64_t expires_ms; /* the latest end; 0: none */
    uint64_t link_id;   /* a one-time link's token, which is to be revoked; 0: none */
};

/* ERR_AUTH in one sentence whatever of name and secret is wrong; ERR_RATE after some tries. */
enum err login_check(struct call *c, const struct json *root, struct login *ret) NODISCARD;

/* Where passkeys of this project belong; ERR_UNSUPPORTED where its address has no name. The texts are in the
 * arena. */
enum err login_site(struct call *c, struct passkey_site *ret) NODISCARD;
/* A field of base64url, at most `most` bytes, in the arena; where: of the object, as in json.h. */
enum err login_bytes(struct call *c, const struct json *obj, const char *where, const char *key, size_t most,
                     struct bytes *ret) NODISCARD;

#endif
