/* cmd_operator.c - `dugnad user|token|invitation|host|stats|audit`: what operators do */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"
#include "wire/link.h"

#define COUNT(list) (sizeof list / sizeof *list)

static enum err path_of(struct buf *path, const char *before, const char *id, const char *after)
{
    enum err e = buf_add_text(path, before);
    if (e == ERR_OK)
        e = api_escape(id, path);
    return e == ERR_OK ? buf_add_text(path, after) : e;
}

/* Sends and shows the reply: with --json as it is, else its fields. A POST that creates gets a key. */
static enum err send_and_show(struct cli *c, const char *method, const char *path, const struct buf *body,
                              bool creates, const struct show_column *columns, size_t count, const char *done)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char key[33];
    api_key(key);
    enum err e = api_send(c, method, path, body, creates ? key : NULL, &doc);
    if (e == ERR_OK && doc)
        e = show_object(c, json_root(doc), columns, count);
    if (e == ERR_OK && done)
        cli_say(c, "%s", done);
    return e;
}

/* --- users --- */

static const struct show_column user_columns[] = {
    {"user|id", "User", SHOW_TEXT},
    {"name", "Name", SHOW_TEXT},
    {"role", "Role", SHOW_TEXT},
    {"mail", "Mail", SHOW_TEXT},
    {"disabled", "Disabled", SHOW_TEXT},
    {"blob_bytes", "Stored", SHOW_BYTES},
    {"blob_bytes_max", "Quota", SHOW_QUOTA},
    {"created_ms", "Since", SHOW_TIME},
    {"token", "Token (shown once)", SHOW_TEXT},
};

static const struct cli_option user_options[] = {
    {"role", 'r', "ROLE", "viewer, scientist or operator", "viewer scientist operator", false},
    {"name", 'n', "NAME", "another name", NULL, false},
    {"mail", 0, "ADDRESS", "for reports and alerts", NULL, false},
    {"disabled", 0, "yes|no", "no token of this user is taken while it is disabled", "yes no", false},
    {"quota", 0, "SIZE", "bytes of uploads kept for this user; 0: as the project has it", NULL, false},
    {"units", 0, "N", "units not finished at once; 0: as the project has it", NULL, false},
};

static enum err user_body(const struct args *a, const char *name, const char *role, struct buf *body)
{
    struct json_out o;
    uint64_t quota = 0;
    int64_t units = 0;
    bool disabled = false;
    const char *mail = args_text(a, "mail", NULL), *off = args_text(a, "disabled", NULL);
    enum err e;
    if ((e = args_bytes(a, "quota", 0, &quota)) != ERR_OK ||
        (e = args_i64(a, "units", 0, INT64_MAX, 0, &units)) != ERR_OK ||
        (off && (e = str_to_bool(off, &disabled)) != ERR_OK))
        return e;
    json_out_init(&o, body);
    json_out_object(&o, NULL);
    if (name)
        json_out_string(&o, "name", name);
    if (role)
        json_out_string(&o, "role", role);
    if (mail)
        json_out_string(&o, "mail", mail);
    if (off)
        json_out_bool(&o, "disabled", disabled);
    if (args_flag(a, "quota"))
        json_out_u64(&o, "blob_bytes_max", quota);
    if (args_flag(a, "units"))
        json_out_i64(&o, "units_max", units);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err run_cmd_user_new(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0};
    enum err e = user_body(a, a->words[0], args_text(a, "role", "scientist"), &body);
    return e == ERR_OK
               ? send_and_show(c, "POST", "/v1/users", &body, true, user_columns, COUNT(user_columns), NULL)
               : e;
}

static enum err run_cmd_user_set(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0}, path = {0};
    enum err e = user_body(a, args_text(a, "name", NULL), args_text(a, "role", NULL), &body);
    if (e == ERR_OK && body.len <= 2)
        e = err_set(ERR_INVALID, "nothing to change: see dugnad user set --help");
    if (e == ERR_OK)
        e = path_of(&path, "/v1/users/", a->words[0], "");
    return e == ERR_OK ? send_and_show(c, "PATCH", buf_text(&path), &body, false, user_columns,
                                       COUNT(user_columns), "changed")
                       : e;
}

static enum err run_cmd_user_ls(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/users", user_columns, COUNT(user_columns) - 1, 0, "no user");
}

CLI_COMMAND(cmd_user_new, "user new", "NAME", "add a user; prints the token once, if the server makes one",
            NULL, user_options, 1, 1, false);
CLI_COMMAND(cmd_user_set, "user set", "USER", "change a user, by number", NULL, user_options, 1, 1, false);
const struct cli_command cmd_user_ls = {
    .words = "user ls", .usage = "", .summary = "list users", .run = run_cmd_user_ls};

/* --- tokens --- */

static const struct show_column token_columns[] = {
    {"token|id", "Token", SHOW_TEXT},     {"user|owner", "User", SHOW_TEXT},
    {"role", "Role", SHOW_TEXT},          {"name", "For", SHOW_TEXT},
    {"scope|scopes", "Scope", SHOW_TEXT}, {"created_ms", "Made", SHOW_TIME},
    {"expires_ms", "Ends", SHOW_TIME},    {"revoked", "Revoked", SHOW_TEXT},
};

static const struct cli_option token_options[] = {
    {"user", 'u', "USER", "whose it is, by number; default: yours", NULL, false},
    {"name", 'n', "TEXT", "what it is for", NULL, false},
    {"scope", 's', "WORD", "only for this", NULL, true},
    {"expires", 0, "TIME", "from now: 30d", NULL, false},
};

static enum err token_body(const struct args *a, struct buf *body)
{
    struct json_out o;
    BUF_AUTO struct buf scope = {0};
    const char *word, *user = args_text(a, "user", NULL), *name = args_text(a, "name", NULL);
    int64_t expires_ms;
    enum err e = args_duration(a, "expires", 0, &expires_ms);
    for (uint32_t i = 0; e == ERR_OK && (word = args_each(a, "scope", i)); i++)
        e = buf_printf(&scope, "%s%s", i ? " " : "", word);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, body);
    json_out_object(&o, NULL);
    if (user)
        json_out_string(&o, "user", user);
    if (name)
        json_out_string(&o, "name", name);
    if (scope.len)
        json_out_string(&o, "scope", buf_text(&scope));
    if (expires_ms)
        json_out_i64(&o, "expires_ms", clock_wall_ms() + expires_ms);
    json_out_close(&o);
    return json_out_end(&o);
}

static enum err run_cmd_token_new(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0};
    enum err e = token_body(a, &body);
    return e == ERR_OK
               ? send_and_show(c, "POST", "/v1/tokens", &body, true, token_columns, COUNT(token_columns),
                               "this is shown once: keep it in a file that only you can read")
               : e;
}

static enum err run_cmd_token_ls(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/tokens", token_columns, COUNT(token_columns), 0, "no token");
}

static enum err run_cmd_token_rotate(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    enum err e = path_of(&path, "/v1/tokens/", a->words[0], "/rotate");
    return e == ERR_OK ? send_and_show(c, "POST", buf_text(&path), NULL, true, token_columns,
                                       COUNT(token_columns), "the old one is void from now on")
                       : e;
}

static enum err drop(struct cli *c, const char *before, const char *id, const char *done)
{
    BUF_AUTO struct buf path = {0};
    enum err e = path_of(&path, before, id, "");
    if (e == ERR_OK)
        e = api_send(c, "DELETE", buf_text(&path), NULL, NULL, NULL);
    if (e == ERR_OK)
        cli_say(c, "%s", done);
    return e;
}

static enum err run_cmd_token_revoke(struct cli *c, const struct args *a)
{
    return drop(c, "/v1/tokens/", a->words[0], "revoked");
}

CLI_COMMAND(cmd_token_new, "token new", "", "make a token", NULL, token_options, 0, 0, false);
const struct cli_command cmd_token_ls = {
    .words = "token ls", .usage = "", .summary = "list tokens", .run = run_cmd_token_ls};
const struct cli_command cmd_token_rotate = {.words = "token rotate",
                                             .usage = "TOKEN",
                                             .summary = "give a token, by number, a new secret",
                                             .words_min = 1,
                                             .words_max = 1,
                                             .run = run_cmd_token_rotate};
const struct cli_command cmd_token_revoke = {.words = "token revoke",
                                             .usage = "TOKEN",
                                             .summary = "make a token, by number, void",
                                             .words_min = 1,
                                             .words_max = 1,
                                             .run = run_cmd_token_revoke};

/* --- invitations --- */

static const struct show_column invitation_columns[] = {
    {"invitation|id", "Invitation", SHOW_TEXT},
    {"name", "For", SHOW_TEXT},
    {"uses", "Used", SHOW_COUNT},
    {"uses_max", "Of", SHOW_COUNT},
    {"created_ms", "Made", SHOW_TIME},
    {"expires_ms", "Ends", SHOW_TIME},
    {"revoked", "Revoked", SHOW_TEXT},
    {"secret", "Secret", SHOW_TEXT},
    {"link", "Link", SHOW_TEXT},
};

static const struct cli_option invitation_options[] = {
    {"uses", 'u', "N", "how many may join with it; default: 1, 0: any number", NULL, false},
    {"name", 'n', "TEXT", "who it is for", NULL, false},
    {"expires", 0, "TIME", "from now: 30d", NULL, false},
};

static enum err run_cmd_invitation_new(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf body = {0};
    struct json_out o;
    int64_t uses, expires_ms;
    const char *name = args_text(a, "name", NULL);
    enum err e = args_i64(a, "uses", 0, INT32_MAX, 1, &uses);
    if (e == ERR_OK)
        e = args_duration(a, "expires", 0, &expires_ms);
    if (e != ERR_OK)
        return e;
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_i64(&o, "uses_max", uses);
    if (name)
        json_out_string(&o, "name", name);
    if (expires_ms)
        json_out_i64(&o, "expires_ms", clock_wall_ms() + expires_ms);
    json_out_close(&o);
    e = json_out_end(&o);
    return e == ERR_OK ? send_and_show(c, "POST", "/v1/invitations", &body, true, invitation_columns,
                                       COUNT(invitation_columns), NULL)
                       : e;
}

static enum err run_cmd_invitation_ls(struct cli *c, const struct args *a)
{
    (void)a;
    return show_list(c, "/v1/invitations", invitation_columns, COUNT(invitation_columns) - 2, 0,
                     "no invitation: where the project asks for none, anybody with the join link can join");
}

static enum err run_cmd_invitation_rm(struct cli *c, const struct args *a)
{
    return drop(c, "/v1/invitations/", a->words[0], "withdrawn");
}

CLI_COMMAND(cmd_invitation_new, "invitation new", "", "make an invitation, shown once", NULL,
            invitation_options, 0, 0, false);
const struct cli_command cmd_invitation_ls = {
    .words = "invitation ls", .usage = "", .summary = "list invitations", .run = run_cmd_invitation_ls};
const struct cli_command cmd_invitation_rm = {.words = "invitation rm",
                                              .usage = "INVITATION",
                                              .summary = "withdraw an invitation, by number",
                                              .words_min = 1,
                                              .words_max = 1,
                                              .run = run_cmd_invitation_rm};

/* --- hosts --- */

static const struct show_column host_list_columns[] = {
    {"host|id", "Host", SHOW_TEXT},        {"nickname", "Name", SHOW_TEXT},
    {"volunteer", "Volunteer", SHOW_TEXT}, {"platform", "Platform", SHOW_TEXT},
    {"cores", "Cores", SHOW_COUNT},        {"client", "Client", SHOW_TEXT},
    {"leased|leases", "Out", SHOW_COUNT},  {"valid", "Valid", SHOW_COUNT},
    {"invalid", "Invalid", SHOW_COUNT},    {"errors", "Errors", SHOW_COUNT},
    {"banned", "Banned", SHOW_TEXT},       {"seen_ms|last_seen_ms", "Seen", SHOW_TIME},
};

static const struct show_column host_columns[] = {
    {"host|id", "host", SHOW_TEXT},
    {"nickname", "name", SHOW_TEXT},
    {"volunteer", "volunteer", SHOW_TEXT},
    {"platform", "platform", SHOW_TEXT},
    {"os", "system", SHOW_TEXT},
    {"cpu", "processor", SHOW_TEXT},
    {"cores", "cores", SHOW_COUNT},
    {"memory_bytes", "memory", SHOW_BYTES},
    {"disk_bytes", "disk", SHOW_BYTES},
    {"features", "features", SHOW_TEXT},
    {"speed", "speed", SHOW_TEXT},
    {"client", "client", SHOW_TEXT},
    {"leased|leases", "out now", SHOW_COUNT},
    {"valid", "valid", SHOW_COUNT},
    {"invalid", "invalid", SHOW_COUNT},
    {"errors", "errors", SHOW_COUNT},
    {"expired", "expired", SHOW_COUNT},
    {"credit", "credit", SHOW_TEXT},
    {"banned", "banned", SHOW_TEXT},
    {"ban_reason", "because", SHOW_TEXT},
    {"left", "left", SHOW_TEXT},
    {"created_ms", "joined", SHOW_TIME},
    {"seen_ms|last_seen_ms", "seen", SHOW_TIME},
};

static const struct cli_option host_ls_options[] = {
    {"banned", 0, NULL, "only banned ones", NULL, false},
    {"limit", 'l', "N", "at most so many; default: all", NULL, false},
};
static const struct cli_option ban_options[] = {
    {"reason", 'r', "TEXT", "why; it is in the audit log", NULL, false},
    {"dry-run", 0, NULL, "only tell what it would take back", NULL, false},
};

static enum err run_cmd_host_ls(struct cli *c, const struct args *a)
{
    int64_t most;
    enum err e = args_i64(a, "limit", 0, INT32_MAX, 0, &most);
    return e == ERR_OK ? show_list(c, args_flag(a, "banned") ? "/v1/hosts?banned=true" : "/v1/hosts",
                                   host_list_columns, COUNT(host_list_columns), (uint64_t)most,
                                   "no host has joined yet: give volunteers the join link (dugnad join-link)")
                       : e;
}

static enum err run_cmd_host_show(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf path = {0};
    enum err e = path_of(&path, "/v1/hosts/", a->words[0], "");
    return e == ERR_OK ? show_get(c, buf_text(&path), host_columns, COUNT(host_columns)) : e;
}

static const struct show_column void_columns[] = {
    {"leases", "out, to go to others", SHOW_COUNT},
    {"units", "those units", SHOW_TEXT},
    {"provisional", "answers not final, to be void", SHOW_COUNT},
    {"provisional_units", "those units", SHOW_TEXT},
};

static enum err ban(struct cli *c, const char *host, const char *verb, const char *reason, bool dry_run)
{
    BUF_AUTO struct buf path = {0}, body = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    struct json_out o;
    enum err e = path_of(&path, "/v1/hosts/", host, verb);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    if (reason)
        json_out_string(&o, "reason", reason);
    if (dry_run)
        json_out_bool(&o, "dry_run", true);
    json_out_close(&o);
    if (e == ERR_OK)
        e = json_out_end(&o);
    if (e == ERR_OK)
        e = api_send(c, "POST", buf_text(&path), &body, NULL, &doc);
    if (e == ERR_OK && dry_run)
        return show_object(c, json_field(json_root(doc), "voids"), void_columns, COUNT(void_columns));
    if (e == ERR_OK)
        cli_say(c, "host %s %s", host, reason ? "is banned and gets no more work" : "gets work again");
    return e;
}

static enum err run_cmd_host_ban(struct cli *c, const struct args *a)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < a->word_count && e == ERR_OK; i++)
        e = ban(c, a->words[i], "/ban", args_text(a, "reason", "banned by an operator"),
                args_flag(a, "dry-run"));
    return e;
}

static enum err run_cmd_host_unban(struct cli *c, const struct args *a)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < a->word_count && e == ERR_OK; i++)
        e = ban(c, a->words[i], "/unban", NULL, false);
    return e;
}

CLI_COMMAND(cmd_host_ls, "host ls", "", "list hosts", NULL, host_ls_options, 0, 0, false);
CLI_COMMAND(cmd_host_ban, "host ban", "HOST..", "give a host no more work; what it has out goes to others",
            NULL, ban_options, 1, UINT32_MAX, false);
const struct cli_command cmd_host_show = {.words = "host show",
                                          .usage = "HOST",
                                          .summary = "tell about one host",
                                          .words_min = 1,
                                          .words_max = 1,
                                          .run = run_cmd_host_show};
const struct cli_command cmd_host_unban = {.words = "host unban",
                                           .usage = "HOST..",
                                           .summary = "give a banned host work again",
                                           .words_min = 1,
                                           .words_max = UINT32_MAX,
                                           .run = run_cmd_host_unban};

/* --- stats, audit --- */

/* A counter's name for people: what its unit was is seen from the value. */
static enum err add_label(const char *key, struct buf *out)
{
    size_t len = strlen(key);
    len -= str_ends(key, "_bytes") ? strlen("_bytes") : str_ends(key, "_ms") ? strlen("_ms") : 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < len && e == ERR_OK; i++)
        e = buf_add_char(out, key[i] == '_' ? ' ' : key[i]);
    return e;
}

static enum err run_cmd_stats(struct cli *c, const struct args *a)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *key;
    const struct json *v;
    bool streams = false;
    enum err e = api_get(c, "/v1/stats", &doc);
    if (e != ERR_OK || c->json)
        return e == ERR_OK ? show_json(c, json_root(doc)) : e;
    for (size_t i = 0; e == ERR_OK && json_each(json_root(doc), i, &key, &v); i++) {
        BUF_AUTO struct buf text = {0}, label = {0};
        if (str_eq(key, "streams")) {
            streams = json_count(v) > 0;
            continue;
        }
        enum show_kind kind = str_ends(key, "_bytes")  ? SHOW_BYTES
                              : str_eq(key, "time_ms") ? SHOW_TIME
                              : str_ends(key, "_ms")   ? SHOW_DURATION
                                                       : SHOW_COUNT;
        if ((e = add_label(key, &label)) == ERR_OK && (e = show_value(v, kind, &text)) == ERR_OK)
            fprintf(c->out, "%-24s  %s\n", buf_text(&label), text.len ? buf_text(&text) : "-");
    }
    if (e == ERR_OK && streams) {
        fputc('\n', c->out);
        e = cmd_streams.run(c, a);
    }
    return e;
}

const struct cli_command cmd_stats = {.words = "stats",
                                      .usage = "",
                                      .summary = "the project in numbers, and its streams",
                                      .run = run_cmd_stats};

static const struct show_column audit_columns[] = {
    {"seq", "No.", SHOW_TEXT},     {"time_ms", "When", SHOW_TIME},           {"who|user", "Who", SHOW_TEXT},
    {"action", "What", SHOW_TEXT}, {"object|subject", "To what", SHOW_TEXT}, {"detail", "Detail", SHOW_TEXT},
    {"hash", "Hash", SHOW_SHORT},
};
static const struct cli_option audit_options[] = {
    {"limit", 'l', "N", "at most so many; default: 100, 0: all", NULL, false},
};

static enum err run_cmd_audit(struct cli *c, const struct args *a)
{
    int64_t most;
    enum err e = args_i64(a, "limit", 0, INT64_MAX, 100, &most);
    return e == ERR_OK
               ? show_list(c, "/v1/audit", audit_columns, COUNT(audit_columns), (uint64_t)most, "nothing yet")
               : e;
}

CLI_COMMAND(cmd_audit, "audit", "", "who did what", NULL, audit_options, 0, 0, false);
