#include "server/serve_certificate.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/serve.h"
#include "server/tls_cert.h"
#include "server/try.h"

static enum err read_both(const struct server *s, struct pem *p)
{
    const struct buf *c = &p->certificate, *k = &p->key;
    TRY(serve_pem(s->data, s->settings.certificate, &p->certificate));
    TRY(serve_pem(s->data, s->settings.key, &p->key));
    TRY(tls_cert_pin(c->data, c->len, p->pin));
    TRY(tls_cert_expires(c->data, c->len, &p->ends_ms));
    return tls_cert_fits(c->data, c->len, k->data, k->len);
}

enum err serve_read_pem(const struct server *s, struct pem *ret)
{
    struct pem p = {0};
    enum err e = read_both(s, &p);
    if (e != ERR_OK) {
        serve_drop_pem(&p);
        return e;
    }
    *ret = p;
    return ERR_OK;
}

void serve_drop_pem(struct pem *p)
{
    if (p->key.data)
        explicit_bzero(p->key.data, p->key.len);
    buf_done(&p->certificate);
    buf_done(&p->key);
}

static enum err renew(struct server *s, struct pem *p)
{
    TRY(serve_read_pem(s, p));
    if (p->ends_ms <= clock_wall_ms())
        return err_set(ERR_INVALID, "the certificate in %s has ended", s->settings.certificate);
    TRY(http_set_certificate(s->http, buf_text(&p->certificate), buf_text(&p->key)));
    project_set_pin(s->project, p->pin);
    atomic_store(&s->certificate_ends_ms, p->ends_ms);
    return ERR_OK;
}

void serve_renew_certificate(struct server *s)
{
    struct pem p = {0};
    if (renew(s, &p) == ERR_OK)
        log_event(LOG_INFO, "certificate-read", "file", s->settings.certificate, "days",
                  log_i64((p.ends_ms - clock_wall_ms()) / 86400000), "pin", p.pin, NULL);
    else
        log_event(
            LOG_ERROR, "certificate-refused", "err", err_text(), "todo",
            "the one from before is served on: put certificate and key in order, then send SIGHUP again",
            NULL);
    serve_drop_pem(&p);
}
