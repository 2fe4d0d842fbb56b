/* cmd_completion.c - `dugnad completion bash|zsh|fish`, written from the table */
#include <string.h>

#include "base/str.h"
#include "client/cli/cli.h"
#include "client/cli/commands.h"

static bool wants_file(const struct cli_option *o)
{
    static const char *const files[] = {"FILE", "DIR", "PATH", "PROGRAM", "SRC", "PATTERN"};
    for (size_t i = 0; o->value && i < sizeof files / sizeof *files; i++)
        if (str_starts(o->value, files[i]))
            return true;
    return false;
}

static bool takes_files(const struct cli_command *c)
{
    static const char *const words[] = {"PROGRAM", "FILE", "BUNDLE", "RELEASE", "ENVELOPE", "FOLDER"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(c->usage, words[i]))
            return true;
    return c->rest;
}

/* The first words, each once. */
static bool first_of_group(size_t i)
{
    size_t len = strcspn(cli_table[i]->words, " ");
    for (size_t j = 0; j < i; j++)
        if (strcspn(cli_table[j]->words, " ") == len &&
            memcmp(cli_table[i]->words, cli_table[j]->words, len) == 0)
            return false;
    return true;
}

static void first_words(FILE *out)
{
    for (size_t i = 0; i < cli_table_count; i++)
        if (first_of_group(i))
            fprintf(out, " %.*s", (int)strcspn(cli_table[i]->words, " "), cli_table[i]->words);
}

static void second_words(FILE *out, const char *group, size_t len)
{
    for (size_t i = 0; i < cli_table_count; i++)
        if (strncmp(cli_table[i]->words, group, len) == 0 && cli_table[i]->words[len] == ' ')
            fprintf(out, " %s", cli_table[i]->words + len + 1);
}

static bool is_group(const char *words)
{
    return strchr(words, ' ') != NULL;
}

static void option_words(FILE *out, const struct cli_command *c)
{
    for (size_t i = 0; i < c->option_count; i++)
        fprintf(out, " --%s", c->options[i].name);
    for (size_t i = 0; i < args_common_count; i++)
        fprintf(out, " --%s", args_common[i].name);
}

/* The cases that complete an option's value: bash and zsh share them. */
static void value_cases(FILE *out)
{
    for (size_t i = 0; i < cli_table_count; i++)
        for (size_t n = 0; n < cli_table[i]->option_count; n++) {
            const struct cli_option *o = &cli_table[i]->options[n];
            if (o->choose)
                fprintf(out, "    '%s --%s') COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
                        cli_table[i]->words, o->name, o->choose);
            else if (o->value && wants_file(o))
                fprintf(out, "    '%s --%s') COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n",
                        cli_table[i]->words, o->name);
            else if (o->value)
                fprintf(out, "    '%s --%s') return ;;\n", cli_table[i]->words, o->name);
        }
}

static void bash(FILE *out)
{
    fputs("# bash completion of dugnad, printed by: dugnad completion bash\n_dugnad()\n{\n"
          "  local cur prev cmd group\n  COMPREPLY=()\n  cur=${COMP_WORDS[COMP_CWORD]}\n  "
          "prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W '",
          out);
    first_words(out);
    fputs("' -- \"$cur\")); return\n  fi\n  cmd=${COMP_WORDS[1]}; group=\n  case $cmd in\n", out);
    for (size_t i = 0; i < cli_table_count; i++) {
        size_t len = strcspn(cli_table[i]->words, " ");
        if (!first_of_group(i) || !is_group(cli_table[i]->words))
            continue;
        fprintf(out, "    %.*s) group='", (int)len, cli_table[i]->words);
        second_words(out, cli_table[i]->words, len);
        fputs("' ;;\n", out);
    }
    fputs("  esac\n  if [ -n \"$group\" ]; then\n    if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
          "      COMPREPLY=($(compgen -W \"$group\" -- \"$cur\")); return\n    fi\n    cmd=\"$cmd "
          "${COMP_WORDS[2]}\"\n  fi\n"
          "  case $prev in --profile|--url) return ;; --token-file) COMPREPLY=($(compgen -f -- \"$cur\")); "
          "return ;; esac\n"
          "  case \"$cmd $prev\" in\n",
          out);
    value_cases(out);
    fputs("  esac\n  case \"$cmd\" in\n", out);
    for (size_t i = 0; i < cli_table_count; i++) {
        fprintf(out, "    '%s')\n      if [ \"${cur#-}\" != \"$cur\" ]; then COMPREPLY=($(compgen -W '",
                cli_table[i]->words);
        option_words(out, cli_table[i]);
        fprintf(out, "' -- \"$cur\"))%s; fi ;;\n",
                takes_files(cli_table[i]) ? "; else COMPREPLY=($(compgen -f -- \"$cur\"))" : "");
    }
    fputs("  esac\n}\ncomplete -o filenames -F _dugnad dugnad\n", out);
}

/* zsh runs bash's completion: one description of the commands, not two that drift apart. */
static void zsh(FILE *out)
{
    fputs("#compdef dugnad\n# zsh completion of dugnad, printed by: dugnad completion zsh\n"
          "autoload -U +X bashcompinit && bashcompinit\n",
          out);
    bash(out);
}

/* A sentence within single quotes of fish. */
static void fish_text(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void fish_option(FILE *out, const char *when, const struct cli_option *o)
{
    fprintf(out, "complete -c dugnad -n \"%s\" -l %s", when, o->name);
    if (o->letter)
        fprintf(out, " -s %c", o->letter);
    if (o->choose)
        fprintf(out, " -xa '%s'", o->choose);
    else if (o->value)
        fputs(wants_file(o) ? " -rF" : " -x", out);
    fputs(" -d ", out);
    fish_text(out, o->help);
    fputc('\n', out);
}

static void fish_command(FILE *out, const struct cli_command *c)
{
    const char *second = strchr(c->words, ' ');
    int len = (int)strcspn(c->words, " ");
    char when[256];
    if (second) {
        snprintf(when, sizeof when,
                 "__fish_seen_subcommand_from %.*s; and test (count (commandline -opc)) -eq 2", len,
                 c->words);
        fprintf(out, "complete -c dugnad -n \"%s\" -fa %s -d ", when, second + 1);
        fish_text(out, c->summary);
        fputc('\n', out);
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s",
                 len, c->words, second + 1);
    } else {
        fprintf(out, "complete -c dugnad -n __fish_use_subcommand -fa %s -d ", c->words);
        fish_text(out, c->summary);
        fputc('\n', out);
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %s", c->words);
    }
    for (size_t i = 0; i < c->option_count; i++)
        fish_option(out, when, &c->options[i]);
}

static void fish(FILE *out)
{
    fputs("# fish completion of dugnad, printed by: dugnad completion fish\n", out);
    for (size_t i = 0; i < cli_table_count; i++)
        if (is_group(cli_table[i]->words) && first_of_group(i))
            fprintf(out, "complete -c dugnad -n __fish_use_subcommand -fa %.*s\n",
                    (int)strcspn(cli_table[i]->words, " "), cli_table[i]->words);
    for (size_t i = 0; i < cli_table_count; i++)
        fish_command(out, cli_table[i]);
    for (size_t i = 0; i < args_common_count; i++)
        fish_option(out, "not __fish_use_subcommand", &args_common[i]);
}

static enum err run_cmd_completion(struct cli *c, const struct args *a)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    static void (*const print[])(FILE *) = {bash, zsh, fish};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        if (str_eq(a->words[0], shells[i])) {
            print[i](c->out);
            return ERR_OK;
        }
    }
    return err_set(ERR_INVALID, "there is no completion for '%.40s': bash, zsh and fish are known",
                   a->words[0]);
}

const struct cli_command cmd_completion = {
    .words = "completion",
    .usage = "bash|zsh|fish",
    .summary = "print the completion for a shell",
    .details = "  dugnad completion bash > ~/.local/share/bash-completion/completions/dugnad",
    .words_min = 1,
    .words_max = 1,
    .run = run_cmd_completion};
