/* doctor_port.c - whether the server answers where it should, or could. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "server/doctor.h"
#include "server/fetch.h"
#include "server/serve.h"

enum { PATH_ROOM = 4096, WAIT_MS = 5000 };

/* 0, or why no socket can listen there. */
static int try_bind(const char *address, uint16_t port)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *a = (void *)&at;
    struct sockaddr_in6 *a6 = (void *)&at;
    int on = 1, is6 = strchr(address, ':') != NULL;
    int fd = socket(is6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    at.ss_family = is6 ? AF_INET6 : AF_INET;
    *(is6 ? &a6->sin6_port : &a->sin_port) = htons(port);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int why = 0;
    if (inet_pton(at.ss_family, address, is6 ? (void *)&a6->sin6_addr : (void *)&a->sin_addr) != 1)
        why = EINVAL;
    else if (bind(fd, (struct sockaddr *)&at, is6 ? sizeof *a6 : sizeof *a) != 0 || listen(fd, 1) != 0)
        why = errno;
    close(fd);
    return why;
}

static bool is_served(const struct doctor *d)
{
    char path[PATH_ROOM];
    int fd;
    if (file_join(path, sizeof path, d->data, "lock") != ERR_OK || !file_exists(path))
        return false;
    enum err e = file_lock(path, &fd);
    if (e == ERR_OK)
        close(fd);
    return e == ERR_CONFLICT;
}

/* {"reasons":["..",..],"ready":false} as a sentence. */
static enum err reasons_text(const struct buf *body, struct buf *out)
{
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = json_parse(buf_text(body), body->len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return buf_add_text(out, "it does not say why");
    const struct json *list = json_field(json_root(doc), "reasons");
    for (size_t i = 0; i < json_count(list) && e == ERR_OK; i++) {
        const char *reason = json_text(json_at(list, i));
        e = buf_printf(out, "%s%.300s", i ? "; " : "", reason ? reason : "");
    }
    return e;
}

static void look_served(struct doctor *d)
{
    char url[300], certificate[PATH_ROOM];
    struct fetch_reply reply = {0};
    BUF_AUTO struct buf why = {0};
    enum err e = serve_local(d->data, d->settings, url, sizeof url, certificate, sizeof certificate);
    size_t len = strlen(url);
    if (e == ERR_OK) {
        snprintf(url + len, sizeof url - len, "/readyz");
        struct fetch_request q = {.method = "GET", .url = url, .timeout_ms = WAIT_MS, .ca_file = certificate};
        e = fetch_http(&q, &reply);
    }
    if (e == ERR_UNTRUSTED) /* a certificate for its public name alone: TLS was spoken all the same */
        findings_add(d->found, FINDING_OK, "port", "", "served at %s", d->settings->listen);
    else if (e != ERR_OK)
        findings_add(d->found, FINDING_ERROR, "port", "see the server's log",
                     "a dugnad-server runs on this data, and does not answer at %s: %s", d->settings->listen,
                     err_text());
    else if (reply.status != 200 && reasons_text(&reply.body, &why) == ERR_OK)
        findings_add(d->found, FINDING_ERROR, "port", "", "the server is not ready: %.300s", buf_text(&why));
    else
        findings_add(d->found, FINDING_OK, "port", "", "served at %s, and ready", d->settings->listen);
    fetch_reply_done(&reply);
}

void doctor_look_port(struct doctor *d)
{
    char address[64];
    uint16_t port;
    if (settings_listen(d->settings, address, sizeof address, &port) != ERR_OK)
        return; /* told already */
    if (is_served(d)) {
        look_served(d);
        return;
    }
    int why = try_bind(address, port);
    if (why == EADDRINUSE)
        findings_add(d->found, FINDING_ERROR, "port",
                     "stop the other program (ss -ltnp), or change listen = in server.conf",
                     "%s is taken by another program", d->settings->listen);
    else if (why == EACCES)
        findings_add(d->found, FINDING_ERROR, "port",
                     "take a port above 1023, or AmbientCapabilities=CAP_NET_BIND_SERVICE",
                     "this user may not listen at %s", d->settings->listen);
    else if (why != 0)
        findings_add(d->found, FINDING_ERROR, "port", "change listen = in server.conf",
                     "cannot listen at %s: %s", d->settings->listen, strerror(why));
    else
        findings_add(d->found, FINDING_OK, "port", "", "%s is free; no server runs", d->settings->listen);
}
