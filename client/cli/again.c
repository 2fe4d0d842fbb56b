/* again.c - see again.h */
#include "client/cli/again.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/blob.h"
#include "client/cli/local.h"
#include "client/cli/submit.h"
#include "wire/order.h"

enum { PATH_ROOM = 4096 };

struct again {
    struct cli *cli;
    const char *unit;
    struct order order;
    struct variable *vars;
    struct file_ref *inputs, *outputs;
    uint32_t var_count, input_count, output_count;
    bool accepted;
    struct submit_app app;
    char folder[PATH_ROOM]; /* of the inputs; "": not made */
    char made[PATH_ROOM];   /* of the outputs */
    struct local_job job;
    struct local_result result;
};

static enum err read_unit(struct again *w, const struct json *unit)
{
    struct arena *a = &w->cli->arena;
    const struct json *outputs = json_field(unit, "outputs");
    enum err e;
    if ((e = json_get_string(unit, "unit", "unit", ID_TEXT_BYTES, &w->unit)) != ERR_OK ||
        (e = variables_read(unit, "unit", "vars", VARIABLES_MAX, a, &w->vars, &w->var_count)) != ERR_OK ||
        (e = file_refs_read(unit, "unit", "inputs", WU_INPUTS_MAX, a, &w->inputs, &w->input_count)) != ERR_OK)
        return e;
    w->accepted = outputs && json_kind(outputs) == JSON_IS_ARRAY;
    return w->accepted
               ? file_refs_read(unit, "unit", "outputs", WU_OUTPUTS_MAX, a, &w->outputs, &w->output_count)
               : ERR_OK;
}

static enum err read_order(struct again *w)
{
    struct net_reply reply = {0};
    char path[64];
    snprintf(path, sizeof path, "/v1/batches/%.*s/order", (int)strcspn(w->unit, "."), w->unit);
    struct net_request request = {.method = "GET", .url = path};
    enum err e = api_do(w->cli, &request, &reply);
    if (e == ERR_OK) {
        const char *text = arena_bytes(&w->cli->arena, buf_text(&reply.body), reply.body.len);
        e = text ? order_parse(text, reply.body.len, &w->cli->arena, &w->order) : ERR_NOMEM;
    }
    net_reply_done(&reply);
    return e;
}

/* Of the releases that hosts may run it with, the one for this machine. */
static enum err find_app(struct again *w)
{
    for (uint32_t i = 0; i < w->order.release_count; i++) {
        char hex[DIGEST_TEXT_BYTES];
        digest_text(&w->order.releases[i], hex);
        submit_app_done(&w->app);
        w->app = (struct submit_app){0};
        enum err e = submit_app_get(w->cli, w->order.app, hex, &w->app);
        if (e != ERR_OK || str_eq(w->app.release.platform, platform_here()))
            return e;
    }
    return err_set(ERR_MISSING,
                   "%s has no release for %s, this machine: the unit can be run only where one is",
                   w->order.app, platform_here());
}

static enum err fetch_inputs(struct again *w, const struct file_ref *files, uint32_t count,
                             struct local_input *list)
{
    for (uint32_t i = 0; i < count; i++) {
        char hex[DIGEST_TEXT_BYTES], path[PATH_ROOM];
        digest_text(&files[i].sha256, hex);
        enum err e = file_join(path, sizeof path, w->folder, hex);
        if (e == ERR_OK)
            e = blob_get(w->cli, &files[i].sha256, files[i].bytes, path);
        if (e != ERR_OK)
            return err_prefix(e, "input %.200s", files[i].path);
        struct local_input *in = &list[w->job.input_count++];
        *in = (struct local_input){arena_text(&w->cli->arena, path), files[i].path};
        if (!in->from)
            return ERR_NOMEM;
    }
    return ERR_OK;
}

static enum err bring_inputs(struct again *w)
{
    const char *temp = getenv("TMPDIR");
    struct local_input *list =
        arena_array(&w->cli->arena, w->order.input_count + w->input_count + 1, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    snprintf(w->folder, sizeof w->folder, "%.3000s/dugnad-again-XXXXXX", temp && *temp ? temp : "/tmp");
    if (!mkdtemp(w->folder)) {
        w->folder[0] = 0;
        return err_set_errno(ERR_IO, "cannot make a folder in %s", temp && *temp ? temp : "/tmp");
    }
    w->job.inputs = list;
    enum err e = fetch_inputs(w, w->order.inputs, w->order.input_count, list);
    return e == ERR_OK ? fetch_inputs(w, w->inputs, w->input_count, list) : e;
}

static enum err fill_words(struct again *w)
{
    const char **words = arena_array(&w->cli->arena, w->order.command_count + 1, sizeof *words);
    if (!words)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < w->order.command_count; i++) {
        BUF_AUTO struct buf text = {0};
        enum err e = template_fill(w->order.command[i], w->vars, w->var_count, &text);
        if (e != ERR_OK)
            return e;
        if (!(words[i] = arena_text(&w->cli->arena, buf_text(&text))))
            return ERR_NOMEM;
    }
    w->job.command = words;
    w->job.command_count = w->order.command_count;
    return ERR_OK;
}

static enum err run(struct again *w, const char *out)
{
    enum err e = bring_inputs(w);
    if (e == ERR_OK)
        e = fill_words(w);
    if (e == ERR_OK && !out)
        e = file_join(w->made, sizeof w->made, w->folder, "out");
    if (out)
        snprintf(w->made, sizeof w->made, "%.4000s", out);
    if (e == ERR_OK)
        e = file_make_folders(w->made, 0755);
    if (e != ERR_OK)
        return e;
    w->job.bundle = w->app.bundle;
    w->job.manifest = &w->app.release.manifest;
    w->job.limits = w->order.limits;
    w->job.env = w->order.env;
    w->job.env_count = w->order.env_count;
    w->job.stdin_path = w->order.stdin_path;
    w->job.out_folder = w->made;
    cli_say(w->cli, "running unit %s here: %s version %u", w->unit, w->order.app, w->order.version);
    return local_run(w->cli, &w->job, &w->result);
}

static enum err compare(struct again *w, struct buf *out)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < w->output_count; i++) {
        const struct file_ref *o = &w->outputs[i];
        char path[PATH_ROOM];
        struct digest digest;
        uint64_t bytes;
        if ((e = file_join(path, sizeof path, w->made, o->path)) != ERR_OK)
            break;
        bool there = hash_file(path, &digest, &bytes) == ERR_OK;
        if (!there || !digest_eq(&digest, &o->sha256))
            e = buf_printf(out, "%s%s %s", out->len ? ", " : "", o->path, there ? "differs" : "is missing");
    }
    return e;
}

static enum err tell(struct again *w, const char *out)
{
    BUF_AUTO struct buf differences = {0};
    enum err e = local_tell(w->cli, &w->result);
    if (e != ERR_OK || w->result.outcome.end != RUN_END_OK || *w->result.problem)
        return e;
    if (out && !w->cli->json)
        fprintf(w->cli->out, "%s\n", out);
    if (!w->accepted) {
        cli_say(w->cli, "unit %s has no accepted answer to compare it with", w->unit);
        return ERR_OK;
    }
    if ((e = compare(w, &differences)) != ERR_OK)
        return e;
    if (differences.len)
        w->cli->status = CLI_STATUS_FAILED;
    if (w->cli->json)
        fprintf(w->cli->out, "{\"unit\":\"%s\",\"equal\":%s}\n", w->unit, differences.len ? "false" : "true");
    else if (differences.len)
        fprintf(w->cli->out, "another answer than the accepted one: %s\n", buf_text(&differences));
    else
        fprintf(w->cli->out, "the same answer as the accepted one\n");
    return ERR_OK;
}

enum err again_run(struct cli *c, const struct json *unit, const char *out)
{
    struct again *w = arena_alloc(&c->arena, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    memset(w, 0, sizeof *w);
    w->cli = c;
    enum err e = read_unit(w, unit);
    if (e == ERR_OK)
        e = read_order(w);
    if (e == ERR_OK)
        e = find_app(w);
    if (e == ERR_OK)
        e = run(w, out);
    if (e == ERR_OK)
        e = tell(w, out);
    char *why = e == ERR_OK ? NULL : arena_text(&c->arena, err_text());
    enum err cleared = *w->folder ? file_remove_tree(w->folder) : ERR_OK;
    submit_app_done(&w->app);
    return e == ERR_OK ? cleared : err_set(e, "%s", why ? why : "");
}
