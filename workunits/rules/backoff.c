#include "rules/backoff.h"

#include <assert.h>

static int64_t window_ms(const struct backoff_rules *rules, uint32_t failures)
{
    int64_t ms = rules->base_ms;
    while (failures-- > 0 && ms < rules->cap_ms)
        ms = ms > rules->cap_ms / 2 ? rules->cap_ms : ms * 2;
    return ms < rules->cap_ms ? ms : rules->cap_ms;
}

int64_t backoff_wait_ms(const struct backoff_rules *rules, uint32_t failures, int64_t retry_after_ms,
                        uint64_t random)
{
    assert(rules->base_ms > 0 && rules->cap_ms >= rules->base_ms);
    int64_t floor_ms = retry_after_ms > 0 ? retry_after_ms : 0;
    int64_t jitter_ms = (int64_t)(random % ((uint64_t)window_ms(rules, failures) + 1));
    return floor_ms > INT64_MAX - jitter_ms ? INT64_MAX : floor_ms + jitter_ms;
}
