/* api_find.c - whatever has a text in its name or is called by a number, for the console's search box */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/api.h"
#include "server/store_stream.h"
#include "server/try.h"

enum { FOUND_MAX = 50, PAGES_MAX = 20, TEXT_BYTES_MAX = 200, DIGEST_CHARS_MIN = 6 };

struct finding {
    struct call *c;
    struct json_out o;
    const char *text;
    uint32_t found;
    bool partial; /* there is more than was looked at */
};

static bool is_like(const struct finding *f, const char *name)
{
    return strcasestr(name, f->text) != NULL;
}

static void found(struct finding *f, const char *kind, const char *id, const char *name)
{
    if (f->found == FOUND_MAX) {
        f->partial = true;
        return;
    }
    f->found++;
    json_out_object(&f->o, NULL);
    json_out_string(&f->o, "kind", kind);
    json_out_string(&f->o, "id", id);
    json_out_string(&f->o, "name", name);
    json_out_close(&f->o);
}

static void found_number(struct finding *f, const char *kind, uint64_t id, const char *name)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, id);
    if (is_like(f, name) || str_eq(text, f->text))
        found(f, kind, text, name);
}

/* Each lists one page after *after, and says whether another may follow. */
typedef enum err look_fn(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count);

static enum err look_at_batches(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_batch *list;
    uint64_t user = f->c->who.role == ROLE_SCIENTIST ? f->c->who.id : 0;
    TRY(store_batch_list(f->c->store, a, user, (uint32_t)*after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        *after = list[i].id;
        found_number(f, "batch", list[i].id, list[i].name);
    }
    return ERR_OK;
}

static enum err look_at_hosts(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_host *list;
    TRY(store_host_list(f->c->store, a, *after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        *after = list[i].id;
        found_number(f, "host", list[i].id, list[i].nickname);
    }
    return ERR_OK;
}

static enum err look_at_volunteers(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_volunteer *list;
    TRY(store_volunteer_list(f->c->store, a, *after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        const struct store_volunteer *v = &list[i];
        *after = v->id;
        found_number(f, "volunteer", v->id, is_like(f, v->name) || !is_like(f, v->team) ? v->name : v->team);
    }
    return ERR_OK;
}

static enum err look_at_releases(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_release *list;
    TRY(store_release_list(f->c->store, a, NULL, *after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        char hex[DIGEST_TEXT_BYTES], id[NAME_BYTES_MAX + 16];
        *after = list[i].id;
        digest_text(&list[i].digest, hex);
        snprintf(id, sizeof id, "%s %" PRIu32, list[i].app, list[i].version);
        if (is_like(f, list[i].app) || (strlen(f->text) >= DIGEST_CHARS_MIN && str_starts(hex, f->text)))
            found(f, "app", id, hex);
    }
    return ERR_OK;
}

static enum err look_at_streams(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_stream *list;
    TRY(store_stream_list(f->c->store, a, *after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        *after = list[i].id;
        if ((f->c->who.role != ROLE_SCIENTIST || list[i].user_id == f->c->who.id) && is_like(f, list[i].name))
            found(f, "stream", list[i].name, list[i].name);
    }
    return ERR_OK;
}

static enum err look_at_users(struct finding *f, struct arena *a, uint64_t *after, uint32_t *ret_count)
{
    struct store_user *list;
    *ret_count = 0;
    if (f->c->who.role != ROLE_OPERATOR)
        return ERR_OK;
    TRY(store_user_list(f->c->store, a, *after, STORE_PAGE_MAX, &list, ret_count));
    for (uint32_t i = 0; i < *ret_count; i++) {
        *after = list[i].id;
        found_number(f, "user", list[i].id, list[i].name);
    }
    return ERR_OK;
}

static enum err look_through(struct finding *f, look_fn *look)
{
    uint32_t count = STORE_PAGE_MAX;
    uint64_t after = 0;
    for (int pages = 0; count == STORE_PAGE_MAX; pages++) {
        struct arena ARENA_AUTO a = {0};
        if (pages == PAGES_MAX) {
            f->partial = true;
            break;
        }
        TRY(look(f, &a, &after, &count));
    }
    return ERR_OK;
}

/* What the caller may see of batches, hosts, volunteers, apps, streams and users. */
enum err api_find(struct call *c)
{
    static look_fn *const looks[] = {look_at_batches,  look_at_hosts,   look_at_volunteers,
                                     look_at_releases, look_at_streams, look_at_users};
    struct finding f = {.c = c, .text = http_query(c->http, "text")};
    BUF_AUTO struct buf body = {0};
    if (!f.text || !*f.text || strlen(f.text) > TEXT_BYTES_MAX)
        return err_set(ERR_INVALID, "?text= must be 1 to %d bytes of a name, or a number", TEXT_BYTES_MAX);
    json_out_init(&f.o, &body);
    json_out_object(&f.o, NULL);
    json_out_array(&f.o, "items");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        TRY(look_through(&f, looks[i]));
    json_out_close(&f.o);
    json_out_bool(&f.o, "partial", f.partial);
    json_out_close(&f.o);
    TRY(json_out_end(&f.o));
    return call_reply(c, 200, &body);
}
