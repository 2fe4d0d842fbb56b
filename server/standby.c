#include "server/standby.h"

#include <stdlib.h>

#include "server/cache.h"
#include "server/try.h"

struct seat {
    struct cache_item item; /* key: the host's id; the cache's oldest has waited longest */
    struct engine_request *request;
    int64_t rest_ms;  /* whatever is new, it does not look again before */
    int64_t again_ms; /* it looks again though nothing is new */
    uint64_t news;    /* what there was when it looked last */
};

struct standby {
    struct cache waiting;
    uint32_t seats;
    /* Nobody looks before, unless there are other news or somebody comes: so that a turn of the engine does
     * not go through all who wait. */
    int64_t next_ms;
    uint64_t news;
};

enum err standby_new(uint32_t seats, struct standby **ret_standby)
{
    struct standby *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(ERR_NOMEM, "no memory for hosts that wait");
    l->seats = seats;
    *ret_standby = l;
    return ERR_OK;
}

void standby_free(struct standby *l)
{
    if (!l)
        return;
    cache_done(&l->waiting);
    free(l);
}

uint32_t standby_count(const struct standby *l)
{
    return l->waiting.count;
}

bool standby_has_room(const struct standby *l)
{
    return l->waiting.count < l->seats;
}

bool standby_may_wait(const struct engine_request *r)
{
    const struct engine_work *w = &r->u.work;
    return r->kind == ENGINE_WORK && r->err == ERR_OK && w->wait_ms > 0 && w->nothing &&
           w->report_count + w->renew_count + w->recall_count == 0;
}

static bool has_hung_up(const struct engine_request *r)
{
    return r->u.work.gone && atomic_load(r->u.work.gone);
}

static struct engine_request *take_out(struct standby *l, struct seat *s)
{
    struct engine_request *r = s->request;
    cache_drop(&l->waiting, &s->item);
    free(s);
    return r;
}

bool standby_keep(struct standby *l, struct engine_request *r, const struct engine_outlook *o, int64_t now_ms)
{
    struct engine_work *w = &r->u.work;
    bool first = w->waits_since_ms == 0;
    if (!standby_has_room(l) || has_hung_up(r) || cache_get(&l->waiting, w->host_id) ||
        (!first && now_ms >= w->waits_since_ms + w->wait_ms))
        return false;
    struct seat *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    if (first)
        w->waits_since_ms = now_ms;
    /* Where all is given out there was nothing that it could not have. */
    *s = (struct seat){.item.key = w->host_id,
                       .request = r,
                       .rest_ms = first || o->unsent == 0 ? now_ms : now_ms + STANDBY_REST_MS,
                       .again_ms = now_ms + w->next_contact_ms,
                       .news = o->news};
    if (cache_put(&l->waiting, &s->item) != ERR_OK) {
        free(s);
        return false;
    }
    l->next_ms = s->again_ms < l->next_ms ? s->again_ms : l->next_ms;
    return true;
}

/* When the host looks again, as things are. */
static int64_t look_ms(const struct seat *s, const struct engine_outlook *o)
{
    bool news = s->news != o->news && o->unsent > 0;
    if (has_hung_up(s->request)) /* standby_end() */
        return INT64_MAX;
    if (news && s->rest_ms < s->again_ms)
        return s->rest_ms;
    return o->unsent > 0 || o->out ? s->again_ms : INT64_MAX;
}

uint32_t standby_wake(struct standby *l, const struct engine_outlook *o, int64_t now_ms,
                      struct engine_request **ret, uint32_t most)
{
    uint32_t n = 0;
    struct cache_item *next;
    if ((o->unsent == 0 && !o->out) || (o->news == l->news && now_ms < l->next_ms))
        return 0;
    if (o->unsent > 0 && o->unsent < most)
        most = (uint32_t)o->unsent;
    int64_t next_ms = INT64_MAX;
    for (struct cache_item *i = l->waiting.oldest; i && n < most; i = next) {
        struct seat *s = (void *)i;
        next = i->newer;
        int64_t at_ms = look_ms(s, o);
        if (at_ms <= now_ms)
            ret[n++] = take_out(l, s);
        else if (at_ms < next_ms)
            next_ms = at_ms;
    }
    l->news = o->news;
    l->next_ms = n < most ? next_ms : now_ms; /* there may be others behind the last one */
    return n;
}

uint32_t standby_end(struct standby *l, int64_t now_ms, struct engine_request **ret, uint32_t most)
{
    uint32_t n = 0;
    struct cache_item *next;
    for (struct cache_item *i = l->waiting.oldest; i && n < most; i = next) {
        struct seat *s = (void *)i;
        const struct engine_work *w = &s->request->u.work;
        next = i->newer;
        if (now_ms >= w->waits_since_ms + w->wait_ms || has_hung_up(s->request))
            ret[n++] = take_out(l, s);
    }
    return n;
}

struct engine_request *standby_leave(struct standby *l, uint64_t host_id)
{
    struct seat *s = (void *)cache_get(&l->waiting, host_id);
    return s ? take_out(l, s) : NULL;
}
