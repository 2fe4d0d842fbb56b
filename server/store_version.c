/* store_version.c - see store_version.h */
#include "server/store_version.h"

#include <stdio.h>

#include "server/store_in.h"
#include "server/store_set_in.h"

#define NUMBER_VERSION(N, n, k) APP_VERSION_##N,
#define ALL                                                                                                  \
    APP_VERSION_COLUMN_COUNT,                                                                                \
    {                                                                                                        \
        APP_VERSION_COLUMNS(NUMBER_VERSION)                                                                  \
    }

static void fill(struct row_in *r, void *item)
{
    *(struct store_version *)item = (struct store_version){
        .app = row_text(r, APP_VERSION_APP),
        .version = row_u32(r, APP_VERSION_VERSION),
        .share_ppm = r->v[APP_VERSION_SHARE].kind == DB_NULL ? 1000000 : row_u32(r, APP_VERSION_SHARE),
        .halted = row_bool(r, APP_VERSION_HALTED),
        .base = row_u32(r, APP_VERSION_BASE),
        .why = row_text(r, APP_VERSION_WHY),
        .user_id = row_u64(r, APP_VERSION_USER),
        .changed_ms = row_int(r, APP_VERSION_CHANGED),
        .from_ended = row_int(r, APP_VERSION_FROM_ENDED),
        .from_bad = row_int(r, APP_VERSION_FROM_BAD),
        .bad_host = row_int(r, APP_VERSION_BAD_HOST),
        .ended = row_int(r, APP_VERSION_ENDED),
        .bad = row_int(r, APP_VERSION_BAD),
    };
}

enum err store_version_list(struct store *s, struct arena *a, const char *app, struct store_version **ret,
                            uint32_t *ret_count)
{
    static const struct db_scan scan = {&schema_app_version, ALL, DB_BY_KEY, .equal = 1, .descending = true};
    struct db_value key = db_text(app);
    struct collect c = {.a = a, .each = sizeof **ret, .fill = fill};
    TRY(collect_scan(s, &scan, &key, STORE_PAGE_MAX, &c));
    *ret = (void *)c.items;
    *ret_count = c.count;
    return ERR_OK;
}

struct stopped {
    char *text;
    size_t room;
};

static enum err note_stopped(void *ctx, const struct db_value *values)
{
    const struct stopped *to = ctx;
    struct arena ARENA_AUTO a = {0};
    struct row_in r = {.a = &a, .v = values};
    struct store_version v;
    if (*to->text || !row_bool(&r, APP_VERSION_HALTED) || row_u64(&r, APP_VERSION_USER) != 0)
        return ERR_OK;
    fill(&r, &v);
    if (r.failed)
        return ERR_NOMEM;
    snprintf(to->text, to->room, "%s %u: %s", v.app, v.version, v.why);
    return ERR_OK;
}

enum err store_version_stopped(struct store *s, char *ret_text, size_t room)
{
    static const struct db_scan scan = {&schema_app_version, ALL, DB_BY_KEY, .equal = 0};
    struct stopped to = {ret_text, room};
    *ret_text = 0;
    return db_scan_rows(s->db, &scan, NULL, UINT32_MAX, (struct db_rows){note_stopped, &to});
}

void store_set_version(struct store_set *set, const struct store_version *from)
{
    struct db_value *v = store_set_row(set, APP_VERSION_PUT);
    v[APP_VERSION_APP] = db_text(from->app);
    v[APP_VERSION_VERSION] = db_int(from->version);
    v[APP_VERSION_SHARE] = db_int(from->share_ppm);
    v[APP_VERSION_HALTED] = db_int(from->halted);
    v[APP_VERSION_BASE] = db_int(from->base);
    v[APP_VERSION_WHY] = db_text(from->why);
    v[APP_VERSION_USER] = db_int((int64_t)from->user_id);
    v[APP_VERSION_CHANGED] = db_int(from->changed_ms);
    v[APP_VERSION_FROM_ENDED] = db_int(from->from_ended);
    v[APP_VERSION_FROM_BAD] = db_int(from->from_bad);
    v[APP_VERSION_BAD_HOST] = db_int(from->bad_host);
}

void store_set_version_add(struct store_set *set, const char *app, uint32_t version, int64_t ended,
                           int64_t bad)
{
    struct db_value *v = store_set_row(set, APP_VERSION_ADD);
    *v++ = db_text(app);
    *v++ = db_int(version);
    *v++ = db_int(ended);
    *v = db_int(bad);
}
