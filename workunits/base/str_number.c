/* str_number.c - the part of str.h about numbers, yes and no, durations and sizes as people write them. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

char *str_from_u64(uint64_t v, char ret[STR_U64_BYTES])
{
    char digits[STR_U64_BYTES];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n > 0)
        *ret++ = digits[--n];
    *ret = 0;
    return ret;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *text, at least one; moves past them. */
static bool take_digits(const char **text, uint64_t max, uint64_t *ret)
{
    const char *at = *text;
    uint64_t v = 0;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*at - '0'), &v) ||
            v > max)
            return false;
    *text = at;
    *ret = v;
    return true;
}

enum err str_to_u64(const char *text, uint64_t max, uint64_t *ret)
{
    const char *at = text ? text : "";
    uint64_t v;
    if (!take_digits(&at, max, &v) || *at)
        return err_set(ERR_INVALID, "'%.40s' is not a whole number from 0 to %llu", text ? text : "",
                       (unsigned long long)max);
    *ret = v;
    return ERR_OK;
}

enum err str_to_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    const char *at = text ? text : "";
    bool minus = *at == '-';
    uint64_t v = 0;
    at += minus;
    bool fine = take_digits(&at, (uint64_t)INT64_MAX + minus, &v) && !*at;
    int64_t n = minus ? (int64_t)(0 - v) : (int64_t)v;
    if (!fine && min == INT64_MIN && max == INT64_MAX)
        return err_set(ERR_INVALID, "'%.40s' is not a whole number", text ? text : "");
    if (!fine || n < min || n > max)
        return err_set(ERR_INVALID, "'%.40s' is not a whole number from %lld to %lld", text ? text : "",
                       (long long)min, (long long)max);
    *ret = n;
    return ERR_OK;
}

/* Only the forms of JSON, so that "inf", "nan", hexadecimal and blanks, which strtod takes, stay out. */
static bool is_real(const char *at)
{
    at += *at == '-';
    if (!is_digit(*at))
        return false;
    at += strspn(at, "0123456789");
    if (*at == '.') {
        if (!is_digit(*++at))
            return false;
        at += strspn(at, "0123456789");
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!is_digit(*at))
            return false;
        at += strspn(at, "0123456789");
    }
    return *at == '\0';
}

/* glibc gives the C locale without allocating, so that this costs next to nothing. The process may have set
 * another one for its screen. */
static double to_double(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return NAN;
    double v = strtod_l(text, NULL, c);
    freelocale(c);
    return v;
}

enum err str_to_double(const char *text, double *ret)
{
    double v = text && is_real(text) ? to_double(text) : NAN;
    if (!isfinite(v))
        return err_set(ERR_INVALID, "'%.40s' is not a number such as 2, 0.5 or 1e-6", text ? text : "");
    *ret = v;
    return ERR_OK;
}

void str_from_double(double v, char ret[STR_DOUBLE_BYTES])
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(ret, STR_DOUBLE_BYTES, "%.*g", digits, v);
        if (digits == 17 || strtod(ret, NULL) == v)
            break;
    }
    if (c) {
        uselocale(before);
        freelocale(c);
    }
}

enum err str_to_bool(const char *text, bool *ret)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *ret = i % 2;
            return ERR_OK;
        }
    return err_set(ERR_INVALID, "'%.40s' is neither yes nor no", text ? text : "");
}

/* A whole number and the thousandths after its point, if there are any. */
struct decimal {
    uint64_t whole;
    uint64_t thousandths;
};

static bool take_decimal(const char **text, struct decimal *ret)
{
    const char *at = *text;
    struct decimal d = {0};
    if (!take_digits(&at, UINT64_MAX, &d.whole))
        return false;
    if (*at == '.') {
        uint64_t worth = 100;
        for (at++; is_digit(*at) && worth > 0; at++, worth /= 10)
            d.thousandths += (uint64_t)(*at - '0') * worth;
        if (worth == 100 || is_digit(*at))
            return false;
    }
    *text = at;
    *ret = d;
    return true;
}

/* d times unit, rounded down; false over max. A unit is at most 2^50. */
static bool scale(struct decimal d, uint64_t unit, uint64_t max, uint64_t *ret)
{
    uint64_t v;
    if (__builtin_mul_overflow(d.whole, unit, &v) ||
        __builtin_add_overflow(v, d.thousandths * unit / 1000, &v) || v > max)
        return false;
    *ret = v;
    return true;
}

struct unit {
    const char *word;
    uint64_t ms;
};

static const struct unit *take_unit(const char **text)
{
    static const struct unit units[] = {{"w", 7 * DAY_MS}, {"d", DAY_MS},    {"h", HOUR_MS},
                                        {"ms", 1},         {"m", MINUTE_MS}, {"s", SECOND_MS}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_starts(*text, units[i].word)) {
            *text += strlen(units[i].word);
            return &units[i];
        }
    return NULL;
}

static bool read_duration(const char *at, int64_t *ret_ms)
{
    static const struct unit seconds = {"", SECOND_MS};
    uint64_t total = 0, part, last_ms = UINT64_MAX;
    do {
        struct decimal d;
        if (!take_decimal(&at, &d))
            return false;
        const struct unit *unit = *at == '\0' && last_ms == UINT64_MAX ? &seconds : take_unit(&at);
        if (!unit || unit->ms >= last_ms || !scale(d, unit->ms, INT64_MAX - total, &part))
            return false;
        total += part;
        last_ms = unit->ms;
    } while (*at);
    *ret_ms = (int64_t)total;
    return true;
}

enum err str_to_duration_ms(const char *text, int64_t *ret_ms)
{
    if (!text || !read_duration(text, ret_ms))
        return err_set(ERR_INVALID, "'%.40s' is not a duration such as 90s, 15m, 1h30m, 7d or 250ms",
                       text ? text : "");
    return ERR_OK;
}

static bool read_bytes(const char *at, uint64_t *ret_bytes)
{
    static const char prefixes[] = "KMGTP";
    struct decimal d;
    uint64_t unit = 1;
    if (!take_decimal(&at, &d))
        return false;
    const char *prefix = *at ? strchr(prefixes, *at == 'k' ? 'K' : *at) : NULL;
    if (prefix) {
        unit <<= 10 * (prefix - prefixes + 1);
        at++;
    }
    if (*at && strcmp(at, "B") != 0 && !(prefix && strcmp(at, "iB") == 0))
        return false;
    return (prefix || d.thousandths == 0) && scale(d, unit, UINT64_MAX, ret_bytes);
}

enum err str_to_bytes(const char *text, uint64_t *ret_bytes)
{
    if (!text || !read_bytes(text, ret_bytes))
        return err_set(ERR_INVALID, "'%.40s' is not a size such as 4096, 64K, 512M, 2G or 1T",
                       text ? text : "");
    return ERR_OK;
}

void str_from_duration_ms(int64_t ms, char *ret, size_t room)
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t v = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    unsigned long long s = v / SECOND_MS, m = v / MINUTE_MS, h = v / HOUR_MS, d = v / DAY_MS;
    if (v < SECOND_MS)
        snprintf(ret, room, "%s%llums", sign, (unsigned long long)v);
    else if (s < 10)
        snprintf(ret, room, "%s%llu.%llus", sign, s, (unsigned long long)(v % SECOND_MS / 100));
    else if (m < 1)
        snprintf(ret, room, "%s%llus", sign, s);
    else if (h < 1)
        snprintf(ret, room, "%s%llum %llus", sign, m, s % 60);
    else if (d < 1)
        snprintf(ret, room, "%s%lluh %llum", sign, h, m % 60);
    else
        snprintf(ret, room, "%s%llud %lluh", sign, d, h % 24);
}

void str_from_bytes(uint64_t bytes, char *ret, size_t room)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t power = 0;
    uint64_t rest = 0, v = bytes;
    for (; v >= 1024; v /= 1024, power++)
        rest = v % 1024;
    uint64_t tenths = rest * 10 / 1024;
    if (power && v < 100 && tenths)
        snprintf(ret, room, "%u.%u %s", (unsigned)v, (unsigned)tenths, names[power]);
    else
        snprintf(ret, room, "%u %s", (unsigned)v, names[power]);
}
