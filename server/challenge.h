/* challenge.h - what a passkey signs: made here, good once and for some minutes. It carries its own proof, so
 * that nothing is kept of those that are never used, however many are asked for. Any thread. */
#ifndef SERVER_CHALLENGE_H
#define SERVER_CHALLENGE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"

#define CHALLENGE_BYTES 56
#define CHALLENGE_MS    300000

struct challenges;

/* The key is the same for all servers of a project. */
enum err challenges_new(const struct digest *key, struct challenges **ret) NODISCARD;
void challenges_free(struct challenges *c); /* NULL is fine */
/* For a user, who makes a passkey; 0: for anybody, to log in. */
void challenge_make(const struct challenges *c, uint64_t user_id, int64_t now_ms,
                    uint8_t ret[CHALLENGE_BYTES]);
/* ERR_DENIED for one of others, for another user, too old, or that was taken before. Takes it. */
enum err challenge_take(struct challenges *c, const struct buf *challenge, uint64_t user_id,
                        int64_t now_ms) NODISCARD;

#endif
