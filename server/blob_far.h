/* blob_far.h - blobs in an object store, for one server or several that share a database. */
#ifndef SERVER_BLOB_FAR_H
#define SERVER_BLOB_FAR_H

#include "server/blob.h"
#include "server/s3.h"
#include "server/store.h"

struct blob_far_config {
    struct s3 s3;
    char link_endpoint[256]; /* what PCs and scientists reach it by; "": as the server does */
    struct store *store;     /* for rows of blobs alone, see store_blob.h; is closed with the blobs */
    uint64_t cache_bytes;    /* of files kept in the folder */
    uint64_t link_bytes_min; /* links are given for files from this size on; 0: for none */
};
/* folder: uploads that are not whole, and copies of what was asked for. The store is the blobs' even on
 * failure. */
enum err blobs_open_far(const char *folder, uint64_t disk_free_min, const struct blob_far_config *config,
                        struct blobs **ret_blobs) NODISCARD;

#endif
