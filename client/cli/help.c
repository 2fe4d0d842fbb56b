/* help.c - help texts and `dugnad help|version`, all from the table */
#include <string.h>

#include "base/str.h"
#include "client/cli/cli.h"
#include "client/cli/commands.h"

static void print_option(FILE *out, const struct cli_option *o)
{
    char left[64], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    if (strlen(left) > 30)
        fprintf(out, "  %s\n  %30s  %s\n", left, "", o->help);
    else
        fprintf(out, "  %-30s  %s\n", left, o->help);
}

static void overview(FILE *out)
{
    fprintf(out, "dugnad: the command line of a volunteer-computing grid\n\nUsage: dugnad COMMAND [words] "
                 "[options]\n\n");
    for (size_t i = 0; i < cli_table_count; i++)
        fprintf(out, "  %-16s  %s\n", cli_table[i]->words, cli_table[i]->summary);
    fprintf(out, "\ndugnad COMMAND --help tells more. Options of every command:\n\n");
    for (size_t i = 0; i < args_common_count; i++)
        print_option(out, &args_common[i]);
    fprintf(
        out,
        "\nlast is the newest batch of one's own: dugnad watch last, dugnad show last.12, dugnad submit .. "
        "--after "
        "last.\n"
        "\nExit status: 0 done, 1 done but work has failed (watch, results, app run), 2 wrong use, 3 not "
        "allowed,\n"
        "4 not there, 5 too late or in conflict, 6 over a limit, 7 server busy or full, 8 not reachable,\n"
        "9 not to be trusted, 10 not possible here, 11 timed out, 12 the machine failed.\n");
}

void cli_help(FILE *out, const struct cli_command *c)
{
    if (!c) {
        overview(out);
        return;
    }
    fprintf(out, "dugnad %s: %s\n\nUsage: dugnad %s%s%s%s%s\n", c->words, c->summary, c->words,
            *c->usage ? " " : "", c->usage, c->option_count ? " [options]" : "",
            c->rest ? " [-- WORD..]" : "");
    if (c->details)
        fprintf(out, "\n%s\n", c->details);
    if (c->option_count)
        fprintf(out, "\nOptions:\n");
    for (size_t i = 0; i < c->option_count; i++)
        print_option(out, &c->options[i]);
    fprintf(out, "\nOptions of every command:\n");
    for (size_t i = 0; i < args_common_count; i++)
        print_option(out, &args_common[i]);
}

static enum err run_cmd_help(struct cli *c, const struct args *a)
{
    const struct cli_command *command = NULL;
    int used;
    if (a->word_count > 0) {
        enum err e = cli_find((int)a->word_count, (char **)a->words, &command, &used);
        if (e != ERR_OK)
            return e;
    }
    cli_help(c->out, command);
    return ERR_OK;
}

static enum err run_cmd_version(struct cli *c, const struct args *a)
{
    (void)a;
    fprintf(c->out, c->json ? "{\"version\":\"%s\"}\n" : "dugnad %s\n", DUGNAD_VERSION);
    return ERR_OK;
}

const struct cli_command cmd_help = {.words = "help",
                                     .usage = "[COMMAND]",
                                     .summary = "tell about a command",
                                     .words_max = 2,
                                     .run = run_cmd_help};
const struct cli_command cmd_version = {
    .words = "version", .usage = "", .summary = "print the version", .run = run_cmd_version};
