/* s3.h - blobs in an S3-compatible object store, signed with AWS Signature Version 4 (libcurl's for requests;
 * for presigned links our own, after
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). An object's key is PREFIX +
 * its SHA-256. What arrives is hashed before it is called right: the store is not trusted with integrity. */
#ifndef SERVER_S3_H
#define SERVER_S3_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define S3_PART_BYTES    (16u << 20) /* objects over this go up in parts of this size */
#define S3_TRIES_MAX     3           /* of each request, with full-jitter back-off from 200 ms */
#define S3_DOWN_MS       2000        /* after those failed: so long nobody tries, all are told at once */
#define S3_URL_BYTES_MAX 2048

struct s3 {
    char endpoint[256]; /* "https://s3.example.org" or "http://127.0.0.1:4568"; buckets are addressed by path
                         */
    char bucket[64];
    char region[32];
    char prefix[64]; /* "" or "blobs/" */
    char key_id[128];
    char secret[128];
    char ca_file[256];
    atomic_llong *down_until_ms; /* on the monotonic clock, shared by all who use it; NULL: nobody minds */
};

/* The bucket answers and may be listed. */
enum err s3_check(const struct s3 *s) NODISCARD;
/* *ret_bytes is the object's size; ERR_MISSING where there is none. */
enum err s3_head(const struct s3 *s, const struct digest *blob, uint64_t *ret_bytes) NODISCARD;
/* Sends bytes of fd from its start; in parts where large, and a part that failed is sent again alone. Each
 * piece goes with its SHA-256, which the store compares with what came. Durable when it returns. */
enum err s3_put(const struct s3 *s, const struct digest *blob, int fd, uint64_t bytes) NODISCARD;
/* Writes bytes [from, from+bytes) of the object to into_fd; bytes 0: to its end. */
enum err s3_get(const struct s3 *s, const struct digest *blob, uint64_t from, uint64_t bytes,
                int into_fd) NODISCARD;
enum err s3_delete(const struct s3 *s, const struct digest *blob) NODISCARD;
/* A link that fetches the object without our token for valid_s seconds from now_ms. */
enum err s3_presign(const struct s3 *s, const struct digest *blob, int64_t now_ms, uint32_t valid_s,
                    char ret_url[S3_URL_BYTES_MAX]) NODISCARD;
/* Calls visit for at most `limit` (1000 at most) blobs below the prefix, in order of their names, those after
 * one only when it is given; stops at the first error. *ret_more: there are others. For the orphan sweep. */
enum err s3_list(const struct s3 *s, const struct digest *after, uint32_t limit,
                 enum err (*visit)(void *ctx, const struct digest *blob, uint64_t bytes, int64_t modified_ms),
                 void *ctx, bool *ret_more) NODISCARD;

#endif
