/* dugnad-server: the command line of the server itself. Everything else is done with `dugnad`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/user.h"
#include "server/command.h"
#include "server/init.h"
#include "server/login.h"
#include "server/route.h"
#include "server/serve.h"

#define DATA_DEFAULT "/var/lib/dugnad-server"

static const char usage[] =
    "usage: dugnad-server [--data FOLDER] COMMAND [--OPTION VALUE]...\n"
    "\n"
    "  init --name NAME     make a project in the data folder; prints the join link\n"
    "  serve                run it; SIGTERM stops it\n"
    "  login-link           print a link that opens the console once, within 15 minutes\n"
    "  settings             print what can be set, as in server.conf\n"
    "  routes               print what can be asked and by whom, as JSON lines\n"
    "  version\n";

static const char usage_options[] =
    "\n"
    "--data FOLDER          default: $DUGNAD_DATA, or " DATA_DEFAULT
    ". Root works as the user it belongs to\n"
    "init and serve take every name of server.conf as an option: --listen 127.0.0.1:8443\n"
    "init takes too:\n"
    "  --offline FOLDER             where the keys go that do not belong on the server\n"
    "  --release-keys N             how many release keys to make (1)\n"
    "  --release-threshold N        how many of them must sign a release (1)\n"
    "  --tls-certificate FILE --tls-key FILE    instead of a self-signed pair\n";

static const struct conf_option init_options[] = {
    {"offline", CONF_TEXT, offsetof(struct init_options, offline), sizeof((struct init_options *)0)->offline,
     NULL, 0, 0, NULL, NULL},
    {"release-keys", CONF_INT, offsetof(struct init_options, release_keys), 0, "1", 1, 16, NULL, NULL},
    {"release-threshold", CONF_INT, offsetof(struct init_options, release_threshold), 0, "1", 1, 16, NULL,
     NULL},
    {"tls-certificate", CONF_TEXT, offsetof(struct init_options, certificate),
     sizeof((struct init_options *)0)->certificate, NULL, 0, 0, NULL, NULL},
    {"tls-key", CONF_TEXT, offsetof(struct init_options, key), sizeof((struct init_options *)0)->key, NULL, 0,
     0, NULL, NULL},
};
#define INIT_COUNT (sizeof init_options / sizeof *init_options)

static bool is_option_of(const struct conf_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(options[i].name, name))
            return true;
    return false;
}

/* --NAME VALUE or --NAME=VALUE; names may be written with - for _. */
static enum err take_options(int argc, char **argv, struct settings *s, struct init_options *o)
{
    for (int i = 0; i < argc; i++) {
        char name[64];
        const char *value = strchr(argv[i], '=');
        if (!str_starts(argv[i], "--"))
            return err_set(ERR_INVALID, "\"%.60s\" is no option: see dugnad-server --help", argv[i]);
        snprintf(name, sizeof name, "%.*s", (int)(value ? value - argv[i] - 2 : 60), argv[i] + 2);
        if (!value && i + 1 == argc)
            return err_set(ERR_INVALID, "--%s needs a value", name);
        value = value ? value + 1 : argv[++i];
        if (o && is_option_of(init_options, INIT_COUNT, name)) {
            enum err e = conf_set(init_options, INIT_COUNT, name, value, o);
            if (e != ERR_OK)
                return e;
            continue;
        }
        for (char *c = name; *c; c++)
            *c = *c == '-' ? '_' : *c;
        enum err e = conf_set(settings_options, settings_count, name, value, s);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err run_init(const char *data, int argc, char **argv)
{
    struct settings s;
    struct init_options o;
    BUF_AUTO struct buf text = {0};
    conf_defaults(settings_options, settings_count, &s);
    conf_defaults(init_options, INIT_COUNT, &o);
    enum err e = take_options(argc, argv, &s, &o);
    if (e == ERR_OK)
        e = init_project(data, &s, &o, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), stdout);
    return e;
}

static enum err run_serve(const char *data, int argc, char **argv)
{
    struct settings s;
    enum err e = serve_settings(data, &s);
    if (e == ERR_OK)
        e = take_options(argc, argv, &s, NULL);
    return e == ERR_OK ? serve(data, &s) : e;
}

static enum err run_login_link(const char *data)
{
    struct settings s;
    BUF_AUTO struct buf link = {0};
    enum err e = serve_settings(data, &s);
    if (e == ERR_OK)
        e = login_link(data, &s, &link);
    if (e == ERR_OK)
        puts(buf_text(&link));
    return e;
}

static enum err run_settings(void)
{
    BUF_AUTO struct buf text = {0};
    enum err e = conf_print_defaults(settings_options, settings_count, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), stdout);
    return e;
}

/* For tests and for people who write proxies: who may ask what. */
static enum err print_routes(void)
{
    static const char *const access[] = {[ACCESS_PUBLIC] = "public",
                                         [ACCESS_TOKEN] = "token",
                                         [ACCESS_HOST] = "host",
                                         [ACCESS_VIEWER] = "viewer",
                                         [ACCESS_SCIENTIST] = "scientist",
                                         [ACCESS_OPERATOR] = "operator",
                                         [ACCESS_VIEWER_FRESH] = "viewer",
                                         [ACCESS_SCIENTIST_FRESH] = "scientist",
                                         [ACCESS_OPERATOR_FRESH] = "operator"};
    for (size_t i = 0; i < route_count; i++)
        printf("{\"method\":\"%s\",\"path\":\"%s\",\"access\":\"%s\",\"fresh\":%s}\n", routes[i].method,
               routes[i].path, access[routes[i].access],
               routes[i].access >= ACCESS_VIEWER_FRESH ? "true" : "false");
    return ERR_OK;
}

static void print_usage(FILE *to)
{
    fputs(usage, to);
    fputs(command_usage, to);
    fputs(usage_options, to);
}

static enum err run(const char *data, const char *command, int argc, char **argv, int *ret_status)
{
    enum err (*beside)(const char *, int, char **, int *);
    if (command_find(command, &beside))
        return beside(data, argc, argv, ret_status);
    if (str_eq(command, "init"))
        return run_init(data, argc, argv);
    if (str_eq(command, "serve"))
        return run_serve(data, argc, argv);
    if (str_eq(command, "login-link"))
        return run_login_link(data);
    if (str_eq(command, "settings"))
        return run_settings();
    if (str_eq(command, "routes"))
        return print_routes();
    if (str_eq(command, "version") || str_eq(command, "--version")) {
        puts("dugnad-server " DUGNAD_VERSION);
        return ERR_OK;
    }
    if (str_eq(command, "help") || str_eq(command, "--help") || str_eq(command, "-h")) {
        print_usage(stdout);
        return ERR_OK;
    }
    return err_set(ERR_INVALID, "there is no command \"%.40s\": see dugnad-server --help", command);
}

int main(int argc, char **argv)
{
    const char *data = getenv("DUGNAD_DATA");
    int at = 1;
    if (argc >= 3 && str_eq(argv[1], "--data")) {
        data = argv[2];
        at = 3;
    } else if (argc >= 2 && str_starts(argv[1], "--data=")) {
        data = argv[1] + strlen("--data=");
        at = 2;
    }
    if (at >= argc) {
        print_usage(stderr);
        return err_exit(ERR_INVALID);
    }
    if (!data || !*data)
        data = DATA_DEFAULT;
    int status = 0;
    enum err e = user_become_owner(data);
    if (e == ERR_OK)
        e = run(data, argv[at], argc - at - 1, argv + at + 1, &status);
    if (e != ERR_OK)
        fprintf(stderr, "dugnad-server: %s\n", err_text());
    return e == ERR_OK ? status : err_exit(e);
}
