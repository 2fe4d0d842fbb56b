/* engine_route.c - which streams an answer goes to: those its batch names, and those it names itself in its
 * output `streams`, where the app declares one (wire/answer_route.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "server/engine_in.h"
#include "wire/answer.h"
#include "wire/answer_route.h"

enum err route_keep(struct engine *e, uint32_t batch, const struct engine_batch *q)
{
    char text[32];
    struct stream_mem *m;
    for (uint32_t i = 0; i < q->stream_count; i++) {
        const char *name;
        TRY(engine_text(&e->turn, q->streams[i], &name));
        store_set_route(e->set, batch, i, name);
    }
    if (!q->from_stream)
        return ERR_OK;
    TRY(stream_find(e, q->from_stream, q->batch.user_id, &m)); /* on_batch() has made it */
    if (!m)
        return err_set(ERR_CORRUPT, "stream %s is not there", q->from_stream);
    snprintf(text, sizeof text, "batch-%u", batch);
    struct store_cursor c = {.stream = m->st.id,
                             .handed = m->st.purged,
                             .batch = batch,
                             .feed_max = q->from_max,
                             .until_batch = q->until_batch,
                             .seen_ms = e->now_ms,
                             .created_ms = e->now_ms};
    TRY(engine_text(&e->turn, text, &c.name));
    store_set_cursor_new(e->set, &c);
    e->streams_new = true;
    return ERR_OK;
}

static enum err load(struct engine *e, struct batch_mem *b)
{
    if (!b->streams_loaded)
        TRY(store_route_list(e->store, &b->text, b->b.id, &b->streams, &b->stream_count));
    b->streams_loaded = true;
    return ERR_OK;
}

/* The bytes of the answer may not be in the store yet: it is followed at the end of the turn. */
enum err route_answer(struct engine *e, struct batch_mem *b, const struct unit_mem *u)
{
    bool own = false;
    if (u->wu.canonical < 0)
        return ERR_OK;
    TRY(load(e, b));
    TRY(output_declared(e, b, ANSWER_ROUTES_PATH, &own));
    if (b->stream_count == 0 && !own)
        return ERR_OK;
    struct routed *r = arena_alloc(&e->turn, sizeof *r);
    TRY(r ? ERR_OK : ERR_NOMEM);
    *r = (struct routed){.unit = u->wu.id, .answer = u->wu.attempts[u->wu.canonical].answer};
    *e->routed_end = r;
    e->routed_end = &r->next;
    return ERR_OK;
}

static enum err take_none(void *ctx, const struct answer_route *route)
{
    (void)ctx;
    (void)route;
    return ERR_OK;
}

enum err route_check(struct engine *e, struct batch_mem *b, const struct engine_report *p, char *ret_why,
                     size_t room)
{
    bool own;
    ret_why[0] = '\0';
    TRY(output_declared(e, b, ANSWER_ROUTES_PATH, &own));
    for (uint32_t i = 0; own && i < p->output_count; i++) {
        if (strcmp(p->outputs[i].path, ANSWER_ROUTES_PATH) != 0)
            continue;
        if (!p->routes.data)
            snprintf(ret_why, room, ANSWER_ROUTES_PATH " has %" PRIu64 " bytes, at most %u are read",
                     p->outputs[i].bytes, ANSWER_ROUTES_BYTES_MAX);
        else if (answer_routes_each(p->routes.data, p->routes.len, take_none, NULL) != ERR_OK)
            snprintf(ret_why, room, "%s", err_text());
    }
    return ERR_OK;
}

/* --- following them --- */

enum { FOLLOW_BYTES = 8 << 20 }; /* read and not written yet: a turn may deliver thousands of answers */

struct following {
    struct engine *e;
    struct arena *a; /* lives until the next write */
    struct batch_mem *b;
    const struct routed *r;
};

static bool is_batchs(const struct batch_mem *b, const char *name)
{
    for (uint32_t i = 0; i < b->stream_count; i++)
        if (str_eq(b->streams[i], name))
            return true;
    return false;
}

static enum err add(struct following *f, const char *name, const struct text *body)
{
    struct stream_mem *m;
    struct store_record record = {.unit = f->r->unit, .answer = f->r->answer, .group = "", .body = *body};
    TRY(stream_find(f->e, name, f->b->b.user_id, &m));
    if (!m)
        return ERR_OK; /* STREAMS_MAX: the answer is in its batch's results */
    return stream_add(f->e, f->a, m, &record);
}

static enum err add_route(void *ctx, const struct answer_route *route)
{
    struct following *f = ctx;
    struct text text = {route->text, route->len};
    if (text.len == 0 && is_batchs(f->b, route->stream))
        return ERR_OK; /* it is there already */
    return add(f, route->stream, &text);
}

static enum err follow_own(struct following *f)
{
    struct engine *e = f->e;
    struct store_answer answer;
    bool own;
    TRY(output_declared(e, f->b, ANSWER_ROUTES_PATH, &own));
    if (!own)
        return ERR_OK;
    enum err err = store_answer_get(e->store, f->a, f->r->unit, &f->r->answer, &answer);
    for (uint32_t i = 0; err == ERR_OK && i < answer.count; i++)
        if (strcmp(answer.files[i].path, ANSWER_ROUTES_PATH) == 0 && answer.data[i].data)
            err = answer_routes_each(answer.data[i].data, answer.data[i].len, add_route, f);
    /* It was checked when it was reported. */
    return err == ERR_MISSING || err == ERR_INVALID || err == ERR_LIMIT ? ERR_OK : err;
}

static enum err follow(struct following *f)
{
    static const struct text whole = {.data = "", .len = 0};
    TRY(batch_find(f->e, wu_id_batch(f->r->unit), &f->b));
    if (!f->b)
        return err_set(ERR_CORRUPT, "a unit's batch %u is not there", wu_id_batch(f->r->unit));
    TRY(load(f->e, f->b));
    for (uint32_t i = 0; i < f->b->stream_count; i++)
        TRY(add(f, f->b->streams[i], &whole));
    return follow_own(f);
}

enum err routes_write(struct engine *e)
{
    struct arena ARENA_AUTO a = {.bytes_max = 4 * FOLLOW_BYTES};
    if (!e->routed)
        return ERR_OK;
    TRY(engine_flush(e)); /* what the answers say is in the store then */
    for (const struct routed *r = e->routed; r; r = r->next) {
        struct following f = {.e = e, .a = &a, .r = r};
        TRY(follow(&f));
        if (a.used < FOLLOW_BYTES)
            continue;
        TRY(engine_flush(e));
        arena_reset(&a);
    }
    e->routed = NULL;
    e->routed_end = &e->routed;
    return engine_flush(e);
}
