#include "server/init.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/engine.h"
#include "server/project.h"
#include "server/serve.h"
#include "server/tls_cert.h"
#include "server/try.h"
#include "wire/link.h"
#include "wire/token.h"

enum { PATH_ROOM = 4096 };

/* --- addresses --- */

static enum err bind_free(int family, const char *address, uint16_t *ret_port)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    struct sockaddr_in *a = (void *)&at;
    struct sockaddr_in6 *a6 = (void *)&at;
    at.ss_family = (sa_family_t)family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open a socket");
    if (inet_pton(family, address, family == AF_INET ? (void *)&a->sin_addr : (void *)&a6->sin6_addr) != 1 ||
        bind(fd, (struct sockaddr *)&at, family == AF_INET ? sizeof *a : sizeof *a6) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        close(fd);
        return err_set_errno(ERR_IO, "cannot listen at %s", address);
    }
    *ret_port = ntohs(family == AF_INET ? a->sin_port : a6->sin6_port);
    close(fd);
    return ERR_OK;
}

/* Port 0 becomes one that is free now, since it is part of the join link. */
static enum err fix_port(struct settings *s)
{
    char address[64];
    uint16_t port;
    TRY(settings_listen(s, address, sizeof address, &port));
    bool is6 = strchr(address, ':') != NULL;
    if (port == 0)
        TRY(bind_free(is6 ? AF_INET6 : AF_INET, address, &port));
    snprintf(s->listen, sizeof s->listen, is6 ? "[%s]:%u" : "%s:%u", address, port);
    return ERR_OK;
}

/* Where people reach it, unless they were told: the address it listens at, or this machine's name. */
static enum err fix_url(struct settings *s)
{
    char address[64], host[256];
    uint16_t port;
    TRY(settings_listen(s, address, sizeof address, &port));
    if (s->url[0]) {
        size_t len = strlen(s->url);
        if (!str_starts(s->url, "https://") || len < 9)
            return err_set(ERR_INVALID, "--url %s must be https://HOST:PORT", s->url);
        if (s->url[len - 1] == '/')
            s->url[len - 1] = '\0';
        return ERR_OK;
    }
    if (str_eq(address, "0.0.0.0") || str_eq(address, "::")) {
        if (gethostname(host, sizeof host) != 0)
            return err_set_errno(ERR_IO, "this machine has no name: give --url https://HOST:%u", port);
        host[sizeof host - 1] = '\0';
    } else {
        snprintf(host, sizeof host, strchr(address, ':') ? "[%s]" : "%s", address);
    }
    if ((size_t)snprintf(s->url, sizeof s->url, "https://%.200s:%u", host, port) >= sizeof s->url)
        return err_set(ERR_LIMIT, "the address is too long");
    return ERR_OK;
}

static void host_of(const char *url, char ret[256])
{
    const char *at = url + strlen("https://");
    size_t len = *at == '[' ? strcspn(at + 1, "]") : strcspn(at, ":/");
    snprintf(ret, 256, "%.*s", (int)len, *at == '[' ? at + 1 : at);
}

/* --- files --- */

/* The commented defaults, with a line for each value that was chosen. */
static enum err write_settings(const char *data, const struct settings *s)
{
    static const char *const chosen[] = {"name", "summary", "invitation_needed", "listen", "url", "database"};
    char path[PATH_ROOM];
    struct settings defaults;
    BUF_AUTO struct buf text = {0}, file = {0};
    conf_defaults(settings_options, settings_count, &defaults);
    TRY(conf_print_defaults(settings_options, settings_count, &text));
    TRY(buf_add_text(
        &file, "# The settings of a Dugnad project. A line that starts with # is what holds without it.\n"
               "# `dugnad-server serve` reads them at its start.\n\n"));
    for (const char *line = buf_text(&text); *line;) {
        size_t len = strcspn(line, "\n");
        bool written = false;
        for (size_t i = 0; i < settings_count; i++) {
            const struct conf_option *o = &settings_options[i];
            size_t name = strlen(o->name);
            if (line[0] != '#' || strncmp(line + 1, o->name, name) != 0 ||
                strncmp(line + 1 + name, " =", 2) != 0)
                continue;
            for (size_t k = 0; k < sizeof chosen / sizeof *chosen; k++)
                if (str_eq(o->name, chosen[k])) {
                    TRY(buf_printf(&file, "%s = ", o->name));
                    TRY(conf_print_value(o, s, &file));
                    TRY(buf_add_char(&file, '\n'));
                    written = true;
                }
        }
        if (!written)
            TRY(buf_printf(&file, "%.*s\n", (int)len, line));
        line += len + (line[len] == '\n');
    }
    TRY(file_join(path, sizeof path, data, "server.conf"));
    return file_create_atomic(path, file.data, file.len, 0640);
}

static enum err copy_pem(const char *from, const char *folder, const char *name, mode_t mode)
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf pem = {0};
    TRY(file_read(from, CONFIG_BYTES_MAX, &pem));
    TRY(file_join(path, sizeof path, folder, name));
    return file_create_atomic(path, pem.data, pem.len, mode);
}

static enum err make_certificate(const char *data, const struct settings *s, const struct init_options *o)
{
    char folder[PATH_ROOM], path[PATH_ROOM], host[256];
    BUF_AUTO struct buf certificate = {0}, key = {0};
    TRY(file_join(folder, sizeof folder, data, "tls"));
    TRY(file_make_folders(folder, 0700));
    if (o->certificate[0] || o->key[0]) {
        TRY(copy_pem(o->certificate, folder, "certificate.pem", 0644));
        return copy_pem(o->key, folder, "key.pem", 0600);
    }
    host_of(s->url, host);
    TRY(tls_cert_make(host, &certificate, &key));
    TRY(file_join(path, sizeof path, folder, "certificate.pem"));
    TRY(file_create_atomic(path, certificate.data, certificate.len, 0644));
    TRY(file_join(path, sizeof path, folder, "key.pem"));
    enum err e = file_create_atomic(path, key.data, key.len, 0600);
    explicit_bzero(key.data, key.len);
    return e;
}

/* --- the first operator --- */

static enum err ask(struct engine *e, struct engine_request *r)
{
    struct engine_request *list[] = {r};
    TRY(engine_turn(e, list, 1, clock_wall_ms()));
    return r->err == ERR_OK ? ERR_OK : err_set(r->err, "%s", r->message);
}

static enum err make_operator(struct store *store, const char *data)
{
    struct engine *engine;
    struct engine_config config = {.sign_units = NULL};
    struct arena ARENA_AUTO arena = {0};
    uint8_t secret[TOKEN_SECRET_BYTES];
    char text[TOKEN_TEXT_BYTES + 1], path[PATH_ROOM];
    struct engine_request user = {.kind = ENGINE_USER, .arena = &arena},
                          token = {.kind = ENGINE_TOKEN, .arena = &arena};
    TRY(engine_new(store, &config, &engine));
    user.u.user.user = (struct store_user){.name = "operator", .mail = "", .role = ROLE_OPERATOR};
    enum err e = ask(engine, &user);
    rand_bytes(secret, sizeof secret);
    token.u.token.verb = ENGINE_TOKEN_CREATE;
    token.u.token.token = (struct store_token){.role = ROLE_OPERATOR,
                                               .owner_id = user.u.user.ret_id,
                                               .secret = hash_bytes(secret, sizeof secret),
                                               .scope = "",
                                               .name = "made by init"};
    if (e == ERR_OK)
        e = ask(engine, &token);
    engine_free(engine);
    TRY(e);
    token_print(TOKEN_USER, token.u.token.ret_id, secret, text);
    explicit_bzero(secret, sizeof secret);
    size_t len = strlen(text);
    text[len] = '\n';
    TRY(file_join(path, sizeof path, data, "operator.token"));
    e = file_create_atomic(path, text, len + 1, 0600);
    explicit_bzero(text, sizeof text);
    return e;
}

static enum err make_database(const char *data, const struct settings *s)
{
    char where[PATH_ROOM];
    struct store *store;
    TRY(serve_database(data, s, where, sizeof where));
    TRY(store_open(where, &store));
    enum err e = make_operator(store, data);
    store_close(store);
    return e;
}

/* --- all of it --- */

static enum err tell(const char *data, const char *offline, const struct settings *s,
                     const struct digest *project_key, struct buf *out)
{
    struct link link = {.project_key = *project_key};
    BUF_AUTO struct buf text = {0};
    snprintf(link.url, sizeof link.url, "%s", s->url);
    TRY(link_print(&link, &text));
    return buf_printf(out,
                      "Project \"%s\" is made in %s.\n\n"
                      "Start it:           dugnad-server --data %s serve\n"
                      "Log in as operator: dugnad login %s --token-file %s/operator.token\n"
                      "Let PCs join with:  %s\n\n"
                      "%s holds the keys that sign releases and the project itself.\n"
                      "Move it to a stick or another machine: the server never needs it.\n",
                      s->name, data, data, buf_text(&text), data, buf_text(&text), offline);
}

enum err init_project(const char *data, struct settings *s, const struct init_options *o,
                      struct buf *ret_text)
{
    char path[PATH_ROOM], offline[PATH_ROOM];
    struct digest project_key;
    struct project_keys keys = {(uint32_t)o->release_keys, (uint32_t)o->release_threshold};
    TRY(file_join(path, sizeof path, data, "server.conf"));
    if (file_exists(path))
        return err_set(ERR_CONFLICT,
                       "%s is there already: %s holds a project. Serve it, or choose another --data", path,
                       data);
    if (!s->name[0])
        return err_set(ERR_INVALID, "the project needs a name: --name \"Our project\"");
    if (!str_is_utf8(s->name, strlen(s->name)))
        return err_set(ERR_INVALID, "the project's name must be UTF-8");
    if (!o->certificate[0] != !o->key[0])
        return err_set(ERR_INVALID, "--certificate and --key go together");
    TRY(fix_port(s));
    TRY(fix_url(s));
    TRY(file_make_folders(data, 0700));
    if (o->offline[0])
        snprintf(offline, sizeof offline, "%s", o->offline);
    else
        TRY(file_join(offline, sizeof offline, data, "offline-keys"));
    TRY(make_certificate(data, s, o));
    TRY(project_make(data, offline, s->name, &keys, clock_wall_ms(), &project_key));
    TRY(make_database(data, s));
    TRY(write_settings(data, s)); /* last: with it the project is there */
    return tell(data, offline, s, &project_key, ret_text);
}
