/* sign.c - see sign.h */
#include "base/sign.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/file.h"

enum { PEM_BYTES_MAX = 4096 };

struct private_key {
    EVP_PKEY *pkey;
};

/* Leaves OpenSSL's queue of errors empty: one that stays there is taken for a failure of the thread's next
 * TLS call. */
static enum err failed(const char *what)
{
    char reason[160];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return err_set(ERR_IO, "OpenSSL cannot %s: %s", what, code ? reason : "it does not say why");
}

static enum err own(EVP_PKEY *pkey, struct private_key **ret)
{
    struct private_key *key = malloc(sizeof *key);
    if (!key) {
        EVP_PKEY_free(pkey);
        return err_set(ERR_NOMEM, "out of memory for a key");
    }
    key->pkey = pkey;
    *ret = key;
    return ERR_OK;
}

enum err sign_key_new(struct private_key **ret)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return pkey ? own(pkey, ret) : failed("make a key");
}

static enum err check_private(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(ERR_IO, "cannot read key %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(ERR_INVALID, "key %s is not a regular file", path);
    if (st.st_mode & 077)
        return err_set(ERR_DENIED, "key %s can be read by others (mode %03o): run chmod 600 on it", path,
                       (unsigned)st.st_mode & 0777);
    return ERR_OK;
}

static EVP_PKEY *from_pem(char *pem, int len)
{
    BIO *bio = BIO_new_mem_buf(pem, len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"")
                         : NULL; /* "": never asks for a passphrase */
    BIO_free(bio);
    if (pkey && EVP_PKEY_is_a(pkey, "ED25519"))
        return pkey;
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return NULL;
}

enum err sign_key_load(const char *path, struct private_key **ret)
{
    char pem[PEM_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open key %s", path);
    enum err e = check_private(fd, path);
    ssize_t len = e == ERR_OK ? read(fd, pem, sizeof pem) : 0;
    if (len < 0)
        e = err_set_errno(ERR_IO, "cannot read key %s", path);
    close(fd);
    if (e != ERR_OK)
        return e;
    EVP_PKEY *pkey = from_pem(pem, (int)len);
    OPENSSL_cleanse(pem, sizeof pem);
    return pkey ? own(pkey, ret) : err_set(ERR_INVALID, "%s is not an Ed25519 private key in PEM form", path);
}

enum err sign_key_save(const struct private_key *key, const char *path)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    char *pem = NULL;
    bool made = bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    long len = made ? BIO_get_mem_data(bio, &pem) : 0;
    enum err e = len > 0 ? file_create_atomic(path, pem, (size_t)len, 0600) : failed("write a private key");
    BIO_free(bio);
    return e;
}

void sign_key_free(struct private_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum err sign_key_public(const struct private_key *key, struct public_key *ret)
{
    size_t len = SIGN_KEY_BYTES;
    bool good = EVP_PKEY_get_raw_public_key(key->pkey, ret->bytes, &len) == 1 && len == SIGN_KEY_BYTES;
    return good ? ERR_OK : failed("tell the public key");
}

struct digest sign_key_id(const struct public_key *key)
{
    return hash_bytes(key->bytes, SIGN_KEY_BYTES);
}

enum err sign_make(const struct private_key *key, const void *bytes, size_t len, struct signature *ret)
{
    size_t sig_len = SIGN_SIGNATURE_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, ret->bytes, &sig_len, bytes, len) == 1 && sig_len == SIGN_SIGNATURE_BYTES;
    EVP_MD_CTX_free(ctx);
    return good ? ERR_OK : failed("make a signature");
}

bool sign_check(const struct public_key *key, const void *bytes, size_t len, const struct signature *sig)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, SIGN_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, sig->bytes, SIGN_SIGNATURE_BYTES, bytes, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    if (!good)
        ERR_clear_error();
    return good;
}

static EVP_PKEY *from_point(const uint8_t point[SIGN_POINT_BYTES])
{
    uint8_t octets[1 + SIGN_POINT_BYTES] = {4}; /* not compressed */
    char curve[] = "prime256v1";
    EVP_PKEY *pkey = NULL;
    memcpy(octets + 1, point, SIGN_POINT_BYTES);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve - 1),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof octets),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    if (!pkey)
        ERR_clear_error();
    return pkey;
}

bool sign_point_is_good(const uint8_t point[SIGN_POINT_BYTES])
{
    EVP_PKEY *pkey = from_point(point);
    EVP_PKEY_free(pkey);
    return pkey != NULL;
}

bool sign_check_p256(const uint8_t point[SIGN_POINT_BYTES], const void *bytes, size_t len, const void *der,
                     size_t der_len)
{
    EVP_PKEY *pkey = from_point(point);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, der, der_len, bytes, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    if (!good)
        ERR_clear_error();
    return good;
}
