#include "server/audit_draw.h"

#include <string.h>

static uint64_t draw(const struct digest *key, wu_id unit, const struct digest *answer, uint8_t purpose)
{
    uint8_t bytes[2 * DIGEST_BYTES + 8 + 1];
    uint64_t n = 0;
    memcpy(bytes, key->bytes, DIGEST_BYTES);
    memcpy(bytes + DIGEST_BYTES, answer->bytes, DIGEST_BYTES);
    for (int i = 0; i < 8; i++)
        bytes[2 * DIGEST_BYTES + i] = (uint8_t)(unit >> 8 * i);
    bytes[sizeof bytes - 1] = purpose;
    struct digest d = hash_bytes(bytes, sizeof bytes);
    for (int i = 0; i < 8; i++)
        n = n << 8 | d.bytes[i];
    return n;
}

uint32_t audit_draw(const struct digest *key, wu_id unit, const struct digest *answer)
{
    return (uint32_t)(draw(key, unit, answer, 1) % 1000000);
}

struct audit audit_draw_items(const struct digest *key, const struct wu *wu, uint32_t attempt,
                              uint32_t share_ppm)
{
    const struct digest *answer = &wu->attempts[wu->canonical].answer;
    uint32_t part = share_ppm / (wu->audit_count ? wu->audit_count : 1);
    return (struct audit){.seed = draw(key, wu->id, answer, (uint8_t)(2 + attempt)),
                          .share_ppm = part ? part : 1};
}

/* SipHash-2-4 (Aumasson, Bernstein, INDOCRYPT 2012) of three words: a search draws for hundreds of units. */
static uint64_t turned(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = turned(v[1], 13) ^ v[0], v[0] = turned(v[0], 32);
    v[2] += v[3], v[3] = turned(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = turned(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = turned(v[1], 17) ^ v[2], v[2] = turned(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint32_t audit_draw_host(const struct digest *key, wu_id unit, uint32_t attempt, uint64_t host_id)
{
    uint64_t k[2];
    memcpy(k, key->bytes + DIGEST_BYTES / 2, sizeof k);
    uint64_t v[4] = {0x736f6d6570736575ull ^ k[0], 0x646f72616e646f6dull ^ k[1], 0x6c7967656e657261ull ^ k[0],
                     0x7465646279746573ull ^ k[1]};
    sip_word(v, unit);
    sip_word(v, attempt);
    sip_word(v, host_id);
    sip_word(v, 24ull << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return (uint32_t)((v[0] ^ v[1] ^ v[2] ^ v[3]) % 1000000);
}
