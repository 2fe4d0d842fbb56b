#include "server/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "server/doctor.h"
#include "server/try.h"

const char command_usage[] =
    "  doctor [--json]      look at settings, keys, disk, clock, certificate, database, sandbox and port;\n"
    "                       says what to do; status 1 when something is wrong\n";

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

static const struct {
    const char *name;
    enum err (*run)(const char *data, int argc, char **argv, int *ret_status);
} commands[] = {
    {"doctor", run_doctor},
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
