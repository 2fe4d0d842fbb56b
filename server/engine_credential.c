/* engine_credential.c - passwords, passkeys and recovery codes are made, used and removed. */
#include <inttypes.h>

#include "server/engine_in.h"

/* A password and a set of recovery codes take the place of those before; passkeys stand beside each other. */
static enum err make_room(struct engine *e, struct engine_request *r, const struct store_credential *n)
{
    struct store_credential *list;
    uint32_t count, kept = 0;
    TRY(store_credential_list(e->store, &e->turn, n->user_id, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].kind == n->kind && n->kind != STORE_PASSKEY)
            store_set_credential_end(e->set, list[i].id);
        else
            kept += list[i].kind != STORE_RECOVERY;
    }
    if (kept >= CREDENTIALS_MAX)
        engine_fail(r,
                    err_set(ERR_LIMIT, "a user has %d passkeys at most: remove one first", CREDENTIALS_MAX));
    return engine_flush(e);
}

static enum err add(struct engine *e, const struct store_credential *from, uint64_t *ret_id)
{
    struct store_credential c = *from;
    TRY(store_take_ids(e->store, "credential", 1, &c.id));
    c.created_ms = e->now_ms;
    c.used_ms = 0;
    *ret_id = c.id;
    store_set_credential_new(e->set, &c);
    return engine_flush(e); /* the texts are the request's */
}

static enum err make(struct engine *e, struct engine_request *r, struct engine_credential *q)
{
    struct store_credential c = q->credential;
    struct store_credential is;
    if (c.kind == STORE_PASSKEY) {
        enum err err = store_credential_find(e->store, &e->turn, c.handle.data, c.handle.len, &is);
        if (err == ERR_OK)
            engine_fail(r, err_set(ERR_CONFLICT, "this passkey is known already"));
        if (err != ERR_MISSING)
            return err;
    }
    TRY(make_room(e, r, &c));
    if (r->err != ERR_OK)
        return ERR_OK;
    for (uint32_t i = 0; i < (c.kind == STORE_RECOVERY ? RECOVERY_CODES : 1); i++) {
        if (c.kind == STORE_RECOVERY)
            c.secret = (struct text){.data = (const char *)q->codes[i].bytes, .len = DIGEST_BYTES};
        TRY(add(e, &c, &q->ret_id));
    }
    engine_audit(e, r, "credential.create", c.user_id);
    return ERR_OK;
}

enum err on_credential(struct engine *e, struct engine_request *r)
{
    struct engine_credential *q = &r->u.credential;
    struct store_credential is;
    TRY(engine_flush(e)); /* what was changed before in this turn is read */
    if (q->verb == ENGINE_CREDENTIAL_NEW)
        return make(e, r, q);
    enum err err = store_credential_get(e->store, &e->turn, q->credential.id, &is);
    if (err == ERR_MISSING ||
        (err == ERR_OK && q->verb == ENGINE_CREDENTIAL_USED && is.counter != q->credential.counter)) {
        engine_fail(r, err_set(ERR_STALE, "this way to log in was used or removed meanwhile"));
        return ERR_OK;
    }
    TRY(err);
    q->ret_id = is.id;
    if (q->verb == ENGINE_CREDENTIAL_USED && is.kind != STORE_RECOVERY)
        store_set_credential_used(e->set, &is, q->counter, e->now_ms);
    else
        store_set_credential_end(e->set, is.id);
    if (q->verb == ENGINE_CREDENTIAL_END)
        engine_audit(e, r, "credential.delete", is.user_id);
    return engine_flush(e);
}
