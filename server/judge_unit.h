/* judge_unit.h - the server runs a unit's program itself: one item that two hosts disagree about, or the
 * app's check of an answer. In the sandbox, as at a host, with the judge's limits. */
#ifndef SERVER_JUDGE_UNIT_H
#define SERVER_JUDGE_UNIT_H

#include "server/judge_validator.h"
#include "wire/items.h"
#include "wire/order.h"

struct judge_unit {
    const struct judge_source *from;
    const struct judge_validator *validator; /* where, and the limits */
    const struct manifest *app;
    const struct digest *bundle;
    struct order order;
    struct spec spec;
};

enum err judge_unit_load(struct judge_unit *j, const struct store_unit *unit,
                         const struct store_batch *batch) NODISCARD;
/* Runs the app for one item and adds its list of items to out. ERR_INVALID when the program fails here. */
enum err judge_unit_item(const struct judge_unit *j, uint64_t item, struct buf *out) NODISCARD;
/* Runs the app's checker: as the app, with the checker's words in place of the entry's and the answer in
 * /work/answer. It ends with 0 for a right answer, 1 for a wrong one; ERR_INVALID otherwise. */
enum err judge_unit_check(const struct judge_unit *j, const struct judge_answer *answer,
                          bool *ret_right) NODISCARD;

#endif
