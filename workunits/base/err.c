/* err.c - see err.h */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

struct err_row {
    const char *word;
    int http;
    int exit;
    bool retry;
};

static const struct err_row rows[ERR_COUNT] = {
#define X(name, word, http, exit, retry) [ERR_##name] = {word, http, exit, retry},
    ERR_LIST(X)
#undef X
};

static _Thread_local char sentence[ERR_TEXT_BYTES_MAX];

/* The length of a text that was cut at len bytes, without a UTF-8 character cut in half at its end. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return len;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return len - start + 1 < wanted ? start - 1 : len;
}

/* Formats beside the sentence first, as the arguments may well be err_text() itself. */
static size_t format_into(char *ret, size_t room, const char *format, va_list args)
{
    int n = vsnprintf(ret, room, format, args);
    if (n < 0)
        n = 0;
    return (size_t)n < room ? (size_t)n : whole_characters(ret, room - 1);
}

enum err err_set(enum err e, const char *format, ...)
{
    char text[ERR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    size_t len = format_into(text, sizeof text, format, args);
    va_end(args);
    memcpy(sentence, text, len);
    sentence[len] = '\0';
    return e;
}

static enum err from_errno(enum err e, int number)
{
    if (number == ENOSPC || number == EDQUOT)
        return ERR_FULL;
    if (number == ENOMEM)
        return ERR_NOMEM;
    return number == ENOENT && e == ERR_IO ? ERR_MISSING : e;
}

enum err err_set_errno(enum err e, const char *format, ...)
{
    int number = errno;
    char text[ERR_TEXT_BYTES_MAX], reason[128];
    va_list args;
    va_start(args, format);
    size_t len = format_into(text, sizeof text, format, args);
    va_end(args);
    return err_set(from_errno(e, number), "%.*s: %s", (int)len, text,
                   strerror_r(number, reason, sizeof reason));
}

enum err err_prefix(enum err e, const char *format, ...)
{
    char text[ERR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    size_t len = format_into(text, sizeof text, format, args);
    va_end(args);
    return err_set(e, "%.*s: %s", (int)len, text, sentence);
}

const char *err_text(void)
{
    return sentence;
}

const char *err_word(enum err e)
{
    return e < ERR_COUNT ? rows[e].word : "io";
}

int err_http(enum err e)
{
    return e < ERR_COUNT ? rows[e].http : 500;
}

int err_exit(enum err e)
{
    return e < ERR_COUNT ? rows[e].exit : 12;
}

bool err_retry(enum err e)
{
    return e < ERR_COUNT && rows[e].retry;
}

enum err err_from_word(const char *word)
{
    for (unsigned e = 0; word && e < ERR_COUNT; e++)
        if (strcmp(rows[e].word, word) == 0)
            return (enum err)e;
    return ERR_IO;
}
