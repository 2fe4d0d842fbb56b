/* fetch.h - the server as somebody's client: HTTP to an object store or a webhook, SMTP for mail. The only
 * user of libcurl on the server's side. Calls block: never from the engine's thread nor from one that answers
 * requests. */
#ifndef SERVER_FETCH_H
#define SERVER_FETCH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FETCH_HEADERS_MAX     16
#define FETCH_REPLY_BYTES_MAX (16u << 20)

struct fetch_request {
    const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    const char
        *url; /* http or https; certificates are verified against the system's authorities or ca_file */
    const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; ends at the first NULL */
    const void
        *body; /* sent when not NULL, or else body_bytes from body_fd at body_offset when body_bytes > 0 */
    uint64_t body_bytes;
    int body_fd;
    uint64_t body_offset;
    int into_fd; /* where a 2xx reply's body goes when into_file; any other reply goes to reply->body all the
                    same */
    bool into_file;
    uint64_t reply_bytes_max; /* 0: FETCH_REPLY_BYTES_MAX */
    int64_t timeout_ms;       /* of the whole; 0: 30 s. */
    uint32_t stall_s;         /* slower than 1 KiB/s for so long: it ends too; 0: 30 s */
    int64_t connect_ms;       /* until a connection stands; 0: 10 s */
    const char *ca_file;
    const char *sigv4; /* "aws:amz:REGION:s3" signs with user as the key's id and password as its secret */
    const char *user, *password;
};

struct fetch_reply {
    int status;
    struct buf body;
    uint64_t content_bytes; /* of Content-Length, for HEAD */
    char etag[128];
};

/* ERR_OK for any answer, whatever its status; ERR_UNREACHABLE, ERR_TIMEOUT, ERR_UNTRUSTED or ERR_LIMIT when
 * none came whole. The sentence names the host and never carries a secret. Free with fetch_reply_done(). */
enum err fetch_http(const struct fetch_request *request, struct fetch_reply *ret_reply) NODISCARD;
void fetch_reply_done(struct fetch_reply *reply);

struct fetch_mail {
    const char *url;             /* smtp://HOST:25, smtps://HOST:465; STARTTLS is used where it is offered */
    const char *user, *password; /* NULL: no login */
    const char *from;
    const char *const *to;
    size_t to_count;
    const char *message; /* headers, blank line, text; lines end in CRLF */
    size_t message_bytes;
    const char *ca_file;
    int64_t timeout_ms;
};
enum err fetch_mail(const struct fetch_mail *mail) NODISCARD;

#endif
