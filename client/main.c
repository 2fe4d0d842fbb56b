/* main.c - dugnad-client: the daemon of a computer that lends itself to a project, and its few commands */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/user.h"
#include "client/control.h"
#include "client/doctor.h"
#include "client/host.h"
#include "client/house.h"
#include "client/join.h"
#include "client/loop.h"
#include "client/project.h"
#include "client/settings.h"
#include "client/top.h"
#include "run/run.h"
#include "wire/error_msg.h"
#include "wire/link.h"

#define DATA_OF_ROOT "/var/lib/dugnad-client"

enum { PATH_ROOM = 4096, WORDS_MAX = 4 };

/* What stands on the command line, and the places that follow from it. */
struct call {
    const char *command, *words[WORDS_MAX];
    int word_count;
    const char *data, *token_file, *nickname, *team, *of; /* of: --project */
    bool json, help;
    char folder[PATH_ROOM - 64], conf[PATH_ROOM], project[PATH_ROOM], control[PATH_ROOM], lock[PATH_ROOM],
        join_lock[PATH_ROOM];
    char left[PATH_ROOM]; /* there once a project was left: DUGNAD_JOIN does not join again */
    struct settings settings;
};

static const char usage[] =
    "dugnad-client: lends this computer to a project\n"
    "\n"
    "Usage: dugnad-client COMMAND [--data DIR]\n"
    "\n"
    "  join LINK         become a host of the project whose join link this is\n"
    "  run               work, until told to stop\n"
    "  status [--json]   what the daemon does, and why\n"
    "  top               the same in a terminal, live, with keys; once as text where there is no terminal\n"
    "  page              open the local page, where all of this can be done; prints its link\n"
    "  pause [WHEN]      stop working: for a while such as 2h, until a time such as 18:00, or until resumed\n"
    "  resume            go on, also after finish\n"
    "  finish            let what runs come to its end, take nothing new, then end the daemon\n"
    "  leave             give back what is unfinished and be a host no more\n"
    "  doctor [--json]   what works on this computer, and what to do about the rest\n"
    "  settings          what can be set, as in client.conf\n"
    "  version, help\n"
    "\n"
    "  --data DIR        where everything is kept; default: DUGNAD_CLIENT_DATA, " DATA_OF_ROOT "\n"
    "                    of root, ~/.local/share/dugnad of others. Its client.conf holds every option, with\n"
    "                    words on each. Root works as the user that the folder belongs to\n"
    "\n"
    "Of pause, resume, finish and leave:\n"
    "  --project NAME    only of that project, by its name or id; the others go on\n"
    "\n"
    "Of join, which may be said again for another project, also while the daemon runs:\n"
    "  --volunteer-token-file FILE  you have joined with another computer: its token, one line\n"
    "  --nickname NAME, --team NAME\n"
    "\n"
    "run joins by itself when DUGNAD_JOIN in the environment holds a join link and no project was joined or "
    "left\n"
    "yet; it heeds DUGNAD_NICKNAME, DUGNAD_TEAM and DUGNAD_VOLUNTEER_TOKEN_FILE too.\n"
    "\n"
    "Exit status: 0 done, 2 wrong use, 3 not allowed, 4 not there, 5 in conflict, 6 over a limit, 7 busy or "
    "full,\n"
    "8 not reachable, 9 not to be trusted, 10 not possible here, 11 timed out, 12 the machine failed.\n";

/* --- the command line */

static const char **option_place(struct call *c, const char *name)
{
    return str_eq(name, "--data")                   ? &c->data
           : str_eq(name, "--volunteer-token-file") ? &c->token_file
           : str_eq(name, "--nickname")             ? &c->nickname
           : str_eq(name, "--team")                 ? &c->team
           : str_eq(name, "--project")              ? &c->of
                                                    : NULL;
}

static enum err read_option(struct call *c, int argc, char **argv, int *i)
{
    char name[64];
    const char *equals = strchr(argv[*i], '=');
    snprintf(name, sizeof name, "%.*s", (int)(equals ? equals - argv[*i] : 60), argv[*i]);
    if (str_eq(name, "--json") && !equals) {
        c->json = true;
        return ERR_OK;
    }
    if ((str_eq(name, "--help") || str_eq(name, "-h")) && !equals) {
        c->help = true;
        return ERR_OK;
    }
    const char **place = option_place(c, name);
    if (!place)
        return err_set(ERR_INVALID, "there is no option %s: dugnad-client help", name);
    if (!equals && *i + 1 >= argc)
        return err_set(ERR_INVALID, "%s needs a value", name);
    *place = equals ? equals + 1 : argv[++*i];
    return ERR_OK;
}

static enum err read_words(struct call *c, int argc, char **argv)
{
    enum err e = ERR_OK;
    for (int i = 1; i < argc && e == ERR_OK; i++) {
        if (argv[i][0] == '-')
            e = read_option(c, argc, argv, &i);
        else if (!c->command)
            c->command = argv[i];
        else if (c->word_count < WORDS_MAX)
            c->words[c->word_count++] = argv[i];
        else
            e = err_set(ERR_INVALID, "too many words: dugnad-client help");
    }
    return e;
}

static enum err find_folder(struct call *c)
{
    const char *given = c->data ? c->data : getenv("DUGNAD_CLIENT_DATA"), *home = getenv("HOME");
    int n;
    if (given && *given)
        n = snprintf(c->folder, sizeof c->folder, "%s", given);
    else if (geteuid() == 0)
        n = snprintf(c->folder, sizeof c->folder, DATA_OF_ROOT);
    else if (home && *home)
        n = snprintf(c->folder, sizeof c->folder, "%s/.local/share/dugnad", home);
    else
        return err_set(ERR_INVALID, "HOME is not set: say where to keep things with --data");
    if (n < 0 || (size_t)n >= sizeof c->folder)
        return err_set(ERR_LIMIT, "the path of the data folder is too long");
    snprintf(c->conf, sizeof c->conf, "%s/client.conf", c->folder);
    snprintf(c->project, sizeof c->project, "%s/project.json", c->folder);
    snprintf(c->control, sizeof c->control, "%s/control", c->folder);
    snprintf(c->lock, sizeof c->lock, "%s/lock", c->folder);
    snprintf(c->join_lock, sizeof c->join_lock, "%s/join.lock", c->folder);
    snprintf(c->left, sizeof c->left, "%s/left", c->folder);
    return user_become_owner(c->folder);
}

/* Makes the folder where it is missing, reads its settings. */
static enum err open_folder(struct call *c)
{
    enum log_level level;
    enum err e = file_make_folders(c->folder, 0700);
    if (e == ERR_OK)
        e = settings_load(c->conf, &c->settings);
    if (e == ERR_OK)
        e = log_level_parse(c->settings.log_level, &level);
    if (e == ERR_OK)
        log_setup(level, c->settings.log_json);
    return e;
}

static enum err take_lock(struct call *c, int *ret_fd)
{
    enum err e = file_lock(c->lock, ret_fd);
    if (e == ERR_CONFLICT)
        return err_set(e, "a daemon is running for %s already: dugnad-client status", c->folder);
    return e;
}

/* --- commands */

static enum err read_token(const char *path, char *ret, size_t room)
{
    BUF_AUTO struct buf text = {0};
    struct token token;
    enum err e = file_read(path, 4096, &text);
    if (e != ERR_OK)
        return e;
    snprintf(ret, room, "%.*s", (int)strcspn(buf_text(&text), " \t\r\n"), buf_text(&text));
    if (token_parse(ret, &token) != ERR_OK || token.kind != TOKEN_VOLUNTEER)
        return err_set(ERR_AUTH, "%s holds no volunteer's token: it should be one line such as dgv_7_...",
                       path);
    return ERR_OK;
}

/* Where the project's file goes; its folder is made. */
static enum err place_project(struct call *c, char ret_path[PATH_ROOM])
{
    char folder[HOUSE_FOLDER_BYTES];
    struct link link;
    enum err e = link_parse(c->words[0], &link);
    if (e == ERR_OK)
        e = house_place(c->folder, &link.project_key, folder);
    if (e == ERR_OK)
        e = file_make_folders(folder, 0700);
    if (e == ERR_OK && snprintf(ret_path, PATH_ROOM, "%s/project.json", folder) >= PATH_ROOM)
        e = err_set(ERR_LIMIT, "the path of the data folder is too long");
    return e;
}

/* What a person has to type again: " --data DIR", or nothing. */
static const char *data_words(const struct call *c, char ret[PATH_ROOM])
{
    snprintf(ret, PATH_ROOM, "%s%s", c->data ? " --data " : "", c->data ? c->data : "");
    return ret;
}

static enum err joined(struct call *c, const struct project *p)
{
    char data[PATH_ROOM];
    BUF_AUTO struct buf reply = {0};
    (void)unlink(c->left);
    printf("Joined %s as host %s of volunteer %s.\n", p->trust.root.project, p->host, p->volunteer);
    if (*p->volunteer_token)
        printf("The volunteer's token, for your other computers, is volunteer_token in %s.\n", p->path);
    enum err e = control_ask(c->control, "{\"command\":\"joined\"}", &reply);
    if (e == ERR_MISSING)
        printf("Next: dugnad-client run%s\n", data_words(c, data));
    else if (e == ERR_OK && str_starts(buf_text(&reply), "{\"error\""))
        return error_from_reply(400, buf_text(&reply), reply.len);
    else if (e == ERR_OK)
        printf("The daemon that runs works for it from now on.\n");
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err cmd_join(struct call *c)
{
    char token[TOKEN_TEXT_BYTES] = "", path[PATH_ROOM];
    struct project *p = calloc(1, sizeof *p);
    struct join join = {.link = c->words[0], .nickname = c->nickname, .team = c->team};
    int lock = -1;
    if (!p)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = c->word_count == 1 ? open_folder(c) : err_set(ERR_INVALID, "usage: dugnad-client join LINK");
    if (e == ERR_OK && (e = file_lock(c->join_lock, &lock)) == ERR_CONFLICT)
        e = err_set(e, "another join is under way in %s", c->folder);
    if (e == ERR_OK && c->token_file && (e = read_token(c->token_file, token, sizeof token)) == ERR_OK)
        join.volunteer_token = token;
    if (e == ERR_OK)
        e = place_project(c, path);
    if (e == ERR_OK)
        e = join_project(&join, path, c->folder, &c->settings, p);
    if (e == ERR_OK)
        e = joined(c, p);
    explicit_bzero(token, sizeof token);
    project_done(p);
    free(p);
    if (lock >= 0)
        close(lock);
    return e;
}

/* Without a sandbox nothing is run: better to say so at once than to fetch work for nothing. */
static enum err check_sandbox(void)
{
    struct run_layer layers[RUN_LAYERS_MAX];
    uint32_t n = run_layers(layers);
    for (uint32_t i = 0; i < n; i++)
        if (layers[i].needed && !layers[i].works)
            return err_set(
                ERR_UNSUPPORTED,
                "programs cannot be locked in on this computer, so none is run: %s does not work. %s",
                layers[i].name, layers[i].remedy);
    return ERR_OK;
}

/* The daemon; leaving: only to say goodbye. */
static enum err serve(struct call *c, bool leaving)
{
    struct house *h = NULL;
    int lock = -1;
    enum err e = open_folder(c);
    if (e == ERR_OK)
        e = take_lock(c, &lock);
    if (e == ERR_OK)
        e = house_open(c->folder, &c->settings, leaving ? c->of : NULL, &h);
    if (e == ERR_OK && !leaving)
        e = check_sandbox();
    if (e == ERR_OK && leaving)
        e = house_wish(h, HOUSE_LEAVE, 0, NULL);
    if (e == ERR_OK)
        e = loop_run(h, leaving ? NULL : c->control);
    if (e == ERR_OK && leaving && house_projects(h) > 0)
        e = err_set(ERR_UNREACHABLE,
                    "the project could not be told: try again later, or remove what is in "
                    "%s; what is out ends at its deadline",
                    c->folder);
    house_close(h);
    if (lock >= 0)
        close(lock);
    return e;
}

static const char *told(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* For packages and containers: one setting makes a host. What was left stays left. */
static enum err join_when_told(struct call *c)
{
    const char *link = told("DUGNAD_JOIN");
    if (!link || file_exists(c->project) || file_exists(c->left))
        return ERR_OK;
    c->words[0] = link;
    c->word_count = 1;
    c->nickname = told("DUGNAD_NICKNAME");
    c->team = told("DUGNAD_TEAM");
    c->token_file = told("DUGNAD_VOLUNTEER_TOKEN_FILE");
    return cmd_join(c);
}

static enum err cmd_run(struct call *c)
{
    enum err e = join_when_told(c);
    return e == ERR_OK ? serve(c, false) : e;
}

static void print_status(const struct json *s)
{
    const struct json *running = json_field(s, "running");
    printf("%s\n", json_text(json_field(s, "sentence")));
    for (size_t i = 0; i < json_count(running); i++) {
        const struct json *r = json_at(running, i);
        char cpu[32], memory[32], done[32] = "";
        double progress = json_number(json_field(r, "progress"), -1);
        if (progress >= 0)
            snprintf(done, sizeof done, "%.0f %%, ", progress * 100);
        str_from_duration_ms(json_int(json_field(r, "cpu_ms"), 0), cpu, sizeof cpu);
        str_from_bytes((uint64_t)json_int(json_field(r, "memory_bytes"), 0), memory, sizeof memory);
        printf("  %-16s %-20s %s%s of CPU, %s%s\n", json_text(json_field(r, "attempt")),
               json_text(json_field(r, "app")), done, cpu, memory,
               json_is_set(json_field(r, "paused")) ? ", paused" : "");
    }
    if (*json_text(json_field(s, "network")))
        printf("The network is left alone: %s.\n", json_text(json_field(s, "network")));
    printf("Since its start %lld units ended well, %lld did not; %lld are to be reported.\n",
           (long long)json_int(json_field(s, "ended_ok"), 0),
           (long long)json_int(json_field(s, "ended_bad"), 0),
           (long long)json_int(json_field(s, "to_report"), 0));
}

/* A line to the daemon; where none runs, what to do about it is another thing before the first join. */
static enum err ask_daemon(struct call *c, const char *line, struct buf *ret_reply)
{
    char data[PATH_ROOM], others[PATH_ROOM];
    enum err e = control_ask(c->control, line, ret_reply);
    snprintf(others, sizeof others, "%s/projects", c->folder);
    if (e == ERR_MISSING && !file_exists(c->project) && !file_exists(others))
        return err_set(e, "this computer has not joined a project: dugnad-client join LINK%s",
                       data_words(c, data));
    if (e == ERR_MISSING)
        return err_set(e, "no daemon is running for %s: dugnad-client run%s", c->folder, data_words(c, data));
    return e;
}

/* Asks the daemon and shows its status. */
static enum err ask(struct call *c, const char *line)
{
    BUF_AUTO struct buf reply = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = ask_daemon(c, line, &reply);
    if (e == ERR_OK)
        e = json_parse(buf_text(&reply), reply.len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    if (json_field(json_root(doc), "error"))
        return error_from_reply(400, buf_text(&reply), reply.len);
    if (c->json)
        printf("%s\n", buf_text(&reply));
    else
        print_status(json_root(doc));
    return ERR_OK;
}

static enum err cmd_status(struct call *c)
{
    return ask(c, "{\"command\":\"status\"}");
}

/* {"command":...} with what --project says. */
static enum err tell(struct call *c, const char *command, int64_t for_ms)
{
    BUF_AUTO struct buf line = {0};
    struct json_out o;
    json_out_init(&o, &line);
    json_out_object(&o, NULL);
    json_out_string(&o, "command", command);
    json_out_i64(&o, "for_ms", for_ms);
    if (c->of)
        json_out_string(&o, "project", c->of);
    json_out_close(&o);
    enum err e = json_out_end(&o);
    return e == ERR_OK ? ask(c, buf_text(&line)) : e;
}

/* "18:00": how long it is until the clock of this computer shows that next. */
static bool until_clock(const char *text, int64_t *ret_ms)
{
    int hour, minute, end = 0;
    time_t now = time(NULL);
    struct tm at;
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &end) != 2 || text[end] || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || !localtime_r(&now, &at))
        return false;
    at.tm_hour = hour;
    at.tm_min = minute;
    at.tm_sec = 0;
    at.tm_isdst = -1;
    time_t then = mktime(&at);
    if (then <= now) {
        at.tm_mday++;
        at.tm_isdst = -1;
        then = mktime(&at);
    }
    *ret_ms = (int64_t)(then - now) * 1000;
    return then > now;
}

static enum err cmd_pause(struct call *c)
{
    int64_t ms = 0;
    enum err e =
        c->word_count == 0 || until_clock(c->words[0], &ms) ? ERR_OK : str_to_duration_ms(c->words[0], &ms);
    return e == ERR_OK ? tell(c, "pause", ms) : err_set(e, "%s, nor a time such as 18:00", err_text());
}

static enum err cmd_resume(struct call *c)
{
    return tell(c, "resume", 0);
}

static enum err cmd_finish(struct call *c)
{
    return tell(c, "finish", 0);
}

/* A browser, where there is a screen; the link is printed in any case. */
static void show(const char *link)
{
    const char *const words[] = {"xdg-open", link, NULL};
    if (!told("DISPLAY") && !told("WAYLAND_DISPLAY"))
        return;
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(nothing, 1);
        dup2(nothing, 2);
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
}

static enum err cmd_top(struct call *c)
{
    return top_run(c->control);
}

static enum err cmd_page(struct call *c)
{
    BUF_AUTO struct buf reply = {0};
    JSON_AUTO struct json_doc *doc = NULL;
    enum err e = ask_daemon(c, "{\"command\":\"page\"}", &reply);
    if (e == ERR_OK)
        e = json_parse(buf_text(&reply), reply.len, JSON_BODY_BYTES_MAX, &doc);
    if (e != ERR_OK)
        return e;
    if (json_field(json_root(doc), "error"))
        return error_from_reply(400, buf_text(&reply), reply.len);
    const char *link = json_text(json_field(json_root(doc), "link"));
    printf("%s\n", c->json ? buf_text(&reply) : link);
    show(link);
    return ERR_OK;
}

static enum err cmd_leave(struct call *c)
{
    enum err e = tell(c, "leave", 0);
    if (e != ERR_MISSING)
        return e;
    e = serve(c, true);
    if (e == ERR_OK)
        printf("Left.\n");
    return e;
}

static enum err cmd_doctor(struct call *c)
{
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(ERR_NOMEM, "out of memory");
    enum err e = open_folder(c);
    if (e == ERR_OK)
        e = host_read(&c->settings, c->folder, h);
    if (e == ERR_OK)
        e = doctor_print(h, c->json);
    free(h);
    if (e == ERR_OK && !c->json)
        printf("%s",
               file_exists(c->project) ? "" : "\nIt has not joined a project: dugnad-client join LINK\n");
    return e == ERR_OK ? check_sandbox() : e;
}

static enum err cmd_settings(struct call *c)
{
    BUF_AUTO struct buf text = {0};
    (void)c;
    enum err e = conf_print_defaults(settings_table, settings_table_count, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), stdout);
    return e;
}

static enum err cmd_version(struct call *c)
{
    printf(c->json ? "{\"version\":\"%s\"}\n" : "dugnad-client %s\n", DUGNAD_VERSION);
    return ERR_OK;
}

static enum err cmd_help(struct call *c)
{
    (void)c;
    fputs(usage, stdout);
    return ERR_OK;
}

static const struct command {
    const char *name;
    enum err (*run)(struct call *c);
    int words_max;
} commands[] = {{"join", cmd_join, 1},     {"run", cmd_run, 0},           {"status", cmd_status, 0},
                {"page", cmd_page, 0},     {"top", cmd_top, 0},           {"pause", cmd_pause, 1},
                {"resume", cmd_resume, 0}, {"finish", cmd_finish, 0},     {"leave", cmd_leave, 0},
                {"doctor", cmd_doctor, 0}, {"settings", cmd_settings, 0}, {"version", cmd_version, 0},
                {"help", cmd_help, 1}};
enum { COMMANDS = sizeof commands / sizeof *commands };

static enum err dispatch(struct call *c)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (!str_eq(commands[i].name, c->command))
            continue;
        if (c->word_count > commands[i].words_max)
            return err_set(ERR_INVALID, "%s does not take '%s': dugnad-client help", c->command,
                           c->words[commands[i].words_max]);
        enum err e = find_folder(c);
        return e == ERR_OK ? commands[i].run(c) : e;
    }
    const char *near = str_nearest(c->command, names, COMMANDS);
    return err_set(ERR_INVALID, "there is no command '%s'%s%s: dugnad-client help", c->command,
                   near ? ", did you mean " : "", near ? near : "");
}

int main(int argc, char **argv)
{
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        return err_exit(ERR_NOMEM);
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum err e = read_words(c, argc, argv);
    if (e == ERR_OK && (c->help || !c->command))
        c->command = "help";
    if (e == ERR_OK)
        e = dispatch(c);
    if (e != ERR_OK)
        fprintf(stderr, "dugnad-client: %s\n", err_text());
    free(c);
    return err_exit(e);
}
