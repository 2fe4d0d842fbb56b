/* archive_file.h - lines into a gzipped file, which zcat reads. The only user of zlib. */
#ifndef SERVER_ARCHIVE_FILE_H
#define SERVER_ARCHIVE_FILE_H

#include <stddef.h>

#include "base/err.h"

struct archive_file;

/* The same lines give the same bytes. Not durable. */
enum err archive_file_new(const char *path, struct archive_file **ret_file) NODISCARD;
enum err archive_file_add(struct archive_file *f, const void *bytes, size_t len) NODISCARD;
enum err archive_file_end(struct archive_file *f) NODISCARD; /* frees f; NULL is fine */

#endif
