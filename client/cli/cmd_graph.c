/* cmd_graph.c - `dugnad graph BATCH` and `dugnad graph submit FILE` */
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/graph.h"
#include "client/cli/show.h"

static const struct cli_option graph_options[] = {
    {"dot", 0, NULL, "as DOT, for Graphviz", NULL, false},
    {"svg", 0, NULL, "as a picture: dugnad graph 7 --svg > graph.svg", NULL, false},
};

static enum err run_cmd_graph(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0}, text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct graph_drawing g;
    uint64_t batch;
    if (str_to_u64(a->words[0], INT32_MAX, &batch) != ERR_OK || batch == 0)
        return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them",
                       a->words[0]);
    enum err e = buf_printf(&path, "/v1/batches/%llu/graph", (unsigned long long)batch);
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc);
    if (e != ERR_OK)
        return e;
    if (c->json)
        return show_json(c, json_root(doc));
    if ((e = graph_read(json_root(doc), &c->arena, &g)) != ERR_OK)
        return e;
    e = args_flag(a, "dot")   ? graph_draw_dot(&g, &text)
        : args_flag(a, "svg") ? graph_draw_svg(&g, &text)
                              : graph_draw_text(&g, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), c->out);
    return e;
}

static const struct cli_option submit_options[] = {
    {"fresh", 0, NULL, "compute all of it: take no answers of earlier runs of these stages", NULL, false},
    {"key", 0, "TEXT", "the same key again continues the same submission instead of making another", NULL,
     false},
};

static enum err run_cmd_graph_submit(struct cli *c, const struct args *a)
{
    char fresh[33];
    const char *graph = NULL, *key = args_text(a, "key", NULL);
    if (!key)
        api_key(fresh);
    enum err e = graph_submit(c, a->words[0], key ? key : fresh, args_flag(a, "fresh"), &graph);
    if (e != ERR_OK)
        return graph
                   ? err_prefix(
                         e, "the graph of batch %s is not complete (the same command with --key %s goes on)",
                         graph, key ? key : fresh)
                   : e;
    fprintf(c->out, c->json ? "{\"graph\":\"%s\"}\n" : "%s\n", graph);
    cli_say(c, "the server does the rest; dugnad graph %s shows it", graph);
    return ERR_OK;
}

CLI_COMMAND(
    cmd_graph, "graph", "BATCH", "draw the graph that a batch is a stage of",
    "One line for each stage: its batch, state, how much is accepted, and what it needs; # is accepted, x "
    "failed.",
    graph_options, 1, 1, false);
CLI_COMMAND(
    cmd_graph_submit, "graph submit", "FILE",
    "submit the stages of a batch file, which the server runs by itself",
    "FILE is JSON: {\"stages\":[STAGE..]}. A STAGE has a \"name\" and what a batch has (PROTOCOL.md section "
    "7: "
    "\"app\", \"command\",\n"
    "\"rules\", \"limits\", \"array\", ...), \"inputs\" being files here (\"FILE\" or \"FILE=PATH\"), "
    "\"units\" a list of "
    "words, {} in\n"
    "the command. It may name earlier stages:\n\n"
    "  \"after\": [NAME..]   nothing goes out until those are done\n"
    "  \"each\": NAME        one unit for each answer of that stage, with its files as inputs\n"
    "  \"lines\": NAME       one unit for each line of the output \"file\" of its answers\n"
    "  \"reduce\": NAME      its answers, \"fan_in\" (32) at a time, as in/000/PATH in/001/PATH..., until "
    "one is left\n"
    "  \"file\": PATH        that output alone\n"
    "  \"reuse\": false       this stage takes no answers of earlier runs\n"
    "  \"failed\": WORD      when units it needs have failed: wait (for dugnad retry), fail, or skip them",
    submit_options, 1, 1, false);
