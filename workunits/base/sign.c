/* sign.c - see sign.h */
#include "base/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

struct private_key {
    EVP_PKEY *pkey;
};

static enum err own(EVP_PKEY *pkey, struct private_key **ret)
{
    struct private_key *key = pkey ? malloc(sizeof *key) : NULL;
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
    return own(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), ret);
}

enum err sign_key_load(const char *path, struct private_key **ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open key %s", path);
    FILE *f = fstat(fd, &st) == 0 ? fdopen(fd, "r") : NULL;
    if (!f) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot read key %s", path);
    }
    if (st.st_mode & 077) {
        fclose(f);
        return err_set(ERR_DENIED, "key %s can be read by others (mode %03o): run chmod 600 on it", path,
                       (unsigned)st.st_mode & 0777);
    }
    EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, (void *)"");
    fclose(f);
    if (!pkey || !EVP_PKEY_is_a(pkey, "ED25519")) {
        EVP_PKEY_free(pkey);
        return err_set(ERR_INVALID, "%s is not an Ed25519 private key in PEM form", path);
    }
    return own(pkey, ret);
}

enum err sign_key_save(const struct private_key *key, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot create key %s", path);
    FILE *f = fdopen(fd, "w");
    if (!f) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot write key %s", path);
    }
    bool good = PEM_write_PKCS8PrivateKey(f, key->pkey, NULL, NULL, 0, NULL, NULL) == 1 && fflush(f) == 0 &&
                fsync(fd) == 0;
    enum err e = good ? ERR_OK : err_set_errno(ERR_IO, "cannot write key %s", path);
    if (fclose(f) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write key %s", path);
    if (e != ERR_OK)
        unlink(path);
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
    if (EVP_PKEY_get_raw_public_key(key->pkey, ret->bytes, &len) != 1 || len != SIGN_KEY_BYTES)
        return err_set(ERR_IO, "OpenSSL gives no public key");
    return ERR_OK;
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
    return good ? ERR_OK : err_set(ERR_IO, "OpenSSL cannot make a signature");
}

bool sign_check(const struct public_key *key, const void *bytes, size_t len, const struct signature *sig)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, SIGN_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, sig->bytes, SIGN_SIGNATURE_BYTES, bytes, len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}
