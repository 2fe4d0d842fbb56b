/* blob_place.h - where a project's files are, as its settings say. */
#ifndef SERVER_BLOB_PLACE_H
#define SERVER_BLOB_PLACE_H

#include "server/blob.h"
#include "server/s3.h"
#include "server/settings.h"

bool blob_place_is_far(const struct settings *s);
/* The folder of the files, or of what is kept here of an object store's. */
enum err blob_place_folder(const char *data, const struct settings *s, char *ret, size_t room) NODISCARD;
/* Of settings that name an object store; reads the secret, which must be its owner's alone. Wipe it after
 * use. */
enum err blob_place_s3(const char *data, const struct settings *s, struct s3 *ret) NODISCARD;
/* database: as serve_database() has it. */
enum err blob_place_open(const char *data, const struct settings *s, const char *database,
                         struct blobs **ret_blobs) NODISCARD;

#endif
