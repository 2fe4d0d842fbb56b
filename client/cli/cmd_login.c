/* cmd_login.c - `dugnad login|logout|whoami|join-link` */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "client/cli/api.h"
#include "client/cli/commands.h"
#include "client/cli/show.h"
#include "wire/link.h"

static const struct cli_option login_options[] = {
    {"trust", 0, "KEY", "believe the project with this key (64 hexadecimal characters) without asking", NULL,
     false},
};

/* A join link, or an address alone (the key stays zero). */
static enum err where(const char *word, struct link *ret)
{
    if (strchr(word, '#'))
        return link_parse(word, ret);
    size_t len = strlen(word);
    while (len > 8 && word[len - 1] == '/')
        len--;
    if (!str_starts(word, "https://") || len >= sizeof ret->url)
        return err_set(ERR_INVALID, "'%.200s' is neither an address (https://...) nor a join link", word);
    memcpy(ret->url, word, len);
    ret->url[len] = 0;
    return ERR_OK;
}

/* One line from the terminal without echo, or from standard input as it is. */
static enum err read_secret(struct cli *c, const char *prompt, char *ret, size_t room)
{
    struct termios was, off;
    bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
    if (tty) {
        off = was;
        off.c_lflag &= ~(tcflag_t)ECHO;
        fprintf(c->err, "%s", prompt);
        fflush(c->err);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &off);
    }
    char *line = fgets(ret, (int)room, stdin);
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', c->err);
    }
    if (!line)
        return err_set(ERR_AUTH, "no token was given: --token-file FILE, or one line on standard input");
    ret[strcspn(ret, " \t\r\n")] = 0;
    return ERR_OK;
}

static enum err take_token(struct cli *c, struct profile *p)
{
    BUF_AUTO struct buf file = {0};
    struct token token;
    char line[TOKEN_TEXT_BYTES + 2] = "";
    enum err e;
    if (c->token_file) {
        if ((e = file_read(c->token_file, 4096, &file)) != ERR_OK)
            return e;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(buf_text(&file), " \t\r\n"), buf_text(&file));
    } else if ((e = read_secret(c, "Token: ", line, sizeof line)) != ERR_OK) {
        return e;
    }
    if ((e = token_parse(line, &token)) != ERR_OK)
        return err_prefix(e, "%s", c->token_file ? c->token_file : "the token");
    snprintf(p->token, sizeof p->token, "%.*s", (int)sizeof p->token - 1, line);
    return ERR_OK;
}

/* Without a key to prove it against, a person has to say that this is the project they mean. */
static enum err confirm(struct cli *c, const struct profile *p)
{
    char key[DIGEST_TEXT_BYTES], answer[16] = "";
    digest_text(&p->project_key, key);
    if (!isatty(STDIN_FILENO))
        return err_set(ERR_UNTRUSTED,
                       "%s says it is the project '%s' with the key %s, which nothing proves: use the join "
                       "link, or --trust %s",
                       p->url, p->project, key, key);
    fprintf(c->err,
            "%s says it is the project '%s' with the key\n  %s\nAsk the operator whether that is right. "
            "Believe it? [y/N] ",
            p->url, p->project, key);
    if (!fgets(answer, sizeof answer, stdin) || (*answer != 'y' && *answer != 'Y'))
        return err_set(ERR_UNTRUSTED, "the project's key was not confirmed: nothing is stored");
    return ERR_OK;
}

static enum err prove(struct cli *c, const char *word, const char *trust, struct profile *p)
{
    struct link link = {0};
    struct net *net;
    enum err e = where(word, &link);
    if (e == ERR_OK && trust && (e = digest_parse(trust, &link.project_key)) != ERR_OK)
        e = err_prefix(e, "--trust");
    if (e == ERR_OK)
        e = net_new("dugnad/" DUGNAD_VERSION, &net);
    if (e != ERR_OK)
        return e;
    e = api_prove(net, link.url, &link.project_key, p);
    net_free(net);
    return e == ERR_OK && digest_is_zero(&link.project_key) ? confirm(c, p) : e;
}

/* The profile's name: given, or the project's own. */
static void name_profile(struct cli *c, struct profile *p)
{
    snprintf(p->name, sizeof p->name, "%.*s", NAME_BYTES_MAX, c->profile ? c->profile : p->project);
}

/* Asks the server with the new token before it is stored. */
static enum err try_token(struct cli *c, const struct profile *p, struct json_doc **ret)
{
    c->api = arena_alloc(&c->arena, sizeof *c->api);
    if (!c->api)
        return ERR_NOMEM;
    c->api->profile = *p;
    const char *pins[SERVER_PINS_MAX];
    for (uint32_t i = 0; i < p->pin_count; i++)
        pins[i] = p->pins[i];
    enum err e = net_new("dugnad/" DUGNAD_VERSION, &c->api->net);
    if (e == ERR_OK)
        e = net_set_pins(c->api->net, pins, p->pin_count);
    return e == ERR_OK ? api_get(c, "/v1/whoami", ret) : e;
}

static enum err store(const struct profile *p, char *path, size_t room)
{
    struct profiles *all = calloc(1, sizeof *all);
    if (!all)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = profiles_path(path, room);
    if (e == ERR_OK)
        e = profiles_load(path, all);
    if (e == ERR_OK)
        e = profiles_put(all, p);
    if (e == ERR_OK) {
        memcpy(all->current, p->name, sizeof all->current);
        e = profiles_save(path, all);
    }
    free(all);
    return e;
}

static enum err run_cmd_login(struct cli *c, const struct args *a)
{
    JSON_AUTO struct json_doc *doc = NULL;
    char path[4096], *role;
    struct profile p = {0};
    const char *word = a->word_count ? a->words[0] : c->url;
    if (!word)
        return err_set(ERR_INVALID,
                       "dugnad login needs the server's address or, better, the project's join link");
    enum err e;
    if ((e = prove(c, word, args_text(a, "trust", NULL), &p)) != ERR_OK ||
        (e = take_token(c, &p)) != ERR_OK || (e = try_token(c, &p, &doc)) != ERR_OK)
        return e;
    name_profile(c, &p);
    if ((e = store(&p, path, sizeof path)) != ERR_OK)
        return e;
    role = arena_text(&c->arena, json_text(json_field(json_root(doc), "role"))
                                     ? json_text(json_field(json_root(doc), "role"))
                                     : "user");
    if (c->json)
        return show_json(c, json_root(doc));
    fprintf(c->out, "logged in to %s at %s as %s, stored in %s\n", p.project, p.url, role ? role : "user",
            path);
    return ERR_OK;
}

CLI_COMMAND(cmd_login, "login", "JOIN-LINK|URL", "store where a project is and who you are",
            "The project proves itself against the key in the join link; with an address alone you are shown "
            "the key and\n"
            "asked. The token comes from --token-file, or from standard input. All is kept in "
            "~/.config/dugnad/login.json,\n"
            "readable by you alone; --profile NAME keeps several projects apart, the last one logged in to "
            "is the default.\n\n"
            "  dugnad login 'https://grid.example.org:8443/join#k=...' --token-file token",
            login_options, 0, 1, false);

static enum err run_cmd_logout(struct cli *c, const struct args *a)
{
    char path[4096], name[NAME_BYTES_MAX + 1] = "";
    struct profiles *all = calloc(1, sizeof *all);
    (void)a;
    if (!all)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = profiles_path(path, sizeof path);
    if (e == ERR_OK)
        e = profiles_load(path, all);
    struct profile *p = e == ERR_OK ? profiles_find(all, c->profile) : NULL;
    if (e == ERR_OK && !p)
        e = err_set(ERR_MISSING, "you are not logged in%s%s", c->profile ? " as " : "",
                    c->profile ? c->profile : "");
    if (e == ERR_OK) {
        memcpy(name, p->name, sizeof name);
        profiles_drop(all, name);
        e = profiles_save(path, all);
    }
    if (e == ERR_OK)
        cli_say(c, "%s is forgotten here; the token stays valid until it is revoked (dugnad token revoke)",
                name);
    free(all);
    return e;
}

const struct cli_command cmd_logout = {
    .words = "logout", .usage = "", .summary = "forget a project's address and token", .run = run_cmd_logout};

static const struct show_column whoami_columns[] = {
    {"kind", "kind", SHOW_TEXT},          {"id", "id", SHOW_TEXT},
    {"name", "name", SHOW_TEXT},          {"role", "role", SHOW_TEXT},
    {"token", "token", SHOW_TEXT},        {"scope", "scope", SHOW_TEXT},
    {"blob_bytes", "stored", SHOW_BYTES}, {"blob_bytes_max", "quota", SHOW_BYTES},
    {"expires_ms", "expires", SHOW_TIME},
};

static enum err run_cmd_whoami(struct cli *c, const struct args *a)
{
    (void)a;
    enum err e = api_open(c);
    if (e == ERR_OK && !c->json) {
        if (*c->api->profile.project)
            fprintf(c->out, "project  %s\n", c->api->profile.project);
        fprintf(c->out, "server   %s\n", c->api->profile.url);
        fflush(c->out);
    }
    return e == ERR_OK
               ? show_get(c, "/v1/whoami", whoami_columns, sizeof whoami_columns / sizeof *whoami_columns)
               : e;
}

const struct cli_command cmd_whoami = {
    .words = "whoami", .usage = "", .summary = "who the server takes you for", .run = run_cmd_whoami};

static const struct cli_option join_options[] = {
    {"invitation", 'i', "SECRET", "put an invitation into the link (dugnad invitation new makes one)", NULL,
     false},
};

static enum err run_cmd_join_link(struct cli *c, const struct args *a)
{
    BUF_AUTO struct buf text = {0};
    struct link link = {0};
    const char *invitation = args_text(a, "invitation", "");
    enum err e = api_open(c);
    if (e == ERR_OK && strlen(invitation) > INVITATION_BYTES_MAX)
        e = err_set(ERR_INVALID, "--invitation is longer than %d characters", INVITATION_BYTES_MAX);
    if (e == ERR_OK && digest_is_zero(&c->api->profile.project_key))
        e = err_set(ERR_AUTH, "the project's key is not known: log in first (dugnad login)");
    if (e != ERR_OK)
        return e;
    snprintf(link.url, sizeof link.url, "%s", c->api->profile.url);
    snprintf(link.invitation, sizeof link.invitation, "%s", invitation);
    link.project_key = c->api->profile.project_key;
    e = link_print(&link, &text);
    if (e == ERR_OK)
        fprintf(c->out, c->json ? "{\"link\":\"%s\"}\n" : "%s\n", buf_text(&text));
    return e;
}

CLI_COMMAND(cmd_join_link, "join-link", "", "print the link that volunteers join with", NULL, join_options, 0,
            0, false);
