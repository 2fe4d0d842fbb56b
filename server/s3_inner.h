/* s3_inner.h - what the files of s3 share; nobody else includes it. */
#ifndef SERVER_S3_INNER_H
#define SERVER_S3_INNER_H

#include "server/fetch.h"
#include "server/s3.h"

/* blob NULL: the bucket itself. */
void s3_object_url(const struct s3 *s, const struct digest *blob, const char *query,
                   char ret[S3_URL_BYTES_MAX]);
enum err s3_request(const struct s3 *s, struct fetch_request *r, struct fetch_reply *ret_reply) NODISCARD;
enum err s3_status(const struct s3 *s, const struct fetch_reply *reply, const char *doing) NODISCARD;
/* Adds text to a query, all but letters, digits and "-._~" as %XX. */
enum err s3_escape(const char *text, struct buf *out) NODISCARD;
/* The text of the first element with that name, entities of XML undone; false where there is none or no room.
 */
bool s3_xml_text(const char *xml, const char *name, char *ret, size_t room);

#endif
