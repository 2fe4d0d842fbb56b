/* hash.h - SHA-256 digests and constant-time comparison. With sign.h the only users of OpenSSL in this floor.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIGEST_BYTES      32
#define DIGEST_TEXT_BYTES 65 /* 64 hexadecimal characters and a NUL */

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct digest hash_bytes(const void *bytes, size_t len);
/* The digest of the byte `tag` and then the bytes: keeps digests made for one purpose from passing for
 * another. */
struct digest hash_tagged(uint8_t tag, const void *bytes, size_t len);
bool digest_eq(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
void digest_text(const struct digest *d, char ret_text[DIGEST_TEXT_BYTES]);
enum err digest_parse(const char *text,
                      struct digest *ret) NODISCARD; /* 64 lower-case hexadecimal characters */

struct hash;                 /* a running SHA-256 */
struct hash *hash_new(void); /* NULL when out of memory */
void hash_add(struct hash *h, const void *bytes, size_t len);
struct digest hash_end(struct hash *h); /* the digest of all so far; h may be reused from the start */
void hash_free(struct hash *h);
/* Hashes a file from its start; ret_bytes may be NULL. */
enum err hash_file(const char *path, struct digest *ret, uint64_t *ret_bytes) NODISCARD;

/* What is kept of a password: scrypt (RFC 7914) with N = 2^log2_n, which takes 128 * r * N bytes of memory
 * while it runs. ERR_NOMEM when there is not so much. */
struct hash_cost {
    uint32_t log2_n, r, p;
};
enum err hash_password(const char *password, size_t len, const void *salt, size_t salt_len,
                       const struct hash_cost *cost, struct digest *ret) NODISCARD;

/* Equal in a time that depends on len alone. */
bool hash_same_secret(const void *a, const void *b, size_t len);

#endif
