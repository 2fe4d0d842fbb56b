/* hash.c - see hash.h */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/str.h"

struct hash {
    EVP_MD_CTX *ctx;
};

/* Fetched once per process: a lookup by name for each digest would cost more than the digest. */
static const EVP_MD *sha256(void)
{
    static EVP_MD *md;
    EVP_MD *seen = __atomic_load_n(&md, __ATOMIC_ACQUIRE);
    if (!seen) {
        EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (!fetched)
            abort();
        if (__atomic_compare_exchange_n(&md, &seen, fetched, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return fetched;
        EVP_MD_free(fetched);
    }
    return seen;
}

struct digest hash_bytes(const void *bytes, size_t len)
{
    static _Thread_local EVP_MD_CTX *ctx;
    struct digest d;
    if (!ctx)
        ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex2(ctx, sha256(), NULL) || !EVP_DigestUpdate(ctx, bytes, len) ||
        !EVP_DigestFinal_ex(ctx, d.bytes, NULL))
        abort();
    return d;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

bool digest_is_zero(const struct digest *d)
{
    static const struct digest zero;
    return digest_eq(d, &zero);
}

void digest_text(const struct digest *d, char ret_text[DIGEST_TEXT_BYTES])
{
    str_hex(d->bytes, DIGEST_BYTES, ret_text);
}

enum err digest_parse(const char *text, struct digest *ret)
{
    struct digest d;
    if (!text || str_unhex(text, d.bytes, DIGEST_BYTES) != ERR_OK)
        return err_set(ERR_INVALID,
                       "'%.70s' is not a digest: 64 lower-case hexadecimal characters are wanted",
                       text ? text : "");
    *ret = d;
    return ERR_OK;
}

struct hash *hash_new(void)
{
    struct hash *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || !EVP_DigestInit_ex2(h->ctx, sha256(), NULL)) {
        hash_free(h);
        return NULL;
    }
    return h;
}

void hash_add(struct hash *h, const void *bytes, size_t len)
{
    if (!EVP_DigestUpdate(h->ctx, bytes, len))
        abort();
}

struct digest hash_end(struct hash *h)
{
    struct digest d;
    if (!EVP_DigestFinal_ex(h->ctx, d.bytes, NULL) || !EVP_DigestInit_ex2(h->ctx, sha256(), NULL))
        abort();
    return d;
}

void hash_free(struct hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

enum err hash_file(const char *path, struct digest *ret, uint64_t *ret_bytes)
{
    char chunk[65536];
    uint64_t bytes = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct hash *h = fd >= 0 ? hash_new() : NULL;
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", path);
    while (h && got > 0) {
        got = read(fd, chunk, sizeof chunk);
        if (got > 0) {
            hash_add(h, chunk, (size_t)got);
            bytes += (uint64_t)got;
        } else if (got < 0 && errno == EINTR) {
            got = 1;
        }
    }
    enum err e = !h        ? err_set(ERR_NOMEM, "out of memory")
                 : got < 0 ? err_set_errno(ERR_IO, "cannot read %s", path)
                           : ERR_OK;
    if (e == ERR_OK) {
        *ret = hash_end(h);
        if (ret_bytes)
            *ret_bytes = bytes;
    }
    hash_free(h);
    close(fd);
    return e;
}

bool hash_same_secret(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
