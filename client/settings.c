/* settings.c - see settings.h */
#include "client/settings.h"

#include "base/file.h"

#define FIELD(name)    .offset = offsetof(struct settings, name)
#define HOUR_MS        3600000.0
#define CORES_MAX      192.0
#define DISK_BYTES_MIN (64.0 * 1024 * 1024)

const struct conf_option settings_table[] = {
    {.name = "cores",
     .type = CONF_INT,
     FIELD(cores),
     .fallback = "0",
     .max = CORES_MAX,
     .group = "What of this machine may be used",
     .help = "How many cores may work at once; 0: all."},
    {.name = "memory_bytes",
     .type = CONF_BYTES,
     FIELD(memory_bytes),
     .fallback = "0",
     .help = "Memory of all running work together, such as 4G; 0: half of the machine's."},
    {.name = "disk_bytes",
     .type = CONF_BYTES,
     FIELD(disk_bytes),
     .fallback = "10G",
     .min = DISK_BYTES_MIN,
     .max = 1e16,
     .help = "Disk space for programs and inputs. Half of it is for what is kept to be used again,\n"
             "half for what runs."},
    {.name = "idle_priority",
     .type = CONF_BOOL,
     FIELD(idle_priority),
     .fallback = "yes",
     .help = "Work gets only the processor time that nobody else wants."},
    {.name = "work_buffer",
     .type = CONF_DURATION_MS,
     FIELD(work_buffer_ms),
     .fallback = "10m",
     .max = 24 * 7 * HOUR_MS,
     .group = "Talking to the project",
     .help = "How much work to keep in the house for each core, for when the project cannot be reached."},
    {.name = "report_wait",
     .type = CONF_DURATION_MS,
     FIELD(report_wait_ms),
     .fallback = "1m",
     .max = HOUR_MS,
     .help = "How long a finished answer may wait for others, while there is still work to do."},
    {.name = "heartbeat",
     .type = CONF_DURATION_MS,
     FIELD(heartbeat_ms),
     .fallback = "30m",
     .min = 60000,
     .max = 24 * HOUR_MS,
     .help = "Holding work, ask the project at least this often what it does not want any more."},
    {.name = "refresh",
     .type = CONF_DURATION_MS,
     FIELD(refresh_ms),
     .fallback = "24h",
     .min = 60000,
     .max = 24 * 30 * HOUR_MS,
     .help = "How often to read the project's signed statements of keys and addresses anew."},
    {.name = "download_bytes_s",
     .type = CONF_BYTES,
     FIELD(download_bytes_s),
     .fallback = "0",
     .help = "Bytes per second to receive at most, such as 2M; 0: no limit."},
    {.name = "upload_bytes_s",
     .type = CONF_BYTES,
     FIELD(upload_bytes_s),
     .fallback = "0",
     .help = "Bytes per second to send at most, such as 512K; 0: no limit."},
    {.name = "proxy",
     .type = CONF_TEXT,
     FIELD(proxy),
     .text_room = sizeof((struct settings *)0)->proxy,
     .help =
         "A proxy such as http://proxy.example.org:3128; empty: what https_proxy in the environment says."},
    {.name = "log_level",
     .type = CONF_TEXT,
     FIELD(log_level),
     .text_room = sizeof((struct settings *)0)->log_level,
     .fallback = "info",
     .group = "The log, on standard error",
     .help = "error, warn, info or debug."},
    {.name = "log_json",
     .type = CONF_BOOL,
     FIELD(log_json),
     .fallback = "no",
     .help = "Each line of the log is a JSON object."},
};
const size_t settings_count = sizeof settings_table / sizeof *settings_table;

static enum err write_defaults(const char *path)
{
    BUF_AUTO struct buf text = {0};
    enum err e = conf_print_defaults(settings_table, settings_count, &text);
    if (e == ERR_OK)
        e = file_create_atomic(path, buf_text(&text), text.len, 0644);
    return e == ERR_CONFLICT ? ERR_OK : e;
}

enum err settings_load(const char *path, struct settings *ret)
{
    conf_defaults(settings_table, settings_count, ret);
    return file_exists(path) ? conf_load(settings_table, settings_count, path, ret) : write_defaults(path);
}
