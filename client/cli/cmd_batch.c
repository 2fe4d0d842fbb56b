/* cmd_batch.c - `dugnad status|ls|watch|cancel|pause|resume|close|failures|explain|show`: looking at work and
 * steering it */
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"
#include "client/cli/watch.h"
#include "rules/wu_history.h"

#define COUNT(list) (sizeof list / sizeof *list)
#define PURGED                                                                                               \
    "its answers over 4 KiB are gone, inputs that nothing else needs go later (the server's purged_kept, 1 " \
    "hour if not set); numbers and histories stay"

static const struct show_column list_columns[] = {
    {"batch", "Batch", SHOW_TEXT},    {"name", "Name", SHOW_TEXT},    {"app", "App", SHOW_TEXT},
    {"state", "State", SHOW_TEXT},    {"units", "Units", SHOW_COUNT}, {"accepted", "Accepted", SHOW_COUNT},
    {"failed", "Failed", SHOW_COUNT}, {"leased", "Out", SHOW_COUNT},  {"created_ms", "Submitted", SHOW_TIME},
};

static const struct show_column batch_columns[] = {
    {"batch", "batch", SHOW_TEXT},
    {"name", "name", SHOW_TEXT},
    {"app", "app", SHOW_TEXT},
    {"version", "version", SHOW_TEXT},
    {"state", "state", SHOW_TEXT},
    {"units", "units", SHOW_COUNT},
    {"open", "waiting", SHOW_COUNT},
    {"leased", "out at hosts", SHOW_COUNT},
    {"judging", "being compared", SHOW_COUNT},
    {"provisional", "provisional", SHOW_COUNT},
    {"accepted", "accepted, final", SHOW_COUNT},
    {"taken", "taken over", SHOW_COUNT},
    {"failed", "failed", SHOW_COUNT},
    {"delivered", "delivered", SHOW_COUNT},
    {"attempts", "attempts", SHOW_COUNT},
    {"errors", "errors", SHOW_COUNT},
    {"priority", "priority", SHOW_TEXT},
    {"labels", "labels", SHOW_TEXT},
    {"created_ms", "submitted", SHOW_TIME},
    {"finished_ms", "finished", SHOW_TIME},
    {"eta_ms", "to go, about", SHOW_DURATION},
};

static const struct show_column unit_columns[] = {
    {"unit", "unit", SHOW_TEXT},        {"state", "state", SHOW_TEXT},
    {"taken", "taken from", SHOW_TEXT}, {"rest_until_ms", "next try", SHOW_TIME},
    {"failure", "failure", SHOW_TEXT},  {"vars", "variables", SHOW_TEXT},
    {"command", "command", SHOW_TEXT},  {"canonical", "true attempt", SHOW_TEXT},
    {"credit", "credit", SHOW_TEXT},
};

static enum err make_path(struct buf *path, const char *before, const char *id, const char *after)
{
    enum err e = buf_add_text(path, before);
    if (e == ERR_OK)
        e = api_escape(id, path);
    return e == ERR_OK ? buf_add_text(path, after) : e;
}

/* A batch's number; a unit's id is a likely slip. */
static enum err check_batch(const char *text)
{
    uint64_t number;
    wu_id unit;
    if (str_to_u64(text, INT32_MAX, &number) == ERR_OK && number > 0)
        return ERR_OK;
    if (wu_id_parse(text, &unit) == ERR_OK)
        return err_set(ERR_INVALID, "%s is a unit: its batch is %u", text, wu_id_batch(unit));
    return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them", text);
}

static enum err check_unit(const char *text)
{
    wu_id unit;
    if (wu_id_parse(text, &unit) == ERR_OK)
        return ERR_OK;
    return err_set(ERR_INVALID, "'%.60s' is no unit: a unit is BATCH.INDEX such as 7.12", text);
}

/* --- ls, status --- */

static const struct cli_option ls_options[] = {
    {"state", 's', "STATE", "only those in this state", "loading running paused done cancelled", false},
    {"label", 0, "NAME=VALUE", "only those with this label", NULL, false},
    {"app", 'a', "APP", "only those of this app", NULL, false},
    {"search", 0, "TEXT", "only those whose name holds this, in capitals or not", NULL, false},
    {"limit", 'l', "N", "at most so many; default: 100, 0: all", NULL, false},
};

static enum err add_query(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return ERR_OK;
    enum err e = buf_printf(path, "%c%s=", strchr(buf_text(path), '?') ? '&' : '?', name);
    return e == ERR_OK ? api_escape(value, path) : e;
}

static bool is_word_of(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strcspn(at, " ") == len && memcmp(at, word, len) == 0)
            return true;
    return false;
}

static enum err run_cmd_ls(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    int64_t most = 0;
    const char *state = args_text(a, "state", NULL);
    enum err e;
    if (state && !is_word_of(ls_options[0].choose, state))
        return err_set(ERR_INVALID, "'%.40s' is no state of a batch: they are %s", state,
                       ls_options[0].choose);
    if ((e = args_i64(a, "limit", 0, INT32_MAX, 100, &most)) != ERR_OK ||
        (e = buf_add_text(&path, "/v1/batches")) != ERR_OK ||
        (e = add_query(&path, "state", args_text(a, "state", NULL))) != ERR_OK ||
        (e = add_query(&path, "label", args_text(a, "label", NULL))) != ERR_OK ||
        (e = add_query(&path, "app", args_text(a, "app", NULL))) != ERR_OK ||
        (e = add_query(&path, "search", args_text(a, "search", NULL))) != ERR_OK)
        return e;
    return show_list(c, buf_text(&path), list_columns, COUNT(list_columns), (uint64_t)most,
                     "no batch: dugnad submit makes one");
}

CLI_COMMAND(cmd_ls, "ls", "", "list batches, the newest first", NULL, ls_options, 0, 0, false);

/* What its policy costs and lets through: what was expected, and as it has turned out. */
static void tell_policy(struct cli *c, const struct json *p)
{
    double runs, wrong, liars;
    const char *name;
    if (!p || json_get_string(p, "policy", "name", 16, &name) != ERR_OK ||
        json_get_real(p, "policy", "runs_expected", 0, 1e6, &runs) != ERR_OK ||
        json_get_real(p, "policy", "wrong_at_most", 0, 1, &wrong) != ERR_OK ||
        json_get_real(p, "policy", "liars_assumed", 0, 1, &liars) != ERR_OK)
        return;
    fprintf(c->out, "policy %s: expected %.2f runs for an answer, at most %.2g %% wrong with %g %% liars\n",
            name, runs, wrong * 100, liars * 100);
    if (json_get_real(p, "policy", "runs_measured", 0, 1e6, &runs) == ERR_OK &&
        json_get_real(p, "policy", "wrong_measured", 0, 1, &wrong) == ERR_OK &&
        json_get_real(p, "policy", "liars_measured", 0, 1, &liars) == ERR_OK)
        fprintf(c->out,
                "measured: %.2f runs for an answer, at most %.2g %% wrong: by what was found wrong, %.2g %% "
                "lie at "
                "most\n",
                runs, wrong * 100, liars * 100);
}

static enum err run_cmd_status(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    if (a->word_count == 0)
        return show_list(c, "/v1/batches", list_columns, COUNT(list_columns), 20,
                         "no batch: dugnad submit makes one");
    enum err e = check_batch(a->words[0]);
    if (e == ERR_OK)
        e = make_path(&path, "/v1/batches/", a->words[0], "");
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc);
    if (e == ERR_OK)
        e = show_object(c, json_root(doc), batch_columns, COUNT(batch_columns));
    if (e == ERR_OK && !c->json && json_is_set(json_field(json_root(doc), "purged_files")))
        fprintf(c->out, "purged: %s\n", PURGED);
    if (e == ERR_OK && !c->json)
        tell_policy(c, json_field(json_root(doc), "policy"));
    return e;
}

const struct cli_command cmd_status = {.words = "status",
                                       .usage = "[BATCH]",
                                       .summary = "how far a batch is; without a number, the last 20",
                                       .words_max = 1,
                                       .run = run_cmd_status};

/* --- watch --- */

static const struct cli_option watch_options[] = {
    {"timeout", 't', "TIME", "give up after this long, with status 11", NULL, false},
};

static enum err run_cmd_watch(struct cli *c, const struct args *a)
{
    int64_t timeout_ms;
    enum err e = check_batch(a->words[0]);
    if (e == ERR_OK)
        e = args_duration(a, "timeout", 0, &timeout_ms);
    return e == ERR_OK ? watch_batch(c, a->words[0], timeout_ms, false) : e;
}

CLI_COMMAND(cmd_watch, "watch", "BATCH", "show progress until a batch is done",
            "Ends with status 0 when all units are accepted, 1 when some failed or the batch was cancelled.",
            watch_options, 1, 1, false);

/* All of them, one after the other, within one time. */
static enum err run_cmd_wait(struct cli *c, const struct args *a)
{
    int64_t timeout_ms, began_ms = clock_mono_ms();
    enum err e = args_duration(a, "timeout", 0, &timeout_ms);
    for (uint32_t i = 0; i < a->word_count && e == ERR_OK; i++)
        e = check_batch(a->words[i]);
    for (uint32_t i = 0; i < a->word_count && e == ERR_OK; i++) {
        int64_t left_ms = timeout_ms ? timeout_ms - (clock_mono_ms() - began_ms) : 0;
        e = watch_batch(c, a->words[i], timeout_ms && left_ms < 1 ? 1 : left_ms, false);
    }
    return e;
}

CLI_COMMAND(
    cmd_wait, "wait", "BATCH..", "wait until batches are done",
    "Ends with status 0 when all units of all of them are accepted, 1 when some failed or a batch was "
    "cancelled.\n\n"
    "  dugnad wait last && dugnad results last",
    watch_options, 1, UINT32_MAX, false);

/* --- cancel, pause, resume, retry --- */

/* A unit, 7.12, can be cancelled and retried alone. */
static bool is_unit(const char *what, const char *verb)
{
    return strchr(what, '.') && (str_eq(verb, "cancel") || str_eq(verb, "retry"));
}

static enum err do_verb(struct cli *c, const char *what, const char *verb)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    bool unit = is_unit(what, verb);
    enum err e = unit ? check_unit(what) : check_batch(what);
    if (e != ERR_OK || (e = make_path(&path, unit ? "/v1/units/" : "/v1/batches/", what, "/")) != ERR_OK ||
        (e = buf_add_text(&path, verb)) != ERR_OK ||
        (e = api_send(c, "POST", buf_text(&path), NULL, NULL, &doc)) != ERR_OK)
        return e;
    if (c->json && doc)
        return show_json(c, json_root(doc));
    const char *state = doc ? json_text(json_field(json_root(doc), "state")) : NULL;
    cli_say(c, "%s %s: %s", unit ? "unit" : "batch", what,
            str_eq(verb, "purge") ? PURGED
            : state               ? state
                                  : verb);
    return ERR_OK;
}

enum err commands_steer(struct cli *c, const struct args *a)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < a->word_count && e == ERR_OK; i++)
        e = do_verb(c, a->words[i], a->command->words);
    return e;
}

#define VERB(name, word, what, text)                                                                         \
    const struct cli_command name = {.words = word,                                                          \
                                     .usage = what,                                                          \
                                     .summary = text,                                                        \
                                     .words_min = 1,                                                         \
                                     .words_max = UINT32_MAX,                                                \
                                     .run = commands_steer}
VERB(cmd_cancel, "cancel", "BATCH|UNIT..",
     "give a batch or a unit up: what is not done is not done any more, answers that are in stay");
VERB(cmd_pause, "pause", "BATCH..", "hand out nothing more of a batch for now");
VERB(cmd_resume, "resume", "BATCH..", "go on with a paused batch");
VERB(cmd_close, "close", "BATCH..",
     "take no more units into a batch: it is done when those that it has are done");
VERB(cmd_purge, "purge", "BATCH..",
     "make room: remove the files of finished batches for good, answers over 4 KiB now, inputs that nothing "
     "else needs later");

/* --- failures, explain, show --- */

static const struct show_column failure_columns[] = {
    {"error|failure|reason", "Why", SHOW_TEXT},
    {"exit_code", "Status", SHOW_TEXT},
    {"signal", "Signal", SHOW_TEXT},
    {"count", "Attempts", SHOW_COUNT},
    {"unit", "Example", SHOW_TEXT},
    {"message", "Message", SHOW_TEXT},
};

static enum err print_failure(struct cli *c, const struct json *f, size_t number)
{
    BUF_AUTO struct buf head = {0};
    const char *said = json_text(json_field(f, "stderr")), *wrote = json_text(json_field(f, "stdout"));
    for (size_t i = 0; i < COUNT(failure_columns); i++) {
        BUF_AUTO struct buf value = {0};
        const char *key = failure_columns[i].key;
        const struct json *v = json_field(f, i == 0 && !json_field(f, "error") ? "failure"
                                             : i == 0                          ? "error"
                                                                               : key);
        enum err e = show_value(v, failure_columns[i].kind, &value);
        if (e == ERR_OK && value.len > 0)
            e = buf_printf(&head, "%s%s %s", head.len ? ", " : "", failure_columns[i].title, value.data);
        if (e != ERR_OK)
            return e;
    }
    fprintf(c->out, "group %zu: %s\n", number, buf_text(&head));
    if (said && *said)
        show_block(c->out, said, strlen(said), "    ");
    if (wrote && *wrote)
        show_block(c->out, wrote, strlen(wrote), "    > ");
    return ERR_OK;
}

static enum err run_cmd_failures(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *items;
    enum err e;
    if ((e = check_batch(a->words[0])) != ERR_OK ||
        (e = make_path(&path, "/v1/batches/", a->words[0], "/failures")) != ERR_OK ||
        (e = api_get(c, buf_text(&path), &doc)) != ERR_OK)
        return e;
    if (c->json)
        return show_json(c, json_root(doc));
    e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
    if (e == ERR_OK && json_count(items) == 0)
        cli_say(c, "no attempt of batch %s has failed", a->words[0]);
    for (size_t i = 0; e == ERR_OK && i < json_count(items); i++)
        e = print_failure(c, json_at(items, i), i + 1);
    if (e == ERR_OK && json_count(items) > 0)
        cli_say(c, "one group again: dugnad retry %s --group N", a->words[0]);
    return e;
}

const struct cli_command cmd_failures = {.words = "failures",
                                         .usage = "BATCH",
                                         .summary =
                                             "what went wrong, grouped by reason, with an example of each",
                                         .words_min = 1,
                                         .words_max = 1,
                                         .run = run_cmd_failures};

static enum err run_cmd_explain(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0}, text = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    bool unit = strchr(a->words[0], '.') != NULL;
    enum err e = unit ? check_unit(a->words[0]) : check_batch(a->words[0]);
    if (e == ERR_OK)
        e = make_path(&path, unit ? "/v1/units/" : "/v1/batches/", a->words[0], "/explain");
    if (e == ERR_OK)
        e = api_get(c, buf_text(&path), &doc);
    if (e != ERR_OK)
        return e;
    const struct json *root = json_root(doc), *said = json_field(root, "text");
    if (c->json || !said)
        return show_json(c, root);
    if ((e = show_safe(json_text(said), json_text_len(said), true, &text)) == ERR_OK)
        fprintf(c->out, "%s\n", buf_text(&text));
    return e;
}

const struct cli_command cmd_explain = {.words = "explain",
                                        .usage = "BATCH|UNIT",
                                        .summary = "why it is not done yet, in a sentence",
                                        .words_min = 1,
                                        .words_max = 1,
                                        .run = run_cmd_explain};

static const struct show_column attempt_columns[] = {
    {"state", "", SHOW_TEXT},           {"error", "", SHOW_TEXT},
    {"host", "host", SHOW_TEXT},        {"sent_ms", "sent", SHOW_TIME},
    {"deadline_ms", "due", SHOW_TIME},  {"ended_ms", "ended", SHOW_TIME},
    {"exit_code", "status", SHOW_TEXT}, {"signal", "signal", SHOW_TEXT},
    {"cpu_ms", "CPU", SHOW_DURATION},   {"memory_bytes", "memory", SHOW_BYTES},
    {"answer", "answer", SHOW_SHORT},
};

static enum err print_attempt(struct cli *c, const struct json *attempt, size_t number)
{
    BUF_AUTO struct buf line = {0};
    const char *said = json_text(json_field(attempt, "stderr")),
               *wrote = json_text(json_field(attempt, "stdout")),
               *message = json_text(json_field(attempt, "message"));
    enum err e = ERR_OK;
    for (size_t i = 0; i < COUNT(attempt_columns) && e == ERR_OK; i++) {
        BUF_AUTO struct buf value = {0};
        const struct json *v = json_field(attempt, attempt_columns[i].key);
        if (!v || (json_kind(v) == JSON_IS_INT && json_int(v, 0) == 0) || str_eq(json_text(v), "none"))
            continue;
        if ((e = show_value(v, attempt_columns[i].kind, &value)) == ERR_OK && value.len > 0)
            e = buf_printf(&line, "%s%s%s%s", line.len ? ", " : "", attempt_columns[i].title,
                           *attempt_columns[i].title ? " " : "", value.data);
    }
    if (e != ERR_OK)
        return e;
    fprintf(c->out, "attempt %zu: %s\n", number, buf_text(&line));
    if (message && *message)
        show_block(c->out, message, strlen(message), "    ");
    if (said && *said)
        show_block(c->out, said, strlen(said), "    | ");
    if (wrote && *wrote)
        show_block(c->out, wrote, strlen(wrote), "    > ");
    return ERR_OK;
}

static enum err print_outputs(struct cli *c, const struct json *outputs)
{
    for (size_t i = 0; i < json_count(outputs); i++) {
        BUF_AUTO struct buf path = {0}, size = {0};
        const struct json *o = json_at(outputs, i);
        enum err e = show_value(json_field(o, "path"), SHOW_TEXT, &path);
        if (e == ERR_OK)
            e = show_value(json_field(o, "bytes"), SHOW_BYTES, &size);
        if (e != ERR_OK)
            return e;
        fprintf(c->out, "output %s, %s\n", buf_text(&path), buf_text(&size));
    }
    return ERR_OK;
}

/* Who did what, beyond what the event's name says. */
static void event_text(const struct wu_event *ev, char *ret, size_t room)
{
    char answer[DIGEST_TEXT_BYTES];
    *ret = '\0';
    if (ev->kind == WU_EV_CONFIRM || ev->kind == WU_EV_AUDIT)
        snprintf(ret, room, "%u %s from now on", ev->count,
                 ev->kind == WU_EV_CONFIRM ? "equal answers are wanted" : "hosts check the answer");
    if (ev->host_id == 0)
        return;
    int n = snprintf(ret, room, "attempt %u, host %llu", ev->attempt, (unsigned long long)ev->host_id);
    if (n < 0 || (size_t)n >= room)
        return;
    digest_text(&ev->answer, answer);
    if (ev->kind == WU_EV_ERROR)
        snprintf(ret + n, room - (size_t)n, ", %s", attempt_error_name(ev->error));
    else if (ev->kind == WU_EV_REPORT)
        snprintf(ret + n, room - (size_t)n, ", answer %.12s", answer);
}

static enum err print_event(struct cli *c, const struct json *item)
{
    BUF_AUTO struct buf line = {0};
    struct wu_event ev;
    char after[32], text[160];
    enum err e = json_dump(item, &line);
    if (e == ERR_OK && wu_history_read(buf_text(&line), line.len, 0, &ev) != ERR_OK)
        fprintf(c->out, "  %s\n", buf_text(&line)); /* of a newer server */
    else if (e == ERR_OK) {
        str_from_duration_ms(ev.now_ms, after, sizeof after);
        event_text(&ev, text, sizeof text);
        fprintf(c->out, *text ? "  +%-8s %-9s  %s\n" : "  +%-8s %s\n", after, wu_event_name(ev.kind), text);
    }
    return e;
}

static enum err print_history(struct cli *c, const struct json *history)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < json_count(history) && e == ERR_OK; i++)
        e = print_event(c, json_at(history, i));
    return e;
}

static enum err run_cmd_show(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e;
    if ((e = check_unit(a->words[0])) != ERR_OK ||
        (e = make_path(&path, "/v1/units/", a->words[0], "")) != ERR_OK ||
        (e = api_get(c, buf_text(&path), &doc)) != ERR_OK)
        return e;
    const struct json *u = json_root(doc), *attempts = json_field(u, "attempts");
    e = show_object(c, u, unit_columns, COUNT(unit_columns));
    if (c->json)
        return e;
    for (size_t i = 0; e == ERR_OK && i < json_count(attempts); i++)
        e = print_attempt(c, json_at(attempts, i), i);
    if (e == ERR_OK && json_field(u, "outputs"))
        e = print_outputs(c, json_field(u, "outputs"));
    if (e == ERR_OK && json_count(json_field(u, "history")) > 0) {
        fprintf(c->out,
                "history, after the batch was submitted (dugnad replay %s runs the rules over it again)\n",
                a->words[0]);
        e = print_history(c, json_field(u, "history"));
    }
    return e;
}

const struct cli_command cmd_show = {.words = "show",
                                     .usage = "UNIT",
                                     .summary = "one unit of work: its attempts, what they said, its history",
                                     .details = "Of an attempt that went wrong the end of its standard error "
                                                "stands behind |, that of\nits standard output behind >.",
                                     .words_min = 1,
                                     .words_max = 1,
                                     .run = run_cmd_show};
