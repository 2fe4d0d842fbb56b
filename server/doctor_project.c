/* doctor_project.c - who the project is, and what it remembers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/alert_text.h"
#include "server/doctor.h"
#include "server/project.h"
#include "server/serve.h"
#include "server/store_care.h"
#include "server/tls_cert.h"

enum { PATH_ROOM = 4096, DAY_MS = 86400000 };

/* so: what comes of it once it has ended. */
static void look_end(struct doctor *d, const char *name, const char *what, const char *so, int64_t ends_ms,
                     const char *remedy)
{
    int64_t left_ms = ends_ms - clock_wall_ms();
    char date[40];
    str_from_time_ms(ends_ms, date, sizeof date);
    if (left_ms <= 0)
        findings_add(d->found, FINDING_ERROR, name, remedy, "%s has expired (%s): %s", what, date, so);
    else if (left_ms < DOCTOR_WARN_MS)
        findings_add(d->found, FINDING_WARN, name, remedy, "%s ends in %" PRId64 " days (%s)", what,
                     left_ms / DAY_MS, date);
    else
        findings_add(d->found, FINDING_OK, name, "", "%s is good for %" PRId64 " days", what,
                     left_ms / DAY_MS);
}

/* The pin, or false when there is no certificate. */
static bool look_certificate(struct doctor *d, char pin[PIN_TEXT_BYTES])
{
    BUF_AUTO struct buf certificate = {0}, key = {0};
    int64_t ends_ms = 0;
    const struct settings *s = d->settings;
    enum err e = serve_pem(d->data, s->certificate, &certificate);
    if (e == ERR_OK)
        e = tls_cert_pin(certificate.data, certificate.len, pin);
    if (e == ERR_OK)
        e = tls_cert_expires(certificate.data, certificate.len, &ends_ms);
    if (e != ERR_OK) {
        findings_add(d->found, FINDING_ERROR, "certificate", "see certificate = in server.conf", "%s",
                     err_text());
        return false;
    }
    e = serve_pem(d->data, s->key, &key);
    if (e == ERR_OK)
        e = tls_cert_fits(certificate.data, certificate.len, key.data, key.len);
    if (key.data)
        explicit_bzero(key.data, key.len);
    if (e != ERR_OK)
        findings_add(d->found, FINDING_ERROR, "certificate",
                     "give certificate and key of one pair in server.conf", "%s", err_text());
    look_end(d, "certificate", "the TLS certificate", ALERT_CERTIFICATE_ENDED, ends_ms,
             "get a new one, put it in its place and send SIGHUP (systemctl reload dugnad-server); PCs learn "
             "it from the server statement");
    return true;
}

static void look_root(struct doctor *d, const char *pin)
{
    struct project *project;
    if (project_open(d->data, d->settings, pin, clock_wall_ms(), &project) != ERR_OK) {
        findings_add(d->found, FINDING_ERROR, "root",
                     "bring root/ and keys/work.pem back from a backup: they belong together", "%s",
                     err_text());
        return;
    }
    look_end(d, "root", "the root statement", ALERT_ROOT_ENDED, project_root_expires_ms(project),
             "sign the next version with the root key");
    project_close(project);
}

void doctor_look_identity(struct doctor *d)
{
    char pin[PIN_TEXT_BYTES];
    if (look_certificate(d, pin))
        look_root(d, pin);
}

static void look_schema(struct doctor *d, const struct store_about *about)
{
    if (about->version > STORE_SCHEMA_VERSION)
        findings_add(d->found, FINDING_ERROR, "database", "run the newer dugnad-server that wrote it",
                     "the data has schema version %u, this program knows up to %d", about->version,
                     STORE_SCHEMA_VERSION);
    else if (about->version < STORE_SCHEMA_VERSION)
        findings_add(
            d->found, FINDING_WARN, "database", "make a backup, then start the server: it migrates the data",
            "the data has schema version %u, this program's is %d", about->version, STORE_SCHEMA_VERSION);
}

void doctor_look_database(struct doctor *d)
{
    static const char remedy[] = "stop the server, keep a copy of the files, and restore the last backup";
    char where[PATH_ROOM];
    struct store_about about;
    BUF_AUTO struct buf wrong = {0};
    enum err e = serve_database(d->data, d->settings, where, sizeof where);
    if (e == ERR_OK)
        e = store_about(where, &about);
    if (e != ERR_OK) {
        findings_add(d->found, FINDING_ERROR, "database",
                     e == ERR_CORRUPT ? remedy : "see database = in server.conf", "%s", err_text());
        return;
    }
    look_schema(d, &about);
    e = store_check(where, &wrong);
    if (e != ERR_OK)
        findings_add(d->found, FINDING_ERROR, "database", e == ERR_CORRUPT ? remedy : "", "%s", err_text());
    else if (wrong.len > 0)
        findings_add(d->found, FINDING_ERROR, "database", remedy, "the database is damaged: %.*s",
                     (int)strcspn(buf_text(&wrong), "\n"), buf_text(&wrong));
    else
        findings_add(d->found, FINDING_OK, "database", "", "%s, schema %u, no damage", about.engine,
                     about.version);
}
