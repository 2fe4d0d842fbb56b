/* mail.h - a mail to people, as server.conf says: through mail_server, from mail_from. */
#ifndef SERVER_MAIL_H
#define SERVER_MAIL_H

#include <stdbool.h>

#include "base/buf.h"
#include "server/settings.h"

#define MAIL_RECIPIENTS_MAX 16

struct mail {
    const char *to;      /* addresses with commas between, MAIL_RECIPIENTS_MAX at most */
    const char *subject; /* any UTF-8, one line */
    const char *text;
    const char *picture_name; /* an SVG goes along; NULL: none */
    const struct buf *picture;
};

/* Is there a mail server? */
bool mail_is_set(const struct settings *s);
/* The whole message (RFC 5322, MIME) with CRLF, texts as base64, so that no line of ours is ever a header. */
enum err mail_compose(const struct settings *s, const struct mail *m, int64_t now_ms,
                      struct buf *out) NODISCARD;
/* Blocks, 30 s at most. The sentence of an error never carries the password. */
enum err mail_send(const struct settings *s, const struct mail *m) NODISCARD;
/* ERR_INVALID, naming the address, for what cannot be one: a@b without blanks or control characters. */
enum err mail_check_address(const char *address) NODISCARD;

#endif
