#include "rules/kin.h"

#include <string.h>

bool kin_apart(const struct kin *a, const struct kin *b, uint64_t project_hosts)
{
    int64_t between_ms =
        a->joined_ms > b->joined_ms ? a->joined_ms - b->joined_ms : b->joined_ms - a->joined_ms;
    if (a->host_id == b->host_id || a->owner_id == b->owner_id)
        return false;
    if (a->network != 0 && a->network == b->network)
        return false;
    return project_hosts < KIN_BURST_HOSTS_MIN || between_ms > KIN_BURST_MS;
}

static uint64_t of_four(const uint8_t *b)
{
    bool is_private = b[0] == 0 || b[0] == 10 || b[0] == 127 || (b[0] == 100 && (b[1] & 0xc0) == 64) ||
                      (b[0] == 169 && b[1] == 254) || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
                      (b[0] == 192 && b[1] == 168);
    return is_private ? 0 : 4ull << 48 | (uint64_t)b[0] << 16 | (uint64_t)b[1] << 8 | b[2];
}

uint64_t kin_network(const uint8_t *bytes, size_t len)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t prefix = 0;
    if (len == 4)
        return of_four(bytes);
    if (len != 16)
        return 0;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return of_four(bytes + 12);
    if ((bytes[0] & 0xe0) != 0x20) /* only 2000::/3 is public */
        return 0;
    for (size_t i = 0; i < 6; i++)
        prefix = prefix << 8 | bytes[i];
    return 6ull << 48 | prefix;
}
