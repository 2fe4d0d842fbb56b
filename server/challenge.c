/* challenge.c - see challenge.h. A challenge: when it was made (8 bytes), random (16), proof (32): a digest
 * over the secret key, the user and the first two. */
#include "server/challenge.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

enum { TIME_BYTES = 8, RANDOM_BYTES = 16, OPEN_BYTES = TIME_BYTES + RANDOM_BYTES, TAKEN_MAX = 1024 };

struct challenges {
    struct digest key;
    pthread_mutex_t lock;
    struct {
        uint8_t random[RANDOM_BYTES];
        int64_t at_ms;
    } taken[TAKEN_MAX]; /* a ring; only what was proven gets here */
    uint32_t next;
};

enum err challenges_new(const struct digest *key, struct challenges **ret)
{
    struct challenges *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(ERR_NOMEM, "no memory for challenges");
    c->key = *key;
    pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return ERR_OK;
}

void challenges_free(struct challenges *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void put(uint8_t *to, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(n >> (56 - 8 * i));
}

static struct digest prove(const struct challenges *c, uint64_t user_id, const uint8_t open[OPEN_BYTES])
{
    uint8_t text[DIGEST_BYTES + 8 + OPEN_BYTES];
    memcpy(text, c->key.bytes, DIGEST_BYTES);
    put(text + DIGEST_BYTES, user_id);
    memcpy(text + DIGEST_BYTES + 8, open, OPEN_BYTES);
    return hash_tagged(0xcc, text, sizeof text);
}

void challenge_make(const struct challenges *c, uint64_t user_id, int64_t now_ms,
                    uint8_t ret[CHALLENGE_BYTES])
{
    put(ret, (uint64_t)now_ms);
    rand_bytes(ret + TIME_BYTES, RANDOM_BYTES);
    struct digest proof = prove(c, user_id, ret);
    memcpy(ret + OPEN_BYTES, proof.bytes, DIGEST_BYTES);
}

/* Under the lock. */
static enum err take(struct challenges *c, const uint8_t *random, int64_t at_ms, int64_t now_ms)
{
    for (uint32_t i = 0; i < TAKEN_MAX; i++)
        if (memcmp(c->taken[i].random, random, RANDOM_BYTES) == 0)
            return err_set(ERR_DENIED, "this answer of a passkey was used before: try again");
    if (c->taken[c->next].at_ms && now_ms - c->taken[c->next].at_ms < CHALLENGE_MS)
        return err_set(ERR_BUSY, "too many log in at this moment: try again in a minute");
    memcpy(c->taken[c->next].random, random, RANDOM_BYTES);
    c->taken[c->next].at_ms = at_ms;
    c->next = (c->next + 1) % TAKEN_MAX;
    return ERR_OK;
}

enum err challenge_take(struct challenges *c, const struct buf *challenge, uint64_t user_id, int64_t now_ms)
{
    const uint8_t *bytes = (const uint8_t *)challenge->data;
    uint64_t made_ms = 0;
    if (challenge->len != CHALLENGE_BYTES)
        return err_set(ERR_DENIED, "the passkey was asked by somebody else");
    struct digest proof = prove(c, user_id, bytes);
    if (!hash_same_secret(proof.bytes, bytes + OPEN_BYTES, DIGEST_BYTES))
        return err_set(ERR_DENIED, "the passkey was asked by somebody else");
    for (int i = 0; i < TIME_BYTES; i++)
        made_ms = made_ms << 8 | bytes[i];
    int64_t at_ms = (int64_t)made_ms;
    if (now_ms - at_ms > CHALLENGE_MS || at_ms - now_ms > CHALLENGE_MS)
        return err_set(ERR_DENIED, "the passkey took longer than %d minutes: try again",
                       CHALLENGE_MS / 60000);
    pthread_mutex_lock(&c->lock);
    enum err e = take(c, bytes + TIME_BYTES, at_ms, now_ms);
    pthread_mutex_unlock(&c->lock);
    return e;
}
