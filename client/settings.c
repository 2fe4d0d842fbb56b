/* settings.c - see settings.h */
#include "client/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "client/plan/policy.h"
#include "client/schedule.h"

#define FIELD(name)    .offset = offsetof(struct settings, name)
#define HOUR_MS        3600000.0
#define CORES_MAX      192.0
#define FILE_BYTES     (256u << 10)
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
     .max = 8796093022208.0 * 1024, /* 8192T: what a double holds to the byte */
     .help = "Disk space for programs and inputs. Half of it is for what is kept to be used again,\n"
             "half for what runs."},
    {.name = "idle_priority",
     .type = CONF_BOOL,
     FIELD(idle_priority),
     .fallback = "yes",
     .help = "Work gets only the processor time that nobody else wants."},
    {.name = "schedule",
     .type = CONF_TEXT,
     FIELD(schedule),
     .text_room = sizeof((struct settings *)0)->schedule,
     .group = "When it may work",
     .help =
         "Only then, in this computer's time: Mon-Fri 18:00-08:00, Sat-Sun 00:00-24:00. Empty: at any time."},
    {.name = "away_after",
     .type = CONF_DURATION_MS,
     FIELD(away_after_ms),
     .fallback = "3m",
     .max = 24 * HOUR_MS,
     .help = "Nobody uses this computer any more when no key was pressed and no mouse moved for so long."},
    {.name = "cores_in_use",
     .type = CONF_REAL,
     FIELD(cores_in_use),
     .fallback = "0.5",
     .max = 1,
     .help = "Share of the cores that may work while somebody uses this computer; 0: none."},
    {.name = "cores_away",
     .type = CONF_REAL,
     FIELD(cores_away),
     .fallback = "1",
     .max = 1,
     .help = "The same while nobody does, or where that cannot be told."},
    {.name = "load_in_use",
     .type = CONF_REAL,
     FIELD(load_in_use),
     .fallback = "0.6",
     .max = 1,
     .help = "Stop while other programs use more than this share of the processor; 0: however much."},
    {.name = "load_away",
     .type = CONF_REAL,
     FIELD(load_away),
     .fallback = "0",
     .max = 1,
     .help = "The same while nobody uses this computer. Work gets only what others leave in any case."},
    {.name = "on_battery",
     .type = CONF_BOOL,
     FIELD(on_battery),
     .fallback = "no",
     .help = "Work also while this computer is not plugged in."},
    {.name = "memory_free_min",
     .type = CONF_BYTES,
     FIELD(memory_free_min),
     .fallback = "256M",
     .help = "Stop while less memory than this is free."},
    {.name = "pressure_max",
     .type = CONF_REAL,
     FIELD(pressure_max),
     .fallback = "0.2",
     .max = 1,
     .help = "Stop while programs wait for memory more than this share of the time; 0: do not look."},
    {.name = "disk_free_min",
     .type = CONF_BYTES,
     FIELD(disk_free_min),
     .fallback = "512M",
     .help = "Stop while less of the disk than this is free."},
    {.name = "temperature_max",
     .type = CONF_REAL,
     FIELD(temperature_max_c),
     .fallback = "90",
     .max = 150,
     .help = "Stop while a sensor shows more degrees Celsius; 0: do not look."},
    {.name = "exclusive",
     .type = CONF_TEXT,
     FIELD(exclusive),
     .text_room = sizeof((struct settings *)0)->exclusive,
     .help = "Names of programs, separated by blanks, beside which nothing works, such as games."},
    {.name = "grace",
     .type = CONF_DURATION_MS,
     FIELD(grace_ms),
     .fallback = "1m",
     .max = HOUR_MS,
     .help = "Go on when nothing has disturbed for so long."},
    {.name = "checkpoint",
     .type = CONF_DURATION_MS,
     FIELD(checkpoint_ms),
     .fallback = "10m",
     .min = 1000,
     .max = 24 * HOUR_MS,
     .help = "How often programs that can are asked to keep what they have, for a power cut."},
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
    {.name = "metered",
     .type = CONF_TEXT,
     FIELD(metered),
     .text_room = sizeof((struct settings *)0)->metered,
     .fallback = "auto",
     .help = "Whether the network of this computer costs by the byte: yes, no, or auto, which is what\n"
             "NetworkManager says, where there is one."},
    {.name = "on_metered",
     .type = CONF_BOOL,
     FIELD(on_metered),
     .fallback = "no",
     .help = "Fetch and report also while the network costs by the byte. Else what is here is worked on."},
    {.name = "network_bytes_day",
     .type = CONF_BYTES,
     FIELD(network_bytes_day),
     .fallback = "0",
     .help = "Fetch and report no more than about this much in a day, such as 500M; 0: any."},
    {.name = "network_bytes_month",
     .type = CONF_BYTES,
     FIELD(network_bytes_month),
     .fallback = "0",
     .help = "The same in a month."},
    {.name = "proxy",
     .type = CONF_TEXT,
     FIELD(proxy),
     .text_room = sizeof((struct settings *)0)->proxy,
     .help = "A proxy: http://, https://, socks5:// or socks5h://HOST:PORT (socks5h lets it find names);\n"
             "empty: what https_proxy in the environment says."},
    {.name = "ca_file",
     .type = CONF_TEXT,
     FIELD(ca_file),
     .text_room = sizeof((struct settings *)0)->ca_file,
     .help = "A file of PEM certificates to believe instead of the system's, for servers that show no\n"
             "certificate their project has signed for, and for a https:// proxy. Empty: the system's."},
    {.name = "shares",
     .type = CONF_TEXT,
     FIELD(shares),
     .text_room = sizeof((struct settings *)0)->shares,
     .help =
         "Working for several projects, how much each gets: proteins:3 climate:1. Who is not named has 1."},
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
const size_t settings_table_count = sizeof settings_table / sizeof *settings_table;

/* What the table cannot say. */
static enum err check(const struct settings *s)
{
    struct policy_window windows[POLICY_WINDOWS_MAX];
    uint32_t count;
    enum err e = schedule_parse(s->schedule, windows, &count);
    if (e == ERR_OK && !str_eq(s->metered, "yes") && !str_eq(s->metered, "no") && !str_eq(s->metered, "auto"))
        return err_set(ERR_INVALID, "metered is yes, no or auto, not \"%s\"", s->metered);
    return e == ERR_OK ? ERR_OK : err_prefix(e, "schedule");
}

static enum err write_defaults(const char *path)
{
    BUF_AUTO struct buf text = {0};
    enum err e = buf_add_text(
        &text,
        "# The settings of dugnad-client. A line that starts with # is what holds without it. They are "
        "read when it\n# starts; what is changed on the local page (dugnad-client page) holds at once.\n\n");
    if (e == ERR_OK)
        e = conf_print_defaults(settings_table, settings_table_count, &text);
    if (e == ERR_OK)
        e = file_create_atomic(path, buf_text(&text), text.len, 0600);
    return e == ERR_CONFLICT ? ERR_OK : e;
}

enum err settings_load(const char *path, struct settings *ret)
{
    conf_defaults(settings_table, settings_table_count, ret);
    enum err e =
        file_exists(path) ? conf_load(settings_table, settings_table_count, path, ret) : write_defaults(path);
    return e == ERR_OK && (e = check(ret)) != ERR_OK ? err_prefix(e, "%s", path) : e;
}

/* --- changing */

/* The option that the line sets, or would without its '#'. */
static bool line_names(const char *line, size_t len, const char *name, bool *ret_live)
{
    size_t at = 0, n = strlen(name);
    *ret_live = true;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (at < len && line[at] == '#') {
        *ret_live = false;
        at++;
    }
    if (len - at <= n || memcmp(line + at, name, n) != 0)
        return false;
    for (at += n; at < len && (line[at] == ' ' || line[at] == '\t');)
        at++;
    return at < len && line[at] == '=';
}

/* Where the option belongs: its line, else its commented one; SIZE_MAX: nowhere. */
static size_t find_line(const char *text, size_t len, const char *name)
{
    size_t found = SIZE_MAX;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        bool live;
        if (line_names(text + at, n, name, &live) && (live || found == SIZE_MAX)) {
            found = at;
            if (live)
                break;
        }
        at += n + 1;
    }
    return found;
}

enum err settings_edit(const char *text, size_t len, const struct settings_change *c, struct buf *out)
{
    size_t at = find_line(text, len, c->name), end = at;
    if (at == SIZE_MAX) {
        enum err e = buf_add(out, text, len);
        if (e == ERR_OK && len > 0 && text[len - 1] != '\n')
            e = buf_add_char(out, '\n');
        return e == ERR_OK && c->value ? buf_printf(out, "%s = %s\n", c->name, c->value) : e;
    }
    while (end < len && text[end] != '\n')
        end++;
    enum err e = buf_add(out, text, at);
    if (e == ERR_OK)
        e = c->value ? buf_printf(out, "%s = %s", c->name, c->value) : buf_printf(out, "#%s =", c->name);
    return e == ERR_OK ? buf_add(out, text + end, len - end) : e;
}

enum err settings_change(const char *path, const struct settings_change *changes, size_t count,
                         struct settings *settings)
{
    BUF_AUTO struct buf text = {.bytes_max = FILE_BYTES}, next = {.bytes_max = FILE_BYTES};
    struct settings s;
    enum err e = file_read(path, FILE_BYTES, &text);
    if (e == ERR_MISSING)
        e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        if (changes[i].value && strpbrk(changes[i].value, "\r\n"))
            return err_set(ERR_INVALID, "%s must be one line", changes[i].name);
        buf_clear(&next);
        e = settings_edit(buf_text(&text), text.len, &changes[i], &next);
        struct buf swap = text;
        text = next;
        next = swap;
    }
    conf_defaults(settings_table, settings_table_count, &s);
    if (e == ERR_OK)
        e = conf_parse(settings_table, settings_table_count, "client.conf", buf_text(&text), text.len, &s);
    if (e == ERR_OK)
        e = check(&s);
    if (e == ERR_OK)
        e = file_write_atomic(path, buf_text(&text), text.len, 0600);
    if (e == ERR_OK)
        *settings = s;
    return e;
}

static const char *type_name(enum conf_type t)
{
    static const char *const names[] = {"text", "int", "real", "bool", "duration", "bytes"};
    return names[t];
}

static enum err describe(const struct conf_option *c, const struct settings *s, struct json_out *o)
{
    BUF_AUTO struct buf value = {0};
    enum err e = conf_print_value(c, s, &value);
    json_out_object(o, NULL);
    json_out_string(o, "name", c->name);
    json_out_string(o, "type", type_name(c->type));
    if (c->group)
        json_out_string(o, "group", c->group);
    json_out_string(o, "help", c->help);
    json_out_string(o, "value", buf_text(&value));
    json_out_string(o, "fallback", c->fallback ? c->fallback : "");
    json_out_real(o, "min", c->min);
    json_out_real(o, "max", c->max);
    json_out_close(o);
    return e;
}

enum err settings_describe(const struct settings *s, struct buf *out)
{
    struct json_out o;
    enum err e = ERR_OK;
    json_out_init(&o, out);
    json_out_array(&o, NULL);
    for (size_t i = 0; i < settings_table_count && e == ERR_OK; i++)
        e = describe(&settings_table[i], s, &o);
    json_out_close(&o);
    return e == ERR_OK ? json_out_end(&o) : e;
}

double settings_share(const struct settings *s, const char *project)
{
    size_t n = strlen(project);
    double v = 1;
    for (const char *at = s->shares; *at;) {
        char number[32];
        at += strspn(at, " ,");
        size_t len = strcspn(at, " ,");
        if (len > n + 1 && len - n - 1 < sizeof number && memcmp(at, project, n) == 0 && at[n] == ':') {
            snprintf(number, sizeof number, "%.*s", (int)(len - n - 1), at + n + 1);
            if (str_to_double(number, &v) != ERR_OK)
                v = 1;
        }
        at += len;
    }
    return v < 0.01 ? 0.01 : v > 100 ? 100 : v;
}

enum err settings_use(const struct settings *s, struct net *net)
{
    enum err e = net_set_proxy(net, *s->proxy ? s->proxy : NULL);
    if (e == ERR_OK)
        e = net_set_authorities(net, *s->ca_file ? s->ca_file : NULL);
    net_set_rate(net, s->download_bytes_s, s->upload_bytes_s);
    return e;
}
