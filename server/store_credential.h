/* store_credential.h - how people log in other than with a token: passwords, passkeys, recovery codes.
 * Reading is as in store.h, writing as in store_set.h. */
#ifndef SERVER_STORE_CREDENTIAL_H
#define SERVER_STORE_CREDENTIAL_H

#include "server/store_set.h"

/* X(NAME, word on the wire) */
#define CREDENTIAL_KIND_LIST(X) X(PASSWORD, "password") X(PASSKEY, "passkey") X(RECOVERY, "recovery")
enum credential_kind {
#define X(name, word) STORE_##name,
    CREDENTIAL_KIND_LIST(X)
#undef X
        CREDENTIAL_KINDS
};
const char *credential_kind_name(enum credential_kind k);

struct store_credential {
    uint64_t id, user_id;
    enum credential_kind kind;
    const char *name;            /* for people */
    struct text handle;          /* a passkey's id; else empty */
    struct text secret;          /* password.h; passkey.h's key; SHA-256 of a recovery code */
    uint32_t counter;            /* a passkey's */
    int64_t created_ms, used_ms; /* used 0: never */
};

enum err store_credential_get(struct store *s, struct arena *a, uint64_t id,
                              struct store_credential *ret) NODISCARD;
/* ERR_MISSING when no passkey has this id. */
enum err store_credential_find(struct store *s, struct arena *a, const void *handle, size_t len,
                               struct store_credential *ret) NODISCARD;
/* Of a user, by id. */
enum err store_credential_list(struct store *s, struct arena *a, uint64_t user_id,
                               struct store_credential **ret, uint32_t *ret_count) NODISCARD;
/* ERR_MISSING when there is no user of that name. */
enum err store_user_find(struct store *s, struct arena *a, const char *name,
                         struct store_user *ret) NODISCARD;

void store_set_credential_new(struct store_set *set, const struct store_credential *c);
/* c is as it was read; it was used now. */
void store_set_credential_used(struct store_set *set, const struct store_credential *c, uint32_t counter,
                               int64_t now_ms);
void store_set_credential_end(struct store_set *set, uint64_t id);

#endif
