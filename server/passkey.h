/* passkey.h - passkeys (WebAuthn level 2) as pure functions over what a browser sends. Keys of ES256 and
 * EdDSA; an attestation is read and not asked for: who makes the authenticator is the user's affair. The
 * challenge is given back for the caller to check (challenge.h). Everything that does not hold is ERR_DENIED
 * or ERR_INVALID. */
#ifndef SERVER_PASSKEY_H
#define SERVER_PASSKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sign.h"

#define PASSKEY_ID_BYTES_MAX     1023
#define PASSKEY_CLIENT_BYTES_MAX 4096
#define PASSKEY_DATA_BYTES_MAX   16384 /* attestation object, authenticator data */
#define PASSKEY_KEY_BYTES_MAX    (1 + SIGN_POINT_BYTES)

enum passkey_algorithm { PASSKEY_ES256 = 1, PASSKEY_EDDSA = 2 };

struct passkey_site {
    const char *rp_id;  /* the host of the project's address */
    const char *origin; /* https://HOST[:PORT] */
};

struct bytes {
    const uint8_t *data;
    size_t len;
};

struct passkey {
    struct bytes id;
    uint8_t key[PASSKEY_KEY_BYTES_MAX]; /* as it is stored: the algorithm, then the public key */
    size_t key_len;
    uint32_t count; /* uses, as the authenticator counts them; 0: it does not */
};

/* "https://host:8443/x" to its two halves, in `room` given by the caller; ERR_INVALID for what is none, and
 * for an address that is a number, which browsers make no passkeys for. */
enum err passkey_site_of(const char *url, char *ret_host, char *ret_origin, size_t room) NODISCARD;
/* What the browser says it was asked: `type` is "webauthn.create" or "webauthn.get". Adds the challenge's
 * bytes. */
enum err passkey_client(const struct passkey_site *site, const char *type, struct bytes client_data,
                        struct buf *challenge) NODISCARD;
/* A new one. ret->id points into `attestation`. */
enum err passkey_made(const struct passkey_site *site, struct bytes attestation,
                      struct passkey *ret) NODISCARD;
/* A signature by one that is known; *ret_count is what is to be kept. */
enum err passkey_check(const struct passkey_site *site, const struct passkey *known, struct bytes client_data,
                       struct bytes data, struct bytes signature, uint32_t *ret_count) NODISCARD;

#endif
