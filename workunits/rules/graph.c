/* graph.c - see graph.h */
#include "rules/graph.h"

#include <assert.h>

static uint32_t groups(uint32_t of, uint32_t fan_in)
{
    return of / fan_in + (of % fan_in != 0);
}

uint32_t graph_units(uint32_t total, uint32_t fan_in)
{
    uint32_t sum = 0, level = total;
    assert(fan_in >= GRAPH_FAN_IN_MIN);
    if (total == 0)
        return 0;
    do
        sum += level = groups(level, fan_in);
    while (level > 1);
    return sum;
}

struct graph_group graph_group(uint32_t total, uint32_t fan_in, uint32_t unit)
{
    struct graph_group g = {0};
    uint32_t below = total, begins = 0,
             taken_from = 0; /* of the level: its first unit; what it takes begins there */
    assert(unit < graph_units(total, fan_in));
    while (unit - begins >= groups(below, fan_in)) {
        taken_from = begins;
        begins += below = groups(below, fan_in);
        g.level++;
    }
    uint32_t at = (unit - begins) * fan_in;
    g.first = taken_from + at;
    g.count = below - at < fan_in ? below - at : fan_in;
    g.last = groups(below, fan_in) == 1;
    return g;
}
