/* cmd_dead.c - `dugnad dead BATCH`: units that were given up, each with its reason and what its program said
 * last */
#include <string.h>

#include "base/ids.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"

enum { DEAD_DEFAULT = 20, DEAD_MAX = 100000 };

static const struct cli_option options[] = {
    {"limit", 'n', "N", "so many at most; default: 20", NULL, false},
};

struct dead {
    struct cli *c;
    uint64_t shown;
};

static enum err add_text(const struct json *v, const char *before, struct buf *out)
{
    enum err e = ERR_OK;
    if (!v || json_kind(v) == JSON_IS_NULL)
        return e;
    e = buf_add_text(out, before);
    return e == ERR_OK ? show_value(v, SHOW_TEXT, out) : e;
}

/* The last attempt that went wrong; NULL when none did (it was cancelled before any was out). */
static const struct json *last_error(const struct json *unit)
{
    const struct json *list = json_field(unit, "attempts"), *found = NULL;
    for (size_t i = 0; list && i < json_count(list); i++) {
        const struct json *error = json_field(json_at(list, i), "error");
        if (error && json_kind(error) == JSON_IS_TEXT)
            found = json_at(list, i);
    }
    return found;
}

static enum err show_dead(struct cli *c, const struct json *unit)
{
    BUF_AUTO struct buf line = {0};
    const struct json *last = last_error(unit), *attempts = json_field(unit, "attempts");
    enum err e = add_text(json_field(unit, "unit"), "", &line);
    if (e == ERR_OK)
        e = add_text(json_field(unit, "failure"), "  ", &line);
    if (e == ERR_OK)
        e = buf_printf(&line, " after %zu attempts", attempts ? json_count(attempts) : 0);
    if (last) {
        const struct json *told = json_field(last, "stderr");
        if (e == ERR_OK)
            e = add_text(json_field(last, "error"), "; last: ", &line);
        if (e == ERR_OK && json_int(json_field(last, "exit_code"), 0) != 0)
            e = add_text(json_field(last, "exit_code"), ", exit ", &line);
        if (e == ERR_OK)
            e = add_text(json_field(last, "signal"), ", signal ", &line);
        if (e == ERR_OK)
            e = add_text(json_field(last, "message"), ": ", &line);
        fprintf(c->out, "%s\n", buf_text(&line));
        if (told && json_kind(told) == JSON_IS_TEXT)
            show_block(c->out, json_text(told), json_text_len(told), "    ");
    } else {
        fprintf(c->out, "%s\n", buf_text(&line));
    }
    return e;
}

static enum err visit(void *ctx, const struct json *item)
{
    struct dead *d = ctx;
    JSON_AUTO struct json_doc *doc = NULL;
    char path[64];
    const char *id = NULL;
    enum err e = json_get_string(item, "reply", "unit", ID_TEXT_BYTES, &id);
    if (e != ERR_OK)
        return e;
    snprintf(path, sizeof path, "/v1/units/%s", id);
    if ((e = api_get(d->c, path, &doc)) != ERR_OK)
        return e;
    d->shown++;
    return d->c->json ? show_json(d->c, json_root(doc)) : show_dead(d->c, json_root(doc));
}

static enum err run_cmd_dead(struct cli *c, const struct args *a)
{
    struct dead d = {.c = c};
    char path[96];
    uint64_t batch;
    int64_t most;
    enum err e = args_i64(a, "limit", 1, DEAD_MAX, DEAD_DEFAULT, &most);
    if (e != ERR_OK)
        return e;
    if (str_to_u64(a->words[0], INT32_MAX, &batch) != ERR_OK || batch == 0)
        return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them",
                       a->words[0]);
    snprintf(path, sizeof path, "/v1/batches/%llu/units?state=failed", (unsigned long long)batch);
    e = api_pages(c, path, (uint64_t)most, visit, &d);
    if (e != ERR_OK)
        return e;
    if (d.shown == 0)
        cli_say(c, "nothing of batch %llu has failed for good", (unsigned long long)batch);
    else
        cli_say(c, "dugnad retry %llu --dead starts them again; dugnad failures %llu groups all errors",
                (unsigned long long)batch, (unsigned long long)batch);
    return ERR_OK;
}

CLI_COMMAND(cmd_dead, "dead", "BATCH", "units that were given up after too many failures, and why",
            "A unit is given up when more copies than max_error_attempts ended in error, or the attempts ran "
            "out. Each "
            "is shown with\nits last error and the tail of what its program wrote to standard error.",
            options, 1, 1, false);
