/* graph.h - how the answers of one stage become few: a tree of groups, pure.
 *
 * A stage that reduces `total` answers takes at most fan_in of them into one unit. Its units are numbered
 * level by level: those of level 0 take answers of the stage before it, those of every later level take
 * answers of the level before, until one unit is left, whose answer is the stage's. */
#ifndef RULES_GRAPH_H
#define RULES_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#define GRAPH_FAN_IN_MIN 2

struct graph_group {
    uint32_t level;        /* 0: of the stage before */
    uint32_t first, count; /* what it takes: places in that stage's order (level 0), or units of this stage */
    bool last;             /* its answer is the stage's */
};

/* Units that total answers need; 0 for none. fan_in is GRAPH_FAN_IN_MIN at least. */
uint32_t graph_units(uint32_t total, uint32_t fan_in);
/* What unit `unit` (below graph_units()) takes. */
struct graph_group graph_group(uint32_t total, uint32_t fan_in, uint32_t unit);

#endif
