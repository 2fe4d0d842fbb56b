/* project.c - see project.h */
#include "client/project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "wire/parts.h"

#define FILE_BYTES_MAX (3u * JSON_BODY_BYTES_MAX)

void project_id(const struct project *p, char ret[PROJECT_ID_BYTES])
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(&p->trust.project_key, hex);
    snprintf(ret, PROJECT_ID_BYTES, "%.*s", PROJECT_ID_BYTES - 1, hex);
}

void project_done(struct project *p)
{
    explicit_bzero(p->token, sizeof p->token);
    explicit_bzero(p->volunteer_token, sizeof p->volunteer_token);
    buf_done(&p->statements);
}

static enum err copy_text(const struct json *root, const char *key, char *ret, size_t room)
{
    const char *text;
    enum err e = json_get_string(root, "", key, room - 1, &text);
    if (e == ERR_OK)
        memcpy(ret, text, strlen(text) + 1);
    return e;
}

static enum err read_fields(const struct json *root, struct project *p)
{
    const struct json *statements;
    const char *key;
    struct digest project_key;
    enum err e;
    if ((e = copy_text(root, "url", p->url, sizeof p->url)) != ERR_OK ||
        (e = copy_text(root, "token", p->token, sizeof p->token)) != ERR_OK ||
        (e = copy_text(root, "host", p->host, sizeof p->host)) != ERR_OK ||
        (e = copy_text(root, "volunteer", p->volunteer, sizeof p->volunteer)) != ERR_OK ||
        (e = copy_text(root, "volunteer_token", p->volunteer_token, sizeof p->volunteer_token)) != ERR_OK ||
        (e = json_get_i64(root, "", "checked_ms", 0, INT64_MAX / 2, &p->checked_ms)) != ERR_OK ||
        (e = json_get_string(root, "", "project_key", DIGEST_TEXT_BYTES, &key)) != ERR_OK ||
        (e = digest_parse(key, &project_key)) != ERR_OK ||
        (e = json_get_object(root, "", "statements", &statements)) != ERR_OK ||
        (e = json_dump(statements, &p->statements)) != ERR_OK)
        return e;
    trust_init(&p->trust, &project_key);
    return ERR_OK;
}

/* With the time at which they were last checked: what has expired since then is a matter for the network, and
 * must not keep the daemon from asking there. */
static enum err prove_again(struct project *p)
{
    return trust_add_project(&p->trust, buf_text(&p->statements), p->statements.len, p->checked_ms);
}

enum err project_load(const char *path, struct project *ret)
{
    BUF_AUTO struct buf text = {.bytes_max = FILE_BYTES_MAX};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = file_read(path, FILE_BYTES_MAX, &text);
    if (e == ERR_MISSING)
        return err_set(ERR_MISSING, "this computer has not joined a project: dugnad-client join LINK");
    memset(ret, 0, sizeof *ret);
    snprintf(ret->path, sizeof ret->path, "%s", path);
    if (e == ERR_OK)
        e = json_parse(buf_text(&text), text.len, FILE_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = read_fields(json_root(doc), ret);
    if (e == ERR_OK)
        e = prove_again(ret);
    if (text.data)
        explicit_bzero(text.data, text.len);
    if (e == ERR_OK)
        return ERR_OK;
    project_done(ret);
    return err_prefix(e, "%s", path);
}

enum err project_save(const struct project *p)
{
    BUF_AUTO struct buf text = {.bytes_max = FILE_BYTES_MAX};
    struct json_out o;
    json_out_init(&o, &text);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_string(&o, "url", p->url);
    digest_write(&o, "project_key", &p->trust.project_key);
    json_out_string(&o, "host", p->host);
    json_out_string(&o, "volunteer", p->volunteer);
    json_out_string(&o, "token", p->token);
    json_out_string(&o, "volunteer_token", p->volunteer_token);
    json_out_i64(&o, "checked_ms", p->checked_ms);
    json_out_raw(&o, "statements", buf_text(&p->statements), p->statements.len);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    if (e == ERR_OK)
        e = file_write_atomic(p->path, buf_text(&text), text.len, 0600);
    if (text.data)
        explicit_bzero(text.data, text.len);
    return e;
}

/* Only what proves something is kept of the reply: the rest changes with every request. */
static enum err keep_statements(const char *body, size_t len, struct buf *out)
{
    static const char *const fields[] = {"project_key", "root", "server_statement"};
    JSON_AUTO struct json_doc *doc = NULL;
    struct json_out o;
    enum err e = json_parse(body, len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (json_field(json_root(doc), fields[i]))
            json_out_value(&o, fields[i], json_field(json_root(doc), fields[i]));
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err check_newer(const struct trust *now, const struct trust *before)
{
    if (before->has_root && now->root.version < before->root.version)
        return err_set(ERR_UNTRUSTED, "the project shows an older list of keys than before: somebody may be "
                                      "replaying it, ask the project's operator");
    if (before->has_server && now->has_server && now->server.issued_ms < before->server.issued_ms)
        return err_set(ERR_UNTRUSTED,
                       "the project shows an older list of addresses than before: somebody may be "
                       "replaying it, ask the project's operator");
    return ERR_OK;
}

enum err project_learn(struct project *p, const char *body, size_t len, int64_t now_ms, bool *ret_changed)
{
    BUF_AUTO struct buf kept = {.bytes_max = JSON_BODY_BYTES_MAX};
    struct trust *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return err_set(ERR_NOMEM, "out of memory");
    trust_init(fresh, &p->trust.project_key);
    enum err e = trust_add_project(fresh, body, len, now_ms);
    if (e == ERR_OK)
        e = check_newer(fresh, &p->trust);
    if (e == ERR_OK)
        e = keep_statements(body, len, &kept);
    if (e == ERR_OK) {
        *ret_changed =
            kept.len != p->statements.len || memcmp(buf_text(&kept), buf_text(&p->statements), kept.len) != 0;
        p->trust = *fresh;
        p->checked_ms = now_ms;
        buf_done(&p->statements);
        p->statements = kept;
        kept = (struct buf){0};
    }
    free(fresh);
    return e;
}

enum err project_use_pins(const struct project *p, struct net *net)
{
    const char *pins[SERVER_PINS_MAX];
    for (uint32_t i = 0; i < p->trust.server.pin_count; i++)
        pins[i] = p->trust.server.pins[i];
    return net_set_pins(net, pins, p->trust.server.pin_count);
}

enum err project_ask(struct project *p, struct net *net)
{
    char url[URL_BYTES_MAX + 16];
    struct net_reply reply;
    bool changed;
    snprintf(url, sizeof url, "%s/v1/project", p->url);
    struct net_request request = {.method = "GET", .url = url, .timeout_s = 60};
    net_set_unverified(net, true);
    enum err e = net_do(net, &request, &reply);
    net_set_unverified(net, false);
    if (e == ERR_OK)
        e = project_learn(p, buf_text(&reply.body), reply.body.len, clock_wall_ms(), &changed);
    net_reply_done(&reply);
    return e == ERR_OK ? project_use_pins(p, net) : e;
}

void project_next_url(struct project *p)
{
    const struct server_statement *s = &p->trust.server;
    if (s->url_count == 0)
        return;
    p->url_next = (p->url_next + 1) % s->url_count;
    snprintf(p->url, sizeof p->url, "%s", s->urls[p->url_next]);
}
