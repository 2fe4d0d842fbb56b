/* s3.c - objects: put, get, head, delete; see s3.h. Links and listings are in s3_link.c and s3_list.c. */
#include "server/s3.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/fetch.h"
#include "server/s3_inner.h"

enum {
    BACKOFF_FIRST_MS = 200,
    REQUEST_TIMEOUT_MS = 300000,
    CONNECT_TIMEOUT_MS = 3000,
    STALL_S = 10,
    JOIN_STALL_S = 120,
    HASHED_EACH = 65536
};

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

/* A store that is away would hold up every thread that asks it, one after the other. While it is, one at a
 * time finds out whether it is back. */
static enum err check_down(const struct s3 *s)
{
    int64_t now_ms = clock_mono_ms();
    long long until_ms = s->down_until_ms ? atomic_load(s->down_until_ms) : 0;
    if (until_ms == 0 || (now_ms >= until_ms && atomic_compare_exchange_strong(s->down_until_ms, &until_ms,
                                                                               now_ms + STALL_S * 1000)))
        return ERR_OK;
    return err_set(ERR_UNREACHABLE, "%s did not answer a moment ago: try again in a few seconds",
                   s->endpoint);
}

static void note_health(const struct s3 *s, enum err e)
{
    bool away = e == ERR_UNREACHABLE || e == ERR_TIMEOUT;
    if (s->down_until_ms && (away || e == ERR_OK))
        atomic_store(s->down_until_ms, away ? clock_mono_ms() + S3_DOWN_MS : 0);
}

static enum err try_once(struct fetch_request *r, const struct s3 *s, struct fetch_reply *ret_reply)
{
    enum err e = fetch_http(r, ret_reply);
    if (e != ERR_OK || !passing(ret_reply->status))
        return e;
    e = err_set(ERR_UNREACHABLE, "%s answers %d", s->endpoint, ret_reply->status);
    fetch_reply_done(ret_reply);
    return e;
}

/* Every request says what its body hashes to; of a file its caller has. */
static void add_body_digest(struct fetch_request *r, char room[96])
{
    char hex[DIGEST_TEXT_BYTES];
    size_t n = 0;
    while (n + 1 < FETCH_HEADERS_MAX && r->headers[n])
        n++;
    if (r->body_bytes > 0 && !r->body)
        return;
    struct digest d = hash_bytes(r->body ? r->body : "", (size_t)r->body_bytes);
    digest_text(&d, hex);
    snprintf(room, 96, "x-amz-content-sha256: %s", hex);
    r->headers[n] = room;
}

enum err s3_request(const struct s3 *s, struct fetch_request *r, struct fetch_reply *ret_reply)
{
    char sigv4[64], body_digest[96];
    add_body_digest(r, body_digest);
    snprintf(sigv4, sizeof sigv4, "aws:amz:%s:s3", s->region);
    r->sigv4 = sigv4;
    r->user = s->key_id;
    r->password = s->secret;
    r->ca_file = s->ca_file;
    r->timeout_ms = REQUEST_TIMEOUT_MS;
    r->connect_ms = CONNECT_TIMEOUT_MS;
    r->stall_s = r->stall_s ? r->stall_s : STALL_S;
    enum err e = check_down(s);
    if (e != ERR_OK)
        return err_prefix(e, "object store");
    for (uint32_t n = 0; n < S3_TRIES_MAX; n++) {
        if (n > 0)
            clock_sleep_ms((int64_t)(rand_u64() % ((uint64_t)BACKOFF_FIRST_MS << n)));
        e = try_once(r, s, ret_reply);
        /* Who waited once has waited enough; and what is half written into a file must not be written again
         * behind it. */
        if (e == ERR_OK || e == ERR_TIMEOUT || !err_retry(e) || r->into_file)
            break;
    }
    note_health(s, e);
    return e == ERR_OK ? e : err_prefix(e, "object store");
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

static enum err hash_piece(int fd, uint64_t from, uint64_t bytes, struct digest *ret)
{
    char chunk[HASHED_EACH];
    struct hash *h = hash_new();
    if (!h)
        return err_set(ERR_NOMEM, "no memory to hash a part");
    for (uint64_t at = 0; at < bytes;) {
        size_t want = bytes - at < sizeof chunk ? (size_t)(bytes - at) : sizeof chunk;
        ssize_t n = pread(fd, chunk, want, (off_t)(from + at));
        if (n <= 0) {
            hash_free(h);
            return err_set_errno(ERR_IO, "cannot read the file to send");
        }
        hash_add(h, chunk, (size_t)n);
        at += (uint64_t)n;
    }
    *ret = hash_end(h);
    hash_free(h);
    return ERR_OK;
}

static enum err put_piece(const struct s3 *s, const char *url, int fd, uint64_t from, uint64_t bytes,
                          const struct digest *digest, char etag[128])
{
    char hex[DIGEST_TEXT_BYTES], checked[96];
    struct fetch_request r = {.method = "PUT",
                              .url = url,
                              .body = bytes ? NULL : "",
                              .body_fd = fd,
                              .body_offset = from,
                              .body_bytes = bytes,
                              .headers = {bytes ? checked : NULL}};
    struct fetch_reply reply;
    digest_text(digest, hex);
    snprintf(checked, sizeof checked, "x-amz-content-sha256: %s", hex);
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
                              .stall_s = JOIN_STALL_S, /* of a large one it takes long */
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
    struct digest digest;
    uint32_t number = 1;
    for (uint64_t at = 0; e == ERR_OK && at < bytes; at += S3_PART_BYTES, number++) {
        uint64_t piece = bytes - at < S3_PART_BYTES ? bytes - at : S3_PART_BYTES;
        snprintf(query, sizeof query, "partNumber=%" PRIu32 "&uploadId=%s", number, upload_id);
        s3_object_url(s, blob, query, url);
        e = hash_piece(fd, at, piece, &digest);
        if (e == ERR_OK)
            e = put_piece(s, url, fd, at, piece, &digest, etag);
        if (e == ERR_OK)
            e = buf_printf(list, "<Part><PartNumber>%" PRIu32 "</PartNumber><ETag>%s</ETag></Part>", number,
                           etag);
    }
    return e == ERR_OK ? buf_add_text(list, "</CompleteMultipartUpload>") : e;
}

/* A lost reply makes the end of an upload look like a failure when it is asked for again. */
static enum err check_size(const struct s3 *s, const struct digest *blob, uint64_t bytes, enum err ended)
{
    char text[ERR_TEXT_BYTES_MAX];
    uint64_t there;
    snprintf(text, sizeof text, "%s", err_text());
    enum err e = s3_head(s, blob, &there);
    if (e == ERR_OK && there == bytes)
        return ERR_OK;
    if (ended != ERR_OK)
        return err_set(ended, "%s", text);
    return e != ERR_OK ? e
                       : err_set(ERR_CORRUPT, "object store %s made %llu bytes of the %llu that it was sent",
                                 s->endpoint, (unsigned long long)there, (unsigned long long)bytes);
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
        return check_size(s, blob, bytes, finish_parts(s, url, &list));
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
    return put_piece(s, url, fd, 0, bytes, blob, NULL);
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
