/* http_link.h - the bytes of one TLS connection on their way to and from the kernel.
 *
 * GnuTLS asks the kernel three times for a request (five bytes of a record's head, the record, nothing more)
 * and libmicrohttpd sends head and body of a reply as two records, which go out as two packets and wake the
 * other end twice. Here a request is mostly one recv() and a reply one packet. */
#ifndef SERVER_HTTP_LINK_H
#define SERVER_HTTP_LINK_H

#include <stdbool.h>

#include <gnutls/gnutls.h>

#include "server/http_certificate.h"
#include "server/http_loop.h"

struct http_link;

/* Takes over how the session moves its bytes; the loop pauses the connection while its handshake waits. Of
 * the certificate it keeps a hold. NULL: no memory, it stays as it was. */
struct http_link *http_link_new(gnutls_session_t session, int fd, struct MHD_Connection *c,
                                struct http_loop *loop, struct http_certificate *certificate);
void http_link_free(struct http_link *l);                /* NULL is fine */
struct http_pause *http_link_pause(struct http_link *l); /* NULL of NULL */
/* What is sent next (a reply's head) is followed at once by more (its body): the kernel may wait for that. It
 * must have it, though: libmicrohttpd sometimes waits for the kernel's word that the head has left before it
 * sends the body, and a head that was kept here would be waited for until the connection is given up. */
void http_link_more(struct http_link *l);

#endif
