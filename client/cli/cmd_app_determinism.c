/* cmd_app_determinism.c - `dugnad app check-determinism`: does a program give the same bytes every time, and
 * what must hosts have in common so that they agree? */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/app_file.h"
#include "client/cli/commands.h"
#include "client/cli/local.h"
#include "client/cli/parts.h"

enum { PATH_ROOM = 4096 };

static const struct cli_option options[] = {
    {"input", 'i', "FILE[=PATH]", "a file that the program needs", NULL, true},
    {"release", 0, "FILE", "the release, when it is not beside the bundle", NULL, false},
};

/* What is different from the first run, one thing at a time. */
static const struct variant {
    const char *name;
    const char *variable, *value; /* of the environment; NULL: none */
    bool one_core;
    const char *class; /* that hosts must share if this matters; NULL: no class helps */
    const char *advice;
} variants[] = {
    {"as it is", NULL, NULL, false, NULL, NULL},
    {"again", NULL, NULL, false, NULL,
     "it is not the same twice on one machine: it uses the time, random numbers or the order of threads. Fix "
     "that, or "
     "compare with numeric: or validator:"},
    {"with other rubbish in fresh memory", "MALLOC_PERTURB_", "165", false, NULL,
     "it reads memory that it has never written: a bug, look for it with valgrind"},
    {"on one core", NULL, NULL, true, NULL,
     "it depends on the number of cores: sum in a fixed order, or compare with numeric:"},
    {"without AVX and FMA in the C library", "GLIBC_TUNABLES",
     "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX2_Usable,-AVX,-FMA,-FMA_Usable,-FMA4,-SSE4_2,-SSE4_1", false, "cpu",
     "it depends on what the processor can do: give --class cpu when packing, so that only like processors "
     "are compared; "
     "or link it statically with -ffp-contract=off, or compare with numeric:"},
};
enum { AGAIN = 1, VARIANTS = sizeof variants / sizeof *variants };

struct finding {
    bool same;
};

static enum err digest_outputs(const struct manifest *m, const char *folder, struct digest *ret)
{
    struct hash *h = hash_new();
    char path[PATH_ROOM];
    struct digest d;
    uint64_t bytes;
    enum err e = h ? ERR_OK : err_set(ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < m->output_count && e == ERR_OK; i++) {
        if ((e = file_join(path, sizeof path, folder, m->outputs[i].path)) != ERR_OK)
            break;
        e = hash_file(path, &d, &bytes);
        if (e == ERR_MISSING && m->outputs[i].optional) {
            memset(&d, 0, sizeof d);
            e = ERR_OK;
        }
        hash_add(h, &d, sizeof d);
    }
    if (e == ERR_OK)
        *ret = hash_end(h);
    hash_free(h);
    return e;
}

/* One core for this process and what it starts; the caller gives the others back. */
static void use_one_core(cpu_set_t *ret_before)
{
    cpu_set_t one;
    CPU_ZERO(ret_before);
    if (sched_getaffinity(0, sizeof *ret_before, ret_before) != 0)
        return;
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, ret_before)) {
            CPU_SET(i, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

static enum err run_variant(struct cli *c, const struct local_job *base, const struct variant *v,
                            struct digest *ret)
{
    char folder[] = "/tmp/dugnad-same-XXXXXX", problem[600];
    struct local_job job = *base;
    struct variable set = {v->variable, v->value};
    struct local_result *r = arena_alloc(&c->arena, sizeof *r);
    cpu_set_t before;
    if (!r || !mkdtemp(folder))
        return r ? err_set_errno(ERR_IO, "cannot make a folder in /tmp") : ERR_NOMEM;
    job.out_folder = folder;
    job.env = v->variable ? &set : NULL;
    job.env_count = v->variable != NULL;
    if (v->one_core)
        use_one_core(&before);
    enum err e = local_run(c, &job, r);
    if (v->one_core)
        (void)sched_setaffinity(0, sizeof before, &before);
    if (e == ERR_OK && (r->outcome.end != RUN_END_OK || r->problem[0]))
        e = err_set(ERR_INVALID, "%s, it ended with %s: %.200s%.200s", v->name, run_end_name(r->outcome.end),
                    r->outcome.message, r->problem);
    if (e == ERR_OK)
        e = digest_outputs(job.manifest, folder, ret);
    snprintf(problem, sizeof problem, "%s", err_text());
    (void)!file_remove_tree(folder);
    return e == ERR_OK ? e : err_set(e, "%s", problem);
}

static enum err tell(struct cli *c, const struct finding *found)
{
    const char *class = "none";
    bool hopeless = false;
    for (int i = 1; i < VARIANTS; i++) {
        if (found[i].same)
            continue;
        if (variants[i].class)
            class = variants[i].class;
        else
            hopeless = true;
    }
    c->status = hopeless ? CLI_STATUS_FAILED : 0;
    if (c->json) {
        fprintf(c->out, "{\"class\":%s%s%s", hopeless ? "" : "\"", hopeless ? "null" : class,
                hopeless ? "" : "\"");
        for (int i = 1; i < VARIANTS; i++)
            fprintf(c->out, ",\"%s\":%s", variants[i].name, found[i].same ? "true" : "false");
        fputs("}\n", c->out);
        return ERR_OK;
    }
    for (int i = 1; i < VARIANTS; i++)
        fprintf(c->out, "%-40s %s\n", variants[i].name, found[i].same ? "the same" : "DIFFERENT");
    /* What differs from run to run tells nothing about the variants after it. */
    int told = found[AGAIN].same ? VARIANTS : AGAIN + 1;
    for (int i = 1; i < told; i++)
        if (!found[i].same)
            fprintf(c->out, "%s: %s.\n", variants[i].name, variants[i].advice);
    if (!found[AGAIN].same)
        fputs("The other lines tell nothing until it is.\n", c->out);
    if (!hopeless && str_eq(class, "none"))
        fputs("No class is needed as far as this machine can tell. Other libraries may round otherwise: a "
              "program that is "
              "linked statically takes its own along.\n",
              c->out);
    return ERR_OK;
}

static enum err run_cmd_app_determinism(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf file = {0}, payload = {0};
    char bundle[APP_FILE_PATH_BYTES], beside[APP_FILE_PATH_BYTES] = "";
    struct release r;
    struct local_job job = {.bundle = bundle, .command = a->rest, .command_count = a->rest_count};
    struct finding found[VARIANTS] = {0};
    struct digest first, d;
    bool is_signed;
    struct local_input *list = arena_array(&c->arena, args_count(a, "input") + 1, sizeof *list);
    enum err e = list ? app_file_find(a->words[0], args_text(a, "release", NULL), bundle, beside) : ERR_NOMEM;
    if (e != ERR_OK || (e = app_file_read(beside, &c->arena, &file, &payload, &is_signed, &r)) != ERR_OK ||
        (e = app_file_check(&r, bundle)) != ERR_OK)
        return e;
    for (uint32_t i = 0; e == ERR_OK && i < args_count(a, "input"); i++)
        e = parts_file("input", args_each(a, "input", i), &c->arena, &list[i].from, &list[i].path);
    job.inputs = list;
    job.input_count = args_count(a, "input");
    job.manifest = &r.manifest;
    for (int i = 0; i < VARIANTS && e == ERR_OK; i++) {
        e = run_variant(c, &job, &variants[i], i == 0 ? &first : &d);
        found[i] = (struct finding){.same = i == 0 || (e == ERR_OK && digest_eq(&first, &d))};
    }
    return e == ERR_OK ? tell(c, found) : e;
}

CLI_COMMAND(
    cmd_app_determinism, "app check-determinism", "BUNDLE",
    "does it give the same answer every time, and on which hosts?",
    "Runs one unit in the sandbox several times, changing one thing at a time. The words after -- are the "
    "program's.\nEnds with status 1 when no class of hosts would help.",
    options, 1, 1, true);
