/* doctor_blobs.c - does the object store take, give and forget a file? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "server/blob_place.h"
#include "server/doctor.h"
#include "server/try.h"

enum { PROBE_BYTES = 64 };

/* A file of nothing that anybody could have: of random bytes. */
static enum err try_file(const struct s3 *s3, FILE *f)
{
    char sent[PROBE_BYTES], got[PROBE_BYTES];
    rand_bytes(sent, sizeof sent);
    struct digest name = hash_bytes(sent, sizeof sent);
    TRY(file_write_all(fileno(f), sent, sizeof sent));
    TRY(s3_put(s3, &name, fileno(f), sizeof sent));
    enum err e = ftruncate(fileno(f), 0) == 0 && lseek(fileno(f), 0, SEEK_SET) == 0
                     ? s3_get(s3, &name, 0, 0, fileno(f))
                     : err_set_errno(ERR_IO, "cannot write a file");
    if (e == ERR_OK &&
        (pread(fileno(f), got, sizeof got, 0) != sizeof got || memcmp(sent, got, sizeof got) != 0))
        e = err_set(ERR_CORRUPT, "object store %s gave other bytes than it was sent", s3->endpoint);
    enum err gone = s3_delete(s3, &name);
    return e == ERR_OK ? gone : e;
}

static enum err try_store(const struct s3 *s3)
{
    FILE *f = tmpfile();
    if (!f)
        return err_set_errno(ERR_IO, "cannot make a file");
    enum err e = s3_check(s3);
    if (e == ERR_OK)
        e = try_file(s3, f);
    fclose(f);
    return e;
}

void doctor_look_blobs(struct doctor *d)
{
    struct s3 s3;
    int64_t began_ms = clock_mono_ms();
    if (!blob_place_is_far(d->settings))
        return;
    enum err e = blob_place_s3(d->data, d->settings, &s3);
    if (e == ERR_OK) {
        e = try_store(&s3);
        explicit_bzero(s3.secret, sizeof s3.secret);
    }
    if (e == ERR_OK)
        findings_add(d->found, FINDING_OK, "object store", "",
                     "%s takes, gives and forgets a file in bucket %s: %lld ms", s3.endpoint, s3.bucket,
                     (long long)(clock_mono_ms() - began_ms));
    else
        findings_add(d->found, FINDING_ERROR, "object store",
                     e == ERR_DENIED
                         ? "see s3_key_id and s3_secret_file in server.conf; the key must be allowed to "
                           "list, get, put and delete in the bucket"
                         : "see s3_endpoint, s3_region and blobs in server.conf; is the store up?",
                     "%s", err_text());
}
