/* api_session.c - a browser's session: a cookie that holds a token of its own, made at login */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api_login.h"
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
    json_out_i64(&o, "fresh_ms", c->server->settings.login_fresh_ms);
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

/* Which browser, for the list of sessions: what it says of itself, without what a terminal or page could
 * stumble over. */
static const char *agent_of(struct call *c)
{
    const char *says = http_header(c->http, "User-Agent");
    char text[121];
    size_t len = 0;
    for (; says && *says && len < sizeof text - 1; says++)
        text[len++] = *says >= ' ' && *says <= '~' ? *says : '?';
    text[len] = 0;
    return len ? arena_text(&c->http->arena, text) : "unknown";
}

/* A token for the browser alone, no wider than what was shown. */
static enum err open_session(struct call *c, const struct login *who, char ret_token[TOKEN_TEXT_BYTES],
                             int64_t *ret_expires_ms)
{
    uint8_t secret[32];
    struct engine_token *q = &c->request.u.token;
    const char *agent = agent_of(c);
    *ret_expires_ms = clock_wall_ms() + SESSION_MS;
    if (who->expires_ms && who->expires_ms < *ret_expires_ms)
        *ret_expires_ms = who->expires_ms;
    c->who = (struct principal){.role = who->role, .id = who->user_id};
    if (who->link_id) /* first, so that a link never opens two sessions */
        TRY(revoke(c, who->link_id));
    c->request = (struct engine_request){.kind = ENGINE_TOKEN};
    q->verb = ENGINE_TOKEN_CREATE;
    q->token = (struct store_token){.role = who->role,
                                    .owner_id = who->user_id,
                                    .scope = who->scope,
                                    .name = "browser session",
                                    .agent = agent ? agent : "unknown",
                                    .expires_ms = *ret_expires_ms};
    api_secret(secret, &q->token.secret);
    TRY(call_engine(c));
    token_print(TOKEN_USER, q->ret_id, secret, ret_token);
    explicit_bzero(secret, sizeof secret);
    return ERR_OK;
}

/* Logging in again (so that the session is fresh) ends the session that was there: one browser has one. */
static enum err end_old(struct call *c)
{
    struct principal was;
    const char *cookie = http_cookie(c->http, SESSION_COOKIE);
    if (!cookie || auth_check(c->server->auth, cookie, clock_wall_ms(), &was) != ERR_OK)
        return ERR_OK;
    return revoke(c, was.token_id);
}

enum err api_session_post(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    BUF_AUTO struct buf body = {0};
    char token[TOKEN_TEXT_BYTES];
    struct login who;
    int64_t expires_ms;
    TRY(call_check_origin(c->http));
    TRY(api_body(c, &doc));
    TRY(login_check(c, json_root(doc), &who));
    TRY(open_session(c, &who, token, &expires_ms));
    TRY(end_old(c));
    TRY(session_write(c, who.user_id, token, expires_ms, &body));
    enum err e = reply_cookie(c, token, SESSION_MS / 1000, &body);
    explicit_bzero(token, sizeof token);
    return e;
}

enum err api_session_challenge(struct call *c)
{
    uint8_t challenge[CHALLENGE_BYTES];
    struct passkey_site site;
    struct json_out o;
    BUF_AUTO struct buf body = {0}, text = {0};
    TRY(login_site(c, &site));
    challenge_make(c->server->challenges, 0, clock_wall_ms(), challenge);
    TRY(str_base64url(challenge, sizeof challenge, &text));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_string(&o, "challenge", buf_text(&text));
    json_out_string(&o, "rp_id", site.rp_id);
    json_out_i64(&o, "timeout_ms", CHALLENGE_MS);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

enum err api_session_delete(struct call *c)
{
    BUF_AUTO struct buf body = {0};
    if (c->who.by_cookie)
        TRY(revoke(c, c->who.token_id));
    TRY(buf_add_text(&body, "{}"));
    return reply_cookie(c, "", 0, &body);
}
