#include "server/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/try.h"
#include "wire/token.h"

enum { SLOT_BITS = 14, SLOTS = 1 << SLOT_BITS };

struct slot {
    uint64_t token_id; /* 0: empty */
    struct digest secret;
    struct principal who;
    int64_t read_ms;
    bool refused; /* revoked, or the user is disabled */
};

struct auth {
    pthread_mutex_t lock;
    struct store *store;
    struct arena arena;
    struct slot slots[SLOTS];
};

static const struct {
    const char *word;
    uint32_t bit;
} scopes[] = {{"read", SCOPE_READ},
              {"submit", SCOPE_SUBMIT},
              {"release", SCOPE_RELEASE},
              {"admin", SCOPE_ADMIN},
              {"login", SCOPE_LOGIN}};

enum err scope_parse(const char *words, uint32_t *ret)
{
    uint32_t bits = 0;
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " "), i;
        for (i = 0; i < sizeof scopes / sizeof *scopes; i++)
            if (strlen(scopes[i].word) == len && memcmp(at, scopes[i].word, len) == 0)
                break;
        if (i == sizeof scopes / sizeof *scopes)
            return err_set(ERR_INVALID,
                           "\"%.*s\" is no scope: the scopes are read, submit, release, admin and login",
                           (int)(len < 40 ? len : 40), at);
        bits |= scopes[i].bit;
        at += len + (at[len] == ' ');
    }
    *ret = bits ? bits : SCOPE_ALL;
    return ERR_OK;
}

enum err auth_new(struct store *of, struct auth **ret_auth)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(ERR_NOMEM, "no memory for tokens");
    pthread_mutex_init(&a->lock, NULL);
    enum err e = store_reader_open(of, &a->store);
    if (e != ERR_OK) {
        auth_free(a);
        return e;
    }
    *ret_auth = a;
    return ERR_OK;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    store_close(a->store);
    arena_done(&a->arena);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static enum err fill(struct auth *a, uint64_t id, int64_t now_ms, struct slot *s)
{
    struct store_token t;
    struct store_user u = {0};
    *s = (struct slot){.token_id = id, .read_ms = now_ms};
    TRY(store_token_get(a->store, &a->arena, id, &t));
    s->secret = t.secret;
    s->refused = t.revoked;
    s->who = (struct principal){.role = t.role,
                                .id = t.owner_id,
                                .token_id = id,
                                .created_ms = t.created_ms,
                                .expires_ms = t.expires_ms};
    if (scope_parse(t.scope, &s->who.scope) != ERR_OK)
        s->refused = true;
    if (t.role < ROLE_VIEWER)
        return ERR_OK;
    TRY(store_user_get(a->store, &a->arena, t.owner_id, &u));
    s->who.role = u.role < t.role ? u.role : t.role; /* a token never has more than its user */
    s->who.blob_bytes_max = u.blob_bytes_max;
    s->who.units_max = u.units_max;
    s->refused |= u.disabled;
    return ERR_OK;
}

static enum err find(struct auth *a, uint64_t id, int64_t now_ms, struct slot *ret)
{
    struct slot *s = &a->slots[(id * 0x9e3779b97f4a7c15ull) >> (64 - SLOT_BITS)];
    enum err e = ERR_OK;
    pthread_mutex_lock(&a->lock);
    if (s->token_id != id || now_ms - s->read_ms >= AUTH_KEPT_MS || now_ms < s->read_ms) {
        e = fill(a, id, now_ms, s);
        if (e != ERR_OK)
            s->token_id = 0;
        arena_reset(&a->arena);
    }
    *ret = *s;
    pthread_mutex_unlock(&a->lock);
    return e;
}

enum err auth_check(struct auth *a, const char *text, int64_t now_ms, struct principal *ret)
{
    static const enum token_kind kinds[ROLES] = {
        [ROLE_HOST] = TOKEN_HOST,      [ROLE_VOLUNTEER] = TOKEN_VOLUNTEER, [ROLE_VIEWER] = TOKEN_USER,
        [ROLE_SCIENTIST] = TOKEN_USER, [ROLE_OPERATOR] = TOKEN_USER,
    };
    struct token token;
    struct slot s = {0};
    if (!text)
        return err_set(ERR_AUTH, "a token is needed: send the header \"Authorization: Bearer TOKEN\"");
    TRY(token_parse(text, &token));
    enum err e = find(a, token.id, now_ms, &s);
    if (e != ERR_OK && e != ERR_MISSING)
        return e;
    if (e == ERR_MISSING || s.who.role == ROLE_NONE || kinds[s.who.role] != token.kind ||
        !hash_same_secret(&s.secret, &token.secret, sizeof s.secret))
        return err_set(ERR_AUTH, "this token is not known here: was it rotated, or made by another project?");
    if (s.refused)
        return err_set(ERR_AUTH, "this token is revoked");
    if (s.who.expires_ms && s.who.expires_ms <= now_ms)
        return err_set(ERR_AUTH, "this token has expired: get a new one");
    *ret = s.who;
    return ERR_OK;
}

void auth_forget(struct auth *a, uint64_t token_id)
{
    pthread_mutex_lock(&a->lock);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (token_id == 0 || a->slots[i].token_id == token_id)
            a->slots[i].token_id = 0;
    pthread_mutex_unlock(&a->lock);
}
