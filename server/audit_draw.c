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
