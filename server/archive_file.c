#include "server/archive_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { PATH_ROOM = 4096 };

struct archive_file {
    gzFile gz;
    char path[PATH_ROOM];
};

enum err archive_file_new(const char *path, struct archive_file **ret_file)
{
    struct archive_file *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(ERR_NOMEM, "no memory for an archive");
    snprintf(f->path, sizeof f->path, "%s", path);
    f->gz = gzopen(path, "wbe6");
    if (!f->gz) {
        free(f);
        return err_set_errno(ERR_IO, "cannot write %s", path);
    }
    *ret_file = f;
    return ERR_OK;
}

enum err archive_file_add(struct archive_file *f, const void *bytes, size_t len)
{
    if (len == 0 || gzfwrite(bytes, len, 1, f->gz) == 1)
        return ERR_OK;
    return err_set_errno(ERR_IO, "cannot write %s", f->path);
}

enum err archive_file_end(struct archive_file *f)
{
    enum err e = ERR_OK;
    if (!f)
        return ERR_OK;
    if (gzclose(f->gz) != Z_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", f->path);
    free(f);
    return e;
}
