/* sign.h - Ed25519 keys and signatures (RFC 8032) through OpenSSL. Private keys are PKCS#8 PEM files of mode
 * 0600, public keys are 32 bytes, on the wire base64; a key's id is the SHA-256 of those 32 bytes, in
 * hexadecimal. */
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define SIGN_KEY_BYTES       32
#define SIGN_SIGNATURE_BYTES 64

struct public_key {
    uint8_t bytes[SIGN_KEY_BYTES];
};
struct signature {
    uint8_t bytes[SIGN_SIGNATURE_BYTES];
};
struct private_key; /* opaque; freed with its secret wiped */

enum err sign_key_new(struct private_key **ret) NODISCARD;
enum err sign_key_load(const char *path,
                       struct private_key **ret) NODISCARD; /* ERR_DENIED if group or world may read it */
enum err sign_key_save(const struct private_key *key,
                       const char *path) NODISCARD; /* 0600, durable; ERR_CONFLICT if there is one */
void sign_key_free(struct private_key *key);
enum err sign_key_public(const struct private_key *key, struct public_key *ret) NODISCARD;
struct digest sign_key_id(const struct public_key *key);
enum err sign_make(const struct private_key *key, const void *bytes, size_t len,
                   struct signature *ret) NODISCARD;
bool sign_check(const struct public_key *key, const void *bytes, size_t len, const struct signature *sig);

/* ECDSA with SHA-256 over the curve P-256, which passkeys use: x and y of the public point, and a signature
 * in DER. What is not on the curve checks nothing. */
#define SIGN_POINT_BYTES 64
bool sign_point_is_good(const uint8_t point[SIGN_POINT_BYTES]);
bool sign_check_p256(const uint8_t point[SIGN_POINT_BYTES], const void *bytes, size_t len, const void *der,
                     size_t der_len);

#endif
