/* rand.h - randomness from the kernel, and a small seeded generator for simulations and tests. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *ret, size_t len); /* cryptographic; aborts the process if the kernel cannot */
uint64_t rand_u64(void);                /* cryptographic */

/* xoshiro256** seeded by splitmix64 (Blackman and Vigna 2018, public domain algorithm). Not for secrets. */
struct rand_seeded {
    uint64_t s[4];
};
void rand_seed(struct rand_seeded *r, uint64_t seed);
uint64_t rand_seeded_u64(struct rand_seeded *r);
uint64_t rand_seeded_below(struct rand_seeded *r, uint64_t n); /* 0..n-1 without bias; n > 0 */
double rand_seeded_unit(struct rand_seeded *r);                /* [0,1) */

#endif
