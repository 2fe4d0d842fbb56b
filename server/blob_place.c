/* blob_place.c - see blob_place.h */
#include "server/blob_place.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "server/blob_far.h"
#include "server/try.h"

enum { PATH_ROOM = 4096, SECRET_BYTES_MAX = 127 };

#define S3_SCHEME    "s3://"
#define CACHE_FOLDER "blob-cache"

bool blob_place_is_far(const struct settings *s)
{
    return str_starts(s->blobs, S3_SCHEME);
}

static enum err below(const char *data, const char *name, char *ret, size_t room)
{
    if (name[0] != '/')
        return file_join(ret, room, data, name);
    return (size_t)snprintf(ret, room, "%s", name) < room ? ERR_OK
                                                          : err_set(ERR_LIMIT, "%.60s... is too long", name);
}

enum err blob_place_folder(const char *data, const struct settings *s, char *ret, size_t room)
{
    return below(data, blob_place_is_far(s) ? CACHE_FOLDER : s->blobs, ret, room);
}

static enum err read_secret(const char *path, char ret[SECRET_BYTES_MAX + 1])
{
    struct stat st;
    BUF_AUTO struct buf text = {0};
    if (stat(path, &st) != 0)
        return err_set_errno(ERR_IO, "cannot read the object store's secret %s", path);
    if (st.st_mode & 077)
        return err_set(ERR_DENIED, "%s is a secret and others can read it: chmod 600 %s", path, path);
    enum err e = file_read(path, SECRET_BYTES_MAX, &text);
    size_t len = e == ERR_OK ? strcspn(buf_text(&text), "\r\n \t") : 0;
    snprintf(ret, SECRET_BYTES_MAX + 1, "%.*s", (int)len, buf_text(&text));
    if (text.data)
        explicit_bzero(text.data, text.len);
    if (e == ERR_OK && len == 0)
        e = err_set(ERR_INVALID, "%s holds no secret", path);
    return e;
}

/* s3://BUCKET, s3://BUCKET/PREFIX; keys begin with PREFIX/ then. */
static enum err read_bucket(const char *place, struct s3 *ret)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    const char *bucket = place + strlen(S3_SCHEME);
    size_t len = strcspn(bucket, "/");
    const char *prefix = bucket[len] ? bucket + len + 1 : "";
    size_t prefix_len = strlen(prefix);
    while (prefix_len > 0 && prefix[prefix_len - 1] == '/')
        prefix_len--;
    if (len < 3 || len >= sizeof ret->bucket || strspn(bucket, plain) != len)
        return err_set(ERR_INVALID, "blobs = %s is no s3://BUCKET/PREFIX", place);
    if (prefix_len + 2 > sizeof ret->prefix || strspn(prefix, plain) < prefix_len)
        return err_set(ERR_INVALID, "blobs = %s: the prefix is one short name of letters, digits and -._",
                       place);
    snprintf(ret->bucket, sizeof ret->bucket, "%.*s", (int)len, bucket);
    snprintf(ret->prefix, sizeof ret->prefix, "%.*s%s", (int)prefix_len, prefix, prefix_len ? "/" : "");
    return ERR_OK;
}

/* No slash at its end: paths begin with one. */
static void copy_endpoint(const char *from, char *ret, size_t room)
{
    size_t len = strlen(from);
    while (len > 0 && from[len - 1] == '/')
        len--;
    snprintf(ret, room, "%.*s", (int)len, from);
}

enum err blob_place_s3(const char *data, const struct settings *s, struct s3 *ret)
{
    char path[PATH_ROOM];
    struct s3 s3 = {.down_until_ms = NULL};
    TRY(settings_check(s));
    TRY(read_bucket(s->blobs, &s3));
    copy_endpoint(s->s3_endpoint, s3.endpoint, sizeof s3.endpoint);
    snprintf(s3.region, sizeof s3.region, "%s", s->s3_region);
    snprintf(s3.key_id, sizeof s3.key_id, "%s", s->s3_key_id);
    snprintf(s3.ca_file, sizeof s3.ca_file, "%s", s->s3_ca);
    TRY(below(data, s->s3_secret_file, path, sizeof path));
    TRY(read_secret(path, s3.secret));
    *ret = s3;
    explicit_bzero(&s3, sizeof s3);
    return ERR_OK;
}

static enum err open_far(const char *folder, const char *data, const struct settings *s, const char *database,
                         struct blobs **ret_blobs)
{
    struct blob_far_config config = {.cache_bytes = s->blob_cache, .link_bytes_min = s->blob_links};
    enum err e = blob_place_s3(data, s, &config.s3);
    copy_endpoint(s->s3_link_endpoint, config.link_endpoint, sizeof config.link_endpoint);
    if (e == ERR_OK)
        e = store_open(database, &config.store);
    if (e == ERR_OK)
        e = blobs_open_far(folder, s->disk_free_min, &config, ret_blobs);
    explicit_bzero(&config.s3, sizeof config.s3);
    return e;
}

enum err blob_place_open(const char *data, const struct settings *s, const char *database,
                         struct blobs **ret_blobs)
{
    char folder[PATH_ROOM];
    TRY(blob_place_folder(data, s, folder, sizeof folder));
    TRY(blob_place_is_far(s) ? open_far(folder, data, s, database, ret_blobs)
                             : blobs_open(folder, s->disk_free_min, ret_blobs));
    blobs_keep_unused(*ret_blobs, s->unused_kept_ms, s->purged_kept_ms);
    return ERR_OK;
}
