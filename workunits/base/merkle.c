/* merkle.c - see merkle.h */
#include "base/merkle.h"

#include <assert.h>
#include <string.h>

static struct digest node(const struct digest *left, const struct digest *right)
{
    struct digest both[2] = {*left, *right};
    return hash_tagged(1, both, sizeof both);
}

struct digest merkle_leaf(const void *data, size_t len)
{
    return hash_tagged(0, data, len);
}

/* The largest power of two below count; count > 1. */
static size_t split(size_t count)
{
    size_t k = 1;
    while (k < count - k)
        k *= 2;
    return k;
}

struct digest merkle_root(const struct digest *leaves, size_t count)
{
    if (count == 0)
        return hash_bytes("", 0);
    if (count == 1)
        return leaves[0];
    size_t k = split(count);
    struct digest left = merkle_root(leaves, k), right = merkle_root(leaves + k, count - k);
    return node(&left, &right);
}

size_t merkle_path(const struct digest *leaves, size_t count, size_t index,
                   struct digest ret_path[MERKLE_PATH_MAX])
{
    assert(index < count);
    if (count == 1)
        return 0;
    size_t k = split(count), len;
    if (index < k) {
        len = merkle_path(leaves, k, index, ret_path);
        ret_path[len] = merkle_root(leaves + k, count - k);
    } else {
        len = merkle_path(leaves + k, count - k, index - k, ret_path);
        ret_path[len] = merkle_root(leaves, k);
    }
    return len + 1;
}

size_t merkle_levels_count(size_t count)
{
    size_t total = count;
    for (size_t width = count; width > 1; total += width)
        width = (width + 1) / 2;
    return total;
}

/* A level's last digest goes up as it is where it has no partner: that is the split at the largest power of
 * two. */
void merkle_levels(const struct digest *leaves, size_t count, struct digest *ret_levels)
{
    struct digest *level = ret_levels;
    if (count)
        memcpy(level, leaves, count * sizeof *leaves);
    for (size_t width = count; width > 1; width = (width + 1) / 2) {
        struct digest *above = level + width;
        for (size_t i = 0; i + 1 < width; i += 2)
            above[i / 2] = node(&level[i], &level[i + 1]);
        if (width % 2)
            above[width / 2] = level[width - 1];
        level = above;
    }
}

size_t merkle_levels_path(const struct digest *levels, size_t count, size_t index,
                          struct digest ret_path[MERKLE_PATH_MAX])
{
    size_t len = 0;
    assert(index < count);
    for (size_t width = count; width > 1; width = (width + 1) / 2) {
        if ((index ^ 1) < width)
            ret_path[len++] = levels[index ^ 1];
        index /= 2;
        levels += width;
    }
    return len;
}

bool merkle_verify(const struct digest *leaf, size_t index, size_t count, const struct digest *path,
                   size_t path_len, const struct digest *root)
{
    if (index >= count)
        return false;
    size_t fn = index, sn = count - 1;
    struct digest r = *leaf;
    for (size_t i = 0; i < path_len; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            r = node(&path[i], &r);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = node(&r, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && digest_eq(&r, root);
}
