/* settings.h - DATA/client.conf */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"

struct settings {
    int64_t cores;         /* 0: all */
    uint64_t memory_bytes; /* 0: half of the machine's */
    uint64_t disk_bytes;
    int64_t checkpoint_ms;
    int64_t work_buffer_ms, report_wait_ms, heartbeat_ms, refresh_ms;
    uint64_t download_bytes_s, upload_bytes_s; /* 0: no limit */
    char proxy[256];
    bool idle_priority;
    /* When it may work: plan/policy.h. */
    double cores_in_use, cores_away, load_in_use, load_away;
    int64_t away_after_ms, grace_ms;
    bool on_battery;
    uint64_t memory_free_min;
    double temperature_max_c;
    char schedule[512], exclusive[512];
    char log_level[8];
    bool log_json;
};

extern const struct conf_option settings_table[];
extern const size_t settings_table_count;

/* The file's values over the defaults; a missing file is written with every option commented out. */
enum err settings_load(const char *path, struct settings *ret) NODISCARD;

#endif
