/* str_time.c - the part of str.h about times (RFC 3339), without the C library's time zones and locks. */
#include <stdio.h>

#include "base/str.h"

#define DAY_MS 86400000

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back (Howard Hinnant, chrono-compatible
 * low-level date algorithms). Years begin in March there, so that the leap day is the last of the year. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

void str_from_time_ms(int64_t unix_ms, char *ret, size_t room)
{
    int64_t days = unix_ms / DAY_MS, of_day = unix_ms % DAY_MS, year;
    int month, day;
    if (of_day < 0) {
        of_day += DAY_MS;
        days--;
    }
    date_from_days(days, &year, &month, &day);
    int ms = (int)of_day;
    snprintf(ret, room, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)year, month, day, ms / 3600000,
             ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Exactly `digits` digits, between min and max. */
static bool take_field(const char **at, int digits, int64_t min, int64_t max, int64_t *ret)
{
    int64_t v = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        v = v * 10 + (**at - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

/* ".5", ".123", up to nine digits; what is finer than a millisecond is dropped. */
static bool take_fraction(const char **at, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (!take_char(at, '.'))
        return true;
    int digits = 0;
    for (int64_t worth = 100; **at >= '0' && **at <= '9'; (*at)++, digits++, worth /= 10)
        *ret_ms += (**at - '0') * worth;
    return digits >= 1 && digits <= 9;
}

static bool take_zone(const char **at, int64_t *ret_minutes)
{
    int64_t hours, minutes;
    bool minus = **at == '-';
    *ret_minutes = 0;
    if (take_char(at, 'Z'))
        return true;
    if (!take_char(at, minus ? '-' : '+') || !take_field(at, 2, 0, 23, &hours) || !take_char(at, ':') ||
        !take_field(at, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = minus ? -(hours * 60 + minutes) : hours * 60 + minutes;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static bool read_time(const char *at, int64_t *ret_unix_ms)
{
    int64_t year, month, day, hour, minute, second, ms, zone;
    bool fine =
        take_field(&at, 4, 0, 9999, &year) && take_char(&at, '-') && take_field(&at, 2, 1, 12, &month) &&
        take_char(&at, '-') && take_field(&at, 2, 1, days_in_month(year, month), &day) &&
        take_char(&at, 'T') && take_field(&at, 2, 0, 23, &hour) && take_char(&at, ':') &&
        take_field(&at, 2, 0, 59, &minute) && take_char(&at, ':') && take_field(&at, 2, 0, 59, &second) &&
        take_fraction(&at, &ms) && take_zone(&at, &zone) && !*at;
    if (fine)
        *ret_unix_ms = days_from_date(year, month, day) * DAY_MS +
                       ((hour * 60 + minute - zone) * 60 + second) * 1000 + ms;
    return fine;
}

enum err str_to_time_ms(const char *text, int64_t *ret_unix_ms)
{
    if (!text || !read_time(text, ret_unix_ms))
        return err_set(ERR_INVALID, "'%.40s' is not a time such as 2026-11-23T18:00:00Z", text ? text : "");
    return ERR_OK;
}
