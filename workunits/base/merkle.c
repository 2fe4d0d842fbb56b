/* merkle.c - see merkle.h */
#include "base/merkle.h"

#include <assert.h>
#include <string.h>

static struct digest node(const struct digest *left, const struct digest *right)
{
    uint8_t bytes[1 + 2 * DIGEST_BYTES];
    bytes[0] = 1;
    memcpy(bytes + 1, left->bytes, DIGEST_BYTES);
    memcpy(bytes + 1 + DIGEST_BYTES, right->bytes, DIGEST_BYTES);
    return hash_bytes(bytes, sizeof bytes);
}

struct digest merkle_leaf(const void *data, size_t len)
{
    uint8_t small[1024];
    if (len < sizeof small) {
        small[0] = 0;
        if (len)
            memcpy(small + 1, data, len);
        return hash_bytes(small, len + 1);
    }
    struct hash *h = hash_new();
    assert(h);
    hash_add(h, "", 1);
    hash_add(h, data, len);
    struct digest d = hash_end(h);
    hash_free(h);
    return d;
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
