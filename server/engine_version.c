/* engine_version.c - versions of apps: how far each is rolled out, how its attempts end, and that it is
 * stopped when it does worse than the one before (rules/rollout.h decides). And how old a client may be. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/rollout.h"
#include "server/engine_in.h"

enum { SHARED_RELOAD_MS = 5000 };

struct version_mem {
    struct store_version v; /* as it is, with what is still to be written */
    int64_t new_ended, new_bad;
    bool changed;
    struct version_mem *next;
};

struct version_app { /* all versions of it that have a row are in the list */
    const char *name;
    struct version_app *next;
};

void versions_forget(struct engine *e)
{
    arena_done(&e->version_text);
    e->versions = NULL;
    e->version_apps = NULL;
    e->minima_loaded = false;
    e->version_era++;
}

/* Another server may have changed a share, halted a version, or counted more. Nothing is unwritten between
 * turns. */
void versions_refresh(struct engine *e)
{
    int64_t age_ms = e->now_ms - e->versions_read_ms;
    if (!store_shared(e->store) || (age_ms >= 0 && age_ms < SHARED_RELOAD_MS))
        return;
    e->versions_read_ms = e->now_ms;
    versions_forget(e);
}

/* --- how old a client may be --- */

enum err version_minima_read(struct engine *e)
{
    const char *client, *protocol;
    if (e->minima_loaded)
        return ERR_OK;
    TRY(engine_flush(e));
    TRY(store_setting_get(e->store, &e->turn, SETTING_CLIENT_MIN, &client));
    TRY(store_setting_get(e->store, &e->turn, SETTING_PROTOCOL_MIN, &protocol));
    snprintf(e->client_min, sizeof e->client_min, "%s", client);
    e->protocol_min = (uint32_t)strtoul(protocol, NULL, 10);
    e->minima_loaded = true;
    return ERR_OK;
}

enum err version_refuses(struct engine *e, const struct store_host *h, char *ret_why, size_t room)
{
    uint32_t speaks = h->protocol ? h->protocol : 1;
    ret_why[0] = 0;
    TRY(version_minima_read(e));
    if (*e->client_min && version_compare(h->client, e->client_min) < 0)
        snprintf(ret_why, room,
                 "this client is version %.40s, the project needs %s or later: update dugnad-client, what it "
                 "has done "
                 "is still taken",
                 *h->client ? h->client : "unknown", e->client_min);
    else if (speaks < e->protocol_min)
        snprintf(ret_why, room,
                 "this client speaks version %u of the protocol, the project needs %u: update dugnad-client, "
                 "what it "
                 "has done is still taken",
                 speaks, e->protocol_min);
    return ERR_OK;
}

void version_minima_changed(struct engine *e)
{
    e->minima_loaded = false;
}

/* --- versions of apps --- */

static enum err keep(struct engine *e, const struct store_version *from, struct version_mem **ret)
{
    struct version_mem *m = arena_alloc(&e->version_text, sizeof *m);
    TRY(m ? ERR_OK : ERR_NOMEM);
    *m = (struct version_mem){.v = *from, .next = e->versions};
    TRY(engine_text(&e->version_text, from->app, &m->v.app));
    TRY(engine_text(&e->version_text, from->why, &m->v.why));
    e->versions = *ret = m;
    return ERR_OK;
}

static enum err load_app(struct engine *e, const char *app)
{
    struct version_app *a = e->version_apps;
    struct store_version *list;
    struct version_mem *m;
    uint32_t count;
    while (a && strcmp(a->name, app) != 0)
        a = a->next;
    if (a)
        return ERR_OK;
    a = arena_alloc(&e->version_text, sizeof *a);
    TRY(a ? ERR_OK : ERR_NOMEM);
    TRY(engine_text(&e->version_text, app, &a->name));
    TRY(store_version_list(e->store, &e->turn, app, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(keep(e, &list[i], &m));
    a->next = e->version_apps;
    e->version_apps = a;
    return ERR_OK;
}

static enum err find(struct engine *e, const char *app, uint32_t version, struct version_mem **ret)
{
    TRY(load_app(e, app));
    struct version_mem *m = e->versions;
    while (m && (m->v.version != version || strcmp(m->v.app, app) != 0))
        m = m->next;
    if (!m)
        TRY(keep(
            e,
            &(struct store_version){.app = app, .version = version, .share_ppm = ROLLOUT_ALL_PPM, .why = ""},
            &m));
    *ret = m;
    return ERR_OK;
}

static enum err of_batch(struct engine *e, struct batch_mem *b, struct version_mem **ret)
{
    if (!b->version || b->version_era != e->version_era) {
        TRY(find(e, b->b.app, b->b.version, &b->version));
        b->version_era = e->version_era;
    }
    *ret = b->version;
    return ERR_OK;
}

enum err version_allows(struct engine *e, struct batch_mem *b, const struct host_mem *h, bool *ret)
{
    struct version_mem *m;
    TRY(of_batch(e, b, &m));
    if (m->v.halted)
        check_offered(e, b, false);
    *ret = !m->v.halted &&
           (m->v.share_ppm >= ROLLOUT_ALL_PPM || rollout_reaches(h->h.id, batch_app(b), m->v.share_ppm));
    return ERR_OK;
}

enum err version_explain(struct engine *e, struct batch_mem *b, char *ret, size_t room)
{
    struct version_mem *m;
    TRY(of_batch(e, b, &m));
    if (m->v.halted)
        snprintf(ret, room, "version %u of %s is stopped: %s", m->v.version, m->v.app, m->v.why);
    else
        snprintf(ret, room, "version %u of %s goes to %g %% of the computers so far, and not to this one",
                 m->v.version, m->v.app, m->v.share_ppm / 1e4);
    return ERR_OK;
}

static enum err audit(struct engine *e, const struct engine_request *r, const char *action,
                      const struct version_mem *m)
{
    char subject[NAME_BYTES_MAX + 16];
    BUF_AUTO struct buf detail = {0};
    struct json_out o;
    struct text text;
    struct store_audit entry = {.at_ms = e->now_ms, .user_id = r ? r->user_id : 0, .action = action};
    snprintf(subject, sizeof subject, "%s %u", m->v.app, m->v.version);
    json_out_init(&o, &detail);
    json_out_object(&o, NULL);
    json_out_real(&o, "share", m->v.share_ppm / 1e6);
    if (m->v.base)
        json_out_i64(&o, "base", m->v.base);
    if (*m->v.why)
        json_out_string(&o, "why", m->v.why);
    json_out_close(&o);
    TRY(json_out_end(&o));
    text = (struct text){.data = detail.data, .len = (uint32_t)detail.len};
    TRY(engine_text(&e->turn, subject, &entry.subject));
    TRY(engine_bytes(&e->turn, &text, &entry.detail));
    store_set_audit(e->set, &entry);
    return ERR_OK;
}

/* --- counting, and the automatic halt --- */

static enum err judge(struct engine *e, struct version_mem *m)
{
    struct store_version *v = &m->v;
    struct version_mem *base = NULL;
    char why[256];
    if (v->base)
        TRY(find(e, v->app, v->base, &base));
    struct rollout_count is = {v->ended - v->from_ended, v->bad - v->from_bad};
    struct rollout_count was = {base ? base->v.ended : 0, base ? base->v.bad : 0};
    if (!rollout_is_worse(&is, &was, v->bad_host == STORE_BAD_HOST_SEVERAL))
        return ERR_OK;
    int len =
        snprintf(why, sizeof why, "%" PRId64 " of %" PRId64 " attempts ended in errors or wrong answers",
                 is.bad, is.ended);
    if (base && was.ended > 0)
        snprintf(why + len, sizeof why - (size_t)len, ", of version %u %" PRId64 " of %" PRId64, v->base,
                 was.bad, was.ended);
    v->halted = true;
    v->user_id = 0;
    v->changed_ms = e->now_ms;
    TRY(engine_text(&e->version_text, why, &v->why));
    return audit(e, NULL, "rollout.halted", m);
}

enum err version_note(struct engine *e, struct batch_mem *b, uint64_t host_id, bool bad)
{
    struct version_mem *m;
    TRY(of_batch(e, b, &m));
    struct store_version *v = &m->v;
    v->ended++;
    m->new_ended++;
    if (!bad)
        return ERR_OK;
    v->bad++;
    m->new_bad++;
    if (v->share_ppm >= ROLLOUT_ALL_PPM || v->halted) /* it is out: alert_errors tells of what fails now */
        return ERR_OK;
    if (v->bad_host == STORE_BAD_HOST_NONE)
        v->bad_host = (int64_t)host_id;
    else if (v->bad_host != (int64_t)host_id)
        v->bad_host = STORE_BAD_HOST_SEVERAL;
    m->changed = true;
    return judge(e, m);
}

void versions_write(struct engine *e)
{
    for (struct version_mem *m = e->versions; m; m = m->next) {
        if (m->changed)
            store_set_version(e->set, &m->v);
        if (m->new_ended)
            store_set_version_add(e->set, m->v.app, m->v.version, m->new_ended, m->new_bad);
        m->changed = false;
        m->new_ended = m->new_bad = 0;
    }
}

/* --- what operators say --- */

enum err on_version(struct engine *e, struct engine_request *r)
{
    struct engine_version *q = &r->u.version;
    struct version_mem *m;
    TRY(engine_flush(e));
    TRY(find(e, q->app, q->version, &m));
    struct store_version *v = &m->v;
    if (q->only_new && v->changed_ms) /* a second platform of it */
        return ERR_OK;
    if (q->halt) {
        v->halted = true;
        TRY(engine_text(&e->version_text, q->why, &v->why));
    } else {
        v->halted = false;
        v->why = "";
        v->share_ppm = q->share_ppm;
        v->base = q->base;
        v->from_ended = v->ended;
        v->from_bad = v->bad;
        v->bad_host = STORE_BAD_HOST_NONE;
    }
    v->user_id = r->user_id;
    v->changed_ms = e->now_ms;
    m->changed = true;
    q->ret = *v;
    TRY(engine_text(r->arena, v->app, &q->ret.app));
    TRY(engine_text(r->arena, v->why, &q->ret.why));
    TRY(audit(e, r, q->halt ? "rollout.halt" : "rollout.share", m));
    return engine_flush(e);
}
