#include "server/login.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/try.h"
#include "wire/error_msg.h"
#include "wire/token.h"

#define LINK_MS 900000ll
enum { PATH_ROOM = 4096 };

static enum err read_token(const char *data, char ret[TOKEN_TEXT_BYTES])
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf text = {0};
    struct token token;
    TRY(file_join(path, sizeof path, data, "operator.token"));
    TRY(file_read(path, 4096, &text));
    snprintf(ret, TOKEN_TEXT_BYTES, "%.*s", (int)strcspn(buf_text(&text), " \t\r\n"), buf_text(&text));
    explicit_bzero(text.data, text.len);
    return err_prefix(token_parse(ret, &token), "%s", path);
}

/* The certificate names this machine's loopback address when init made it; another one names the public
 * address. */
static enum err ask(const char *data, const struct settings *s, const char *token, struct fetch_reply *ret)
{
    char url[512], address[64], certificate[PATH_ROOM], header[TOKEN_TEXT_BYTES + 40], body[128];
    uint16_t port;
    TRY(settings_listen(s, address, sizeof address, &port));
    if (s->certificate[0] == '/')
        snprintf(certificate, sizeof certificate, "%s", s->certificate);
    else
        TRY(file_join(certificate, sizeof certificate, data, s->certificate));
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    snprintf(body, sizeof body, "{\"name\":\"login link\",\"scope\":\"login\",\"expires_ms\":%lld}",
             (long long)(clock_wall_ms() + LINK_MS));
    struct fetch_request q = {.method = "POST",
                              .url = url,
                              .headers = {header, "Content-Type: application/json"},
                              .body = body,
                              .body_bytes = strlen(body),
                              .timeout_ms = 10000,
                              .ca_file = certificate};
    snprintf(url, sizeof url, "https://127.0.0.1:%u/v1/tokens", port);
    enum err e = fetch_http(&q, ret);
    if (e != ERR_OK) {
        snprintf(url, sizeof url, "%.400s/v1/tokens", s->url);
        q.ca_file = NULL;
        e = fetch_http(&q, ret);
    }
    explicit_bzero(header, sizeof header);
    return e == ERR_OK ? e : err_prefix(e, "is `dugnad-server --data %s serve` running?", data);
}

enum err login_link(const char *data, const struct settings *s, struct buf *ret_link)
{
    char token[TOKEN_TEXT_BYTES];
    struct fetch_reply reply = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *code;
    TRY(read_token(data, token));
    enum err e = ask(data, s, token, &reply);
    explicit_bzero(token, sizeof token);
    TRY(e);
    if (reply.status >= 300)
        e = error_from_reply(reply.status, buf_text(&reply.body), reply.body.len);
    if (e == ERR_OK)
        e = json_parse(buf_text(&reply.body), reply.body.len, JSON_BODY_SMALL_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = json_get_string(json_root(doc), "reply", "token", TOKEN_TEXT_BYTES, &code);
    if (e == ERR_OK)
        e = buf_printf(ret_link, "%s/admin/#code=%s", s->url, code);
    fetch_reply_done(&reply);
    return e;
}
