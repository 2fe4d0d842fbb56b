/* control.h - DATA/control: how the owner speaks to the daemon. A Unix socket of mode 0600; one line of JSON
 * of control_wish.h gets one line back: the status, or {"error":{"code","message"}}. */
#ifndef CLIENT_CONTROL_H
#define CLIENT_CONTROL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/house.h"
#include "client/page.h"

#define CONTROL_FDS_MAX 9

struct control;
enum err control_open(const char *path, struct control **ret) NODISCARD;
void control_close(struct control *c); /* and removes the socket */
uint32_t control_fds(const struct control *c, int ret[CONTROL_FDS_MAX]);
/* Takes what has come in, does it, answers. Never waits. */
void control_turn(struct control *c, struct house *h, struct page *page);
/* The same for a line from elsewhere. page NULL: it may not be asked for. */
enum err control_obey(const char *line, size_t len, struct house *h, struct page *page,
                      struct buf *out) NODISCARD;

/* The other side: sends one line and waits up to ten seconds for the answer. ERR_MISSING: no daemon runs. */
enum err control_ask(const char *path, const char *line, struct buf *ret_line) NODISCARD;

#endif
