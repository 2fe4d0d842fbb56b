/* str.c - see str.h; numbers, durations and sizes. Names and encodings are in str_code.c. */
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);
    return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

enum err str_to_u64(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    const char *at = text;
    if (!text || *text == 0)
        return err_set(ERR_INVALID, "a whole number is wanted, not nothing");
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*at - '0'), &v) ||
            v > max)
            return err_set(ERR_INVALID, "'%.40s' is too large: at most %" PRIu64, text, max);
    if (*at != 0)
        return err_set(ERR_INVALID, "'%.40s' is not a whole number from 0 to %" PRIu64, text, max);
    *ret = v;
    return ERR_OK;
}

enum err str_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    uint64_t v;
    bool minus = text && *text == '-';
    enum err e = str_to_u64(text ? text + minus : text, (uint64_t)INT64_MAX, &v);
    int64_t signed_v = e == ERR_OK ? (minus ? -(int64_t)v : (int64_t)v) : 0;
    if (e != ERR_OK || signed_v < min || signed_v > max)
        return err_set(ERR_INVALID, "'%.40s' is not a whole number from %" PRId64 " to %" PRId64,
                       text ? text : "", min, max);
    *ret = signed_v;
    return ERR_OK;
}

enum err str_to_double(const char *text, double *ret)
{
    char *end = NULL;
    bool starts = text && *text && strchr("+-.0123456789", *text);
    double v = starts ? strtod(text, &end) : 0;
    if (!starts || *end != 0 || !isfinite(v) || strpbrk(text, "xXpPnN"))
        return err_set(ERR_INVALID, "'%.40s' is not a number", text ? text : "");
    *ret = v;
    return ERR_OK;
}

enum err str_to_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (str_eq(text, yes[i]) || str_eq(text, no[i])) {
            *ret = str_eq(text, yes[i]);
            return ERR_OK;
        }
    }
    return err_set(ERR_INVALID, "'%.40s' is neither yes nor no", text ? text : "");
}

/* A decimal number with an optional fraction; moves *at behind it. */
static bool take_number(const char **at, double *ret)
{
    const char *from = *at;
    double v = 0, unit = 1;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        v = v * 10 + (**at - '0');
    if (*at != from && **at == '.') {
        for ((*at)++; **at >= '0' && **at <= '9'; (*at)++)
            v += (**at - '0') * (unit /= 10);
    }
    *ret = v;
    return *at != from && *at - from < 20;
}

static double unit_ms(const char **at)
{
    static const struct {
        const char *word;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}, {"w", 6.048e8}};
    if (**at == 0)
        return 1e3;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].word);
        if (strncmp(*at, units[i].word, len) == 0) {
            *at += len;
            return units[i].ms;
        }
    }
    return 0;
}

enum err str_to_duration_ms(const char *text, int64_t *ret_ms)
{
    double sum = 0, v, unit = 0;
    const char *at = text ? text : "";
    bool good = *at != 0;
    while (good && *at) {
        good = take_number(&at, &v) && (unit = unit_ms(&at)) > 0;
        sum += good ? v * unit : 0;
    }
    if (!good || sum > 1e15)
        return err_set(ERR_INVALID, "'%.40s' is not a duration: write for example 90s, 15m, 2h or 1h30m",
                       text ? text : "");
    *ret_ms = (int64_t)(sum + 0.5);
    return ERR_OK;
}

enum err str_to_bytes(const char *text, uint64_t *ret_bytes)
{
    static const char letters[] = "KMGTP";
    const char *at = text ? text : "";
    double v, unit = 1;
    bool good = take_number(&at, &v);
    const char *letter = good && *at ? strchr(letters, *at) : NULL;
    if (letter) {
        for (long i = 0; i <= letter - letters; i++)
            unit *= 1024;
        at++;
        if (*at == 'i')
            at++;
    }
    if (*at == 'B')
        at++;
    if (!good || *at != 0 || v * unit > 9e18)
        return err_set(ERR_INVALID, "'%.40s' is not a size: write for example 4096, 64K, 512M or 2G",
                       text ? text : "");
    *ret_bytes = (uint64_t)(v * unit + 0.5);
    return ERR_OK;
}

void str_from_duration_ms(int64_t ms, char *ret, size_t room)
{
    int64_t s = (ms < 0 ? -ms : ms) / 1000;
    const char *minus = ms < 0 ? "-" : "";
    if (s < 10)
        snprintf(ret, room, "%s%.1fs", minus, (double)(ms < 0 ? -ms : ms) / 1000);
    else if (s < 60)
        snprintf(ret, room, "%s%" PRId64 "s", minus, s);
    else if (s < 3600)
        snprintf(ret, room, "%s%" PRId64 "m %" PRId64 "s", minus, s / 60, s % 60);
    else if (s < 86400)
        snprintf(ret, room, "%s%" PRId64 "h %" PRId64 "m", minus, s / 3600, s / 60 % 60);
    else
        snprintf(ret, room, "%s%" PRId64 "d %" PRId64 "h", minus, s / 86400, s / 3600 % 24);
}

void str_from_bytes(uint64_t bytes, char *ret, size_t room)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    size_t i = 0;
    for (; v >= 1024 && i + 1 < sizeof units / sizeof *units; i++)
        v /= 1024;
    if (i == 0)
        snprintf(ret, room, "%" PRIu64 " B", bytes);
    else
        snprintf(ret, room, "%.1f %s", v, units[i]);
}

void str_from_time_ms(int64_t unix_ms, char *ret, size_t room)
{
    int64_t ms = unix_ms % 1000;
    time_t s = (time_t)(unix_ms / 1000 - (ms < 0));
    struct tm t;
    char day[32];
    if (!gmtime_r(&s, &t) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &t) == 0)
        snprintf(day, sizeof day, "?");
    snprintf(ret, room, "%s.%03dZ", day, (int)(ms < 0 ? ms + 1000 : ms));
}

enum err str_to_time_ms(const char *text, int64_t *ret_unix_ms)
{
    struct tm t = {0};
    double fraction = 0;
    const char *at = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &t) : NULL;
    if (at && *at == '.') {
        double unit = 1;
        for (at++; *at >= '0' && *at <= '9'; at++)
            fraction += (*at - '0') * (unit /= 10);
    }
    if (!at || !str_eq(at, "Z"))
        return err_set(ERR_INVALID, "'%.40s' is not a time: write for example 2026-11-23T18:00:00Z (UTC)",
                       text ? text : "");
    *ret_unix_ms = (int64_t)timegm(&t) * 1000 + (int64_t)(fraction * 1000 + 0.5);
    return ERR_OK;
}
