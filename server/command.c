#include "server/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/alerts.h"
#include "server/clone.h"
#include "server/command_care.h"
#include "server/doctor.h"
#include "server/serve.h"
#include "server/try.h"

const char command_usage[] =
    "  doctor [--json]      look at settings, keys, disk, clock, certificate, database, sandbox and port;\n"
    "                       says what to do; status 1 when something is wrong\n"
    "  backup FOLDER        the whole project as it is at this moment, also while it is served\n"
    "  restore FOLDER       bring a backup back as the data folder, which must not be there yet\n"
    "  clone FOLDER [--listen ADDRESS:PORT]  make the data folder of one more server for the project of "
    "FOLDER,\n"
    "                       which is on a shared database\n"
    "  dump [FILE]          all rows as lines of JSON, also while it is served\n"
    "  load FILE            read a dump into an empty database\n"
    "  migrate --to DATABASE  move the project to another database, compare, switch server.conf over\n"
    "  migrate --blobs PLACE  move its files into an object store (s3://BUCKET/PREFIX) or a folder, compare, "
    "switch\n"
    "  migrate --schema N   with the server stopped: the schema as an older program knows it, to take an "
    "upgrade back\n"
    "  audit [--has ENTRY:HASH]  follow the audit log's chain of hashes; does it still hold the entry that "
    "was noted?\n"
    "  test-alert           send a test notice each way that server.conf names: mail, web hook, heartbeat\n";

/* --- words of a command line --- */

struct words { /* flags "--name" and other words, in any order */
    int argc;
    char **argv;
};

static bool take_flag(struct words *w, const char *name)
{
    for (int i = 0; i < w->argc; i++)
        if (str_eq(w->argv[i], name)) {
            memmove(w->argv + i, w->argv + i + 1, (size_t)(w->argc - i - 1) * sizeof *w->argv);
            w->argc--;
            return true;
        }
    return false;
}

static enum err take_end(const struct words *w, const char *usage)
{
    if (w->argc == 0)
        return ERR_OK;
    return err_set(ERR_INVALID, "\"%.60s\" is too much: %s", w->argv[0], usage);
}

/* --- doctor --- */

static enum err print_json(const struct findings *f, struct buf *out)
{
    struct json_out o;
    json_out_init(&o, out);
    o.pretty = true;
    json_out_object(&o, NULL);
    json_out_string(&o, "level", finding_level_name(findings_worst(f)));
    json_out_array(&o, "findings");
    findings_write(f, true, &o);
    json_out_close(&o);
    json_out_close(&o);
    TRY(json_out_end(&o));
    return buf_add_char(out, '\n');
}

static enum err run_doctor(const char *data, int argc, char **argv, int *ret_status)
{
    struct words w = {argc, argv};
    struct findings found = {.count = 0};
    BUF_AUTO struct buf text = {0};
    bool json = take_flag(&w, "--json");
    TRY(take_end(&w, "dugnad-server --data D doctor [--json]"));
    doctor_run(data, &found);
    findings_sort(&found);
    TRY(json ? print_json(&found, &text) : findings_print(&found, &text));
    fputs(buf_text(&text), stdout);
    *ret_status = findings_worst(&found) == FINDING_ERROR;
    return ERR_OK;
}

static enum err run_test_alert(const char *data, int argc, char **argv, int *ret_status)
{
    struct words w = {argc, argv};
    struct settings settings;
    BUF_AUTO struct buf text = {0};
    TRY(take_end(&w, "dugnad-server --data D test-alert"));
    TRY(serve_settings(data, &settings));
    TRY(settings_check(&settings));
    enum err e = alerts_test(&settings, &text);
    fputs(buf_text(&text), stdout);
    *ret_status = 0;
    return e;
}

static enum err run_clone(const char *data, int argc, char **argv, int *ret_status)
{
    BUF_AUTO struct buf text = {0};
    bool listens = argc == 3 && str_eq(argv[1], "--listen");
    *ret_status = 0;
    if ((argc != 1 && !listens) || argv[0][0] == '-')
        return err_set(ERR_INVALID, "usage: dugnad-server --data NEW clone FOLDER [--listen ADDRESS:PORT]");
    enum err e = clone_make(argv[0], data, listens ? argv[2] : NULL, &text);
    if (e == ERR_OK)
        fputs(buf_text(&text), stdout);
    return e;
}

static const struct {
    const char *name;
    enum err (*run)(const char *data, int argc, char **argv, int *ret_status);
} commands[] = {
    {"doctor", run_doctor},       {"test-alert", run_test_alert}, {"backup", command_backup},
    {"restore", command_restore}, {"dump", command_dump},         {"load", command_load},
    {"migrate", command_migrate}, {"audit", command_audit},       {"clone", run_clone},
};

bool command_find(const char *name,
                  enum err (**ret_run)(const char *data, int argc, char **argv, int *ret_status))
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (str_eq(commands[i].name, name)) {
            *ret_run = commands[i].run;
            return true;
        }
    return false;
}
