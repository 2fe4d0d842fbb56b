/* web_files.h - the console and the public pages, which are in the program itself: a server is one file.
 * The table is made of web/ at build time by web/embed.cmake. */
#ifndef SERVER_WEB_FILES_H
#define SERVER_WEB_FILES_H

#include <stddef.h>

#define WEB_ETAG_BYTES 33 /* 32 hexadecimal characters, without quotation marks, and a NUL */

struct web_file {
    const char *path; /* "/web/" and the name below web/ */
    const char *content_type;
    const unsigned char *bytes;
    size_t len;
    const unsigned char *gz; /* the same, packed; NULL where that is not smaller */
    size_t gz_len;
    char etag[WEB_ETAG_BYTES]; /* start of the SHA-256 of bytes */
    const unsigned char *br;   /* as gz, packed with brotli, which is smaller still */
    size_t br_len;
};

extern const struct web_file web_files[];
extern const size_t web_file_count;

/* The file for a decoded path without a query: /web/NAME; the pages /, /join, /admin and all below /admin/.
 * NULL: none.
 */
const struct web_file *web_file_find(const char *path);
/* Headers that every such reply needs: pages run nothing that is not the server's own. */
#define WEB_CONTENT_POLICY                                                                                   \
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

#endif
