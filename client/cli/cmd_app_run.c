/* cmd_app_run.c - `dugnad app run`: a dry run on this machine, in the sandbox that volunteers use */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/app_file.h"
#include "client/cli/commands.h"
#include "client/cli/local.h"
#include "client/cli/parts.h"

static const struct cli_option options[] = {
    {"input", 'i', "FILE[=PATH]", "a file the program reads; files among the words are taken along anyway",
     NULL, true},
    {"stdin", 0, "PATH", "the input that becomes standard input", NULL, false},
    {"out", 'o', "DIR", "where the outputs go; default: here", NULL, false},
    {"force", 0, NULL, "replace outputs that are there", NULL, false},
    {"limit", 'l', "NAME=VALUE", "another limit than the app's", NULL, true},
    {"env", 'e', "NAME=VALUE", "set in the program's environment", NULL, true},
    {"release", 0, "FILE", "the release, when it is not beside the bundle", NULL, false},
};

static bool known(const struct local_job *job, const char *path)
{
    for (uint32_t i = 0; i < job->input_count; i++)
        if (str_eq(job->inputs[i].path, path))
            return true;
    return false;
}

/* The given inputs, then every word that is a file here. */
static enum err find_inputs(struct cli *c, const struct args *a, struct local_job *job)
{
    struct local_input *list =
        arena_array(&c->arena, args_count(a, "input") + a->rest_count + 2, sizeof *list);
    const char *text;
    struct stat st;
    if (!list)
        return ERR_NOMEM;
    job->inputs = list;
    for (uint32_t i = 0; (text = args_each(a, "input", i)); i++) {
        struct local_input *in = &list[job->input_count];
        enum err e = parts_file("input", text, &c->arena, &in->from, &in->path);
        if (e != ERR_OK)
            return e;
        job->input_count++;
    }
    for (uint32_t i = 0; i <= a->rest_count; i++) {
        const char *word = i < a->rest_count ? a->rest[i] : args_text(a, "stdin", NULL);
        if (word && str_is_safe_path(word) && !known(job, word) && stat(word, &st) == 0 &&
            S_ISREG(st.st_mode))
            list[job->input_count++] = (struct local_input){word, word};
    }
    return ERR_OK;
}

/* Where the outputs are; or, as a program that was given another name than its file has says less, what it
 * could read. */
static void tell_files(struct cli *c, const struct local_job *job, const struct local_result *r)
{
    const char *sep = str_eq(job->out_folder, ".") ? "" : "/", *folder = *sep ? job->out_folder : "";
    for (uint32_t i = 0; c->status == 0 && r->output_count > 0 && i < job->manifest->output_count; i++)
        cli_say(c, "%s%s%s", folder, sep, job->manifest->outputs[i].path);
    if (c->status != 0 && r->outcome.end == RUN_END_EXIT)
        cli_say(c, job->input_count ? "the files in its working folder were:"
                                    : "it had no files in its working folder");
    for (uint32_t i = 0; c->status != 0 && r->outcome.end == RUN_END_EXIT && i < job->input_count; i++)
        cli_say(c, "  %s", job->inputs[i].path);
}

static enum err run_cmd_app_run(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf file = {0}, payload = {0};
    char bundle[APP_FILE_PATH_BYTES], beside[APP_FILE_PATH_BYTES] = "";
    struct release r;
    struct local_job job = {.bundle = bundle,
                            .command = a->rest,
                            .command_count = a->rest_count,
                            .stdin_path = args_text(a, "stdin", NULL),
                            .out_folder = args_text(a, "out", "."),
                            .force = args_flag(a, "force")};
    struct variable *env;
    struct local_result *result = arena_alloc(&c->arena, sizeof *result);
    bool is_signed;
    enum err e = app_file_find(a->words[0], args_text(a, "release", NULL), bundle, beside);
    if (e != ERR_OK || !result)
        return result ? e : ERR_NOMEM;
    if ((e = app_file_read(beside, &c->arena, &file, &payload, &is_signed, &r)) != ERR_OK ||
        (e = app_file_check(&r, bundle)) != ERR_OK || (e = parts_limits(a, &job.limits)) != ERR_OK ||
        (e = parts_variables(a, "env", ENV_MAX, &c->arena, &env, &job.env_count)) != ERR_OK ||
        (e = find_inputs(c, a, &job)) != ERR_OK)
        return e;
    job.manifest = &r.manifest;
    job.env = env;
    e = local_run(c, &job, result);
    if (e == ERR_OK && (e = local_tell(c, result)) == ERR_OK && !c->json)
        tell_files(c, &job, result);
    return e;
}

CLI_COMMAND(cmd_app_run, "app run", "BUNDLE", "try a packed app on this machine, in the sandbox",
            "The words after -- are the program's. Files here that they name are copied into its working "
            "folder, and the\n"
            "outputs come back. It ends with status 1 when the program fails or an output is missing.\n\n"
            "  dugnad app run hmmsearch-1 -- globins4.hmm seqs.fa",
            options, 1, 1, true);
