/* join_msg.c - see join_msg.h */
#include "wire/join_msg.h"

#include "wire/link.h"
#include "wire/token.h"

enum err join_request_write(const struct join_request *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    if (r->invitation)
        json_out_string(&o, "invitation", r->invitation);
    if (r->volunteer_token)
        json_out_string(&o, "volunteer_token", r->volunteer_token);
    if (r->nickname)
        json_out_string(&o, "nickname", r->nickname);
    if (r->team)
        json_out_string(&o, "team", r->team);
    host_facts_write(&o, "host", &r->host);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err join_request_parse(const char *body, size_t len, struct arena *a, struct join_request *ret)
{
    static const char *const fields[] = {"invitation", "volunteer_token", "nickname", "team", "host"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct join_request r = {0};
    const struct json *host;
    enum err e = json_parse(body, len, JSON_BODY_SMALL_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = json_only(root, "", fields, 5)) != ERR_OK ||
        (e = text_read(root, "", "invitation", INVITATION_BYTES_MAX, false, a, &r.invitation)) != ERR_OK ||
        (e = text_read(root, "", "volunteer_token", TOKEN_TEXT_BYTES, false, a, &r.volunteer_token)) !=
            ERR_OK ||
        (e = text_read(root, "", "nickname", NAME_BYTES_MAX, false, a, &r.nickname)) != ERR_OK ||
        (e = text_read(root, "", "team", NAME_BYTES_MAX, false, a, &r.team)) != ERR_OK ||
        (e = json_get_object(root, "", "host", &host)) != ERR_OK ||
        (e = host_facts_read(host, "host", a, &r.host)) != ERR_OK)
        return e;
    *ret = r;
    return ERR_OK;
}

enum err join_reply_write(const struct join_reply *r, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    json_out_string(&o, "host", r->host);
    json_out_string(&o, "token", r->token);
    json_out_string(&o, "volunteer", r->volunteer);
    if (r->volunteer_token)
        json_out_string(&o, "volunteer_token", r->volunteer_token);
    json_out_close(&o);
    return json_out_end(&o);
}

enum err join_reply_parse(const char *body, size_t len, struct arena *a, struct join_reply *ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    struct join_reply r = {0};
    enum err e = json_parse(body, len, JSON_BODY_SMALL_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc);
    if ((e = text_read(root, "", "host", ID_TEXT_BYTES, true, a, &r.host)) != ERR_OK ||
        (e = text_read(root, "", "token", TOKEN_TEXT_BYTES, true, a, &r.token)) != ERR_OK ||
        (e = text_read(root, "", "volunteer", ID_TEXT_BYTES, true, a, &r.volunteer)) != ERR_OK ||
        (e = text_read(root, "", "volunteer_token", TOKEN_TEXT_BYTES, false, a, &r.volunteer_token)) !=
            ERR_OK)
        return e;
    *ret = r;
    return ERR_OK;
}
