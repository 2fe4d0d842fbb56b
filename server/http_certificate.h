/* http_certificate.h - what the server shows who it is with. Another one may come while handshakes with the
 * old one are under way: each connection holds the one it began with. */
#ifndef SERVER_HTTP_CERTIFICATE_H
#define SERVER_HTTP_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <pthread.h>

#include "base/err.h"

struct http_certificate;

/* Where the one is that is shown from now on. */
struct http_certificate_place {
    pthread_mutex_t lock;
    struct http_certificate *now;
};

void http_certificate_place_init(struct http_certificate_place *p);
void http_certificate_place_done(struct http_certificate_place *p);
/* ERR_INVALID: they are no PEM, or no pair; what was there stays. Any thread. */
enum err http_certificate_put(struct http_certificate_place *p, const char *certificate_pem,
                              const char *key_pem) NODISCARD;
/* Held for the caller. Any thread. */
struct http_certificate *http_certificate_take(struct http_certificate_place *p);
struct http_certificate *http_certificate_hold(struct http_certificate *c);
void http_certificate_drop(struct http_certificate *c); /* NULL is fine */
/* The session shows it; the caller holds it until the session's end. */
void http_certificate_show(struct http_certificate *c, gnutls_session_t session);

#endif
