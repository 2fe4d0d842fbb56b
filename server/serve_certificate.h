/* serve_certificate.h - the TLS certificate and its key, as they are on the disk now. */
#ifndef SERVER_SERVE_CERTIFICATE_H
#define SERVER_SERVE_CERTIFICATE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/server.h"
#include "wire/trust.h"

struct pem {
    struct buf certificate, key;
    char pin[PIN_TEXT_BYTES];
    int64_t ends_ms;
};

/* Reads both, proves that they are a pair that has not ended. */
enum err serve_read_pem(const struct server *s, struct pem *ret) NODISCARD;
void serve_drop_pem(struct pem *p);
/* Handshakes that begin from now on see what is on the disk. While that is not good, the old one stays, and
 * the log says why. */
void serve_renew_certificate(struct server *s);

#endif
