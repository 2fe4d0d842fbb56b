/* graph_unit.c - a unit's spec, made of answers of the stage before */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "server/answer_input.h"
#include "server/graph_in.h"
#include "server/try.h"
#include "wire/answer.h"
#include "wire/answer_route.h"

#define ORDER_VARIABLE "order"
enum { ORDER_BYTES_MAX = 100 };

struct draft {
    struct variable vars[VARIABLES_MAX];
    uint32_t var_count;
    struct file_ref inputs[WU_INPUTS_MAX];
    uint32_t input_count;
};

static enum err add_var(struct draft *d, const char *name, const char *value)
{
    if (!name || !value)
        return ERR_NOMEM;
    if (d->var_count == VARIABLES_MAX)
        return err_set(ERR_LIMIT, "a unit has at most %d variables", VARIABLES_MAX);
    d->vars[d->var_count++] = (struct variable){name, value};
    return ERR_OK;
}

static enum err add_number(struct draft *d, struct arena *a, const char *name, uint32_t n)
{
    char text[16];
    snprintf(text, sizeof text, "%u", n);
    return add_var(d, name, arena_text(a, text));
}

enum err graph_unit_order(struct arena *a, const struct store_unit *u, const char **ret)
{
    JSON_AUTO struct json_doc *spec = NULL;
    char text[16];
    TRY(json_parse(u->spec.data, u->spec.len, WU_SPEC_BYTES_MAX, &spec));
    const struct json *vars = json_field(json_root(spec), "vars");
    const struct json *order = vars ? json_field(vars, ORDER_VARIABLE) : NULL;
    snprintf(text, sizeof text, "%08u", wu_id_index(u->wu.id));
    bool has = order && json_kind(order) == JSON_IS_TEXT && json_text_len(order) < ORDER_BYTES_MAX;
    *ret = arena_text(a, has ? json_text(order) : text);
    return *ret ? ERR_OK : ERR_NOMEM;
}

/* What the unit was asked with; of "" and the order only when `all`. */
static enum err copy_vars(struct draft *d, struct arena *a, const struct store_unit *of, bool all)
{
    JSON_AUTO struct json_doc *spec = NULL;
    const char *key;
    const struct json *value;
    TRY(json_parse(of->spec.data, of->spec.len, WU_SPEC_BYTES_MAX, &spec));
    const struct json *vars = json_field(json_root(spec), "vars");
    for (size_t i = 0; vars && json_each(vars, i, &key, &value); i++)
        if (json_kind(value) == JSON_IS_TEXT && !str_eq(key, ORDER_VARIABLE) && (all || key[0]))
            TRY(add_var(d, arena_text(a, key), arena_text(a, json_text(value))));
    return ERR_OK;
}

static enum err read_answer(struct stage_work *w, const struct store_unit *u, struct store_answer *ret)
{
    return answer_input_get(w->config->store, w->a, u->wu.id, &u->wu.attempts[u->wu.canonical].answer, ret);
}

static bool is_wanted(const struct stage_work *w, const struct file_ref *file)
{
    return w->stage.file[0] && !w->every_file ? str_eq(file->path, w->stage.file)
                                              : !str_eq(file->path, ANSWER_ROUTES_PATH);
}

/* folder: "", or what comes before their paths. */
static enum err add_inputs(struct stage_work *w, struct draft *d, const struct store_unit *of,
                           const char *folder)
{
    struct store_answer answer;
    uint32_t took = 0;
    TRY(read_answer(w, of, &answer));
    for (uint32_t i = 0; i < answer.count; i++) {
        const struct file_ref *file = &answer.files[i];
        char path[PATH_BYTES_MAX + 32];
        if (!is_wanted(w, file))
            continue;
        if (d->input_count + w->order.input_count == WU_INPUTS_MAX)
            return err_set(ERR_LIMIT,
                           "a unit has at most %d inputs, its batch's included: name the one file that is "
                           "wanted, or lower fan_in",
                           WU_INPUTS_MAX);
        TRY(answer_input_hold(w->config->blobs, &answer, i, w->holder));
        snprintf(path, sizeof path, "%s%s", folder, file->path);
        struct file_ref *in = &d->inputs[d->input_count++];
        *in = *file;
        in->path = arena_text(w->a, path);
        TRY(in->path ? ERR_OK : ERR_NOMEM);
        took++;
    }
    if (took == 0 && w->stage.file[0] && !w->every_file) {
        char id[ID_TEXT_BYTES];
        wu_id_text(of->wu.id, id);
        return err_set(ERR_INVALID, "the answer of unit %s has no file %.100s", id, w->stage.file);
    }
    return ERR_OK;
}

/* The text of a spec after its unit's id, as struct engine_units wants it. */
static enum err keep(struct stage_work *w, const struct draft *d)
{
    BUF_AUTO struct buf text = {.bytes_max = WU_SPEC_BYTES_MAX};
    struct spec spec = {.unit = wu_id_make(1, 0),
                        .vars = (struct variable *)(uintptr_t)d->vars,
                        .var_count = d->var_count,
                        .inputs = (struct file_ref *)(uintptr_t)d->inputs,
                        .input_count = d->input_count};
    TRY(template_check(w->order.command, w->order.command_count, d->vars, d->var_count));
    TRY(spec_print(&spec, &text));
    const char *tail = strchr(buf_text(&text), ',') + 1;
    struct text *to = &w->specs[w->count];
    to->len = (uint32_t)(text.len - (size_t)(tail - text.data));
    to->data = arena_bytes(w->a, tail, to->len);
    w->count += to->data != NULL;
    return to->data ? ERR_OK : ERR_NOMEM;
}

static enum err draft_new(struct arena *a, struct draft **ret)
{
    *ret = arena_alloc(a, sizeof **ret);
    if (!*ret)
        return ERR_NOMEM;
    **ret = (struct draft){0};
    return ERR_OK;
}

enum err graph_unit_each(struct stage_work *w, const struct store_unit *of)
{
    struct draft *d;
    const char *order;
    TRY(draft_new(w->a, &d));
    TRY(copy_vars(d, w->a, of, true));
    TRY(graph_unit_order(w->a, of, &order));
    TRY(add_var(d, ORDER_VARIABLE, order));
    TRY(add_inputs(w, d, of, ""));
    return keep(w, d);
}

static enum err add_line(struct stage_work *w, const struct store_unit *of, const char *order,
                         const char *line, size_t len, uint32_t number)
{
    struct draft *d;
    char place[ORDER_BYTES_MAX + 16];
    TRY(draft_new(w->a, &d));
    snprintf(place, sizeof place, "%s.%08u", order, number);
    TRY(add_var(d, "", arena_bytes(w->a, line, len)));
    TRY(copy_vars(d, w->a, of, false));
    TRY(add_var(d, ORDER_VARIABLE, arena_text(w->a, place)));
    return keep(w, d);
}

static enum err read_lines(struct stage_work *w, const struct store_unit *of, struct buf *out)
{
    struct store_answer answer;
    TRY(read_answer(w, of, &answer));
    for (uint32_t i = 0; i < answer.count; i++)
        if (is_wanted(w, &answer.files[i]))
            return answer_input_read(w->config->blobs, &answer, i, STAGE_LINES_BYTES_MAX, out);
    char id[ID_TEXT_BYTES];
    wu_id_text(of->wu.id, id);
    return err_set(ERR_INVALID, "the answer of unit %s has no file %.100s", id, w->stage.file);
}

enum err graph_unit_lines(struct stage_work *w, const struct store_unit *of, uint32_t *line, bool *ret_all)
{
    BUF_AUTO struct buf text = {.bytes_max = STAGE_LINES_BYTES_MAX + 1};
    const char *order;
    uint32_t number = 0;
    TRY(graph_unit_order(w->a, of, &order));
    TRY(read_lines(w, of, &text));
    const char *at = buf_text(&text), *end = at + text.len;
    for (; at < end && w->count < w->room; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        if (number >= *line && len > 0)
            TRY(add_line(w, of, order, at, len, number));
        at += len + 1;
    }
    *ret_all = at >= end;
    *line = number;
    return ERR_OK;
}

enum err graph_unit_reduce(struct stage_work *w, const wu_id *of, uint32_t count, uint32_t level, bool last)
{
    struct draft *d;
    char order[16];
    w->every_file = level > 0; /* what the reducing app itself wrote */
    TRY(draft_new(w->a, &d));
    TRY(add_number(d, w->a, "", count));
    TRY(add_number(d, w->a, "level", level));
    TRY(add_var(d, "last", last ? "yes" : "no"));
    snprintf(order, sizeof order, "%08u", (uint32_t)w->batch.counts.units + w->count);
    TRY(add_var(d, ORDER_VARIABLE, arena_text(w->a, order)));
    for (uint32_t i = 0; i < count; i++) {
        struct store_unit u;
        char folder[16];
        TRY(store_unit_get(w->config->store, w->a, of[i], &u));
        if (graph_outcome(&u) != OUTCOME_ACCEPTED)
            return err_set(ERR_CONFLICT, "an answer that is to be reduced is not there any more");
        snprintf(folder, sizeof folder, "in/%03u/", i);
        TRY(add_inputs(w, d, &u, folder));
    }
    return keep(w, d);
}
