/* store_answered.h - which unit has the answer to a question (server/reuse.h). Reading is as in store.h,
 * writing as in store_set.h. */
#ifndef SERVER_STORE_ANSWERED_H
#define SERVER_STORE_ANSWERED_H

#include "server/store_set.h"

/* The newest one; 0: nobody has it. */
enum err store_answered_find(struct store *s, const struct digest *question, wu_id *ret_unit) NODISCARD;

void store_set_answered(struct store_set *set, const struct digest *question, wu_id unit);
void store_set_answered_end(struct store_set *set, const struct digest *question, wu_id unit);

#endif
