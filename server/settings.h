/* settings.h - what an operator can set: DATA/server.conf, and the same names as flags of `serve`. */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"

struct settings {
    /* Names and addresses. */
    char name[65], summary[257], listen[64], url[256];
    char database[512], database_read[512], certificate[512], key[512];
    char blobs[256], s3_endpoint[256], s3_region[32], s3_key_id[128], s3_secret_file[512], s3_ca[256],
        s3_link_endpoint[256];
    uint64_t blob_cache, blob_links;
    bool invitation_needed;
    /* How much at once. */
    int64_t threads, workers, connections, connections_per_address, idle_ms;
    int64_t queue;
    /* Limits on people and hosts. */
    double token_rate, address_rate;
    int64_t login_fresh_ms;
    double rollout;
    int64_t ready_stalled_ms;
    double owner_joins, network_joins; /* a day */
    uint64_t user_bytes, host_bytes, disk_free_min;
    int64_t user_units, host_leases, core_leases;
    int64_t contact_ms, contact_idle_ms, contact_wait_ms;
    uint64_t unit_memory_max, unit_disk_max, unit_output_max;
    int64_t unit_wall_max_ms;
    int64_t upload_kept_ms, unused_kept_ms, purged_kept_ms, archive_after_ms, database_read_lag_ms;
    uint64_t disk_free_batch;
    double load_max;
    /* Watching. */
    char log_level[8];
    bool log_json, metrics_open;
    /* Telling the operator. */
    char mail_server[256], mail_from[256], mail_to[512], mail_user[128], mail_password_file[512],
        mail_ca[512];
    char alert_webhook[512], heartbeat_url[512];
    double alert_hosts, alert_errors;
    int64_t alert_backlog_ms, alert_silence_ms, alert_ends_ms, alert_wait_ms, alert_repeat_ms;
    uint64_t alert_disk;
    int64_t report_hour, heartbeat_ms;
};

extern const struct conf_option settings_options[];
extern const size_t settings_count;

/* listen: "127.0.0.1:8443", "[::]:8443", ":8443". ERR_INVALID for anything else. */
enum err settings_listen(const struct settings *s, char *ret_address, size_t room,
                         uint16_t *ret_port) NODISCARD;

/* What cannot be told of one option alone. */
enum err settings_check(const struct settings *s) NODISCARD;
/* So many bytes, but no more than a tenth of the disk: less than that free is too little. */
uint64_t settings_disk_mark(const struct settings *s, uint64_t disk_bytes);

#endif
