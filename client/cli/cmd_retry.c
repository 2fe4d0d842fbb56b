/* cmd_retry.c - `dugnad retry|priority`: what failed again, all of it or what failed in one way */
#include <string.h>

#include "base/ids.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"
#include "wire/failure.h"

static const struct cli_option retry_options[] = {
    {"dead", 0, NULL, "what dugnad dead lists; this is what retry does anyway", NULL, false},
    {"failed", 0, NULL, "what failed, cancelled units included; this is what retry does anyway", NULL, false},
    {"group", 'g', "N", "only what failed in one way: its number in dugnad failures", NULL, false},
};

/* One group of `dugnad failures`, and what was found of it. */
struct group {
    struct cli *cli;
    const struct json *like;
    uint64_t seen, again;
};

static bool same_text(const struct json *a, const struct json *b)
{
    const char *x = json_text(a), *y = json_text(b);
    return str_eq(x ? x : "", y ? y : "");
}

static bool fits(const struct json *like, const struct json *attempt)
{
    char pattern[FAILURE_PATTERN_BYTES];
    const char *said = json_text(json_field(attempt, "stderr")),
               *message = json_text(json_field(attempt, "message"));
    const char *wanted = json_text(json_field(like, "pattern"));
    if (!same_text(json_field(like, "error"), json_field(attempt, "error")))
        return false;
    if (!wanted || !*wanted) /* the group of all that had no group of its own */
        return true;
    failure_pattern(said ? said : "", message ? message : "", pattern, sizeof pattern);
    return json_int(json_field(like, "exit_code"), 0) == json_int(json_field(attempt, "exit_code"), 0) &&
           json_int(json_field(like, "signal"), 0) == json_int(json_field(attempt, "signal"), 0) &&
           str_eq(pattern, wanted);
}

static enum err retry_unit(void *ctx, const struct json *item)
{
    struct group *g = ctx;
    JSON_AUTO struct json_doc *doc = NULL;
    char path[100];
    const char *unit;
    bool fit = false;
    enum err e = json_get_string(item, "items", "unit", ID_TEXT_BYTES, &unit);
    if (e != ERR_OK)
        return e;
    snprintf(path, sizeof path, "/v1/units/%s", unit);
    if ((e = api_get(g->cli, path, &doc)) != ERR_OK)
        return e;
    const struct json *attempts = json_field(json_root(doc), "attempts");
    for (size_t i = 0; i < json_count(attempts) && !fit; i++)
        fit = fits(g->like, json_at(attempts, i));
    g->seen++;
    if (!fit)
        return ERR_OK;
    g->again++;
    snprintf(path, sizeof path, "/v1/units/%s/retry", unit);
    return api_send(g->cli, "POST", path, NULL, NULL, NULL);
}

static enum err retry_group(struct cli *c, const char *batch, int64_t number)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const struct json *items;
    char path[100];
    snprintf(path, sizeof path, "/v1/batches/%s/failures", batch);
    enum err e = api_get(c, path, &doc);
    if (e == ERR_OK)
        e = json_get_array(json_root(doc), "reply", "items", JSON_VALUES_MAX, &items);
    if (e != ERR_OK)
        return e;
    struct group g = {.cli = c, .like = json_at(items, (size_t)number - 1)};
    if (!g.like)
        return err_set(ERR_MISSING, "batch %s has %zu groups of failures: dugnad failures %s shows them",
                       batch, json_count(items), batch);
    snprintf(path, sizeof path, "/v1/batches/%s/units?state=failed", batch);
    if ((e = api_pages(c, path, 0, retry_unit, &g)) != ERR_OK)
        return e;
    if (c->json)
        fprintf(c->out, "{\"failed\":%llu,\"again\":%llu}\n", (unsigned long long)g.seen,
                (unsigned long long)g.again);
    else
        cli_say(c, "batch %s: %llu of %llu failed units begin again", batch, (unsigned long long)g.again,
                (unsigned long long)g.seen);
    return ERR_OK;
}

static enum err check_number(const char *text)
{
    uint64_t number;
    if (str_to_u64(text, INT32_MAX, &number) == ERR_OK && number > 0)
        return ERR_OK;
    return err_set(ERR_INVALID, "'%.60s' is no batch: a batch is a number, dugnad ls lists them", text);
}

static enum err run_cmd_retry(struct cli *c, const struct args *a)
{
    int64_t group;
    enum err e = args_i64(a, "group", 1, INT32_MAX, 0, &group);
    if (e == ERR_OK && group && a->word_count > 1)
        e = err_set(ERR_INVALID, "--group is a number within one batch: give one batch");
    if (e == ERR_OK && group)
        e = check_number(a->words[0]);
    if (e != ERR_OK)
        return e;
    return group ? retry_group(c, a->words[0], group) : commands_steer(c, a);
}

CLI_COMMAND(cmd_retry, "retry", "BATCH|UNIT..", "compute again what failed",
            "Failed units start again with fresh limits; their past stays in their history.\n\n"
            "  dugnad retry 7\n"
            "  dugnad retry 7.12 7.13        these units\n"
            "  dugnad retry 7 --group 2     the second group of dugnad failures 7",
            retry_options, 1, UINT32_MAX, false);

static enum err run_cmd_priority(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0};
    char path[100];
    int64_t value;
    enum err e = check_number(a->words[0]);
    if (e == ERR_OK && str_to_i64(a->words[1], -1000000, 1000000, &value) != ERR_OK)
        e = err_set(ERR_INVALID, "'%.40s' is no priority: give a whole number from -1000000 to 1000000",
                    a->words[1]);
    if (e == ERR_OK)
        e = buf_printf(&body, "{\"priority\":%lld}", (long long)value);
    snprintf(path, sizeof path, "/v1/batches/%s", a->words[0]);
    if (e == ERR_OK)
        e = api_send(c, "PATCH", path, &body, NULL, NULL);
    if (e == ERR_OK)
        cli_say(c, "batch %s has priority %lld", a->words[0], (long long)value);
    return e;
}

const struct cli_command cmd_priority = {.words = "priority",
                                         .usage = "BATCH N",
                                         .summary = "let a batch go before those with a lower number",
                                         .words_min = 2,
                                         .words_max = 2,
                                         .run = run_cmd_priority};
