/* cli.c - from words to a command and its exit status, see cli.h */
#include "client/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/str.h"
#include "client/cli/api.h"

#define NAMES_MAX 128

/* Other words for the same thing, so that a good guess works. */
static const char *same(const char *word)
{
    static const char *const pairs[][2] = {
        {"add", "new"}, {"create", "new"}, {"remove", "rm"}, {"delete", "rm"}, {"get", "show"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (str_eq(word, pairs[i][0]))
            return pairs[i][1];
    return word;
}

static bool matches(const struct cli_command *c, int argc, char **argv, int *ret_used)
{
    const char *at = c->words;
    int used = 0;
    while (*at) {
        size_t len = strcspn(at, " ");
        if (used >= argc)
            return false;
        const char *word = argv[used++], *other = same(word);
        if ((strlen(word) != len || memcmp(word, at, len) != 0) &&
            (strlen(other) != len || memcmp(other, at, len) != 0))
            return false;
        at += len + (at[len] == ' ');
    }
    *ret_used = used;
    return true;
}

/* The words are a group's name alone, or a group with an unknown second word. */
static enum err group(int argc, char **argv)
{
    const char *names[NAMES_MAX];
    size_t count = 0, len = strlen(argv[0]);
    for (size_t i = 0; i < cli_table_count && count < NAMES_MAX; i++)
        if (str_starts(cli_table[i]->words, argv[0]) && cli_table[i]->words[len] == ' ')
            names[count++] = cli_table[i]->words + len + 1;
    if (count == 0)
        return ERR_OK;
    char list[256] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    const char *near = argc > 1 ? str_nearest(argv[1], names, count) : NULL;
    if (near)
        return err_set(ERR_INVALID, "there is no command 'dugnad %s %s': did you mean 'dugnad %s %s'?",
                       argv[0], argv[1], argv[0], near);
    return err_set(ERR_INVALID, "dugnad %s needs one of: %s", argv[0], list);
}

enum err cli_find(int argc, char **argv, const struct cli_command **ret, int *ret_used)
{
    const char *names[NAMES_MAX];
    char first[NAMES_MAX][16]; /* a group's name is a good guess too */
    size_t count = 0;
    for (size_t i = 0; i < cli_table_count; i++) {
        if (matches(cli_table[i], argc, argv, ret_used)) {
            *ret = cli_table[i];
            return ERR_OK;
        }
        snprintf(first[i % NAMES_MAX], sizeof first[0], "%.*s", (int)strcspn(cli_table[i]->words, " "),
                 cli_table[i]->words);
        if (count < NAMES_MAX)
            names[count++] = first[i % NAMES_MAX];
    }
    enum err e = group(argc, argv);
    if (e != ERR_OK)
        return e;
    static const struct {
        const char *said, *meant;
    } habits[] = {/* what other systems call it */

                  {"jobs", "ls"},
                  {"batches", "ls"},
                  {"errors", "failures"},
                  {"log", "show UNIT"},
                  {"logs", "show UNIT"},
                  {"stop", "cancel"},
                  {"kill", "cancel"},
                  {"rm", "cancel"},
                  {"delete", "cancel"},
                  {"fetch", "results"},
                  {"download", "results"},
                  {"get", "results"},
                  {"follow", "watch"},
                  {"progress", "watch"},
                  {"info", "status"},
                  {"run", "submit"},
                  {"start", "submit"},
                  {"map", "submit"},
                  {"plan", "submit --dry-run"},
                  {"hosts", "host ls"},
                  {"nodes", "host ls"},
                  {"users", "user ls"},
                  {"apps", "app ls"},
                  {"queue", "streams"},
                  {"why", "explain"},
                  {"rerun", "retry"},
                  {"print", "cat UNIT"},
                  {"dag", "graph"},
                  {"cron", "schedule new"},
                  {"schedules", "schedule ls"},
                  {"topics", "streams"}};
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
        if (str_eq(argv[0], habits[i].said))
            return err_set(ERR_INVALID, "there is no command 'dugnad %s': it is 'dugnad %s' here", argv[0],
                           habits[i].meant);
    const char *near = str_nearest(argv[0], names, count);
    if (near)
        return err_set(ERR_INVALID, "there is no command 'dugnad %s': did you mean 'dugnad %s'?", argv[0],
                       near);
    return err_set(ERR_INVALID, "there is no command 'dugnad %s': dugnad help lists all", argv[0]);
}

bool cli_bar(const struct cli *c)
{
    const char *term = getenv("TERM");
    return !c->quiet && !c->json && c->err == stderr && isatty(STDERR_FILENO) && term &&
           !str_eq(term, "dumb");
}

enum err cli_output_error(struct cli *c)
{
    c->reader_gone = errno == EPIPE;
    return err_set_errno(ERR_IO, "cannot write to standard output");
}

static int fail(FILE *err, bool json, FILE *out, enum err e)
{
    if (json) {
        BUF_AUTO struct buf text = {0};
        if (api_error_json(e, &text) == ERR_OK)
            fprintf(out, "%s\n", buf_text(&text));
    }
    fprintf(err, "dugnad: %s\n", *err_text() ? err_text() : err_word(e));
    if (e == ERR_UNREACHABLE)
        fprintf(err,
                "the project is down, or this machine offline: the same command goes on later; dugnad login "
                "JOIN-LINK sets another address\n");
    return err_exit(e);
}

static const char *option_or_env(const struct args *a, const char *option, const char *variable)
{
    const char *text = args_text(a, option, NULL), *env = getenv(variable);
    return text ? text : env && *env ? env : NULL;
}

/* The newest batch of this person; in the arena. */
static enum err find_last(struct cli *c, const char **ret)
{
    JSON_AUTO struct json_doc *doc = NULL;
    const char *batch;
    if (*ret)
        return ERR_OK;
    enum err e = api_get(c, "/v1/batches?limit=1", &doc);
    const struct json *items = e == ERR_OK ? json_field(json_root(doc), "items") : NULL;
    if (e == ERR_OK && (!items || json_count(items) == 0))
        e = err_set(ERR_MISSING, "there is no batch yet that could be the last: dugnad submit makes one");
    if (e == ERR_OK)
        e = json_get_string(json_at(items, 0), "items", "batch", ID_TEXT_BYTES, &batch);
    if (e == ERR_OK && !(*ret = arena_text(&c->arena, batch)))
        e = ERR_NOMEM;
    return e;
}

/* "last" where a batch is meant, "last.12" where a unit is: the newest batch's number. */
static enum err fill_last(struct cli *c, const char **word, const char **last)
{
    BUF_AUTO struct buf text = {0};
    if (!str_eq(*word, "last") && !str_starts(*word, "last."))
        return ERR_OK;
    enum err e = find_last(c, last);
    if (e == ERR_OK)
        e = buf_printf(&text, "%s%s", *last, *word + 4);
    if (e == ERR_OK && !(*word = arena_text(&c->arena, buf_text(&text))))
        e = ERR_NOMEM;
    return e;
}

static enum err fill_lasts(struct cli *c, struct args *a)
{
    const char *last = NULL, *usage = a->command->usage ? a->command->usage : "";
    enum err e = ERR_OK;
    bool words = strstr(usage, "BATCH") || strstr(usage, "UNIT");
    for (uint32_t i = 0; words && e == ERR_OK && i < a->word_count; i++)
        e = fill_last(c, &a->words[i], &last);
    for (uint32_t i = 0; e == ERR_OK && i < a->value_count; i++)
        if (a->values[i].option->value && str_eq(a->values[i].option->value, "BATCH"))
            e = fill_last(c, &a->values[i].text, &last);
    return e;
}

static int run(const struct cli_command *command, int argc, char **argv, struct cli *c)
{
    struct args a;
    enum err e = args_parse(command, argc, argv, &c->arena, &a);
    if (e != ERR_OK)
        return fail(c->err, false, c->out, e);
    if (args_flag(&a, "help")) {
        cli_help(c->out, command);
        return 0;
    }
    c->json = args_flag(&a, "json");
    c->quiet = args_flag(&a, "quiet");
    c->profile = args_text(&a, "profile", NULL);
    c->url = option_or_env(&a, "url", "DUGNAD_URL");
    c->token_file = option_or_env(&a, "token-file", "DUGNAD_TOKEN_FILE");
    e = fill_lasts(c, &a);
    if (e == ERR_OK)
        e = command->run(c, &a);
    if (e == ERR_OK && fflush(c->out) != 0)
        e = cli_output_error(c);
    if (c->reader_gone) /* as of `| head`: it has what it wanted */
        return 128 + SIGPIPE;
    return e == ERR_OK ? c->status : fail(c->err, c->json, c->out, e);
}

/* Options of every command may stand before it, as in `dugnad --json ls`: they are moved behind it. Returns
 * where the command starts in ret_argv, 1; argc when there is none. */
static int move_options(int argc, char **argv, char **ret_argv)
{
    int first = 1, n = 1;
    while (first < argc && argv[first][0] == '-' && argv[first][1]) {
        bool takes_value = false;
        for (size_t i = 0; i < args_common_count; i++)
            if (args_common[i].value && str_starts(argv[first], "--") &&
                str_eq(argv[first] + 2, args_common[i].name))
                takes_value = true;
        first += takes_value ? 2 : 1;
    }
    if (first >= argc)
        return argc;
    int end = first;
    while (end < argc && !str_eq(argv[end], "--"))
        end++;
    ret_argv[0] = argv[0];
    for (int i = first; i < end; i++)
        ret_argv[n++] = argv[i];
    for (int i = 1; i < first; i++)
        ret_argv[n++] = argv[i];
    for (int i = end; i < argc; i++)
        ret_argv[n++] = argv[i];
    return 1;
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct cli c = {.out = out, .err = err};
    const struct cli_command *command;
    int used = 0, status;
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write */
    if (argc < 2) {
        cli_help(err, NULL);
        return err_exit(ERR_INVALID);
    }
    if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
        cli_help(out, NULL);
        return 0;
    }
    if (str_eq(argv[1], "--version") || str_eq(argv[1], "-V")) {
        fprintf(out, "dugnad %s\n", DUGNAD_VERSION);
        return 0;
    }
    char **words = arena_array(&c.arena, (size_t)argc + 1, sizeof *words);
    enum err e = words ? ERR_OK : ERR_NOMEM;
    if (e == ERR_OK && move_options(argc, argv, words) == argc)
        e = err_set(ERR_INVALID, "%s stands without a command: dugnad help lists all", argv[1]);
    if (e == ERR_OK)
        e = cli_find(argc - 1, words + 1, &command, &used);
    status = e == ERR_OK ? run(command, argc - 1 - used, words + 1 + used, &c) : fail(err, false, out, e);
    api_close(&c);
    arena_done(&c.arena);
    return status;
}
