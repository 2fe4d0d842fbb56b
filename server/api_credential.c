/* api_credential.c - how a user logs in, and where he is logged in: passwords, passkeys, recovery codes,
 * sessions */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/api_login.h"
#include "server/password.h"
#include "server/try.h"
#include "wire/token.h"

/* --- sessions --- */

/* Operators may ask for another user's. */
static enum err whose(struct call *c, uint64_t *ret)
{
    uint64_t user;
    TRY(call_number(c, "user", 0, INT64_MAX, &user));
    if (user && user != c->who.id && c->who.role != ROLE_OPERATOR)
        return err_set(ERR_DENIED, "only an operator sees how others log in");
    *ret = user ? user : c->who.id;
    return ERR_OK;
}

static void session_item(struct call *c, struct json_out *o, const struct store_token *t)
{
    json_out_object(o, NULL);
    api_id(o, "session", t->id);
    json_out_string(o, "agent", t->agent);
    json_out_i64(o, "created_ms", t->created_ms);
    json_out_i64(o, "expires_ms", t->expires_ms);
    json_out_bool(o, "current", c->who.by_cookie && t->id == c->who.token_id);
    json_out_close(o);
}

/* Calls for each session of the user that is open. */
static enum err each_session(struct call *c, uint64_t user,
                             enum err (*each)(struct call *c, struct json_out *o,
                                              const struct store_token *t),
                             struct json_out *o)
{
    int64_t now_ms = clock_wall_ms();
    for (enum role role = ROLE_VIEWER; role <= ROLE_OPERATOR; role++) {
        struct store_token *list;
        uint32_t count;
        uint64_t after = 0;
        do {
            TRY(store_token_list(c->store, &c->http->arena, role, user, after, STORE_PAGE_MAX, &list,
                                 &count));
            for (uint32_t i = 0; i < count; i++) {
                after = list[i].id;
                if (*list[i].agent && !list[i].revoked && list[i].expires_ms > now_ms)
                    TRY(each(c, o, &list[i]));
            }
        } while (count == STORE_PAGE_MAX);
    }
    return ERR_OK;
}

static enum err write_session(struct call *c, struct json_out *o, const struct store_token *t)
{
    session_item(c, o, t);
    return ERR_OK;
}

enum err api_sessions(struct call *c)
{
    uint64_t user;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(whose(c, &user));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    TRY(each_session(c, user, write_session, &o));
    api_page_end(&o, 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err end_session(struct call *c, struct json_out *o, const struct store_token *t)
{
    (void)o;
    if (c->who.by_cookie && t->id == c->who.token_id)
        return ERR_OK;
    c->request = (struct engine_request){.kind = ENGINE_TOKEN};
    c->request.u.token = (struct engine_token){.verb = ENGINE_TOKEN_REVOKE, .token.id = t->id};
    TRY(call_engine(c));
    auth_forget(c->server->auth, t->id);
    return ERR_OK;
}

/* All but the one that asks. */
enum err api_sessions_end(struct call *c)
{
    uint64_t user;
    BUF_AUTO struct buf body = {0};
    TRY(whose(c, &user));
    TRY(each_session(c, user, end_session, NULL));
    TRY(buf_add_text(&body, "{}"));
    return call_reply(c, 200, &body);
}

/* --- listing --- */

enum err api_credentials(struct call *c)
{
    struct store_credential *list;
    uint32_t count, codes = 0;
    uint64_t user;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(whose(c, &user));
    TRY(store_credential_list(c->store, &c->http->arena, user, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++) {
        codes += list[i].kind == STORE_RECOVERY;
        if (list[i].kind == STORE_RECOVERY)
            continue;
        json_out_object(&o, NULL);
        api_id(&o, "credential", list[i].id);
        json_out_string(&o, "kind", credential_kind_name(list[i].kind));
        json_out_string(&o, "name", list[i].name);
        json_out_i64(&o, "created_ms", list[i].created_ms);
        if (list[i].used_ms)
            json_out_i64(&o, "used_ms", list[i].used_ms);
        json_out_close(&o);
    }
    json_out_close(&o);
    json_out_i64(&o, "recovery_codes", codes);
    json_out_null(&o, "next");
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

/* --- making --- */

static void bytes_write(struct json_out *o, const char *key, const void *bytes, size_t len)
{
    BUF_AUTO struct buf text = {0};
    enum err e = str_base64url(bytes, len, &text);
    json_out_string(o, key, e == ERR_OK ? buf_text(&text) : "");
}

enum err api_credential_challenge(struct call *c)
{
    uint8_t challenge[CHALLENGE_BYTES], handle[8];
    struct passkey_site site;
    struct store_user u;
    struct store_credential *list;
    uint32_t count;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(login_site(c, &site));
    TRY(store_user_get(c->store, &c->http->arena, c->who.id, &u));
    TRY(store_credential_list(c->store, &c->http->arena, u.id, &list, &count));
    challenge_make(c->server->challenges, u.id, clock_wall_ms(), challenge);
    for (int i = 0; i < 8; i++)
        handle[i] = (uint8_t)(u.id >> (56 - 8 * i));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    bytes_write(&o, "challenge", challenge, sizeof challenge);
    json_out_string(&o, "rp_id", site.rp_id);
    json_out_string(&o, "rp_name", c->server->settings.name);
    bytes_write(&o, "user_handle", handle, sizeof handle);
    json_out_string(&o, "user_name", u.name);
    json_out_i64(&o, "timeout_ms", CHALLENGE_MS);
    json_out_array(&o, "exclude");
    for (uint32_t i = 0; i < count; i++)
        if (list[i].kind == STORE_PASSKEY)
            bytes_write(&o, NULL, list[i].handle.data, list[i].handle.len);
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err password_fill(struct call *c, const struct json *root, struct store_credential *ret)
{
    const char *password;
    char kept[PASSWORD_KEPT_MAX];
    TRY(json_get_string(root, "", "password", PASSWORD_BYTES_MAX, &password));
    TRY(password_judge(password));
    TRY(password_keep(password, kept));
    const char *copy = arena_text(&c->http->arena, kept);
    ret->secret = (struct text){.data = copy, .len = (uint32_t)strlen(kept)};
    return copy ? ERR_OK : ERR_NOMEM;
}

static enum err passkey_fill(struct call *c, const struct json *root, struct store_credential *ret)
{
    struct passkey_site site;
    struct bytes client, attestation;
    struct passkey made;
    BUF_AUTO struct buf challenge = {0};
    TRY(login_site(c, &site));
    TRY(login_bytes(c, root, "credential", "client_data", PASSKEY_CLIENT_BYTES_MAX, &client));
    TRY(login_bytes(c, root, "credential", "attestation", PASSKEY_DATA_BYTES_MAX, &attestation));
    TRY(passkey_client(&site, "webauthn.create", client, &challenge));
    TRY(passkey_made(&site, attestation, &made));
    TRY(challenge_take(c->server->challenges, &challenge, c->who.id, clock_wall_ms()));
    const void *key = arena_bytes(&c->http->arena, made.key, made.key_len);
    ret->handle = (struct text){.data = (const char *)made.id.data, .len = (uint32_t)made.id.len};
    ret->secret = (struct text){.data = key, .len = (uint32_t)made.key_len};
    ret->counter = made.count;
    return key ? ERR_OK : ERR_NOMEM;
}

/* 80 random bits as 16 letters and digits that are not mistaken for each other. */
enum { CODE_LETTERS = 16 };
static void code_make(char ret[CODE_LETTERS + 4], struct digest *ret_digest)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* 32 */
    uint8_t bytes[CODE_LETTERS];
    char plain[CODE_LETTERS];
    rand_bytes(bytes, sizeof bytes);
    for (int i = 0, to = 0; i < CODE_LETTERS; i++) {
        plain[i] = letters[bytes[i] % 32];
        if (i > 0 && i % 4 == 0)
            ret[to++] = '-';
        ret[to++] = plain[i];
    }
    ret[CODE_LETTERS + 3] = 0;
    *ret_digest = hash_bytes(plain, sizeof plain);
    explicit_bzero(plain, sizeof plain);
    explicit_bzero(bytes, sizeof bytes);
}

static enum err fill(struct call *c, const struct json *root, struct engine_credential *q,
                     char codes[RECOVERY_CODES][CODE_LETTERS + 4])
{
    static const char *const fields[CREDENTIAL_KINDS][4] = {
        [STORE_PASSWORD] = {"kind", "name", "password"},
        [STORE_PASSKEY] = {"kind", "name", "client_data", "attestation"},
        [STORE_RECOVERY] = {"kind"}};
    static const size_t counts[] = {[STORE_PASSWORD] = 3, [STORE_PASSKEY] = 4, [STORE_RECOVERY] = 1};
    const char *kind;
    struct store_credential *to = &q->credential;
    TRY(json_get_string(root, "", "kind", 16, &kind));
    while (to->kind < CREDENTIAL_KINDS && !str_eq(kind, credential_kind_name(to->kind)))
        to->kind++;
    if (to->kind == CREDENTIAL_KINDS)
        return err_set(ERR_INVALID, "kind \"%s\" is none of password, passkey, recovery", kind);
    TRY(json_only(root, "", fields[to->kind], counts[to->kind]));
    TRY(text_read(root, "", "name", 64, false, &c->http->arena, &to->name));
    if (!to->name)
        to->name = credential_kind_name(to->kind);
    if (to->kind == STORE_PASSWORD)
        return password_fill(c, root, to);
    if (to->kind == STORE_PASSKEY)
        return passkey_fill(c, root, to);
    for (int i = 0; i < RECOVERY_CODES; i++)
        code_make(codes[i], &q->codes[i]);
    return ERR_OK;
}

/* A new password, and new recovery codes, end all other sessions: somebody may have had the old ones. */
enum err api_credential_post(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char codes[RECOVERY_CODES][CODE_LETTERS + 4] = {{0}};
    struct engine_credential *q = &c->request.u.credential;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_body(c, &doc));
    TRY(fill(c, json_root(doc), q, codes));
    c->request.kind = ENGINE_CREDENTIAL;
    q->credential.user_id = c->who.id;
    TRY(call_engine(c));
    enum credential_kind kind = q->credential.kind;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    api_id(&o, "credential", q->ret_id);
    if (kind == STORE_RECOVERY) {
        json_out_array(&o, "codes");
        for (int i = 0; i < RECOVERY_CODES; i++)
            json_out_string(&o, NULL, codes[i]);
        json_out_close(&o);
    }
    json_out_close(&o);
    explicit_bzero(codes, sizeof codes);
    TRY(json_out_end(&o));
    if (kind != STORE_PASSKEY)
        TRY(each_session(c, c->who.id, end_session, NULL));
    return call_reply(c, 201, &body);
}

enum err api_credential_delete(struct call *c)
{
    uint64_t id;
    struct store_credential is;
    BUF_AUTO struct buf body = {0};
    TRY(call_id(c->params[0], "credential", INT64_MAX, &id));
    enum err e = store_credential_get(c->store, &c->http->arena, id, &is);
    if (e == ERR_MISSING || (e == ERR_OK && is.user_id != c->who.id && c->who.role != ROLE_OPERATOR))
        return err_set(ERR_MISSING, "there is no credential %" PRIu64, id);
    TRY(e);
    c->request.kind = ENGINE_CREDENTIAL;
    c->request.u.credential = (struct engine_credential){.verb = ENGINE_CREDENTIAL_END, .credential.id = id};
    TRY(call_engine(c));
    TRY(buf_add_text(&body, "{}"));
    return call_reply(c, 200, &body);
}
