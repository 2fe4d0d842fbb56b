/* serve_place.c - where a project's things are, for the server and for the commands beside it. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/serve.h"
#include "server/try.h"

enum {
    PATH_ROOM = 4096,
    FILES_SPARE = 512,
    WAITING_FOR_EACH = 2,
    WAITING_AT_LEAST = 100,
    TICKET_KEY_S = 30 * 86400
};

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

static bool is_stale(const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 || clock_wall_ms() / 1000 - st.st_mtime > TICKET_KEY_S;
}

enum err serve_ticket_key(const char *data, uint8_t ret[HTTP_TICKET_KEY_BYTES])
{
    char path[PATH_ROOM];
    BUF_AUTO struct buf kept = {0};
    TRY(file_join(path, sizeof path, data, "tls"));
    TRY(file_make_folders(path, 0700)); /* the certificate may be elsewhere */
    TRY(file_join(path, sizeof path, data, "tls/tickets.key"));
    if (!is_stale(path) && file_read(path, HTTP_TICKET_KEY_BYTES, &kept) == ERR_OK &&
        kept.len == HTTP_TICKET_KEY_BYTES) {
        memcpy(ret, kept.data, HTTP_TICKET_KEY_BYTES);
        explicit_bzero(kept.data, kept.len);
        return ERR_OK;
    }
    rand_bytes(ret, HTTP_TICKET_KEY_BYTES);
    return file_write_atomic(path, ret, HTTP_TICKET_KEY_BYTES, 0600);
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

uint64_t serve_files_may_help(const struct settings *s)
{
    return serve_files_wanted(s) + (uint64_t)s->connections * WAITING_FOR_EACH;
}

uint32_t serve_waiting_max(const struct settings *s)
{
    struct rlimit files;
    uint64_t wanted = serve_files_wanted(s), may = serve_files_may_help(s);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < wanted + WAITING_AT_LEAST)
        return WAITING_AT_LEAST;
    return (uint32_t)((files.rlim_cur < may ? files.rlim_cur : may) - wanted);
}
