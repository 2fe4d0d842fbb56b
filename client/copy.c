/* copy.c - see copy.h */
#include "client/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

enum { PIECE_BYTES = 128 << 10 };

static enum err pump(int from, int to, uint64_t bytes_max, struct hash *h, char *piece, uint64_t *ret_bytes)
{
    uint64_t at = 0;
    for (;;) {
        ssize_t got = pread(from, piece, PIECE_BYTES, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(ERR_IO, "cannot read the file to copy");
        if (got == 0)
            break;
        at += (uint64_t)got;
        if (at > bytes_max)
            return err_set(ERR_LIMIT, "the file is larger than %llu bytes", (unsigned long long)bytes_max);
        hash_add(h, piece, (size_t)got);
        enum err e = file_write_all(to, piece, (size_t)got);
        if (e != ERR_OK)
            return e;
    }
    *ret_bytes = at;
    return ERR_OK;
}

enum err copy_hashed(int from, const char *to, unsigned mode, uint64_t bytes_max, bool sync,
                     struct digest *ret_digest, uint64_t *ret_bytes)
{
    char *piece = malloc(PIECE_BYTES);
    struct hash *h = hash_new();
    enum err e = ERR_OK;
    int fd = -1;
    if (!piece || !h)
        e = err_set(ERR_NOMEM, "out of memory");
    if (e == ERR_OK && (fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)) < 0)
        e = err_set_errno(ERR_IO, "cannot make %s", to);
    if (e == ERR_OK)
        e = pump(from, fd, bytes_max, h, piece, ret_bytes);
    if (e == ERR_OK && sync && fsync(fd) != 0)
        e = err_set_errno(ERR_IO, "cannot make %s durable", to);
    if (e == ERR_OK)
        *ret_digest = hash_end(h);
    if (fd >= 0)
        close(fd);
    if (e != ERR_OK && fd >= 0)
        unlink(to);
    hash_free(h);
    free(piece);
    return e;
}
