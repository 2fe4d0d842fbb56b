/* doctor.h - looks at all that a project needs to run well, and says of each thing how it is and what to do.
 * Changes nothing; may run beside a server. */
#ifndef SERVER_DOCTOR_H
#define SERVER_DOCTOR_H

#include "server/findings.h"
#include "server/settings.h"

#define DOCTOR_WARN_MS (30ll * 86400000) /* what ends within this is told */

struct doctor {
    const char *data;
    const struct settings *settings; /* NULL: they cannot be read */
    bool inside; /* asked by the server itself: no look at what would take long or that it knows */
    struct findings *found;
};

/* All of it, for the command. ERR_* only where nothing can be looked at. */
void doctor_run(const char *data, struct findings *found);
/* What may change while a server runs: files, disk, clock, ends of certificate and root. A second at most.
 * Any thread. */
void doctor_glance(const char *data, const struct settings *settings, struct findings *found);

/* The subjects, each in a file of its own with its like. */
void doctor_look_files(struct doctor *d); /* doctor_files.c: rights of the data folder and the keys */
void doctor_look_disk(struct doctor *d);  /* doctor_machine.c */
void doctor_look_clock(struct doctor *d);
void doctor_look_machine(struct doctor *d); /* sandbox, limits, versions */
void doctor_look_identity(
    struct doctor *d); /* doctor_project.c: certificate, key, chain of root statements */
void doctor_look_database(struct doctor *d);
void doctor_look_port(struct doctor *d);  /* doctor_port.c */
void doctor_look_blobs(struct doctor *d); /* doctor_blobs.c */

#endif
