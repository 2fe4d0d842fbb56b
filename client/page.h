/* page.h - the local page: what `top` shows and the command line asks for, in a browser of this computer.
 *
 * Off until the owner asks through the control socket; then it listens on 127.0.0.1, on a port and with a
 * secret of its own in the link's fragment, which is never sent to anybody; off again when nobody has looked
 * for a while. No other site's page can use it: see page_http_admit(). */
#ifndef CLIENT_PAGE_H
#define CLIENT_PAGE_H

#include <stdint.h>

#include "base/err.h"
#include "client/house.h"

#define PAGE_CALLERS_MAX 12
#define PAGE_FDS_MAX     (PAGE_CALLERS_MAX + 1)
#define PAGE_LINK_BYTES  96

struct page;
enum err page_new(struct page **ret) NODISCARD;
void page_free(struct page *p); /* NULL is fine */
/* Listens, if it does not yet. The link is for the owner alone: not for a log. */
enum err page_open(struct page *p, char ret_link[PAGE_LINK_BYTES]) NODISCARD;
uint32_t page_fds(const struct page *p, int ret[PAGE_FDS_MAX]);
int page_wait_ms(const struct page *p); /* -1: until something happens */
/* Takes what has come in, answers. Never waits. */
void page_turn(struct page *p, struct house *h);

#endif
