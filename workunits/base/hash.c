/* hash.c - SHA-256 through OpenSSL. The algorithm is fetched once and each thread keeps one context: fetching
 * and allocating for each digest would cost more than hashing a short input. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define READ_BYTES (64u << 10)

struct hash {
    EVP_MD_CTX *context;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static pthread_key_t context_key;

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256 || pthread_key_create(&context_key, free_context))
        abort(); /* an OpenSSL without SHA-256: nothing here can work */
}

/* A digest is a value, so that failing has no way out but abort(). It happens only when memory ends. */
static void must(int fine)
{
    if (fine != 1)
        abort();
}

static EVP_MD_CTX *thread_context(void)
{
    static _Thread_local EVP_MD_CTX *context;
    if (context)
        return context;
    must(pthread_once(&once, fetch) == 0);
    context = EVP_MD_CTX_new();
    must(context && pthread_setspecific(context_key, context) == 0);
    return context;
}

struct digest hash_bytes(const void *bytes, size_t len)
{
    struct digest d;
    EVP_MD_CTX *context = thread_context();
    must(EVP_DigestInit_ex2(context, sha256, NULL));
    must(EVP_DigestUpdate(context, bytes, len));
    must(EVP_DigestFinal_ex(context, d.bytes, NULL));
    return d;
}

struct digest hash_tagged(uint8_t tag, const void *bytes, size_t len)
{
    struct digest d;
    EVP_MD_CTX *context = thread_context();
    must(EVP_DigestInit_ex2(context, sha256, NULL));
    must(EVP_DigestUpdate(context, &tag, 1));
    must(EVP_DigestUpdate(context, bytes, len));
    must(EVP_DigestFinal_ex(context, d.bytes, NULL));
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
    if (!text || str_unhex(text, ret->bytes, DIGEST_BYTES))
        return err_set(ERR_INVALID, "'%.80s' is not a digest; one is 64 lower-case hexadecimal characters",
                       text ? text : "");
    return ERR_OK;
}

struct hash *hash_new(void)
{
    struct hash *h = calloc(1, sizeof *h);
    must(pthread_once(&once, fetch) == 0);
    if (h)
        h->context = EVP_MD_CTX_new();
    if (!h || !h->context || EVP_DigestInit_ex2(h->context, sha256, NULL) != 1) {
        hash_free(h);
        err_set(ERR_NOMEM, "no memory to compute a digest");
        return NULL;
    }
    return h;
}

void hash_add(struct hash *h, const void *bytes, size_t len)
{
    must(EVP_DigestUpdate(h->context, bytes, len));
}

struct digest hash_end(struct hash *h)
{
    struct digest d;
    must(EVP_DigestFinal_ex(h->context, d.bytes, NULL));
    must(EVP_DigestInit_ex2(h->context, sha256, NULL));
    return d;
}

void hash_free(struct hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

static enum err hash_descriptor(int fd, const char *path, struct hash *h, uint64_t *ret_bytes)
{
    uint8_t bytes[READ_BYTES];
    uint64_t total = 0;
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(ERR_IO, "%s cannot be read", path);
        if (n == 0)
            break;
        hash_add(h, bytes, (size_t)n);
        total += (uint64_t)n;
    }
    *ret_bytes = total;
    return ERR_OK;
}

enum err hash_file(const char *path, struct digest *ret, uint64_t *ret_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "%s cannot be opened", path);
    uint64_t total = 0;
    struct hash *h = hash_new();
    enum err e = h ? hash_descriptor(fd, path, h, &total) : ERR_NOMEM;
    if (!e) {
        *ret = hash_end(h);
        if (ret_bytes)
            *ret_bytes = total;
    }
    hash_free(h);
    close(fd);
    return e;
}

enum err hash_password(const char *password, size_t len, const void *salt, size_t salt_len,
                       const struct hash_cost *cost, struct digest *ret)
{
    uint64_t n = 1ull << cost->log2_n, room = 128ull * cost->r * (n + cost->p) + (1u << 20);
    if (EVP_PBE_scrypt(password, len, salt, salt_len, n, cost->r, cost->p, room, ret->bytes, DIGEST_BYTES) ==
        1)
        return ERR_OK;
    ERR_clear_error();
    return err_set(ERR_NOMEM, "no memory to check a password: it takes %llu bytes", (unsigned long long)room);
}

bool hash_same_secret(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
