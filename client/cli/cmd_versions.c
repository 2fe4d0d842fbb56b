/* cmd_versions.c - `dugnad versions|app rollout`: which versions of clients, the protocol and apps are about,
 * how old a client may be, how far a version of an app goes */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"

enum { BAR_WIDTH = 30 };

static const struct cli_option version_options[] = {
    {"client-min", 0, "VERSION", "clients older than this get no work; \"\": any may", NULL, false},
    {"protocol-min", 0, "N", "nor do those that speak an older version of the protocol only", NULL, false},
};

static int64_t most_hosts(const struct json *list)
{
    int64_t most = 1;
    for (size_t i = 0; i < json_count(list); i++) {
        int64_t n = json_int(json_field(json_at(list, i), "hosts"), 0);
        most = n > most ? n : most;
    }
    return most;
}

/* One line for each: what, how many hosts of the last day, a bar. */
static enum err show_hosts(struct cli *c, const struct json *list, const char *key, const char *title)
{
    int64_t most = most_hosts(list);
    for (size_t i = 0; i < json_count(list); i++) {
        BUF_AUTO struct buf name = {0}, hosts = {0};
        const struct json *item = json_at(list, i);
        int64_t n = json_int(json_field(item, "hosts"), 0);
        enum err e = show_value(json_field(item, key), SHOW_TEXT, &name);
        if (e == ERR_OK)
            e = show_value(json_field(item, "hosts"), SHOW_COUNT, &hosts);
        if (e != ERR_OK)
            return e;
        fprintf(c->out, "%-9s %-16s %9s  ", title, buf_text(&name), buf_text(&hosts));
        for (int64_t k = 0; k < (n * BAR_WIDTH + most - 1) / most; k++)
            fputc('#', c->out);
        fputc('\n', c->out);
    }
    return ERR_OK;
}

static void show_app(struct cli *c, const struct json *item, const char *app)
{
    int64_t ended = json_int(json_field(item, "ended"), 0), bad = json_int(json_field(item, "bad"), 0);
    const char *why = json_text(json_field(item, "why"));
    BUF_AUTO struct buf safe = {0};
    bool halted = json_is_set(json_field(item, "halted"));
    fprintf(
        c->out, "app       %-20s %6lld  %5.4g %%  %lld out, %lld units open, %lld ended, %.1f %% badly%s\n",
        app, (long long)json_int(json_field(item, "version"), 0),
        json_number(json_field(item, "share"), 1) * 100, (long long)json_int(json_field(item, "leased"), 0),
        (long long)json_int(json_field(item, "units_open"), 0), (long long)ended,
        ended > 0 ? 100.0 * (double)bad / (double)ended : 0, halted ? "  STOPPED" : "");
    if (halted && why && show_safe(why, strlen(why), false, &safe) == ERR_OK)
        fprintf(c->out, "          %s\n", buf_text(&safe));
}

static enum err show_versions(struct cli *c, const struct json *root)
{
    BUF_AUTO struct buf client = {0}, server = {0};
    const struct json *apps = json_field(root, "apps");
    enum err e = show_value(json_field(root, "client_min"), SHOW_TEXT, &client);
    if (e == ERR_OK)
        e = show_value(json_field(root, "server"), SHOW_TEXT, &server);
    if (e == ERR_OK)
        e = show_hosts(c, json_field(root, "clients"), "client", "client");
    if (e == ERR_OK)
        e = show_hosts(c, json_field(root, "protocols"), "protocol", "protocol");
    for (size_t i = 0; e == ERR_OK && i < json_count(apps); i++) {
        BUF_AUTO struct buf app = {0};
        const struct json *item = json_at(apps, i);
        if (json_is_set(json_field(item, "retired")) && json_int(json_field(item, "units_open"), 0) == 0)
            continue;
        e = show_value(json_field(item, "app"), SHOW_TEXT, &app);
        if (e == ERR_OK)
            show_app(c, item, buf_text(&app));
    }
    if (e == ERR_OK)
        fprintf(c->out, "server    %s; work goes to clients from version %s and protocol %lld on\n",
                buf_text(&server), client.len ? buf_text(&client) : "0 (any)",
                (long long)json_int(json_field(root, "protocol_min"), 1));
    return e;
}

static enum err change(struct cli *c, const struct args *a, struct json_doc **ret_doc)
{
    BUF_AUTO struct buf body = {0};
    struct json_out o;
    const char *client = args_text(a, "client-min", NULL);
    int64_t protocol;
    enum err e = args_i64(a, "protocol-min", 1, INT32_MAX, 1, &protocol);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    if (client)
        json_out_string(&o, "client_min", client);
    if (args_flag(a, "protocol-min"))
        json_out_i64(&o, "protocol_min", protocol);
    json_out_close(&o);
    e = json_out_end(&o);
    return e == ERR_OK ? api_send(c, "PATCH", "/v1/versions", &body, NULL, ret_doc) : e;
}

static enum err run_cmd_versions(struct cli *c, const struct args *a)
{
    JSON_AUTO struct json_doc *doc = NULL;
    bool changes = args_flag(a, "client-min") || args_flag(a, "protocol-min");
    enum err e = changes ? change(c, a, &doc) : api_get(c, "/v1/versions", &doc);
    if (e != ERR_OK)
        return e;
    return c->json ? show_json(c, json_root(doc)) : show_versions(c, json_root(doc));
}

CLI_COMMAND(cmd_versions, "versions", "",
            "which versions of clients, protocol and apps are about; how old a client may be", NULL,
            version_options, 0, 0, false);

/* --- rolling out --- */

static const struct cli_option rollout_options[] = {
    {"why", 'w', "TEXT", "why it is stopped", NULL, false},
};

/* "1%", "0.5 %", "stop" */
static enum err share_of(const char *word, double *ret, bool *ret_halt)
{
    char *end;
    *ret_halt = str_eq(word, "stop");
    if (*ret_halt)
        return ERR_OK;
    double percent = strtod(word, &end);
    if (end == word || (*end && !str_eq(end, "%") && !str_eq(end, " %")) || !(percent >= 0 && percent <= 100))
        return err_set(ERR_INVALID, "\"%.20s\" is neither a share such as 1%% or 100%%, nor stop", word);
    *ret = percent / 100;
    return ERR_OK;
}

static enum err rollout_body(const struct args *a, struct buf *body)
{
    struct json_out o;
    double share = 0;
    bool halt = false;
    enum err e = share_of(a->words[2], &share, &halt);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, body);
    json_out_object(&o, NULL);
    if (halt) {
        json_out_bool(&o, "halt", true);
        if (args_flag(a, "why"))
            json_out_string(&o, "why", args_text(a, "why", ""));
    } else {
        json_out_real(&o, "share", share);
    }
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err run_cmd_app_rollout(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0}, path = {0}, app = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = rollout_body(a, &body);
    if (e == ERR_OK)
        e = buf_add_text(&path, "/v1/apps/");
    if (e == ERR_OK)
        e = api_escape(a->words[0], &path);
    if (e == ERR_OK)
        e = buf_add_text(&path, "/versions/");
    if (e == ERR_OK)
        e = api_escape(a->words[1], &path);
    if (e == ERR_OK)
        e = api_send(c, "POST", buf_text(&path), &body, NULL, &doc);
    if (e != ERR_OK || c->json)
        return e == ERR_OK ? show_json(c, json_root(doc)) : e;
    e = show_value(json_field(json_root(doc), "app"), SHOW_TEXT, &app);
    if (e == ERR_OK)
        show_app(c, json_root(doc), buf_text(&app));
    return e;
}

CLI_COMMAND(cmd_app_rollout, "app rollout", "NAME VERSION SHARE|stop",
            "let a version go to a share of the hosts, more of them, all, or none",
            "  dugnad app rollout hmmsearch 4 1%\n"
            "  dugnad app rollout hmmsearch 4 100%\n"
            "  dugnad app rollout hmmsearch 4 stop --why 'wrong results on old processors'\n"
            "It is stopped by itself when more of its attempts end badly than of the version before.",
            rollout_options, 3, 3, false);
