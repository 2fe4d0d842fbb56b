/* audit_draw.h - what is drawn for an answer once it is fixed: by nobody who does not know the project's key
 * to be foreseen, and by every server in the same way. */
#ifndef SERVER_AUDIT_DRAW_H
#define SERVER_AUDIT_DRAW_H

#include "base/hash.h"
#include "base/ids.h"
#include "rules/wu.h"
#include "wire/items.h"

/* 0..999999, uniform: is the answer checked? */
uint32_t audit_draw(const struct digest *key, wu_id unit, const struct digest *answer);
/* The items of the answer that stands which an audit (an attempt) recomputes. */
struct audit audit_draw_items(const struct digest *key, const struct wu *wu, uint32_t attempt,
                              uint32_t share_ppm);

/* 0..999999, uniform: may this host take this attempt at once, or others first (trust_is_drawn())? */
uint32_t audit_draw_host(const struct digest *key, wu_id unit, uint32_t attempt, uint64_t host_id);

#endif
