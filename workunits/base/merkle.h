/* merkle.h - Merkle trees over SHA-256 as in RFC 6962 section 2.1: leaf = H(0x00 || data), node = H(0x01 ||
 * left || right), a tree of n leaves splits at the largest power of two below n. The empty tree's root is
 * H(""). */
#ifndef BASE_MERKLE_H
#define BASE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"

#define MERKLE_PATH_MAX 64

struct digest merkle_leaf(const void *data, size_t len);
struct digest merkle_root(const struct digest *leaves, size_t count);
/* The audit path of leaf `index`; returns its length (at most MERKLE_PATH_MAX). index < count. */
size_t merkle_path(const struct digest *leaves, size_t count, size_t index,
                   struct digest ret_path[MERKLE_PATH_MAX]);
/* For many paths of one tree: all its digests, level by level from the leaves to the root (the last one),
 * which costs one merkle_root(); a path is then only copied out. ret_levels has room for
 * merkle_levels_count(count). */
size_t merkle_levels_count(size_t count);
void merkle_levels(const struct digest *leaves, size_t count, struct digest *ret_levels);
size_t merkle_levels_path(const struct digest *levels, size_t count, size_t index,
                          struct digest ret_path[MERKLE_PATH_MAX]);
/* RFC 9162 section 2.1.3.2. False for any inconsistency. */
bool merkle_verify(const struct digest *leaf, size_t index, size_t count, const struct digest *path,
                   size_t path_len, const struct digest *root);

#endif
