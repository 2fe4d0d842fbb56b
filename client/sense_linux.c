/* sense_linux.c - see sense.h: /proc, /sys and the terminals' times */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "client/sense.h"
#include "client/sense_bus.h"
#include "client/sense_x11.h"

enum { SLOW_MS = 5000, LINE_ROOM = 8192, NAME_ROOM = 64, PATH_ROOM = 320, LOAD_SPAN_MS = 900 };

struct sense {
    char exclusive[1024], folder[512], metered[8];
    struct sense_bus *bus;
    struct sense_x11 *display; /* NULL: there is none */
    bool is_metered;
    double pressure;
    uint64_t disk_free;
    char running[NAME_ROOM]; /* the exclusive program that runs; "": none */
    int64_t slow_due_ms;
    bool on_battery;
    double temperature_c;
    uint64_t input_interrupts;
    int64_t input_ms; /* of the last interrupt of a keyboard or mouse; 0: none seen */
    bool began;
    int64_t load_at_ms, own_cpu_ms;
    uint64_t busy, total;
    double load;
};

enum err sense_new(const struct sense_settings *settings, struct sense **ret_sense)
{
    struct sense *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(ERR_NOMEM, "out of memory");
    s->load = -1;
    s->bus = sense_bus_new();
    s->display = sense_x11_new();
    snprintf(s->exclusive, sizeof s->exclusive, "%s", settings->exclusive);
    snprintf(s->folder, sizeof s->folder, "%s", settings->folder);
    snprintf(s->metered, sizeof s->metered, "%s", settings->metered);
    *ret_sense = s;
    return ERR_OK;
}

void sense_free(struct sense *s)
{
    if (s) {
        sense_bus_free(s->bus);
        sense_x11_free(s->display);
    }
    free(s);
}

/* The first line of a small file of /sys; false when there is none. */
static bool read_line(const char *folder, const char *name, const char *file, char *ret, size_t room)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%.100s/%s", folder, name, file);
    FILE *f = fopen(path, "re");
    bool good = f && fgets(ret, (int)room, f);
    if (f)
        fclose(f);
    if (good)
        ret[strcspn(ret, "\n")] = 0;
    return good;
}

/* --- who uses it --- */

/* A terminal's access time is that of the last key read from it. */
static int64_t last_typed_ms(const char *folder, const char *prefix)
{
    int64_t newest = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || strcmp(e->d_name, "ptmx") == 0 ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISCHR(st.st_mode))
            continue;
        int64_t ms = (int64_t)st.st_atim.tv_sec * 1000;
        newest = ms > newest ? ms : newest;
    }
    if (d)
        closedir(d);
    return newest;
}

/* Keyboards and mice on the old controller, as most built-in ones are. */
static uint64_t count_interrupts(void)
{
    char line[LINE_ROOM];
    uint64_t sum = 0;
    FILE *f = fopen("/proc/interrupts", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (!strstr(line, "i8042"))
            continue;
        char *at = strchr(line, ':');
        for (char *end = at ? at + 1 : NULL; end;) {
            char *from = end;
            uint64_t n = strtoull(from, &end, 10);
            if (end == from)
                break;
            sum += n;
        }
    }
    if (f)
        fclose(f);
    return sum;
}

static int64_t input_ms_ago(struct sense *s, int64_t now_ms)
{
    uint64_t interrupts = count_interrupts();
    if (s->began && interrupts != s->input_interrupts)
        s->input_ms = now_ms;
    s->input_interrupts = interrupts;
    int64_t console = last_typed_ms("/dev", "tty"), shell = last_typed_ms("/dev/pts", "");
    int64_t typed = console > shell ? console : shell;
    int64_t ago = typed > 0 ? clock_wall_ms() - typed : -1;
    if (ago < 0 && typed > 0)
        ago = 0;
    int64_t screen = sense_x11_input_ms_ago(s->display, now_ms);
    if (screen < 0)
        screen = sense_bus_input_ms_ago(s->bus, now_ms);
    if (screen >= 0 && (ago < 0 || screen < ago))
        ago = screen;
    if (s->input_ms > 0 && (ago < 0 || now_ms - s->input_ms < ago))
        ago = now_ms - s->input_ms;
    return ago;
}

/* --- what else it does --- */

static bool read_processor(uint64_t *ret_busy, uint64_t *ret_total)
{
    unsigned long long v[8] = {0};
    FILE *f = fopen("/proc/stat", "re");
    int n = f ? fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
                       &v[5], &v[6], &v[7])
              : 0;
    if (f)
        fclose(f);
    if (n < 5)
        return false;
    *ret_total = 0;
    for (int i = 0; i < n; i++)
        *ret_total += v[i];
    *ret_busy = *ret_total - v[3] - v[4]; /* idle, and idle for want of a disk */
    return true;
}

/* The share of all cores that others used since the last look. */
static double others_load(struct sense *s, int64_t now_ms, int64_t own_cpu_ms)
{
    uint64_t busy, total;
    if (s->began && now_ms - s->load_at_ms < LOAD_SPAN_MS)
        return s->load;
    if (!read_processor(&busy, &total))
        return -1;
    if (s->began && total > s->total) {
        double ticks_ms = 1000.0 / (double)sysconf(_SC_CLK_TCK);
        double others_ms = (double)(busy - s->busy) * ticks_ms - (double)(own_cpu_ms - s->own_cpu_ms);
        double share = others_ms / ((double)(total - s->total) * ticks_ms);
        s->load = share < 0 ? 0 : share > 1 ? 1 : share;
    }
    s->busy = busy;
    s->total = total;
    s->own_cpu_ms = own_cpu_ms;
    s->load_at_ms = now_ms;
    return s->load;
}

static uint64_t memory_free(void)
{
    char line[256];
    unsigned long long kib = 0;
    bool found = false;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
    if (f)
        fclose(f);
    return found ? (uint64_t)kib << 10 : UINT64_MAX;
}

/* The share of the last ten seconds in which something waited for memory: "some avg10=1.23 ...". */
static double memory_pressure(void)
{
    double percent;
    FILE *f = fopen("/proc/pressure/memory", "re");
    bool good = f && fscanf(f, "some avg10=%lf", &percent) == 1;
    if (f)
        fclose(f);
    return good ? percent / 100 : -1;
}

/* --- what it runs on --- */

/* On battery: a battery empties, and nothing is plugged in. */
static bool is_on_battery(void)
{
    static const char folder[] = "/sys/class/power_supply";
    bool plugged = false, empties = false;
    char text[32];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        if (read_line(folder, e->d_name, "online", text, sizeof text))
            plugged = plugged || text[0] == '1';
        if (read_line(folder, e->d_name, "status", text, sizeof text))
            empties = empties || str_eq(text, "Discharging");
    }
    if (d)
        closedir(d);
    return empties && !plugged;
}

static double hottest(void)
{
    static const char folder[] = "/sys/class/thermal";
    double most = 0;
    char text[32];
    int64_t v;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (str_starts(e->d_name, "thermal_zone") &&
            read_line(folder, e->d_name, "temp", text, sizeof text) &&
            str_to_i64(text, -300000, 1000000, &v) == ERR_OK && (double)v / 1000 > most)
            most = (double)v / 1000;
    if (d)
        closedir(d);
    return most;
}

static bool is_named(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; len > 0 && (at = strstr(at, name)); at += len)
        if ((at == names || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
            return true;
    return false;
}

static void find_exclusive(struct sense *s)
{
    char name[NAME_ROOM];
    s->running[0] = 0;
    if (!s->exclusive[0])
        return;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && !s->running[0] && (e = readdir(d));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
            read_line("/proc", e->d_name, "comm", name, sizeof name) && is_named(s->exclusive, name))
            snprintf(s->running, sizeof s->running, "%s", name);
    if (d)
        closedir(d);
}

void sense_take(struct sense *s, int64_t own_cpu_ms, struct policy_sample *ret)
{
    int64_t now_ms = clock_mono_ms();
    time_t wall = time(NULL);
    struct tm tm = {0};
    localtime_r(&wall, &tm);
    if (now_ms >= s->slow_due_ms) {
        s->slow_due_ms = now_ms + SLOW_MS;
        s->on_battery = is_on_battery();
        s->temperature_c = hottest();
        s->pressure = memory_pressure();
        s->is_metered =
            str_eq(s->metered, "yes") || (str_eq(s->metered, "auto") && sense_bus_metered(s->bus, now_ms));
        if (file_disk_free(s->folder, &s->disk_free) != ERR_OK)
            s->disk_free = UINT64_MAX;
        find_exclusive(s);
    }
    *ret = (struct policy_sample){
        .now_ms = now_ms,
        .week_minute = (uint16_t)((tm.tm_wday + 6) % 7 * POLICY_DAY_MINUTES + tm.tm_hour * 60 + tm.tm_min),
        .input_ms_ago = input_ms_ago(s, now_ms),
        .others_load = others_load(s, now_ms, own_cpu_ms),
        .memory_free = memory_free(),
        .disk_free = s->disk_free,
        .pressure = s->pressure,
        .metered = s->is_metered,
        .temperature_c = s->temperature_c,
        .on_battery = s->on_battery,
        .exclusive = s->running[0] ? s->running : NULL};
    s->began = true;
}
