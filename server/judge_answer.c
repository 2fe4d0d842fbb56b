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
    struct text manifest;
    TRY(store_small_get(from->store, from->arena, from->batch, digest, &manifest));
    return judge_answer_read_manifest(from, digest, &manifest, ret);
}

/* A small output came inside the report or, as any other, as a blob; an empty text's data is NULL then. */
static enum err find_small(const struct judge_source *from, const struct file_ref *file, bool *ret_found,
                           struct text *ret)
{
    *ret_found = false;
    if (file->bytes > INLINE_BYTES_MAX)
        return ERR_OK;
    enum err e = store_small_get(from->store, from->arena, from->batch, &file->sha256, ret);
    *ret_found = e == ERR_OK;
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err judge_answer_read(const struct judge_source *from, const struct file_ref *file, size_t bytes_max,
                           struct buf *out)
{
    struct text bytes;
    bool small;
    TRY(judge_answer_go_on(from));
    TRY(find_small(from, file, &small, &bytes));
    if (small)
        return buf_add(out, bytes.data, bytes.len);
    return blob_read(from->blobs, &file->sha256, bytes_max, out);
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

enum err judge_file_write(const struct judge_source *from, const struct file_ref *file, const char *path)
{
    struct text bytes;
    bool small;
    char folder[PATH_ROOM];
    TRY(find_small(from, file, &small, &bytes));
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    TRY(file_make_folders(folder, 0755));
    FILE *f = fopen(path, "wxe");
    if (!f)
        return err_set_errno(ERR_IO, "cannot write %s", path);
    enum err e = small ? file_write_all(fileno(f), bytes.data, bytes.len) : copy_blob(from, file, fileno(f));
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
        TRY(judge_file_write(from, &answer->files[i], path));
    }
    return ERR_OK;
}
