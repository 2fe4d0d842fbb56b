/* blob.c - see blob.h; PROTOCOL.md section 5 */
#include "client/cli/blob.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/api.h"

enum { PART_BYTES = 16 << 20, RESTARTS_MAX = 5, PATH_ROOM = 4096 };

static void blob_path(const struct digest *digest, char ret[96])
{
    char hex[DIGEST_TEXT_BYTES];
    digest_text(digest, hex);
    snprintf(ret, 96, "/v1/blobs/%s", hex);
}

/* *ret_offset: how much the server has; bytes when it is whole. */
static enum err ask(struct cli *c, const char *path, uint64_t bytes, uint64_t *ret_offset, bool *ret_whole)
{
    struct net_reply reply = {0};
    struct net_request request = {.method = "HEAD", .url = path, .timeout_s = 60};
    enum err e = api_do(c, &request, &reply);
    *ret_whole = e == ERR_OK;
    *ret_offset = e == ERR_OK ? bytes : reply.upload_offset > 0 ? (uint64_t)reply.upload_offset : 0;
    if (e == ERR_MISSING)
        e = ERR_OK;
    net_reply_done(&reply);
    return e;
}

/* Sends one part; *offset moves on to where the server is. */
static enum err send_part(struct cli *c, const char *path, int fd, uint64_t bytes, uint64_t *offset,
                          bool *ret_whole)
{
    struct net_reply reply = {0};
    uint64_t part = bytes - *offset < PART_BYTES ? bytes - *offset : PART_BYTES;
    struct net_request request = {.method = "PATCH",
                                  .url = path,
                                  .content_type = "application/octet-stream",
                                  .body_fd = fd,
                                  .has_body_fd = true,
                                  .body_offset = *offset,
                                  .body_bytes = part,
                                  .upload = true,
                                  .upload_bytes = bytes};
    enum err e = api_do(c, &request, &reply);
    *ret_whole = e == ERR_OK && reply.status == 201;
    if (e == ERR_OK)
        *offset = *ret_whole                 ? bytes
                  : reply.upload_offset >= 0 ? (uint64_t)reply.upload_offset
                                             : *offset + part;
    net_reply_done(&reply);
    return e;
}

static enum err send_all(struct cli *c, const char *path, int fd, uint64_t bytes, blob_progress *progress,
                         void *ctx, uint64_t *ret_sent)
{
    uint64_t offset = 0, before;
    bool whole = false;
    uint32_t restarts = 0;
    enum err e = ask(c, path, bytes, &offset, &whole);
    while (e == ERR_OK && !whole) {
        before = offset;
        e = send_part(c, path, fd, bytes, &offset, &whole);
        if (e == ERR_CONFLICT &&
            restarts++ < RESTARTS_MAX) /* the server is elsewhere: another upload, or a lost reply */
            e = ask(c, path, bytes, &offset, &whole);
        else if (e == ERR_OK && ret_sent && offset > before)
            *ret_sent += offset - before;
        if (e == ERR_OK && !whole && offset >= bytes && restarts++ >= RESTARTS_MAX)
            e = err_set(ERR_CORRUPT, "the server has all of %s but does not call it complete", path);
        if (progress)
            progress(ctx, offset, bytes);
    }
    return e;
}

enum err blob_put(struct cli *c, const char *file, const struct digest *digest, uint64_t bytes,
                  blob_progress *progress, void *ctx, uint64_t *ret_sent)
{
    char path[96];
    blob_path(digest, path);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot open %s", file);
    enum err e = send_all(c, path, fd, bytes, progress, ctx, ret_sent);
    close(fd);
    return e == ERR_OK ? e : err_prefix(e, "upload of %s", file);
}

static bool is_there(const char *path, const struct digest *digest, uint64_t bytes)
{
    struct digest have;
    uint64_t size;
    return file_size(path, &size) == ERR_OK && size == bytes && hash_file(path, &have, &size) == ERR_OK &&
           digest_eq(&have, digest);
}

static enum err fetch(struct cli *c, const char *url, const char *part, uint64_t bytes)
{
    struct net_reply reply = {0};
    struct stat st;
    int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_set_errno(ERR_IO, "cannot create %s", part);
    uint64_t have = fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    enum err e = ERR_OK;
    if (have > bytes ||
        (have == bytes && bytes > 0)) /* whole but unproved, or garbage: prove or fetch anew */
        have = have == bytes ? have : 0;
    if (have < bytes || bytes == 0) {
        struct net_request request = {.method = "GET",
                                      .url = url,
                                      .reply_fd = fd,
                                      .has_reply_fd = true,
                                      .follow = true,
                                      .reply_bytes_max = bytes ? bytes : 1,
                                      .range_from = have};
        if (ftruncate(fd, (off_t)have) != 0)
            e = err_set_errno(ERR_IO, "cannot write %s", part);
        else
            e = api_do(c, &request, &reply);
    }
    close(fd);
    net_reply_done(&reply);
    return e;
}

enum err blob_get(struct cli *c, const struct digest *digest, uint64_t bytes, const char *path)
{
    char url[96], part[PATH_ROOM];
    if (is_there(path, digest, bytes))
        return ERR_OK;
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return err_set(ERR_LIMIT, "the path %.200s... is too long", path);
    blob_path(digest, url);
    enum err e = fetch(c, url, part, bytes);
    if (e == ERR_OK &&
        !is_there(part, digest, bytes)) { /* perhaps a remnant of another try: once more from the start */
        unlink(part);
        e = fetch(c, url, part, bytes);
    }
    if (e == ERR_OK && !is_there(part, digest, bytes)) {
        unlink(part);
        e = err_set(ERR_UNTRUSTED, "what the server sent is not what the digest names: it was thrown away");
    }
    if (e == ERR_OK && rename(part, path) != 0)
        e = err_set_errno(ERR_IO, "cannot rename %s", part);
    return e == ERR_OK ? e : err_prefix(e, "%s", path);
}
