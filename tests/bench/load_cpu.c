/* load_cpu.c - see load_cpu.h */
#include "load_cpu.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

static uint64_t own_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static bool read_line(const char *folder, const char *task, const char *file, char *ret, size_t room)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s/%s", folder, task, file);
    FILE *f = fopen(path, "r");
    bool good = f && fgets(ret, (int)room, f);
    if (f)
        fclose(f);
    if (good)
        ret[strcspn(ret, "\n")] = 0;
    return good;
}

static void add(struct load_cpu *c, const char *name, uint64_t us)
{
    uint32_t i = 0;
    c->all_us += us;
    while (i < c->name_count && strcmp(c->names[i].name, name) != 0)
        i++;
    if (i == LOAD_NAMES_MAX)
        return;
    if (i == c->name_count)
        snprintf(c->names[c->name_count++].name, LOAD_NAME_BYTES, "%s", name);
    c->names[i].us += us;
}

void load_cpu_take(uint32_t server_pid, struct load_cpu *ret)
{
    char folder[40], name[LOAD_NAME_BYTES], line[100];
    uint64_t ns;
    *ret = (struct load_cpu){.own_us = own_us()};
    snprintf(folder, sizeof folder, "/proc/%u/task", server_pid);
    DIR *tasks = server_pid ? opendir(folder) : NULL;
    for (struct dirent *d; tasks && (d = readdir(tasks));)
        if (d->d_name[0] != '.' && read_line(folder, d->d_name, "comm", name, sizeof name) &&
            read_line(folder, d->d_name, "schedstat", line, sizeof line) &&
            sscanf(line, "%" SCNu64, &ns) == 1)
            add(ret, name, ns / 1000);
    if (tasks)
        closedir(tasks);
}

static double each(uint64_t from, uint64_t to, uint64_t replies)
{
    return to > from && replies ? (double)(to - from) / (double)replies : 0;
}

static uint64_t of_name(const struct load_cpu *c, const char *name)
{
    for (uint32_t i = 0; i < c->name_count; i++)
        if (strcmp(c->names[i].name, name) == 0)
            return c->names[i].us;
    return 0;
}

void load_cpu_print(const struct load_cpu *from, const struct load_cpu *to, uint64_t replies, FILE *out)
{
    const char *comma = "";
    fprintf(out,
            "\"counted_replies\":%" PRIu64
            ",\"generator_us_each\":%.2f,\"server_us_each\":%.2f,\"threads\":{",
            replies, each(from->own_us, to->own_us, replies), each(from->all_us, to->all_us, replies));
    for (uint32_t i = 0; i < to->name_count; i++) {
        double us = each(of_name(from, to->names[i].name), to->names[i].us, replies);
        if (us < 0.3)
            continue;
        fprintf(out, "%s\"%s\":%.1f", comma, to->names[i].name, us);
        comma = ",";
    }
    fputs("}", out);
}
