/* envelope.h - DSSE envelopes (https://github.com/secure-systems-lab/dsse, protocol v1.0.0) with Ed25519. The
 * payload of a foreign envelope can be reached only through envelope_open(), which checks the signatures
 * first. */
#ifndef WIRE_ENVELOPE_H
#define WIRE_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/sign.h"

#define ENVELOPE_TYPE_ROOT       "application/vnd.dugnad.root+json"
#define ENVELOPE_TYPE_SERVER     "application/vnd.dugnad.server+json"
#define ENVELOPE_TYPE_RELEASE    "application/vnd.dugnad.release+json"
#define ENVELOPE_TYPE_UNITS      "application/vnd.dugnad.units+json"
#define ENVELOPE_TYPE_RECEIPT    "application/vnd.dugnad.receipt+json"
#define ENVELOPE_TYPE_PROVENANCE "application/vnd.dugnad.provenance+json"

/* The keys of a role, and how many different ones must have signed. */
struct key_set {
    uint32_t count;
    uint32_t threshold;
    struct public_key keys[SIGNATURES_MAX];
};

/* Adds a new envelope around payload, signed by each key, to out. */
enum err envelope_make(const char *type, const void *payload, size_t len,
                       const struct private_key *const *keys, size_t key_count, struct buf *out) NODISCARD;
/* Adds the envelope with one more signature to out; a key that has signed already signs again in place. The
 * present signatures are not checked: who signs reads the payload with envelope_peek(). */
enum err envelope_sign(const char *envelope, size_t len, const struct private_key *key,
                       struct buf *out) NODISCARD;
/* Checks the envelope's type and that at least keys->threshold different keys of the set have signed it
 * rightly, then adds the payload to out. ERR_UNTRUSTED when they have not, ERR_INVALID when it is no
 * envelope. */
enum err envelope_open(const char *envelope, size_t len, const char *type, const struct key_set *keys,
                       struct buf *payload) NODISCARD;
/* The payload without any check of signatures: for signers and for showing, never for acting on. */
enum err envelope_peek(const char *envelope, size_t len, const char *type, struct buf *payload) NODISCARD;
/* The ids of the keys that are said to have signed, unchecked; *ret_count at most SIGNATURES_MAX. */
enum err envelope_signers(const char *envelope, size_t len, struct digest ret_ids[SIGNATURES_MAX],
                          size_t *ret_count) NODISCARD;

#endif
