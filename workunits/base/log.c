/* log.c - see log.h; one line, one write(2), so that lines of several threads never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"

#define TAIL_BYTES   16 /* kept free for the end of a line: the cut mark, a quote, a brace, the line feed */
#define I64_TEXTS    8
#define I64_BYTES    24
#define ESCAPE_BYTES 8

/* How this process logs: set once at its start, read by every thread. */
static atomic_int log_level = LOG_INFO;
static atomic_bool log_json;

static const char *const level_words[] = {"error", "warn", "info", "debug"};

struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t len;
    bool cut;
};

void log_setup(enum log_level level, bool json)
{
    atomic_store(&log_level, (int)level);
    atomic_store(&log_json, json);
}

enum err log_level_parse(const char *word, enum log_level *ret)
{
    for (unsigned i = 0; i < sizeof level_words / sizeof *level_words; i++)
        if (str_eq(word, level_words[i])) {
            *ret = (enum log_level)i;
            return ERR_OK;
        }
    return err_set(ERR_INVALID, "'%.40s' is not a log level; use error, warn, info or debug",
                   word ? word : "");
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* All or nothing, so that a cut never falls into an escape or a character. */
static void put(struct line *line, const char *bytes, size_t len)
{
    if (line->cut || line->len + len > sizeof line->text - TAIL_BYTES) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

/* The ends of quotes and braces: there is always room for them. */
static void put_end(struct line *line, const char *text)
{
    size_t len = strlen(text);
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Writes an escape of the byte that is good in both kinds of line. */
static void put_escaped(struct line *line, unsigned char c)
{
    char escape[ESCAPE_BYTES];
    const char *letter = strchr("\"\"\\\\\nn\rr\tt", c);
    if (c && letter)
        snprintf(escape, sizeof escape, "\\%c", letter[1]);
    else
        snprintf(escape, sizeof escape, "\\u%04x", c);
    put_text(line, escape);
}

static void put_quoted(struct line *line, const char *text)
{
    size_t len = strlen(text);
    put(line, "\"", 1);
    bool open = !line->cut;
    while (len > 0 && !line->cut) {
        size_t n = str_utf8_len(text, len);
        unsigned char c = (unsigned char)*text;
        if (n == 0)
            put_text(line, "\xef\xbf\xbd"); /* U+FFFD: whatever it is, it is not text */
        else if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            put_escaped(line, c);
        else if (c == 0xc2 && (unsigned char)text[1] < 0xa0)
            put_escaped(line, (unsigned char)text[1]);
        else
            put(line, text, n);
        text += n ? n : 1;
        len -= n ? n : 1;
    }
    if (open)
        put_end(line, line->cut ? "...\"" : "\"");
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || strchr("\"\\=", *at))
            return false;
    return *text != '\0';
}

static void put_value(struct line *line, const char *value, bool json)
{
    if (!json && is_plain(value))
        put_text(line, value);
    else
        put_quoted(line, value);
}

static void put_pair(struct line *line, const char *key, const char *value, bool json)
{
    size_t before = line->len;
    put(line, json ? "," : " ", 1);
    if (json)
        put_quoted(line, key);
    else
        put_text(line, key);
    put(line, json ? ":" : "=", 1);
    if (line->cut)
        line->len = before;
    else
        put_value(line, value, json);
}

static void put_start(struct line *line, enum log_level level, const char *event, bool json)
{
    char when[32];
    str_from_time_ms(clock_wall_ms(), when, sizeof when);
    if (!json) {
        put_text(line, when);
        put(line, " ", 1);
        put_text(line, level_words[level]);
        put(line, " ", 1);
        put_text(line, event);
        return;
    }
    put_text(line, "{\"time\":");
    put_quoted(line, when);
    put_pair(line, "level", level_words[level], true);
    put_pair(line, "event", event, true);
}

static void write_line(const struct line *line)
{
    size_t done = 0;
    while (done < line->len) {
        ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);
        if (n < 0 && errno != EINTR)
            return; /* nobody listens; a log that cannot be written must not stop the work */
        done += n < 0 ? 0 : (size_t)n;
    }
}

void log_event(enum log_level level, const char *event, ...)
{
    if (!log_on(level))
        return;
    struct line line;
    line.len = 0;
    line.cut = false;
    bool json = atomic_load_explicit(&log_json, memory_order_relaxed);
    int errno_before = errno;
    put_start(&line, level, event, json);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        put_pair(&line, key, value ? value : "-", json);
        if (!value)
            break;
    }
    va_end(args);
    put_end(&line, json ? "}\n" : "\n");
    write_line(&line);
    errno = errno_before;
}

const char *log_i64(long long v)
{
    static _Thread_local char texts[I64_TEXTS][I64_BYTES];
    static _Thread_local unsigned next;
    char *text = texts[next++ % I64_TEXTS];
    snprintf(text, I64_BYTES, "%lld", v);
    return text;
}
