#include "server/tls_cert.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/try.h"

#define VALID_S (10l * 365 * 86400)

static enum err failed(const char *what)
{
    return err_set(ERR_IO, "OpenSSL cannot %s", what);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *host)
{
    char names[400];
    X509_NAME *name = X509_get_subject_name(cert);
    snprintf(names, sizeof names, "%s:%.255s,DNS:localhost,IP:127.0.0.1", is_address(host) ? "IP" : "DNS",
             host);
    return X509_set_version(cert, 2) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), rand_u64() >> 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S) && X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host,
                                      (int)strnlen(host, 64), -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 && add_extension(cert, NID_subject_alt_name, names) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") && X509_sign(cert, key, EVP_sha256()) > 0;
}

static enum err take_bio(BIO *bio, struct buf *ret)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    return len > 0 ? buf_add(ret, bytes, (size_t)len) : failed("write PEM");
}

enum err tls_cert_make(const char *host, struct buf *ret_certificate, struct buf *ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    enum err e = ERR_OK;
    if (!key || !cert || !cert_bio || !key_bio || !fill(cert, key, host))
        e = failed("make a certificate");
    else if (PEM_write_bio_X509(cert_bio, cert) != 1 ||
             PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        e = failed("write a certificate");
    if (e == ERR_OK)
        e = take_bio(cert_bio, ret_certificate);
    if (e == ERR_OK)
        e = take_bio(key_bio, ret_key);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return e;
}

static enum err read_cert(const char *pem, size_t len, X509 **ret)
{
    BIO *bio = len < INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!cert)
        return err_set(ERR_INVALID, "the certificate file holds no certificate in PEM");
    *ret = cert;
    return ERR_OK;
}

enum err tls_cert_pin(const char *pem, size_t len, char ret_pin[PIN_TEXT_BYTES])
{
    X509 *cert;
    unsigned char *der = NULL;
    BUF_AUTO struct buf text = {0};
    TRY(read_cert(pem, len, &cert));
    int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    X509_free(cert);
    if (der_len <= 0)
        return failed("read the certificate's public key");
    struct digest pin = hash_bytes(der, (size_t)der_len);
    OPENSSL_free(der);
    TRY(str_base64(pin.bytes, sizeof pin.bytes, &text));
    snprintf(ret_pin, PIN_TEXT_BYTES, "%.*s", PIN_TEXT_BYTES - 1, buf_text(&text));
    return ERR_OK;
}

enum err tls_cert_expires(const char *pem, size_t len, int64_t *ret_ms)
{
    X509 *cert;
    struct tm tm;
    TRY(read_cert(pem, len, &cert));
    int good = ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm);
    X509_free(cert);
    if (good != 1)
        return failed("read when the certificate ends");
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return ERR_OK;
}

enum err tls_cert_fits(const char *pem, size_t len, const char *key, size_t key_len)
{
    X509 *cert;
    TRY(read_cert(pem, len, &cert));
    BIO *bio = key_len < INT32_MAX ? BIO_new_mem_buf(key, (int)key_len) : NULL;
    EVP_PKEY *private = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    enum err e = ERR_OK;
    if (!private)
        e = err_set(ERR_INVALID, "the key file holds no key in PEM");
    else if (X509_check_private_key(cert, private) != 1)
        e = err_set(ERR_INVALID, "the TLS key is not that of the certificate");
    EVP_PKEY_free(private);
    BIO_free(bio);
    X509_free(cert);
    return e;
}
