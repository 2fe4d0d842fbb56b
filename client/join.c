/* join.c - see join.h */
#include "client/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/host.h"
#include "client/net.h"
#include "wire/join_msg.h"

static enum err write_request(const struct join *join, const struct link *link, struct host *host,
                              struct buf *out)
{
    struct join_request r = {.invitation = *link->invitation ? link->invitation : NULL,
                             .volunteer_token = join->volunteer_token,
                             .nickname = join->nickname,
                             .team = join->team};
    host_facts_of(host, &r.host);
    return join_request_write(&r, out);
}

static enum err keep(const char *text, const char *what, char *ret, size_t room)
{
    if (strlen(text) >= room)
        return err_set(ERR_INVALID, "the server's %s is too long", what);
    memcpy(ret, text, strlen(text) + 1);
    return ERR_OK;
}

static enum err take_reply(const struct buf *body, struct project *p)
{
    ARENA_AUTO struct arena a = {0};
    struct join_reply r = {0};
    enum err e = join_reply_parse(buf_text(body), body->len, &a, &r);
    if (e == ERR_OK)
        e = keep(r.host, "host", p->host, sizeof p->host);
    if (e == ERR_OK)
        e = keep(r.volunteer, "volunteer", p->volunteer, sizeof p->volunteer);
    if (e == ERR_OK)
        e = keep(r.token, "token", p->token, sizeof p->token);
    if (e == ERR_OK && r.volunteer_token)
        e = keep(r.volunteer_token, "volunteer token", p->volunteer_token, sizeof p->volunteer_token);
    return e;
}

static enum err ask_to_join(const struct join *join, const struct link *link, struct host *host,
                            struct net *net, struct project *p)
{
    BUF_AUTO struct buf body = {0};
    char url[URL_BYTES_MAX + 16], key[33];
    uint8_t bytes[16];
    struct net_reply reply;
    enum err e = write_request(join, link, host, &body);
    if (e != ERR_OK)
        return e;
    rand_bytes(bytes, sizeof bytes);
    str_hex(bytes, sizeof bytes, key);
    snprintf(url, sizeof url, "%s/v1/hosts", p->url);
    struct net_request request = {.method = "POST",
                                  .url = url,
                                  .body = body.data,
                                  .body_bytes = body.len,
                                  .idempotency_key = key,
                                  .timeout_s = 120};
    e = net_do(net, &request, &reply);
    if (e == ERR_UNREACHABLE || e == ERR_TIMEOUT) { /* the key makes it the same request, not a second host */
        net_reply_done(&reply);
        e = net_do(net, &request, &reply);
    }
    if (e == ERR_OK)
        e = take_reply(&reply.body, p);
    if (reply.body.data)
        explicit_bzero(reply.body.data, reply.body.len);
    net_reply_done(&reply);
    return e;
}

static enum err join_over(const struct join *join, const struct link *link, const char *folder,
                          const struct settings *settings, struct net *net, struct project *p)
{
    struct host *host = calloc(1, sizeof *host);
    enum err e = host ? ERR_OK : err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK)
        e = settings_use(settings, net);
    if (e == ERR_OK)
        e = project_ask(p, net);
    if (e == ERR_OK)
        e = host_read(settings, folder, host);
    if (e == ERR_OK)
        e = ask_to_join(join, link, host, net, p);
    free(host);
    return e;
}

enum err join_project(const struct join *join, const char *path, const char *folder,
                      const struct settings *settings, struct project *ret)
{
    struct link link;
    struct net *net = NULL;
    memset(ret, 0, sizeof *ret);
    if (file_exists(path))
        return err_set(ERR_CONFLICT,
                       "this computer has joined a project already (%s): leave it first, or use "
                       "another folder with --data",
                       path);
    enum err e = link_parse(join->link, &link);
    if (e == ERR_OK)
        e = net_new("dugnad-client/" DUGNAD_VERSION, &net);
    if (e != ERR_OK)
        return e;
    snprintf(ret->path, sizeof ret->path, "%s", path);
    snprintf(ret->url, sizeof ret->url, "%s", link.url);
    trust_init(&ret->trust, &link.project_key);
    e = join_over(join, &link, folder, settings, net, ret);
    net_free(net);
    if (e == ERR_OK)
        e = project_save(ret);
    if (e != ERR_OK)
        project_done(ret);
    return e;
}
