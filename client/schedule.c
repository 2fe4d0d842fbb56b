#include "client/schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
enum { DAYS = 7, ENTRY_ROOM = 64 };

static int day_of(const char *text)
{
    for (int i = 0; i < DAYS; i++)
        if (strncasecmp(text, days[i], 3) == 0)
            return i;
    return -1;
}

static bool minute_of(const char *text, int *ret)
{
    int hour, minute, used = 0;
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &used) != 2 || text[used] != 0)
        return false;
    *ret = hour * 60 + minute;
    return hour >= 0 && minute >= 0 && minute < 60 && *ret <= POLICY_DAY_MINUTES;
}

static enum err parse_entry(const char *entry, struct policy_window *ret, uint32_t *count)
{
    char when[12], first[8], last[8];
    int from, until, used = 0;
    enum err bad = ERR_INVALID;
    if (sscanf(entry, " %7[A-Za-z]%n", first, &used) != 1)
        return err_set(bad, "\"%s\" should be like Mon-Fri 18:00-08:00", entry);
    const char *at = entry + used;
    snprintf(last, sizeof last, "%s", first);
    if (*at == '-' && sscanf(at, "-%7[A-Za-z]%n", last, &used) == 1)
        at += used;
    int day = day_of(first), end = day_of(last);
    if (day < 0 || end < 0 || strlen(first) != 3 || strlen(last) != 3)
        return err_set(bad, "\"%s\" names no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun", entry);
    if (sscanf(at, " %11s", when) != 1 || !strchr(when, '-'))
        return err_set(bad, "\"%s\" should be like Mon-Fri 18:00-08:00", entry);
    char *dash = strchr(when, '-');
    *dash = 0;
    if (!minute_of(when, &from) || !minute_of(dash + 1, &until) || from == POLICY_DAY_MINUTES)
        return err_set(bad, "\"%s\" has no times such as 18:00-08:00", entry);
    for (int n = (end - day + DAYS) % DAYS; n >= 0; n--, day = (day + 1) % DAYS) {
        if (*count == POLICY_WINDOWS_MAX)
            return err_set(ERR_LIMIT, "a schedule has at most %d windows", POLICY_WINDOWS_MAX);
        int begin = day * POLICY_DAY_MINUTES + from;
        int stop = day * POLICY_DAY_MINUTES + until + (until <= from ? POLICY_DAY_MINUTES : 0);
        ret[(*count)++] = (struct policy_window){(uint16_t)begin, (uint16_t)(stop % POLICY_WEEK_MINUTES)};
    }
    return ERR_OK;
}

enum err schedule_parse(const char *text, struct policy_window ret[POLICY_WINDOWS_MAX], uint32_t *ret_count)
{
    char entry[ENTRY_ROOM];
    *ret_count = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        snprintf(entry, sizeof entry, "%.*s", (int)(len < sizeof entry ? len : sizeof entry - 1), text);
        enum err e = parse_entry(entry, ret, ret_count);
        if (e != ERR_OK)
            return e;
        text += len + (text[len] == ',');
    }
    return ERR_OK;
}
