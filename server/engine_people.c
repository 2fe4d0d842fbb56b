/* engine_people.c - the requests about hosts, people, their tokens, and released code; idempotency keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine_in.h"

/* --- idempotency keys --- */

#define REPLAY_KEPT_MS  (7 * 24 * 3600 * 1000ll)
#define REPLAY_SLICE    500
#define REPLAY_CLEAN_MS 60000

enum err replay_find(struct engine *e, struct engine_request *r, uint64_t ret_numbers[REPLAY_NUMBERS],
                     bool *ret_known)
{
    struct store_replay known;
    *ret_known = false;
    if (!r->key)
        return ERR_OK;
    if (e->keys_new)
        TRY(engine_flush(e));
    enum err err = store_replay_get(e->store, &e->turn, r->key_owner, r->key, &known);
    if (err == ERR_MISSING)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    if (!digest_eq(&known.body, &r->body)) {
        engine_fail(r, err_set(ERR_CONFLICT,
                               "the idempotency key \"%.64s\" was used with another request before", r->key));
        return ERR_OK;
    }
    const char *at = known.result.data;
    char *end;
    for (int i = 0; i < REPLAY_NUMBERS; i++, at = end)
        ret_numbers[i] = strtoull(at, &end, 10);
    *ret_known = r->replayed = true;
    return ERR_OK;
}

enum err replay_keep(struct engine *e, const struct engine_request *r, const uint64_t n[REPLAY_NUMBERS])
{
    char text[REPLAY_NUMBERS * 24];
    const char *owner, *key;
    if (!r->key)
        return ERR_OK;
    int len =
        snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, n[0], n[1], n[2], n[3]);
    struct text *result = arena_alloc(&e->turn, sizeof *result);
    struct digest *body = arena_alloc(&e->turn, sizeof *body);
    struct text from = {.data = text, .len = (uint32_t)len};
    TRY(result && body ? ERR_OK : ERR_NOMEM);
    TRY(engine_bytes(&e->turn, &from, result));
    TRY(engine_text(&e->turn, r->key_owner, &owner));
    TRY(engine_text(&e->turn, r->key, &key));
    *body = r->body;
    store_set_replay(e->set, owner, key, body, result, e->now_ms);
    e->keys_new = true;
    return ERR_OK;
}

enum err replays_clean(struct engine *e)
{
    const char **owners, **names;
    uint32_t count;
    if (e->now_ms - e->cleaned_ms < REPLAY_CLEAN_MS)
        return ERR_OK;
    e->cleaned_ms = e->now_ms;
    TRY(store_replays_old(e->store, &e->turn, e->now_ms - REPLAY_KEPT_MS, REPLAY_SLICE, &owners, &names,
                          &count));
    for (uint32_t i = 0; i < count; i++)
        store_set_replay_forget(e->set, owners[i], names[i]);
    return ERR_OK;
}

/* --- joining --- */

static enum err new_token(struct engine *e, enum role role, uint64_t owner_id, const struct digest *secret,
                          uint64_t *ret_id)
{
    struct store_token *t = arena_alloc(&e->turn, sizeof *t);
    TRY(t ? ERR_OK : ERR_NOMEM);
    TRY(store_take_ids(e->store, "token", 1, ret_id));
    *t = (struct store_token){.id = *ret_id,
                              .role = role,
                              .owner_id = owner_id,
                              .secret = *secret,
                              .scope = "",
                              .name = "",
                              .created_ms = e->now_ms};
    store_set_token(e->set, t);
    return ERR_OK;
}

/* *ret_why says what is wrong with the invitation. */
static enum err use_invitation(struct engine *e, const struct engine_join *q, enum err *ret_why)
{
    struct store_invitation *i = arena_alloc(&e->turn, sizeof *i);
    TRY(i ? ERR_OK : ERR_NOMEM);
    *ret_why = ERR_OK;
    if (digest_is_zero(&q->invitation)) {
        if (q->invitation_needed)
            *ret_why = err_set(ERR_DENIED,
                               "this project wants an invitation: ask its operator for a join link with one");
        return ERR_OK;
    }
    TRY(engine_flush(e)); /* its uses are counted in the store */
    enum err err = store_invitation_find(e->store, &e->turn, &q->invitation, i);
    if (err == ERR_MISSING) {
        *ret_why =
            err_set(ERR_DENIED, "the invitation is not known to this project: ask its operator for another");
        return ERR_OK;
    }
    TRY(err);
    if (i->revoked || (i->expires_ms && i->expires_ms <= e->now_ms))
        *ret_why =
            err_set(ERR_DENIED, "the invitation is %s: ask for another", i->revoked ? "revoked" : "expired");
    else if (i->uses_max && i->uses >= i->uses_max)
        *ret_why =
            err_set(ERR_DENIED, "the invitation has been used %u time%s, as often as it may: ask for another",
                    i->uses, i->uses == 1 ? "" : "s");
    if (*ret_why != ERR_OK)
        return ERR_OK;
    i->uses++;
    store_set_invitation(e->set, i);
    return ERR_OK;
}

static enum err owner_of(struct engine *e, struct engine_join *q)
{
    struct store_volunteer *v;
    q->ret_volunteer_token_id = 0;
    if (q->volunteer_id) {
        q->ret_volunteer_id = q->volunteer_id;
        return volunteer_add(e, q->volunteer_id, 1, 0, 0, 0);
    }
    v = arena_alloc(&e->turn, sizeof *v);
    TRY(v ? ERR_OK : ERR_NOMEM);
    TRY(store_take_ids(e->store, "volunteer", 1, &q->ret_volunteer_id));
    *v = (struct store_volunteer){.id = q->ret_volunteer_id, .created_ms = e->now_ms, .hosts = 1};
    TRY(engine_text(&e->turn, q->host.nickname, &v->name));
    TRY(engine_text(&e->turn, q->team, &v->team));
    store_set_volunteer_new(e->set, v);
    e->project.volunteers++;
    return new_token(e, ROLE_VOLUNTEER, v->id, &q->volunteer_secret, &q->ret_volunteer_token_id);
}

static enum err join_again(struct engine *e, struct engine_join *q, const uint64_t n[REPLAY_NUMBERS])
{
    struct store_token *t = arena_alloc(&e->turn, sizeof *t);
    TRY(t ? ERR_OK : ERR_NOMEM);
    q->ret_host_id = n[0];
    q->ret_host_token_id = n[1];
    q->ret_volunteer_id = n[2];
    q->ret_volunteer_token_id = n[3];
    for (int i = 1; i <= 3; i += 2) {
        if (n[i] == 0)
            continue;
        TRY(store_token_get(e->store, &e->turn, n[i], t));
        t->secret = i == 1 ? q->host_secret : q->volunteer_secret;
        store_set_token(e->set, t);
        t = arena_alloc(&e->turn, sizeof *t);
        TRY(t ? ERR_OK : ERR_NOMEM);
    }
    return ERR_OK;
}

enum err on_join(struct engine *e, struct engine_request *r)
{
    struct engine_join *q = &r->u.join;
    uint64_t n[REPLAY_NUMBERS] = {0};
    bool known;
    enum err why;
    struct host_mem *h;
    TRY(replay_find(e, r, n, &known));
    if (r->err != ERR_OK)
        return ERR_OK;
    if (known)
        return join_again(e, q, n);
    char old[320];
    TRY(version_refuses(e, &q->host, old, sizeof old));
    if (*old) {
        engine_fail(r, err_set(ERR_UNSUPPORTED, "%s", old));
        return ERR_OK;
    }
    TRY(use_invitation(e, q, &why));
    if (why != ERR_OK) {
        engine_fail(r, why);
        return ERR_OK;
    }
    TRY(owner_of(e, q));
    struct store_host host = q->host;
    TRY(store_take_ids(e->store, "host", 1, &host.id));
    host.volunteer_id = q->ret_volunteer_id;
    host.created_ms = host.seen_ms = e->now_ms;
    host.banned = host.left = false;
    host.allowed = 0;
    host.speed = host.speed > 0 ? host.speed : 1;
    TRY(host_new(e, &host, &h));
    e->project.hosts++;
    q->ret_host_id = host.id;
    TRY(new_token(e, ROLE_HOST, host.id, &q->host_secret, &q->ret_host_token_id));
    n[0] = q->ret_host_id;
    n[1] = q->ret_host_token_id;
    n[2] = q->ret_volunteer_id;
    n[3] = q->ret_volunteer_token_id;
    return replay_keep(e, r, n);
}

enum err on_host(struct engine *e, struct engine_request *r)
{
    struct engine_host *q = &r->u.host;
    struct host_mem *h;
    TRY(host_find(e, q->host_id, &h));
    if (!h) {
        engine_fail(
            r, err_set(ERR_MISSING, "there is no host %" PRIu64 ": dugnad host ls lists them", q->host_id));
        return ERR_OK;
    }
    h->h.banned = q->ban;
    h->flagged = true;
    TRY(engine_text(&h->text, q->ban ? q->reason : "", &h->h.ban_reason));
    host_touch(e, h);
    if (q->ban) {
        TRY(host_give_back(e, h));
        TRY(trust_void_host(e, h));
    }
    engine_audit(e, r, q->ban ? "host.ban" : "host.unban", q->host_id);
    return ERR_OK;
}

/* --- code --- */

enum err on_release(struct engine *e, struct engine_request *r)
{
    struct engine_release *q = &r->u.release;
    struct store_release known;
    TRY(engine_flush(e));
    enum err err = store_release_get(e->store, &e->turn, &q->release.digest, &known);
    if (err != ERR_OK && err != ERR_MISSING)
        return err;
    if (q->retire && err == ERR_MISSING) {
        engine_fail(r, err_set(ERR_MISSING, "there is no such release"));
        return ERR_OK;
    }
    if (err == ERR_OK) {
        q->ret_id = known.id;
        if (!q->retire || known.retired)
            return ERR_OK;
        store_set_release_retired(e->set, known.id);
        engine_audit(e, r, "release.retire", known.id);
        return ERR_OK;
    }
    struct store_release *n = arena_alloc(&e->turn, sizeof *n);
    TRY(n ? ERR_OK : ERR_NOMEM);
    *n = q->release;
    TRY(store_take_ids(e->store, "release", 1, &n->id));
    n->created_ms = e->now_ms;
    n->user_id = r->user_id;
    store_set_release(e->set, n);
    q->ret_id = n->id;
    engine_audit(e, r, "release.publish", n->id);
    return engine_flush(e); /* its texts are the request's */
}

/* --- people --- */

static enum err change_user(struct engine *e, struct engine_request *r, struct engine_user *q)
{
    struct store_user *u = arena_alloc(&e->turn, sizeof *u);
    TRY(u ? ERR_OK : ERR_NOMEM);
    TRY(engine_flush(e));
    enum err err = store_user_get(e->store, &e->turn, q->user.id, u);
    if (err == ERR_MISSING) {
        engine_fail(
            r, err_set(ERR_MISSING, "there is no user %" PRIu64 ": dugnad user ls lists them", q->user.id));
        return ERR_OK;
    }
    TRY(err);
    if (q->user.name)
        u->name = q->user.name;
    if (q->user.mail)
        u->mail = q->user.mail;
    if (q->user.role != ROLE_NONE)
        u->role = q->user.role;
    if (q->set_disabled)
        u->disabled = q->user.disabled;
    if (q->set_limits) {
        u->blob_bytes_max = q->user.blob_bytes_max;
        u->units_max = q->user.units_max;
    }
    store_set_user(e->set, u, false);
    q->ret_id = u->id;
    engine_audit(e, r, "user.change", u->id);
    return engine_flush(e);
}

static enum err name_is_free(struct engine *e, const char *name, bool *ret)
{
    struct store_user *page;
    uint32_t count;
    uint64_t after = 0;
    do {
        TRY(store_user_list(e->store, &e->turn, after, STORE_PAGE_MAX, &page, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = page[i].id;
            if (strcmp(page[i].name, name) == 0) {
                *ret = false;
                return ERR_OK;
            }
        }
    } while (count == STORE_PAGE_MAX);
    *ret = true;
    return ERR_OK;
}

enum err on_user(struct engine *e, struct engine_request *r)
{
    struct engine_user *q = &r->u.user;
    uint64_t n[REPLAY_NUMBERS] = {0};
    bool known, is_free;
    if (q->user.id != 0)
        return change_user(e, r, q);
    TRY(replay_find(e, r, n, &known));
    q->ret_id = n[0];
    if (known || r->err != ERR_OK)
        return ERR_OK;
    TRY(engine_flush(e));
    TRY(name_is_free(e, q->user.name, &is_free));
    if (!is_free) {
        engine_fail(
            r, err_set(ERR_CONFLICT, "there is a user \"%.64s\" already: choose another name", q->user.name));
        return ERR_OK;
    }
    struct store_user *u = arena_alloc(&e->turn, sizeof *u);
    TRY(u ? ERR_OK : ERR_NOMEM);
    *u = q->user;
    TRY(store_take_ids(e->store, "user", 1, &u->id));
    u->created_ms = e->now_ms;
    u->blob_bytes = 0;
    store_set_user(e->set, u, true);
    q->ret_id = n[0] = u->id;
    engine_audit(e, r, "user.create", u->id);
    TRY(replay_keep(e, r, n));
    return engine_flush(e);
}

static enum err make_token(struct engine *e, struct engine_request *r, struct engine_token *q)
{
    uint64_t n[REPLAY_NUMBERS] = {0};
    bool known;
    TRY(replay_find(e, r, n, &known));
    if (r->err != ERR_OK)
        return ERR_OK;
    struct store_token *t = arena_alloc(&e->turn, sizeof *t);
    TRY(t ? ERR_OK : ERR_NOMEM);
    *t = q->token;
    t->created_ms = e->now_ms;
    t->revoked = false;
    if (known) /* the first secret was in the lost reply: this one replaces it */
        t->id = n[0];
    else
        TRY(store_take_ids(e->store, "token", 1, &t->id));
    store_set_token(e->set, t);
    q->ret_id = n[0] = t->id;
    engine_audit(e, r, "token.create", t->id);
    if (!known)
        TRY(replay_keep(e, r, n));
    return engine_flush(e);
}

enum err on_token(struct engine *e, struct engine_request *r)
{
    struct engine_token *q = &r->u.token;
    if (q->verb == ENGINE_TOKEN_CREATE)
        return make_token(e, r, q);
    struct store_token *t = arena_alloc(&e->turn, sizeof *t);
    TRY(t ? ERR_OK : ERR_NOMEM);
    TRY(engine_flush(e));
    enum err err = store_token_get(e->store, &e->turn, q->token.id, t);
    if (err == ERR_MISSING) {
        engine_fail(r, err_set(ERR_MISSING, "there is no token %" PRIu64, q->token.id));
        return ERR_OK;
    }
    TRY(err);
    q->ret_id = t->id;
    if (q->verb == ENGINE_TOKEN_REVOKE) {
        t->revoked = true;
    } else if (t->revoked) {
        engine_fail(r, err_set(ERR_STALE, "token %" PRIu64 " is revoked: make a new one", t->id));
        return ERR_OK;
    } else {
        t->secret = q->token.secret;
    }
    store_set_token(e->set, t);
    engine_audit(e, r, q->verb == ENGINE_TOKEN_REVOKE ? "token.revoke" : "token.rotate", t->id);
    return ERR_OK;
}

enum err on_invitation(struct engine *e, struct engine_request *r)
{
    struct engine_invitation *q = &r->u.invitation;
    uint64_t n[REPLAY_NUMBERS] = {0};
    bool known;
    struct store_invitation *i = arena_alloc(&e->turn, sizeof *i);
    TRY(i ? ERR_OK : ERR_NOMEM);
    if (q->invitation.id != 0) {
        TRY(engine_flush(e));
        enum err err = store_invitation_get(e->store, &e->turn, q->invitation.id, i);
        if (err == ERR_MISSING) {
            engine_fail(r, err_set(ERR_MISSING,
                                   "there is no invitation %" PRIu64 ": dugnad invitation ls lists them",
                                   q->invitation.id));
            return ERR_OK;
        }
        TRY(err);
        i->revoked = true;
        store_set_invitation(e->set, i);
        q->ret_id = i->id;
        engine_audit(e, r, "invitation.revoke", i->id);
        return ERR_OK;
    }
    TRY(replay_find(e, r, n, &known));
    if (r->err != ERR_OK)
        return ERR_OK;
    *i = q->invitation;
    i->created_ms = e->now_ms;
    i->uses = 0;
    i->revoked = false;
    if (known)
        i->id = n[0];
    else
        TRY(store_take_ids(e->store, "invitation", 1, &i->id));
    store_set_invitation(e->set, i);
    q->ret_id = n[0] = i->id;
    engine_audit(e, r, "invitation.create", i->id);
    if (!known)
        TRY(replay_keep(e, r, n));
    return engine_flush(e);
}
