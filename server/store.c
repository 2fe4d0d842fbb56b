#include "server/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/store_in.h"
#include "server/store_load.h"

static const char *const role_names[ROLES] = {
    [ROLE_NONE] = "none",     [ROLE_HOST] = "host",           [ROLE_VOLUNTEER] = "volunteer",
    [ROLE_VIEWER] = "viewer", [ROLE_SCIENTIST] = "scientist", [ROLE_OPERATOR] = "operator"};

const char *role_name(enum role r)
{
    return r < ROLES ? role_names[r] : "none";
}

enum role role_from_name(const char *word)
{
    for (uint32_t r = 0; r < ROLES; r++)
        if (str_eq(role_names[r], word))
            return (enum role)r;
    return ROLE_NONE;
}

enum err store_wrap(struct db *db, const char *where, struct store **ret_store)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s || !(s->where = strdup(where))) {
        free(s);
        db_close(db);
        return err_set(ERR_NOMEM, "no memory to open the store");
    }
    s->db = db;
    *ret_store = s;
    return ERR_OK;
}

enum err store_open(const char *where, struct store **ret_store)
{
    struct db *db;
    TRY(db_open(where, &db));
    enum err e = schema_migrate(db, STORE_SCHEMA_VERSION);
    if (e != ERR_OK) {
        db_close(db);
        return e;
    }
    return store_wrap(db, where, ret_store);
}

enum err store_reader_open(struct store *of, struct store **ret_store)
{
    struct db *db;
    TRY(db_open_reader(of->db, &db));
    return store_wrap(db, of->where, ret_store);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    db_close(s->db);
    free(s->ios);
    free(s->where);
    free(s);
}

enum err store_migrate(const char *where, uint32_t version)
{
    struct db *db;
    TRY(db_open(where, &db));
    enum err e = schema_migrate(db, version);
    db_close(db);
    return e;
}

enum err store_ping(struct store *s)
{
    return db_ping(s->db);
}

void store_fault(struct store *s, uint32_t operations, bool late)
{
    db_fault(s->db, operations, late);
}

enum err store_begin(struct store *s, bool write)
{
    s->writing = write;
    return db_begin(s->db, write);
}

void store_rollback(struct store *s)
{
    s->writing = false;
    db_rollback(s->db);
}

bool store_shared(const struct store *s)
{
    return db_shared(s->db);
}

/* --- reading rows --- */

int64_t row_int(const struct row_in *r, uint32_t column)
{
    return r->v[column].kind == DB_INT ? r->v[column].as.i : 0;
}

double row_real(const struct row_in *r, uint32_t column)
{
    return r->v[column].kind == DB_REAL ? r->v[column].as.r : (double)row_int(r, column);
}

struct text row_bytes(struct row_in *r, uint32_t column)
{
    const struct db_value *v = &r->v[column];
    if (v->kind != DB_TEXT && v->kind != DB_BLOB)
        return (struct text){.data = "", .len = 0};
    char *copy = arena_bytes(r->a, v->as.p, v->len);
    r->failed = r->failed || !copy;
    return (struct text){.data = copy ? copy : "", .len = copy ? v->len : 0};
}

const char *row_text(struct row_in *r, uint32_t column)
{
    return row_bytes(r, column).data;
}

struct digest row_digest(const struct row_in *r, uint32_t column)
{
    struct digest d = {{0}};
    if (r->v[column].kind == DB_BLOB && r->v[column].len == DIGEST_BYTES)
        memcpy(d.bytes, r->v[column].as.p, DIGEST_BYTES);
    return d;
}

static enum err grow(struct collect *c)
{
    uint32_t room = c->room ? c->room * 2 : 16;
    char *items = arena_array(c->a, room, c->each);
    if (!items)
        return ERR_NOMEM;
    if (c->count)
        memcpy(items, c->items, c->count * c->each);
    c->items = items;
    c->room = room;
    return ERR_OK;
}

enum err collect_row(void *ctx, const struct db_value *values)
{
    struct collect *c = ctx;
    if (c->count == c->room)
        TRY(grow(c));
    struct row_in r = {.a = c->a, .v = values};
    c->fill(&r, c->items + c->count * c->each);
    c->count++;
    return r.failed ? ERR_NOMEM : ERR_OK;
}

uint32_t page_limit(uint32_t limit)
{
    return limit < STORE_PAGE_MAX ? limit : STORE_PAGE_MAX;
}

enum err collect_scan(struct store *s, const struct db_scan *scan, const struct db_value *args,
                      uint32_t limit, struct collect *c)
{
    return db_scan_rows(s->db, scan, args, page_limit(limit), (struct db_rows){.row = collect_row, .ctx = c});
}

struct one {
    struct arena *a;
    void (*fill)(struct row_in *r, void *item);
    void *item;
    bool found;
};

static enum err one_row(void *ctx, const struct db_value *values)
{
    struct one *o = ctx;
    struct row_in r = {.a = o->a, .v = values};
    o->fill(&r, o->item);
    o->found = true;
    return r.failed ? ERR_NOMEM : ERR_OK;
}

enum err collect_one(struct store *s, struct arena *a, const struct db_fetch *f, const struct db_value *key,
                     void (*fill)(struct row_in *r, void *item), void *item, const char *what, uint64_t name)
{
    struct one o = {.a = a, .fill = fill, .item = item};
    TRY(db_fetch_rows(s->db, f, key, 1, (struct db_rows){.row = one_row, .ctx = &o}));
    if (o.found)
        return ERR_OK;
    return name ? err_set(ERR_MISSING, "there is no %s %llu", what, (unsigned long long)name)
                : err_set(ERR_MISSING, "there is no such %s", what);
}

/* --- settings --- */

static const struct db_fetch fetch_setting = {&schema_setting, 1, {SETTING_VALUE}, .index = DB_BY_KEY};
static const struct db_scan scan_settings = {
    .table = &schema_setting, .count = 2, .columns = {SETTING_NAME, SETTING_VALUE}, .index = DB_BY_KEY};

static void fill_text(struct row_in *r, void *item)
{
    *(const char **)item = row_text(r, 0);
}

enum err store_setting_get(struct store *s, struct arena *a, const char *name, const char **ret)
{
    struct db_value key = db_text(name);
    const char *value = "";
    enum err e = collect_one(s, a, &fetch_setting, &key, fill_text, &value, "setting", 0);
    if (e == ERR_OK || e == ERR_MISSING)
        *ret = value;
    return e == ERR_MISSING ? ERR_OK : e;
}

struct setting {
    const char *name, *value;
};

static void fill_setting(struct row_in *r, void *item)
{
    *(struct setting *)item = (struct setting){row_text(r, 0), row_text(r, 1)};
}

enum err store_setting_list(struct store *s, struct arena *a, const char ***ret_names,
                            const char ***ret_values, uint32_t *ret_count)
{
    struct collect c = {.a = a, .each = sizeof(struct setting), .fill = fill_setting};
    TRY(collect_scan(s, &scan_settings, NULL, STORE_PAGE_MAX, &c));
    const char **names = arena_array(a, c.count + 1u, sizeof *names);
    const char **values = arena_array(a, c.count + 1u, sizeof *values);
    if (!names || !values)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < c.count; i++) {
        names[i] = ((struct setting *)(void *)c.items)[i].name;
        values[i] = ((struct setting *)(void *)c.items)[i].value;
    }
    *ret_names = names;
    *ret_values = values;
    *ret_count = c.count;
    return ERR_OK;
}
