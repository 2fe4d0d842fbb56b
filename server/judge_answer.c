#include "server/judge_answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/try.h"
#include "wire/answer.h"

enum { PATH_ROOM = 4096, COPY_BYTES = 1 << 16 };

enum err judge_answer_go_on(const struct judge_source *from)
{
    return atomic_load(from->stop) ? err_set(ERR_BUSY, "the server stops") : ERR_OK;
}

static bool is_folder_of(const char *folder, const char *path)
{
    size_t len = strlen(folder);
    return strncmp(folder, path, len) == 0 && path[len] == '/';
}

static void measure(struct judge_answer *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        a->bytes += a->files[i].bytes;
        for (uint32_t k = 0; k < a->count; k++)
            a->clashes = a->clashes || is_folder_of(a->files[i].path, a->files[k].path);
    }
}

enum err judge_answer_read_manifest(const struct judge_source *from, const struct digest *digest,
                                    const struct text *manifest, struct judge_answer *ret)
{
    *ret = (struct judge_answer){.digest = *digest};
    TRY(answer_parse(manifest->data, manifest->len, from->arena, &ret->files, &ret->count));
    measure(ret);
    return ERR_OK;
}

enum err judge_answer_load(const struct judge_source *from, const struct digest *digest,
                           struct judge_answer *ret)
{
    struct store_answer answer;
    TRY(store_answer_get(from->store, from->arena, from->unit, digest, &answer));
    *ret = (struct judge_answer){
        .digest = *digest, .files = answer.files, .data = answer.data, .count = answer.count};
    measure(ret);
    return ERR_OK;
}

/* NULL: a blob. */
static const struct text *data_of(const struct judge_answer *answer, uint32_t i)
{
    return answer->data && answer->data[i].data ? &answer->data[i] : NULL;
}

enum err judge_answer_read(const struct judge_source *from, const struct judge_answer *answer, uint32_t i,
                           size_t bytes_max, struct buf *out)
{
    const struct text *data = data_of(answer, i);
    TRY(judge_answer_go_on(from));
    return data ? buf_add(out, data->data, data->len)
                : blob_read(from->blobs, &answer->files[i].sha256, bytes_max, out);
}

static enum err copy_blob(const struct judge_source *from, const struct file_ref *file, int to)
{
    char bytes[COPY_BYTES];
    uint64_t size;
    ssize_t n = 1;
    int fd;
    TRY(blob_open(from->blobs, &file->sha256, &fd, &size));
    enum err e = ERR_OK;
    while (e == ERR_OK && n != 0) {
        e = judge_answer_go_on(from);
        n = e == ERR_OK ? read(fd, bytes, sizeof bytes) : 0;
        if (n < 0 && errno != EINTR)
            e = err_set_errno(ERR_IO, "cannot read a blob");
        else if (n > 0)
            e = file_write_all(to, bytes, (size_t)n);
    }
    close(fd);
    return e;
}

/* data: NULL for a blob. */
static enum err write_file(const struct judge_source *from, const struct file_ref *file,
                           const struct text *data, const char *path)
{
    char folder[PATH_ROOM];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    TRY(file_make_folders(folder, 0755));
    FILE *f = fopen(path, "wxe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    enum err e = data ? file_write_all(fileno(f), data->data, data->len) : copy_blob(from, file, fileno(f));
    if (fclose(f) != 0 && e == ERR_OK)
        e = err_set_errno(ERR_IO, "cannot write %s", path);
    return e;
}

enum err judge_file_write(const struct judge_source *from, const struct file_ref *file, const char *path)
{
    return write_file(from, file, NULL, path);
}

enum err judge_answer_unpack(const struct judge_source *from, const struct judge_answer *answer,
                             const char *folder)
{
    char path[PATH_ROOM];
    TRY(file_make_folders(folder, 0755));
    for (uint32_t i = 0; i < answer->count; i++) {
        TRY(file_join(path, sizeof path, folder, answer->files[i].path));
        TRY(write_file(from, &answer->files[i], data_of(answer, i), path));
    }
    return ERR_OK;
}
