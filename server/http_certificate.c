#include "server/http_certificate.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct http_certificate {
    atomic_uint holders;
    gnutls_certificate_credentials_t is;
};

static gnutls_datum_t text(const char *pem)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)pem, .size = (unsigned)strlen(pem)};
}

static enum err fill(struct http_certificate *c, const char *certificate_pem, const char *key_pem)
{
    gnutls_datum_t certificate = text(certificate_pem), key = text(key_pem);
    if (gnutls_certificate_allocate_credentials(&c->is) < 0)
        return err_set(ERR_NOMEM, "no memory for the TLS certificate");
    int n = gnutls_certificate_set_x509_key_mem(c->is, &certificate, &key, GNUTLS_X509_FMT_PEM);
    return n >= 0 ? ERR_OK
                  : err_set(ERR_INVALID, "the TLS certificate and its key are no pair in PEM: %s",
                            gnutls_strerror(n));
}

static enum err make(const char *certificate_pem, const char *key_pem,
                     struct http_certificate **ret_certificate)
{
    struct http_certificate *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(ERR_NOMEM, "no memory for the TLS certificate");
    atomic_store(&c->holders, 1);
    enum err e = fill(c, certificate_pem, key_pem);
    if (e != ERR_OK) {
        http_certificate_drop(c);
        return e;
    }
    *ret_certificate = c;
    return ERR_OK;
}

void http_certificate_place_init(struct http_certificate_place *p)
{
    pthread_mutex_init(&p->lock, NULL);
    p->now = NULL;
}

void http_certificate_place_done(struct http_certificate_place *p)
{
    http_certificate_drop(p->now);
    pthread_mutex_destroy(&p->lock);
}

enum err http_certificate_put(struct http_certificate_place *p, const char *certificate_pem,
                              const char *key_pem)
{
    struct http_certificate *c = NULL, *old;
    enum err e = make(certificate_pem, key_pem, &c);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&p->lock);
    old = p->now;
    p->now = c;
    pthread_mutex_unlock(&p->lock);
    http_certificate_drop(old);
    return ERR_OK;
}

struct http_certificate *http_certificate_take(struct http_certificate_place *p)
{
    pthread_mutex_lock(&p->lock);
    struct http_certificate *c = http_certificate_hold(p->now);
    pthread_mutex_unlock(&p->lock);
    return c;
}

struct http_certificate *http_certificate_hold(struct http_certificate *c)
{
    atomic_fetch_add(&c->holders, 1);
    return c;
}

void http_certificate_drop(struct http_certificate *c)
{
    if (!c || atomic_fetch_sub(&c->holders, 1) > 1)
        return;
    if (c->is)
        gnutls_certificate_free_credentials(c->is);
    free(c);
}

void http_certificate_show(struct http_certificate *c, gnutls_session_t session)
{
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->is);
}
