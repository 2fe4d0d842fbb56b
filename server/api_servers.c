/* api_servers.c - the servers on one database, for operators. */
#include "server/api.h"
#include "server/server.h"
#include "server/store_member.h"
#include "server/try.h"

static enum err write_duties(struct call *c, const struct store_member *servers, uint32_t count,
                             struct json_out *o)
{
    struct store_claim *list;
    uint32_t n;
    TRY(store_claim_list(c->store, &c->http->arena, CLAIM_DUTY, 0, DUTIES - 1, DUTIES, &list, &n));
    json_out_array(o, "duties");
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < count; k++) {
            if (servers[k].joined != list[i].owner)
                continue;
            json_out_object(o, NULL);
            json_out_i64(o, "number", (int64_t)list[i].subject);
            json_out_string(o, "duty", duty_name((enum duty)list[i].subject));
            json_out_i64(o, "server", servers[k].id);
            json_out_close(o);
        }
    }
    json_out_close(o);
    return ERR_OK;
}

enum err api_servers(struct call *c)
{
    struct store_member *list;
    struct engine_view view;
    uint32_t count;
    struct json_out o;
    BUF_AUTO struct buf body = {0};
    members_view(c->server->members, &view);
    TRY(store_member_list(c->store, &c->http->arena, &list, &count));
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_array(&o, "servers");
    for (uint32_t i = 0; i < count; i++) {
        json_out_object(&o, NULL);
        json_out_i64(&o, "server", list[i].id);
        json_out_string(&o, "place", list[i].place);
        json_out_bool(&o, "here", list[i].joined == view.me);
        json_out_i64(&o, "seen_ms", list[i].wall_ms);
        json_out_close(&o);
    }
    json_out_close(&o);
    TRY(write_duties(c, list, count, &o));
    json_out_close(&o);
    TRY(json_out_end(&o));
    return call_reply(c, 200, &body);
}
