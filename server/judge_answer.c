#include "server/judge_answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/try.h"
#include "wire/answer.h"

enum { PATH_ROOM = 4096, COPY_BYTES = 1 << 16 };

enum err judge_answer_load(const struct judge_source *from, const struct digest *digest,
                           struct judge_answer *ret)
{
    struct text manifest;
    TRY(store_small_get(from->store, from->arena, from->batch, digest, &manifest));
    ret->digest = *digest;
    return answer_parse(manifest.data, manifest.len, from->arena, &ret->files, &ret->count);
}

static bool is_small(const struct judge_source *from, const struct file_ref *file, struct text *ret)
{
    return file->bytes <= INLINE_BYTES_MAX &&
           store_small_get(from->store, from->arena, from->batch, &file->sha256, ret) == ERR_OK;
}

enum err judge_answer_read(const struct judge_source *from, const struct file_ref *file, size_t bytes_max,
                           struct buf *out)
{
    struct text bytes;
    if (is_small(from, file, &bytes))
        return buf_add(out, bytes.data, bytes.len);
    return blob_read(from->blobs, &file->sha256, bytes_max, out);
}

static enum err copy_blob(const struct judge_source *from, const struct file_ref *file, int to)
{
    char bytes[COPY_BYTES];
    uint64_t size;
    ssize_t n;
    int fd;
    enum err e;
    TRY(blob_open(from->blobs, &file->sha256, &fd, &size));
    do {
        n = read(fd, bytes, sizeof bytes);
        e = n < 0 ? err_set_errno(ERR_IO, "cannot read a blob") : file_write_all(to, bytes, (size_t)n);
    } while (e == ERR_OK && n > 0);
    close(fd);
    return e;
}

static enum err write_output(const struct judge_source *from, const struct file_ref *file, const char *path)
{
    struct text bytes;
    char folder[PATH_ROOM];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    TRY(file_make_folders(folder, 0755));
    FILE *f = fopen(path, "wxe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    enum err e = is_small(from, file, &bytes) ? file_write_all(fileno(f), bytes.data, bytes.len)
                                              : copy_blob(from, file, fileno(f));
    if (fclose(f) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    return e;
}

enum err judge_answer_unpack(const struct judge_source *from, const struct judge_answer *answer,
                             const char *folder)
{
    char path[PATH_ROOM];
    TRY(file_make_folders(folder, 0755));
    for (uint32_t i = 0; i < answer->count; i++) {
        TRY(file_join(path, sizeof path, folder, answer->files[i].path));
        TRY(write_output(from, &answer->files[i], path));
    }
    return ERR_OK;
}
