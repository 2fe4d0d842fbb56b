/* settings.h - DATA/client.conf */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "client/net.h"

struct settings {
    int64_t cores;         /* 0: all */
    uint64_t memory_bytes; /* 0: half of the machine's */
    uint64_t disk_bytes;
    int64_t checkpoint_ms;
    int64_t work_buffer_ms, report_wait_ms, heartbeat_ms, refresh_ms;
    uint64_t download_bytes_s, upload_bytes_s; /* 0: no limit */
    char proxy[256], ca_file[512];
    char shares[512]; /* of projects: settings_share() */
    bool idle_priority;
    /* When it may work: plan/policy.h. */
    double cores_in_use, cores_away, load_in_use, load_away;
    int64_t away_after_ms, grace_ms;
    bool on_battery;
    uint64_t memory_free_min;
    uint64_t disk_free_min;
    double pressure_max, temperature_max_c;
    char metered[8]; /* yes, no, auto */
    bool on_metered;
    uint64_t network_bytes_day, network_bytes_month; /* 0: any */
    char schedule[512], exclusive[512];
    char log_level[8];
    bool log_json;
};

extern const struct conf_option settings_table[];
extern const size_t settings_table_count;

/* The file's values over the defaults; a missing file is written with every option commented out. */
enum err settings_load(const char *path, struct settings *ret) NODISCARD;

struct settings_change {
    const char *name, *value; /* as in the file; NULL: the default again */
};
/* Checks all, writes the file at path, which keeps its comments, atomically and 0600, then changes
 * *settings. Nothing happens when anything is wrong. */
enum err settings_change(const char *path, const struct settings_change *changes, size_t count,
                         struct settings *settings) NODISCARD;
/* A file's text with that option: in its place, where it stands there, also as a comment; else at the end. */
enum err settings_edit(const char *text, size_t len, const struct settings_change *change,
                       struct buf *out) NODISCARD;
/* [{"name","type","group","help","value","fallback","min","max"}]: min and max 0: any. */
enum err settings_describe(const struct settings *s, struct buf *out) NODISCARD;
/* The weight of a project: 1 where shares says nothing of it. */
double settings_share(const struct settings *s, const char *project);
/* Proxy, authorities and speed. */
enum err settings_use(const struct settings *s, struct net *net) NODISCARD;

#endif
