/* cron.c - see cron.h */
#include "rules/cron.h"

#include <stddef.h>

#define MINUTE_MS 60000ll
enum { DAYS_SEARCHED = 8 * 366, DAY_MINUTES = 1440 };

/* --- reading --- */

static bool read_number(const char **at, uint32_t *ret)
{
    const char *p = *at;
    uint32_t n = 0;
    while (*p >= '0' && *p <= '9' && p - *at < 3)
        n = n * 10 + (uint32_t)(*p++ - '0');
    if (p == *at || (*p >= '0' && *p <= '9'))
        return false;
    *at = p;
    *ret = n;
    return true;
}

/* One of a list: *, N or A-B, with a step. */
static bool read_range(const char **at, uint32_t min, uint32_t max, uint64_t *bits)
{
    uint32_t from = min, to = max, step = 1;
    if (**at == '*') {
        ++*at;
    } else {
        if (!read_number(at, &from))
            return false;
        to = from;
        if (**at == '-') {
            ++*at;
            if (!read_number(at, &to))
                return false;
        } else if (**at == '/') {
            to = max;
        }
    }
    if (**at == '/') {
        ++*at;
        if (!read_number(at, &step))
            return false;
    }
    if (from < min || to > max || from > to || step == 0)
        return false;
    for (uint32_t n = from; n <= to; n += step)
        *bits |= UINT64_C(1) << n;
    return true;
}

static enum err read_field(const char **at, const char *name, uint32_t min, uint32_t max, uint64_t *ret)
{
    while (**at == ' ' || **at == '\t')
        ++*at;
    bool more = true;
    while (more) {
        if (!read_range(at, min, max, ret))
            return err_set(
                ERR_INVALID,
                "cron: the field %s is *, N, A-B, each with /STEP, or a list of those, from %u to %u", name,
                min, max);
        more = **at == ',';
        *at += more;
    }
    if (**at != ' ' && **at != '\t' && **at != '\0')
        return err_set(ERR_INVALID, "cron: the field %s goes on with \"%.10s\"", name, *at);
    return ERR_OK;
}

static bool is_any(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return *at == '*';
}

enum err cron_parse(const char *text, struct cron *ret)
{
    struct cron c = {0};
    const char *at = text;
    enum err e;
    if ((e = read_field(&at, "minute", 0, 59, &c.minutes)) != ERR_OK ||
        (e = read_field(&at, "hour", 0, 23, &c.hours)) != ERR_OK)
        return e;
    c.any_day = is_any(at);
    if ((e = read_field(&at, "day of month", 1, 31, &c.days)) != ERR_OK ||
        (e = read_field(&at, "month", 1, 12, &c.months)) != ERR_OK)
        return e;
    c.any_weekday = is_any(at);
    if ((e = read_field(&at, "day of week", 0, 7, &c.weekdays)) != ERR_OK)
        return e;
    while (*at == ' ' || *at == '\t')
        at++;
    if (*at)
        return err_set(ERR_INVALID, "cron: there are five fields, \"%.20s\" is too much", at);
    if (c.weekdays >> 7 & 1)
        c.weekdays |= 1;
    *ret = c;
    return ERR_OK;
}

/* --- the next time --- */

struct date {
    uint32_t day, month;
};

/* Howard Hinnant's civil_from_days. */
static struct date date_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t doe = (uint32_t)(z - era * 146097);
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    return (struct date){doy - (153 * mp + 2) / 5 + 1, mp < 10 ? mp + 3 : mp - 9};
}

static bool is_day(const struct cron *c, int64_t days)
{
    struct date d = date_of(days);
    bool day = c->days >> d.day & 1,
         weekday = c->weekdays >> ((days + 4) % 7) & 1; /* 1970-01-01 was a Thursday */
    if (!(c->months >> d.month & 1))
        return false;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

int64_t cron_next_ms(const struct cron *c, int64_t after_ms)
{
    int64_t minute = (after_ms < 0 ? 0 : after_ms / MINUTE_MS + 1);
    for (int64_t days = minute / DAY_MINUTES, end = days + DAYS_SEARCHED; days < end; days++) {
        if (!is_day(c, days))
            continue;
        for (int64_t m = minute > days * DAY_MINUTES ? minute - days * DAY_MINUTES : 0; m < DAY_MINUTES; m++)
            if ((c->hours >> (m / 60) & 1) && (c->minutes >> (m % 60) & 1))
                return (days * DAY_MINUTES + m) * MINUTE_MS;
    }
    return INT64_MAX;
}
