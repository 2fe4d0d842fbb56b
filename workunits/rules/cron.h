/* cron.h - "minute hour day-of-month month day-of-week" as crontab(5) has it, in UTC, pure.
 *
 * Fields are *, N, A-B, each with /STEP, and lists of those with commas. Days of the week are 0 to 7, 0 and 7
 * being Sunday. Where both kinds of days are restricted, either suffices. No names, no @words. */
#ifndef RULES_CRON_H
#define RULES_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cron {
    uint64_t minutes, hours, days, months, weekdays; /* bit N: N is in it */
    bool any_day, any_weekday;                       /* given as * */
};

/* ERR_INVALID names the field and what is wrong with it. */
enum err cron_parse(const char *text, struct cron *ret) NODISCARD;
/* The first time after after_ms (since 1970), a whole minute; INT64_MAX when there is none within eight
 * years, as for the 30th of February. */
int64_t cron_next_ms(const struct cron *c, int64_t after_ms);

#endif
