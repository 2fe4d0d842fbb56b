/* audit_draw.h - what is drawn for an answer once it is fixed: by nobody who does not know the project's key
 * to be foreseen, and by every server in the same way. */
#ifndef SERVER_AUDIT_DRAW_H
#define SERVER_AUDIT_DRAW_H

#include "base/hash.h"
#include "base/ids.h"
#include "wire/items.h"

/* 0..999999, uniform: is the answer checked? */
uint32_t audit_draw(const struct digest *key, wu_id unit, const struct digest *answer);
/* The items of it that are recomputed. */
struct audit audit_draw_items(const struct digest *key, wu_id unit, const struct digest *answer,
                              uint32_t share_ppm);

#endif
