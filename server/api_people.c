/* api_people.c - users, their tokens, invitations. Secrets are shown once, and only their digest is kept. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/api.h"
#include "server/try.h"
#include "wire/token.h"

enum { NAME_MAX_BYTES = 128 };
#define TIME_MAX_MS (1ll << 50)

/* --- users --- */

static void user_write(struct json_out *o, const struct store_user *u, const char *token)
{
    json_out_object(o, NULL);
    api_id(o, "id", u->id);
    json_out_string(o, "name", u->name);
    json_out_string(o, "role", role_name(u->role));
    json_out_string(o, "mail", u->mail);
    json_out_bool(o, "disabled", u->disabled);
    json_out_u64(o, "blob_bytes", u->blob_bytes);
    json_out_u64(o, "blob_bytes_max", u->blob_bytes_max);
    json_out_u64(o, "units_max", u->units_max);
    json_out_i64(o, "created_ms", u->created_ms);
    if (token)
        json_out_string(o, "token", token);
    json_out_close(o);
}

enum err api_users(struct call *c)
{
    struct store_user *list;
    uint32_t limit, count;
    uint64_t after;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    TRY(store_user_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++)
        user_write(&o, &list[i], NULL);
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err role_read(const struct json *root, enum role fallback, enum role *ret)
{
    const char *word;
    TRY(json_opt_string(root, "", "role", 32, NULL, &word));
    *ret = word ? role_from_name(word) : fallback;
    if (word && *ret < ROLE_VIEWER)
        return err_set(ERR_INVALID, "role \"%s\" is none of viewer, scientist, operator", word);
    return ERR_OK;
}

static enum err user_read(struct call *c, const struct json *root, struct engine_user *ret)
{
    static const char *const fields[] = {"name", "role", "mail", "blob_bytes_max", "units_max", "disabled"};
    int64_t bytes, units;
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    TRY(text_read(root, "", "name", NAME_MAX_BYTES, ret->user.id == 0, &c->http->arena, &ret->user.name));
    TRY(text_read(root, "", "mail", NAME_MAX_BYTES * 2, false, &c->http->arena, &ret->user.mail));
    TRY(role_read(root, ret->user.id ? ROLE_NONE : ROLE_SCIENTIST, &ret->user.role));
    ret->set_limits = json_field(root, "blob_bytes_max") || json_field(root, "units_max");
    TRY(json_opt_i64(root, "", "blob_bytes_max", 0, INT64_MAX, (int64_t)ret->user.blob_bytes_max, &bytes));
    TRY(json_opt_i64(root, "", "units_max", 0, INT64_MAX, (int64_t)ret->user.units_max, &units));
    ret->user.blob_bytes_max = (uint64_t)bytes;
    ret->user.units_max = (uint64_t)units;
    ret->set_disabled = json_field(root, "disabled") != NULL;
    return json_opt_bool(root, "", "disabled", false, &ret->user.disabled);
}

/* Makes a token; *ret_text is shown once. */
static enum err make_token(struct call *c, const struct store_token *t, char ret_text[TOKEN_TEXT_BYTES])
{
    uint8_t secret[32];
    struct engine_request *r = &c->request;
    const char *key = r->key, *owner = r->key_owner;
    struct digest body = r->body;
    *r = (struct engine_request){.kind = ENGINE_TOKEN, .key = key, .key_owner = owner, .body = body};
    r->u.token = (struct engine_token){.verb = ENGINE_TOKEN_CREATE, .token = *t};
    api_secret(secret, &r->u.token.token.secret);
    TRY(call_engine(c));
    auth_forget(c->server->auth, r->u.token.ret_id); /* told again it has another secret */
    token_print(TOKEN_USER, r->u.token.ret_id, secret, ret_text);
    explicit_bzero(secret, sizeof secret);
    return ERR_OK;
}

static enum err reply_user(struct call *c, uint64_t id, const char *token, int status)
{
    struct store_user u;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(store_user_get(c->store, &c->http->arena, id, &u));
    json_out_init(&o, &body);
    user_write(&o, &u, token);
    TRY(json_out_end(&o));
    return call_reply(c, status, &body);
}

enum err api_user_post(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char token[TOKEN_TEXT_BYTES], key[80];
    TRY(api_body(c, &doc));
    c->request.kind = ENGINE_USER;
    TRY(user_read(c, json_root(doc), &c->request.u.user));
    TRY(call_idempotent(c));
    TRY(call_engine(c));
    uint64_t id = c->request.u.user.ret_id;
    if (c->request.key) { /* its token is another thing made by the same request */
        snprintf(key, sizeof key, "%.60s.token", c->request.key);
        c->request.key = arena_text(&c->http->arena, key);
    }
    struct store_token t = {
        .role = c->request.u.user.user.role, .owner_id = id, .scope = "", .name = "first"};
    TRY(make_token(c, &t, token));
    enum err e = reply_user(c, id, token, 201);
    explicit_bzero(token, sizeof token);
    return e;
}

enum err api_user_patch(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct store_user u;
    uint64_t id;
    TRY(call_id(c->params[0], "user", INT64_MAX, &id));
    enum err e = store_user_get(c->store, &c->http->arena, id, &u);
    if (e == ERR_MISSING)
        return err_set(e, "there is no user %" PRIu64 ": dugnad user ls lists them", id);
    TRY(e);
    TRY(api_body(c, &doc));
    c->request.kind = ENGINE_USER;
    c->request.u.user.user =
        (struct store_user){.id = id, .blob_bytes_max = u.blob_bytes_max, .units_max = u.units_max};
    TRY(user_read(c, json_root(doc), &c->request.u.user));
    if (id == c->who.id && (c->request.u.user.user.disabled ||
                            (c->request.u.user.user.role && c->request.u.user.user.role != ROLE_OPERATOR)))
        return err_set(ERR_CONFLICT, "you cannot take your own rights away: let another operator do it");
    TRY(call_engine(c));
    auth_forget(c->server->auth, 0);
    return reply_user(c, id, NULL, 200);
}

/* --- tokens --- */

static void token_write(struct call *c, struct json_out *o, const struct store_token *t, const char *secret)
{
    json_out_object(o, NULL);
    api_id(o, "id", t->id);
    json_out_string(o, "role", role_name(t->role));
    api_id(o, "owner", t->owner_id);
    if (t->role >= ROLE_VIEWER)
        api_user_name(c, o, "owner_name", t->owner_id);
    json_out_string(o, "name", t->name);
    json_out_string(o, "scope", t->scope);
    json_out_i64(o, "created_ms", t->created_ms);
    if (t->expires_ms)
        json_out_i64(o, "expires_ms", t->expires_ms);
    else
        json_out_null(o, "expires_ms");
    json_out_bool(o, "revoked", t->revoked);
    if (secret)
        json_out_string(o, "token", secret);
    json_out_close(o);
}

/* Operators see everybody's, others their own. */
enum err api_tokens(struct call *c)
{
    struct store_token *list;
    uint32_t limit, count;
    uint64_t after;
    bool all = c->who.role == ROLE_OPERATOR;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    uint32_t shown = 0, pages = 0;
    do { /* hosts' tokens are many and nobody looks for them here */
        TRY(store_token_list(c->store, &c->http->arena, ROLE_NONE, 0, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count && shown < limit; i++) {
            after = list[i].id;
            if (list[i].role < ROLE_VIEWER || (!all && list[i].owner_id != c->who.id))
                continue;
            token_write(c, &o, &list[i], NULL);
            shown++;
        }
    } while (count == STORE_PAGE_MAX && shown < limit && ++pages < 50);
    api_page_end(&o, shown == limit || count == STORE_PAGE_MAX ? after : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err token_read(struct call *c, const struct json *root, struct store_token *ret)
{
    static const char *const fields[] = {"user", "name", "scope", "expires_ms"};
    const char *user;
    uint32_t scope;
    struct store_user u;
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    TRY(json_opt_string(root, "", "user", 24, NULL, &user));
    *ret = (struct store_token){.owner_id = c->who.id};
    if (user)
        TRY(call_id(user, "user", INT64_MAX, &ret->owner_id));
    if (ret->owner_id != c->who.id && c->who.role != ROLE_OPERATOR)
        return err_set(ERR_DENIED, "only an operator makes tokens for others");
    TRY(text_read(root, "", "name", NAME_MAX_BYTES, false, &c->http->arena, &ret->name));
    TRY(text_read(root, "", "scope", NAME_MAX_BYTES, false, &c->http->arena, &ret->scope));
    ret->name = ret->name ? ret->name : "";
    ret->scope = ret->scope ? ret->scope : "";
    TRY(scope_parse(ret->scope, &scope));
    if (ret->owner_id == c->who.id && scope & ~c->who.scope & SCOPE_ALL)
        return err_set(ERR_DENIED, "a token cannot make one that may do more than itself: add --scope");
    TRY(json_opt_i64(root, "", "expires_ms", 0, TIME_MAX_MS, 0, &ret->expires_ms));
    enum err e = store_user_get(c->store, &c->http->arena, ret->owner_id, &u);
    if (e == ERR_MISSING)
        return err_set(e, "there is no user %" PRIu64 ": dugnad user ls lists them", ret->owner_id);
    ret->role = u.role;
    return e;
}

static enum err reply_token(struct call *c, uint64_t id, const char *text, int status)
{
    struct store_token t;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(store_token_get(c->store, &c->http->arena, id, &t));
    json_out_init(&o, &body);
    token_write(c, &o, &t, text);
    TRY(json_out_end(&o));
    return call_reply(c, status, &body);
}

enum err api_token_post(struct call *c)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct store_token t;
    char text[TOKEN_TEXT_BYTES];
    TRY(api_body(c, &doc));
    TRY(token_read(c, json_root(doc), &t));
    TRY(call_idempotent(c));
    TRY(make_token(c, &t, text));
    enum err e = reply_token(c, c->request.u.token.ret_id, text, 201);
    explicit_bzero(text, sizeof text);
    return e;
}

static enum err find_token(struct call *c, struct store_token *ret)
{
    uint64_t id;
    TRY(call_id(c->params[0], "token", INT64_MAX, &id));
    enum err e = store_token_get(c->store, &c->http->arena, id, ret);
    bool mine = e == ERR_OK && ret->role >= ROLE_VIEWER && ret->owner_id == c->who.id;
    if (e == ERR_MISSING || (e == ERR_OK && !mine && c->who.role != ROLE_OPERATOR))
        return err_set(ERR_MISSING, "there is no token %" PRIu64 ": dugnad token ls lists them", id);
    return e;
}

enum err api_token_delete(struct call *c)
{
    struct store_token t;
    TRY(find_token(c, &t));
    c->request.kind = ENGINE_TOKEN;
    c->request.u.token = (struct engine_token){.verb = ENGINE_TOKEN_REVOKE, .token.id = t.id};
    TRY(call_engine(c));
    auth_forget(c->server->auth, t.id);
    return reply_token(c, t.id, NULL, 200);
}

enum err api_token_rotate(struct call *c)
{
    struct store_token t;
    uint8_t secret[32];
    char text[TOKEN_TEXT_BYTES];
    TRY(find_token(c, &t));
    c->request.kind = ENGINE_TOKEN;
    c->request.u.token = (struct engine_token){.verb = ENGINE_TOKEN_ROTATE, .token.id = t.id};
    api_secret(secret, &c->request.u.token.token.secret);
    TRY(call_engine(c));
    auth_forget(c->server->auth, t.id);
    token_print(t.role == ROLE_HOST        ? TOKEN_HOST
                : t.role == ROLE_VOLUNTEER ? TOKEN_VOLUNTEER
                                           : TOKEN_USER,
                t.id, secret, text);
    explicit_bzero(secret, sizeof secret);
    enum err e = reply_token(c, t.id, text, 200);
    explicit_bzero(text, sizeof text);
    return e;
}

/* --- invitations --- */

static void invitation_write(struct json_out *o, const struct store_invitation *i)
{
    api_id(o, "invitation", i->id);
    json_out_string(o, "name", i->name);
    json_out_i64(o, "uses", i->uses);
    json_out_i64(o, "uses_max", i->uses_max);
    json_out_i64(o, "created_ms", i->created_ms);
    if (i->expires_ms)
        json_out_i64(o, "expires_ms", i->expires_ms);
    else
        json_out_null(o, "expires_ms");
    json_out_bool(o, "revoked", i->revoked);
}

enum err api_invitations(struct call *c)
{
    struct store_invitation *list;
    uint32_t limit, count;
    uint64_t after;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    TRY(api_page(c, &limit, &after));
    TRY(store_invitation_list(c->store, &c->http->arena, after, limit, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "items");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        invitation_write(&o, &list[i]);
        json_out_close(&o);
    }
    api_page_end(&o, count == limit ? list[count - 1].id : 0);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}

static enum err reply_invitation(struct call *c, const uint8_t secret[32])
{
    struct store_invitation i = c->request.u.invitation.invitation;
    struct json_out o;
    char text[44];
    BUF_AUTO struct buf link = {0}, body = {0};
    secret_print(secret, text);
    TRY(project_join_link(c->server->project, text, &link));
    i.id = c->request.u.invitation.ret_id;
    i.created_ms = clock_wall_ms();
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    invitation_write(&o, &i);
    json_out_string(&o, "secret", text);
    json_out_string(&o, "link", buf_text(&link));
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 201, &body);
}

enum err api_invitation_post(struct call *c)
{
    static const char *const fields[] = {"uses_max", "name", "expires_ms"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct store_invitation *i = &c->request.u.invitation.invitation;
    int64_t uses;
    uint8_t secret[32];
    TRY(api_body(c, &doc));
    const struct json *root = json_root(doc);
    TRY(json_only(root, "", fields, sizeof fields / sizeof *fields));
    TRY(json_opt_i64(root, "", "uses_max", 0, INT32_MAX, 1, &uses));
    TRY(json_opt_i64(root, "", "expires_ms", 0, TIME_MAX_MS, 0, &i->expires_ms));
    TRY(text_read(root, "", "name", NAME_MAX_BYTES, false, &c->http->arena, &i->name));
    i->name = i->name ? i->name : "";
    i->uses_max = (uint32_t)uses;
    c->request.kind = ENGINE_INVITATION;
    api_secret(secret, &i->secret);
    TRY(call_idempotent(c));
    TRY(call_engine(c));
    enum err e = reply_invitation(c, secret);
    explicit_bzero(secret, sizeof secret);
    return e;
}

enum err api_invitation_delete(struct call *c)
{
    uint64_t id;
    BUF_AUTO struct buf body = {0};
    TRY(call_id(c->params[0], "invitation", INT64_MAX, &id));
    c->request.kind = ENGINE_INVITATION;
    c->request.u.invitation.invitation.id = id;
    TRY(call_engine(c));
    TRY(buf_add_text(&body, "{}"));
    return call_reply(c, 200, &body);
}
