/* tls_cert.h - the server's certificate: a self-signed one made at init, and the pin of any. */
#ifndef SERVER_TLS_CERT_H
#define SERVER_TLS_CERT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/trust.h"

/* A new P-256 key and a certificate signed by itself for the host (a name or an IP address), good for ten
 * years, as PEM. */
enum err tls_cert_make(const char *host, struct buf *ret_certificate, struct buf *ret_key) NODISCARD;
/* The pin of the first certificate in the PEM text: SHA-256 of its SubjectPublicKeyInfo, base64 (RFC 7469
 * section 2.4). */
enum err tls_cert_pin(const char *pem, size_t len, char ret_pin[PIN_TEXT_BYTES]) NODISCARD;
/* Is the key that of the first certificate? ERR_INVALID if not. */
enum err tls_cert_fits(const char *pem, size_t len, const char *key, size_t key_len) NODISCARD;
/* When it ends to be valid. */
enum err tls_cert_expires(const char *pem, size_t len, int64_t *ret_ms) NODISCARD;

#endif
