/* serve_place.c - where a project's things are, for the server and for the commands beside it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "server/serve.h"
#include "server/try.h"

enum { PATH_ROOM = 4096, FILES_SPARE = 512 };

enum err serve_settings(const char *data, struct settings *ret)
{
    char path[PATH_ROOM];
    enum log_level level;
    TRY(file_join(path, sizeof path, data, "server.conf"));
    conf_defaults(settings_options, settings_count, ret);
    enum err e = conf_load(settings_options, settings_count, path, ret);
    if (e == ERR_MISSING)
        return err_set(e, "%s holds no project: make one with `dugnad-server --data %s init --name NAME`",
                       data, data);
    TRY(e);
    e = log_level_parse(ret->log_level, &level);
    return e == ERR_OK ? e : err_prefix(e, "%s: log_level", path);
}

enum err serve_database(const char *data, const struct settings *s, char *ret, size_t room)
{
    const char *sqlite = "sqlite:", *at = s->database + strlen(sqlite);
    int len = !str_starts(s->database, sqlite) || *at == '/'
                  ? snprintf(ret, room, "%s", s->database)
                  : snprintf(ret, room, "%s%s/%s", sqlite, data, at);
    return len >= 0 && (size_t)len < room ? ERR_OK : err_set(ERR_LIMIT, "the database's path is too long");
}

static enum err below(const char *data, const char *setting, char *ret, size_t room)
{
    if (setting[0] != '/')
        return file_join(ret, room, data, setting);
    return (size_t)snprintf(ret, room, "%s", setting) < room
               ? ERR_OK
               : err_set(ERR_LIMIT, "%.60s... is too long", setting);
}

enum err serve_pem(const char *data, const char *setting, struct buf *ret)
{
    char path[PATH_ROOM];
    TRY(below(data, setting, path, sizeof path));
    return file_read(path, CONFIG_BYTES_MAX, ret);
}

enum err serve_local(const char *data, const struct settings *s, char *ret_url, size_t url_room,
                     char *ret_certificate, size_t certificate_room)
{
    char address[64];
    uint16_t port;
    TRY(settings_listen(s, address, sizeof address, &port));
    const char *host = str_eq(address, "0.0.0.0") || str_eq(address, "::") ? "127.0.0.1" : address;
    if ((size_t)snprintf(ret_url, url_room, strchr(host, ':') ? "https://[%s]:%u" : "https://%s:%u", host,
                         port) >= url_room)
        return err_set(ERR_LIMIT, "the address is too long");
    return below(data, s->certificate, ret_certificate, certificate_room);
}

uint64_t serve_files_wanted(const struct settings *s)
{
    return (uint64_t)s->connections + FILES_SPARE;
}
