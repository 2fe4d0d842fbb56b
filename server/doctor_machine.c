/* doctor_machine.c - disk, clock, limits and sandbox of the machine. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "run/run.h"
#include "server/doctor.h"
#include "server/serve.h"
#include "server/store_care.h"

#define BUILT_LEAST_MS 1735689600000ll /* 2025: no clock that is right shows less */
enum { INODES_LEAST_SHARE = 20, TEXT_ROOM = 32 };

static void look_inodes(struct doctor *d)
{
    struct statvfs fs;
    if (statvfs(d->data, &fs) != 0 || fs.f_files == 0)
        return; /* a file system that counts none */
    if (fs.f_favail < fs.f_files / INODES_LEAST_SHARE)
        findings_add(
            d->found, FINDING_WARN, "disk",
            "remove files, purge old batches (dugnad purge BATCH), or make a file system with more inodes",
            "the disk has room for %" PRIu64 " more files only: each answer is one", (uint64_t)fs.f_favail);
}

void doctor_look_disk(struct doctor *d)
{
    struct settings defaults;
    const struct settings *s = d->settings;
    uint64_t free_bytes = 0, all_bytes = 0;
    char have[TEXT_ROOM], all[TEXT_ROOM], floor[TEXT_ROOM];
    if (!s) {
        conf_defaults(settings_options, settings_count, &defaults);
        s = &defaults;
    }
    if (file_disk_free(d->data, &free_bytes) != ERR_OK || file_disk_size(d->data, &all_bytes) != ERR_OK) {
        findings_add(d->found, FINDING_ERROR, "disk", "", "%s", err_text());
        return;
    }
    uint64_t mark = settings_disk_mark(s, all_bytes);
    str_from_bytes(free_bytes, have, sizeof have);
    str_from_bytes(all_bytes, all, sizeof all);
    if (free_bytes < s->disk_free_min) {
        str_from_bytes(s->disk_free_min, floor, sizeof floor);
        findings_add(d->found, FINDING_ERROR, "disk",
                     "make room now: dugnad purge BATCH removes the answers of an old batch, and "
                     "later (purged_kept) the inputs that nothing else needs; or enlarge the disk",
                     "%s of %s are free, less than disk_free_min (%s): no answer is taken", have, all, floor);
    } else if (free_bytes < mark) {
        str_from_bytes(mark, floor, sizeof floor);
        findings_add(d->found, FINDING_WARN, "disk",
                     "dugnad purge BATCH removes the answers of an old batch, and later (purged_kept) "
                     "the inputs that nothing else needs; or enlarge the disk",
                     "%s of %s are free, less than %s: no new batch is taken", have, all, floor);
    } else {
        findings_add(d->found, FINDING_OK, "disk", "", "%s of %s are free", have, all);
    }
    look_inodes(d);
}

static bool has_come_back(const struct doctor *d, int64_t now_ms)
{
    char path[4096];
    struct stat st;
    return file_join(path, sizeof path, d->data, "history.ndjson") == ERR_OK && stat(path, &st) == 0 &&
           (int64_t)st.st_mtim.tv_sec * 1000 > now_ms + 3600000;
}

void doctor_look_clock(struct doctor *d)
{
    struct timex t = {.modes = 0};
    int64_t now_ms = clock_wall_ms();
    char now[TEXT_ROOM];
    str_from_time_ms(now_ms, now, sizeof now);
    int state = adjtimex(&t);
    if (now_ms < BUILT_LEAST_MS || has_come_back(d, now_ms))
        findings_add(d->found, FINDING_ERROR, "clock",
                     "set the clock; let it be kept by chrony or systemd-timesyncd",
                     "the clock says %s, which is in the past: deadlines and certificates go by it", now);
    else if (state == TIME_ERROR || (state >= 0 && (t.status & STA_UNSYNC)))
        findings_add(d->found, FINDING_WARN, "clock",
                     "install chrony or switch on systemd-timesyncd (in a container: on its host)",
                     "nothing keeps the clock (%s) right", now);
    else
        findings_add(d->found, FINDING_OK, "clock", "", "%s, kept by a time service", now);
}

static void look_sandbox(struct doctor *d)
{
    struct run_layer layers[RUN_LAYERS_MAX];
    uint32_t count = run_layers(layers), works = 0;
    for (uint32_t i = 0; i < count; i++) {
        works += layers[i].works;
        if (!layers[i].works && layers[i].needed)
            findings_add(d->found, FINDING_WARN, "sandbox", layers[i].remedy,
                         "%s does not work: apps with a validator of their own cannot be judged",
                         layers[i].name);
    }
    findings_add(d->found, FINDING_OK, "sandbox", "", "%u of %u layers work for validators", works, count);
}

static void look_limits(struct doctor *d)
{
    struct rlimit files;
    char remedy[200];
    if (!d->settings || getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    uint64_t wanted = serve_files_wanted(d->settings);
    snprintf(remedy, sizeof remedy,
             "LimitNOFILE=%" PRIu64 " in the unit of systemd, or fewer connections in server.conf", wanted);
    if (files.rlim_max < wanted)
        findings_add(d->found, FINDING_WARN, "limits", remedy,
                     "a process may have %" PRIu64 " files open, connections = %" PRId64 " want %" PRIu64,
                     (uint64_t)files.rlim_max, d->settings->connections, wanted);
    else
        findings_add(d->found, FINDING_OK, "limits", "",
                     "%" PRIu64 " open files are allowed, %" PRIu64 " wanted", (uint64_t)files.rlim_max,
                     wanted);
}

void doctor_look_machine(struct doctor *d)
{
    struct utsname os = {.release = ""};
    look_limits(d);
    look_sandbox(d);
    (void)uname(&os);
    findings_add(d->found, FINDING_OK, "versions", "", "dugnad-server " DUGNAD_VERSION ", schema %d, %s %s",
                 STORE_SCHEMA_VERSION, os.sysname, os.release);
}
