/* doctor_files.c - who may read and write what belongs to the server alone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "server/blob_place.h"
#include "server/doctor.h"

enum { PATH_ROOM = 4096 };

static bool join(const struct doctor *d, const char *name, char ret[PATH_ROOM])
{
    if (name[0] == '/')
        return snprintf(ret, PATH_ROOM, "%s", name) < PATH_ROOM;
    return file_join(ret, PATH_ROOM, d->data, name) == ERR_OK;
}

static void look_folder(struct doctor *d)
{
    struct stat st;
    char remedy[400];
    if (stat(d->data, &st) != 0 || !S_ISDIR(st.st_mode)) {
        findings_add(d->found, FINDING_ERROR, "data folder", "give the folder with --data", "%s is no folder",
                     d->data);
        return;
    }
    if (st.st_uid != geteuid()) {
        findings_add(d->found, FINDING_WARN, "data folder",
                     "run dugnad-server as the user whom it belongs to",
                     "%s belongs to user %u, this is user %u", d->data, st.st_uid, geteuid());
        return;
    }
    snprintf(remedy, sizeof remedy, "chmod go-rwx %s", d->data);
    if (st.st_mode & 077)
        findings_add(d->found, FINDING_WARN, "data folder", remedy,
                     "other users of this machine can look into %s (mode %04o)", d->data, st.st_mode & 07777);
    else if (access(d->data, R_OK | W_OK | X_OK) != 0)
        findings_add(d->found, FINDING_ERROR, "data folder", "is it mounted read-only?",
                     "%s cannot be written to: %s", d->data, strerror(errno));
    else
        findings_add(d->found, FINDING_OK, "data folder", "", "%s is its owner's alone", d->data);
}

enum need { MUST_BE_THERE, MAY_BE_THERE };

/* True when it is as it should be. */
static bool look_secret(struct doctor *d, const char *name, enum need need)
{
    struct stat st;
    char path[PATH_ROOM], remedy[400];
    if (!name[0] || !join(d, name, path))
        return true;
    if (stat(path, &st) != 0) {
        if (errno == ENOENT && need == MAY_BE_THERE)
            return true;
        findings_add(d->found, FINDING_ERROR, "keys", "bring it back from a backup: restore --keys", "%s: %s",
                     path, strerror(errno));
        return false;
    }
    snprintf(remedy, sizeof remedy, "chmod 600 %.300s; who could read it? If in doubt, replace the key",
             path);
    if (st.st_mode & 077)
        findings_add(d->found, FINDING_ERROR, "keys", remedy, "%s is a secret and has mode %04o", path,
                     st.st_mode & 07777);
    else if (access(path, R_OK) != 0)
        findings_add(d->found, FINDING_ERROR, "keys", "run dugnad-server as its owner",
                     "%s cannot be read: %s", path, strerror(errno));
    return !(st.st_mode & 077) && access(path, R_OK) == 0;
}

static void look_offline_keys(struct doctor *d)
{
    char path[PATH_ROOM];
    if (join(d, "offline-keys", path) && file_exists(path))
        findings_add(d->found, FINDING_WARN, "offline keys",
                     "move the folder to a stick or another machine, and a copy to a second place: the "
                     "server never needs it",
                     "%s: whoever breaks into this machine can sign programs that every PC runs", path);
}

void doctor_look_files(struct doctor *d)
{
    const char *database = d->settings && str_starts(d->settings->database, "sqlite:")
                               ? d->settings->database + strlen("sqlite:")
                               : "";
    look_folder(d);
    bool good = look_secret(d, "keys/work.pem", MUST_BE_THERE);
    good &= look_secret(d, d->settings ? d->settings->key : "tls/key.pem", MUST_BE_THERE);
    good &= look_secret(d, "tls/tickets.key", MAY_BE_THERE);
    good &= look_secret(d, "operator.token", MAY_BE_THERE);
    good &= look_secret(d, d->settings ? d->settings->mail_password_file : "", MUST_BE_THERE);
    if (d->settings && blob_place_is_far(d->settings))
        good &= look_secret(d, d->settings->s3_secret_file, MUST_BE_THERE);
    good &= look_secret(d, database, MAY_BE_THERE);
    if (good)
        findings_add(d->found, FINDING_OK, "keys", "", "secrets are readable by their owner alone");
    if (!d->inside)
        look_offline_keys(d);
}
