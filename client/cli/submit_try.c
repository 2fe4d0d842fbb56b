/* submit_try.c - the first unit of a submission, run here before thousands are sent */
#include <string.h>

#include "client/cli/app_file.h"
#include "client/cli/local.h"
#include "client/cli/parts.h"
#include "client/cli/submit.h"
#include "wire/order.h"

struct first_unit {
    struct variable vars[UNITS_VARS_MAX];
    uint32_t var_count;
    const char *file;
};

static enum err fill(const struct first_unit *u, const char *text, struct arena *a, const char **ret)
{
    BUF_AUTO struct buf out = {0};
    enum err e = template_fill(text, u->vars, u->var_count, &out);
    if (e == ERR_OK && !(*ret = arena_text(a, buf_text(&out))))
        e = ERR_NOMEM;
    return e;
}

static enum err fill_command(const struct submit *s, const struct first_unit *u, struct local_job *job)
{
    uint32_t count = s->request.command_count;
    enum err e = ERR_OK;
    if (!(job->command = arena_array(&s->cli->arena, count + 1, sizeof *job->command)))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count && e == ERR_OK; i++)
        e = fill(u, s->request.command[i], &s->cli->arena, &job->command[i]);
    job->command_count = count;
    return e;
}

static enum err fill_inputs(const struct submit *s, const struct first_unit *u, struct local_job *job)
{
    struct arena *a = &s->cli->arena;
    struct local_input *list = arena_array(a, args_count(s->args, "input") + 1, sizeof *list);
    const char *text, *filled = NULL;
    enum err e = ERR_OK;
    if (!list)
        return ERR_NOMEM;
    if (u->file)
        list[job->input_count++] = (struct local_input){u->file, u->vars[u->var_count - 3].value};
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(s->args, "input", i)); i++) {
        struct local_input *in = &list[job->input_count++];
        e = strchr(text, '{') ? fill(u, text, a, &filled) : ERR_OK;
        if (e == ERR_OK)
            e = parts_file("input", strchr(text, '{') ? filled : text, a, &in->from, &in->path);
    }
    job->inputs = list;
    return e;
}

enum err submit_try(struct submit *s, const char *word)
{
    BUF_AUTO struct buf file = {0}, payload = {0};
    char bundle[APP_FILE_PATH_BYTES], beside[APP_FILE_PATH_BYTES];
    struct arena *a = &s->cli->arena;
    struct local_result *result = arena_alloc(a, sizeof *result);
    struct first_unit u;
    struct release r;
    bool is_signed;
    enum err e;
    if (!result)
        return ERR_NOMEM;
    struct local_job job = {.bundle = bundle,
                            .manifest = &r.manifest,
                            .limits = s->request.limits,
                            .env = s->request.env,
                            .env_count = s->request.env_count,
                            .stdin_path = s->request.stdin_path};
    if ((e = app_file_find(word, NULL, bundle, beside)) != ERR_OK ||
        (e = app_file_read(beside, a, &file, &payload, &is_signed, &r)) != ERR_OK ||
        (e = app_file_check(&r, bundle)) != ERR_OK ||
        (e = units_vars(&s->units, 0, a, u.vars, &u.var_count, &u.file)) != ERR_OK ||
        (e = fill_command(s, &u, &job)) != ERR_OK || (e = fill_inputs(s, &u, &job)) != ERR_OK ||
        (e = local_run(s->cli, &job, result)) != ERR_OK)
        return e;
    return local_tell(s->cli, result);
}
