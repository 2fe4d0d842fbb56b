/* graph.h - stages of graphs: units are made of the answers of other stages as those become final, and stages
 * that wait for others are started. A thread of its own.
 *
 * How far a stage is moves in the transaction that makes its units (ENGINE_STAGE), so that no answer becomes
 * two units, whatever breaks in between. Where an answer came to be after its unit had failed and was
 * retried, it is taken then. */
#ifndef SERVER_GRAPH_H
#define SERVER_GRAPH_H

#include "server/blob.h"
#include "server/engine_thread.h"
#include "server/members.h"
#include "server/store.h"

struct graph;

struct graph_config {
    struct store *store; /* a reader, this thread's alone until graph_stop() */
    struct engine_thread *engine;
    const struct members *members; /* NULL: the only server */
    struct blobs *blobs;
};

enum err graph_start(const struct graph_config *config, struct graph **ret_graph) NODISCARD;
void graph_wake(struct graph *g); /* some batch has news; any thread, quick */
void graph_stop(struct graph *g); /* NULL is fine */

#endif
