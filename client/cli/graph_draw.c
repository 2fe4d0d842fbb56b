/* graph_draw.c - a graph as text for a terminal, as DOT, as SVG */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "client/cli/graph.h"
#include "client/cli/show.h"

enum {
    STAGES_MAX = 256,
    BAR_CHARS = 16,
    BOX_WIDTH = 190,
    BOX_HEIGHT = 66,
    GAP_X = 40,
    GAP_Y = 50,
    MARGIN = 20
};

/* --- reading --- */

/* Without control characters: names were written by others. */
static enum err text_of(const struct json *obj, const char *key, struct arena *a, const char **ret)
{
    BUF_AUTO struct buf text = {0};
    const struct json *v = json_field(obj, key);
    enum err e = ERR_OK;
    if (v && json_kind(v) == JSON_IS_TEXT)
        e = show_safe(json_text(v), json_text_len(v), false, &text);
    *ret = arena_text(a, buf_text(&text));
    return e != ERR_OK ? e : *ret ? ERR_OK : ERR_NOMEM;
}

static int64_t number_of(const struct json *obj, const char *key)
{
    const struct json *v = json_field(obj, key);
    return v ? json_int(v, 0) : 0;
}

static enum err read_needs(const struct json *obj, struct arena *a, struct graph_stage *s)
{
    const struct json *after = json_field(obj, "after"), *source = json_field(obj, "source");
    s->takes = source && json_kind(source) == JSON_IS_TEXT;
    if (s->takes && !(s->needs[s->need_count++] = arena_text(a, json_text(source))))
        return ERR_NOMEM;
    for (size_t i = 0; after && i < json_count(after) && s->need_count < GRAPH_NEEDS_MAX; i++) {
        const struct json *item = json_at(after, i);
        if (json_kind(item) == JSON_IS_TEXT && !(s->needs[s->need_count++] = arena_text(a, json_text(item))))
            return ERR_NOMEM;
    }
    return ERR_OK;
}

static enum err read_stage(const struct json *obj, struct arena *a, struct graph_stage *s)
{
    enum err e;
    if ((e = text_of(obj, "batch", a, &s->batch)) != ERR_OK ||
        (e = text_of(obj, "name", a, &s->name)) != ERR_OK ||
        (e = text_of(obj, "app", a, &s->app)) != ERR_OK ||
        (e = text_of(obj, "state", a, &s->state)) != ERR_OK ||
        (e = text_of(obj, "kind", a, &s->kind)) != ERR_OK || (e = text_of(obj, "why", a, &s->why)) != ERR_OK)
        return e;
    s->units = number_of(obj, "units");
    s->leased = number_of(obj, "leased");
    s->accepted = number_of(obj, "accepted");
    s->failed = number_of(obj, "failed");
    return read_needs(obj, a, s);
}

static struct graph_stage *find(const struct graph_drawing *g, const char *batch)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (str_eq(g->stages[i].batch, batch))
            return &g->stages[i];
    return NULL;
}

/* A stage names older batches only, and they come by age, so one pass is enough. */
static void set_depths(struct graph_drawing *g)
{
    for (uint32_t i = 0; i < g->count; i++)
        for (uint32_t k = 0; k < g->stages[i].need_count; k++) {
            const struct graph_stage *need = find(g, g->stages[i].needs[k]);
            if (need && need->depth + 1 > g->stages[i].depth)
                g->stages[i].depth = need->depth + 1;
        }
}

static int by_depth(const void *x, const void *y)
{
    const struct graph_stage *a = x, *b = y;
    long long p = strtoll(a->batch, NULL, 10), q = strtoll(b->batch, NULL, 10);
    return a->depth != b->depth ? (a->depth > b->depth) - (a->depth < b->depth) : (p > q) - (p < q);
}

enum err graph_read(const struct json *reply, struct arena *a, struct graph_drawing *ret)
{
    const struct json *list;
    struct graph_drawing g = {0};
    enum err e = json_get_array(reply, "reply", "stages", STAGES_MAX, &list);
    if (e == ERR_OK)
        e = text_of(reply, "graph", a, &g.graph);
    if (e == ERR_OK && !(g.stages = arena_array(a, json_count(list) + 1, sizeof *g.stages)))
        e = ERR_NOMEM;
    for (size_t i = 0; e == ERR_OK && i < json_count(list); i++) {
        g.stages[g.count] = (struct graph_stage){0};
        e = read_stage(json_at(list, i), a, &g.stages[g.count++]);
    }
    if (e != ERR_OK)
        return e;
    set_depths(&g);
    qsort(g.stages, g.count, sizeof *g.stages, by_depth);
    *ret = g;
    return ERR_OK;
}

/* --- text --- */

static enum err add_how(const struct graph_stage *s, struct buf *out)
{
    enum err e = ERR_OK;
    uint32_t from = 0;
    if (s->takes) {
        e = buf_printf(out, "%s%s %s", s->kind, str_eq(s->kind, "reduce") ? "s" : " of", s->needs[0]);
        from = 1;
    }
    for (uint32_t i = from; e == ERR_OK && i < s->need_count; i++)
        e = buf_printf(out, "%s%s", i > from ? " " : from ? ", after " : "after ", s->needs[i]);
    return e;
}

static enum err add_bar(const struct graph_stage *s, struct buf *out)
{
    char bar[BAR_CHARS + 1];
    int64_t done = s->units > 0 ? s->accepted * BAR_CHARS / s->units : 0;
    int64_t bad = s->units > 0 ? (s->failed * BAR_CHARS + s->units - 1) / s->units : 0;
    for (int64_t i = 0; i < BAR_CHARS; i++)
        bar[i] = i < done ? '#' : i >= BAR_CHARS - bad ? 'x' : '.';
    bar[BAR_CHARS] = '\0';
    return buf_printf(out, "[%s] %" PRId64 "/%" PRId64, bar, s->accepted, s->units);
}

static enum err add_line(const struct graph_stage *s, struct buf *out)
{
    BUF_AUTO struct buf how = {0};
    enum err e = add_how(s, &how);
    if (e == ERR_OK)
        e = buf_printf(out, "%*s%s%s %-18s %-9s ", (int)(2 * s->depth), "", s->depth ? "> " : "", s->batch,
                       s->name[0] ? s->name : s->app, s->state);
    if (e == ERR_OK)
        e = add_bar(s, out);
    if (e == ERR_OK && s->leased)
        e = buf_printf(out, ", %" PRId64 " out", s->leased);
    if (e == ERR_OK && s->failed)
        e = buf_printf(out, ", %" PRId64 " failed", s->failed);
    if (e == ERR_OK && how.len)
        e = buf_printf(out, "  %s", buf_text(&how));
    if (e == ERR_OK && s->why[0])
        e = buf_printf(out, "\n%*s  (%s)", (int)(2 * s->depth), "", s->why);
    return e == ERR_OK ? buf_add_text(out, "\n") : e;
}

enum err graph_draw_text(const struct graph_drawing *g, struct buf *out)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < g->count; i++)
        e = add_line(&g->stages[i], out);
    return e;
}

/* --- DOT and SVG --- */

static const char *color_of(const struct graph_stage *s)
{
    return s->failed || str_eq(s->state, "cancelled") ? "#f4c7c3"
           : str_eq(s->state, "done")                 ? "#c8e6c9"
           : s->accepted || s->leased                 ? "#fff3c4"
                                                      : "#eceff1";
}

static enum err add_escaped(const char *text, bool xml, struct buf *out)
{
    enum err e = ERR_OK;
    for (; *text && e == ERR_OK; text++) {
        const char *as = *text == '&' && xml   ? "&amp;"
                         : *text == '<' && xml ? "&lt;"
                         : *text == '>' && xml ? "&gt;"
                                               : NULL;
        if (*text == '"')
            as = xml ? "&quot;" : "\\\"";
        if (*text == '\\' && !xml)
            as = "\\\\";
        e = as ? buf_add_text(out, as) : buf_add(out, text, 1);
    }
    return e;
}

enum err graph_draw_dot(const struct graph_drawing *g, struct buf *out)
{
    enum err e =
        buf_printf(out, "digraph graph_%s {\n  rankdir=TB;\n  node [shape=box, style=filled];\n", g->graph);
    for (uint32_t i = 0; e == ERR_OK && i < g->count; i++) {
        const struct graph_stage *s = &g->stages[i];
        e = buf_printf(out, "  b%s [label=\"%s ", s->batch, s->batch);
        if (e == ERR_OK)
            e = add_escaped(s->name[0] ? s->name : s->app, false, out);
        if (e == ERR_OK)
            e = buf_printf(out,
                           "\\n%s %" PRId64 "/%" PRId64 ", %" PRId64 " out, %" PRId64
                           " failed\", fillcolor=\"%s\"];\n",
                           s->state, s->accepted, s->units, s->leased, s->failed, color_of(s));
        for (uint32_t k = 0; e == ERR_OK && k < s->need_count; k++)
            e = buf_printf(out, "  b%s -> b%s [label=\"%s\"];\n", s->needs[k], s->batch,
                           k == 0 && s->takes ? s->kind : "after");
    }
    return e == ERR_OK ? buf_add_text(out, "}\n") : e;
}

struct spot {
    uint32_t x, y;
};

/* Each depth is a row, its stages from left to right. */
static struct spot spot_of(const struct graph_drawing *g, uint32_t at)
{
    uint32_t column = 0;
    for (uint32_t i = 0; i < at; i++)
        column += g->stages[i].depth == g->stages[at].depth;
    return (struct spot){MARGIN + column * (BOX_WIDTH + GAP_X),
                         MARGIN + g->stages[at].depth * (BOX_HEIGHT + GAP_Y)};
}

static enum err add_box(const struct graph_stage *s, struct spot p, struct buf *out)
{
    enum err e = buf_printf(
        out,
        "<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" stroke=\"#455a64\"/>\n"
        "<text x=\"%u\" y=\"%u\" font-weight=\"bold\">%s ",
        p.x, p.y, BOX_WIDTH, BOX_HEIGHT, color_of(s), p.x + 8, p.y + 18, s->batch);
    if (e == ERR_OK)
        e = add_escaped(s->name[0] ? s->name : s->app, true, out);
    return e != ERR_OK ? e
                       : buf_printf(out,
                                    "</text>\n<text x=\"%u\" y=\"%u\">%s %" PRId64 "/%" PRId64 "</text>\n"
                                    "<text x=\"%u\" y=\"%u\">%" PRId64 " out, %" PRId64 " failed</text>\n",
                                    p.x + 8, p.y + 36, s->state, s->accepted, s->units, p.x + 8, p.y + 54,
                                    s->leased, s->failed);
}

static enum err add_edges(const struct graph_drawing *g, uint32_t at, struct buf *out)
{
    enum err e = ERR_OK;
    const struct graph_stage *s = &g->stages[at];
    struct spot to = spot_of(g, at);
    for (uint32_t k = 0; k < s->need_count && e == ERR_OK; k++) {
        const struct graph_stage *need = find(g, s->needs[k]);
        if (!need)
            continue;
        struct spot from = spot_of(g, (uint32_t)(need - g->stages));
        uint32_t x1 = from.x + BOX_WIDTH / 2, y1 = from.y + BOX_HEIGHT, x2 = to.x + BOX_WIDTH / 2;
        e = buf_printf(out,
                       "<path d=\"M%u %u L%u %u\" stroke=\"#455a64\" marker-end=\"url(#a)\"/>\n"
                       "<text x=\"%u\" y=\"%u\" fill=\"#455a64\">%s</text>\n",
                       x1, y1, x2, to.y - 4, (x1 + x2) / 2 + 6, (y1 + to.y) / 2,
                       k == 0 && s->takes ? s->kind : "after");
    }
    return e;
}

enum err graph_draw_svg(const struct graph_drawing *g, struct buf *out)
{
    uint32_t width = 0, height = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        struct spot p = spot_of(g, i);
        width = p.x > width ? p.x : width;
        height = p.y > height ? p.y : height;
    }
    enum err e = buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" "
        "font-size=\"13\">\n<defs><marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" "
        "refY=\"4\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#455a64\"/></marker></defs>\n",
        width + BOX_WIDTH + MARGIN, height + BOX_HEIGHT + MARGIN);
    for (uint32_t i = 0; e == ERR_OK && i < g->count; i++)
        e = add_edges(g, i, out);
    for (uint32_t i = 0; e == ERR_OK && i < g->count; i++)
        e = add_box(&g->stages[i], spot_of(g, i), out);
    return e == ERR_OK ? buf_add_text(out, "</svg>\n") : e;
}
