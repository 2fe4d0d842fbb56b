#include "server/showcase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "server/try.h"

/* Open addressing; who comes when it is full is in no team that is shown. */
enum { SLOTS = 4096, SLOTS_USED_MAX = 3000, PAGES_MAX = 1000 };

/* --- teams --- */

struct table {
    struct team slots[SLOTS];
    uint32_t used;
};

static uint32_t slot_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % SLOTS;
}

static void add_volunteer(struct table *t, const struct store_volunteer *v)
{
    uint32_t at = slot_of(v->team);
    while (t->slots[at].name[0] && !str_eq(t->slots[at].name, v->team))
        at = (at + 1) % SLOTS;
    struct team *team = &t->slots[at];
    if (!team->name[0]) {
        if (t->used == SLOTS_USED_MAX || strlen(v->team) >= sizeof team->name)
            return;
        t->used++;
        memcpy(team->name, v->team, strlen(v->team) + 1);
    }
    team->hosts += v->hosts;
    team->credit += v->credit;
}

static int most_credit_first(const void *a, const void *b)
{
    const struct team *x = a, *y = b;
    if (!x->name[0] || !y->name[0])
        return (x->name[0] == 0) - (y->name[0] == 0);
    return x->credit > y->credit ? -1 : x->credit < y->credit ? 1 : strcmp(x->name, y->name);
}

static enum err add_volunteers(struct store *s, struct table *t)
{
    struct store_volunteer *list;
    uint32_t count = STORE_PAGE_MAX;
    uint64_t after = 0;
    for (int pages = 0; count == STORE_PAGE_MAX && pages < PAGES_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        TRY(store_volunteer_list(s, &a, after, STORE_PAGE_MAX, &list, &count));
        for (uint32_t i = 0; i < count; i++) {
            after = list[i].id;
            if (list[i].team[0])
                add_volunteer(t, &list[i]);
        }
    }
    return ERR_OK;
}

static enum err gather_teams(struct store *s, struct showcase *ret)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(ERR_NOMEM, "no memory to add up the teams");
    enum err e = add_volunteers(s, t);
    if (e == ERR_OK) {
        qsort(t->slots, SLOTS, sizeof *t->slots, most_credit_first);
        memcpy(ret->teams, t->slots, sizeof ret->teams);
    }
    free(t);
    return e;
}

/* --- apps --- */

/* What does not fit is left out: half a sentence would be worse. */
static void take_text(const struct json *manifest, const char *field, char *ret, size_t room)
{
    const char *text = json_text(json_field(manifest, field));
    *ret = 0;
    if (text && strlen(text) < room)
        memcpy(ret, text, strlen(text) + 1);
}

static void add_release(struct showcase *w, const struct store_release *r)
{
    JSON_AUTO struct json_doc *doc = NULL;
    uint32_t at = 0;
    while (at < w->app_count && !str_eq(w->apps[at].name, r->app))
        at++;
    if (at == SHOWN_APPS_MAX || strlen(r->app) >= sizeof w->apps->name)
        return;
    struct shown_app *app = &w->apps[at];
    if (at == w->app_count)
        w->app_count++;
    else if (r->version < app->version)
        return;
    app->version = r->version;
    memcpy(app->name, r->app, strlen(r->app) + 1);
    app->title[0] = app->summary[0] = 0;
    if (json_parse(r->manifest.data, r->manifest.len, ENVELOPE_BYTES_MAX, &doc) != ERR_OK)
        return;
    take_text(json_root(doc), "title", app->title, sizeof app->title);
    take_text(json_root(doc), "summary", app->summary, sizeof app->summary);
}

static enum err gather_apps(struct store *s, struct showcase *ret)
{
    struct arena ARENA_AUTO a = {0};
    struct store_release *list;
    uint32_t count;
    TRY(store_release_list(s, &a, NULL, 0, STORE_PAGE_MAX, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (!list[i].retired)
            add_release(ret, &list[i]);
    return ERR_OK;
}

/* --- both --- */

enum err showcase_gather(struct store *s, struct showcase *ret)
{
    *ret = (struct showcase){0};
    TRY(gather_apps(s, ret));
    return gather_teams(s, ret);
}

void showcase_write(const struct showcase *w, struct json_out *o)
{
    json_out_array(o, "apps");
    for (uint32_t i = 0; i < w->app_count; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "app", w->apps[i].name);
        json_out_string(o, "title", w->apps[i].title);
        json_out_string(o, "summary", w->apps[i].summary);
        json_out_close(o);
    }
    json_out_close(o);
    json_out_array(o, "teams");
    for (size_t i = 0; i < SHOWN_TEAMS_MAX && w->teams[i].name[0]; i++) {
        json_out_object(o, NULL);
        json_out_string(o, "team", w->teams[i].name);
        json_out_u64(o, "hosts", w->teams[i].hosts);
        json_out_real(o, "credit", w->teams[i].credit);
        json_out_close(o);
    }
    json_out_close(o);
}
