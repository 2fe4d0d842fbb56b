/* backoff.h - how long to wait after a failure, so that many who failed together do not come back together.
 *
 * Full jitter: rand(0, min(cap, base * 2^failures))
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, which measured it against equal
 * and decorrelated jitter). A Retry-After is a floor, and the jitter comes on top of it: a server that names
 * one moment to everybody must not get everybody at that moment. */
#ifndef RULES_BACKOFF_H
#define RULES_BACKOFF_H

#include <stdint.h>

struct backoff_rules {
    int64_t base_ms; /* > 0 */
    int64_t cap_ms;  /* >= base_ms; of the jitter, not of a Retry-After */
};

#define BACKOFF_CLIENT                                                                                       \
    ((struct backoff_rules){.base_ms = 5000, .cap_ms = 3600 * 1000}) /* wire/PROTOCOL.md section 8 */

/* failures: how many in a row so far, 0 for the first. retry_after_ms: 0 when the server named none. random:
 * 64 random bits. Returns the wait in milliseconds, never less than retry_after_ms. */
int64_t backoff_wait_ms(const struct backoff_rules *rules, uint32_t failures, int64_t retry_after_ms,
                        uint64_t random);

#endif
