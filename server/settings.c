#include "server/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define TEXT(field)  CONF_TEXT, offsetof(struct settings, field), sizeof((struct settings *)0)->field
#define VALUE(field) offsetof(struct settings, field), 0

const struct conf_option settings_options[] = {
    {"name", TEXT(name), NULL, 0, 0, "The project's name, as volunteers see it.", "The project"},
    {"summary", TEXT(summary), NULL, 0, 0, "One sentence on what the computing is for.", NULL},
    {"invitation_needed", CONF_BOOL, VALUE(invitation_needed), "no", 0, 0,
     "Only who has an invitation may join a PC: dugnad invite makes one.", NULL},
    {"listen", TEXT(listen), "0.0.0.0:8443", 0, 0,
     "Address and port of HTTPS. [::]:8443 is every address, IPv4 and IPv6.", "Addresses"},
    {"url", TEXT(url), NULL, 0, 0,
     "The address people and PCs use, https://HOST:PORT. It is part of every join link.", NULL},
    {"certificate", TEXT(certificate), "tls/certificate.pem", 0, 0,
     "TLS certificate (PEM, with its chain) and key; relative to this folder. They are read again on "
     "SIGHUP.\n"
     "A self-signed one is as good as any: PCs check it against the project key.",
     NULL},
    {"key", TEXT(key), "tls/key.pem", 0, 0, "", NULL},
    {"database", TEXT(database), "sqlite:project.db", 0, 0,
     "sqlite:PATH (relative to this folder), or postgres://USER@HOST/NAME for several servers on one "
     "database.",
     "Storage"},
    {"disk_free_min", CONF_BYTES, VALUE(disk_free_min), "1G", 0, 0,
     "No upload is taken that would leave less room than this on the disk.", NULL},
    {"upload_kept", CONF_DURATION_MS, VALUE(upload_kept_ms), "7d", 60e3, 1e11,
     "An upload that was broken off can be gone on with for so long.", NULL},
    {"token_rate", CONF_REAL, VALUE(token_rate), "200", 0, 1e6,
     "Requests per second of one token, in bursts of ten seconds' worth; 0: no limit.", "Limits"},
    {"address_rate", CONF_REAL, VALUE(address_rate), "20", 0, 1e6,
     "Requests without a good token per second of one IP address; 0: no limit.", NULL},
    {"user_bytes", CONF_BYTES, VALUE(user_bytes), "100G", 0, 0,
     "Files one scientist may keep here, unless said otherwise for him.", NULL},
    {"host_bytes", CONF_BYTES, VALUE(host_bytes), "20G", 0, 0,
     "Files one PC may have uploaded and not reported yet.", NULL},
    {"user_units", CONF_INT, VALUE(user_units), "20000000", 1, 1e12,
     "Units of one scientist that are not finished, unless said otherwise for him.", NULL},
    {"unit_memory_max", CONF_BYTES, VALUE(unit_memory_max), "64G", 0, 0,
     "The most that a batch may ask for each of its units.", NULL},
    {"unit_disk_max", CONF_BYTES, VALUE(unit_disk_max), "100G", 0, 0, "", NULL},
    {"unit_output_max", CONF_BYTES, VALUE(unit_output_max), "4G", 0, 0, "", NULL},
    {"unit_wall_max", CONF_DURATION_MS, VALUE(unit_wall_max_ms), "30d", 1000, 1e11, "", NULL},
    {"host_leases", CONF_INT, VALUE(host_leases), "2000", 1, 2000, "Units one PC may have at once.", NULL},
    {"core_leases", CONF_INT, VALUE(core_leases), "100", 1, 2000,
     "Units one PC may have at once for each of its cores.", NULL},
    {"contact", CONF_DURATION_MS, VALUE(contact_ms), "1m", 1000, 86400e3,
     "How often a PC that has work calls. Longer is less load, and later news.", NULL},
    {"contact_idle", CONF_DURATION_MS, VALUE(contact_idle_ms), "5m", 1000, 86400e3,
     "The longest that a PC for which there is no work waits before it asks again; while there are few PCs "
     "they\n"
     "ask every few seconds.",
     NULL},
    {"threads", CONF_INT, VALUE(threads), "2", 1, 64, "Threads that speak HTTPS.", "Size"},
    {"workers", CONF_INT, VALUE(workers), "4", 1, 64,
     "Threads that answer people; each has a connection to the database.", NULL},
    {"connections", CONF_INT, VALUE(connections), "10000", 10, 1e6, "Connections at once.", NULL},
    {"connections_per_address", CONF_INT, VALUE(connections_per_address), "1000", 1, 1e6,
     "Connections at once from one IP address.", NULL},
    {"idle", CONF_DURATION_MS, VALUE(idle_ms), "2m", 1000, 3600e3,
     "A connection on which nothing moves for so long is closed.", NULL},
    {"queue", CONF_INT, VALUE(queue), "4096", 16, 1e6,
     "Requests that may wait; the next one is asked to come back later.", NULL},
    {"log_level", TEXT(log_level), "info", 0, 0, "error, warn, info or debug.", "Watching"},
    {"log_json", CONF_BOOL, VALUE(log_json), "no", 0, 0, "Log lines as JSON objects.", NULL},
    {"metrics_open", CONF_BOOL, VALUE(metrics_open), "no", 0, 0,
     "Anybody may read /metrics; otherwise a token is needed, but not from this machine.", NULL},
};
const size_t settings_count = sizeof settings_options / sizeof *settings_options;

enum err settings_listen(const struct settings *s, char *ret_address, size_t room, uint16_t *ret_port)
{
    const char *colon = strrchr(s->listen, ':');
    uint64_t port;
    if (!colon || str_to_u64(colon + 1, 65535, &port) != ERR_OK)
        return err_set(ERR_INVALID, "listen = %s is no ADDRESS:PORT: write for example 0.0.0.0:8443",
                       s->listen);
    size_t len = (size_t)(colon - s->listen);
    const char *from = s->listen;
    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    if (len >= room)
        return err_set(ERR_INVALID, "listen = %s is no ADDRESS:PORT", s->listen);
    snprintf(ret_address, room, "%.*s", (int)len, len ? from : "::");
    *ret_port = (uint16_t)port;
    return ERR_OK;
}
