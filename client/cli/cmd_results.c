/* cmd_results.c - `dugnad results`: downloads a batch's answers, as they come with --follow */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/provenance.h"
#include "client/cli/results.h"
#include "client/cli/results_table.h"
#include "client/cli/show.h"

enum { PAGE_ITEMS = 500, FOLLOW_WAIT_S = 25, PROVED_UNITS_MAX = 100000 };

static const struct cli_option options[] = {
    {"out", 'o', "DIR", "the folder; default: results-BATCH", NULL, false},
    {"follow", 'f', NULL, "wait for what is not done yet, until the batch is complete", NULL, false},
    {"name", 0, "PATTERN",
     "where each file goes: {unit} {index} {path} {} {name} {stem} and the unit's variables", NULL, false},
    {"flat", 0, NULL, "all files in one folder: the same as --name '{index}-{path}'", NULL, false},
    {"merge", 'm', "FILE", "then put all answers into one file, in the order of the units", NULL, false},
    {"merge-path", 0, "PATH", "with --merge: this output of each unit; default: the only one", NULL, false},
    {"header", 0, NULL, "with --merge: each answer begins with a header, which is wanted once", NULL, false},
    {"only", 0, "PATH", "fetch only this output; the others are listed", NULL, true},
    {"no-provenance", 0, NULL, "leave out the file that proves how the batch came to its answers", NULL,
     false},
    {"list", 0, NULL, "only print what is there, one JSON object a line, and fetch nothing", NULL, false},
};

/* One page; *ret_items is how many it had. */
static enum err page(struct cli *c, const char *batch, int64_t after, bool wait, struct json_doc **ret_doc,
                     const struct json **ret_items)
{
    char path[200];
    snprintf(path, sizeof path, "/v1/batches/%s/results?after=%lld&limit=%d&wait_s=%d", batch,
             (long long)after, PAGE_ITEMS, wait ? FOLLOW_WAIT_S : 0);
    enum err e = api_get(c, path, ret_doc);
    return e == ERR_OK ? json_get_array(json_root(*ret_doc), "reply", "items", JSON_VALUES_MAX, ret_items)
                       : e;
}

static bool is_complete(const struct json_doc *doc)
{
    return json_is_set(json_field(json_root(doc), "complete"));
}

static void show_state(struct show_bar *bar, const struct results *r)
{
    char text[128], size[32];
    str_from_bytes(r->bytes, size, sizeof size);
    snprintf(text, sizeof text, "%llu answers, %s, %llu failed units", (unsigned long long)r->accepted, size,
             (unsigned long long)r->failed);
    uint64_t here = r->accepted + r->failed;
    show_bar_draw(bar, r->units ? (double)here / (double)r->units : -1, text, clock_mono_ms());
}

static enum err take_page(struct results *r, const struct json *items, struct show_bar *bar)
{
    enum err e = results_prefetch(r, items);
    for (size_t i = 0; i < json_count(items) && e == ERR_OK; i++) {
        e = results_take(r, json_at(items, i));
        if (bar->tty)
            show_state(bar, r);
    }
    if (json_count(items) == 0)
        return e;
    char *why = e == ERR_OK ? NULL : arena_text(&r->cli->arena, err_text());
    enum err saved = results_save(r); /* what came is kept even if the rest could not be */
    return e == ERR_OK ? saved : err_set(e, "%s", why ? why : "");
}

/* The lists know of files that a purge has removed. */
static enum err say_purged(struct cli *c, const char *batch, enum err e)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char path[64], *why = arena_text(&c->arena, err_text());
    snprintf(path, sizeof path, "/v1/batches/%s", batch);
    if (api_get(c, path, &doc) == ERR_OK && json_is_set(json_field(json_root(doc), "purged_files")))
        return err_set(e, "batch %s was purged: the files of its answers are gone", batch);
    return err_set(e, "%s", why ? why : "");
}

static enum err fetch(struct results *r, bool follow)
{
    struct show_bar bar;
    size_t count;
    enum err e;
    show_bar_init(&bar, r->cli);
    (void)!api_batch_units(r->cli, r->batch, &r->units); /* for the bar alone */
    do {
        JSON_AUTO struct json_doc *doc = NULL;
        const struct json *items;
        int64_t before = r->after;
        if ((e = page(r->cli, r->batch, r->after, follow, &doc, &items)) != ERR_OK)
            break;
        count = json_count(items);
        e = take_page(r, items, &bar);
        r->complete = is_complete(doc);
        if (e == ERR_OK && count > 0 && r->after <= before)
            e = err_set(ERR_CORRUPT, "the server sends the same results again and again");
        show_state(&bar, r);
    } while (e == ERR_OK && (count > 0 || follow) && !(r->complete && count == 0));
    show_bar_end(&bar);
    return e;
}

static enum err tell(struct results *r)
{
    struct cli *c = r->cli;
    if (r->failed > 0)
        c->status = CLI_STATUS_FAILED;
    if (c->json) {
        fprintf(c->out,
                "{\"batch\":\"%s\",\"accepted\":%llu,\"failed\":%llu,\"bytes\":%llu,\"complete\":%s}\n",
                r->batch, (unsigned long long)r->accepted, (unsigned long long)r->failed,
                (unsigned long long)r->bytes, r->complete ? "true" : "false");
        return ERR_OK;
    }
    fprintf(c->out, "%s\n", r->folder);
    cli_say(c, "%llu answer%s, %llu unit%s failed%s (%s/%s has a line for each)",
            (unsigned long long)r->accepted, r->accepted == 1 ? "" : "s", (unsigned long long)r->failed,
            r->failed == 1 ? "" : "s",
            r->complete ? ": all there are" : " so far: the same command again goes on", r->folder,
            RESULTS_LIST_FILE);
    return ERR_OK;
}

static enum err list_all(struct cli *c, const char *batch, bool follow)
{
    int64_t after = 0;
    bool complete = false;
    size_t count = 0;
    enum err e;
    do {
        JSON_AUTO struct json_doc *doc = NULL;
        const struct json *items;
        e = page(c, batch, after, follow, &doc, &items);
        count = e == ERR_OK ? json_count(items) : 0;
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            int64_t seq = json_int(json_field(json_at(items, i), "seq"), after);
            e = seq > after ? show_json(c, json_at(items, i))
                            : err_set(ERR_CORRUPT, "the server's results are not in order");
            after = seq;
        }
        fflush(c->out);
        complete = e == ERR_OK && is_complete(doc);
    } while (e == ERR_OK && (count > 0 || follow) && !(complete && count == 0));
    return e;
}

static enum err choose(struct results *r, const struct args *a)
{
    uint32_t count = args_count(a, "only");
    const char **list = arena_array(&r->cli->arena, count + 1, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    for (r->only_count = 0; r->only_count < count; r->only_count++)
        list[r->only_count] = args_each(a, "only", r->only_count);
    r->only = list;
    return ERR_OK;
}

static enum err merge(const struct results *r, const struct args *a)
{
    struct results_merge m = {.folder = r->folder,
                              .pattern = r->pattern,
                              .path = args_text(a, "merge-path", NULL),
                              .to = args_text(a, "merge", NULL),
                              .header = args_flag(a, "header"),
                              .units = r->units};
    return results_table_merge(&m);
}

/* Beside the answers, once all are there: what dugnad verify needs. Answers without it are answers all the
 * same. */
static enum err prove(struct results *r, bool came)
{
    char path[4096];
    uint64_t batch;
    enum err e = file_join(path, sizeof path, r->folder, RESULTS_PROOF_FILE);
    if (e != ERR_OK || !r->complete || (!came && file_exists(path)))
        return e;
    if ((e = str_to_u64(r->batch, INT32_MAX, &batch)) != ERR_OK)
        return e;
    if (r->accepted + r->failed > PROVED_UNITS_MAX)
        cli_say(r->cli, "its provenance is large: dugnad provenance %s --out FILE fetches it", r->batch);
    else if (provenance_save(r->cli, batch, path) != ERR_OK)
        cli_say(r->cli, "the provenance could not be had (%s): dugnad provenance %s --out FILE tries again",
                err_text(), r->batch);
    return ERR_OK;
}

static enum err run_cmd_results(struct cli *c, const struct args *a)
{
    uint64_t number;
    char folder[64];
    const char *batch = a->words[0];
    if (str_to_u64(batch, INT32_MAX, &number) != ERR_OK || number == 0)
        return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them", batch);
    if (args_flag(a, "list"))
        return list_all(c, batch, args_flag(a, "follow"));
    if (args_flag(a, "flat") && args_flag(a, "name"))
        return err_set(ERR_INVALID, "--flat is a --name of its own: give one of them");
    snprintf(folder, sizeof folder, "results-%s", batch);
    struct results r = {.cli = c,
                        .batch = batch,
                        .folder = args_text(a, "out", folder),
                        .pattern =
                            args_text(a, "name", args_flag(a, "flat") ? "{index}-{path}" : "{unit}/{path}")};
    enum err checked = results_pattern_check(r.pattern);
    if (checked != ERR_OK)
        return checked;
    if (!args_flag(a, "merge") && (args_flag(a, "merge-path") || args_flag(a, "header")))
        return err_set(ERR_INVALID,
                       "--merge-path and --header say how --merge FILE puts the answers together");
    enum err e = choose(&r, a);
    if (e == ERR_OK)
        e = results_open(&r);
    int64_t before = r.after;
    if (e == ERR_OK)
        e = fetch(&r, args_flag(a, "follow"));
    if (e == ERR_MISSING)
        e = say_purged(c, batch, e);
    if (e == ERR_OK)
        e = results_table_csv(r.folder);
    if (e == ERR_OK && args_flag(a, "merge"))
        e = merge(&r, a);
    if (e == ERR_OK && !args_flag(a, "no-provenance"))
        e = prove(&r, r.after > before);
    if (e == ERR_OK)
        e = tell(&r);
    if (e == ERR_OK && args_flag(a, "merge") && !c->json)
        cli_say(c, "%s has them one after the other", args_text(a, "merge", ""));
    return e;
}

CLI_COMMAND(
    cmd_results, "results", "BATCH", "download the answers of a batch",
    "Each output goes to DIR/UNIT/PATH, and DIR/results.ndjson gets a line for each unit, results.csv a row, "
    "and when all\n"
    "are there provenance.ndjson proves them (dugnad verify). Called again it goes on where it was. Every "
    "file is checked against its digest. Ends with status 1 when units have failed.\n\n"
    "  dugnad results 7 --out hits --name '{}.txt' --follow\n"
    "  dugnad results 7 --merge all.csv --header",
    options, 1, 1, false);
