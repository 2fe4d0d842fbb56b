/* kin.h - which hosts may not check each other, because one person may be behind both.
 *
 * Never the same host or owner. Nor the same network (a /24 of IPv4, a /48 of IPv6), where it is a public
 * one: behind a private address are the machines of one house, which the owner rule sees. Nor two hosts that
 * joined in the same burst, in a project that is big enough to do without. */
#ifndef RULES_KIN_H
#define RULES_KIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIN_BURST_MS (10 * 60000ll)
#define KIN_BURST_HOSTS_MIN                                                                                  \
    200u /* of the project: with fewer, hosts that joined together may check each other */

struct kin {
    uint64_t host_id, owner_id;
    uint64_t network; /* kin_network() of its address; 0: not known or private */
    int64_t joined_ms;
};

bool kin_apart(const struct kin *a, const struct kin *b, uint64_t project_hosts);

/* bytes: an address as in the packet, 4 or 16 bytes. The number of its network; 0 for private, loopback,
 * link-local and shared (100.64/10) addresses, and for other lengths. An IPv4 address within IPv6 is one of
 * IPv4. */
uint64_t kin_network(const uint8_t *bytes, size_t len);

#endif
