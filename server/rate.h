/* rate.h - token buckets: how often somebody may come. A fixed number of buckets; who shares one by chance
 * with somebody else takes it over full, so a limit may be a little generous but never stricter than said. */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include <stdint.h>

#include "base/err.h"

struct rate;

/* burst: how many may come at once after a rest. per_s 0: no limit. */
enum err rate_new(double per_s, double burst, struct rate **ret_rate) NODISCARD;
void rate_free(struct rate *r); /* NULL is fine */
/* ERR_RATE and how long to wait, or one is taken from the bucket of `who`. Any thread. */
enum err rate_take(struct rate *r, uint64_t who, int64_t now_ms, int64_t *ret_wait_ms) NODISCARD;
/* The bucket's number of an IP address in text; an IPv6 network of /64 counts as one. */
uint64_t rate_address(const char *address);
/* The number of its network (rules/kin.h); 0 where it is private. */
uint64_t rate_network(const char *address);

#endif
