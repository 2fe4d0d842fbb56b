/* top_text.h - a status of the daemon as lines of text, for a terminal of any width */
#ifndef CLIENT_TOP_TEXT_H
#define CLIENT_TOP_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

#define TOP_WIDTH_MIN 40u

/* What runs, for whom, signed by whom, how far; why nothing runs; each project; messages. Lines of at most
 * width characters. now_ms: Unix time. */
enum err top_text(const struct json *status, uint32_t width, int64_t now_ms, struct buf *out) NODISCARD;

#endif
