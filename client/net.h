/* net.h - HTTPS as a client: the only user of libcurl. For the daemon (many requests at once, driven by its
 * loop) and the command line (one at a time).
 *
 * Trust: a server is believed if the system's certificate authorities vouch for it, or if the SHA-256 of its
 * certificate's SubjectPublicKeyInfo is one of the pins (RFC 7469). Redirects are not followed, but for files
 * (see follow). Proxies are
 * taken from https_proxy and no_proxy unless net_set_proxy() says otherwise. */
#ifndef CLIENT_NET_H
#define CLIENT_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define NET_PINS_MAX     16
#define NET_REQUESTS_MAX 64 /* at once; more are ERR_BUSY */

struct net;

enum err net_new(const char *user_agent, struct net **ret_net) NODISCARD;
void net_free(struct net *n); /* requests under way end as ERR_TIMEOUT without their done() */
/* Base64 pins, as in a server statement. Replaces those that were there; 0 means none. */
enum err net_set_pins(struct net *n, const char *const *pins, uint32_t count) NODISCARD;
/* The next requests skip the check of the certificate and never carry a token: only to fetch /v1/project,
 * whose content is signed, before the pins are known. */
void net_set_unverified(struct net *n, bool on);
enum err net_set_proxy(struct net *n, const char *url) NODISCARD; /* NULL: from the environment, "" none */
/* A file of PEM certificates, of authorities to believe instead of the system's; NULL: the system's. */
enum err net_set_authorities(struct net *n, const char *path) NODISCARD;
/* Bytes per second over all requests together; 0: no limit. */
void net_set_rate(struct net *n, uint64_t down_bytes_s, uint64_t up_bytes_s);

struct net_request {
    const char *method; /* "GET", "HEAD", "POST", "PATCH", "DELETE" */
    const char *url;
    const char *token;           /* Authorization: Bearer; NULL: none */
    const char *idempotency_key; /* NULL: none */
    const char *content_type;    /* NULL: application/json */
    /* The body: text, or a part of an open file. Belongs to the caller until the request has ended. */
    const char *body;
    uint64_t body_bytes;
    int body_fd; /* used when has_body_fd */
    bool has_body_fd;
    uint64_t body_offset;
    bool upload; /* sends Upload-Offset: body_offset and Upload-Length: upload_bytes */
    uint64_t upload_bytes;
    /* Where the reply of a 2xx goes: into the reply's buf, at most reply_bytes_max; or a file, written from
     * range_from on. */
    uint64_t reply_bytes_max; /* 0: 8 MiB */
    int reply_fd;             /* used when has_reply_fd */
    bool has_reply_fd;
    uint64_t range_from; /* not 0: sends Range: bytes=range_from-; a server that answers 200 makes the file
                            start anew */
    /* Of a file that has a digest: the server may send us to where it keeps it, once. Nothing of ours goes
     * along, no token; the place is believed if the authorities vouch for it, not by the pins; when it cannot
     * be reached the server is asked for the file itself. The caller checks the digest. */
    bool follow;
    bool waits;         /* the reply is long in coming: it takes no share of the rate meanwhile */
    uint32_t timeout_s; /* of the whole; 0: none but 60 s without a byte moving */
};

struct net_reply {
    long status;             /* 0: there was no reply */
    struct buf body;         /* of an error too: its JSON */
    int64_t retry_after_ms;  /* -1: not given */
    int64_t upload_offset;   /* -1: not given */
    int64_t content_length;  /* -1: not given */
    uint64_t received_bytes; /* of the body */
};
void net_reply_done(struct net_reply *r);

/* One request, waiting for its end. ERR_OK only for a 2xx; for any other status the error word and sentence
 * of the reply's JSON, prefixed with nothing; without a reply ERR_UNREACHABLE, ERR_TIMEOUT or ERR_UNTRUSTED
 * (certificate and pins) with a sentence that names the host and what to check. ret_reply is set in any case.
 */
enum err net_do(struct net *n, const struct net_request *request, struct net_reply *ret_reply) NODISCARD;

/* The same without waiting. done is called from net_poll() on the caller's thread, once; err_text() is the
 * sentence; the reply is the callee's to net_reply_done(). What request points to must stay until then. */
typedef void net_done(void *ctx, enum err err, struct net_reply *reply);
enum err net_start(struct net *n, const struct net_request *request, net_done *done, void *ctx,
                   uint32_t *ret_id) NODISCARD;
void net_cancel(struct net *n, uint32_t id); /* without done(); unknown ids are fine */
/* Moves what is under way, waits up to timeout_ms for it or for one of the extra descriptors to be readable.
 */
enum err net_poll(struct net *n, int timeout_ms, const int *fds, uint32_t fd_count) NODISCARD;
uint32_t net_active(const struct net *n);
/* Nothing moves: what is under way has waited for its reply for a while. */
bool net_is_quiet(const struct net *n);
/* What came and went so far, heads included, of all requests that have ended and bodies of those that have
 * not. */
uint64_t net_moved_bytes(const struct net *n);

#endif
