/* log.c - see log.h */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"

/* The one setting of the process that everything shares; written once at start. */
static enum log_level level_max = LOG_INFO;
static bool as_json;

static const char *const names[] = {"error", "warn", "info", "debug"};

struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t len;
};

void log_setup(enum log_level level, bool json)
{
    level_max = level;
    as_json = json;
}

enum err log_level_parse(const char *word, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(names[i], word)) {
            *ret = (enum log_level)i;
            return ERR_OK;
        }
    }
    return err_set(ERR_INVALID, "'%.40s' is not a log level: error, warn, info or debug", word ? word : "");
}

bool log_on(enum log_level level)
{
    return level <= level_max;
}

static void put(struct line *l, const char *text)
{
    size_t len = strlen(text), left = sizeof l->text - 2 - l->len;
    if (len > left)
        len = left;
    memcpy(l->text + l->len, text, len);
    l->len += len;
}

static void put_quoted(struct line *l, const char *text)
{
    put(l, "\"");
    for (const char *at = text; *at; at++) {
        char piece[8] = {*at, 0};
        if (*at == '"' || *at == '\\')
            snprintf(piece, sizeof piece, "\\%c", *at);
        else if ((unsigned char)*at < 0x20 || *at == 0x7f)
            snprintf(piece, sizeof piece, "\\u%04x", (unsigned char)*at);
        put(l, piece);
    }
    put(l, "\"");
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at <= 0x20 || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7f)
            return false;
    return *text != 0;
}

static void put_pair(struct line *l, const char *key, const char *value)
{
    if (as_json) {
        put(l, ",");
        put_quoted(l, key);
        put(l, ":");
        put_quoted(l, value);
        return;
    }
    put(l, " ");
    put(l, key);
    put(l, "=");
    if (is_plain(value))
        put(l, value);
    else
        put_quoted(l, value);
}

void log_event(enum log_level level, const char *event, ...)
{
    struct line l = {.len = 0};
    char when[40];
    va_list args;
    if (!log_on(level))
        return;
    str_from_time_ms(clock_wall_ms(), when, sizeof when);
    put(&l, as_json ? "{\"time\":\"" : "");
    put(&l, when);
    put(&l, as_json ? "\",\"level\":\"" : " ");
    put(&l, names[level]);
    put(&l, as_json ? "\",\"event\":\"" : " ");
    put(&l, event);
    put(&l, as_json ? "\"" : "");
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        put_pair(&l, key, value ? value : "-");
    }
    va_end(args);
    put(&l, as_json ? "}" : "");
    l.text[l.len++] = '\n';
    if (write(STDERR_FILENO, l.text, l.len) < 0)
        return; /* nowhere left to say it */
}

const char *log_i64(long long v)
{
    static _Thread_local char texts[8][24];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%lld", v);
    return text;
}
