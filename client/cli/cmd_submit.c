/* cmd_submit.c - `dugnad submit`: uploads what is missing, makes the batch, streams its units, goes on after
 * a cut */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/batch_file.h"
#include "client/cli/commands.h"
#include "client/cli/parts.h"
#include "client/cli/submit.h"
#include "client/cli/watch.h"

enum { CHUNK_BYTES = 2 << 20, CHUNK_LINES = 20000, JUMPS_MAX = 10, SHOWN_UNITS = 3 };

static const struct cli_option options[] = {
    {"version", 'v', "N", "the app's version; default: the newest", NULL, false},
    {"name", 'n', "NAME", "what to call the batch", NULL, false},
    {"array", 'a', "A..B[:STEP]", "one unit for each number; {} is the number", NULL, false},
    {"each-line", 0, "FILE", "one unit for each line of a file, - is standard input; {} is the line", NULL,
     false},
    {"glob", 'g', "PATTERN",
     "one unit for each file; {} is its path, {name} and {stem} its name; quote the pattern", NULL, true},
    {"each-file", 0, "PATTERN", "the same as --glob", NULL, true},
    {"from-json", 0, "FILE",
     "one unit for each value of a JSON list, or of each line: {NAME} is a field of it, {} a plain value",
     NULL, false},
    {"from-csv", 0, "FILE",
     "a table cut by rows: one unit for each part, a file rows.csv (or --as); see dugnad results --merge",
     NULL, false},
    {"rows", 0, "N", "with --from-csv: so many rows in each part, below the header", NULL, false},
    {"no-header", 0, NULL, "with --from-csv: the first row is a row like the others", NULL, false},
    {"as", 0, "PATH", "what the file of each unit is called for the program; {} is this then", NULL, false},
    {"sweep", 's', "NAME=A,B,C", "every value (or A..B[:STEP]) with every other; {NAME} is the value", NULL,
     true},
    {"input", 'i', "FILE[=PATH]", "a file for every unit; with {NAME} in it, another for each", NULL, true},
    {"known", 0, "FILE[=PATH]",
     "known answers: where a unit's FILE ({} in it) is there, it is the output PATH of its right answer",
     NULL, true},
    {"stdin", 0, "PATH", "the input that becomes standard input", NULL, false},
    {"env", 'e', "NAME=VALUE", "set in the program's environment", NULL, true},
    {"limit", 'l', "NAME=VALUE", "cpu=1h, wall=2h, memory=1G, disk=1G, output=10M, processes=8", NULL, true},
    {"quorum", 0, "N", "so many equal answers from different owners make one true", NULL, false},
    {"target", 0, "N", "copies handed out at once; default: the quorum", NULL, false},
    {"max-errors", 0, "N", "a unit fails when more copies than this end in error", NULL, false},
    {"max-attempts", 0, "N", "a unit fails when so many copies did not settle it", NULL, false},
    {"max-successes", 0, "N", "a unit fails when so many answers do not agree", NULL, false},
    {"max-failed", 0, "N", "when more units than this have failed, the rest of the batch is cancelled", NULL,
     false},
    {"deadline", 'd', "TIME", "a copy not back after this goes to another host: 1h, 2d", NULL, false},
    {"policy", 0, "WORD", "how answers are made true: once, quorum, adaptive, audit, checker", NULL, false},
    {"audit-share", 0, "X", "adaptive, audit: the share that other hosts check, 0.001 to 1", NULL, false},
    {"escrow", 0, "N", "adaptive, audit: an answer is final when N later ones of its host are in", NULL,
     false},
    {"hold", 0, "TIME", "adaptive, audit: an answer that waits longer is checked in full", NULL, false},
    {"retry", 0, "CAUSE=WAIT[:N]",
     "after a failure of that cause wait so long (doubled each time), and give a unit up after N more tries: "
     "program, limit, host, lost, wrong",
     NULL, true},
    {"reuse", 0, NULL,
     "units that an earlier batch with --reuse answered already (same app, command, inputs, rules) take that "
     "answer",
     NULL, false},
    {"priority", 'p', "N", "higher goes first", NULL, false},
    {"label", 0, "NAME=VALUE", "for finding the batch again", NULL, true},
    {"notify", 0, "URL",
     "https://.. : the server posts there, as JSON, when the batch has finished; mailto:NAME@HOST: it mails",
     NULL, false},
    {"key", 0, "TEXT", "the same key again continues the same submission instead of making another", NULL,
     false},
    {"stream", 0, "NAME", "each answer also goes to this stream: dugnad tail, dugnad consume", NULL, true},
    {"from-stream", 0, "NAME", "one unit for each record of a stream, as they come; {} is the record", NULL,
     false},
    {"records", 0, "N", "with --from-stream: close the batch after so many", NULL, false},
    {"until-batch", 0, "BATCH", "with --from-stream: close it when that batch is done and all is taken", NULL,
     false},
    {"after", 0, "BATCH", "nothing goes out until that batch is done", NULL, true},
    {"for-each", 0, "BATCH", "one unit for each answer of that batch, as they come: its outputs are inputs",
     NULL, false},
    {"for-lines", 0, "BATCH", "one unit for each line of the output --take of its answers; {} is the line",
     NULL, false},
    {"reduce", 0, "BATCH",
     "when that batch is done: its answers as inputs in/000/.., --fan-in at a time, until one is left", NULL,
     false},
    {"take", 0, "FILE", "with --for-each, --for-lines, --reduce: that output alone", NULL, false},
    {"fan-in", 0, "N", "with --reduce: so many answers in one unit, 2 to 60; default: 32", NULL, false},
    {"if-failed", 0, "WORD", "when units it needs have failed: wait (until retried), fail or skip", NULL,
     false},
    {"file", 'f', "FILE",
     "the whole submission from a JSON file: app, command and these options; what is given beside it wins",
     NULL, false},
    {"dry-run", 0, NULL,
     "send nothing: run the first unit here, in the sandbox of the volunteers, and tell what all would take",
     NULL, false},
    {"local", 0, NULL, "send nothing: compute all units on this machine, into the same folder of results",
     NULL, false},
    {"jobs", 'j', "N", "with --local: so many at once; default: one for each core", NULL, false},
    {"out", 'o', "DIR", "with --local: the folder of the results; default: results-local", NULL, false},
    {"bundle", 'b', "BUNDLE", "with --local and --dry-run: this packed app; no server is needed then", NULL,
     false},
    {"watch", 'w', NULL, "then watch the batch until it is done", NULL, false},
};

static void show_progress(struct submit *s, uint64_t done)
{
    BUF_AUTO struct buf text = {0};
    if (show_count(done, &text) == ERR_OK && buf_add_text(&text, " of ") == ERR_OK &&
        show_count(s->units.count, &text) == ERR_OK && buf_add_text(&text, " units sent") == ERR_OK)
        show_bar_draw(&s->bar, (double)done / (double)s->units.count, buf_text(&text), clock_mono_ms());
}

/* Where the server says the list of units ends, from a reply or a conflict; fallback when it does not. */
static uint64_t next_of(const struct buf *body, uint64_t fallback)
{
    JSON_AUTO struct json_doc *doc = NULL;
    if (body->len == 0 || json_parse(buf_text(body), body->len, JSON_BODY_BYTES_MAX, &doc) != ERR_OK)
        return fallback;
    const struct json *root = json_root(doc), *error = json_field(root, "error");
    const struct json *next = json_field(root, "next");
    if (!next && error)
        next = json_field(error, "next");
    int64_t n = next ? json_int(next, -1) : -1;
    return n >= 0 ? (uint64_t)n : fallback;
}

static enum err send_chunk(struct submit *s, const char *batch, uint64_t first, uint64_t count,
                           const struct buf *body, uint64_t *ret_next, bool *ret_jumped)
{
    struct net_reply reply = {0};
    char path[128];
    snprintf(path, sizeof path, "/v1/batches/%s/units?first=%llu", batch, (unsigned long long)first);
    struct net_request request = {.method = "POST",
                                  .url = path,
                                  .content_type = "application/x-ndjson",
                                  .body = buf_text(body),
                                  .body_bytes = body->len};
    enum err e = api_do(s->cli, &request, &reply);
    *ret_jumped = false;
    if (e == ERR_OK) {
        *ret_next = next_of(&reply.body, first + count);
    } else if (e == ERR_CONFLICT && (*ret_next = next_of(&reply.body, UINT64_MAX)) <= s->units.count) {
        *ret_jumped =
            true; /* part of it is there already: after a lost reply, or an earlier try with this key */
        e = ERR_OK;
    }
    net_reply_done(&reply);
    return e;
}

static enum err send_units(struct submit *s, const char *batch)
{
    BUF_AUTO struct buf body = {0};
    uint64_t next = 0;
    uint32_t jumps = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && next < s->units.count) {
        uint64_t first = next, at = next;
        bool jumped = false;
        buf_clear(&body);
        while (e == ERR_OK && at < s->units.count && at - first < CHUNK_LINES && body.len < CHUNK_BYTES)
            e = submit_line(s, at++, true, &body);
        if (e == ERR_OK)
            e = send_chunk(s, batch, first, at - first, &body, &next, &jumped);
        if (e == ERR_OK && jumped && ++jumps > JUMPS_MAX)
            e = err_set(ERR_CONFLICT, "batch %s is being filled by somebody else at the same time", batch);
        if (e == ERR_OK && !jumped && next <= first)
            e = err_set(ERR_CORRUPT, "the server took none of the units from %llu on",
                        (unsigned long long)first);
        show_progress(s, next);
    }
    return e;
}

static enum err upload_shared(struct submit *s)
{
    struct file_ref ref;
    const char *text, *from, *path;
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && (text = args_each(s->args, "input", i)); i++)
        if (!strchr(text, '{') && (e = parts_file("input", text, &s->cli->arena, &from, &path)) == ERR_OK)
            e = submit_file(s, from, true, &ref);
    return e;
}

/* *ret_batch lives in the arena. */
static enum err create(struct submit *s, const char *key, const char **ret_batch)
{
    BUF_AUTO struct buf body = {.bytes_max = BATCH_ORDER_BYTES_MAX};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *id = NULL;
    enum err e = batch_request_write(&s->request, &body);
    if (e == ERR_OK)
        e = api_send(s->cli, "POST", "/v1/batches", &body, key, &doc);
    if (e == ERR_OK && !doc)
        e = err_set(ERR_CORRUPT, "the server did not name the new batch");
    if (e == ERR_OK)
        e = json_get_string(json_root(doc), "reply", "batch", ID_TEXT_BYTES, &id);
    if (e == ERR_OK && !(*ret_batch = arena_text(&s->cli->arena, id)))
        e = ERR_NOMEM;
    return e;
}

static enum err close_batch(struct submit *s, const char *batch)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/batches/%s/close", batch);
    return api_send(s->cli, "POST", path, NULL, NULL, NULL);
}

/* A batch takes no more units: all is well when it has those of this submission, which was made before with
 * this key. */
static enum err made_before(struct submit *s, const char *batch)
{
    uint64_t units;
    enum err e = api_batch_units(s->cli, batch, &units);
    if (e != ERR_OK)
        return e;
    if (units != s->units.count)
        return err_set(
            ERR_STALE,
            "batch %s, which has this key, was closed with %llu of %llu units: another --key makes "
            "another batch",
            batch, (unsigned long long)units, (unsigned long long)s->units.count);
    cli_say(s->cli, "batch %s was made with this key before, with all its units", batch);
    return ERR_OK;
}

static enum err send_all(struct submit *s, const char **ret_batch)
{
    char fresh[33];
    const char *key = args_text(s->args, "key", NULL);
    if (!key)
        api_key(fresh);
    enum err e = upload_shared(s);
    if (e == ERR_OK)
        e = create(s, key ? key : fresh, ret_batch);
    if (e == ERR_OK && !s->array && !s->staged && !s->request.from_stream) {
        e = send_units(s, *ret_batch);
        if (e == ERR_OK)
            e = close_batch(s, *ret_batch);
        else if (e == ERR_STALE)
            e = made_before(s, *ret_batch);
    }
    show_bar_end(&s->bar);
    if (e != ERR_OK && e != ERR_STALE && *ret_batch && !s->array)
        err_prefix(e, "batch %s is not complete (the same command with --key %s goes on)", *ret_batch,
                   key ? key : fresh);
    return e;
}

/* The first units as they would be, and how many there are. */
static enum err dry_run(struct submit *s)
{
    BUF_AUTO struct buf body = {0}, lines = {0};
    FILE *out = s->cli->out;
    enum err e = batch_request_write(&s->request, &body);
    uint64_t shown = s->units.count < SHOWN_UNITS ? s->units.count : SHOWN_UNITS;
    for (uint64_t i = 0; i < shown && e == ERR_OK; i++)
        e = submit_line(s, i, false, &lines);
    if (e != ERR_OK)
        return e;
    if (s->cli->json) {
        fprintf(out, "{\"units\":%llu,\"request\":%s,\"first\":[", (unsigned long long)s->units.count,
                buf_text(&body));
        for (const char *at = buf_text(&lines); *at; at += strcspn(at, "\n") + 1)
            fprintf(out, "%s%.*s", at == lines.data ? "" : ",", (int)strcspn(at, "\n"), at);
        fputs("]}\n", out);
        return submit_try(s);
    }
    fprintf(out, "%llu units of %s; nothing was sent. The request:\n  %s\nThe first units:\n",
            (unsigned long long)s->units.count, s->request.app, buf_text(&body));
    show_block(out, buf_text(&lines), lines.len, "  ");
    return submit_try(s);
}

/* What its policy costs and lets through; nothing when the server does not say. */
static void tell_price(struct cli *c, const char *batch)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *name;
    double runs, wrong;
    if (buf_printf(&path, "/v1/batches/%s", batch) != ERR_OK || api_get(c, buf_text(&path), &doc) != ERR_OK)
        return;
    const struct json *p = json_field(json_root(doc), "policy");
    if (!p || json_get_string(p, "policy", "name", 16, &name) != ERR_OK ||
        json_get_real(p, "policy", "runs_expected", 0, 1e6, &runs) != ERR_OK ||
        json_get_real(p, "policy", "wrong_at_most", 0, 1, &wrong) != ERR_OK)
        return;
    bool trusts = strcmp(name, "adaptive") == 0 || strcmp(name, "audit") == 0;
    const char *at_first = trusts ? ", twice where a host is new" : "";
    if (wrong > 0)
        cli_say(
            c,
            "policy %s: each unit is run about %.2f times%s; with 5 %% liars at their best, at most %.2g %% "
            "of what is accepted is wrong",
            name, runs, at_first, wrong * 100);
    else
        cli_say(c,
                "policy %s: each unit is run about %.2f times%s; what is accepted is as right as the app's "
                "checker",
                name, runs, at_first);
}

static bool uses_variables(const struct submit *s)
{
    for (uint32_t i = 0; i < s->request.command_count; i++)
        if (strchr(s->request.command[i], '{'))
            return true;
    return s->template_count > 0 || s->units.kind == UNITS_FILES || s->units.csv_folder[0];
}

/* A slip that costs a whole batch: nothing that a unit is given says which one it is. */
static void warn_of_equals(const struct submit *s)
{
    if (s->units.count > 1 && !uses_variables(s))
        cli_say(s->cli,
                "all %llu units are the same: no word after -- has {} or {NAME}, and no --input has; dugnad "
                "cancel takes "
                "the batch back",
                (unsigned long long)s->units.count);
}

static enum err submit_all(struct submit *s)
{
    const char *batch = NULL;
    struct cli *c = s->cli;
    if (s->staged && (args_flag(s->args, "dry-run") || args_flag(s->args, "local")))
        return err_set(
            ERR_INVALID,
            "what another batch's answers give is not known here: leave --dry-run and --local out");
    if (args_flag(s->args, "dry-run"))
        return dry_run(s);
    if (args_flag(s->args, "local") && s->known_templates)
        return err_set(ERR_INVALID,
                       "--known is how a project finds out wrong hosts: leave it out with --local");
    if (args_flag(s->args, "local"))
        return submit_local(s);
    if (args_flag(s->args, "bundle") || args_flag(s->args, "jobs") || args_flag(s->args, "out"))
        return err_set(
            ERR_INVALID,
            "--bundle, --jobs and --out are for --local and --dry-run: a batch uses the published app");
    BUF_AUTO struct buf first = {0};
    enum err e =
        s->request.from_stream || s->staged
            ? ERR_OK
            : submit_line(s, 0, false,
                          &first); /* what is wrong with every unit is better told before any upload */
    if (e == ERR_OK)
        e = send_all(s, &batch);
    if (e != ERR_OK)
        return e;
    fprintf(c->out, c->json ? "{\"batch\":\"%s\"}\n" : "%s\n", batch);
    fflush(c->out);
    if (s->request.from_stream)
        cli_say(c, "batch %s takes the records of %s as units; dugnad close %s ends that", batch,
                s->request.from_stream, batch);
    else if (s->staged)
        cli_say(c, "batch %s gets its units from the answers of batch %u; dugnad graph %s, dugnad watch %s",
                batch, s->request.stage.source, batch, batch);
    else
        cli_say(c, "batch %s: %llu unit%s; dugnad watch %s, dugnad results %s --out DIR", batch,
                (unsigned long long)s->units.count, s->units.count == 1 ? "" : "s", batch, batch);
    warn_of_equals(s);
    if (s->known_templates && s->known_units == 0)
        cli_say(c, "no unit's answer is known: none of the files that --known names is there");
    else if (s->known_templates)
        cli_say(c, "the right answers of %llu of these units are known", (unsigned long long)s->known_units);
    if (!c->quiet && !c->json)
        tell_price(c, batch);
    return args_flag(s->args, "watch") ? watch_batch(c, batch, 0, true) : ERR_OK;
}

static enum err run_cmd_submit(struct cli *c, const struct args *a)
{
    struct submit *s = arena_alloc(&c->arena, sizeof *s);
    struct args both;
    const char *file = args_text(a, "file", NULL);
    if (!s)
        return ERR_NOMEM;
    enum err e = file ? batch_file_args(file, a, &c->arena, &both) : ERR_OK;
    if (file)
        a = &both;
    if (e == ERR_OK && a->word_count == 0)
        e = err_set(ERR_INVALID, "dugnad submit needs an app: dugnad app ls lists them");
    if (e != ERR_OK)
        return e;
    e = submit_open(s, c, a);
    if (e == ERR_OK)
        e = submit_all(s);
    submit_done(s);
    return e;
}

CLI_COMMAND(cmd_submit, "submit", "[APP]", "compute one command over many units of work",
            "The words after -- follow the app's entry; {} and {NAME} are filled in for each unit, {{ and }} "
            "are braces. No\n"
            "shell is involved. Files are uploaded once, whatever their names. Prints the batch's number.\n\n"
            "  dugnad submit pi --array 1..100 -- 1000000 {}\n"
            "  dugnad submit fit --from-csv points.csv --rows 12500 -- rows.csv\n"
            "  dugnad submit --file batch.json\n"
            "  dugnad submit counts --reduce 7 --take counts.tsv -- --merge\n"
            "  dugnad submit hmmsearch --glob 'seqs/*.fa' --input globins4.hmm -- globins4.hmm {}\n"
            "  dugnad submit check --from-stream prime --until-batch 7 -- --number {}\n"
            "  dugnad submit fit --each-line params.txt --sweep seed=1..5 -- --params {} --seed {seed}",
            options, 0, 1, true);
