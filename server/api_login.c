/* api_login.c - see api_login.h */
#include "server/api_login.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/password.h"
#include "server/try.h"
#include "wire/token.h"

enum { NAME_BYTES = 128, SITE_ROOM = 300 };

enum err login_site(struct call *c, struct passkey_site *ret)
{
    char host[SITE_ROOM], origin[SITE_ROOM];
    enum err e = passkey_site_of(c->server->settings.url, host, origin, sizeof host);
    if (e != ERR_OK)
        return err_set(ERR_UNSUPPORTED, "%s", err_text());
    TRY(text_keep(&c->http->arena, host, &ret->rp_id));
    return text_keep(&c->http->arena, origin, &ret->origin);
}

enum err login_bytes(struct call *c, const struct json *obj, const char *where, const char *key, size_t most,
                     struct bytes *ret)
{
    BUF_AUTO struct buf bytes = {0};
    const char *text;
    TRY(json_get_string(obj, where, key, (most + 2) / 3 * 4, &text));
    TRY(err_prefix(str_unbase64url(text, strlen(text), &bytes), "%s.%s", where, key));
    if (bytes.len > most)
        return err_set(ERR_LIMIT, "%s.%s has more than %zu bytes", where, key, most);
    ret->data = (const uint8_t *)arena_bytes(&c->http->arena, buf_text(&bytes), bytes.len);
    ret->len = bytes.len;
    return ret->data ? ERR_OK : ERR_NOMEM;
}

static enum err by_token(struct call *c, const struct json *root, struct login *ret)
{
    const char *shown;
    struct principal p;
    struct store_token token;
    TRY(json_get_string(root, "", "token", TOKEN_TEXT_BYTES, &shown));
    TRY(auth_check(c->server->auth, shown, clock_wall_ms(), &p));
    if (p.role < ROLE_VIEWER)
        return err_set(ERR_DENIED, "this is a %s's token: the console is for users", role_name(p.role));
    TRY(store_token_get(c->store, &c->http->arena, p.token_id, &token));
    bool by_link = p.scope & SCOPE_LOGIN;
    *ret = (struct login){.user_id = p.id,
                          .role = token.role,
                          .scope = by_link ? "" : token.scope,
                          .expires_ms = by_link ? 0 : p.expires_ms,
                          .link_id = by_link ? p.token_id : 0};
    return ERR_OK;
}

/* Some tries at once, then one in half a minute: for each address and for each name. */
static enum err check_tries(struct call *c, const char *name)
{
    struct server *s = c->server;
    struct digest d = hash_tagged(0x10, name, strlen(name));
    uint64_t who = 0;
    for (int i = 0; i < 8; i++)
        who = who << 8 | d.bytes[i];
    TRY(rate_take(s->login_rate, rate_address(c->http->peer), clock_mono_ms(), &c->retry_after_ms));
    return rate_take(s->login_rate, who, clock_mono_ms(), &c->retry_after_ms);
}

static enum err log_in(const struct store_user *u, struct login *ret)
{
    if (u->disabled)
        return err_set(ERR_AUTH, "this account is disabled: ask an operator");
    *ret = (struct login){.user_id = u->id, .role = u->role, .scope = ""};
    return ERR_OK;
}

static enum err use(struct call *c, const struct store_credential *is, uint32_t counter)
{
    c->request = (struct engine_request){.kind = ENGINE_CREDENTIAL};
    c->request.u.credential = (struct engine_credential){.verb = ENGINE_CREDENTIAL_USED,
                                                         .credential = {.id = is->id, .counter = is->counter},
                                                         .counter = counter};
    return call_engine(c);
}

static struct digest code_digest(const char *code)
{
    char plain[64];
    size_t len = 0;
    for (; *code && len < sizeof plain; code++) /* people add blanks and dashes, and write in lower case */
        if (*code != '-' && *code != ' ')
            plain[len++] = *code >= 'a' && *code <= 'z' ? (char)(*code - 'a' + 'A') : *code;
    return hash_bytes(plain, len);
}

static enum err check_code(struct call *c, const struct store_credential *list, uint32_t count,
                           const char *code)
{
    struct digest d = code_digest(code);
    for (uint32_t i = 0; i < count; i++)
        if (list[i].kind == STORE_RECOVERY && list[i].secret.len == DIGEST_BYTES &&
            hash_same_secret(list[i].secret.data, d.bytes, DIGEST_BYTES))
            return use(c, &list[i], list[i].counter);
    return err_set(ERR_AUTH, "name or recovery code is wrong; each code is good once");
}

static enum err check_password(struct call *c, const struct store_credential *list, uint32_t count,
                               const char *password)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].kind != STORE_PASSWORD)
            continue;
        const char *kept = arena_bytes(&c->http->arena, list[i].secret.data, list[i].secret.len);
        TRY(kept ? password_check(password, kept) : ERR_NOMEM);
        return use(c, &list[i], list[i].counter);
    }
    return password_check(password, NULL);
}

static enum err by_name(struct call *c, const struct json *root, bool by_password, struct login *ret)
{
    const char *name, *secret;
    struct store_user u;
    struct store_credential *list = NULL;
    uint32_t count = 0;
    TRY(json_get_string(root, "", "name", NAME_BYTES, &name));
    TRY(json_get_string(root, "", by_password ? "password" : "recovery", PASSWORD_BYTES_MAX, &secret));
    TRY(check_tries(c, name));
    enum err e = store_user_find(c->store, &c->http->arena, name, &u);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    if (e == ERR_OK)
        TRY(store_credential_list(c->store, &c->http->arena, u.id, &list, &count));
    TRY(by_password ? check_password(c, list, count, secret) : check_code(c, list, count, secret));
    return log_in(&u, ret);
}

static enum err by_passkey(struct call *c, const struct json *root, struct login *ret)
{
    static const char *const fields[] = {"id", "client_data", "authenticator_data", "signature"};
    const struct json *obj;
    struct passkey_site site;
    struct bytes id, client, data, signature;
    struct store_credential is;
    struct store_user u;
    struct passkey known = {0};
    BUF_AUTO struct buf challenge = {0};
    uint32_t counter;
    TRY(json_get_object(root, "", "passkey", &obj));
    TRY(json_only(obj, "passkey", fields, 4));
    TRY(login_site(c, &site));
    TRY(login_bytes(c, obj, "passkey", "id", PASSKEY_ID_BYTES_MAX, &id));
    TRY(login_bytes(c, obj, "passkey", "client_data", PASSKEY_CLIENT_BYTES_MAX, &client));
    TRY(login_bytes(c, obj, "passkey", "authenticator_data", PASSKEY_DATA_BYTES_MAX, &data));
    TRY(login_bytes(c, obj, "passkey", "signature", 512, &signature));
    TRY(passkey_client(&site, "webauthn.get", client, &challenge));
    enum err e = store_credential_find(c->store, &c->http->arena, id.data, id.len, &is);
    if (e == ERR_MISSING || (e == ERR_OK && is.kind != STORE_PASSKEY))
        return err_set(ERR_AUTH, "this passkey is not known here: was it removed?");
    TRY(e);
    if (is.secret.len > sizeof known.key)
        return err_set(ERR_CORRUPT, "what is stored of this passkey cannot be read: remove it");
    memcpy(known.key, is.secret.data, is.secret.len);
    known.key_len = is.secret.len;
    known.count = is.counter;
    TRY(passkey_check(&site, &known, client, data, signature, &counter));
    TRY(challenge_take(c->server->challenges, &challenge, 0, clock_wall_ms()));
    TRY(store_user_get(c->store, &c->http->arena, is.user_id, &u));
    TRY(use(c, &is, counter));
    return log_in(&u, ret);
}

enum err login_check(struct call *c, const struct json *root, struct login *ret)
{
    static const char *const fields[] = {"token", "name", "password", "recovery", "passkey"};
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    bool token = json_field(root, "token"), password = json_field(root, "password"),
         recovery = json_field(root, "recovery"), passkey = json_field(root, "passkey");
    if (token + password + recovery + passkey != 1)
        return err_set(ERR_INVALID, "one of token, password, recovery and passkey must be shown");
    if (json_field(root, "name") && !password && !recovery)
        return err_set(ERR_INVALID, "a name goes with a password or a recovery code");
    enum err e = token     ? by_token(c, root, ret)
                 : passkey ? by_passkey(c, root, ret)
                           : by_name(c, root, password, ret);
    if (e == ERR_AUTH ||
        e == ERR_DENIED) /* never what was typed: people type passwords into the field above */
        log_event(LOG_WARN, "login-failed", "peer", c->http->peer, "with",
                  token      ? "token"
                  : passkey  ? "passkey"
                  : password ? "password"
                             : "recovery",
                  NULL);
    return e;
}
