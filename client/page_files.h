/* page_files.h - the files of the local page, which are in the program itself: made of web/local/ and the
 * modules it shares with the console, by web/embed.cmake. */
#ifndef CLIENT_PAGE_FILES_H
#define CLIENT_PAGE_FILES_H

#include <stddef.h>

struct page_file {
    const char *path; /* "/web/" and the name below web/ */
    const char *content_type;
    const unsigned char *bytes;
    size_t len;
    const unsigned char *gz; /* NULL: the page is served where bytes cost nothing */
    size_t gz_len;
    char etag[33];
};

extern const struct page_file page_files[];
extern const size_t page_file_count;

#endif
