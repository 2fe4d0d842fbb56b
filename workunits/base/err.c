/* err.c - see err.h */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

static _Thread_local char sentence[ERR_TEXT_BYTES_MAX];

static const struct row {
    const char *word;
    int http;
    int exit;
    bool retry;
} rows[ERR_COUNT] = {
#define X(name, word, http, exit, retry) [ERR_##name] = {word, http, exit, retry},
    ERR_LIST(X)
#undef X
};

enum err err_set(enum err e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return e;
}

static enum err from_errno(enum err e, int number)
{
    if (number == ENOSPC || number == EDQUOT)
        return ERR_FULL;
    if (number == ENOMEM)
        return ERR_NOMEM;
    if (number == ENOENT && e == ERR_IO)
        return ERR_MISSING;
    return e;
}

enum err err_set_errno(enum err e, const char *format, ...)
{
    int number = errno;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof sentence) {
        char reason[128];
        snprintf(sentence + len, sizeof sentence - (size_t)len, ": %s",
                 strerror_r(number, reason, sizeof reason));
    }
    return from_errno(e, number);
}

enum err err_prefix(enum err e, const char *format, ...)
{
    char old[ERR_TEXT_BYTES_MAX];
    va_list args;
    memcpy(old, sentence, sizeof old);
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof sentence)
        snprintf(sentence + len, sizeof sentence - (size_t)len, ": %.*s",
                 (int)(sizeof sentence - (size_t)len - 3), old);
    return e;
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
    for (size_t i = 0; word && i < ERR_COUNT; i++)
        if (strcmp(rows[i].word, word) == 0)
            return (enum err)i;
    return ERR_IO;
}
