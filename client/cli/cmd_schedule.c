/* cmd_schedule.c - `dugnad schedule new|ls|pause|resume|rm`: batches that the server submits later, or again
 * and again */
#include <stdio.h>

#include "base/file.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"

#define COUNT(list) (sizeof list / sizeof *list)

static const struct show_column columns[] = {
    {"schedule", "Schedule", SHOW_TEXT}, {"cron", "Cron (UTC)", SHOW_TEXT},
    {"state", "State", SHOW_TEXT},       {"next_ms", "Next", SHOW_TIME},
    {"last_ms", "Last", SHOW_TIME},      {"last_batch", "Gave batch", SHOW_TEXT},
    {"why", "Why not", SHOW_TEXT},
};

static const struct cli_option new_options[] = {
    {"cron", 0, "EXPR", "again and again: minute hour day month weekday, in UTC, such as '0 3 * * 1-5'", NULL,
     false},
    {"at", 0, "TIME", "once: 2026-12-24T18:00 or 2026-12-24T18:00:00, in UTC", NULL, false},
    {"key", 0, "TEXT", "the same key again finds the same schedule instead of making another", NULL, false},
};

static enum err read_time(const char *text, int64_t *ret_ms)
{
    static const char *const ends[] = {"", "Z", ":00Z"};
    for (size_t i = 0; i < COUNT(ends); i++) {
        char whole[64];
        int len = snprintf(whole, sizeof whole, "%s%s", text, ends[i]);
        if (len > 0 && (size_t)len < sizeof whole && str_to_time_ms(whole, ret_ms) == ERR_OK)
            return ERR_OK;
    }
    return err_set(ERR_INVALID, "--at is '%.40s', must be such as 2026-12-24T18:00 (UTC)", text);
}

static enum err write_request(const struct args *a, const struct json *batch, struct buf *out)
{
    struct json_out o;
    int64_t at_ms;
    const char *cron = args_text(a, "cron", NULL), *at = args_text(a, "at", NULL);
    if (!cron == !at)
        return err_set(ERR_INVALID, "say when: either --cron or --at");
    json_out_init(&o, out);
    json_out_object(&o, NULL);
    if (cron) {
        json_out_string(&o, "cron", cron);
    } else {
        enum err e = read_time(at, &at_ms);
        if (e != ERR_OK)
            return e;
        json_out_i64(&o, "at_ms", at_ms);
    }
    json_out_value(&o, "batch", batch);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err run_cmd_schedule_new(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf text = {0}, body = {0};
    JSON_AUTO struct json_doc *doc = NULL, *reply = NULL;
    char fresh[33];
    const char *id = NULL, *key = args_text(a, "key", NULL);
    api_key(fresh);
    enum err e = file_read(a->words[0], BATCH_ORDER_BYTES_MAX, &text);
    if (e == ERR_OK)
        e = json_parse(buf_text(&text), text.len, BATCH_ORDER_BYTES_MAX, &doc);
    if (e == ERR_OK)
        e = write_request(a, json_root(doc), &body);
    if (e == ERR_OK)
        e = api_send(c, "POST", "/v1/schedules", &body, key ? key : fresh, &reply);
    if (e == ERR_OK && reply && c->json)
        return show_json(c, json_root(reply));
    if (e == ERR_OK && reply)
        e = json_get_string(json_root(reply), "reply", "schedule", ID_TEXT_BYTES, &id);
    if (e == ERR_OK && id)
        fprintf(c->out, "%s\n", id);
    return e;
}

static enum err run_cmd_schedule_ls(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/schedules", columns, COUNT(columns), 0,
                     "no schedule: dugnad schedule new makes one");
}

static enum err schedule_path(const struct args *a, char *path, size_t room)
{
    uint64_t id;
    if (str_to_u64(a->words[0], INT64_MAX, &id) != ERR_OK || id == 0)
        return err_set(ERR_INVALID, "'%.60s' is no schedule: dugnad schedule ls lists them", a->words[0]);
    snprintf(path, room, "/v1/schedules/%llu", (unsigned long long)id);
    return ERR_OK;
}

static enum err set_paused(struct cli *c, const struct args *a, const char *body)
{
    BUF_AUTO struct buf text = {0};
    char path[64];
    enum err e = schedule_path(a, path, sizeof path);
    if (e == ERR_OK)
        e = buf_add_text(&text, body);
    return e == ERR_OK ? api_send(c, "PATCH", path, &text, NULL, NULL) : e;
}

static enum err run_cmd_schedule_pause(struct cli *c, const struct args *a)
{
    return set_paused(c, a, "{\"paused\":true}");
}

static enum err run_cmd_schedule_resume(struct cli *c, const struct args *a)
{
    return set_paused(c, a, "{\"paused\":false}");
}

static enum err run_cmd_schedule_rm(struct cli *c, const struct args *a)
{
    char path[64];
    enum err e = schedule_path(a, path, sizeof path);
    return e == ERR_OK ? api_send(c, "DELETE", path, NULL, NULL, NULL) : e;
}

CLI_COMMAND(cmd_schedule_new, "schedule new", "FILE",
            "let the server submit a batch later, or again and again",
            "FILE is the request of POST /v1/batches as JSON (PROTOCOL.md section 7) with an array, a stream "
            "or a stage. Each\n"
            "firing gives one batch, in your name. Of firings that were missed while the server was down one "
            "is made up for.",
            new_options, 1, 1, false);
const struct cli_command cmd_schedule_ls = {.words = "schedule ls",
                                            .usage = "",
                                            .summary = "list schedules and what they gave last",
                                            .run = run_cmd_schedule_ls};
#define VERB(name, word, text)                                                                               \
    const struct cli_command name = {.words = word,                                                          \
                                     .usage = "SCHEDULE",                                                    \
                                     .summary = text,                                                        \
                                     .words_min = 1,                                                         \
                                     .words_max = 1,                                                         \
                                     .run = run_##name}
VERB(cmd_schedule_pause, "schedule pause", "let a schedule rest");
VERB(cmd_schedule_resume, "schedule resume", "let a schedule go on");
VERB(cmd_schedule_rm, "schedule rm", "delete a schedule; the batches it gave stay");
