/* graph_in.h - what the graph*.c files share. */
#ifndef SERVER_GRAPH_IN_H
#define SERVER_GRAPH_IN_H

#include "server/graph.h"
#include "server/store_stage.h"
#include "wire/order.h"

enum { GRAPH_UNITS_EACH = 500 }; /* units in a request to the engine */

/* One stage and the units that it is given now. */
struct stage_work {
    struct graph_config *config;
    struct arena *a;
    struct store_stage stage;
    struct store_batch batch, source; /* source: with a kind that has one */
    struct order order;
    char holder[24]; /* of its inputs */
    struct text *specs;
    uint32_t count, room;
    bool every_file; /* stage.file does not count */
};

/* Is it final, and with an answer? */
enum outcome { OUTCOME_OPEN, OUTCOME_FAILED, OUTCOME_ACCEPTED };
enum outcome graph_outcome(const struct store_unit *u);

/* Each adds units to w->specs. ERR_INVALID, ERR_LIMIT: no unit can be made of it, and the sentence says why.
 */
enum err graph_unit_each(struct stage_work *w, const struct store_unit *of) NODISCARD;
/* From line *line on, as many as there is room for; *ret_all: the file has no more. */
enum err graph_unit_lines(struct stage_work *w, const struct store_unit *of, uint32_t *line,
                          bool *ret_all) NODISCARD;
enum err graph_unit_reduce(struct stage_work *w, const wu_id *of, uint32_t count, uint32_t level,
                           bool last) NODISCARD;
/* By what the answers of a stage are ordered: the place of what they were made of in the first stage. */
enum err graph_unit_order(struct arena *a, const struct store_unit *u, const char **ret) NODISCARD;

#endif
