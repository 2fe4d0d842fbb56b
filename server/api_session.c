/* api_session.c - a browser's session: a cookie that holds a token of its own, made at login */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/try.h"
#include "wire/token.h"

#define SESSION_MS 43200000ll

static enum err session_write(struct call *c, uint64_t user_id, const char *token, int64_t expires_ms,
                              struct buf *out)
{
    struct store_user u;
    struct json_out o;
    char csrf[DIGEST_TEXT_BYTES];
    TRY(store_user_get(c->store, &c->http->arena, user_id, &u));
    call_csrf(token, csrf);
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    api_id(&o, "id", u.id);
    json_out_string(&o, "name", u.name);
    json_out_string(&o, "role", role_name(u.role));
    json_out_string(&o, "csrf", csrf);
    if (expires_ms)
        json_out_i64(&o, "expires_ms", expires_ms);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err api_session_get(struct call *c)
{
    const char *cookie = http_cookie(c->http, SESSION_COOKIE);
    BUF_AUTO struct buf body = {0};
    if (!c->who.by_cookie || !cookie)
        return err_set(ERR_AUTH, "there is no session: log in");
    TRY(session_write(c, c->who.id, cookie, c->who.expires_ms, &body));
    return call_reply(c, 200, &body);
}

static enum err reply_cookie(struct call *c, const char *token, int64_t age_s, struct buf *body)
{
    char cookie[TOKEN_TEXT_BYTES + 120];
    struct http_reply p = {.status = 200, .body = body};
    snprintf(cookie, sizeof cookie,
             SESSION_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%lld", token,
             (long long)age_s);
    http_reply_header(&p, "Set-Cookie", cookie);
    http_reply_header(&p, "Cache-Control", "no-store");
    http_reply(c->http, &p);
    explicit_bzero(cookie, sizeof cookie);
    return ERR_OK;
}

static enum err revoke(struct call *c, uint64_t token_id)
{
    c->request = (struct engine_request){.kind = ENGINE_TOKEN};
    c->request.u.token = (struct engine_token){.verb = ENGINE_TOKEN_REVOKE, .token.id = token_id};
    TRY(call_engine(c));
    auth_forget(c->server->auth, token_id);
    return ERR_OK;
}

/* A token for the browser alone, no wider than the one that was shown. */
static enum err open_session(struct call *c, const struct principal *p, char ret_token[TOKEN_TEXT_BYTES],
                             int64_t *ret_expires_ms)
{
    uint8_t secret[32];
    struct store_token shown;
    struct engine_token *q = &c->request.u.token;
    bool by_link = p->scope & SCOPE_LOGIN;
    int64_t expires_ms = clock_wall_ms() + SESSION_MS;
    TRY(store_token_get(c->store, &c->http->arena, p->token_id, &shown));
    if (by_link) /* first, so that a link never opens two sessions */
        TRY(revoke(c, p->token_id));
    else if (p->expires_ms && p->expires_ms < expires_ms)
        expires_ms = p->expires_ms;
    c->who = *p;
    c->request = (struct engine_request){.kind = ENGINE_TOKEN};
    q->verb = ENGINE_TOKEN_CREATE;
    q->token = (struct store_token){.role = shown.role,
                                    .owner_id = p->id,
                                    .scope = by_link ? "" : shown.scope,
                                    .name = "browser session",
                                    .expires_ms = expires_ms};
    api_secret(secret, &q->token.secret);
    TRY(call_engine(c));
    token_print(TOKEN_USER, q->ret_id, secret, ret_token);
    explicit_bzero(secret, sizeof secret);
    *ret_expires_ms = expires_ms;
    return ERR_OK;
}

enum err api_session_post(struct call *c)
{
    static const char *const fields[] = {"token"};
    JSON_AUTO struct json_doc *doc = NULL;
    BUF_AUTO struct buf body = {0};
    char token[TOKEN_TEXT_BYTES];
    const char *shown;
    struct principal p;
    int64_t expires_ms;
    TRY(call_check_origin(c->http));
    TRY(api_body(c, &doc));
    TRY(json_only(json_root(doc), "", fields, 1));
    TRY(json_get_string(json_root(doc), "", "token", TOKEN_TEXT_BYTES, &shown));
    TRY(auth_check(c->server->auth, shown, clock_wall_ms(), &p));
    if (p.role < ROLE_VIEWER)
        return err_set(ERR_DENIED, "this is a %s's token: the console is for users", role_name(p.role));
    TRY(open_session(c, &p, token, &expires_ms));
    TRY(session_write(c, p.id, token, expires_ms, &body));
    enum err e = reply_cookie(c, token, SESSION_MS / 1000, &body);
    explicit_bzero(token, sizeof token);
    return e;
}

enum err api_session_delete(struct call *c)
{
    BUF_AUTO struct buf body = {0};
    if (c->who.by_cookie)
        TRY(revoke(c, c->who.token_id));
    TRY(buf_add_text(&body, "{}"));
    return reply_cookie(c, "", 0, &body);
}
