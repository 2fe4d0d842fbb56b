#include "server/ranking.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "server/api.h"
#include "server/try.h"

static enum err parse_cursor(const char *text, struct ranking *ret)
{
    char *end;
    ret->after_value = strtoll(text, &end, 10);
    ret->after = true;
    if (end != text && *end == ':' && str_to_u64(end + 1, INT64_MAX, &ret->after_id) == ERR_OK)
        return ERR_OK;
    return err_set(ERR_INVALID, "?after=%.60s is no place in a sorted list: take next of the page before",
                   text);
}

enum err ranking_begin(struct call *c, const char *const *names, uint32_t name_count, struct ranking *ret,
                       bool *ret_asked)
{
    const char *sort = http_query(c->http, "sort"), *after = http_query(c->http, "after");
    *ret_asked = sort && *sort;
    if (!*ret_asked)
        return ERR_OK;
    *ret = (struct ranking){.down = *sort == '-'};
    while (ret->by < name_count && !str_eq(names[ret->by], sort + ret->down))
        ret->by++;
    if (ret->by == name_count)
        return err_set(ERR_INVALID,
                       "?sort=%.40s: this list can not be sorted by that; it can by %s and others", sort,
                       names[0]);
    if (after && *after)
        TRY(parse_cursor(after, ret));
    TRY(api_page_limit(c, &ret->limit));
    ret->list = arena_array(&c->http->arena, ret->limit + 1u, sizeof *ret->list);
    return ret->list ? ERR_OK : ERR_NOMEM;
}

/* Where values are equal, who came first is first. */
static bool is_before(const struct ranking *r, int64_t value, uint64_t id, int64_t other, uint64_t other_id)
{
    if (value == other)
        return id < other_id;
    return r->down ? value > other : value < other;
}

void ranking_add(struct ranking *r, int64_t value, uint64_t id)
{
    if (r->after && !is_before(r, r->after_value, r->after_id, value, id))
        return;
    uint32_t at = r->count;
    while (at > 0 && is_before(r, value, id, r->list[at - 1].value, r->list[at - 1].id))
        at--;
    if (at == r->limit) {
        r->more = true;
        return;
    }
    memmove(r->list + at + 1, r->list + at, (r->count - at) * sizeof *r->list);
    r->list[at] = (struct ranked){value, id};
    if (r->count == r->limit)
        r->more = true;
    else
        r->count++;
}

void ranking_end(const struct ranking *r, struct json_out *o)
{
    char next[64];
    json_out_close(o);
    if (r->more) {
        const struct ranked *last = &r->list[r->count - 1];
        snprintf(next, sizeof next, "%" PRId64 ":%" PRIu64, last->value, last->id);
        json_out_string(o, "next", next);
    } else {
        json_out_null(o, "next");
    }
    json_out_close(o);
}
