/* page_api.h - what the local page asks for, once it was admitted */
#ifndef CLIENT_PAGE_API_H
#define CLIENT_PAGE_API_H

#include "client/house.h"
#include "client/page_http.h"

struct page_reply {
    int status;
    const char *content_type;
    struct buf body;
    const void *file; /* instead of the body, where it is one of page_files.h */
    size_t file_len;
};

/* body: of r->body_len bytes. */
void page_answer(const struct page_request *r, const char *body, struct house *h, struct page_reply *ret);
/* {"error":{"code","message"}} with err_text(). */
void page_refuse(int status, enum err e, struct page_reply *ret);

#endif
