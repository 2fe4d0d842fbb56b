/* graph.h - the graph that a batch is part of, as the server tells it, and how it is drawn. */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

#include "base/json.h"
#include "client/cli/cli.h"

#define GRAPH_NEEDS_MAX 33

struct graph_stage {
    const char *batch, *name, *app, *state, *kind, *why;
    const char
        *needs[GRAPH_NEEDS_MAX]; /* batches; the first is the one whose answers it takes, if it takes any */
    uint32_t need_count;
    bool takes;
    int64_t units, leased, accepted, failed;
    uint32_t depth; /* 0: needs none */
};

struct graph_drawing {
    const char *graph;
    struct graph_stage *stages; /* in the arena: by depth, then by age */
    uint32_t count;
};

enum err graph_read(const struct json *reply, struct arena *a, struct graph_drawing *ret) NODISCARD;
enum err graph_draw_text(const struct graph_drawing *g, struct buf *out) NODISCARD;
enum err graph_draw_dot(const struct graph_drawing *g, struct buf *out) NODISCARD;
enum err graph_draw_svg(const struct graph_drawing *g, struct buf *out) NODISCARD;

/* Submits the stages of a batch file, one batch each; *ret_graph is the number of the first. key: the same
 * one again goes on with the same submission. */
enum err graph_submit(struct cli *c, const char *file, const char *key, bool fresh,
                      const char **ret_graph) NODISCARD;

#endif
