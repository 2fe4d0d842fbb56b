/* s3.c - objects: put, get, head, delete; see s3.h. Links and listings are in s3_link.c and s3_list.c. */
#include "server/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/s3_inner.h"

enum { BACKOFF_FIRST_MS = 200, REQUEST_TIMEOUT_MS = 300000 };

void s3_object_url(const struct s3 *s, const struct digest *blob, const char *query,
                   char ret[S3_URL_BYTES_MAX])
{
    char name[DIGEST_TEXT_BYTES] = "";
    if (blob)
        digest_text(blob, name);
    snprintf(ret, S3_URL_BYTES_MAX, "%s/%s%s%s%s%s%s", s->endpoint, s->bucket, blob ? "/" : "",
             blob ? s->prefix : "", name, *query ? "?" : "", query);
}

static bool passing(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504 || status == 429;
}

enum err s3_request(const struct s3 *s, struct fetch_request *r, struct fetch_reply *ret_reply)
{
    char sigv4[64];
    enum err e = ERR_OK;
    snprintf(sigv4, sizeof sigv4, "aws:amz:%s:s3", s->region);
    r->sigv4 = sigv4;
    r->user = s->key_id;
    r->password = s->secret;
    r->ca_file = s->ca_file;
    r->timeout_ms = REQUEST_TIMEOUT_MS;
    for (uint32_t n = 0; n < S3_TRIES_MAX; n++) {
        if (n > 0)
            clock_sleep_ms((int64_t)(rand_u64() % ((uint64_t)BACKOFF_FIRST_MS << n)));
        e = fetch_http(r, ret_reply);
        if (e == ERR_OK && !passing(ret_reply->status))
            return ERR_OK;
        if (e == ERR_OK) {
            e = err_set(ERR_UNREACHABLE, "%s answers %d", s->endpoint, ret_reply->status);
            fetch_reply_done(ret_reply);
        }
        if (!err_retry(e) || r->into_file)
            break; /* what is half written into a file must not be written again behind it */
    }
    return err_prefix(e, "object store");
}

/* The reply's status as an error; the store's own words are kept short. */
enum err s3_status(const struct s3 *s, const struct fetch_reply *reply, const char *doing)
{
    if (reply->status >= 200 && reply->status <= 299)
        return ERR_OK;
    enum err e = reply->status == 404                           ? ERR_MISSING
                 : reply->status == 401 || reply->status == 403 ? ERR_DENIED
                 : reply->status == 507                         ? ERR_FULL
                                                                : ERR_IO;
    return err_set(e, "object store %s, bucket %s: %s got status %d: %.200s", s->endpoint, s->bucket, doing,
                   reply->status, buf_text(&reply->body));
}

static enum err plain(const struct s3 *s, const char *method, const char *url, struct fetch_reply *ret_reply)
{
    struct fetch_request r = {.method = method, .url = url};
    return s3_request(s, &r, ret_reply);
}

enum err s3_head(const struct s3 *s, const struct digest *blob, uint64_t *ret_bytes)
{
    char url[S3_URL_BYTES_MAX];
    struct fetch_reply reply;
    s3_object_url(s, blob, "", url);
    enum err e = plain(s, "HEAD", url, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "looking for an object");
    if (e == ERR_OK)
        *ret_bytes = reply.content_bytes;
    fetch_reply_done(&reply);
    return e;
}

enum err s3_delete(const struct s3 *s, const struct digest *blob)
{
    char url[S3_URL_BYTES_MAX];
    struct fetch_reply reply;
    s3_object_url(s, blob, "", url);
    enum err e = plain(s, "DELETE", url, &reply);
    if (e != ERR_OK)
        return e;
    e = reply.status == 404 ? ERR_OK : s3_status(s, &reply, "deleting an object");
    fetch_reply_done(&reply);
    return e;
}

static enum err put_piece(const struct s3 *s, const char *url, int fd, uint64_t from, uint64_t bytes,
                          char etag[128])
{
    struct fetch_request r = {.method = "PUT",
                              .url = url,
                              .body = bytes ? NULL : "",
                              .body_fd = fd,
                              .body_offset = from,
                              .body_bytes = bytes,
                              .headers = {"x-amz-content-sha256: UNSIGNED-PAYLOAD"}};
    struct fetch_reply reply;
    enum err e = s3_request(s, &r, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "storing an object");
    if (e == ERR_OK && etag)
        memcpy(etag, reply.etag, sizeof reply.etag);
    fetch_reply_done(&reply);
    return e;
}

static enum err begin_parts(const struct s3 *s, const struct digest *blob, char upload_id[256])
{
    char url[S3_URL_BYTES_MAX];
    struct fetch_request r = {.method = "POST", .url = url, .body = ""};
    struct fetch_reply reply;
    s3_object_url(s, blob, "uploads=", url);
    enum err e = s3_request(s, &r, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "starting an upload in parts");
    if (e == ERR_OK && !s3_xml_text(buf_text(&reply.body), "UploadId", upload_id, 256))
        e = err_set(ERR_CORRUPT, "object store %s gave no UploadId", s->endpoint);
    fetch_reply_done(&reply);
    return e;
}

static enum err finish_parts(const struct s3 *s, const char *url, const struct buf *list)
{
    struct fetch_request r = {.method = "POST",
                              .url = url,
                              .body = list->data,
                              .body_bytes = list->len,
                              .headers = {"Content-Type: application/xml"}};
    struct fetch_reply reply;
    enum err e = s3_request(s, &r, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "ending an upload in parts");
    if (e == ERR_OK &&
        strstr(buf_text(&reply.body), "<Error>")) /* S3 may say 200 first and fail afterwards */
        e = err_set(ERR_IO, "object store %s: %.200s", s->endpoint, buf_text(&reply.body));
    fetch_reply_done(&reply);
    return e;
}

static enum err put_parts(const struct s3 *s, const struct digest *blob, const char *upload_id, int fd,
                          uint64_t bytes, struct buf *list)
{
    char query[400], url[S3_URL_BYTES_MAX], etag[128];
    enum err e = buf_add_text(list, "<CompleteMultipartUpload>");
    uint32_t number = 1;
    for (uint64_t at = 0; e == ERR_OK && at < bytes; at += S3_PART_BYTES, number++) {
        uint64_t piece = bytes - at < S3_PART_BYTES ? bytes - at : S3_PART_BYTES;
        snprintf(query, sizeof query, "partNumber=%" PRIu32 "&uploadId=%s", number, upload_id);
        s3_object_url(s, blob, query, url);
        e = put_piece(s, url, fd, at, piece, etag);
        if (e == ERR_OK)
            e = buf_printf(list, "<Part><PartNumber>%" PRIu32 "</PartNumber><ETag>%s</ETag></Part>", number,
                           etag);
    }
    return e == ERR_OK ? buf_add_text(list, "</CompleteMultipartUpload>") : e;
}

static enum err put_large(const struct s3 *s, const struct digest *blob, int fd, uint64_t bytes)
{
    char upload_id[256], query[300], url[S3_URL_BYTES_MAX];
    BUF_AUTO struct buf list = {0};
    struct fetch_reply reply;
    enum err e = begin_parts(s, blob, upload_id);
    if (e != ERR_OK)
        return e;
    snprintf(query, sizeof query, "uploadId=%s", upload_id);
    s3_object_url(s, blob, query, url);
    e = put_parts(s, blob, upload_id, fd, bytes, &list);
    if (e == ERR_OK)
        return finish_parts(s, url, &list);
    if (plain(s, "DELETE", url, &reply) == ERR_OK) /* parts that are never put together would cost for ever */
        fetch_reply_done(&reply);
    return e;
}

enum err s3_put(const struct s3 *s, const struct digest *blob, int fd, uint64_t bytes)
{
    char url[S3_URL_BYTES_MAX];
    if (bytes > S3_PART_BYTES)
        return put_large(s, blob, fd, bytes);
    s3_object_url(s, blob, "", url);
    return put_piece(s, url, fd, 0, bytes, NULL);
}

enum err s3_get(const struct s3 *s, const struct digest *blob, uint64_t from, uint64_t bytes, int into_fd)
{
    char url[S3_URL_BYTES_MAX], range[96];
    struct fetch_request r = {
        .method = "GET", .url = url, .into_file = true, .into_fd = into_fd, .reply_bytes_max = UINT64_MAX};
    struct fetch_reply reply;
    s3_object_url(s, blob, "", url);
    if (from > 0 || bytes > 0) {
        int n = snprintf(range, sizeof range, "Range: bytes=%" PRIu64 "-", from);
        if (bytes > 0)
            snprintf(range + n, sizeof range - (size_t)n, "%" PRIu64, from + bytes - 1);
        r.headers[0] = range;
    }
    enum err e = s3_request(s, &r, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "fetching an object");
    fetch_reply_done(&reply);
    return e;
}

enum err s3_check(const struct s3 *s)
{
    char url[S3_URL_BYTES_MAX];
    struct fetch_reply reply;
    s3_object_url(s, NULL, "list-type=2&max-keys=1", url);
    enum err e = plain(s, "GET", url, &reply);
    if (e != ERR_OK)
        return e;
    e = s3_status(s, &reply, "listing the bucket");
    fetch_reply_done(&reply);
    return e;
}
