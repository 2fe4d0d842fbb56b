/* What decodes is a sound unit and encodes to the same bytes; all else is refused and changes nothing. */
#include <assert.h>
#include <string.h>

#include "rules/wu_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    struct wu wu = {.id = wu_id_make(1, 1),
                    .rules = {.quorum = 1u + bytes[0] % 3u,
                              .target_attempts = 3,
                              .errors_max = 3,
                              .attempts_max = bytes[0] & 4 ? 8 : ATTEMPTS_MAX,
                              .successes_max = 6,
                              .lease_ms = 1000,
                              .compare = bytes[0] & 8 ? WU_COMPARE_JUDGE : WU_COMPARE_DIGEST}};
    struct wu before = wu;
    uint8_t again[WU_BYTES_MAX];
    if (wu_decode(bytes + 1, len - 1, &wu) != ERR_OK) {
        assert(memcmp(&wu, &before, sizeof wu) == 0);
        return 0;
    }
    assert(wu_invariant(&wu));
    assert(wu_encode(&wu, again) == len - 1 && memcmp(again, bytes + 1, len - 1) == 0);
    return 0;
}
