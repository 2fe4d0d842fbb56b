#include "server/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

#define TEXT(field)  CONF_TEXT, offsetof(struct settings, field), sizeof((struct settings *)0)->field
#define VALUE(field) offsetof(struct settings, field), 0

const struct conf_option settings_options[] = {
    {"name", TEXT(name), NULL, 0, 0, "The project's name, as volunteers see it.", "The project"},
    {"summary", TEXT(summary), NULL, 0, 0, "One sentence on what the computing is for.", NULL},
    {"invitation_needed", CONF_BOOL, VALUE(invitation_needed), "no", 0, 0,
     "Only who has an invitation may join a PC: dugnad invitation new makes one.", NULL},
    {"listen", TEXT(listen), "0.0.0.0:8443", 0, 0,
     "Address and port of HTTPS. [::]:8443 is every address, IPv4 and IPv6.", "Addresses"},
    {"url", TEXT(url), NULL, 0, 0,
     "The address people and PCs use, https://HOST:PORT. It is part of every join link.", NULL},
    {"certificate", TEXT(certificate), "tls/certificate.pem", 0, 0,
     "TLS certificate (PEM, with its chain) and key; relative to this folder. They are read when the server "
     "starts, and again at SIGHUP (systemctl reload).\n"
     "A self-signed one is as good as any: PCs check it against the project key.",
     NULL},
    {"key", TEXT(key), "tls/key.pem", 0, 0, "", NULL},
    {"database", TEXT(database), "sqlite:project.db", 0, 0,
     "sqlite:PATH (relative to this folder), or postgres://USER@HOST/NAME for several servers on one "
     "database.",
     "Storage"},
    {"database_read", TEXT(database_read), NULL, 0, 0,
     "A replica of a PostgreSQL database, postgres://...: lists and reports of people are read there.", NULL},
    {"database_read_lag", CONF_DURATION_MS, VALUE(database_read_lag_ms), "30s", 1e3, 86400e3,
     "While the replica is further behind than this, or away, the database itself is read.", NULL},
    {"blobs", TEXT(blobs), "blobs", 0, 0,
     "Where files are: a folder (relative to this one), or s3://BUCKET/PREFIX in an S3-compatible object "
     "store.\n"
     "`dugnad-server migrate --blobs` moves them from one to the other and changes this.",
     NULL},
    {"s3_endpoint", TEXT(s3_endpoint), NULL, 0, 0,
     "The object store's address, https://HOST; its region; the key's id, and a file (mode 600) that holds "
     "its secret.",
     NULL},
    {"s3_region", TEXT(s3_region), "us-east-1", 0, 0, "", NULL},
    {"s3_key_id", TEXT(s3_key_id), NULL, 0, 0, "", NULL},
    {"s3_secret_file", TEXT(s3_secret_file), "s3.secret", 0, 0, "", NULL},
    {"s3_ca", TEXT(s3_ca), NULL, 0, 0,
     "Certificates (PEM) to check the object store against, instead of the system's.", NULL},
    {"s3_link_endpoint", TEXT(s3_link_endpoint), NULL, 0, 0,
     "The address by which PCs and scientists reach the object store, when it is another than the server's.",
     NULL},
    {"blob_links", CONF_BYTES, VALUE(blob_links), "1M", 0, 0,
     "Files from this size on are fetched from the object store itself, by a link that is good for 15 "
     "minutes; 0: none.",
     NULL},
    {"blob_cache", CONF_BYTES, VALUE(blob_cache), "10G", 0, 0,
     "So much of the object store's files is kept on this machine too.", NULL},
    {"disk_free_min", CONF_BYTES, VALUE(disk_free_min), "1G", 0, 0,
     "No upload is taken that would leave less room than this on the disk.", NULL},
    {"disk_free_batch", CONF_BYTES, VALUE(disk_free_batch), "10G", 0, 0,
     "No new batch is taken when less than this, and less than a tenth of the disk, is free.", NULL},
    {"upload_kept", CONF_DURATION_MS, VALUE(upload_kept_ms), "7d", 1e3, 1e11,
     "An upload that was broken off can be gone on with for so long.", NULL},
    {"unused_kept", CONF_DURATION_MS, VALUE(unused_kept_ms), "30d", 0, 1e12,
     "A file that a user sent and no batch, schedule or release has named is kept for so long, and then "
     "deleted;\n0: for ever.",
     NULL},
    {"purged_kept", CONF_DURATION_MS, VALUE(purged_kept_ms), "1h", 0, 1e12,
     "What a purged batch or an ended schedule was the last to need is kept for so long, for whoever submits "
     "with it again.",
     NULL},
    {"archive_after", CONF_DURATION_MS, VALUE(archive_after_ms), "0s", 0, 1e12,
     "Batches that ended so long ago leave the database for a compressed file each (dugnad archive get "
     "BATCH);\n0: never.",
     NULL},
    {"token_rate", CONF_REAL, VALUE(token_rate), "200", 0, 1e6,
     "Requests per second of one token, in bursts of ten seconds' worth; 0: no limit.", "Limits"},
    {"owner_joins", CONF_REAL, VALUE(owner_joins), "5", 0, 1e6,
     "Hosts of one owner that may join in a day, beyond the first 50; 0: no limit.", NULL},
    {"network_joins", CONF_REAL, VALUE(network_joins), "20", 0, 1e6,
     "Hosts of one public network (/24, IPv6 /48) that may join in a day, beyond the first 100; 0: no limit.",
     NULL},
    {"address_rate", CONF_REAL, VALUE(address_rate), "20", 0, 1e6,
     "Requests without a good token per second of one IP address; 0: no limit.", NULL},
    {"login_fresh", CONF_DURATION_MS, VALUE(login_fresh_ms), "10m", 1000, 86400e3,
     "So long after logging in a browser may ban PCs, release programs and change who may log in; then it "
     "must\n"
     "log in again.",
     NULL},
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
    {"contact_wait", CONF_DURATION_MS, VALUE(contact_wait_ms), "30s", 0, WORK_WAIT_MS_MAX,
     "So long an idle PC's request is kept until there is work for it, which then starts at once. Less than "
     "any\n"
     "proxy in front lets a request take. 0: none is kept.",
     NULL},
    {"threads", CONF_INT, VALUE(threads), "2", 1, 64, "Threads that speak HTTPS.", "Size"},
    {"workers", CONF_INT, VALUE(workers), "4", 1, 64,
     "Threads that answer people; each has a connection to the database.", NULL},
    {"connections", CONF_INT, VALUE(connections), "10000", 10, 1e6,
     "Connections at once. From three quarters of them on, each is closed when it has its reply. Twice as "
     "many more may wait for their handshake, if so many open files are allowed.",
     NULL},
    {"connections_per_address", CONF_INT, VALUE(connections_per_address), "1000", 1, 1e6,
     "Connections at once from one IP address.", NULL},
    {"idle", CONF_DURATION_MS, VALUE(idle_ms), "2m", 1000, 3600e3,
     "A connection on which nothing moves for so long is closed.", NULL},
    {"queue", CONF_INT, VALUE(queue), "4096", 16, 1e6,
     "Requests that may wait; the next one is asked to come back later.", NULL},
    {"load_max", CONF_REAL, VALUE(load_max), "0.9", 0, 1,
     "No new batch is taken while the server is busier than this, over about a minute: the share of its "
     "engine's\n"
     "time, of its queue or of the machine's cores; 0: it always is.",
     NULL},
    {"rollout", CONF_REAL, VALUE(rollout), "1", 0, 1,
     "A new version of an app goes to so large a share of the PCs at first, 0.01 for example; dugnad app "
     "rollout\n"
     "lets it go on. It is stopped by itself when more of its attempts fail than of the version before.",
     NULL},
    {"log_level", TEXT(log_level), "info", 0, 0, "error, warn, info or debug.", "Watching"},
    {"log_json", CONF_BOOL, VALUE(log_json), "no", 0, 0, "Log lines as JSON objects.", NULL},
    {"metrics_open", CONF_BOOL, VALUE(metrics_open), "no", 0, 0,
     "Anybody may read /metrics; otherwise a token is needed, but not from this machine.", NULL},
    {"ready_stalled", CONF_DURATION_MS, VALUE(ready_stalled_ms), "15m", 1000, 1e11,
     "/readyz fails when nothing was validated for so long though work waits and PCs call.", NULL},
    {"mail_server", TEXT(mail_server), NULL, 0, 0,
     "Who is told when something is wrong, and when it is over. smtp://HOST:25 or smtps://HOST:465; empty: "
     "no mail.",
     "Alerts"},
    {"mail_from", TEXT(mail_from), NULL, 0, 0, "The sender's address.", NULL},
    {"mail_to", TEXT(mail_to), NULL, 0, 0, "Addresses with commas between.", NULL},
    {"mail_user", TEXT(mail_user), NULL, 0, 0,
     "Login at the mail server, and a file (mode 600) that holds the password.", NULL},
    {"mail_password_file", TEXT(mail_password_file), NULL, 0, 0, "", NULL},
    {"mail_ca", TEXT(mail_ca), NULL, 0, 0,
     "Certificates (PEM) to check the mail server and the web hook against, instead of the system's.", NULL},
    {"alert_webhook", TEXT(alert_webhook), NULL, 0, 0, "Each notice is posted there too, as JSON.", NULL},
    {"alert_hosts", CONF_REAL, VALUE(alert_hosts), "0.5", 0, 1,
     "When so large a share of the day's PCs is gone; 0 switches this and each of the following off.", NULL},
    {"alert_errors", CONF_REAL, VALUE(alert_errors), "0.2", 0, 1,
     "When so large a share of the last hour's attempts ended in an error.", NULL},
    {"alert_backlog", CONF_DURATION_MS, VALUE(alert_backlog_ms), "2h", 0, 1e11,
     "When an answer waits for so long to be judged, or a web hook to be called.", NULL},
    {"alert_silence", CONF_DURATION_MS, VALUE(alert_silence_ms), "1h", 0, 1e11,
     "When nothing was accepted for so long though work waits.", NULL},
    {"alert_disk", CONF_BYTES, VALUE(alert_disk), "20G", 0, 0,
     "When less than this, and less than 15 % of the disk, is free.", NULL},
    {"alert_ends", CONF_DURATION_MS, VALUE(alert_ends_ms), "30d", 0, 1e11,
     "When the certificate or the root statement ends within this.", NULL},
    {"alert_wait", CONF_DURATION_MS, VALUE(alert_wait_ms), "1m", 0, 86400e3,
     "It must be wrong, or well again, for so long before anybody is told.", NULL},
    {"alert_repeat", CONF_DURATION_MS, VALUE(alert_repeat_ms), "1d", 60e3, 1e11,
     "What stays wrong is told again so often, and no more.", NULL},
    {"report_hour", CONF_INT, VALUE(report_hour), "7", -1, 23,
     "The hour of this machine's time at which yesterday's report is mailed; -1: never.", NULL},
    {"heartbeat_url", TEXT(heartbeat_url), NULL, 0, 0,
     "Called again and again while all is well, so that somebody outside can tell when it is silent.", NULL},
    {"heartbeat", CONF_DURATION_MS, VALUE(heartbeat_ms), "5m", 1e3, 86400e3, "", NULL},
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

uint64_t settings_disk_mark(const struct settings *s, uint64_t disk_bytes)
{
    return s->disk_free_batch < disk_bytes / 10 ? s->disk_free_batch : disk_bytes / 10;
}

static bool is_web(const char *url)
{
    return !url[0] || str_starts(url, "https://") || str_starts(url, "http://");
}

static enum err check_blobs(const struct settings *s)
{
    if (!str_starts(s->blobs, "s3://"))
        return ERR_OK;
    if (!s->s3_endpoint[0] || !is_web(s->s3_endpoint))
        return err_set(ERR_INVALID, "blobs = %s: s3_endpoint must be https://HOST", s->blobs);
    if (!is_web(s->s3_link_endpoint))
        return err_set(ERR_INVALID, "s3_link_endpoint = %s must be https://HOST", s->s3_link_endpoint);
    if (!s->s3_key_id[0] || !s->s3_secret_file[0])
        return err_set(ERR_INVALID, "blobs = %s: s3_key_id and s3_secret_file are needed", s->blobs);
    return ERR_OK;
}

enum err settings_check(const struct settings *s)
{
    if (s->mail_server[0] && !str_starts(s->mail_server, "smtp://") &&
        !str_starts(s->mail_server, "smtps://"))
        return err_set(ERR_INVALID, "mail_server = %s must be smtp://HOST:25 or smtps://HOST:465",
                       s->mail_server);
    if (s->mail_server[0] && (!strchr(s->mail_from, '@') || !strchr(s->mail_to, '@')))
        return err_set(ERR_INVALID, "mail_server is set: mail_from and mail_to must be addresses");
    if (!s->mail_user[0] != !s->mail_password_file[0])
        return err_set(ERR_INVALID, "mail_user and mail_password_file go together");
    if (!is_web(s->alert_webhook))
        return err_set(ERR_INVALID, "alert_webhook = %s must be https://...", s->alert_webhook);
    if (!is_web(s->heartbeat_url))
        return err_set(ERR_INVALID, "heartbeat_url = %s must be https://...", s->heartbeat_url);
    return check_blobs(s);
}
