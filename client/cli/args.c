/* args.c - see args.h */
#include "client/cli/args.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

const struct cli_option args_common[] = {
    {"help", 'h', NULL, "show this help", NULL, false},
    {"json", 0, NULL, "print JSON for programs instead of text for people", NULL, false},
    {"quiet", 'q', NULL, "no progress and no remarks on standard error", NULL, false},
    {"profile", 0, "NAME", "use the project that was stored under this name (see dugnad login)", NULL, false},
    {"url", 0, "URL", "the server's address or a join link; also DUGNAD_URL", NULL, false},
    {"token-file", 0, "FILE", "file with the token; also DUGNAD_TOKEN_FILE", NULL, false},
};
const size_t args_common_count = sizeof args_common / sizeof *args_common;

#define NAMES_MAX 64

static const struct cli_option *find(const struct cli_command *c, const char *name, size_t len, char letter)
{
    for (size_t pass = 0; pass < 2; pass++) {
        const struct cli_option *list = pass ? args_common : c->options;
        size_t count = pass ? args_common_count : c->option_count;
        for (size_t i = 0; i < count; i++) {
            if (name && strlen(list[i].name) == len && memcmp(list[i].name, name, len) == 0)
                return &list[i];
            if (!name && letter && list[i].letter == letter)
                return &list[i];
        }
    }
    return NULL;
}

static enum err unknown(const struct cli_command *c, const char *word)
{
    const char *names[NAMES_MAX];
    char name[NAME_BYTES_MAX] = "";
    size_t n = 0;
    for (size_t i = 0; i < c->option_count && n < NAMES_MAX; i++)
        names[n++] = c->options[i].name;
    for (size_t i = 0; i < args_common_count && n < NAMES_MAX; i++)
        names[n++] = args_common[i].name;
    if (str_starts(word, "--"))
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = *name ? str_nearest(name, names, n) : NULL;
    if (near)
        return err_set(ERR_INVALID, "dugnad %s does not know %s: did you mean --%s?", c->words, word, near);
    return err_set(ERR_INVALID, "dugnad %s does not know %s: dugnad %s --help lists its options", c->words,
                   word, c->words);
}

static enum err put(struct args *a, const struct cli_option *o, const char *text)
{
    if (a->value_count == ARGS_VALUES_MAX)
        return err_set(ERR_LIMIT, "more than %d options on one command line", ARGS_VALUES_MAX);
    for (uint32_t i = 0; !o->many && o->value && i < a->value_count; i++)
        if (a->values[i].option == o)
            return err_set(ERR_INVALID, "--%s is given twice: give it once", o->name);
    a->values[a->value_count++] = (struct args_value){o, text};
    return ERR_OK;
}

/* One option word; *i moves on when its value is the next word. */
static enum err take(struct args *a, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *inner = NULL;
    const struct cli_option *o;
    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");
        o = find(a->command, word + 2, len, 0);
        inner = word[2 + len] ? word + 2 + len + 1 : NULL;
    } else {
        o = find(a->command, NULL, 0, word[1]);
        inner = word[2] ? word + 2 : NULL;
    }
    if (!o)
        return unknown(a->command, word);
    if (!o->value)
        return inner ? err_set(ERR_INVALID, "--%s takes no value, but %s gives one", o->name, word)
                     : put(a, o, "");
    if (inner)
        return put(a, o, inner);
    if (*i + 1 >= argc)
        return err_set(ERR_INVALID, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return put(a, o, argv[++*i]);
}

static enum err check_words(const struct args *a)
{
    const struct cli_command *c = a->command;
    if (args_flag(a, "help"))
        return ERR_OK;
    if (a->word_count < c->words_min)
        return err_set(ERR_INVALID, "dugnad %s needs %s: see dugnad %s --help", c->words, c->usage, c->words);
    if (a->word_count > c->words_max && c->rest)
        return err_set(ERR_INVALID, "dugnad %s does not expect '%s': words for the program stand after --",
                       c->words, a->words[c->words_max]);
    if (a->word_count > c->words_max)
        return err_set(ERR_INVALID, "dugnad %s does not expect '%s': see dugnad %s --help", c->words,
                       a->words[c->words_max], c->words);
    return ERR_OK;
}

enum err args_parse(const struct cli_command *command, int argc, char **argv, struct arena *arena,
                    struct args *ret)
{
    struct args a = {.command = command};
    size_t room = argc > 0 ? (size_t)argc : 1;
    enum err e = ERR_OK;
    a.words = arena_array(arena, room, sizeof *a.words);
    a.rest = arena_array(arena, room, sizeof *a.rest);
    a.values = arena_array(arena, room < ARGS_VALUES_MAX ? room : ARGS_VALUES_MAX, sizeof *a.values);
    if (!a.words || !a.rest || !a.values)
        return ERR_NOMEM;
    for (int i = 0; i < argc && e == ERR_OK; i++) {
        if (str_eq(argv[i], "--")) {
            const char **to = command->rest ? a.rest : a.words;
            uint32_t *count = command->rest ? &a.rest_count : &a.word_count;
            for (i++; i < argc; i++)
                to[(*count)++] = argv[i];
        } else if (argv[i][0] == '-' && argv[i][1]) {
            e = take(&a, argc, argv, &i);
        } else {
            a.words[a.word_count++] = argv[i];
        }
    }
    if (e == ERR_OK)
        e = check_words(&a);
    if (e == ERR_OK)
        *ret = a;
    return e;
}

const char *args_each(const struct args *a, const char *name, uint32_t i)
{
    for (uint32_t v = 0; v < a->value_count; v++)
        if (str_eq(a->values[v].option->name, name) && i-- == 0)
            return a->values[v].text;
    return NULL;
}

uint32_t args_count(const struct args *a, const char *name)
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < a->value_count; v++)
        count += str_eq(a->values[v].option->name, name);
    return count;
}

bool args_flag(const struct args *a, const char *name)
{
    return args_each(a, name, 0) != NULL;
}

const char *args_text(const struct args *a, const char *name, const char *fallback)
{
    uint32_t count = args_count(a, name);
    return count ? args_each(a, name, count - 1) : fallback;
}

enum err args_i64(const struct args *a, const char *name, int64_t min, int64_t max, int64_t fallback,
                  int64_t *ret)
{
    const char *text = args_text(a, name, NULL);
    *ret = fallback;
    if (!text)
        return ERR_OK;
    enum err e = str_to_i64(text, min, max, ret);
    return e == ERR_OK ? e : err_prefix(e, "--%s", name);
}

enum err args_duration(const struct args *a, const char *name, int64_t fallback_ms, int64_t *ret_ms)
{
    const char *text = args_text(a, name, NULL);
    *ret_ms = fallback_ms;
    if (!text)
        return ERR_OK;
    enum err e = str_to_duration_ms(text, ret_ms);
    return e == ERR_OK ? e : err_prefix(e, "--%s", name);
}

enum err args_bytes(const struct args *a, const char *name, uint64_t fallback, uint64_t *ret)
{
    const char *text = args_text(a, name, NULL);
    *ret = fallback;
    if (!text)
        return ERR_OK;
    enum err e = str_to_bytes(text, ret);
    return e == ERR_OK ? e : err_prefix(e, "--%s", name);
}

enum err args_pair(const char *option, const char *text, struct arena *a, const char **ret_name,
                   const char **ret_value)
{
    const char *equal = strchr(text, '=');
    if (!equal || equal == text)
        return err_set(ERR_INVALID, "--%s %s must be NAME=VALUE", option, text);
    *ret_name = arena_bytes(a, text, (size_t)(equal - text));
    *ret_value = equal + 1;
    return *ret_name ? ERR_OK : ERR_NOMEM;
}
