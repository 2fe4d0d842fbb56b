#include "server/blob_move.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "server/try.h"

enum { COPY_BYTES = 1 << 16, DROP_SLICE = 256 };

struct moving {
    struct blobs *from, *to;
    struct blob_moved *moved;
};

static enum err copy_bytes(int fd, struct blob_upload *up)
{
    char bytes[COPY_BYTES];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_set_errno(ERR_IO, "cannot read a blob");
        if (n > 0)
            TRY(blob_upload_write(up, bytes, (size_t)n));
    }
    return ERR_OK;
}

/* The upload hashes what it is given: a file that was damaged is not moved. */
static enum err copy_file(struct moving *m, const char *holder, const struct digest *blob)
{
    struct blob_upload *up;
    uint64_t bytes, at, offset = blob_upload_offset(m->to, blob, holder);
    bool complete = false;
    int fd;
    TRY(blob_open(m->from, blob, &fd, &bytes));
    enum err e = offset <= bytes && lseek(fd, (off_t)offset, SEEK_SET) >= 0
                     ? blob_upload_begin(m->to, blob, holder, offset, bytes, &up)
                     : err_set(ERR_CORRUPT, "an earlier try left more of a blob than there is");
    if (e == ERR_OK) {
        e = copy_bytes(fd, up);
        enum err end = blob_upload_end(up, &complete, NULL, &at);
        e = e == ERR_OK ? end : e;
    }
    close(fd);
    m->moved->files += e == ERR_OK;
    m->moved->bytes += e == ERR_OK ? bytes : 0;
    return e == ERR_OK && !complete ? err_set(ERR_CORRUPT, "a blob is shorter than it was") : e;
}

static enum err move_hold(void *ctx, const char *holder, const struct digest *blob)
{
    struct moving *m = ctx;
    uint64_t bytes;
    m->moved->holds++;
    enum err e = blob_find(m->to, blob, &bytes);
    if (e == ERR_OK)
        return blob_hold(m->to, blob, holder);
    return e == ERR_MISSING ? copy_file(m, holder, blob) : e;
}

static enum err compare_hold(void *ctx, const char *holder, const struct digest *blob)
{
    struct moving *m = ctx;
    struct digest is;
    uint64_t bytes, there, had, has;
    char path[32];
    int fd;
    TRY(blob_find(m->from, blob, &bytes));
    TRY(blob_open(m->to, blob, &fd, &there));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum err e = hash_file(path, &is, NULL);
    close(fd);
    TRY(e);
    if (bytes != there || !digest_eq(&is, blob))
        return err_set(ERR_CORRUPT, "a blob is not the same there: nothing was switched over");
    TRY(blobs_held(m->from, holder, &had));
    TRY(blobs_held(m->to, holder, &has));
    return had <= has ? ERR_OK
                      : err_set(ERR_CORRUPT, "%s does not hold all there: nothing was switched over", holder);
}

enum err blob_move(struct blobs *from, struct blobs *to, struct blob_moved *ret)
{
    struct moving m = {from, to, ret};
    *ret = (struct blob_moved){0};
    TRY(blobs_each(from, move_hold, &m));
    TRY(blobs_forget_copies(to));
    return blobs_each(from, compare_hold, &m);
}

static enum err drop_hold(void *ctx, const char *holder, const struct digest *blob)
{
    bool more = true;
    (void)blob;
    while (more)
        TRY(blobs_drop(ctx, holder, DROP_SLICE, &more));
    return ERR_OK;
}

enum err blob_move_leave(struct blobs *from)
{
    return blobs_each(from, drop_hold, from);
}
