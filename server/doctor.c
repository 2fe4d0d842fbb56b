#include "server/doctor.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "server/serve.h"

static void look_settings(struct doctor *d, struct settings *s)
{
    char address[64];
    uint16_t port;
    if (!file_exists(d->data)) {
        findings_add(d->found, FINDING_ERROR, "settings",
                     "give the folder with --data, or make a project: init", "there is no folder %s",
                     d->data);
        return;
    }
    if (serve_settings(d->data, s) != ERR_OK) {
        findings_add(d->found, FINDING_ERROR, "settings",
                     "mend the line; `dugnad-server settings` prints all that can be set", "%s", err_text());
        return;
    }
    d->settings = s;
    if (settings_listen(s, address, sizeof address, &port) != ERR_OK || settings_check(s) != ERR_OK)
        findings_add(d->found, FINDING_ERROR, "settings", "", "%s", err_text());
    else
        findings_add(d->found, FINDING_OK, "settings", "", "%s/server.conf is in order", d->data);
}

void doctor_run(const char *data, struct findings *found)
{
    struct settings s;
    struct doctor d = {.data = data, .found = found};
    look_settings(&d, &s);
    if (!file_exists(data))
        return;
    doctor_look_files(&d);
    doctor_look_disk(&d);
    doctor_look_clock(&d);
    if (d.settings) {
        doctor_look_identity(&d);
        doctor_look_database(&d);
        doctor_look_blobs(&d);
        doctor_look_port(&d);
    }
    doctor_look_machine(&d);
}

void doctor_glance(const char *data, const struct settings *settings, struct findings *found)
{
    struct doctor d = {.data = data, .settings = settings, .inside = true, .found = found};
    doctor_look_files(&d);
    doctor_look_disk(&d);
    doctor_look_clock(&d);
    doctor_look_identity(&d);
}
