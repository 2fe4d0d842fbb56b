/* cmd_replay.c - `dugnad replay`: runs the rules over a unit's history again, on this machine, and compares
 * what comes out with what the server has stored */
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/again.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/replay.h"
#include "client/cli/show.h"
#include "rules/wu.h"

static const struct cli_option options[] = {
    {"run", 'r', NULL, "then compute the unit again on this machine, in the sandbox, and compare the answers",
     NULL, false},
    {"out", 'o', "DIR", "with --run: keep its outputs here", NULL, false},
    {"file", 0, "FILE",
     "read the unit from a file that dugnad show UNIT --json has printed, without a server", NULL, false},
};

static void tell_step(void *ctx, const struct wu_event *ev, const struct wu *wu, const struct wu_effects *fx)
{
    struct cli *c = ctx;
    char when[40];
    str_from_time_ms(ev->now_ms, when, sizeof when);
    fprintf(c->out, "%s  %-9s  %s", when, wu_event_name(ev->kind), wu_state_name(wu->state));
    for (uint32_t i = 0; i < fx->count; i++)
        fprintf(c->out, "%s %s %u", i ? "," : " ->", wu_effect_name(fx->list[i].kind), fx->list[i].attempt);
    fputc('\n', c->out);
}

static enum err replay(struct cli *c, const struct json *unit)
{
    const struct replay_watch watch = {.step = tell_step, .ctx = c};
    struct wu wu;
    char id[ID_TEXT_BYTES];
    enum err e = replay_unit(unit, c->json ? NULL : &watch, &wu);
    if (e != ERR_OK)
        return e;
    wu_id_text(wu.id, id);
    if (c->json)
        fprintf(c->out, "{\"unit\":\"%s\",\"events\":%zu,\"state\":\"%s\",\"same\":true}\n", id,
                json_count(json_field(unit, "history")), wu_state_name(wu.state));
    else
        fprintf(c->out, "%zu events replayed; the unit is %s, as it is stored\n",
                json_count(json_field(unit, "history")), wu_state_name(wu.state));
    return ERR_OK;
}

static enum err run_cmd_replay(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf text = {0}, path = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    const char *file = args_text(a, "file", NULL);
    wu_id unit;
    enum err e = ERR_OK;
    if (!file && a->word_count == 0)
        return err_set(ERR_INVALID, "dugnad replay needs a unit such as 7.12, or --file FILE");
    if (a->word_count && wu_id_parse(a->words[0], &unit) != ERR_OK)
        return err_set(ERR_INVALID, "'%.60s' is no unit: a unit is BATCH.INDEX such as 7.12", a->words[0]);
    if (file) {
        if ((e = file_read(file, JSON_BODY_BYTES_MAX, &text)) == ERR_OK)
            e = json_parse(buf_text(&text), text.len, JSON_BODY_BYTES_MAX, &doc);
    } else if ((e = buf_printf(&path, "/v1/units/%s", a->words[0])) == ERR_OK) {
        e = api_get(c, buf_text(&path), &doc);
    }
    if (e == ERR_OK && args_flag(a, "out") && !args_flag(a, "run"))
        e = err_set(ERR_INVALID, "--out is where --run puts what it computes: give both");
    if (e == ERR_OK)
        e = replay(c, json_root(doc));
    return e == ERR_OK && args_flag(a, "run") ? again_run(c, json_root(doc), args_text(a, "out", NULL)) : e;
}

CLI_COMMAND(cmd_replay, "replay", "[UNIT]",
            "run a unit's life through the rules again, and with --run its program",
            "Each event is shown with the state it led to and what it asked for. Ends with status 12 when "
            "the history does\n"
            "not lead to what is stored. With --run the same release gets the same inputs and words here; "
            "status 1 when it\nfails or its answer is not the accepted one.\n\n"
            "  dugnad replay 7.12 --run --out again",
            options, 0, 1, false);
